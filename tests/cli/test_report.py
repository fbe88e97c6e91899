"""How a run's report looks on a terminal and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.report import print_report
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import MovieLine, Spending, Tokens
from tests.notification.support import STARTED, collection, movies, report, waiting

if TYPE_CHECKING:
    from kometa_ai.core.report import RunReport


def piped(run: RunReport, capsys: pytest.CaptureFixture[str], *, reasons: bool = False) -> str:
    """What a pipe gets."""
    print_report(run, reasons=reasons)
    return capsys.readouterr().out


def test_a_pipe_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Long titles, names, tags, sentences and reasons come whole, each on its line."""
    long, why = "A" * 300, f"0.95 {'Because. ' * 40}".strip()
    film = MovieLine(title=long, year=1995, tmdb_id=1, reason=why)
    wide = collection("B" * 200, tag=f"kai-{'b' * 200}", added=(film,))
    problem = Problem(what="C" * 300, remedy="D" * 300)
    out = piped(report(collections=(wide,), outcome="problems", problems=(problem,)), capsys, reasons=True)
    assert f"  {long} (1995)  {why}\n" in out
    assert f"kai-{'b' * 200}" in out
    assert f"Problem: {'C' * 300}\n  → {'D' * 300}\n" in out
    assert "…" not in out
    assert "\x1b" not in out


def test_reasons_are_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    """Titles alone are easier to read."""
    run = report(collections=(collection(added=(MovieLine(title="Heat", year=1995, tmdb_id=949, reason="0.95 so"),)),))
    assert "  Heat (1995)\n" in piped(run, capsys)
    assert "  Heat (1995)  0.95 so\n" in piped(run, capsys, reasons=True)


def test_what_waits_for_a_person_says_until_when(capsys: pytest.CaptureFixture[str]) -> None:
    """The day stands with each title, also where reasons were not asked for."""
    lines = waiting("Heat", "Ronin")
    run = report(collections=(collection(in_review=lines, in_review_additions=lines[1:]),))

    out = piped(run, capsys)

    assert "1 in review, not added yet\n  Ronin (1995)  until 2026-03-09\n" in out
    assert "1 in review, not removed yet\n  Heat (1995)  until 2026-03-09\n" in out
    assert "  Heat (1995)  until 2026-03-09: 0.65 so it is\n" in piped(run, capsys, reasons=True)


def test_long_lists_are_cut_with_a_count(capsys: pytest.CaptureFixture[str]) -> None:
    """What is cut is counted, and it is said where all of it is."""
    out = piped(report(collections=(collection(added=movies(*(f"Film {n}" for n in range(1300)))),)), capsys)
    assert "Heist Movies: 1,300 added\n" in out
    assert "and 1,290 more: STATE_DIR/runs/20260302-020000-ab12.json has them all" in out


def test_one_is_not_many(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts read as one would say them."""
    run = report(
        library=1,
        collections=(collection(asked=1),),
        tokens=Tokens(requests=1, input=1200, output=80),
        cost_usd=0.0123,
        month=Spending(month="2026-03", tokens=Tokens(requests=20, input=5_000_000, output=70_000), cost_usd=12.4),
        decisions_by_other_models=1,
    )
    assert piped(run, capsys).splitlines()[-1] == (
        "Run 20260302-020000-ab12 · 1 movie in 143 s"
        " · 1 verdict in 1 request, 1,200 tokens in (0 from the cache), 80 out"
        " · $0.01 · this month $12.40, 5,000,000 tokens in (0 from the cache), 70,000 out"
        " · 1 decision is another model's"
    )


def test_one_cause_is_one_problem(capsys: pytest.CaptureFixture[str]) -> None:
    """The same warning in many collections is one, with all of them."""
    warnings = tuple(
        Problem(
            what="x is missing.", remedy="Add it.", source="a.yml", line=n, collection=f"Nr. {n}", severity="warning"
        )
        for n in range(1, 13)
    )
    out = piped(report(warnings=warnings), capsys)
    assert out.count("x is missing.") == 1
    assert "Warning a.yml:1, 2, 3, 4, 5 and 7 more: x is missing.\n  In Nr. 1, " in out
    assert "Nr. 10 and 2 more\n" in out


@pytest.mark.parametrize(
    "title",
    ["<script>alert(1)</script>", "[bold]x[/]", "\x1b[2J", "\u05e2\u05dc\u05de\u05d4 \u202ex", "👩\u200d🚀 “é”"],
)
def test_titles_are_only_text(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing in a title is markup or moves the cursor."""
    out = piped(report(collections=(collection(title, added=movies(title)),)), capsys)
    seen = title.replace("\x1b", "").replace("\u202e", "")
    assert f"  {seen} (1995)\n" in out
    assert not re.search(r"[\x1b\u202e]", out)


def on_terminal(run: RunReport, monkeypatch: pytest.MonkeyPatch, *, columns: int, reasons: bool = False) -> str:
    """What a terminal of some width gets, with its colours."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")
    shown: list[bytes] = []

    def read() -> None:
        while not b"".join(shown).endswith(b"END"):
            shown.append(os.read(ours, 4096))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        print_report(run, reasons=reasons)
        terminal.write("END")
        terminal.flush()
        reader.join(5)
    os.close(ours)
    return b"".join(shown).decode().replace("\r\n", "\n")


def without_colours(text: str) -> str:
    """The bare text, without blanks at the ends of lines."""
    return re.sub(r" +$", "", re.sub(r"\x1b\[[0-9;]*m", "", text), flags=re.MULTILINE)


def test_a_terminal_has_colours_and_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal everything is still there, folded to its width."""
    film = MovieLine(title="W" * 150, year=1995, tmdb_id=1)
    run = report(collections=(collection("Heist " * 8, added=(film,)),), finished=STARTED + timedelta(1))

    text = on_terminal(run, monkeypatch, columns=60)

    plain = without_colours(text)
    assert "\x1b[" in text
    assert max(len(line) for line in plain.splitlines()) <= 60
    assert plain.count("W") == 150
    assert "…" not in plain


def test_what_a_terminal_folds_is_indented(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason and a remedy go on below their own beginning, so that titles and problems stand out at the left."""
    film = MovieLine(
        title="Heat", year=1995, tmdb_id=949, reason="0.95 A crew, a plan, and a policeman who understands"
    )
    problem = Problem(what="6 removals are held back: too many.", remedy="To let them through, run once with a flag.")
    run = report(collections=(collection(added=(film,)),), outcome="problems", problems=(problem,))

    plain = without_colours(on_terminal(run, monkeypatch, columns=40, reasons=True))

    assert "  Heat (1995)  0.95 A crew, a plan,\n    and a policeman who understands\n" in plain
    assert "Problem: 6 removals are held back: too\n  many.\n" in plain
    assert "  → To let them through, run once with\n    a flag.\n" in plain


def test_mere_titles_stand_in_columns_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list takes fewer lines; where there is something to say of a title, each has its own."""
    lines = waiting("Heat", "Ronin")
    held = collection(in_review=lines, in_review_additions=lines)
    added = report(collections=(collection(added=movies("Heat", "Ronin", "Thief", "Rififi")),))

    titles, waits = (
        without_colours(on_terminal(run, monkeypatch, columns=60)) for run in (added, report(collections=(held,)))
    )

    assert "4 added\n  Heat (1995)   Ronin (1995)   Thief (1995)   Rififi (1995)\n" in titles
    assert "  Heat (1995)  until 2026-03-09\n  Ronin (1995)  until 2026-03-09\n" in waits
