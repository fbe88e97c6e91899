"""Measure a checkpoint of a state at its largest: `python -m benchmarks.checkpoint STATE_DIR`.

The folder is copied first. The journal is made as long as at the end of a first run, by writing every decision once
more; then answers with fifty verdicts are recorded one by one, each flushed to the disk as in a run. The same answers
are recorded in an empty state, for comparison. The snapshots that the store takes of a long journal are suppressed, and
one is measured separately.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.figures import Checkpoint
from kometa_ai.state.schema import Judged
from kometa_ai.state.store import Store

_VERDICTS = 50
_CHECKPOINTS = 60
_NO_LIMIT = 1 << 50


def measured(state_dir: Path, root: Path) -> Checkpoint:
    """Measure in a separate process."""
    command = [sys.executable, "-m", "benchmarks.checkpoint", str(state_dir)]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own module
    return msgspec.json.decode(done.stdout, type=Checkpoint)


class _Clock:
    """The time of checkpoints in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wall: list[float] = []
        self._cpu: list[float] = []

    def record(self, answer: list[Judged]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self._store.record(*answer)
        self._wall.append(time.perf_counter() - wall)
        self._cpu.append(time.process_time() - cpu)

    @property
    def ms(self) -> float:
        return median(self._wall) * 1000

    @property
    def cpu_ms(self) -> float:
        return median(self._cpu) * 1000


def main() -> None:
    """Measure, and print the result as JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "full"
        shutil.copytree(sys.argv[1], folder)
        full = Store.load(folder, journal_limit=_NO_LIMIT)
        decided = [
            Judged(key=key, slug=slug, decision=decision)
            for key, movie in full.memory.items()
            for slug, decision in movie.collections.items()
        ]
        full.record(*decided)
        most = min(len(decided), _VERDICTS * _CHECKPOINTS)
        answers = [decided[start : start + _VERDICTS] for start in range(0, most, _VERDICTS)]
        (Path(scratch) / "empty").mkdir()
        in_full, in_empty = _Clock(full), _Clock(Store.load(Path(scratch) / "empty", journal_limit=_NO_LIMIT))
        # Take turns, so that a disk that is busy for a while delays both.
        for answer in answers:
            in_full.record(answer)
            in_empty.record(answer)
        journal = full.journal_path.stat().st_size
        started = time.perf_counter()
        full.save(datetime.now(UTC))
        snapshot = time.perf_counter() - started
        found = Checkpoint(
            empty_ms=in_empty.ms,
            full_ms=in_full.ms,
            full_cpu_ms=in_full.cpu_ms,
            snapshot_ms=snapshot * 1000,
            journal_mb=journal / 1e6,
        )
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
