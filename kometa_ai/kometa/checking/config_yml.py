"""Read from Kometa's configurations which files each Plex library loads, and from which it takes a collection.

In each library, Kometa takes a collection from the first file that defines it. Configurations are read as strictly as
Kometa reads them: keys have to be spelt exactly, and a blank value counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from kometa_ai.kometa.checking.file_lists import Files
from kometa_ai.kometa.checking.library_kinds import LibraryKinds
from kometa_ai.kometa.checking.refused_attributes import CUSTOM_ORDERS
from kometa_ai.kometa.configuration import MAIN
from kometa_ai.kometa.document import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.checking.file_lists import Group
    from kometa_ai.kometa.checking.other_files import OtherFiles
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.reading import Reading

FILES = "collection_files"
OLD_FILES = "metadata_path"
OTHER_FILES = ("metadata_files", "metadata_path", "overlay_files", "overlay_path", "image_files", "playlist_files")
_SYNC_MODES = ("append", "sync")
_MOST_GROUPS = 200_000


class PlexLibrary(NamedTuple):
    """A Plex library in a Kometa configuration: its name, its section, and the files that it loads for collections."""

    name: str
    config: Reading
    body: Mapping[Any, Any]
    groups: tuple[Group, ...]
    place: tuple[int, int] | None

    positions: Mapping[str, Sequence[int]] = {}
    """For each file that the library loads, or may load: the numbers of the groups that contain it."""

    evidence: Kind | None = None
    """The kind of its items, if its settings leave no doubt."""

    kind: Kind | None = None
    """The kind of its items, by its settings or else by its name; None if they say nothing."""

    def loads(self, source: str) -> bool:
        """Whether the library loads this file, or may load it."""
        return source in self.positions

    def setting(self, name: str, allowed: Sequence[object], default: object = None) -> object:
        """A setting of this library or else of all libraries; None if two values conflict."""
        return setting((self.body, root_of(self.config)), name, allowed, default)

    def place_of_setting(self, names: Sequence[str]) -> tuple[int, int] | None:
        """The place of the setting that applies to this library, under any of its names."""
        for level in (self.body, root_of(self.config)):
            settings = level.get("settings")
            group = settings.get("collections") if isinstance(settings, Mapping) else None
            for mapping in (each for each in (settings, group) if isinstance(each, Mapping)):
                for name in names:
                    if mapping.get(name) is not None:
                        return place_of(mapping, name)
        return None

    def has(self, service: str) -> bool:
        """Whether a service is set up for this library or for all libraries, as far as the configuration shows."""
        return any(level.get(service) for level in (self.body, root_of(self.config)))

    def section(self, name: str) -> dict[str, object]:
        """A section of the library, such as `radarr:`, over the one for all libraries."""
        sections = (root_of(self.config).get(name), self.body.get(name))
        return {
            str(key): value
            for section in sections
            if isinstance(section, Mapping)
            for key, value in section.items()
            if value is not None
        }


class Definition(NamedTuple):
    """A collection as one file defines it."""

    reading: Reading
    key: Key

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.reading.source}:{self.key.line}"


def root_of(config: Reading | None) -> Mapping[Any, Any]:
    """The mapping at the top of a file; empty if the file holds something else."""
    data = config.document.data if config else None
    return data if isinstance(data, Mapping) else {}


_OLD_NAMES = {"minimum_items": "collection_minimum", "save_report": "save_missing"}
_IN_PLEX = ("sync_mode", "show_missing", "save_missing")


def setting(
    levels: Iterable[Mapping[Any, Any]], name: str, allowed: Sequence[object], default: object = None
) -> object:
    """A setting, from the first level that has an allowed value. `allowed` holds types, or the values themselves.

    None if one level has two values: newer versions of Kometa also accept it in `settings: collections:`.
    """
    for level in levels:
        values = {value for value in _values(level, name) if _is_allowed(value, allowed)}
        if len(values) > 1:
            return None
        if values:
            return values.pop()
    return default


def _is_allowed(value: object, allowed: Sequence[object]) -> bool:
    # type() and not isinstance(): in Python, True is an int.
    return any(type(value) is one if isinstance(one, type) else value == one for one in allowed)


def _values(level: Mapping[Any, Any], name: str) -> Iterator[object]:
    settings = level.get("settings")
    old = _OLD_NAMES.get(name, name)
    if isinstance(settings, Mapping):
        group = settings.get("collections")
        for mapping in (settings, group):
            if isinstance(mapping, Mapping):
                # Keys inside the group are written without `_collection`.
                spellings = {name, old, name.replace("_collection", "") if mapping is group else name}
                yield from (mapping[key] for key in spellings if key in mapping and _is_plain(mapping[key]))
        if name in settings or old in settings:
            return
    plex = level.get("plex")
    if isinstance(plex, Mapping) and old in _IN_PLEX and _is_plain(plex.get(old)):
        yield plex.get(old)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


class Setup:
    """What the configurations say about all files; `broken` are configurations that cannot be read."""

    def __init__(self, readings: Sequence[Reading], other_files: OtherFiles, broken: Iterable[str] = ()) -> None:
        self._readings = {reading.source: reading for reading in readings}
        self._other_files = other_files
        self._broken = frozenset(broken)
        self._keys: dict[str, dict[tuple[type, object], Key]] = {}
        self._taken: dict[tuple[int, type, object], tuple[Definition, ...]] = {}
        self._given: dict[str, frozenset[str]] = {}
        self._sources = _by_name(readings)
        sources = self._readings.keys() | set(other_files.sources)
        configs = [reading for reading in readings if lists_libraries(reading)]
        main = [config for name in MAIN for config in configs if config.source == name][:1]
        main = main or (configs if len(configs) == 1 else [])
        self._settings = [root_of(self._readings[name]) for name in MAIN if name in self._readings][:1]
        limit = _GroupLimit()
        self._main: tuple[PlexLibrary, ...] = tuple(
            library for config in main for library in _plex_libraries(config, sources, limit)
        )
        self._other_libraries = tuple(
            library for config in configs if config not in main for library in _plex_libraries(config, sources, limit)
        )
        if limit.is_over:
            self._broken = self._broken | {config.source for config in configs}
        self._files = Files(sources)

    @property
    def all(self) -> tuple[PlexLibrary, ...]:
        """All libraries, those of Kometa's own configuration first."""
        return (*self._main, *self._other_libraries)

    @property
    def is_known(self) -> bool:
        """Whether there is a library, and every configuration can be read."""
        return bool(self.all) and not self._broken

    def loading(self, source: str) -> tuple[PlexLibrary, ...]:
        """The libraries that load a file. Other configurations count only if Kometa's own does not load it."""
        found = tuple(library for library in self._main if library.loads(source))
        return found or tuple(library for library in self._other_libraries if library.loads(source))

    def named(self, sources: AbstractSet[str]) -> frozenset[str]:
        """Which of these files Kometa may load for any purpose: a configuration or a list of templates names them."""
        listed: list[tuple[object, Mapping[Any, Any]]] = []
        for library in self.all:
            root = root_of(library.config)
            listed += [(library.body.get(kind), root) for kind in (FILES, *OTHER_FILES)]
            listed += [(root.get(kind), root) for kind in OTHER_FILES]
        listed += [(root_of(reading).get("external_templates"), {}) for reading in self._readings.values()]
        found: set[str] = set()
        for entries, root in listed:
            for group in Files(sources, _repository_of(root)).groups(entries) if entries else ():
                found.update(group.sources)
        return frozenset(found)

    def ways(self, source: str) -> Iterator[tuple[PlexLibrary, Mapping[Any, Any]]]:
        """The ways in which a file is loaded: the library, and the variables of the library and the entry."""
        for library in self.loading(source):
            given = library.body.get("template_variables")
            for number in library.positions[source]:
                yield library, {**(given if isinstance(given, Mapping) else {}), **library.groups[number].variables}

    def given(self, source: str) -> frozenset[str]:
        """The values that configurations pass to the templates of a file, in lower case."""
        if source not in self._given:
            values = [value for _, variables in self.ways(source) for value in variables.values()]
            plain = (str(value).lower() for value in values if not isinstance(value, (dict, list, type(None))))
            self._given[source] = frozenset(plain) - {""}
        return self._given[source]

    def external(self, entry: object) -> Iterator[str]:
        """The files of this folder that an entry in a list of files names."""
        for group in self._files.groups(entry):
            if not group.is_elsewhere:
                yield from group.sources

    def elsewhere(self, source: str) -> bool:
        """Whether a library loads a file of this name from another place; it may be the same file."""
        groups = (group for library in self.all for group in library.groups)
        return any(group.is_elsewhere and source in group.sources for group in groups)

    def taken_from(self, library: PlexLibrary, name: object) -> tuple[Definition, ...]:
        """The definitions that a library may take for a collection; several if the order cannot be known."""
        looked_for = (id(library), type(name), name)
        if looked_for not in self._taken:
            self._taken[looked_for] = tuple(self._find(library, name).values())
        return self._taken[looked_for]

    def _find(self, library: PlexLibrary, name: object) -> dict[str, Definition]:
        found: dict[str, Definition] = {}
        by_group: dict[int, list[Definition]] = {}
        sources = (*self._sources.get((type(name), name), ()), *self._other_files.naming(str(name)))
        for source in sources:
            if source in library.positions and (definition := self._definition(source, name)):
                for number in library.positions[source]:
                    by_group.setdefault(number, []).append(definition)
        for number in sorted(by_group):
            here = sorted(by_group[number], key=lambda definition: definition.reading.source)
            found |= {definition.reading.source: definition for definition in here}
            if library.groups[number].is_sure:
                break
        return found

    def is_taken(self, source: str, name: object) -> bool:
        """Whether Kometa may take the collection from this file; True if that cannot be known."""
        taken = {each.reading.source for library in self.all for each in self.taken_from(library, name)}
        return not self.is_known or not taken or source in taken

    def taking_from(self, source: str, name: object, kind: Kind) -> tuple[PlexLibrary, ...]:
        """The libraries that take, or may take, a collection of this kind from this file."""
        return tuple(
            library
            for library in self.loading(source)
            if any(each.reading.source == source for each in self.taken_from(library, name))
            and library.kind in (None, kind)
        )

    def has_custom_order(self, source: str, name: object, kind: Kind) -> bool:
        """Whether a library that takes the collection from this file has a default order that only suits lists."""
        libraries = self.taking_from(source, name, kind)
        return any(each.setting("default_collection_order", (str,)) in CUSTOM_ORDERS for each in libraries)

    def without_service(self, source: str, name: object, kind: Kind, service: str) -> str:
        """The names of the libraries that take a collection from this file and have no such service set up."""
        libraries = self.taking_from(source, name, kind) if not self._broken else ()
        return ", ".join(each.name for each in libraries if not each.has(service))

    def without_sync(self, source: str, name: object, kind: Kind) -> str | None:
        """The libraries in which a collection of this file is not synced by default; empty if that is all of them.

        None if it is synced, or if that cannot be known.
        """
        if self._broken:
            return None
        libraries = self.taking_from(source, name, kind)
        if not libraries:
            return "" if setting(self._settings, "sync_mode", _SYNC_MODES, "append") == "append" else None
        without = [each for each in libraries if each.setting("sync_mode", _SYNC_MODES, "append") == "append"]
        of_their_own = [each for each in without if setting((each.body,), "sync_mode", _SYNC_MODES) == "append"]
        if len(without) == len(libraries) and not of_their_own:
            return ""
        return ", ".join(each.name for each in without) or None

    def _definition(self, source: str, name: object) -> Definition | None:
        reading = self._readings.get(source) or self._other_files.reading(source)
        if reading is None:
            return None
        collections = root_of(reading).get("collections")
        # Kometa skips a name unless a mapping stands below it.
        if not isinstance(collections, Mapping) or not isinstance(collections.get(name), Mapping):
            return None
        if source not in self._keys:
            self._keys[source] = {(type(key.value), key.value): key for key in reading.document.keys}
        key = self._keys[source].get((type(name), name))
        return Definition(reading, key) if key else None


