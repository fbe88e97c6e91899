"""A home with two Radarrs and a Sonarr, and runs against them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from kometa_ai.core.item import movie_key, show_key
from kometa_ai.core.naming import Slug, tag_of
from kometa_ai.settings.environment import load_settings
from kometa_ai.standins.arr.standin import API_KEY
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.standins.sonarr_seed import ShowSeed
from kometa_ai.state.store import Store
from tests.run.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kometa_ai.core.decision import Decision
    from kometa_ai.core.item import Kind
    from kometa_ai.settings.schema import Settings
    from kometa_ai.standins.radarr_seed import MovieSeed


def shows(count: int, **fields: Any) -> list[ShowSeed]:
    """Shows with TVDb ids from 1000 on, the same numbers that movies have at TMDb."""
    return [
        ShowSeed(
            title=f"Show {number}",
            **{
                "year": 1990 + number % 30,
                "tvdb_id": 1000 + number,
                "imdb_id": f"tt{9000 + number:07}",
                "overview": f"What happens in show {number}.",
                "network": f"Network {number % 5}",
                "genres": ("Drama",),
                **fields,
            },
        )
        for number in range(count)
    ]


class Home(World):
    """A Radarr, a second one for some of the same films (`radarr-4k`), and a Sonarr."""

    def __init__(
        self,
        folder: Path,
        seeds: Iterable[MovieSeed],
        in_4k: Iterable[MovieSeed],
        series: Iterable[ShowSeed],
        **settings: Any,
    ) -> None:
        super().__init__(folder, seeds, **settings)
        self.radarr_4k = RadarrStandIn(movies=in_4k)
        self.sonarr = SonarrStandIn(series)

    def __enter__(self) -> Self:
        super().__enter__()
        self.change(
            radarr_4k_url=self._stack.enter_context(serve(self.radarr_4k.app)),
            radarr_4k_api_key=API_KEY,
            sonarr_url=self._stack.enter_context(serve(self.sonarr.app)),
            sonarr_api_key=API_KEY,
        )
        return self

    @property
    def settings(self) -> Settings:
        """The environment as settings, the further libraries included."""
        return load_settings(self.environ).settings

    @property
    def services(self) -> dict[str, RadarrStandIn | SonarrStandIn]:
        """The libraries by their names."""
        return {"radarr": self.radarr, "radarr-4k": self.radarr_4k, "sonarr": self.sonarr}

    def members(self, library: str, name: str) -> set[int]:
        """The numbers of the items with a collection's tag in one of the libraries."""
        slug = name.lower().replace(" ", "-")
        return {number - 1000 for number in self.services[library].members(tag_of(slug).lower())}

    def believe_shows(self, name: str, numbers: Iterable[int], confidence: float = 0.95) -> None:
        """Let Claude believe that the shows with these numbers belong to a collection."""
        self.truth.setdefault(name, {}).update({f"Show {number}": confidence for number in numbers})

    def decision(self, kind: Kind, number: int, slug: str) -> Decision:
        """What is remembered about one item and one collection."""
        key = movie_key(1000 + number) if kind == "movie" else show_key(1000 + number)
        return Store.load(self.state_dir, read_only=True).memory[key].collections[Slug(slug)]

    def writes(self) -> dict[str, int]:
        """How often each library was written to."""
        return {name: len(service.writes) for name, service in self.services.items() if service.writes}
