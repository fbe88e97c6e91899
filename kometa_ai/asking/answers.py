"""Read verdicts from an answer, and find the items it leaves open. Pure, and never raises.

Accepted are the form that is asked for, the form where every item is in `decisions`, either of them with prose or
code fences around it, and either of them cut off or broken in the middle: whole entries are kept, nothing is invented.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.decision import EXCLUDED, Verdict
from kometa_ai.judging.policy import pick
from kometa_ai.judging.records import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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


class _Entry(msgspec.Struct):
    """One decision as it comes: loosely typed numbers are accepted, as other models send them."""

    item_id: int
    include: bool
    confidence: float


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says: verdicts by id, ids of ours it leaves open, ids that were never sent."""

    verdicts: Mapping[int, Verdict]
    missing: frozenset[int]
    unknown: frozenset[int]


def read_answer(text: str, sent: AbstractSet[int], standing: AbstractSet[int] = frozenset()) -> Reading:
    """Read an answer about the items numbered `sent`; `standing` are those that are members now.

    Two verdicts on one item: the higher confidence, on a tie what keeps the membership as it is. Entries whose
    confidence is not a number from 0 to 1 say nothing, and their item counts as missing.
    """
    verdicts: dict[int, Verdict] = {}
    unknown: set[int] = set()
    for item_id, verdict in _found(text[:LONGEST]):
        if item_id not in sent:
            unknown.add(item_id)
        elif (other := verdicts.get(item_id)) is None:
            verdicts[item_id] = verdict
        else:
            verdicts[item_id] = pick(other, verdict, standing=item_id in standing)
    return Reading(verdicts=verdicts, missing=frozenset(sent - verdicts.keys()), unknown=frozenset(unknown))


def _found(text: str) -> Iterator[tuple[int, Verdict]]:
    answer = _whole_answer(text)
    if answer is not None:
        entries, excluded = answer.get("decisions"), answer.get("excluded")
    else:
        entries, excluded = list(_whole_objects(text)), list(_whole_numbers(text))
    if isinstance(entries, dict):
        entries = [{_IDS[0]: key, **entry} for key, entry in entries.items() if isinstance(entry, dict)]
    for entry in entries if isinstance(entries, list) else ():
        if (found := _verdict(entry)) is not None:
            yield found
    for value in excluded if isinstance(excluded, list) else ():
        if (item_id := _id(value)) is not None:
            yield item_id, EXCLUDED


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
        fields = {"item_id": item_id, "include": entry.get("include"), "confidence": entry.get("confidence")}
        found = msgspec.convert(fields, _Entry, strict=False)
    except (msgspec.ValidationError, ValueError, RecursionError):
        return None
    if not math.isfinite(found.confidence) or not 0 <= found.confidence <= 1:
        return None
    reason = entry.get("reason") or entry.get("reasoning")
    return found.item_id, Verdict(
        include=found.include,
        confidence=found.confidence,
        # Half a character, as a broken answer holds, could be written neither to the state nor to a report.
        reason=clean(reason)[:REASON_LENGTH] if isinstance(reason, str) else "",
    )
