"""Describe an open batch: what was asked in it, so that any later run can use the answers."""

from __future__ import annotations

import msgspec

from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ItemKey, Kind
from kometa_ai.core.moment import Moment
from kometa_ai.core.naming import CollectionKey, Slug

AskedPage = tuple[tuple[ItemKey, str], ...]
"""Movies in the order sent, each with the metadata hash of what was sent."""


class BatchedQuestion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A page of movies and the collection that a request of a batch asks about, and which look it is.

    A request about several collections is several questions of one `id`, each with its `number` in the request.
    """

    id: str
    page: int
    slug: Slug
    kind: Kind = "movie"
    prompt_hash: str
    second_look: bool = False
    number: int = 0

    @property
    def collection(self) -> CollectionKey:
        """The collection that it asks about."""
        return collection_key(self.kind, self.slug)


class OpenBatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A batch whose answers are not all taken yet.

    `key` is our name for it, `id` Anthropic's: empty while it is not known whether the batch was ever taken. `taken`
    are the collections whose answers are in the state. `foreign` are ids that belong to another program's batches.
    """

    key: str
    model: str
    planned: Moment
    pages: tuple[AskedPage, ...]
    questions: tuple[BatchedQuestion, ...]
    id: str = ""
    taken: frozenset[CollectionKey] = frozenset()
    foreign: tuple[str, ...] = ()

    @property
    def open_questions(self) -> tuple[BatchedQuestion, ...]:
        """The questions whose answers are not taken yet."""
        return tuple(question for question in self.questions if question.collection not in self.taken)

    @property
    def requests(self) -> int:
        """How many requests it has."""
        return len({question.id for question in self.questions})
