"""The lines of a text, as YAML and editors count them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kometa_ai.core.problem import Correction

# Never str.splitlines(): it also cuts at form feeds and U+2028, and every later line number is wrong.
_LINE_END = re.compile(r"\r\n|\n|\r")

INVISIBLE_BREAK = re.compile("[\x85\u2028\u2029]")
"""Characters that end a line, and with it a comment, for YAML but for no editor."""


def split_lines(text: str) -> tuple[str, ...]:
    r"""The lines without their ends, cut at `\r\n`, `\n` and `\r` only."""
    return tuple(_LINE_END.split(text))


def line_starts(text: str) -> tuple[int, ...]:
    """The offset at which each line begins."""
    return (0, *(found.end() for found in _LINE_END.finditer(text)))


def corrected(text: str, correction: Correction) -> str:
    """The text with a correction applied; its new lines end as the file's first one does."""
    starts = [*line_starts(text), len(text)]
    lines = [text[start:end] for start, end in pairwise(starts)]
    first = _LINE_END.search(text)
    ending = first[0] if first else "\n"
    before, after = lines[: correction.first - 1], lines[max(correction.last, correction.first - 1) :]
    new = [line + ending for line in correction.lines]
    if before and new and not _LINE_END.search(before[-1]):
        before[-1] += ending
    return "".join([*before, *new, *after])
