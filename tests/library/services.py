"""Each service with its client and its stand-in, for tests of what they have in common."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kometa_ai.core.item import ArrId, ItemKey, movie_key, show_key
from kometa_ai.library.radarr import Radarr
from kometa_ai.library.sonarr import Sonarr
from kometa_ai.standins.radarr import API_KEY, AutoTagRule, MovieSeed, RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import ShowRule, ShowSeed, SonarrStandIn
from tests.library.talking import Waits, assert_harmless

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from kometa_ai.core.item import Kind
    from kometa_ai.library.arr.connection import Timeouts
    from kometa_ai.library.arr.spec import Instance

StandIn = RadarrStandIn | SonarrStandIn
Client = Radarr | Sonarr
FIRST = 1001
"""The number of the first item, at TMDb or TVDb."""


@dataclass(frozen=True)
class Service:
    """A service; `line` is Sonarr's."""

    name: Literal["Radarr", "Sonarr"]
    kind: Kind
    items: str
    ids: str
    line: Literal["v4", "v5"] = "v4"

    def __str__(self) -> str:
        return f"{self.name} {self.line}" if self.name == "Sonarr" else self.name

    @property
    def editor(self) -> str:
        """The path of its bulk editor."""
        return f"*/{self.items}/editor"

    def key_of(self, number: int) -> ItemKey:
        """The key of an item."""
        return movie_key(number) if self.kind == "movie" else show_key(number)

    def with_items(self, count: int = 2, rules: Sequence[str] = (), **options: Any) -> StandIn:
        """The stand-in with so many items, whose numbers begin at FIRST; `rules` take their labels off everything."""
        numbers = range(FIRST, FIRST + count)
        condition: dict[str, Any] = {"remove_tags_automatically": True, "genres": ("None",)}
        if self.name == "Radarr":
            movies = (MovieSeed(f"Item {n}", 2000, n) for n in numbers)
            return RadarrStandIn(
                movies, rules=[AutoTagRule("rule", (label,), **condition) for label in rules], **options
            )
        shows = (ShowSeed(f"Item {n}", 2000, n) for n in numbers)
        undoing = [ShowRule("rule", (label,), **condition) for label in rules]
        return SonarrStandIn(shows, line=self.line, rules=undoing, **options)

    @asynccontextmanager
    async def talking(
        self,
        server: StandIn,
        *,
        base: str = "",
        key: str = API_KEY,
        waits: Waits | None = None,
        timeouts: Timeouts | None = None,
        instance: Instance | None = None,
    ) -> AsyncIterator[Client]:
        """This service's client and a stand-in; afterwards, whatever it sent must have been harmless."""
        build = Radarr if self.name == "Radarr" else Sonarr
        sleep = Waits() if waits is None else waits
        with serve(server.app) as url:
            async with build(url + base, key, sleep=sleep, timeouts=timeouts, instance=instance) as client:
                yield client
        if isinstance(server, SonarrStandIn):
            assert_harmless_to_shows(server)
        else:
            assert_harmless(server)


def assert_harmless_to_shows(server: SonarrStandIn) -> None:
    """No whole show, no deletion, no replace; no parameter that Sonarr ignores, no credits, no key in a query."""
    assert server.forbidden_calls == []
    assert server.ignored_parameters == set()
    assert server.credit_reads == []
    for request in server.requests:
        assert "apikey" not in {name.lower() for name in request.query}
        assert "x-api-key" in request.headers
    for read in server.list_reads:
        assert read.query == {}
    for edit in server.editor_calls:
        assert set(edit.body) == {"seriesIds", "tags", "applyTags"}
        assert 0 < len(set(edit.body["seriesIds"])) == len(edit.body["seriesIds"]) <= 100


SERVICES = (
    Service("Radarr", "movie", "movie", "movieIds"),
    Service("Sonarr", "show", "series", "seriesIds"),
    Service("Sonarr", "show", "series", "seriesIds", line="v5"),
)


def ids_of(server: StandIn, numbers: Sequence[int]) -> tuple[ArrId, ...]:
    """The service's own ids of those items."""
    rows = [server.movie(n) if isinstance(server, RadarrStandIn) else server.show(n) for n in numbers]
    return tuple(ArrId(row["id"]) for row in rows)
