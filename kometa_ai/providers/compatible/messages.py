"""Translate requests and replies to and from Chat Completions. Pure.

Nothing of an answer is taken on trust: every service leaves out, or writes in its own way, what another always states.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec

from kometa_ai.providers.answer_form import with_example
from kometa_ai.providers.compatible.schemas import strict
from kometa_ai.providers.port import Failure, Reply, ReplyEnd, RequestFailed, Usage
from kometa_ai.providers.prices import tokens_in
from kometa_ai.providers.waits import Quota, pause_until_full

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.providers.compatible.services import Manner, Service
    from kometa_ai.providers.port import Request

READ_AT_LEAST = 0.6
"""Of the tokens that a prompt is estimated to have. A server that counts fewer has cut it."""

_REFUSALS = frozenset({
    "content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language", "other", "refusal",
})  # fmt: skip
"""Why an answer ended, where that was not for its form; those of Gemini's own API are handed through by some."""
_SHARES = {"flex": 0.5, "priority": 2.0}
"""What a tier of service costs, as a share of the usual price."""
_THOUGHTS = ("<think>", "</think>")
_MOST_USD = 10_000.0
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**40)]
_Cost = Annotated[float, msgspec.Meta(ge=0, le=_MOST_USD)]


def arguments(request: Request, service: Service, manner: Manner, *, flex: bool = False) -> dict[str, Any]:
    """A request as Chat Completions takes it, in this manner. What the SDK has no name for is in `extra_body`."""
    asked: dict[str, Any] = {
        "model": request.model,
        "messages": [
            {"role": "system", "content": with_example(request.form)},
            {"role": "user", "content": _content(request, manner)},
        ],
    }
    if manner.schema == "json_schema":
        schema = request.form.schema if service.takes_optional else strict(request.form.schema)
        asked["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "decisions", "strict": True, "schema": schema},
        }
    elif manner.schema == "json_object":
        asked["response_format"] = {"type": "json_object"}
    if manner.limit_field:
        asked[manner.limit_field] = request.expected_tokens + manner.room
    if manner.effort:
        asked["reasoning_effort"] = manner.effort
    if flex:
        asked["service_tier"] = "flex"
    extra = {name: value for name, value in _extra(request).items() if name in manner.fields}
    return asked | ({"extra_body": extra} if extra else {})


def _content(request: Request, manner: Manner) -> str | list[dict[str, Any]]:
    """The movies and the collection. One text where no part is marked: some servers make a message of each part."""
    if not manner.marker:
        return f"{request.movies}\n\n{request.collection}"
    movies: dict[str, Any] = {"type": "text", "text": request.movies}
    if request.cache:
        mark = {"mode": "explicit"} if manner.marker == "prompt_cache_breakpoint" else {"type": "ephemeral"}
        movies[manner.marker] = mark
    return [movies, {"type": "text", "text": request.collection}]


def _extra(request: Request) -> dict[str, Any]:
    """Fields that only some services know."""
    fields: dict[str, Any] = {
        # Without it, models since 5.6 write the whole prompt to the cache, where no other request finds it.
        "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        # Otherwise a host is chosen that drops the schema.
        "provider": {"require_parameters": True},
        "usage": {"include": True},
        "thinking": {"type": "disabled"},
        "temperature": 0,
    }
    if request.cache:
        fields["prompt_cache_key"] = hashlib.sha256(request.movies.encode("utf-8", "replace")).hexdigest()[:32]
    return fields


def estimated_prompt(request: Request) -> int:
    """About how many tokens a request's prompt has, the schema left out."""
    return sum(map(tokens_in, (with_example(request.form), request.movies, request.collection)))


class Answer(NamedTuple):
    """What a completion says: its reply, and whether there were thoughts beside the text."""

    reply: Reply
    thoughts: bool = False


def answer_of(body: Mapping[str, Any], service: Service) -> Answer:
    """What a completion says. Raise TypeError for what is none, RequestFailed where it says that it failed."""
    choices = body.get("choices")
    usage = usage_of(body, service)
    if not choices and service.family == "gemini" and ("choices" in body or usage.is_known):
        # A prompt that is blocked has no candidates.
        return Answer(Reply(text="", ending=ReplyEnd.REFUSED, usage=usage))
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise TypeError("an object without a choice")
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    text, is_thought = _without_thoughts(_text(message.get("content")))
    thoughts = is_thought or any(message.get(name) for name in ("reasoning", "reasoning_content", "thinking"))
    return Answer(Reply(text=text, ending=_ending(choice, message, service), usage=usage), bool(thoughts))


