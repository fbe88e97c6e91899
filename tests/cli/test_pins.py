"""Pins from the command line: made at once, shown with their origin, kept until they are released."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.choice import Choices, Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.lock import StateLock
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

NOWHERE = "http://127.0.0.1:9"


def pinned(world: World) -> dict[tuple[int, str], bool]:
    """Who is pinned, and on which side, by number and collection."""
    return {(pin.tmdb_id, pin.slug): pin.include for pin in ChoicesFile(world.state_dir).read().pins}


@pytest.fixture
def known(world: World, call: Call) -> World:
    """Two collections, and a run that has put two movies into one of them."""
    world.collections(block("Heist"), block("Space"))
    world.believe("Heist", [1, 2])
    assert call("--run-now").code == 0
    world.asked()
    return world


def test_a_pin_holds_against_the_verdict(known: World, call: Call) -> None:
    """Out is out and in is in with the next run, which asks nothing; what was released is the model's again."""
    out = call("--pin-out", "Movie 1 (1951)", "--collection", "Heist")
    into = call("--pin-in", "tmdb:1005", "--collection", "Heist", "--output", "json")
    call("--run-now")
    held = known.numbers("kai-heist")
    call("--release-pin", "Movie 1 (1951)")
    call("--run-now")

    assert (out.code, into.code) == (0, 0)
    assert "Movie 1 (1951) tmdb:1001 is pinned out of Heist, on the command line, " in out.out
    assert "the model had been for it with 0.95" in out.out
    (made,) = into.data
    assert (made["key"], made["slug"], made["include"], made["origin"]) == ("movie:1005", "heist", True, "command line")
    assert made["said"] == {"include": False, "confidence": 0.0}
    assert (held, known.numbers("kai-heist")) == ({2, 5}, {1, 2, 5})
    assert known.asked() == []


@pytest.mark.usefixtures("known")
def test_a_pin_in_place_of_another_says_so(call: Call) -> None:
    """The one of before is named with its origin, to people and to scripts; a first pin replaces none."""
    first = call("--pin-out", "tmdb:1001", "--collection", "Heist", "--output", "json").data
    second = call("--pin-in", "tmdb:1001", "--collection", "Heist", "--collection", "Space")
    third = call("--pin-in", "tmdb:1001", "--collection", "Heist", "--output", "json").data

    assert first[0]["replaces"] is None
    assert "is pinned in Heist, on the command line" in second.out
    assert "In place of 1 pin of before:\n  Movie 1 (1951) tmdb:1001 was pinned out of Heist, on the" in second.out
    assert third[0]["replaces"]["include"] is True
    assert third[0]["replaces"]["origin"] == "command line"
    assert "In place" not in call("--pin-in", "tmdb:1002", "--collection", "Heist").out


def test_pins_name_their_collection_as_people_know_it(known: World, call: Call) -> None:
    """By its name, also while it is switched off; by its slug once no block has it any more."""
    known.collections(block("Heist!"), block("Deep Space"))
    call("--pin-in", "tmdb:1001", "--collection", "Deep Space")
    known.collections(block("Heist!"), block("Deep Space").replace("true", "false"))
    off = call("--pins").out
    known.collections(block("Heist!"))
    gone = call("--pins").out
    dropped = call("--release-pin", "tmdb:1001").out

    assert "tmdb:1001 is pinned in Deep Space, on the command line" in off
    assert "tmdb:1001 is pinned in deep-space, on the command line" in gone
    assert dropped == "Movie 1 (1951): no longer pinned in deep-space\n"


@pytest.mark.usefixtures("known")
def test_a_pin_that_is_released_wakes_no_question(call: Call) -> None:
    """The verdict of before stands again: `--explain` promises a question only where the data or the prompt change."""
    call("--pin-out", "Movie 1 (1951)", "--collection", "Heist")
    told = " ".join(call("--explain", "Movie 1 (1951)").out.split())
    call("--release-pin", "Movie 1 (1951)")
    forecast = call("--estimate", "--output", "json").data

    assert "when it is no longer pinned, and its data or the collection's prompt have changed since" in told
    assert forecast["pending"] == 0


