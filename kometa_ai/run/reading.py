"""Read the library and Kometa's folder, and refuse an implausible library."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import structlog

from kometa_ai.core.collection import recognise
from kometa_ai.core.item import short_name
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckRadarr
from kometa_ai.run.orphans import adopted_tags
from kometa_ai.run.results import UNREAD, Reading
from kometa_ai.run.scope import choose
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import LibraryRead, LibrarySeen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.options import Options
    from kometa_ai.library.port import Contents, LibraryStatus
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.parts import Parts, Rules

_ODDITIES = 20
_ODD_TAGS = 3

_log = structlog.get_logger()


class Reader:
    """Reads what a run is about: first the library, then the collections, in whose pins its movies are recognised."""

    def __init__(self, parts: Parts, rules: Rules, options: Options, keeper: Keeper) -> None:
        self._parts = parts
        self._rules = rules
        self._options = options
        self._keeper = keeper
        self._movies: Sequence[AnyItem] = ()
        self._folder: Folder = UNREAD
        self._collections: tuple[Collection, ...] = ()
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def result(self) -> Reading:
        """What has been read so far."""
        return Reading(
            movies=self._movies,
            folder=self._folder,
            collections=self._collections,
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
        )

    async def library(self) -> Contents:
        """Read every movie and tag from Radarr. Raise CheckRadarr for an implausible list."""
        parts = self._parts
        parts.observer.step(Step.FETCHING)
        status = await self._reach_library()
        if status.warning:
            self._warn(status.warning, "Check RADARR_URL.")
        library = await parts.library.contents()
        self._warnings += oddities(library)
        check_plausible(
            library, parts.store.state.libraries.get(parts.library.name), accepted=self._options.accept_library
        )
        # A dry run that accepts a library does not accept it for later runs.
        if not (self._options.dry_run and self._options.accept_library):
            self._problems += self._keeper.record(
                LibraryRead(name=parts.library.name, library=_seen(library, parts.now()))
            )
        self._movies = library.items
        _log.info("library.read", movies=len(library.items), tags=len(library.tags))
        return library

    async def _reach_library(self) -> LibraryStatus:
        try:
            return await self._parts.library.check()
        except CheckRadarr as error:
            what = await self._parts.library.diagnose(error.message)
            self._warn(what, "Begin with the first of these that is not as it should be.")
            raise

    def _warn(self, what: str, remedy: str) -> None:
        self._warnings.append(Problem(source="Radarr", what=what, remedy=remedy, severity="warning"))

    def collections(self) -> tuple[Collection, ...]:
        """Read Kometa's folder and choose the collections that take part. Raise FixUsage for an unknown name."""
        self._parts.observer.step(Step.LOADING)
        folder = self._parts.read_folder(self._rules.config_dir)
        self._problems += folder.problems
        self._warnings += folder.warnings
        self._warnings += adopted_tags(folder, self._parts.store.state.collections)
        self._folder = folder
        self._collections = recognise(choose(folder, self._options.collections), self._movies)
        _log.info("collections.read", enabled=len(folder.collections), problems=len(folder.problems))
        return self._collections


def check_plausible(library: Contents, last: LibrarySeen | None, *, accepted: bool) -> None:
    """Raise CheckRadarr for no movies; unless `accepted`, also for a list that halved, or nameless tags."""
    count = len(library.items)
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
        # Accepting it would remove every member that only a tag of the user's own lets in.
        raise CheckRadarr(
            f"Radarr's list of tags is empty, but {library.nameless} of its movies have tags.",
            "Nothing was changed. Look whether Radarr's database is whole. If it is, and all tags are really gone, run "
            "once with --run-now --accept-library.",
        )


def oddities(library: Contents) -> list[Problem]:
    """Warn of rows that take no part: one warning for each of the first movies, and one for all the others."""
    told = [
        f"Radarr's movie {movie.arr_id or 'without an id'} ({movie.title or 'no title'}) takes no part: {movie.why}."
        for movie in library.left_out[:_ODDITIES]
    ]
    warnings = [
        Problem(source="Radarr", what=what, remedy="Fix or remove it in Radarr.", severity="warning") for what in told
    ]
    if others := library.left_out[_ODDITIES:]:
        verb = "take" if len(others) > 1 else "takes"
        what = f"{counted(len(others), 'further movie')} of Radarr's list {verb} no part."
        names = tuple(movie.title or f"Radarr's movie {movie.arr_id}" for movie in others[:_ODDITIES])
        remedy = "Fix the ones above; the next run names more of them."
        warnings.append(Problem(source="Radarr", what=what, remedy=remedy, movies=names, severity="warning"))
    if library.odd_tags:
        what = f"{counted(len(library.odd_tags), 'tag')} of Radarr's cannot be read: "
        what += "; ".join(library.odd_tags[:_ODD_TAGS]) + ("; …" if len(library.odd_tags) > _ODD_TAGS else ".")
        remedy = "Look at Radarr's Settings, Tags: movies with them count as without them."
        warnings.append(Problem(source="Radarr", what=what, remedy=remedy, severity="warning"))
    return warnings


def _seen(library: Contents, now: datetime) -> LibrarySeen:
    ids = ",".join(short_name(movie.key) for movie in library.items)
    return LibrarySeen(
        count=len(library.items),
        hash=hashlib.sha256(ids.encode()).hexdigest()[:16],
        at=now,
        tagged=sum(bool(movie.labels) for movie in library.items),
    )
