"""Questions and answers in the form of the Messages API, whole or in events. Pure."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kometa_ai.classifier.prices import tokens_in
from kometa_ai.classifier.prompts import SCHEMA, SYSTEM
from kometa_ai.classifier.provider import Ending, Failure, Reply, Request, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

_CACHED_FROM = {
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-4-7": 2048,
}
_CACHED_FROM_CURRENT, _CACHED_FROM_OTHERWISE = 512, 1024
_CURRENT = re.compile(r"claude-(haiku|sonnet|opus)-5-5|claude-(opus|fable)-5.*")
_DATE = re.compile(r"-\d{8}$")
# The API puts the schema into the prompt, ahead of everything.
_BEFORE_THE_MOVIES = tokens_in(SYSTEM) + tokens_in(json.dumps(SCHEMA, separators=(",", ":")))
_NEARLY_USED_UP = 0.1
_LONGEST_PAUSE = 60.0
_ENDINGS = {
    "refusal": Ending.REFUSED,
    "max_tokens": Ending.TRUNCATED,
    "model_context_window_exceeded": Ending.TRUNCATED,
}
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
_COUNTS = {
    "input_tokens": "input_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "output_tokens": "output_tokens",
}
"""The names of what is used: Anthropic's and ours."""


def arguments(request: Request) -> dict[str, Any]:
    """A request as the Messages API takes it."""
    movies = _text(request.movies, cache=request.cache)
    output_config: dict[str, Any] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.expected_tokens,
        "system": [_text(SYSTEM, cache=True)] if request.cache_system and is_cached(0, request.model) else SYSTEM,
        "messages": [{"role": "user", "content": [movies, _text(request.collection)]}],
        "output_config": output_config,
    }
    # Thinking is billed as output and a verdict needs little of it. What can be turned off differs by model.
    if request.model.startswith("claude-haiku-5"):
        arguments["thinking"] = {"type": "disabled"}
    elif request.model.startswith("claude-sonnet-5-5"):
        arguments["thinking"] = {"type": "between_tools"}
        output_config["effort"] = "low"
    elif request.model.startswith(("claude-sonnet-5", "claude-opus-5", "claude-fable-5")):
        output_config["effort"] = "low"
    return arguments


def _text(text: str, *, cache: bool = False) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return block | {"cache_control": {"type": "ephemeral"}} if cache else block


def is_cached(tokens: int, model: str) -> bool:
    """Whether so many tokens of movies, and what is before them, reach the model's minimum.

    What is shorter is silently not cached.
    """
    otherwise = _CACHED_FROM_CURRENT if _CURRENT.fullmatch(model) else _CACHED_FROM_OTHERWISE
    return tokens + _BEFORE_THE_MOVIES >= _CACHED_FROM.get(_DATE.sub("", model), otherwise)


def reply_of(message: Any) -> Reply:  # noqa: ANN401 - the SDK's type, which it does not check
    """What a message says. Raise AttributeError or TypeError for what is no message."""
    usage = getattr(message, "usage", None)
    if getattr(message, "content", None) is None and usage is None:
        raise TypeError("an object without anything of a message")
    # A response may begin with thinking blocks, and a refusal may have no text at all.
    text = "".join(block.text for block in message.content or () if block.type == "text")
    return _reply(text, getattr(message, "stop_reason", None), _counted(usage))


class Streamed:
    """An answer that arrives in events."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._used: dict[str, int] = {}
        self._stop_reason: str | None = None
        self._is_known = False
        self._is_whole = False

    def add(self, event: Any) -> bool:  # noqa: ANN401 - the SDK's type, which it does not check
        """Take the next event; say whether it is the first that has something of the text."""
        match event.type:
            case "message_start":
                self._is_known = True
                self._used |= _counted(event.message.usage)
            case "content_block_start" if event.content_block.type == "text":
                return self._write(event.content_block.text)
            case "content_block_delta" if event.delta.type == "text_delta":
                return self._write(event.delta.text)
            case "message_delta":
                self._stop_reason = event.delta.stop_reason
                # Totals, and only of what has changed since the beginning.
                self._used |= _counted(event.usage)
            case "message_stop":
                self._is_whole = True
        return False

    def _write(self, text: str) -> bool:
        is_first = bool(text) and not self._texts
        if text:
            self._texts.append(text)
        return is_first

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: its last event has come, or the one before that says how it ended."""
        return self._is_whole or self._stop_reason is not None

    def reply(self) -> Reply:
        """What it says. Raise TypeError where nothing was an answer, RequestFailed for one that broke off."""
        if not self._is_known:
            raise TypeError("a stream without anything of a message")
        if not self.is_complete:
            raise RequestFailed(Failure.NO_CONNECTION, "Claude's answer broke off without a word.", may_be_billed=True)
        return _reply("".join(self._texts), self._stop_reason, self._used)


def _counted(usage: object) -> dict[str, int]:
    # Other endpoints leave out what they do not count.
    return {ours: count for theirs, ours in _COUNTS.items() if (count := count_of(usage, theirs)) is not None}


def count_of(usage: object, name: str) -> int | None:
    """A number of tokens, or None where there is none: what is no number must not cost an answer that was paid for."""
    try:
        return msgspec.convert(getattr(usage, name, None), _Tokens, strict=False)
    except msgspec.ValidationError:
        return None


def _reply(text: str, stop_reason: str | None, used: Mapping[str, int]) -> Reply:
    return Reply(
        text=text,
        ending=_ENDINGS.get(stop_reason or "", Ending.COMPLETE),
        usage=Usage(requests=1, **used),
    )


def pause_of(headers: Mapping[str, str], now: datetime) -> float:
    """For how many seconds to send nothing: until a limit of which less than a tenth is left is full again."""
    pause = 0.0
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        prefix = f"anthropic-ratelimit-{kind}"
        try:
            limit, remaining = float(headers[f"{prefix}-limit"]), float(headers[f"{prefix}-remaining"])
            seconds = (datetime.fromisoformat(headers[f"{prefix}-reset"]) - now).total_seconds()
        except (KeyError, ValueError, TypeError):
            continue
        if remaining < limit * _NEARLY_USED_UP:
            pause = max(pause, seconds)
    return min(pause, _LONGEST_PAUSE)
