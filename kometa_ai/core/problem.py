"""Describe a problem for the operator: where, what, and what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

from kometa_ai.core.moment import Moment


class Correction(msgspec.Struct, frozen=True):
    """Lines, ready to paste, that fix a problem in a file.

    They replace the file's lines from `first` to `last` (from 1). If `last` is before `first`, they are inserted above
    line `first`, and nothing is replaced.
    """

    first: int
    last: int
    lines: tuple[str, ...]


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to tell the operator: an error, a warning (probably not what was meant) or a hint (worth a look).

    Only an error makes us skip something. `source` is a file below Kometa's folder, the name of a setting, or the
    service that failed. `line` and `column` count from 1; `excerpt` is that line where the problem is shown with it.
    `collection` and `movies` name what is affected.
    """

    what: str
    remedy: str
    source: str = ""
    line: int | None = None
    column: int | None = None
    collection: str = ""
    movies: tuple[str, ...] = ()
    at: Moment | None = None
    severity: Literal["error", "warning", "hint"] = "error"
    excerpt: str = ""
    correction: Correction | None = None

    @property
    def where(self) -> str:
        """`file:line`, `file`, or the setting's name; empty if there is no place to point at."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def __str__(self) -> str:
        what = f"{self.collection!r}: {self.what}" if self.collection else self.what
        return " ".join(part for part in (self.where and f"{self.where}:", what, self.remedy) if part)
