"""Warn of settings that keep Kometa from building a collection although its tag is right.

Also find the collections that Kometa cannot be asked for by name. Each collection is checked as Kometa sees it in each
library: with its templates and the settings of the library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.collection import SCHEDULED, Collection
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.checking.arrs import arr_of
from kometa_ai.kometa.checking.config_yml import root_of, setting
from kometa_ai.kometa.checking.plex_libraries import named, some, taken_elsewhere
from kometa_ai.kometa.checking.values import find, is_off, is_plain
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.checking.config_yml import PlexLibrary, Setup
    from kometa_ai.kometa.checking.kometa_view import KometaView
    from kometa_ai.kometa.checking.templates import Effective
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.folder import Named
    from kometa_ai.kometa.reading import Reading

_CACHE = ("cache_builders",)
_MINIMUM = ("minimum_items", "collection_minimum")
_SHOW = ("show_missing",)
_REPORT = ("save_report", "save_missing")


class Definition(NamedTuple):
    """A definition that Kometa takes for a collection, as Kometa sees it in each way of loading the file."""

    reading: Reading
    key: Key
    name: str
    kind: Kind
    seen: tuple[Effective, ...]
    libraries: tuple[PlexLibrary, ...]

    def values(self, names: Sequence[str]) -> list[object]:
        """The values of an attribute, under any of its names, in each way of loading the file."""
        return [seen.attributes[name] for seen in self.seen for name in names if name in seen.attributes]

    def problem(self, names: Sequence[str], what: str, remedy: str, *, is_hint: bool = False) -> Problem:
        """A warning at an attribute, or at the collection's name if a template sets the attribute."""
        body = root_of(self.reading)["collections"][self.key.value]
        places = (place_of(body, find(body, name)) for name in names)
        line, column = next((place for place in places if place), (self.key.line, None))
        return Problem(
            what=what,
            remedy=remedy,
            source=self.reading.source,
            line=line,
            column=column,
            collection=self.name,
            severity="hint" if is_hint else "warning",
        )


def definitions_of(
    readings: Sequence[Reading], names: AbstractSet[Named], setup: Setup, view: KometaView
) -> tuple[Definition, ...]:
    """The definitions that Kometa takes, or may take, for the collections of these names."""
    found = [
        (reading, place.key, place.collection)
        for reading in readings
        for place in reading.places
        if isinstance(place.collection, Collection)
        and named(place.collection) in names
        and setup.is_taken(reading.source, place.key.value)
    ]
    found += [(*taken.definition, taken.collection) for taken in taken_elsewhere(setup, readings, names)]
    return tuple(
        Definition(
            reading=reading,
            key=key,
            name=collection.name,
            kind=collection.kind,
            seen=view.seen(reading, key, collection.kind),
            libraries=setup.taking_from(reading.source, key.value, collection.kind),
        )
        for reading, key, collection in found
    )


def about_hindrances(definitions: Sequence[Definition]) -> Iterator[Problem]:
    """A warning for each collection that Kometa's cache or a minimum size keeps from showing the tagged items."""
    for each in definitions:
        caches = [setting((root_of(library.config),), "cache", (bool,)) for library in each.libraries]
        has_cache = not caches or any(cache is not False for cache in caches)
        if has_cache and any(map(_is_more_than_none, each.values(_CACHE))):
            what = "Kometa keeps what it found for as many days as `cache_builders` says, and does not see new tags."
            yield each.problem(_CACHE, what, "Take `cache_builders` away.")
        if any(map(_is_more_than_one, each.values(_MINIMUM))) and _is_built(each):
            what = (
                f"Kometa builds it only with as many {each.kind}s as `minimum_items` says; with fewer it says no word."
            )
            yield each.problem(_MINIMUM, what, "Take `minimum_items` away, or write `minimum_items: 1`.")
    yield from _about_minimum_of_settings(definitions)


def _about_minimum_of_settings(definitions: Sequence[Definition]) -> Iterator[Problem]:
    """A warning for each configuration whose minimum size applies to collections that set none of their own."""
    found: dict[tuple[Kind, str, tuple[int, int] | None], tuple[list[str], list[str]]] = {}
    for each in definitions:
        for library in each.libraries if not each.values(_MINIMUM) and _is_built(each) else ():
            if _is_more_than_one(library.setting("minimum_items", (int,))):
                place = library.place_of_setting(_MINIMUM)
                names, libraries = found.setdefault((each.kind, library.config.source, place), ([], []))
                names += [each.name] if each.name not in names else []
                libraries += [library.name] if library.name not in libraries else []
    for (kind, source, place), (names, libraries) in found.items():
        line, column = place or (None, None)
        yield Problem(
            what=f"Kometa builds {some(names)} in {some(libraries)} only with as many {kind}s as `minimum_items` "
            "says; with fewer it says no word.",
            remedy="Write `minimum_items: 1` in these collections, or take the setting away.",
            source=source,
            line=line,
            column=column,
            severity="warning",
        )


def hints_of(definitions: Sequence[Definition]) -> Iterator[Problem]:
    """A hint if `show_missing: false` does not stop Kometa from looking up movies that are not in Plex."""
    for each in definitions:
        shows = each.values(_SHOW)
        if not shows or not all(map(is_off, shows)):
            continue
        if why := _looks_up_all_the_same(each):
            what = f"Kometa looks up its {each.kind}s that are not in Plex in spite of `show_missing: false`: {why}."
            adding = f"{arr_of(each.kind).section}_add_missing"
            remedy = f"Write `save_report: false` and `{adding}: false` below its name to be rid of that, too."
            yield each.problem(_SHOW, what, remedy, is_hint=True)


def _looks_up_all_the_same(each: Definition) -> str:
    section = arr_of(each.kind).section
    reports, adds = each.values(_REPORT), each.values((f"{section}_add_missing", f"{section}_add"))
    if any(value is True for value in reports) or (
        not reports and any(library.setting("save_report", (bool,)) is True for library in each.libraries)
    ):
        return "`save_report` is on"
    if any(value is True for value in adds):
        return f"`{section}_add_missing` is on"
    sections = [library.section(section) for library in each.libraries]
    if not adds and any(known.get("add_missing", known.get("add")) is True for known in sections):
        return f"`add_missing` of `{section}:` is on"
    return ""


def untold(definitions: Sequence[Definition]) -> Mapping[Named, str]:
    """The collections that Kometa cannot be asked for by name, each with the reason."""
    found: dict[Named, str] = {}
    for each in definitions:
        if not each.key.is_text:
            found[each.kind, each.name] = "its name is no text for YAML, and Kometa finds no such name"
        elif each.values(("schedule",)):
            found[each.kind, each.name] = SCHEDULED
    return found


def _is_built(each: Definition) -> bool:
    return not any(map(is_off, each.values(("build_collection",))))


def _is_more_than_none(value: object) -> bool:
    return _number(value) > 0


def _is_more_than_one(value: object) -> bool:
    return _number(value) > 1


def _number(value: object) -> int:
    """A whole number as Kometa reads it; 0 for anything else."""
    text = str(value) if is_plain(value) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(1 << 62)) else 0
