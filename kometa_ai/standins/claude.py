"""Stand in for Claude's Messages API: it answers as the API does, with a judge function in place of the model.

Written from Anthropic's API documentation (API version 2026-10-21). Faithful where clients can make mistakes: complete
messages, usage with exact prompt caching, refused requests, rate-limit headers, streaming and batches. Tools, files,
citations and betas are left out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.standins.claude_answers import Judge, Judgement, Style, judge_by_genre
from kometa_ai.standins.claude_batches import BATCHES, Batches
from kometa_ai.standins.claude_cache import count_tokens, lay_out
from kometa_ai.standins.claude_checks import check_headers, check_request, check_shape, find_model
from kometa_ai.standins.claude_engine import ClaudeEngine
from kometa_ai.standins.claude_faults import MESSAGES, Fault, Faults
from kometa_ai.standins.claude_gateway import Gateway
from kometa_ai.standins.claude_log import RequestRecord
from kometa_ai.standins.claude_message import events
from kometa_ai.standins.claude_models import MODELS, Model
from kometa_ai.standins.claude_wire import (
    ApiError,
    EventStream,
    RateLimits,
    decode_object,
    json_response,
    not_found,
    page,
)
from kometa_ai.standins.serving import take_time

__all__ = ["ClaudeStandIn", "Fault", "Judge", "Judgement", "Model", "RequestRecord", "Style", "count_tokens"]

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_BATCH_BYTES = 256 * 1024 * 1024

_ORGANIZATION = "00000000-0000-4000-8000-000000000000"


class Call:
    """One HTTP call in flight: the request, its record, and a fault that strikes in the middle of its stream."""

    def __init__(self, request: Request, raw: bytes, record: RequestRecord, request_id: str) -> None:
        self.request = request
        self.raw = raw
        self.record = record
        self.request_id = request_id
        self.fault_in_stream: Fault | None = None

    @property
    def base_url(self) -> str:
        """The address under which the client reached the stand-in."""
        return str(self.request.base_url)

    def path_parameter(self, name: str) -> str:
        """The part of the path that the route calls `name`."""
        return str(self.request.path_params[name])

    def body(self) -> dict[str, Any]:
        """The JSON object of the request. Raises ApiError if there is none, or if it is too large."""
        if len(self.raw) > (MAX_BATCH_BYTES if self.record.path == BATCHES else MAX_BODY_BYTES):
            raise ApiError(413, "Request exceeds the maximum size")
        return self.record.body or decode_object(self.raw)


Handler = Callable[[Call], Awaitable[Response]]


class ClaudeStandIn(ClaudeEngine):
    """The API as an ASGI application, `app`.

    - `api_key`: the one key that is accepted; None accepts any.
    - `latency`: seconds until an answer begins; from then on its cache entries can be read.
    - `writing`: seconds from there to the end of the answer; one that is not streamed arrives then.
    - `streams`: whether `stream` is obeyed; some gateways do not.
    - `gateway`: a gateway in front of it that rewrites its answers.
    - the rest is described at `ClaudeEngine`.

    `batches` configures how batches proceed. `faults` wait for their calls. `calls` is every HTTP call, failed ones
    included. `peak_in_flight` is the largest number of Messages requests in flight at one time.
    """

    def __init__(
        self,
        *,
        judge: Judge = judge_by_genre,
        api_key: str | None = None,
        models: Mapping[str, Model] = MODELS,
        latency: float = 0.0,
        writing: float = 0.0,
        streams: bool = True,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
    ) -> None:
        super().__init__(judge=judge, models=models, clock=clock, seed=seed)
        self.api_key = api_key
        self.latency = latency
        self.writing = writing
        self.streams = streams
        self.gateway = Gateway()
        self.batches = Batches(self)
        self.faults = Faults()
        self.rate_limits = RateLimits()
        self.calls: list[RequestRecord] = []
        self.in_flight = 0
        self.peak_in_flight = 0
        self.app = Starlette(routes=self._routes())

    def forget(self) -> None:
        """Empty the log; the cache, faults and styles stay."""
        self.calls.clear()
        self.requests.clear()
        self.peak_in_flight = self.in_flight

    def _routes(self) -> list[Route]:
        return [
            self._route(MESSAGES, self._create_message, "POST"),
            self._route(f"{MESSAGES}/count_tokens", self._count_tokens, "POST"),
            self._route(BATCHES, self._create_batch, "POST"),
            self._route(BATCHES, self._list_batches, "GET"),
            self._route(f"{BATCHES}/{{batch_id}}", self._retrieve_batch, "GET"),
            self._route(f"{BATCHES}/{{batch_id}}", self._delete_batch, "DELETE"),
            self._route(f"{BATCHES}/{{batch_id}}/cancel", self._cancel_batch, "POST"),
            self._route(f"{BATCHES}/{{batch_id}}/results", self._batch_results, "GET"),
            self._route("/v1/models", self._list_models, "GET"),
            self._route("/v1/models/{model_id}", self._retrieve_model, "GET"),
            Route("/_fake/faults", self._order_fault, methods=["POST"]),
            Route("/_fake/faults", self._clear_faults, methods=["DELETE"]),
            self._route("/{path:path}", self._unknown, "GET", "POST", "PUT", "PATCH", "DELETE"),
        ]

    def _route(self, path: str, handler: Handler, *methods: str) -> Route:
        """A route with everything around a call: the log, faults, the key, errors as JSON, and the headers."""

        async def endpoint(request: Request) -> Response:
            call = await self._begin(request)
            fault = self.faults.take(call.record)
            try:
                response = await self._suffer(call, fault) if fault and not fault.afterwards else None
                if response is None:
                    check_headers(call.record.headers, self.api_key)
                    response = await handler(call)
                if fault and fault.afterwards:
                    response = await self._suffer(call, fault) or response
            except ApiError as error:
                call.record.error_type = error.error_type
                response = json_response(error.body(call.request_id), error.status)
                response.headers.update(error.headers)
            call.record.status = response.status_code
            self._add_headers(response, call.request_id)
            return response

        return Route(path, endpoint, methods=list(methods))

    async def _begin(self, request: Request) -> Call:
        raw = await request.body()
        record = RequestRecord(
            method=request.method, path=request.url.path, headers=dict(request.headers), at=self.clock()
        )
        call = Call(request, raw, record, self.new_id("req"))
        self.calls.append(record)
        if record.path == MESSAGES:
            self.requests.append(record)
            # A fault may depend on the content of a request, so read it before checking anything.
            try:
                record.body = call.body()
                check_shape(record.body)
                self.describe(record, record.body)
            except ApiError:
                return call
        return call

    async def _suffer(self, call: Call, fault: Fault) -> Response | None:
        """Apply a fault to a call. Returns its answer, or None if the regular answer is still to be sent.

        Raises ApiError for an error, unless it strikes in the middle of a stream.
        """
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.mid_stream and self.streams and self.gateway.wants_stream(call.record.body):
            call.fault_in_stream = fault
            return None
        error = fault.error()
        if error is not None:
            raise error
        return fault.response()

    def _add_headers(self, response: Response, request_id: str) -> None:
        headers = {"request-id": request_id, "anthropic-organization-id": _ORGANIZATION}
        headers |= self.rate_limits.headers(self.clock())
        for name in headers.keys() - response.headers.keys():
            response.headers.append(name, headers[name])

    async def _create_message(self, call: Call) -> Response:
        body = call.body()
        model = check_request(body, self.models)
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        is_streamed = False
        try:
            charge = self.charge(body, model, self.cache)
            await take_time(lambda: self.latency)
            self.cache.begin(charge)
            whole = self.complete(call.record, model, charge, service_tier="standard")
            self.rate_limits.spend(self.clock(), whole["usage"])
            is_streamed = self.gateway.wants_stream(body) and self.streams
            if is_streamed:
                return self._stream(whole, call)
            await asyncio.sleep(self.writing)
        finally:
            self.in_flight -= not is_streamed
        return self.gateway.message(whole, body)

    def _stream(self, whole: dict[str, Any], call: Call) -> Response:
        fault = call.fault_in_stream

        def done() -> None:
            self.in_flight -= 1

        breaks_off = None if fault is None else fault.breaks_off(call.request_id)
        proper = [each for each in events(whole, breaks_off) if each is not breaks_off]
        return EventStream(
            [*map(self.gateway.event, proper), breaks_off or b""],
            seconds=self.writing,
            drop=fault is not None and fault.drop,
            done=done,
            media_type=self.gateway.content_type or "text/event-stream; charset=utf-8",
        )

    async def _count_tokens(self, call: Call) -> Response:
        body = call.body()
        check_request(body, self.models, counting=True)
        return json_response({"input_tokens": lay_out(body).tokens})

    async def _create_batch(self, call: Call) -> Response:
        return json_response(self.batches.create(call.body()).info(call.base_url))

    async def _list_batches(self, call: Call) -> Response:
        return json_response(self.batches.page(call.request.query_params, call.base_url))

    async def _retrieve_batch(self, call: Call) -> Response:
        return json_response(self.batches.find(call.path_parameter("batch_id"), poll=True).info(call.base_url))

    async def _delete_batch(self, call: Call) -> Response:
        batch_id = call.path_parameter("batch_id")
        self.batches.delete(batch_id)
        return json_response({"id": batch_id, "type": "message_batch_deleted"})

    async def _cancel_batch(self, call: Call) -> Response:
        return json_response(self.batches.cancel(call.path_parameter("batch_id")).info(call.base_url))

    async def _batch_results(self, call: Call) -> Response:
        return Response(self.batches.results(call.path_parameter("batch_id")), media_type="application/x-jsonl")

    async def _list_models(self, call: Call) -> Response:
        distinct = {model.id: model.info() for model in self.models.values()}
        return json_response(page(list(distinct.values()), call.request.query_params))

    async def _retrieve_model(self, call: Call) -> Response:
        return json_response(find_model(call.path_parameter("model_id"), self.models).info())

    async def _unknown(self, call: Call) -> Response:
        raise not_found(f"Not found: {call.record.method} {call.record.path}")

    async def _order_fault(self, request: Request) -> Response:
        try:
            self.faults.order(await request.body())
        except ApiError as error:
            return json_response(error.body(""), error.status)
        return json_response({"waiting": len(self.faults)})

    async def _clear_faults(self, request: Request) -> Response:  # noqa: ARG002 - Starlette's signature
        self.faults.clear()
        return json_response({"waiting": 0})
