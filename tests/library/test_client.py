from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
import structlog

from kometa_ai.core.fingerprint import metadata_hash
from kometa_ai.core.item import ArrId
from kometa_ai.core.movie import Credits
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.port import CreditsUnavailable
from kometa_ai.library.radarr import Radarr
from kometa_ai.standins.faults import Effect, answer, bad_gateway, delay, drop, html_page, redirect, rewrite, truncate
from kometa_ai.standins.films import films
from kometa_ai.standins.radarr import API_KEY, MovieSeed, RadarrStandIn, locked, not_ready
from kometa_ai.standins.serving import serve
from tests.library.talking import HEAT, RONIN, Waits, movies_in, talking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

ALL_WAITS = [1, 2, 4, 8, 16]
STATUS, MOVIES, TAGS, CREDIT = "*/system/status", "*/movie", "*/tag", "*/credit"


def as_json(value: object, status: int = 200) -> Effect:
    """Somebody answers with this JSON."""
    return answer(status, json.dumps(value), "application/json")


async def refusal(radarr: Radarr) -> CheckLibrary:
    """What the check says about a Radarr that cannot be used."""
    with pytest.raises(CheckLibrary) as caught:
        await radarr.check()
    assert caught.value.remedy
    assert API_KEY not in str(caught.value)
    return caught.value


# The check


async def test_a_radarr_that_can_be_used() -> None:
    """One call, the key in a header, no warning."""
    server = RadarrStandIn([HEAT])
    async with talking(server) as radarr:
        status = await radarr.check()
        assert radarr.calls == Counter({("status", "200"): 1})
    assert status.version
    assert status.warning == ""
    [request] = server.requests
    assert (request.method, request.path) == ("GET", "/api/v3/system/status")
    assert request.headers["x-api-key"] == API_KEY


async def test_a_wrong_key_is_not_tried_again() -> None:
    """401 with nothing in it is about the key, and says so without showing it."""
    waits = Waits()
    async with talking(RadarrStandIn(), key="wrong-key", waits=waits) as radarr:
        error = await refusal(radarr)
    assert "RADARR_API_KEY" in error.remedy
    assert "wrong-key" not in str(error)
    assert waits == []


@pytest.mark.parametrize("base", ["/radarr", "/radarr/", "/RADARR"])
async def test_the_url_base_is_kept(base: str) -> None:
    """A path prefix in RADARR_URL stays in front of every call."""
    server = RadarrStandIn([HEAT], url_base="radarr")
    async with talking(server, base=base) as radarr:
        assert (await radarr.check()).warning == ""
        assert len((await radarr.contents()).items) == 1
    assert all(request.path.lower().startswith("/radarr/api/v3/") for request in server.requests)


async def test_a_missing_url_base_is_named() -> None:
    """Section 1.3: Radarr redirects (307); we do not follow, we say what RADARR_URL should be."""
    server = RadarrStandIn(url_base="radarr")
    async with talking(server) as radarr:
        error = await refusal(radarr)
        assert error.remedy == f"Set RADARR_URL to {radarr.address}/radarr."
    assert len(server.requests) == 1


@pytest.mark.parametrize("ui_auth", ["none", "forms"])
async def test_a_url_base_too_many_meets_a_page(ui_auth: str) -> None:
    """Trap 15: the start page comes with 200, or a redirect to the login; neither is an API."""
    server = RadarrStandIn()
    server.behaviour.ui_auth = "forms" if ui_auth == "forms" else "none"
    waits = Waits()
    async with talking(server, base="/radarr", waits=waits) as radarr:
        error = await refusal(radarr)
    assert "URL base" in error.remedy
    assert waits == []


async def test_a_url_with_the_api_in_it() -> None:
    """/api/v3/api/v3 is 404, and the remedy says to leave it out."""
    async with talking(RadarrStandIn(), base="/api/v3") as radarr:
        error = await refusal(radarr)
    assert "without /api/v3" in error.remedy


