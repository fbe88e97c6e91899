"""Do one run, step by step. Read this file first.

    read the libraries -> load the collections -> follow hand edits -> plan questions -> ask -> decide -> plan the tags
    -> apply -> report

The planning steps are pure functions; reading, asking and writing go through the clients in `Parts`. A dry run is
where this list ends before `apply`. Each verdict and each change is recorded in the state the moment it is known. A
step keeps its working data to itself and leaves one frozen result, also where it fails. The report is made afterwards
(`reporting`), from the results of the steps that the run came to.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.decision import decision_of
from kometa_ai.run.deciding import Decider
from kometa_ai.run.hand_edits import Follower
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.library_files import LibraryFiles
from kometa_ai.run.orphans import may_be_managed
from kometa_ai.run.reading import Reader
from kometa_ai.run.results import RunResults
from kometa_ai.run.spending import Booking
from kometa_ai.run.tagging import Writer, brakes_of, plan, review_of
from kometa_ai.run.watching import Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from kometa_ai.core.options import Options
    from kometa_ai.core.problem import Problem
    from kometa_ai.library.port import Contents
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.tags.shown import Shown


class Run:
    """One run. `results` are those of the steps that it has come to; `shown` is what it may change, if not everything.

    If it waits for a batch it ends before tags are planned; when the batch has ended another run goes on with it.
    """

    def __init__(
        self, parts: Parts, rules: Rules, options: Options, run_id: str, *, shown: Shown | None = None
    ) -> None:
        self.results = RunResults()
        self._shown = shown
        self._parts = parts
        self._rules = rules
        self._options = options
        self._run_id = run_id
        self._keeper = Keeper(parts.store, parts.interruption.course)
        self._booking = Booking(parts.store, parts.now, parts.zone)
        self._files = LibraryFiles(parts, self._keeper, run_id)
        self._follower = Follower(parts, rules, options, run_id, self._files)

    async def go(self) -> None:
        """Do everything. Raise CheckLibrary, FixConfiguration or FixUsage, before anything is changed."""
        await self._read()
        await self._follow(self._follower.since_the_last_run(self.results.reading))
        decider = await self._decide()
        if decider.result().asking.waiting is not None:
            return
        self._plan(decider)
        if self._options.dry_run or self._parts.interruption.why:
            return
        if self.results.plan.changes:
            await self._write(decider)

    def close_books(self) -> tuple[Problem, ...]:
        """Record what was spent since the last verdict, and how the libraries are left.

        Return the problems if something cannot be written.
        """
        problems = self._keeper.record(*self._booking.entries(self.results.spent.values()))
        if self._options.dry_run and self._options.accept_library:
            return problems
        results, known = self.results, self._parts.store.state.collections
        return (
            *problems,
            *self._files.write(
                results.contents,
                results.writing.done if results.writing else (),
                self._follower.settled,
                lambda label, key: may_be_managed(label, key, results.reading.folder, known),
            ),
        )

    async def _read(self) -> None:
        reader = Reader(self._parts, self._rules, self._options, self._keeper)
        try:
            await reader.libraries()
            reader.collections()
        finally:
            self.results = msgspec.structs.replace(self.results, reading=reader.result)

    async def _follow(self, following: Awaitable[None]) -> None:
        try:
            await following
        finally:
            self.results = msgspec.structs.replace(self.results, hand_edits=self._follower.result())

    async def _decide(self) -> Decider:
        reading = self.results.reading
        decider = Decider(
            self._parts,
            self._rules,
            self._options,
            run_id=self._run_id,
            reading=reading,
            choices=self._follower.choices(),
            keeper=self._keeper,
            booking=self._booking,
        )
        try:
            await decider.decide()
        finally:
            self.results = msgspec.structs.replace(self.results, judging=decider.result())
        return decider

    def _plan(self, decider: Decider, again: Mapping[str, Contents] | None = None) -> None:
        """Plan the changes in every library; after the first time in those that were read `again`, by name.

        What people have chosen since the run began counts.
        """
        self._parts.observer.step(Step.PLANNING_TAGS)
        reading, choices = self.results.reading, self._follower.choices()
        judging = decider.result()
        if choices != judging.choices:
            decider.decide_again(choices)
            judging = decider.result()
            self.results = msgspec.structs.replace(self.results, judging=judging)
        store, known = self._parts.store, self._parts.store.state.collections
        planning = plan(
            again or reading.contents,
            reading.collections,
            judging,
            brakes_of(self._rules, self._options, reading.collections, known),
            review=review_of(
                self._rules,
                reading,
                now=self._parts.now(),
                decision_of=partial(decision_of, store.memory),
                gates=judging.gates,
                known=known,
            ),
            shown=self._shown,
            before=self.results.planning,
        )
        self.results = msgspec.structs.replace(self.results, planning=planning)

    async def _write(self, decider: Decider) -> None:
        """Read each library again that changes, plan against what it is now, and write only the difference.

        What one library does not take leaves the others alone.
        """
        writer = Writer(self._parts, self._keeper, self._files, self._run_id)
        try:
            planned = {name: tags.changes for name, tags in self.results.plans.items() if tags.changes}
            for name, changes in planned.items():
                if self._parts.interruption.why:
                    return
                if contents := await writer.read_again(name, changes):
                    await self._follow(self._follower.since_it_was_read(name, contents))
                    self._plan(decider, {name: contents})
                    await writer.write(name, self.results.plans[name].changes, contents)
        finally:
            self.results = msgspec.structs.replace(self.results, writing=writer.result())
