"""Runs about some movies only, as Radarr's webhook asks for them: nothing else is asked, touched or taken for known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.summary import headline
from kometa_ai.standins import claude_faults
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.store import Store
from tests.run.world import FOREVER, block

if TYPE_CHECKING:
    from kometa_ai.state.schema import Snapshot
    from tests.run.world import World

NOIR = CollectionKey("noir")


def only(*numbers: int) -> frozenset[ItemKey]:
    """The movies with these numbers."""
    return frozenset(movie_key(1000 + number) for number in numbers)


def state(world: World) -> Snapshot:
    """What is remembered."""
    return Store.load(world.state_dir, read_only=True).state


def test_only_these_movies_are_asked_about_and_tagged(world: World) -> None:
    """Of a library that was never judged, two movies are asked about and tagged; the report says it was about two."""
    world.collections(block("Noir"), block("Heist"))
    world.believe("Noir", range(10))
    world.believe("Heist", [3, 30])

    report = world.run(movies=only(3, 30))

    assert world.asked() == [("Heist", "Movie 3"), ("Heist", "Movie 30"), ("Noir", "Movie 3"), ("Noir", "Movie 30")]
    assert (world.numbers("kai-noir"), world.numbers("kai-heist")) == ({3}, {3, 30})
    assert (report.exit_code, report.only_movies, report.library, report.pending) == (0, 2, 40, 0)
    assert "A run for 2 movies only." in headline(report)


def test_questions_left_over_stay_left_over(world: World) -> None:
    """What an earlier run has left over is left to the next run of everything, and the status goes on saying so."""
    world.collections(block("Noir"))
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)
    world.run()
    world.claude.faults.clear()
    world.radarr.add_movie(MovieSeed(title="Movie 99", year=2026, tmdb_id=1099))
    world.asked()

    world.run(movies=only(99))
    status = state(world).collections[NOIR]

    assert world.asked() == [("Noir", "Movie 99")]
    assert (status.pending, status.status) == (40, "pending")


def test_tags_of_other_movies_stay(world: World) -> None:
    """Nothing is done to them, gates included; what the user did to them by hand is pinned as it is, here too."""
    world.collections(block("Noir", include_tags="[always]"))
    world.believe("Noir", [1])
    world.run()
    world.radarr.tag_by_hand(1020, "kai-noir")
    world.radarr.untag_by_hand(1001, "kai-noir")
    world.radarr.tag_by_hand(1030, "always")
    world.radarr.tag_by_hand(1031, "always")

    report = world.run(movies=only(30))
    after_some = world.numbers("kai-noir")
    world.run()

    assert after_some == {20, 30}
    assert report.collections[0].members == 2
    assert world.numbers("kai-noir") == {20, 30, 31}


def test_it_is_no_success_of_the_whole(world: World) -> None:
    """The last successful run is still the last one that was about everything."""
    world.collections(block("Noir"))
    world.run()
    before = state(world).last_successful_run

    world.run(movies=only(1))

    assert state(world).last_successful_run == before
    assert [run.only_movies for run in state(world).runs] == [None, 1]


def test_the_others_have_not_left_the_library(world: World) -> None:
    """Movies that such a run is not about were there all the same: their verdicts are not forgotten a month later."""
    world.collections(block("Noir"))
    world.run()
    world.asked()

    world.run(movies=only(1))
    memory = Store.load(world.state_dir, read_only=True).memory

    assert all(movie.gone_since is None for movie in memory.values())
    assert {movie.last_seen for movie in memory.values()} == {world.now.date()}
    assert state(world).libraries["radarr"].count == 40


def test_an_edited_block_is_still_to_be_carried_out(world: World) -> None:
    """After it the next run of everything still knows that the block was edited: the brake does not hold it."""
    world.collections(block("Noir"))
    world.believe("Noir", range(20))
    world.run()
    world.collections(block("Noir", "Something else."))
    world.truth["Noir"] = {}

    world.run(movies=only(3))
    one_less = world.numbers("kai-noir")
    report = world.run()

    assert one_less == set(range(20)) - {3}
    assert report.held_back == 0
    assert world.numbers("kai-noir") == set()


def test_the_brake_counts_the_whole_collection(world: World) -> None:
    """Ten of eighteen members at once are too many, and two of twenty are not, whatever the run is about."""
    world.collections(block("Noir"))
    world.believe("Noir", range(20))
    world.run()
    world.truth["Noir"] = {}

    few = world.run(movies=only(0, 1), force_refresh=True)
    many = world.run(movies=only(*range(2, 12)), force_refresh=True)

    assert (few.removed, few.held_back) == (2, 0)
    assert (many.removed, many.held_back) == (0, 10)


def test_what_the_brake_holds_back_is_not_let_through_movie_by_movie(world: World) -> None:
    """Held back is held back until a run of everything finds fewer, the block is edited, or removals are allowed."""
    world.collections(block("Noir", exclude_tags="[never]"))
    world.believe("Noir", range(20))
    world.run()
    for number in range(15):
        world.radarr.tag_by_hand(1000 + number, "never")

    held = [world.run().held_back, world.run(movies=only(0)).held_back, world.run(movies=only(1, 2)).held_back]
    members = world.numbers("kai-noir")
    for number in range(4, 15):
        world.radarr.untag_by_hand(1000 + number, "never")
    fewer = world.run()

    assert held == [15, 1, 2]
    assert members == set(range(20))
    assert (fewer.held_back, world.numbers("kai-noir")) == (0, set(range(4, 20)))


def test_what_such_a_run_holds_back_the_next_one_does_too(world: World) -> None:
    """Ten removals that are too many for one run are so for ten runs."""
    world.collections(block("Noir", exclude_tags="[never]"))
    world.believe("Noir", range(20))
    world.run()
    for number in range(10):
        world.radarr.tag_by_hand(1000 + number, "never")

    world.run(movies=only(*range(10)))
    one = world.run(movies=only(0))
    allowed = world.run(movies=only(1), allow_removals=True)

    assert (one.removed, one.held_back, allowed.removed) == (0, 1, 1)


def test_a_new_collection_is_known_from_its_first_tag_on(world: World) -> None:
    """A collection that such a run has met first is an orphan when its block is gone."""
    world.collections(block("Noir"))
    world.believe("Noir", [1])
    world.run(movies=only(1))
    world.collections(block("Heist"))

    assert [orphan.name for orphan in world.run().orphans] == ["Noir"]


def test_a_movie_radarr_does_not_list_yet(world: World) -> None:
    """It is told of as a warning, nothing fails, and the others are done."""
    world.collections(block("Noir"))
    world.believe("Noir", [1])

    report = world.run(movies=only(1, 500))

    (warning,) = (warning for warning in report.warnings if warning.movies == ("tmdb:1500",))
    assert "1 of the 2 movies" in warning.what
    assert (report.outcome, world.numbers("kai-noir")) == ("ok", {1})


def test_what_other_collections_are_told(world: World) -> None:
    """A collection whose tags name another one sees what was decided for these movies."""
    world.collections(block("Noir"), block("Dark", exclude_tags="[KAI-noir]"))
    world.believe("Noir", [1])
    world.believe("Dark", [1, 2])

    world.run(movies=only(1, 2))

    assert (world.numbers("kai-noir"), world.numbers("kai-dark")) == ({1}, {2})
