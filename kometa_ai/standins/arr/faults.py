"""Fail as the programs do inside: a busy database, a save that dies half-way, the time before they are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.arr.errors import database_locked
from kometa_ai.standins.arr.pipeline import starting_up_answer
from kometa_ai.standins.faults import Effect

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


def locked() -> Effect:
    """SQLite is busy: 500, and nothing is done. Also happens to reads."""
    return Effect(lambda _app: _raising(database_locked), inside=True)


def not_ready() -> Effect:
    """The program is starting up: 503 for requests with the right key."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await starting_up_answer(scope["state"]["product"])(scope, receive, send)

    return Effect(lambda _app: call, inside=True)


def editor_dies_after(rows: int) -> Effect:
    """A save of several items fails with 500 after this many: without a transaction, these stay saved."""
    return _noted(dies_after=rows)


def busy_writes(attempts: int) -> Effect:
    """The first attempts to save find the database busy: 500 unless the program tries more often than that."""
    return _noted(busy=attempts)


def _noted(**state: int) -> Effect:
    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            scope["state"].update(state)
            await app(scope, receive, send)

        return call

    return Effect(around, inside=True)


def _raising(error: Callable[[], Exception]) -> ASGIApp:
    async def call(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error()

    return call
