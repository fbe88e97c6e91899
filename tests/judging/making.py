"""Collections, movies and decisions to decide about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import Decision, Verdict
from kometa_ai.core.item import ArrId, movie_key, show_key
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import Label, Slug, tag_of
from kometa_ai.core.show import Show
from kometa_ai.judging.policy import settle

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
HEAT = movie_key(949)


def collection(**changes: Any) -> Collection:
    """A collection called Noir with the threshold 0.7."""
    return Collection(**{"name": "Noir", "slug": Slug("noir"), "tag": "KAI-noir", "prompt": "Dark.", **changes})


def named(name: str, **changes: Any) -> Collection:
    """A collection of another name."""
    slug = name.lower()
    return collection(name=name, slug=Slug(slug), tag=tag_of(slug), **changes)


def movie(number: int, *labels: str, **changes: Any) -> Movie:
    """A movie with some tags."""
    fields: dict[str, Any] = {"title": f"Movie {number}", "year": 1995, **changes}
    return Movie(arr_id=ArrId(number + 10_000), key=movie_key(number), labels=frozenset(map(Label, labels)), **fields)


def show(number: int, *labels: str, **changes: Any) -> Show:
    """A show with some tags."""
    fields: dict[str, Any] = {"title": f"Show {number}", "year": 1995, **changes}
    return Show(arr_id=ArrId(number + 10_000), key=show_key(number), labels=frozenset(map(Label, labels)), **fields)


def verdict(confidence: float, *, include: bool = True, listed: bool = True) -> Verdict:
    """What Claude says."""
    return Verdict(include=include, confidence=confidence, reason="So it is.", listed=listed)


def settled(
    said: Verdict,
    previous: Decision | None = None,
    by: Collection | None = None,
    *,
    second_look: bool = False,
    metadata_hash: str = "data",
) -> Decision:
    """The decision that follows."""
    return settle(
        said,
        previous,
        by or collection(),
        second_look=second_look,
        metadata_hash=metadata_hash,
        model="claude-sonnet-5-5",
        now=NOW,
    )
