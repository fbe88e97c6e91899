"""Look at things for a caller: check everything, forecast a run, preview an undo. One at a time, kept in memory."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import structlog

from kometa_ai.core.options import Options
from kometa_ai.errors import KometaAIError, ReportDefect, WaitForOtherRun
from kometa_ai.jobs.aside import DoesNotAnswer, Patience, aside
from kometa_ai.jobs.checkup import Diagnosis, check_up
from kometa_ai.jobs.estimate import Estimate
from kometa_ai.jobs.undo import Undo, preview
from kometa_ai.jobs.undo_report import Undone
from kometa_ai.jobs.views import forecast
from kometa_ai.kometa.files import stamps_of
from kometa_ai.observe.logs import log_unexpected
from kometa_ai.settings.changes import changed_variables
from kometa_ai.settings.environment import load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.jobs.services import Looked
    from kometa_ai.jobs.session import Session

Kind = Literal["doctor", "estimate", "undo"]
"""What can be looked at: whether everything is in order, what a run would ask, what an undo would change."""

Since = Literal["", "run", "files"]
"""What has happened since a look began: a run has ended, or one of Kometa's files has changed; empty for neither."""

LONGEST = 300.0
"""Seconds after which a look is given up: something does not answer."""

_STAMPING = 2.0
"""Seconds for the stamps of Kometa's files; who opens the page waits for them."""

_log = structlog.get_logger()


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look of a kind has found, and when (`at`); `error` and `remedy` if it has found nothing.

    While another one is on, since `since`, the rest is still the last one's. `restart_for` are the variables whose
    values have changed since the program was started, as a file with a key does; they count from the next start on.
    """

    kind: Kind
    status: Literal["never", "running", "done", "failed"] = "never"
    since: datetime | None = None
    at: datetime | None = None
    error: str = ""
    remedy: str = ""
    doctor: Diagnosis | None = None
    restart_for: tuple[str, ...] = ()
    estimate: Estimate | None = None
    undo: Undone | None = None


class Examination(msgspec.Struct, frozen=True):
    """That everything is to be checked, as `--check-config` does."""


class _Sources(NamedTuple):
    """What a look depends on: the run that had ended last, and the stamps of Kometa's files. None is not known."""

    run_id: str | None
    files: object


Wanted = Examination | Options | Undo
"""An examination, the forecast of a run with these options, the preview of an undo."""
Found = Diagnosis | Estimate | Undone


