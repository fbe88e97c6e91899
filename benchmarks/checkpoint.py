"""What a checkpoint costs when the state is as large as it gets: `python -m benchmarks.checkpoint STATE_DIR`.

The folder is copied first. The journal is made as long as it is at the end of a first run, by writing down every
decision once more; then answers of fifty verdicts are recorded one by one, each flushed to the disk as in a run. The
same answers are recorded in an empty state, for comparison.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.figures import Checkpoint
from kometa_ai.state.schema import Judged
from kometa_ai.state.store import Store

_VERDICTS = 50
_CHECKPOINTS = 60


def measured(state_dir: Path, root: Path) -> Checkpoint:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.checkpoint", str(state_dir)]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own module
    return msgspec.json.decode(done.stdout, type=Checkpoint)


def _time(store: Store, answers: list[list[Judged]]) -> tuple[float, float]:
    """Milliseconds of a usual checkpoint: on the clock and of the processor."""
    wall, cpu = [], []
    for entries in answers:
        started = time.perf_counter(), time.process_time()
        store.record(*entries)
        wall.append(time.perf_counter() - started[0])
        cpu.append(time.process_time() - started[1])
    return median(wall) * 1000, median(cpu) * 1000


def main() -> None:
    """Measure and say so as JSON."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "full"
        shutil.copytree(sys.argv[1], folder)
        full = Store.load(folder)
        decided = [
            Judged(tmdb_id=tmdb_id, slug=slug, decision=decision)
            for tmdb_id, movie in full.memory.items()
            for slug, decision in movie.collections.items()
        ]
        full.record(*decided)
        verdicts = islice(iter(decided), _VERDICTS * _CHECKPOINTS)
        answers = [list(islice(verdicts, _VERDICTS)) for _ in range(-(-len(decided) // _VERDICTS))][:_CHECKPOINTS]
        answers = [answer for answer in answers if answer]
        full_ms, full_cpu_ms = _time(full, answers)
        (Path(scratch) / "empty").mkdir()
        empty_ms, _ = _time(Store.load(Path(scratch) / "empty"), answers)
        found = Checkpoint(
            empty_ms=empty_ms,
            full_ms=full_ms,
            full_cpu_ms=full_cpu_ms,
            journal_mb=full.journal_path.stat().st_size / 1e6,
        )
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
