"""Read and check Kometa's folder: collections, problems and warnings; for `--check-config` corrections and hints, too.

No file is written.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Folder
from kometa_ai.core.problem import Problem
from kometa_ai.core.text import beginning
from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.checking.advice import advise
from kometa_ai.kometa.checking.config_yml import Setup
from kometa_ai.kometa.checking.findings import Finding
from kometa_ai.kometa.checking.hindrances import about_hindrances, definitions_of, hints_of, untold
from kometa_ai.kometa.checking.kinds import about_unserved, with_kinds
from kometa_ai.kometa.checking.kometa_view import KometaView
from kometa_ai.kometa.checking.other_files import OtherFiles
from kometa_ai.kometa.checking.plex_libraries import hints, named
from kometa_ai.kometa.checking.proof import Proof, ReadAgain
from kometa_ai.kometa.configuration import MAIN, may_list_libraries
from kometa_ai.kometa.document import load
from kometa_ai.kometa.faults import Fault
from kometa_ai.kometa.files import LIMITS, FoundFiles, Limits, TextFile, holds_block, read_files
from kometa_ai.kometa.folder import as_other, collections_of
from kometa_ai.kometa.markers import BEGIN
from kometa_ai.kometa.reading import Contents, broken_file, read_file
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from kometa_ai.core.collection import Collection, OtherCollection
    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.checking.plex_libraries import Addresses
    from kometa_ai.kometa.reading import Reading

_LONGEST_PATH = 300
_FEW = 3

_MOST_TOKENS = 1_000_000
"""Limit of keys, values and brackets in all files together: each takes half a kilobyte of memory."""

_CHECKED_FOR_SYNTAX = 256 * 1024
"""How much YAML without blocks is checked in a run: YAML in pure Python takes a second for 200 kB."""


MOVIES: frozenset[Kind] = frozenset({"movie"})


def read_folder(path: Path, limits: Limits = LIMITS, services: AbstractSet[Kind] = MOVIES) -> Folder:
    """Read every `.yml` and `.yaml` file below this folder whose name does not begin with `_` or `.`.

    `services` are the kinds for which a library is set up. Collections of another kind are returned as unserved.

    A problem skips only the collections or files that it is about. Files beyond the limits are named, and the others
    are read. Problems have no corrections: reports are stored and sent, and a line of a file may hold a secret. Raise
    FixConfiguration if there is no such folder.
    """
    return examine(path, limits, services).folder()


def examine_folder(
    path: Path,
    *,
    addresses: Addresses | None = None,
    limits: Limits = LIMITS,
    services: AbstractSet[Kind] = MOVIES,
) -> Folder:
    """Read and check the folder as `read_folder` does, and add corrections and hints.

    Kometa is expected to use one of the `addresses`. The result is for the person who edits these files. The caller
    removes secrets before showing it.
    """
    examination = examine(path, limits, services)
    found = examination.proven(addresses or {})
    return msgspec.structs.replace(
        found, hints=(*found.hints, *examination.passed_over(path), *examination.without_configuration())
    )


def examine(path: Path, limits: Limits = LIMITS, services: AbstractSet[Kind] = MOVIES) -> Examination:
    """Read and check the folder, for several questions about it. Raise FixConfiguration if there is no such folder."""
    # Not Path.is_dir(), which raises OSError if access is denied or the name is too long.
    if not os.path.isdir(path):  # noqa: PTH112
        raise _no_folder(path)
    return Examination(read_files(path, limits), limits, services)


class Examination:
    """Reads the files that were found; reads some of them again to try a correction. `size` is that of their texts."""

    def __init__(self, found: FoundFiles, limits: Limits, services: AbstractSet[Kind]) -> None:
        self._found = found
        self._services = services
        self._texts = {file.source: file.text for file in (*found.files, *found.others)}
        self.size = sum(map(len, self._texts.values()))
        by_kind: dict[bool, list[TextFile]] = {True: [], False: []}
        for file in found.others:
            by_kind[may_list_libraries(file.source, file.text)].append(file)
        configurations, others = by_kind[True], by_kind[False]
        self._other_files = OtherFiles({file.source: file.text for file in others})
        self._unread = Contents(
            unreadable=found.unreadable,
            torn=[problem.source for problem in found.refused],
            faults=_as_faults(found.problems),
            refused=_as_faults(found.refused),
        )
        self._parts = self._read([*found.files, *configurations], limits)
        self._loaded = self._known_to_be_loaded()
        if self._loaded is not None:
            others = [file for file in others if file.source in self._loaded]
        self._parts |= {file.source: _check_syntax(file) for file in _checked_for_syntax(others)}

    def _read(self, files: Sequence[TextFile], limits: Limits) -> dict[str, Contents]:
        """What each file says, in their order. Kometa's own configuration is read first, before a limit applies."""
        ends = time.monotonic() + limits.seconds
        tokens, read, left = _MOST_TOKENS, {}, []
        for file in sorted(files, key=lambda file: file.source not in MAIN):
            if tokens < 0 or time.monotonic() > ends:
                left.append(file.source)
                continue
            read[file.source] = part = read_file(file)
            tokens -= sum(reading.document.size for reading in part.readings)
        if left:
            shown = ", ".join(left[:_FEW]) + (f" and {len(left) - _FEW:,} more" if len(left) > _FEW else "")
            what = f"Kometa's folder is not read to its end, since there is too much YAML: {shown}."
            self._found.cut(what, "Keep in it what is Kometa's only.", unseen=left)
        return {file.source: read[file.source] for file in files if file.source in read}

    def _known_to_be_loaded(self) -> frozenset[str] | None:
        """Which files Kometa loads; None if its configurations do not tell."""
        contents = _together(self._unread, *self._parts.values())
        setup = Setup(contents.readings, self._other_files, contents.broken)
        if not setup.is_known:
            return None
        refused = (fault.problem.source for fault in contents.refused)
        return setup.named({*self._texts, *self._found.passed_over, *refused})

    def passed_over(self, root: Path) -> Iterator[Problem]:
        """A hint for each file that holds a block and that Kometa loads, but whose name makes this program skip it."""
        for source in self._found.passed_over:
            if (self._loaded is None or source in self._loaded) and holds_block(root / source):
                what = f"the file holds a block, but is passed over, since its name begins with `{_start_of(source)}`."
                yield Problem(
                    what=what,
                    remedy="Give it another name here and in Kometa's config.yml, if its collections are to take part.",
                    source=source,
                    severity="hint",
                )

    def without_configuration(self) -> Iterator[Problem]:
        """A hint where files hold blocks, and none of the folder can be Kometa's configuration."""
        lost = {*self._found.unreadable, *(problem.source for problem in self._found.refused)}
        is_there = any(may_list_libraries(source, text) for source, text in self._texts.items())
        if self._found.files and not is_there and lost.isdisjoint({".", *MAIN}):
            yield Problem(
                what="Kometa's config.yml is not in the folder, so it is not known whether Kometa loads these files.",
                remedy="Set CONFIG_DIR to the folder with config.yml. If Kometa's lies elsewhere, all is well.",
                source="CONFIG_DIR",
                severity="hint",
            )

    def folder(self) -> Folder:
        """The result for a run: without corrections and hints."""
        return _with_unserved(self._as_read.folder())

    def proven(self, addresses: Addresses) -> Folder:
        """The result for an editor: with hints, and with the corrections that were proven right."""
        checked = self._as_read
        found = Proof(checked.proposed(addresses), self._texts, checked.readings, self._read_again).proven()
        return _with_unserved(found)

    @property
    def readings(self) -> Mapping[str, Reading]:
        """What was read from each file, with the kinds of its collections."""
        return self._as_read.readings

    @cached_property
    def _as_read(self) -> _Checked:
        return self._checked(self._parts)

    def files_of(self, collection: Collection) -> tuple[tuple[TextFile, Contents], ...]:
        """The files in which a block of this collection stands, and what they say."""
        readings = self.readings
        return tuple(
            (TextFile(source, self._texts[source]), self._parts[source])
            for source, reading in readings.items()
            if any(
                place.key.name == collection.name and collection.kind in place.collection.kinds
                for place in reading.places
            )
        )

    def _read_again(self, texts: Mapping[str, str]) -> ReadAgain:
        parts = {}
        for source, text in texts.items():
            file = TextFile(source, text)
            parts[source] = _check_syntax(file) if source in self._other_files.sources else read_file(file)
        checked = self._checked({**self._parts, **parts})
        readings = {source: reading for source, reading in checked.readings.items() if source in parts}
        return ReadAgain(checked.folder(), readings)

    def _checked(self, parts: Mapping[str, Contents]) -> _Checked:
        contents = _together(self._unread, *parts.values())
        return _Checked(contents, self._other_files, self._loaded, self._found.warnings, self._services)


