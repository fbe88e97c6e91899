"""Find typing mistakes near a line: a lost `#`, a name that needs quotes, wrong indentation, a missing colon.

The search starts at a line where YAML or the search for blocks gave up. Lines count from 1.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode

from kometa_ai.core.problem import Correction
from kometa_ai.kometa.attributes import is_known
from kometa_ai.kometa.block_keys import BLOCK_KEYS
from kometa_ai.kometa.markers import BARE_MARKER, BEGIN, END, MARKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FARTHEST = 200
_SETTING = re.compile(r"\A(?P<key>[a-z_]++) *+:(?: |\Z)")
_ENTRY = re.compile(r"\A(?P<key>[^\s#:'\"\[{&*!|>%@`-][^#:]*+): ++(?P<value>[^\s#&!].*+)")
_COLLECTIONS = re.compile(r"\Acollections *+:")
_TEXT = re.compile(r"[|>][+-]?\d?[+-]?(?: +#.*)?")
_COMMENT = re.compile(r"(?<=[^\s]): ++(?P<comment>#(?s:.*))\Z")
_LONGEST_NAME = 200


class Slip(NamedTuple):
    """What is wrong with the lines from `line` to `last`, what to do, and how to correct them if that is clear."""

    reason: str
    remedy: str
    line: int
    column: int
    last: int
    correct: Callable[[], Correction] | None = None


def depth_of(line: str) -> int:
    """The indentation of a line, in blanks."""
    return len(line) - len(line.lstrip(" "))


def has_content(line: str) -> bool:
    """Whether a line, taken alone, is neither blank nor a comment."""
    text = line.strip()
    return bool(text) and not text.startswith("#")


# A line of a block without its `#`


def lost_hashes(lines: Sequence[str], near: int) -> Slip | None:
    """The lines without `#` in the block that contains this line, or that its marker begins or ends."""
    begin = _marker(lines, range(near, max(near - _FARTHEST, 0), -1), is_end=False)
    end = _marker(lines, range(max(begin, near) if begin else near, min(near + _FARTHEST, len(lines)) + 1), is_end=True)
    if not begin or not end or any(_kind(lines[number - 1]) == "begin" for number in range(begin + 1, end)):
        return None
    lost = [number for number in range(begin, end + 1) if has_content(lines[number - 1])]
    column = min(depth_of(lines[number - 1]) for number in range(begin, end + 1) if lines[number - 1].strip())
    if not lost or not all(_may_be_of_block(lines[number - 1], column) for number in lost):
        return None
    first = lines[lost[0] - 1]
    shown = f"`{_with_hash(first, 0)}`" if BARE_MARKER.fullmatch(first) else "`#` and a blank before its text"
    return Slip(
        "a line of the block has lost its `#`" if len(lost) == 1 else "lines of the block have lost their `#`",
        f"Write {shown}.",
        lost[0],
        depth_of(first) + 1,
        lost[-1],
        partial(_with_hashes, lines, lost[0], lost[-1], column),
    )


def _kind(line: str) -> str:
    found = MARKER.fullmatch(line) or BARE_MARKER.fullmatch(line)
    return "" if found is None else "end" if found["end"] else "begin"


def _marker(lines: Sequence[str], numbers: Sequence[int], *, is_end: bool) -> int:
    """The first marker in these lines if it is of the wanted kind, else 0. At the first line, any kind is allowed."""
    for number in numbers:
        kind = _kind(lines[number - 1])
        if kind == ("end" if is_end else "begin"):
            return number
        if kind and number != numbers[0]:
            return 0
    return 0


def _may_be_of_block(line: str, column: int) -> bool:
    text = line.strip()
    if BARE_MARKER.fullmatch(text):
        return True
    if depth_of(line) > column:
        return True
    key, colon, value = text.partition(":")
    if key.rstrip() in BLOCK_KEYS:
        return bool(_SETTING.match(text))
    if colon and (not value or value.startswith(" ")):
        # A collection has more than a plain text after its name, or below it.
        return bool(value.strip()) and value.lstrip()[0] not in "[{*&!|>" and not is_known(key.rstrip())
    return not text.startswith("- ")


def _with_hashes(lines: Sequence[str], first: int, last: int, column: int) -> Correction:
    new = (_with_hash(line, column) if has_content(line) else line for line in lines[first - 1 : last])
    return Correction(first, last, tuple(new))


def _with_hash(line: str, column: int) -> str:
    if found := BARE_MARKER.fullmatch(line):
        return " " * column + (END if found["end"] else BEGIN)
    if (found := _SETTING.match(line.strip())) and found["key"] in BLOCK_KEYS:
        return " " * column + "# " + line.strip()
    rest = line[column:]
    return " " * column + ("#" if rest.startswith(" ") else "# ") + rest.rstrip()


# A name that is something else for YAML


def unquoted_name(lines: Sequence[str], near: int) -> Slip | None:
    """The name of the collection that this line belongs to, if YAML does not read it as text."""
    for number in range(near, max(near - _FARTHEST, 0), -1):
        line = lines[number - 1]
        if has_content(line) and _is_below_collections(lines, number):
            return _in_quotes(line, number)
    return None


def _is_below_collections(lines: Sequence[str], number: int) -> bool:
    above = _shallower(lines, number)
    return bool(above) and bool(_COLLECTIONS.match(lines[above - 1]))


def _shallower(lines: Sequence[str], number: int) -> int:
    """The nearest line above with less indentation; 0 if there is none."""
    depth = depth_of(lines[number - 1])
    for above in range(number - 1, 0, -1):
        if has_content(lines[above - 1]) and depth_of(lines[above - 1]) < depth:
            return above
    return 0


def _in_quotes(line: str, number: int) -> Slip | None:
    text = line.strip()
    comment = ""
    if not text.endswith(":") and (found := _COMMENT.search(text)):
        text, comment = text[: found.start() + 1], text[found.start() + 1 :]
    name = text.removesuffix(":").rstrip()
    is_open = name.startswith('"') and name.count('"') == 1  # the closing quote may be missing
    if not text.endswith(":") or not name or is_open or len(name) > _LONGEST_NAME or _is_a_key(text):
        return None
    remedy = "Put the name in quotes"
    if name.startswith("'") and name.endswith("'") and "'" in name[1:-1].replace("''", ""):
        name = name[1:-1].replace("''", "'")
        remedy = "An apostrophe ends a name in single quotes; use double ones"
    quoted = json.dumps(name, ensure_ascii=False)
    column = depth_of(line)
    return Slip(
        "the name holds a character that means something in YAML",
        f"{remedy}: `{quoted}:`.",
        number,
        column + 1,
        number,
        partial(_rewritten, number, f"{line[:column]}{quoted}:{comment}"),
    )


def _rewritten(number: int, line: str) -> Correction:
    return Correction(number, number, (line,))


def _is_a_key(text: str) -> bool:
    """Whether YAML reads the line as a key with entries below it."""
    try:
        node = YAML(typ="safe", pure=True).compose(f"{text}\n  a: b\n")
    except (YAMLError, ValueError, IndexError, AttributeError):
        return False
    if not isinstance(node, MappingNode) or len(node.value) != 1:
        return False
    key = node.value[0][0]
    return isinstance(key, ScalarNode) and key.start_mark.line == 0


# A line that is too deep, or that has no colon


def too_deep(lines: Sequence[str], near: int) -> Slip | None:
    """A line that is indented below an entry that already has a value, with the lines that belong to it."""
    line = lines[near - 1]
    above = _shallower(lines, near)
    while above and not _ENTRY.match(lines[above - 1].strip()) and not lines[above - 1].rstrip().endswith(":"):
        above = _shallower(lines, above)
    entry = _ENTRY.match(lines[above - 1].strip()) if above else None
    if not entry or _TEXT.fullmatch(entry["value"]):
        return None
    less = depth_of(line) - depth_of(lines[above - 1])
    last = max(_run(lines, near))
    is_clear = above == before(lines, near)
    return Slip(
        "the line is indented deeper than the one above it, which already has its value",
        "Indent it as deep as that one.",
        near,
        depth_of(line) + 1,
        last,
        partial(_moved_left, lines, near, last, less) if is_clear and _is_a_setting(line) else None,
    )


def _moved_left(lines: Sequence[str], first: int, last: int, less: int) -> Correction:
    moved = (text[less:] if text.strip() else text for text in lines[first - 1 : last])
    return Correction(first, last, tuple(moved))


def _is_a_setting(line: str) -> bool:
    key = line.strip().partition(":")[0].rstrip()
    return is_known(key) or key in BLOCK_KEYS


def _run(lines: Sequence[str], first: int) -> Iterator[int]:
    """The lines from here on with the same indentation, or more."""
    depth = depth_of(lines[first - 1])
    for number in range(first, len(lines) + 1):
        text = lines[number - 1]
        if not text.strip():
            continue
        if depth_of(text) < depth:
            return
        yield number


def after(lines: Sequence[str], number: int) -> int:
    """The next line with content; 0 if there is none."""
    return next((below for below in range(number + 1, len(lines) + 1) if has_content(lines[below - 1])), 0)


def before(lines: Sequence[str], number: int) -> int:
    """The previous line with content; 0 if there is none."""
    return next((above for above in range(number - 1, 0, -1) if has_content(lines[above - 1])), 0)


def no_colon(lines: Sequence[str], near: int) -> Slip | None:
    """A missing colon in the last line with content above this one: after a name, or between key and value."""
    number = before(lines, near)
    if not number:
        return None
    line, text = lines[number - 1], lines[number - 1].strip()
    column = depth_of(line)
    if ": " in text or text.endswith(":") or text[0] in "-'\"|>{[&*!%@`":
        return None
    if depth_of(lines[near - 1]) > column and ":" not in text:
        is_name = _is_below_collections(lines, number) or is_known(text)
        correct = partial(_rewritten, number, f"{line.rstrip()}:") if is_name and "#" not in text else None
        return Slip(
            "a colon is missing at the end of the line", "Write one: it is a name.", number, column + 1, number, correct
        )
    return no_colon_within(lines, number)


def no_colon_within(lines: Sequence[str], number: int) -> Slip | None:
    """A line `key value` or `key:value` that should be `key: value`."""
    line = lines[number - 1]
    key, space, value = line.strip().replace(":", " ", 1).partition(" ")
    if not space or not value.strip() or not (is_known(key) or key in BLOCK_KEYS):
        return None
    column = depth_of(line)
    return Slip(
        "a colon and a blank are missing after the key",
        "Write it as `key: value`.",
        number,
        column + 1,
        number,
        partial(_rewritten, number, f"{line[:column]}{key}: {value.strip()}"),
    )
