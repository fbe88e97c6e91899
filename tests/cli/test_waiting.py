"""A program that waits for its settings, as the image starts it: seen from outside, and its parts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

from kometa_ai.cli.main import run
from kometa_ai.cli.waiting import wait_for_settings
from kometa_ai.errors import RepairState
from tests.daemon.living import KEY, PATIENCE, Living, free_port
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.run.world import World

PASSWORD = "open-sesame-please"
SECRET = "sk-ant-in-the-wrong-place"


@contextmanager
def waiting_process(world: World, **changed: str) -> Iterator[Living]:
    """The program as the image starts it, once it has said that it waits."""
    port = free_port()
    environ = {**os.environ, **world.environ, "HTTP_PORT": str(port), "HTTP_API_KEY": KEY, **changed}
    log = world.folder / "daemon.log"
    with (
        log.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "kometa_ai", "--wait"], env=environ, stderr=stderr, text=True
        ) as process,
    ):
        try:
            living = Living(process, f"http://127.0.0.1:{port}", log)
            living.wait_for("daemon.waiting")
            living.wait_for("http.listening")
            yield living
        finally:
            process.kill()


@contextmanager
def signed_in(living: Living) -> Iterator[httpx2.Client]:
    """A browser that has signed in with the password."""
    with httpx2.Client(
        verify=PLAIN, base_url=living.url, headers={"Accept": "text/html"}, follow_redirects=True, timeout=PATIENCE
    ) as browser:
        form = browser.get("/")
        assert "Sign in" in form.text
        browser.post("/login", data={"password": PASSWORD, "token": token_in(form.text), "next": "/start"})
        yield browser


def token_in(text: str) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="token" value="([^"]+)"', text)
    assert found
    return found[1]


def test_a_missing_key_is_waited_for_and_then_the_daemon_lives(world: World) -> None:
    """/ping answers, /health is 503, the page is behind the sign-in; a secret's file mends it, in the same process."""
    secret = world.folder / "claude_key"
    changed = {"CLAUDE_API_KEY": "", "CLAUDE_API_KEY_FILE": str(secret), "WEB_PASSWORD": PASSWORD}
    with waiting_process(world, **changed) as living, signed_in(living) as browser:
        ping, health = living.call("GET", "/ping"), living.call("GET", "/health")
        status = living.call("GET", "/api/v1/status")
        stranger = httpx2.get(f"{living.url}/start", headers={"Accept": "text/html"})
        page = browser.get("/collections")
        secret.write_text("key")
        mended = browser.post("/looks/doctor", data={"token": token_in(page.text)})
        living.wait_for("daemon.ready")
        well = living.call("GET", "/health")
        same = browser.get("/settings")
        code, _ = living.end(signal.SIGTERM)

    assert ping.json() == {"status": "OK"}
    assert (health.status_code, health.json()["status"]) == (503, "Error")
    assert health.json()["problem"] == "One setting is missing or wrong: CLAUDE_API_KEY."
    assert (status.status_code, status.json()["error"]) == (503, health.json()["problem"])
    assert (stranger.status_code, "/login" in stranger.headers["location"]) == (303, True)
    assert "CLAUDE_API_KEY_FILE" in page.text
    assert "All settings are there" in mended.text
    assert well.status_code == 200
    assert same.status_code == 200
    assert "CLAUDE_MODEL" in same.text
    assert code == 0


def test_all_that_is_wrong_is_told_at_once_and_no_value_to_strangers(world: World) -> None:
    """In the log and on the page; whoever has not signed in gets the names alone. A hidden value stays hidden."""
    changed = {"CLAUDE_API_KEY": "", "RADARR_URL": SECRET, "BATCH_SIZE": "many", "WEB_PASSWORD": PASSWORD}
    with waiting_process(world, **changed) as living, signed_in(living) as browser:
        health = living.call("GET", "/health")
        page = browser.get("/")
        told = [line for line in living.lines if line["event"] == "settings.problem"]
        living.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        again = [line for line in living.lines if line["event"] == "settings.problem"]

    names = {"CLAUDE_API_KEY", "RADARR_URL", "BATCH_SIZE"}
    assert {line["source"] for line in told} == names
    assert all(line["remedy"] for line in told)
    assert again == told
    assert all(name in health.json()["problem"] for name in names)
    assert SECRET not in health.text
    assert "many" not in health.text
    assert "&#39;many&#39; is not a whole number" in page.text
    assert "RADARR_URL: http://radarr:7878" in page.text
    assert "CLAUDE_API_KEY: ${CLAUDE_API_KEY:?put it into .env}" in page.text
    assert world.environ["RADARR_API_KEY"] not in page.text