def _ending(choice: Mapping[str, Any], message: Mapping[str, Any], service: Service) -> ReplyEnd:
    """How an answer ended: a refusal may have any reason beside it."""
    reasons = {str(choice.get(name) or "").casefold() for name in ("finish_reason", "native_finish_reason")}
    if message.get("refusal") or reasons & _REFUSALS:
        return ReplyEnd.REFUSED
    if reasons & {"length", "max_tokens", "model_length"}:
        return ReplyEnd.TRUNCATED
    if "insufficient_system_resource" in reasons:
        raise RequestFailed(
            Failure.OVERLOADED, f"{service.title} broke off its answer: it is overloaded.", may_be_billed=True
        )
    return ReplyEnd.COMPLETE


def _text(content: object) -> str:
    """The text of an answer; some write it in parts."""
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def _without_thoughts(text: str) -> tuple[str, bool]:
    """A text without the thoughts at its beginning, which some servers leave there; whether there were any."""
    begin, end = _THOUGHTS
    thoughts, has_ended, rest = text.partition(end)
    if has_ended and (thoughts.lstrip().startswith(begin) or not thoughts.strip()):
        return rest.lstrip(), True
    return ("", True) if text.lstrip().startswith(begin) else (text, False)


def usage_of(body: Mapping[str, Any], service: Service) -> Usage:
    """What an answer used. The prompt's tokens include those that were read from the cache or written to it."""
    usage = body.get("usage")
    details = _get(usage, "prompt_tokens_details")
    read = count_of(details, "cached_tokens") or count_of(usage, "prompt_cache_hit_tokens") or 0
    written = count_of(details, "cache_write_tokens") or 0
    prompt, output = count_of(usage, "prompt_tokens") or 0, count_of(usage, "completion_tokens") or 0
    if service.family == "gemini":
        # Its thoughts are billed as output, and may be counted in the total alone.
        output = max(output, (count_of(usage, "total_tokens") or 0) - prompt)
    tier = body.get("service_tier")
    return Usage(
        requests=1,
        input_tokens=max(0, prompt - read - written),
        cache_write_tokens=written,
        cache_read_tokens=read,
        output_tokens=output,
        stated_cost=_stated_cost(usage) if service.family == "openrouter" else None,
        price_share=_SHARES.get(tier, 1.0) if isinstance(tier, str) and service.family == "openai" else 1.0,
    )


def _stated_cost(usage: object) -> float | None:
    """What OpenRouter says that a request has cost; with one's own key the other provider's part stands beside."""
    cost = _cost(usage, "cost")
    if cost is not None and _get(usage, "is_byok") is True:
        cost += _cost(_get(usage, "cost_details"), "upstream_inference_cost") or 0.0
    return cost


def _cost(thing: object, name: str) -> float | None:
    value = _get(thing, name)
    try:
        return None if isinstance(value, bool) else msgspec.convert(value, _Cost, strict=False)
    except msgspec.ValidationError:
        return None


def count_of(thing: object, name: str) -> int | None:
    """A number of tokens, or None where there is none: what is no number must not cost an answer that was paid for."""
    try:
        return msgspec.convert(_get(thing, name), _Tokens, strict=False)
    except msgspec.ValidationError:
        return None


def _get(thing: object, name: str) -> Any:  # noqa: ANN401 - any JSON
    return thing.get(name) if isinstance(thing, dict) else None


def pause_of(headers: Mapping[str, str]) -> float:
    """For how many seconds to send nothing: see `pause_until_full`."""
    return pause_until_full(_quotas(headers))


def _quotas(headers: Mapping[str, str]) -> Iterator[Quota]:
    for kind in ("requests", "tokens"):
        try:
            limit = float(headers[f"x-ratelimit-limit-{kind}"])
            remaining = float(headers[f"x-ratelimit-remaining-{kind}"])
            seconds = seconds_of(headers[f"x-ratelimit-reset-{kind}"])
        except (KeyError, ValueError):
            continue
        if seconds is not None:
            yield Quota(limit, remaining, seconds)


def seconds_of(text: str) -> float | None:
    """A duration such as `6m0s`, `120ms` or `2.5`, in seconds; None for what is none."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", text):
        return float(text)
    found = list(_DURATION.finditer(text[:40]))
    if not found or "".join(part[0] for part in found) != text:
        return None
    return sum(float(part[1]) * _SECONDS[part[2]] for part in found)
