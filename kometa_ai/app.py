"""The composition root: the one place that builds the parts of a run from the settings."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from kometa_ai.asking.pacing import Limits
from kometa_ai.jobs.services import PATIENCE, check_claude, check_library, look_at_claude, look_at_libraries
from kometa_ai.jobs.session import Session, Traffic
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.arr.spec import Instance
from kometa_ai.library.radarr import Radarr
from kometa_ai.library.sonarr import Sonarr
from kometa_ai.observe.redact import Redactor
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import Claude
from kometa_ai.run.parts import Parts, Rules
from kometa_ai.run.watching import NullObserver, Observer
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.libraries import LibrarySettings
from kometa_ai.state.choices import ChoicesFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.jobs.services import Looked
    from kometa_ai.library.port import Library
    from kometa_ai.settings.schema import Settings
    from kometa_ai.state.store import Store


def now() -> datetime:
    """The current time in UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def session_of(settings: Settings) -> Session:
    """A session for jobs with these settings: the rules, and functions that build the parts of a run."""
    return Session(
        settings=settings,
        rules=rules_of(settings),
        choices=ChoicesFile(settings.state_dir),
        redact=Redactor(secrets_of(settings)).text,
        now=now,
        read_folder=reader_of(settings),
        open_parts=partial(open_parts, settings),
        open_library=partial(open_library, settings),
        open_batches=partial(open_batches, settings),
        traffic_of=_traffic_of,
        look_around=partial(look_around, settings),
        checks={
            **{each.title: partial(_check_library, each, settings) for each in settings.libraries},
            "Claude": partial(_check_claude, settings),
        },
    )


def reader_of(settings: Settings) -> Callable[[Path], Folder]:
    """The function that reads Kometa's folder, for the kinds that have a library."""
    return partial(read_folder, services=settings.kinds)


def library_of(wanted: LibrarySettings, settings: Settings, timeouts: Timeouts | None = None) -> Radarr | Sonarr:
    """A client of one of the libraries."""
    build = Radarr if wanted.kind == "movie" else Sonarr
    return build(
        wanted.url,
        wanted.api_key.get_secret_value(),
        instance=Instance(wanted.name, wanted.title, wanted.url_setting, wanted.key_setting),
        network=settings.network,
        redact=Redactor(secrets_of(settings)).text,
        timeouts=timeouts,
    )


async def _libraries(
    stack: AsyncExitStack, settings: Settings, timeouts: Timeouts | None = None
) -> tuple[Library, ...]:
    """A client of every library, which is closed with the stack."""
    libraries: list[Library] = []
    for wanted in settings.libraries:
        library = library_of(wanted, settings, timeouts)
        await stack.enter_async_context(library)
        libraries.append(library)
    return tuple(libraries)


def _claude(settings: Settings) -> Claude:
    return Claude(
        settings.claude_api_key.get_secret_value(),
        settings.claude_base_url,
        network=settings.network,
        redact=Redactor(secrets_of(settings)).text,
    )


def rules_of(settings: Settings) -> Rules:
    """The rules of a run that the settings determine."""
    return Rules(
        config_dir=settings.config_dir,
        model=settings.claude_model,
        review_model=settings.claude_review_model or settings.claude_model,
        limits=Limits(concurrency=settings.max_concurrent_requests, max_cost=float(settings.max_cost_per_run)),
        radarr_credits=settings.radarr_credits,
        removal_limit=settings.removal_limit,
        addition_limit=settings.addition_limit,
        review=settings.review,
        review_days=settings.review_days,
        hand_edits=settings.hand_edits,
        batches=settings.claude_batches,
        audit_interval=settings.audit_interval,
    )


@asynccontextmanager
async def open_parts(settings: Settings, store: Store, observer: Observer | None = None) -> AsyncIterator[Parts]:
    """Build the parts of a run; their connections are closed at the end."""
    async with AsyncExitStack() as stack:
        libraries = await _libraries(stack, settings)
        claude = await stack.enter_async_context(_claude(settings))
        yield Parts(
            libraries=libraries,
            provider=claude,
            store=store,
            choices=ChoicesFile(store.folder),
            read_folder=reader_of(settings),
            now=now,
            zone=settings.tz,
            observer=observer or NullObserver(),
            redact=Redactor(secrets_of(settings)).text,
            batches=ClaudeBatches(claude),
        )


@asynccontextmanager
async def open_library(settings: Settings, name: str) -> AsyncIterator[Library]:
    """Open one of the libraries alone, by its name. Raise CheckLibrary where its settings cannot be used."""
    wanted = next(each for each in settings.libraries if each.name == name)
    async with library_of(wanted, settings) as library:
        yield library


@asynccontextmanager
async def open_batches(settings: Settings) -> AsyncIterator[ClaudeBatches]:
    """Open Anthropic's batches alone, for jobs that need no Radarr."""
    async with _claude(settings) as claude:
        yield ClaudeBatches(claude)


async def look_around(settings: Settings, collections: Sequence[Collection]) -> tuple[Looked, ...]:
    """Check all services concurrently, with short time-outs, and see what these collections find in the libraries."""
    quickly = Timeouts(connect=PATIENCE - 1, check=PATIENCE - 1, tags=PATIENCE - 1)
    models = tuple(dict.fromkeys((settings.claude_model, settings.claude_review_model or settings.claude_model)))
    async with AsyncExitStack() as stack:
        libraries = await _libraries(stack, settings, quickly)
        claude = await stack.enter_async_context(_claude(settings))
        found, of_claude = await asyncio.gather(
            look_at_libraries(libraries, collections), look_at_claude(claude, models)
        )
        return (*found, of_claude)


async def _check_library(wanted: LibrarySettings, settings: Settings) -> Looked:
    async with library_of(wanted, settings) as library:
        return await check_library(library)


async def _check_claude(settings: Settings) -> Looked:
    async with _claude(settings) as claude:
        return await check_claude(claude, settings.claude_model)


def _traffic_of(parts: Parts) -> Traffic:
    """The calls that the clients of these parts have made."""
    claude, calls = parts.provider, {library.name: library.calls for library in parts.libraries}
    if not isinstance(claude, Claude):
        return Traffic(calls)
    return Traffic(calls, claude.calls, claude.seconds, claude.batch_seconds)
