"""Read Kometa's folder: every block in every file, put together into collections. Files are only ever read."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, Folder, OtherCollection
from kometa_ai.core.naming import LONGEST_SLUG, label_of, slug_of, tag_of
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.advice import advise
from kometa_ai.kometa.beside import Beside
from kometa_ai.kometa.blocks import find_blocks
from kometa_ai.kometa.configuration import is_configuration
from kometa_ai.kometa.document import load, read_document
from kometa_ai.kometa.files import Found, TextFile, read_files
from kometa_ai.kometa.hindrances import about_hindrances, definitions_of, hints_of, untold
from kometa_ai.kometa.libraries import hints
from kometa_ai.kometa.markers import BEGIN, MARKER_TEXT
from kometa_ai.kometa.parser import parse_block
from kometa_ai.kometa.proof import Proof, View
from kometa_ai.kometa.reading import Place, Reading
from kometa_ai.kometa.refusals import BrokenYaml
from kometa_ai.kometa.setup import Setup, may_be_beside
from kometa_ai.kometa.shelves import Shelves

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kometa_ai.kometa.document import Key

_LONGEST_PATH = 300

_CHECKED_FOR_SYNTAX = 256 * 1024
"""How much YAML that holds no block is checked in a run: YAML in pure Python takes a second for 200 kB."""


class _Claim(msgspec.Struct, frozen=True):
    """That a name is a collection of ours, made by a block at one place. `usable` is False where it cannot be read."""

    name: str
    source: str
    line: int
    says: Collection | OtherCollection
    usable: bool

    @property
    def where(self) -> str:
        return f"{self.source}:{self.line}"

    @property
    def takes_part(self) -> bool:
        """Whether the collection is on, or might be: its block cannot be read."""
        return isinstance(self.says, Collection) or not self.usable

    def rules(self) -> Hashable:
        """What has to be the same in every file."""
        return (self.says.block_hash, self.says.priority) if isinstance(self.says, Collection) else None

    def problem(self, what: str, remedy: str) -> Problem:
        return Problem(what=what, remedy=remedy, source=self.source, line=self.line, collection=self.name)


class _Findings(msgspec.Struct):
    """What one file said, or all of them together."""

    claims: list[_Claim] = []
    misplaced: dict[str, OtherCollection] = {}
    readings: list[Reading] = []
    unreadable: list[str] = []
    problems: list[Problem] = []
    broken: list[str] = []

    def add(self, other: _Findings) -> None:
        """Take in what another file said."""
        self.claims += other.claims
        self.misplaced |= other.misplaced
        self.readings += other.readings
        self.unreadable += other.unreadable
        self.problems += other.problems
        self.broken += other.broken


def read_folder(path: Path) -> Folder:
    """Read every `.yml` and `.yaml` below this folder, whose names do not begin with `_` or `.`.

    Problems skip what they touch and nothing else. Raise FixConfiguration if there is no such folder.
    """
    found = _examine(path).folder()
    return msgspec.structs.replace(
        found, problems=_without_lines(found.problems), warnings=_without_lines(found.warnings), hints=()
    )


def _without_lines(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems as they go into reports, which are kept and sent: a line of a file may hold a secret."""
    return tuple(msgspec.structs.replace(problem, correction=None) for problem in problems)


def examine_folder(path: Path, *, radarr_url: str = "") -> Folder:
    """The same with everything that helps to mend it: corrections, and hints such as another Radarr than this one.

    What it returns is for whoever edits these files, and has to be cleared of secrets before it is shown.
    """
    return _examine(path, radarr_url).proven()


def _examine(path: Path, radarr_url: str = "") -> _Examination:
    # Not Path.is_dir(), which raises what this leaves out: no right to look there, a name too long.
    if not os.path.isdir(path):  # noqa: PTH112
        raise _no_folder(path)
    return _Examination(read_files(path), radarr_url)


