"""Reports that the version before shows has kept: they are read from the history, and read as they did then.

`kept/` holds two of its reports as it wrote them, and the mail and the terminal's text that it made of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kometa_ai.cli.report import print_report
from kometa_ai.core.summary import as_data, headline, needs_operator
from kometa_ai.notification.news import News, key_of, ledger_after, news_of
from kometa_ai.notification.render import render
from kometa_ai.state import files, history
from tests.notification.test_news import problem

if TYPE_CHECKING:
    from kometa_ai.core.report import RunReport

KEPT = Path(__file__).parent / "kept"
BERLIN = ZoneInfo("Europe/Berlin")
NAMES = ["problems", "radarr-unusable"]


def recalled(name: str, folder: Path) -> RunReport:
    """A kept report, out of a state folder."""
    (folder / history.RUNS).mkdir()
    files.replace(folder / history.RUNS / "old.json", (KEPT / f"{name}.json").read_bytes())
    return history.recall(folder, "old")


@pytest.mark.parametrize("name", NAMES)
def test_an_old_report_reads_as_it_did(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mail, HTML and terminal are those of the version that has kept it, byte for byte."""
    report = recalled(name, tmp_path)

    message = render([News(report=report)], BERLIN)
    print_report(report, reasons=True)

    shown = f"{message.subject}\n\n{message.text}\n==== terminal ====\n{capsys.readouterr().out}"
    assert shown == (KEPT / f"{name}.txt").read_text()
    assert message.html == (KEPT / f"{name}.html").read_text()


def test_an_old_report_is_about_movies(tmp_path: Path) -> None:
    """Its collections, orphans and lines; it knows of no libraries, and scripts get all fields of today."""
    report = recalled("problems", tmp_path)

    assert report.kinds == ("movie",)
    assert (report.libraries, report.items, report.left_alone) == ((), {}, ())
    assert {each.kind for each in report.collections} | {each.kind for each in report.orphans} == {"movie"}
    assert {line.key for each in report.collections for line in each.added} == {"movie:1005"}
    data = as_data(report)
    assert (data["library"], data["totals"]["added"], data["headline"]) == (24, 1, headline(report))


def test_an_old_outcome_is_known(tmp_path: Path) -> None:
    """A Radarr that could not be used needs the operator, and its diagnosis is told again with it."""
    report = recalled("radarr-unusable", tmp_path)

    assert report.outcome == "radarr unusable"
    assert needs_operator(report)
    told = ledger_after(News(report=report), {}, BERLIN, is_sent=True)
    del told[key_of(report.problems[0])]
    assert news_of(report, told, BERLIN).told_before == frozenset()


def test_an_outcome_that_named_claude_is_the_models(tmp_path: Path) -> None:
    """`claude unusable`, of versions that knew no other model, is read as `model unusable`, and written so again."""
    written = (KEPT / "radarr-unusable.json").read_bytes()
    (tmp_path / history.RUNS).mkdir()
    old = written.replace(b'"radarr unusable"', b'"claude unusable"')
    files.replace(tmp_path / history.RUNS / "old.json", old)

    report = history.recall(tmp_path, "old")

    assert old != written
    assert (report.outcome, as_data(report)["outcome"]) == ("model unusable", "model unusable")
    assert headline(report).startswith("Needs you: model unusable.")


def test_what_was_told_by_the_old_version_is_known() -> None:
    """`1 movies` was its way to count; the ledger of what was told takes it for the same problem."""
    assert key_of(problem("1 movies could not be judged: busy")) == key_of(problem("1 movie could not be judged: busy"))
