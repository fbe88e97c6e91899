"""`Page`: items of one kind, numbered and written as text; it makes the request about one collection. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kometa_ai.asking.prompts import collection_text, form_of
from kometa_ai.core.collection import Collection
from kometa_ai.core.item import Kind, kind_of
from kometa_ai.core.kinds import AnyItem
from kometa_ai.judging.records import records_text
from kometa_ai.providers.port import Form, Request

_TOKENS_AROUND, _TOKENS_A_MOVIE = 4000, 80


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

    @property
    def form(self) -> Form:
        """What it shares with all requests about items of its kind."""
        return form_of(self.kind)

    def halves(self) -> tuple[Page, Page]:
        """The same items on two pages."""
        middle = (len(self.movies) + 1) // 2
        return Page.of(self.movies[:middle]), Page.of(self.movies[middle:])

    def request(
        self, collection: Collection, model: str, *, second_look: bool, cache: bool, cache_system: bool = False
    ) -> Request:
        """The question whether these items belong to a collection."""
        return Request(
            form=self.form,
            movies=self.text,
            collection=collection_text(collection, kind=self.kind, second_look=second_look),
            model=model,
            cache=cache,
            cache_system=cache_system,
            expected_tokens=_TOKENS_AROUND + _TOKENS_A_MOVIE * len(self.movies),
        )
