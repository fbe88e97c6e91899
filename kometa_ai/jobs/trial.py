"""Try another prompt on a sample of a collection: who would enter and leave, why, what it costs. Decides nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import Memory
from kometa_ai.core.item import ItemKey, Kind, dated
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.options import Options
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import Spending
from kometa_ai.errors import CheckLibrary, FixUsage, RepairState
from kometa_ai.jobs.estimate import planned_cost
from kometa_ai.jobs.sampling import Inquiry, read, unkept
from kometa_ai.judging.policy import is_for_it, is_member
from kometa_ai.judging.sampling import Draw, Drawn, Group, is_in_reach, seed_of
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.checking.rewording import LinesToCopy, lines_to_copy, with_prompt, with_threshold
from kometa_ai.kometa.markers import MARKER
from kometa_ai.kometa.parser import parse_block
from kometa_ai.state.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kometa_ai.jobs.sampling import Ground, Verdicts
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading

QUOTAS: dict[Group, int] = {"near": 14, "other": 14, "member": 12}
"""How many of each group a sample has; where one has fewer, those before it make up for them."""
SAMPLE = sum(QUOTAS.values())
LONGEST_PROMPT = 20_000

Outcome = Literal["under way", "forecast", "ok", "problems", "interrupted", "failed"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to try: the text of a prompt, or of a whole block with its markers, for a collection by its name or key.

    `max_cost` is in USD: 0 for the forecast alone; without one it may cost twice the forecast.
    """

    collection: str
    text: str
    max_cost: float | None = None
    batch_size: int = 50

    @property
    def is_free(self) -> bool:
        """Whether nothing is to be asked."""
        return self.max_cost == 0


class TrialItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the sample: whether it is in now, whether it would be, and why.

    `is_in` is None for one that was not judged yet, `would_be_in` for one without an answer.
    """

    key: ItemKey
    title: str
    year: int = 0
    group: Group
    is_in: bool | None = None
    confidence_now: float | None = None
    would_be_in: bool | None = None
    confidence: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        return dated(self.title, self.year)

    @property
    def changes(self) -> bool:
        """Whether it is known to change sides."""
        return None not in (self.is_in, self.would_be_in) and self.is_in != self.would_be_in


class GroupCount(msgspec.Struct, frozen=True, kw_only=True):
    """How one group of the sample fared: of `sampled` items `answered` got an answer; `changed` would change sides."""

    group: Group
    sampled: int
    answered: int = 0
    changed: int = 0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that was tried on a sample of a collection. Nothing in it says anything of the whole library's shares.

    `threshold` is the one that it was tried with, `threshold_now` the collection's. `is_block` says that a whole block
    was given. `as_before` counts the answered items that stay where they are. `forecast_usd` is for the sample,
    `library_usd` for all `library_questions` that the next run would ask with this prompt; both are None for a model
    without a known price. `limit_usd` is what the trial may cost, None without a limit. `lines` are for Kometa's files.
    """

    trial_id: str
    outcome: Outcome
    exit_code: int = 0
    collection: str
    key: CollectionKey
    kind: Kind = "movie"
    prompt: str
    is_block: bool = False
    is_present_prompt: bool = False
    threshold: float = 0.7
    threshold_now: float = 0.7
    started: datetime
    finished: datetime | None = None
    model: str = ""
    sampled: int = 0
    forecast_usd: float | None = None
    limit_usd: float | None = None
    library_questions: int = 0
    library_usd: float | None = None
    cost: Spending = Spending()
    items: tuple[TrialItem, ...] = ()
    groups: tuple[GroupCount, ...] = ()
    as_before: int = 0
    not_judged_before: int = 0
    lines: tuple[LinesToCopy, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: str = ""
    remedy: str = ""

    @property
    def answered(self) -> int:
        """How many items got an answer."""
        return sum(group.answered for group in self.groups)


TRIALS: Shelf[Trial] = Shelf("trials", Trial, 200, timedelta(days=30))
"""Trials are kept for 30 days."""


class Wording(NamedTuple):
    """What was read as the prompt to try; `threshold` where a whole block was given."""

    prompt: str
    threshold: float | None = None

    @classmethod
    def of(cls, text: str, collection: Collection) -> Wording:
        """Read a text: a prompt, or a block with its markers. Raise FixUsage for one that is neither."""
        lines = text.removeprefix("\ufeff").splitlines()
        marks = [(number, found) for number, line in enumerate(lines) if (found := MARKER.fullmatch(line))]
        if not marks:
            prompt = text.removeprefix("\ufeff").strip()
        else:
            begins = [number for number, found in marks if not found["end"]]
            ends = [number for number, found in marks if found["end"]]
            if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
                raise FixUsage(
                    "The text has the marker of a block, but is not one whole block.",
                    "Give one block with both markers, or the text of the prompt alone.",
                )
            block = Block(begins[0] + 1, ends[0] + 1, tuple(lines[begins[0] + 1 : ends[0]]))
            parsed = parse_block(collection.name, block, "the text")
            if parsed.faults:
                raise FixUsage("The block cannot be used.", " ".join(map(str, parsed.problems)))
            if not isinstance(parsed.collection, Collection):
                raise FixUsage("The block is switched off, and so says nothing.", "Write `enabled: true` in it.")
            return cls(parsed.collection.prompt.strip(), parsed.collection.confidence_threshold)
        if not prompt:
            raise FixUsage("There is no prompt to try: the text is empty.", "Write in it which items belong.")
        if len(prompt) > LONGEST_PROMPT:
            raise FixUsage(
                f"The prompt has {len(prompt):,} characters.", f"Write at most {LONGEST_PROMPT:,}; a few lines do best."
            )
        return cls(prompt)


async def try_prompt(
    parts: Parts,
    rules: Rules,
    wanted: Wanted,
    *,
    trial_id: str,
    announce: Callable[[Trial], object] = lambda _: None,
) -> Trial:
    """Draw the sample, forecast, ask, compare. What was paid for is kept; for that the caller holds the state's lock.

    `announce` is called with the forecast before anything is asked. Raise FixUsage for a text or a collection that
    cannot be used, CheckLibrary without its library.
    """
    started = parts.now()
    reading = await read(parts, rules, Options(collections=(wanted.collection,), dry_run=True))
    collection = _only(reading, wanted.collection)
    reading = msgspec.structs.replace(reading, collections=(collection,))
    wording = Wording.of(wanted.text, collection)
    changed = msgspec.structs.replace(
        collection,
        prompt=wording.prompt,
        confidence_threshold=collection.confidence_threshold if wording.threshold is None else wording.threshold,
    )
    inquiry = Inquiry(parts, rules, reading)
    (ground,) = inquiry.grounds()
    sample = draw(ground, inquiry, parts.store.memory, changed.prompt)
    asked = [(changed, [key for _, key in sample])]
    expected = inquiry.forecast(asked, rules.review_model)
    inquiry.allow(wanted.max_cost, expected)
    questions, library = planned_cost(parts, rules, Options(batch_size=wanted.batch_size), with_other(reading, changed))
    trial = Trial(
        trial_id=trial_id,
        outcome="forecast",
        collection=collection.name,
        key=collection.key,
        kind=collection.kind,
        prompt=changed.prompt,
        is_block=wording.threshold is not None,
        is_present_prompt=changed.prompt_hash == collection.prompt_hash,
        threshold=changed.confidence_threshold,
        threshold_now=collection.confidence_threshold,
        started=started,
        model=rules.review_model,
        sampled=len(sample),
        forecast_usd=expected,
        limit_usd=inquiry.limit,
        library_questions=questions,
        library_usd=library,
        groups=_counts(sample, ()),
        lines=_lines(parts, rules, collection, changed),
    )
    announce(trial)
    if wanted.is_free:
        return msgspec.structs.replace(trial, finished=parts.now())
    TRIALS.open(parts.store.folder)  # before anything is paid for
    verdicts = await inquiry.ask(asked, rules.review_model)
    comparison = _Comparison(inquiry, parts.store.memory, collection, changed, verdicts)
    return _kept(parts, msgspec.structs.replace(comparison.concluded(trial, sample), finished=parts.now()))


def _kept(parts: Parts, trial: Trial) -> Trial:
    """Keep a trial; where that fails, its result is shown all the same."""
    try:
        TRIALS.keep(parts.store.folder, trial.trial_id, trial, parts.now())
    except RepairState as error:
        return msgspec.structs.replace(trial, exit_code=trial.exit_code or 1, problems=(*trial.problems, unkept(error)))
    return trial


def _only(reading: Reading, name: str) -> Collection:
    """The one collection that is meant."""
    found = [each for each in reading.collections if each.key == name] or list(reading.collections)
    if len(found) > 1:
        keys = " or ".join(each.key for each in found)
        raise FixUsage(f"{name!r} names a collection of movies and one of shows.", f"Write {keys}.")
    if not found:
        why = reading.problems[-1] if reading.problems else None
        raise CheckLibrary(
            why.what if why else f"No library of the collection {name!r} can be used.", why.remedy if why else ""
        )
    return found[0]


def _lines(parts: Parts, rules: Rules, present: Collection, changed: Collection) -> tuple[LinesToCopy, ...]:
    """The lines that make the block say what was tried: its prompt, its threshold, each where it differs."""
    prompt, threshold = changed.prompt, changed.confidence_threshold
    find = partial(
        lines_to_copy,
        rules.config_dir,
        present,
        services=frozenset(library.kind for library in parts.libraries),
        redact=parts.redact,
    )
    found: tuple[LinesToCopy, ...] = ()
    if changed.prompt_hash != present.prompt_hash:
        by_hand = "Write the prompt below `prompt: |` in the block, each line two blanks further in."
        found += find(lambda block: with_prompt(block, prompt), by_hand=by_hand)
    if threshold != present.confidence_threshold:
        by_hand = f"Write `confidence_threshold: {threshold:g}` in the block."
        found += find(lambda block: with_threshold(block, threshold), by_hand=by_hand)
    return found


def with_other(reading: Reading, changed: Collection) -> Reading:
    """What was read, as if the collection's block said something else."""
    everything = tuple(changed if each.key == changed.key else each for each in reading.folder.collections)
    folder = msgspec.structs.replace(reading.folder, collections=everything)
    return msgspec.structs.replace(reading, folder=folder, collections=(changed,))


def draw(ground: Ground, inquiry: Inquiry, memory: Memory, prompt: str) -> list[Drawn[ItemKey]]:
    """The sample that this prompt draws from what the model decides in the collection: no pins, nothing by tag."""
    collection, gates = ground.collection, ground.gates
    lots: Draw[ItemKey] = Draw(seed_of(prompt.strip(), collection.key), SAMPLE)
    for key, subject in inquiry.subjects.items():
        if not collection.concerns(subject.item) or key in gates.causes:
            continue
        known = memory.get(key)
        decision = known.collections.get(collection.slug) if known else None
        group: Group = "other"
        if decision is not None and is_member(decision, collection):
            group = "member"
        elif decision is not None and is_in_reach(decision.confidence, collection.confidence_threshold):
            group = "near"
        lots.add(group, key, key)
    return lots.sample(QUOTAS)


class _Comparison(NamedTuple):
    """What the present prompt and the one that is tried say of the same items."""

    inquiry: Inquiry
    memory: Memory
    present: Collection
    tried: Collection
    verdicts: Verdicts

    def item(self, drawn: Drawn[ItemKey]) -> TrialItem:
        """One item of the sample, now and by the other prompt."""
        item, known = self.inquiry.subjects[drawn.what].item, self.memory.get(drawn.what)
        decision = known.collections.get(self.present.slug) if known else None
        verdict = self.verdicts.get((self.tried.key, drawn.what))
        return TrialItem(
            key=item.key,
            title=item.title,
            year=item.year,
            group=drawn.group,
            is_in=is_member(decision, self.present) if decision else None,
            confidence_now=decision.confidence if decision else None,
            would_be_in=is_for_it(verdict, self.tried.confidence_threshold) if verdict else None,
            confidence=verdict.confidence if verdict else None,
            reason=verdict.reason if verdict else "",
        )

    def concluded(self, trial: Trial, sample: Sequence[Drawn[ItemKey]]) -> Trial:
        """The trial with what has become of the sample."""
        items, code = tuple(map(self.item, sample)), self.inquiry.exit_code
        return msgspec.structs.replace(
            trial,
            outcome="interrupted" if self.inquiry.interrupted else "problems" if code else "ok",
            exit_code=code,
            cost=self.inquiry.spending,
            items=tuple(sorted(items, key=_order)),
            groups=_counts(sample, items),
            as_before=sum(item.would_be_in is not None and item.is_in == item.would_be_in for item in items),
            not_judged_before=sum(item.would_be_in is not None and item.is_in is None for item in items),
            problems=self.inquiry.problems(),
        )


_GROUPS: tuple[Group, ...] = ("member", "near", "other")


def _order(item: TrialItem) -> tuple[bool, int, float, str]:
    """Changes first, then by group, the surest first."""
    return not item.changes, _GROUPS.index(item.group), -(item.confidence_now or 0.0), item.title


def _counts(sample: Sequence[Drawn[ItemKey]], items: Sequence[TrialItem]) -> tuple[GroupCount, ...]:
    return tuple(
        GroupCount(
            group=group,
            sampled=sum(drawn.group == group for drawn in sample),
            answered=sum(item.group == group and item.would_be_in is not None for item in items),
            changed=sum(item.group == group and item.changes for item in items),
        )
        for group in _GROUPS
    )
