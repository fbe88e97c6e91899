"""Measure whole runs: the real program in a separate process, in front of stand-ins in another."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks import checkpoint, index, layouts, library, pages
from benchmarks.figures import NEW_ITEMS, REPEATS, SCENARIOS, Result, Scenario, Used
from benchmarks.other_side import CLAUDE_KEY, Started
from benchmarks.targets import writes
from kometa_ai.standins.radarr import API_KEY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from benchmarks.figures import Kind, Layouts

ROOT = Path(__file__).parent.parent
_STATE = "kometa_state.json"


class RunFailed(Exception):
    """The program did not do what was to be measured."""


class _Report(msgspec.Struct):
    """The fields that are read from the program's own report."""

    cost_usd: float
    changes: list[object] = []


def measure(
    *, movies: int, collections: int, members: float, scenarios: Collection[Scenario], kind: Kind = "movies"
) -> Iterator[Result]:
    """Measure one size: the scenarios in order, each with the state that the one before left."""
    size = _Size(kind, movies, collections, members)
    # Computed once: it takes longer than most runs.
    other_layouts = size.layouts() if {"first", "batches"}.intersection(scenarios) else None
    one_after_the_other = [scenario for scenario in SCENARIOS if scenario != "batches"]
    if wanted := [scenario for scenario in one_after_the_other if scenario in scenarios]:
        with _place(size) as place:
            for scenario in one_after_the_other[: one_after_the_other.index(wanted[-1]) + 1]:
                if scenario == "ten-new":
                    place.other.add(NEW_ITEMS)
                repeats = REPEATS if scenario == "settled" and scenario in scenarios else 1
                results = [place.run(scenario) for _ in range(repeats)]
                # Prefer results with extra requests, so that a faster repetition without them does not hide these.
                found = min(results, key=lambda result: (-result.seen.claude, -writes(result), result.used.cpu_seconds))
                if scenario == "first" and scenario in scenarios:
                    yield msgspec.structs.replace(
                        found,
                        checkpoint=checkpoint.measured(place.state, ROOT),
                        index=index.measured(place.environ, ROOT),
                        pages=pages.measured(place.environ, ROOT),
                        layouts=other_layouts,
                    )
                elif scenario in scenarios:
                    yield found
    if "batches" in scenarios:
        with _place(size, CLAUDE_BATCHES="on") as place:
            yield msgspec.structs.replace(place.run("batches"), layouts=other_layouts)


class _Size(NamedTuple):
    """The size of a library, and what it holds."""

    kind: Kind
    movies: int
    collections: int
    members: float

    def layouts(self) -> Layouts:
        return layouts.compute(**self._asdict())


@contextmanager
def _place(size: _Size, **settings: str) -> Iterator[_Place]:
    with (
        tempfile.TemporaryDirectory(prefix="kometa-ai-benchmark-") as scratch,
        Started(**size._asdict(), root=ROOT) as other,
    ):
        yield _Place(Path(scratch), other, size, settings)


class _Place:
    """The folders of one measurement, and the program in front of the stand-ins."""

    def __init__(self, folder: Path, other: Started, size: _Size, settings: Mapping[str, str]) -> None:
        self._folder = folder
        self.other = other
        self._size = size
        self.state = folder / "state"
        kometa = folder / "kometa"
        kometa.mkdir()
        text = library.kometa_file(library.names(size.collections), size.kind)
        (kometa / f"{size.kind}.yml").write_text(text, encoding="utf-8")
        service = "SONARR" if size.kind == "shows" else "RADARR"
        self.environ = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "PYTHONPATH")},
            f"{service}_URL": other.arr,
            f"{service}_API_KEY": API_KEY,
            "CLAUDE_API_KEY": CLAUDE_KEY,
            "CLAUDE_BASE_URL": other.claude,
            "CONFIG_DIR": str(kometa),
            "STATE_DIR": str(self.state),
            "LOG_DIR": str(folder / "logs"),
            **settings,
        }

    def run(self, scenario: Scenario) -> Result:
        """Run the program once, from its start to its end."""
        out, err = self._folder / "stdout", self._folder / "stderr"
        program = [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"]
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.meter", str(out), str(err), *program],
            env=self.environ,
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
            kind=self._size.kind,
            movies=self._size.movies,
            collections=self._size.collections,
            members=self._size.members,
            measured=datetime.now(UTC).date(),
            used=used,
            seen=self.other.look(),
            tags_changed=len(report.changes),
            reported_usd=report.cost_usd,
            state_mb=(self.state / _STATE).stat().st_size / 1e6,
        )
