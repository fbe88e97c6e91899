"""Warn if no Plex library loads a file with blocks, if a library takes a collection from elsewhere, or has no Radarr.

Without a configuration, or with a broken one, there are no warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from kometa_ai.core.collection import Collection
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.checking.config_yml import FILES, OLD_FILES, OTHER_FILES, PlexLibrary, root_of
from kometa_ai.kometa.checking.file_lists import Files
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.kometa.checking.config_yml import Definition, Setup
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.reading import Reading

_NEEDED = ("url", "token")
_NEEDED_TOO = ("root_folder_path", "quality_profile")
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


def about_libraries(setup: Setup, readings: Sequence[Reading], names: AbstractSet[str]) -> Iterator[Problem]:
    """A warning for each file with collections of these names that Kometa does not load or cannot use."""
    if not setup.is_known:
        return
    unloaded = 0
    for reading in readings:
        unbuilt = [key.name for key, _ in _managed(reading, names) if not _is_built(setup, key)]
        if unbuilt and not setup.loading(reading.source):
            unloaded += 1
            yield _not_loaded(setup, reading.source, unbuilt, explained=unloaded <= _EXPLAINED)
    yield from _about_radarr(_concerned(setup, readings, names))


def hints(setup: Setup, readings: Sequence[Reading], names: AbstractSet[str], radarr_url: str) -> Iterator[Problem]:
    """Settings that may be right but are worth a look: another Radarr than ours, old names, missing keys."""
    libraries = _concerned(setup, readings, names)
    other = [each for each in libraries if radarr_url and _is_another(each.radarr.get("url"), radarr_url)]
    if other:
        what = f"Kometa reads the tags of a Radarr at another address than RADARR_URL in {_some_libraries(other)}."
        remedy = "Make sure that both are the same Radarr; its address may differ from one container to another."
        yield _at(other[0], _place_of_radarr(other[0]), what, remedy, is_hint=True)
    for library in libraries:
        if FILES not in library.body:
            what = f"`{OLD_FILES}` in {library.name} is an old name, which Kometa still takes."
            place = place_of(library.body, OLD_FILES)
            yield _at(library, place, what, f"Write `{FILES}` in its place.", is_hint=True)
    gaps: dict[tuple[str, ...], PlexLibrary] = {}
    for library in libraries:
        radarr = library.radarr
        if radarr.get("url") and (missing := tuple(key for key in _NEEDED_TOO if not radarr.get(key))):
            gaps.setdefault(missing, library)
    for missing, library in gaps.items():
        what = f"Kometa connects to no Radarr without {' and '.join(f'`{key}`' for key in missing)}."
        remedy = "Set them as Radarr spells them, even if Kometa is to add nothing to Radarr."
        yield _at(library, _place_of_radarr(library), what, remedy, is_hint=True)


def taken_elsewhere(setup: Setup, readings: Sequence[Reading], names: AbstractSet[str]) -> Iterator[Taken]:
    """The definitions that hide those with a block: Kometa takes the first one in the files of a library."""
    blocks = [(reading, key, collection) for reading in readings for key, collection in _managed(reading, names)]
    with_block = {(reading.source, key.name) for reading, key, _ in blocks}
    found: dict[tuple[str, str], Taken] = {}
    for reading, key, collection in blocks if setup.is_known else ():
        for library in _taking(setup, reading.source, key):
            candidates = setup.taken_from(library, key.value)
            for definition in candidates:
                at = (definition.reading.source, definition.key.name)
                if at in with_block:
                    continue
                before = found.get(at)
                found[at] = Taken(
                    definition=definition,
                    collection=collection,
                    elsewhere=before.elsewhere if before else f"{reading.source}:{key.line}",
                    libraries=_added(before.libraries if before else (), library.name),
                    is_sure=len(candidates) == 1 and (before is None or before.is_sure),
                )
    yield from found.values()


def _taking(setup: Setup, source: str, key: Key) -> tuple[PlexLibrary, ...]:
    """The libraries that load the file; if none does, the one library that finds the collection elsewhere."""
    if found := setup.loading(source):
        return found
    # If there are several, some may hold other movies, or no movies at all.
    taking = [library for library in setup.all if setup.taken_from(library, key.value)]
    return tuple(taking) if len(taking) == 1 else ()


def _added(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names if name in names else (*names, name)


def _managed(reading: Reading, names: AbstractSet[str]) -> list[tuple[Key, Collection]]:
    """The collections of a file whose block is on and can be used."""
    found = ((place.key, place.collection) for place in reading.places)
    return [(key, says) for key, says in found if isinstance(says, Collection) and says.name in names]


def _is_built(setup: Setup, key: Key) -> bool:
    """Whether a library finds the collection in one of its files."""
    return any(setup.taken_from(library, key.value) for library in setup.all)


def _concerned(setup: Setup, readings: Sequence[Reading], names: AbstractSet[str]) -> list[PlexLibrary]:
    """The libraries that load files with blocks."""
    sources = [reading.source for reading in readings if _managed(reading, names)]
    found = {id(library) for source in sources for library in setup.loading(source)}
    return [library for library in setup.all if id(library) in found]


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


# Which Radarr


def _about_radarr(libraries: Sequence[PlexLibrary]) -> Iterator[Problem]:
    """Libraries that load files with blocks but cannot read tags; one warning for all with the same gap."""
    gaps: dict[tuple[str, ...], list[PlexLibrary]] = {}
    for library in libraries:
        if missing := tuple(key for key in _NEEDED if not library.radarr.get(key)):
            gaps.setdefault(missing, []).append(library)
    for missing, affected in gaps.items():
        what = f"Kometa cannot read Radarr's tags in {_some_libraries(affected)}: "
        what += "`radarr:` has no " + " and no ".join(f"`{key}`" for key in missing) + "."
        remedy = (
            "Write `url` (Radarr's address as Kometa reaches it, e.g. http://radarr:7878) and `token` (its key) below "
            "`radarr:`."
        )
        yield _at(affected[0], _place_of_radarr(affected[0]), what, remedy)


def _place_of_radarr(library: PlexLibrary) -> tuple[int, int] | None:
    return place_of(library.body, "radarr") or place_of(root_of(library.config), "radarr")


def _is_another(url: object, ours: str) -> bool:
    """Whether Kometa's address differs from ours, as far as can be known: it may be a variable."""
    return isinstance(url, str) and bool(url.strip()) and "<<" not in url and _address(url) != _address(ours)


def _address(url: str) -> tuple[str, int | None, str]:
    written = url.strip()
    try:
        parts = urlsplit(written if "://" in written else f"http://{written}")
        return (parts.hostname or "", parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/").lower())
    except ValueError:
        return (written, None, "")
