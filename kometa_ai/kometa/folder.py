"""Read Kometa's folder: every block in every file, put together into collections. Files are only ever read."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, Folder, OtherCollection
from kometa_ai.core.naming import LONGEST_SLUG, label_of, slug_of, tag_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.text import beginning
from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.blocks import find_blocks
from kometa_ai.kometa.checking.advice import advise
from kometa_ai.kometa.checking.beside import Beside
from kometa_ai.kometa.checking.config_yml import Setup
from kometa_ai.kometa.checking.hindrances import about_hindrances, definitions_of, hints_of, untold
from kometa_ai.kometa.checking.plex_libraries import hints
from kometa_ai.kometa.checking.proof import Proof, View
from kometa_ai.kometa.checking.shelves import Shelves
from kometa_ai.kometa.configuration import MAIN, is_configuration, may_list_libraries
from kometa_ai.kometa.document import load, read_document
from kometa_ai.kometa.files import LIMITS, Found, Limits, TextFile, holds_block, read_files
from kometa_ai.kometa.markers import BEGIN, LIKE_A_MARKER
from kometa_ai.kometa.parser import parse_block
from kometa_ai.kometa.reading import Place, Reading
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kometa_ai.kometa.document import Key

_LONGEST_PATH = 300
_FEW = 3

_MOST_TOKENS = 1_000_000
"""Keys, values and brackets of all files together: each takes half a kilobyte of memory."""

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
    refused: list[Problem] = []  # of files without a block, which Kometa may not even load
    broken: list[str] = []

    def add(self, other: _Findings) -> None:
        """Take in what another file said."""
        self.claims += other.claims
        self.misplaced |= other.misplaced
        self.readings += other.readings
        self.unreadable += other.unreadable
        self.problems += other.problems
        self.refused += other.refused
        self.broken += other.broken


def read_folder(path: Path, limits: Limits = LIMITS) -> Folder:
    """Read every `.yml` and `.yaml` below this folder, whose names do not begin with `_` or `.`.

    Problems skip what they touch and nothing else; what lies beyond the limits is named, and the rest is read. Raise
    FixConfiguration if there is no such folder.
    """
    found = _examine(path, "", limits).folder()
    return msgspec.structs.replace(
        found, problems=_without_lines(found.problems), warnings=_without_lines(found.warnings), hints=()
    )


def _without_lines(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems as they go into reports, which are kept and sent: a line of a file may hold a secret."""
    return tuple(msgspec.structs.replace(problem, correction=None) for problem in problems)


def examine_folder(path: Path, *, radarr_url: str = "", limits: Limits = LIMITS) -> Folder:
    """The same with everything that helps to correct it: corrections, and hints such as another Radarr than this one.

    What it returns is for whoever edits these files, and has to be cleared of secrets before it is shown.
    """
    examination = _examine(path, radarr_url, limits)
    found = examination.proven()
    return msgspec.structs.replace(found, hints=(*found.hints, *examination.passed_over(path)))


def _examine(path: Path, radarr_url: str, limits: Limits) -> _Examination:
    # Not Path.is_dir(), which raises what this leaves out: no right to look there, a name too long.
    if not os.path.isdir(path):  # noqa: PTH112
        raise _no_folder(path)
    return _Examination(read_files(path, limits), radarr_url, limits)


class _Examination:
    """Reads the files that were found, and reads one of them again as a correction would leave it."""

    def __init__(self, found: Found, radarr_url: str, limits: Limits) -> None:
        self._radarr_url = radarr_url
        self._found = found
        self._texts = {file.source: file.text for file in (*found.files, *found.others)}
        by_kind: dict[bool, list[TextFile]] = {True: [], False: []}
        for file in found.others:
            by_kind[may_list_libraries(file.source, file.text)].append(file)
        configurations, others = by_kind[True], by_kind[False]
        self._beside = Beside({file.source: file.text for file in others})
        self._unread = _Findings(unreadable=found.unreadable, problems=found.problems, refused=found.refused)
        self._parts = self._read([*found.files, *configurations], limits)
        self._loaded = self._known_to_be_loaded()
        if self._loaded is not None:
            others = [file for file in others if file.source in self._loaded]
        self._parts |= {file.source: _check_syntax(file) for file in _checked_for_syntax(others)}

    def _read(self, files: Sequence[TextFile], limits: Limits) -> dict[str, _Findings]:
        """What each of the files says, in their order; Kometa's own configuration is read before time is up."""
        ends = time.monotonic() + limits.seconds
        tokens, read, left = _MOST_TOKENS, {}, []
        for file in sorted(files, key=lambda file: file.source not in MAIN):
            if tokens < 0 or time.monotonic() > ends:
                left.append(file.source)
                continue
            read[file.source] = part = _read_file(file)
            tokens -= sum(reading.document.size for reading in part.readings)
        if left:
            shown = ", ".join(left[:_FEW]) + (f" and {len(left) - _FEW:,} more" if len(left) > _FEW else "")
            what = f"Kometa's folder is not read to its end, since there is too much YAML: {shown}."
            self._found.cut(what, "Keep in it what is Kometa's only.", unseen=left)
        return {file.source: read[file.source] for file in files if file.source in read}

    def _known_to_be_loaded(self) -> frozenset[str] | None:
        """Which of all files Kometa loads; None where its configurations do not tell."""
        findings = _together(self._unread, *self._parts.values())
        setup = Setup(findings.readings, self._beside, findings.broken)
        if not setup.is_known:
            return None
        sources = {*self._texts, *self._found.passed_over, *(problem.source for problem in findings.refused)}
        return setup.named(sources)

    def passed_over(self, root: Path) -> Iterator[Problem]:
        """A hint for each file that Kometa loads, and this program does not, though it holds a block."""
        for source in self._found.passed_over:
            if (self._loaded is None or source in self._loaded) and holds_block(root / source):
                what = f"the file holds a block, but is passed over, since its name begins with `{_start_of(source)}`."
                yield Problem(
                    what=what,
                    remedy="Give it another name here and in Kometa's config.yml, if its collections are to take part.",
                    source=source,
                    severity="hint",
                )

    def folder(self) -> Folder:
        """What the files say; each correction is a proposal."""
        return self._put_together(self._parts)

    def proven(self) -> Folder:
        """The same with the corrections that are right."""
        readings = {source: reading for source, part in self._parts.items() for reading in part.readings}
        return Proof(self.folder(), self._texts, readings, self._read_again).proven()

    def _read_again(self, texts: Mapping[str, str]) -> View:
        parts = {}
        for source, text in texts.items():
            file = TextFile(source, text)
            parts[source] = _check_syntax(file) if source in self._beside.sources else _read_file(file)
        readings = {source: reading for source, part in parts.items() for reading in part.readings}
        return View(self._put_together({**self._parts, **parts}), readings)

    def _put_together(self, parts: Mapping[str, _Findings]) -> Folder:
        findings = _together(self._unread, *parts.values())
        folder = _put_together(findings, self._beside, self._radarr_url, self._loaded)
        return msgspec.structs.replace(folder, warnings=(*self._found.warnings, *folder.warnings))


