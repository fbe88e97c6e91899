"""Waits after wrong passwords: longer and longer, for the address and, milder, for all; never a lock."""

from __future__ import annotations

from kometa_ai.web.waits import Waits


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_five_are_free_then_it_takes_longer_and_longer() -> None:
    """After five wrong passwords an address waits 1, 2, 4 … 60 seconds, not longer, however many follow."""
    clock = Clock()
    waits = Waits(clock)
    asked: list[int] = []
    for _ in range(20):
        asked.append(waits.rest("a"))
        clock.now += asked[-1]
        assert waits.rest("a") == 0
        waits.wrong("a")

    assert asked[:13] == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert set(asked[13:]) == {60}
    assert waits.rest("b") == 0


def test_the_rest_is_told() -> None:
    """Who asks too early is told how much of the wait is left; asking does not lengthen it."""
    clock = Clock()
    waits = Waits(clock)
    for _ in range(8):
        waits.wrong("a")
    told = []
    for _ in range(9):
        told.append(waits.rest("a"))
        clock.now += 1

    assert told == [8, 7, 6, 5, 4, 3, 2, 1, 0]


def test_the_right_one_ends_it() -> None:
    """Who has given the right password begins anew."""
    waits = Waits(Clock())
    for _ in range(5):
        waits.wrong("a")
    assert waits.rest("a") == 1
    waits.right("a")

    assert waits.rest("a") == 0
    waits.right("never seen")


def test_wrong_ones_are_forgotten() -> None:
    """A visitor who mistypes once in a while never waits; one who had to wait is free again after some hours."""
    clock = Clock()
    waits = Waits(clock)
    for _ in range(50):
        waits.wrong("a")
        clock.now += 700
        assert waits.rest("a") == 0
    for _ in range(30):
        waits.wrong("a")
    clock.now += 3 * 3600
    waits.wrong("a")

    assert waits.rest("a") == 0


def test_many_addresses_together() -> None:
    """Guesses from ever new addresses are slowed down, too, but for four seconds at most; people at home are not."""
    clock = Clock()
    waits = Waits(clock)
    for number in range(200):
        waits.wrong(f"address {number}")
    told = waits.rest("somebody else")
    assert waits.rest("somebody at home", is_local=True) == 0
    clock.now += told

    assert told == 4
    assert waits.rest("somebody else") == 0
    clock.now += 3600
    waits.wrong("somebody else")
    assert waits.rest("another") == 0


def test_one_address_does_not_slow_down_the_others() -> None:
    """Who is made to wait a minute each time tries too seldom to keep others waiting."""
    clock = Clock()
    waits = Waits(clock)
    for _ in range(300):
        clock.now += waits.rest("a")
        waits.wrong("a")
        assert waits.rest("b") == 0


def test_it_needs_little_memory() -> None:
    """The latest thousand addresses are remembered, not each that ever came."""
    waits = Waits(Clock())
    for number in range(5000):
        waits.wrong(str(number))

    assert len(waits._of) == 1000
