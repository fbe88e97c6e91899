"""The main job, from Radarr's library to Radarr's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

NOIR = set(range(0, 300, 7))
HEIST = set(range(0, 300, 11))
SPACE = {5, 6, 7, 299}


def test_tags_are_the_truth_and_all_else_stays(tmp_path: Path) -> None:
    """300 films in 3 collections: exactly the right tags, and nothing else about any movie is touched."""
    seeds = movies(300, monitored=False, minimum_availability="announced", tags=("4k", "kai-by-hand"))
    with World(tmp_path, seeds) as world:
        world.collections(block("Film Noir"), block("Heist", priority=3), block("Space"))
        world.believe("Film Noir", NOIR)
        world.believe("Heist", HEIST)
        world.believe("Space", SPACE)
        before = {number: world.radarr.movie(1000 + number) for number in range(300)}

        report = world.run()

        assert (report.outcome, report.exit_code) == ("ok", 0)
        assert world.numbers("kai-film-noir") == NOIR
        assert world.numbers("kai-heist") == HEIST
        assert world.numbers("kai-space") == SPACE
        for number, movie in before.items():
            after = world.radarr.movie(1000 + number)
            assert {**after, "tags": 0} == {**movie, "tags": 0}
            assert {"4k", "kai-by-hand"} <= world.radarr.labels_of(1000 + number)
        assert report.added == len(NOIR) + len(HEIST) + len(SPACE)


def test_what_radarr_is_asked_for(tmp_path: Path) -> None:
    """Four list reads, one credits call a movie, small additive edits, one tag each, and no other write."""
    with World(tmp_path, movies(250)) as world:
        world.collections(block("Everything"), block("Nothing"), block("Some"))
        world.believe("Everything", range(250))
        world.believe("Some", range(30))

        world.run()

        requests = world.radarr.requests
        lists = [r for r in requests if r.method == "GET" and r.path.endswith(("/movie", "/tag"))]
        assert len(lists) == 4
        assert len([r for r in requests if r.path.endswith("/credit")]) == 250
        assert {(r.method, r.path) for r in world.radarr.writes} == {
            ("POST", "/api/v3/tag"),
            ("PUT", "/api/v3/movie/editor"),
        }
        assert [r.body for r in world.radarr.writes if r.method == "POST"] == [
            {"label": "kai-everything"},
            {"label": "kai-some"},
        ]
        edits = [r.body for r in world.radarr.editor_calls]
        assert sorted(len(body["movieIds"]) for body in edits) == [30, 50, 100, 100]
        assert {body["applyTags"] for body in edits} == {"add"}
        assert all(set(body) == {"movieIds", "tags", "applyTags"} for body in edits)


def test_a_second_run_asks_and_writes_nothing(world: World) -> None:
    """Nothing changed: no question, no write, not even a second look at the library."""
    world.collections(block("Film Noir"), block("Heist"))
    world.believe("Film Noir", range(10))
    world.believe("Heist", [3], confidence=0.7)
    world.run()
    world.asked()
    world.radarr.requests.clear()

    report = world.run()

    assert world.asked() == []
    assert world.radarr.writes == []
    assert len(world.radarr.requests) == 3
    assert (report.added, report.removed, report.asked, report.exit_code) == (0, 0, 0, 0)


def test_a_new_film_is_asked_about_alone(world: World) -> None:
    """One new film: one question for each collection."""
    world.collections(block("Film Noir"), block("Heist"))
    world.run()
    world.asked()
    world.radarr.add_movie(movies(41)[40])
    world.believe("Heist", [40])

    world.run()

    assert world.asked() == [("Film Noir", "Movie 40"), ("Heist", "Movie 40")]
    assert world.numbers("kai-heist") == {40}


def test_a_changed_plot_is_judged_again_in_every_collection(world: World) -> None:
    """Changed data is asked about again in each collection, not only in the first."""
    world.collections(*(block(f"Collection {letter}") for letter in "ABCDE"))
    world.run()
    world.asked()
    world.radarr.update_movie(1007, overview="Something else happens.")

    world.run()

    assert world.asked() == [(f"Collection {letter}", "Movie 7") for letter in "ABCDE"]
    world.run()
    assert world.asked() == []


def test_volatile_data_asks_nothing(world: World) -> None:
    """Radarr's daily refresh of ratings, status and keywords is no change."""
    world.collections(block("Heist"))
    world.run()
    world.asked()
    world.radarr.refresh()
    world.radarr.update_movie(1003, keywords=("new",), status="inCinemas", runtime=7)

    world.run()

    assert world.asked() == []


