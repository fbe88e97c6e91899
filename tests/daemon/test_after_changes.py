"""The call after changes: what the command and the URL get, and that their failures harm no run."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.cli.main import run
from kometa_ai.notification.after_changes import after_changes, environ_for_others
from kometa_ai.settings.schema import Settings
from kometa_ai.settings.variables import variables
from kometa_ai.standins.serving import serve
from tests.daemon.living import free_port
from tests.run.world import block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from tests.run.world import World


_FORMS = {
    form for one in variables().values() for name in (one.name, one.alias) if name for form in (name, f"{name}_FILE")
}


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
    """Errors, unknown paths and refused connections are warnings; the address may hold a token and is not logged."""
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


@pytest.mark.parametrize("wrong", ["/no/such/program", "/"])
async def test_a_command_that_cannot_be_run_is_logged(wrong: str, log: list[structlog.typing.EventDict]) -> None:
    """No program, a folder: a warning, and nothing is raised."""
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


@given(
    environ=st.dictionaries(
        st.sampled_from([*_FORMS, "PATH", "HOME", "TZ", "MY_KEY", "KAI_OTHER"]),
        st.sampled_from(["hunter2-radarr", "s3cret", "/run/secrets/key", "plain", "http://user:pw@radarr:7878"]),
    )
)
def test_no_secret_reaches_others(environ: dict[str, str]) -> None:
    """Whatever stands in the environment: no setting of ours, its alias or its file, nor a key under another name."""
    settings = Settings(radarr_api_key="hunter2-radarr", smtp_password="s3cret")  # type: ignore[arg-type]
    given_on = environ_for_others(environ, settings)

    assert not (_FORMS & given_on.keys()) - {"TZ"}
    assert all(given_on[name] not in ("hunter2-radarr", "s3cret") for name in given_on.keys() - {"TZ"})
    assert {name for name in ("PATH", "HOME") if environ.get(name) == "plain"} <= given_on.keys()


def test_a_command_sees_no_key(world: World, tmp_path: Path) -> None:
    """The program's own environment, keys and files of keys included, and what of it a command is given."""
    key_file = tmp_path / "key"
    key_file.write_text(world.environ["CLAUDE_API_KEY"])
    seen = tmp_path / "seen"
    script = tmp_path / "see.py"
    script.write_text(f"import json, os; json.dump(dict(os.environ), open({str(seen)!r}, 'w'))")
    environ = {
        **world.environ,
        "ANTHROPIC_API_KEY_FILE": str(key_file),
        "APPRISE_URLS": "json://localhost/a-token-of-some-length",
        "AFTER_CHANGES_COMMAND": f"{sys.executable} {script}",
        "PATH": "/usr/bin:/bin",
        "KEY_OF_RADARR": world.environ["RADARR_API_KEY"],
    }
    del environ["CLAUDE_API_KEY"]
    subprocess.run([sys.executable, "-m", "kometa_ai", "--run-now"], env=environ, check=True, capture_output=True)
    found = json.loads(seen.read_text())

    assert (found["PATH"], found["KAI_CHANGED_COLLECTIONS"]) == ("/usr/bin:/bin", "Noir")
    assert not found.keys() & {*world.environ, "ANTHROPIC_API_KEY_FILE", "APPRISE_URLS", "KEY_OF_RADARR"}
    assert world.environ["RADARR_API_KEY"] not in found.values()


def test_undo_tells_too(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--undo tells which collections it has changed, and with --dry-run nothing; a command that fails fails nothing."""
    script = tmp_path / "tell.py"
    script.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.argv[1]); sys.exit(1)")
    world.collections(block("Noir"), block("Heist"))
    run(["--run-now", "--output", "json"], world.environ)
    run_id = json.loads(capsys.readouterr().out)["run_id"]
    environ = {**world.environ, "AFTER_CHANGES_COMMAND": f"{sys.executable} {script}"}

    assert run(["--undo", run_id, "--dry-run"], environ) == 0
    assert not (tmp_path / "told").exists()
    assert run(["--undo", run_id], environ) == 0
    assert (tmp_path / "told").read_text() == "Noir"


def test_one_run_tells_too(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--run-now tells when it has changed something, and not when it has not; a dry run never does."""
    script = tmp_path / "tell.py"
    script.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.argv[1])")
    environ = {**world.environ, "AFTER_CHANGES_COMMAND": f"{sys.executable} {script}"}

    codes = [run(arguments, environ) for arguments in (["--dry-run"], ["--run-now"], ["--run-now"])]
    capsys.readouterr()

    assert codes == [0, 0, 0]
    assert Path(tmp_path / "told").read_text() == "Noir"


ODD_NAMES = ["Crime | Passion", "A\0B", "A\nB", "A\u2028B", " Heist", "Heist ", "A\ud800B", "A\ufffdB", "x" * 2000]


