"""How questions are packed into packets."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.decision import Reason
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey
from kometa_ai.judging.packing import pack
from kometa_ai.judging.planning import Questions, subjects_of
from tests.asking.support import collection, labels, movie, movies, numbers
from tests.judging.making import named, show

COUNT = 30
NAMES = ("A", "B", "C", "D")
COLLECTIONS = [collection(name) for name in NAMES]
LIBRARY = subjects_of(movies(COUNT), {})

PAIRS = st.dictionaries(
    st.tuples(st.sampled_from(NAMES), st.integers(1, COUNT)), st.sampled_from([Reason.NEW, Reason.SECOND_LOOK])
)


def questions(pairs: dict[tuple[str, int], Reason]) -> Questions:
    """Pairs of a collection's name and a movie's number as questions."""
    found: Questions = {each.key: {} for each in COLLECTIONS}
    for (name, number), reason in pairs.items():
        found[CollectionKey(name.lower())][movie_key(1000 + number)] = reason
    return found


@given(PAIRS, st.integers(1, 12))
def test_each_pair_is_in_exactly_one_packet(pairs: dict[tuple[str, int], Reason], size: int) -> None:
    """Second looks are in none, and no packet has more movies than allowed."""
    packets = pack(questions(pairs), LIBRARY, COLLECTIONS, size)

    packed = Counter(
        (each.name, n) for packet in packets for each in packet.collections for n in numbers(packet.movies)
    )
    assert packed == Counter(pair for pair, reason in pairs.items() if reason is not Reason.SECOND_LOOK)
    assert all(0 < len(packet.movies) <= size for packet in packets)


@given(PAIRS, st.integers(1, 12))
def test_packing_does_not_depend_on_the_order_of_questions(pairs: dict[tuple[str, int], Reason], size: int) -> None:
    """Equal questions make equal packets, of movies in one order."""
    turned = dict(reversed(pairs.items()))

    packets = pack(questions(pairs), LIBRARY, COLLECTIONS, size)

    assert packets == pack(questions(turned), LIBRARY, COLLECTIONS, size)
    assert all(numbers(packet.movies) == sorted(numbers(packet.movies)) for packet in packets)


def test_higher_priorities_come_first() -> None:
    """In each packet, and among the packets."""
    pairs = {(name, number): Reason.NEW for name in NAMES for number in (1, 2)}
    pairs |= {("D", number): Reason.NEW for number in (3, 4)} | {("B", 5): Reason.NEW}

    packets = pack(questions(pairs), LIBRARY, COLLECTIONS, 50)

    assert [(numbers(packet.movies), [each.name for each in packet.collections]) for packet in packets] == [
        ([1, 2], ["A", "B", "C", "D"]),
        ([5], ["B"]),
        ([3, 4], ["D"]),
    ]


def test_what_is_urgent_comes_first() -> None:
    """Members of an edited collection, then new movies, then what has an old verdict; a packet is not split for it."""
    library = subjects_of([*movies(2), movie(3, labels=labels("a")), movie(4, labels=labels("b"))], {})
    asked = {(name, number): Reason.PROMPT_CHANGED for name in ("A", "B") for number in (1, 3, 4)}
    asked |= {(name, 2): Reason.NEW for name in ("A", "B")}

    assert [numbers(packet.movies) for packet in pack(questions(asked), library, COLLECTIONS, 50)] == [[3, 4, 2, 1]]
    assert [numbers(packet.movies) for packet in pack(questions(asked), library, COLLECTIONS, 2)] == [[3, 4], [2, 1]]


def test_what_is_given_up_is_in_no_block() -> None:
    """It has no verdict, and is not asked about either."""
    asked = {("A", 1): Reason.GIVEN_UP, ("A", 2): Reason.NEW}

    assert [numbers(packet.movies) for packet in pack(questions(asked), LIBRARY, COLLECTIONS, 50)] == [[2]]


def test_pieces_are_nearly_equal() -> None:
    """A library of one movie more than a packet holds is halved: a request about one movie costs nearly as much."""
    pairs = {("A", number): Reason.NEW for number in range(1, 12)}

    assert [len(packet.movies) for packet in pack(questions(pairs), LIBRARY, COLLECTIONS, 10)] == [5, 6]
    assert [len(packet.movies) for packet in pack(questions(pairs), LIBRARY, COLLECTIONS, 4)] == [3, 4, 4]


def test_no_question_makes_no_block() -> None:
    """Nor do second looks alone."""
    assert pack(questions({}), LIBRARY, COLLECTIONS, 10) == []
    assert pack(questions({("A", 1): Reason.SECOND_LOOK}), LIBRARY, COLLECTIONS, 10) == []


def test_kinds_take_turns() -> None:
    """Packets of one urgency and priority are of both kinds in turn; a higher priority comes first all the same."""
    films, series = [movie(number) for number in range(1, 7)], [show(number) for number in range(1, 4)]
    first = named("First", kind="show", priority=1)
    alike = [named("Crime", kind="show"), named("Noir")]
    wanted: Questions = {
        first.key: {series[0].key: Reason.NEW},
        alike[0].key: {each.key: Reason.NEW for each in series[1:]},
        alike[1].key: {each.key: Reason.NEW for each in films},
    }

    packets = pack(wanted, subjects_of([*films, *series], {}), [first, *alike], 2)

    assert [[each.name for each in packet.collections] for packet in packets] == [
        ["First"], ["Crime"], ["Noir"], ["Noir"], ["Noir"],
    ]  # fmt: skip
    again = pack(wanted, subjects_of([*films, *series], {}), [first, *alike], 1)
    assert [packet.kind for packet in again] == ["show", "show", "movie", "show", *["movie"] * 5]
