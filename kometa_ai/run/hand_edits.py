"""Follow what people changed by hand in the libraries: make pins of it, before anything is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.choice import Pin, said_of
from kometa_ai.core.item import kind_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import MovieLine
from kometa_ai.core.summary import counted, in_order, in_words
from kometa_ai.errors import CheckLibrary, RepairState
from kometa_ai.judging.hand_edits import Left, Now, Unclear, Why, cares, differences, judge
from kometa_ai.run.libraries import unknown_names
from kometa_ai.run.results import HandEdits
from kometa_ai.state.libraries import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.choice import Choices
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey, Label
    from kometa_ai.core.options import Options
    from kometa_ai.judging.hand_edits import Differences, HandEdit
    from kometa_ai.library.port import Contents
    from kometa_ai.run.library_files import LibraryFiles
    from kometa_ai.run.parts import Parts, Rules
    from kometa_ai.run.results import Reading

_NAMED = 20


class Follower:
    """Follows hand edits for one run. In a dry run nothing is kept: `choices` adds the pins that a run would make.

    `settled` are the labels of each library, by its name, for which the run has looked: how it leaves them counts from
    now on.
    """

    def __init__(self, parts: Parts, rules: Rules, options: Options, run_id: str, files: LibraryFiles) -> None:
        self.settled: dict[str, dict[Label, CollectionKey]] = {}
        self._parts = parts
        self._rules = rules
        self._dry_run = options.dry_run
        self._run_id = run_id
        self._files = files
        self._collections: dict[CollectionKey, Collection] = {}
        self._contents: dict[str, Contents] = {}
        self._unkept: tuple[Pin, ...] = ()
        self._lines: dict[bool, dict[CollectionKey, list[MovieLine]]] = {True: {}, False: {}}
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def result(self) -> HandEdits:
        """What has been followed so far, and what was not, and why."""
        return HandEdits(
            pinned_in={key: in_order(lines) for key, lines in self._lines[True].items()},
            pinned_out={key: in_order(lines) for key, lines in self._lines[False].items()},
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
        )

    def choices(self) -> Choices:
        """People's choices as they are now, with the pins that this run makes. Raise RepairState."""
        return self._parts.choices.read().with_pins(*self._unkept)

    async def since_the_last_run(self, reading: Reading) -> None:
        """Follow what was changed since the run before. Raise RepairState where the choices cannot be read."""
        readable = [each for each in reading.folder.collections if not unknown_names(each, self._parts.libraries)]
        self._collections = {each.key: each for each in readable}
        self._contents = dict(reading.contents)
        managed = {each.name: cares(readable, each.name, each.kind) for each in reading.libraries if each.contents}
        if not self._dry_run:
            self.settled = managed
        if self._rules.hand_edits == "correct":
            return
        left = {name: known for name in managed if (known := self._files.left(name))}
        seen = self._parts.store.state.libraries
        noted = {name for name in managed if name in seen and seen[name].left_by}
        self._warnings += [self._forgotten(name) for name in sorted(noted - left.keys())]
        await self._follow(left, managed)

    async def since_it_was_read(self, library: str, contents: Contents) -> None:
        """Follow what was changed in a library while the run was at work. `contents` is what it holds now."""
        managed, before = self.settled.get(library, {}), self._contents[library]
        self._contents[library] = contents
        if self._rules.hand_edits == "correct":
            return
        labels = {item.key: item.labels & managed.keys() for item in before.items}
        rows = {item.key: item.arr_id for item in before.items}
        left = Left(at=self._parts.now(), managed=managed, labels=labels, rows=rows)
        await self._follow({library: left}, {library: managed})

    async def _follow(self, left: Mapping[str, Left], managed: Mapping[str, Mapping[Label, CollectionKey]]) -> None:
        found: dict[str, Differences] = {}
        now: dict[str, Now] = {}
        for name, before in left.items():
            contents = self._contents[name]
            if changed := differences(before, contents.items, managed[name]):
                found[name] = changed
                now[name] = Now(items=contents.items, tags=contents.tags.keys(), rules=await self._rules_of(name))
        if not found:
            return
        judged = judge(found, left, now, self._collections.values(), self._rules.removal_limit)
        self._warnings += map(self._warning, judged.unclear)
        self._pin(judged.edits, left)

    async def _rules_of(self, library: str) -> Mapping[Label, tuple[str, ...]] | None:
        try:
            return await self._parts.library(library).auto_tagging()
        except CheckLibrary:
            return None

    def _pin(self, edits: Sequence[HandEdit], left: Mapping[str, Left]) -> None:
        """Make the pins and tell of them; of those that a killed run has made without telling, once more."""
        if not edits:
            return
        known = {pin.pair: pin for pin in self._parts.choices.read().pins}
        told = {run.run_id for run in self._parts.store.state.runs}
        held = {name: {item.key: item for item in contents.items} for name, contents in self._contents.items()}
        pins: dict[HandEdit, Pin] = {}
        for edit in edits:
            collection, item = self._collections[edit.collection], held[edit.libraries[0]][edit.key]
            pin = known.get((edit.key, collection.slug))
            if pin is None or pin.include is not edit.include:
                if pin is not None and pin.since > min(left[name].at for name in edit.libraries):
                    self._warnings.append(self._overruled(collection, item, pin))
                    continue
                pins[edit] = self._pin_of(edit, item, collection)
            elif pin.origin != "hand edit" or pin.run_id in told:
                continue
            line = self._line(edit, item, collection, held)
            if pin is not None and pin.include is not edit.include:
                way = "in" if pin.include else "out"
                line = msgspec.structs.replace(line, reason=f"{line.reason}; it was pinned {way} {pin.because}")
            self._lines[edit.include].setdefault(edit.collection, []).append(line)
        if self._dry_run:
            self._unkept += tuple(pins.values())
        elif pins:
            self._keep(pins)

    def _keep(self, pins: Mapping[HandEdit, Pin]) -> None:
        try:
            self._parts.choices.change(lambda choices: choices.with_pins(*pins.values()))
        except RepairState as error:
            # This run respects them all the same, and the next one finds them once more.
            self._problems.append(Problem(source="state", what=error.message, remedy=error.remedy))
            self._unkept += tuple(pins.values())
            open_ = {edit.collection for edit in pins}
            self.settled = {
                name: {label: key for label, key in labels.items() if key not in open_}
                for name, labels in self.settled.items()
            }

    def _pin_of(self, edit: HandEdit, item: AnyItem, collection: Collection) -> Pin:
        return Pin(
            key=edit.key,
            slug=collection.slug,
            include=edit.include,
            title=str(item),
            imdb_id=item.imdb_id,
            since=self._parts.now(),
            origin="hand edit",
            said=said_of(self._parts.store.memory, edit.key, collection.slug),
            run_id=self._run_id,
        )

    def _line(
        self,
        edit: HandEdit,
        item: AnyItem,
        collection: Collection,
        held: Mapping[str, Mapping[ItemKey, AnyItem]],
    ) -> MovieLine:
        """`taken off in Radarr by hand: stays out, and leaves Radarr 4K`."""
        others = [
            name
            for name, items in held.items()
            if name not in edit.libraries
            and collection.is_for(kind_of(edit.key), name)
            and (other := items.get(edit.key))
            and (collection.label in other.labels) is not edit.include
        ]
        did, stays, follows = ("put on", "in", "joins") if edit.include else ("taken off", "out", "leaves")
        reason = f"{did} in {self._titles(edit.libraries)} by hand: stays {stays}"
        of_kind = [library for library in self._parts.libraries if library.kind == kind_of(edit.key)]
        return MovieLine(
            title=item.title,
            year=item.year,
            key=edit.key,
            libraries=edit.libraries if len(of_kind) > 1 else (),
            reason=reason + (f", and {follows} it in {self._titles(others)}" if others else ""),
        )

    def _titles(self, names: Iterable[str]) -> str:
        return in_words([self._parts.library(name).title for name in names])

    def _overruled(self, collection: Collection, item: AnyItem, pin: Pin) -> Problem:
        """A choice was made since the last run, and the tag changed the other way: it is unknown which came later."""
        way = "in" if pin.include else "out"
        return Problem(
            source=self._titles(item.libraries),
            what=f"the tag {collection.label} of a movie was changed by hand, and it was pinned {way} since the last "
            "run, too: the pin counts.",
            remedy="Change the pin (--pin-in, --pin-out), or release it (--release-pin).",
            collection=collection.key,
            movies=(str(item),),
            severity="warning",
        )

    def _forgotten(self, library: str) -> Problem:
        """The state knows that a run has noted how it left the library, and the note cannot be read or is gone."""
        place = place_of(self._parts.store.folder, library)
        return Problem(
            source=self._titles([library]),
            what=f"how the last run left it cannot be read in {str(place)!r}: what was changed by hand since then is "
            "not noticed, and nothing is pinned.",
            remedy="If you have changed tags there since the last run, look through this run's changes, and pin what "
            "is to stay. If it comes again, look at the rights and the disk of STATE_DIR.",
            severity="warning",
        )

    def _warning(self, unclear: Unclear) -> Problem:
        """What was changed and pins nothing, why, and what to do."""
        collection = self._collections[unclear.collection]
        names = (
            [unclear.library]
            if unclear.library
            else [name for name in self._contents if collection.is_for(self._parts.library(name).kind, name)]
        )
        titles = {item.key: str(item) for name in names for item in self._contents[name].items}
        where = self._titles(names)
        why, remedy = _words(unclear, collection, where)
        return Problem(
            source=where,
            what=f"{_changed(unclear, collection)}, {why}: nothing is pinned.",
            remedy=remedy,
            collection=collection.key,
            movies=tuple(titles[key] for key in unclear.items)[:_NAMED],
            severity="warning",
        )