class _Checked:
    """What all files say, with the warnings about it; `loaded` are the files that Kometa loads, if that is known.

    `warnings` are the ones found earlier, about files that were not read. `services` are the kinds that have a library.
    """

    def __init__(
        self,
        contents: Contents,
        other_files: OtherFiles,
        loaded: frozenset[str] | None,
        warnings: Sequence[Problem],
        services: AbstractSet[Kind],
    ) -> None:
        self._warnings = warnings
        is_loaded = [loaded is None or fault.problem.source in loaded for fault in contents.refused]
        contents.faults += [fault for fault, is_theirs in zip(contents.refused, is_loaded, strict=True) if is_theirs]
        self._not_loaded = [
            fault.problem for fault, is_theirs in zip(contents.refused, is_loaded, strict=True) if not is_theirs
        ]
        self._setup = Setup(contents.readings, other_files, contents.broken)
        view = KometaView(contents.readings, self._setup, other_files)
        contents, self._hints = with_kinds(contents, self._setup, view, services)
        self._contents = contents
        self._found = collections_of(contents)
        self._served = tuple(each for each in self._found.on if each.kind in services)
        self._unserved = tuple(as_other(each) for each in self._found.on if each.kind not in services)
        self._names = {named(collection) for collection in self._served}
        self._definitions = definitions_of(contents.readings, self._names, self._setup, view)
        others: list[OtherCollection] = [*self._found.disabled, *self._found.skipped, *self._unserved]
        self._advice = advise(contents.readings, self._served, others, self._setup, view)

    @property
    def readings(self) -> dict[str, Reading]:
        """The files that could be read, with the kinds of their collections."""
        return {reading.source: reading for reading in self._contents.readings}

    def folder(self) -> Folder:
        """The result without corrections and hints."""
        problems = [fault.problem for fault in self._found.faults]
        return self._as_folder(problems, [found.problem for found in self._advice])

    def proposed(self, addresses: Addresses) -> Folder:
        """The result with hints and with corrections that are not proven yet."""
        advice = [found.corrected() for found in self._advice]
        problems = [Finding.of(fault).corrected() for fault in self._found.faults]
        all_hints = (
            *hints(self._setup, self._contents.readings, self._names, addresses),
            *self._hints,
            *(each for each in advice if each.severity == "hint"),
            *hints_of(self._definitions),
            *map(_of_no_library, self._not_loaded),
        )
        return msgspec.structs.replace(self._as_folder(problems, advice), hints=all_hints)

    def _as_folder(self, problems: Sequence[Problem], advice: Sequence[Problem]) -> Folder:
        return Folder(
            collections=tuple(self._collections()),
            disabled=self._found.disabled,
            skipped=self._found.skipped,
            unserved=self._unserved,
            unreadable_files=tuple(sorted(self._contents.unreadable)),
            torn_files=tuple(sorted(self._contents.torn)),
            problems=tuple(problems),
            warnings=(
                *self._warnings,
                *self._no_block(),
                *(each for each in advice if each.severity == "warning"),
                *about_hindrances(self._definitions),
            ),
        )

    def _collections(self) -> Iterator[Collection]:
        """The collections that take part; `untold` says why Kometa cannot be asked for one by name."""
        why = untold(self._definitions)
        for each in self._served:
            reason = why.get(named(each))
            yield msgspec.structs.replace(each, untold=reason) if reason else each

    def _no_block(self) -> Iterator[Problem]:
        contents = self._contents
        if not (contents.claims or contents.misplaced or contents.faults or contents.unreadable):
            yield Problem(
                what="no file in Kometa's folder holds a block.",
                remedy=f"Write one above a collection; it begins with `{BEGIN}`.",
                source="CONFIG_DIR",
                severity="warning",
            )


