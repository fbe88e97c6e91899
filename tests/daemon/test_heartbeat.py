"""What the health check reads from the daemon's heartbeat file."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from kometa_ai.daemon import heartbeat

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


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"next_run": null}', '{"next_run": "soon"}', '{"next_run": 7}'])
def test_a_sign_that_cannot_be_read_names_no_run(tmp_path: Path, text: str) -> None:
    """Nobody's run fails for it."""
    (tmp_path / heartbeat.NAME).write_text(text)
    assert heartbeat.next_run(tmp_path) is None
