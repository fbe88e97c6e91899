"""Print results: tables on a terminal, plain text in a pipe, JSON on request."""

from __future__ import annotations

import json
import re
import sys
from shlex import quote
from typing import TYPE_CHECKING, Any

import msgspec
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from kometa_ai.core.collection import collection_key
from kometa_ai.core.decision import Cause, Reason
from kometa_ai.core.item import by_kind, dated, kind_of, ref_of
from kometa_ai.core.summary import counted, counted_kinds, in_words, marked, places, same_cause
from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo
    from typing import Self

    from rich.progress import Progress, TaskID

    from kometa_ai.core.choice import Pin
    from kometa_ai.core.item import Kind
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.core.problem import Problem
    from kometa_ai.jobs.cancel import Cancellation
    from kometa_ai.jobs.estimate import Estimate
    from kometa_ai.jobs.explain import Explained, Explanation
    from kometa_ai.jobs.pins import Pinned
    from kometa_ai.jobs.undo_report import Undone
    from kometa_ai.notification.dispatch import Tested
    from kometa_ai.state.history import KeptRun

    Names = Mapping[CollectionKey, str]

# Control characters that JSON does not escape, marks of direction, and invisible characters.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LISTED = 10
_PINNED = (Cause.PINNED_IN, Cause.PINNED_OUT)
_PIPED_WIDTH = 120
_WIDEST = 100_000
_NARROWEST = 20


def console() -> Console:
    """A console on standard output. In a pipe it has no colours, and neither folds nor cuts any line."""
    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else _PIPED_WIDTH
    return Console(file=sys.stdout, width=width, soft_wrap=not is_terminal, highlight=False)


def clean(text: str) -> str:
    """Text from outside on one line, without control characters, and escaped for rich."""
    return escape(one_line(text))


def print_json(value: Any) -> None:  # noqa: ANN401 - any result
    """Write a result as JSON. Characters that turn or hide text on a terminal are escaped; parsers read the same."""
    encoded = value if isinstance(value, bytes) else msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(_UNSEEN.sub(_escaped, encoded.decode()) + "\n")


def _escaped(found: re.Match[str]) -> str:
    """The character as an ASCII escape of JSON."""
    return json.dumps(found[0])[1:-1]


# Parts of results


def number(count: int, style: str = "", sign: str = "") -> Text:
    """A count, or a dot for zero."""
    return Text(f"{sign}{count:,}", style=style) if count else Text("·", style="dim")


def dollars(amount: float) -> str:
    """An amount in USD; below a cent with four decimals, so that it is not rounded to zero."""
    if amount and amount < 0.01:  # noqa: PLR2004 - below a cent
        return f"${amount:.4f}"
    return f"${amount:.2f}"


def print_table(out: Console, table: Table) -> None:
    """Print a table: folded to the terminal, at its full width in a pipe."""
    (out if out.is_terminal else Console(file=out.file, width=_WIDEST, highlight=False)).print(table)


def print_hanging(out: Console, markup: str, *, lead: int = 0, indent: int = 2) -> None:
    """Print a line that begins at column `lead`; what a terminal folds of it goes on at column `indent`."""
    if not out.is_terminal:
        out.print(f"{' ' * lead}{markup}")
        return
    for number, line in enumerate(Text.from_markup(markup).wrap(out, max(out.width - max(lead, indent), _NARROWEST))):
        line.rstrip()
        out.print(Text(" " * (indent if number else lead)).append_text(line))


def print_problems(out: Console, problems: Iterable[Problem]) -> None:
    """Print problems or warnings, those of one cause together: where, what, what is affected, what to do."""
    for same in same_cause(problems):
        label = "[red]Problem[/]" if same[0].severity == "error" else "[yellow]Warning[/]"
        collections = list(dict.fromkeys(problem.collection for problem in same if problem.collection))
        movies = [movie for problem in same for movie in problem.movies]
        place = places(same)
        where = f" {clean(place)}" if place else ""
        about = f" {clean(collections[0])}:" if len(collections) == 1 else ""
        print_hanging(out, f"{label}{where}:{about} {clean(same[0].what)}")
        if len(collections) > 1:
            print_hanging(out, f"In {clean(_listed(collections))}", lead=2)
        if movies:
            print_hanging(out, f"[dim]{clean(_listed(movies))}[/]", lead=2)
        if same[0].remedy:
            print_hanging(out, f"→ {clean(same[0].remedy)}", lead=2, indent=4)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


# Results


