"""AUDIT_INTERVAL: the audit that follows a nightly run, within its money, and never to its harm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kometa_ai.core.audit import Audit
from kometa_ai.jobs.audit import AUDITS, is_due, later
from kometa_ai.notification.news import News
from kometa_ai.notification.render import render
from kometa_ai.settings import values
from kometa_ai.standins import claude_faults
from kometa_ai.state.store import Store
from tests.run.world import FOREVER, World, block

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.report import RunReport


@pytest.fixture(name="judged")
def _judged(world: World) -> World:
    """Forty movies, five of them in; audits each month."""
    world.change(audit_interval="1mo")
    world.collections(block("Noir"))
    world.believe("Noir", range(5))
    return world


def _night(world: World) -> RunReport:
    return world.run(unattended=True)


def _spent(world: World) -> float:
    return sum(month.cost_usd for month in Store.load(world.state_dir, read_only=True).state.spending.values())


def test_a_nightly_run_is_followed_by_an_audit(judged: World) -> None:
    """It is a part of that run's report and cost, and is kept; the run's changes are as without it."""
    report = _night(judged)

    assert report.outcome == "ok"
    assert report.audit is not None
    assert (report.audit.asked, report.audit.flips, report.audit.run_id) == (40, 0, report.run_id)
    assert report.added == 5
    assert judged.numbers("kai-noir") == set(range(5))
    assert report.cost_usd == pytest.approx(report.collections[0].cost_usd + report.audit.cost_usd)
    assert report.cost_usd == pytest.approx(_spent(judged))
    assert report.month is not None
    assert report.month.cost_usd == pytest.approx(report.cost_usd)
    assert AUDITS.ids(judged.state_dir, judged.now) == [report.run_id]


def test_the_next_one_comes_when_it_is_due(judged: World) -> None:
    """Not the next night, but a month later by the calendar."""
    first = _night(judged)
    second = _night(judged)
    judged.now += timedelta(days=28)
    late = _night(judged)
    on_time = _night(judged)

    assert first.started.date() == date(2026, 3, 2)
    assert [report.audit is not None for report in (first, second, late, on_time)] == [True, False, False, True]
    assert (second.cost_usd, on_time.started.date()) == (0, date(2026, 4, 2))


def test_only_a_nightly_run_of_everything(judged: World) -> None:
    """Not one that a person waits for, nor one about some movies, nor a dry one; and not without the setting."""
    assert judged.run().audit is None
    assert judged.run(unattended=True, dry_run=True).audit is None
    assert judged.run(unattended=True, collections=("Noir",)).audit is None
    judged.change(audit_interval="off")
    assert _night(judged).audit is None


def test_what_was_found_is_told(judged: World) -> None:
    """The mail has a section with the flips, the short forms have the counts."""
    judged.run()
    judged.believe("Noir", [1], 0.2)
    judged.collections(block("Noir", include_movies="[tmdb:1030]"))

    report = _night(judged)

    message = render([News(report=report)], ZoneInfo("UTC"))
    assert "AUDIT\n" in message.text
    assert "Movie 1 (1951) is in, and the model's new verdict, 0.20, would have it out" in message.text
    assert "Movie 30 (1980) pinned in, and the model's new verdict, 0.00, would have it out" in message.text
    assert "Nothing was changed by it." in message.text
    assert "Audit" in message.html
    assert judged.numbers("kai-noir") == {0, 1, 2, 3, 4, 30}


def test_the_money_of_the_run_is_that_of_both(judged: World) -> None:
    """What the run has left is all that the audit may spend; where nothing is left it waits."""
    judged.change(max_cost_per_run="0.02")
    partly = _night(judged)
    assert partly.audit is not None
    assert 0 < partly.audit.asked < 40
    assert partly.cost_usd <= 0.02
    assert partly.outcome == "ok"
    assert any("The audit: No more than" in warning.what for warning in partly.warnings)


def test_no_money_no_audit(judged: World) -> None:
    """It is told that one is due, and the next night has it."""
    judged.run()

    put_off = judged.run(unattended=True, max_cost=0.0)

    assert put_off.audit is None
    assert any(warning.source == "AUDIT_INTERVAL" for warning in put_off.warnings)
    assert _night(judged).audit is not None


def test_an_audit_that_fails_does_not_fail_the_run(judged: World) -> None:
    """The run's outcome is its own; the audit's trouble is a warning."""
    judged.run()
    judged.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)

    report = _night(judged)

    assert (report.outcome, report.exit_code, report.audit) == ("ok", 0, None)
    assert any(warning.what.startswith("The audit: ") for warning in report.warnings)
    judged.claude.faults.clear()
    assert _night(judged).audit is not None


def test_an_audit_that_cannot_be_kept(judged: World) -> None:
    """A folder that is none is told, and the run stands."""
    (judged.state_dir / "audits").write_text("")

    report = _night(judged)

    assert (report.outcome, report.audit) == ("ok", None)
    assert report.cost_usd == pytest.approx(report.collections[0].cost_usd)
    (warning,) = (warning for warning in report.warnings if warning.source == "AUDIT_INTERVAL")
    assert "Nothing can be kept" in warning.what
    assert report.cost_usd == pytest.approx(_spent(judged))


@pytest.mark.parametrize(
    ("day", "interval", "next_one"),
    [
        (date(2026, 1, 31), "1mo", date(2026, 2, 28)),
        (date(2026, 11, 30), "3mo", date(2027, 2, 28)),
        (date(2026, 3, 1), "2w", date(2026, 3, 15)),
        (date(2026, 3, 1), "10d", date(2026, 3, 11)),
    ],
)
def test_intervals_are_of_days(day: date, interval: str, next_one: date) -> None:
    """Months are those of the calendar."""
    assert later(day, interval) == next_one


def test_days_are_those_of_the_time_zone(tmp_path: Path) -> None:
    """Where the sun rises earlier, the next day is due earlier."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    audit = Audit(audit_id="20260301-120000-00ff", started=at, finished=at, seed="")
    assert is_due(tmp_path, "1d", at, UTC)
    assert not is_due(tmp_path, "", at, UTC)
    AUDITS.keep(tmp_path, audit.audit_id, audit, at)
    later_that_day = datetime(2026, 3, 1, 23, tzinfo=UTC)

    assert not is_due(tmp_path, "1d", later_that_day, UTC)
    assert is_due(tmp_path, "1d", later_that_day, ZoneInfo("Europe/Berlin"))


