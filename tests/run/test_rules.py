"""Thresholds, hysteresis, second looks, pins, tags, priorities and the safety brake, seen from outside."""

from __future__ import annotations

from typing import Any

import pytest

from kometa_ai.errors import FixUsage
from kometa_ai.standins.claude import Judgement
from kometa_ai.state.store import Store
from tests.run.world import World, block


def second_looks(world: World) -> list[tuple[str, ...]]:
    """The titles of each second look so far."""
    return [tuple(r.titles) for r in world.claude.requests if "second look" in r.collection_text]


def test_the_borderline_gets_one_second_look(world: World) -> None:
    """Verdicts within 0.1 of the threshold are looked at again in the same run, at most 15 at once, and never more."""
    world.collections(block("Heist"))
    world.believe("Heist", range(20), 0.75)
    world.believe("Heist", range(20, 25), 0.95)

    world.run()

    looks = second_looks(world)
    assert sorted(len(titles) for titles in looks) == [5, 15]
    assert {title for titles in looks for title in titles} == {f"Movie {n}" for n in range(20)}
    assert world.numbers("kai-heist") == set(range(25))
    world.claude.forget()
    world.run()
    assert world.claude.requests == []


def test_the_second_look_decides(world: World) -> None:
    """Where the second look says otherwise, it wins; the first verdict was never written."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2], 0.75)

    def judge(collection: str, movie: dict[str, Any]) -> Judgement:
        verdict = world._judge(collection, movie)
        if "second look" in collection and movie["title"] == "Movie 2":
            return Judgement(include=False, confidence=0.6, reason="no")
        return verdict

    world.claude.judge = judge
    world.run()

    assert world.numbers("kai-heist") == {1}
    assert all(call.body["applyTags"] == "add" for call in world.radarr.editor_calls)


def test_a_membership_does_not_flap(world: World) -> None:
    """Changed data with a confidence less than 0.1 beyond the threshold keeps members in and others out."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2], 0.9)
    world.believe("Heist", [3], 0.3)
    world.run()

    world.believe("Heist", [1], 0.65)
    world.believe("Heist", [2], 0.55)
    world.believe("Heist", [3], 0.75)
    for number in (1, 2, 3):
        world.radarr.update_movie(1000 + number, overview="changed")
    world.run()

    assert world.numbers("kai-heist") == {1}
    world.believe("Heist", [3], 0.8)
    world.radarr.update_movie(1003, overview="changed again")
    world.run()
    assert world.numbers("kai-heist") == {1, 3}


def test_forced_questions_are_steadied_too(world: World) -> None:
    """--force-refresh asks about every movie again, with hysteresis."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2], 0.9)
    world.run()
    world.asked()
    world.believe("Heist", [1], 0.65)
    world.believe("Heist", [2], 0.3)

    world.run(force_refresh=True)

    assert len(world.asked()) == 40
    assert world.numbers("kai-heist") == {1}


def test_pins_win_over_everything_and_cost_nothing(world: World) -> None:
    """Pinned movies are in or out whatever Claude or a tag says, are not asked about, and are shown as examples."""
    world.radarr.tag_by_hand(1004, "never")
    world.collections(
        block(
            "Heist",
            include_movies='["tmdb:1004", "Movie 5 (1955)"]',
            exclude_movies="[tt0001006]",
            exclude_tags="[never]",
        )
    )
    world.believe("Heist", [6, 7])

    world.run()

    assert world.numbers("kai-heist") == {4, 5, 7}
    assert {title for _, title in world.asked()} == {f"Movie {n}" for n in range(40)} - {
        "Movie 4",
        "Movie 5",
        "Movie 6",
    }


def test_pins_are_shown_to_claude_under_their_titles(world: World) -> None:
    """An id says nothing to a model: each request has the library's title and year, the same for every page."""
    world.collections(
        block(
            "Heist",
            include_movies='["tmdb:1004", "MOVIE 5 (1955)", "tmdb:7", "Not Here (1999)"]',
            exclude_movies="[tt0001006]",
        )
    )

    world.run(batch_size=10)

    texts = {request.collection_text for request in world.claude.requests}
    assert len(world.claude.requests) > 1
    assert len(texts) == 1
    assert "Belongs: Movie 4 (1954), Movie 5 (1955), Not Here (1999)\nDoes not belong: Movie 6 (1956)\n" in texts.pop()


def test_a_new_pin_asks_nothing(world: World) -> None:
    """A pin changes the membership, and asks about no other movie."""
    world.collections(block("Heist"))
    world.believe("Heist", range(10))
    world.run()
    world.asked()

    world.collections(block("Heist", include_movies='["tmdb:1020"]', exclude_movies='["tmdb:1003"]'))
    world.run()

    assert world.asked() == []
    assert world.numbers("kai-heist") == set(range(10)) - {3} | {20}