@pytest.mark.parametrize(
    "effect",
    [
        answer(403, "<title>Forbidden</title>"),
        answer(401, "<title>Authelia</title>"),
        answer(401, WWW_Authenticate="Basic"),
    ],
)
async def test_a_proxy_that_refuses_is_not_taken_for_a_wrong_key(effect: Effect) -> None:
    """Radarr never answers 403, and its 401 is empty: anything else comes from a proxy."""
    server = RadarrStandIn()
    server.faults.inject(effect)
    async with talking(server) as radarr:
        error = await refusal(radarr)
    assert "in front of Radarr" in error.message
    assert "RADARR_API_KEY" not in str(error)


async def test_a_redirect_takes_the_key_nowhere() -> None:
    """Trap 16: another host never sees the key, and the message shows neither query nor credentials."""
    elsewhere, server = RadarrStandIn(), RadarrStandIn()
    with serve(elsewhere.app) as other:
        target = other.replace("://", "://me:secret@") + "/login?next=hidden"
        server.faults.inject(redirect(target), times=None)
        async with talking(server) as radarr:
            error = await refusal(radarr)
    assert elsewhere.requests == []
    assert f"{other}/login" in error.message
    assert "secret" not in str(error)
    assert "hidden" not in str(error)


async def test_a_redirect_to_https_names_the_new_url() -> None:
    """A proxy that wants TLS tells us what RADARR_URL should be."""
    server = RadarrStandIn()
    server.faults.inject(redirect("https://radarr.example/base/api/v3/system/status", 301))
    async with talking(server) as radarr:
        error = await refusal(radarr)
    assert error.remedy == "Set RADARR_URL to https://radarr.example/base."


async def test_a_redirect_to_nowhere_is_an_error_like_any_other() -> None:
    """A location that is no address crashes nothing."""
    server = RadarrStandIn()
    server.faults.inject(answer(302, location="http://x:port"))
    async with talking(server) as radarr:
        assert "redirects (302)" in (await refusal(radarr)).message


@pytest.mark.parametrize(
    ("status", "named"),
    [
        ({"appName": "Sonarr", "version": "4"}, "Sonarr"),
        ({"appName": "Whisparr"}, "Whisparr"),
        ({"version": "1"}, "something else"),
        ([1, 2], "something else"),
    ],
)
async def test_only_radarr_is_radarr(status: object, named: str) -> None:
    """Its relatives serve the same API at the same path, and are told apart by `appName` alone."""
    server = RadarrStandIn()
    server.faults.inject(as_json(status))
    async with talking(server) as radarr:
        error = await refusal(radarr)
    assert f"is {named}, not Radarr" in error.message


async def test_another_url_base_in_the_answer_is_a_warning() -> None:
    """A proxy may translate paths; that works, and is said."""
    server = RadarrStandIn()
    server.faults.inject(as_json({"appName": "Radarr", "urlBase": "/films"}))
    async with talking(server) as radarr:
        assert "/films" in (await radarr.check()).warning


async def test_a_radarr_that_starts_up_is_waited_for() -> None:
    """Section 1.5: 503 passes."""
    server = RadarrStandIn()
    server.faults.inject(not_ready(), times=2)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        await radarr.check()
    assert waits == [1, 2]


async def test_a_radarr_that_never_finishes_starting_says_so() -> None:
    """After five more tries its own words are passed on."""
    server = RadarrStandIn()
    server.behaviour.starting_up = True
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        error = await refusal(radarr)
    assert "Radarr is starting up, please try again later" in error.message
    assert waits == ALL_WAITS


@pytest.mark.parametrize("effect", [bad_gateway(), locked(), drop(), truncate(30), answer(429)])
async def test_what_may_pass_is_tried_again(effect: Effect) -> None:
    """Trap 5: gateways, a busy database, lost connections and torn answers are no verdict."""
    server = RadarrStandIn()
    server.faults.inject(effect, path=STATUS, times=5)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        await radarr.check()
    assert waits == ALL_WAITS


