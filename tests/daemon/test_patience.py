"""Which runs let models take long where that costs less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.app import session_of
from kometa_ai.core.item import movie_key
from kometa_ai.core.options import Options
from kometa_ai.daemon.runs import Runs

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.state.store import Store
    from tests.run.world import World


async def test_runs_at_night_are_patient(world: World) -> None:
    """A run by the schedule is; one that a person has started is not, nor one about what was added just now."""
    session = session_of(world.settings)
    patience: list[bool] = []

    def open_parts(
        store: Store, observer: Observer | None, *, patient: bool = False
    ) -> AbstractAsyncContextManager[Parts]:
        patience.append(patient)
        return session.open_parts(store, observer, patient=patient)

    runs = Runs(msgspec.structs.replace(session, open_parts=open_parts), tell=lambda _: None, next_run=lambda: None)
    added = frozenset({movie_key(1000)})
    for options in (Options(unattended=True), Options(), Options(unattended=True, movies=added)):
        await runs.start(options, "test")
        await runs.ended()

    assert patience == [True, False, False]
