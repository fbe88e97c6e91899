"""The key that the daemon makes for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.errors import RepairState
from kometa_ai.web.keys import kept_key

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_made_once(tmp_path: Path) -> None:
    """It is kept where only its user can read it, and is the same the next time; each folder has its own."""
    folder = tmp_path / "state"
    key = kept_key(folder)

    assert kept_key(folder) == key
    assert kept_key(tmp_path / "other") != key
    assert (folder / "api_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"\n", b"two words\x00", "schlüssel".encode(), b"x" * 2_000])
def test_one_that_no_header_can_carry_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """An empty or damaged file is no key that would open everything, or nothing."""
    (tmp_path / "api_key").write_bytes(content)

    assert len(kept_key(tmp_path)) == 32


def test_a_key_that_everybody_can_read_is_closed(tmp_path: Path) -> None:
    """The user may write a key into the file; other users cannot read it from then on."""
    (tmp_path / "api_key").write_text("my-own-key\n")
    (tmp_path / "api_key").chmod(0o644)

    assert kept_key(tmp_path) == "my-own-key"
    assert (tmp_path / "api_key").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Without a place for the key the daemon says so, instead of making one that no user could read."""
    (tmp_path / "state").write_text("a file")

    with pytest.raises(RepairState, match="api_key"):
        kept_key(tmp_path / "state")
