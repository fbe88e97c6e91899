"""Measure the memory that the process uses, and how much its container allows."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT = 1 << 60
"""What the first kind of cgroups says where there is no limit is larger than this."""


def used() -> int:
    """Bytes of memory in use now; at its peak, where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return peak()
    return pages * resource.getpagesize()


def peak() -> int:
    """Bytes of memory in use at most since the process began."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def limit(places: tuple[str, ...] = _CGROUPS) -> int | None:
    """The memory limit of our container in bytes, or None where there is none."""
    for place in places:
        try:
            text = Path(place).read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and 0 < int(text) < _NO_LIMIT:
            return int(text)
    return None


def pressure() -> float:
    """The used part of the limit, 0 without a limit; near 1 the kernel ends the process."""
    most = limit()
    return used() / most if most else 0.0
