"""No regular expression of the package can be made to run for long by any text: `re` would stop the whole program."""

from __future__ import annotations

import subprocess
import sys

import pytest


def slow(*patterns: str) -> list[str]:
    """The slow ones of these patterns, or of the package's."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.pattern_trial", *patterns]
    trial = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)  # noqa: S603 - ourselves
    *found, last = trial.stdout.splitlines()
    assert int(last.removeprefix("tried: ")) >= (len(patterns) or 80)
    return found


@pytest.mark.timeout(300)
def test_every_pattern_of_the_package_is_quick() -> None:
    """Each takes less than a second of CPU for 100 kB of its own pieces, searched, matched or replaced."""
    assert slow() == []


def test_the_trial_finds_slow_patterns() -> None:
    """Patterns that try a text's every part from its every place are found out, or the test above would say nothing."""
    known = [r"<<\s*([^<>]+?)\s*>>", r"(?<!\s)\s+#[^'\"]*$", r"\s*#", r"(?:\w+\s?)+:", r"<a>(.*?)</a>"]

    assert len(slow(*known)) == len(known)


def test_the_trial_lets_quick_patterns_pass() -> None:
    """What reads every character once is quick."""
    assert slow(r"<<([^<>]+)>>", r"\A\s*+#", r"(?<!\s)\s++#") == []
