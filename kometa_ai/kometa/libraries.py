"""What Kometa's config.yml makes of the files: which libraries load them, and whether those can read Radarr's tags.

Where it cannot be told, nothing is said: without a config.yml in the folder, or with one that has no libraries.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from kometa_ai.core.collection import Collection
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.document import place_of
from kometa_ai.kometa.reading import find

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.kometa.reading import Reading

CONFIGS = ("config.yml", "config.yaml")
_FILES = "collection_files"
_OTHER_FILES = ("metadata_files", "overlay_files", "playlist_files")
_NEEDED = ("url", "token")
_NEEDED_TOO = ("root_folder_path", "quality_profile")
_ENDING = re.compile(r"\.ya?ml$")
_IN_FOLDER = re.compile(r"\A(?:\./)*+/?config(?:/|$)")
_PORTS = {"http": 80, "https": 443}


class _Library(NamedTuple):
    name: str
    key: object
    body: Mapping[Any, Any]


def config_of(readings: Sequence[Reading]) -> Reading | None:
    """Kometa's own configuration, if it is among the files."""
    by_source = {reading.source: reading for reading in readings}
    return next((by_source[name] for name in CONFIGS if name in by_source), None)


def about_libraries(readings: Sequence[Reading], names: AbstractSet[str]) -> Iterator[Problem]:
    """A warning for each file with collections of these names that Kometa does not load, or cannot use."""
    config = config_of(readings)
    libraries = _libraries(config)
    if config is None or not libraries:
        return
    loading: list[_Library] = []
    for reading in readings:
        managed = [place.collection.name for place in reading.places if isinstance(place.collection, Collection)]
        if wanted := [name for name in managed if name in names]:
            found = [library for library in libraries if _loads(library.body, _FILES, reading.source)]
            loading += found
            if not found:
                yield _not_loaded(config, libraries, reading.source, wanted)
    yield from _about_radarr(config, [library for library in libraries if library in loading])


def hints(readings: Sequence[Reading], radarr_url: str) -> tuple[Problem, ...]:
    """What may be right, but is worth a look: another Radarr than ours, and what Kometa insists on."""
    config = config_of(readings)
    libraries = _libraries(config)
    if config is None:
        return ()
    found: dict[str, Problem] = {}
    for library in libraries:
        radarr = _radarr_of(config, library)
        place = _place_of_radarr(config, library)
        url = radarr.get("url")
        if isinstance(url, str) and "<<" not in url and radarr_url and not _is_same(url, radarr_url):
            what = f"Kometa reads the tags of a Radarr at another address than RADARR_URL in {library.name}."
            remedy = "Make sure that both are the same Radarr; its address may differ from one container to another."
            found.setdefault(url, _at(config, place, what, remedy))
        missing = [key for key in _NEEDED_TOO if radarr.get("url") and not radarr.get(key)]
        if missing:
            what = f"Kometa connects to no Radarr without {' and '.join(f'`{key}`' for key in missing)}."
            remedy = "Set them as Radarr spells them, even if Kometa is to add nothing to Radarr."
            found.setdefault(" ".join(missing), _at(config, place, what, remedy))
    return tuple(found.values())


def _at(config: Reading, place: tuple[int, int] | None, what: str, remedy: str) -> Problem:
    line, column = place or (None, None)
    return Problem(what=what, remedy=remedy, source=config.source, line=line, column=column, severity="hint")


def _libraries(config: Reading | None) -> list[_Library]:
    """The libraries; one with nothing below its name loads nothing, but is one."""
    data = config.document.data if config else None
    libraries = data.get("libraries") if isinstance(data, dict) else None
    if not isinstance(libraries, dict):
        return []
    return [_Library(str(key), key, body if isinstance(body, dict) else {}) for key, body in libraries.items()]


# Which files


