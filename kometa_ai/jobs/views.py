"""Answer the commands that only read: the forecast, the explanation of a movie, the state, the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.collection import AS_WRITTEN, EXAMPLES, Folder, ItemRef
from kometa_ai.errors import FixConfiguration
from kometa_ai.jobs.estimate import estimate
from kometa_ai.jobs.explain import explain
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.run.libraries import misnamed
from kometa_ai.run.scope import check_again
from kometa_ai.settings.describe import as_dump

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import Collection, OtherCollection
    from kometa_ai.core.item import Kind
    from kometa_ai.core.options import Options
    from kometa_ai.core.problem import Problem
    from kometa_ai.jobs.estimate import Estimate
    from kometa_ai.jobs.explain import Explained
    from kometa_ai.jobs.session import Session
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.settings.environment import Loaded


async def forecast(session: Session, options: Options) -> Estimate:
    """What a run with these options would ask and cost. Raise FixUsage for names that there are not."""
    session.check_names(options.collections)

    async def look(parts: Parts) -> Estimate:
        check_again(options.ask_again, parts.store.memory)
        return await estimate(parts, session.rules, options)

    return await session.look(look)


async def explanation(session: Session, options: Options, movie: str) -> Explained:
    """Why a movie is in or out of each collection. Raise FixUsage for names that there are not."""
    session.check_names(options.collections)
    return await session.look(lambda parts: explain(parts, session.rules, options, movie))


def state(session: Session) -> bytes:
    """The state as JSON, journal and pins included."""
    store = session.read()
    store.state.pins[:] = session.choices.read().pins
    return store.dump()


def configuration(loaded: Loaded, rules: Rules, next_run: str) -> dict[str, Any]:
    """The settings in force, their models, the collections found, the next run, and what is wrong with any of them."""
    problems: tuple[Problem, ...] = ()
    libraries, kinds = loaded.settings.libraries, loaded.settings.kinds
    try:
        folder = read_folder(loaded.settings.config_dir, services=kinds)
    except FixConfiguration as error:
        folder, problems = Folder(), error.problems
    problems = (*problems, *misnamed(folder.collections, libraries))
    return {
        "settings": as_dump(loaded),
        "models": {
            "model": rules.model,
            "review_model": rules.review_model,
            "batch_size": rules.page_size,
            "max_concurrent_requests": rules.concurrency,
        },
        "collections": [
            *(
                _collection(each) | {"is_served": any(each.is_for(one.kind, one.name) for one in libraries)}
                for each in folder.collections
            ),
            *(_other(other, enabled=True, served=kinds) for other in folder.unserved),
            *(_other(other, enabled=False, served=kinds) for other in folder.disabled),
        ],
        "libraries": [
            {"name": each.name, "title": each.title, "kind": each.kind, "setting": each.url_setting}
            for each in libraries
        ],
        "next_run": next_run,
        "skipped": [other.name for other in folder.skipped],
        "problems": [*problems, *folder.problems],
        "warnings": [*loaded.warnings, *folder.warnings],
    }


def _collection(collection: Collection) -> dict[str, Any]:
    """What its block says, and where: every field, so that no key of a block can be forgotten."""
    first = {"name": collection.name, "slug": collection.slug, "tag": collection.tag, "enabled": True}
    names = (name for name in collection.__struct_fields__ if name not in ("untold", *AS_WRITTEN, *EXAMPLES))
    return first | {name: _shown(getattr(collection, name)) for name in names}


def _other(other: OtherCollection, *, enabled: bool, served: AbstractSet[Kind]) -> dict[str, Any]:
    return {
        "name": other.name,
        "slug": other.slug,
        "tag": other.label,
        "enabled": enabled,
        "kind": other.kind,
        "kind_because": other.kind_because,
        "is_served": not served.isdisjoint(other.kinds),
    }


def _shown(value: object) -> object:
    """Pins as they are written; tags in the order of the alphabet."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [item.text if isinstance(item, ItemRef) else item for item in value]
    return value
