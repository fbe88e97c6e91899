"""The log's page: its newest lines, filters, hostile lines, and the whole file."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.web.pages.logs import entry_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemon.living import Beside
    from tests.run.world import World

AS_BROWSER = {"Accept": "text/html"}
LINES = (
    {"timestamp": "2026-03-01T03:00:00Z", "level": "debug", "event": "radarr.call", "run_id": "run-1"},
    {"timestamp": "2026-03-01T03:00:01Z", "level": "info", "event": "run.begun", "run_id": "run-1", "movies": 3},
    {"timestamp": "2026-03-01T03:00:02Z", "level": "warning", "event": "service.down", "why": "No <b>Answer</b>"},
    {"timestamp": "2026-03-01T03:00:03Z", "level": "error", "event": "x\u202e\x07y", "exception": "Traceback: secret"},
)


@pytest.fixture
def log(world: World) -> Path:
    """A log with four lines, the last one torn."""
    folder = world.folder / "logs"
    folder.mkdir()
    path = folder / "kometa-ai.log"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES) + '{"torn', encoding="utf-8")
    return path


async def _page(here: Beside, query: str = "") -> str:
    answered = await here.client.get(f"/logs{query}", headers=AS_BROWSER)
    assert answered.status_code == 200, answered.text
    return str(answered.text)


def _events(text: str) -> list[str]:
    return re.findall(r'<span class="strong">([^<]*)</span>', text.partition("<main")[2])


@pytest.mark.usefixtures("log")
async def test_the_newest_lines_come_first(here: Beside) -> None:
    """From `info` on, each value of a line as data, without what turns a line around and without stack traces."""
    text = await _page(here)

    assert _events(text) == ["x y", "service.down", "run.begun"]
    assert "No &lt;b&gt;Answer&lt;/b&gt;" in text
    assert "\u202e" not in text
    assert "Traceback" not in text
    assert "3 lines." in text


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("?level=debug", ["x y", "service.down", "run.begun", "radarr.call"]),
        ("?level=error", ["x y"]),
        ("?level=loud", ["x y", "service.down", "run.begun"]),
        ("?run=run-1&level=debug", ["run.begun", "radarr.call"]),
        ("?q=ANSWER", ["service.down"]),
        ("?q=%3Cscript%3E", []),
    ],
)
async def test_lines_can_be_chosen(here: Beside, query: str, events: list[str]) -> None:
    """By level, by run, by a text in any value; an unknown level is `info`; what was asked for stays in the form."""
    text = await _page(here, query)

    assert _events(text) == events
    assert ("No line fits." in text) == (not events)
    assert "<script>" not in text.replace('<script src="', "")


async def test_without_a_file_there_is_nothing(here: Beside) -> None:
    """No line, no download, and no fault."""
    text = await _page(here, "?level=debug")
    missing = await here.client.get("/logs/download", headers=AS_BROWSER)

    assert "Nothing was logged yet." in text
    assert missing.status_code == 404
    assert "There is no log file" in missing.text


async def test_a_file_that_is_no_file_is_said(here: Beside, world: World) -> None:
    """A link in its place is not followed."""
    folder = world.folder / "logs"
    folder.mkdir()
    (folder / "kometa-ai.log").symlink_to("/etc/passwd")
    text = await _page(here)
    refused = await here.client.get("/logs/download", headers=AS_BROWSER)

    assert "cannot be read" in text
    assert refused.status_code == 503
    assert "root:" not in refused.text


async def test_the_file_can_be_downloaded(here: Beside, log: Path) -> None:
    """As text, to be kept, exactly as it is."""
    before = await asyncio.to_thread(log.read_bytes)
    answered = await here.client.get("/logs/download")

    assert answered.content == before
    assert answered.headers["content-type"].startswith("text/plain")
    assert answered.headers["content-disposition"] == 'attachment; filename="kometa-ai.log"'
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    assert answered.headers["x-content-type-options"] == "nosniff"


async def test_the_log_is_for_who_has_signed_in(here: Beside) -> None:
    """No other visitor sees a line."""
    for path in ("/logs", "/logs/download"):
        answered = await here.bare.get(path, headers=AS_BROWSER)
        assert answered.status_code == 303
        assert "/login" in answered.headers["location"]


@pytest.mark.parametrize("when", ["", "yesterday", "2026-03-01T03:00:00", 5])
def test_a_line_without_a_time_has_none(when: object) -> None:
    """Whatever stands there, and a time without its zone, is no moment."""
    assert entry_of({"timestamp": when, "event": "x"}).at is None
