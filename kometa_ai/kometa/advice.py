"""Warn where Kometa would not do what the blocks are written for.

Kometa reads an attribute's name without case, a list of tags as a list or cut at commas, and compares labels without
case. What a template brings in is looked up where the template stands in the same file; else the warning says so.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.naming import PREFIX
from kometa_ai.core.problem import Correction, Problem
from kometa_ai.kometa import corrections
from kometa_ai.kometa.document import place_of
from kometa_ai.kometa.interference import about_tag_writers
from kometa_ai.kometa.libraries import about_libraries, config_of
from kometa_ai.kometa.lines import INVISIBLE_BREAK
from kometa_ai.kometa.reading import find, labels_in
from kometa_ai.kometa.refusals import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import OtherCollection
    from kometa_ai.core.naming import Label
    from kometa_ai.kometa.reading import Place, Reading

_TAGLIST = "radarr_taglist"
_SYNC = "sync_mode"
_WANTED_SYNC = "sync_mode: sync"
_LONGEST = 80
_NAME = re.compile(r"\A\s*+(?:[&!]\S++\s++){0,2}([^\s:][^:]*+):")
_VARIABLE = re.compile(r"<<([^<>]+)>>")


class _Attribute(msgspec.Struct, frozen=True):
    """An attribute of a collection: its value, and the line and column where it stands (None: in a template)."""

    value: Any
    place: tuple[int, int] | None


def advise(
    readings: Sequence[Reading], collections: Sequence[Collection], others: Sequence[OtherCollection]
) -> tuple[Problem, ...]:
    """Every warning about these files, in order of file and line. `others` keep their tags, so theirs count, too."""
    names = {collection.name for collection in collections}
    labels = {collection.label for collection in collections} | {other.label for other in others}
    synced = _syncs_everything(config_of(readings))
    warnings = list(about_libraries(readings, names))
    for reading in readings:
        warnings += about_tag_writers(reading, labels)
        for place in reading.places:
            if isinstance(place.collection, Collection) and place.collection.name in names:
                warnings += _Advisor(reading, place, place.collection, synced=synced).warnings()
                warnings += _about_references(place, place.collection, labels)
    return tuple(sorted(warnings, key=lambda warning: (warning.source, warning.line or 0)))


class _Advisor:
    """Looks at one collection's definition."""

    def __init__(self, reading: Reading, place: Place, collection: Collection, *, synced: bool) -> None:
        self._source = reading.source
        self._document = reading.document
        self._lines = reading.document.lines
        self._tags = f"{_TAGLIST}: {collection.label}"
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
            what = "Kometa skips it: there is nothing below its name."
            correction = None
            if self._body is None:
                correction = corrections.first_entries(self._lines, self._place.key.line, self._tags, _WANTED_SYNC)
            yield self._warn(what, f"Write {self._paste()} below it.", correction=correction)
            return
        taglist, sync = self._attribute(_TAGLIST), self._attribute(_SYNC)
        unseen = ", ".join(self._unseen_templates())
        wants_sync = not self._synced and sync is None
        if unseen and (taglist is None or wants_sync):
            missing = [
                text for text, is_there in ((self._tags, taglist), (_WANTED_SYNC, not wants_sync)) if not is_there
            ]
            what = f"its template {unseen} stands in another file, so it cannot be seen what Kometa will do."
            remedy = f"Make sure that the template sets {self._paste()}."
            yield self._warn(what, remedy, correction=self._with_more(*missing))
            return
        yield from self._about_taglist(taglist)
        if wants_sync:
            what = "Kometa never removes a movie from the collection: `sync_mode: sync` is missing."
            correction = self._with_more(_WANTED_SYNC)
            yield self._warn(what, "Write `sync_mode: sync` below its name.", correction=correction)
        elif sync is not None:
            yield from self._about_sync(sync)

    def _about_taglist(self, taglist: _Attribute | None) -> Iterator[Problem]:
        if taglist is None:
            what = f"Kometa does not look for its tag: `{_TAGLIST}` is missing."
            yield self._warn(what, f"Write `{self._tags}` below its name.", correction=self._with_more(self._tags))
        elif isinstance(taglist.value, str) and _VARIABLE.search(taglist.value):
            return
        elif not (found := labels_in(taglist.value)):
            what = f"`{_TAGLIST}` is empty: Kometa takes every movie that has no tag at all."
            yield self._warn(what, f"Write `{self._tags}`.", taglist, self._rewritten(taglist, _TAGLIST, self._tags))
        elif self._collection.label not in found:
            # People's own tags stay; what looks like one of ours and is not is a slip of the pen.
            others = [label for label in found if label and not label.startswith(PREFIX.lower())]
            text = f"{_TAGLIST}: {corrections.tags_as_yaml([self._collection.label, *others])}"
            shown = ", ".join(found)[:_LONGEST] or "empty"
            what = f"`{_TAGLIST}` is {shown}, but its tag is {self._collection.label}."
            remedy = f"Write `{text if len(text) <= _LONGEST else self._tags}`."
            yield self._warn(what, remedy, taglist, self._rewritten(taglist, _TAGLIST, text))

    def _about_sync(self, sync: _Attribute) -> Iterator[Problem]:
        mode = str(sync.value or "").strip().lower() if not isinstance(sync.value, (dict, list)) else "something else"
        if mode != "sync" and not _VARIABLE.search(mode):
            what = f"Kometa never removes a movie from the collection: `sync_mode` is {mode[:_LONGEST] or 'empty'}."
            yield self._warn(what, "Write `sync_mode: sync`.", sync, self._rewritten(sync, _SYNC, _WANTED_SYNC))

    def _rewritten(self, attribute: _Attribute, name: str, text: str) -> Correction | None:
        """The attribute with another value: where it stands, or in the collection itself if a template brings it."""
        if attribute.place is None:
            return self._with_more(text)
        return corrections.with_entry(self._lines, self._body, find(self._body, name), text)

    def _with_more(self, *texts: str) -> Correction | None:
        return corrections.with_more(self._lines, self._body, self._place.key.line, *texts)

    def _about_name(self) -> Iterator[Problem]:
        if not self._place.key.is_text:
            line, name = self._place.key.line, self._collection.name
            what = f"its name is no text for YAML; Kometa calls the collection {name!r}."
            written = _NAME.match(self._lines[line - 1])
            correction = (
                corrections.swapped(line, self._lines[line - 1], written[1].rstrip(), json.dumps(name))
                if written
                else None
            )
            yield self._warn(what, f"Put the name in quotes: `{json.dumps(name)}:`.", correction=correction)

    def _about_comments(self) -> Iterator[Problem]:
        block, key = self._place.block, self._place.key
        for line, text in enumerate(block.body, start=block.line + 1):
            if found := INVISIBLE_BREAK.search(text):
                what = f"the line holds the invisible character U+{ord(found[0]):04X}, which ends a comment for YAML."
                remedy = "Type the line anew: a further change may make Kometa refuse the file."
                at = _Attribute(None, (line, found.start() + 1))
                yield self._warn(what, remedy, at, Correction(line, line, (visible(text),)))
        between = range(block.end + 1, key.line)
        commented_out = [line for line in between if self._document.lines[line - 1].rstrip().endswith(":")]
        if commented_out:
            what = "between its block and its name stands what looks like another collection, commented out."
            at = _Attribute(None, (commented_out[0], 1))
            yield self._warn(what, "If the block belongs to that one, comment it out, too.", at)

    def _attribute(self, name: str) -> _Attribute | None:
        """The value in the collection itself, else in its templates of this file."""
        if (own := find(self._body, name)) is not None:
            return _Attribute(self._body[own], place_of(self._body, own) or (self._place.key.line, 0))
        for call, template in self._template_calls():
            if isinstance(template, dict) and (key := find(template, name)) is not None:
                return _Attribute(self._substitute(template[key], call, template.get("default")), None)
        return None

    def _template_calls(self) -> Iterator[tuple[Mapping[Any, Any], object]]:
        """Each use of a template with the template: None if it is not in this file."""
        key = find(self._body, "template")
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
            return str(known.get(found[1].strip(), found[0]))

        return _VARIABLE.sub(text, value)

    def _paste(self) -> str:
        return f"`{self._tags}` and `{_WANTED_SYNC}`"

    def _warn(
        self, what: str, remedy: str, at: _Attribute | None = None, correction: Correction | None = None
    ) -> Problem:
        """A warning at an attribute, or at the collection's name."""
        place = at.place if at else None
        line, column = place or (self._place.key.line, 0)
        text = self._lines[line - 1]
        return Problem(
            what=what,
            remedy=remedy,
            source=self._source,
            line=line,
            column=column or len(text) - len(text.lstrip(" ")) + 1,
            collection=self._collection.name,
            severity="warning",
            correction=correction,
        )


