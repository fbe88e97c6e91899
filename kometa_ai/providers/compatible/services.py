"""List what is known of the services that speak Chat Completions, and how each model is asked first. Pure data.

A service is known by the preset that was chosen, or by the host of its address. One that is not known gets what all
understand, and no field that it might refuse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import msgspec

from kometa_ai.network.private import is_private
from kometa_ai.providers.traits import Traits

if TYPE_CHECKING:
    from kometa_ai.core.model import ProviderName

ROOM = 4000
"""Tokens for thoughts, where a model cannot be kept from them: they count as a part of the answer."""
TIMEOUT, TIMEOUT_AT_HOME, TIMEOUT_OF_FLEX = 600.0, 1800.0, 900.0
"""Seconds for an answer."""

Family = Literal["openai", "gemini", "openrouter", "other"]
Marker = Literal["", "prompt_cache_breakpoint", "cache_control"]
SchemaForm = Literal["json_schema", "json_object", "none"]
LimitField = Literal["max_tokens", "max_completion_tokens", ""]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service: how it is called in texts, where it is, and what it takes.

    `settings` are those of its address and its key. `fields` may be sent beside those that every service knows.
    `takes_optional`: its schemas may have properties that are not required. `catalogue` is its name in genai-prices.
    """

    title: str
    family: Family = "other"
    address: str = ""
    address_setting: str = "OPENAI_BASE_URL"
    key_setting: str = "OPENAI_API_KEY"
    limit_field: LimitField = "max_tokens"
    fields: frozenset[str] = frozenset()
    schema: SchemaForm = "json_schema"
    takes_optional: bool = False
    catalogue: str = ""
    cache_from: int = 1024
    is_local: bool = False
    is_known: bool = True


OPENAI = Service(
    title="OpenAI",
    family="openai",
    address="https://api.openai.com/v1",
    limit_field="max_completion_tokens",
    fields=frozenset({"prompt_cache_key", "service_tier"}),
    catalogue="openai",
)
GEMINI = Service(
    title="Gemini",
    family="gemini",
    address="https://generativelanguage.googleapis.com/v1beta/openai/",
    address_setting="LLM_PROVIDER",
    key_setting="GEMINI_API_KEY",
    takes_optional=True,
    catalogue="google",
    cache_from=4096,
)
OPENROUTER = Service(
    title="OpenRouter",
    family="openrouter",
    address="https://openrouter.ai/api/v1",
    address_setting="LLM_PROVIDER",
    key_setting="OPENROUTER_API_KEY",
    fields=frozenset({"provider", "usage"}),
    catalogue="openrouter",
)
_BY_PRESET = {"openai": OPENAI, "gemini": GEMINI, "openrouter": OPENROUTER}
_BY_HOST = {
    "api.openai.com": OPENAI,
    "generativelanguage.googleapis.com": msgspec.structs.replace(
        GEMINI, address_setting="OPENAI_BASE_URL", key_setting="OPENAI_API_KEY"
    ),
    "openrouter.ai": msgspec.structs.replace(
        OPENROUTER, address_setting="OPENAI_BASE_URL", key_setting="OPENAI_API_KEY"
    ),
    "api.deepseek.com": Service(
        title="DeepSeek", schema="json_object", fields=frozenset({"thinking"}), catalogue="deepseek"
    ),
    "api.mistral.ai": Service(title="Mistral", fields=frozenset({"prompt_cache_key"}), catalogue="mistral"),
    "api.groq.com": Service(title="Groq", catalogue="groq"),
}
_AZURE = msgspec.structs.replace(OPENAI, title="Azure OpenAI", address="", catalogue="azure")
_OF_AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")

_OF_OPENAI = re.compile(r"gpt-(\d{1,2})(?:\.(\d{1,2}))?(?![\d.])(.*)")
_OLD_REASONER = re.compile(r"o\d(?:-|$)")
_FIRST_WITH_BREAKPOINTS, _FIRST_WITH_NONE = (5, 6), (5, 1)
_ALWAYS_THINK = {(6, 0): ("astra",), (6, 1): ("sol", "astra")}
"""By generation. What is newer than these is taken to be like the last of them."""
_ALWAYS_THINK_MORE = re.compile(r"gemini-(?:4|\d(?:\.\d)?-pro|3\.[78]-flash(?!-lite))")
"""Models of Gemini that refuse to think minimally."""


