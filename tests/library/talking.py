"""A client that talks to a stand-in over real HTTP, and what must hold for every request it sends."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kometa_ai.core.movie import Movie
from kometa_ai.library.radarr import Radarr
from kometa_ai.standins.faults import Effect, answer
from kometa_ai.standins.radarr import API_KEY, MovieSeed, RadarrStandIn
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from kometa_ai.library.arr.connection import Timeouts
    from kometa_ai.library.port import Contents

HEAT = MovieSeed("Heat", 1995, 949, overview="Two men.", genres=("Crime",), tags=("favourites",))
RONIN = MovieSeed("Ronin", 1998, 8195)


class Waits(list[float]):
    """Sleeps that take no time, and how long they would have been."""

    async def __call__(self, seconds: float) -> None:
        """Do not wait."""
        self.append(seconds)


@asynccontextmanager
async def talking(
    server: RadarrStandIn,
    *,
    base: str = "",
    key: str = API_KEY,
    waits: Waits | None = None,
    timeouts: Timeouts | None = None,
) -> AsyncIterator[Radarr]:
    """A client and the stand-in it talks to; afterwards, whatever it sent must have been harmless."""
    with serve(server.app) as url:
        async with Radarr(url + base, key, sleep=Waits() if waits is None else waits, timeouts=timeouts) as radarr:
            yield radarr
    assert_harmless(server)


def refusing(*bad: int) -> Effect:
    """The editor of a service that validates: one bad item refuses all of its batch, and is not named."""
    body = json.dumps([{"propertyName": "QualityProfileId", "errorMessage": "Quality Profile does not exist"}])
    refusal = answer(400, body, "application/json")

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            sent, more = b"", True
            while more:
                message = await receive()
                sent, more = sent + message.get("body", b""), message.get("more_body", False)

            async def again() -> Message:
                return {"type": "http.request", "body": sent}

            wanted = json.loads(sent)
            ids = wanted.get("movieIds") or wanted.get("seriesIds")
            await (refusal.around(app) if set(bad) & set(ids) else app)(scope, again, send)

        return call

    return Effect(around)


def movies_in(contents: Contents) -> tuple[Movie, ...]:
    """The movies of a library that holds nothing else."""
    assert all(isinstance(item, Movie) for item in contents.items)
    return tuple(item for item in contents.items if isinstance(item, Movie))


def library_of(count: int) -> RadarrStandIn:
    """A Radarr with so many movies; TMDb ids begin at 1000."""
    return RadarrStandIn(MovieSeed(f"Movie {n}", 2000, 1000 + n) for n in range(count))


def assert_harmless(server: RadarrStandIn) -> None:
    """No full PUT, no DELETE, no replace, no key in a query, no expensive read."""
    for request in server.requests:
        assert "apikey" not in {name.lower() for name in request.query}
        assert "x-api-key" in request.headers
        assert request.headers["accept"] == "application/json" or "/mediacover/" in request.path.lower()
    for read in server.list_reads:
        assert read.query == {"excludeLocalCovers": "true"}
    for read in server.credit_reads:
        assert set(read.query) == {"movieId"}
    for write in server.writes:
        if write.method == "POST":
            assert write.path.endswith("/api/v3/tag")
            assert set(write.body) == {"label"}
            assert write.body["label"] == write.body["label"].lower()
        else:
            assert (write.method, write.path[-len("/movie/editor") :]) == ("PUT", "/movie/editor")
            assert set(write.body) == {"movieIds", "tags", "applyTags"}
            assert write.body["applyTags"] in {"add", "remove"}
            assert 0 < len(set(write.body["movieIds"])) == len(write.body["movieIds"]) <= 100