def _with_unserved(folder: Folder) -> Folder:
    """The folder with warnings about collections of a kind that has no library.

    They are left out while corrections are tried: a correct block that has no library is no worse than a broken one.
    """
    return msgspec.structs.replace(folder, warnings=(*folder.warnings, *about_unserved(folder.unserved)))


def _as_faults(problems: Iterable[Problem]) -> list[Fault]:
    return [Fault(problem) for problem in problems]


def _together(*parts: Contents) -> Contents:
    contents = Contents()
    for part in parts:
        contents.add(part)
    return contents


def _start_of(source: str) -> str:
    return source.rpartition("/")[2][0]


def _no_folder(path: Path) -> FixConfiguration:
    shown = beginning(str(path), _LONGEST_PATH)
    if os.path.exists(path):  # noqa: PTH110 - as above
        what = f"{shown} is not a folder."
    else:
        what = f"there is no folder {shown}, or it may not be looked into."
    remedy = "Set CONFIG_DIR to the folder that holds Kometa's config.yml; in Docker, mount that folder there."
    return FixConfiguration("Kometa's folder cannot be read.", [Problem(what=what, remedy=remedy, source="CONFIG_DIR")])


def _checked_for_syntax(files: Iterable[TextFile]) -> Iterator[TextFile]:
    """The files without a block that are checked for YAML errors, up to a limit of text."""
    left = _CHECKED_FOR_SYNTAX
    for file in files:
        if len(file.text) <= left:
            left -= len(file.text)
            yield file


def _check_syntax(file: TextFile) -> Contents:
    """Report a file that Kometa cannot load, although it holds no block.

    It does not count as unreadable, but may have lost the block that it once held.
    """
    contents = Contents()
    try:
        load(file.text)
    except BrokenYaml as error:
        contents.refused.append(broken_file(file, error))
        contents.torn.append(file.source)
    return contents


def _of_no_library(problem: Problem) -> Problem:
    """The hint for a file that Kometa does not load; it would be a problem if Kometa loaded it."""
    what = f"{problem.what} Kometa does not load it, so it is passed over."
    return msgspec.structs.replace(problem, what=what, severity="hint")
