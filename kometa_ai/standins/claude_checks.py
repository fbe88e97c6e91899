"""Refuse what the API refuses: wrong credentials, versions, and every wrong request that it answers with 400.

The rules are those of Anthropic's API documentation (API version 2026-10-21); where it gives no wording, the message
is the stand-in's own, as no client should depend on it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from kometa_ai.standins.claude_cache import prompt_blocks
from kometa_ai.standins.claude_models import EFFORTS, THINKING_OFF, Model
from kometa_ai.standins.claude_schema import schema_problem
from kometa_ai.standins.claude_wire import ApiError, bad_request, encode, not_found

VERSIONS = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})
MAX_BREAKPOINTS = 4

_REQUIRED = ("model", "messages", "max_tokens")
_SAMPLING = ("temperature", "top_p", "top_k")
_OPTIONAL = frozenset(
    {
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_OBJECTS = ("cache_control", "output_config", "thinking", "tool_choice")
_ALLOWED = _OPTIONAL.union(_REQUIRED)


def check_headers(headers: Mapping[str, str], api_key: str | None) -> None:
    """Raise ApiError unless the call carries the key (None: any key) and a known API version."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    offered = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    if not offered:
        raise ApiError(401, "x-api-key header is required")
    if api_key is not None and not hmac.compare_digest(offered.encode(), api_key.encode()):
        raise ApiError(401, "Invalid bearer token" if bearer else "invalid x-api-key")
    version = headers.get("anthropic-version")
    if version is None:
        raise bad_request("anthropic-version: header is required")
    if version not in VERSIONS:
        raise bad_request(f"anthropic-version: {version!r} is not a valid version")


def find_model(name: object, models: Mapping[str, Model]) -> Model:
    """The model of that name. Raises ApiError (404) if there is none, or it is retired."""
    model = models.get(str(name))
    if model is None or model.lifecycle == "retired":
        raise not_found(f"model: {name}")
    return model


def check_request(
    body: dict[str, Any], models: Mapping[str, Model], *, batch: bool = False, counting: bool = False
) -> Model:
    """Check a Messages request; return the model to answer it. Raises ApiError if the API would refuse the request.

    `batch`: the request is one of a batch; `counting`: it is for `count_tokens`, which takes no `max_tokens`.
    """
    check_shape(body, counting=counting)
    model = find_model(body["model"], models)
    if body["messages"][-1]["role"] == "assistant" and (not model.prefill or _format(body)):
        raise bad_request(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    _check_breakpoints(body)
    _check_output(body, model)
    _check_tools(body, model)
    if not counting:
        _check_max_tokens(body, model, batch=batch)
    if batch and (body.get("stream") or body.get("speed")):
        raise bad_request("stream and speed are not supported in a batch")
    return model


def check_shape(body: dict[str, Any], *, counting: bool = False) -> None:
    """Raise ApiError unless the request has the required fields, and valid content blocks in them."""
    for name in _REQUIRED:
        if name not in body and not (counting and name == "max_tokens"):
            raise bad_request(f"{name}: Field required")
    for name in body:
        if name in _SAMPLING:
            raise bad_request(f"{name}: sampling parameters are not supported")
        if name not in _ALLOWED:
            raise bad_request(f"{name}: Extra inputs are not permitted")
    for name in _OBJECTS:
        if not isinstance(body.get(name) or {}, dict):
            raise bad_request(f"{name}: Input should be an object")
    tools = body.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise bad_request("tools: Input should be a list of objects")
    if body.get("system"):
        _check_content(body["system"], "system")
    _check_messages(body["messages"])


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in {"user", "assistant", "system"}:
            raise bad_request(f"messages.{number}.role: Input should be 'user', 'assistant' or 'system'")
        _check_content(message.get("content"), f"messages.{number}.content")


def _check_content(content: object, where: str) -> None:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise bad_request(f"{where}: Input should be a valid string or list")
    for number, block in enumerate(content):
        if not isinstance(block, dict) or "type" not in block:
            raise bad_request(f"{where}.{number}.type: Field required")
        if not isinstance(block.get("cache_control") or {}, dict):
            raise bad_request(f"{where}.{number}.cache_control: Input should be an object")
        if block["type"] != "text":
            continue
        text = block.get("text")
        if not isinstance(text, str):
            raise bad_request(f"{where}.{number}.text.text: Field required")
        if not text:
            marked = "cache_control cannot be set for empty text blocks"
            plain = "text content blocks must be non-empty"
            raise bad_request(f"{where}.{number}: {marked if block.get('cache_control') else plain}")


def _check_breakpoints(body: dict[str, Any]) -> None:
    ttls = [block.ttl for block in prompt_blocks(body) if block.ttl]
    if len(ttls) > MAX_BREAKPOINTS:
        raise bad_request(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(ttls)}."
        )
    if not {"5m", "1h"}.issuperset(ttls):
        raise bad_request("cache_control.ttl: Input should be '5m' or '1h'")
    if ttls != sorted(ttls):
        raise bad_request("A cache_control block with ttl='1h' must not come after a cache_control block with ttl='5m'")


def _check_output(body: dict[str, Any], model: Model) -> None:
    config = body.get("output_config") or {}
    effort = config.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise bad_request(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    if effort is not None and not model.default_effort:
        raise bad_request("This model does not support the effort parameter.")
    thinking = body.get("thinking")
    if thinking is not None:
        _check_thinking(thinking, effort, model)
    output_format = _format(body)
    if output_format is None:
        return
    if output_format.get("type") != "json_schema" or "schema" not in output_format:
        raise bad_request("output_config.format: Input should be of type 'json_schema', with a schema")
    if problem := schema_problem(encode(output_format["schema"])):
        raise bad_request(problem)


def _check_thinking(thinking: object, effort: str | None, model: Model) -> None:
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in model.thinking:
        raise bad_request(
            f'"thinking.type.{kind}" is not supported for this model. Use {" or ".join(sorted(model.thinking))}.'
        )
    if kind in THINKING_OFF and effort in {"xhigh", "max"}:
        raise bad_request(f"Effort {effort!r} is not supported when thinking is off.")


def _check_tools(body: dict[str, Any], model: Model) -> None:
    if is_forced(body) and not model.forced_tools:
        raise bad_request("tool_choice: this model does not support forcing a tool")


def _check_max_tokens(body: dict[str, Any], model: Model, *, batch: bool) -> None:
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise bad_request("max_tokens: Input should be a non-negative integer")
    if limit > model.max_tokens:
        raise bad_request(
            f"max_tokens: {limit} > {model.max_tokens}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    if limit == 0 and (batch or _format(body) or body.get("stream") or is_forced(body)):
        raise bad_request("max_tokens: 0 is not supported in a batch or with a format, streaming or a forced tool")


def _format(body: dict[str, Any]) -> dict[str, Any] | None:
    output_format: dict[str, Any] | None = (body.get("output_config") or {}).get("format")
    return output_format


def is_forced(body: dict[str, Any]) -> bool:
    """Whether the request makes the model use a tool."""
    return (body.get("tool_choice") or {}).get("type") in {"any", "tool"}
