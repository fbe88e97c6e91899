"""Put text from outside on one line, and cut it to a length. Pure.

A cut leaves an ellipsis. The redactor relies on it to recognise the beginning of a secret that was cut.
"""

from __future__ import annotations

import re

ELLIPSIS = "…"

# Line breaks, and code points that are no characters; lone surrogates cannot even be encoded.
_BROKEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
# Marks that change the direction of the text after them, and stray byte order marks. Joiners stay: emoji need them.
_INVISIBLE = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def readable(text: str) -> str:
    """The text with its lines, without other control characters and without bidi characters."""
    return _INVISIBLE.sub("", _UNREADABLE.sub("", text))


def one_line(text: str, limit: int | None = None) -> str:
    """The text on one line, without control and bidi characters, and cut with an ellipsis at `limit` characters."""
    line = " ".join(_INVISIBLE.sub("", _BROKEN.sub(" ", text)).split())
    return line if limit is None else beginning(line, limit)


def beginning(text: str, limit: int) -> str:
    """The first `limit` characters; the last is an ellipsis if anything is left out."""
    return text if len(text) <= limit else f"{text[: max(limit - 1, 0)].rstrip()}{ELLIPSIS}"


def ending(text: str, limit: int) -> str:
    """The last `limit` characters; the first is an ellipsis if anything is left out."""
    return text if len(text) <= limit else f"{ELLIPSIS}{text[len(text) - limit + 1 :].lstrip()}"
