"""Read Kometa's files for the pages about blocks, when one is asked for, and anew once one has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.jobs.aside import Patience
from kometa_ai.jobs.blocks import KometasFolder, Sought, Written
from kometa_ai.jobs.whatif import with_lines
from kometa_ai.kometa.files import stamps_of

if TYPE_CHECKING:
    from kometa_ai.core.collection import Collection
    from kometa_ai.jobs.session import Session
    from kometa_ai.jobs.whatif import WhatIf

MOST_KEPT = 300_000
"""Characters of YAML, which take 10 MB once they are read. A folder with more is read each time."""
_READING = 60.0
"""Seconds; a large folder is slow on a slow machine."""


class _Kept(NamedTuple):
    stamps: object
    folder: KometasFolder


class Blocks:
    """Reads blocks in threads. Pages about them come one after the other, and reading the files takes long."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: _Kept | None = None
        self._reading = Patience("CONFIG_DIR", seconds=_READING)

    async def written(self, sought: Sought) -> Written:
        """A block as it stands now. Raise FixConfiguration or DoesNotAnswer if Kometa's folder cannot be read."""
        return await self._reading(lambda: self._folder().written(sought))

    async def with_lines(self, collection: Collection, found: WhatIf) -> WhatIf:
        """A preview with the lines to copy into the files as they are now. Raise as `written` does."""
        if not found.is_changed:
            return found
        return await self._reading(lambda: with_lines(self._session, collection, found, self._folder().examined))

    def _folder(self) -> KometasFolder:
        stamps = stamps_of(self._session.settings.config_dir)
        kept = self._kept
        if kept is not None and kept.stamps == stamps:
            return kept.folder
        folder = KometasFolder(self._session)
        self._kept = _Kept(stamps, folder) if folder.examined.size <= MOST_KEPT else None
        return folder
