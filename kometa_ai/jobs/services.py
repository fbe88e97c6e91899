"""Look at libraries and models by calls that cost nothing: quickly for --check-config, with patience for the daemon."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.naming import PREFIX, Label
from kometa_ai.core.problem import Problem
from kometa_ai.errors import KometaAIError
from kometa_ai.library.port import LibrarySilent
from kometa_ai.providers.port import ProviderSilent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection
    from kometa_ai.library.port import Library, LibraryStatus
    from kometa_ai.network.failures import Way
    from kometa_ai.providers.port import Adapter

PATIENCE = 5.0
"""Seconds for each service; all are looked at side by side."""

_GUESSED = 20


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """How a service, by its title, was found: `ok`, `unusable`, `silent` if it did not answer, `unknown` before that.

    `detail` is its version, its model or the reason. A service that is silent now may answer when it matters, so that
    is no warning; what it has answered is one. `labels` are a library's tags, where they were read.
    """

    service: str
    status: Literal["ok", "unusable", "silent", "unknown"]
    detail: str = ""
    warnings: tuple[Problem, ...] = ()
    labels: frozenset[Label] | None = None


async def look_at_libraries(libraries: Sequence[Library], collections: Sequence[Collection]) -> tuple[Looked, ...]:
    """Look at all of them side by side, and for tags of these collections' blocks that none of them has."""
    looks = (
        look_at_library(each, [one for one in collections if one.is_for(each.kind, each.name)]) for each in libraries
    )
    found = await asyncio.gather(*looks)
    missing = missing_tags(zip(libraries, (each.labels for each in found), strict=True), collections)
    # They are about a block, which may be for several libraries: they are told with the last one.
    return tuple(
        msgspec.structs.replace(each, warnings=(*each.warnings, *missing)) if each is found[-1] else each
        for each in found
    )


async def look_at_library(library: Library, collections: Sequence[Collection]) -> Looked:
    """Its key, its version, and whether rules of its own fight for the tag of one of these collections."""
    title = library.title
    labels = {collection.label: collection.name for collection in collections}

    async def look() -> Looked:
        status = await library.check(tries=1)
        warnings = list(_doubt(library, status))
        try:
            rules = await library.auto_tagging()
        except KometaAIError:
            rules = {}  # a Radarr before 4.7.3, or a Sonarr 3, has none
        for label in sorted(rules.keys() & labels.keys()):
            names = ", ".join(rules[label])
            what = f"{labels[label]}: the auto-tagging rule {names} puts the tag {label} on and takes it off, too."
            remedy = f"Take the tag out of that rule ({title}: Settings, Tags, Auto Tagging)."
            warnings.append(_warning(title, what, remedy))
        return Looked(
            service=title,
            status="ok",
            detail=f"{status.version} at {library.address}{library.way.through}",
            warnings=tuple(warnings),
            labels=await library.labels(),
        )

    return await _in_time(title, look, library.way)


def missing_tags(
    looked: Iterable[tuple[Library, AbstractSet[Label] | None]], collections: Iterable[Collection]
) -> Iterator[Problem]:
    """Tags that a block includes or excludes and that none of the libraries has which it is for.

    `looked` are the libraries with their tags. Where these are unknown for one of them, it may have the tag. Tags of
    ours are looked at elsewhere.
    """
    guesses = iter(range(_GUESSED))
    looked = tuple(looked)
    for collection in collections:
        own = [(library.title, labels) for library, labels in looked if collection.is_for(library.kind, library.name)]
        known = [labels for _, labels in own if labels is not None]
        if not own or len(known) < len(own):
            continue
        there = frozenset().union(*known)
        titles = [title for title, _ in own]
        for key, wanted in (("include_tags", collection.include_tags), ("exclude_tags", collection.exclude_tags)):
            for label in sorted(wanted - there):
                if label.startswith(PREFIX.lower()):
                    continue
                near = get_close_matches(label, there if next(guesses, None) is not None else (), n=1)
                who = f"{' and '.join(titles)} {'has' if len(titles) == 1 else 'have'} no tag"
                yield Problem(
                    what=f"{who} {label!r}, so this part of `{key}` does nothing.",
                    remedy=f"Did you mean {near[0]!r}?"
                    if near
                    else f"Correct it, or give the tag to a {collection.kind} in {' or '.join(titles)}.",
                    source=collection.source,
                    line=collection.line,
                    collection=collection.name,
                    severity="warning",
                )


async def look_at_model(title: str, adapter: Adapter, models: Sequence[str]) -> Looked:
    """A provider's key, and whether it knows these models and for how long. They are named as the provider does."""
    try:
        # Before the clock is started: an SDK takes seconds to be imported.
        await adapter.prepare()
    except KometaAIError as error:
        return _unusable(title, error)

    async def look() -> Looked:
        warnings = [warning for model in models if (warning := await adapter.check(model)) is not None]
        return Looked(
            service=title,
            status="ok",
            detail=", ".join(models) + adapter.way.through,
            warnings=tuple(msgspec.structs.replace(warning, severity="warning") for warning in warnings),
        )

    return await _in_time(title, look, adapter.way)


async def check_library(library: Library) -> Looked:
    """Try a library with patience. Raise CheckLibrary if it cannot be used."""
    status = await library.check()
    return Looked(service=library.title, status="ok", detail=status.version, warnings=tuple(_doubt(library, status)))


def _doubt(library: Library, status: LibraryStatus) -> Iterator[Problem]:
    if status.warning:
        yield _warning(library.title, status.warning, f"Check {library.url_setting}.")


async def check_model(title: str, adapter: Adapter, models: Sequence[str]) -> Looked:
    """Try a provider's models with patience. Raise CheckModel if one cannot be used."""
    for model in models:
        await adapter.check(model)
    return Looked(service=title, status="ok", detail=", ".join(models))


async def _in_time(service: str, look: Callable[[], Awaitable[Looked]], way: Way) -> Looked:
    try:
        async with asyncio.timeout(PATIENCE):
            return await look()
    except TimeoutError:
        return _silent(service, f"no answer within {PATIENCE:g} s{way.through}.", way)
    except (LibrarySilent, ProviderSilent) as error:
        return _silent(service, str(error), way)
    except KometaAIError as error:
        return _unusable(service, error)


def _unusable(service: str, error: KometaAIError) -> Looked:
    warning = _warning(service, error.message, error.remedy)
    return Looked(service=service, status="unusable", detail=error.message, warnings=(warning,))


def _silent(service: str, detail: str, way: Way) -> Looked:
    """A service that may answer later; a proxy in between is worth a warning, since it may be the cause for good."""
    warnings = []
    if way.proxy:
        remedy = f"See whether that proxy runs and can reach {way.address}, or {way.around}."
        warnings = [_warning(way.proxy.variable, f"{service} does not answer{way.through}.", remedy)]
    return Looked(service=service, status="silent", detail=detail, warnings=tuple(warnings))


def _warning(service: str, what: str, remedy: str) -> Problem:
    return Problem(what=what, remedy=remedy, source=service, severity="warning")
