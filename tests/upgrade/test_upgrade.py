"""Today's program in the home of a user of 0.1: state, settings and compose file as that version left them."""

from __future__ import annotations

import json
import re
import signal
import time
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from kometa_ai.cli.main import run
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.variables import variables
from kometa_ai.state.loading import JOURNAL, SNAPSHOT
from kometa_ai.state.upgrades import SINCE_FORMAT_1
from tests.cli.test_waiting import token_in
from tests.daemon.living import PATIENCE, Living, daemon_process
from tests.shipping.smoke import RIGHTS
from tests.shipping.test_image import instructions
from tests.tls import PLAIN
from tests.upgrade.home import FIXTURE, OLD_STATE, Home, compose_environ, compose_service, given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A copy of that home, with its services."""
    with Home(tmp_path / "home") as made:
        yield made


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """What the last command printed as JSON."""
    return json.loads(capsys.readouterr().out)


def text_of(page: httpx2.Response) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


# Runs


@pytest.mark.parametrize("dry", [False, True], ids=["real", "dry"])
def test_the_first_run_asks_nothing_and_changes_nothing(
    home: Home, capsys: pytest.CaptureFixture[str], *, dry: bool
) -> None:
    """Exit code 0, no question, no tag written, no problem and no warning."""
    before = home.members()

    code = run(["--run-now", "--output", "json", *(["--dry-run"] if dry else [])], home.environ, is_watched=False)

    report = said(capsys)
    complaints = [each["what"] for each in (*report["problems"], *report["warnings"])]
    assert (code, report["outcome"]) == (0, "ok")
    assert [what for what in complaints if "127.0.0.1:9" not in what] == []  # 0.1 could not reach its mail server
    assert (home.claude.requests, home.radarr.writes) == ([], [])
    assert home.members() == before


def test_nothing_that_was_decided_is_lost(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Decisions, tag changes, spending, runs and the last success are those of 0.1; so are the pins, in their file."""
    run(["--dump-state"], home.environ, is_watched=False)
    before = said(capsys)
    run(["--run-now"], home.environ, is_watched=False)
    capsys.readouterr()
    run(["--dump-state"], home.environ, is_watched=False)
    after = said(capsys)
    run(["--pins", "--output", "json"], home.environ, is_watched=False)
    pins = said(capsys)

    decided = {key: movie["collections"] for key, movie in OLD_STATE["decisions"].items()}
    assert {key: movie["collections"] for key, movie in before["decisions"].items()} == decided
    assert {key: movie["collections"] for key, movie in after["decisions"].items()} == decided
    assert [change["key"] for change in before["tag_changes"]] == [
        f"movie:{change['tmdb_id']}" for change in OLD_STATE["tag_changes"]
    ]
    assert before["spending"] == OLD_STATE["spending"]
    assert before["last_successful_run"] == OLD_STATE["last_successful_run"]
    assert [each["run_id"] for each in before["runs"]] == [each["run_id"] for each in OLD_STATE["runs"]]
    listed = (FIXTURE / "pins-as-0.1-listed-them.txt").read_text(encoding="utf-8").splitlines()
    assert len(pins) == len(listed) == 2
    assert {f"tmdb:{pin['tmdb_id']}" for pin in pins} == {line.split()[3] for line in listed}


def test_what_stood_in_the_way_of_its_mails_is_gone(home: Home) -> None:
    """Reports that 0.1 could not deliver go out with the first one."""
    run(["--run-now"], home.environ, is_watched=False)

    (mail,) = home.mailbox.received
    text = str(BytesParser(policy=policy.default).parsebytes(bytes(mail.message)).get_body(("plain",)))
    assert text.count("NOT DELIVERED BEFORE") == 4


