"""Read one of Kometa's files: its YAML, its blocks, and what each block says of its collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import label_of, slug_of, tag_of
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.blocks import Block, find_blocks
from kometa_ai.kometa.configuration import is_configuration, may_list_libraries
from kometa_ai.kometa.document import Document, Key, read_document
from kometa_ai.kometa.faults import Fault
from kometa_ai.kometa.markers import LIKE_A_MARKER
from kometa_ai.kometa.parser import parse_block
from kometa_ai.kometa.refusals import BrokenYaml

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.files import TextFile


class Place(msgspec.Struct, frozen=True):
    """A block, the key that it stands above, and what the block says.

    `media` is the kind that the block names, if it does. `lines` are the lines of the block's keys in the file.
    """

    key: Key
    block: Block
    collection: Collection | OtherCollection
    media: Kind | None = None
    lines: Mapping[str, int] = {}


class Reading(msgspec.Struct, frozen=True):
    """One file as it was read, with its blocks."""

    source: str
    document: Document
    places: tuple[Place, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """A block's claim to a collection, at one place. `usable` is False if the block cannot be used.

    `kinds` are the kinds of which the collection is, or may be. `key` is where the collection stands. `place` is
    None if the block cannot be read at all.
    """

    name: str
    source: str
    line: int
    says: Collection | OtherCollection
    usable: bool
    key: Key
    place: Place | None = None
    kinds: tuple[Kind, ...] = ("movie",)

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.source}:{self.line}"

    @property
    def takes_part(self) -> bool:
        """Whether the collection is on, or may be on because its block cannot be read."""
        return isinstance(self.says, Collection) or not self.usable

    def rules(self) -> Hashable:
        """What has to be the same in every file."""
        return (self.says.block_hash, self.says.priority) if isinstance(self.says, Collection) else None

    def fault(self, what: str, remedy: str) -> Fault:
        """A fault of this block."""
        return Fault(Problem(what=what, remedy=remedy, source=self.source, line=self.line, collection=self.name))


class Contents(msgspec.Struct):
    """What one file says, or several of them together.

    `misplaced` claim collections with a block inside their definition. Files in `unreadable` may hold a block; those in
    `torn` cannot be parsed and show none; those in `broken` may be configurations. `refused` are faults of files that
    hold no block, which Kometa may not load at all.
    """

    claims: list[Claim] = []
    misplaced: list[Claim] = []
    readings: list[Reading] = []
    unreadable: list[str] = []
    torn: list[str] = []
    faults: list[Fault] = []
    refused: list[Fault] = []
    broken: list[str] = []

    def add(self, other: Contents) -> None:
        """Add what another file says."""
        self.claims += other.claims
        self.misplaced += other.misplaced
        self.readings += other.readings
        self.unreadable += other.unreadable
        self.torn += other.torn
        self.faults += other.faults
        self.refused += other.refused
        self.broken += other.broken


def read_file(file: TextFile) -> Contents:
    """Read a file. Faults are returned, never raised."""
    contents = Contents()
    try:
        document = read_document(file.text)
    except BrokenYaml as error:
        holds_marker = bool(LIKE_A_MARKER.search(file.text))
        may_be_known = may_list_libraries(file.source, file.text)
        (contents.faults if holds_marker or may_be_known else contents.refused).append(broken_file(file, error))
        if may_be_known:
            contents.broken.append(file.source)
        (contents.unreadable if holds_marker else contents.torn).append(file.source)
        return contents
    blocks = find_blocks(document, file.source)
    contents.faults += blocks.faults
    contents.misplaced += [_spoiled(key, file.source) for key in blocks.misplaced]
    contents.claims += [_spoiled(key, file.source) for key in blocks.spoiled]
    places = []
    for key, block in blocks.bound:
        parsed = parse_block(key.name, block, file.source)
        contents.faults += parsed.faults
        place = Place(key=key, block=block, collection=parsed.collection, media=parsed.media, lines=parsed.lines)
        usable = not parsed.faults
        contents.claims.append(Claim(key.name, file.source, block.line, parsed.collection, usable, key, place))
        places.append(place)
    contents.readings.append(Reading(source=file.source, document=document, places=tuple(places)))
    return contents


def broken_file(file: TextFile, error: BrokenYaml) -> Fault:
    """The fault of a file whose YAML is refused."""
    may_be_shown = not is_configuration(file.source, file.text)
    reason, remedy = error.reason, error.remedy
    if not may_be_shown and not error.repeats_nothing:
        # The file holds passwords: do not repeat its text, and do not rewrite its lines.
        reason = "YAML refuses it here"
        remedy = "Correct the line, or the one above it; Kometa cannot load the file, either."
    problem = Problem(
        what=f"the file cannot be read: {reason}.",
        remedy=remedy,
        source=file.source,
        line=error.line or None,
        column=error.column or None,
    )
    return Fault(problem, error if may_be_shown else None)


def _spoiled(key: Key, source: str) -> Claim:
    return Claim(key.name, source, key.line, _without_block(key, source), usable=False, key=key)


def _without_block(key: Key, source: str) -> OtherCollection:
    """A collection whose block cannot be used: only its name is known."""
    slug = slug_of(key.name)
    return OtherCollection(name=key.name, slug=slug, label=label_of(tag_of(slug)), source=source, line=key.line)
