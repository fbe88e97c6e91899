"""Build the parts of a run from the settings: the one place that knows libraries and models by their classes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, assert_never

from kometa_ai.asking.pacing import Limits
from kometa_ai.core.model import TITLES, ProviderName
from kometa_ai.jobs.services import PATIENCE, check_library, check_model, look_at_libraries, look_at_model
from kometa_ai.jobs.session import Session, Traffic
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.arr.spec import Instance
from kometa_ai.library.radarr import Radarr
from kometa_ai.library.sonarr import Sonarr
from kometa_ai.observe.redact import Redactor
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import TIMEOUT, Claude
from kometa_ai.providers.compatible.services import service_of
from kometa_ai.providers.ollama.context import usual_prompt
from kometa_ai.providers.router import Router
from kometa_ai.run.parts import Parts, Rules
from kometa_ai.run.watching import NullObserver, Observer
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.libraries import LibrarySettings
from kometa_ai.state.choices import ChoicesFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from pathlib import Path

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.jobs.services import Looked
    from kometa_ai.library.port import Library
    from kometa_ai.providers.compatible.client import Compatible
    from kometa_ai.providers.ollama.client import Ollama
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
            **{title: partial(_check_model, provider, settings) for provider, title in _titles(settings).items()},
        },
        titles=_titles(settings),
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


def _models_of(settings: Settings) -> dict[ProviderName, tuple[str, ...]]:
    """The models that are asked, by their own names, of each provider in use."""
    found: dict[ProviderName, tuple[str, ...]] = {}
    for provider, name in dict.fromkeys(settings.models):
        found[provider] = (*found.get(provider, ()), name)
    return found


def _titles(settings: Settings) -> dict[ProviderName, str]:
    """What texts call the providers in use. A server in OpenAI's place is called as it is known, else by its host."""
    found = {each: TITLES[each] for each in _models_of(settings)}
    if "openai" in found:
        found["openai"] = service_of("openai", settings.openai_base_url).title
    return found


async def _router(
    stack: AsyncExitStack, settings: Settings, others: Iterable[ProviderName] = (), *, patient: bool = False
) -> Router:
    """A client of every provider in use and of these others, which is closed with the stack."""
    providers = dict.fromkeys((*settings.models.providers, *others))
    return Router(
        {each: await stack.enter_async_context(_adapter(each, settings, patient=patient)) for each in providers}
    )


def _adapter(provider: ProviderName, settings: Settings, *, patient: bool = False) -> Claude | Compatible | Ollama:
    """A client that is not opened yet. A `patient` one may take long where that costs less."""
    timeout = settings.llm_timeout.total_seconds() if settings.llm_timeout else None
    redact = Redactor(secrets_of(settings)).text
    match provider:
        case "claude":
            return _claude(settings)
        case "ollama":
            from kometa_ai.providers.ollama.client import Ollama  # noqa: PLC0415 - most users have no model of Ollama's

            return Ollama(
                settings.ollama_host,
                api_key=settings.ollama_api_key.get_secret_value(),
                context_length=settings.ollama_context_length,
                network=settings.network,
                timeout=timeout,
                redact=redact,
            )
        case "openai" | "gemini" | "openrouter":
            from kometa_ai.providers.compatible.client import Compatible  # noqa: PLC0415 - likewise

            keys = {
                "openai": settings.openai_api_key,
                "gemini": settings.gemini_api_key,
                "openrouter": settings.openrouter_api_key,
            }
            return Compatible(
                provider,
                keys[provider].get_secret_value(),
                settings.openai_base_url if provider == "openai" else None,
                network=settings.network,
                timeout=timeout,
                redact=redact,
                flex=patient,
            )
        case _:
            assert_never(provider)