def test_explain_and_report_name_the_origin(known: World, call: Call) -> None:
    """Who asks why hears of the person, not of the model; a block's pin is the block's."""
    call("--pin-out", "Movie 1 (1951)", "--collection", "Heist")
    report = call("--run-now", "--output", "json").data
    told = " ".join(call("--explain", "Movie 1 (1951)").out.split())
    known.collections(block("Heist", exclude_movies="[tmdb:1001]"), block("Space"))

    (heist,) = [each for each in report["collections"] if each["slug"] == "heist"]
    (line,) = heist["removed"]
    assert line["reason"].startswith("pinned out on the command line, ")
    assert "Heist: out (pinned out on the command line, " in told
    assert "the model had been for it with 0.95)" in told
    assert "Heist: out (pinned out in the block)" in " ".join(call("--explain", "Movie 1 (1951)").out.split())


def test_a_hand_edit_is_a_pin_like_others(known: World, call: Call) -> None:
    """Taken off in Radarr, a movie stays out, is listed and explained with its origin, and comes back when released."""
    known.radarr.untag_by_hand(1001, "kai-heist")
    run = call("--run-now").out
    nights = [call("--run-now", "--output", "json").data for _ in range(2)]
    told = " ".join(call("--explain", "Movie 1 (1951)").out.split())
    listed = call("--pins").out
    stayed = known.numbers("kai-heist")
    call("--release-pin", "Movie 1 (1951)")
    call("--run-now")

    assert "Heist: 1 taken off by hand, pinned out" in run
    assert [each["pinned_out"] for night in nights for each in night["collections"]] == [[], [], [], []]
    assert "Heist: out (pinned out by hand in the library, " in told
    assert "Movie 1 (1951) tmdb:1001 is pinned out of Heist, by hand in the library, " in " ".join(listed.split())
    assert (stayed, known.numbers("kai-heist")) == ({2}, {1, 2})


def test_a_pin_while_a_run_is_on(known: World, call: Call) -> None:
    """The lock of the state folder is not needed; a pin that comes before tags are planned counts in this run."""
    with StateLock(known.state_dir):
        assert call("--pin-in", "tmdb:1007", "--collection", "Heist").code == 0
        assert call("--pins").code == 0
        assert call("--release-pin", "tmdb:1007").code == 0
    known.believe("Heist", [3])
    known.radarr.update_movie(1003, overview="Another plot altogether, about a great robbery.")

    def decide_otherwise(_: World) -> None:
        sides = {1003: False, 1008: True}
        pins = [
            Pin(key=movie_key(number), slug=Slug("heist"), include=side, since=known.now, origin="review")
            for number, side in sides.items()
        ]
        ChoicesFile(known.state_dir).change(lambda choices: choices.with_pins(*pins))

    report = known.run(during=decide_otherwise, at="Asking the model")

    assert known.numbers("kai-heist") == {1, 2, 8}
    assert report.outcome == "ok"


def test_a_released_pin_while_a_run_is_on_leaves_what_was_not_asked(known: World, call: Call) -> None:
    """Released in the middle of a run, a pair that was never judged stays as it is; the next run asks."""
    known.collections(block("Heist"), block("Space"), block("New"))
    call("--pin-in", "tmdb:1004", "--collection", "New")
    known.believe("New", [5])

    def let_go(_: World) -> None:
        call("--release-pin", "tmdb:1004")

    known.run(during=let_go, at="Planning the tags")
    after = known.numbers("kai-new")
    asked = [title for name, title in known.asked() if name == "New"]
    known.run()

    assert after == {5}
    assert "Movie 4" not in asked
    assert ("New", "Movie 4") in known.asked()


def test_the_block_wins(known: World, call: Call) -> None:
    """A pin against the block's is kept and told to be without effect."""
    known.collections(block("Heist", include_movies="[tmdb:1006]"), block("Space"))

    said = call("--pin-out", "tmdb:1006", "--collection", "Heist")
    call("--run-now")

    assert "The block of Heist says the opposite, and wins" in said.out
    assert known.numbers("kai-heist") == {1, 2, 6}


