"""One run, step by step. Read this file first.

    fetch the library -> load the collections -> plan the questions -> ask -> decide -> plan the tags -> apply -> report

The planning steps are pure functions; reading, asking and writing go through the clients in `Parts`. A dry run is
where this list ends before `apply`. Each verdict and each change is remembered the moment it is known. The report is
made afterwards (`reporting`), from what was found, however far the run came.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import structlog

from kometa_ai.asking.engine import Asker
from kometa_ai.core.changes import Change, TagChange, TagPlan
from kometa_ai.core.collection import namesakes, recognise
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckRadarr
from kometa_ai.judging.looks import Models
from kometa_ai.judging.planning import describe
from kometa_ai.judging.stages import Known, walk
from kometa_ai.run.batches import Choice
from kometa_ai.run.orphans import adopted_tags
from kometa_ai.run.questioning import Questioning
from kometa_ai.run.scope import choose
from kometa_ai.run.session import WRITING, Findings, Parts, Rules, keep
from kometa_ai.state.schema import LibraryRead, LibrarySeen, Tagged
from kometa_ai.tags.apply import Applied, apply_changes
from kometa_ai.tags.plan import FEW_ADDITIONS, NO_ADDITION_LIMIT, Brake, plan_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from kometa_ai.core.collection import Collection, MovieRef
    from kometa_ai.core.movie import Movie, TmdbId
    from kometa_ai.core.naming import Slug
    from kometa_ai.library.port import Contents, LibraryStatus
    from kometa_ai.run.options import Options

_ODDITIES = 20
_ODD_TAGS = 3

_log = structlog.get_logger()


class Run:
    """One run. `found` is what it has found out and done so far."""

    def __init__(self, parts: Parts, rules: Rules, options: Options, run_id: str) -> None:
        self.found = Findings()
        self._parts = parts
        self._rules = rules
        self._options = options
        self._run_id = run_id

    async def go(self) -> None:
        """Do everything. Raise CheckRadarr, FixConfiguration or FixUsage, before anything is changed."""
        library = await self.fetch_library()
        collections = self.load_collections()
        await self.ask_and_decide(library, collections)
        plan = self.plan_tags(library, collections)
        if self._options.dry_run or self._parts.interruption.why:
            return
        await self.apply(plan, collections)

    async def fetch_library(self) -> Contents:
        """Read every movie and tag from Radarr, and refuse a list that cannot be true."""
        parts, found = self._parts, self.found
        parts.observer.step("Fetching the library")
        status = await self._reach_radarr()
        if status.warning:
            found.warnings.append(
                Problem(source="Radarr", what=status.warning, remedy="Check RADARR_URL.", severity="warning")
            )
        library = await parts.library.contents()
        found.warnings += oddities(library)
        believe(library, parts.store.state.library, accepted=self._options.accept_library)
        # What was accepted for a dry run is not accepted for the runs after it.
        if not (self._options.dry_run and self._options.accept_library):
            keep(parts, found, LibraryRead(library=_seen(library, parts.now())))
        found.library = len(library.movies)
        found.movies = library.movies
        _log.info("library.read", movies=len(library.movies), tags=len(library.tags))
        return library

    async def _reach_radarr(self) -> LibraryStatus:
        try:
            return await self._parts.library.check()
        except CheckRadarr as error:
            what = await self._parts.library.diagnose(error.message)
            remedy = "Begin with the first of these that is not as it should be."
            self.found.warnings.append(Problem(source="Radarr", what=what, remedy=remedy, severity="warning"))
            raise

    def load_collections(self) -> tuple[Collection, ...]:
        """Read Kometa's folder and choose the collections that take part. Raise FixUsage for a name there is not.

        The library is to be there already: pins are recognised in it.
        """
        self._parts.observer.step("Loading the collections")
        folder = self._parts.read_folder(self._rules.config_dir)
        self.found.problems += folder.problems
        self.found.warnings += folder.warnings
        self.found.warnings += adopted_tags(folder, self._parts.store.state.collections)
        self.found.folder = folder
        self.found.collections = recognise(choose(folder, self._options.collections), self.found.movies)
        _log.info("collections.read", enabled=len(folder.collections), problems=len(folder.problems))
        return self.found.collections

    async def ask_and_decide(self, library: Contents, collections: Sequence[Collection]) -> None:
        """Plan the questions, ask them and decide, for one stage of collections after the other."""
        parts, found = self._parts, self.found
        found.judged = describe(self._in_scope(library), parts.store.memory)
        models = Models(self._rules.model, self._rules.review_model)
        questioning = Questioning(
            parts,
            found,
            batch_size=self._options.batch_size,
            radarr_credits=self._rules.radarr_credits,
            again=frozenset(self._options.ask_again),
            batches=Choice(self._rules.batches, self._options.unattended, is_partial=bool(self._options.movies)),
        )
        found.asker = parts.interruption.asker = Asker(
            parts.provider,
            model=self._rules.model,
            review_model=self._rules.review_model,
            limits=self._rules.limits,
            record=questioning.record,
        )
        if parts.interruption.why or parts.interruption.has_timed_out:
            found.asker.end(parts.interruption.why or "RUN_TIMEOUT")
        known = Known(library.movies, found.judged, parts.store.memory, parts.store.state.pins, models)
        for stage in walk(collections, found.folder.collections, known):
            found.gates |= stage.gates
            if stage.chosen:
                await questioning.ask(stage, found.asker, force=self._options.force_refresh)
            parts.observer.step("Deciding")
            settled = stage.decide(found.open_questions)
            for each in stage.chosen:
                found.memberships[each.slug] = settled.memberships[each.slug]
                self._warn_of_pins(each)
                self._warn_of_doubts(each, settled.left_alone.get(each.slug, frozenset()))

    def _in_scope(self, library: Contents) -> Sequence[Movie]:
        """The movies to be judged: no other is asked about or changed; all count for pins, orphans and the brake."""
        wanted = self._options.movies
        if not wanted:
            return library.movies
        movies = [movie for movie in library.movies if movie.tmdb_id in wanted]
        if missing := sorted(wanted - {movie.tmdb_id for movie in movies}):
            self.found.warnings.append(
                Problem(
                    source="Radarr",
                    what=f"{len(missing)} of the {len(wanted)} movies of this run are not in Radarr's list.",
                    remedy="Nothing to do: once Radarr lists them, the next scheduled run judges them.",
                    movies=tuple(f"tmdb:{tmdb_id}" for tmdb_id in missing[:20]),
                    severity="warning",
                )
            )
        return movies

    def _warn_of_pins(self, collection: Collection) -> None:
        self.found.warnings += [
            Problem(
                source=collection.source,
                line=collection.line,
                what=f"the pin {ref.text!r} names no movie that Radarr has.",
                remedy=_remedy_for(ref, self.found.movies),
                collection=collection.name,
                severity="warning",
            )
            for ref in self.found.gates[collection.slug].unknown_pins
        ]

    def _warn_of_doubts(self, collection: Collection, movies: AbstractSet[TmdbId]) -> None:
        if movies:
            self.found.warnings.append(
                Problem(
                    source="--collection",
                    what=f"{counted(len(movies), 'movie')}: left alone, since a collection that the block names has "
                    "open questions about them.",
                    remedy="Nothing to do: the next run of all collections decides them.",
                    collection=collection.slug,
                    severity="warning",
                )
            )

    def plan_tags(self, library: Contents, collections: Sequence[Collection]) -> TagPlan:
        """Compare the decisions with a library's tags."""
        self._parts.observer.step("Planning the tags")
        found = self.found
        found.movies = library.movies
        found.plan = plan_tags(
            collections,
            found.memberships,
            library.movies,
            found.judged.keys(),
            self._removal_brake(collections),
            additions=self._addition_brake(collections),
            chosen={slug: gates.pinned_in for slug, gates in found.gates.items()},
        )
        return found.plan

    def _removal_brake(self, collections: Sequence[Collection]) -> Brake:
        everything = frozenset(collection.slug for collection in collections)
        released = everything if self._options.allow_removals else self._edited(collections)
        return Brake(self._rules.removal_limit, released, self._tight("remove"))

    def _addition_brake(self, collections: Sequence[Collection]) -> Brake:
        known = self._parts.store.state.collections
        building = {slug for slug, status in known.items() if status.first_build_open}
        return Brake(
            self._rules.addition_limit,
            self._edited(collections) | building,
            self._tight("add"),
            few=FEW_ADDITIONS,
            no_limit=NO_ADDITION_LIMIT,
        )

    def _edited(self, collections: Sequence[Collection]) -> frozenset[Slug]:
        known = self._parts.store.state.collections
        return frozenset(
            collection.slug
            for collection in collections
            if (status := known.get(collection.slug)) and status.is_edited(collection.block_hash)
        )

    def _tight(self, operation: Literal["add", "remove"]) -> frozenset[Slug]:
        """The collections of which any change is held back. A run of everything finds out anew how many there are."""
        known = self._parts.store.state.collections if self._options.movies else {}
        return frozenset(slug for slug, status in known.items() if status.is_held_back(operation))

    async def apply(self, plan: TagPlan, collections: Sequence[Collection]) -> None:
        """Read the library again, plan against what it is now, and write only the difference."""
        parts, found = self._parts, self.found
        if not plan.changes:
            return
        parts.observer.step(WRITING)
        library = await parts.library.contents()
        believe(library, parts.store.state.library, accepted=False)
        plan = self.plan_tags(library, collections)

        def remember(done: Sequence[Change]) -> None:
            changes = [
                TagChange(
                    at=parts.now(),
                    run_id=self._run_id,
                    tmdb_id=change.movie.tmdb_id,
                    title=change.movie.title,
                    year=change.movie.year,
                    collection=change.slug,
                    tag=change.label,
                    operation=change.operation,
                )
                for change in done
            ]
            found.tag_changes += changes
            keep(parts, found, *(Tagged(change=change) for change in changes))

        applied = found.applied = Applied()
        try:
            await apply_changes(parts.library, plan.changes, library, remember, applied)
        finally:
            found.problems += applied.problems
            found.warnings += applied.warnings


