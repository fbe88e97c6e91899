"""Read the libraries side by side, refuse implausible ones, and make one list of the items that they hold.

Why: docs/decisions/0019-several-libraries.md
"""

from __future__ import annotations

import asyncio
import hashlib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Protocol

import msgspec
import structlog

from kometa_ai.core.item import ItemKey, order_of, short_name
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted
from kometa_ai.errors import CheckLibrary
from kometa_ai.judging.mutual import managed_tag, named_tags
from kometa_ai.run.results import LibraryFound
from kometa_ai.state.schema import LibrarySeen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Kind
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.library.port import Contents, Library

_ODDITIES = 20
_NEAR = 0.85  # the names of two Radarrs share their beginning: `radarr-4k` is not meant for `radarr`
_ODD_TAGS = 3

_log = structlog.get_logger()


async def read_libraries(
    libraries: Sequence[Library], seen: Mapping[str, LibrarySeen], *, accepted: bool
) -> tuple[LibraryFound, ...]:
    """Read every library, each for itself: one that cannot be used, or not be believed, says so in its `error`.

    `seen` is what was last believed of each, by its name. Raise CheckLibrary where none can be used.
    """
    found = tuple(
        await asyncio.gather(*(_read(library, seen.get(library.name), accepted=accepted) for library in libraries))
    )
    errors = [each.error for each in found if each.error is not None]
    if found and len(errors) == len(found):
        if len(found) == 1:
            raise NoLibrary(errors[0], found)
        raise NoLibrary(none_usable({each.title: error for each, error in zip(found, errors, strict=True)}), found)
    return found


def none_usable(errors: Mapping[str, CheckLibrary]) -> CheckLibrary:
    """The error where several libraries cannot be used, each for a reason of its own, by their titles."""
    what = " ".join(f"{title}: {error.message}" for title, error in errors.items())
    remedy = " ".join(dict.fromkeys(error.remedy for error in errors.values()))
    return CheckLibrary(f"None of the libraries can be used. {what}", remedy)


class Named(Protocol):
    """A library of the settings, or its client."""

    @property
    def name(self) -> str:
        """Its name in `libraries:` of a block."""
        ...

    @property
    def kind(self) -> Kind:
        """What it holds."""
        ...


def unknown_names(collection: Collection, libraries: Iterable[Named]) -> list[str]:
    """The names in the collection's `libraries:` that no library of its kind has; none where there is no library."""
    there = {library.name for library in libraries if library.kind == collection.kind}
    return sorted(collection.libraries - there) if there else []


def misnamed(collections: Iterable[Collection], libraries: Sequence[Named]) -> Iterator[Problem]:
    """A problem for each collection whose block names a library that there is not."""
    for collection in collections:
        if unknown := unknown_names(collection, libraries):
            names = sorted(each.name for each in libraries if each.kind == collection.kind)
            others = [each.kind for each in libraries if each.name == unknown[0]]
            instead = "".join(f" Or write `media: {kind}s`: {unknown[0]} holds {kind}s." for kind in others)
            near = [] if others else get_close_matches(unknown[0], names, n=1, cutoff=_NEAR)
            remedy = f"Did you mean {near[0]}? " if near else ""
            remedy += f"There are: {', '.join(names)}.{instead}"
            written = {text.lower(): text for text in collection.libraries_written}
            yield Problem(
                source=collection.source,
                line=collection.libraries_line or collection.line,
                what=f"`libraries` names {written.get(unknown[0], unknown[0])!r}, and no library of {collection.kind}s "
                "has that name. The collection is skipped.",
                remedy=remedy if others else f"{remedy} A library here is a Radarr or Sonarr, not one of Plex.",
                collection=collection.name,
            )


class NoLibrary(CheckLibrary):
    """No library can be used; `found` says what was found of each."""

    def __init__(self, error: CheckLibrary, found: tuple[LibraryFound, ...]) -> None:
        super().__init__(error.message, error.remedy)
        self.found = found


async def _read(library: Library, last: LibrarySeen | None, *, accepted: bool) -> LibraryFound:
    about = LibraryFound(name=library.name, title=library.title, kind=library.kind)
    warnings: list[Problem] = []

    def result(contents: Contents | None, error: CheckLibrary | None = None) -> LibraryFound:
        return msgspec.structs.replace(about, contents=contents, error=error, warnings=tuple(warnings))

    try:
        status = await library.check()
    except CheckLibrary as error:
        what = await library.diagnose(error.message)
        warnings.append(_warning(library, what, "Begin with the first of these that is not as it should be."))
        return result(None, error)
    if status.warning:
        warnings.append(_warning(library, status.warning, f"Check {library.url_setting}."))
    try:
        contents = await library.contents()
        warnings += oddities(library, contents)
        check_plausible(library, contents, last, accepted=accepted)
    except CheckLibrary as error:
        return result(None, error)
    counts = {f"{library.kind}s": len(contents.items), "tags": len(contents.tags)}
    _log.info("library.read", library=library.name, **counts)
    return result(contents)


def _warning(library: Library, what: str, remedy: str) -> Problem:
    return Problem(source=library.title, what=what, remedy=remedy, severity="warning")


def merged(contents: Mapping[str, Sequence[AnyItem]]) -> tuple[AnyItem, ...]:
    """Each item of the libraries once, in order of their ids: movies before shows.

    `contents` are the items of each library by its name, in the order of the settings. Of an item that several hold,
    the first tells everything but the labels, so that two of them never make it look changed in turn.
    """
    items: dict[ItemKey, AnyItem] = {}
    for name, held in contents.items():
        for item in held:
            first = items.get(item.key)
            if first is None:
                is_held_here = item.libraries == (name,)
                items[item.key] = item if is_held_here else msgspec.structs.replace(item, libraries=(name,))
            else:
                labels, libraries = first.labels | item.labels, (*first.libraries, name)
                items[item.key] = msgspec.structs.replace(first, labels=labels, libraries=libraries)
    return tuple(sorted(items.values(), key=lambda item: order_of(item.key)))


