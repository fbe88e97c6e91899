"""Warn where Kometa would not build the collections as their blocks ask.

Kometa ignores case in attribute names and labels. It reads tags as a list, or cuts a text at commas. Templates are
looked up if their file lies in Kometa's folder; if not, the warning says that the result cannot be seen.
"""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.item import KINDS
from kometa_ai.core.naming import PREFIX
from kometa_ai.core.problem import Correction, Problem
from kometa_ai.core.text import beginning
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.checking.arrs import arr_of, other_than
from kometa_ai.kometa.checking.findings import Finding
from kometa_ai.kometa.checking.guesses import Guesses
from kometa_ai.kometa.checking.interference import about_tag_writers
from kometa_ai.kometa.checking.plex_libraries import about_libraries, named, taken_elsewhere
from kometa_ai.kometa.checking.refused_attributes import (
    REFUSES,
    is_filled_otherwise,
    is_never_built,
    refusals,
    service_of,
)
from kometa_ai.kometa.checking.templates import VARIABLE
from kometa_ai.kometa.checking.values import find, is_off, is_on, is_plain, labels_in
from kometa_ai.kometa.document import place_of
from kometa_ai.kometa.lines import INVISIBLE_BREAK, visible
from kometa_ai.kometa.reading import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import OtherCollection
    from kometa_ai.core.item import Kind
    from kometa_ai.core.naming import Label
    from kometa_ai.kometa.checking.config_yml import Setup
    from kometa_ai.kometa.checking.kometa_view import KometaView
    from kometa_ai.kometa.checking.plex_libraries import Taken
    from kometa_ai.kometa.checking.templates import Effective
    from kometa_ai.kometa.faults import Correct
    from kometa_ai.kometa.reading import Reading

_SYNC = "sync_mode"
_WANTED_SYNC = "sync_mode: sync"
_LONGEST = 80
_MOST_REFERENCES = 100
_MOST_WARNINGS = 20
"""Limit of warnings for each collection: through an alias, a thousand collections can share a thousand mistakes."""

_CLOSE = 0.75
_NAME = re.compile(r"\A\s*+(?:[&!]\S++\s++){0,2}([^\s:](?:[^:]|:(?=\S))*+):(?=\s|\Z)")


class _Attribute(msgspec.Struct, frozen=True):
    """An attribute of a collection: its value, and its line and column (None if a template sets it)."""

    value: Any
    place: tuple[int, int] | None


def advise(
    readings: Sequence[Reading],
    collections: Sequence[Collection],
    others: Sequence[OtherCollection],
    setup: Setup,
    view: KometaView,
) -> tuple[Finding, ...]:
    """All warnings and hints about these files, by file and line. `others` keep their tags, so their labels count, too.

    `setup` says which files Kometa loads, and `view` what Kometa makes of each collection.
    """
    names = {named(collection) for collection in collections}
    labels: dict[Kind, set[Label]] = {kind: set() for kind in KINDS}
    for collection in collections:
        labels[collection.kind].add(collection.label)
    for other in others:
        for kind in other.kinds:
            labels[kind].add(other.label)
    warnings = [Finding(warning) for warning in about_libraries(setup, readings, names)]
    guesses = Guesses()
    for reading in readings:
        warnings += about_tag_writers(reading, labels)
        for place in reading.places:
            if isinstance(place.collection, Collection) and named(place.collection) in names:
                if setup.is_taken(reading.source, place.key.value):
                    advisor = _Advisor(reading, place, place.collection, setup, guesses)
                    warnings += islice(advisor.warnings(view), _MOST_WARNINGS)
                warnings += _about_references(place, place.collection, labels, guesses)
    for taken in taken_elsewhere(setup, readings, names):
        warnings += _about_taken(taken, setup, view, guesses)
    return tuple(sorted(warnings, key=lambda warning: (warning.problem.source, warning.problem.line or 0)))


