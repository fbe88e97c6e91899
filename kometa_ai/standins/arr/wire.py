"""Write JSON as both programs do, and long lists of items fast.

Names are camelCase, nulls are left out, `id` comes last, output is indented by two spaces, dates are UTC to the second,
and the order of an item's tags has no meaning (it is shuffled here so that no client relies on it).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from kometa_ai.standins.arr.store import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from kometa_ai.standins.arr.store import Store

Json = dict[str, Any]

TAGS_GO_HERE = "?"
"""The value of `tags` in a resource that is not finished."""

_PLACE = b'"tags": "?"'
_CHUNK = 128 * 1024

_Row = TypeVar("_Row", bound=Row)
_Shape = TypeVar("_Shape", bound="Hashable")


class _Fragment(NamedTuple):
    """An item of a list without its tags, and the objects that it was written from."""

    sources: tuple[object, ...]
    before: bytes
    after: bytes


class ListWriter(Generic[_Row, _Shape]):
    """Writes items and keeps everything but the tags, so that a library of 10,000 is written in milliseconds.

    `describe` makes a row's resource in a shape; `sources` are the objects whose replacement changes that resource.
    """

    def __init__(self, describe: Callable[[_Row, _Shape], Json], sources: Callable[[_Row], tuple[object, ...]]) -> None:
        self._describe = describe
        self._sources = sources
        self._fragments: dict[tuple[int, _Shape], _Fragment] = {}
        self._random = random.Random(1)

    def resource(self, row: _Row, shape: _Shape) -> Json:
        """One item as a dictionary."""
        item = self._describe(row, shape)
        item["tags"] = self._shuffled(row)
        return item

    def write_list(self, rows: Sequence[_Row], shape: _Shape) -> Iterator[bytes]:
        """A JSON array of items, in pieces."""
        if not rows:
            yield b"[]"
            return
        piece = bytearray(b"[")
        for number, row in enumerate(rows):
            fragment = self._fragment(row, shape)
            piece += b",\n  " if number else b"\n  "
            piece += fragment.before
            piece += self._tags(row)
            piece += fragment.after
            if len(piece) > _CHUNK:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece + b"\n]")

    def _fragment(self, row: _Row, shape: _Shape) -> _Fragment:
        sources = self._sources(row)
        known = self._fragments.get((row.id, shape))
        if known is not None and all(was is now for was, now in zip(known.sources, sources, strict=True)):
            return known
        text = to_json(self._describe(row, shape)).replace(b"\n", b"\n  ")
        before, _, after = text.partition(_PLACE)
        fragment = self._fragments[row.id, shape] = _Fragment(sources, before, after)
        return fragment

    def _tags(self, row: _Row) -> bytes:
        if not row.tags:
            return b'"tags": []'
        items = b",\n      ".join(b"%d" % tag for tag in self._shuffled(row))
        return b'"tags": [\n      %b\n    ]' % items

    def _shuffled(self, row: _Row) -> list[int]:
        tags = sorted(row.tags)
        self._random.shuffle(tags)
        return tags


def to_json(value: object) -> bytes:
    """JSON as the programs write it: indented by two spaces, raw UTF-8."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def present(resource: Json) -> Json:
    """The resource without its nulls."""
    return {name: value for name, value in resource.items() if value is not None}


def rule_resources(store: Store[Any, Any]) -> list[Json]:
    """The auto tagging rules as `GET /autotagging` lists them."""
    return [
        {
            "name": rule.name,
            "removeTagsAutomatically": rule.remove_tags_automatically,
            "tags": sorted(targets),
            "specifications": [
                _specification(kind, value) for kind, value in (*rule.conditions(), ("Tag", condition)) if value
            ],
            "id": number,
        }
        for number, (rule, targets, condition) in enumerate(store.rules_by_id(), start=1)
    ]


def _specification(kind: str, value: object) -> Json:
    return {
        "name": kind,
        "implementation": f"{kind}Specification",
        "implementationName": kind,
        "negate": False,
        "required": False,
        "fields": [{"order": 0, "name": "value", "label": kind, "value": value, "type": "textbox"}],
    }