def test_a_pin_that_names_no_movie_is_a_warning(world: World) -> None:
    """The film may come later: the run is in order, and the report says so."""
    world.collections(block("Heist", include_movies='["tmdb:7"]'))

    report = world.run()

    assert report.exit_code == 0
    assert [w.source for w in report.warnings if "tmdb:7" in w.what] == ["movies.yml"]


def test_tags_decide_without_asking(world: World) -> None:
    """Include and exclude tags are compared without case; exclude wins."""
    for number, label in ((1, "kids"), (2, "kids"), (2, "horror"), (3, "horror")):
        world.radarr.tag_by_hand(1000 + number, label)
    world.collections(block("Family", include_tags="[Kids]", exclude_tags="[HORROR]"))
    world.believe("Family", [3, 4])

    world.run()

    assert world.numbers("kai-family") == {1, 4}
    assert {"Movie 1", "Movie 2", "Movie 3"}.isdisjoint(title for _, title in world.asked())


def test_a_managed_label_means_this_run_s_members(world: World) -> None:
    """exclude_tags with a KAI- label leaves out what that collection has won in this very run."""
    world.collections(block("Rest", exclude_tags="[KAI-best]"), block("Best", priority=5))
    world.believe("Best", [1, 2])
    world.believe("Rest", [1, 2, 3])

    world.run()
    assert world.numbers("kai-rest") == {3}
    world.radarr.requests.clear()
    world.run()

    assert world.radarr.writes == []
    assert ("Rest", "Movie 1") not in world.asked()


def test_exclusive_collections_share_by_priority(world: World) -> None:
    """Two collections that exclude each other: the higher priority takes first, and a second run changes nothing."""
    world.collections(
        block("Low", priority=1, exclude_tags="[KAI-high]"), block("High", priority=9, exclude_tags="[KAI-low]")
    )
    world.believe("Low", [1, 2, 3])
    world.believe("High", [3, 4])

    world.run()
    assert (world.numbers("kai-high"), world.numbers("kai-low")) == ({3, 4}, {1, 2})
    world.radarr.requests.clear()
    world.run()

    assert world.radarr.writes == []


@pytest.mark.parametrize(("limit", "held"), [(25, 10), (100, 0)])
def test_the_brake_holds_large_removals_back(world: World, limit: int, held: int) -> None:
    """More than REMOVAL_LIMIT percent of the members, and more than five: none of them is removed, and it is said."""
    world.change(removal_limit=limit)
    world.collections(block("Heist"), block("Space"))
    world.believe("Heist", range(20))
    world.believe("Space", range(10))
    world.run()
    world.truth["Heist"] = dict.fromkeys((f"Movie {n}" for n in range(10)), 0.9)
    world.believe("Space", [1], 0.0)

    report = world.run(force_refresh=True)

    assert report.held_back == held
    assert report.exit_code == (1 if held else 0)
    assert world.numbers("kai-heist") == (set(range(20)) if held else set(range(10)))
    assert world.numbers("kai-space") == set(range(10)) - {1}
    if held:
        assert any("--allow-removals" in problem.remedy for problem in report.problems)
        world.run(allow_removals=True)
        assert world.numbers("kai-heist") == set(range(10))


def test_the_brake_knows_an_edited_block(world: World) -> None:
    """An edit that takes more than one run to be carried out is not stopped half-way."""
    world.collections(block("Heist", confidence_threshold=0.5))
    world.believe("Heist", range(20), 0.65)
    world.run()

    world.collections(block("Heist", confidence_threshold=0.9))
    report = world.run(dry_run=True)
    assert (report.removed, report.held_back) == (20, 0)
    report = world.run()

    assert (report.removed, report.held_back, report.exit_code) == (20, 0, 0)
    assert world.numbers("kai-heist") == set()


def test_a_dry_run_writes_nothing_and_is_not_paid_twice(world: World) -> None:
    """It shows the exact changes; the real run that follows makes them and asks nothing."""
    world.collections(block("Heist"))
    world.believe("Heist", range(7))

    dry = world.run(dry_run=True)

    assert world.radarr.writes == []
    assert world.radarr.labels == set()
    world.asked()
    real = world.run()
    assert world.asked() == []
    assert [c.added for c in dry.collections] == [c.added for c in real.collections]
    assert world.numbers("kai-heist") == set(range(7))


def test_only_the_chosen_collections_take_part(world: World) -> None:
    """--collection by name or slug, without case; an unknown one names those there are."""
    world.collections(block("Film Noir"), block("Heist"))
    world.believe("Film Noir", [1])
    world.believe("Heist", [2])

    world.run(collections=("FILM-noir",))

    assert {name for name, _ in world.asked()} == {"Film Noir"}
    assert world.radarr.labels == {"kai-film-noir"}
    with pytest.raises(FixUsage, match="Film Noir, Heist"):
        world.run(collections=("Western",))


