"""Measure the index of the daemon after a run: `python -m benchmarks.index`, with the settings in the environment.

It is made as at the first request, several times: the least CPU counts, and how late the event loop was while it was
made in its thread. Once more it is made with every allocation counted, which takes ten times as long. Questions are
measured in the process's own time: other work on the machine only adds to that of the clock.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks.figures import Indexed
from kometa_ai.app import session_of
from kometa_ai.daemon.indexing import Indexer
from kometa_ai.settings.environment import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kometa_ai.daemon.index import Index
    from kometa_ai.jobs.session import Session

_MAKINGS = 3
_ROWS = 60
_TICK = 0.005
_PATIENCE = 600.0
_WORD = "of the"
"""It is in many titles and in no other field."""


def measured(environ: Mapping[str, str], root: Path) -> Indexed:
    """Measure in a separate process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.index"], env=dict(environ), cwd=root, check=True, stdout=subprocess.PIPE
    )
    return msgspec.json.decode(done.stdout, type=Indexed)


async def _made(session: Session) -> tuple[Index, float, float]:
    """An index, the CPU seconds that it took, and how late the loop was at worst meanwhile, in milliseconds."""
    late = 0.0

    async def watch() -> None:
        nonlocal late
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            late = max(late, time.perf_counter() - due)

    watcher = asyncio.create_task(watch())
    started = time.process_time()
    index = await Indexer(session, first=_PATIENCE).index()
    used = time.process_time() - started
    watcher.cancel()
    return index, used, late * 1000


def _kept(session: Session) -> tuple[float, float]:
    """What an index keeps, and the most that was in use while it was made, in MB."""
    gc.collect()
    tracemalloc.start()
    index, *_ = asyncio.run(_made(session))
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index.collections  # noqa: S101 - it is in use until here
    return kept / 1e6, peak / 1e6


def _ms(ask: Callable[[], object]) -> float:
    started = time.process_time()
    ask()
    return (time.process_time() - started) * 1000


def _questions(index: Index) -> tuple[float, float]:
    """The milliseconds for sixty members with their reasons, and for a search."""
    rows = [_ms(partial(index.items_of, each.key, size=_ROWS)) for each in index.collections for _ in range(3)]
    searches = [_ms(partial(index.search, _WORD, size=_ROWS)) for _ in range(9)]
    return median(rows), median(searches)


def main() -> None:
    """Measure, and print the result as JSON."""
    session = session_of(load_settings(os.environ).settings)
    made = [asyncio.run(_made(session)) for _ in range(_MAKINGS)]
    rows_ms, search_ms = _questions(made[-1][0])
    cpu, late = min(used for _, used, _ in made), min(late for *_, late in made)
    made.clear()
    kept, peak = _kept(session)
    found = Indexed(
        cpu_seconds=cpu,
        kept_mb=kept,
        peak_mb=peak,
        rows_ms=rows_ms,
        search_ms=search_ms,
        late_ms=late,
    )
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
