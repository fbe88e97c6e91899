"""Find the API's key, and the one that signs cookies, in the state folder; or make them and keep them there."""

from __future__ import annotations

import errno
import os
import re
import secrets
from typing import TYPE_CHECKING

from kometa_ai.errors import RepairState
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "api_key"
SESSION_KEY = "session_key"
_LONGEST = 1024
"""The longest key in characters that a request can bring."""


def kept_key(folder: Path) -> str:
    """The key in `STATE_DIR/api_key`, created if missing or unusable. Raises RepairState if it cannot be kept."""
    return _kept(
        folder / NAME,
        lambda key: key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST,
        lambda: secrets.token_hex(16),
        " Or set HTTP_API_KEY, or HTTP_API_KEY_FILE for a key in another file.",
    )


def kept_session_key(folder: Path) -> bytes:
    """The key in `STATE_DIR/session_key`, 32 bytes, created if missing or damaged. Raises RepairState as kept_key."""
    key = _kept(folder / SESSION_KEY, lambda key: bool(re.fullmatch(r"[0-9a-f]{64}", key)), _session_key)
    return bytes.fromhex(key)


def new_session_key(folder: Path) -> bytes:
    """Put a new key in the place of that one. Raises RepairState if it cannot be kept; then the old one holds."""
    return bytes.fromhex(_kept(folder / SESSION_KEY, lambda _: False, _session_key))


def _session_key() -> str:
    return secrets.token_hex(32)


def _kept(path: Path, is_usable: Callable[[str], bool], make: Callable[[], str], remedy: str = "") -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = _read(path)
        if not is_usable(key):
            key = make()
            files.replace(path, f"{key}\n".encode())
    except OSError as error:
        raise RepairState(
            f"The key in {str(path)!r} can neither be read nor made: {error.strerror}.",
            f"{files.remedy_for(error)}{remedy}",
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