def test_several_are_pinned_at_once_or_none(known: World, call: Call) -> None:
    """The option may be repeated; one that names nothing leaves all unpinned. The list can be of one collection."""
    wrong = call("--pin-out", "tmdb:1001", "--pin-out", "tmdb:424242", "--collection", "Heist")
    nothing = pinned(known)
    call("--pin-out", "tmdb:1001", "--pin-out", "tmdb:1002", "--collection", "Heist")
    call("--pin-in", "tmdb:1003", "--collection", "Space")

    of_heist = call("--pins", "--collection", "Heist", "--output", "json").data

    assert (wrong.code, nothing) == (2, {})
    assert pinned(known) == {(1001, "heist"): False, (1002, "heist"): False, (1003, "space"): True}
    assert [each["key"] for each in of_heist] == ["movie:1001", "movie:1002"]


def test_a_pin_of_the_other_side_replaces_it(known: World, call: Call) -> None:
    """The last word counts, and there is one pin for a pair."""
    call("--pin-in", "tmdb:1006", "--collection", "Heist", "--collection", "Space")
    call("--pin-out", "tmdb:1006", "--collection", "Heist")

    assert pinned(known) == {(1006, "heist"): False, (1006, "space"): True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pin-in", "tmdb:1001"), "A pin belongs to a collection."),
        (("--pin-in", "tmdb:1001", "--collection", "Nothing"), "There is no collection named 'Nothing'."),
        (("--pin-out", "No such movie", "--collection", "Heist"), "No library has a movie or show 'No such movie'."),
        (("--pin-out", "", "--collection", "Heist"), "No library has a movie or show ''."),
        (("--pin-in", "tmdb:1001", "--collection", "Heist", "--dry-run"), "--dry-run has no meaning with --pin-in."),
        (("--pin-in", "tmdb:1001", "--pin-out", "tmdb:1001"), "--pin-in and --pin-out cannot be combined."),
        (("--release-pin", "20260101-000000-abcd"), "There is no pin on '20260101-000000-abcd'."),
    ],
)
def test_what_cannot_be_pinned(known: World, call: Call, arguments: tuple[str, ...], message: str) -> None:
    """Wrong usage says what is wrong, and nothing is pinned."""
    ended = call(*arguments)

    assert (ended.code, pinned(known)) == (2, {})
    assert message in ended.err


def test_without_radarr_a_known_movie_can_be_pinned(known: World, call: Call) -> None:
    """What is remembered has to do; a movie that was never seen needs Radarr (exit 3)."""
    assert call("--pin-out", "Movie 1 (1951)", "--collection", "Heist", RADARR_URL=NOWHERE).code == 0
    assert call("--pin-out", "tmdb:424242", "--collection", "Heist", RADARR_URL=NOWHERE).code == 3
    assert pinned(known) == {(1001, "heist"): False}


def test_all_pins_of_an_undo_are_released_at_once(known: World, call: Call) -> None:
    """`--release-pin` takes the undo's id; other pins stay."""
    (path,) = (known.state_dir / "runs").glob("*.json")
    undo_id = call("--undo", path.stem, "--output", "json").data["undo_id"]
    call("--pin-in", "tmdb:1009", "--collection", "Space")
    assert len(pinned(known)) == 3

    released = call("--release-pin", undo_id)

    assert released.code == 0
    assert pinned(known) == {(1009, "space"): True}


def test_choices_that_cannot_be_read_stop_a_run(known: World, call: Call) -> None:
    """Exit code 5, and no tag is touched: without them people would be overruled."""
    call("--pin-out", "tmdb:1001", "--collection", "Heist")
    for path in known.state_dir.glob("choices.json*"):
        path.write_text("{")

    ended = call("--run-now")

    assert ended.code == 5
    assert "are damaged" in ended.out + ended.err
    assert known.numbers("kai-heist") == {1, 2}
    assert call("--pins").code == 5


def test_the_state_shows_pins_as_ever(known: World, call: Call) -> None:
    """`--dump-state` has them, although they are kept beside it; a fresh state keeps them."""
    call("--pin-out", "tmdb:1001", "--collection", "Heist")

    shown = call("--dump-state").data["pins"]
    call("--reset-state")

    assert [(pin["key"], pin["include"]) for pin in shown] == [("movie:1001", False)]
    assert ChoicesFile(known.state_dir).read() != Choices()
