"""Read verdicts from an answer, and find the items it leaves open. Pure, and never raises.

Accepted are the form that is asked for, the form where every item is in `decisions`, either of them with prose or
code fences around it, and either of them cut off or broken in the middle: whole entries are kept, nothing is invented.
An answer about several collections is read likewise; what it says counts for the collection whose number stands in the
same object, and what has none counts for none.

Why: docs/decisions/0002-answers.md
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.decision import EXCLUDED, Verdict
from kometa_ai.judging.policy import pick
from kometa_ai.judging.records import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

REASON_LENGTH = 300
LONGEST = 500_000
"""Characters of an answer that are looked at: several times what its tokens may hold."""

_OPENINGS_TRIED = 100
_IDS = ("movie_id", "show_id")
"""How an answer names an item. Either is taken for either kind, as models that enforce no schema may mix them up."""
_DECODER = json.JSONDecoder()
_OPENING = re.compile(r"\{")
_EXCLUDED_LIST = re.compile(r'"excluded"\s*:\s*\[')
_NUMBER = re.compile(r"\A(\"?)(-?\d{1,9})(?:\.0)?\1\Z")


_KNOWN = frozenset({*_IDS, "reason", "reasoning", "include", "confidence", "title", "year", "name", "collection_name"})
_EVEN = 0.5
"""An entry that does not say `include` belongs from this confidence on."""
_SEVERAL = re.compile(r'"collections?"\s*:')
_LISTS = frozenset({"decisions", "excluded"})
_SPACE = re.compile(r"[ \t\n\r]*+")


class _Entry(msgspec.Struct):
    """One decision as it comes: loosely typed numbers are accepted, as other models send them."""

    item_id: int
    confidence: float
    include: bool | None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says: verdicts by id, ids of ours it leaves open, ids that were never sent."""

    verdicts: Mapping[int, Verdict]
    missing: frozenset[int]
    unknown: frozenset[int]


def read_answer(text: str, sent: AbstractSet[int], standing: AbstractSet[int] = frozenset()) -> Reading:
    """Read an answer about one collection and the items numbered `sent`; `standing` are those that are members now.

    Two verdicts on one item: the higher confidence, on a tie what keeps the membership as it is. Entries whose
    confidence is not a number from 0 to 1 say nothing, and their item counts as missing. An entry without `include`
    belongs if its confidence is 0.5 or more.
    """
    text = text[:LONGEST]
    entries = list(_entries(text))
    if not entries:
        return _reading(_found(text), sent, standing)
    # One alone may leave its number out, or have its name there.
    accepted = {1, None} if len(entries) == 1 else {1}
    ours = (entry for entry in entries if _id(entry.get("collection")) in accepted)
    return _reading((found for entry in ours for found in _said(entry)), sent, standing)


def read_answers(
    text: str, sent: AbstractSet[int], names: Sequence[str], standing: Sequence[AbstractSet[int]]
) -> tuple[Reading, ...]:
    """Read an answer about several collections: what it says for each, in the order in which they were sent.

    `names` are those of the collections, numbered from 1. What an answer says under the number of one and the name of
    another counts for neither; nor does what has no name where its number stands twice, since models number every
    entry 1.
    """
    found: list[list[tuple[int, Verdict]]] = [[] for _ in names]
    entries = [(_id(entry.get("collection")), entry) for entry in _entries(text[:LONGEST])]
    times = Counter(number for number, _ in entries)
    plain = [_plain(name) for name in names]
    for number, entry in entries:
        if number is None or not 1 <= number <= len(names):
            continue
        said = _plain(entry.get("collection_name"))
        if said == plain[number - 1] or (said not in plain and times[number] == 1):
            found[number - 1] += _said(entry)
    return tuple(_reading(said, sent, members) for said, members in zip(found, standing, strict=True))


def _reading(found: Iterable[tuple[int, Verdict]], sent: AbstractSet[int], standing: AbstractSet[int]) -> Reading:
    verdicts: dict[int, Verdict] = {}
    unknown: set[int] = set()
    for item_id, verdict in found:
        if item_id not in sent:
            unknown.add(item_id)
        elif (other := verdicts.get(item_id)) is None:
            verdicts[item_id] = verdict
        elif other is not verdict:
            verdicts[item_id] = pick(other, verdict, standing=item_id in standing)
    return Reading(verdicts=verdicts, missing=frozenset(sent - verdicts.keys()), unknown=frozenset(unknown))


def _plain(name: object) -> str:
    return clean(name).casefold() if isinstance(name, str) else ""


def _found(text: str) -> Iterator[tuple[int, Verdict]]:
    answer = _whole_answer(text)
    if answer is None:
        answer = {"decisions": list(_whole_objects(text)), "excluded": list(_whole_numbers(text))}
    return _said(answer)


def _said(answer: Mapping[str, Any]) -> Iterator[tuple[int, Verdict]]:
    """The verdicts of what an answer has for one collection."""
    entries, excluded = answer.get("decisions"), answer.get("excluded")
    if isinstance(entries, dict):
        entries = [{_IDS[0]: key, **entry} for key, entry in entries.items() if isinstance(entry, dict)]
    for entry in entries if isinstance(entries, list) else ():
        if (found := _verdict(entry)) is not None:
            yield found
    for value in excluded if isinstance(excluded, list) else ():
        if (item_id := _id(value)) is not None:
            yield item_id, EXCLUDED


# Several collections


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """What an answer about several collections has for each of them, as far as it is whole."""
    if _SEVERAL.search(text) is None:
        return
    failures, start = 0, text.find("{")
    while start != -1 and failures < _OPENINGS_TRIED:
        value, end, is_whole = _object(text, start)
        failures += not is_whole
        yield from _entries_of(value)
        start = text.find("{", max(end, start + 1))


