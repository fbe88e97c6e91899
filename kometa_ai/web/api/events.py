"""Stream runs as server-sent events: one run, or whatever runs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from kometa_ai.core.summary import totals
from kometa_ai.errors import KometaAIError
from kometa_ai.web.answers import documented_as
from kometa_ai.web.api.routing import NO_SUCH_RUN, Routes, TheDaemon, failing, kept_report, router_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kometa_ai.core.report import RunReport
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.progress import Progress

LOOK_EVERY = 0.2
"""Seconds. Watchers poll the progress instead of being notified, so that nothing queues up for a slow one."""
WATCHERS = 100
"""The most connections for watchers; the rest is left for other requests."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which a watcher is sent a comment, so that no proxy closes the connection as idle."""
_HEADERS = {
    # nginx holds a whole answer back until it has ended, unless it is told not to.
    "X-Accel-Buffering": "no",
    "Cache-Control": "no-store, no-transform",
}
_MEDIA_TYPE = "text/event-stream"
_EVENT = {"type": "object", "properties": {"event": {"type": "string"}, "data": {"type": "string"}}}
_STILL_THERE = b": still there\n\n"
_FULL = failing({429: f"{WATCHERS} others watch already"})

router = router_of("", "runs")
ROUTES = Routes(router)


class Watchers:
    """The number of current watchers: each keeps a connection as long as it watches."""

    def __init__(self) -> None:
        self.count = 0


def _watchers(request: Request) -> Watchers:
    watchers: Watchers = request.app.state.watchers
    return watchers


async def _watching(watchers: Annotated[Watchers, Depends(_watchers)]) -> AsyncIterator[None]:
    """Count a watcher from its request to the end of its answer, so that a burst cannot pass the limit together."""
    if watchers.count >= WATCHERS:
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS, f"{WATCHERS} others watch already: ask for its status instead."
        )
    watchers.count += 1
    try:
        yield
    finally:
        watchers.count -= 1


@router.get(
    "/runs/{run_id}/events",
    responses={200: documented_as(_MEDIA_TYPE, _EVENT), **NO_SUCH_RUN, **_FULL},
    response_class=Response,
    dependencies=[Depends(_watching)],
)
async def watch_run(daemon: TheDaemon, run_id: str) -> Response:
    """A run as server-sent events: `step`, `progress`, and `ended` with its totals, which closes the stream."""
    current = daemon.runs.current
    if current is None or current.run_id != run_id:
        await kept_report(daemon, run_id)
        current = None
    return _stream(_events_of(daemon, run_id, current))


@router.get(
    "/events",
    responses={200: documented_as(_MEDIA_TYPE, _EVENT), **_FULL},
    response_class=Response,
    dependencies=[Depends(_watching)],
)
async def watch(daemon: TheDaemon) -> Response:
    """All runs as server-sent events, for as long as you watch: `begun`, `step`, `progress`, and `ended` for each.

    Who comes while a run is on is told that it has begun, and its steps so far.
    """
    return _stream(events_of_all(daemon))


def _stream(events: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(_kept_alive(events), media_type=_MEDIA_TYPE, headers=_HEADERS)


async def _kept_alive(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The events, each look an item, with a comment where nothing has come for a while; empty looks are left out."""
    silent = 0.0
    yield _STILL_THERE  # so that a proxy passes the head on
    async for news in events:
        silent = 0.0 if news else silent + LOOK_EVERY
        if news:
            yield news
        elif silent >= KEEP_ALIVE:
            silent = 0.0
            yield _STILL_THERE


class _Told:
    """What a watcher has been told of one run."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._steps = 0
        self._last: object = None

    def news(self) -> Iterator[bytes]:
        """What is new since the last time."""
        run_id, steps = self.progress.run_id, self.progress.steps
        for step in steps[self._steps :]:
            yield _event("step", {"run_id": run_id, "step": step.name, "started": step.started})
        self._steps = len(steps)
        going = self.progress.going
        if going != self._last:
            self._last = going
            yield _event("progress", going)


async def _events_of(daemon: Daemon, run_id: str, progress: Progress | None) -> AsyncIterator[bytes]:
    """The events of one run, those of each look together."""
    told = _Told(progress) if progress is not None else None
    while told is not None:
        is_on = daemon.runs.current is told.progress
        yield b"".join(told.news())
        if daemon.is_stopping:
            return
        if not is_on:
            break
        await asyncio.sleep(LOOK_EVERY)
    # It may not be kept, or not be read, and another run may have ended since.
    with suppress(HTTPException, KometaAIError):
        yield _ended(await kept_report(daemon, run_id))


async def events_of_all(daemon: Daemon) -> AsyncIterator[bytes]:
    """The events of any run, those of each look together; also of runs that began and ended since the last look."""
    told: _Told | None = None
    count = daemon.runs.endings
    while not daemon.is_stopping:
        news = b""
        current, endings = daemon.runs.current, daemon.runs.ended_since(count)
        count = daemon.runs.endings
        for ending in endings:
            if told is None or told.progress is not ending.progress:
                told = _Told(ending.progress)
                news += _event("begun", ending.progress.going)
            news += b"".join(told.news())
            told = None
            run_id = ending.progress.run_id
            news += _event("ended", {"run_id": run_id}) if ending.report is None else _ended(ending.report)
        if told is None and current is not None and current.has_begun:
            told = _Told(current)
            news += _event("begun", current.going)
        yield news + b"".join(told.news() if told else ())
        await asyncio.sleep(LOOK_EVERY)


def _ended(report: RunReport) -> bytes:
    data = {"run_id": report.run_id, "outcome": report.outcome, "exit_code": report.exit_code, **totals(report)}
    return _event("ended", data)


def _event(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
