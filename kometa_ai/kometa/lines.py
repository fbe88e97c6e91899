"""Split a text into lines as YAML and editors count them, and find text in a line."""

from __future__ import annotations

import re

# Not str.splitlines(): it also cuts at form feeds and U+2028, which makes later line numbers wrong.
LINE_END = re.compile(r"\r\n|\n|\r")

INVISIBLE_BREAK = re.compile("[\x85\u2028\u2029]")
"""Characters that end a line, and so a comment, in YAML but not in editors."""

_PLACES_TRIED = 100


def split_lines(text: str) -> tuple[str, ...]:
    r"""The lines without their ends, cut at `\r\n`, `\n` and `\r` only."""
    return tuple(LINE_END.split(text))


def line_starts(text: str) -> tuple[int, ...]:
    """The offset at which each line begins."""
    return (0, *(found.end() for found in LINE_END.finditer(text)))


def visible(line: str) -> str:
    """The line with invisible line breaks replaced by blanks."""
    return INVISIBLE_BREAK.sub(" ", line)


def position(text: str, piece: str, start: int = 0) -> int:
    """The index of a piece of text, preferably as a whole word; -1 if it does not occur."""
    if not piece:
        return -1
    first = at = text.find(piece, start)
    for _ in range(_PLACES_TRIED):
        if at < 0 or not (_is_word(text[at - 1 : at]) or _is_word(text[at + len(piece) :][:1])):
            break
        at = text.find(piece, at + 1)
    else:
        at = -1
    return at if at >= 0 else first


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
