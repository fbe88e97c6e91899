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

_READ_FOR_TEMPLATES = 1024 * 1024
"""How much is loaded of all files together only to look for templates in them."""

_SEARCHED_FOR_NAMES = 256 * 1024 * 1024
"""How many characters are searched for names, one name after the other: some tenths of a second."""

_READ_FOR_NAMES = 512 * 1024
"""How much is read of all files together only to look for collections in them: a second and a half."""


class Beside:
    """The files by source; none is read twice."""

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
        """Which files there are."""
        return self._texts

    def data_of(self, source: str) -> object:
        """What a file holds; nothing if it cannot be read."""
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
        """The files in whose text this name stands; none once the search for names has taken long enough."""
        if name not in self._named and self._searches > 0:
            self._searches -= 1
            self._named[name] = tuple(source for source, text in self._texts.items() if name in text)
        return self._named.get(name, ())

    def reading(self, source: str) -> Reading | None:
        """A file; None where it cannot be read, or not in time."""
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
