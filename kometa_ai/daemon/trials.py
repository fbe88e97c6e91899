"""Try prompts for the API, one at a time, each in a thread of its own; results are kept, and read by their ids."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import structlog
from structlog.contextvars import bind_contextvars

from kometa_ai.core.naming import CollectionKey
from kometa_ai.daemon.beginning import Beginning
from kometa_ai.errors import KometaAIError, ReportDefect, WaitForOtherRun
from kometa_ai.jobs.aside import Patience
from kometa_ai.jobs.audit import AUDITS
from kometa_ai.jobs.running import new_run_id
from kometa_ai.jobs.supervision import Supervised
from kometa_ai.jobs.trial import TRIALS, Trial, Wording, try_prompt
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.run.failure import RunHangs, interrupted_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.core.audit import Audit
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.trial import Wanted
    from kometa_ai.run.parts import Parts

_log = structlog.get_logger()


class Trials:
    """Starts trials and knows the one that is under way."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._job: Supervised | None = None
        self._task: asyncio.Task[None] | None = None
        self._current: Trial | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False
        self._reading = Patience("STATE_DIR", most=4)
        self._folder = Patience("CONFIG_DIR", seconds=60.0)
        self._unkept: dict[str, Trial] = {}

    async def start(self, wanted: Wanted) -> str | None:
        """Start a trial of a collection by its key, and return its id as soon as it may go on; None for no such key.

        Raise FixUsage for a text that is no prompt, and WaitForOtherRun while a run or another trial is on, unless it
        is free.
        """
        if not await self._folder(self._check, wanted):
            return None
        if self._is_closed:
            raise WaitForOtherRun("The program is ending.", "Try it when it is there again.")
        if self._job is not None:
            raise WaitForOtherRun("Another prompt is being tried.", "Wait until that has ended.")
        now, limit = self._session.now(), self._session.settings.run_timeout
        job = Supervised(limit.total_seconds() if limit is not None else None)
        self._job = job
        self._idle.clear()
        self._current = Trial(
            trial_id=new_run_id(now),
            outcome="under way",
            collection=wanted.collection,
            key=CollectionKey(wanted.collection),
            prompt=wanted.text,
            started=now,
        )
        beginning = Beginning()
        trial_id = self._current.trial_id
        self._task = asyncio.create_task(self._do(job, wanted, self._current, beginning))
        await beginning.wait("The trial")
        return trial_id

    async def read(self, trial_id: str) -> Trial | None:
        """A trial that is under way or kept; None if there is none of that id. Raise RepairState for a damaged file."""
        if self._current is not None and self._current.trial_id == trial_id:
            return self._current
        unkept = self._unkept.get(trial_id)
        return unkept or await self._reading(TRIALS.recall, self._session.settings.state_dir, trial_id)

    async def of_collection(self, key: CollectionKey) -> list[Trial]:
        """The trials of a collection that are under way or kept, the newest first. A damaged one is left out."""
        found = await self._reading(self._read_of, key)
        current = self._current
        if current is None or current.key != key:
            return found
        return [current, *(each for each in found if each.trial_id != current.trial_id)]

    def _read_of(self, key: CollectionKey) -> list[Trial]:
        folder = self._session.settings.state_dir
        found = []
        for trial_id in TRIALS.ids(folder, self._session.now()):
            with suppress(KometaAIError):
                trial = TRIALS.recall(folder, trial_id)
                found += [trial] if trial is not None and trial.key == key else []
        return found

    async def audits(self) -> list[Audit]:
        """The audits that are kept, the newest first."""
        return await self._reading(self._read_audits)

    def _read_audits(self) -> list[Audit]:
        folder = self._session.settings.state_dir
        found = []
        for audit_id in AUDITS.ids(folder, self._session.now()):
            with suppress(KometaAIError):
                audit = AUDITS.recall(folder, audit_id)
                found += [audit] if audit is not None else []
        return found

    def close(self, why: str) -> None:
        """Start no further trial, and ask the one under way to stop: what was answered is kept."""
        self._is_closed = True
        if self._job is not None:
            self._job.interrupt(why)

    async def ended(self) -> None:
        """Wait until no trial is under way."""
        await self._idle.wait()

    def _check(self, wanted: Wanted) -> bool:
        """Whether there is a collection of that key. Raise FixUsage if the text is no prompt for it."""
        folder = self._session.read_folder(self._session.settings.config_dir)
        for collection in folder.collections:
            if collection.key == wanted.collection:
                Wording.of(wanted.text, collection)
                return True
        return False

    async def _do(self, job: Supervised, wanted: Wanted, trial: Trial, beginning: Beginning) -> None:
        bind_contextvars(run_id=trial.trial_id)
        loop = asyncio.get_running_loop()

        def begin() -> None:
            loop.call_soon_threadsafe(beginning.come)

        def announce(found: Trial) -> None:
            loop.call_soon_threadsafe(self._announce, found)

        try:
            trial = await job.watch("trial", lambda: self._work(job, wanted, trial, begin, announce))
        except Exception as error:  # noqa: BLE001 - the daemon lives on
            if isinstance(error, RunHangs):
                job.take_over()
            known = error if isinstance(error, KometaAIError) else ReportDefect(log_unexpected("trial.failed", error))
            if beginning.is_over:
                trial = self._failed(trial, known, job.why)
                await self._keep(trial)
            beginning.fail(known)
        self._end(trial)

    def _announce(self, found: Trial) -> None:
        if self._current is not None:
            self._current = msgspec.structs.replace(found, outcome="under way")

    def _failed(self, trial: Trial, known: KometaAIError, signal: str) -> Trial:
        return msgspec.structs.replace(
            self._current or trial,
            outcome="interrupted" if signal else "failed",
            exit_code=interrupted_code(signal) if signal else known.exit_code,
            finished=self._session.now(),
            error=self._session.redact(known.message),
            remedy=self._session.redact(known.remedy),
        )

    async def _keep(self, trial: Trial) -> None:
        folder, now = self._session.settings.state_dir, self._session.now()
        try:
            await self._reading(lambda: TRIALS.keep(folder, trial.trial_id, trial, now))
        except KometaAIError as error:
            _log.warning("trial.not_kept", why=error.message, remedy=error.remedy)
            self._unkept = {trial.trial_id: trial}

    def _end(self, trial: Trial) -> None:
        _log.info("trial.ended", outcome=trial.outcome, cost_usd=trial.cost.cost_usd, answered=trial.answered)
        self._job = self._current = None
        self._idle.set()

    # In the trial's thread

    async def _work(
        self,
        job: Supervised,
        wanted: Wanted,
        trial: Trial,
        begin: Callable[[], object],
        announce: Callable[[Trial], object],
    ) -> Trial:
        async def do(parts: Parts) -> Trial:
            return await try_prompt(parts, self._session.rules, wanted, trial_id=trial.trial_id, announce=announce)

        if wanted.is_free:
            begin()
            found = await self._session.look(do)
            folder = self._session.settings.state_dir
            TRIALS.keep(folder, found.trial_id, found, self._session.now())
            return found
        try:
            found, _ = await self._session.perform(do, job, begin=begin)
        finally:
            job.lets_go()
        return found
