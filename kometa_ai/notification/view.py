"""Prepare a report for templates: clean texts, count, and cut lists. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from kometa_ai.core.item import Kind, ref_of
from kometa_ai.core.summary import (
    about,
    attention_of,
    audit_in_words,
    changes_of,
    counted,
    extent_of,
    headline,
    held_back,
    in_review,
    in_words,
    library_of,
    marked,
    places,
    same_cause,
    title_of,
    trouble,
    unconfirming,
    unfinished,
)
from kometa_ai.core.text import one_line
from kometa_ai.notification.news import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta, tzinfo

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import CollectionReport, MovieLine, Orphan, RunReport, Spending, Tokens
    from kometa_ai.core.summary import Attention
    from kometa_ai.notification.news import Missing, News


_SUBJECT = 200


class Limits(NamedTuple):
    """How many entries of each list are shown, and the longest name and sentence in characters."""

    earlier: int

    collections: int
    movies: int
    problems: int
    name: int
    sentence: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The beginning of a list, and the number of entries left out."""

    shown: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class MovieList:
    """Items to which the same happened. `mark` is printed before each."""

    label: str
    mark: str
    movies: Cut
    kind: Literal["added", "removed", "trouble", "chosen"]


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection in which something happened; `facts` is one line.

    `about` says what it is about and why, where there are shows; else it is empty.
    """

    name: str
    tag: str
    facts: str
    about: str
    lists: tuple[MovieList, ...]


@dataclass(frozen=True, slots=True)
class ProblemView:
    """Problems with the same cause, combined."""

    where: str
    what: str
    remedy: str
    at: str
    collections: Cut
    movies: Cut


@dataclass(frozen=True, slots=True)
class View:
    """Everything that a template shows of one report.

    `item` is the word for what its collections hold, `items` the heading of a list of them.
    `known` are problems that were reported before, `known_warnings` counts such warnings; `over` are those that ended.
    """

    attention: Attention
    title: str
    changes: str
    item: str
    items: str
    note: str
    when: str
    known: Cut
    known_warnings: int
    over: Cut
    collections: tuple[CollectionView, ...]
    more_collections: int
    unchanged: Cut
    problems: tuple[ProblemView, ...]
    more_problems: int
    warnings: tuple[ProblemView, ...]
    more_warnings: int
    orphans: Cut
    audit: Cut
    figures: tuple[tuple[str, str], ...]
    brief_figures: tuple[tuple[str, str], ...]
    run_id: str
    version: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Earlier:
    """Reports that did not arrive before: some in full, others in a line each, and a count of those no longer kept.

    `missing` are those that were given up, each with its file.
    """

    views: tuple[View, ...] = ()
    lines: Cut = Cut(())
    lost: int = 0
    missing: Cut = Cut(())


def subject_of(news: News, earlier: int = 0) -> str:
    """The subject: readers see it first, and often nothing else."""
    joined = f" (and {counted(earlier, 'earlier report')})" if earlier else ""
    return one_line(f"Kometa-AI: {_prefix(news.report)}{changes_of(news.report)}", _SUBJECT - len(joined)) + joined


def earlier_of(news: Sequence[News], lost: int, missing: Sequence[Missing], zone: tzinfo, limits: Limits) -> Earlier:
    """Prepare the reports that did not arrive before, newest first."""
    gone = [_missing(one, zone, limits) for one in reversed(missing)]
    lines = [f"{_moment(one.report.started, zone)}: {headline(one.report)}" for one in news[limits.earlier :]]
    return Earlier(
        tuple(view_of(one, zone, limits) for one in news[: limits.earlier]),
        _cut(lines, limits.problems),
        lost,
        _cut(gone, limits.problems),
    )


def _missing(one: Missing, zone: tzinfo, limits: Limits) -> str:
    what = "may not have arrived" if one.may_have_arrived else "could not be delivered"
    place = f"STATE_DIR/runs/{one_line(one.run_id, limits.name)}.json"
    return f"The report of {_moment(one.started, zone)} {what}: {place}"


def view_of(news: News, zone: tzinfo, limits: Limits) -> View:
    """Prepare a report within these limits, with times in `zone`."""
    report, before, kinds = news.report, news.told_before, news.report.kinds
    eventful = [collection for collection in report.collections if _is_eventful(collection)]
    quiet = [f"{_name(c, kinds, limits)} ({c.members:,})" for c in report.collections if not _is_eventful(c)]
    collections = tuple(_collection(collection, report, limits) for collection in eventful[: limits.collections])
    problems = _grouped((problem for problem in report.problems if key_of(problem) not in before), zone, limits)
    known = [_in_a_line(problem, limits) for problem in report.problems if key_of(problem) in before]
    warnings = _grouped((warning for warning in report.warnings if key_of(warning) not in before), zone, limits)
    over = [f"{one_line(ended.what, limits.sentence)} (since {_moment(ended.since, zone)})" for ended in news.over]
    lists = (
        _cut(quiet, limits.collections),
        _cut(_orphans(report, limits), limits.collections),
        _cut(list(dict.fromkeys(known)), limits.problems),
        _cut(over, limits.problems),
    )
    movies = [movies.movies for collection in collections for movies in collection.lists]
    more = (len(eventful) - len(collections), len(problems) - limits.problems, len(warnings) - limits.problems)
    return View(
        attention=attention_of(report),
        title=title_of(report),
        changes=changes_of(report),
        item=" or ".join(kinds),
        items=_HEADINGS[kinds],
        note=_note(report),
        when=_moment(report.started, zone),
        known=lists[2],
        known_warnings=sum(key_of(warning) in before for warning in report.warnings),
        over=lists[3],
        collections=collections,
        more_collections=max(more[0], 0),
        unchanged=lists[0],
        problems=tuple(problems[: limits.problems]),
        more_problems=max(more[1], 0),
        warnings=tuple(warnings[: limits.problems]),
        more_warnings=max(more[2], 0),
        orphans=lists[1],
        audit=_audit(report, limits),
        figures=tuple(_figures(report, zone)),
        brief_figures=tuple(_brief_figures(report, zone)),
        run_id=one_line(report.run_id, limits.name),
        version=one_line(report.version, limits.name),
        is_cut=any(count > 0 for count in more) or any(found.more for found in (*movies, *lists)),
    )


# What is said

_HEADINGS: Mapping[tuple[Kind, ...], str] = {("movie",): "Movies", ("show",): "Shows", ("movie", "show"): "Titles"}


def _prefix(report: RunReport) -> str:
    """The beginning of the subject, before the changes: the kind of run, and what is wrong."""
    kind = ("dry run: " if report.dry_run else "") + ("undo: " if report.kind == "undo" else "")
    match attention_of(report):
        case "needs you":
            return f"{kind}needs you ({trouble(report)}): "
        case "unfinished":
            return f"{kind}{unfinished(report)}: "
    return kind


def _note(report: RunReport) -> str:
    notes = []
    if report.dry_run:
        notes.append("A dry run: nothing was written, this is what would change.")
    if extent := extent_of(report):
        notes.append(extent)
    if report.outcome == "interrupted":
        notes.append("The run was interrupted; what it had done is saved, and the next one goes on from there.")
    if report.pending:
        notes.append(f"{counted(report.pending, 'question')} {_verb(report.pending)} for the next run.")
    if report.held_back:
        notes.append(f"{held_back(report)} held back.")
    if report.in_review:
        verb = _verb(report.in_review)
        notes.append(
            f"{in_review(report)} {verb} for you, then {_goes(report.in_review)} through: --review lists them."
        )
    return " ".join(notes)


def _verb(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _goes(count: int) -> str:
    return "goes" if count == 1 else "go"


def _in_a_line(problem: Problem, limits: Limits) -> str:
    name = f"{one_line(problem.collection, limits.name)}: " if problem.collection else ""
    return f"{name}{one_line(problem.what, limits.sentence)}"


def _is_eventful(collection: CollectionReport) -> bool:
    changed = (collection.added, collection.removed, collection.held_back, collection.in_review, collection.failed)
    return any(changed) or bool(collection.pinned_in or collection.pinned_out or collection.pending)


def _name(named: CollectionReport | Orphan, kinds: tuple[Kind, ...], limits: Limits) -> str:
    return marked(one_line(named.name, limits.name), named.kind, kinds)


def _collection(collection: CollectionReport, report: RunReport, limits: Limits) -> CollectionView:
    lists = (
        MovieList("Added", "+", _movies(collection.added, limits), "added"),
        MovieList("Removed", "-", _movies(collection.removed, limits), "removed"),
        MovieList("Held back, not added", "!", _movies(collection.held_back_additions, limits), "trouble"),
        MovieList("Held back, still in", "!", _movies(collection.held_back_removals, limits), "trouble"),
        MovieList("In review, not added yet", "?", _movies(collection.in_review_additions, limits), "trouble"),
        MovieList("In review, still in", "?", _movies(collection.in_review_removals, limits), "trouble"),
        MovieList(
            f"{one_line(unconfirming(report, collection), limits.name)} did not confirm these changes",
            "!",
            _movies(collection.failed, limits),
            "trouble",
        ),
        MovieList("Put on by hand, pinned in", "=", _movies(collection.pinned_in, limits), "chosen"),
        MovieList("Taken off by hand, pinned out", "=", _movies(collection.pinned_out, limits), "chosen"),
    )
    counts = (
        (len(collection.added), "added"),
        (len(collection.removed), "removed"),
        (len(collection.held_back), "held back"),
        (len(collection.in_review), "in review"),
        (len(collection.failed), "failed"),
        (len(collection.pinned_in) + len(collection.pinned_out), "pinned by hand"),
        (collection.pending, "to be asked"),
    )
    facts = [counted(collection.members, collection.kind), *(f"{count:,} {word}" for count, word in counts if count)]
    return CollectionView(
        name=_name(collection, report.kinds, limits),
        tag=one_line(collection.tag, limits.name),
        facts=" · ".join(facts),
        about=one_line(about(report, collection), limits.sentence),
        lists=tuple(movies for movies in lists if movies.movies.shown),
    )


def _movies(movies: Sequence[MovieLine], limits: Limits) -> Cut:
    shown = tuple(_movie(movie, limits) for movie in movies[: limits.movies])
    return Cut(shown, len(movies) - len(shown))


def _movie(movie: MovieLine, limits: Limits) -> str:
    # Cut the title, not the year: the year distinguishes movies of the same name.
    year = f" ({movie.year})" if str(movie) != movie.title else ""
    where = f" {one_line(movie.where, limits.name)}" if movie.where else ""
    waits = f", {movie.waits}" if movie.waits else ""
    return f"{one_line(movie.title, limits.name) or ref_of(movie.key)}{year}{where}{waits}"


def _orphans(report: RunReport, limits: Limits) -> list[str]:
    kinds = report.kinds
    return [
        f"{_name(orphan, kinds, limits)}: {one_line(orphan.tag, limits.name)} stays on "
        f"{counted(orphan.members, orphan.kind)}; {one_line(orphan.why, limits.sentence)}. "
        f"{one_line(orphan.remedy, limits.sentence)}".rstrip()
        for orphan in report.orphans
    ]


def _audit(report: RunReport, limits: Limits) -> Cut:
    """What an audit has found: in words, then each item of which the model now says the opposite."""
    if report.audit is None:
        return Cut(())
    found = [f"{audit_in_words(report.audit)}. Nothing was changed by it."]
    for each in report.audit.collections:
        name = marked(one_line(each.name, limits.name), each.kind, report.kinds)
        for items, what in ((each.flips, "is"), (each.disagreeing, "pinned")):
            found += [
                f"{name}: {one_line(str(item), limits.name)} {what} {'in' if item.stands else 'out'}, and the "
                f"model's new verdict, {item.confidence:.2f}, would have it {'in' if item.include else 'out'}"
                for item in items
            ]
    return _cut(found, limits.movies)


def _grouped(problems: Iterable[Problem], zone: tzinfo, limits: Limits) -> list[ProblemView]:
    return [_group(same, zone, limits) for same in same_cause(problems)]


def _group(same: Sequence[Problem], zone: tzinfo, limits: Limits) -> ProblemView:
    first = same[0]
    movies = [movie for problem in same for movie in problem.movies]
    names = dict.fromkeys(one_line(problem.collection, limits.name) for problem in same if problem.collection)
    times = sorted(problem.at for problem in same if problem.at)
    return ProblemView(
        where=one_line(places(same), limits.name),
        what=one_line(first.what, limits.sentence),
        remedy=one_line(first.remedy, limits.sentence),
        at=_moment(times[0], zone) if times else "",
        collections=_cut(list(names), limits.problems),
        movies=_cut(
            [one_line(movie, limits.name) for movie in movies[: limits.movies]], limits.movies, total=len(movies)
        ),
    )


def _cut(items: Sequence[str], limit: int, *, total: int | None = None) -> Cut:
    shown = tuple(items[:limit])
    return Cut(shown, (len(items) if total is None else total) - len(shown))


def _asked(report: RunReport) -> str:
    """`309 verdicts, second looks among them; 3 questions left`."""
    looks = ", second looks among them" if report.asked > 1 else ""
    left = f"; {counted(report.pending, 'question')} left" if report.pending else ""
    return f"{counted(report.asked, 'verdict')}{looks}{left}"


def _figures(report: RunReport, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield ("Libraries" if len(report.libraries) > 1 else "Library"), _libraries(report)
    yield "Collections", f"{len(report.collections):,}"
    yield "Asked", _asked(report)
    yield "Cost", _cost(report)
    if report.tokens.requests:
        yield "Tokens", _tokens(report.tokens)
    if report.month:
        tokens = f"; {_tokens(report.month.tokens)}" if report.month.tokens.requests else ""
        yield "This month", _cost(report.month) + tokens
    if report.decisions_by_other_models:
        yield "Other models", f"{counted(report.decisions_by_other_models, 'decision')} made by another model"
    yield "Started", _moment(report.started, zone)
    yield "Duration", _duration(report.finished - report.started)
    yield "Next run", _moment(report.next_run, zone) if report.next_run else "not planned: no daemon is running"


def _libraries(report: RunReport) -> str:
    """`301 movies and 119 shows`; of several libraries also how many each holds, and which were left alone."""
    if len(report.libraries) < 2:  # noqa: PLR2004 - one says nothing more
        return library_of(report)
    each = ", ".join(f"{one_line(one.title)} {one.items:,}" for one in report.libraries if not one.error)
    held = f"{library_of(report)} ({each})" if each else library_of(report)
    if not report.left_alone:
        return held
    was = "was" if len(report.left_alone) == 1 else "were"
    return f"{held}; {in_words(report.left_alone)} could not be used and {was} left alone"


def _brief_figures(report: RunReport, zone: tzinfo) -> Iterator[tuple[str, str]]:
    if report.audit is not None:
        yield "Audit", audit_in_words(report.audit)
    month = f"; this month {_cost(report.month)}" if report.month else ""
    yield "Cost", _cost(report) + month
    yield "Duration", _duration(report.finished - report.started)
    yield "Next run", _moment(report.next_run, zone) if report.next_run else "not planned: no daemon is running"


def _cost(spent: RunReport | Spending) -> str:
    usd, unpriced = spent.cost_usd, spent.unpriced_requests
    cost = "less than 0.01 USD" if 0 < usd < 0.01 else f"{usd:,.2f} USD"  # noqa: PLR2004 - a cent
    if spent.unclear_requests:
        cost = f"at least {usd:,.2f} USD ({counted(spent.unclear_requests, 'request')} unanswered that may be billed)"
    return cost + (f", and {counted(unpriced, 'request')} at a price that is not known" if unpriced else "")


def _tokens(tokens: Tokens) -> str:
    read = tokens.input + tokens.cache_write + tokens.cache_read
    cached = f" ({tokens.cache_read:,} from the cache)" if tokens.cache_read else ""
    return f"{read:,} in{cached}, {tokens.output:,} out, {counted(tokens.requests, 'request')}"


def _moment(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"


def _duration(length: timedelta) -> str:
    seconds = max(round(length.total_seconds()), 0)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
