"""Write items as the records that a model reads: one JSON object a line, free of hidden characters. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, assert_never

from kometa_ai.core.movie import ACTORS_HASHED, Movie
from kometa_ai.core.show import Show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.kinds import AnyItem

PLOT_LENGTH = 1500
KEYWORDS = 15

# Half a surrogate pair cannot be encoded as UTF-8.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
HIDDEN = re.compile(
    r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Characters that a model reads and users do not see: tags, variation selectors, marks of direction, fillers."""


def records_text(items: Sequence[AnyItem]) -> str:
    """Write items as one JSON object a line, numbered from 1; equal items give equal bytes."""
    return "\n".join(
        json.dumps(record_of(number, item), ensure_ascii=False, separators=(",", ":"))
        for number, item in enumerate(items, start=1)
    )


def record_of(number: int, item: AnyItem) -> dict[str, Any]:
    """What a model reads of an item, without what is empty."""
    match item:
        case Movie():
            record = _movie(number, item)
        case Show():
            record = _show(number, item)
        case _:
            assert_never(item)
    return {key: value for key, value in record.items() if value}


def _movie(number: int, movie: Movie) -> dict[str, Any]:
    return {
        "movie_id": number,
        "title": clean(movie.title),
        "year": movie.year,
        "genres": _names(movie.genres),
        "plot": clean(movie.plot)[:PLOT_LENGTH],
        "directors": _names(movie.credits.directors),
        "actors": _names(movie.credits.actors[:ACTORS_HASHED]),
        "keywords": _names(movie.keywords[:KEYWORDS]),
    }


def _show(number: int, show: Show) -> dict[str, Any]:
    """The record of a show. It has no people and no keywords: the other fields say which show is meant."""
    return {
        "show_id": number,
        "title": clean(show.title),
        "year": show.year,
        "network": clean(show.network),
        "language": clean(show.language),
        "genres": _names(show.genres),
        "certification": clean(show.certification),
        "runtime": show.runtime,
        "seasons": show.seasons,
        "status": show.status,
        "type": show.form,
        "plot": clean(show.plot)[:PLOT_LENGTH],
    }


def _names(texts: Sequence[str]) -> list[str]:
    return [name for text in texts if (name := clean(text))]


def clean(text: str) -> str:
    """Text on one line, without control characters, broken characters and hidden ones."""
    return without_controls(text).strip()


def without_controls(text: str) -> str:
    """Text with a blank for each run of control characters, and without invisible ones."""
    return _CONTROL.sub(" ", text if text.isascii() else HIDDEN.sub("", text))
