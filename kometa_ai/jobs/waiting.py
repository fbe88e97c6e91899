"""Look whether a run that waits for a batch can be gone on with: by free calls, outside the lock.

Why: docs/decisions/0018-batch-waiting.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from kometa_ai.asking.batch_search import ended as ended_of
from kometa_ai.core.options import Options
from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.aside import DoesNotAnswer, Patience, aside
from kometa_ai.state.schema import DAMAGE
from kometa_ai.state.waiting import Waiting, WaitingReader

if TYPE_CHECKING:
    from kometa_ai.jobs.session import Session

EVERY = 60.0
"""Seconds from one look to the next."""

_log = structlog.get_logger()


class Found(NamedTuple):
    """A run that waits: the options of the one that goes on with it, and which of its batches have ended.

    It `is_due` if one has ended since the last run that went on, or if no batch is open any more. It `is_stuck` if all
    have ended, and a run that went on could not take the answers.
    """

    options: Options
    ended: frozenset[str]
    is_due: bool
    is_stuck: bool

    @property
    def run_id(self) -> str:
        """The run that waits."""
        return self.options.goes_on_with.run_ids[-1] if self.options.goes_on_with else ""


class Lookout:
    """Looks at the open batches of the state."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._reader = WaitingReader(session.settings.state_dir)
        self._reads = Patience("STATE_DIR")
        self._waiting = Waiting()
        self._noted: set[str] = set()

    async def look(self) -> Found | None:
        """The run that waits, if one does. No failure is raised: the next look tries again."""
        try:
            self._waiting = waiting = await self._reads(self._reader.read)
        except (DoesNotAnswer, OSError, *DAMAGE) as error:
            _log.warning("state.not_read", path=str(self._session.settings.state_dir), why=str(error))
            waiting = self._waiting
        if waiting.options is None:
            return None
        keys = frozenset(batch.key for batch in waiting.batches)
        ended = await self._ended(waiting) if keys else frozenset()
        found = Found(waiting.options, ended, is_due=bool(ended - self._noted), is_stuck=keys <= self._noted & ended)
        if not keys and found.run_id not in self._noted:
            return found._replace(is_due=True, is_stuck=False)
        return found

    def note(self, found: Found) -> None:
        """A run goes on with it."""
        self._noted |= {found.run_id, *found.ended}

    async def _ended(self, waiting: Waiting) -> frozenset[str]:
        async def ask() -> frozenset[str]:
            async with self._session.open_batches() as provider:
                return await ended_of(provider, waiting.batches, self._session.now())

        # Beside the loop: to import a provider's SDK takes seconds.
        try:
            return await aside("batches", ask)
        except KometaAIError as error:
            _log.info("batch.unreachable", why=error.message)
        except Exception:  # noqa: BLE001 - a look that fails must end neither the daemon nor a run that waits
            _log.exception("batch.unreachable")
        return frozenset()
