"""Warn if no Plex library loads a file with blocks, or one takes a collection from elsewhere, or lacks its service.

Without a configuration, or with a broken one, there are no warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from kometa_ai.core.collection import Collection
from kometa_ai.core.item import Kind
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import in_words
from kometa_ai.kometa.checking.arrs import ARRS, RADARR, SONARR, arr_of, other_than
from kometa_ai.kometa.checking.config_yml import FILES, OLD_FILES, OTHER_FILES, PlexLibrary, root_of
from kometa_ai.kometa.checking.file_lists import Files
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from kometa_ai.kometa.checking.arrs import Arr
    from kometa_ai.kometa.checking.config_yml import Definition, Setup
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.folder import Named
    from kometa_ai.kometa.reading import Reading


class OurLibrary(NamedTuple):
    """A library of our settings: its name in blocks, and its address with the setting that holds it."""

    name: str
    setting: str
    url: str


Addresses = Mapping[Kind, Sequence[OurLibrary]]
"""Our libraries of each kind."""

_NEEDED = {
    "url": "{name}'s address as Kometa reaches it, e.g. http://{section}:{port}",
    "token": "its key",
    "root_folder_path": "one of its root folders, exactly as {name} spells it",
    "quality_profile": "one of its profiles, exactly as {name} spells it",
}
"""What Kometa connects to no Radarr or Sonarr without, and what each is."""
_FOR_ADDING = {"root_folder_path", "quality_profile"}
_DEFAULT_PORTS = {RADARR: 7878, SONARR: 8989}
_PORTS = {"http": 80, "https": 443}
_FEW = 3
_EXPLAINED = 20


class Taken(NamedTuple):
    """A definition without a block that Kometa takes, or may take, instead of the one with the block."""

    definition: Definition
    collection: Collection
    elsewhere: str
    libraries: tuple[str, ...]
    is_sure: bool


def about_libraries(setup: Setup, readings: Sequence[Reading], names: AbstractSet[Named]) -> Iterator[Problem]:
    """A warning for each file with collections of these names that Kometa does not load or cannot use."""
    if not setup.is_known:
        return
    unloaded = 0
    for reading in readings:
        unbuilt = [key.name for key, _ in _managed(reading, names) if not _is_built(setup, key)]
        if unbuilt and not setup.loading(reading.source):
            unloaded += 1
            yield _not_loaded(setup, reading.source, unbuilt, explained=unloaded <= _EXPLAINED)
    yield from (problem for problem in _in_wrong_libraries(setup, readings, names) if problem.severity == "warning")
    for arr in ARRS:
        yield from _about_service(arr, _concerned(setup, readings, names, arr.kind))


def hints(
    setup: Setup, readings: Sequence[Reading], names: AbstractSet[Named], addresses: Addresses
) -> Iterator[Problem]:
    """Settings that may be right but are worth a look: another service than ours, old names."""
    concerned = {arr: _concerned(setup, readings, names, arr.kind) for arr in ARRS}
    for arr, libraries in concerned.items():
        ours = addresses.get(arr.kind, ())
        other = [each for each in libraries if ours and _is_another(each.section(arr.section).get("url"), ours)]
        if other:
            what = f"Kometa reads the tags of a {arr.name} at another address than {_one_of(ours)} in "
            what += f"{_some_libraries(other)}."
            same = f"both are the same {arr.name}" if len(ours) == 1 else f"it is one of these {arr.name}s"
            remedy = f"Make sure that {same}; its address may differ from one container to another."
            yield _at(other[0], _place_of_section(other[0], arr), what, remedy, is_hint=True)
        for reading in readings:
            yield from _about_narrowed(setup, reading, _managed(reading, names), arr, ours)
    for library in _each_once(concerned.values()):
        if FILES not in library.body:
            what = f"`{OLD_FILES}` in {library.name} is an old name, which Kometa still takes."
            place = place_of(library.body, OLD_FILES)
            yield _at(library, place, what, f"Write `{FILES}` in its place.", is_hint=True)
    yield from (problem for problem in _in_wrong_libraries(setup, readings, names) if problem.severity == "hint")


def _about_narrowed(
    setup: Setup, reading: Reading, managed: Sequence[tuple[Key, Collection]], arr: Arr, ours: Sequence[OurLibrary]
) -> Iterator[Problem]:
    """A hint for each block that is for some of our libraries, where Kometa is certain to ask none of them."""
    for key, collection in managed:
        if collection.kind != arr.kind or not collection.libraries:
            continue
        if not collection.libraries <= {one.name for one in ours}:
            continue  # a problem of its own
        urls = [each.section(arr.section).get("url") for each in setup.taking_from(reading.source, key.value, arr.kind)]
        is_known = all(isinstance(url, str) and "<<" not in url and not _is_another(url, ours) for url in urls)
        asked = [one for one in ours if not all(_is_another(url, [one]) for url in urls)]
        if not asked or not is_known or any(one.name in collection.libraries for one in asked):
            continue
        names = " and ".join(sorted(collection.libraries))
        yield Problem(
            what=f"its tag is only in {names}, but Kometa looks for it in {' and '.join(one.name for one in asked)}, "
            "and finds nothing.",
            remedy="Correct `libraries` of the block, or list its file in a Plex library that has that "
            f"{arr.name} below `{arr.section}:`.",
            source=reading.source,
            line=collection.line,
            collection=collection.name,
            severity="hint",
        )


def _each_once(groups: Iterable[Sequence[PlexLibrary]]) -> Iterator[PlexLibrary]:
    found = {id(library): library for libraries in groups for library in libraries}
    yield from found.values()


def _in_wrong_libraries(setup: Setup, readings: Sequence[Reading], names: AbstractSet[Named]) -> Iterator[Problem]:
    """Collections whose file only libraries of the other kind load: a warning, or a hint if only their names say so."""
    for reading in readings if setup.is_known else ():
        libraries = setup.loading(reading.source)
        kinds = {library.kind for library in libraries}
        for key, collection in _managed(reading, names) if len(kinds) == 1 and None not in kinds else ():
            if collection.kind in kinds:
                continue
            mine, other = arr_of(collection.kind), other_than(collection.kind)
            is_sure = all(library.evidence for library in libraries)
            which = "is one" if len(libraries) == 1 else "are such"
            seems = which if is_sure else "seems to be one" if len(libraries) == 1 else "seem to be such"
            yield Problem(
                what=f"it is about {mine.items} ({collection.kind_because}), but Kometa takes no {mine.items} from "
                f"{mine.name} in a library of {other.items}, and {_some_libraries(libraries)} {seems}.",
                remedy=f"List its file in a library of {mine.items}; if {other.items} are meant, write "
                f"`media: {other.items}` and `{other.taglist}: {collection.label}`.",
                source=reading.source,
                line=key.line,
                collection=collection.name,
                severity="warning" if is_sure else "hint",
            )


def taken_elsewhere(setup: Setup, readings: Sequence[Reading], names: AbstractSet[Named]) -> Iterator[Taken]:
    """The definitions that hide those with a block: Kometa takes the first one in the files of a library."""
    blocks = [(reading, key, collection) for reading in readings for key, collection in _managed(reading, names)]
    with_block = {(reading.source, key.name) for reading, key, _ in blocks}
    found: dict[tuple[str, str, Kind], Taken] = {}
    for reading, key, collection in blocks if setup.is_known else ():
        for library in _taking(setup, reading.source, key, collection.kind):
            candidates = setup.taken_from(library, key.value)
            for definition in candidates:
                if (definition.reading.source, definition.key.name) in with_block:
                    continue
                at = (definition.reading.source, definition.key.name, collection.kind)
                before = found.get(at)
                found[at] = Taken(
                    definition=definition,
                    collection=collection,
                    elsewhere=before.elsewhere if before else f"{reading.source}:{key.line}",
                    libraries=_added(before.libraries if before else (), library.name),
                    is_sure=len(candidates) == 1 and (before is None or before.is_sure),
                )
    yield from found.values()


def _taking(setup: Setup, source: str, key: Key, kind: Kind) -> tuple[PlexLibrary, ...]:
    """The libraries that load the file; if none does, the one library that finds the collection elsewhere.

    Libraries of another kind do not count.
    """
    if found := setup.loading(source):
        return tuple(library for library in found if library.kind in (None, kind))
    # If there are several, some may hold other items, or none at all.
    taking = [library for library in setup.all if setup.taken_from(library, key.value)]
    return tuple(taking) if len(taking) == 1 else ()


def _added(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)


def _managed(reading: Reading, names: AbstractSet[Named]) -> list[tuple[Key, Collection]]:
    """The collections of a file whose block is on and can be used."""
    found = ((place.key, place.collection) for place in reading.places)
    return [(key, says) for key, says in found if isinstance(says, Collection) and named(says) in names]


def named(collection: Collection) -> Named:
    """What tells a collection from all others in Kometa's folder."""
    return collection.kind, collection.name