def _about_references(place: Place, collection: Collection, labels: AbstractSet[Label]) -> Iterator[Problem]:
    """`KAI-` labels in a block that name no collection."""
    for label in sorted((collection.include_tags | collection.exclude_tags) - labels):
        if not label.startswith(PREFIX.lower()):
            continue
        # A list may run over several lines, so it is the label that is looked for.
        block = enumerate(place.block.body, start=place.block.line + 1)
        line, text = next(((line, text) for line, text in block if label in text.lower()), (collection.line, ""))
        at = text.lower().find(label)
        near = get_close_matches(label, labels, n=1)
        yield Problem(
            what=f"the tag {label} is that of no collection with a block.",
            remedy=f"Did you mean {near[0]}?"
            if near
            else "Check its spelling; a collection's tag is kai- and its name.",
            source=collection.source,
            line=line,
            column=at + 1 if at >= 0 else None,
            collection=collection.name,
            severity="warning",
            correction=corrections.swapped(line, text, text[at : at + len(label)], near[0])
            if near and at >= 0
            else None,
        )


def _syncs_everything(config: Reading | None) -> bool:
    """Whether Kometa's config.yml makes `sync` the default of every collection."""
    data = config.document.data if config else None
    settings = data.get("settings") if isinstance(data, dict) else None
    return isinstance(settings, dict) and str(settings.get(_SYNC)).lower() == "sync"