def _not_loaded(config: Reading, libraries: Sequence[_Library], source: str, names: Sequence[str]) -> Problem:
    wrong = next(
        (
            (library, attribute)
            for library in libraries
            for attribute in _OTHER_FILES
            if _loads(library.body, attribute, source)
        ),
        None,
    )
    library = wrong[0] if wrong else libraries[0]
    listed = find(library.body, _FILES)
    place = place_of(library.body, wrong[1] if wrong else listed) or place_of(_root(config)["libraries"], library.key)
    if wrong:
        what = f"Kometa reads no collections from {source}, for it is listed below `{wrong[1]}`."
    else:
        what = f"no library loads {source}, so Kometa never builds {_some(names)}."
    line, column = place or (None, None)
    return Problem(
        what=what,
        remedy=f"List it below `{_FILES}` of its library, e.g. `- file: config/{source}`.",
        source=config.source,
        line=line,
        column=column,
        severity="warning",
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"  # noqa: PLR2004 - a readable few


def _loads(body: Mapping[Any, Any], attribute: str, source: str) -> bool:
    """Whether a list of files names this one."""
    return any(names_file(entry, source) for entry in _entries(body, attribute))


def _entries(body: Mapping[Any, Any], attribute: str) -> list[object]:
    listed = body.get(find(body, attribute))
    return listed if isinstance(listed, list) else [listed]


def names_file(entry: object, source: str) -> bool:
    """Whether an entry of a list of files names this one, or the folder that it is in."""
    if isinstance(entry, str):
        return _is_file(entry, source)
    return isinstance(entry, dict) and (
        any(_is_file(path, source) for path in _paths(entry, "file"))
        or any(_is_folder(path, source) for path in _paths(entry, "folder"))
    )


def loadings_of(readings: Sequence[Reading], source: str) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    """Each way in which config.yml loads a file: the library, with the variables of its own and of the file's entry."""
    for library in _libraries(config_of(readings)):
        for entry in _entries(library.body, _FILES):
            if names_file(entry, source):
                given = [part.get("template_variables") for part in (library.body, entry) if isinstance(part, dict)]
                yield (
                    library.name,
                    {key: value for part in given if isinstance(part, dict) for key, value in part.items()},
                )


def _paths(entry: Mapping[Any, Any], kind: str) -> list[str]:
    value = entry.get(find(entry, kind))
    return [path for path in (value if isinstance(value, list) else [value]) if isinstance(path, str)]


def _is_file(path: str, source: str) -> bool:
    """Whether Kometa's path means our file: below `config/` exactly, and elsewhere as far as its end can tell.

    Kometa adds a missing ending, and tries `.yml` and `.yaml` for each other.
    """
    wanted, found = _ENDING.sub("", source), _ENDING.sub("", path.strip().replace("\\", "/"))
    if below := _IN_FOLDER.match(found):
        return found[below.end() :].lstrip("/") == wanted
    return found.removeprefix("./") == wanted or found.endswith("/" + wanted)


def _is_folder(path: str, source: str) -> bool:
    """Whether a folder of Kometa's holds our file itself; it does not look into folders below."""
    wanted, found = source.rpartition("/")[0], path.strip().replace("\\", "/").rstrip("/")
    if below := _IN_FOLDER.match(found):
        return found[below.end() :].strip("/") == wanted
    # Somewhere else on the host: it may be the mounted folder itself, under whatever name.
    return not wanted or found.removeprefix("./") == wanted or found.endswith("/" + wanted)


# Which Radarr


def _about_radarr(config: Reading, libraries: Sequence[_Library]) -> Iterator[Problem]:
    """Libraries that load our files and cannot read tags, those with the same gap together."""
    gaps: dict[tuple[str, ...], list[_Library]] = {}
    for library in libraries:
        radarr = _radarr_of(config, library)
        if missing := tuple(key for key in _NEEDED if not radarr.get(key)):
            gaps.setdefault(missing, []).append(library)
    for missing, affected in gaps.items():
        what = f"Kometa cannot read Radarr's tags in {_some([library.name for library in affected])}: "
        what += "`radarr:` has no " + " and no ".join(f"`{key}`" for key in missing) + "."
        line, column = _place_of_radarr(config, affected[0]) or (None, None)
        yield Problem(
            what=what,
            remedy="Write `url` (Radarr's address as Kometa reaches it, e.g. http://radarr:7878) and `token` (its key) "
            "below `radarr:`.",
            source=config.source,
            line=line,
            column=column,
            severity="warning",
        )


def _root(config: Reading) -> Mapping[Any, Any]:
    data: Any = config.document.data  # a mapping, or there would be no libraries
    return data  # type: ignore[no-any-return]


def _radarr_of(config: Reading, library: _Library) -> dict[str, object]:
    """The Radarr of one library: its own settings before the global ones."""
    merged: dict[str, object] = {}
    for mapping in (_root(config), library.body):
        radarr = mapping.get(find(mapping, "radarr"))
        if isinstance(radarr, dict):
            merged |= {str(key).lower(): value for key, value in radarr.items()}
    return merged


def _place_of_radarr(config: Reading, library: _Library) -> tuple[int, int] | None:
    root = _root(config)
    return (
        place_of(library.body, find(library.body, "radarr"))
        or place_of(root, find(root, "radarr"))
        or place_of(root["libraries"], library.key)
    )


def _is_same(one: str, other: str) -> bool:
    return _address(one) == _address(other)


def _address(url: str) -> tuple[str, int | None, str]:
    try:
        parts = urlsplit(url.strip())
        return (parts.hostname or "", parts.port or _PORTS.get(parts.scheme), parts.path.rstrip("/").lower())
    except ValueError:
        return (url, None, "")
