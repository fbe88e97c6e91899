"""What the next report has to know: what was told before, and what has not arrived. One file beside the state.

It is no part of the state, so that trouble with the state can be told, and told once, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.problem import Problem
from kometa_ai.notification.news import News, Told
from kometa_ai.state import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FILE = "notifications.json"
MOST = 30
"""Reports that wait for one receiver or another; beyond, the oldest are given up and counted."""

_log = structlog.get_logger()


class Waiting(msgspec.Struct, kw_only=True):
    """A report, and those who have not got it."""

    news: News
    to: set[str]


class Outbox(msgspec.Struct, kw_only=True):
    """The ledger of what was told, reports that wait (the oldest first), how many were given up for whom, and why.

    A receiver is a key that holds no secret. `failing` is why the last try did not reach one.
    """

    format: int = 1
    told: dict[str, Told] = {}
    waiting: list[Waiting] = []
    lost: dict[str, int] = {}
    failing: dict[str, Problem] = {}

    def put(self, news: News, to: Iterable[str]) -> None:
        """Let a report wait for its receivers."""
        # The changes are in its collections already.
        lean = msgspec.structs.replace(news, report=msgspec.structs.replace(news.report, changes=()))
        self.waiting.append(Waiting(news=lean, to=set(to)))
        while len(self.waiting) > MOST:
            for receiver in self.waiting.pop(0).to:
                self.lost[receiver] = self.lost.get(receiver, 0) + 1

    def of(self, receiver: str) -> tuple[Sequence[News], int]:
        """What waits for a receiver, the oldest first, and how many more were given up."""
        return [one.news for one in self.waiting if receiver in one.to], self.lost.get(receiver, 0)

    def delivered(self, receiver: str) -> None:
        """A receiver has got everything."""
        for one in self.waiting:
            one.to.discard(receiver)
        self.waiting = [one for one in self.waiting if one.to]
        self.lost.pop(receiver, None)
        self.failing.pop(receiver, None)

    def keep_only(self, receivers: Iterable[str]) -> None:
        """Forget receivers that are configured no more."""
        gone = {receiver for one in self.waiting for receiver in one.to} | set(self.lost) | set(self.failing)
        for receiver in gone - set(receivers):
            self.delivered(receiver)


def load(folder: Path) -> Outbox:
    """The outbox of a state folder. One that cannot be read is set aside: at worst things are told twice."""
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outbox)
    except FileNotFoundError:
        return Outbox()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        _log.warning("notifications.not_read", path=str(path), why=str(error))
        try:
            files.set_aside(path, "damaged")
        except OSError as trouble:
            _log.warning("notifications.not_set_aside", path=str(path), why=str(trouble))
        return Outbox()


def save(folder: Path, outbox: Outbox) -> Problem | None:
    """Write the outbox down, readable by its owner only; or say why not."""
    path = folder / FILE
    try:
        files.replace(path, msgspec.json.encode(outbox))
    except OSError as error:
        return Problem(
            source="state",
            what=f"What was told, and what has not arrived, cannot be written to {str(path)!r}: {error.strerror}.",
            remedy="Free some space or mend the rights of STATE_DIR; until then things may be told twice, or never.",
            severity="warning",
        )
    return None
