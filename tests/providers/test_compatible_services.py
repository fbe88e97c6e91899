"""What is known of services by their addresses, and how schemas are rewritten for them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.prompts import FORM, SCHEMA, SHOW_SCHEMA
from kometa_ai.network.failures import Way
from kometa_ai.providers import prices
from kometa_ai.providers.compatible.failures import Asked
from kometa_ai.providers.compatible.messages import seconds_of
from kometa_ai.providers.compatible.schemas import strict
from kometa_ai.providers.compatible.services import (
    GEMINI,
    OPENAI,
    OPENROUTER,
    Service,
    manner_of,
    service_of,
    traits_of,
)
from kometa_ai.standins.claude_wire import encode
from kometa_ai.standins.openai_schema import strict_problem

# Services


@pytest.mark.parametrize(
    ("address", "title", "is_local"),
    [
        (None, "OpenAI", False),
        ("https://api.openai.com/v1", "OpenAI", False),
        ("https://generativelanguage.googleapis.com/v1beta/openai/", "Gemini", False),
        ("https://openrouter.ai/api/v1", "OpenRouter", False),
        ("https://api.deepseek.com", "DeepSeek", False),
        ("https://api.mistral.ai/v1", "Mistral", False),
        ("https://api.groq.com/openai/v1", "Groq", False),
        ("https://mine.openai.azure.com/openai/v1/", "Azure OpenAI", False),
        ("https://llm.example.com/v1", "llm.example.com", False),
        ("https://notapi.openai.com.example.com/v1", "notapi.openai.com.example.com", False),
        ("http://localhost:1234/v1", "localhost:1234", True),
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080", True),
        ("http://[::1]:8080/v1", "[::1]:8080", True),
        ("http://192.168.1.20:1234/v1", "192.168.1.20:1234", True),
        ("http://10.0.0.2/v1", "10.0.0.2", True),
        ("http://172.16.3.4:4000", "172.16.3.4:4000", True),
        ("http://169.254.1.1/v1", "169.254.1.1", True),
        ("http://litellm:4000/v1", "litellm:4000", True),
        ("http://host.docker.internal:1234/v1", "host.docker.internal:1234", True),
        ("http://nas.local:1234/v1", "nas.local:1234", True),
        ("http://user:secret@nas.local:1234/v1", "nas.local:1234", True),
        ("http://8.8.8.8/v1", "8.8.8.8", False),
    ],
)
def test_a_service_is_known_by_its_host(address: str | None, title: str, *, is_local: bool) -> None:
    """What is at home is free, slow, and asked one small page at a time."""
    service = service_of("openai", address)
    traits = traits_of(service, "some-model")

    assert (service.title, traits.title) == (title, title)
    assert (traits.is_free, traits.is_local) == (is_local, is_local)
    assert (traits.page_size, traits.concurrency, traits.collections) == ((10, 1, 1) if is_local else (50, 4, 8))
    assert prices.is_priced(traits) == is_local


@pytest.mark.parametrize("preset", ["gemini", "openrouter"])
def test_a_preset_is_what_it_is_wherever_it_stands(preset: Any) -> None:
    """Behind an address of one's own, too."""
    assert service_of(preset, "http://localhost:1").title == service_of(preset).title


