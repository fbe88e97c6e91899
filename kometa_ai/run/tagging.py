"""Plan the tags from what was decided, with the safety brakes of this run, and write the difference to Radarr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kometa_ai.core.changes import Change, TagChange
from kometa_ai.run.reading import check_plausible
from kometa_ai.run.results import Planning, Writing
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import Tagged
from kometa_ai.tags.apply import Applied, apply_changes
from kometa_ai.tags.plan import FEW_ADDITIONS, NO_ADDITION_LIMIT, Brake, plan_tags

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.naming import Slug
    from kometa_ai.core.options import Options
    from kometa_ai.core.problem import Problem
    from kometa_ai.library.port import Contents
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Judging
    from kometa_ai.state.schema import CollectionStatus


def plan(
    library: Contents,
    collections: Sequence[Collection],
    judging: Judging,
    brakes: tuple[Brake, Brake],
) -> Planning:
    """Compare the decisions with a library's tags. `brakes` are those for removals and for additions."""
    removals, additions = brakes
    planned = plan_tags(
        collections,
        judging.memberships,
        library.items,
        judging.subjects.keys(),
        removals,
        additions=additions,
        chosen={slug: gates.pinned_in for slug, gates in judging.gates.items()},
    )
    return Planning(plan=planned, movies=library.items)


def brakes_of(
    rules: Rules, options: Options, collections: Sequence[Collection], known: Mapping[Slug, CollectionStatus]
) -> tuple[Brake, Brake]:
    """The brakes of a run for removals and for additions; `known` are the statuses of collections before it."""
    everything = frozenset(collection.slug for collection in collections)
    edited = frozenset(
        collection.slug
        for collection in collections
        if (status := known.get(collection.slug)) and status.is_edited(collection.block_hash)
    )
    building = {slug for slug, status in known.items() if status.first_build_open}

    def tight(operation: Literal["add", "remove"]) -> frozenset[Slug]:
        """The collections whose every change is held back. A run of everything weighs all changes anew instead."""
        held = known.items() if options.movies else ()
        return frozenset(slug for slug, status in held if status.is_held_back(operation))

    return (
        Brake(rules.removal_limit, everything if options.allow_removals else edited, tight("remove")),
        Brake(rules.addition_limit, edited | building, tight("add"), few=FEW_ADDITIONS, no_limit=NO_ADDITION_LIMIT),
    )


class Writer:
    """Writes the changes of one run."""

    def __init__(self, parts: Parts, keeper: Keeper, run_id: str) -> None:
        self._parts = parts
        self._keeper = keeper
        self._run_id = run_id
        self._applied = Applied()
        self._recorded: list[TagChange] = []
        self._problems: list[Problem] = []

    def result(self) -> Writing:
        """What has become of the changes so far."""
        applied = self._applied
        return Writing(
            done=tuple(applied.done),
            failed=tuple(applied.failed),
            stopped=applied.stopped,
            recorded=tuple(self._recorded),
            problems=(*self._problems, *applied.problems),
            warnings=tuple(applied.warnings),
        )

    async def library(self) -> Contents:
        """Read the library again, right before writing to it. Raise CheckRadarr if it is implausible."""
        self._parts.observer.step(Step.WRITING)
        library = await self._parts.library.contents()
        check_plausible(library, self._parts.store.state.libraries.get(self._parts.library.name), accepted=False)
        return library

    async def write(self, changes: Sequence[Change], library: Contents) -> None:
        """Make the changes, and record each that Radarr confirms."""
        await apply_changes(self._parts.library, changes, library, self._remember, self._applied)

    def _remember(self, done: Sequence[Change]) -> None:
        changes = [
            TagChange(
                at=self._parts.now(),
                run_id=self._run_id,
                library=self._parts.library.name,
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