class Looks:
    """Does one look at a time, beside the loop. None of them writes anything, asks a model, or needs the lock.

    `last_run` returns the id of the run that has ended last. `previewed` is the run whose undo was looked at last;
    empty before there was one.
    """

    def __init__(self, session: Session, environ: Mapping[str, str], *, last_run: Callable[[], Awaitable[str]]) -> None:
        self._session = session
        self._environ = environ
        self._last_run = last_run
        self._stamps = Patience("CONFIG_DIR", seconds=_STAMPING)
        self._seen: dict[Kind, _Sources] = {}
        self._examines = Patience("CONFIG_DIR", seconds=LONGEST)
        self.previewed = ""
        self._last: dict[Kind, Look] = {}
        self._task: asyncio.Task[Found | KometaAIError] | None = None

    def last(self, kind: Kind) -> Look:
        """What the last look of this kind has found, and whether one is on."""
        return self._last.get(kind) or Look(kind=kind)

    def age(self, kind: Kind) -> timedelta | None:
        """How long ago the last look of this kind has ended; None if none has."""
        at = self.last(kind).at
        return None if at is None else self._session.now() - at

    def saw(self, kind: Kind) -> str | None:
        """The run that had ended last when the last look of this kind began: its id; None where it is not known."""
        return self._seen[kind].run_id if kind in self._seen else None

    async def since(self, kind: Kind) -> Since:
        """What makes the last look of this kind out of date; empty while another one is on. No file is read for it."""
        if kind not in self._seen or self.last(kind).status != "done":
            return ""
        before, now = self._seen[kind], await self._sources()
        if kind != "undo" and None not in (before.files, now.files) and before.files != now.files:
            return "files"
        return "run" if None not in (before.run_id, now.run_id) and before.run_id != now.run_id else ""

    def begin(self, wanted: Wanted) -> asyncio.Task[Found | KometaAIError]:
        """Begin to look; the task returns what was found, or the error. Raise WaitForOtherRun while one is on."""
        if self._task is not None and not self._task.done():
            (kind,) = (look.kind for look in self._last.values() if look.status == "running")
            raise WaitForOtherRun(f"A look of the kind {kind!r} is under way.", "Wait until it has ended.")
        kind = kind_of(wanted)
        self.previewed = wanted.run_id if isinstance(wanted, Undo) else self.previewed
        self._last[kind] = msgspec.structs.replace(self.last(kind), status="running", since=self._session.now())
        self._task = asyncio.create_task(self._look(kind, wanted))
        return self._task

    async def _look(self, kind: Kind, wanted: Wanted) -> Found | KometaAIError:
        try:
            async with asyncio.timeout(LONGEST):
                sources = await self._sources()  # first, so that what changes meanwhile makes it out of date
                found = await self._find(wanted)
        except TimeoutError:
            return self._fail(kind, DoesNotAnswer(f"It took longer than {LONGEST:g} seconds.", "Look again."))
        except KometaAIError as error:
            return self._fail(kind, error)
        except Exception as error:  # noqa: BLE001 - the daemon lives on
            return self._fail(kind, ReportDefect(log_unexpected("look.failed", error)))
        look = Look(kind=kind, status="done", at=self._session.now())
        if isinstance(found, Diagnosis):
            look = msgspec.structs.replace(look, restart_for=await self._changed())
        self._seen[kind] = sources
        self._last[kind] = msgspec.structs.replace(look, **{kind: found})
        _log.info("look.done", kind=kind)
        return found

    async def _sources(self) -> _Sources:
        run_id = files = None
        with suppress(KometaAIError):
            run_id = await self._last_run()
        with suppress(KometaAIError, OSError):
            files = await self._stamps(stamps_of, self._session.settings.config_dir)
        return _Sources(run_id, files)

    async def _changed(self) -> tuple[str, ...]:
        """The variables whose values are others than at the start; none where they cannot be read."""
        try:
            loaded = await self._examines(load_settings, self._environ)
        except KometaAIError:
            return ()  # what is wrong with them is in the diagnosis
        return tuple(changed_variables(self._session.settings, loaded.settings))

    def _fail(self, kind: Kind, error: KometaAIError) -> KometaAIError:
        redact = self._session.redact
        self._last[kind] = Look(
            kind=kind,
            status="failed",
            at=self._session.now(),
            error=redact(error.message),
            remedy=redact(error.remedy),
        )
        _log.info("look.failed", kind=kind, why=error.message)
        return error

    async def _find(self, wanted: Wanted) -> Found:
        session = self._session
        match wanted:
            case Examination():
                return _without_contents(await self._examines(check_up, self._environ, self._look_around))
            case Options():
                return await aside("estimate", lambda: forecast(session, wanted))
            case Undo():
                return await aside("undo preview", lambda: session.look(lambda parts: preview(parts, wanted.run_id)))

    def _look_around(self, collections: Sequence[Collection]) -> tuple[Looked, ...]:
        # Called in a thread that has no loop.
        return asyncio.run(self._session.look_around(collections))


def kind_of(wanted: Wanted) -> Kind:
    """Of which kind a look is."""
    match wanted:
        case Examination():
            return "doctor"
        case Options():
            return "estimate"
        case Undo():
            return "undo"


def _without_contents(found: Diagnosis) -> Diagnosis:
    """The diagnosis without what was read from libraries; the warnings of services are among all warnings."""
    services = tuple(msgspec.structs.replace(looked, warnings=(), labels=None) for looked in found.services)
    return msgspec.structs.replace(found, services=services)
