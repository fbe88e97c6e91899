"""Find the problems and warnings of a run that need the operator, from its results. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, assert_never

from kometa_ai.asking.ending import (
    Crashed,
    Interrupted,
    OutOfBudget,
    StateUnwritable,
    Stopped,
    TimedOut,
    Unpriced,
)
from kometa_ai.core.collection import kind_in
from kometa_ai.core.decision import TRIES, Reason
from kometa_ai.core.item import kind_of
from kometa_ai.core.model import TITLES, words_about
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted, counted_items
from kometa_ai.errors import CheckModel
from kometa_ai.judging.planning import may_turn
from kometa_ai.providers.port import Failure, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

    from kometa_ai.asking.ending import Ending
    from kometa_ai.asking.tally import Gap
    from kometa_ai.core.changes import Change
    from kometa_ai.core.model import ProviderName, Words
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.run.results import Asking, HandEdits, Judging, Planning, RunResults

_ENOUGH_READS = 10


def problems_of(
    results: RunResults,
    models: Collection[str],
    around: Iterable[Problem] = (),
    titles: Mapping[ProviderName, str] = TITLES,
) -> list[Problem]:
    """Everything that was skipped or failed. `around` are problems that were met outside of the steps.

    `models` are those of the run, `titles` what their providers are called.
    """
    return [*results.problems, *around, *_of_asking(results.judging, models, titles), *_held_back(results)]


def pinned_elsewhere(hand_edits: HandEdits, told: Container[CollectionKey]) -> Iterator[Problem]:
    """A warning for each collection with hand edits of which the report has no line: the run was not about it."""
    ways = (("put on", "in", hand_edits.pinned_in), ("taken off", "out", hand_edits.pinned_out))
    for did, way, pinned in ways:
        for collection, lines in pinned.items():
            if collection not in told:
                yield Problem(
                    source="HAND_EDITS",
                    what=f"the collection's tag was {did} by hand: {counted(len(lines), kind_in(collection))} pinned "
                    f"{way}.",
                    remedy="Nothing to do; --release-pin takes a pin back.",
                    collection=collection,
                    movies=tuple(map(str, lines)),
                    severity="warning",
                )


def _of_asking(judging: Judging | None, models: Collection[str], titles: Mapping[ProviderName, str]) -> list[Problem]:
    if judging is None:
        return []
    asking = judging.asking
    pending = sum(len(may_turn(pairs)) for pairs in asking.open_questions.values())
    words = words_about(models, titles)
    left = _Left(pending, asking.not_repeated)
    ends = [problem for ending in asking.endings for problem in _of_ending(ending, left, words)]
    return [*_gaps(asking.tally.gaps, models, titles), *_given_up(judging, words), *ends]


class _Left(NamedTuple):
    """How many questions the next run asks, and how many decisions stand that were to be made anew."""

    pending: int
    not_repeated: int

    def after(self, what: str) -> str:
        """What has ended the asking, and what was left."""
        if self.pending or not self.not_repeated:
            what += f"; {self.pending:,} questions are left for the next one"
        return f"{what}.{self.stands}"

    def remedy(self, more: str) -> str:
        """What to do; waiting helps where the next run goes on."""
        if self.pending or not self.not_repeated:
            return f"Wait for it, or {more}."
        return f"{more[0].upper()}{more[1:]}, or name fewer collections with --collection."

    @property
    def stands(self) -> str:
        """What stands as it was, as a sentence that follows another."""
        if not self.not_repeated:
            return ""
        one = self.not_repeated == 1
        return (
            f" {counted(self.not_repeated, 'decision')} {'was' if one else 'were'} not made anew and "
            f"stand{'s' * one}; no later run does that by itself."
        )


def _of_ending(ending: Ending, left: _Left, words: Words) -> list[Problem]:
    """What the operator has to know of an end of the asking; other parts of the report tell some of them."""
    match ending:
        case Stopped(CheckModel() as error):
            return [Problem(source=words.title, what=error.message, remedy=error.remedy)]
        case Stopped(error):
            what = f"The asking was stopped: {error}"
            remedy = f"{_remedy_of(error, words)} {left.pending:,} questions wait for the next run.{left.stands}"
            return [Problem(source=words.title, what=what, remedy=remedy)]
        case TimedOut():
            what = left.after("The time for this run is over")
            return [Problem(source="RUN_TIMEOUT", what=what, remedy=left.remedy("give runs more time"))]
        case OutOfBudget():
            return [_out_of_budget(ending, left)]
        case Unpriced():
            return list(map(_unpriced, ending.models))
        case Interrupted() | StateUnwritable() | Crashed():
            return []
        case _:
            assert_never(ending)


def _unpriced(model: str) -> Problem:
    return Problem(
        source="MAX_COST_PER_RUN",
        what=f"The price of the model {model!r} is not known, so the limit could not be kept: it was not asked.",
        remedy="Choose a model whose price is known, or set MAX_COST_PER_RUN=0 to ask without a limit.",
    )


def _out_of_budget(ending: OutOfBudget, left: _Left) -> Problem:
    """What is left over. If one request may cost more than the limit, the next run would get no further."""
    remedy = left.remedy("raise the limit")
    if ending.highest_estimate > ending.limit:
        cents = math.ceil(ending.highest_estimate * 100)
        remedy = (
            f"Raise the limit to {cents / 100:.2f} USD or more, or lower BATCH_SIZE: "
            "a single request may cost so much, and waiting does not change that."
        )
    return Problem(
        source="MAX_COST_PER_RUN",
        what=left.after("The run has come to its limit"),
        remedy=remedy,
    )


def _remedy_of(stopped: Exception, words: Words) -> str:
    return _remedies(words)[stopped.failure] if isinstance(stopped, RequestFailed) else ""


def _remedies(words: Words) -> Mapping[Failure, str]:
    answers = f"whether {words.model} can answer in JSON"
    return {
        Failure.RATE_LIMITED: "Lower MAX_CONCURRENT_REQUESTS, or raise the rate limit where the key comes from.",
        Failure.OVERLOADED: f"Look at {words.status}, or wait.",
        Failure.SERVER_ERROR: f"Look at {words.status}, and at the proxy or gateway in between if there is one.",
        Failure.NO_CONNECTION: f"Look at {_between(words)}.",
        Failure.TOO_LARGE: "Lower BATCH_SIZE, or raise the limit: the model's context, or that of a proxy in between.",
        Failure.REJECTED: f"Look at what it says; a lower BATCH_SIZE or another {words.model} may help.",
        Failure.REFUSED: f"Pin them in the block, word its prompt in another way, or try another {words.model}.",
        Failure.UNREADABLE: f"Look at what answers at {words.address}, and {answers}."
        if words.address
        else f"Look {answers}.",
    }


def _between(words: Words) -> str:
    """What stands between this program and the model."""
    return f"the network, the proxy and {words.address}" if words.address else "the network and the proxy"


def _gaps(met: Iterable[Gap], models: Collection[str], titles: Mapping[ProviderName, str]) -> list[Problem]:
    """One problem for each collection and cause, however many requests met it. `models` are those of the run."""
    grouped: dict[tuple[str, str, Words], list[Gap]] = defaultdict(list)
    for gap in met:
        words = words_about([gap.model] if gap.model else models, titles)
        grouped[gap.collection, gap.message, words].append(gap)
    return [
        Problem(
            source=words.title,
            what=f"{counted_items([movie.key for gap in gaps for movie in gap.movies])} could not be judged: {message}",
            remedy=f"{_remedies(words)[gaps[0].failure]} Nothing changes for them; the next run asks again.",
            collection=collection,
            movies=tuple(str(movie) for gap in gaps for movie in gap.movies)[:20],
        )
        for (collection, message, words), gaps in grouped.items()
    ]


def _given_up(judging: Judging, words: Words) -> list[Problem]:
    problems = []
    for collection, pairs in judging.asking.open_questions.items():
        movies = [judging.subjects[key].item for key, reason in pairs.items() if reason is Reason.GIVEN_UP]
        if movies:
            problems.append(
                Problem(
                    source=words.title,
                    what=f"{counted_items([movie.key for movie in movies])} could not be judged in {TRIES} runs and "
                    f"{'is' if len(movies) == 1 else 'are'} not asked about any more.",
                    remedy="Pin them in the block, or ask once more with --ask-again given-up; another "
                    f"{words.model} is asked by itself. They stay as they are.",
                    collection=collection,
                    movies=tuple(str(movie) for movie in movies[:20]),
                )
            )
    return problems


def _held_back(results: RunResults) -> list[Problem]:
    """One problem for each collection, library and side, since the brakes weigh them so."""
    groups: dict[tuple[CollectionKey, str, str], list[Change]] = defaultdict(list)
    for change in results.plan.held_back:
        groups[change.collection, change.library, change.operation].append(change)
    return [
        _held_additions(results, collection, changes)
        if operation == "add"
        else _held_removals(results, collection, changes)
        for (collection, _, operation), changes in groups.items()
    ]


def _there(results: RunResults, change: Change) -> str:
    """` in Radarr 4K`, where there are several libraries of that kind."""
    of_kind = [library for library in results.reading.libraries if library.kind == kind_of(change.movie.key)]
    return next((f" in {each.title}" for each in of_kind if each.name == change.library and len(of_kind) > 1), "")


def _held_removals(results: RunResults, collection: CollectionKey, changes: Sequence[Change]) -> Problem:
    count, there = len(changes), _there(results, changes[0])
    what = f"{count:,} removals are held back{there}" if count > 1 else f"1 removal is held back{there}"
    return Problem(
        source="REMOVAL_LIMIT",
        what=f"{what}: too large a part of the collection for one run.",
        remedy="Look at them; to let them through, run once with --run-now --allow-removals.",
        collection=collection,
        movies=tuple(str(change.movie) for change in changes)[:20],
    )


def _held_additions(results: RunResults, collection: CollectionKey, changes: Sequence[Change]) -> Problem:
    count, first, there = len(changes), changes[0], _there(results, changes[0])
    what = f"{count:,} additions are held back{there}" if count > 1 else f"1 addition is held back{there}"
    members = sum(first.label in item.labels for item in results.contents[first.library])
    # A run for some movies does not know the number of all additions.
    is_whole = len(results.subjects) >= len(results.items)
    limit = f"ADDITION_LIMIT={-(-count * 100 // members)}" if is_whole and members else "a higher ADDITION_LIMIT"
    return Problem(
        source="ADDITION_LIMIT",
        what=f"{what}: too many for a collection of {counted(members, kind_of(first.movie.key))}.",
        remedy=f"Look at them; to let them through, run once with {limit} in the environment of --run-now, or edit the "
        "block. --allow-removals does not.",
        collection=collection,
        movies=tuple(str(change.movie) for change in changes)[:20],
    )


def warnings_of(
    results: RunResults, models: Collection[str], titles: Mapping[ProviderName, str] = TITLES
) -> list[Problem]:
    """Everything else that the operator should know. `models` are those of the run, `titles` as above."""
    return [*results.warnings, *_odd_answers(results.asking, words_about(models, titles)), *_unshown(results.planning)]


def _unshown(planning: Planning | None) -> Iterator[Problem]:
    """A warning for each collection with changes that are new since the dry run that this run keeps to."""
    within = planning.within if planning else ""
    titles: dict[CollectionKey, dict[str, None]] = {}
    for change in planning.plan.unshown if planning else ():
        titles.setdefault(change.collection, {})[str(change.movie)] = None
    for collection, found in titles.items():
        yield Problem(
            source="within",
            what=f"{counted(len(found), kind_in(collection))}: not changed, since the dry run {within} did not show "
            f"{'it' if len(found) == 1 else 'them'}.",
            remedy="Nothing to do: the next scheduled run changes them. Another dry run shows how.",
            collection=collection,
            movies=tuple(found),
            severity="warning",
        )


def _odd_answers(asking: Asking | None, words: Words) -> list[Problem]:
    if asking is None:
        return []
    unread = []
    tally = asking.tally
    hits, misses = tally.cache_reads[True], tally.cache_reads[False]
    if misses >= _ENOUGH_READS and not hits:
        unread.append(
            Problem(
                source=words.title,
                what=f"None of {misses} requests could use the prompt cache: each costs several times as much.",
                remedy=f"Look whether {words.address or 'the way to it'} leads to something that does not cache.",
                severity="warning",
            )
        )
    return [*unread, *_wasted(tally.wasted, words)] + [
        Problem(
            source=words.title,
            what=f"The model named {counted(count, kind_in(collection))} that it was not asked about; "
            f"{'it was' if count == 1 else 'they were'} ignored.",
            remedy="Nothing to do; if it happens often, lower BATCH_SIZE.",
            collection=collection,
            severity="warning",
        )
        for collection, count in tally.unknown_ids.items()
        if count
    ]


def _wasted(wasted: Mapping[str, int], words: Words) -> list[Problem]:
    """Requests that were paid for, or may be billed, without a verdict."""
    return [
        Problem(
            source=words.title,
            what=f"{counted(count, 'request')} to the model brought no whole answer and may be billed all the "
            f"same; what was left open is paid twice where it was asked again: {why}",
            remedy="The cost holds them, as an estimate where their use is not known. Look at what stands between this "
            f"program and the model: {_between(words)}.",
            severity="warning",
        )
        for why, count in wasted.items()
    ]
