"""Explain in plain words why YAML refuses a text, what to do about it and, if it is clear, the corrected line."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from functools import partial
from typing import TYPE_CHECKING

from kometa_ai.core.problem import Correction
from kometa_ai.core.text import beginning
from kometa_ai.kometa.lines import INVISIBLE_BREAK, line_starts, split_lines, visible
from kometa_ai.kometa.slips import (
    after,
    before,
    depth_of,
    has_content,
    lost_hashes,
    no_colon,
    no_colon_within,
    too_deep,
    unquoted_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kometa_ai.kometa.slips import Slip

    _Better = Callable[[Sequence[str], int], str | None]

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_PAIR = re.compile(r"\A(?P<key>\s*+(?:- ++)?[^\s#:'\"][^:'\"]*+:)\s++(?P<value>[^\s'\"].*)")
_TEXT_BELOW = re.compile(r"\A\s*+(?:- ++)?(?P<key>[\w.-]++): ++[|>][+-]?\d?\s*+")
_ALIAS = re.compile(r"\*\S++")
_COMMENT = re.compile(r"(?<!\s)\s++#")
_LONGEST = 200
_LINES_LOOKED_AT = 4


# Each function takes the lines and the number (from 1) of the refused line, and returns the corrected line.


def _quoted(lines: Sequence[str], line: int) -> str | None:
    found = _PAIR.fullmatch(lines[line - 1].rstrip())
    if not found or _ALIAS.fullmatch(found["value"]):
        return None
    comment = _COMMENT.search(found["value"])
    end = comment.start() if comment else len(found["value"])
    return f"{found['key']} {json.dumps(found['value'][:end], ensure_ascii=False)}{found['value'][end:]}"


def _indented(lines: Sequence[str], line: int) -> str:
    return "  " + lines[line - 1]


def _untabbed(lines: Sequence[str], line: int) -> str | None:
    """The line without tabs, and indented like its neighbours; None if the indentation is unclear."""
    text = lines[line - 1]
    if not text.startswith("\t"):
        return text.replace("\t", "  ")
    above = next((other for other in reversed(lines[: line - 1]) if has_content(other)), "")
    below = next((other for other in lines[line:] if has_content(other)), "")
    if above.rstrip().endswith(":"):
        depth = depth_of(below) if depth_of(below) > depth_of(above) else depth_of(above) + 2
    elif depth_of(below) <= depth_of(above) <= _DEEPEST_PLAIN:
        depth = depth_of(above)
    else:
        return None
    return " " * depth + text.strip().replace("\t", "  ")


_DEEPEST_PLAIN = 4
"""How deep attributes usually stand. A deeper line may belong to one of several entries."""


def _without_mark(lines: Sequence[str], line: int) -> str | None:
    return "" if lines[line - 1].strip() == "---" and not any(map(has_content, lines[line:])) else None


def _visible(lines: Sequence[str], line: int) -> str:
    return visible(lines[line - 1])


def _without_controls(lines: Sequence[str], line: int) -> str:
    return _CONTROL.sub("", lines[line - 1])


def _unknown(_lines: Sequence[str], _line: int) -> None:
    return None


# What ruamel says, what it means, what to do about it, and how to do it.
_IN_PLAIN_WORDS: tuple[tuple[str, str, str, _Better], ...] = (
    ("mapping values are not allowed", 'there is a ": " too many on this line', "Put the text in quotes.", _quoted),
    (
        "found duplicate key",
        "the same key stands twice",
        "Kometa refuses the whole file, too: remove one of them.",
        _unknown,
    ),
    (
        "but found another document",
        "a second document begins here",
        "Kometa reads one per file: remove the `---`.",
        _without_mark,
    ),
    (
        "character '\\t'",
        "a tab stands where YAML wants spaces",
        "Replace the tab with spaces.",
        _untabbed,
    ),
    (
        "that cannot start any token",
        "the text begins with a character that has a meaning in YAML",
        "Put it in quotes.",
        _quoted,
    ),
    (
        "found undefined alias",
        "an alias (`*name`) has no anchor (`&name`) above it",
        "Define it above, or quote it.",
        _quoted,
    ),
    ("while scanning a quoted scalar", "a quote is never closed", "Close it.", _unknown),
    ("expected <block end>", "the indentation is not consistent", "Indent it like its neighbours.", _unknown),
    ("could not find expected ':'", "a colon is missing after the key", "Write it as `key: value`.", _unknown),
    (
        "special characters are not allowed",
        "it holds an invisible control character",
        "Remove it, or type it anew.",
        _without_controls,
    ),
)


_FIXED = frozenset((reason, remedy) for _, reason, remedy, _ in _IN_PLAIN_WORDS)


class BrokenYaml(Exception):
    """YAML refuses the text: the reason in plain words, the remedy, and the line (from 1; 0 if it is unknown).

    `column` counts from 1, too. `correct` computes the line that was probably meant.
    """

    def __init__(
        self,
        reason: str,
        remedy: str,
        line: int = 0,
        column: int = 0,
        correct: Callable[[], Correction | None] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.line = line
        self.column = column
        self.correct = correct

    @property
    def repeats_nothing(self) -> bool:
        """Whether reason and remedy are fixed sentences that repeat nothing of the refused text."""
        return (self.reason, self.remedy) in _FIXED


def in_plain_words(error: Exception, text: str) -> BrokenYaml:
    """Explain what ruamel raised for this text."""
    starts = line_starts(text)
    told = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    begins_before = "quoted scalar" in told or "simple key" in told
    mark = getattr(error, "context_mark" if begins_before else "problem_mark", None)
    position = getattr(mark, "index", getattr(error, "position", None))
    line = bisect_right(starts, position) if isinstance(position, int) else 0
    column = position - starts[line - 1] + 1 if isinstance(position, int) else 0
    lines = split_lines(text)
    if broken := _broken_comment(lines, line):
        return broken
    told = told or str(error)
    if line and (slip := next(filter(None, _slips(lines, line, column, told)), None)):
        return BrokenYaml(slip.reason, slip.remedy, slip.line, slip.column, slip.correct)
    if "could not find expected ':'" in told and (key := _text_before(lines, line)):
        remedy = f"Write it as `key: value`; if it belongs to the text of `{key}`, two blanks further in than `{key}`."
        correct = partial(_corrected, _indented, lines, line)
        return BrokenYaml("a colon is missing after the key", remedy, line, column, correct)
    for words, reason, remedy, better in _IN_PLAIN_WORDS:
        if words in told:
            return BrokenYaml(reason, remedy, line, column, partial(_corrected, better, lines, line) if line else None)
    first = beginning(split_lines(told)[0], _LONGEST) or type(error).__name__
    return BrokenYaml(first, "Correct the file; Kometa cannot load it, either.", line, column)


def _corrected(better: _Better, lines: Sequence[str], line: int) -> Correction | None:
    new = better(lines, line)
    return None if new is None else Correction(line, line, (new,) if new else ())


def _slips(lines: Sequence[str], line: int, column: int, told: str) -> Iterator[Slip | None]:
    """Possible causes near the line where YAML gave up, the most certain first."""
    line = min(line, len(lines))
    here = line if has_content(lines[line - 1]) else before(lines, line)
    near = here
    for _ in range(_LINES_LOOKED_AT):
        yield lost_hashes(lines, near) if near else None
        near = before(lines, near)
    yield unquoted_name(lines, here or line)
    if "mapping values are not allowed" in told and ": " not in lines[line - 1][: column - 1]:
        yield too_deep(lines, line)
        yield no_colon(lines, line)
    elif "but found '<block mapping start>'" in told:
        yield too_deep(lines, line)
    elif "could not find expected ':'" in told:
        following = after(lines, line)
        if following and depth_of(lines[following - 1]) > depth_of(lines[line - 1]):
            yield no_colon(lines, following)
        yield no_colon_within(lines, line)


def _text_before(everything: Sequence[str], line: int) -> str:
    """The key whose text block may include this line; empty if there is none."""
    lines = [other for other in everything[:line] if other.strip()]
    depth = depth_of(lines[-1]) if lines else 0
    shallow = [number for number, other in enumerate(lines[:-1]) if depth_of(other) <= depth]
    for number in reversed(shallow):
        found = _TEXT_BELOW.fullmatch(lines[number])
        if found and (number == shallow[-1] or depth_of(lines[number + 1]) <= depth_of(lines[number])):
            return found["key"]
    return ""


def _broken_comment(lines: Sequence[str], line: int) -> BrokenYaml | None:
    """The error of a comment, up to this line, that an invisible character cuts in the middle."""
    for number, content in enumerate(lines[:line], start=1):
        found = INVISIBLE_BREAK.search(content) if content.lstrip().startswith("#") else None
        rest = content[found.end() :].lstrip() if found else ""
        if found and rest and not rest.startswith("#"):
            reason = f"the invisible character U+{ord(found[0]):04X} ends the comment in the middle of the line"
            remedy = "Type the line anew: Kometa cannot load the file, either."
            return BrokenYaml(reason, remedy, number, found.start() + 1, partial(_corrected, _visible, lines, number))
    return None
