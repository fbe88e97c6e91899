"""Number items of one kind and write them as text (`Page`), and make requests of it about collections. Pure.

Why: docs/decisions/0003-movies-first.md
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kometa_ai.asking.prompts import form_of, question_text
from kometa_ai.core.collection import Collection
from kometa_ai.core.item import Kind, kind_of
from kometa_ai.core.kinds import AnyItem
from kometa_ai.judging.records import records_text
from kometa_ai.providers.port import Form, Request

_TOKENS_AROUND, _TOKENS_A_MOVIE = 4000, 80
_TOKENS_OF_SEVERAL = 32_000
"""An answer about several collections may have this many tokens, or as many as one about one collection."""


class Page(NamedTuple):
    """Items of one kind as they are sent together: numbered from 1 in this order."""

    movies: tuple[AnyItem, ...]
    text: str
    kind: Kind = "movie"

    @classmethod
    def of(cls, items: Iterable[AnyItem]) -> Page:
        """Write the items down. They must be of one kind: a request has one system prompt and one schema."""
        items = tuple(items)
        kinds = {kind_of(item.key) for item in items} or {"movie"}
        if len(kinds) > 1:
            raise ValueError("movies and shows cannot share a request")
        return cls(items, records_text(items), kinds.pop())

    def halves(self) -> tuple[Page, Page]:
        """The same items on two pages."""
        middle = (len(self.movies) + 1) // 2
        return Page.of(self.movies[:middle]), Page.of(self.movies[middle:])

    def form(self, *, numbered: bool = False, second_look: bool = False) -> Form:
        """What a question about it shares with all others of its sort."""
        return form_of(self.kind, numbered=numbered, second_look=second_look)

    def request(
        self,
        collections: Sequence[Collection],
        model: str,
        *,
        second_look: bool,
        cache: bool,
        cache_system: bool = False,
        numbered: bool | None = None,
    ) -> Request:
        """The question whether these items belong to a collection, or to each of several, which are `numbered`.

        One alone may be, too: it then begins as those about several do.
        """
        count = len(collections)
        numbered = count > 1 if numbered is None else numbered
        expected = _TOKENS_AROUND + _TOKENS_A_MOVIE * len(self.movies)
        return Request(
            form=self.form(numbered=numbered, second_look=second_look),
            movies=self.text,
            collection=question_text(collections, kind=self.kind, numbered=numbered, second_look=second_look),
            model=model,
            cache=cache,
            cache_system=cache_system,
            collections=count,
            expected_tokens=max(expected, min(expected * count, _TOKENS_OF_SEVERAL)),
        )
