"""Runs that are ended while a mail server says nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from kometa_ai.app import open_parts, rules_of
from kometa_ai.core.options import Options
from kometa_ai.jobs.running import run_and_report
from kometa_ai.jobs.stopping import end_run
from kometa_ai.notification import dispatch
from kometa_ai.notification.outbox import is_waiting
from kometa_ai.run.watching import NullObserver
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport
    from kometa_ai.settings.schema import Settings


async def run_until(signal_in: str, settings: Settings) -> RunReport:
    """A run that a signal ends, without any grace, as it begins to ask or to tell."""
    run: asyncio.Task[RunReport]

    def end() -> None:
        end_run(parts.interruption, run, "SIGTERM", grace=0.0)

    class Ending(NullObserver):
        def step(self, name: str) -> None:
            if name == signal_in:
                end()

    async def notify(report: RunReport) -> list[Problem]:
        if signal_in == "telling":
            end()
        return await dispatch.notify(report, settings, unattended=False)

    async with open_parts(settings, Store.load(settings.state_dir), Ending()) as parts:
        options = Options(batch_size=rules_of(settings).page_size)
        run = asyncio.create_task(run_and_report(parts, rules_of(settings), options, notify=notify))
        return await run


@pytest.mark.parametrize(
    ("signal_in", "outcome", "exit_code"), [("telling", "ok", 0), ("Asking the model", "interrupted", 143)]
)
def test_a_report_that_cannot_be_sent_in_time_waits(
    tmp_path: Path, signal_in: str, outcome: str, exit_code: int
) -> None:
    """After the grace period the run does not wait for a mail server: it ends as usual, and its report is kept."""
    mailbox = Mailbox(hang="greeting")
    with mailbox, World(tmp_path, movies(4)) as world:
        world.collections(block("Noir"))
        world.claude.latency = 5.0 if signal_in == "Asking the model" else 0.0
        mail = {"smtp_server": mailbox.host, "smtp_port": mailbox.port, "notification_recipients": ("me@example.org",)}
        settings = world.settings.model_copy(update=mail)

        report = asyncio.run(asyncio.wait_for(run_until(signal_in, settings), 4))

        assert (report.outcome, report.exit_code) == (outcome, exit_code)
        assert "had to end" in report.warnings[-1].what
        assert is_waiting(world.state_dir)
