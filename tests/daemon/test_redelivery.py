"""The daemon's retries of reports that did not arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from kometa_ai.daemon.life import Paces
from kometa_ai.standins.mailbox import Mailbox
from tests.daemon.living import daemon_beside, until

if TYPE_CHECKING:
    from tests.run.world import World


def _mail(box: Mailbox) -> dict[str, str]:
    return {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": "ann@example.org"}


async def test_a_greylisted_report_arrives_a_little_later(world: World) -> None:
    """A server that puts off strangers gets the report again without another run, once."""
    with Mailbox(greylist=True) as box:
        async with daemon_beside(world, Paces(redelivery=(0.05, 0.05, 0.05)), _mail(box)) as here:
            await here.run()
            await until(lambda: '"waiting":[]' in (world.state_dir / "notifications.json").read_text())
        (mail,) = box.received
    assert mail.message["Subject"] == "Kometa-AI: 3 added in 1 collection"


async def test_it_gives_up_until_the_next_run(world: World) -> None:
    """A server that stays down is tried some times, as a figure says; the next run's report brings what was missed."""
    with Mailbox(say={"RCPT": "451 4.7.1 Later"}) as box, structlog.testing.capture_logs() as log:
        async with daemon_beside(world, Paces(redelivery=(0.02, 0.02)), _mail(box)) as here:
            await here.run()
            await until(lambda: [line["event"] for line in log].count("notification.not_delivered") == 2)
            missed = (await here.client.get("/metrics")).text
            box.say.clear()
            await here.run()
            arrived = (await here.client.get("/metrics")).text
        (mail,) = box.received
    assert "\nkometa_ai_undelivered_reports 1.0\n" in missed
    assert "\nkometa_ai_undelivered_reports 0.0\n" in arrived
    assert mail.message["Subject"] == "Kometa-AI: no changes (and 1 earlier report)"
