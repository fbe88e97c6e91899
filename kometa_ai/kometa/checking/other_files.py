"""Read those files of Kometa's folder that have no block, only to look up a template or a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.kometa.document import load, read_document
from kometa_ai.kometa.reading import Reading
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LARGEST = 256 * 1024
"""The largest file that is loaded to look up a template."""

_READ_FOR_TEMPLATES = 1024 * 1024
"""How much is loaded to look up templates, in all files together."""

_SEARCHED_FOR_NAMES = 256 * 1024 * 1024
"""How many characters are searched for names, over all names: some tenths of a second."""

_READ_FOR_NAMES = 512 * 1024
"""How much is read to look up collections, in all files together: a second and a half."""


class OtherFiles:
    """The files by source. Each is read once at most."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._loaded: dict[str, object] = {}
        self._named: dict[str, tuple[str, ...]] = {}
        self._read: dict[str, Reading | None] = {}
        self._left = _READ_FOR_NAMES
        self._left_for_templates = _READ_FOR_TEMPLATES
        self._searches = _SEARCHED_FOR_NAMES // max(sum(map(len, texts.values())) + 1000 * len(texts), 1)

    @property
    def sources(self) -> Iterable[str]:
        """The sources of the files."""
        return self._texts

    def data_of(self, source: str) -> object:
        """The loaded data of a file; None if it cannot be read or is too large."""
        if source not in self._loaded:
            text = self._texts.get(source, "")
            try:
                is_small = len(text) <= min(_LARGEST, self._left_for_templates)
                self._left_for_templates -= len(text) if is_small else 0
                self._loaded[source] = load(text) if is_small else None
            except BrokenYaml:
                self._loaded[source] = None
        return self._loaded[source]

    def naming(self, name: str) -> tuple[str, ...]:
        """The files whose text contains this name; none once the limit of the search is used up."""
        if name not in self._named and self._searches > 0:
            self._searches -= 1
            self._named[name] = tuple(source for source, text in self._texts.items() if name in text)
        return self._named.get(name, ())

    def reading(self, source: str) -> Reading | None:
        """The file as it was read; None if it cannot be read, or the limit is used up."""
        text = self._texts.get(source, "")
        if source not in self._read:
            if len(text) > self._left:
                return None
            self._left -= len(text)
            try:
                self._read[source] = Reading(source=source, document=read_document(text))
            except BrokenYaml:
                self._read[source] = None
        return self._read[source]