def _changed(unclear: Unclear, collection: Collection) -> str:
    """`the tag kai-noir was taken off 3 movies and put on 1 movie since the last run`."""
    put_on = sum(unclear.items.values())
    counts = (("taken off", len(unclear.items) - put_on), ("put on", put_on))
    done = " and ".join(f"{did} {counted(count, collection.kind)}" for did, count in counts if count)
    return f"the tag {collection.label} was {done} since the last run"


def _words(unclear: Unclear, collection: Collection, where: str) -> tuple[str, str]:
    """Why differences pin nothing, and what to do."""
    usual = "The usual rules decide, and the brake may hold some of it back."
    pin = "To keep one in or out, pin it: in the block, or with --pin-in and --pin-out."
    if unclear.why is Why.BLOCK:
        place = f"{collection.source}:{collection.line}"
        return "but the block pins it the other way, and wins", f"If that is not meant, change the pins in {place}."
    why, first = {
        Why.DOUBT: (f"but {unclear.detail}", usual),
        Why.NO_TAG: (f"and {where} does not have it any more: its housekeeping deletes unused tags", usual),
        Why.MANY: (
            f"of {unclear.before:,} that had it, which looks like a restored database",
            f"Look at {where}: if its database was restored, there is nothing to do. {usual}",
        ),
        Why.RULES_UNREAD: (f"and {where}'s auto-tagging rules, which may have done that, could not be read", usual),
        Why.RULE: (
            f"and the auto-tagging rule {unclear.detail} names it, too",
            f"Take the tag out of that rule ({where}: Settings, Tags, Auto Tagging).",
        ),
        Why.CONTRADICTION: ("in one library so and in another otherwise", usual),
    }[unclear.why]
    return why, f"{first} {pin}"
