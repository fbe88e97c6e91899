"""A home with films and shows to look at: two nights in, with something of everything that a page has to show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kometa_ai.core.naming import slug_of, tag_of
from kometa_ai.standins.films import films
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.shows import shows
from tests.run.libraries import Home
from tests.run.world import block

if TYPE_CHECKING:
    from pathlib import Path

ODD = (
    MovieSeed(
        title="<script>alert(1)</script> & \"Sons\" 'n' <b>Daughters</b>",
        year=1961,
        tmdb_id=900001,
        overview="<img src=x onerror=alert(1)> {{ 7 * 7 }}",
        genres=("Drama",),
    ),
    MovieSeed(
        title="Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz" * 2,
        year=1999,
        tmdb_id=900002,
        overview="Onewordonly" * 40,
        genres=("Documentary",),
    ),
    MovieSeed(
        title="\u05e9\u05e0\u05d9\u05dd \u202e\u05e2\u05e9\u05e8",
        year=2004,
        tmdb_id=900003,
        overview="\u0644\u0635\u0648\u0635",
        genres=("Crime",),
    ),
    MovieSeed(title="七人の侍", year=1954, tmdb_id=900004, overview="", genres=()),
)
"""Titles and plots that a page may stumble over: markup, a word without end, writing from right to left, no plot."""

_FILMS = films()[:130]
_NOIR = range(5, 17)
_NEAR = (*range(17, 22), *range(30, 34))
_HEIST = range(40, 70)
_STILL_HEIST = range(40, 46)

_UNCLEAR = """\
  # === KOMETA-AI ===
  # enabled: true
  # confidence_threshold: 75
  # prompt: Courtroom dramas.
  # === END KOMETA-AI ===
  Courtroom Dramas:
    sync_mode: sync
"""
_UNSYNCED = """\
  # === KOMETA-AI ===
  # enabled: true
  # prompt: Films to fall asleep by.
  # === END KOMETA-AI ===
  Long Evenings:
    radarr_taglist: kai-long-evenings
    show_missing: false
"""
_OFF = """\
  # === KOMETA-AI ===
  # enabled: false
  # prompt: Samurai films.
  # === END KOMETA-AI ===
  Samurai:
    sync_mode: sync
"""


def lived_in(home: Home) -> None:
    """Two nights, yesterday's the last: members and close calls after the first; after the second changes, removals
    that the brake and the review hold back, and an orphan.

    There are a collection with a problem, one with a warning, one that is off, and one of more than a page of films.
    """  # noqa: D205 - what there is after each
    home.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    home.reason = "A private eye, a city at night & an <i>inheritance</i> that nobody should have claimed."
    _tell(home, "Film Noir", _NOIR, 0.95)
    _tell(home, "Film Noir", _NEAR, 0.75)
    _tell(home, "Heist", _HEIST, 0.9)
    _tell(home, "Long Evenings", range(50, 130), 0.85)
    home.truth["Long Evenings"] |= {movie.title: 0.95 for movie in ODD}
    _tell(home, "Westerns", range(100, 104), 0.9)
    home.truth["Among the Stars"] = {show.title: 0.95 for show in shows()[:8]} | {shows()[8].title: 0.72}
    _write(home, westerns="true")
    home.run()
    _tell(home, "Film Noir", _NEAR[:2], 0.65)
    _tell(home, "Heist", _HEIST, 0.3)
    _tell(home, "Heist", _STILL_HEIST, 0.9)
    for film in films()[130:134]:
        home.radarr.add_movie(film.as_seed())
        home.truth["Film Noir"][film.title] = 0.9
    _write(home, westerns="false")
    home.run(force_refresh=True)


def home_of(folder: Path) -> Home:
    """A home with 134 films, four of them odd, some of them in 4K, too, and thirty shows."""
    movies = [*(film.as_seed() for film in _FILMS), *ODD]
    return Home(folder, movies, movies[:10], [show.as_seed() for show in shows()[:30]], review="removals")


def _tell(home: Home, name: str, numbers: range | tuple[int, ...], confidence: float) -> None:
    home.truth.setdefault(name, {}).update({_FILMS[number].title: confidence for number in numbers})


def _write(home: Home, *, westerns: str) -> None:
    home.collections(
        _block("Film Noir", "Film noir of the classic period.", confidence_threshold=0.7),
        _block("Heist", "Robbers and their plan.", confidence_threshold=0.7),
        _UNSYNCED,
        _UNCLEAR,
        _OFF,
        _block("Westerns", "Riders, and a town.").replace("enabled: true", f"enabled: {westerns}"),
    )
    shows_of_space = _block("Among the Stars", "Space.", arr="sonarr", media="shows", confidence_threshold=0.7)
    home.collections(shows_of_space, file="shows.yml")


def _block(name: str, prompt: str, *, arr: str = "radarr", **keys: Any) -> str:
    return block(name, prompt, **keys) + f"    {arr}_taglist: {tag_of(slug_of(name))}\n"
