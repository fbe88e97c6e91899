"""The daemon as a process: how it starts, lives and ends, seen from outside."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.container import FOLDERS, OURS
from kometa_ai.cli.main import run
from kometa_ai.standins.faults import answer
from kometa_ai.state.store import Store
from tests.daemon.living import KEY, PATIENCE, Living, daemon_process, free_port
from tests.run.world import World, block, movies
from tests.state.making import NOW, described, judged

if TYPE_CHECKING:
    from tests.daemon.living import Living


def _wait_for_run(living: Living, count: int = 1) -> None:
    living.wait_for("run.ended", count)
    end = time.monotonic() + PATIENCE
    while living.call("GET", "/api/v1/status").json()["status"] == "running" and time.monotonic() < end:
        time.sleep(0.02)


def _wait_for_question(world: World) -> None:
    end = time.monotonic() + PATIENCE
    while not world.claude.in_flight and time.monotonic() < end:
        time.sleep(0.02)


def test_it_starts_runs_when_asked_and_ends_within_a_second(world: World) -> None:
    """The daemon answers, does the run it is asked for, and is gone within a second of SIGTERM, with exit code 0."""
    with daemon_process(world) as living:
        assert living.call("GET", "/ping").json() == {"status": "OK"}
        assert living.call("POST", "/api/v1/runs").status_code == 202
        _wait_for_run(living)
        code, seconds = living.end(signal.SIGTERM)

    assert world.numbers("kai-noir") == {0, 1, 2}
    assert code == 0
    assert seconds < 1
    assert not (world.state_dir / "heartbeat").exists()


def test_its_files_are_those_that_a_container_hands_over(world: World) -> None:
    """Whatever it writes into the state folder and the log folder is what an image started as root gives to PUID."""
    with daemon_process(world) as living:
        living.call("POST", "/api/v1/runs")
        _wait_for_run(living)
        folders = [world.state_dir, *{path.parent for path in world.folder.rglob("kometa-ai.log")}]
        names = {path.name for folder in folders for path in folder.iterdir()}

    assert {"kometa_state.json", "choices.json", "heartbeat", "lock", "runs", "libraries", "kometa-ai.log"} <= names
    assert [name for name in names if name not in FOLDERS and not any(fnmatch(name, mine) for mine in OURS)] == []


def test_a_signal_during_a_run_keeps_what_was_paid_for(world: World) -> None:
    """SIGTERM in a run: the answer on its way is taken, the exit code is 143, and the next run does not ask again."""
    world.claude.latency = 1.0
    with daemon_process(world, BATCH_SIZE="4", MAX_CONCURRENT_REQUESTS="1") as living:
        living.call("POST", "/api/v1/runs")
        _wait_for_question(world)
        code, seconds = living.end(signal.SIGTERM)
    world.claude.latency = 0.0
    asked = len(world.asked())

    report = world.run()

    assert code == 143
    assert seconds < 8
    assert 0 < asked < 12
    assert asked + report.asked == 12
    assert world.numbers("kai-noir") == {0, 1, 2}


def test_a_second_signal_ends_at_once(world: World) -> None:
    """Who cannot wait for the answers on their way sends a second signal."""
    world.claude.latency = 5.0
    with daemon_process(world) as living:
        living.call("POST", "/api/v1/runs")
        _wait_for_question(world)
        living.process.send_signal(signal.SIGINT)
        living.wait_for("run.interrupted")
        code, seconds = living.end(signal.SIGINT)

    assert code == 130
    assert seconds < 1


def test_services_that_are_down_are_a_warning(world: World) -> None:
    """Radarr and Claude refuse the keys: the daemon starts all the same, says so, and is healthy."""
    world.radarr.faults.inject(answer(401), path="*", times=None)
    with daemon_process(world, CLAUDE_API_KEY="wrong") as living:
        summary = living.wait_for("daemon.ready")["summary"]
        down = {line["service"] for line in living.lines if line["event"] == "service.down"}
        health = living.call("GET", "/health")
        check = _health_check(world)

    assert down == {"Radarr", "Claude"}
    assert "API key" in summary
    assert ".." not in summary
    assert health.status_code == 200
    assert (health.json()["radarr"], health.json()["model"]) == ("down", "down")
    assert check.returncode == 0


def _health_check(world: World) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--health-check", "--output", "json"],
        env=world.environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_stopped_loop_is_unhealthy(world: World) -> None:
    """A daemon that gives no sign of life any more is unhealthy."""
    (world.state_dir / "heartbeat").write_text('{"pid": 1}')
    fresh = _health_check(world)
    os.utime(world.state_dir / "heartbeat", (time.time() - 100, time.time() - 100))
    stale = _health_check(world)

    assert (fresh.returncode, stale.returncode) == (0, 1)
    assert json.loads(stale.stdout)["status"] == "Error"


def test_the_health_check_loads_next_to_nothing(world: World) -> None:
    """Beside a daemon that lives: click and ours, nothing slow of Python's own; without one: no SDK, no server."""
    beside = _loaded_by_the_health_check(world)
    (world.state_dir / "heartbeat").write_text('{"pid": 1}')
    alive = _loaded_by_the_health_check(world)

    assert {name.partition(".")[0] for name in alive} - sys.stdlib_module_names == {"click", "kometa_ai"}
    assert alive.isdisjoint({"asyncio", "email", "http", "logging", "socket", "ssl", "subprocess", "zoneinfo"})
    assert beside.isdisjoint({"anthropic", "asyncio", "fastapi", "httpx2", "openai", "structlog"})