def _claude(settings: Settings) -> Claude:
    return Claude(
        settings.claude_api_key.get_secret_value(),
        settings.claude_base_url,
        network=settings.network,
        timeout=settings.llm_timeout.total_seconds() if settings.llm_timeout else TIMEOUT,
        redact=Redactor(secrets_of(settings)).text,
    )


def rules_of(settings: Settings) -> Rules:
    """The rules of a run that the settings determine; what they leave open is as the models have it."""
    models = settings.models
    first = _adapter(models.first.provider, settings).traits(models.first.name)
    per_request = settings.collections_per_request
    return Rules(
        config_dir=settings.config_dir,
        model=str(models.first),
        review_model=str(models.review),
        limits=Limits(concurrency=settings.max_concurrent_requests or 0, max_cost=float(settings.max_cost_per_run)),
        radarr_credits=settings.radarr_credits,
        removal_limit=settings.removal_limit,
        addition_limit=settings.addition_limit,
        review=settings.review,
        review_days=settings.review_days,
        hand_edits=settings.hand_edits,
        batches=settings.claude_batches if models.first.provider == "claude" else "off",
        page_size=settings.batch_size or first.page_size,
        concurrency=settings.max_concurrent_requests or first.concurrency,
        collections_per_request=0 if per_request == "auto" else per_request,
        audit_interval=settings.audit_interval,
    )


@asynccontextmanager
async def open_parts(
    settings: Settings,
    store: Store,
    observer: Observer | None = None,
    *,
    patient: bool = False,
) -> AsyncIterator[Parts]:
    """Build the parts of a run; their connections are closed at the end.

    For a `patient` run models may take long where that costs less. Claude is there also while another provider is in
    use, if answers of a batch may still be taken from it.
    """
    async with AsyncExitStack() as stack:
        libraries = await _libraries(stack, settings)
        has_answers = bool(store.state.batches and settings.claude_api_key.get_secret_value())
        router = await _router(stack, settings, ["claude"] if has_answers else [], patient=patient)
        claude = router.adapters.get("claude")
        yield Parts(
            libraries=libraries,
            provider=router,
            store=store,
            choices=ChoicesFile(store.folder),
            read_folder=reader_of(settings),
            now=now,
            zone=settings.tz,
            observer=observer or NullObserver(),
            redact=Redactor(secrets_of(settings)).text,
            batches=ClaudeBatches(claude) if isinstance(claude, Claude) else None,
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
    async with AsyncExitStack() as stack:
        libraries = await _libraries(stack, settings, quickly)
        models, titles, router = _models_of(settings), _titles(settings), await _router(stack, settings)
        first = str(settings.models.first)
        if settings.batch_size and router.traits(first).sizes_context:
            # Without BATCH_SIZE a usual page is looked at.
            router.expect(first, prompt_tokens=usual_prompt(settings.batch_size), answer_tokens=0)
        looks = [look_at_model(titles[each], adapter, models[each]) for each, adapter in router.adapters.items()]
        found, asked = await asyncio.gather(look_at_libraries(libraries, collections), asyncio.gather(*looks))
        return (*found, *asked)


async def _check_library(wanted: LibrarySettings, settings: Settings) -> Looked:
    async with library_of(wanted, settings) as library:
        return await check_library(library)


async def _check_model(provider: ProviderName, settings: Settings) -> Looked:
    async with _adapter(provider, settings) as adapter:
        return await check_model(_titles(settings)[provider], adapter, _models_of(settings)[provider])


def _traffic_of(parts: Parts) -> Traffic:
    """The calls that the clients of these parts have made."""
    calls = {library.name: library.calls for library in parts.libraries}
    if not isinstance(parts.provider, Router):
        return Traffic(calls)
    adapters = parts.provider.adapters
    claude = adapters.get("claude")
    return Traffic(
        calls,
        {provider: adapter.calls for provider, adapter in adapters.items()},
        {provider: adapter.seconds for provider, adapter in adapters.items()},
        claude.batch_seconds if isinstance(claude, Claude) else {},
    )