def told_by_another(items: Iterable[AnyItem], found: Sequence[LibraryFound]) -> Iterator[ItemKey]:
    """The items of which a library tells the facts that comes after one of their kind which cannot be used.

    That one may hold them too, and tell other facts: until it can be used, they must not look changed.
    """
    away: dict[str, set[str]] = {}
    late: set[str] = set()
    for each in found:
        missing = away.setdefault(each.kind, set())
        if each.contents is None:
            missing.add(each.name)
        elif missing:
            late.add(each.name)
    return (item.key for item in items if item.libraries and item.libraries[0] in late)


def hidden_tags(collections: Sequence[Collection], found: Iterable[LibraryFound]) -> frozenset[CollectionKey]:
    """The collections whose rules name tags that a library may show which cannot be used, directly or not.

    Who is in them cannot be told until then: a film that only its tag in that library lets in would lose all others.
    """
    away = {each.kind for each in found if each.contents is None}
    named = {each.key: named_tags(each) for each in collections if each.kind in away}
    managed = {managed_tag(each): each.key for each in collections}
    hidden = {key for key, tags in named.items() if tags - managed.keys()}
    while more := {
        key for key, tags in named.items() if key not in hidden and any(managed.get(tag) in hidden for tag in tags)
    }:
        hidden |= more
    return frozenset(hidden)


def taking_part(
    chosen: Iterable[Collection],
    collections: Sequence[Collection],
    libraries: Sequence[Named],
    found: Sequence[LibraryFound],
) -> tuple[Collection, ...]:
    """The chosen ones of all collections that can be decided from what was found of each library of the settings.

    That is where a library that a collection is for could be read, where each that its block names exists, and where no
    tag that decides may be hidden in a library that could not be read.
    """
    hidden = hidden_tags(collections, found)
    return tuple(
        each
        for each in chosen
        if each.key not in hidden
        and not unknown_names(each, libraries)
        and any(library.contents is not None and each.is_for(library.kind, library.name) for library in found)
    )


def whole_kinds(found: Iterable[LibraryFound]) -> frozenset[str]:
    """The kinds of which every library could be used: only there an item that is not found is gone."""
    found = tuple(found)
    broken = {each.kind for each in found if each.contents is None}
    return frozenset({each.kind for each in found} - broken)


def check_plausible(library: Library, contents: Contents, last: LibrarySeen | None, *, accepted: bool) -> None:
    """Raise CheckLibrary for no items; unless `accepted`, also for a list that halved, or nameless tags."""
    count, title, kind = len(contents.items), library.title, library.kind
    if not count:
        left_out = len(contents.left_out)
        raise CheckLibrary(
            f"{title} lists {counted(left_out, kind)}, and none of them can take part."
            if left_out
            else f"{title} answers with an empty list of {kind}s.",
            f"Nothing was changed. Check that {library.url_setting} is the right {library.service} and that its "
            "database is whole.",
        )
    if last is None or accepted:
        return
    if count * 2 < last.count:
        raise CheckLibrary(
            f"{title} lists {count} {kind}s where it listed {last.count} before.",
            "Nothing was changed. If so many are really gone, run once with --run-now --accept-library.",
        )
    if last.tagged and contents.nameless and not contents.tags:
        # Accepting it would remove every member that only a tag of the user's own lets in.
        raise CheckLibrary(
            f"{title}'s list of tags is empty, but {contents.nameless} of its {kind}s have tags.",
            f"Nothing was changed. Look whether {title}'s database is whole. If it is, and all tags are really gone, "
            "run once with --run-now --accept-library.",
        )


def oddities(library: Library, contents: Contents) -> list[Problem]:
    """Warn of rows that take no part: one warning for each of the first items, and one for all the others."""
    title, kind = library.title, library.kind
    told = [
        f"{title}'s {kind} {item.arr_id or 'without an id'} ({item.title or 'no title'}) takes no part: {item.why}."
        for item in contents.left_out[:_ODDITIES]
    ]
    warnings = [_warning(library, what, f"Fix or remove it in {title}.") for what in told]
    if others := contents.left_out[_ODDITIES:]:
        verb = "take" if len(others) > 1 else "takes"
        what = f"{counted(len(others), f'further {kind}')} of {title}'s list {verb} no part."
        names = tuple(item.title or f"{title}'s {kind} {item.arr_id}" for item in others[:_ODDITIES])
        remedy = "Fix the ones above; the next run names more of them."
        warnings.append(msgspec.structs.replace(_warning(library, what, remedy), movies=names))
    if contents.odd_tags:
        what = f"{counted(len(contents.odd_tags), 'tag')} of {title}'s cannot be read: "
        what += "; ".join(contents.odd_tags[:_ODD_TAGS]) + ("; …" if len(contents.odd_tags) > _ODD_TAGS else ".")
        remedy = f"Look at {title}'s Settings, Tags: {kind}s with them count as without them."
        warnings.append(_warning(library, what, remedy))
    return warnings


def seen_now(contents: Contents, now: datetime, before: LibrarySeen | None) -> LibrarySeen:
    """What is remembered of a library that was believed; `before` is what was remembered of it."""
    ids = ",".join(short_name(item.key) for item in contents.items)
    return LibrarySeen(
        count=len(contents.items),
        hash=hashlib.sha256(ids.encode()).hexdigest()[:16],
        at=now,
        tagged=sum(bool(item.labels) for item in contents.items),
        left_by=before.left_by if before else "",
    )
