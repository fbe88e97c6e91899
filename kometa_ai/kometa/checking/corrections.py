"""Build corrections for Kometa's files, ready to be pasted; None if it is unclear what the writer meant.

Nothing here writes a file. A correction replaces the lines that it is about, and leaves all other lines as they are.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kometa_ai.core.problem import Correction
from kometa_ai.kometa.lines import LINE_END, line_starts, position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z0-9][\w.-]*")
_LIKE_A_NUMBER = re.compile(r"[0-9][0-9a-fxoz_.t-]*", re.IGNORECASE)
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_COMMENT_BEHIND = re.compile(r"(?<!\s)\s++#")


def applied(text: str, correction: Correction) -> str:
    """The text with a correction applied. New lines end as the first line of the file does."""
    starts = [*line_starts(text), len(text)]
    lines = [text[start:end] for start, end in pairwise(starts)]
    first = LINE_END.search(text)
    ending = first[0] if first else "\n"
    before, after = lines[: correction.first - 1], lines[max(correction.last, correction.first - 1) :]
    new = [line + ending for line in correction.lines]
    if before and new and not LINE_END.search(before[-1]):
        before[-1] += ending
    return "".join([*before, *new, *after])


def swapped(line: int, text: str, old: str, new: str | None, *, after: str = "") -> Correction | None:
    """Replace one piece of the line, searched for behind the text `after`; None if it is not there."""
    at = position(text, old, text.find(after) + len(after)) if after in text else -1
    return Correction(line, line, (text[:at] + new + text[at + len(old) :],)) if at >= 0 and new is not None else None


def _comment_behind(entry: str) -> str:
    """The comment behind a key and its value, with the blanks before it."""
    start = _end_of_quotes(entry)
    found = _COMMENT_BEHIND.search(entry, start)
    return entry[found.start() :] if found else ""


def _end_of_quotes(entry: str) -> int:
    """Where a value in quotes or brackets ends; 0 for a plain value, in which a quote is just text."""
    value = entry.find(": ") + 2
    while value < len(entry) and entry[value] == " ":
        value += 1
    if value < 2 or entry[value : value + 1] not in {"'", '"', "[", "{"}:  # noqa: PLR2004 - the length of ": "
        return 0
    quote, end = "", 0
    for number in range(value, len(entry)):
        character = entry[number]
        if quote:
            if character == quote and (quote == "'" or entry[number - 1] != "\\"):
                quote, end = "", number + 1
        elif character in {"'", '"'}:
            quote = character
        elif character == "#" and entry[number - 1] == " ":
            break
        else:
            end = number + 1 if character in "]}" else end
    return end


def removed(first: int, last: int | None = None) -> Correction:
    """Remove these lines."""
    return Correction(first, last or first, ())


def above(line: int, *lines: str) -> Correction:
    """Insert lines above a line."""
    return Correction(line, line - 1, lines)


# Change attributes in a mapping that ruamel has loaded. Return None if a change of lines cannot do it.


def end_of_entry(lines: Sequence[str], first: int, column: int) -> int:
    """The last line (from 1) of the entry whose key stands in line `first` at `column` (from 0)."""
    last = first
    for number in range(first + 1, len(lines) + 1):
        text = lines[number - 1]
        content = text.lstrip(" ")
        if not content or content.startswith("#"):
            continue
        indent = len(text) - len(content)
        if indent < column or (indent == column and not content.startswith("- ") and content != "-"):
            break
        last = number
    return last


def with_entry(lines: Sequence[str], mapping: Mapping[Any, Any], key: object, text: str | None) -> Correction | None:
    """Replace an entry of the mapping with `text`, or remove it."""
    place = _places(mapping).get(key)
    if place is None or _is_flow(mapping):
        return None
    line, column = place[0] + 1, place[1]
    last = end_of_entry(lines, line, column)
    start = lines[line - 1][:column]
    if text is None:
        return removed(line, last) if not start.strip() else None
    trailing = _comment_behind(lines[line - 1][column:]) if last == line else ""
    return Correction(line, last, (start + text + trailing,))


def with_more(lines: Sequence[str], mapping: Mapping[Any, Any], below: int, *texts: str) -> Correction | None:
    """Insert new entries at the start of a mapping whose name stands in line `below`."""
    if _is_flow(mapping):
        line, column = mapping.lc.line + 1, mapping.lc.col  # type: ignore[attr-defined]
        if line < below or lines[line - 1][column : column + 1] != "{":
            return None
        rest = lines[line - 1][column + 1 :]
        joint = "" if rest.lstrip().startswith("}") else ", "
        return Correction(line, line, (lines[line - 1][: column + 1] + ", ".join(texts) + joint + rest.lstrip(),))
    places = sorted((place[0] + 1, place[1]) for place in _places(mapping).values())
    # Entries of an alias or a merge stand elsewhere in the file and are shared with other collections.
    if not places or places[0][0] <= below:
        return None
    line, column = places[0]
    start = lines[line - 1][:column]
    return above(line, *(start + text for text in texts)) if not start.strip() else None


def first_entries(lines: Sequence[str], below: int, *texts: str) -> Correction | None:
    """Insert entries below a name in line `below` that has none yet."""
    name = lines[below - 1]
    if not name.removesuffix(_comment_behind(name)).rstrip().endswith(":"):
        return None
    indent = " " * (len(name) - len(name.lstrip(" ")) + 2)
    return above(below + 1, *(indent + text for text in texts))


def _places(mapping: Mapping[Any, Any]) -> dict[Any, list[int]]:
    return getattr(getattr(mapping, "lc", None), "data", None) or {}


def _is_flow(collection: object) -> bool:
    style = getattr(collection, "fa", None)
    return bool(style is not None and style.flow_style())


def _is_text(label: str) -> bool:
    """Whether every version of YAML reads the label as text without quotes."""
    is_plain = _PLAIN.fullmatch(label) and not _LIKE_A_NUMBER.fullmatch(label)
    return bool(is_plain) and label.lower() not in _WORDS_OF_YAML


def tags_as_yaml(labels: Sequence[str], *, as_list: bool = False) -> str:
    """Tags as the value of an attribute: a list, or the tag alone if there is one and it needs no quotes."""
    quoted = [label if _is_text(label) else json.dumps(label, ensure_ascii=False) for label in labels]
    return f"[{', '.join(quoted)}]" if as_list or quoted != list(labels[:1]) else quoted[0]
