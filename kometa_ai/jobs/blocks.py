"""Show one collection's block as it stands in Kometa's files now: its lines, what it says, what is wrong with it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.problem import Problem
from kometa_ai.jobs.checkup import Presenter, addresses_of
from kometa_ai.kometa.checking.examination import examine_places
from kometa_ai.kometa.checking.written import BlockLines, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.core.collection import Folder
    from kometa_ai.core.item import Kind
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.jobs.session import Session


class Sought(msgspec.Struct, frozen=True):
    """The collection whose block is wanted; `source` is the file where it stood when it was last read."""

    key: CollectionKey
    name: str
    kind: Kind
    source: str = ""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A collection's block as it stands now; `blocks` are more than one where several files hold it.

    `says` is what it says, an OtherCollection where it takes no part, and None where the folder has no such collection.
    `problems` are those of the collection, and of its files as a whole, the gravest first.
    """

    says: Collection | OtherCollection | None
    blocks: tuple[BlockLines, ...]
    problems: tuple[Problem, ...]


def written(session: Session, sought: Sought) -> Written:
    """Read a collection's block. Nothing is written. Raise FixConfiguration if Kometa's folder cannot be read."""
    settings = session.settings
    folder, readings = examine_places(settings.config_dir, addresses=addresses_of(settings), services=settings.kinds)
    blocks = blocks_of(readings.values(), sought.name, sought.kind, session.redact)
    present = Presenter(settings.config_dir, session.redact)
    return Written(
        says=next((each for each in _all(folder) if sought.key in keys_of(each)), None),
        blocks=blocks,
        problems=present(_about(folder, sought, blocks)),
    )


def keys_of(collection: Collection | OtherCollection) -> tuple[CollectionKey, ...]:
    """The key of a collection, or each that may be its own."""
    return (collection.key,) if isinstance(collection, Collection) else collection.keys


def _all(folder: Folder) -> Iterator[Collection | OtherCollection]:
    yield from chain(folder.collections, folder.unserved, folder.disabled, folder.skipped)


def _about(folder: Folder, sought: Sought, blocks: tuple[BlockLines, ...]) -> Iterator[Problem]:
    sources = {sought.source, *(block.source for block in blocks)}
    for problem in (*folder.problems, *folder.warnings, *folder.hints):
        if problem.source in sources and problem.collection in ("", sought.name):
            yield problem
