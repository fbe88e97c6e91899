"""Measure whole runs: the real program in a process of its own, in front of stand-ins in another."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks import checkpoint, layouts, library
from benchmarks.figures import NEW_MOVIES, REPEATS, SCENARIOS, Result, Scenario, Used
from benchmarks.other_side import CLAUDE_KEY, Started
from benchmarks.targets import writes
from kometa_ai.standins.radarr import API_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ROOT = Path(__file__).parent.parent
_STATE = "kometa_state.json"


class RunFailed(Exception):
    """The program did not do what was to be measured."""


class _Report(msgspec.Struct):
    """What is read of the program's own report."""

    cost_usd: float
    changes: list[object] = []


def measure(*, movies: int, collections: int, members: float, scenarios: Collection[Scenario]) -> Iterator[Result]:
    """Measure one size: the scenarios in their order, each upon the state that the one before has left."""
    last = max(map(SCENARIOS.index, scenarios))
    with (
        tempfile.TemporaryDirectory(prefix="kometa-ai-benchmark-") as scratch,
        Started(movies=movies, collections=collections, members=members, root=ROOT) as other,
    ):
        place = _Place(Path(scratch), other, movies=movies, collections=collections, members=members)
        for scenario in SCENARIOS[: last + 1]:
            if scenario == "ten-new":
                other.add(NEW_MOVIES)
            repeats = REPEATS if scenario == "settled" and scenario in scenarios else 1
            results = [place.run(scenario) for _ in range(repeats)]
            if scenario in scenarios:
                # A request that should not be is never hidden by a quicker run without it.
                found = min(results, key=lambda result: (-result.seen.claude, -writes(result), result.used.cpu_seconds))
                yield place.with_comparison(found) if scenario == "first" else found


class _Place:
    """The folders of one measurement, and the program in front of the other side."""

    def __init__(self, folder: Path, other: Started, *, movies: int, collections: int, members: float) -> None:
        self._folder = folder
        self._other = other
        self._movies = movies
        self._collections = collections
        self._members = members
        self._state = folder / "state"
        kometa = folder / "kometa"
        kometa.mkdir()
        (kometa / "movies.yml").write_text(library.kometa_file(library.names(collections)), encoding="utf-8")
        self._environ = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "PYTHONPATH")},
            "RADARR_URL": other.radarr,
            "RADARR_API_KEY": API_KEY,
            "CLAUDE_API_KEY": CLAUDE_KEY,
            "CLAUDE_BASE_URL": other.claude,
            "CONFIG_DIR": str(kometa),
            "STATE_DIR": str(self._state),
            "LOG_DIR": str(folder / "logs"),
        }

    def run(self, scenario: Scenario) -> Result:
        """One run of the program, from its start to its end."""
        out, err = self._folder / "stdout", self._folder / "stderr"
        program = [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"]
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.meter", str(out), str(err), *program],
            env=self._environ,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
        )
        used = msgspec.json.decode(done.stdout, type=Used)
        if used.exit_code:
            said = err.read_text(encoding="utf-8").splitlines()[-3:]
            raise RunFailed(f"The program ended with {used.exit_code}: " + "\n".join(said))
        report = msgspec.json.decode(out.read_bytes(), type=_Report)
        return Result(
            scenario=scenario,
            movies=self._movies,
            collections=self._collections,
            members=self._members,
            used=used,
            seen=self._other.look(),
            tags_changed=len(report.changes),
            reported_usd=report.cost_usd,
            state_mb=(self._state / _STATE).stat().st_size / 1e6,
        )

    def with_comparison(self, result: Result) -> Result:
        """The same with what a checkpoint costs in the state that is there now, and what other layouts would cost."""
        return msgspec.structs.replace(
            result,
            checkpoint=checkpoint.measured(self._state, ROOT),
            layouts=layouts.compute(movies=self._movies, collections=self._collections, members=self._members),
        )
