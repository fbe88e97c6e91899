"""What a whole run leaves in the log."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from kometa_ai.observe import logs
from kometa_ai.standins import claude_faults
from tests.run.world import FOREVER, block

if TYPE_CHECKING:
    from tests.run.world import World


def test_each_problem_is_one_line(world: World) -> None:
    """Each problem and warning of the report is one line; each line is JSON and names the run; stderr is the same."""
    world.collections(
        block("Noir", include_movies='["No Such Movie (1950)"]'), block("Heist"), block("Bad", confidence_threshold=7)
    )
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"],
        env=world.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(ended.stdout)
    text = (world.folder / "logs" / logs.FILE_NAME).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    told = [line for line in lines if line["event"] == "run.problem"]

    assert ended.stderr == text
    assert all(list(line)[:4] == ["timestamp", "level", "event", "run_id"] for line in lines)
    assert {line["run_id"] for line in lines} == {report["run_id"]}
    assert sorted((line["level"], line["what"], line["remedy"], line.get("collection_name", "")) for line in told) == (
        sorted(
            (problem.get("severity", "error"), problem["what"], problem["remedy"], problem.get("collection", ""))
            for problem in (*report["problems"], *report["warnings"])
        )
    )
    assert {"Noir", "Bad"} <= {line.get("collection_name") for line in told}
    assert [line["event"] for line in lines].count("run.ended") == 1
    assert len({(line["what"], line.get("collection_name")) for line in told}) == len(told) >= 4