def test_a_killed_daemon_does_not_make_it_healthy(world: World) -> None:
    """The heartbeat that it left is no sign of life of what waits now: the health check names the setting."""
    (world.state_dir / "heartbeat").write_text("{}")
    with waiting_process(world, CLAUDE_API_KEY=""):
        checked = subprocess.run(
            [sys.executable, "-m", "kometa_ai", "--health-check"],
            env={**world.environ, "CLAUDE_API_KEY": ""},
            capture_output=True,
            text=True,
            check=False,
        )

    assert (checked.returncode, "CLAUDE_API_KEY" in checked.stderr) == (2, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_at_once(world: World, number: int, code: int) -> None:
    """With the code of an interrupted program."""
    with waiting_process(world, CLAUDE_API_KEY="") as living:
        ended, seconds = living.end(number)

    assert ended == code
    assert seconds < 1


def test_without_a_page_there_is_health_alone(world: World) -> None:
    """WEB_LOGIN=off: the key reaches what there is of the API; nobody else anything."""
    with waiting_process(world, CLAUDE_API_KEY="", WEB_LOGIN="off") as living:
        health, known = living.call("GET", "/health"), living.call("GET", "/start")
        stranger = httpx2.get(f"{living.url}/start", headers={"Accept": "text/html"})

    assert (health.status_code, known.status_code, stranger.status_code) == (503, 503, 401)


def test_without_wait_it_ends_with_2(world: World) -> None:
    """Outside of the image the promise stands: wrong settings are exit code 2, all of them at once."""
    environ = {**world.environ, "CLAUDE_API_KEY": "", "BATCH_SIZE": "many"}
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai"], env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert ended.returncode == 2
    assert "CLAUDE_API_KEY" in ended.stderr
    assert "BATCH_SIZE" in ended.stderr


def test_other_commands_do_not_wait(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The image gives --wait to whatever it is started with; only the daemon waits."""
    assert run(["--wait", "--dump-config"], {**world.environ}) == 0
    assert run(["--wait", "--check-config"], {**world.environ, "CLAUDE_API_KEY": ""}) == 2
    assert run(["--wait", "--run-now"], {**world.environ, "CLAUDE_API_KEY": ""}) == 2
    assert "CLAUDE_API_KEY" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_written_ends_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no place for the keys of a page: what is missing is in the log, and one sentence says why it ends."""
    blocked = world.folder / "file"
    blocked.write_text("")
    environ = {**world.environ, "CLAUDE_API_KEY": "", "STATE_DIR": str(blocked / "state")}
    with pytest.raises(RepairState) as caught:
        wait_for_settings(environ)

    assert str(blocked) in caught.value.message
    assert run(["--wait"], environ) == 5
    assert "CLAUDE_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("has_server", [True, False])
def test_it_looks_again_by_itself(world: World, capsys: pytest.CaptureFixture[str], *, has_server: bool) -> None:
    """A file that comes, with what is wrong in it told anew, and then the right one; no server where none is wanted."""
    secret = world.folder / "size"
    port = str(free_port() if has_server else 0)
    environ = {**world.environ, "BATCH_SIZE_FILE": str(secret), "HTTP_PORT": port, "LOG_FORMAT": "json"}

    def write(text: str) -> None:
        # At once: a look between the making of a file and its writing would find an empty one.
        draft = secret.with_suffix(".new")
        draft.write_text(text)
        draft.replace(secret)

    def mend() -> None:
        time.sleep(0.3)
        write("many")
        time.sleep(0.3)
        write("20")

    mending = threading.Thread(target=mend)
    mending.start()
    wait_for_settings(environ, every=0.05)
    mending.join()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    assert [line["event"] for line in lines].count("daemon.waiting") == 2
    assert any("'many' is not a whole number" in line.get("what", "") for line in lines)
    assert lines[-1]["event"] == "settings.in_order"
    assert any(line["event"] == "http.listening" for line in lines) == has_server


def test_settings_in_order_are_not_waited_for(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is said, and no key is made, so nothing was served."""
    wait_for_settings(world.environ)

    assert capfd.readouterr() == ("", "")
    assert list(world.state_dir.iterdir()) == []