async def test_an_unknown_status() -> None:
    """Cloud proxies have numbers of their own."""
    server = RadarrStandIn()
    server.faults.inject(answer(520, "origin is odd\nray 1", "text/plain"), times=None)
    async with talking(server) as radarr:
        assert (await refusal(radarr)).message.endswith("answered 520: origin is odd.")


async def test_nobody_listens() -> None:
    """Refused connections: six tries, then the URL, the reason, and what to look at."""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    waits = Waits()
    async with Radarr(f"http://127.0.0.1:{port}", API_KEY, sleep=waits) as radarr:
        error = await refusal(radarr)
        assert radarr.calls == Counter({("status", "lost"): 6})
    assert f"http://127.0.0.1:{port} cannot be reached: the connection was refused" in error.message
    assert waits == ALL_WAITS


async def test_a_radarr_that_hangs() -> None:
    """No answer is an answer after a while."""
    server = RadarrStandIn()
    server.faults.inject(delay(60), times=None)
    waits = Waits()
    async with talking(server, waits=waits, timeouts=Timeouts(check=0.2)) as radarr:
        error = await refusal(radarr)
        assert radarr.calls == Counter({("status", "timeout"): 6})
    assert "did not answer within 0.2 s" in error.message
    assert waits == ALL_WAITS


async def test_a_body_that_drips_for_ever_times_out() -> None:
    """The limit is on the whole call: a byte now and then does not keep it alive."""

    async def drip(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        while True:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.02)

    server = RadarrStandIn()
    server.faults.inject(Effect(lambda _app: drip), times=None)
    async with talking(server, timeouts=Timeouts(check=0.2)) as radarr:
        assert "did not answer" in (await refusal(radarr)).message


def test_an_unreachable_radarr_ends_within_a_minute() -> None:
    """Contract section 4: six tries that hang and the waits between them."""
    assert 6 * Timeouts().check + sum(ALL_WAITS) < 60
    assert Timeouts().connect <= Timeouts().check


class Broken(httpx2.AsyncBaseTransport):
    """A network on which every request fails in the same way."""

    def __init__(self, error: Exception, cause: BaseException | None = None) -> None:
        self.error, self.cause = error, cause

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:  # noqa: ARG002
        """Fail."""
        raise self.error from self.cause


@pytest.mark.parametrize(
    ("error", "cause", "said"),
    [
        (httpx2.ConnectError("x"), socket.gaierror(-2, "Name or service not known"), "its name cannot be resolved"),
        (httpx2.ConnectError("x"), ExceptionGroup("all", [OSError(), ConnectionRefusedError()]), "was refused"),
        (httpx2.ConnectTimeout(""), None, "no connection came about in time"),
        (httpx2.RemoteProtocolError("peer closed\nmore"), None, "peer closed."),
        (httpx2.DecodingError(""), None, "DecodingError"),
        (OSError("no route to host"), None, "no route to host"),
    ],
)
async def test_a_network_error_is_put_into_words(error: Exception, cause: BaseException | None, said: str) -> None:
    """No foreign exception leaves the client, and each says why in one line."""
    waits = Waits()
    async with Radarr("http://radarr:7878", API_KEY, transport=Broken(error, cause), sleep=waits) as radarr:
        found = await refusal(radarr)
    assert said in found.message
    assert "\n" not in str(found)
    assert waits == ALL_WAITS


