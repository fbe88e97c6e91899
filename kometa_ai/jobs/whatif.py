"""Answer `--what-if`: who would enter and leave a collection at another threshold; nothing is asked or written."""

from __future__ import annotations

import math
from datetime import datetime
from functools import partial
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.asking.tally import Tally
from kometa_ai.core.decision import Cause, Reason, decision_of
from kometa_ai.core.item import ItemKey, Kind, order_of
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.options import Options
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.explain import about_silence
from kometa_ai.jobs.finding import silent_libraries
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.stages import Known
from kometa_ai.judging.whatif import Comparison, Step, compare, histogram, opened, second_looks, verdicts_that_count
from kometa_ai.kometa.checking.rewording import LinesToCopy, lines_to_copy, with_threshold
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.questioning import count
from kometa_ai.run.reading import Reader
from kometa_ai.run.results import Asking, Judging
from kometa_ai.run.scope import choose
from kometa_ai.run.tagging import brakes_of, plan, review_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Decision
    from kometa_ai.core.naming import Slug
    from kometa_ai.jobs.session import Session
    from kometa_ai.kometa.checking.examination import Examination
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Planning, Reading
    from kometa_ai.state.schema import CollectionStatus


class Wish(NamedTuple):
    """A collection as a user names it, and the threshold to try."""

    collection: str
    threshold: float


