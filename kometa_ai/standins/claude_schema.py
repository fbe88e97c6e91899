"""Check schemas for structured outputs as the API does.

The limits are those of Anthropic's API documentation, "Structured outputs". The real API compiles the schema into a
grammar and may find it too complex; this one only reads it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import msgspec

MAX_OPTIONAL_PROPERTIES = 24
MAX_UNIONS = 16

_TYPES = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_ANNOTATIONS = frozenset({"type", "title", "description", "default", "enum", "const", "$ref", "$defs", "definitions"})
_BY_TYPE = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems"}),
    "string": frozenset({"format", "pattern"}),
}
_SUPPORTED = _ANNOTATIONS.union({"anyOf", "allOf"}, *_BY_TYPE.values())


@functools.lru_cache(maxsize=64)
def schema_problem(encoded: bytes) -> str:
    """What is wrong with a JSON schema, given as JSON; empty if it is valid."""
    schema = msgspec.json.decode(encoded)
    if not isinstance(schema, dict):
        return "output_config.format.schema: Input should be an object"
    nodes = list(_nodes(schema))
    for node in nodes:
        problem = _keyword_problem(node) or _object_problem(node) or _reference_problem(node, schema)
        if problem:
            return f"output_config.format.schema: {problem}"
    return _limit_problem(nodes)


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - any JSON may stand where a schema should
    if not isinstance(schema, dict):
        return
    yield schema
    for key in ("properties", "$defs", "definitions"):
        for child in (schema.get(key) or {}).values():
            yield from _nodes(child)
    for key in ("anyOf", "allOf"):
        for child in schema.get(key) or ():
            yield from _nodes(child)
    yield from _nodes(schema.get("items"))


def _keyword_problem(node: dict[str, Any]) -> str:
    kind = node.get("type", "")
    named = kind if isinstance(kind, list) else [kind]
    for name in named:
        if name and name not in _TYPES:
            return f"Invalid type {name!r}"
    for key in node:
        if key not in _SUPPORTED:
            return f"For {kind or 'any'!r} type, property '{key}' is not supported"
    if node.get("minItems", 0) not in {0, 1}:
        return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    if any(isinstance(value, (dict, list)) for value in node.get("enum", ())):
        return "'enum' values must be strings, numbers, booleans or null"
    return ""


def _object_problem(node: dict[str, Any]) -> str:
    if (node.get("type") == "object" or "properties" in node) and node.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    return ""


def _reference_problem(node: dict[str, Any], root: dict[str, Any]) -> str:
    if "$ref" not in node:
        return ""
    target = resolve(node, root)
    if target is None:
        return f"'$ref' {node['$ref']!r} is not a definition of this schema"
    if any(inner.get("$ref") == node["$ref"] for inner in _nodes(target)):
        return "Recursive schemas are not supported"
    return ""


def resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any] | None:
    """`node`, or the target of its local `$ref`; None if that is not in `root`."""
    if "$ref" not in node:
        return node
    target: Any = root
    if not str(node["$ref"]).startswith("#/"):
        return None
    for part in node["$ref"][2:].split("/"):
        target = target.get(part) if isinstance(target, dict) else None
    return target if isinstance(target, dict) else None


def _limit_problem(nodes: list[dict[str, Any]]) -> str:
    optional = sum(len(set(node.get("properties") or ()) - set(node.get("required") or ())) for node in nodes)
    if optional > MAX_OPTIONAL_PROPERTIES:
        return (
            f"Schemas contains too many optional parameters ({optional}), which would make grammar compilation "
            f"inefficient. Reduce the number of optional parameters (limit: {MAX_OPTIONAL_PROPERTIES})."
        )
    unions = sum(1 for node in nodes if "anyOf" in node or isinstance(node.get("type"), list))
    if unions > MAX_UNIONS:
        return (
            f"Schemas contains too many parameters with union types ({unions} parameters with type arrays or anyOf). "
            f"Reduce the number of union-typed parameters (limit: {MAX_UNIONS})."
        )
    return ""
