"""What the health check reads from the daemon's heartbeat file."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from kometa_ai.daemon import heartbeat
from kometa_ai.daemon.pulse import Pulse

if TYPE_CHECKING:
    from pathlib import Path

NEXT = datetime(2026, 12, 1, 3, tzinfo=UTC)


def test_the_next_run_of_a_daemon_that_lives(tmp_path: Path) -> None:
    """Whoever runs beside the daemon can tell when it runs next; a stuck or ended one has no next run."""
    assert heartbeat.next_run(tmp_path) is None
    heartbeat.beat(tmp_path, {"next_run": NEXT.isoformat()})
    assert heartbeat.next_run(tmp_path) == NEXT
    long_ago = time.time() - heartbeat.LONGEST - 10
    os.utime(tmp_path / heartbeat.NAME, (long_ago, long_ago))
    assert heartbeat.next_run(tmp_path) is None
    heartbeat.end(tmp_path)
    assert heartbeat.next_run(tmp_path) is None


ODD = {
    "empty": b"",
    "zeros": bytes(200),
    "no JSON": b"alive",
    "no text": b"\xff\xfe\x00",
    "a list": b"[1]",
    "nothing in it": b"{}",
    "no process": b'{"problem": "", "next_run": null, "running": false}',
    "process 0": b'{"pid": 0}',
    "a process below zero": b'{"pid": -7}',
    "a huge process": b'{"pid": 99999999999999999999}',
    "a process that is true": b'{"pid": true}',
    "a process in words": b'{"pid": "7"}',
    "part of a process": b'{"pid": 7.5}',
    "a problem that is none": b'{"pid": 7, "problem": null}',
    "a problem that is a list": b'{"pid": 7, "problem": ["A run hangs."]}',
    "running as a word": b'{"pid": 7, "running": "no"}',
    "a time in words": b'{"pid": 7, "next_run": "soon"}',
    "a time without a zone": b'{"pid": 7, "next_run": "2026-12-01T03:00:00"}',
    "no number": b'{"pid": 7, "radarr": NaN}',
    "too deep": b"[" * 60_000,
    "too large": b'{"pid": 7, "radarr": "' + b"x" * (1 << 17) + b'"}',
}
"""What no daemon writes."""


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_what_no_daemon_writes_is_no_heartbeat(tmp_path: Path, content: bytes) -> None:
    """It is refused with a reason, however young it is, and names no next run."""
    (tmp_path / heartbeat.NAME).write_bytes(content)

    with pytest.raises(heartbeat.NotWritten):
        heartbeat.details(tmp_path)
    assert heartbeat.read(tmp_path) == {}
    assert heartbeat.next_run(tmp_path) is None


def test_what_a_daemon_writes_is_read(tmp_path: Path) -> None:
    """All of its details come back, and its process."""
    details = {"problem": "", "next_run": None, "running": True, "radarr-4k": "ok", "claude": "unknown"}
    heartbeat.beat(tmp_path, details)

    assert heartbeat.details(tmp_path) == {**details, "pid": os.getpid()}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"next_run": null}', '{"next_run": "soon"}', '{"next_run": 7}'])
def test_a_sign_that_cannot_be_read_names_no_run(tmp_path: Path, text: str) -> None:
    """Nobody's run fails for it."""
    (tmp_path / heartbeat.NAME).write_text(text)
    assert heartbeat.next_run(tmp_path) is None


async def no_details() -> dict[str, object]:
    """What a daemon tells that has nothing to tell."""
    return {}


async def test_two_daemons_in_one_folder_notice_each_other(tmp_path: Path) -> None:
    """Each says so once in the log, and as long as the other lives; one that was killed before is no company."""
    old = Pulse(tmp_path, no_details)
    await old.beat()
    one, other = Pulse(tmp_path, no_details), Pulse(tmp_path, no_details)
    with capture_logs() as log:
        await one.beat()
        alone = one.company
        await other.beat()
        await one.beat()
        await other.beat()
        await one.beat()
        met = one.company, other.company
        await other.end()
        await one.beat()
        await one.beat()

    assert alone == ""
    assert all("Another daemon lives in STATE_DIR" in each and f"process {os.getpid()} on" in each for each in met)
    assert [line["event"] for line in log] == ["daemon.not_alone"] * 2
    assert one.company == ""