@pytest.mark.parametrize(
    ("service", "model", "caching", "cache_from", "is_priced"),
    [
        (OPENAI, "gpt-6-luna", "explicit", 1024, True),
        (OPENAI, "gpt-5.6-luna", "explicit", 1024, True),
        (OPENAI, "gpt-5.4-nano", "automatic", 1024, True),
        (OPENAI, "gpt-unheard-of", "automatic", 1024, False),
        (GEMINI, "gemini-3.5-flash-lite", "automatic", 4096, True),
        (OPENROUTER, "anthropic/claude-haiku-5.5", "explicit", 1024, True),
        (OPENROUTER, "openai/gpt-6-luna", "explicit", 1024, True),
        (OPENROUTER, "openai/gpt-4.1", "automatic", 1024, True),
        (OPENROUTER, "google/gemini-3.5-flash-lite", "automatic", 4096, True),
        (service_of("openai", "https://api.mistral.ai/v1"), "mistral-small-latest", "automatic", 1024, True),
        (service_of("openai", "https://llm.example.com/v1"), "gpt-6-luna", "automatic", 1024, False),
    ],
    ids=lambda value: value.title if isinstance(value, Service) else str(value),
)
def test_traits_are_by_model(service: Service, model: str, caching: str, cache_from: int, *, is_priced: bool) -> None:
    """What a stranger's server costs is not known, whatever its models are called."""
    traits = traits_of(service, model)

    assert (traits.caching, traits.cache_from, traits.model) == (caching, cache_from, model)
    assert prices.is_priced(traits) == is_priced
    assert not traits.has_batches


@pytest.mark.parametrize(
    ("service", "model", "effort"),
    [
        (OPENAI, "gpt-6-luna", "none"),
        (OPENAI, "gpt-6-sol", "none"),
        (OPENAI, "gpt-6-astra", "low"),
        (OPENAI, "gpt-6.1-sol", "low"),
        (OPENAI, "gpt-6.2-sol", "low"),
        (OPENAI, "gpt-5-mini", "minimal"),
        (OPENAI, "gpt-5.6-terra", "none"),
        (OPENAI, "gpt-4.1", ""),
        (OPENAI, "o3", "low"),
        (OPENAI, "my-deployment", ""),
        (GEMINI, "gemini-3.5-flash-lite", "minimal"),
        (GEMINI, "gemini-3.8-flash", "low"),
        (GEMINI, "gemini-3.1-pro", "low"),
        (GEMINI, "gemini-4-argon", "low"),
        (OPENROUTER, "openai/gpt-6-luna", ""),
    ],
    ids=lambda value: value.title if isinstance(value, Service) else str(value),
)
def test_no_model_thinks_more_than_it_must(service: Service, model: str, effort: str) -> None:
    """Thoughts are billed as output; where they cannot be ruled out there is room for them."""
    manner = manner_of(service, model)

    assert manner.effort == effort
    assert (manner.room == 0) == (effort == "none" or model == "gpt-4.1")


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("https://openrouter.ai/v1", "Set OPENAI_BASE_URL to https://openrouter.ai/api/v1."),
        (
            "http://nas:1234",
            "Check OPENAI_BASE_URL: the address without /chat/completions, with its path, usually /v1.",
        ),
        ("http://nas:1234/v1", "Check OPENAI_BASE_URL: the address without /chat/completions."),
    ],
)
def test_the_right_address_is_named(address: str, remedy: str) -> None:
    """The commonest errors are to leave out /v1, or OpenRouter's /api: its web site answers there."""
    asked = Asked(service_of("openai", address), "x", Way(address=address, setting="OPENAI_BASE_URL"))

    assert asked.right_address == remedy


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360),
        ("120ms", 0.12),
        ("1h2m3.5s", 3723.5),
        ("7.66", 7.66),
        ("34s", 34),
        ("", None),
        ("1x", None),
        ("s", None),
    ],
)
def test_durations_have_their_own_form(text: str, seconds: float | None) -> None:
    """What is none of them is nothing."""
    assert seconds_of(text) == (None if seconds is None else pytest.approx(seconds))


# Schemas

_LEAVES: st.SearchStrategy[dict[str, Any]] = st.sampled_from([
    {"type": "string"},
    {"type": "integer"},
    {"type": "boolean"},
    {"type": "number", "enum": [0.0, 0.5, 1.0]},
])  # fmt: skip
_NAMES = st.sampled_from(["movie_id", "reason", "include", "confidence", "excluded", "x"])


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    properties = draw(st.dictionaries(_NAMES, inner, min_size=1, max_size=5))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True))
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


