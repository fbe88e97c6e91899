"""Answers of the review: each counts once, none counts for what nobody saw, and each can be taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.choice import ANSWERS_KEPT, Choices, Dismissal, Pin, Said
from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.answers import Answer, Now, Overtaken, Taken, take_answers, take_back
from kometa_ai.jobs.review import Seen
from kometa_ai.state.choices import ChoicesFile
from tests.judging.making import NOW

if TYPE_CHECKING:
    from pathlib import Path

SEEN = Seen(prompt_hash="prompt", metadata_hash="data", confidence=0.7)
NOIR = Slug("noir")


def answer(number: int, reply: Any = "in", *, id: str = "", **fields: Any) -> Answer:  # noqa: A002 - the field's name
    """An answer about the movie of that number."""
    usual: dict[str, Any] = {"key": movie_key(number), "slug": NOIR, "reply": reply, "seen": SEEN}
    return Answer(id=id or f"{reply}-{number}", **usual | fields)


def standing(*numbers: int) -> dict[tuple[ItemKey, Slug], Now]:
    """These movies as they stand: close calls."""
    said = Said(include=True, confidence=0.7)
    return {
        (movie_key(number), NOIR): Now(SEEN, "close call", f"Movie {number} (1995)", f"tt{number:07}", said)
        for number in numbers
    }


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> ChoicesFile:
    return ChoicesFile(tmp_path)


def take(file: ChoicesFile, *answers: Answer) -> list[str]:
    """Answer, and say what became of each."""
    now = standing(*range(1, 10))
    return [taken.result for taken in take_answers(file, answers, now, NOW)]


def test_in_and_out_are_pins_and_leave_is_a_dismissal(file: ChoicesFile) -> None:
    """A pin says who chose, where, and what the model had said; a dismissal what it was made from."""
    assert take(file, answer(1, "in", by="anna"), answer(2, "out"), answer(3, "leave", by="anna")) == ["kept"] * 3

    choices = ChoicesFile(file._folder).read()
    assert [(pin.pair, pin.include, pin.origin, pin.by, pin.title, pin.imdb_id) for pin in choices.pins] == [
        ((movie_key(1), NOIR), True, "review", "anna", "Movie 1 (1995)", "tt0000001"),
        ((movie_key(2), NOIR), False, "review", "", "Movie 2 (1995)", "tt0000002"),
    ]
    assert choices.pins[0].said == Said(include=True, confidence=0.7)
    assert choices.dismissals == (
        Dismissal(
            key=movie_key(3),
            slug=NOIR,
            kind="close call",
            metadata_hash="data",
            prompt_hash="prompt",
            at=NOW,
            by="anna",
        ),
    )


def test_the_same_id_counts_once(file: ChoicesFile) -> None:
    """Sent again, in the same list or later, an answer changes nothing, also when the pair is another by then."""
    assert take(file, answer(1), answer(1)) == ["kept", "kept"]
    before = file.read()

    again = take_answers(file, [answer(1)], {}, NOW + timedelta(days=1))

    assert again == [Taken(id="in-1", result="kept")]
    assert file.read() == before
    assert len(before.pins) == len(before.answers) == 1


@pytest.mark.parametrize("other", [answer(2, id="in-1"), answer(1, "out", id="in-1")])
def test_an_id_is_for_one_answer(file: ChoicesFile, other: Answer) -> None:
    """The same id for something else is a mistake of the sender, and nothing of the list is kept."""
    take(file, answer(1))
    before = file.read()

    with pytest.raises(FixUsage, match="belongs to another answer"):
        take(file, answer(5), other)

    assert file.read() == before


@pytest.mark.parametrize(
    "seen",
    [
        Seen(prompt_hash="edited", metadata_hash="data", confidence=0.7),
        Seen(prompt_hash="prompt", metadata_hash="new data", confidence=0.7),
        Seen(prompt_hash="prompt", metadata_hash="data", confidence=0.65),
        Seen(prompt_hash="prompt", metadata_hash="data"),
    ],
)
def test_what_was_seen_must_be_what_is(file: ChoicesFile, seen: Seen) -> None:
    """Another prompt, other data, or another verdict: that answer is refused, the others are kept."""
    assert take(file, answer(1, seen=seen), answer(2)) == ["changed", "kept"]
    assert [pin.key for pin in file.read().pins] == [movie_key(2)]
    assert take(file, answer(1)) == ["kept"]


def test_what_is_not_there_cannot_be_answered(file: ChoicesFile) -> None:
    """A movie that has left the libraries, or a collection that is gone, is what nobody saw."""
    assert take(file, answer(77)) == ["changed"]
    assert file.read() == Choices()


def test_an_answer_is_taken_back_to_what_was_before(file: ChoicesFile) -> None:
    """A pin that stood before it is there again, as it was."""
    old = Pin(key=movie_key(1), slug=NOIR, include=False, since=NOW - timedelta(days=9), origin="command line")
    file.change(lambda choices: choices.with_pins(old))
    take(file, answer(1), answer(2, "leave"))

    for each in ("in-1", "leave-2"):
        assert take_back(file, each) is not None

    assert file.read() == Choices(pins=(old,))
    assert take_back(file, "in-1") is None
    assert take(file, answer(1)) == ["kept"]  # sent anew, it counts anew


def test_what_came_after_it_is_not_lost(file: ChoicesFile) -> None:
    """An answer that another choice has followed is not taken back, until that one was."""
    take(file, answer(1), answer(1, "out"), answer(2))
    file.change(lambda choices: choices.without_pins(*choices.pins[-1:]))  # the one of movie 2

    for each in ("in-1", "in-2"):
        with pytest.raises(Overtaken):
            take_back(file, each)

    take_back(file, "out-1")
    assert [pin.include for pin in file.read().pins] == [True]
    take_back(file, "in-1")
    assert file.read().pins == ()


def test_a_thousand_answers_are_remembered(file: ChoicesFile) -> None:
    """The oldest are forgotten first; their choices stay."""
    numbers = range(1, ANSWERS_KEPT + 6)
    now = standing(*numbers)

    take_answers(file, [answer(number) for number in numbers], now, NOW)

    choices = file.read()
    assert (len(choices.pins), len(choices.answers)) == (len(numbers), ANSWERS_KEPT)
    assert take_back(file, "in-5") is None
    assert take_back(file, "in-6") is not None


_sent = st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["in", "out", "leave"])), max_size=12)


@given(_sent, st.data())
def test_any_repetition_ends_the_same(tmp_path_factory: pytest.TempPathFactory, sent: Any, data: st.DataObject) -> None:
    """Whichever part of what was sent is sent again in between, each answer counts once; and all can be taken back."""
    answers = [answer(number, reply, id=f"{place}") for place, (number, reply) in enumerate(sent)]
    once, often = (ChoicesFile(tmp_path_factory.mktemp("choices")) for _ in range(2))
    take(once, *answers)

    for end in range(len(answers) + 1):
        take(often, *answers[data.draw(st.integers(0, end)) : end])
        take(often, *answers[:end])

    assert often.read() == once.read()
    for each in reversed(answers):
        assert take_back(often, each.id) is not None
    assert often.read() == Choices()