async def test_names_that_cannot_be_told_stop_no_others(log: list[structlog.typing.EventDict]) -> None:
    """Kometa cuts at `|`, and no program can be given a zero byte: such names are left out, and logged."""
    receiver = Receiver()
    with serve(receiver.app) as url:
        show = command("import sys; print(sys.argv)")
        settings = Settings(after_changes_url=f"{url}/told", after_changes_command=show)
        await after_changes([*ODD_NAMES, "Noir", "Kumiho: 100%, 'x' \U0001f98a"], settings)

    assert receiver.told[0]["collections"] == ["Noir", "Kumiho: 100%, 'x' \U0001f98a"]
    events = [line["event"] for line in log]
    assert events == ["after_changes.left_out"] * len(ODD_NAMES) + ["after_changes.called", "after_changes.run"]
    assert all(line["why"] for line in log[: len(ODD_NAMES)])
    assert '"Noir|Kumiho' in log[-1]["output"]


async def test_nothing_is_told_where_no_name_is_left(log: list[structlog.typing.EventDict]) -> None:
    """Kometa without a name would run everything."""
    receiver = Receiver()
    with serve(receiver.app) as url:
        await after_changes(["A|B"], Settings(after_changes_url=f"{url}/told", after_changes_command=command("x")))

    assert receiver.told == []
    assert [line["event"] for line in log] == ["after_changes.left_out"]


async def test_a_name_that_looks_like_an_option_comes_last(log: list[structlog.typing.EventDict]) -> None:
    """At the beginning of the argument it would be taken for one."""
    await after_changes(["-1", "Noir"], Settings(after_changes_command=command("import sys; print(sys.argv)")))

    assert "'Noir|-1'" in log[-1]["output"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Processing: 1/2\rProcessing: 2/2\rSummary\n", "Summary\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r\r\nb", "a\nb"),
        ("one\rtwo", "two"),
        ("one\rtwo\r", "two"),
        ("\rx\n\ry", "x\ny"),
        ("", ""),
    ],
)
async def test_the_output_is_what_a_terminal_shows(
    tmp_path: Path, log: list[structlog.typing.EventDict], written: str, kept: str
) -> None:
    """A line that is written anew, again and again, is kept once."""
    script = tmp_path / "write.py"
    script.write_text(f"import os\nfor one in {written!r}: os.write(1, one.encode())")
    await after_changes(["Noir"], Settings(after_changes_command=f"{sys.executable} {script}"))

    assert log[-1]["output"] == kept


async def test_a_long_progress_leaves_the_summary(tmp_path: Path, log: list[structlog.typing.EventDict]) -> None:
    """Kometa writes its summary first and its progress last, which is on one line for a terminal."""
    script = tmp_path / "write.py"
    script.write_text(
        "import sys; sys.stdout.write('Summary: Noir, 12 added\\n' + "
        "''.join(f'Processing: {n}/50000 \u00e9\\r' for n in range(50000)))"
    )
    await after_changes(["Noir"], Settings(after_changes_command=f"{sys.executable} -X utf8 {script}"))

    assert log[-1]["output"] == "Summary: Noir, 12 added\nProcessing: 49999/50000 \u00e9"


def test_collections_with_a_schedule_are_not_told(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kometa would build them out of their time; neither after a run nor after an undo, and a template counts, too."""
    script = tmp_path / "tell.py"
    script.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.argv[1] + ';')")
    templates = "templates:\n  Winter:\n    schedule: range(12/01-12/31)\n"
    (world.kometa / "movies.yml").write_text(
        f"{templates}collections:\n{block('Noir')}{block('Christmas')}    schedule: range(12/01-12/31)\n"
        f"{block('Snow')}    template: {{name: Winter}}\n{block('1917').replace(chr(34), '')}"
    )
    for name in ("Noir", "Christmas", "Snow", "1917"):
        world.believe(name, [1])
    environ = {**world.environ, "AFTER_CHANGES_COMMAND": f"{sys.executable} {script}"}

    run(["--run-now", "--output", "json"], environ)
    report = json.loads(capsys.readouterr().out)
    run(["--undo", report["run_id"]], environ)

    assert {each["name"]: bool(each["added"]) for each in report["collections"]} == dict.fromkeys(
        ["Noir", "Christmas", "Snow", "1917"], True
    )
    assert (tmp_path / "told").read_text() == "Noir;Noir;"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_command_behind(world: World, tmp_path: Path, number: signal.Signals) -> None:
    """--run-now that is ended while the command runs ends the command, and what that has started."""
    begun, late = tmp_path / "begun", tmp_path / "late"
    script = tmp_path / "stay.sh"
    script.write_text(f"(sleep 3; touch {late}) & touch {begun}; sleep 60")
    environ = {**world.environ, "AFTER_CHANGES_COMMAND": f"sh {script}", "PATH": "/usr/bin:/bin"}
    with subprocess.Popen(
        [sys.executable, "-m", "kometa_ai", "--run-now"], env=environ, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        code = process.wait(30)
    time.sleep(3)

    assert code == 128 + number
    assert not late.exists()