@asynccontextmanager
async def tls_server() -> AsyncIterator[str]:
    """A server with a self-signed certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("untrusted.pem"))
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_untrusted_certificate_is_not_tried_again() -> None:
    """Certificates do not become trusted by waiting."""
    waits = Waits()
    async with tls_server() as url, Radarr(url, API_KEY, sleep=waits) as radarr:
        error = await refusal(radarr)
    assert "certificate" in error.message
    assert "SSL_CERT_FILE" in error.remedy
    assert waits == []


async def test_https_where_http_is_spoken() -> None:
    """The wrong scheme is named as such."""
    waits = Waits()
    with serve(RadarrStandIn().app) as url:
        async with Radarr(url.replace("http:", "https:"), API_KEY, sleep=waits) as radarr:
            error = await refusal(radarr)
    assert "http://" in error.remedy
    assert waits == []


@pytest.mark.parametrize(
    "url", ["", "radarr:7878", "radarr", "ftp://radarr", "http://", "http://[bad", "http://x:no", "http://x:70000"]
)
def test_a_url_that_is_none(url: str) -> None:
    """What cannot be an address is said before anything is sent."""
    with pytest.raises(CheckLibrary, match="RADARR_URL"):
        Radarr(url, API_KEY)


@pytest.mark.parametrize("key", ["", "k\u00e9y", "line\nbreak", " 1234"])
def test_a_key_that_is_none(key: str) -> None:
    """Characters that a header cannot carry are said without showing them."""
    with pytest.raises(CheckLibrary, match="RADARR_API_KEY") as caught:
        Radarr("http://radarr:7878", key)
    assert not key or key not in str(caught.value)


async def test_credentials_for_a_proxy_are_sent_and_never_shown() -> None:
    """http://user:password@host is Basic authentication; a query, where a key would outrank ours, is dropped."""
    server = RadarrStandIn()
    server.faults.inject(bad_gateway(), times=6)
    with serve(server.app) as url:
        async with Radarr(url.replace("//", "//me:secret@") + "/?apikey=wrong", API_KEY, sleep=Waits()) as radarr:
            error = await refusal(radarr)
            await radarr.check()
            assert radarr.address == url
    assert "secret" not in str(error)
    assert server.requests[-1].headers["authorization"].startswith("Basic ")
    assert server.requests[-1].query == {}


async def test_a_cookie_of_a_proxy_goes_back_to_it() -> None:
    """A balancer that ties a client to one machine by a cookie gets it back, with the same headers as before."""
    server = RadarrStandIn()
    server.faults.inject(answer(502, set_cookie="lane=2; Path=/"))
    async with talking(server) as radarr:
        await radarr.check()
        await radarr.check()
    first, *others = [dict(request.headers) for request in server.requests]
    assert "cookie" not in first
    assert [other.pop("cookie") for other in others] == ["lane=2", "lane=2"]
    assert others == [first, first]


async def test_calls_are_logged_without_the_key() -> None:
    """Trap 21: kind, outcome, duration and size of each call; no key, no body."""
    with structlog.testing.capture_logs() as logs:
        async with talking(RadarrStandIn([HEAT])) as radarr:
            await radarr.contents()
    assert [(entry["event"], entry["kind"], entry["outcome"]) for entry in logs] == [
        ("radarr.call", "movies", "200"),
        ("radarr.call", "tags", "200"),
    ]
    assert all(entry["size"] > 0 and entry["log_level"] == "debug" for entry in logs)
    assert API_KEY not in str(logs)


# The library


async def test_the_library_is_two_calls() -> None:
    """Movies with their labels, and the tags there are; the slow cover search is switched off (trap 10)."""
    server = RadarrStandIn([HEAT, RONIN, MovieSeed("Lost", tmdb_id=0)])
    server.behaviour.local_covers_delay = 60
    async with talking(server, timeouts=Timeouts(library=5)) as radarr:
        library = await radarr.contents()
        assert radarr.calls == Counter({("movies", "200"): 1, ("tags", "200"): 1})
    assert [movie.title for movie in library.items] == ["Heat", "Ronin"]
    assert library.items[0].labels == {"favourites"}
    assert library.items[0].arr_id == server.movie(949)["id"]
    assert library.tags == {"favourites": (server.tag_id("favourites"),)}
    assert [(left.title, left.why) for left in library.left_out] == [("Lost", "it has no TMDb id")]


async def test_an_empty_library_is_told_as_it_is() -> None:
    """Whether to believe it is not the client's to say."""
    async with talking(RadarrStandIn()) as radarr:
        library = await radarr.contents()
    assert (library.items, library.tags, library.left_out) == ((), {}, ())


