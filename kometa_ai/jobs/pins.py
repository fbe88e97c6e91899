"""The pins in the state: list them, and release those of one movie or show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kometa_ai.core.collection import ItemRef, fold_title
from kometa_ai.core.item import by_kind, catalogues, dated, kind_of, ref_of
from kometa_ai.core.naming import label_of, slug_of, tag_of
from kometa_ai.errors import FixUsage
from kometa_ai.state.schema import Released

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.decision import Pin
    from kometa_ai.core.naming import Slug
    from kometa_ai.jobs.session import Session

_YEAR = re.compile(r" \(\d{4}\)$")


def pins(session: Session) -> Sequence[Pin]:
    """All pins of the state; those in Kometa's files are not among them."""
    return session.read().state.pins


def release(session: Session, text: str, collections: Sequence[str] = ()) -> list[Pin]:
    """Drop an item's pins, all or those in these collections, and return them. `text` is an id or a title.

    Raise FixUsage if there is none, or if the title is that of several movies.
    """
    text = text.strip()
    named = {slug_of(name) for name in collections}
    with session.lock() as store:
        found = [
            pin
            for pin in store.state.pins
            if _names(text, pin) and (not named or not named.isdisjoint(_spellings(pin.slug)))
        ]
        if not found:
            raise FixUsage(f"There is no pin on {text!r}.", "--pins lists them.")
        if sum((kinds := by_kind({pin.key for pin in found})).values()) > 1:
            several = ", ".join(dict.fromkeys(f"{pin.title} ({ref_of(pin.key)})" for pin in found))
            what = " and ".join(f"{kind}s" for kind in kinds)
            raise FixUsage(
                f"{text!r} names several {what}: {several}.", f"Name one of them by its {catalogues(kinds)} id."
            )
        store.record(*(Released(key=pin.key, slug=pin.slug) for pin in found))
        store.save(session.now())
    return found


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