def test_a_run_of_that_time_can_be_taken_back(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run of 0.1 added six movies; its undo takes their tags off and pins them out."""
    first = min((home.state_dir / "runs").iterdir()).stem

    code = run(["--undo", first], home.environ, is_watched=False)
    run(["--run-now", "--output", "json"], home.environ, is_watched=False)

    assert code == 0
    assert "6 movies" in capsys.readouterr().out
    assert home.members() == {"caper": {1015}, "kai-film-noir": set(), "kai-heists": {1015}, "kai-war": {1008}}
    assert home.claude.requests == []


# The log


@contextmanager
def living(home: Home) -> Iterator[Living]:
    """The daemon as the compose file starts it: with the key that 0.1 has made."""
    with daemon_process(home, HTTP_API_KEY="") as started:
        yield started


def test_what_has_changed_is_told_once(home: Home) -> None:
    """The daemon tells it as it starts, all of it; neither its second start nor a run tells it again."""
    with living(home) as daemon:
        daemon.wait_for("daemon.ready")
        daemon.end(signal.SIGTERM)
    told = home.logged("upgrade.difference")
    with living(home) as daemon:
        daemon.wait_for("daemon.ready")
        daemon.end(signal.SIGTERM)
    run(["--run-now"], home.environ, is_watched=False)

    begun = home.logged("upgrade.begun")
    assert [(line["before"], line["read"]) for line in begun] == [("0.1.0", "docs/changes.md")]
    assert [(line["what"], line["remedy"]) for line in told] == list(SINCE_FORMAT_1)
    assert home.logged("upgrade.difference") == told


def test_a_run_tells_it_where_no_daemon_has(home: Home) -> None:
    """Whoever calls `--run-now` from cron finds it in the log of the first run, and of no other; looks tell nothing."""
    for command in (["--check-config"], ["--explain", "Movie 0 (1950)"], ["--dump-state"]):
        run(command, home.environ, is_watched=False)
    before = home.logged("upgrade.difference")

    for _ in range(2):
        run(["--run-now"], home.environ, is_watched=False)

    assert before == []
    assert len(home.logged("upgrade.difference")) == len(SINCE_FORMAT_1)


def test_who_begins_with_this_version_is_told_nothing(home: Home) -> None:
    """Without a state there is nothing that could have been different."""
    for path in home.state_dir.glob("kometa_state*"):
        path.unlink()

    run(["--run-now"], home.environ, is_watched=False)

    assert home.logged("upgrade.difference") == []


def test_a_damaged_state_is_left_to_the_run_that_reports_it(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """The start of the daemon repairs nothing; the run does, says so, and tells what has changed."""
    path = home.state_dir / SNAPSHOT
    path.write_bytes(path.read_bytes()[:-100])
    damaged = path.read_bytes()
    with living(home) as daemon:
        daemon.wait_for("daemon.ready")
        daemon.end(signal.SIGTERM)
    before = path.read_bytes(), home.logged("upgrade.difference")

    code = run(["--run-now", "--output", "json"], home.environ, is_watched=False)

    assert before == (damaged, [])
    assert code == 1
    assert ["restored from" in each["what"] for each in said(capsys)["problems"]] == [True]
    assert len(home.logged("upgrade.difference")) == len(SINCE_FORMAT_1)


def test_a_state_that_cannot_be_read_does_not_end_the_daemon(home: Home) -> None:
    """Its start says what is in the way; it lives, as each run will say the same."""
    (home.state_dir / JOURNAL).symlink_to(home.state_dir / "elsewhere")

    with living(home) as daemon:
        line = daemon.wait_for("state.not_migrated")
        daemon.wait_for("daemon.ready")

    assert JOURNAL in line["why"] or "link" in line["why"]
    assert line["remedy"]


# The page


def test_the_page_is_there_at_once_behind_the_key_that_they_have(home: Home) -> None:
    """With the key of 0.1 as the password it shows collections and the past before a run of today, then the movies."""
    key = (home.state_dir / "api_key").read_text(encoding="ascii").strip()

    with living(home) as daemon:
        daemon.wait_for("daemon.ready")
        headers = {"Accept": "text/html"}
        with httpx2.Client(
            verify=PLAIN, base_url=daemon.url, headers=headers, follow_redirects=True, timeout=20
        ) as browser:
            form = browser.get("/")
            signed_in = browser.post("/login", data={"password": key, "token": token_in(form.text), "next": "/"})
            movie = browser.get("/movies/1004")
            runs = browser.get("/runs")
            before = browser.get("/collections/film-noir")
            run(["--run-now"], home.environ, is_watched=False)
            end = time.monotonic() + PATIENCE  # the daemon looks at the state from time to time
            while "Movie 2" not in (after := browser.get("/collections/film-noir")).text and time.monotonic() < end:
                time.sleep(0.05)
        status = httpx2.get(f"{daemon.url}/api/v1/status", headers={"X-Api-Key": key}, timeout=20).json()

    assert "Sign in" in form.text
    assert "Film Noir" in signed_in.text
    assert "put into Film Noir in Radarr" in text_of(movie)
    assert "No run has read the libraries yet" in before.text
    assert "Movie 2" in after.text
    assert runs.text.count("/runs/2026") >= len(OLD_STATE["runs"])
    assert (status["movies"], status["collections"], status["members"]) == (18, 3, 8)


# Settings


def test_every_setting_of_that_time_is_read_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    """Each variable is still one, and its value means the same; nothing is missing, and nothing is warned of."""
    environ = given("every-setting.json")
    run(["--dump-config"], environ, is_watched=False)
    now = said(capsys)["settings"]

    assert load_settings(environ).warnings == ()
    assert given("every-setting-as-0.1-read-it.json") == {name: now[name] for name in environ}


@pytest.mark.parametrize("name", ["CLAUDE_API_KEY", "CLAUDE_BASE_URL"])
def test_the_other_names_are_still_known(name: str) -> None:
    """Anthropic's names of two variables, and the form of each that names a file."""
    assert variables()[name].alias == name.replace("CLAUDE", "ANTHROPIC")
    environ = given("every-setting.json")
    environ[name.replace("CLAUDE", "ANTHROPIC")] = environ.pop(name)

    assert load_settings(environ).warnings == ()


def test_every_setting_may_still_be_in_a_file(tmp_path: Path) -> None:
    """`X_FILE` is read for each variable of that time."""
    environ = given("every-setting.json")
    for name, value in environ.items():
        (tmp_path / name).write_text(value, encoding="utf-8")

    loaded = load_settings({f"{name}_FILE": str(tmp_path / name) for name in environ})

    assert loaded.warnings == ()
    assert loaded.settings == load_settings(environ).settings


def test_no_default_has_changed_unnoticed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not set means the same for a user of Claude and one Radarr, but for what names its number itself."""
    run(["--dump-config"], {}, is_watched=False)
    now = said(capsys)["settings"]
    before = given("no-setting-as-0.1-read-it.json")

    different = {name for name in before if now[name] != before[name]}
    assert different <= {"BATCH_SIZE", "MAX_CONCURRENT_REQUESTS", "SMTP_FROM"}
    settings = load_settings(given("every-setting.json") | {"BATCH_SIZE": "", "MAX_CONCURRENT_REQUESTS": ""}).settings
    assert (settings.batch_size, settings.max_concurrent_requests) == (None, None)


def test_the_compose_file_of_that_time_starts_this_image() -> None:
    """Its settings are right together, its folders are the image's, its rights those that the image is tried with."""
    service = compose_service()
    (declared,) = [json.loads(text) for name, text in instructions("Dockerfile") if name == "VOLUME"]
    (exposed,) = [text for name, text in instructions("Dockerfile") if name == "EXPOSE"]

    loaded = load_settings(compose_environ())

    assert (loaded.warnings, loaded.hints) == ((), ())
    assert [volume.split(":")[1] for volume in service["volumes"]] == declared
    assert [port.split(":")[1] for port in service["ports"]] == [exposed]
    assert (service["cap_drop"], tuple(service["cap_add"])) == (["ALL"], RIGHTS)
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])  # noqa: S108 - the container's
