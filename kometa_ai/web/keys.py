"""Find the API key in the state folder, or make one and keep it there."""

from __future__ import annotations

import errno
import os
import secrets
from typing import TYPE_CHECKING

from kometa_ai.errors import RepairState
from kometa_ai.state import files

if TYPE_CHECKING:
    from pathlib import Path

NAME = "api_key"
_LONGEST = 1024
"""The longest key in characters that a request can bring."""


def kept_key(folder: Path) -> str:
    """The key in `STATE_DIR/api_key`, created if missing or unusable. Raises RepairState if it cannot be kept."""
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = _read(path)
        if not (key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST):
            key = secrets.token_hex(16)
            files.replace(path, f"{key}\n".encode())
    except OSError as error:
        raise RepairState(
            f"The key in {str(path)!r} can neither be read nor made: {error.strerror}.",
            f"{files.remedy_for(error)} Or set HTTP_API_KEY, or HTTP_API_KEY_FILE for a key in another file.",
        ) from error
    return key


def _read(path: Path) -> str:
    """The key in the file, made private to this user; empty if there is no file."""
    try:
        handle = files.open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return ""
    try:
        status = os.fstat(handle)
        if status.st_nlink > 1:
            # A file with another hard link: the other name would be changed, too.
            raise files.NotOurs(errno.EINVAL, "it is a file with a second name", str(path))
        if status.st_mode & 0o077:
            os.fchmod(handle, files.PRIVATE)
        return os.read(handle, files.SMALL).decode(errors="replace").strip()
    finally:
        os.close(handle)
