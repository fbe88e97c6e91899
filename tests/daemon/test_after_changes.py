"""Telling others of changes: what they are given, and that whatever they do harms nothing."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.cli.main import run
from kometa_ai.daemon.after_changes import after_changes
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.serving import serve
from tests.daemon.living import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from tests.run.world import World


class Receiver:
    """Somebody who is told; answers with a status."""

    def __init__(self, status: int = 200) -> None:
        self.told: list[Any] = []
        self._status = status
        self.app = Starlette(routes=[Route("/told", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.told.append(await request.json())
        return Response(status_code=self._status)


@pytest.fixture(name="log")
def _log() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def command(code: str) -> str:
    """A command that runs some Python."""
    return f"{sys.executable} -c '{code}'"


async def test_a_url_is_sent_the_names() -> None:
    """The names come as a list, and joined as Kometa's --run-collections takes them."""
    receiver = Receiver()
    with serve(receiver.app) as url:
        await after_changes(["Film Noir", "Heist"], Settings(after_changes_url=f"{url}/told"))

    assert receiver.told == [{"collections": ["Film Noir", "Heist"], "run_collections": "Film Noir|Heist"}]


@pytest.mark.parametrize("path", ["/told", "/nothing"])
async def test_a_url_that_fails_is_logged(path: str, log: list[structlog.typing.EventDict]) -> None:
    """An error, an unknown path and nobody there are warnings; the address, which may hold a token, is not logged."""
    with serve(Receiver(500).app) as url:
        await after_changes(["Noir"], Settings(after_changes_url=f"{url}{path}?t=abc"))
    await after_changes(["Noir"], Settings(after_changes_url=f"http://127.0.0.1:{free_port()}/t0ken"))

    assert [line["log_level"] for line in log] == ["warning", "warning"]
    assert not any("t=abc" in str(line) or "t0ken" in str(line) for line in log)


async def test_a_command_is_given_the_names_and_its_output_logged(log: list[structlog.typing.EventDict]) -> None:
    """The names are one argument, whatever they hold; the end of a long output is kept, and the exit code told."""
    code = 'import sys; print("x" * 100000, sys.argv[1:]); sys.exit(3)'
    await after_changes(["A 'B' \"C\" $D", "E"], Settings(after_changes_command=command(code)))

    assert log[-1]["exit_code"] == 3
    assert log[-1]["log_level"] == "warning"
    assert "$D|E" in log[-1]["output"]
    assert len(log[-1]["output"]) <= 4000


@pytest.mark.parametrize("wrong", ["/no/such/program", "sh -c 'unclosed", "/"])
async def test_a_command_that_cannot_be_run_is_logged(wrong: str, log: list[structlog.typing.EventDict]) -> None:
    """No program, broken quotes, a folder: a warning, and nothing is raised."""
    await after_changes(["Noir"], Settings(after_changes_command=wrong))

    assert [line["event"] for line in log] == ["after_changes.not_run"]


async def test_a_command_that_takes_too_long_is_ended(tmp_path: Path, log: list[structlog.typing.EventDict]) -> None:
    """After its time a command is ended, and what it has started too."""
    mark = tmp_path / "mark"
    settings = Settings(after_changes_command=f"sh -c '(sleep 1.5; touch {mark}) & sleep 30'")
    started = time.monotonic()
    await after_changes(["Noir"], settings, timeout=0.5)
    took = time.monotonic() - started
    await asyncio.sleep(1.5)

    assert took < 5
    assert not mark.exists()
    assert [line["event"] for line in log] == ["after_changes.too_long"]


def test_one_run_tells_too(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--run-now tells when it has changed something, and not when it has not; a dry run never does."""
    script = tmp_path / "tell.py"
    script.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.argv[1])")
    environ = {**world.environ, "AFTER_CHANGES_COMMAND": f"{sys.executable} {script}"}

    codes = [run(arguments, environ) for arguments in (["--dry-run"], ["--run-now"], ["--run-now"])]
    capsys.readouterr()

    assert codes == [0, 0, 0]
    assert Path(tmp_path / "told").read_text() == "Noir"
