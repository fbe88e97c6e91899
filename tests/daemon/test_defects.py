"""Unexpected errors: the user gets one sentence, the log the stack trace, and the daemon goes on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import pytest

from kometa_ai.app import session_of
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.web.guard import Guard
from kometa_ai.web.serving import serving
from tests.daemon.living import KEY, PATIENCE, daemon_beside
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager

    from starlette.types import Receive, Scope, Send

    from kometa_ai.jobs.session import Session
    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.settings.schema import Settings
    from kometa_ai.state.store import Store
    from tests.run.world import World

# The program in a process of its own, with one part that fails for a reason that no code expects: what builds the parts
# of jobs, what reads Kometa's folder, the clock, or the environment. The error repeats a key, as services do.
BROKEN = """
import os, sys
from msgspec.structs import replace
from kometa_ai.app import session_of
from kometa_ai.cli.main import run

def fail(*_, **__):
    raise LookupError("nobody foresaw this " + os.environ["RADARR_API_KEY"])

def broken(settings):
    session = session_of(settings)
    if {part!r} == "session":
        fail()
    if {part!r} == "clock":
        return replace(session, now=fail)
    return replace(session, open_parts=fail)

class Environ(dict):
    def get(self, name, default=None):
        return fail() if name == "STATE_DIR" else super().get(name, default)

environ = Environ(os.environ) if {part!r} == "environ" else os.environ
sys.exit(run(sys.argv[1:], environ, session_of=broken))
"""


def broken(world: World, part: str, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """The program with one part that fails."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", BROKEN.format(part=part), *arguments],
        env={**world.environ, **changed},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def logged(world: World) -> list[dict[str, Any]]:
    """The lines of the log file."""
    text = (world.folder / "logs" / logs.FILE_NAME).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("part", "arguments"),
    [
        ("parts", ("--run-now",)),
        ("parts", ("--undo", "x")),
        ("environ", ("--pins",)),
        ("session", ()),
        ("clock", ()),
    ],
)
def test_a_command_ends_with_a_sentence(world: World, part: str, arguments: tuple[str, ...]) -> None:
    """Exit code 1 and a sentence that names the log, which alone has the stack trace, once; the key is in neither."""
    ended = broken(world, part, *arguments, LOG_FORMAT="console")
    file = world.folder / "logs" / logs.FILE_NAME
    errors = [line for line in logged(world) if line["level"] == "error"]

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Error: Something unexpected happened (")
    assert ended.stderr.splitlines()[-1].endswith(f"; the details are in {file}.")
    assert "Traceback" not in ended.stderr + ended.stdout
    assert [line["event"] for line in errors] == ["program.failed"]
    assert "Traceback" in errors[0]["exception"]
    assert world.environ["RADARR_API_KEY"] not in ended.stderr + ended.stdout + file.read_text()


def test_a_script_gets_it_as_json(world: World) -> None:
    """With --output json the sentence is the result."""
    ended = broken(world, "parts", "--run-now", "--output", "json")
    result = json.loads(ended.stdout)

    assert (ended.returncode, result["outcome"], result["exit_code"]) == (1, "error", 1)
    assert "nobody foresaw this ********" in result["error"]


class Unforeseen(Exception):
    """An unexpected error."""


@contextmanager
def log_of(world: World) -> Iterator[None]:
    """The real log, for a daemon beside the test."""
    logs.configure(world.folder / "logs", debug=False, form="json", redactor=Redactor())
    try:
        yield
    finally:
        logs.shutdown()


async def test_a_run_of_the_daemon(world: World) -> None:
    """The run has a report with the sentence as its problem, the log has the trace once, and the daemon runs again."""
    is_broken = True

    def broken_session_of(settings: Settings) -> Session:
        session = session_of(settings)

        def open_parts(
            store: Store, observer: Observer | None, *, patient: bool = False
        ) -> AbstractAsyncContextManager[Parts]:
            if is_broken:
                raise Unforeseen
            return session.open_parts(store, observer, patient=patient)

        return msgspec.structs.replace(session, open_parts=open_parts)

    with log_of(world):
        async with daemon_beside(world, session_of=broken_session_of) as here:
            run_id = await here.run()
            is_broken = False
            failed = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
            status = (await here.client.get("/api/v1/status")).json()
            listed = (await here.client.get("/api/v1/runs")).json()
            await here.run()
            good = here.daemon.runs.last
    about = [line for line in logged(world) if "exception" in line]

    assert (failed["outcome"], failed["exit_code"]) == ("problems", 1)
    assert logs.FILE_NAME in failed["problems"][0]["what"]
    assert [(line["event"], line["run_id"]) for line in about] == [("run.failed", run_id)]
    assert (status["last_run_id"], status["last_outcome"]) == (run_id, "problems")
    assert [run["run_id"] for run in listed] == [run_id]
    assert good is not None
    assert good.outcome == "ok"


async def test_a_handler_of_the_api(world: World) -> None:
    """The caller gets 500 and a sentence that names the log, which has the trace once; a torn stream just ends."""

    async def broken_app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["path"] == "/torn":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise Unforeseen

    with log_of(world):
        async with (
            serving(Guard(broken_app, api_key=KEY, url_base=""), "127.0.0.1", 0) as url,
            httpx2.AsyncClient(verify=PLAIN, base_url=url, headers={"X-Api-Key": KEY}) as client,
        ):
            answer = await client.get("/anything")
            with pytest.raises(httpx2.HTTPError):
                await client.get("/torn")
            await asyncio.sleep(0)
    about = [line for line in logged(world) if "exception" in line]

    assert answer.status_code == 500
    assert set(answer.json()) == {"error", "remedy"}
    assert str(world.folder / "logs" / logs.FILE_NAME) in answer.json()["error"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [line["event"] for line in about] == ["http.failed", "http.failed"]