def _about_taken(taken: Taken, setup: Setup, view: KometaView, guesses: Guesses) -> Iterator[Finding]:
    """A warning if Kometa takes another definition than the one with the block, and that definition has a mistake."""
    reading, key = taken.definition
    place = Place(key=key, block=Block(line=key.line, end=key.line - 1, body=()), collection=taken.collection)
    for found in list(_Advisor(reading, place, taken.collection, setup, guesses).warnings(view))[:1]:
        warning = found.problem
        libraries = ", ".join(taken.libraries)
        if taken.is_sure:
            what = f"Kometa takes it in {libraries} from here, not from {taken.elsewhere}: {warning.what}"
        else:
            what = f"Kometa may take it in {libraries} from here, or from {taken.elsewhere}: {warning.what}"
        remedy = f"{warning.remedy} Or take it out of this file, so that Kometa finds the one in {taken.elsewhere}."
        yield Finding(msgspec.structs.replace(warning, what=what, remedy=remedy))


class _Advisor:
    """Checks the definition of one collection."""

    def __init__(self, reading: Reading, place: Place, collection: Collection, setup: Setup, guesses: Guesses) -> None:
        self._guesses = guesses
        self._setup = setup
        self._source = reading.source
        self._document = reading.document
        self._lines = reading.document.lines
        self._arr = arr_of(collection.kind)
        self._taglist = self._arr.taglist
        self._tags = f"{self._taglist}: {collection.label}"
        self._place = place
        self._collection = collection
        self._reading = reading
        at = (reading.source, place.key.value, collection.kind)
        self._unsynced = setup.without_sync(*at)
        self._default_order = "custom" if setup.has_custom_order(*at) else None
        # The configuration may pass secrets to templates, so its values are never shown.
        self._given = setup.given(reading.source)
        root: Any = reading.document.data  # a mapping with `collections`: otherwise the document would have no keys
        self._body = root["collections"].get(place.key.value)

    def warnings(self, view: KometaView) -> Iterator[Finding]:
        """What is wrong, for the first way of loading the file in which anything is wrong."""
        yield from self._about_name()
        yield from self._about_comments()
        if self._body is None:
            what = "Kometa skips it: there is nothing below its name."
            correct = partial(corrections.first_entries, self._lines, self._place.key.line, self._tags, _WANTED_SYNC)
            yield self._warn(what, f"Write {self._paste()} below it.", correct=correct)
        elif not isinstance(self._body, dict):
            kind = "a list" if isinstance(self._body, list) else "a text or a number"
            what = f"Kometa skips it: below its name stands {kind} in place of attributes."
            yield self._warn(what, f"Write {self._paste()} in its place.")
        else:
            for seen in view.seen(self._reading, self._place.key, self._collection.kind):
                found = list(self._about(seen))
                if found:
                    yield from map(self._with_anchor, found)
                    return

    def _with_anchor(self, warning: Finding) -> Finding:
        """The warning; if the definition has an anchor, it adds that the collections that use the anchor change."""
        anchor = getattr(getattr(self._body, "anchor", None), "value", None)
        if not anchor:
            return warning
        more = f"Whatever uses `*{beginning(anchor, _LONGEST)}` changes, too."
        problem = msgspec.structs.replace(warning.problem, remedy=f"{warning.problem.remedy} {more}")
        return Finding(problem, warning.correct)

    def _about(self, seen: Effective) -> Iterator[Finding]:
        """What is wrong with the collection as Kometa sees it."""
        if seen.refused:
            yield self._warn(
                f"{REFUSES}{seen.refused}", "Correct the template, or the call of it.", self._own("template")
            )
            return
        if seen.missing:
            what = f"{REFUSES}its template {beginning(', '.join(seen.missing), _LONGEST)} is nowhere."
            yield self._warn(what, "Correct its name, or write the template below `templates:`.", self._own("template"))
            return
        if wrong := is_filled_otherwise(seen.attributes):
            smart = "" if wrong == "blank_collection" else ", which makes it a smart collection"
            what = f"Kometa refuses `{self._taglist}` beside `{wrong}`{smart}."
            remedy = f"Take `{wrong}` away, or move the block to another collection."
            yield self._warn(what, remedy, self._own(wrong))
            return
        yield from self._about_runs(seen)
        for refusal in refusals(seen.attributes, self._guesses, self._default_order, self._collection.kind):
            at = self._own(refusal.attribute)
            better = (at or _Attribute(None, None), refusal.attribute, refusal.better)
            correct = partial(self._rewritten, *better) if refusal.better else None
            yield self._warn(f"{REFUSES}{refusal.why}", refusal.remedy, at, correct)
        if is_off(seen.attributes.get("build_collection")):
            what = "with `build_collection: false` no collection is seen, and labels stay on "
            what += f"{self._arr.items} that lose the tag."
            hint = self._warn(what, "Take it away, unless just that is wanted.", self._own("build_collection"))
            yield Finding(msgspec.structs.replace(hint.problem, severity="hint"))
        yield from self._about_lines(seen)

    def _about_runs(self, seen: Effective) -> Iterator[Finding]:
        """Warn if Kometa skips the collection in every run, or refuses it because a service is not set up."""
        if name := is_never_built(seen.attributes, self._collection.kind):
            value = seen.attributes[name]
            shown = f"not for {self._arr.items}" if name != "schedule" else "never"
            shown = "false" if is_off(value) else "blank" if value is None else shown
            yield self._warn(f"Kometa never builds it: `{name}` is {shown}.", f"Take `{name}` away.", self._own(name))
        if is_on(seen.attributes.get("only_run_on_create")):
            what = f"Kometa builds it once, and never removes or adds a {self._arr.kind} after that: "
            what += "`only_run_on_create` is true."
            yield self._warn(what, "Take `only_run_on_create` away.", self._own("only_run_on_create"))
        for name in seen.attributes if not is_off(seen.attributes.get("validate_builders")) else ():
            service = service_of(name, self._collection.kind)
            at = (self._source, self._place.key.value, self._collection.kind)
            where = service and self._setup.without_service(*at, service)
            if where:
                why = f"`{name}` needs `{service}:`, which is not set up in {where}."
                remedy = f"Take `{name}` away, or set up `{service}:` in Kometa's configuration."
                yield self._warn(f"{REFUSES}{why}", remedy, self._own(name))

    def _about_lines(self, seen: Effective) -> Iterator[Finding]:
        """What is wrong with the taglist and `sync_mode`, which make a collection of a tag."""
        taglist, sync = self._attribute(self._taglist, seen), self._attribute(_SYNC, seen)
        # With `build_collection: false` there is no collection to remove items from.
        is_built = not is_off(seen.attributes.get("build_collection"))
        wants_sync = sync is None and self._unsynced is not None and is_built
        unseen = beginning(", ".join(seen.unseen), _LONGEST)
        if unseen and (taglist is None or wants_sync):
            missing = [
                text for text, is_there in ((self._tags, taglist), (_WANTED_SYNC, not wants_sync)) if not is_there
            ]
            what = f"its template {unseen} stands in another file, so it cannot be seen what Kometa will do."
            remedy = f"Make sure that the template sets {self._paste()}."
            yield self._warn(what, remedy, correct=partial(self._with_more, *missing))
            return
        wrong_tags = list(self._about_taglist(taglist, add_sync=wants_sync))
        yield from wrong_tags
        wrong_sync = self._about_sync(sync, wants_sync=wants_sync, seen=seen)
        for warning in wrong_sync:
            # Syncing with a wrong tag would empty the collection, so the tag has to be corrected first.
            yield Finding(warning.problem) if wrong_tags else warning

    def _about_taglist(self, taglist: _Attribute | None, *, add_sync: bool) -> Iterator[Finding]:
        if taglist is None:
            what = f"Kometa does not look for its tag: `{self._taglist}` is missing."
            lines = (self._tags, _WANTED_SYNC) if add_sync else (self._tags,)
            yield self._warn(what, f"Write `{self._tags}` below its name.", correct=partial(self._with_more, *lines))
            return
        found = labels_in(taglist.value)
        rewritten = partial(self._rewritten, taglist, self._taglist, self._tags)
        variable = next((match for label in found if (match := VARIABLE.search(label))), None)
        if not found:
            what = f"`{self._taglist}` is empty: Kometa takes every {self._arr.kind} that has no tag at all."
            yield self._warn(what, f"Write `{self._tags}`.", taglist, rewritten)
        elif self._collection.label in found:
            return
        elif variable:
            name = beginning(variable[0], _LONGEST)
            what = f"nothing gives {name} in `{self._taglist}` a value, so Kometa cannot find its tag."
            yield self._warn(what, f"Write `{self._tags}`.", taglist, rewritten)
        else:
            # Tags of the user are kept; a `kai-` label that is not the collection's own is taken for a mistake.
            others = [label for label in found if label and not label.startswith(PREFIX.lower())]
            text = f"{self._taglist}: {corrections.tags_as_yaml([self._collection.label, *others])}"
            shown = self._shown(", ".join(found), taglist)
            what = f"`{self._taglist}` is {shown}, but its tag is {self._collection.label}."
            remedy = f"Write `{text if len(text) <= _LONGEST else self._tags}`."
            yield self._warn(what, remedy, taglist, partial(self._rewritten, taglist, self._taglist, text))

    def _about_sync(self, sync: _Attribute | None, *, wants_sync: bool, seen: Effective) -> Iterator[Finding]:
        if wants_sync:
            what = f"{self._never()}{self._where()}: `sync_mode: sync` is missing."
            correct = partial(self._with_more, _WANTED_SYNC)
            yield self._warn(what, "Write `sync_mode: sync` below its name.", correct=correct)
        if sync is None or is_off(seen.attributes.get("build_collection")):
            return
        mode = str(sync.value or "").strip().lower() if is_plain(sync.value) else "something else"
        # If `sync_mode` is blank or unknown, Kometa takes the setting of the library.
        if mode == "sync" or (self._unsynced is None and mode != "append"):
            return
        correct = partial(self._rewritten, sync, _SYNC, _WANTED_SYNC)
        if variable := VARIABLE.search(mode):
            name = beginning(variable[0], _LONGEST)
            what = f"nothing gives {name} in `{_SYNC}` a value, so Kometa removes no {self._arr.kind}."
        else:
            where = "" if mode == "append" else self._where()
            what = f"{self._never()}{where}: `sync_mode` is {self._shown(mode, sync)}."
        yield self._warn(what, "Write `sync_mode: sync`.", sync, correct)

    def _shown(self, value: str, attribute: _Attribute) -> str:
        """The value of an attribute as a message may show it."""
        if attribute.place is None and any(given in value for given in self._given):
            return "what the configuration gives to its template"
        return beginning(value, _LONGEST) or "empty"

    def _never(self) -> str:
        return f"Kometa never removes a {self._arr.kind} from the collection"

    def _where(self) -> str:
        return f" in {self._unsynced}" if self._unsynced else ""

    def _rewritten(self, attribute: _Attribute, name: str, text: str) -> Correction | None:
        """Replace the attribute where it stands; if a template sets it, add it to the collection itself."""
        if attribute.place is None:
            return self._with_more(text)
        return corrections.with_entry(self._lines, self._body, find(self._body, name), text)

    def _with_more(self, *texts: str) -> Correction | None:
        return corrections.with_more(self._lines, self._body, self._place.key.line, *texts)

    def _own(self, name: str) -> _Attribute | None:
        """An attribute that stands in the collection itself, or comes from a merge (`<<`)."""
        key = find(self._body, name)
        return None if key is None else _Attribute(self._body[key], place_of(self._body, key))

    def _attribute(self, name: str, seen: Effective) -> _Attribute | None:
        """An attribute as Kometa sees it: from the collection itself or from a template."""
        own = self._own(name)
        return own or (_Attribute(seen.attributes[name], None) if name in seen.attributes else None)

    def _about_name(self) -> Iterator[Finding]:
        if not self._place.key.is_text:
            line, name = self._place.key.line, self._collection.name
            what = f"its name is no text for YAML; Kometa calls the collection {name!r}."
            text = self._lines[line - 1]
            written = _NAME.match(text)
            # If Kometa's name differs from the written one (`007` becomes 7), it is unclear which of them is meant.
            is_clear = written is not None and written[1].rstrip() == name
            correct = partial(corrections.swapped, line, text, name, json.dumps(name)) if is_clear else None
            quoted = f"`{json.dumps(name)}:`"
            if written and not is_clear and len(written[1]) <= _LONGEST:
                quoted = f"`{json.dumps(written[1].rstrip())}:`, or {quoted} for the name that Kometa knows now"
            yield self._warn(what, f"Put the name in quotes: {quoted}.", correct=correct)

    def _about_comments(self) -> Iterator[Finding]:
        block, key = self._place.block, self._place.key
        for line, text in enumerate(block.body, start=block.line + 1):
            if found := INVISIBLE_BREAK.search(text):
                what = f"the line holds the invisible character U+{ord(found[0]):04X}, which ends a comment for YAML."
                remedy = "Type the line anew: a further change may make Kometa refuse the file."
                at = _Attribute(None, (line, found.start() + 1))
                yield self._warn(what, remedy, at, partial(_made_visible, line, text))
        between = range(block.end + 1, key.line)
        commented_out = [line for line in between if self._document.lines[line - 1].rstrip().endswith(":")]
        if commented_out:
            what = "between its block and its name stands what looks like another collection, commented out."
            at = _Attribute(None, (commented_out[0], 1))
            yield self._warn(what, "If the block belongs to that one, comment it out, too.", at)

    def _paste(self) -> str:
        return f"`{self._tags}` and `{_WANTED_SYNC}`"

    def _warn(self, what: str, remedy: str, at: _Attribute | None = None, correct: Correct | None = None) -> Finding:
        """A warning at an attribute, or at the collection's name."""
        place = at.place if at else None
        line, column = place or (self._place.key.line, 0)
        text = self._lines[line - 1]
        warning = Problem(
            what=what,
            remedy=remedy,
            source=self._source,
            line=line,
            column=column or len(text) - len(text.lstrip(" ")) + 1,
            collection=self._collection.name,
            severity="warning",
        )
        return Finding(warning, correct)


