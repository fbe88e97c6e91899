"""Warn where Kometa would not do what the blocks are written for.

Kometa reads an attribute's name without case, a list of tags as a list or cut at commas, and compares labels without
case. What a template brings in is looked up where the template stands in the same file; else the warning says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import PREFIX, Label, label_of
from kometa_ai.core.problem import Problem
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.document import INVISIBLE_BREAK, Document, Key, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TAGLIST = "radarr_taglist"
_SYNC = "sync_mode"
_VARIABLE = re.compile(r"<<\s*([^<>]+?)\s*>>")


class Place(msgspec.Struct, frozen=True):
    """A block, the key that it stands above, and what it says."""

    key: Key
    block: Block
    collection: Collection | OtherCollection


class Reading(msgspec.Struct, frozen=True):
    """One file as it was read, with its blocks."""

    source: str
    document: Document
    places: tuple[Place, ...] = ()


class _Attribute(msgspec.Struct, frozen=True):
    """An attribute of a collection: its value and the line where it stands (None: in a template)."""

    value: Any
    line: int | None


def advise(
    readings: Sequence[Reading], collections: Sequence[Collection], others: Sequence[OtherCollection]
) -> tuple[Problem, ...]:
    """Every warning about these files, in order of file and line. `others` keep their tags, so theirs count, too."""
    names = {collection.name for collection in collections}
    labels = {collection.label for collection in collections} | {other.label for other in others}
    synced = any(_syncs_everything(reading.document.data) for reading in readings)
    warnings = list(_about_references(collections, others))
    for reading in readings:
        warnings += _about_tag_writers(reading, labels)
        for place in reading.places:
            if isinstance(place.collection, Collection) and place.collection.name in names:
                warnings += _Advisor(reading, place, place.collection, synced=synced).warnings()
    return tuple(sorted(warnings, key=lambda warning: (warning.source, warning.line or 0)))


class _Advisor:
    """Looks at one collection's definition."""

    def __init__(self, reading: Reading, place: Place, collection: Collection, *, synced: bool) -> None:
        self._source = reading.source
        self._document = reading.document
        self._place = place
        self._collection = collection
        self._synced = synced
        root: Any = reading.document.data  # a mapping with `collections`, or there would be no key
        self._body = root["collections"].get(place.key.value)
        self._templates = root.get("templates")

    def warnings(self) -> Iterator[Problem]:
        yield from self._about_name()
        yield from self._about_comments()
        if not isinstance(self._body, dict):
            yield self._warn("Kometa skips it: there is nothing below its name.", f"Write {self._paste()} below it.")
            return
        taglist, sync = self._attribute(_TAGLIST), self._attribute(_SYNC)
        unseen = ", ".join(self._unseen_templates())
        wants_sync = not self._synced and sync is None
        if unseen and (taglist is None or wants_sync):
            what = f"its template {unseen} stands in another file, so it cannot be seen what Kometa will do."
            yield self._warn(what, f"Make sure that the template sets {self._paste()}.")
            return
        yield from self._about_taglist(taglist)
        if wants_sync:
            what = "Kometa never removes a movie from the collection: `sync_mode: sync` is missing."
            yield self._warn(what, "Write `sync_mode: sync` below its name.")
        elif sync is not None:
            yield from self._about_sync(sync)

    def _about_taglist(self, taglist: _Attribute | None) -> Iterator[Problem]:
        tag = self._collection.tag
        remedy = f"Write `{_TAGLIST}: {tag}` below its name."
        if taglist is None:
            yield self._warn(f"Kometa does not look for its tag: `{_TAGLIST}` is missing.", remedy)
        elif _VARIABLE.search(str(taglist.value)):
            return
        elif not (found := _labels(taglist.value)):
            what = f"`{_TAGLIST}` is empty: Kometa takes every movie that has no tag at all."
            yield self._warn(what, f"Write `{_TAGLIST}: {tag}`.", taglist.line)
        elif self._collection.label not in found:
            what = f"`{_TAGLIST}` is {', '.join(found) or 'empty'}, but its tag is {tag}."
            yield self._warn(what, f"Write `{_TAGLIST}: {tag}`.", taglist.line)

    def _about_sync(self, sync: _Attribute) -> Iterator[Problem]:
        mode = str(sync.value or "").strip().lower()
        if mode != "sync" and not _VARIABLE.search(mode):
            what = f"Kometa never removes a movie from the collection: `sync_mode` is {mode or 'empty'}."
            yield self._warn(what, "Write `sync_mode: sync`.", sync.line)

    def _about_name(self) -> Iterator[Problem]:
        if not self._place.key.is_text:
            what = f"its name is no text for YAML; Kometa calls the collection {self._collection.name!r}."
            yield self._warn(what, 'Put the name in quotes, e.g. `"1917":`.')

    def _about_comments(self) -> Iterator[Problem]:
        block, key = self._place.block, self._place.key
        for line, text in enumerate(block.body, start=block.line + 1):
            if found := INVISIBLE_BREAK.search(text):
                what = f"the line holds the invisible character U+{ord(found[0]):04X}, which ends a comment for YAML."
                yield self._warn(what, "Type the line anew: a further change may make Kometa refuse the file.", line)
        between = range(block.end + 1, key.line)
        commented_out = [line for line in between if self._document.lines[line - 1].rstrip().endswith(":")]
        if commented_out:
            what = "between its block and its name stands what looks like another collection, commented out."
            yield self._warn(what, "If the block belongs to that one, comment it out, too.", commented_out[0])

    def _attribute(self, name: str) -> _Attribute | None:
        """The value in the collection itself, else in its templates of this file."""
        if (own := _find(self._body, name)) is not None:
            return _Attribute(self._body[own], line_of(self._body, own) or self._place.key.line)
        for call, template in self._template_calls():
            if isinstance(template, dict) and (key := _find(template, name)) is not None:
                return _Attribute(self._substitute(template[key], call, template.get("default")), None)
        return None

    def _template_calls(self) -> Iterator[tuple[Mapping[Any, Any], object]]:
        """Each use of a template with the template: None if it is not in this file."""
        key = _find(self._body, "template")
        used = self._body[key] if key is not None else []
        named = {str(name): body for name, body in self._templates.items()} if isinstance(self._templates, dict) else {}
        for call in used if isinstance(used, list) else [used]:
            if isinstance(call, dict):
                yield call, named.get(str(call.get("name")))

    def _unseen_templates(self) -> list[str]:
        return [str(call.get("name")) for call, template in self._template_calls() if template is None]

    def _substitute(self, value: object, call: Mapping[Any, Any], default: object) -> object:
        """The value with the variables that are plain to see; the others stay."""
        if not isinstance(value, str):
            return value
        known = {**(default if isinstance(default, dict) else {}), "collection_name": self._collection.name, **call}

        def text(found: re.Match[str]) -> str:
            return str(known.get(found[1], found[0]))

        return _VARIABLE.sub(text, value)

    def _paste(self) -> str:
        return f"`{_TAGLIST}: {self._collection.tag}` and `sync_mode: sync`"

    def _warn(self, what: str, remedy: str, line: int | None = None) -> Problem:
        return _warning(what, remedy, self._source, line or self._place.key.line, self._collection.name)


