"""Show a collection's block as it stands in Kometa's files now: its lines, what it says, what is wrong with it."""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.problem import Problem
from kometa_ai.jobs.checkup import Presenter, addresses_of
from kometa_ai.kometa.checking.examination import examine
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


class KometasFolder:
    """Kometa's folder as it was at one moment, read once for whatever is asked about it. Nothing is written.

    Raise FixConfiguration if it cannot be read.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        settings = session.settings
        self.examined = examine(settings.config_dir, services=settings.kinds)

    def written(self, sought: Sought) -> Written:
        """A collection's block."""
        session, folder = self._session, self._proven
        blocks = blocks_of(self.examined.readings.values(), sought.name, sought.kind, session.redact)
        present = Presenter(session.settings.config_dir, session.redact)
        return Written(
            says=next((each for each in _all(folder) if sought.key in keys_of(each)), None),
            blocks=blocks,
            problems=present(_about(folder, sought, blocks)),
        )

    @cached_property
    def _proven(self) -> Folder:
        """With its corrections, each of which takes a reading to prove."""
        return self.examined.proven(addresses_of(self._session.settings))


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