def service_of(preset: ProviderName, base_url: str | None = None) -> Service:
    """What is known of a service, by the preset, and by the host where an address is set."""
    service = _BY_PRESET[preset]
    if preset != "openai" or not base_url:
        return service
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    if (known := _BY_HOST.get(host)) is not None:
        return known
    if host.endswith(_OF_AZURE):
        return _AZURE
    title = parts.netloc.rpartition("@")[2] or base_url
    if is_private(base_url):
        return Service(title=title, fields=frozenset({"temperature"}), is_local=True, is_known=False)
    return Service(title=title, is_known=False)


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is asked.

    `effort` is how much it is asked to think, where that is said at all; `room` how many tokens its answer gets more
    for it. `marker` is the field that ends the part of a prompt that is cached; with one the prompt has two parts.
    `is_other_field`: the service has refused the first name of the answer's length.
    """

    schema: SchemaForm = "json_schema"
    limit_field: LimitField = "max_tokens"
    fields: frozenset[str] = frozenset()
    effort: str = ""
    room: int = ROOM
    marker: Marker = ""
    is_other_field: bool = False


def manner_of(service: Service, model: str) -> Manner:
    """How a model of a service is asked first, before it has refused anything."""
    manner = Manner(
        schema=service.schema,
        limit_field=service.limit_field,
        fields=service.fields - {"service_tier"},
        room=0 if service.is_local or "thinking" in service.fields else ROOM,
    )
    match service.family:
        case "openai":
            return _of_openai(manner, model)
        case "gemini":
            effort = "low" if _ALWAYS_THINK_MORE.match(model) else "minimal"
            return msgspec.structs.replace(manner, effort=effort)
        case "openrouter":
            vendor, _, name = model.partition("/")
            is_marked = vendor == "anthropic" or (vendor == "openai" and _takes_breakpoints(name))
            return msgspec.structs.replace(manner, marker="cache_control" if is_marked else "")
    return manner


def _of_openai(manner: Manner, model: str) -> Manner:
    effort = _lowest_effort(model)
    # A name that says nothing, as of a deployment at Azure, may be that of a model that thinks.
    thinks = effort not in ("", "none") or _generation(model) is None
    manner = msgspec.structs.replace(manner, effort=effort, room=ROOM if thinks else 0)
    if not _takes_breakpoints(model):
        return manner
    return msgspec.structs.replace(
        manner, marker="prompt_cache_breakpoint", fields=manner.fields | {"prompt_cache_options"}
    )


def _generation(model: str) -> tuple[int, int] | None:
    found = _OF_OPENAI.fullmatch(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _takes_breakpoints(model: str) -> bool:
    generation = _generation(model)
    return generation is not None and generation >= _FIRST_WITH_BREAKPOINTS


def _lowest_effort(model: str) -> str:
    """The least that a model of OpenAI can be asked to think; empty for one that is not asked."""
    generation = _generation(model)
    if generation is None:
        return "low" if _OLD_REASONER.match(model) else ""
    if generation < (5, 0) or "chat" in model:
        return ""
    if generation < _FIRST_WITH_NONE:
        return "minimal"
    thinkers = next((names for since, names in reversed(_ALWAYS_THINK.items()) if generation >= since), ("pro",))
    return "low" if any(name in model for name in (*thinkers, "pro")) else "none"


def traits_of(service: Service, model: str, context: int | None = None) -> Traits:
    """What a model of a service can do and what it costs."""
    traits = Traits(
        title=service.title,
        model=model,
        catalogue=service.catalogue,
        caching="explicit" if manner_of(service, model).marker else "automatic",
        cache_from=_cached_from(service, model),
        context=context,
    )
    if not service.is_local:
        return traits
    return msgspec.structs.replace(traits, is_free=True, is_local=True, page_size=10, concurrency=1, collections=1)


def _cached_from(service: Service, model: str) -> int:
    of_gemini = service.family == "openrouter" and model.startswith("google/")
    return GEMINI.cache_from if of_gemini else service.cache_from
