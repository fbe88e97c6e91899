"""List pins, make one, release those of one movie or show, or write them into a block; at once, also in a run."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.choice import Pin, said_of
from kometa_ai.core.collection import ItemRef, fold_title
from kometa_ai.core.item import by_kind, catalogues, dated, kind_of, ref_of
from kometa_ai.core.naming import label_of, slug_of, tag_of
from kometa_ai.core.options import Options
from kometa_ai.core.summary import in_words
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.finding import find_item
from kometa_ai.kometa.block_keys import PINS
from kometa_ai.kometa.checking.rewording import lines_to_copy, with_pins
from kometa_ai.run.scope import choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.core.choice import Choices, Origin
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import Item
    from kometa_ai.core.naming import CollectionKey, Slug
    from kometa_ai.jobs.session import Session
    from kometa_ai.kometa.checking.rewording import LinesToCopy
    from kometa_ai.run.parts import Parts

_YEAR = re.compile(r" \(\d{4}\)$")


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has pinned, the pins of the same pairs that it replaces, and what stands against it.

    `overruled_by` names collections whose blocks pin the item otherwise.
    """

    pins: tuple[Pin, ...]
    replaced: tuple[Pin, ...] = ()
    overruled_by: tuple[str, ...] = ()


def pins(session: Session, collections: Sequence[str] = ()) -> Sequence[Pin]:
    """All pins that are kept beside the state, or those of these collections; none of those in Kometa's files."""
    named = {slug_of(name) for name in collections}
    return _of(named, session.choices.read().pins)


async def pin(
    session: Session, texts: Sequence[str], collections: Sequence[str], *, include: bool, origin: Origin
) -> Pinned:
    """Pin items, named as in `--explain`, in or out of these collections. A pin of the same pair is replaced.

    Raise FixUsage for an item or a collection that there is not, or CheckLibrary where no library tells of the item;
    then nothing is pinned.
    """
    folder = session.read_folder(session.settings.config_dir)
    if not collections:
        names = in_words([repr(each.name) for each in folder.collections]) or "none"
        raise FixUsage("A pin belongs to a collection.", f"Add --collection with its name. There are: {names}.")
    chosen = choose(folder, collections)

    async def find(parts: Parts, text: str) -> Pinned:
        item = (await find_item(parts, session.rules, Options(), text)).item
        fitting = [each for each in chosen if each.kind == kind_of(item.key)]
        if not fitting:
            raise FixUsage(
                f"{item} is a {kind_of(item.key)}, and {in_words([repr(each.name) for each in chosen])} "
                f"{'is' if len(chosen) == 1 else 'are'} about {chosen[0].kind}s.",
                f"Name a collection of {kind_of(item.key)}s.",
            )
        made = tuple(
            Pin(
                key=item.key,
                slug=each.slug,
                include=include,
                title=str(item),
                imdb_id=item.imdb_id,
                since=session.now(),
                origin=origin,
                said=said_of(parts.store.memory, item.key, each.slug),
            )
            for each in fitting
        )
        return Pinned(pins=made, overruled_by=tuple(each.name for each in fitting if _overrules(each, item, include)))

    async def find_all(parts: Parts) -> Pinned:
        found = [await find(parts, text) for text in texts]
        return Pinned(
            pins=tuple(made for each in found for made in each.pins),
            overruled_by=tuple(dict.fromkeys(name for each in found for name in each.overruled_by)),
        )

    found = await session.look(find_all)
    pairs = {made.pair for made in found.pins}
    replaced: list[Pin] = []

    def with_them(choices: Choices) -> Choices:
        replaced[:] = [before for before in choices.pins if before.pair in pairs]
        return choices.with_pins(*found.pins)

    session.choices.change(with_them)
    return msgspec.structs.replace(found, replaced=tuple(replaced))


def names_of(session: Session) -> Mapping[CollectionKey, str]:
    """The names of all collections that have a block, by their keys."""
    folder = session.read_folder(session.settings.config_dir)
    others = (*folder.disabled, *folder.skipped, *folder.unserved)
    found = {key: other.name for other in others for key in other.keys}
    return found | {collection.key: collection.name for collection in folder.collections}


