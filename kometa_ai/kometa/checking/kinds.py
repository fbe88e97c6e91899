"""Decide of which kind each collection is, and why, from its block, its definition and the libraries that load it.

The first that speaks counts: `media` in the block, the collection's taglist, other attributes for one kind only, the
libraries that load the file, and the services that are set up. What contradicts itself is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from kometa_ai.core.collection import Collection
from kometa_ai.core.item import KINDS
from kometa_ai.core.problem import Problem
from kometa_ai.core.text import beginning
from kometa_ai.kometa.block_keys import MEDIA, PINS
from kometa_ai.kometa.checking import corrections
from kometa_ai.kometa.checking.arrs import ARRS, arr_of, other_than
from kometa_ai.kometa.checking.kometa_view import body_of
from kometa_ai.kometa.checking.refused_attributes import FOR_MOVIES, FOR_SHOWS
from kometa_ai.kometa.checking.values import find, texts_in
from kometa_ai.kometa.configuration import MAIN
from kometa_ai.kometa.document import place_of
from kometa_ai.kometa.faults import Correctable, Fault
from kometa_ai.kometa.folder import as_other
from kometa_ai.kometa.reading import Claim, Contents

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.collection import ItemRef, OtherCollection
    from kometa_ai.core.item import Kind
    from kometa_ai.core.problem import Correction
    from kometa_ai.kometa.checking.arrs import Arr
    from kometa_ai.kometa.checking.config_yml import PlexLibrary, Setup
    from kometa_ai.kometa.checking.kometa_view import KometaView
    from kometa_ai.kometa.document import Key
    from kometa_ai.kometa.faults import Correct
    from kometa_ai.kometa.reading import Reading

_LONGEST = 80
_FEW = 3
_WRITE = "Write `media: movies` or `media: shows` into its block"
_DEFINITIONS = ("run_definition", "allowed_library_types")
_LEVELS = ("builder_level", "collection_level")
_LEVELS_OF_SHOWS = frozenset({"show", "season", "episode"})
_ONLY_FOR: dict[Kind, frozenset[str]] = {
    "movie": FOR_MOVIES - {arr_of("movie").taglist},
    "show": FOR_SHOWS - {arr_of("show").taglist},
}


class _Said(NamedTuple):
    """A kind, and why. The kind is None if too little can be read to tell.

    `is_spoken` is False if nothing spoke. `is_certain` means that no other word can be heard before this one.
    """

    kind: Kind | None
    because: str = ""
    is_spoken: bool = True
    is_certain: bool = False


class _Definition(NamedTuple):
    """What stands below the name of a collection, with the values of each attribute as Kometa sees it."""

    reading: Reading
    key: Key
    attributes: Mapping[str, Sequence[Any]]
    has_unseen: bool = False

    @property
    def taglists(self) -> tuple[Kind, ...]:
        """The kinds whose taglist it has."""
        return tuple(arr.kind for arr in ARRS if arr.taglist in self.attributes)


def with_kinds(
    contents: Contents, setup: Setup, view: KometaView, services: AbstractSet[Kind]
) -> tuple[Contents, tuple[Problem, ...]]:
    """The contents with the kind of each collection, and hints about the collections of which nothing says it.

    `services` are the kinds for which a library is set up.
    """
    judge = _Judge(contents, setup, view, services)
    claims = [judge.decided(claim) for claim in contents.claims]
    says = {id(claim.place): claim.says for claim in claims if claim.place}
    readings = [
        msgspec.structs.replace(
            reading,
            places=tuple(msgspec.structs.replace(place, collection=says[id(place)]) for place in reading.places),
        )
        for reading in contents.readings
    ]
    found = msgspec.structs.replace(
        contents,
        claims=claims,
        misplaced=[judge.decided(claim) for claim in contents.misplaced],
        readings=readings,
        faults=[*contents.faults, *judge.faults],
    )
    return found, tuple(judge.hints)


class _Judge:
    def __init__(self, contents: Contents, setup: Setup, view: KometaView, services: AbstractSet[Kind]) -> None:
        self.faults: list[Fault] = []
        self.hints: list[Problem] = []
        self._setup = setup
        self._view = view
        self._services = services
        self._readings = {reading.source: reading for reading in contents.readings}
        self._of_libraries: dict[str, _Said | None] = {}
        self._own: dict[int, Mapping[str, Sequence[Any]]] = {}
        lost = {*contents.unreadable, *(fault.problem.source for fault in contents.refused)}
        is_main_read = any(name in self._readings for name in MAIN)
        self._is_configuration_hidden = (
            bool(contents.broken) or not lost.isdisjoint(MAIN) or ("." in lost and not is_main_read)
        )
        self._is_something_hidden = bool(lost)

    def decided(self, claim: Claim) -> Claim:
        """The claim with its kind. It cannot be used any more if its block and its definition contradict each other."""
        definition = self._definition(claim)
        media = claim.place.media if claim.place else None
        is_on = claim.usable and isinstance(claim.says, Collection)
        if is_on and (fault := self._contradiction(claim, media, definition)):
            return self._refused(claim, [fault], None, (media,) if media else KINDS)
        said = self._said(claim.source, media, definition)
        if said.kind is None:
            return self._refused(claim, [_hidden(claim)] if is_on else [], None, KINDS)
        if is_on and (faults := list(self._wrong_pins(claim, said, definition))):
            return self._refused(claim, faults, said.kind if said.is_spoken else None, (said.kind,))
        if not (claim.usable or said.is_certain) and (said.is_spoken or len(self._services) != 1):
            # The part of the block that cannot be read may hold `media`. It cannot contradict a taglist.
            return self._refused(claim, [], None, KINDS)
        if is_on and not said.is_spoken and len(self._services) > 1:
            self.hints.append(_unclear(claim))
        says = msgspec.structs.replace(claim.says, kind=said.kind, kind_because=said.because)
        return msgspec.structs.replace(claim, says=says, kinds=(said.kind,))

    def _refused(self, claim: Claim, faults: Sequence[Fault], kind: Kind | None, kinds: tuple[Kind, ...]) -> Claim:
        """The claim of a collection that is skipped; one that is switched off stays so."""
        self.faults += faults
        says = msgspec.structs.replace(as_other(claim.says), kind=kind, kind_because="")
        is_off = claim.usable and not isinstance(claim.says, Collection)
        return msgspec.structs.replace(claim, says=says, usable=is_off, kinds=kinds)

    def _definition(self, claim: Claim) -> _Definition:
        reading = self._readings[claim.source]
        body = body_of(reading, claim.key)
        own = self._own.get(id(body))  # through an alias, a thousand collections can share one body
        if own is None:
            own = {str(name).lower(): (value,) for name, value in body.items()} if isinstance(body, dict) else {}
            self._own[id(body)] = own
        if "template" not in own:
            return _Definition(reading, claim.key, own)
        found: dict[str, list[Any]] = {}
        ways = self._view.seen(reading, claim.key)
        for name, value in (pair for seen in ways for pair in seen.attributes.items()):
            found.setdefault(name, []).append(value)
        return _Definition(reading, claim.key, found or own, any(seen.unseen for seen in ways))

    # What speaks

    def _said(self, source: str, media: Kind | None, definition: _Definition) -> _Said:
        if media:
            return _Said(media, f"`media: {MEDIA[media]}`", is_certain=True)
        if len(definition.taglists) == 1:
            (kind,) = definition.taglists
            return _Said(kind, f"`{arr_of(kind).taglist}`", is_certain=True)
        said = _by_attributes(definition.attributes) or self._by_libraries(source)
        return said or self._by_services(definition)

    def _by_libraries(self, source: str) -> _Said | None:
        if source not in self._of_libraries:
            self._of_libraries[source] = _by_libraries(self._setup.loading(source)) if self._setup.is_known else None
        return self._of_libraries[source]

    def _by_services(self, definition: _Definition) -> _Said:
        # What cannot be read now may have said it yesterday: a guess could ask about every item of the wrong kind.
        is_hidden = self._is_configuration_hidden or (definition.has_unseen and self._is_something_hidden)
        if is_hidden and "show" in self._services:
            return _Said(None)
        if self._services == {"show"}:
            return _Said("show", "only Sonarr is configured", is_spoken=False)
        return _Said("movie", "no key says otherwise", is_spoken=False)

    def _proven(self, definition: _Definition) -> Kind | None:
        """The kind of all libraries that can build the collection, if there is no doubt about it."""
        if said := _by_run_definition(definition.attributes):
            return said.kind
        libraries = self._setup.loading(definition.reading.source) if self._setup.is_known else ()
        kinds = {library.evidence for library in libraries}
        return kinds.pop() if len(kinds) == 1 else None

    # What contradicts

    def _contradiction(self, claim: Claim, media: Kind | None, definition: _Definition) -> Fault | None:
        taglists = definition.taglists
        if media and taglists and media not in taglists:
            return self._about_media(claim, media, definition)
        if not media and len(taglists) > 1:
            proven = self._proven(definition)
            correct = partial(_without_taglist, definition, other_than(proven).taglist) if proven else None
            both = " and ".join(f"`{arr.taglist}`" for arr in ARRS)
            what = f"it has {both}, but a collection is about movies or about shows."
            remedy = (
                "Take away the taglist that is not meant. For one of each, write a second collection, in a file of "
            )
            fault = _fault(claim, (what, f"{remedy}that library."), correct=correct)
            return _at_second_taglist(fault, definition)
        return None

    def _about_media(self, claim: Claim, media: Kind, definition: _Definition) -> Fault:
        other = other_than(media)
        proven = self._proven(definition)
        correct: Correct | None = None
        if proven == other.kind:
            correct = partial(_other_media, claim, definition, other.kind)
        elif proven == media:
            correct = partial(_other_taglist, definition, other.taglist, arr_of(media).taglist)
        wanted = f"{arr_of(media).taglist}: {claim.says.label}"
        what = (
            f"`media: {MEDIA[media]}` contradicts its `{other.taglist}`, which takes {other.items} from {other.name}."
        )
        remedy = f"Write `media: {MEDIA[other.kind]}`, or `{wanted}` in place of `{other.taglist}`."
        return _fault(claim, (what, remedy), "media", correct)

    def _wrong_pins(self, claim: Claim, said: _Said, definition: _Definition) -> Iterator[Fault]:
        place, kind = claim.place, said.kind
        if place is None or kind is None:
            return
        other = other_than(kind).kind
        is_sure = place.media == kind or self._proven(definition) == kind
        pins: dict[str, tuple[ItemRef, ...]] = {key: getattr(claim.says, key) for keys in PINS.values() for key in keys}
        for key, right in zip(PINS[other], PINS[kind], strict=True):
            if not pins[key]:
                continue
            correct: Correct | None = None
            # A number is one of another catalogue: only titles and IMDb's ids mean the same in both lists.
            if is_sure and right not in place.lines and not any(ref.item or ref.tmdb_show for ref in pins[key]):
                correct = partial(_renamed, definition, place.lines[key], key, right)
            what = f"`{key}` pins {MEDIA[other]}, but the collection is about {MEDIA[kind]}: {said.because}."
            remedy = f"Write `{right}` in its place, or `media: {MEDIA[other]}` into the block."
            yield _fault(claim, (what, remedy), key, correct)


def _by_attributes(attributes: Mapping[str, Sequence[Any]]) -> _Said | None:
    """What attributes other than the taglists say."""
    if said := _by_run_definition(attributes):
        return said
    for name in _LEVELS:
        if levels := sorted(_LEVELS_OF_SHOWS.intersection(_texts(attributes, name))):
            return _Said("show", f"`{name}: {levels[0]}`")
    found = {kind: sorted(name for name in _ONLY_FOR[kind] if name in attributes) for kind in KINDS}
    kinds = [kind for kind in KINDS if found[kind]]
    return _Said(kinds[0], f"`{found[kinds[0]][0]}`") if len(kinds) == 1 else None


def _by_run_definition(attributes: Mapping[str, Sequence[Any]]) -> _Said | None:
    for name in _DEFINITIONS:
        texts = _texts(attributes, name)
        kinds = [kind for kind in KINDS if kind in texts]
        if len(kinds) == 1:
            return _Said(kinds[0], f"`{name}: {kinds[0]}`")
    return None


def _texts(attributes: Mapping[str, Sequence[Any]], name: str) -> set[str]:
    return {text for value in attributes.get(name, ()) for text in texts_in(value)}


def _by_libraries(libraries: Sequence[PlexLibrary]) -> _Said | None:
    """What the libraries say that load a file: all by evidence, else those whose names say anything."""
    kinds = {library.name: library.evidence for library in libraries}
    if None in kinds.values():
        kinds = {library.name: library.kind for library in libraries}
    speaking = [name for name, kind in kinds.items() if kind]
    found = {kind for kind in kinds.values() if kind}
    if len(found) != 1:
        return None
    shown = [beginning(name, _LONGEST) for name in speaking[:_FEW]]
    if len(speaking) == 1:
        return _Said(found.pop(), f"the Plex library {shown[0]} loads this file")
    more = len(speaking) - len(shown)
    names = f"{', '.join(shown)} and {more} more" if more else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return _Said(found.pop(), f"the Plex libraries {names} load this file")


# Faults


def _fault(claim: Claim, said: tuple[str, str], key: str = "", correct: Correct | None = None) -> Fault:
    """A fault at a key of the block, or at the block; `said` is what is wrong, and the remedy."""
    line, at = claim.line, -1
    if claim.place and key in claim.place.lines:
        line = claim.place.lines[key]
        at = claim.place.block.body[line - claim.place.block.line - 1].find(key)
    what, remedy = said
    problem = Problem(
        what=what,
        remedy=remedy,
        source=claim.source,
        line=line,
        column=at + 1 if at >= 0 else None,
        collection=claim.name,
    )
    return Fault(problem, Correctable(correct) if correct else None)


def _at_second_taglist(fault: Fault, definition: _Definition) -> Fault:
    """The fault at the latter of the taglists that the collection itself has; at its block if it has but one."""
    body = body_of(definition.reading, definition.key)
    if not isinstance(body, Mapping):
        return fault
    keys = [find(body, arr.taglist) for arr in ARRS]
    found = sorted(place for key in keys if key is not None and (place := place_of(body, key)))
    if len(found) < len(ARRS):
        return fault
    line, column = found[-1]
    return msgspec.structs.replace(fault, problem=msgspec.structs.replace(fault.problem, line=line, column=column))


def _hidden(claim: Claim) -> Fault:
    what = "it cannot be seen whether it is about movies or shows: a file that may say so cannot be read."
    return claim.fault(what, f"Correct that file, or be sure of it: {_WRITE[0].lower()}{_WRITE[1:]}.")


def _unclear(claim: Claim) -> Problem:
    return Problem(
        what="nothing says whether it is about movies or shows, so it is about movies.",
        remedy=f"{_WRITE}, or its tag into `radarr_taglist` or `sonarr_taglist`.",
        source=claim.source,
        line=claim.line,
        collection=claim.name,
        severity="hint",
    )


def about_unserved(unserved: Sequence[OtherCollection]) -> Iterator[Problem]:
    """A warning for each collection of a kind for which no library is set up."""
    for other in unserved:
        for arr in (arr_of(other.kind),) if other.kind else ():
            it = other_than(arr.kind)
            yield Problem(
                what=f"it is about {arr.items} ({other.kind_because}), and no {arr.name} is set up: nothing is asked "
                "for it, and its tags are left alone.",
                remedy=f"Set {arr.url_setting} and {arr.key_setting}. If {it.items} are meant, {_instead(other, it)}.",
                source=other.source,
                line=other.line or None,
                collection=other.name,
                severity="warning",
            )


def _instead(other: OtherCollection, arr: Arr) -> str:
    """What to write for a collection of the other kind: `media` alone would contradict a taglist."""
    wrong = other_than(arr.kind).taglist
    if other.kind_because == f"`{wrong}`":
        return f"write `{arr.taglist}` in place of `{wrong}`"
    if other.kind_because.startswith("`media"):
        return f"write `media: {arr.items}`, and `{arr.taglist}` in place of a `{wrong}`"
    return f"write `media: {arr.items}` into its block"


# Corrections


def _without_taglist(definition: _Definition, name: str) -> Correction | None:
    body = body_of(definition.reading, definition.key)
    written = find(body, name) if isinstance(body, Mapping) else None
    if written is None or not isinstance(body, Mapping):
        return None
    return corrections.with_entry(definition.reading.document.lines, body, written, None)


def _other_media(claim: Claim, definition: _Definition, kind: Kind) -> Correction | None:
    line = claim.place.lines.get("media", 0) if claim.place else 0
    text = definition.reading.document.lines[line - 1]
    written = text.partition("media")[2].strip(" \t:").split(" ")[0].strip("\"',}")
    return corrections.swapped(line, text, written, MEDIA[kind], after="media") if line and written else None


def _other_taglist(definition: _Definition, old: str, new: str) -> Correction | None:
    body = body_of(definition.reading, definition.key)
    written = find(body, old) if isinstance(body, Mapping) else None
    place = place_of(body, written) if isinstance(body, Mapping) and written is not None else None
    return _renamed(definition, place[0], str(written), new) if place else None


def _renamed(definition: _Definition, line: int, old: str, new: str) -> Correction | None:
    return corrections.swapped(line, definition.reading.document.lines[line - 1], old, new)
