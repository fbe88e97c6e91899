"""`Page`: movies numbered and written as text; it makes the request about one collection. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kometa_ai.asking.prompts import FORM, collection_text
from kometa_ai.core.collection import Collection
from kometa_ai.core.movie import Movie
from kometa_ai.judging.records import movies_text
from kometa_ai.providers.port import Request

_TOKENS_AROUND, _TOKENS_A_MOVIE = 4000, 80


class Page(NamedTuple):
    """Movies as they are sent together: numbered from 1 in this order."""

    movies: tuple[Movie, ...]
    text: str

    @classmethod
    def of(cls, movies: Iterable[Movie]) -> Page:
        """Write the movies down."""
        movies = tuple(movies)
        return cls(movies, movies_text(movies))

    def halves(self) -> tuple[Page, Page]:
        """The same movies on two pages."""
        middle = (len(self.movies) + 1) // 2
        return Page.of(self.movies[:middle]), Page.of(self.movies[middle:])

    def request(
        self, collection: Collection, model: str, *, second_look: bool, cache: bool, cache_system: bool = False
    ) -> Request:
        """The question whether these movies belong to a collection."""
        return Request(
            form=FORM,
            movies=self.text,
            collection=collection_text(collection, second_look=second_look),
            model=model,
            cache=cache,
            cache_system=cache_system,
            expected_tokens=_TOKENS_AROUND + _TOKENS_A_MOVIE * len(self.movies),
        )
