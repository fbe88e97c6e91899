"""Measure memory use, read the container's limit, let threads share one heap, give freed memory back."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_M_ARENA_MAX = -8
"""glibc's name for the number of heaps."""
_NO_LIMIT = 1 << 60
"""cgroups v1 reports a number larger than this if there is no limit."""


def used() -> int:
    """Bytes of memory in use now; the peak if the system does not report that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return peak()
    return pages * resource.getpagesize()


def peak() -> int:
    """The most bytes of memory in use since the process began."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def share_memory() -> None:
    """Let threads that begin from now on share one heap, where the C library is glibc.

    Else each has one of its own, and what the thread of one run has freed is of no use to that of the next.
    """
    _tell_glibc("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Free what only cycles hold, and give freed memory back to the system.

    The second is for glibc; other C libraries do so by themselves. It may take a second; the garbage collector keeps
    all threads waiting meanwhile.
    """
    gc.collect()
    trim()


def trim() -> None:
    """Give freed memory back to the system, where the C library is glibc. No thread waits for it."""
    _tell_glibc("malloc_trim", 0)


def _tell_glibc(function: str, *arguments: int) -> None:
    with suppress(OSError, AttributeError, TypeError):
        getattr(ctypes.CDLL(None), function)(*arguments)


def limit(places: tuple[str, ...] = _CGROUPS) -> int | None:
    """The memory limit of the container in bytes; None without a limit."""
    for place in places:
        try:
            text = Path(place).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and 0 < int(text) < _NO_LIMIT:
            return int(text)
    return None


def pressure() -> float:
    """The used share of the limit, 0 without a limit. Near 1 the kernel kills the process.

    The limit is read once: this is asked before each of some thousand requests.
    """
    most = _known_limit()
    return used() / most if most else 0.0


@cache
def _known_limit() -> int | None:
    return limit()
