"""The demo's material: real films, described in our own words, and a Kometa folder as a user would have it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

_HERE = files(__name__)


class Film(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One film. `cast` are five actors in billing order, `runtime` is in minutes.

    `tags` are the Radarr labels that the film's owner has put on it already; most films have none.
    """

    title: str
    year: int
    tmdb_id: int
    imdb_id: str
    genres: tuple[str, ...]
    keywords: tuple[str, ...]
    directors: tuple[str, ...]
    cast: tuple[str, ...]
    runtime: int
    plot: str
    tags: tuple[str, ...] = ()


@cache
def films() -> tuple[Film, ...]:
    """Every bundled film, oldest first."""
    return msgspec.json.decode(_HERE.joinpath("films.json").read_bytes(), type=tuple[Film, ...])


@cache
def kometa_files() -> dict[str, str]:
    """The example Kometa folder: each file's text under its name, to be written wherever a demo needs it."""
    folder = _HERE.joinpath("kometa")
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yml")
    }


def kometa_folder() -> Path:
    """Where the example Kometa folder is installed; only ever read it."""
    return Path(str(_HERE.joinpath("kometa")))