def _made_visible(line: int, text: str) -> Correction:
    return Correction(line, line, (visible(text),))


def _about_references(
    place: Place, collection: Collection, labels: Mapping[Kind, AbstractSet[Label]], guesses: Guesses
) -> Iterator[Finding]:
    """Warn of `kai-` labels in a block that belong to no collection of its kind."""
    own, of_others = labels[collection.kind], labels[other_than(collection.kind).kind]
    start = PREFIX.lower()
    unknown = [label for label in collection.include_tags | collection.exclude_tags if label.startswith(start)]
    lines = [text.lower() for text in place.block.body]
    for label in sorted(set(unknown) - own)[:_MOST_REFERENCES]:
        # A list may span several lines, so search for the label itself.
        number = next((number for number, text in enumerate(lines) if label in text), None)
        line, text = (collection.line, "") if number is None else (place.block.line + 1 + number, lines[number])
        at = text.find(label)
        near = guesses.nearest(label.removeprefix(start), (other.removeprefix(start) for other in own), _CLOSE)
        better = f"{start}{near}" if near else None
        what = f"the tag {label} is that of no collection with a block."
        remedy = f"Did you mean {better}?" if better else "Check its spelling; a collection's tag is kai- and its name."
        if label in of_others:
            items = arr_of(collection.kind).items
            better = None
            what = f"the tag {label} is that of a collection of {other_than(collection.kind).items}, and this one is "
            what += f"about {items}: here it means no collection, but a tag like any other."
            remedy = f"Name a collection of {items}, or correct `media` in one of the two blocks."
        warning = Problem(
            what=what,
            remedy=remedy,
            source=collection.source,
            line=line,
            column=at + 1 if at >= 0 else None,
            collection=collection.name,
            severity="warning",
        )
        is_clear = at >= 0 and better
        yield Finding(warning, partial(_swapped_label, place.block, line, at, label, better) if is_clear else None)


def _swapped_label(block: Block, line: int, at: int, label: str, better: str | None) -> Correction | None:
    """The line of a block with another label in place of the one at this column."""
    text = block.body[line - block.line - 1]
    return corrections.swapped(line, text, text[at : at + len(label)], better)
