"""Rewrite a JSON schema for services that want every property of an object to be required. Pure.

An object with optional properties becomes a choice: without any of them, or beginning with one of them. OpenAI refuses
choices of which two begin with the same property ("must not share identical first keys",
https://github.com/openai/openai-python/issues/2193), so each has another first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def strict(schema: Schema) -> dict[str, Any]:
    """The same with all properties required. What it allows, `schema` allows as well.

    The outermost object may not be a choice: its optional properties become required ones.
    """
    found = _strict(schema)
    if "anyOf" in found and schema.get("type") == "object":
        return _object(schema, list(_parts(schema)))
    return found


def _strict(schema: Schema) -> dict[str, Any]:
    found = {name: _inside(name, value) for name, value in schema.items()}
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        return found
    required, optional = _sorted_parts(schema)
    if not optional:
        return _object(schema, list(_parts(schema)))
    choices = [_object(schema, required)] if required else []
    # One that begins with an optional property has the later ones too: fewer choices, and each with a first of its own.
    choices += [_object(schema, [name, *required, *optional[number + 1 :]]) for number, name in enumerate(optional)]
    return {"anyOf": choices} if len(choices) > 1 else choices[0]


def _inside(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON
    if name in ("properties", "$defs") and isinstance(value, Mapping):
        return {key: _strict(part) if isinstance(part, Mapping) else part for key, part in value.items()}
    if name == "items" and isinstance(value, Mapping):
        return _strict(value)
    if name in ("anyOf", "allOf") and isinstance(value, list):
        return [_strict(part) if isinstance(part, Mapping) else part for part in value]
    return value


def _parts(schema: Schema) -> Mapping[str, Any]:
    parts: Mapping[str, Any] = schema["properties"]
    return parts


def _sorted_parts(schema: Schema) -> tuple[list[str], list[str]]:
    required = set(schema.get("required", ()))
    parts = list(_parts(schema))
    return [name for name in parts if name in required], [name for name in parts if name not in required]


def _object(schema: Schema, names: list[str]) -> dict[str, Any]:
    """The object with these of its properties alone, all of them required."""
    parts = _inside("properties", _parts(schema))
    around = {name: _inside(name, value) for name, value in schema.items() if name not in ("properties", "required")}
    return {
        **around,
        "additionalProperties": False,
        "required": names,
        "properties": {name: parts[name] for name in names},
    }
