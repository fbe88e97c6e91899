"""Find the item that a text names: in the libraries or, where one does not answer, among what is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.collection import ItemRef, fold_title, namesakes
from kometa_ai.core.item import KINDS, ArrId, ItemKey, Kind, by_kind, catalogues, kind_of, ref_of
from kometa_ai.core.movie import Movie
from kometa_ai.core.show import Show
from kometa_ai.core.summary import counted_items
from kometa_ai.core.titles import nearest
from kometa_ai.errors import CheckLibrary, FixUsage
from kometa_ai.library.port import LibrarySilent
from kometa_ai.run.keeping import Keeper
from kometa_ai.run.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Collection as Group
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.decision import Remembered
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.options import Options
    from kometa_ai.library.port import Library
    from kometa_ai.run.parts import Parts, Rules

_FORMS: Mapping[Kind, str] = {
    "movie": '"Heat (1995)", "tmdb:949" or "tt0113277"',
    "show": '"Breaking Bad (2008)", "tvdb:81189" or "tt0903747"',
}


class Found(NamedTuple):
    """An item, and the reader that has read the libraries which answer.

    `silent` is why the others do not, by their names. If none of those that answer holds the item it is known from
    memory, and `away` is why the library that may hold it cannot be used.
    """

    item: AnyItem
    reader: Reader
    silent: Mapping[str, LibrarySilent]
    away: CheckLibrary | None = None


async def find_item(parts: Parts, rules: Rules, options: Options, text: str) -> Found:
    """Find the movie or show that a text names as in a pin; the libraries are read, and no file of Kometa's.

    Raise FixUsage where nothing in a library has that name, or several have it. Where its library does not answer, what
    is remembered has to do; raise CheckLibrary for what is not remembered.
    """
    silent = await silent_libraries(parts.libraries)
    answering = [library for library in parts.libraries if library.name not in silent]
    keeper = Keeper(parts.store, parts.interruption.course)
    reader = Reader(parts, rules, options, keeper, libraries=answering)
    if answering:
        await reader.libraries()
        item = _one_of(text, reader.result.items)
        if item is not None:
            return Found(item, reader, silent)
    refused = {each.name: each.error for each in reader.result.libraries if each.error is not None}
    away = [(parts.library(name).kind, error) for name, error in (silent | refused).items()]
    if not (missed := [(kind, error) for kind, error in away if kind in _kinds_of(text)]):
        raise _unknown(text, reader.result.items, {library.kind for library in parts.libraries})
    why = dict(reversed(missed))
    remembered = [_as_item(key, known) for key, known in parts.store.memory.items() if kind_of(key) in why]
    item = _one_of(text, remembered)
    if item is None:
        raise missed[0][1]
    return Found(item, reader, silent, why[kind_of(item.key)])


async def silent_libraries(libraries: Sequence[Library]) -> dict[str, LibrarySilent]:
    """Why libraries do not answer, by their names. Other faults show when they are read."""

    async def silence(library: Library) -> LibrarySilent | None:
        try:
            await library.check(tries=1)
        except LibrarySilent as error:
            return error
        except CheckLibrary:
            return None
        return None

    found = await asyncio.gather(*map(silence, libraries))
    return {library.name: error for library, error in zip(libraries, found, strict=True) if error is not None}


def _as_item(key: ItemKey, known: Remembered) -> AnyItem:
    if kind_of(key) == "show":
        return Show(arr_id=ArrId(0), key=key, title=known.title, year=known.year)
    return Movie(arr_id=ArrId(0), key=key, title=known.title, year=known.year)


def _refs(text: str) -> dict[Kind, ItemRef]:
    """The text as a reference to an item of each kind of which it has the form."""
    refs = {}
    for kind in KINDS:
        with suppress(ValueError):
            refs[kind] = ItemRef.parse(text, kind)
    return refs


def _kinds_of(text: str) -> Group[Kind]:
    """The kinds of items that the text may name."""
    return _refs(text) or KINDS


def _one_of(text: str, items: Sequence[AnyItem]) -> AnyItem | None:
    """The item that the text names, if any. Raise FixUsage if it names several."""
    refs = _refs(text)
    named = [item for item in items if (ref := refs.get(kind_of(item.key))) and ref.names(item)]
    if (movie := refs.get("movie")) and movie.item and any(item.key == movie.item for item in named):
        # Films and shows are two catalogues at TMDb: a number is a show's where no film has it.
        named = [item for item in named if item.key == movie.item]
    found = named if refs else namesakes(_by_title(text), items)
    if len(found) > 1:
        keys = [item.key for item in found]
        several = ", ".join(f"{item} ({ref_of(item.key)})" for item in found[:10])
        remedy = f"Name one of them by its {catalogues(by_kind(keys))} id."
        raise FixUsage(f"{text!r} names {counted_items(keys)}: {several}.", remedy)
    return found[0] if found else None


def _by_title(text: str) -> ItemRef:
    return ItemRef(text, title=fold_title(text.strip()))


def _unknown(text: str, items: Sequence[AnyItem], kinds: AbstractSet[Kind]) -> FixUsage:
    """No library has such an item: the error, with items of such a title or the forms in which one is named."""
    ref = next(iter(_refs(text).values()), _by_title(text))
    found = namesakes(ref, items) or nearest(ref.title, ref.year, items)
    others = " or ".join(f'"{item}"' for item in found)
    forms = " or ".join(_FORMS[kind] for kind in KINDS if kind in kinds)
    remedy = f"Did you mean {others}?" if others else f"Name it as {forms}."
    return FixUsage(f"No library has a movie or show {text!r}.", remedy)
