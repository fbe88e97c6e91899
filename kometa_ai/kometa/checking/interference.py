"""Warn of attributes and operations that remove managed tags, or delete movies because of them, anywhere in a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.checking.findings import Correct, Finding
from kometa_ai.kometa.checking.values import find, labels_in
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.naming import Label
    from kometa_ai.kometa.reading import Reading

_WIPES = "item_radarr_tag.sync"
_DELETES = "radarr_remove_by_tag"
_WRITES = ("item_radarr_tag", "item_radarr_tag.remove")


def about_tag_writers(reading: Reading, labels: AbstractSet[Label]) -> Iterator[Finding]:
    """A warning for each place that writes or removes one of these labels."""
    for mapping in _mappings(reading.document.data):
        for key, value in mapping.items():
            attribute = str(key).lower()
            if attribute not in (_WIPES, _DELETES, *_WRITES):
                continue
            found = labels_in(value)
            touched = ", ".join(label for label in found if label in labels)
            rest = [label for label in found if label not in labels]
            correct: Correct | None
            if attribute == _WIPES:
                what = f"`{key}` takes every other tag off the collection's movies, the managed ones included."
                has_other = find(mapping, _WRITES[0]) is not None
                remedy = "Take it away." if has_other else "Write `item_radarr_tag` instead: it only adds."
                correct = None if has_other else partial(_renamed, reading, mapping, key)
            elif not touched:
                continue
            else:
                does = "deletes from Radarr the movies with" if attribute == _DELETES else "writes"
                end = "." if attribute == _DELETES else "; it will be undone in the next run."
                what = f"`{key}` {does} the managed tag {touched}{end}"
                remedy = f"Take {touched} out of it."
                text = f"{key}: {corrections.tags_as_yaml(rest, as_list=isinstance(value, list))}" if rest else None
                correct = partial(corrections.with_entry, reading.document.lines, mapping, key, text)
                if attribute == _DELETES and rest:
                    # Kometa deletes movies that have all of these tags: with fewer tags, it would delete more movies.
                    remedy, correct = "Take the line away: with one tag less it deletes more movies.", None
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
