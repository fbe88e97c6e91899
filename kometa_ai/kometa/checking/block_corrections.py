"""Make corrections for the faults that the reader finds in blocks and in YAML, if it is clear what was meant."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from kometa_ai.core.naming import PREFIX, label_of, slug_of, tag_of
from kometa_ai.core.problem import Correction
from kometa_ai.kometa.block_keys import MEDIA
from kometa_ai.kometa.blocks import HalfBlock, HomelessBlock
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.faults import Correctable
from kometa_ai.kometa.markers import BEGIN, END, MARKER
from kometa_ai.kometa.parser import BrokenBlock, OwnTag, UnknownKey, WrongValue
from kometa_ai.kometa.refusals import BrokenYaml
from kometa_ai.kometa.slips import Slip, has_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.blocks import Block
    from kometa_ai.kometa.document import Document, Key
    from kometa_ai.kometa.faults import Fault

_LONGEST_MOVE = 60
_LONGEST_VALUE = 200
_CLOSE = 0.8
_COMMENT_START = re.compile(r"\A\s*+# *")
_PERCENT = re.compile(r"(100|\d{1,2}) ?%")
_WITH_COMMA = re.compile(r"0,\d{1,4}")
_ID = re.compile(r"(tmdb|tvdb)[ /#-]([1-9]\d{0,9})", re.IGNORECASE)
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("film", "films", "radarr"), "movie"),
    **dict.fromkeys(("tv", "series", "tv show", "tv shows", "tv series", "sonarr"), "show"),
}


def correction_of(fault: Fault) -> Correction | None:
    """The correction of a fault; None if it is unclear what the writer of the file meant."""
    line = fault.problem.line or 0
    found: Correction | None = None
    match fault.cause:
        case BrokenYaml(correct=correct) | Slip(correct=correct) | Correctable(correct=correct) if correct:
            found = correct()
        case HalfBlock() as half:
            found = _completed(half)
        case HomelessBlock() as homeless:
            found = _moved(homeless)
        case BrokenBlock() as broken:
            found = _readable(broken, line)
        case UnknownKey(text=text, key=key, near=near):
            is_clear = near and SequenceMatcher(None, key.lower(), near).ratio() >= _CLOSE
            found = corrections.swapped(line, text, key, near if is_clear else None)
        case WrongValue() as wrong:
            found = _with_value(wrong, line)
        case OwnTag() as own:
            found = _without_own_tag(own, line)
    return found


# Markers and whole blocks


def _completed(half: HalfBlock) -> Correction:
    """Add the missing marker, or remove a stray one."""
    if half.place is None:
        return corrections.removed(half.line)
    marker = " " * half.indent + (BEGIN if half.missing == "begin" else END)
    if half.missing == "turned":
        return Correction(half.place, half.place, (marker,))
    return corrections.above(half.place, marker)


def _moved(homeless: HomelessBlock) -> Correction | None:
    """Move the block above the name of its host, or above the first name below the next `collections:`."""
    document, block = homeless.document, homeless.block
    lines = document.lines
    host = homeless.host
    if host is not None:
        if any(MARKER.fullmatch(line) for line in _comments_above(document, host)):
            return None
        before = lines[host.line - 1 : block.line - 1]
        if any(map(has_content, before[1:])):
            return None  # the block may belong to what stands below it
        text = (*_indented(document, block, host), *before)
        return Correction(host.line, block.end, text) if len(text) <= _LONGEST_MOVE else None
    after = [key for key in document.keys if key.start > homeless.offset >= 0]
    if not after or not lines[homeless.last + 1].startswith("collections:"):
        return None
    first = after[0]
    between = lines[block.end : first.line - 1]
    if any(MARKER.fullmatch(line) for line in between):
        return None
    return Correction(block.line, first.line - 1, (*between, *_indented(document, block, first)))


def _comments_above(document: Document, key: Key) -> Iterator[str]:
    """The comments and blank lines right above a key."""
    for number in range(key.line - 2, -1, -1):
        if document.lines[number].strip() and number not in document.comments:
            return
        yield document.lines[number]


def _indented(document: Document, block: Block, key: Key) -> Iterator[str]:
    """The lines of a block, with the indentation of a key."""
    text = document.lines[key.line - 1]
    indent = " " * (len(text) - len(text.lstrip(" \t")))
    for line in document.lines[block.line - 1 : block.end]:
        yield indent + line.strip()


# Lines inside of a block


def _readable(broken: BrokenBlock, line: int) -> Correction | None:
    """Apply the correction of the block's YAML to the line of the file."""
    error, text = broken.error, broken.text
    content = broken.yaml[error.line - 1] if error.line else ""
    correction = error.correct() if error.correct else None
    if correction is None or not correction.first == correction.last == error.line or len(correction.lines) != 1:
        return None
    (better,) = correction.lines
    if not content or content not in text:
        return None
    start = text[: text.index(content)].rstrip("\t")
    start += "" if start.endswith(" ") else " "
    if content.startswith("prompt:") and better.endswith('"'):
        return Correction(line, line, (start + "prompt: |", f"{start}  {content.partition(':')[2].strip()}"))
    return Correction(line, line, (start + better,))


def _without_own_tag(own: OwnTag, line: int) -> Correction | None:
    if set(own.item_lines) == {own.first}:
        text = [f"{own.key}: {corrections.tags_as_yaml(own.others)}"] if own.others else []
        return Correction(own.first, own.first, _commented(own.text, *text))
    if own.item_lines.count(line) == 1:
        return corrections.removed(line) if own.others else corrections.removed(own.first, line)
    return None


def _commented(like: str, *texts: str) -> tuple[str, ...]:
    """The texts as comment lines, indented like the line `like`."""
    found = _COMMENT_START.match(like)
    start = found[0] if found else "  # "
    return tuple(start + text for text in texts)


def _with_value(wrong: WrongValue, line: int) -> Correction | None:
    """Replace the value with the one that was meant, or remove an empty item."""
    if not wrong.value:
        return corrections.removed(line) if wrong.text.strip(" \t#") == "-" else None
    better = _meant(wrong.key, wrong.value)
    return corrections.swapped(line, wrong.text, wrong.value, better, after="" if wrong.is_item else wrong.key)


def _meant(key: str, value: str) -> str | None:
    """The value that was clearly meant; None if there is a doubt."""
    guess = _GUESSES.get(key)
    return guess(value.strip()) if guess and len(value) <= _LONGEST_VALUE else None


def _tag(value: str) -> str | None:
    slug = slug_of(re.sub(f"^{PREFIX}", "", value, flags=re.IGNORECASE))
    return label_of(tag_of(slug)) if slug else None


def _share(value: str) -> str | None:
    """`75%` and `0,75` as a number from 0 to 1."""
    if found := _PERCENT.fullmatch(value):
        return f"{int(found[1]) / 100:g}"
    return value.replace(",", ".") if _WITH_COMMA.fullmatch(value) else None


def _item(value: str) -> str | None:
    found = _ID.fullmatch(value)
    return f"{found[1].lower()}:{found[2]}" if found else None


def _media(value: str) -> str | None:
    """`Film` and `TV shows` as the plural that was meant."""
    kind = _KINDS.get(value.strip("\"'").lower())
    return MEDIA[kind] if kind else None


_GUESSES: dict[str, Callable[[str], str | None]] = {
    "confidence_threshold": _share,
    "media": _media,
    "include_movies": _item,
    "exclude_movies": _item,
    "include_shows": _item,
    "exclude_shows": _item,
    "tag": _tag,
}
