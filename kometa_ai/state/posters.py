"""Cache posters on the disk: `cache/posters/250/movie-949.jpg`. Whatever else lies there is left alone.

Losing it costs some time, so nothing in it is synced to the disk, and all of it may be deleted while the program runs.
A file's time is when its library was last asked about it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.picture import FORMS, HEIGHTS, LARGEST_PICTURE, Form, form_of
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.picture import Height

FOLDER = "cache"
_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag: what is in this folder can be had again, and belongs into no backup.
# For information see https://bford.info/cachedir/
"""
_NAME = re.compile(r"(?:movie|show)-[1-9][0-9]{0,9}\.(?:jpg|png|webp)|\.(?:movie|show)-[0-9]{1,10}\.[a-z]{3,4}\.new")
"""The names of pictures, and of those that were being written when the program was killed."""

_LAST = float(1 << 32)
"""Seconds; a time beyond is damage, and cannot be written as a date."""


class KeptPoster(NamedTuple):
    """A picture from the disk; `asked` is when its library was last asked about it, in seconds."""

    body: bytes
    form: Form
    asked: float


class _Found(NamedTuple):
    """A file of the cache."""

    asked: float
    size: int
    path: Path


class PosterCache:
    """The pictures in STATE_DIR. All of this blocks, and raises OSError where the disk fails."""

    def __init__(self, state_dir: Path) -> None:
        self._cache = state_dir / FOLDER
        self._folder = self._cache / "posters"
        self._tagging = threading.Lock()  # a page asks for all its pictures at once, each in a thread

    def read(self, key: ItemKey, height: Height) -> KeptPoster | None:
        """A picture; None where there is none, or none that can be used."""
        if self._link(height) is not None:
            return None
        for place in self._places(key, height).values():
            try:
                handle = files.open_regular(place, os.O_RDONLY)
            except (FileNotFoundError, NotADirectoryError, files.NotOurs):
                continue
            with os.fdopen(handle, "rb") as file:
                status = os.fstat(file.fileno())
                body = file.read(LARGEST_PICTURE) if status.st_size <= LARGEST_PICTURE else b""
            if (form := form_of(body)) is not None:
                return KeptPoster(body, form, status.st_mtime if 0 <= status.st_mtime < _LAST else 0.0)
        return None

    def write(self, key: ItemKey, height: Height, body: bytes, form: Form) -> None:
        """Keep a picture, in the place of the one before."""
        if (link := self._link(height)) is not None:
            raise files.NotOurs(errno.ELOOP, "it is a link, not a folder", str(link))
        places = self._places(key, height)
        self._make_folder(places[form].parent)
        files.replace(places[form], body, durable=False)
        for other, place in places.items():
            if other != form:
                with contextlib.suppress(OSError):
                    place.unlink()

    def confirm(self, key: ItemKey, height: Height) -> None:
        """Note that the library was asked just now, and still has the same picture."""
        for place in self._places(key, height).values():
            with contextlib.suppress(OSError):
                os.utime(place, follow_symlinks=False)

    def size(self) -> int:
        """Bytes of all pictures."""
        return sum(found.size for found in self._all())

    def clear(self) -> int:
        """Delete all pictures; return how many bytes that were."""
        return sum(map(_deleted, self._all()))

    def trim(self, most: int) -> int:
        """Delete the pictures asked about longest ago until no more than so many bytes are left; return how many."""
        kept = sorted(self._all())
        excess = sum(found.size for found in kept) - most
        deleted = 0
        for found in kept:
            if deleted >= excess:
                break
            deleted += _deleted(found)
        return deleted

    def _places(self, key: ItemKey, height: Height) -> dict[Form, Path]:
        name = key.replace(":", "-")
        return {form: self._folder / str(height) / f"{name}.{form}" for form in FORMS}

    def _link(self, height: Height) -> Path | None:
        """The first folder on the way that is a link, which is not followed."""
        on_the_way = (self._cache, self._folder, self._folder / str(height))
        return next((place for place in on_the_way if place.is_symlink()), None)

    def _make_folder(self, folder: Path) -> None:
        for place in (self._cache, self._folder, folder):
            place.mkdir(mode=0o700, exist_ok=True)
        tag = self._cache / "CACHEDIR.TAG"
        with self._tagging:
            if not os.path.lexists(tag):
                files.replace(tag, _TAG, durable=False)

    def _all(self) -> Iterator[_Found]:
        for height in HEIGHTS:
            if self._link(height) is not None:
                continue
            try:
                places = [place for place in (self._folder / str(height)).iterdir() if _NAME.fullmatch(place.name)]
            except (FileNotFoundError, NotADirectoryError):
                continue
            for place in places:
                with contextlib.suppress(OSError):
                    status = place.lstat()
                    if stat.S_ISREG(status.st_mode):
                        yield _Found(status.st_mtime, status.st_size, place)


def is_older(kept: KeptPoster, seconds: float) -> bool:
    """Whether its library was last asked so long ago; or in the future, by a clock that has been put right since."""
    return not 0 <= time.time() - kept.asked < seconds


def _deleted(found: _Found) -> int:
    try:
        found.path.unlink()
    except OSError:
        return 0
    return found.size
