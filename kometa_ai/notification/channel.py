"""Define a channel. A new one: a module, a line in `channels`, settings, its library in `pyproject.toml`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.notification.message import Delivery
    from kometa_ai.notification.news import News
    from kometa_ai.notification.outbox import Letter

TEST_PATIENCE = 60.0
"""Seconds for the answer to a test message: the user waits for it."""


class Channel(Protocol):
    """One way to reach receivers, made from the settings.

    `receivers` are their keys in the outbox, which hold no secret. `name` is the channel's name for users. `is_shared`
    says that receivers of the same letter get it together. `needs` names the settings that the channel requires, and
    `missing` those of them that are not set: if some are missing, that is a mistake; if all are, the channel is not
    wanted.
    """

    name: str
    receivers: tuple[str, ...]
    is_shared: bool
    needs: tuple[str, ...]
    missing: tuple[str, ...]

    async def send(
        self,
        letter: Letter,
        news: Sequence[News],
        receivers: Sequence[str],
        handing: Callable[[Iterable[str]], None],
    ) -> list[Delivery]:
        """Send a letter with its reports; return the delivery for each receiver, in their order.

        Must not raise. Sets the letter's name if it has none. Calls `handing` with receivers before the other side
        gets the message for them: from then on it may arrive.
        """
        ...

    async def test(self) -> list[Delivery]:
        """Send a test message to each receiver; return the deliveries in their order."""
        ...
