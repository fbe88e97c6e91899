"""Stand in for Ollama: it answers as Ollama's own API does, with a judge function in place of the model.

Written from Ollama's source and documentation, 0.33 and older versions. Faithful where clients go wrong: the context
that is 4,096 tokens unless a request says otherwise, prompts that are cut without a word, models that are loaded anew
for another context, models that think, and forms of answers that are not enforced. Tools, images, pulling and the
interfaces of other services (`/v1`) are left out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kometa_ai.standins import claude_answers as answers
from kometa_ai.standins.claude_answers import NORMAL, Judge, Style, judge_by_genre
from kometa_ai.standins.claude_faults import Fault, Faults
from kometa_ai.standins.claude_log import Predicate, RequestRecord, Rules
from kometa_ai.standins.claude_wire import ApiError, encode, json_response
from kometa_ai.standins.ollama_prompt import (
    DEFAULT_CONTEXT,
    MODELS,
    Cut,
    Model,
    Prompt,
    count,
    cut,
    named,
    render,
    without_the_first,
)
from kometa_ai.standins.serving import has_hung_up, take_time

__all__ = ["Fault", "Faults", "Model", "OllamaRecord", "OllamaStandIn", "Style"]

CHAT = "/api/chat"
VERSION, OLD_VERSION = "0.33.0", "0.11.10"
BUSY = Fault(status=503, message="server busy, please try again.  maximum pending requests exceeded")
NO_MEMORY = Fault(status=500, message="model requires more system memory (9.3 GiB) than is available (5.1 GiB)")
CRASHED = Fault(status=500, message="llama runner process has terminated: exit status 2")
UNAUTHORIZED = Fault(status=401, message="unauthorized")

_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the "
    "context length in settings, or use a model with a longer context length"
)
_REFUSES_FROM, _SCHEMAS_FROM = (0, 12, 4), (0, 5, 0)
_THOUGHTS = {"low": 40, "medium": 200, "high": 800}
_THOUGHT = 400
_INVENTED = 10
"""Ids that a model makes up which has seen none."""


class OllamaRecord(RequestRecord, kw_only=True):
    """A call. Of a question: the context it ran in, the tokens that were read, and those known from the one before."""

    context: int = 0
    read: int = 0
    known: int = 0
    is_cut: bool = False
    thought: int = 0


Handler = Callable[[Request, OllamaRecord, dict[str, Any]], Awaitable[Response]]


class OllamaStandIn:
    """The API as an ASGI application, `app`. Everything about it is a plain attribute.

    - `judge` decides about each movie, given the text of the collection and the movie as it was sent.
    - `models`: what is installed. `api_key`: a key that is wanted, as ollama.com does; None wants none.
    - `version`: from 0.12.4 on `truncate` and `shift` are obeyed; older versions do not know them.
    - `characters`: how many a token has, on average.
    - `cuts`: how a prompt is cut that is too long, where the client has not forbidden it.
    - `latency`: seconds until an answer is there. One whose client hangs up before is counted in `abandoned`.

    `loads` are the contexts that models were loaded with, one after the other. `style` is how answers are written
    unless one was queued. `calls` is every HTTP call, `requests` those of questions. A model that reads a prompt of
    which something was cut makes up verdicts on what it did not see, as real ones do.
    """

    def __init__(
        self,
        *,
        judge: Judge = judge_by_genre,
        models: Iterable[Model] = MODELS,
        api_key: str | None = None,
        version: str = VERSION,
        characters: float = 3.5,
        cuts: Cut = "half",
        latency: float = 0.0,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
    ) -> None:
        self.judge = judge
        self.models = {model.name: model for model in models}
        self.api_key = api_key
        self.version = version
        self.characters = characters
        self.cuts: Cut = cuts
        self.latency = latency
        self.clock = clock
        self.chance = random.Random(seed)
        self.style = NORMAL
        self.faults = Faults(CHAT)
        self.calls: list[RequestRecord] = []
        self.requests: list[OllamaRecord] = []
        self.loads: list[tuple[str, int]] = []
        self.abandoned = 0
        self.in_flight = self.peak_in_flight = 0
        self._styles: Rules[Style] = Rules()
        self._loaded: tuple[str, int, bool] | None = None
        self._last_prompt = ""
        self._slot = asyncio.Lock()
        self.app = Starlette(routes=self._routes())

    @classmethod
    def old(cls, **options: Any) -> OllamaStandIn:  # noqa: ANN401 - the options of the class
        """An Ollama that knows no `truncate` and no `shift`, and cuts a prompt to exactly its context."""
        return cls(**{"version": OLD_VERSION, "cuts": "exact", **options})

    def queue_style(self, style: Style, *, times: int | None = 1, when: Predicate | None = None) -> None:
        """Write the next `times` answers (None: all) to requests that satisfy `when` in this style."""
        self._styles.add(style, times=times, when=when)

    @property
    def refuses(self) -> bool:
        """Whether it refuses a prompt that is too long, if it is told so."""
        return self._version >= _REFUSES_FROM

    @property
    def _version(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.partition("-")[0].split(".")))

    # HTTP

    def _routes(self) -> list[Route]:
        return [
            Route("/", PlainTextResponse("Ollama is running")),
            self._route("/api/version", self._tell_version, "GET"),
            self._route("/api/tags", self._tell_models, "GET"),
            self._route("/api/ps", self._tell_loaded, "GET"),
            self._route("/api/show", self._show, "POST"),
            self._route(CHAT, self._chat, "POST"),
            self._route("/{path:path}", self._unknown, "GET", "POST"),
        ]

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        """A route with everything around a call: the log, faults, the key, and errors as JSON."""

        async def endpoint(request: Request) -> Response:
            record = OllamaRecord(
                method=request.method, path=request.url.path, headers=dict(request.headers), at=self.clock()
            )
            self.calls.append(record)
            try:
                body = self._read(record, await request.body())
                fault = self.faults.take(record)
                response = await self._suffer(fault) if fault and not fault.afterwards else None
                if response is None:
                    self._check_key(record)
                    response = await handler(request, record, body)
                if fault and fault.afterwards:
                    response = await self._suffer(fault) or response
            except ApiError as error:
                response = json_response({"error": error.message}, error.status)
                response.headers.update(error.headers)
            record.status = response.status_code
            return response

        return Route(path, endpoint, methods=list(methods))

    def _read(self, record: OllamaRecord, raw: bytes) -> dict[str, Any]:
        if record.method != "POST":
            return {}
        if record.path == CHAT:
            self.requests.append(record)
        try:
            record.body = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise ApiError(400, f"invalid character in the body: {error}") from error
        if record.path == CHAT:
            prompt = answers.read_prompt(record.body)
            record.describe(prompt)
        return record.body

    def _check_key(self, record: OllamaRecord) -> None:
        if self.api_key is not None and record.headers.get("authorization") != f"Bearer {self.api_key}":
            raise ApiError(401, "unauthorized")

    async def _suffer(self, fault: Fault) -> Response | None:
        await asyncio.sleep(fault.delay)
        if (error := fault.error()) is not None:
            raise error
        return fault.response()

    async def _tell_version(self, *_: object) -> Response:
        return json_response({"version": self.version})

    async def _tell_models(self, *_: object) -> Response:
        return json_response({"models": [{"name": name, "model": name, "size": 1} for name in self.models]})

    async def _tell_loaded(self, *_: object) -> Response:
        loaded = [] if self._loaded is None else [self._loaded]
        return json_response(
            {
                "models": [
                    {"name": name, "size": 9, "size_vram": 9, "context_length": context} for name, context, _ in loaded
                ]
            }
        )

    async def _show(self, _request: Request, _record: OllamaRecord, body: dict[str, Any]) -> Response:
        model = self._model(body)
        info = {"general.architecture": "standin", "standin.context_length": model.context, "standin.block_count": 1}
        return json_response({"model_info": info, "capabilities": model.capabilities, "details": {"format": "gguf"}})

    async def _unknown(self, *_: object) -> Response:
        return PlainTextResponse("404 page not found", 404)

    def _model(self, body: dict[str, Any]) -> Model:
        name = body.get("model") or body.get("name")
        if not isinstance(name, str) or not name:
            raise ApiError(400, "model is required")
        model = self.models.get(named(name))
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return model

    # Questions

    async def _chat(self, request: Request, record: OllamaRecord, body: dict[str, Any]) -> Response:
        model = self._model(body)
        self._check(model, body)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            async with self._slot:  # OLLAMA_NUM_PARALLEL is 1
                load = self._load(model, record, body)
                prompt = self._prompt(record, body)
                await self._wait(request)
                whole = self._answer(model, record, body, prompt)
        finally:
            self.in_flight -= 1
        whole |= {"load_duration": load, "total_duration": load + whole["prompt_eval_duration"]}
        if body.get("stream", True) is False:
            return json_response(whole)
        first = {**whole, "done": False}
        last = {**whole, "message": {"role": "assistant", "content": ""}}
        lines = b"\n".join((encode({key: first[key] for key in ("model", "message", "done")}), encode(last), b""))
        return Response(lines, media_type="application/x-ndjson")

    def _check(self, model: Model, body: dict[str, Any]) -> None:
        form = body.get("format")
        if isinstance(form, dict) and self._version < _SCHEMAS_FROM:
            raise ApiError(400, "json: cannot unmarshal object into Go struct field ChatRequest.format of type string")
        if not model.answers:
            raise ApiError(400, f'"{model.name}" does not support chat')
        if model.refuses_think and "think" in body:
            raise ApiError(400, f'"{model.name}" does not support thinking')
        if body.get("think") and not model.thinks:
            raise ApiError(400, f'"{model.name}" does not support thinking')

    def _load(self, model: Model, record: OllamaRecord, body: dict[str, Any]) -> int:
        """Load the model unless it is there with just this context; return how long that takes, in nanoseconds."""
        asked = (body.get("options") or {}).get("num_ctx") or DEFAULT_CONTEXT
        record.context = min(asked, model.context)
        wanted = (model.name, record.context, bool(body.get("shift", True)))
        if self._loaded == wanted:
            return 1_000_000
        self._loaded, self._last_prompt = wanted, ""
        self.loads.append((model.name, record.context))
        return 4_000_000_000

    def _prompt(self, record: OllamaRecord, body: dict[str, Any]) -> Prompt:
        """The prompt as the model reads it. Raises ApiError where it is too long and may not be cut."""
        messages, context = list(body.get("messages") or ()), record.context
        truncates = body.get("truncate", True) or not self.refuses
        if truncates:
            messages = without_the_first(messages, context, self.characters)
        text = render(messages)
        prompt = Prompt(text, count(text, self.characters), is_cut=len(messages) < len(body.get("messages") or ()))
        if prompt.tokens >= context and not truncates:
            raise ApiError(400, _TOO_LONG)
        if prompt.tokens > context:
            prompt = cut(text, context, self.characters, self.cuts)
        record.known = int(_shared(prompt.text, self._last_prompt) / self.characters)
        record.read = prompt.tokens
        record.is_cut, self._last_prompt = prompt.is_cut, prompt.text
        return prompt

    async def _wait(self, request: Request) -> None:
        """Let an answer take its time; a client that hangs up meanwhile frees the slot."""
        if not await take_time(lambda: self.latency, hung_up=lambda: has_hung_up(request.scope)):
            self.abandoned += 1
            raise ApiError(499, "context canceled")

    def _answer(self, model: Model, record: OllamaRecord, body: dict[str, Any], prompt: Prompt) -> dict[str, Any]:
        style = self._styles.take(record) or self.style
        thought = self._thoughts(model, body)
        text = "I'm sorry, but I can't help with that." if style.refused else self._write(model, record, body, style)
        options = body.get("options") or {}
        limits = [limit for limit in (options.get("num_predict", -1), style.truncated_at) if limit and limit > 0]
        if self.refuses and not body.get("shift", True):
            limits.append(record.context - prompt.tokens)
        room = min(limits, default=1 << 40)
        written = thought + count(text, self.characters)
        # Beyond the context the first half of it is forgotten, the movies first, and the model writes on.
        record.is_cut = record.is_cut or prompt.tokens + min(written, room) > record.context
        is_whole = written <= room
        content = text if is_whole else text[: max(0, int((room - thought) * self.characters))]
        record.judged, record.thought = True, thought
        record.answer, record.stop_reason = content, "stop" if is_whole else "length"
        record.usage = {"input_tokens": prompt.tokens, "output_tokens": min(written, room)}
        return {
            "model": body["model"],
            "created_at": datetime.fromtimestamp(self.clock(), UTC).isoformat(),
            "message": {"role": "assistant", "content": content} | ({"thinking": "Let me see…"} if thought else {}),
            "done": True,
            "done_reason": record.stop_reason,
            "prompt_eval_count": prompt.tokens,
            "prompt_eval_duration": 1_000_000 * (1 + prompt.tokens - record.known),
            "eval_count": record.usage["output_tokens"],
            "eval_duration": 25_000_000 * record.usage["output_tokens"],
        }

    def _thoughts(self, model: Model, body: dict[str, Any]) -> int:
        """How many tokens the model thinks before it answers."""
        think = body.get("think")
        if not model.thinks or (think is False and not model.by_levels):
            return 0
        return _THOUGHTS.get(str(think), _THOUGHT)

    def _write(self, model: Model, record: OllamaRecord, body: dict[str, Any], style: Style) -> str:
        form = body.get("format")
        seen = answers.read_movies(self._last_prompt) if record.is_cut else record.movies
        text = answers.write_answer(
            msgspec.structs.replace(answers.read_prompt(record.body), movies=tuple(seen)),
            judge=self.judge,
            style=style,
            schema=encode(form) if isinstance(form, dict) and model.enforces else None,
            chance=self.chance,
        )
        return self._invent(text, seen) if record.is_cut else text

    def _invent(self, text: str, seen: Iterable[dict[str, Any]]) -> str:
        """The answer with verdicts on all ids up to the highest that was seen: what came before is made up."""
        try:
            answer = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            return text
        known = {answers.id_of(movie) for movie in seen}
        made_up = [number for number in range(1, max(known, default=_INVENTED) + 1) if number not in known]
        for entry in answer.get("collections", [answer]):
            entry["excluded"] = [*made_up, *entry.get("excluded", ())]
        return encode(answer).decode()


def _shared(text: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((place for place, (one, another) in pairs if one != another), min(len(text), len(other)))