def print_estimate(estimate: Estimate) -> None:
    """Print what is pending and why, and the forecast."""
    out = console()
    if not estimate.collections:
        out.print("No collection takes part, so a run would ask nothing.")
        print_problems(out, estimate.problems)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Collection")
    table.add_column("Pending", justify="right")
    table.add_column("Why")
    kinds = {collection.kind for collection in estimate.collections}
    for collection in estimate.collections:
        why = [f"{count} {reason}" for reason, count in collection.reasons.items()]
        if collection.in_batches:
            why.append(f"[dim]{collection.in_batches} already in a batch[/]")
        name = marked(collection.name, collection.kind, kinds)
        table.add_row(clean(name), number(collection.pending), ", ".join(why))
    print_table(out, table)
    if estimate.pending:
        _print_forecast(out, estimate)
    else:
        out.print("[bold]0 decisions pending[/]: a run would ask nothing, and cost nothing.")
    if estimate.in_batches:
        more = counted(estimate.in_batches, "more decision")
        out.print(f"In open batches: {more}, not asked again; their answers are taken.")
    if estimate.decisions_by_other_models:
        made = counted(estimate.decisions_by_other_models, "decision")
        out.print(f"By another model: {made}, which stand. --force-refresh asks again.")
    if estimate.is_apart and estimate.pending:
        out.print(
            "More than a share of a whole run: collections that are asked about together are sent each movie once."
        )
    if estimate.pending:
        out.print(f"Forecast {clean(estimate.basis)}.", style="dim")
    print_problems(out, estimate.problems)


def _print_forecast(out: Console, estimate: Estimate) -> None:
    """Print how much is pending, in how many requests and tokens, and what that costs."""
    tokens = estimate.input_tokens + estimate.cache_write_tokens + estimate.cache_read_tokens
    looks = estimate.second_looks
    price = "unpriced (no known price)" if estimate.cost_usd is None else f"about {dollars(estimate.cost_usd)}"
    if estimate.cost_usd == 0 and estimate.requests:
        price = "free" if estimate.is_free else "nothing to pay"
    if estimate.batches_cost_usd:
        price += f", through batches about {dollars(estimate.batches_cost_usd)}"
    only_due = sum(each.reasons.get(Reason.SECOND_LOOK, 0) for each in estimate.collections) == estimate.pending
    first, review = [estimate.model] * (not looks or not only_due), [estimate.review_model] * bool(looks)
    models = in_words(list(dict.fromkeys([*first, *review])))
    out.print(
        f"[bold]{counted(estimate.pending, 'decision')} pending[/]: {counted(estimate.requests, 'request')} to "
        f"{clean(models)}, {tokens:,} tokens in ({estimate.cache_read_tokens:,} from the cache), "
        f"{estimate.output_tokens:,} out: {price}"
    )
    if looks:
        by = f" by {clean(estimate.review_model)}" if estimate.review_model != estimate.model else ""
        dear = f", about {dollars(estimate.second_looks_cost_usd)}" if estimate.second_looks_cost_usd else ""
        out.print(f"Of these about {counted(looks, 'second look')}{by}{dear}.")


def print_explained(explained: Explained, zone: tzinfo) -> None:
    """Print whether and why an item is in each collection, with times in this zone."""
    out = console()
    held = f", in {clean(in_words(explained.held_by))}" if explained.held_by else ""
    out.print(f"[bold]{clean(dated(explained.title, explained.year))}[/] {ref_of(explained.key)}{held}")
    if explained.without_radarr:
        kind = kind_of(explained.key)
        out.print(f"[yellow]From memory[/], without the {kind}'s tags: {clean(explained.without_radarr)}")
    for found in sorted(explained.collections, key=lambda found: found.belongs is False):
        print_hanging(out, _verdict_line(found), lead=2, indent=4)
        for line in _details(found, zone):
            print_hanging(out, f"[dim]{line}[/]", lead=4, indent=4)
    again = {found.asked_again_when for found in explained.collections if found.asked_again_when}
    if again:
        out.print(f"\nIt is asked about again when {', or when '.join(clean(when) for when in sorted(again))}.")
    print_problems(out, explained.problems)


def _verdict_line(found: Explanation) -> str:
    belongs = {True: "[green]in[/]", False: "[red]out[/]", None: "[yellow]not decided[/]"}[found.belongs]
    tags = f": {', '.join(found.deciding_tags)}" if found.deciding_tags else ""
    by = f" {found.pin.because}" if found.pin else " in the block" if found.cause in _PINNED else ""
    line = f"[bold]{clean(found.collection)}[/]: {belongs} ({clean(found.cause + (by or tags))})"
    if found.in_words:
        line += f"; the model is {found.in_words}"
    if found.differing:
        has, lacks = ("has", "lacks") if len(found.differing) == 1 else ("have", "lack")
        verb = lacks if found.belongs else has
        line += f" [yellow]but {clean(in_words(found.differing))} {verb} the tag {clean(found.tag)}[/]"
    return line


