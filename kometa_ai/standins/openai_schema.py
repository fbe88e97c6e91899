"""Check schemas for structured outputs as OpenAI does.

The rules are those of OpenAI's guide "Structured outputs", and of the errors that users report; the real API also
compiles the schema.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import msgspec

_REFUSED = frozenset({
    "allOf", "contains", "default", "dependentRequired", "if", "not", "oneOf", "patternProperties", "unevaluatedItems",
    "uniqueItems",
})  # fmt: skip
_DEEPEST, _MOST_PROPERTIES = 10, 5000


@functools.lru_cache(maxsize=64)
def strict_problem(encoded: bytes) -> str:
    """What is wrong with a schema, given as JSON, that is to be enforced strictly; empty if it is valid."""
    schema = msgspec.json.decode(encoded)
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "schema must be a JSON Schema of 'type: \"object\"'"
    nodes = list(_nodes(schema, 0))
    if max(depth for depth, _ in nodes) > _DEEPEST:
        return f"the schema has more than {_DEEPEST} levels of nesting"
    if sum(len(node.get("properties") or ()) for _, node in nodes) > _MOST_PROPERTIES:
        return f"the schema has more than {_MOST_PROPERTIES} properties"
    return next((problem for _, node in nodes if (problem := _node_problem(node))), "")


def _nodes(schema: Any, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:  # noqa: ANN401 - any JSON
    if not isinstance(schema, dict):
        return
    yield depth, schema
    for key in ("properties", "$defs"):
        for child in (schema.get(key) or {}).values():
            yield from _nodes(child, depth + 1)
    for child in schema.get("anyOf") or ():
        yield from _nodes(child, depth)
    yield from _nodes(schema.get("items"), depth + 1)


def _node_problem(node: dict[str, Any]) -> str:
    for name in sorted(_REFUSED & node.keys()):
        return f"In context=(), '{name}' is not permitted."
    if node.get("type") == "array" and "items" not in node:
        return "In context=(), array schema missing items."
    if node.get("type") == "object":
        if node.get("additionalProperties") is not False:
            return "In context=(), 'additionalProperties' is required to be supplied and to be false."
        missing = [name for name in node.get("properties") or {} if name not in (node.get("required") or ())]
        if missing:
            return (
                "In context=(), 'required' is required to be supplied and to be an array including every key in "
                f"properties. Missing '{missing[0]}'."
            )
    return _choice_problem(node)


def _choice_problem(node: dict[str, Any]) -> str:
    objects = [choice for choice in node.get("anyOf") or () if choice.get("type") == "object"]
    firsts = [next(iter(choice.get("properties") or {}), "") for choice in objects]
    if len(set(firsts)) < len(firsts):
        return (
            "Objects provided via 'anyOf' must not share identical first keys. Consider adding a discriminator key or "
            "rearranging the properties to ensure the first key is unique."
        )
    return ""