def test_a_tag_set_by_hand_is_put_right(world: World) -> None:
    """With HAND_EDITS=correct the tag is on exactly the members: one set by hand is put right, without a question."""
    world.change(hand_edits="correct")
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    world.run()
    world.asked()
    world.radarr.untag_by_hand(1001, "kai-heist")
    world.radarr.tag_by_hand(1009, "kai-heist")

    world.run()

    assert world.numbers("kai-heist") == {1, 2}
    assert world.asked() == []


def test_orphans_keep_their_tags_and_are_named(world: World) -> None:
    """A removed and a switched-off collection: tags stay, the report lists both until the tags are gone."""
    world.collections(block("Heist"), block("Space"), block("Noir"))
    for name in ("Heist", "Space", "Noir"):
        world.believe(name, [1, 2])
    world.run()
    off = block("Space").replace("enabled: true", "enabled: false")

    world.collections(off, block("Noir"))
    report = world.run()

    assert {(o.name, o.members) for o in report.orphans} == {("Heist", 2), ("Space", 2)}
    assert world.numbers("kai-heist") == world.numbers("kai-space") == {1, 2}
    for number in (1, 2):
        world.radarr.untag_by_hand(1000 + number, "kai-heist")
    assert [o.name for o in world.run().orphans] == ["Space"]


def test_the_tag_before_this_one_is_an_orphan(world: World) -> None:
    """Another `tag` leaves the old one on its movies: it is named with what to do, however many runs ago that was."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    world.run()

    world.collections(block("Heist", tag="KAI-Capers"))
    reports = [world.run(dry_run=True), world.run(), world.run()]
    world.collections(block("Heist", tag="KAI-jobs"))
    reports.append(world.run())
    world.radarr.untag_by_hand(1001, "kai-heist")
    world.radarr.untag_by_hand(1002, "kai-heist")
    reports.append(world.run())
    world.collections(block("Space"))
    reports.append(world.run())

    told = [{(orphan.name, orphan.tag, orphan.members, orphan.why) for orphan in report.orphans} for report in reports]
    once = ("Heist", "kai-heist", 2, "its tag is kai-capers now")
    then = [("Heist", tag, 2, "its tag is kai-jobs now") for tag in ("kai-heist", "kai-capers")]
    gone = [("Heist", tag, 2, "it is no longer in Kometa's folder") for tag in ("kai-capers", "kai-jobs")]
    assert told == [{once}, {once}, {once}, set(then), {then[1]}, set(gone)]
    assert all("Radarr" in orphan.remedy for orphan in reports[1].orphans)
    assert world.numbers("kai-capers") == world.numbers("kai-jobs") == {1, 2}


@pytest.mark.parametrize("what", ["gone", "empty"])
def test_a_folder_that_is_not_there_leaves_no_orphans(world: World, what: str) -> None:
    """What came from it is not taken for removed: it is neither called an orphan nor forgotten."""
    world.collections(block("Heist"), block("Space"))
    world.believe("Heist", [1])
    world.run()
    kept = world.folder / "kept"
    world.kometa.rename(kept)
    if what == "empty":
        world.kometa.mkdir()

    reports = [world.run(), world.run()]

    assert [report.orphans for report in reports] == [(), ()]
    assert {report.exit_code for report in reports} == ({2} if what == "gone" else {0})
    assert set(Store.load(world.state_dir).state.collections) == {"heist", "space"}


def test_a_tag_that_another_collection_has_taken_over_is_no_orphan(world: World) -> None:
    """It is looked after."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    world.run()

    world.collections(block("Heist", tag="KAI-capers"), block("Space", tag="KAI-heist"))

    assert world.run().orphans == ()


def test_a_pin_with_another_year_is_answered(world: World) -> None:
    """The movie that has its title is named; where there is none, the pin may be right one day."""
    world.collections(block("Heist", include_movies='["Movie 1 (1961)", "tmdb:999"]'))

    by_year, by_number = (warning for warning in world.run().warnings if "the pin" in warning.what)

    assert by_year.remedy == "Did you mean Movie 1 (1951)?"
    assert by_number.remedy == "Correct it, or leave it until the movie is there."


def test_a_file_that_lost_its_end_hides_its_collections(world: World) -> None:
    """Torn so that no block can be seen any more: what once came from it is no orphan, and is remembered."""
    world.collections(block("Noir"))
    world.collections(block("Torn"), file="torn.yml")
    world.believe("Torn", [1, 2])
    world.run()
    (world.kometa / "torn.yml").write_text("collections: [\n")

    report = world.run()

    assert (report.orphans, report.exit_code, world.numbers("kai-torn")) == ((), 1, {1, 2})
    assert "torn" in Store.load(world.state_dir, read_only=True).state.collections
    world.collections(file="torn.yml")
    assert [orphan.name for orphan in world.run().orphans] == ["Torn"]
