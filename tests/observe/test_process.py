"""Memory use and memory limit."""

from __future__ import annotations

import platform
import subprocess
import sys
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


_FREED = """
import threading
from kometa_ai.observe import process

process.share_memory()
kept = []

def work():
    many = [bytes(2000) for _ in range(50_000)]
    kept.append(many[-1])

for _ in range(2):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
held = process.used()
process.give_back()
print(held - process.used())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries give memory back by themselves")
def test_freed_memory_goes_back_to_the_system() -> None:
    """A hundred megabytes that threads have used and freed, below something that is still in use."""
    freed = subprocess.run([sys.executable, "-c", _FREED], check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own code

    assert int(freed) > 80_000_000
