"""Hold the result of each step of a run, frozen; the report is made from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec

from kometa_ai.asking.ending import Ending, Stopped
from kometa_ai.asking.tally import Spent, Tally
from kometa_ai.core.changes import Change, TagChange, TagPlan
from kometa_ai.core.choice import Choices
from kometa_ai.core.collection import Collection, Folder
from kometa_ai.core.item import ItemKey, Kind
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.options import Options
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import MovieLine
from kometa_ai.errors import CheckLibrary
from kometa_ai.judging.planning import Questions, Subject
from kometa_ai.judging.policy import Gates, Membership
from kometa_ai.library.port import Contents

UNREAD = Folder(unreadable_files=(".",))
"""A folder that was not read: none of its collections counts as gone."""


class LibraryFound(msgspec.Struct, frozen=True, kw_only=True):
    """One library as a run found it. One that cannot be used has an `error` and no `contents`."""

    name: str
    title: str
    kind: Kind
    contents: Contents | None = None
    error: CheckLibrary | None = None
    warnings: tuple[Problem, ...] = ()


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read: the libraries, Kometa's folder, and the collections of it that the run is about.

    `items` are those of all libraries that can be used, each once. Of the `unconfirmed` ones another library tells the
    facts, which cannot be used now. `whole` are the kinds of which every library could be read.
    """

    libraries: tuple[LibraryFound, ...] = ()
    items: Sequence[AnyItem] = ()
    unconfirmed: frozenset[ItemKey] = frozenset()
    whole: frozenset[str] = frozenset()
    folder: Folder = UNREAD
    collections: tuple[Collection, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def contents(self) -> dict[str, Contents]:
        """What each library holds that can be used, by its name, in the order of the settings."""
        return {each.name: each.contents for each in self.libraries if each.contents is not None}


def items_of(contents: Mapping[str, Contents]) -> dict[str, Sequence[AnyItem]]:
    """The items of each library, by its name."""
    return {name: each.items for name, each in contents.items()}


class HandEdits(msgspec.Struct, frozen=True, kw_only=True):
    """What people changed by hand and has become pins, by collection; and what was changed and has not, as warnings."""

    pinned_in: Mapping[CollectionKey, tuple[MovieLine, ...]] = {}
    pinned_out: Mapping[CollectionKey, tuple[MovieLine, ...]] = {}
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked and what came of it.

    `open_questions` are those left for the next run, `reasons` counts those that were planned, and `last_asked` is the
    last movie with a verdict, by collection. `endings` say why it ended early, if it did. A run that waits for a batch
    ends here; `waiting` are the options of the one that goes on with it. `not_repeated` counts the questions that were
    to be asked again although a decision stands, and were not: no later run asks them by itself.
    """

    open_questions: Questions
    reasons: Mapping[CollectionKey, dict[str, int]]
    last_asked: Mapping[CollectionKey, ItemKey]
    tally: Tally
    endings: tuple[Ending, ...]
    waiting: Options | None = None
    not_repeated: int = 0

    @property
    def stopped(self) -> Exception | None:
        """The error that every further request would have met."""
        return next((ending.error for ending in self.endings if isinstance(ending, Stopped)), None)


class Judging(msgspec.Struct, frozen=True, kw_only=True):
    """Who belongs to which collection. `subjects` are the movies that were judged.

    `choices` are those of people that it was decided with.
    """

    subjects: Mapping[ItemKey, Subject]
    asking: Asking
    choices: Choices = Choices()
    gates: Mapping[CollectionKey, Gates] = {}
    memberships: Mapping[CollectionKey, Membership] = {}
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Planning(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What is to change in each library, and the items whose tags it was planned against, by its name.

    `items` are those of all libraries, each once. `within` is the dry run that the changes keep to, if there is one.
    """

    plans: Mapping[str, TagPlan]
    contents: Mapping[str, Sequence[AnyItem]]
    items: Sequence[AnyItem]
    within: str = ""

    @cached_property
    def plan(self) -> TagPlan:
        """What is to change in all libraries."""
        return TagPlan(
            changes=tuple(change for plan in self.plans.values() for change in plan.changes),
            held_back=tuple(change for plan in self.plans.values() for change in plan.held_back),
            unshown=tuple(change for plan in self.plans.values() for change in plan.unshown),
            in_review=tuple(waiting for plan in self.plans.values() for waiting in plan.in_review),
        )


class Writing(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the changes. `stopped` is why writing to a library ended early, by its name.

    `recorded` are the changes in the state.
    """

    done: tuple[Change, ...]
    failed: tuple[Change, ...]
    stopped: Mapping[str, CheckLibrary]
    recorded: tuple[TagChange, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


class RunResults(msgspec.Struct, frozen=True, kw_only=True):
    """The results of the steps that a run has come to, each None until then. The pipeline alone sets them."""

    reading: Reading = Reading()
    hand_edits: HandEdits = HandEdits()
    judging: Judging | None = None
    planning: Planning | None = None
    writing: Writing | None = None

    @property
    def items(self) -> Sequence[AnyItem]:
        """The items of all libraries as they were read last, each once."""
        return self.planning.items if self.planning else self.reading.items

    @property
    def contents(self) -> Mapping[str, Sequence[AnyItem]]:
        """The items of each library as they were read last, by its name."""
        return self.planning.contents if self.planning else items_of(self.reading.contents)

    @property
    def plan(self) -> TagPlan:
        """The changes that are to be made, as they were planned last."""
        return self.planning.plan if self.planning else TagPlan()

    @property
    def plans(self) -> Mapping[str, TagPlan]:
        """The same by the name of the library."""
        return self.planning.plans if self.planning else {}

    @property
    def asking(self) -> Asking | None:
        """What was asked, if the run has come so far."""
        return self.judging.asking if self.judging else None

    @property
    def waiting(self) -> Options | None:
        """The options of the run that goes on with this one, if it waits for a batch."""
        return self.asking.waiting if self.asking else None

    @property
    def subjects(self) -> Mapping[ItemKey, Subject]:
        """The movies that were judged."""
        return self.judging.subjects if self.judging else {}

    @property
    def spent(self) -> Mapping[CollectionKey, Spent]:
        """What was spent, by collection."""
        return self.asking.tally.spent if self.asking else {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of all steps, in their order."""
        return tuple(problem for step in self._steps for problem in step.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings of all steps, in their order."""
        return tuple(warning for step in self._steps for warning in step.warnings)

    @property
    def _steps(self) -> Sequence[Reading | HandEdits | Judging | Writing]:
        steps = (self.reading, self.hand_edits, self.judging, self.writing)
        return [step for step in steps if step is not None]
