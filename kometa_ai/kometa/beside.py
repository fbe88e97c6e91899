"""The files of Kometa's folder that hold no block: each is read when a template or a collection is looked for in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.kometa.document import load, read_document
from kometa_ai.kometa.reading import Reading
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LARGEST = 256 * 1024
"""How large a file may be that is loaded only to look for a template in it."""

_READ_FOR_NAMES = 512 * 1024
"""How much is read of all files together only to look for collections in them: a second and a half."""


class Beside:
    """The files by source; none is read twice."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._loaded: dict[str, object] = {}
        self._read: dict[str, Reading | None] = {}
        self._left = _READ_FOR_NAMES

    @property
    def sources(self) -> Iterable[str]:
        """Which files there are."""
        return self._texts

    def data_of(self, source: str) -> object:
        """What a file holds; nothing if it cannot be read."""
        if source not in self._loaded:
            text = self._texts.get(source, "")
            try:
                self._loaded[source] = load(text) if len(text) <= _LARGEST else None
            except BrokenYaml:
                self._loaded[source] = None
        return self._loaded[source]

    def reading(self, source: str, name: str) -> Reading | None:
        """A file in which this name stands; None where it does not, or where the file cannot be read in time."""
        text = self._texts.get(source, "")
        if name not in text:
            return None
        if source not in self._read:
            if len(text) > self._left:
                return None
            self._left -= len(text)
            try:
                self._read[source] = Reading(source=source, document=read_document(text))
            except BrokenYaml:
                self._read[source] = None
        return self._read[source]
