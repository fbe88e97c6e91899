"""The protocol of a channel, one way to reach receivers. A new one is a module, and a line in `channels`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kometa_ai.notification.message import Delivery
    from kometa_ai.notification.news import News
    from kometa_ai.notification.outbox import Letter

TEST_PATIENCE = 60.0
"""Seconds for the answer to a test message: the caller waits for it."""


class Channel(Protocol):
    """One way to reach receivers, made from the settings.

    `receivers` are their keys in the outbox, which hold no secret. `name` is the channel's for people. `is_shared`
    says that receivers of the same letter are sent it together. `missing` names the settings without which nothing is
    sent, and `needs` all that it needs: some of them missing is a mistake, all of them is a channel that is not wanted.
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
        """Send a letter with its reports; return what became of it for each receiver, in their order.

        Raise nothing. Give the letter its name, if it has none. Call `handing` with keys before the other side gets the
        message for them: from then on it may arrive.
        """
        ...

    async def test(self) -> list[Delivery]:
        """Send a test message to each receiver; return what became of it, in their order."""
        ...
