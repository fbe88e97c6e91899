"""Write the form of an answer into the system prompt, as a literal example made from its schema. Pure.

A grammar only keeps a model from writing anything else; it does not tell the model what is wanted, and some services
take a schema without enforcing it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kometa_ai.providers.port import Form

FIRST_ID = 901
"""Ids of the example begin here, beyond those of the longest page: one that is copied names no item that was sent."""

_HEADING = """\
Answer with one JSON object and nothing else: no thoughts, no explanation, no code fence. This is its form; the ids, \
names and values in it are made up:"""
_TEXTS = {
    "collection_name": "Name of the collection",
    "reason": "the fact that decides it",
    "reasoning": "the fact that decides it",
    "title": "Title of the item",
}
_ARGUABLE, _CERTAIN = 0.65, 0.95
_Schema = Mapping[str, Any]


def with_example(form: Form) -> str:
    """The system prompt with an example of the answer that its schema describes, in one line of JSON.

    Lists of objects have two entries: one with every property, and one with the required ones alone.
    """
    example = _Example(form.schema).of(form.schema)
    return f"{form.system}\n\n{_HEADING}\n{json.dumps(example, separators=(',', ':'), ensure_ascii=False)}"


class _Example:
    """Values for each part of a schema; every collection of an answer is about the same ids."""

    def __init__(self, schema: _Schema) -> None:
        self._schema = schema
        self._ids: Iterator[int] = itertools.count(FIRST_ID)

    def of(self, schema: _Schema, name: str = "", number: int = 0) -> Any:  # noqa: ANN401 - any JSON
        """A value; `name` is that of its property, and `number` that of its entry in a list."""
        schema = self._resolved(schema)
        if schema.get("type") == "object":
            return self._object(schema, number)
        if schema.get("type") == "array":
            return self._list(schema.get("items") or {}, name)
        return self._single(schema, name, number)

    def _single(self, schema: _Schema, name: str, number: int) -> int | float | str | None:
        match schema.get("type"):
            case "integer":
                return number + 1 if name == "collection" else next(self._ids)
            case "number":
                return _nearest(_CERTAIN if number else _ARGUABLE, schema.get("enum"))
            case "boolean":
                return True
            case "string":
                return _text(schema, name, number)
        return None

    def _object(self, schema: _Schema, number: int) -> dict[str, Any]:
        properties: _Schema = schema.get("properties") or {}
        required = schema.get("required", ())
        if "collection" in properties:
            self._ids = itertools.count(FIRST_ID)
        return {
            name: self.of(part, name, number)
            for name, part in properties.items()
            if number == 0 or name in required or "collection" in properties
        }

    def _list(self, items: _Schema, name: str) -> list[Any]:
        is_of_objects = self._resolved(items).get("type") == "object"
        return [self.of(items, name, number if is_of_objects else 0) for number in range(2)]

    def _resolved(self, schema: _Schema) -> _Schema:
        found: Any = schema
        if isinstance(path := schema.get("$ref"), str):
            found = self._schema
            for part in path.removeprefix("#/").split("/"):
                found = found.get(part, {}) if isinstance(found, Mapping) else {}
        return found if isinstance(found, Mapping) else {}


def _nearest(wanted: float, steps: list[float] | None) -> float:
    return min(steps, key=lambda step: abs(step - wanted)) if steps else wanted


def _text(schema: _Schema, name: str, number: int) -> str:
    if options := schema.get("enum"):
        return str(options[0])
    if name.startswith("reason") and number:
        return ""  # where a verdict is certain
    return _TEXTS.get(name, "")
