"""When something fails: nothing is harmed, what can go on goes on, and the report says what is missing."""

from __future__ import annotations

import re
import shutil

import msgspec

from kometa_ai.standins import claude_faults
from kometa_ai.standins.claude_answers import REFUSED
from kometa_ai.standins.faults import answer, html_page
from kometa_ai.standins.radarr import locked
from kometa_ai.state.store import reset
from tests.run.world import FOREVER, World, block


def members(world: World, name: str, numbers: range) -> None:
    """A collection that has been decided and tagged."""
    world.collections(block(name))
    world.believe(name, numbers)
    world.run()
    world.claude.forget()
    world.radarr.requests.clear()


def test_an_empty_library_is_not_believed(world: World) -> None:
    """An empty list aborts the run: exit 3, nothing written."""
    members(world, "Heist", range(10))
    world.radarr.faults.inject(answer(200, "[]", content_type="application/json"), path="*/movie", times=None)

    report = world.run()

    assert (report.outcome, report.exit_code) == ("library unusable", 3)
    assert world.radarr.writes == []


def test_a_much_smaller_library_is_not_believed(world: World) -> None:
    """Less than half of the movies: exit 3 with both numbers; --accept-library says that it is right."""
    members(world, "Heist", range(40))
    for number in range(12, 40):
        world.radarr.remove_movie(1000 + number)

    report = world.run()

    assert report.exit_code == 3
    assert "12 movies where it listed 40" in report.problems[0].what
    assert "--accept-library" in report.problems[0].remedy
    assert world.run(allow_removals=True).exit_code == 3
    assert world.run(dry_run=True, accept_library=True).exit_code == 0
    assert world.run().exit_code == 3
    assert world.run(accept_library=True).exit_code == 0
    assert world.run().exit_code == 0


def test_an_empty_library_is_never_accepted(world: World) -> None:
    """Not even with --accept-library."""
    members(world, "Heist", range(40))
    for number in range(40):
        world.radarr.remove_movie(1000 + number)

    assert world.run(accept_library=True, allow_removals=True).exit_code == 3


def test_an_accepted_library_is_braked_all_the_same(world: World) -> None:
    """Tags that are really gone take their members out only where removals are allowed, too."""
    for number in range(10):
        world.radarr.tag_by_hand(1000 + number, "favourite")
    world.collections(block("Heist", include_tags="[favourite]"))
    world.run()
    for number in range(10):
        world.radarr.untag_by_hand(1000 + number, "favourite")
    kept = world.run(accept_library=True)

    assert (kept.removed, kept.held_back) == (0, 10)
    assert world.run(allow_removals=True).removed == 10


def test_a_list_of_tags_gone_blank_is_not_believed(world: World) -> None:
    """Movies with tags, and no tag by any name: exit 3, so that no favourite leaves for want of its tag's name."""
    for number in range(4):
        world.radarr.tag_by_hand(1000 + number, "favourite")
    world.collections(block("Heist", include_tags="[favourite]"))
    world.believe("Heist", range(4, 10))
    world.run()
    fault = world.radarr.faults.inject(answer(200, "[]", content_type="application/json"), path="*/tag", times=1)

    report = world.run()

    assert fault.hits == 1
    assert report.exit_code == 3
    assert "list of tags is empty, but 10 of its movies have tags" in report.problems[0].what
    assert "--accept-library" in report.problems[0].remedy
    assert world.numbers("kai-heist") == set(range(10))
    fault = world.radarr.faults.inject(answer(200, "[]", content_type="application/json"), path="*/tag", times=1)
    assert (world.run(allow_removals=True).exit_code, fault.hits) == (3, 1)
    assert world.run().exit_code == 0


def test_html_in_place_of_movies(world: World) -> None:
    """A proxy's page is no library: exit 3, no tag lost."""
    members(world, "Heist", range(10))
    world.radarr.faults.inject(html_page(), path="*/system/status", times=None)

    report = world.run()

    assert report.exit_code == 3
    assert world.numbers("kai-heist") == set(range(10))


def test_failed_credits_ask_nothing_again(world: World) -> None:
    """Movies are judged without credits that cannot be read; when they can, nothing is asked again."""
    world.radarr.faults.inject(answer(404, ""), path="*/credit", times=None)
    world.collections(block("Heist"))
    world.believe("Heist", [1])

    report = world.run()

    assert report.exit_code == 0
    assert any("directors and cast of 40 movies" in w.what for w in report.warnings)
    assert world.numbers("kai-heist") == {1}
    world.radarr.faults.clear()
    world.asked()
    world.run()
    assert world.asked() == []
    world.collections(block("Heist"), block("Space"))
    world.run()
    assert {name for name, _ in world.asked()} == {"Space"}


