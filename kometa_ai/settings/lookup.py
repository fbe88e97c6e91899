"""Find the text of a variable: in the environment, or in the file that its `_FILE` form names.

Imports next to nothing, since the health check uses it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_DIR = "/app/state"
"""The default of STATE_DIR."""
_LARGEST_FILE = 64 * 1024


class Found(NamedTuple):
    """The text of a variable, and where it was found."""

    text: str
    source: str


class Unreadable(Exception):
    """The text of a variable cannot be read: why, and what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


def look_up(environ: Mapping[str, str], name: str, alias: str = "") -> Found | None:
    """The text under the variable's own name, else under its alias; None if neither is set. May raise Unreadable."""
    if own := _direct_or_file(environ, name):
        return own
    if alias and (other := _direct_or_file(environ, alias)):
        return Found(other.text, f"alias {alias}" if other.source == "environment" else other.source)
    return None


def state_folder(environ: Mapping[str, str]) -> Path | None:
    """The state folder, without a look at the other settings; None if its own variable cannot be read."""
    try:
        found = look_up(environ, "STATE_DIR")
    except Unreadable:
        return None
    return Path(found.text if found else STATE_DIR)


def _direct_or_file(environ: Mapping[str, str], name: str) -> Found | None:
    direct = environ.get(name, "").strip()
    path = environ.get(f"{name}_FILE", "").strip()
    if direct and path:
        raise Unreadable(f"both {name} and {name}_FILE are set.", "Keep one of the two.")
    if path:
        return Found(_content(f"{name}_FILE", Path(path)), f"file {path}")
    if not direct.isascii() and not _is_text(direct):
        raise Unreadable("the value is not UTF-8 text.", "Write it in UTF-8.")
    return Found(direct, "environment") if direct else None


def _is_text(value: str) -> bool:
    """Whether the value can be encoded: bytes that are not UTF-8 reach Python as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _content(name: str, path: Path) -> str:
    """The content of a file, such as a Docker secret."""
    remedy = "Name a small text file that holds the value and that this user can read."
    where = f"{name} names {str(path)!r}, which" if _is_place(path) else f"what {name} names"
    try:
        # Reading a pipe or a device could block, or never end.
        if path.exists() and not path.is_file():
            raise Unreadable(f"{where} is not a file.", remedy)
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        text = data.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unreadable(f"{where} cannot be read: {reason}.", remedy) from None
    if len(data) > _LARGEST_FILE or "\0" in text:
        raise Unreadable(f"{where} is too large or not text.", remedy)
    if not text:
        raise Unreadable(f"{where} is empty.", remedy)
    return text


def _is_place(path: Path) -> bool:
    """Whether the value is certainly a path: a key that the user put into X_FILE by mistake may begin with `/`, too."""
    try:
        return path.exists() or (path.parent.is_dir() and path.parent not in (Path(), Path("/")))
    except (OSError, ValueError):
        return False