def _is_built(setup: Setup, key: Key) -> bool:
    """Whether a library finds the collection in one of its files."""
    return any(setup.taken_from(library, key.value) for library in setup.all)


def _concerned(setup: Setup, readings: Sequence[Reading], names: AbstractSet[Named], kind: Kind) -> list[PlexLibrary]:
    """The libraries that load files with blocks of this kind, and are, or may be, of this kind."""
    sources = [
        reading.source
        for reading in readings
        if any(collection.kind == kind for _, collection in _managed(reading, names))
    ]
    found = {id(library) for source in sources for library in setup.loading(source)}
    return [library for library in setup.all if id(library) in found and library.kind in (None, kind)]


def _at(
    library: PlexLibrary, place: tuple[int, int] | None, what: str, remedy: str, *, is_hint: bool = False
) -> Problem:
    line, column = place or library.place or (None, None)
    return Problem(
        what=what,
        remedy=remedy,
        source=library.config.source,
        line=line,
        column=column,
        severity="hint" if is_hint else "warning",
    )


# Which files


def _not_loaded(setup: Setup, source: str, names: Sequence[str], *, explained: bool) -> Problem:
    """The warning that no library loads a file. `explained` also looks for the reason, which takes time."""
    library, attribute = _nearest(setup, source) if explained else (setup.all[0], "")
    place = place_of(library.body, attribute or FILES)
    remedy = f"List it below `{FILES}` of its library, e.g. `- file: config/{source}`."
    if attribute:
        what = f"Kometa reads no collections from {source}, for it is listed below `{attribute}`."
    elif explained and setup.elsewhere(source):
        what = (
            f"no library loads {source} from this folder, but one of that name from elsewhere: it cannot be seen "
            f"whether that one has {some(names)}."
        )
    elif explained and (key := _misspelt(setup, source)):
        what = f"no library loads {source}, so Kometa never builds {some(names)}: Kometa does not know `{key}`."
        remedy = f"Write it in lower case, as `{key.lower()}`."
    else:
        what = f"no library loads {source}, so Kometa never builds {some(names)}."
    return _at(library, place, what, remedy)


