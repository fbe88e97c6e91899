"""Describe an item of a library: its lasting key (`movie:603`), its service's id, the fields that all layers read.

Why: docs/decisions/0001-tmdb-ids.md
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, NewType, get_args

import msgspec

from kometa_ai.core.naming import Label

Kind = Literal["movie", "show"]
"""What an item is. A collection is about one kind, and so is a library."""

KINDS: tuple[Kind, ...] = get_args(Kind)

ItemKey = NewType("ItemKey", Annotated[str, msgspec.Meta(pattern=r"^(movie|show):[1-9][0-9]{0,9}$")])
"""`movie:603` by TMDb id, `show:81189` by TVDb id: the same in each library and after a library was rebuilt."""

ArrId = NewType("ArrId", int)
"""An item's row in its service, which changes when the service's database is rebuilt."""

LARGEST_ID = 2**31 - 1
"""The largest id of a service and of a catalogue: services keep both as 32-bit integers."""

_CATALOGUES: Mapping[Kind, str] = {"movie": "tmdb", "show": "tvdb"}
_NAMED = re.compile(r"(tmdb|tvdb|movie|show):([1-9][0-9]{0,9})", re.ASCII)


def movie_key(tmdb_id: int) -> ItemKey:
    """The key of a movie."""
    return ItemKey(f"movie:{tmdb_id}")


def show_key(tvdb_id: int) -> ItemKey:
    """The key of a show."""
    return ItemKey(f"show:{tvdb_id}")


def kind_of(key: ItemKey) -> Kind:
    """What the item is."""
    return "show" if key.startswith("show:") else "movie"


SERVICES: Mapping[Kind, str] = {"movie": "Radarr", "show": "Sonarr"}
"""What holds items of that kind."""


def kind_of_library(name: str) -> Kind:
    """What a library of that name holds: `sonarr` and `sonarr-anime` are Sonarr's."""
    return "show" if name.startswith("sonarr") else "movie"


def number_of(key: ItemKey) -> int:
    """The item's id in the catalogue of its kind: a movie's at TMDb, a show's at TVDb."""
    return int(key.partition(":")[2])


def order_of(key: ItemKey) -> tuple[Kind, int]:
    """For sorting: movies before shows, then by number, as catalogues count."""
    kind, _, number = key.partition(":")
    return ("show" if kind == "show" else "movie"), int(number)


def ref_of(key: ItemKey) -> str:
    """The key as a user writes it: `tmdb:603`, `tvdb:81189`."""
    return f"{_CATALOGUES[kind_of(key)]}:{number_of(key)}"


def key_named(text: str) -> ItemKey:
    """The key that a text names: `tmdb:603`, `tvdb:81189`, or the key itself. Raise ValueError for anything else."""
    found = _NAMED.fullmatch(text.strip())
    if found is None or int(found[2]) > LARGEST_ID:
        raise ValueError(f"{text!r} is none of tmdb:603, tvdb:81189, movie:603, show:81189")
    return show_key(int(found[2])) if found[1] in ("show", _CATALOGUES["show"]) else movie_key(int(found[2]))


def by_kind(keys: Iterable[ItemKey]) -> dict[Kind, int]:
    """How many of the items are movies, and how many shows."""
    counts = Counter(map(kind_of, keys))
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def catalogues(kinds: Iterable[Kind]) -> str:
    """`TMDb or TVDb`: whose ids name items of these kinds."""
    return " or ".join({"movie": "TMDb", "show": "TVDb"}[kind] for kind in kinds)


def short_name(key: ItemKey) -> str:
    """The key in a text that is hashed: a movie's number alone, so that such hashes are those of older versions."""
    return key.removeprefix("movie:")


def dated(title: str, year: int) -> str:
    """`Heat (1995)`. Titles of shows may carry their year themselves: it is not said twice."""
    return f"{title} ({year})" if year and not title.endswith(f"({year})") else title


class Item(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One item of a library. `labels` are those of its tags in lower case; ids that name no tag are left out.

    `libraries` are the names of those that hold it, in the order of the settings. Of an item that several hold,
    `labels` are those of all of them, and the first tells everything else.
    """

    arr_id: ArrId
    key: ItemKey
    title: str
    year: int = 0
    imdb_id: str = ""
    plot: str = ""
    genres: tuple[str, ...] = ()
    labels: frozenset[Label] = frozenset()
    libraries: tuple[str, ...] = ()

    def __str__(self) -> str:
        return dated(self.title, self.year)


def name_item(record: msgspec.Struct, key: ItemKey, tmdb_id: int) -> None:
    """Give a frozen record of a movie both of its names; for `__post_init__`. A show has its key alone.

    Scripts know movies by `tmdb_id`. What was kept before there were keys has that alone.
    """
    if key:
        # In one step, and written only where it differs: a large report has tens of thousands of these.
        kind, _, number = key.partition(":")
        known = 0 if kind == "show" else int(number)
        if known != tmdb_id:
            msgspec.structs.force_setattr(record, "tmdb_id", known)
    elif tmdb_id > 0:
        msgspec.structs.force_setattr(record, "key", movie_key(tmdb_id))
    else:
        raise ValueError("neither `key` nor `tmdb_id` names an item")