class _Examination:
    """Reads the files that were found, and reads one of them again as a correction would leave it."""

    def __init__(self, found: Found, radarr_url: str) -> None:
        self._radarr_url = radarr_url
        self._texts = {file.source: file.text for file in (*found.files, *found.others)}
        configurations = [file for file in found.others if may_be_beside(file.source, file.text)]
        others = [file for file in found.others if file not in configurations]
        self._beside = Beside({file.source: file.text for file in others})
        self._parts: dict[str, _Findings] = {}
        for file in (*found.files, *configurations):
            self._parts[file.source] = _read_file(file)
        for file in _checked_for_syntax(others):
            self._parts[file.source] = _check_syntax(file)
        self._unread = _Findings(unreadable=found.unreadable, problems=found.problems)

    def folder(self) -> Folder:
        """What the files say; each correction is a proposal."""
        return self._put_together(self._parts)

    def proven(self) -> Folder:
        """The same with the corrections that are right."""
        readings = {source: reading for source, part in self._parts.items() for reading in part.readings}
        return Proof(self.folder(), self._texts, readings, self._read_again).proven()

    def _read_again(self, source: str, text: str) -> View:
        file = TextFile(source, text)
        is_beside = source in self._beside.sources
        part = _check_syntax(file) if is_beside else _read_file(file)
        reading = part.readings[0] if part.readings else None
        return View(self._put_together({**self._parts, source: part}), reading)

    def _put_together(self, parts: Mapping[str, _Findings]) -> Folder:
        findings = _Findings()
        for part in (self._unread, *parts.values()):
            findings.add(part)
        return _put_together(findings, self._beside, self._radarr_url)


def _no_folder(path: Path) -> FixConfiguration:
    shown = str(path)[:_LONGEST_PATH]
    if os.path.exists(path):  # noqa: PTH110 - as above
        what = f"{shown} is not a folder."
    else:
        what = f"there is no folder {shown}, or it may not be looked into."
    remedy = "Set CONFIG_DIR to the folder that holds Kometa's config.yml; in Docker, mount that folder there."
    return FixConfiguration("Kometa's folder cannot be read.", [Problem(what=what, remedy=remedy, source="CONFIG_DIR")])


def _broken_file(file: TextFile, error: BrokenYaml) -> Problem:
    if is_configuration(file.source, file.text):
        return _broken_configuration(file, error)
    return Problem(
        what=f"the file cannot be read: {error.reason}.",
        remedy=error.remedy,
        source=file.source,
        line=error.line or None,
        column=error.column or None,
        correction=error.correction,
    )


def _broken_configuration(file: TextFile, error: BrokenYaml) -> Problem:
    """The same of a file that holds passwords: nothing of its text is repeated, and no line of it is rewritten."""
    fixed = error.repeats_nothing
    return Problem(
        what=f"the file cannot be read: {error.reason if fixed else 'YAML refuses it here'}.",
        remedy=error.remedy if fixed else "Correct the line, or the one above it; Kometa cannot load the file, either.",
        source=file.source,
        line=error.line or None,
        column=error.column or None,
    )


def _read_file(file: TextFile) -> _Findings:
    findings = _Findings()
    try:
        document = read_document(file.text)
    except BrokenYaml as error:
        findings.problems.append(_broken_file(file, error))
        if may_be_beside(file.source, file.text):
            findings.broken.append(file.source)
        if MARKER_TEXT.search(file.text):
            findings.unreadable.append(file.source)
        return findings
    blocks = find_blocks(document, file.source)
    findings.problems += blocks.problems
    findings.misplaced |= {key.name: _without_block(key, file.source) for key in blocks.misplaced}
    findings.claims += [_spoiled(key, file.source) for key in blocks.spoiled]
    places = []
    for key, block in blocks.bound:
        parsed = parse_block(key.name, block, file.source)
        findings.problems += parsed.problems
        usable = not parsed.problems
        findings.claims.append(_Claim(key.name, file.source, block.line, parsed.collection, usable))
        places.append(Place(key=key, block=block, collection=parsed.collection))
    findings.readings.append(Reading(source=file.source, document=document, places=tuple(places)))
    return findings


def _checked_for_syntax(files: Iterable[TextFile]) -> Iterator[TextFile]:
    """Files that hold nothing of ours: the first that can be read quickly."""
    left = _CHECKED_FOR_SYNTAX
    for file in files:
        if len(file.text) <= left:
            left -= len(file.text)
            yield file


def _check_syntax(file: TextFile) -> _Findings:
    """Report a file that Kometa cannot load, though it holds nothing of ours.

    Such a file can hide no collection, so it is not counted among the unreadable ones.
    """
    findings = _Findings()
    try:
        load(file.text)
    except BrokenYaml as error:
        findings.problems.append(_broken_file(file, error))
    return findings


def _spoiled(key: Key, source: str) -> _Claim:
    return _Claim(key.name, source, key.line, _without_block(key, source), usable=False)


def _without_block(key: Key, source: str) -> OtherCollection:
    """A collection whose block cannot be used: nothing is known of it but its name."""
    slug = slug_of(key.name)
    return OtherCollection(name=key.name, slug=slug, label=label_of(tag_of(slug)), source=source, line=key.line)


