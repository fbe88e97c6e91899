"""Write the Claude stand-in's Message objects, whole and as a stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kometa_ai.standins.claude_answers import Style
from kometa_ai.standins.claude_cache import Charge, count_tokens, cut_to_tokens
from kometa_ai.standins.claude_checks import is_forced
from kometa_ai.standins.claude_models import THINKING_OFF, Model
from kometa_ai.standins.claude_wire import event

# Invented, as the thinking of real models varies: the tokens of thinking at each effort.
THINKING_TOKENS = {"low": 40, "medium": 120, "high": 400, "xhigh": 1_200, "max": 3_000}
ENABLED_THINKING_TOKENS = 400  # for older models, which get a budget instead of an effort

_CHARACTERS_PER_EVENT = 400
_SIGNATURE = "c3RhbmQtaW4="


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The model's output; None for `text` or `thinking` means that there is no such block."""

    text: str | None
    thinking: str | None
    stop_reason: str
    stop_details: dict[str, Any] | None = None
    tokens: int = 0
    thinking_tokens: int = 0


def thinking_tokens(body: dict[str, Any], model: Model) -> int:
    """The number of tokens that the model thinks before it answers this request; 0 without thinking."""
    thinking = (body.get("thinking") or {}).get("type")
    if thinking in THINKING_OFF or is_forced(body) or not (thinking or model.thinks):
        return 0
    effort = (body.get("output_config") or {}).get("effort") or model.default_effort
    return THINKING_TOKENS.get(effort, ENABLED_THINKING_TOKENS)


def write_output(text: str, body: dict[str, Any], model: Model, style: Style) -> Output:
    """The model's output for a request whose full answer would be `text`.

    Thinking counts towards `max_tokens`, so that a small limit can leave no room for any text.
    """
    if style.refused:
        details = {"type": "refusal", "category": style.refusal_category, "explanation": None}
        return Output(
            text=style.text,
            thinking=None,
            stop_reason="refusal",
            stop_details=details,
            tokens=count_tokens(style.text or ""),
        )
    if body["max_tokens"] == 0:  # such a request only fills the cache
        return Output(text=None, thinking=None, stop_reason="max_tokens")
    limit = body["max_tokens"] if style.truncated_at is None else min(style.truncated_at, body["max_tokens"])
    thought = thinking_tokens(body, model)
    thinking = "" if thought else None
    thought = min(thought, limit)
    room = limit - thought
    tokens = count_tokens(text)
    if tokens <= room:
        return Output(
            text=text, thinking=thinking, stop_reason="end_turn", tokens=tokens + thought, thinking_tokens=thought
        )
    cut = cut_to_tokens(text, room) if room else None
    return Output(text=cut, thinking=thinking, stop_reason="max_tokens", tokens=limit, thinking_tokens=thought)


def message(message_id: str, model: Model, output: Output, charge: Charge, *, service_tier: str) -> dict[str, Any]:
    """A complete Message."""
    content: list[dict[str, Any]] = []
    if output.thinking is not None:
        content.append({"type": "thinking", "thinking": output.thinking, "signature": _SIGNATURE})
    if output.text is not None:
        content.append({"type": "text", "text": output.text, "citations": None})
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": content,
        "stop_reason": output.stop_reason,
        "stop_sequence": None,
        "stop_details": output.stop_details,
        "container": None,
        "diagnostics": None,
        "usage": {
            **charge.usage(),
            "output_tokens": output.tokens,
            "output_tokens_details": {"thinking_tokens": output.thinking_tokens},
            "server_tool_use": None,
            "service_tier": service_tier,
            "inference_geo": "global",
            "speed": "standard",
        },
    }


def events(whole: dict[str, Any], breaks_off: bytes | None = None) -> Iterator[bytes]:
    """`whole` as server-sent events; with `breaks_off` the stream ends with those bytes in the middle of its text."""
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None, "stop_details": None, "usage": {**usage, "output_tokens": 1}}
    yield event({"type": "message_start", "message": begun})
    yield event({"type": "ping"})
    for index, block in enumerate(whole["content"]):
        deltas = list(_deltas(block))
        yield event({"type": "content_block_start", "index": index, "content_block": _empty(block)})
        is_broken = breaks_off is not None and block["type"] == "text"
        for delta in deltas[: len(deltas) // 2] if is_broken else deltas:
            yield event({"type": "content_block_delta", "index": index, "delta": delta})
        if not is_broken:
            yield event({"type": "content_block_stop", "index": index})
    if breaks_off is not None:
        yield breaks_off
        return
    ending = {name: whole[name] for name in ("stop_reason", "stop_sequence", "stop_details", "container")}
    totals = {name: value for name, value in usage.items() if name.endswith("_tokens") or name.startswith("output")}
    yield event({"type": "message_delta", "delta": ending, "usage": totals})
    yield event({"type": "message_stop"})


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "thinking":
        return {**block, "signature": ""}
    return {**block, "text": ""}


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if block["type"] == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}
        return
    text = block["text"]
    for start in range(0, len(text), _CHARACTERS_PER_EVENT):
        yield {"type": "text_delta", "text": text[start : start + _CHARACTERS_PER_EVENT]}