class Title(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item that would come in or leave. `confidence` is that of its verdict, if it has one.

    `because` says what would decide. One that `waits` has a second look before it, whose outcome may differ.
    """

    key: ItemKey
    title: str
    year: int
    confidence: float | None = None
    because: str = Cause.VERDICT
    waits: bool = False


class Follower(msgspec.Struct, frozen=True, kw_only=True):
    """A collection whose rules name the tag of the one that changes, directly or not, and what changes in it.

    `asks` counts items that a rule decided so far and a question must decide then: until it is answered they stay as
    they are. Its own block is as it was, so the brakes may hold changes back: `held_back` tags of all libraries. Those
    `in_review` wait some days for a person.
    """

    collection: str
    key: CollectionKey
    enters: tuple[Title, ...]
    leaves: tuple[Title, ...]
    asks: int = 0
    held_back: int = 0
    in_review: int = 0


class LibraryTags(msgspec.Struct, frozen=True, kw_only=True):
    """The collection's tag in one library: on how many items it is now, and how many the next run would add and remove.

    That is what the library lacks of the members at the other threshold, for whatever reason.
    """

    library: str
    title: str
    tagged: int
    to_add: int
    to_remove: int
    held_back: int
    in_review: int = 0


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A collection at another threshold, as the next run would decide it from what is remembered.

    `undecided` counts open questions by reason: those items stay as they are until a run has asked about them.
    `second_looks` are due at that threshold. `asks` counts the questions that are open at that threshold alone, in
    this collection and those that follow. `histogram` holds the verdicts that decide, by confidence. `lines` are
    those to copy into the user's files. `as_of` is when the libraries were read.
    """

    collection: str
    key: CollectionKey
    kind: Kind
    tag: str
    threshold_now: float
    threshold: float
    members_now: int
    members: int
    enters: tuple[Title, ...]
    leaves: tuple[Title, ...]
    pinned_in: int
    pinned_out: int
    in_by_tag: int
    out_by_tag: int
    second_looks: int
    asks: int
    undecided: dict[str, int]
    histogram: tuple[Step, ...]
    libraries: tuple[LibraryTags, ...]
    follow: tuple[Follower, ...]
    lines: tuple[LinesToCopy, ...]
    as_of: datetime | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the other threshold is another one at all."""
        return self.threshold != self.threshold_now


def parse(text: str) -> Wish:
    """Read `COLLECTION=THRESHOLD`; the last `=` counts. Raise FixUsage for anything else."""
    name, sign, number = text.rpartition("=")
    if not sign or not name.strip():
        raise FixUsage(f"{text!r} names no collection and threshold.", 'Write e.g. --what-if "Film Noir=0.65".')
    try:
        threshold = float(number)
    except ValueError:
        threshold = math.nan
    if not 0 <= threshold <= 1:
        raise FixUsage(f"{number.strip()!r} is no threshold.", "Write a number from 0.0 to 1.0, e.g. 0.65.")
    return Wish(name.strip(), threshold)


async def what_if(session: Session, options: Options, wish: Wish) -> WhatIf:
    """What another threshold of one collection would do. Raise FixUsage for a name that no collection has.

    Raise CheckLibrary where no library that the collection is for can be used.
    """
    session.check_names([wish.collection])
    collection, found = await session.look(lambda parts: _what_if(parts, session.rules, options, wish))
    return with_lines(session, collection, found)


def with_lines(session: Session, collection: Collection, found: WhatIf, examined: Examination | None = None) -> WhatIf:
    """The preview of a collection with the lines to copy into the files that hold its block now.

    Kometa's folder is read for it, unless it is `examined` already.
    """
    if not found.is_changed:
        return found
    lines = lines_to_copy(
        session.settings.config_dir,
        collection,
        lambda block: with_threshold(block, found.threshold),
        by_hand=f"Write `confidence_threshold: {found.threshold}` into the block.",
        services=session.settings.kinds,
        redact=session.redact,
        examined=examined,
    )
    return msgspec.structs.replace(found, lines=lines)


async def _what_if(parts: Parts, rules: Rules, options: Options, wish: Wish) -> tuple[Collection, WhatIf]:
    silent = await silent_libraries(parts.libraries)
    answering = [library for library in parts.libraries if library.name not in silent]
    if not answering:
        raise next(iter(silent.values()))
    reader = Reader(parts, rules, options, Keeper(parts.store, parts.interruption.course), libraries=answering)
    await reader.libraries()
    reader.collections()
    reading = reader.result
    collection = _one_of(wish.collection, reading, [*silent.values(), *_refused(reading)])
    memory = parts.store.memory
    subjects = subjects_of(reading.items, memory, reading.unconfirmed)
    basis = Basis(
        known=Known(reading.items, subjects, memory, parts.choices.read().pins, rules.models),
        reading=reading,
        statuses=parts.store.state.collections,
        rules=rules,
        now=parts.now(),
        decision_of=partial(decision_of, memory),
    )
    problems = (*(about_silence(parts.library(name), error) for name, error in silent.items()), *reading.problems)
    found = foresee(collection, wish.threshold, basis)
    return collection, msgspec.structs.replace(found, as_of=basis.now, problems=problems)


_NOTHING_ASKED = Asking(open_questions={}, reasons={}, last_asked={}, tally=Tally(), endings=())


def _refused(reading: Reading) -> list[Exception]:
    return [library.error for library in reading.libraries if library.error is not None]


def _one_of(name: str, reading: Reading, away: Iterable[Exception]) -> Collection:
    """The collection of this name. Raise FixUsage if there are several, or what keeps it from being read."""
    found = choose(reading.folder, [name])
    if len(found) > 1:
        # The key of a collection of movies is its slug alone, which names one of shows, too.
        found = tuple(each for each in found if each.key == name.strip().casefold()) or found
    if len(found) > 1:
        keys = " or ".join(each.key for each in found)
        raise FixUsage(f"{name!r} names {len(found)} collections.", f"Name one of them as {keys}.")
    for each in reading.collections:
        if each.key == found[0].key:
            return each
    for error in away:
        raise error
    raise FixUsage(f"The collection {found[0].name!r} is for no library that can be used.", "--check-config says why.")


class Basis(NamedTuple):
    """What a preview is made from: what a run would have read and what is remembered, at some time.

    `decision_of` gives a decision with its time, which those of `known` may lack. `left_out` counts items of the
    collection that are not in it: those that are out at any threshold, because a verdict that holds refuses them
    outright.
    """

    known: Known
    reading: Reading
    statuses: Mapping[CollectionKey, CollectionStatus]
    rules: Rules
    now: datetime
    decision_of: Callable[[ItemKey, Slug], Decision | None]
    left_out: int = 0


class _Found(NamedTuple):
    """What was compared, and what the libraries lack of it."""

    known: Known
    compared: Comparison
    planning: Planning


def foresee(collection: Collection, threshold: float, basis: Basis) -> WhatIf:
    """What the next run would do if the collection's block had another threshold, without the lines to copy. Pure.

    `collection` is one of those of the reading.
    """
    known, reading, rules = basis.known, basis.reading, basis.rules
    compared = compare(collection, threshold, reading.collections, reading.folder.collections, known)
    then = compared.then
    judging = Judging(subjects=known.subjects, asking=_NOTHING_ASKED, gates=then.gates, memberships=then.memberships)
    planning = plan(
        reading.contents,
        then.collections,
        judging,
        brakes_of(rules, Options(), then.collections, basis.statuses),
        review=review_of(
            rules,
            reading,
            now=basis.now,
            decision_of=basis.decision_of,
            gates=then.gates,
            known=basis.statuses,
        ),
    )
    verdicts = chain(verdicts_that_count(collection, compared.now, known), repeat(_REFUSED, basis.left_out))
    return _answer(collection, threshold, _Found(known, compared, planning), reading, histogram(verdicts))


_REFUSED = (False, 0.0)


def _answer(
    collection: Collection, threshold: float, found: _Found, reading: Reading, steps: tuple[Step, ...]
) -> WhatIf:
    known, compared, planning = found
    key, now, then = collection.key, compared.now, compared.then
    gates = then.gates[key]
    causes = [cause for item, cause in gates.causes.items() if gates.scope is None or item in gates.scope]
    titles = _Titles(compared, known)
    enters, leaves = titles.of(collection)
    questions = then.questions.get(key, {})
    return WhatIf(
        collection=collection.name,
        key=key,
        kind=collection.kind,
        tag=collection.label,
        threshold_now=collection.confidence_threshold,
        threshold=threshold,
        members_now=len(now.memberships[key].members),
        members=len(then.memberships[key].members),
        enters=enters,
        leaves=leaves,
        pinned_in=causes.count(Cause.PINNED_IN),
        pinned_out=causes.count(Cause.PINNED_OUT),
        in_by_tag=causes.count(Cause.INCLUDE_TAG),
        out_by_tag=causes.count(Cause.EXCLUDE_TAG),
        second_looks=second_looks(questions),
        asks=sum(len(opened(each, compared)) for each in then.collections),
        undecided=count(reason for reason in questions.values() if reason is not Reason.SECOND_LOOK),
        histogram=steps,
        libraries=tuple(_tags(collection, planning, reading)),
        follow=tuple(
            _follower(each, titles, found)
            for each in then.collections
            if each.key != key and (each.key in compared.moved or opened(each, compared))
        ),
        lines=(),
    )


class _Titles:
    """The items that come in and leave, as they are shown: the surest first, and of those that leave the least sure."""

    def __init__(self, compared: Comparison, known: Known) -> None:
        self._compared = compared
        self._known = known

    def of(self, collection: Collection) -> tuple[tuple[Title, ...], tuple[Title, ...]]:
        """Those that come into the collection, and those that leave it."""
        moved = self._compared.moved.get(collection.key)
        if moved is None:
            return (), ()
        enters = sorted((self._title(key, collection) for key in moved.enter), key=_surest)
        leaves = sorted((self._title(key, collection) for key in moved.leave), key=_surest)
        return tuple(enters), tuple(reversed(leaves))

    def _title(self, key: ItemKey, collection: Collection) -> Title:
        then, item = self._compared.then, self._known.subjects[key].item
        remembered = self._known.memory.get(key)
        decision = remembered.collections.get(collection.slug) if remembered else None
        return Title(
            key=key,
            title=item.title,
            year=item.year,
            confidence=decision.confidence if decision else None,
            because=then.gates[collection.key].causes.get(key, Cause.VERDICT),
            waits=then.questions.get(collection.key, {}).get(key) is Reason.SECOND_LOOK,
        )


def _surest(title: Title) -> tuple[float, object]:
    return -(title.confidence or 0.0), order_of(title.key)


def _follower(collection: Collection, titles: _Titles, found: _Found) -> Follower:
    enters, leaves = titles.of(collection)
    held_back = [change for change in found.planning.plan.held_back if change.label == collection.label]
    return Follower(
        collection=collection.name,
        key=collection.key,
        enters=enters,
        leaves=leaves,
        asks=len(opened(collection, found.compared)),
        held_back=len(held_back),
        in_review=sum(each.change.label == collection.label for each in found.planning.plan.in_review),
    )


def _tags(collection: Collection, planning: Planning, reading: Reading) -> Iterator[LibraryTags]:
    """The tag in each library that the collection is for and that could be read."""
    for library in reading.libraries:
        if library.contents is None or not collection.is_for(library.kind, library.name):
            continue
        planned = planning.plans[library.name]
        mine = [change for change in planned.changes if change.label == collection.label]
        yield LibraryTags(
            library=library.name,
            title=library.title,
            tagged=sum(collection.label in item.labels for item in library.contents.items),
            to_add=sum(change.operation == "add" for change in mine),
            to_remove=sum(change.operation == "remove" for change in mine),
            held_back=sum(change.label == collection.label for change in planned.held_back),
            in_review=sum(each.change.label == collection.label for each in planned.in_review),
        )
