"""List the channels: e-mail and push services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.notification.email import Email
from kometa_ai.notification.push import Push

if TYPE_CHECKING:
    from kometa_ai.notification.channel import Channel
    from kometa_ai.settings.schema import Settings


def channels_of(settings: Settings) -> tuple[Channel, ...]:
    """Every channel, made from the settings; one that is not configured has no receivers."""
    return Email(settings), Push(settings)