def _details(found: Explanation, zone: tzinfo) -> list[str]:
    lines = []
    if found.in_batch:
        lines.append("asked in a batch: the run that takes the answers decides")
    if found.to_be_asked:
        lines.append(f"to be asked in the next run: {clean(found.to_be_asked)}")
    if found.reason:
        lines.append(f"“{clean(found.reason)}”")
    if found.decided is not None and (found.belongs or found.reason or found.cause == Cause.VERDICT):
        look = {"none": "", "due": ", a second look is due", "done": ", after a second look"}[found.second_look]
        made = f"{clean(found.model)}, {_moment(found.decided, zone)}{look}"
        # A plain "no" is one of many, and short.
        if found.belongs or found.reason:
            made += f"; made from data {found.metadata_hash[:12]} and prompt {found.prompt_hash}" + (
                f" in request {found.request}" if found.request else ""
            )
        lines.append(made)
    return lines


def _moment(time: datetime, zone: tzinfo) -> str:
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def print_undone(undone: Undone, names: Names) -> None:
    """Print what an undo took back; `names` are those of the collections."""
    out = console()
    would = "would be " if undone.dry_run else ""
    if undone.undone_by:
        out.print(f"Run {clean(undone.run_id)} has been undone already, by {clean(undone.undone_by)}.")
        print_problems(out, undone.problems)
        return
    for what, lines in ((f"{would}put back", undone.added), (f"{would}taken off again", undone.removed)):
        for line in lines:
            out.print(f"{clean(str(line))} {what}")
    for line in undone.left:
        out.print(f"[dim]{clean(str(line))} left: something else has changed it since[/]")
    count = len(undone.added) + len(undone.removed)
    out.print(f"[bold]{counted(count, 'change')}[/] of run {clean(undone.run_id)} {would}undone.")
    _print_opposed(out, undone, names)
    if count and not undone.dry_run:
        pinned = by_kind({line.key for line in (*undone.added, *undone.removed)})
        are = "is" if sum(pinned.values()) == 1 else "are"
        out.print(
            f"{counted_kinds(pinned)} {are} now pinned like that: no later run changes that, also not after you edit "
            'the prompt. --pins lists the pins; --release-pin "Title (Year)" lets one go.'
        )
        out.print(f"[dim]To take this undo back: --undo {clean(undone.undo_id)}[/]")
    print_problems(out, undone.problems)


def _print_opposed(out: Console, undone: Undone, names: Names) -> None:
    """Print the pins that say the opposite of what an undo does, and what becomes of them."""
    if replaced := undone.replaced_pins:
        is_one = len(replaced) == 1
        are = "would be" if undone.dry_run else "was" if is_one else "were"
        became = f"{are} replaced by {'its opposite' if is_one else 'their opposites'}"
        out.print(f"[yellow]{counted(len(replaced), 'pin')} of yours {became}[/]; no undo brings yours back:")
        _print_indented(out, _pin_lines(replaced, names, "is" if undone.dry_run else "was"))
    if kept := undone.kept_pins:
        stays, says, it = ("stays", "says", "it") if len(kept) == 1 else ("stay", "say", "them")
        stays = "would stay" if undone.dry_run else stays
        opposed = f"{counted(len(kept), 'pin')} of yours {stays}, and {says} the opposite"
        out.print(f"[yellow]{opposed}[/]; the next run follows {it}:")
        _print_indented(out, _pin_lines(kept, names))


def _print_indented(out: Console, lines: Iterable[str]) -> None:
    for line in lines:
        print_hanging(out, line, lead=2, indent=4)


def print_cancellation(cancellation: Cancellation, zone: tzinfo) -> None:
    """Print what became of each batch, with times in this zone."""
    out = console()
    if not cancellation.batches:
        out.print("There are no open batches.")
    for batch in cancellation.batches:
        style = {"canceling": "green", "failed": "red"}.get(batch.outcome, "yellow")
        name = clean(batch.id) or "A batch without an id"
        out.print(
            f"{name}, {counted(batch.questions, 'question')}, handed over {_moment(batch.planned, zone)}: "
            f"[{style}]{batch.outcome}[/]. {clean(batch.what)}"
        )