@pytest.mark.parametrize(
    "effect",
    [
        truncate(200),
        truncate(0),
        html_page(),
        bad_gateway(),
        locked(),
        drop(),
        answer(200),
        answer(200, "[]", "text/html"),
    ],
)
@pytest.mark.parametrize("path", [MOVIES, TAGS])
async def test_half_a_list_is_no_list(effect: Effect, path: str) -> None:
    """Trap 15: torn lists and pages are asked for again, and in the end there is no library."""
    server = RadarrStandIn([HEAT])
    server.faults.inject(effect, path=path)
    async with talking(server) as radarr:
        assert len((await radarr.contents()).items) == 1
        server.faults.inject(effect, path=path, times=None)
        with pytest.raises(CheckLibrary) as caught:
            await radarr.contents()
    assert radarr.address in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("value", [{"movies": []}, None, 7, "Heat"])
@pytest.mark.parametrize("path", [MOVIES, TAGS])
async def test_a_whole_answer_of_another_shape_is_not_asked_for_again(value: object, path: str) -> None:
    """It is not torn, so the next one would be the same."""
    server = RadarrStandIn([HEAT])
    server.faults.inject(as_json(value), path=path, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        with pytest.raises(CheckLibrary, match="not what it should be"):
            await radarr.contents()
    assert waits == []


async def test_one_odd_row_costs_nothing_but_itself() -> None:
    """The other movies and tags are read, the odd ones are named, and nothing is asked for twice."""
    server = RadarrStandIn([HEAT, RONIN])
    server.faults.inject(rewrite(lambda body: b"\xef\xbb\xbf" + body.replace(b"[", b"[null,", 1)), path=MOVIES)
    server.faults.inject(rewrite(lambda body: body.replace(b"[", b'[{"id": 9, "label": null},', 1)), path=TAGS)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        library = await radarr.contents()
    assert [movie.title for movie in library.items] == ["Heat", "Ronin"]
    assert library.items[0].labels == {"favourites"}
    assert [left.why for left in library.left_out] == ["row 1 of the list is null"]
    assert library.odd_tags == ("tag 9: it has no label",)
    assert waits == []


@pytest.mark.parametrize("status", [408, 504, 524])
@pytest.mark.parametrize("path", [MOVIES, TAGS])
async def test_a_list_that_a_proxy_gives_up_is_not_asked_for_twice(status: int, path: str) -> None:
    """Radarr builds it all the same; the remedy names the proxy."""
    server = RadarrStandIn([HEAT])
    fault = server.faults.inject(answer(status, "<title>Gateway Time-out</title>"), path=path, times=None)
    async with talking(server) as radarr:
        with pytest.raises(CheckLibrary, match=str(status)) as caught:
            await radarr.contents()
    assert fault.hits == 1
    assert "raise its time-out" in caught.value.remedy


async def test_a_list_that_takes_too_long_is_not_asked_for_twice() -> None:
    """Radarr would build both at once, and be slower."""
    server = RadarrStandIn([HEAT])
    server.faults.inject(delay(60), path=MOVIES, times=None)
    async with talking(server, timeouts=Timeouts(library=0.2)) as radarr:
        with pytest.raises(CheckLibrary, match="did not answer"):
            await radarr.contents()
        assert radarr.calls == Counter({("movies", "timeout"): 1})


async def test_a_key_that_changes_meanwhile() -> None:
    """401 in the middle of a run is final."""
    server = RadarrStandIn([HEAT])
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        await radarr.check()
        server.behaviour.api_key = "another"
        with pytest.raises(CheckLibrary, match="API key"):
            await radarr.contents()
    assert waits == []


async def test_dangling_ids_and_tags_of_others() -> None:
    """Traps 2 and 22: ids without a tag are nothing, odd labels of old databases are read as they are."""
    server = RadarrStandIn([MovieSeed("Heat", 1995, 949, tags=("old label_1",), dangling_tags=(77,))])
    async with talking(server) as radarr:
        library = await radarr.contents()
    assert library.items[0].labels == {"old label_1"}


async def test_a_tag_in_another_case_is_that_tag() -> None:
    """Trap 1: a database edited by hand may hold upper case, and no second tag may be made beside it."""
    server = RadarrStandIn()
    server.faults.inject(as_json([{"label": "KAI-Heist-Films", "id": 3}]), path=TAGS)
    async with talking(server) as radarr:
        assert (await radarr.contents()).tags == {"kai-heist-films": (3,)}


# Credits


async def test_credits_of_one_movie() -> None:
    """Traps 11 and 12: always with `movieId`, which is Radarr's id and no other."""
    server = RadarrStandIn([RONIN, MovieSeed("Heat", 1995, 949, directors=("Michael Mann",), cast=("Al Pacino",))])
    arr_id = ArrId(server.movie(949)["id"])
    async with talking(server) as radarr:
        assert await radarr.credits.of(arr_id) == Credits(("Michael Mann",), ("Al Pacino",))
    [request] = server.credit_reads
    assert request.query == {"movieId": str(arr_id)}


async def test_no_credits_yet_is_no_error() -> None:
    """Trap 20: a movie that was just added has none."""
    server = RadarrStandIn([MovieSeed("Heat", 1995, 949, directors=("Michael Mann",), credits_known=False)])
    async with talking(server) as radarr:
        assert await radarr.credits.of(ArrId(server.movie(949)["id"])) == Credits()


async def test_a_vanished_movie_has_unknown_credits() -> None:
    """404 differs from empty credits; it is not retried, and does not affect other movies."""
    server = RadarrStandIn([HEAT])
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        for _ in range(7):
            with pytest.raises(CreditsUnavailable, match="Movie with ID 4711 does not exist"):
                await radarr.credits.of(ArrId(4711))
        await radarr.credits.of(ArrId(server.movie(949)["id"]))
    assert waits == []


@pytest.mark.parametrize("effect", [html_page(), locked(), drop(), as_json({}), answer(401), redirect("/login")])
async def test_credits_never_end_a_run(effect: Effect) -> None:
    """Whatever is wrong, it is this package's small error."""
    server = RadarrStandIn([HEAT])
    server.faults.inject(effect, path=CREDIT, times=3)
    async with talking(server) as radarr:
        with pytest.raises(CreditsUnavailable):
            await radarr.credits.of(ArrId(server.movie(949)["id"]))


async def test_credits_that_keep_failing_are_given_up_until_the_next_library() -> None:
    """Ten thousand movies must not wait for ten thousand failures."""
    server = RadarrStandIn([HEAT])
    server.faults.inject(locked(), path=CREDIT, times=None)
    arr_id = ArrId(server.movie(949)["id"])
    async with talking(server) as radarr:
        for _ in range(8):
            with pytest.raises(CreditsUnavailable):
                await radarr.credits.of(arr_id)
        assert len(server.credit_reads) == 5 * 3
        server.faults.clear()
        await radarr.contents()
        await radarr.credits.of(arr_id)


async def test_at_most_two_credits_at_once() -> None:
    """Radarr pays for each picture of each actor: a crowd would starve its users."""
    server = RadarrStandIn([HEAT])
    running: list[int] = [0, 0]

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        running[0] += 1
        running[1] = max(running)
        await asyncio.sleep(0.02)
        running[0] -= 1
        await server.app(scope, receive, send)

    with serve(slow) as url:
        async with Radarr(url, API_KEY) as radarr:
            await asyncio.gather(*(radarr.credits.of(ArrId(server.movie(949)["id"])) for _ in range(8)))
    assert running == [0, 2]


async def test_the_metadata_hashes_of_the_bundled_films_stay_as_they_are() -> None:
    """Whatever the border does to odd movies: another hash of an ordinary one would ask about a whole library again."""
    hashes = hashlib.sha256()
    async with talking(RadarrStandIn(film.as_seed() for film in films())) as radarr:
        for movie in movies_in(await radarr.contents()):
            hashes.update(metadata_hash(movie, await radarr.credits.of(movie.arr_id)).encode())
    assert hashes.hexdigest() == "3aa2c0924b8019b7c8d74de960fc0816fddc5a3de76cb20609c49779c144ac62"
