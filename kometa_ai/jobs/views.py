"""What the read-only commands show: the forecast, the explanation of a movie, the state, the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.collection import Folder, MovieRef
from kometa_ai.errors import FixConfiguration
from kometa_ai.jobs.estimate import estimate
from kometa_ai.jobs.explain import explain
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.run.scope import check_again
from kometa_ai.settings.describe import as_dump

if TYPE_CHECKING:
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.options import Options
    from kometa_ai.core.problem import Problem
    from kometa_ai.jobs.estimate import Estimate
    from kometa_ai.jobs.explain import Explained
    from kometa_ai.jobs.session import Session
    from kometa_ai.run.parts import Parts
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
    """The state as JSON, journal included."""
    return session.read().dump()


def configuration(loaded: Loaded, next_run: str) -> dict[str, Any]:
    """The settings in force, the collections found, the next run, and what is wrong with settings or collections."""
    problems: tuple[Problem, ...] = ()
    try:
        folder = read_folder(loaded.settings.config_dir)
    except FixConfiguration as error:
        folder, problems = Folder(), error.problems
    return {
        "settings": as_dump(loaded),
        "collections": [
            *map(_collection, folder.collections),
            *({"name": c.name, "slug": c.slug, "tag": c.label, "enabled": False} for c in folder.disabled),
        ],
        "next_run": next_run,
        "skipped": [c.name for c in folder.skipped],
        "problems": [*problems, *folder.problems],
        "warnings": [*loaded.warnings, *folder.warnings],
    }


def _collection(collection: Collection) -> dict[str, Any]:
    """What its block says, and where: every field, so that no key of a block can be forgotten."""
    first = {"name": collection.name, "slug": collection.slug, "tag": collection.tag, "enabled": True}
    names = (name for name in collection.__struct_fields__ if name != "untold")
    return first | {name: _shown(getattr(collection, name)) for name in names}


def _shown(value: object) -> object:
    """Pins as they are written; tags in the order of the alphabet."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return [item.text if isinstance(item, MovieRef) else item for item in value]
    return value
