"""Write movies as the records that a model reads: one JSON object a line, free of hidden characters. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kometa_ai.core.movie import ACTORS_HASHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.movie import Movie

PLOT_LENGTH = 1500
KEYWORDS = 15

# Half a surrogate pair cannot be encoded as UTF-8.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
HIDDEN = re.compile(
    r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
"""Characters that a model reads and users do not see: tags, variation selectors, marks of direction, fillers."""


def movies_text(movies: Sequence[Movie]) -> str:
    """Write movies as one JSON object a line, numbered from 1; equal movies give equal bytes."""
    return "\n".join(
        json.dumps(_movie(number, movie), ensure_ascii=False, separators=(",", ":"))
        for number, movie in enumerate(movies, start=1)
    )


def _movie(number: int, movie: Movie) -> dict[str, Any]:
    record = {
        "movie_id": number,
        "title": clean(movie.title),
        "year": movie.year,
        "genres": _names(movie.genres),
        "plot": clean(movie.plot)[:PLOT_LENGTH],
        "directors": _names(movie.credits.directors),
        "actors": _names(movie.credits.actors[:ACTORS_HASHED]),
        "keywords": _names(movie.keywords[:KEYWORDS]),
    }
    return {key: value for key, value in record.items() if value}


def _names(texts: Sequence[str]) -> list[str]:
    return [name for text in texts if (name := clean(text))]


def clean(text: str) -> str:
    """Text on one line, without control characters, broken characters and hidden ones."""
    return without_controls(text).strip()


def without_controls(text: str) -> str:
    """Text with a blank for each run of control characters, and without invisible ones."""
    return _CONTROL.sub(" ", text if text.isascii() else HIDDEN.sub("", text))