def print_pins(pins: Sequence[Pin], names: Names) -> None:
    """Print the pins that are kept beside the state; `names` are those of the collections."""
    out = console()
    if not pins:
        out.print("There are no pins. (Those in Kometa's files are not listed here.)")
    for line in _pin_lines(pins, names):
        out.print(line)


def _pin_lines(pins: Sequence[Pin], names: Names, verb: str = "is") -> Iterator[str]:
    kinds = {kind_of(pin.key) for pin in pins}
    for pin in pins:
        side = f"{'in' if pin.include else 'out of'} {clean(_name_of(pin, names, kinds))}"
        made = f" [dim](run {clean(pin.run_id)})[/]" if pin.run_id else ""
        yield f"{clean(pin.title)} {ref_of(pin.key)} {verb} pinned {side}, {clean(pin.because)}{made}"


def _name_of(pin: Pin, names: Names, kinds: set[Kind]) -> str:
    """The name of a pin's collection; the slug where no block has it any more."""
    kind = kind_of(pin.key)
    return marked(names.get(collection_key(kind, pin.slug), pin.slug), kind, kinds)


def print_pinned(pinned: Pinned, names: Names) -> None:
    """Print the pins that were made, those that they replace, and what follows."""
    out = console()
    for line in _pin_lines(pinned.pins, names):
        out.print(line)
    if pinned.replaced:
        out.print(f"[yellow]In place of {counted(len(pinned.replaced), 'pin')} of before[/]:")
        _print_indented(out, _pin_lines(pinned.replaced, names, "was"))
    for name in pinned.overruled_by:
        out.print(f"[yellow]The block of {clean(name)} says the opposite, and wins[/]: change it there.")
    title = clean(quote(pinned.pins[0].title))
    out.print(f"The next run sets the tags and asks nothing. --release-pin {title} lets the model decide again.")


def print_runs(runs: Sequence[KeptRun], zone: tzinfo) -> None:
    """Print the runs that are kept, with times in this zone."""
    out = console()
    if not runs:
        out.print("No run is kept yet.")
        return
    for run in runs:
        what = f"undo of {run.undoes}" if run.kind == "undo" else "run"
        changed = "" if run.dry_run else f", +{run.added:,} -{run.removed:,}"
        outcome = "" if run.outcome == "ok" else f", {run.outcome}"
        undone = f", taken back by {run.undone_by}" if run.undone_by else ""
        line = f"{'dry ' if run.dry_run else ''}{what}{changed}{outcome}{undone}"
        out.print(f"{clean(run.run_id)}  {_moment(run.started, zone)}  {clean(line)}")
    out.print(
        "An id has the time in UTC. --undo RUN_ID --dry-run shows what taking a run back would change.", style="dim"
    )


def print_outcomes(outcomes: Sequence[Tested]) -> None:
    """Print the outcome of each test message."""
    out = console()
    for tested in outcomes:
        mark = "[green]sent[/]" if tested.is_delivered else "[red]failed[/]"
        out.print(f"{clean(tested.channel)}: {mark}. {clean(tested.outcome)}")


def print_released(pins: Sequence[Pin], names: Names) -> None:
    """Print the pins that were dropped."""
    out = console()
    kinds = {kind_of(pin.key) for pin in pins}
    for pin in pins:
        side = "in" if pin.include else "out of"
        out.print(f"{clean(pin.title)}: no longer pinned {side} {clean(_name_of(pin, names, kinds))}")


# Progress


class Watcher:
    """Shows the steps of a run as they happen, with a bar where something is counted; on a terminal only."""

    def __init__(self) -> None:
        self._progress = _bar() if sys.stderr.isatty() else None
        self._step: TaskID | None = None
        self._name = ""

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, text: str) -> None:
        """Print a line above the progress; on a terminal only."""
        if self._progress is not None:
            self._progress.console.print(clean(text))

    def step(self, name: str) -> None:
        """Begin a step."""
        if self._progress is None:
            return
        self._name = name
        if self._step is not None:
            self._progress.remove_task(self._step)
        self._step = self._progress.add_task(name, total=None)

    def total(self, what: str, count: int) -> None:
        """Set how many things this step will do."""
        if self._progress is not None and self._step is not None and count:
            self._progress.update(self._step, total=count, completed=0, description=f"{self._name} ({what})")

    def advance(self, what: str, count: int) -> None:
        """Count things that are done."""
        del what
        if self._progress is not None and self._step is not None:
            self._progress.advance(self._step, count)

    def cost(self, usd: float) -> None:
        """Show nothing: the report tells what it was."""


def _bar() -> Progress:
    from rich.progress import (  # noqa: PLC0415 - for who watches; a run at night need not load it
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
