"""Plan the tags of each library from what was decided, within the safety brakes, and write the difference."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kometa_ai.core.changes import Change, TagChange
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckLibrary, RepairState
from kometa_ai.judging.mutual import managed_tag
from kometa_ai.run.libraries import check_plausible, merged
from kometa_ai.run.results import Planning, Writing
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import Tagged
from kometa_ai.tags.apply import Applied, apply_changes, made_of
from kometa_ai.tags.plan import FEW_ADDITIONS, NO_ADDITION_LIMIT, Brake, Review, plan_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Decision
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import CollectionKey, Slug
    from kometa_ai.core.options import Options
    from kometa_ai.judging.policy import Gates
    from kometa_ai.library.port import Contents, Operation
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.library_files import LibraryFiles
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Judging, Reading
    from kometa_ai.state.schema import CollectionStatus
    from kometa_ai.tags.shown import Shown


def plan(
    libraries: Mapping[str, Contents],
    collections: Sequence[Collection],
    judging: Judging,
    brakes: tuple[Brake, Brake],
    *,
    review: Review | None = None,
    shown: Shown | None = None,
    before: Planning | None = None,
) -> Planning:
    """Compare the decisions with the tags of each library, by its name.

    `brakes` are those for removals and for additions; they weigh a collection in each library for itself. `review` says
    what waits for a person. `shown` is what a dry run has shown, if no more than that may be changed. `before` is the
    plan for the libraries that are not among these.
    """
    removals, additions = brakes
    chosen = {key: gates.pinned_in for key, gates in judging.gates.items()}
    plans = dict(before.plans) if before else {}
    contents = dict(before.contents) if before else {}
    for name, found in libraries.items():
        contents[name] = found.items
        planned = plan_tags(
            collections,
            judging.memberships,
            found.items,
            judging.subjects.keys(),
            removals,
            additions=additions,
            chosen=chosen,
            library=name,
            review=review,
        )
        plans[name] = shown.within(planned) if shown else planned
    return Planning(plans=plans, contents=contents, items=merged(contents), within=shown.run_id if shown else "")


def brakes_of(
    rules: Rules, options: Options, collections: Sequence[Collection], known: Mapping[CollectionKey, CollectionStatus]
) -> tuple[Brake, Brake]:
    """The brakes of a run for removals and for additions; `known` are the statuses of collections before it."""
    everything = frozenset(collection.key for collection in collections)
    edited = frozenset(
        collection.key
        for collection in collections
        if (status := known.get(collection.key)) and status.is_edited(collection.block_hash)
    )
    building = {key for key, status in known.items() if status.first_build_open}

    def tight(operation: Operation) -> frozenset[CollectionKey]:
        """The collections whose every change is held back. A run of everything weighs all changes anew instead."""
        held = known.items() if options.movies else ()
        return frozenset(key for key, status in held if status.is_held_back(operation))

    return (
        Brake(rules.removal_limit, everything if options.allow_removals else edited, tight("remove")),
        Brake(rules.addition_limit, edited | building, tight("add"), few=FEW_ADDITIONS, no_limit=NO_ADDITION_LIMIT),
    )


def review_of(
    rules: Rules,
    reading: Reading,
    *,
    now: datetime,
    decision_of: Callable[[ItemKey, Slug], Decision | None],
    gates: Mapping[CollectionKey, Gates],
    known: Mapping[CollectionKey, CollectionStatus],
) -> Review | None:
    """Which changes wait for a person, or None if none does. `known` are the statuses of collections before the run.

    A collection is being built from its first member on until a run has added all that belong, or while no item of any
    library has its tag.
    """
    if rules.review == "off":
        return None
    operations: tuple[Operation, ...] = ("remove",) if rules.review == "removals" else ("remove", "add")
    tagged = {
        (library.kind, label)
        for library in reading.libraries
        if library.contents is not None
        for item in library.contents.items
        for label in item.labels
    }
    building = {key for key, status in known.items() if status.first_build_open}
    building |= {each.key for each in reading.collections if managed_tag(each) not in tagged}
    return Review(frozenset(operations), timedelta(days=rules.review_days), now, decision_of, gates, building)


class Writer:
    """Writes the changes of one run, library by library."""

    def __init__(self, parts: Parts, keeper: Keeper, files: LibraryFiles, run_id: str) -> None:
        self._parts = parts
        self._keeper = keeper
        self._files = files
        self._run_id = run_id
        self._applied: list[Applied] = []
        self._stopped: dict[str, CheckLibrary] = {}
        self._recorded: list[TagChange] = []
        self._problems: list[Problem] = []

    def result(self) -> Writing:
        """What has become of the changes so far."""
        made = made_of(self._applied)
        return Writing(
            done=made.done,
            failed=made.failed,
            stopped=self._stopped,
            recorded=tuple(self._recorded),
            problems=(*self._problems, *made.problems),
            warnings=made.warnings,
        )

    async def read_again(self, name: str, planned: Sequence[Change]) -> Contents | None:
        """Read a library again, right before writing to it; None where it cannot be used any more.

        Then the `planned` changes have failed, which is reported. Raise CheckLibrary where it is the only one.
        """
        parts, library = self._parts, self._parts.library(name)
        parts.observer.step(Step.WRITING)
        try:
            contents = await library.contents()
            check_plausible(library, contents, parts.store.state.libraries.get(name), accepted=False)
        except CheckLibrary as error:
            if len(parts.libraries) == 1:
                raise
            self._stopped[name] = error
            applied = Applied(library.title)
            applied.failed += planned
            self._applied.append(applied)
            names = ", ".join(dict.fromkeys(change.collection_name for change in planned))
            what = (
                f"{error.message} Nothing was changed there; the other libraries went on. Left alone: "
                f"{counted(len(planned), 'change')} ({names})."
            )
            self._problems.append(Problem(source=library.title, what=what, remedy=error.remedy))
            return None
        return contents

    async def write(self, name: str, changes: Sequence[Change], contents: Contents) -> None:
        """Make the changes in a library, and record each that it confirms. None is made that cannot be noted before."""
        library = self._parts.library(name)
        applied = Applied(library.title)
        self._applied.append(applied)
        try:
            self._files.intend(name, changes)
        except RepairState as error:
            applied.failed += changes
            what = f"{error.message} Without that nothing is changed in {library.title}."
            self._problems.append(Problem(source="state", what=what, remedy=error.remedy))
            return
        try:
            await apply_changes(library, changes, contents, self._remember, applied)
        finally:
            if applied.stopped is not None:
                self._stopped[name] = applied.stopped

    def _remember(self, done: Sequence[Change]) -> None:
        changes = [
            TagChange(
                at=self._parts.now(),
                run_id=self._run_id,
                library=change.library,
                key=change.movie.key,
                title=change.movie.title,
                year=change.movie.year,
                collection=change.slug,
                tag=change.label,
                operation=change.operation,
            )
            for change in done
        ]
        self._recorded += changes
        self._problems += self._keeper.record(*(Tagged(change=change) for change in changes))
