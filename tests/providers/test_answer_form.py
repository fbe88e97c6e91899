"""The example of an answer that is written into the system prompt, from the schema alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.answers import read_answer
from kometa_ai.asking.prompts import FORM, SCHEMA, SHOW_FORM
from kometa_ai.providers.answer_form import FIRST_ID, with_example
from kometa_ai.providers.port import Form

LEAN = SCHEMA["properties"]["decisions"]["items"]
DECISION = {**LEAN, "required": list(LEAN["properties"])}


def form(schema: dict[str, Any]) -> Form:
    """A form with this schema."""
    return Form("Judge.", schema, 100)


def example(form: Form) -> Any:
    """The example of a form."""
    text = with_example(form)
    assert text.startswith(f"{form.system}\n\n")
    return json.loads(text.splitlines()[-1])


def collections(decision: dict[str, Any]) -> dict[str, Any]:
    """A schema for several collections."""
    one = {
        "type": "object",
        "required": ["collection", "decisions", "excluded"],
        "properties": {
            "collection": {"type": "integer"},
            "collection_name": {"type": "string"},
            "decisions": {"type": "array", "items": decision},
            "excluded": {"type": "array", "items": {"type": "integer"}},
        },
    }
    return {
        "type": "object",
        "required": ["collections"],
        "properties": {"collections": {"type": "array", "items": one}},
    }


def test_the_example_is_an_answer_of_the_form() -> None:
    """As the owner of the prompt would write it: an arguable verdict, a certain one, and what does not belong."""
    assert example(FORM) == {
        "collection_name": "Name of the collection",
        "decisions": [
            {"movie_id": 901, "reason": "the fact that decides it", "include": True, "confidence": 0.65},
            {"movie_id": 902, "confidence": 0.95},
        ],
        "excluded": [903, 904],
    }
    assert [next(iter(entry)) for entry in example(SHOW_FORM)["decisions"]] == ["show_id", "show_id"]


def test_what_may_be_left_out_is_there_once_and_left_out_once() -> None:
    """So that a model sees both."""
    shown = example(
        form({**SCHEMA, "properties": {**SCHEMA["properties"], "decisions": {"type": "array", "items": LEAN}}})
    )

    assert [set(entry) for entry in shown["decisions"]] == [
        {"movie_id", "reason", "include", "confidence"},
        {"movie_id", "confidence"},
    ]


@pytest.mark.parametrize("decision", [DECISION, LEAN])
def test_several_collections_are_about_the_same_items(decision: dict[str, Any]) -> None:
    """Each with its number, and each with every item once."""
    first, second = example(form(collections(decision)))["collections"]

    assert (first["collection"], second["collection"]) == (1, 2)
    assert list(first) == list(second) == ["collection", "collection_name", "decisions", "excluded"]
    for entry in (first, second):
        assert [each["movie_id"] for each in entry["decisions"]] == [901, 902]
        assert entry["excluded"] == [903, 904]


def test_an_example_that_is_copied_says_nothing() -> None:
    """Its ids lie beyond those of the longest page, of 300 items."""
    reading = read_answer(json.dumps(example(FORM)), set(range(1, 301)))

    assert reading.verdicts == {}
    assert min(reading.unknown) == FIRST_ID > 300


TYPES = st.sampled_from([{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"type": "number"}])


@given(
    properties=st.dictionaries(st.sampled_from("abcdefgh"), TYPES, max_size=5),
    required=st.sets(st.sampled_from("abcdefgh")),
    depth=st.integers(0, 3),
)
def test_any_schema_has_an_example(properties: dict[str, Any], required: set[str], depth: int) -> None:
    """Of its own types, with all that is required."""
    required &= properties.keys()
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": sorted(required),
    }
    for _ in range(depth):
        schema = {"type": "object", "properties": {"list": {"type": "array", "items": schema}}, "required": ["list"]}

    found = example(form(schema))

    for _ in range(depth):
        found = found["list"][-1]
    assert required <= set(found) <= set(properties)
    python = {"string": str, "integer": int, "boolean": bool, "number": float}
    assert all(isinstance(value, python[properties[name]["type"]]) for name, value in found.items())


def test_what_is_no_schema_has_no_example() -> None:
    """And breaks nothing."""
    assert example(form({"$ref": "#/nowhere"})) is None
    assert example(form({"$ref": "#/$defs/it", "$defs": {"it": {"type": "string", "enum": ["yes"]}}})) == "yes"
