"""What `--check-config` says of channels: addresses of push services, and settings of the mail server."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


def test_addresses_that_apprise_cannot_read(world: World, call: Call) -> None:
    """Each is named by its service and its position, and nothing of it is shown."""
    world.collections(block("Heist"))
    urls = "discord://half-a-secret-token, nonsense://sesame-open-sesame, json://example.org/hook"

    ended = call("--check-config", APPRISE_URLS=urls)

    assert ended.code == 1
    assert "discord (APPRISE_URLS, address 1): Apprise cannot read this address." in ended.out
    assert "nonsense (APPRISE_URLS, address 2): Apprise cannot read this address." in ended.out
    assert "address 3" not in ended.out
    assert not re.search("secret|sesame", ended.out + ended.err)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"SMTP_SECURITY": "starttls", "SMTP_PORT": "465"}, "TLS from the first byte"),
        ({"SMTP_SECURITY": "tls", "SMTP_PORT": "587"}, "no TLS before STARTTLS"),
        (
            {"SMTP_SERVER": "", "NOTIFICATION_RECIPIENTS": "", "SMTP_USERNAME": "u", "SMTP_PASSWORD": "p"},
            "no mail server",
        ),
        ({"SMTP_USERNAME": "u"}, "only work together"),
    ],
)
def test_settings_of_mail_that_contradict_each_other(
    world: World, call: Call, settings: dict[str, str], said: str
) -> None:
    """What can never be sent like this is told before it is tried."""
    world.collections(block("Heist"))
    mail = {"SMTP_SERVER": "mail.example.org", "NOTIFICATION_RECIPIENTS": "ann@example.org"}

    ended = call("--check-config", **mail | settings)

    assert ended.code == 1
    assert said in ended.out
