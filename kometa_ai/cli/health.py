"""The health check. Docker asks every few minutes and waits for it, so it imports next to nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kometa_ai.settings.environment import REQUIRED, load_settings

if TYPE_CHECKING:
    from kometa_ai.cli.main import Call


def check(call: Call) -> int:
    """Whether the program could do its work: settings that can be read, and a state folder that can be written."""
    folder = load_settings(call.environ, required=REQUIRED).settings.state_dir
    is_healthy = folder.is_dir() and os.access(folder, os.W_OK)
    state = "OK" if is_healthy else "Error"
    if call.given["output"] == "json":
        import json  # noqa: PLC0415

        print(json.dumps({"status": state, "state_dir": str(folder)}))  # noqa: T201 - the result
    else:
        remedy = "" if is_healthy else " cannot be written: mount a folder there, or set STATE_DIR."
        print(f"{state}: {folder}{remedy}")  # noqa: T201 - the result
    return 0 if is_healthy else 1
