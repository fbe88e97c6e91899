"""Why YAML refuses a text, in plain words, with what to do about it and, where it can be told, the better line."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence

from kometa_ai.kometa.lines import INVISIBLE_BREAK, line_starts, split_lines

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_PAIR = re.compile(r"\A(?P<key>\s*+(?:- ++)?[^\s#:'\"][^:'\"]*+:)\s++(?P<value>[^\s'\"].*)")
_WORDS = re.compile(r"\A(?P<key>\s*+\w++)\s++(?P<value>\S.*)")

_TEXT_BELOW = re.compile(r"\A\s*+(?:- ++)?(?P<key>[\w.-]++): ++[|>][+-]?\d?\s*+")
_NAME_ALONE = re.compile(r"\A\s*+[^\s#:'\"|>{\[-][^#:'\"]*")

_LONGEST = 200

Mend = Callable[[Sequence[str], int], "str | None"]
"""From lines, and the number (from 1) of one that YAML refuses, to what was probably meant by it; else None."""


def _quoted(lines: Sequence[str], line: int) -> str | None:
    found = _PAIR.fullmatch(lines[line - 1].rstrip())
    return f"{found['key']} {json.dumps(found['value'], ensure_ascii=False)}" if found else None


def _with_colon(lines: Sequence[str], line: int) -> str | None:
    found = _WORDS.fullmatch(lines[line - 1])
    return f"{found['key']}: {found['value']}" if found else None


def _closed(lines: Sequence[str], line: int) -> str:
    return f"{lines[line - 1].rstrip()}:"


def _indented(lines: Sequence[str], line: int) -> str:
    return "  " + lines[line - 1]


def _untabbed(lines: Sequence[str], line: int) -> str:
    """Without tabs, and as far to the right as the line before it; further, if that one opens something."""
    text = lines[line - 1]
    if not text.startswith("\t"):
        return text.replace("\t", "  ")
    before = next((other for other in reversed(lines[: line - 1]) if other.strip(" #")), "")
    indent = len(before) - len(before.lstrip(" ")) + (2 if before.rstrip().endswith(":") else 0)
    return " " * indent + text.strip().replace("\t", "  ")


def _without_mark(lines: Sequence[str], line: int) -> str | None:
    return "" if lines[line - 1].strip() == "---" else None


def _without_controls(lines: Sequence[str], line: int) -> str:
    return _CONTROL.sub("", lines[line - 1])


def _with_visible(lines: Sequence[str], line: int) -> str:
    return visible(lines[line - 1])


def _unknown(_lines: Sequence[str], _line: int) -> None:
    return None


# What ruamel says, what it means, what to do about it, and how to do it.
_IN_PLAIN_WORDS: tuple[tuple[str, str, str, Mend], ...] = (
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
    ("could not find expected ':'", "a colon is missing after the key", "Write it as `key: value`.", _with_colon),
    (
        "special characters are not allowed",
        "it holds an invisible control character",
        "Remove it, or type it anew.",
        _without_controls,
    ),
)


_FIXED = frozenset((reason, remedy) for _, reason, remedy, _ in _IN_PLAIN_WORDS)


class BrokenYaml(Exception):
    """YAML refuses the text: why, in plain words, what to do, and the line (from 1; 0 where it cannot be known).

    `column` counts from 1, too. `mend` makes of that line the one that was probably meant.
    """

    def __init__(self, reason: str, remedy: str, line: int = 0, column: int = 0, mend: Mend = _unknown) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.line = line
        self.column = column
        self.mend = mend

    @property
    def repeats_nothing(self) -> bool:
        """Whether the sentences are fixed ones, with nothing in them of the text that is refused."""
        return (self.reason, self.remedy) in _FIXED


def in_plain_words(error: Exception, text: str) -> BrokenYaml:
    """What ruamel raised for this text, explained."""
    starts = line_starts(text)
    told = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    begins_before = "quoted scalar" in told or "simple key" in told
    mark = getattr(error, "context_mark" if begins_before else "problem_mark", None)
    position = getattr(mark, "index", getattr(error, "position", None))
    line = bisect_right(starts, position) if isinstance(position, int) else 0
    column = position - starts[line - 1] + 1 if isinstance(position, int) else 0
    if broken := _broken_comment(text, line):
        return broken
    told = told or str(error)
    if "mapping values are not allowed" in told and (name := _name_before(text, line, column)):
        return BrokenYaml("a colon is missing at the end of the line", "Write one: it is a name.", *name, _closed)
    if "could not find expected ':'" in told and (key := _text_before(text, line)):
        remedy = f"Write it as `key: value`; if it belongs to the text of `{key}`, two blanks further in than `{key}`."
        return BrokenYaml("a colon is missing after the key", remedy, line, column, _indented)
    for words, reason, remedy, mend in _IN_PLAIN_WORDS:
        if words in told:
            return BrokenYaml(reason, remedy, line, column, mend)
    first = split_lines(told)[0][:_LONGEST] or type(error).__name__
    return BrokenYaml(first, "Correct the file; Kometa cannot load it, either.", line, column)


def _name_before(text: str, line: int, column: int) -> tuple[int, int] | None:
    """Line and column of a name whose colon is missing, so that YAML trips over the colon of the line below it."""
    lines = split_lines(text)[:line]
    if not lines or ":" in lines[-1][: column - 1]:
        return None
    number = next((number for number in range(len(lines) - 1, 0, -1) if lines[number - 1].strip()), 0)
    if not number or not _NAME_ALONE.fullmatch(lines[number - 1]):
        return None
    return number, _depth(lines[number - 1]) + 1


def _text_before(text: str, line: int) -> str:
    """The key whose text this line may belong to: it opens a text, and has none yet or is the last one above."""
    lines = [other for other in split_lines(text)[:line] if other.strip()]
    depth = _depth(lines[-1]) if lines else 0
    shallow = [number for number, other in enumerate(lines[:-1]) if _depth(other) <= depth]
    for number in reversed(shallow):
        found = _TEXT_BELOW.fullmatch(lines[number])
        if found and (number == shallow[-1] or _depth(lines[number + 1]) <= _depth(lines[number])):
            return found["key"]
    return ""


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _broken_comment(text: str, line: int) -> BrokenYaml | None:
    """The comment before or on the line where YAML gave up that an invisible character ends half-way."""
    for number, content in enumerate(split_lines(text)[:line], start=1):
        found = INVISIBLE_BREAK.search(content) if content.lstrip().startswith("#") else None
        rest = content[found.end() :].lstrip() if found else ""
        if found and rest and not rest.startswith("#"):
            reason = f"the invisible character U+{ord(found[0]):04X} ends the comment in the middle of the line"
            remedy = "Type the line anew: Kometa cannot load the file, either."
            return BrokenYaml(reason, remedy, number, found.start() + 1, _with_visible)
    return None


def visible(line: str) -> str:
    """The line with a blank for each invisible character that would end it."""
    return INVISIBLE_BREAK.sub(" ", line)