def _warning(what: str, remedy: str, source: str, line: int | None, collection: str = "") -> Problem:
    return Problem(what=what, remedy=remedy, source=source, line=line, collection=collection, severity="warning")


def _find(mapping: Mapping[Any, Any], name: str) -> object:
    """The key that spells this attribute, in whatever case."""
    return next((key for key in mapping if str(key).lower() == name), None)


def _labels(value: object) -> list[Label]:
    """Tags as Kometa reads them: a list as it is, anything else as text cut at commas."""
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    return [label_of(str(part)) for part in parts]


def _syncs_everything(data: object) -> bool:
    """Whether this is Kometa's config.yml, and makes `sync` the default of every collection."""
    settings = data.get("settings") if isinstance(data, dict) else None
    return isinstance(settings, dict) and str(settings.get(_SYNC)).lower() == "sync"


def _about_tag_writers(reading: Reading, labels: set[Label]) -> Iterator[Problem]:
    """Attributes and operations that take our tags away, or movies because of them, anywhere in a file."""
    for mapping in _mappings(reading.document.data):
        for key, value in mapping.items():
            attribute = str(key).lower()
            touched = ", ".join(label for label in _labels(value) if label in labels)
            if attribute == "item_radarr_tag.sync":
                what = f"`{key}` takes every other tag off the collection's movies, the managed ones included."
                remedy = "Write `item_radarr_tag` instead: it only adds."
            elif attribute == "radarr_remove_by_tag" and touched:
                what = f"`{key}` deletes from Radarr the movies with the managed tag {touched}."
                remedy = f"Take {touched} out of it."
            elif attribute in {"item_radarr_tag", "item_radarr_tag.remove"} and touched:
                what = f"`{key}` writes the managed tag {touched}; it will be undone in the next run."
                remedy = f"Take {touched} out of it."
            else:
                continue
            yield _warning(what, remedy, reading.source, line_of(mapping, key))


def _mappings(data: object) -> Iterator[Mapping[Any, Any]]:
    """Every mapping in loaded data, once: aliases share them, and may even make them hold themselves."""
    seen: set[int] = set()
    left = [data]
    while left:
        value = left.pop()
        if not isinstance(value, (dict, list)) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            yield value
        left.extend(value.values() if isinstance(value, dict) else value)


def _about_references(collections: Sequence[Collection], others: Sequence[OtherCollection]) -> Iterator[Problem]:
    """`KAI-` labels in a block that name no collection."""
    known = {collection.label for collection in collections} | {other.label for other in others}
    for collection in collections:
        for label in sorted((collection.include_tags | collection.exclude_tags) - known):
            if label.startswith(PREFIX.lower()):
                yield _warning(
                    f"the tag {label} is that of no collection with a block.",
                    "Check its spelling; a collection's tag is KAI- and its name.",
                    collection.source,
                    collection.line,
                    collection.name,
                )
