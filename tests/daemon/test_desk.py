"""What a card of the review page says for itself, and what a sitting adds up to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.core.choice import Answered
from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.daemon.desk import Sitting, Spread, sitting_of
from kometa_ai.daemon.listing import ItemPage
from kometa_ai.jobs.review import Card, Seen
from kometa_ai.web.pages.review import why_here

if TYPE_CHECKING:
    from kometa_ai.core.choice import Reply

AT = datetime(2026, 3, 1, tzinfo=UTC)
HEAT = ItemKey("movie:949")


def spread(**changed: Any) -> Spread:
    """A card of a movie that is in, by a verdict of 0.8."""
    fields: dict[str, Any] = {
        "kind": "close call",
        "key": HEAT,
        "title": "Heat",
        "year": 1995,
        "collection": CollectionKey("heist"),
        "slug": Slug("heist"),
        "name": "Heist",
        "belongs": True,
        "cause": "verdict",
        "confidence": 0.8,
        "include": True,
        "threshold": 0.7,
        "if_nothing_is_done": "it stays in",
        "seen": Seen(prompt_hash="1"),
    }
    return Spread(Card(**fields | changed), ItemPage(key=HEAT, tmdb_id=949, title="Heat", year=1995), ())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, "Only 0.10 from the threshold."),
        ({"confidence": 0.702}, "Right at the threshold."),
        ({"kind": "held back"}, "The brake holds its addition back."),
        ({"kind": "held back", "belongs": False}, "The brake holds its removal back."),
        ({"kind": "looks disagree", "first": 0.6}, "Two looks at it came to different answers."),
        (
            {"kind": "tag against verdict", "belongs": False, "deciding_tags": ("kai-noir", "kai-crime")},
            "The tag kai-noir or kai-crime keeps it out, against a clear verdict.",
        ),
        ({"kind": "wants to leave", "belongs": False}, "It was in for long."),
    ],
)
def test_why_a_card_is_here(changed: dict[str, Any], why: str) -> None:
    """In a sentence for each kind."""
    assert why_here(spread(**changed)) == why


@pytest.mark.parametrize(
    ("changed", "says_in"),
    [
        ({}, True),
        ({"confidence": 0.65}, False),
        ({"include": False}, False),
        ({"include": None, "confidence": None}, True),
        ({"include": None, "confidence": None, "belongs": None}, False),
    ],
)
def test_the_side_of_a_card(changed: dict[str, Any], says_in: bool) -> None:  # noqa: FBT001 - the outcome
    """The model's; where it has not judged, the one on which the movie is."""
    assert spread(**changed).says_in is says_in


def answered(answer_id: str, reply: Reply, number: int = 949) -> Answered:
    """An answer."""
    return Answered(id=answer_id, key=ItemKey(f"movie:{number}"), slug=Slug("heist"), reply=reply, at=AT)


def test_a_sitting() -> None:
    """Its answers, by their groups, and the movies whose tags follow: each once, and none that was left."""
    own = [answered("abc.1", "in"), answered("abc.2~0", "out", 1), answered("abc.2~1", "leave", 2)]
    found = sitting_of([answered("other.1", "in", 3), *own, answered("abcd.1", "in", 4)], "abc")

    assert found.answers == own
    assert dict(found.replies) == {"in": 1, "out": 1, "leave": 1}
    assert dict(found.groups) == {"abc.1": 1, "abc.2": 2}
    assert found.latest == own[1:]
    assert found.pinned == [HEAT, "movie:1"]
    assert (sitting_of(own, "").answers, Sitting().latest) == ([], [])
