"""Run the health check for Docker; it imports next to nothing, since Docker asks every few minutes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.daemon import heartbeat
from kometa_ai.settings.lookup import state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.cli.call import Call


class _Found(NamedTuple):
    is_healthy: bool
    what: str


def check(call: Call) -> int:
    """Check that the daemon's loop is alive and can write its state; Radarr and the model may be down meanwhile.

    Without a daemon, check that the settings can be read and the state folder can be written. Returns the exit code.
    """
    folder = state_folder(call.environ)
    if folder is None or not heartbeat.is_alive(folder):
        # A daemon that lives has read its settings; to read them here would be most of this command's time.
        from kometa_ai.settings.environment import REQUIRED, load_settings  # noqa: PLC0415

        folder = load_settings(call.environ, required=REQUIRED).settings.state_dir
    found = _look(folder)
    state = "OK" if found.is_healthy else "Error"
    if call.given["output"] == "json":
        details = {**heartbeat.read(folder), "status": state, "what": found.what, "state_dir": str(folder)}
        print(json.dumps(details))  # noqa: T201 - the result
    else:
        print(f"{state}: {found.what}")  # noqa: T201 - the result
    return 0 if found.is_healthy else 1


def _look(folder: Path) -> _Found:
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return _Found(is_healthy=False, what=f"{folder} cannot be written: mount a folder there, or set STATE_DIR.")
    age = heartbeat.age(folder)
    if age is None:
        return _Found(is_healthy=True, what=f"{folder} can be written; no daemon lives there.")
    problem = heartbeat.read(folder).get("problem")
    if age < heartbeat.LONGEST and problem:
        return _Found(is_healthy=False, what=str(problem))
    if age < heartbeat.LONGEST:
        return _Found(is_healthy=True, what=f"the daemon gave a sign of life {age:.0f} s ago.")
    return _Found(
        is_healthy=False,
        what=f"the daemon has given no sign of life for {age:.0f} s: it is stuck, or cannot write {folder}.",
    )