def _entries_of(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    several = value.get("collections")
    if isinstance(several, dict):
        several = [{"collection": key, **entry} for key, entry in several.items() if isinstance(entry, dict)]
    if isinstance(several, list):
        yield from (entry for entry in several if isinstance(entry, dict) and not _LISTS.isdisjoint(entry))
    elif "collection" in value and not _LISTS.isdisjoint(value):
        yield value
    else:
        for inner in value.values():
            if isinstance(inner, dict):
                yield from _entries_of(inner)


def _object(text: str, start: int, *, within: bool = False) -> tuple[dict[str, Any], int, bool]:
    """The object that begins at a place, where it ends, and whether it is whole.

    Of a broken one there are the members that are whole, and of a list of its the whole entries.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        members, end = _members(text, start + 1, within=within)
        return members, end, False
    return value, end, True


def _members(text: str, at: int, *, within: bool) -> tuple[dict[str, Any], int]:
    """The members of a broken object as far as they are whole, and where it breaks."""
    found: dict[str, Any] = {}
    while True:
        at = _past_space(text, at)
        try:
            key, colon = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return found, at
        colon = _past_space(text, colon)
        if not isinstance(key, str) or text[colon : colon + 1] != ":":
            return found, at
        at = _past_space(text, colon + 1)
        if text[at : at + 1] == "[" and (key in _LISTS or (key == "collections" and not within)):
            found[key], at, is_whole = _elements(text, at + 1, of_entries=key == "collections")
            if not is_whole:
                return found, at
            value = found[key]
        else:
            try:
                value, after = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                return found, at
            at = after
        at = _past_space(text, at)
        # Only what is followed by a comma is known to be whole: 1 may be the beginning of 12.
        if text[at : at + 1] != ",":
            return found, at
        found[key] = value
        at += 1


def _elements(text: str, at: int, *, of_entries: bool) -> tuple[list[Any], int, bool]:
    """The whole elements of a list, where it ends or breaks, and whether it is whole.

    Where it is one `of_entries`, an entry that is broken is among them with what of it is whole.
    """
    found: list[Any] = []
    value: Any
    while True:
        at = _past_space(text, at)
        if text[at : at + 1] == "]":
            return found, at + 1, True
        if of_entries and text[at : at + 1] == "{":
            value, at, is_whole = _object(text, at, within=True)
            found.append(value)
            if not is_whole:
                return found, at, False
        else:
            try:
                value, after = _DECODER.raw_decode(text, at)
            except (ValueError, RecursionError):
                return found, at, False
            at = after
            if isinstance(value, dict):
                found.append(value)
        end = _past_space(text, at)
        if text[end : end + 1] not in {",", "]"}:
            return found, at, False
        if not isinstance(value, dict):
            found.append(value)
        at = end + 1 if text[end : end + 1] == "," else end


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


# One collection


def _whole_answer(text: str) -> dict[str, Any] | None:
    """The answer where it is whole, whatever stands around it."""
    last_key = max(text.rfind('"decisions"'), text.rfind('"excluded"'))
    # Prose and a collection's name may hold braces too: the answer begins at one of those before its keys.
    for opening in islice(_OPENING.finditer(text, 0, max(last_key, 0)), _OPENINGS_TRIED):
        value = _decode(text, opening.start())
        if isinstance(value, dict) and ("decisions" in value or "excluded" in value):
            return value
    return None


def _decode(text: str, start: int) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return _DECODER.raw_decode(text, start)[0]
    except (ValueError, RecursionError):
        return None


def _whole_objects(text: str) -> Iterator[dict[str, Any]]:
    """Every whole object in a broken answer that could be a decision."""
    failures, start = 0, text.find("{")
    # Each failure may have read on to the very end: without a limit, nonsense would hold up the whole program.
    while start != -1 and failures < _OPENINGS_TRIED:
        try:
            value, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            failures, end = failures + 1, start + 1
        else:
            if isinstance(value, dict):
                yield value
        start = text.find("{", end)


def _whole_numbers(text: str) -> Iterator[int]:
    """The whole numbers of a broken answer's `excluded`."""
    opening = _EXCLUDED_LIST.search(text)
    if opening is None:
        return
    values, closing, _ = text[opening.end() :].partition("]")
    if not closing:
        # Only what is followed by a comma is known to be whole: 12 may be the beginning of 123.
        values = values.rpartition(",")[0]
    for value in values.split(","):
        if number := _NUMBER.fullmatch(value.strip()):
            yield int(number[2])


def _id(value: object) -> int | None:
    try:
        return msgspec.convert(value, int, strict=False)
    except (msgspec.ValidationError, ValueError):
        return None


def _verdict(entry: object) -> tuple[int, Verdict] | None:
    if not isinstance(entry, dict):
        return None
    try:
        # Field by field: one unreadable character in a field that does not matter would refuse the whole entry.
        item_id = next((entry[name] for name in _IDS if name in entry), None)
        fields = {"item_id": item_id, "confidence": entry.get("confidence"), "include": entry.get("include")}
        found = msgspec.convert(fields, _Entry, strict=False)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None
    if not math.isfinite(found.confidence) or not 0 <= found.confidence <= 1:
        return None
    include = found.include
    if include is None:
        if not _KNOWN.issuperset(entry):
            return None  # a field that is broken may be this one
        include = found.confidence >= _EVEN
    reason = entry.get("reason") or entry.get("reasoning")
    return found.item_id, Verdict(
        include=include,
        confidence=found.confidence,
        # Half a character, as a broken answer holds, could be written neither to the state nor to a report.
        reason=clean(reason)[:REASON_LENGTH] if isinstance(reason, str) else "",
    )