def _overrules(collection: Collection, item: Item, include: bool) -> bool:  # noqa: FBT001
    """Whether the collection's block pins the item to the other side."""
    others = collection.pins_out if include else collection.pins_in
    return any(ref.names(item) for ref in others)


def lines_for_pins(session: Session, collection: CollectionKey, names: Sequence[str]) -> tuple[LinesToCopy, ...]:
    """The lines of a collection's block with these items pinned in, named as in a block, for each file that holds it.

    None where there is no such collection.
    """
    folder = session.read_folder(session.settings.config_dir)
    found = next((each for each in folder.collections if each.key == collection), None)
    if found is None:
        return ()
    return lines_to_copy(
        session.settings.config_dir,
        found,
        lambda block: with_pins(block, into=names),
        by_hand=f"Write what is not there yet below `{PINS[found.kind][0]}`: {', '.join(names)}.",
        services=session.settings.kinds,
        redact=session.redact,
    )


def release(session: Session, text: str, collections: Sequence[str] = ()) -> list[Pin]:
    """Drop an item's pins, all or those in these collections, and return them. `text` is an id or a title.

    It may also be the id of a run: then all pins are dropped that this run has made. Raise FixUsage if there is none,
    or if the title is that of several items.
    """
    text = text.strip()
    named = {slug_of(name) for name in collections}
    found: list[Pin] = []

    def without(choices: Choices) -> Choices:
        found[:] = _found(text, named, choices.pins)
        return choices.without_pins(*found)

    session.choices.change(without)
    return found


def _found(text: str, named: set[Slug], kept: Sequence[Pin]) -> list[Pin]:
    """The pins that the text names, in these collections or, where none is named, in all."""
    here = _of(named, kept)
    if of_run := [each for each in here if text and each.run_id == text]:
        return of_run
    found = [each for each in here if _names(text, each)]
    if not found:
        shows = any(kind_of(each.key) == "show" for each in here) and _is_of_tmdb(text)
        by = " A show's pin is named by its title or by its number at TheTVDB." if shows else ""
        raise FixUsage(f"There is no pin on {text!r}.", f"--pins lists them.{by}")
    if sum((kinds := by_kind({each.key for each in found})).values()) > 1:
        several = ", ".join(dict.fromkeys(f"{each.title} ({ref_of(each.key)})" for each in found))
        what = " and ".join(f"{kind}s" for kind in kinds)
        raise FixUsage(f"{text!r} names several {what}: {several}.", f"Name one of them by its {catalogues(kinds)} id.")
    return found


def _is_of_tmdb(text: str) -> bool:
    with suppress(ValueError):
        return bool(ItemRef.parse(text, "show").tmdb_show)
    return False


def _of(named: set[Slug], kept: Sequence[Pin]) -> list[Pin]:
    """The pins of these collections; all of them where none is named."""
    return [each for each in kept if not named or not named.isdisjoint(_spellings(each.slug))]


def _spellings(slug: Slug) -> set[str]:
    """What names a collection beside its name: the slug, and the tag."""
    return {slug, label_of(tag_of(slug))}


def _names(text: str, pin: Pin) -> bool:
    """Whether the text names the pin's item: by an id, by title and year, or by the title alone.

    A number of TMDb names no show: a pin holds only the one of its TVDb.
    """
    title = fold_title(pin.title)
    try:
        ref = ItemRef.parse(text, kind_of(pin.key))
    except ValueError:
        return fold_title(text) in (title, _YEAR.sub("", title))
    if ref.item is not None or ref.tmdb_show:
        return ref.item == pin.key
    if ref.imdb_id:
        return ref.imdb_id == pin.imdb_id.lower()
    # Titles of shows may carry a year of their own, beside the one that follows.
    return title in (dated(ref.title, ref.year), f"{ref.title} ({ref.year})") or (
        kind_of(pin.key) == "show" and fold_title(text) == _YEAR.sub("", title)
    )
