"""The end of the log is read from its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kometa_ai.observe.log_end import newest_lines

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ["debug", "info", "warning", "error", "critical"]
_lines = st.lists(
    st.fixed_dictionaries(
        {
            "level": st.sampled_from(LEVELS),
            "run_id": st.sampled_from(["", "a", "b"]),
            "event": st.text(max_size=5),
            "more": st.integers(0, 60_000).map(lambda size: "x" * size),
        }
    ),
    max_size=12,
)

_filters = st.tuples(st.sampled_from(LEVELS), st.sampled_from(["", "a"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(_lines, st.integers(0, 12), st.integers(1, 14), _filters)
def test_it_is_what_the_whole_files_would_have_given(
    tmp_path: Path, lines: list[dict[str, Any]], rotated: int, limit: int, wanted: tuple[Any, str]
) -> None:
    """Whatever lines there are, of whatever length, in one file or two: the newest that fit, the newest first."""
    for name, part in (("kometa-ai.log.1", lines[:rotated]), ("kometa-ai.log", lines[rotated:])):
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in part), encoding="utf-8")

    level, run_id = wanted
    found = newest_lines(tmp_path, limit, level=level, run_id=run_id)

    fitting = [
        line
        for line in reversed(lines)
        if LEVELS.index(line["level"]) >= LEVELS.index(level) and run_id in ("", line["run_id"])
    ]
    assert found.items == fitting[:limit]
    assert len(fitting) <= limit or not found.is_whole
    assert found.problem == ""


def test_a_long_log_is_not_read_whole(tmp_path: Path) -> None:
    """What lies further back than a search looks is not found, and that is said."""
    old = json.dumps({"level": "error", "event": "long ago"})
    rest = json.dumps({"level": "info", "event": "x" * 1000})
    (tmp_path / "kometa-ai.log").write_text(f"{old}\n" + f"{rest}\n" * 5000, encoding="utf-8")

    errors = newest_lines(tmp_path, 10, level="error")
    newest = newest_lines(tmp_path, 10)

    assert (errors.items, errors.is_whole) == ([], False)
    assert len(newest.items) == 10


def test_torn_lines_and_stack_traces_are_left_out(tmp_path: Path) -> None:
    """A killed program leaves half a line; a trace stays in the file."""
    line = json.dumps({"level": "error", "event": "x", "exception": "Traceback"})
    (tmp_path / "kometa-ai.log").write_text(f'{line}\n["no object"]\n{{"level": "inf', encoding="utf-8")

    assert newest_lines(tmp_path, 10).items == [{"level": "error", "event": "x"}]


def test_lines_that_contain_a_text(tmp_path: Path) -> None:
    """In any value, in capitals or not."""
    lines = [{"level": "info", "event": "one", "why": "No Answer"}, {"level": "info", "event": "two"}]
    (tmp_path / "kometa-ai.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    assert [line["event"] for line in newest_lines(tmp_path, 10, text="ANSWER").items] == ["one"]