def _nearest(setup: Setup, source: str) -> tuple[PlexLibrary, str]:
    """The library that names the file in a list of another kind, and that list; otherwise the first library."""
    for library in setup.all:
        files = Files({source})
        for attribute in OTHER_FILES:
            if any(source in group.sources for group in files.groups(library.body.get(attribute))):
                return library, attribute
    return setup.all[0], ""


def _misspelt(setup: Setup, source: str) -> str:
    """The key with capital letters that keeps Kometa from seeing the file; empty if there is none."""
    for library in setup.all:
        for key, value in library.body.items():
            if str(key).lower() != FILES:
                continue
            if key != FILES and any(source in group.sources for group in Files({source}).groups(value)):
                return str(key)
            for entry in value if isinstance(value, list) else [value]:
                for kind in _capitals(entry):
                    if any(source in group.sources for group in Files({source}).groups({kind.lower(): entry[kind]})):
                        return kind
    return ""


def _capitals(entry: object) -> list[str]:
    return (
        [key for key in entry if key not in ("file", "folder") and str(key).lower() in ("file", "folder")]
        if isinstance(entry, dict)
        else []
    )


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(names[:_FEW])
    return shown if len(names) <= _FEW else f"{shown} and {len(names) - _FEW} more"


def _some_libraries(libraries: Iterable[PlexLibrary]) -> str:
    return some([library.name for library in libraries])


# Which service


def _about_service(arr: Arr, libraries: Sequence[PlexLibrary]) -> Iterator[Problem]:
    """Libraries that load files with blocks but cannot read tags; one warning for all with the same gap."""
    gaps: dict[tuple[str, ...], list[PlexLibrary]] = {}
    for library in libraries:
        section = library.section(arr.section)
        if missing := tuple(key for key in _NEEDED if not section.get(key)):
            gaps.setdefault(missing, []).append(library)
    for missing, affected in gaps.items():
        lacks = in_words([f"no `{key}`" for key in missing])
        what = f"Kometa cannot read {arr.name}'s tags in {_some_libraries(affected)}: `{arr.section}:` has {lacks}."
        meanings = {"name": arr.name, "section": arr.section, "port": _DEFAULT_PORTS[arr]}
        lines = in_words([f"`{key}` ({_NEEDED[key].format(**meanings)})" for key in missing])
        remedy = f"Write {lines} below `{arr.section}:`."
        if not _FOR_ADDING.isdisjoint(missing):
            remedy += f" Kometa connects to no {arr.name} without, although it adds nothing to {arr.name}."
        yield _at(affected[0], _place_of_section(affected[0], arr), what, remedy)


def _place_of_section(library: PlexLibrary, arr: Arr) -> tuple[int, int] | None:
    return place_of(library.body, arr.section) or place_of(root_of(library.config), arr.section)


def _one_of(ours: Sequence[OurLibrary]) -> str:
    """The settings with our addresses, in words."""
    *others, last = (each.setting for each in ours)
    return f"{', '.join(others[:_FEW])} and {last}" if others else last


def _is_another(url: object, ours: Sequence[OurLibrary]) -> bool:
    """Whether Kometa's address differs from all of ours, as far as can be known: it may be a variable."""
    if not isinstance(url, str) or not url.strip() or "<<" in url:
        return False
    return _address(url) not in {_address(each.url) for each in ours}


def _address(url: str) -> tuple[str, int | None, str]:
    written = url.strip()
    try:
        parts = urlsplit(written if "://" in written else f"http://{written}")
        return (parts.hostname or "", parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/").lower())
    except ValueError:
        return (written, None, "")
