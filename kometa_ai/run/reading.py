"""Read the libraries and Kometa's folder, and find the collections that the run can be about."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.collection import recognise
from kometa_ai.core.item import kind_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted, counted_items
from kometa_ai.judging.examples import with_examples
from kometa_ai.judging.hand_edits import cares
from kometa_ai.run.libraries import (
    NoLibrary,
    merged,
    misnamed,
    read_libraries,
    seen_now,
    taking_part,
    told_by_another,
    unknown_names,
    whole_kinds,
)
from kometa_ai.run.orphans import adopted_tags
from kometa_ai.run.results import LibraryFound, Reading
from kometa_ai.run.scope import choose
from kometa_ai.run.watching import Step
from kometa_ai.state.schema import LibraryRead, PromptSeen, PromptVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.options import Options
    from kometa_ai.library.port import Library
    from kometa_ai.run.keeping import Keeper
    from kometa_ai.run.parts import Parts, Rules

_NAMED = 10
_LONGEST_PROMPT = 8192  # bytes of a prompt that are kept for its history

_log = structlog.get_logger()


class Reader:
    """Reads what a run is about: first the libraries, then the collections, in whose pins their items are recognised.

    `result` is what has been read so far. `libraries` are those to read, where that is not all of them.
    """

    def __init__(
        self,
        parts: Parts,
        rules: Rules,
        options: Options,
        keeper: Keeper,
        *,
        libraries: Sequence[Library] | None = None,
    ) -> None:
        self.result = Reading()
        self._libraries = parts.libraries if libraries is None else libraries
        self._parts = parts
        self._rules = rules
        self._options = options
        self._keeper = keeper

    async def libraries(self) -> None:
        """Read every item and tag. Raise CheckLibrary where no library can be used; others are left alone."""
        parts = self._parts
        parts.observer.step(Step.FETCHING)
        accepted = self._options.accept_library
        try:
            found = await read_libraries(self._wanted(), parts.store.state.libraries, accepted=accepted)
        except NoLibrary as error:
            self._add(libraries=error.found, warnings=_warnings(error.found))
            raise
        items = merged({each.name: each.contents.items for each in found if each.contents is not None})
        self._add(
            libraries=found,
            items=items,
            unconfirmed=frozenset(told_by_another(items, self._everywhere(found))),
            whole=whole_kinds(found),
            warnings=_warnings(found),
        )
        # A dry run that accepts a library does not accept it for later runs.
        if not (self._options.dry_run and accepted):
            now, before = parts.now(), parts.store.state.libraries
            entries = [
                LibraryRead(name=each.name, library=seen_now(each.contents, now, before.get(each.name)))
                for each in found
                if each.contents
            ]
            self._add(problems=self._keeper.record(*entries))

    def _everywhere(self, found: Sequence[LibraryFound]) -> Sequence[LibraryFound]:
        """What was found in every library of the settings; those that were not read cannot be used, either."""
        read = {each.name: each for each in found}
        return [
            read.get(each.name) or LibraryFound(name=each.name, title=each.title, kind=each.kind)
            for each in self._parts.libraries
        ]

    def _wanted(self) -> Sequence[Library]:
        """The libraries that the run is about: those of the kinds of the items that it names, or else all."""
        kinds = {kind_of(key) for key in self._options.movies}
        return [library for library in self._libraries if not kinds or library.kind in kinds]

    def collections(self) -> None:
        """Read Kometa's folder and choose the collections that take part. Raise FixUsage for an unknown name."""
        parts = self._parts
        parts.observer.step(Step.LOADING)
        folder = parts.read_folder(self._rules.config_dir)
        warnings = [*folder.warnings, *adopted_tags(folder, parts.store.state.collections)]
        if parts.store.is_new:
            warnings += _without_memory(folder.collections, self.result.libraries)
        self._add(folder=folder, problems=folder.problems, warnings=tuple(warnings))
        chosen = choose(folder, self._options.collections)
        found = self._everywhere(self.result.libraries)
        here = taking_part(chosen, folder.collections, parts.libraries, found)
        self._add(
            collections=with_examples(
                recognise(here, self.result.items), parts.choices.read().pins, self.result.items, parts.store.memory
            ),
            problems=(
                *misnamed(folder.collections, parts.libraries),
                *self._left_alone([c for c in chosen if c not in here]),
            ),
        )
        if not self._options.dry_run:
            self._add(problems=self._keeper.record(*self._new_prompts(here)))
        _log.info("collections.read", enabled=len(folder.collections), problems=len(folder.problems))

    def _new_prompts(self, collections: Sequence[Collection]) -> Iterator[PromptSeen]:
        """The prompts that are not the latest known ones of their collections, for the history of each."""
        known, now = self._parts.store.state.prompts, self._parts.now().astimezone(UTC)
        for each in collections:
            versions = known.get(each.key)
            if versions and versions[-1].prompt_hash == each.prompt_hash:
                continue
            text = self._parts.redact(each.prompt.strip()).encode(errors="replace")
            version = PromptVersion(
                prompt_hash=each.prompt_hash,
                text=text[:_LONGEST_PROMPT].decode(errors="ignore"),
                at=now,
                is_cut=len(text) > _LONGEST_PROMPT,
            )
            yield PromptSeen(collection=each.key, prompt=version)

    def _add(self, *, problems: tuple[Problem, ...] = (), warnings: tuple[Problem, ...] = (), **read: object) -> None:
        self.result = msgspec.structs.replace(
            self.result,
            problems=(*self.result.problems, *problems),
            warnings=(*self.result.warnings, *warnings),
            **read,
        )

    def _left_alone(self, away: Sequence[Collection]) -> Iterator[Problem]:
        """A problem for each library that cannot be used while others can, with the collections that wait for it."""
        for library in self.result.libraries:
            if library.error is None:
                continue
            waiting = [
                each.name
                for each in away
                if each.kind == library.kind and not unknown_names(each, self._parts.libraries)
            ]
            names = ", ".join(waiting[:_NAMED]) + (", …" if len(waiting) > _NAMED else "")
            left = f" Left alone: {counted(len(waiting), 'collection')} ({names})." if waiting else ""
            yield Problem(
                source=library.title,
                what=f"{library.error.message} Nothing was changed there; the other libraries went on.{left}",
                remedy=library.error.remedy,
            )


def _warnings(found: Sequence[LibraryFound]) -> tuple[Problem, ...]:
    return tuple(warning for library in found for warning in library.warnings)


def _without_memory(collections: Iterable[Collection], libraries: Iterable[LibraryFound]) -> Iterator[Problem]:
    """A warning where there is no state, and yet items have the collections' tags: the state may have been lost."""
    known = tuple(collections)
    tagged = {
        item.key
        for each in libraries
        if each.contents is not None and (labels := cares(known, each.name, each.kind).keys())
        for item in each.contents.items
        if not labels.isdisjoint(item.labels)
    }
    if tagged:
        yield Problem(
            source="STATE_DIR",
            what=f"there is no state yet, but {counted_items(tagged)} {'has' if len(tagged) == 1 else 'have'} tags of "
            "the collections. If the program has run before, what it knew is lost, with the pins that people made: "
            "everything is asked and paid for again.",
            remedy="Look whether STATE_DIR is mounted and names the folder that it named before; or restore its "
            "backup. If this is the first run, all is well.",
            severity="warning",
        )
