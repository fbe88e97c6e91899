"""A problem for the operator: where, what, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class Correction(msgspec.Struct, frozen=True):
    """Lines, ready to be pasted, that put something right.

    They take the place of the file's lines from `first` to `last` (from 1); where `last` is before `first`, they are
    put in above line `first`, and nothing is taken away.
    """

    first: int
    last: int
    lines: tuple[str, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, or (as a warning) probably not what was meant, or (as a hint) worth a look.

    An error made us skip something; the others did not. `source` is a file below Kometa's folder, the name of a
    setting, or the service that failed; `line` and `column` count from 1, and `excerpt` is that line where a person
    has looked it up. `collection` and `movies` name what was touched.
    """

    what: str
    remedy: str
    source: str = ""
    line: int | None = None
    column: int | None = None
    collection: str = ""
    movies: tuple[str, ...] = ()
    at: datetime | None = None
    severity: Literal["error", "warning", "hint"] = "error"
    excerpt: str = ""
    correction: Correction | None = None

    @property
    def where(self) -> str:
        """`file:line`, `file`, or the setting's name; empty when there is no place to point at."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def __str__(self) -> str:
        what = f"{self.collection!r}: {self.what}" if self.collection else self.what
        return " ".join(part for part in (self.where and f"{self.where}:", what, self.remedy) if part)
