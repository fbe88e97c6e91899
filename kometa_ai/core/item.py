"""An item of a library: its lasting key (`movie:603`), its service's id for it, and the fields that all layers read."""

from __future__ import annotations

from typing import Annotated, NewType

import msgspec

from kometa_ai.core.naming import Label

ItemKey = NewType("ItemKey", Annotated[str, msgspec.Meta(pattern=r"^movie:[1-9][0-9]{0,9}$")])
"""`movie:603`, by TMDb id: the same in each library and after a library was rebuilt."""

ArrId = NewType("ArrId", int)
"""An item's row in its service, which changes when the service's database is rebuilt."""

LARGEST_ID = 2**31 - 1
"""The largest id of a service and of a catalogue: services keep both as 32-bit integers."""

_MOVIE = "movie:"


def movie_key(tmdb_id: int) -> ItemKey:
    """The key of a movie."""
    return ItemKey(f"{_MOVIE}{tmdb_id}")


def tmdb_id_of(key: ItemKey) -> int:
    """A movie's TMDb id."""
    return int(key.removeprefix(_MOVIE))


def order_of(key: ItemKey) -> int:
    """For sorting: by number, as catalogues count."""
    return tmdb_id_of(key)


def ref_of(key: ItemKey) -> str:
    """The key as a user writes it: `tmdb:603`."""
    return f"tmdb:{tmdb_id_of(key)}"


def short_name(key: ItemKey) -> str:
    """The key in a text that is hashed: a movie's number alone, so that such hashes are those of older versions."""
    return key.removeprefix(_MOVIE)


class Item(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One item of a library. `labels` are those of its tags in lower case; ids that name no tag are left out."""

    arr_id: ArrId
    key: ItemKey
    title: str
    year: int = 0
    imdb_id: str = ""
    plot: str = ""
    genres: tuple[str, ...] = ()
    labels: frozenset[Label] = frozenset()

    def __str__(self) -> str:
        return f"{self.title} ({self.year})" if self.year else self.title


def name_movie(record: msgspec.Struct, key: ItemKey, tmdb_id: int) -> None:
    """Give a frozen record of a movie both of its names; for `__post_init__`.

    Scripts know movies by `tmdb_id`. What was kept before there were keys has that alone.
    """
    if key:
        msgspec.structs.force_setattr(record, "tmdb_id", tmdb_id_of(key))
    elif tmdb_id > 0:
        msgspec.structs.force_setattr(record, "key", movie_key(tmdb_id))
    else:
        raise ValueError("neither `key` nor `tmdb_id` names an item")