def test_known_credits_stay_when_a_call_fails(world: World) -> None:
    """A changed plot is asked about once, with the credits that are known, though Radarr does not give them now."""
    members(world, "Heist", range(3))
    world.radarr.faults.inject(answer(404, ""), path="*/credit", times=None)
    world.radarr.update_movie(1001, overview="changed")

    world.run()

    assert world.claude.requests[0].movies[0]["directors"] == ["Director 1"]
    world.asked()
    world.radarr.faults.clear()
    world.run()
    assert world.asked() == []


def test_a_bad_key_stops_the_asking_and_keeps_the_rest(world: World) -> None:
    """Exit 4: what was decided is kept and applied, no member loses its tag, the next run asks only what is missing."""
    members(world, "Heist", range(10))
    world.collections(block("Heist", "edited"), block("Space", priority=1))
    world.believe("Space", [7, 30])
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER, when=lambda _: len(world.claude.requests) >= 2)

    report = world.run()

    assert (report.outcome, report.exit_code) == ("model unusable", 4)
    assert world.numbers("kai-heist") == set(range(10))
    assert any("CLAUDE_API_KEY" in p.remedy for p in report.problems)
    assert report.pending > 0
    asked = world.asked()
    world.claude.faults.clear()
    world.run()
    assert sorted(asked + world.asked()) == sorted(
        (name, f"Movie {n}") for name in ("Heist", "Space") for n in range(40)
    )
    assert world.numbers("kai-space") == {7, 30}


def test_a_refused_collection_does_not_stop_the_others(world: World) -> None:
    """A refusal is halved, then the collection is left for the next run; its members keep their tags."""
    members(world, "Heist", range(10))
    world.collections(block("Heist", "edited"), block("Space"))
    world.believe("Space", [1])
    world.claude.queue_style(REFUSED, times=None, when=lambda r: r.collection_name == "Heist")

    report = world.run()

    assert report.exit_code == 1
    assert world.numbers("kai-heist") == set(range(10))
    assert world.numbers("kai-space") == {1}
    assert [c.pending for c in report.collections if c.name == "Heist"] == [40]
    assert {p.collection for p in report.problems} == {"Heist"}


def test_one_poisonous_movie_leaves_the_others(world: World) -> None:
    """A request that fails because of one movie is halved until it stands alone; all others are decided."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 13, 20])
    world.claude.queue_style(REFUSED, times=None, when=lambda r: "Movie 13" in r.titles)

    report = world.run()

    assert world.numbers("kai-heist") == {1, 20}
    assert report.pending == 1
    assert [p.movies for p in report.problems] == [("Movie 13 (1963)",)]


def test_a_broken_file_stops_nothing_else(world: World) -> None:
    """A file that cannot be parsed is reported with its line; its collections are not taken for removed."""
    members(world, "Heist", range(10))
    world.collections(block("Heist"), '  "Broken: [\n')
    world.collections(block("Space"), file="other.yml")
    world.believe("Space", [2])

    report = world.run()

    assert report.exit_code == 1
    assert world.numbers("kai-heist") == set(range(10))
    assert world.numbers("kai-space") == {2}
    assert report.orphans == ()
    assert [(p.source, bool(p.line)) for p in report.problems] == [("movies.yml", True)]


def test_a_busy_database_is_waited_for(world: World) -> None:
    """A locked database while reading and while writing: tried again, and nothing is missing."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    world.radarr.faults.inject(locked(), path="*/tag", method="GET", times=1)
    world.radarr.faults.inject(locked(), path="*/movie/editor", times=1)

    report = world.run()

    assert report.exit_code == 0
    assert world.numbers("kai-heist") == {1, 2}


def test_the_budget_is_kept_and_the_rest_is_done_later(world: World) -> None:
    """Runs cut by MAX_COST_PER_RUN ask nothing twice and end in the same tags as an uncut one."""
    world.change(max_cost_per_run="0.01")
    world.collections(block("Heist"), block("Space"))
    world.believe("Heist", range(0, 40, 3))
    world.believe("Space", [39])
    asked: list[tuple[str, str]] = []
    runs = 0
    while runs < 10:
        runs += 1
        report = world.run()
        asked += world.asked()
        assert report.cost_usd < 0.02
        if not report.pending:
            break
        assert any(p.source == "MAX_COST_PER_RUN" for p in report.problems)

    assert 1 < runs < 10
    assert len(asked) == len(set(asked)) == 80
    assert world.numbers("kai-heist") == set(range(0, 40, 3))
    assert world.numbers("kai-space") == {39}


def test_a_limit_below_a_single_request(world: World) -> None:
    """Whoever waits would wait for ever: the remedy names the amount, and is right about it."""
    world.change(max_cost_per_run="0.001")
    world.collections(block("Heist"))

    (problem,) = world.run().problems
    assert (problem.source, world.asked()) == ("MAX_COST_PER_RUN", [])
    assert "Wait" not in problem.remedy
    amount = re.search(r"Raise the limit to (\d\.\d\d) USD", problem.remedy)
    assert amount

    world.change(max_cost_per_run=amount[1])
    world.run()
    assert world.asked()


