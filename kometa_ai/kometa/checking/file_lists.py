"""Find the folder's files that a list of files in a configuration names, in the order in which Kometa loads them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

_ENDINGS = (".yml", ".yaml")
_LONGEST_PATH = 1_000
_IN_FOLDER = re.compile(r"/?config(?:/|$)")
_GITHUB = ("github.com", "raw.githubusercontent.com")


class Group(NamedTuple):
    """Files that Kometa loads for one entry of a list, in an unknown order.

    `is_sure` is False if Kometa may load another file, or none today. `is_elsewhere` is True if it loads a file of that
    name from another place. `variables` are the entry's `template_variables`.
    """

    sources: tuple[str, ...]
    variables: Mapping[Any, Any] = {}
    is_sure: bool = True
    is_elsewhere: bool = False


class Files:
    """Finds the folder's files that a configuration names. `repository` is Kometa's `custom_repo`."""

    def __init__(self, sources: AbstractSet[str], repository: str = "") -> None:
        self._sources = sources
        self._inside: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for source in sorted(sources):
            self._inside.setdefault(source.rpartition("/")[0], []).append(source)
            self._by_stem.setdefault(_stem_of(source), []).append(source)
        self._repository = repository

    def groups(self, listed: object) -> Iterator[Group]:
        """The groups of files that Kometa loads for a list, in its order."""
        for entry in listed if isinstance(listed, list) else [listed]:
            if isinstance(entry, str):
                if len(entry) <= _LONGEST_PATH:
                    yield self._file(entry, is_exact=True)
            elif isinstance(entry, Mapping):
                is_sure = not entry.get("schedule")
                variables = entry.get("template_variables")
                for group in self._entry(entry):
                    yield group._replace(
                        is_sure=group.is_sure and is_sure,
                        variables=variables if isinstance(variables, Mapping) else {},
                    )

    def _entry(self, entry: Mapping[Any, Any]) -> Iterator[Group]:
        """The groups of one entry, in Kometa's order; an entry may name several files."""
        found = {
            key: value for key, value in entry.items() if isinstance(value, str) and 0 < len(value) <= _LONGEST_PATH
        }
        for kind in ("url", "git", "repo"):
            if kind in found:
                yield self._elsewhere(kind, found[kind])
        if "file" in found:
            yield self._file(found["file"])
        if "folder" in found:
            yield from self._folder(found["folder"])

    def _file(self, path: str, *, is_exact: bool = False) -> Group:
        """A single file. Kometa adds a missing ending and tries `.yml` and `.yaml`, unless the path `is_exact`."""
        parts, below = _parts(path)
        suffixes = [parts[start:] for start in range(len(parts))] if below is None else [below]
        for suffix in suffixes:
            for name in _spellings("/".join(suffix), is_exact=is_exact):
                if name in self._sources:
                    return Group((name,))
        return Group(())

    def _folder(self, path: str) -> Iterator[Group]:
        """A folder: Kometa loads all `.yml` and then all `.yaml` files in any order, without the folders below."""
        parts, below = _parts(path)
        is_sure = True
        if below is not None:
            folder = "/".join(below)
        else:
            suffixes = ["/".join(parts[start:]) for start in range(len(parts))]
            folder = next((suffix for suffix in suffixes if suffix in self._inside), "")
            # The path lies elsewhere on the host, but may be Kometa's folder under another name.
            is_sure = bool(folder)
        for ending in _ENDINGS:
            inside = self._inside.get(folder, ())
            if sources := tuple(source for source in inside if source.endswith(ending)):
                yield Group(sources, is_sure=is_sure)

    def _elsewhere(self, kind: str, path: str) -> Group:
        """A file of a repository or a URL. This folder may be a copy of that repository and contain the same file."""
        if kind == "repo" and not self._repository:
            return Group(())  # Kometa refuses the entry
        parts = [part for part in (urlsplit(path).path if kind == "url" else path).split("/") if part]
        names = [
            source
            for source in self._by_stem.get(_stem_of("/".join(parts)), ())
            for name in _spellings("/".join(parts), is_exact=kind == "url")
            if f"/{name}".endswith(f"/{source}") or (kind == "repo" and f"/{source}".endswith(f"/{name}"))
        ]
        is_ours = bool(self._repository) and (kind == "repo" or (kind == "url" and self._is_same_repository(path)))
        longest = max(names, key=len, default="")
        return Group((longest,) if longest else (), is_sure=False, is_elsewhere=not is_ours)

    def _is_same_repository(self, url: str) -> bool:
        ours, theirs = (_owner_and_name(address) for address in (self._repository, url))
        return bool(ours) and ours == theirs


def _owner_and_name(url: str) -> tuple[str, ...]:
    try:
        address = urlsplit(url.strip())
        host = address.hostname or ""
    except ValueError:
        return ()
    return tuple(part.lower() for part in address.path.split("/") if part)[:2] if host.lower() in _GITHUB else ()


def _parts(path: str) -> tuple[list[str], list[str] | None]:
    """The parts of a path, and the parts below Kometa's folder if the path begins with `config`."""
    clean = posixpath.normpath(path.strip().replace("\\", "/")).lstrip("/")
    found = _IN_FOLDER.match(clean)
    parts = [part for part in clean.split("/") if part not in ("", ".", "..")]
    return parts, [part for part in clean[found.end() :].split("/") if part] if found else None


def _stem_of(path: str) -> str:
    """The name of a file without its folder and its endings."""
    stem = path.rpartition("/")[2]
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def _spellings(path: str, *, is_exact: bool) -> Iterator[str]:
    yield path
    if is_exact:
        return
    stem = path
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    yield from (stem + ending for ending in _ENDINGS)
