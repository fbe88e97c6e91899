"""Run the health check for Docker; it imports next to nothing, since Docker asks every few minutes."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.daemon import heartbeat
from kometa_ai.settings.lookup import state_folder
from kometa_ai.state import files

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
    if age is None and (error := files.hindrance(folder)) is not None:
        what = f"{folder} cannot be written: {error.strerror}. {files.remedy_for(error)}"
        return _Found(is_healthy=False, what=what)
    if age is None:
        return _Found(is_healthy=True, what=f"{folder} can be written; no daemon lives there.")
    problem, note = _problem_of(folder, age)
    sign = f"the daemon gave a sign of life {abs(age):.0f} s ago."
    return _Found(is_healthy=not problem, what=problem or f"{sign} {note}".rstrip())


def _problem_of(folder: Path, age: float) -> tuple[str, str]:
    """What is wrong with the daemon by its heartbeat, empty if nothing is; and what it notes without being ill."""
    place = folder / heartbeat.NAME
    try:
        details = heartbeat.details(folder)
    except heartbeat.NotWritten as error:
        remedy = "a daemon that lives puts its own there within 15 seconds; if it does not, remove the file."
        return f"{place} is not what a daemon writes ({error}): {remedy}", ""
    except OSError as error:
        return f"{place} cannot be read: {error.strerror}.", ""
    if age <= -heartbeat.LONGEST:
        what = f"{place} is {-age:.0f} s ahead of the clock, and no daemon has written it anew since: none lives there."
        return f"{what} Start the daemon, or remove the file.", ""
    if age >= heartbeat.LONGEST:
        return f"the daemon has given no sign of life for {age:.0f} s: it is stuck, or cannot write {folder}.", ""
    return details.get("problem", ""), details.get("note", "")