def test_an_edited_prompt_is_asked_for_that_collection(world: World) -> None:
    """An edited prompt: all movies, that collection only; the new verdicts count as they are."""
    world.collections(block("Film Noir"), block("Heist"))
    world.believe("Heist", range(20))
    world.run()
    world.asked()
    world.collections(block("Film Noir"), block("Heist", "Something else"))
    world.truth["Heist"] = {}
    world.believe("Heist", range(15, 30))

    report = world.run()

    assert world.asked() == sorted(("Heist", f"Movie {n}") for n in range(40))
    assert world.numbers("kai-heist") == set(range(15, 30))
    assert (report.held_back, report.exit_code) == (0, 0)


def test_a_changed_threshold_costs_nothing(world: World) -> None:
    """Stored confidences are judged again: members change, no question is asked, both ways."""
    world.collections(block("Heist", confidence_threshold=0.5))
    world.believe("Heist", range(5), 0.9)
    world.believe("Heist", range(5, 9), 0.65)
    world.run()
    assert world.numbers("kai-heist") == set(range(9))
    world.asked()

    world.collections(block("Heist", confidence_threshold=0.8))
    world.run()
    assert world.numbers("kai-heist") == set(range(5))
    world.collections(block("Heist", confidence_threshold=0.5))
    world.run()

    assert world.numbers("kai-heist") == set(range(9))
    assert world.claude.requests == []


def test_requests_share_their_movies_byte_for_byte(world: World) -> None:
    """Every collection's request over a block begins with the same bytes, marked for the cache, and reads them."""
    world.collections(block("A"), block("B"), block("C"))

    report = world.run()

    blocks: dict[str, list[str]] = {}
    for request in world.claude.requests:
        movies_block, collection_block = request.body["messages"][0]["content"]
        assert movies_block["cache_control"] == {"type": "ephemeral"}
        blocks.setdefault(movies_block["text"], []).append(collection_block["text"])
    assert [len(collections) for collections in blocks.values()] == [3, 3]
    assert len({str(r.body["output_config"]) + str(r.body["system"]) for r in world.claude.requests}) == 1
    assert report.tokens.cache_read > report.tokens.cache_write > 0


def test_priority_comes_first(world: World) -> None:
    """Within a block the collection of the highest priority is asked about first."""
    world.collections(block("Later", priority=-5), block("First", priority=10), block("Middle"))

    world.run()

    assert world.claude.requests[0].collection_name == "First"


def test_a_rebuilt_radarr_keeps_its_decisions(world: World) -> None:
    """All of Radarr's ids are new: nothing is asked again, and the tags go to the same films."""
    world.collections(block("Heist"))
    world.believe("Heist", range(10))
    world.run()
    world.asked()
    world.radarr.rebuild()
    for number in range(10):
        if "kai-heist" in world.radarr.labels_of(1000 + number):
            world.radarr.untag_by_hand(1000 + number, "kai-heist")

    world.run()

    assert world.asked() == []
    assert world.numbers("kai-heist") == set(range(10))


def test_housekeeping_between_runs_does_no_harm(world: World) -> None:
    """A tag that Radarr has deleted for want of use is made again, with its new id."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    world.run()
    world.radarr.untag_by_hand(1001, "kai-heist")
    world.radarr.housekeeping()

    world.run()

    assert world.numbers("kai-heist") == {1}


def test_changes_made_meanwhile_survive(world: World) -> None:
    """The library is read again before writing: only the difference is sent, and people's own tags stay."""
    world.collections(block("Heist"))
    world.believe("Heist", range(4))

    def meanwhile(world: World) -> None:
        world.radarr.tag_by_hand(1000, "kai-heist")
        world.radarr.tag_by_hand(1001, "favourite")
        world.radarr.remove_movie(1002)

    report = world.run(during=meanwhile)

    assert world.numbers("kai-heist") == {0, 1, 3}
    assert "favourite" in world.radarr.labels_of(1001)
    assert [len(call.body["movieIds"]) for call in world.radarr.editor_calls] == [2]
    assert report.added == 2


def test_cost_and_tokens_are_counted(world: World) -> None:
    """The report's tokens are those that Claude counted, and its cost is theirs at the list price."""
    world.collections(block("Heist"), block("Space"))

    report = world.run()

    totals = world.claude.usage_totals()
    assert report.tokens.cache_read == totals["cache_read_input_tokens"]
    assert report.tokens.output == totals["output_tokens"]
    tokens = report.tokens
    expected = (tokens.input * 2 + tokens.cache_write * 2.5 + tokens.cache_read * 0.1 + tokens.output * 10) / 1e6
    assert abs(report.cost_usd - expected) < 1e-5
    assert abs(sum(c.cost_usd for c in report.collections) - report.cost_usd) < 1e-5