def _by_name(readings: Sequence[Reading]) -> dict[tuple[type, object], list[str]]:
    """The files that define each name as a collection."""
    found: dict[tuple[type, object], list[str]] = {}
    for reading in readings:
        for key in reading.document.keys:
            found.setdefault((type(key.value), key.value), []).append(reading.source)
    return found


class _GroupLimit:
    """Limits how many groups of files are read: with aliases, many libraries can share one long list."""

    def __init__(self) -> None:
        self._left = _MOST_GROUPS

    @property
    def is_over(self) -> bool:
        """Whether the limit was exceeded."""
        return self._left < 0

    def take(self, groups: Iterable[Group]) -> tuple[Group, ...]:
        """As many of these groups as the limit allows."""
        taken = tuple(islice(groups, self._left + 1))
        self._left -= sum(1 + len(group.sources) for group in taken)
        return taken


def lists_libraries(reading: Reading) -> bool:
    """Whether a file at the top of the folder is a configuration with libraries."""
    return "/" not in reading.source and isinstance(root_of(reading).get("libraries"), Mapping)


def _plex_libraries(config: Reading, sources: AbstractSet[str], limit: _GroupLimit) -> Iterator[PlexLibrary]:
    root = root_of(config)
    libraries: Mapping[Any, Any] = root["libraries"]
    files = Files(sources, _repository_of(root))
    kinds = LibraryKinds()
    for key, value in libraries.items():
        body = value if isinstance(value, Mapping) else {}
        # Kometa reads the old name only if the new one is absent.
        listed = body.get(FILES) if FILES in body else body.get(OLD_FILES)
        if limit.is_over:
            return
        groups = limit.take(files.groups(listed))
        evidence, kind = kinds.of(str(key), body)
        place = place_of(libraries, key)
        yield PlexLibrary(str(key), config, body, groups, place, _positions(groups), evidence, kind)


def _positions(groups: Sequence[Group]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        for source in group.sources if not group.is_elsewhere else ():
            found.setdefault(source, []).append(number)
    return found


def _repository_of(root: Mapping[Any, Any]) -> str:
    settings = root.get("settings")
    repository = settings.get("custom_repo") if isinstance(settings, Mapping) else None
    return repository if isinstance(repository, str) else ""
