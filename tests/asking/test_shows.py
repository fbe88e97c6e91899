"""Shows that are asked about, over the wire."""

from __future__ import annotations

from kometa_ai.asking.prompts import SHOW_SCHEMA, SHOW_SYSTEM, SYSTEM
from kometa_ai.core.item import show_key
from kometa_ai.core.show import Show
from kometa_ai.judging.packing import Packet
from tests.asking.support import asking, collection, movies
from tests.core.test_show import show

HEISTS, NOIR = collection("Heists"), collection("Noir")


def shows(count: int) -> tuple[Show, ...]:
    """So many shows, with the numbers of as many movies."""
    return tuple(show(key=show_key(1001 + n), title=f"Show {n + 1}") for n in range(count))


async def test_shows_are_asked_about_as_shows() -> None:
    """Their own system prompt and schema, and every one of them gets its verdict under its own key."""
    async with asking() as session:
        await session.ask(Packet(shows(20), (HEISTS, NOIR)))
    assert {request.body["system"] for request in session.standin.requests} == {SHOW_SYSTEM}
    forms = [request.body["output_config"]["format"] for request in session.standin.requests]
    assert [form["schema"] for form in forms] == [SHOW_SCHEMA] * 2
    assert session.judged("Heists") == session.judged("Noir") == set(range(1, 21))
    assert {key for answered in session.answered for key in answered.verdicts} == {each.key for each in shows(20)}


async def test_movies_and_shows_of_one_number_do_not_meet() -> None:
    """`movie:1001` and `show:1001` are two items; each request is about one kind."""
    async with asking() as session:
        await session.ask(Packet(movies(5), (HEISTS,)), Packet(shows(5), (NOIR,)))
    systems = [request.body["system"] for request in session.standin.requests]
    assert sorted(systems) == sorted([SYSTEM, SHOW_SYSTEM])
    for answered in session.answered:
        kinds = {key.partition(":")[0] for key in answered.verdicts}
        assert kinds == ({"movie"} if answered.collection is HEISTS else {"show"})
