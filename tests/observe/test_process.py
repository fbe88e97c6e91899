"""Memory use and memory limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.observe import process

if TYPE_CHECKING:
    from pathlib import Path


def test_use_is_measured() -> None:
    """The use is that of a Python process, and grows with what is held."""
    before = process.used()
    held = bytearray(64 << 20)
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])

    assert 8 << 20 < before < 4 << 30
    assert process.used() - before > 48 << 20
    assert process.peak() >= process.used() * 0.9
    assert len(held) == 64 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [("536870912\n", 536870912), ("max\n", None), ("9223372036854771712", None), ("", None), ("nonsense", None)],
)
def test_the_container_s_limit(tmp_path: Path, text: str, expected: int | None) -> None:
    """Both kinds of cgroups are read; no limit, and nonsense, are none."""
    (tmp_path / "memory.max").write_text(text)

    assert process.limit((str(tmp_path / "missing"), str(tmp_path / "memory.max"))) == expected