def _put_together(findings: _Findings, beside: Beside, radarr_url: str) -> Folder:
    by_name: dict[str, list[_Claim]] = defaultdict(list)
    for claim in findings.claims:
        by_name[claim.name].append(claim)
    problems = [*findings.problems, *_different_blocks(by_name), *_unusable_slugs(by_name), *_same_tags(by_name)]
    touched = {problem.collection for problem in problems}
    touched |= {claim.name for claim in findings.claims if not claim.usable}
    collections, disabled, skipped = [], [], []
    for name, (first, *_) in by_name.items():
        if name in touched:
            skipped.append(_other(first.says))
        elif isinstance(first.says, Collection):
            collections.append(first.says)
        else:
            disabled.append(first.says)
    skipped += [other for name, other in findings.misplaced.items() if name not in by_name]
    collections.sort(key=lambda collection: (-collection.priority, collection.name))
    setup = Setup(findings.readings, beside, findings.broken)
    shelves = Shelves(findings.readings, setup, beside)
    names = {collection.name for collection in collections}
    definitions = definitions_of(findings.readings, names, setup, shelves)
    by_name_only = untold(definitions)
    collections = [
        msgspec.structs.replace(each, untold=by_name_only[each.name]) if each.name in by_name_only else each
        for each in collections
    ]
    problems.sort(key=lambda problem: (problem.source, problem.line or 0))
    advice = advise(findings.readings, collections, [*disabled, *skipped], setup, shelves)
    return Folder(
        collections=tuple(collections),
        disabled=tuple(sorted(disabled, key=lambda other: other.name)),
        skipped=tuple(sorted(skipped, key=lambda other: other.name)),
        unreadable_files=tuple(sorted(findings.unreadable)),
        problems=tuple(problems),
        warnings=(
            *_no_block(findings),
            *(each for each in advice if each.severity == "warning"),
            *about_hindrances(definitions),
        ),
        hints=(
            *hints(setup, findings.readings, names, radarr_url),
            *(each for each in advice if each.severity == "hint"),
            *hints_of(definitions),
        ),
    )


def _other(says: Collection | OtherCollection) -> OtherCollection:
    if isinstance(says, OtherCollection):
        return says
    return OtherCollection(name=says.name, slug=says.slug, label=says.label, source=says.source, line=says.line)


def _different_blocks(by_name: dict[str, list[_Claim]]) -> Iterator[Problem]:
    for claims in by_name.values():
        usable = [claim for claim in claims if claim.usable]
        if len({claim.rules() for claim in usable}) > 1:
            for claim in usable:
                others = _places(other for other in usable if other is not claim)
                what = f"this block differs from the one of the same collection in {others}."
                yield claim.problem(what, "Keep one of them; the other places need none.")


def _unusable_slugs(by_name: dict[str, list[_Claim]]) -> Iterator[Problem]:
    for claims in by_name.values():
        for claim in claims:
            if claim.takes_part and not claim.says.slug:
                what = "no tag can be made of the name: it holds no letter or digit."
                remedy = "Give it a name with letters, and below it `name:` with the title that Plex is to show."
                yield claim.problem(what, remedy)
            elif claim.takes_part and len(claim.says.slug) > LONGEST_SLUG:
                what = f"its name makes a tag of {len(claim.says.slug):,} characters."
                remedy = "Give it a shorter name, and below it `name:` with the title that Plex is to show."
                yield claim.problem(what, remedy)


def _same_tags(by_name: dict[str, list[_Claim]]) -> Iterator[Problem]:
    """Two names with one slug share their decisions, and two with one label their tag: neither can be kept right."""
    active = [claim for claims in by_name.values() for claim in claims if claim.takes_part and claim.says.slug]
    for claim in active:
        others = [other for other in active if other.name != claim.name and _collide(claim, other)]
        if others:
            what = f"its tag {claim.says.label} is also that of {_named_places(others)}."
            yield claim.problem(what, "Rename one of the collections, or switch one of the blocks off.")


def _collide(one: _Claim, other: _Claim) -> bool:
    return one.says.slug == other.says.slug or one.says.label == other.says.label


def _places(claims: Iterable[_Claim]) -> str:
    return ", ".join(claim.where for claim in claims)


def _named_places(claims: Sequence[_Claim]) -> str:
    return ", ".join(f"{claim.name!r} ({claim.where})" for claim in claims)


def _no_block(findings: _Findings) -> Iterator[Problem]:
    if not (findings.claims or findings.misplaced or findings.problems):
        yield Problem(
            what="no file in Kometa's folder holds a block.",
            remedy=f"Write one above a collection; it begins with `{BEGIN}`.",
            source="CONFIG_DIR",
            severity="warning",
        )
