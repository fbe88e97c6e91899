"""The key of the API: given by a setting, or made once and kept in the state folder."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from kometa_ai.errors import RepairState
from kometa_ai.state import files

if TYPE_CHECKING:
    from pathlib import Path

NAME = "api_key"


def kept_key(folder: Path) -> str:
    """The key in `STATE_DIR/api_key`, which is made where there is none. Raise RepairState where it cannot be kept."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        if not (key.isascii() and key.isprintable() and key):
            key = secrets.token_hex(16)
            files.replace(path, f"{key}\n".encode())
        elif path.stat().st_mode & 0o077:
            path.chmod(files.PRIVATE)
    except (OSError, UnicodeDecodeError) as error:
        raise RepairState(
            f"The key in {str(path)!r} can neither be read nor made: {error}.",
            "Mount a folder that this user may write as STATE_DIR, or set HTTP_API_KEY.",
        ) from error
    return key