def test_an_audit_of_a_clock_that_was_ahead_holds_up_none(tmp_path: Path) -> None:
    """Once the clock is right again, the next audit is due, and the ones after it count from that one."""
    ahead, right = datetime(2031, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 12, tzinfo=UTC)
    for audit_id, at in (("20310301-120000-00ff", ahead), ("20260301-120000-00ff", right)):
        assert is_due(tmp_path, "1w", at, UTC)
        AUDITS.keep(tmp_path, audit_id, Audit(audit_id=audit_id, started=at, finished=at, seed=""), at)
        assert not is_due(tmp_path, "1w", at, UTC)

    assert not is_due(tmp_path, "1w", right + timedelta(days=6), UTC)
    assert is_due(tmp_path, "1w", right + timedelta(days=7), UTC)


@pytest.mark.parametrize(("text", "read"), [("1mo", "1mo"), ("2W", "2w"), ("10d", "10d"), ("off", ""), ("0", "")])
def test_how_often(text: str, read: str) -> None:
    """A number of days, weeks or months; or off."""
    assert values.every(text) == read


@pytest.mark.parametrize("text", ["6h", "30m", "0 3 * * 1", "1y", "-1d", "1000d", "monthly"])
def test_what_is_no_interval_of_audits(text: str) -> None:
    """What would audit more often than once a day is refused, too."""
    with pytest.raises(values.Unusable, match="days, weeks or months"):
        values.every(text)