def _together(*parts: _Findings) -> _Findings:
    findings = _Findings()
    for part in parts:
        findings.add(part)
    return findings


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
        holds_marker = bool(LIKE_A_MARKER.search(file.text))
        is_known = holds_marker or may_list_libraries(file.source, file.text)
        (findings.problems if is_known else findings.refused).append(_broken_file(file, error))
        if may_list_libraries(file.source, file.text):
            findings.broken.append(file.source)
        if holds_marker:
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
        findings.refused.append(_broken_file(file, error))
    return findings


def _spoiled(key: Key, source: str) -> _Claim:
    return _Claim(key.name, source, key.line, _without_block(key, source), usable=False)


def _without_block(key: Key, source: str) -> OtherCollection:
    """A collection whose block cannot be used: nothing is known of it but its name."""
    slug = slug_of(key.name)
    return OtherCollection(name=key.name, slug=slug, label=label_of(tag_of(slug)), source=source, line=key.line)


def _put_together(findings: _Findings, beside: Beside, radarr_url: str, loaded: frozenset[str] | None) -> Folder:
    """All of it as a folder; `loaded` are the files that Kometa loads, as far as that can be told."""
    refused = [problem for problem in findings.refused if loaded is None or problem.source in loaded]
    others = [problem for problem in findings.refused if loaded is not None and problem.source not in loaded]
    findings.problems += refused
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
            *map(_of_no_library, others),
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
                others = _some(other.where for other in usable if other is not claim)
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
    by_slug: dict[str, dict[str, _Claim]] = defaultdict(dict)
    by_label: dict[str, dict[str, _Claim]] = defaultdict(dict)
    for claim in active:
        by_slug[claim.says.slug].setdefault(claim.name, claim)
        by_label[claim.says.label].setdefault(claim.name, claim)
    for claim in active:
        same = by_slug[claim.says.slug], by_label[claim.says.label]
        others = _some(f"{name!r} ({other.where})" for name, other in _others(claim, *same))
        if others:
            what = f"its tag {claim.says.label} is also that of {others}."
            yield claim.problem(what, "Rename one of the collections, or switch one of the blocks off.")


def _others(claim: _Claim, *groups: Mapping[str, _Claim]) -> Iterator[tuple[str, _Claim]]:
    """The claims that share something with this one, but for those of its own name; each name once."""
    seen = {claim.name}
    for group in groups:
        for name, other in group.items():
            if name not in seen:
                seen.add(name)
                yield name, other


def _some(texts: Iterable[str]) -> str:
    """The first few: of thousands, each would name all others."""
    shown = list(islice(texts, _FEW + 1))
    return ", ".join(shown[:_FEW]) + (" and others" if len(shown) > _FEW else "")


def _of_no_library(problem: Problem) -> Problem:
    """What would be a problem if Kometa loaded the file."""
    what = f"{problem.what} Kometa does not load it, so it is passed over."
    return msgspec.structs.replace(problem, what=what, severity="hint", correction=None)


def _no_block(findings: _Findings) -> Iterator[Problem]:
    if not (findings.claims or findings.misplaced or findings.problems or findings.unreadable):
        yield Problem(
            what="no file in Kometa's folder holds a block.",
            remedy=f"Write one above a collection; it begins with `{BEGIN}`.",
            source="CONFIG_DIR",
            severity="warning",
        )