_NESTED = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(_objects(inner), inner.map(lambda of: {"type": "array", "items": of})),
    max_leaves=8,
)
SCHEMAS = _objects(_NESTED)


_SINGLE = {"string": st.text(max_size=5), "integer": st.integers(), "boolean": st.booleans()}
_TYPES = {"string": str, "integer": int, "boolean": bool}


@st.composite
def _values(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """A value that a schema allows."""
    if choices := schema.get("anyOf"):
        return draw(_values(draw(st.sampled_from(choices))))
    if options := schema.get("enum"):
        return draw(st.sampled_from(options))
    if schema["type"] == "object":
        names = [name for name in schema["properties"] if name in schema["required"] or draw(st.booleans())]
        return {name: draw(_values(schema["properties"][name])) for name in names}
    return draw(
        st.lists(_values(schema["items"]), max_size=3) if schema["type"] == "array" else _SINGLE[schema["type"]]
    )


def _allows(schema: dict[str, Any], value: Any) -> bool:
    if choices := schema.get("anyOf"):
        return any(_allows(choice, value) for choice in choices)
    if options := schema.get("enum"):
        return value in options
    if schema["type"] == "object":
        parts = schema["properties"]
        has_names = isinstance(value, dict) and set(schema["required"]) <= value.keys() <= parts.keys()
        return has_names and all(_allows(parts[name], inner) for name, inner in value.items())
    if schema["type"] == "array":
        return isinstance(value, list) and all(_allows(schema["items"], inner) for inner in value)
    return type(value) is _TYPES[schema["type"]]


@given(st.data())
def test_what_a_strict_schema_allows_is_allowed_by_its_original(data: st.DataObject) -> None:
    """A model can only write what we asked for."""
    schema = data.draw(SCHEMAS)
    before = copy.deepcopy(schema)

    value = data.draw(_values(strict(schema)))

    assert _allows(schema, value)
    assert schema == before


@given(SCHEMAS)
def test_a_strict_schema_is_taken_by_openai(schema: dict[str, Any]) -> None:
    """All properties required, nothing else allowed, and no two choices that begin alike."""
    assert strict_problem(encode(strict(schema))) == ""


@given(SCHEMAS)
def test_a_strict_schema_stays_as_it_is(schema: dict[str, Any]) -> None:
    """Rewritten once, it is not rewritten again."""
    assert strict(strict(schema)) == strict(schema)


@given(st.data())
def test_the_leanest_and_the_fullest_answers_stay_possible(data: st.DataObject) -> None:
    """Entries of a list may leave out all that is optional, or give each such property beside the later ones."""
    entry = data.draw(_objects(_LEAVES))
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["entries"],
        "properties": {"entries": {"type": "array", "items": entry}},
    }
    full = {name: data.draw(_values(part)) for name, part in entry["properties"].items()}
    lean = {name: full[name] for name in entry["required"]}

    assert _allows(strict(schema), {"entries": [full]})
    assert _allows(strict(schema), {"entries": [lean]}) or not lean


@pytest.mark.parametrize("schema", [SCHEMA, SHOW_SCHEMA, FORM.schema], ids=["movies", "shows", "form"])
def test_our_schemas_are_taken(schema: Any) -> None:
    """Today's are, whatever of them is optional."""
    assert strict_problem(encode(strict(schema))) == ""


def test_a_reason_comes_before_the_verdict_where_there_is_one() -> None:
    """An optional property comes first in its choice, so that OpenAI can tell the choices apart."""
    lean = json.loads(json.dumps(SCHEMA))
    lean["properties"]["decisions"]["items"]["required"] = ["movie_id", "confidence"]

    choices = strict(lean)["properties"]["decisions"]["items"]["anyOf"]

    assert [choice["required"] for choice in choices] == [
        ["movie_id", "confidence"],
        ["reason", "movie_id", "confidence", "include"],
        ["include", "movie_id", "confidence"],
    ]
