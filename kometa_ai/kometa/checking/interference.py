"""Warn of attributes and operations that remove managed tags, or delete items because of them, anywhere in a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.checking.arrs import ARRS
from kometa_ai.kometa.checking.findings import Finding
from kometa_ai.kometa.checking.values import find, labels_in
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import Kind
    from kometa_ai.core.naming import Label
    from kometa_ai.kometa.checking.arrs import Arr
    from kometa_ai.kometa.faults import Correct
    from kometa_ai.kometa.reading import Reading

_KNOWN = {name: arr for arr in ARRS for name in (arr.wipes, arr.deletes, arr.adds, f"{arr.adds}.remove", arr.tags_new)}


def about_tag_writers(reading: Reading, labels: Mapping[Kind, AbstractSet[Label]]) -> Iterator[Finding]:
    """A warning for each place that writes or removes one of the managed labels of its service."""
    for mapping in _mappings(reading.document.data):
        for key in mapping:
            if arr := _KNOWN.get(str(key).lower()):
                yield from _about_writer(reading, (mapping, key), arr, labels[arr.kind])


def _about_writer(
    reading: Reading, at: tuple[Mapping[Any, Any], object], arr: Arr, labels: AbstractSet[Label]
) -> Iterator[Finding]:
    mapping, key = at
    value = mapping[key]
    attribute = str(key).lower()
    found = labels_in(value)
    touched = ", ".join(label for label in found if label in labels)
    rest = [label for label in found if label not in labels]
    correct: Correct | None
    if attribute == arr.wipes:
        what = f"`{key}` takes every other tag off the collection's {arr.items}, the managed ones included."
        has_other = find(mapping, arr.adds) is not None
        remedy = "Take it away." if has_other else f"Write `{arr.adds}` instead: it only adds."
        correct = None if has_other else partial(_renamed, reading, mapping, key)
    elif not touched:
        return
    else:
        what = f"`{key}` {_does(attribute, arr)} the managed tag {touched}{_so(attribute, arr)}."
        remedy = f"Take {touched} out of it."
        text = f"{key}: {corrections.tags_as_yaml(rest, as_list=isinstance(value, list))}" if rest else None
        correct = partial(corrections.with_entry, reading.document.lines, mapping, key, text)
        if attribute == arr.deletes and rest:
            # Kometa deletes the items that have all of these tags: with fewer tags, it would delete more.
            remedy, correct = f"Take the line away: with one tag less it deletes more {arr.items}.", None
    line, column = place_of(mapping, key) or (None, None)
    warning = Problem(
        what=what,
        remedy=remedy,
        source=reading.source,
        line=line,
        column=column,
        severity="warning",
    )
    yield Finding(warning, correct)


def _does(attribute: str, arr: Arr) -> str:
    if attribute == arr.deletes:
        return f"deletes from {arr.name} the {arr.items} with"
    return f"gives what Kometa adds to {arr.name}" if attribute == arr.tags_new else "writes"


def _so(attribute: str, arr: Arr) -> str:
    if attribute == arr.deletes:
        # Kometa looks each tag of these items up by its id, and nothing catches the answer that there is none.
        return f", and ends Kometa's run for the library where a {arr.kind} has a tag that is gone"
    return "; it will be undone in the next run"


def _renamed(reading: Reading, mapping: Mapping[Any, Any], key: object) -> Correction | None:
    place = place_of(mapping, key)
    if place is None:
        return None
    written = str(key)
    line = place[0]
    return corrections.swapped(line, reading.document.lines[line - 1], written, written[: -len(".sync")])


def _mappings(data: object) -> Iterator[Mapping[Any, Any]]:
    """Every mapping in loaded data, once: aliases share mappings, and can make a mapping contain itself."""
    seen: set[int] = set()
    left = [data]
    while left:
        value = left.pop()
        if not isinstance(value, (dict, list)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value
        left.extend(value.values() if isinstance(value, dict) else value)
