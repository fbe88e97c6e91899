"""Stand in for services that speak Chat Completions: OpenAI, Gemini, OpenRouter, and llama.cpp or LM Studio at home.

Written from OpenAI's SDK and documentation, from the others' pages, and from what users report of them; llama.cpp's
part from a real one. Faithful where clients go wrong: fields that are refused, schemas that are not strict, errors in
four forms, caches that find nothing, thoughts that use up an answer. Tools, images, streams and batches are left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.standins.claude_answers import Judge, Style, judge_by_genre, read_prompt, write_answer
from kometa_ai.standins.claude_cache import count_tokens, cut_to_tokens
from kometa_ai.standins.claude_engine import ClaudeEngine
from kometa_ai.standins.claude_faults import Fault, Faults
from kometa_ai.standins.claude_log import RequestRecord
from kometa_ai.standins.claude_wire import encode, json_response
from kometa_ai.standins.openai_cache import Charged, ChatCache, prompt_tokens
from kometa_ai.standins.openai_checks import ChatError, check_key, check_request, check_shape, find_model
from kometa_ai.standins.openai_faults import NO_ROOM_FOR_FLEX, QUESTIONS
from kometa_ai.standins.openai_models import MODELS, ChatModel, Face
from kometa_ai.standins.serving import take_time

__all__ = ["ChatModel", "Face", "OpenAIStandIn", "Style"]

THOUGHTS = {"none": 0, "minimal": 20, "low": 40, "medium": 400, "high": 1200, "xhigh": 3000}
"""Invented, as they vary: the tokens of thinking at each effort."""
_PREFIXES: Mapping[Face, str] = {
    "openai": "/v1",
    "gemini": "/v1beta/openai",
    "openrouter": "/api/v1",
    "local": "/v1",
}

Handler = Callable[[Request, RequestRecord], Awaitable[Response]]


class _Output(msgspec.Struct, frozen=True):
    """What a model has written: a text or a refusal, why it ended, and its tokens, thoughts among them."""

    text: str | None
    reason: str
    tokens: int
    thoughts: int = 0
    refusal: str | None = None


class OpenAIStandIn(ClaudeEngine):
    """The API as an ASGI application, `app`, below the path `prefix` of its face.

    - `face`: the service whose words, rules and models it has. `chat_models`: its models by name.
    - `api_key`: the one key that is accepted; None accepts any, and none.
    - `latency`: seconds until an answer is there.
    - `cuts`: whether a prompt that is too long for the model's context is cut without a word, as LM Studio may do.
    - `flex_has_room`: whether requests of the slow tier are taken.
    - `rate_limits`: headers of all answers.
    - the rest is described at `ClaudeEngine`.

    `faults` wait for their calls. `calls` is every HTTP call, failed ones included, `requests` those of questions.
    `peak_in_flight` is the largest number of questions in flight at one time.
    """

    def __init__(
        self,
        face: Face = "openai",
        *,
        judge: Judge = judge_by_genre,
        api_key: str | None = None,
        models: Mapping[str, ChatModel] | None = None,
        latency: float = 0.0,
        cuts: bool = False,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
    ) -> None:
        super().__init__(judge=judge, clock=clock, seed=seed)
        self.face = face
        self.prefix = _PREFIXES[face]
        self.api_key = api_key
        self.chat_models = dict(models if models is not None else MODELS[face])
        self.latency = latency
        self.cuts = cuts
        self.flex_has_room = True
        self.rate_limits: dict[str, str] = {}
        self.faults = Faults(QUESTIONS)
        self.chat_cache = ChatCache()
        self.calls: list[RequestRecord] = []
        self.in_flight = self.peak_in_flight = 0
        self.app = Starlette(routes=self._routes())

    def _routes(self) -> list[Route]:
        routes = [
            self._route(f"{self.prefix}/chat/completions", self._complete_chat, "POST"),
            self._route(f"{self.prefix}/models", self._list_models, "GET"),
        ]
        if self.face == "openrouter":
            routes.append(self._route(f"{self.prefix}/key", self._show_key, "GET"))
        if self.face == "local":
            routes.append(self._route("/props", self._show_props, "GET"))
        return [*routes, self._route("/{path:path}", self._unknown, "GET", "POST")]

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        """A route with everything around a call: the log, faults, the key, and errors in the service's form."""

        async def endpoint(request: Request) -> Response:
            record = await self._begin(request)
            fault = self.faults.take(record)
            try:
                response = await self._suffer(fault) if fault and not fault.afterwards else None
                if response is None:
                    response = await handler(request, record)
                if fault and fault.afterwards:
                    response = await self._suffer(fault) or response
            except ChatError as error:
                record.error_type = error.code or error.kind
                response = json_response(error.body(self.face), error.status)
                response.headers.update(error.headers)
            record.status = response.status_code
            response.headers.update({"x-request-id": self.new_id("req"), **self.rate_limits})
            return response

        return Route(path, endpoint, methods=list(methods))

    async def _begin(self, request: Request) -> RequestRecord:
        raw = await request.body()
        record = RequestRecord(
            method=request.method, path=request.url.path, headers=dict(request.headers), at=self.clock()
        )
        self.calls.append(record)
        if record.path == f"{self.prefix}/chat/completions":
            self.requests.append(record)
            # A fault may depend on the content of a request, so it is read before anything is checked.
            try:
                record.body = msgspec.json.decode(raw, type=dict[str, Any])
                check_shape(record.body)
            except (msgspec.DecodeError, ChatError):
                return record
            self.describe(record, record.body)
        return record

    async def _suffer(self, fault: Fault) -> Response | None:
        """Apply a fault to a call. Returns its answer, or None if the regular answer is still to be sent."""
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.status is not None and not fault.drop and fault.raw is None:
            code = fault.error_type or None
            raise ChatError(
                fault.status,
                fault.message,
                code=code,
                kind=fault.error_type,
                headers=fault.headers,
                details=fault.details,
            )
        return fault.response()

    async def _complete_chat(self, request: Request, record: RequestRecord) -> Response:  # noqa: ARG002 - a handler
        check_key(record.headers, self.api_key, self.face)
        body = record.body
        model = find_model(body.get("model"), self.chat_models, self.face)
        check_request(body, model, self.face)
        if body.get("service_tier") == "flex" and not self.flex_has_room:
            raise ChatError(429, NO_ROOM_FOR_FLEX.message, code=NO_ROOM_FOR_FLEX.error_type)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            charged = self._charge(body, model)
            await take_time(lambda: self.latency)
            return json_response(self._completion(record, model, charged))
        finally:
            self.in_flight -= 1

    def _charge(self, body: dict[str, Any], model: ChatModel) -> Charged:
        body = self._rendered(body)
        tokens = prompt_tokens(body)
        if tokens <= model.context:
            return self.chat_cache.charge(body, model, self.clock())
        if self.cuts:
            return Charged(model.context)
        match self.face:
            case "local":
                raise ChatError(
                    400,
                    "the request exceeds the available context size, try increasing it",
                    kind="exceed_context_size_error",
                    details={"n_prompt_tokens": tokens, "n_ctx": model.context},
                )
            case "gemini":
                longest = f"the maximum number of tokens allowed ({model.context})"
                raise ChatError(400, f"The input token count ({tokens}) exceeds {longest}.")
        message = f"This model's maximum context length is {model.context} tokens. However, you requested {tokens}."
        raise ChatError(400, message, code="context_length_exceeded", param="messages")

    def _rendered(self, body: dict[str, Any]) -> dict[str, Any]:
        """What of a request becomes a part of the prompt: at home a schema is a grammar and no text."""
        return {**body, "response_format": None} if self.face == "local" else body

    def _completion(self, record: RequestRecord, model: ChatModel, charged: Charged) -> dict[str, Any]:
        """Answer a charged request, and record that."""
        style = self._styles.take(record) or self.style
        output = self._output(record, model, style, is_cut=charged.tokens < prompt_tokens(self._rendered(record.body)))
        usage = self._usage(record.body, model, charged, output)
        record.judged = not style.refused
        record.usage = usage
        record.stop_reason = output.reason
        record.answer = output.text or ""
        message: dict[str, Any] = {"role": "assistant", "content": output.text, "refusal": output.refusal}
        choice = {"index": 0, "message": message, "finish_reason": output.reason, "logprobs": None}
        is_blocked = style.refused and self.face == "gemini"
        whole = {
            "id": self.new_id("chatcmpl"),
            "object": "chat.completion",
            "created": int(self.clock()),
            "model": model.id,
            "choices": [] if is_blocked else [choice],
            "usage": usage,
        }
        if self.face == "openai":
            tier = record.body.get("service_tier") or "default"
            whole |= {"service_tier": tier, "system_fingerprint": None}
        return whole

    def _output(self, record: RequestRecord, model: ChatModel, style: Style, *, is_cut: bool) -> _Output:
        if style.refused:
            words = style.text or "I'm sorry, I cannot help with that."
            if self.face == "openai":
                return _Output(None, "stop", count_tokens(words), refusal=words)
            return _Output(style.text, "content_filter", count_tokens(style.text or ""))
        body = record.body
        limit = body.get("max_completion_tokens") or body.get("max_tokens") or model.longest
        thoughts = min(limit, THOUGHTS.get(body.get("reasoning_effort") or model.effort, 0))
        room = min(limit - thoughts, style.truncated_at if style.truncated_at is not None else limit)
        text = self._text(record, style, is_cut=is_cut)
        tokens = count_tokens(text)
        if tokens <= room:
            return _Output(text, "stop", tokens + thoughts, thoughts)
        return _Output(cut_to_tokens(text, room) if room else None, "length", room + thoughts, thoughts)

    def _text(self, record: RequestRecord, style: Style, *, is_cut: bool) -> str:
        output = record.body.get("response_format") or {}
        schema = output["json_schema"]["schema"] if output.get("type") == "json_schema" else None
        if self.face == "openrouter" and not (record.body.get("provider") or {}).get("require_parameters"):
            schema, style = None, msgspec.structs.replace(style, wrap="prose")  # a host without schemas was chosen
        prompt = read_prompt(record.body)
        if is_cut:
            prompt = msgspec.structs.replace(prompt, movies=())  # the earliest part goes first
        encoded = encode(_widest(schema)) if schema else None
        return write_answer(prompt, judge=self.judge, style=style, schema=encoded, chance=self.chance)

    def _usage(self, body: Mapping[str, Any], model: ChatModel, charged: Charged, output: _Output) -> dict[str, Any]:
        details = {"cached_tokens": charged.read, "audio_tokens": 0}
        if model.caching == "explicit":
            details["cache_write_tokens"] = charged.written
        usage: dict[str, Any] = {
            "prompt_tokens": charged.tokens,
            "completion_tokens": output.tokens,
            "total_tokens": charged.tokens + output.tokens,
            "prompt_tokens_details": details,
            "completion_tokens_details": {"reasoning_tokens": output.thoughts},
        }
        if self.face == "gemini":  # thoughts are in the total alone
            usage["completion_tokens"] -= output.thoughts
        if self.face == "openrouter" and (body.get("usage") or {}).get("include"):
            amounts = (charged.fresh, charged.read, charged.written, output.tokens)
            usage["cost"] = sum(map(float.__mul__, map(float, amounts), model.dollars)) / 1_000_000
        return usage

    async def _list_models(self, request: Request, record: RequestRecord) -> Response:  # noqa: ARG002 - a handler
        if self.face != "openrouter":
            check_key(record.headers, self.api_key, self.face)
        data = [model.info(self.face) for model in self.chat_models.values()]
        return json_response({"object": "list", "data": data})

    async def _show_key(self, request: Request, record: RequestRecord) -> Response:  # noqa: ARG002 - a handler
        check_key(record.headers, self.api_key, self.face)
        return json_response({"data": {"label": "sk-or-v1-abc...123", "limit": None, "is_free_tier": False}})

    async def _show_props(self, request: Request, record: RequestRecord) -> Response:  # noqa: ARG002 - a handler
        check_key(record.headers, self.api_key, self.face)
        model = next(iter(self.chat_models.values()))
        return json_response({"default_generation_settings": {"n_ctx": model.context}, "total_slots": 1})

    async def _unknown(self, request: Request, record: RequestRecord) -> Response:  # noqa: ARG002 - a handler
        if self.face == "openrouter":
            return Response(
                "<!DOCTYPE html><html><head><title>OpenRouter</title></head></html>", media_type="text/html"
            )
        if self.face == "local":
            raise ChatError(404, "File Not Found", kind="not_found_error")
        raise ChatError(404, f"Invalid URL ({record.method} {record.path})")


def _widest(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """A schema with the choice that has most properties in the place of each choice: a model may take any of them."""
    if isinstance(schema, list):
        return [_widest(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if choices := schema.get("anyOf"):
        return _widest(max(choices, key=lambda choice: len(choice.get("properties") or ())))
    return {name: _widest(part) for name, part in schema.items()}
