"""Read or lock the state and open the services for every job, from the settings (`Session`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from kometa_ai.core.collection import Collection, Folder
from kometa_ai.core.model import ProviderName
from kometa_ai.jobs.services import Looked
from kometa_ai.library.port import Library
from kometa_ai.providers.port import BatchProvider
from kometa_ai.run.parts import Parts, Rules
from kometa_ai.run.scope import choose
from kometa_ai.run.watching import Observer
from kometa_ai.settings.schema import Settings
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.jobs.supervision import Supervised

_T = TypeVar("_T")


class Traffic(msgspec.Struct, frozen=True):
    """How often each kind of call had which outcome, and how long calls took; it grows while the parts are in use.

    `library_calls` are by the name of the library, `model_calls` by the provider's. `request_seconds` are of single
    requests to a model, `batch_seconds` of batches by their ids.
    """

    library_calls: Mapping[str, Mapping[tuple[str, str], int]] = {}
    model_calls: Mapping[str, Mapping[str, int]] = {}
    request_seconds: Mapping[str, Sequence[float]] = {}
    batch_seconds: Mapping[str, float] = {}


class OpenParts(Protocol):
    """Opens the services of a run. For a `patient` run models may take long where that costs less."""

    def __call__(
        self, store: Store, observer: Observer | None, *, patient: bool = False
    ) -> AbstractAsyncContextManager[Parts]:
        """The services, with this state and observer; their connections are closed at the end."""
        ...


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """The settings, and what `app` builds from them. Jobs open services through this and know no adapter.

    `open_library` opens one of the libraries by its name. `look_around` looks at all services once and quickly, for
    these collections. `checks` try one of them, by its title, with patience, and raise a KometaAIError if it cannot be
    used. `titles` are what texts call the providers in use, that of the first look first.
    """

    settings: Settings
    rules: Rules
    choices: ChoicesFile
    redact: Callable[[str], str]
    now: Callable[[], datetime]
    read_folder: Callable[[Path], Folder]
    open_parts: OpenParts
    open_library: Callable[[str], AbstractAsyncContextManager[Library]]
    open_batches: Callable[[], AbstractAsyncContextManager[BatchProvider]]
    traffic_of: Callable[[Parts], Traffic]
    look_around: Callable[[Sequence[Collection]], Coroutine[Any, Any, tuple[Looked, ...]]]
    checks: Mapping[str, Callable[[], Coroutine[Any, Any, Looked]]]
    titles: Mapping[ProviderName, str]

    def read(self) -> Store:
        """The state as it is on the disk; nothing can be written to it."""
        return Store.load(self.settings.state_dir, read_only=True)

    @contextmanager
    def lock(self) -> Iterator[Store]:
        """The state, locked for this process. Raise WaitForOtherRun if another run holds it."""
        with StateLock(self.settings.state_dir):
            store = Store.load(self.settings.state_dir)
            self.choices.take_over(store)
            yield store

    async def look(self, do: Callable[[Parts], Coroutine[Any, Any, _T]]) -> _T:
        """Read the state, open the services, and do what writes nothing."""
        async with self.open_parts(self.read(), None) as parts:
            return await do(parts)

    def check_names(self, names: Sequence[str]) -> None:
        """Raise FixUsage for a name that no collection has now."""
        if names:
            choose(self.read_folder(self.settings.config_dir), names)

    async def perform(
        self,
        do: Callable[[Parts], Coroutine[Any, Any, _T]],
        job: Supervised,
        *,
        observer: Observer | None = None,
        patient: bool = False,
        begin: Callable[[], object] = lambda: None,
        load: Callable[[Path], Store] = Store.load,
        recover: Callable[[Exception], Awaitable[_T]] | None = None,
    ) -> tuple[_T, Traffic]:
        """Lock the state, load it, open the services and do a run, whose end `job` can ask for. Not for the main loop.

        `begin` is called once the lock is held. `patient` is for `open_parts`. `recover` makes a result of an error,
        still under the lock; without it the error is raised.
        """
        with StateLock(self.settings.state_dir) as lock:
            begin()
            traffic = Traffic()
            try:
                # Always from the disk: another process may have learned something since the last run.
                store = load(self.settings.state_dir)
                self.choices.take_over(store)
                job.holds(lock, store)
                async with self.open_parts(store, observer, patient=patient) as parts:
                    traffic = self.traffic_of(parts)
                    result = await _ending_with(job, parts, do(parts))
            except Exception as error:
                if recover is None:
                    raise
                result = await recover(error)
            return result, traffic


async def _ending_with(job: Supervised, parts: Parts, work: Coroutine[Any, Any, _T]) -> _T:
    run = asyncio.create_task(work)
    pulse = job.attach(parts.interruption, run)
    try:
        return await run
    finally:
        pulse.cancel()
