"""The program's daemon in a world: as a process of its own, and beside the test."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import ChainMap
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import httpx2
import pytest

from kometa_ai.app import now, session_of
from kometa_ai.daemon.life import Daemon, Paces
from kometa_ai.settings.environment import load_settings
from kometa_ai.web.app import make_app
from kometa_ai.web.serving import serving
from kometa_ai.web.visitors import entrance_of
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from fastapi import FastAPI

    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings
    from kometa_ai.web.api.events import Watchers
    from kometa_ai.web.visitors import Entrance

KEY = "the-key-of-the-tests"
PATIENCE = 60.0


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def until(condition: Callable[[], object]) -> None:
    """Wait for something to be true, and fail when it takes too long."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - whatever it is, it has no event
            await asyncio.sleep(0.02)


class Living:
    """A daemon that lives in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]

    def wait_for(self, event: str, count: int = 1, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until it has logged an event so often, and return the line."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in self.lines if line["event"] == event]
            if len(found) >= count:
                return found[-1]
            assert self.process.poll() is None, self._log.read_text(encoding="utf-8")
            time.sleep(0.02)
        pytest.fail(f"{event} did not come: {self._log.read_text(encoding='utf-8')}")

    def call(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """A request with the key."""
        with httpx2.Client(verify=PLAIN, headers={"X-Api-Key": KEY}) as client:
            return client.request(method, self.url + path, **more)

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal, and return the exit code and how many seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(PATIENCE), time.monotonic() - started


class Place(Protocol):
    """Where a daemon is started: with which variables, and in which folder its log goes."""

    @property
    def environ(self) -> dict[str, str]:
        """All but the port and the key."""
        ...

    @property
    def folder(self) -> Path:
        """For what it writes to stderr."""
        ...


@contextmanager
def daemon_process(world: Place, *, files: int | tuple[int, int] | None = None, **changed: str) -> Iterator[Living]:
    """The daemon, as `kometa-ai` without options starts it, once it answers; `files` is how many it may open."""
    limits = (files, files) if isinstance(files, int) else files
    port = free_port()
    environ = {**os.environ, **world.environ, "HTTP_PORT": str(port), "HTTP_API_KEY": KEY, **changed}
    log = world.folder / "daemon.log"
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "kometa_ai"],
            env=environ,
            stderr=stderr,
            text=True,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)) if limits else None,  # noqa: PLW1509
        ) as process,
    ):
        try:
            living = Living(process, f"http://127.0.0.1:{port}", log)
            living.wait_for("http.listening")
            yield living
        finally:
            process.kill()


def until_idle(living: Living) -> None:
    """Wait until no run is on."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if living.call("GET", "/api/v1/status").json()["status"] == "idle":
            return
        time.sleep(0.1)
    pytest.fail("a run is on")


class Beside:
    """A daemon in the test's own loop, a client with its key, and one without. `code` is how it ended.

    `watchers` counts who watches events; `entrance` decides who passes without the key.
    """

    def __init__(self, daemon: Daemon, client: httpx2.AsyncClient, bare: httpx2.AsyncClient, app: FastAPI) -> None:
        self.daemon = daemon
        self.watchers: Watchers = app.state.watchers
        self.entrance: Entrance = app.state.entrance
        self.client = client
        self.bare = bare
        self.code: int | None = None

    async def run(self, **wanted: object) -> str:
        """Do a run, and return its id when it has ended."""
        answer = await self.client.post("/api/v1/runs", json=wanted)
        assert answer.status_code == 202, answer.text
        await self.daemon.runs.ended()
        run_id: str = answer.json()["run_id"]
        return run_id

    async def events(self, path: str) -> AsyncGenerator[tuple[str, Any]]:
        """The events of a stream: the name and the data of each."""
        name = ""
        async with self.client.stream("GET", path) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            async for line in stream.aiter_lines():
                kind, _, rest = line.partition(": ")
                if kind == "event":
                    name = rest
                elif kind == "data":
                    yield name, json.loads(rest)


@asynccontextmanager
async def daemon_beside(
    world: Place,
    paces: Paces | None = None,
    environ: dict[str, str] | None = None,
    clock: Callable[[], datetime] = now,
    session_of: Callable[[Settings], Session] = session_of,
) -> AsyncIterator[Beside]:
    """A daemon and its API, really served; `environ` is added to the world's, and read again when it looks again."""
    environ = {} if environ is None else environ
    settings = load_settings({**world.environ, **environ}).settings
    daemon = Daemon(session_of(settings), ChainMap(environ, world.environ), paces, clock=clock)
    life = asyncio.create_task(daemon.live())
    entrance = entrance_of(settings, KEY)
    app = make_app(daemon, api_key=KEY, url_base=settings.http_url_base, entrance=entrance)
    async with (
        serving(app, "127.0.0.1", 0) as url,
        httpx2.AsyncClient(verify=PLAIN, base_url=url, headers={"X-Api-Key": KEY}, timeout=PATIENCE) as client,
        httpx2.AsyncClient(verify=PLAIN, base_url=url, timeout=PATIENCE) as bare,
    ):
        here = Beside(daemon, client, bare, app)
        try:
            yield here
        finally:
            daemon.stop(signal.SIGTERM)
            here.code = await life
