"""Translate requests and replies to and from the Messages API. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kometa_ai.providers.port import Failure, Reply, ReplyEnd, Request, RequestFailed, Usage
from kometa_ai.providers.prices import tokens_in
from kometa_ai.providers.waits import Quota, pause_until_full

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.providers.claude.events import Event

_CACHED_FROM = {
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-4-7": 2048,
}
_CACHED_FROM_CURRENT, _CACHED_FROM_OTHERWISE = 512, 1024
_CURRENT = re.compile(r"claude-(haiku|sonnet|opus)-5-5|claude-(opus|fable)-5.*")
_DATE = re.compile(r"-\d{8}$")
_ENDINGS = {
    "refusal": ReplyEnd.REFUSED,
    "max_tokens": ReplyEnd.TRUNCATED,
    "model_context_window_exceeded": ReplyEnd.TRUNCATED,
}
OWN_EVENTS = frozenset({
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "ping",
})  # fmt: skip
"""The events of an answer, as Claude names them."""
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
    output_config: dict[str, Any] = {"format": {"type": "json_schema", "schema": request.form.schema}}
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.expected_tokens,
        "system": _system(request),
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


def _system(request: Request) -> str | list[dict[str, Any]]:
    if request.cache_system and is_cached(request.form.tokens, request.model):
        return [_text(request.form.system, cache=True)]
    return request.form.system


def _text(text: str, *, cache: bool = False) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    return block | {"cache_control": {"type": "ephemeral"}} if cache else block


def is_cached(tokens: int, model: str) -> bool:
    """Whether a prefix of so many tokens reaches the model's minimum."""
    return tokens >= cached_from(model)


def cached_from(model: str) -> int:
    """How many tokens a prefix must have to be cached; what is shorter is silently not cached."""
    otherwise = _CACHED_FROM_CURRENT if _CURRENT.fullmatch(model) else _CACHED_FROM_OTHERWISE
    return _CACHED_FROM.get(_DATE.sub("", model), otherwise)


def reply_of(message: Any) -> Reply:  # noqa: ANN401 - JSON, or the SDK's type, which it does not check
    """What a message says. Raise TypeError for what is no message."""
    usage, content = _counted(_get(message, "usage")), _get(message, "content")
    stop_reason = _get(message, "stop_reason")
    is_message = bool(usage) or _get(message, "type") == "message" or isinstance(stop_reason, str)
    if not (is_message or isinstance(content, list)):
        raise TypeError("an object without anything of a message")
    return _reply(_text_of(content), stop_reason, usage)


def _text_of(content: object) -> str:
    """The text of an answer: it may begin with thinking blocks, a refusal may have none, gateways write it plain."""
    blocks = content if isinstance(content, list | tuple) else (content,)
    texts = (block if isinstance(block, str) else _get(block, "text") for block in blocks if _is_text(block))
    return "".join(text for text in texts if isinstance(text, str))


def _is_text(block: object) -> bool:
    return isinstance(block, str) or _get(block, "type") == "text"


def _get(thing: object, name: str) -> Any:  # noqa: ANN401 - whatever came
    return thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)


class Streamed:
    """An answer that arrives in events."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._used: dict[str, int] = {}
        self._stop_reason: str | None = None
        self._is_known = False
        self._is_whole = False
        self._is_garbled = False

    def add(self, event: Event) -> bool:
        """Take the next event; say whether it is the first that has something of the text."""
        data = event.data
        if data is None:
            # What follows a piece that cannot be read is no longer what was written: "1" and "4" would make 14.
            self._is_garbled = self._is_garbled or event.name != "ping"
            return False
        if self._is_garbled:
            return False
        return self._add(event.name, data)

    def _add(self, name: str, data: dict[str, Any]) -> bool:
        match name:
            case "message_start":
                self._is_known = True
                message = _get(data, "message")
                self._used |= _counted(_get(message, "usage"))
                return self._write(_text_of(_get(message, "content")))
            case "message" if _get(data, "content"):
                # A gateway that waits for the whole answer, and sends it as one event.
                self._is_known = self._is_whole = True
                self._used |= _counted(data.get("usage"))
                self._stop_reason = data.get("stop_reason")
                return self._write(_text_of(data["content"]))
            case "content_block_start" if _get(data.get("content_block"), "type") == "text":
                return self._write(_get(data["content_block"], "text"))
            case "content_block_delta":
                delta = data.get("delta")
                if _get(delta, "type") in ("text_delta", None):
                    return self._write(_get(delta, "text"))
            case "message_delta" if isinstance(data.get("delta"), dict):
                self._stop_reason = _get(data["delta"], "stop_reason")
                # Totals, and only of what has changed since the beginning.
                self._used |= _counted(data.get("usage"))
            case "message_delta":
                self._is_garbled = True
            case "message_stop":
                self._is_whole = True
            case _:
                pass
        return False

    def _write(self, text: object) -> bool:
        if not isinstance(text, str):
            self._is_garbled = True
            return False
        is_first = bool(text) and not self._texts
        if text:
            self._texts.append(text)
        return is_first

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: its last event has come, or the one before that says how it ended."""
        return not self._is_garbled and (self._is_whole or self._stop_reason is not None)

    @property
    def so_far(self) -> Reply | None:
        """What there is of an answer that broke off; None where nothing has begun. It has used so much at least."""
        if not (self._is_known or self._texts):
            return None
        text = "".join(self._texts)
        written = max(self._used.get("output_tokens", 0), tokens_in(text) if text else 0)
        used = {**self._used, "output_tokens": written} if self._used else {}
        return _reply(text, None, used, ReplyEnd.BROKEN)

    def reply(self) -> Reply:
        """What it says. Raise TypeError where nothing was an answer, RequestFailed for one that broke off."""
        if self._is_garbled and (self._is_known or self._texts):
            raise RequestFailed(Failure.UNREADABLE, "Claude's answer was garbled on its way.", may_be_billed=True)
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
        return msgspec.convert(_get(usage, name), _Tokens, strict=False)
    except msgspec.ValidationError:
        return None


def _reply(text: str, stop_reason: str | None, used: Mapping[str, int], ending: ReplyEnd | None = None) -> Reply:
    return Reply(
        text=text,
        ending=ending or (_ENDINGS.get(stop_reason) if isinstance(stop_reason, str) else None) or ReplyEnd.COMPLETE,
        usage=Usage(requests=1, **used),
    )


def pause_of(headers: Mapping[str, str], now: datetime) -> float:
    """For how many seconds to send nothing: see `pause_until_full`."""
    return pause_until_full(_quotas(headers, now))


def _quotas(headers: Mapping[str, str], now: datetime) -> Iterator[Quota]:
    for kind in ("requests", "tokens", "input-tokens", "output-tokens"):
        prefix = f"anthropic-ratelimit-{kind}"
        try:
            limit, remaining = float(headers[f"{prefix}-limit"]), float(headers[f"{prefix}-remaining"])
            seconds = (datetime.fromisoformat(headers[f"{prefix}-reset"]) - now).total_seconds()
        except (KeyError, ValueError, TypeError):
            continue
        yield Quota(limit, remaining, seconds)