def test_a_limit_that_cannot_be_kept_is_said_plainly(world: World) -> None:
    """A model without a known price is not asked under a limit; the report names it and says what to do."""
    world.change(max_cost_per_run="5", claude_model="llama-of-the-house")
    world.claude.models["llama-of-the-house"] = world.claude.models["claude-sonnet-5-5"]
    world.collections(block("Heist"))

    report = world.run()

    (problem,) = report.problems
    assert (problem.source, report.exit_code) == ("MAX_COST_PER_RUN", 1)
    assert "price of the model 'llama-of-the-house' is not known" in problem.what
    assert "MAX_COST_PER_RUN=0" in problem.remedy
    assert world.asked() == []

    world.change(max_cost_per_run="0")
    assert world.run().exit_code == 0
    assert len(world.asked()) == 40


def test_a_journal_that_cannot_be_written_ends_the_asking(world: World) -> None:
    """Nothing more is asked that could not be kept, beside what is on its way; what was answered is applied."""
    world.collections(block("Heist"), *(block(f"Space {number}") for number in range(9)))
    world.believe("Heist", [1])

    def break_journal(world: World) -> None:
        journal = world.state_dir / "kometa_state.journal"
        journal.unlink()
        journal.mkdir()

    report = world.run(break_journal, at="Asking the model")

    assert report.exit_code == 1
    assert len(world.claude.requests) <= 5
    assert world.numbers("kai-heist") == {1}
    assert any(p.source == "state" for p in report.problems)


def test_what_cannot_be_judged_is_not_billed_for_ever(world: World) -> None:
    """A movie that brings no verdict in three runs is reported and not asked about, until something changes."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    world.claude.queue_style(REFUSED, times=None, when=lambda r: "Movie 13" in r.titles)
    for left in (1, 1, 0):
        assert world.run().pending == left
    world.claude.forget()

    report = world.run()

    assert world.claude.requests == []
    assert (report.pending, report.exit_code) == (0, 1)
    assert [p.movies for p in report.problems if "not asked about any more" in p.what] == [("Movie 13 (1963)",)]
    world.radarr.update_movie(1013, overview="changed")
    world.run()
    assert {title for r in world.claude.requests for title in r.titles} == {"Movie 13"}


def test_an_unknown_model_is_found_out_for_nothing(world: World) -> None:
    """Exit 4 before anything is asked, with the models there are."""
    world.change(claude_model="claude-sonet-5-5")
    world.collections(block("Heist"))

    report = world.run()

    assert report.exit_code == 4
    assert world.claude.requests == []
    assert any("claude-sonnet-5-5" in p.remedy for p in report.problems)


def test_a_model_that_ends_is_a_warning(world: World) -> None:
    """A deprecated model is asked, and the report says when it ends."""
    world.claude.models = {
        **world.claude.models,
        "claude-sonnet-5-5": msgspec.structs.replace(
            world.claude.models["claude-sonnet-5-5"], lifecycle="deprecated", retires_at="2027-01-31T00:00:00Z"
        ),
    }
    world.collections(block("Heist"))

    report = world.run()

    assert report.exit_code == 0
    assert any("ends on 2027-01-31" in w.what for w in report.warnings)


def test_a_cache_that_is_never_read_is_said_once(world: World) -> None:
    """Requests that should have read the cache and did not are a warning."""
    world.collections(*(block(f"Collection {n}") for n in range(7)))
    world.claude.models = {
        **world.claude.models,
        "claude-sonnet-5-5": msgspec.structs.replace(world.claude.models["claude-sonnet-5-5"], min_cache_tokens=10**6),
    }

    report = world.run()

    assert [w.what for w in report.warnings if "prompt cache" in w.what] == [
        "None of 12 requests could use the prompt cache: each costs several times as much."
    ]


def test_a_state_that_is_gone_is_told(world: World) -> None:
    """A folder that is not mounted looks like a first run, and is paid for like one: the tags in the library tell."""
    members(world, "Heist", range(10))
    shutil.rmtree(world.state_dir)
    world.state_dir.mkdir()

    first, second = world.run(), world.run()

    (warning,) = (each for each in first.warnings if each.source == "STATE_DIR")
    assert "10 movies have tags of the collections" in warning.what
    assert "mounted" in warning.remedy
    assert [each for each in second.warnings if each.source == "STATE_DIR"] == []


def test_a_first_run_and_a_reset_lose_nothing(world: World) -> None:
    """Where no item has a tag of the collections there was no run before; and who resets the state knows it."""
    world.collections(block("Heist"))
    world.believe("Heist", range(10))

    first = world.run()
    reset(world.state_dir, world.now)
    second = world.run()

    assert [each for each in (*first.warnings, *second.warnings) if each.source == "STATE_DIR"] == []
