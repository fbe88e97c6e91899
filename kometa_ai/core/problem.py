"""Something the operator should know: where, what, and what to do about it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, or (as a warning) probably not what was meant.

    An error made us skip something; a warning did not. `source` is a file below Kometa's folder, the name of a
    setting, or the service that failed; `line` counts from 1. `collection` and `movies` name what was touched.
    """

    what: str
    remedy: str
    source: str = ""
    line: int | None = None
    collection: str = ""
    movies: tuple[str, ...] = ()
    at: datetime | None = None
    severity: Literal["error", "warning"] = "error"

    @property
    def where(self) -> str:
        """`file:line`, `file`, or the setting's name; empty when there is no place to point at."""
        return f"{self.source}:{self.line}" if self.line else self.source

    def __str__(self) -> str:
        what = f"{self.collection!r}: {self.what}" if self.collection else self.what
        return " ".join(part for part in (self.where and f"{self.where}:", what, self.remedy) if part)
