"""The composition root: the one place that builds the parts of a run from the settings."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from kometa_ai.asking.pacing import Limits
from kometa_ai.jobs.services import PATIENCE, check_claude, check_library, look_at_claude, look_at_library
from kometa_ai.jobs.session import Session, Traffic
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.radarr import Radarr
from kometa_ai.observe.redact import Redactor
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import Claude
from kometa_ai.run.parts import Parts, Rules
from kometa_ai.run.watching import NullObserver, Observer
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.kinds import configured_kinds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.jobs.services import Looked
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
        redact=Redactor(secrets_of(settings)).text,
        now=now,
        read_folder=reader_of(settings),
        open_parts=partial(open_parts, settings),
        open_batches=partial(open_batches, settings),
        traffic_of=_traffic_of,
        look_around=partial(look_around, settings),
        checks={"Radarr": partial(_check_radarr, settings), "Claude": partial(_check_claude, settings)},
    )


def reader_of(settings: Settings) -> Callable[[Path], Folder]:
    """The function that reads Kometa's folder, for the kinds that have a library."""
    return partial(read_folder, services=configured_kinds(settings))


def _radarr(settings: Settings, timeouts: Timeouts | None = None) -> Radarr:
    return Radarr(
        settings.radarr_url,
        settings.radarr_api_key.get_secret_value(),
        network=settings.network,
        redact=Redactor(secrets_of(settings)).text,
        timeouts=timeouts,
    )


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
        batches=settings.claude_batches,
    )


@asynccontextmanager
async def open_parts(settings: Settings, store: Store, observer: Observer | None = None) -> AsyncIterator[Parts]:
    """Build the parts of a run; their connections are closed at the end."""
    redact = Redactor(secrets_of(settings)).text
    async with (
        _radarr(settings) as radarr,
        _claude(settings) as claude,
    ):
        yield Parts(
            library=radarr,
            provider=claude,
            store=store,
            read_folder=reader_of(settings),
            now=now,
            zone=settings.tz,
            observer=observer or NullObserver(),
            redact=redact,
            batches=ClaudeBatches(claude),
        )


@asynccontextmanager
async def open_batches(settings: Settings) -> AsyncIterator[ClaudeBatches]:
    """Open Anthropic's batches alone, for jobs that need no Radarr."""
    async with _claude(settings) as claude:
        yield ClaudeBatches(claude)


async def look_around(settings: Settings, collections: Sequence[Collection]) -> tuple[Looked, ...]:
    """Check Radarr and Claude concurrently, with short time-outs, and see what these collections find there."""
    quickly = Timeouts(connect=PATIENCE - 1, check=PATIENCE - 1, tags=PATIENCE - 1)
    models = tuple(dict.fromkeys((settings.claude_model, settings.claude_review_model or settings.claude_model)))
    async with (
        _radarr(settings, quickly) as radarr,
        _claude(settings) as claude,
    ):
        return tuple(await asyncio.gather(look_at_library(radarr, collections), look_at_claude(claude, models)))


async def _check_radarr(settings: Settings) -> Looked:
    async with _radarr(settings) as radarr:
        return await check_library(radarr)


async def _check_claude(settings: Settings) -> Looked:
    async with _claude(settings) as claude:
        return await check_claude(claude, settings.claude_model)


def _traffic_of(parts: Parts) -> Traffic:
    """The calls that the clients of these parts have made."""
    claude = parts.provider
    if not isinstance(claude, Claude):
        return Traffic(parts.library.calls)
    return Traffic(parts.library.calls, claude.calls, claude.seconds, claude.batch_seconds)
