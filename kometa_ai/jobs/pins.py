"""The pins in the state: list them, and release those of one movie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kometa_ai.core.collection import ItemRef, fold_title
from kometa_ai.core.item import ref_of
from kometa_ai.core.naming import slug_of
from kometa_ai.errors import FixUsage
from kometa_ai.state.schema import Released

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.decision import Pin
    from kometa_ai.jobs.session import Session

_YEAR = re.compile(r" \(\d{4}\)$")


def pins(session: Session) -> Sequence[Pin]:
    """All pins of the state; those in Kometa's files are not among them."""
    return session.read().state.pins


def release(session: Session, movie: str, collections: Sequence[str] = ()) -> list[Pin]:
    """Drop a movie's pins, all or those in these collections, and return them. `movie` is an id or a title.

    Raise FixUsage if there is none, or if the title is that of several movies.
    """
    movie = movie.strip()
    slugs = {slug_of(name) for name in collections}
    with session.lock() as store:
        found = [pin for pin in store.state.pins if _names(movie, pin) and (not slugs or pin.slug in slugs)]
        if not found:
            raise FixUsage(f"There is no pin on {movie!r}.", "--pins lists them.")
        if len({pin.key for pin in found}) > 1:
            several = ", ".join(dict.fromkeys(f"{pin.title} ({ref_of(pin.key)})" for pin in found))
            raise FixUsage(f"{movie!r} names several movies: {several}.", "Name one of them by its TMDb id.")
        store.record(*(Released(key=pin.key, slug=pin.slug) for pin in found))
        store.save(session.now())
    return found


def _names(text: str, pin: Pin) -> bool:
    """Whether the text names the pin's movie: by an id, by title and year, or by the title alone."""
    title = fold_title(pin.title)
    try:
        ref = ItemRef.parse(text)
    except ValueError:
        return fold_title(text) in (title, _YEAR.sub("", title))
    if ref.item is not None:
        return ref.item == pin.key
    return ref.imdb_id == pin.imdb_id.lower() if ref.imdb_id else f"{ref.title} ({ref.year})" == title
