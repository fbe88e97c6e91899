"""Read Kometa's version from the start of its log, and warn of versions that never empty a collection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.problem import Problem
from kometa_ai.kometa.files import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = "logs/meta.log"
_READ = 64 * 1024
_LINE = re.compile(rb"(?<!Newest )(?<!\w)Version: (\S{1,40})")
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?:-build(\d{1,6}))?", re.ASCII)
_EMPTIES = (2, 4, 0)
_EMPTIES_BUILD = ((2, 3, 1), 70)


class Version(NamedTuple):
    """A version of Kometa. `build` counts towards the next release; it is None for a release."""

    number: tuple[int, int, int]
    build: int | None = None

    @property
    def empties_collections(self) -> bool:
        """Whether this version also removes the last movie of a collection."""
        last, build = _EMPTIES_BUILD
        return self.number >= _EMPTIES or (self.number == last and self.build is not None and self.build >= build)

    def __str__(self) -> str:
        return ".".join(map(str, self.number)) + ("" if self.build is None else f"-build{self.build}")


def version_in(folder: Path) -> Version | None:
    """The version that wrote the log in Kometa's folder; None if there is no log, or no clear version in it."""
    try:
        with opened(folder / LOG) as file:
            begin = file.read(_READ)
    except (OSError, ValueError):
        return None
    line = _LINE.search(begin)
    found = _VERSION.fullmatch(line[1].decode(errors="replace")) if line else None
    if found is None:
        return None
    return Version((int(found[1]), int(found[2]), int(found[3])), int(found[4]) if found[4] else None)


def about_version(folder: Path) -> Iterator[Problem]:
    """A warning if this version of Kometa does not remove the last movie of a collection."""
    version = version_in(folder)
    if version and not version.empties_collections:
        yield Problem(
            what=f"Kometa {version} leaves a collection as it was when the last movie loses its tag.",
            remedy="Update Kometa to 2.4.0 or newer.",
            source=LOG,
            severity="warning",
        )