@pytest.mark.parametrize(("provider", "told"), [("claude", "Claude: claude-"), ("openai", "127.0.0.1:")])
def test_a_start_loads_no_sdk(world: World, provider: str, told: str) -> None:
    """Until a question is asked, no SDK of a model is there, nor what sends notifications; the models are looked at."""
    code = (
        "import atexit, os, sys\nfrom kometa_ai.cli.main import run\n"
        "atexit.register(lambda: print(*(name for name in sys.modules if '.' not in name)))\nrun([], os.environ)"
    )
    log = world.folder / "daemon.log"
    environ = {
        **world.environ,
        "HTTP_PORT": str(free_port()),
        "LLM_PROVIDER": provider,
        "OPENAI_API_KEY": "key-of-a-test",
        "OPENAI_BASE_URL": f"{world.environ['CLAUDE_BASE_URL']}/v1",
    }
    with log.open("w", encoding="utf-8") as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own code
            [sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        living = Living(process, "", log)
        try:
            summary = living.wait_for("daemon.ready")["summary"]
            process.terminate()
            loaded = set(process.communicate(timeout=PATIENCE)[0].split())
        finally:
            process.kill()

    assert told in summary
    assert {"fastapi", "httpx2"} <= loaded
    assert loaded.isdisjoint({"anthropic", "openai", "apprise"})


def _loaded_by_the_health_check(world: World) -> set[str]:
    code = (
        "import sys\nbefore = set(sys.modules)\nimport os\nfrom kometa_ai.cli.main import run\n"
        "assert run(['--health-check'], os.environ) == 0\nprint(*(set(sys.modules) - before))"
    )
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], env=world.environ, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_key_is_made_once_and_never_shown(world: World) -> None:
    """Without HTTP_API_KEY the daemon makes a key that only its user can read, keeps it, and never logs it."""
    key_file = world.state_dir / "api_key"
    with daemon_process(world, HTTP_API_KEY="", DEBUG_LOGGING="true") as living:
        key = key_file.read_text().strip()
        refused = living.call("GET", "/api/v1/status")
        allowed = living.call("GET", f"/api/v1/status?apikey={key}", headers={"X-Api-Key": key})
    with daemon_process(world, HTTP_API_KEY=""):
        kept = key_file.read_text().strip()
    logged = (world.folder / "logs" / "kometa-ai.log").read_text() + (world.folder / "daemon.log").read_text()

    assert key_file.stat().st_mode & 0o777 == 0o600
    assert len(key) == 32
    assert (refused.status_code, allowed.status_code) == (401, 200)
    assert kept == key
    assert key not in logged
    assert KEY not in logged


def test_a_taken_port_is_a_wrong_setting(world: World) -> None:
    """A second daemon on the same port ends with exit code 2, and the message names the setting."""
    with daemon_process(world) as living:
        port = living.url.rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "kometa_ai"],
            env={**world.environ, "HTTP_PORT": port},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    assert second.returncode == 2
    assert "HTTP_PORT" in second.stderr


@pytest.mark.parametrize("option", ["--force-refresh", "--allow-removals", "--accept-library"])
def test_options_for_one_run_are_refused(world: World, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever forgets --run-now gets no daemon that does something else than was asked for."""
    assert run([option], world.environ) == 2
    assert "--run-now" in capsys.readouterr().err


def _resident(living: Living) -> int:
    """Bytes of memory that a daemon uses."""
    pages = (Path("/proc") / str(living.process.pid) / "statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_runs_do_not_add_up_in_memory(tmp_path: Path) -> None:
    """The state has nearly forty megabytes; after three runs the daemon uses little more than before them."""
    count, names = 1500, [f"C{number}" for number in range(6)]
    with World(tmp_path, movies(count, tags=("known",))) as world:
        world.collections(*(block(name, exclude_tags="[known]") for name in names))
        store, numbers = Store.load(world.state_dir), range(1000, 1000 + count)
        verdicts = [judged(number, name.lower(), reasoning=f"{number}" * 1000) for number in numbers for name in names]
        store.record(*map(described, numbers), *verdicts)
        store.save(NOW)
        with daemon_process(world) as living:
            living.wait_for("daemon.ready")
            used = [_resident(living)]
            for runs in (1, 2, 3):
                living.call("POST", "/api/v1/runs")
                _wait_for_run(living, runs)
                used.append(_resident(living))
            most = used[0] + (40 << 20)
            end = time.monotonic() + PATIENCE
            while _resident(living) > most and time.monotonic() < end:
                time.sleep(0.1)

            assert _resident(living) < most, used