def believe(library: Contents, last: LibrarySeen | None, *, accepted: bool) -> None:
    """Raise CheckRadarr for no movies; unless `accepted`, for less than half of those there were, or nameless tags."""
    count = len(library.movies)
    if not count:
        left_out = len(library.left_out)
        raise CheckRadarr(
            f"Radarr lists {counted(left_out, 'movie')}, and none of them can take part."
            if left_out
            else "Radarr answers with an empty list of movies.",
            "Nothing was changed. Check that RADARR_URL is the right Radarr and that its database is whole.",
        )
    if last is None or accepted:
        return
    if count * 2 < last.count:
        raise CheckRadarr(
            f"Radarr lists {count} movies where it listed {last.count} before.",
            "Nothing was changed. If so many are really gone, run once with --run-now --accept-library.",
        )
    if last.tagged and library.nameless and not library.tags:
        # Believed, it would take every member out that only a tag of its owner's holds.
        raise CheckRadarr(
            f"Radarr's list of tags is empty, but {library.nameless} of its movies have tags.",
            "Nothing was changed. Look whether Radarr's database is whole. If it is, and all tags are really gone, run "
            "once with --run-now --accept-library.",
        )


def oddities(library: Contents) -> list[Problem]:
    """What of Radarr's lists takes no part: a warning for each of the first movies, and one for all the others."""
    told = [
        f"Radarr's movie {movie.radarr_id or 'without an id'} ({movie.title or 'no title'}) takes no part: {movie.why}."
        for movie in library.left_out[:_ODDITIES]
    ]
    warnings = [
        Problem(source="Radarr", what=what, remedy="Fix or remove it in Radarr.", severity="warning") for what in told
    ]
    if others := library.left_out[_ODDITIES:]:
        verb = "take" if len(others) > 1 else "takes"
        what = f"{counted(len(others), 'further movie')} of Radarr's list {verb} no part."
        names = tuple(movie.title or f"Radarr's movie {movie.radarr_id}" for movie in others[:_ODDITIES])
        remedy = "Fix the ones above; the next run names more of them."
        warnings.append(Problem(source="Radarr", what=what, remedy=remedy, movies=names, severity="warning"))
    if library.odd_tags:
        what = f"{counted(len(library.odd_tags), 'tag')} of Radarr's cannot be read: "
        what += "; ".join(library.odd_tags[:_ODD_TAGS]) + ("; …" if len(library.odd_tags) > _ODD_TAGS else ".")
        remedy = "Look at Radarr's Settings, Tags: movies with them count as without them."
        warnings.append(Problem(source="Radarr", what=what, remedy=remedy, severity="warning"))
    return warnings


def _seen(library: Contents, now: datetime) -> LibrarySeen:
    ids = ",".join(str(movie.tmdb_id) for movie in library.movies)
    return LibrarySeen(
        count=len(library.movies),
        hash=hashlib.sha256(ids.encode()).hexdigest()[:16],
        at=now,
        tagged=sum(bool(movie.labels) for movie in library.movies),
    )


def _remedy_for(pin: MovieRef, movies: Iterable[Movie]) -> str:
    if others := namesakes(pin, movies):
        return f"Did you mean {' or '.join(map(str, others))}?"
    return "Correct it, or leave it until the movie is there."
