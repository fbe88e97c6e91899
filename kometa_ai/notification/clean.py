"""Make text from outside harmless wherever it is shown: one line, no control characters, no turned direction."""

from __future__ import annotations

import re

# Whatever ends a line or is no character at all; lone surrogates cannot even be encoded.
_BROKEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
# Marks that turn the direction of all that follows, and a stray byte order mark. Joiners stay: emoji need them.
_INVISIBLE = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def clean(text: str, limit: int | None = None) -> str:
    """The text on one line, without control and bidi characters, and cut with an ellipsis at `limit` characters."""
    line = " ".join(_INVISIBLE.sub("", _BROKEN.sub(" ", text)).split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
