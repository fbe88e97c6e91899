"""Tags that people put on and take off in Radarr and Sonarr themselves, seen from outside."""

from __future__ import annotations

import asyncio
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kometa_ai.app import open_parts
from kometa_ai.core.choice import Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.jobs.undo import Undo, undo
from kometa_ai.run.watching import NullObserver, Step
from kometa_ai.standins.faults import answer, drop_after_applying
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.libraries import LibraryFile, place_of
from kometa_ai.state.store import Store, reset
from tests.run.dying import Crash
from tests.run.libraries import Home, shows
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import CollectionReport, RunReport
    from kometa_ai.standins.faults import Effect

NOIR = "kai-noir"
MEMBERS = set(range(8))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Twelve movies, of which the first eight are in Noir since a run, and the first two in Heist."""
    with World(tmp_path, movies(12)) as made:
        made.collections(block("Noir"), block("Heist"))
        made.believe("Noir", MEMBERS)
        made.believe("Heist", range(2))
        assert made.run().outcome == "ok"
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twelve films, every second also in 4K, and six shows; a collection of either kind."""
    films = movies(12)
    with Home(tmp_path, films, films[::2], shows(6)) as made:
        made.collections(block("Noir"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Noir", MEMBERS)
        made.believe_shows("Crime", {1, 2})
        assert made.run().outcome == "ok"
        yield made


def take_off(world: World, *numbers: int, label: str = NOIR) -> None:
    """Somebody takes a tag off some movies, one by one, in Radarr's list."""
    for number in numbers:
        world.radarr.untag_by_hand(1000 + number, label)


def put_on(world: World, *numbers: int, label: str = NOIR) -> None:
    """Somebody puts a tag on some movies in Radarr's list."""
    for number in numbers:
        world.radarr.tag_by_hand(1000 + number, label)


def of(report: RunReport, name: str = "Noir") -> CollectionReport:
    """What a report says of a collection."""
    return next(each for each in report.collections if each.name == name)


def told(report: RunReport) -> list[Problem]:
    """The warnings that are about hand edits."""
    return [each for each in report.warnings if "by hand" in each.what or "nothing is pinned" in each.what]


def pinned(world: World) -> dict[int, bool]:
    """The pins that were made of hand edits in Noir: the movies' numbers, and whether they are in."""
    return {
        pin.tmdb_id - 1000: pin.include
        for pin in ChoicesFile(world.state_dir).read().pins
        if pin.origin == "hand edit" and pin.slug == "noir"
    }


def release(world: World) -> None:
    """Release every pin, as `--release-pin` does."""
    ChoicesFile(world.state_dir).change(lambda choices: choices.without_pins(*choices.pins))


def pin(world: World, number: int, *, include: bool, since: datetime) -> None:
    """Somebody pins a movie on the page."""
    made = Pin(key=movie_key(1000 + number), slug=Slug("noir"), include=include, since=since, origin="page")
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(made))


def take_back(world: World, run_id: str) -> None:
    """Undo a run."""

    async def go() -> None:
        async with open_parts(world.settings, Store.load(world.state_dir)) as real:
            parts = msgspec.structs.replace(real, now=lambda: world.now)
            await undo(parts, Undo(run_id=run_id), run_id="undo")

    asyncio.run(go())


def test_a_tag_taken_off_by_hand_stays_off(world: World) -> None:
    """The movie stays out for three nights and is told once; released, it comes back."""
    take_off(world, 3)

    reports = [world.run() for _ in range(3)]

    assert world.numbers(NOIR) == MEMBERS - {3}
    assert [(line.title, line.reason) for line in of(reports[0]).pinned_out] == [
        ("Movie 3", "taken off in Radarr by hand: stays out")
    ]
    assert [of(report).pinned_out for report in reports[1:]] == [(), ()]
    assert [(report.outcome, report.added, report.removed, told(report)) for report in reports] == [
        ("ok", 0, 0, [])
    ] * 3
    (made,) = ChoicesFile(world.state_dir).read().pins
    assert (made.title, made.imdb_id, made.origin, made.run_id) == (
        "Movie 3 (1953)",
        "tt0001003",
        "hand edit",
        reports[0].run_id,
    )
    assert made.said is not None
    assert made.said.include is not made.include

    release(world)

    assert [line.title for line in of(world.run()).added] == ["Movie 3"]
    assert world.numbers(NOIR) == MEMBERS


def test_a_tag_put_on_by_hand_stays_on(world: World) -> None:
    """The other direction is the same; each collection is told of its own."""
    put_on(world, 9)
    put_on(world, 10, label="kai-heist")

    reports = [world.run() for _ in range(2)]

    assert (world.numbers(NOIR), world.numbers("kai-heist")) == (MEMBERS | {9}, {0, 1, 10})
    assert [line.reason for line in of(reports[0]).pinned_in] == ["put on in Radarr by hand: stays in"]
    assert [line.title for line in of(reports[0], "Heist").pinned_in] == ["Movie 10"]
    assert of(reports[1]).pinned_in == ()


def test_ordinary_runs_make_no_more_calls(world: World) -> None:
    """Radarr's rules are read where a tag was changed, and else never."""
    calls = []
    for edited in ((), (3,), ()):
        take_off(world, *edited)
        world.radarr.requests.clear()
        world.run()
        calls.append(sum(request.path.endswith("/autotagging") for request in world.radarr.requests))

    assert calls == [0, 1, 0]


def test_correct_puts_it_right(world: World) -> None:
    """With HAND_EDITS=correct the next run undoes what was changed by hand, and says no more than that."""
    world.change(hand_edits="correct")
    take_off(world, 3)
    put_on(world, 9)

    report = world.run()

    assert world.numbers(NOIR) == MEMBERS
    assert ([line.title for line in of(report).added], [line.title for line in of(report).removed]) == (
        ["Movie 3"],
        ["Movie 9"],
    )
    assert (of(report).pinned_in, of(report).pinned_out, pinned(world), told(report)) == ((), (), {}, [])


def test_sixty_of_a_hundred_at_once_are_no_person(tmp_path: Path) -> None:
    """So many look like a restored database: nothing is pinned, the brake holds, and the report asks."""
    with World(tmp_path, movies(100)) as world:
        world.collections(block("Noir"))
        world.believe("Noir", range(100))
        world.run()
        take_off(world, *range(60))

        report, again = world.run(), world.run()

        assert pinned(world) == {}
        assert world.numbers(NOIR) == set(range(60, 100))
        (warning,) = told(report)
        assert warning.collection == "Noir"
        assert "taken off 60 movies since the last run, of 100 that had it" in warning.what
        assert len(of(report).held_back_additions) == 60
        assert told(again) == []


def test_a_dry_run_shows_and_pins_nothing(world: World) -> None:
    """It shows what a run would pin and does not want to put it right; the run after two of them still finds it."""
    take_off(world, 3)
    put_on(world, 9)

    dry = [world.run(dry_run=True) for _ in range(2)]

    assert pinned(world) == {}
    for report in dry:
        assert [line.title for line in (*of(report).pinned_in, *of(report).pinned_out)] == ["Movie 9", "Movie 3"]
        assert (report.added, report.removed) == (0, 0)
    put_on(world, 3)
    take_off(world, 4)
    report = world.run()
    assert pinned(world) == {4: False, 9: True}
    assert world.numbers(NOIR) == MEMBERS - {4} | {9}
    assert (report.added, report.removed) == (0, 0)


def test_what_only_a_dry_run_has_seen_is_no_hand_edit(world: World) -> None:
    """A movie that no run has left anything on is not there both times, nor is a collection that none cared for."""
    world.radarr.add_movie(movies(13)[12])
    world.collections(block("Noir"), block("Space"))
    world.run(dry_run=True)
    put_on(world, 12)
    put_on(world, 5, label="kai-space")

    world.run()

    assert ChoicesFile(world.state_dir).read().pins == ()
    assert world.numbers("kai-space") == set()


def test_a_run_for_some_movies_sees_all(world: World) -> None:
    """A run that is about other movies and one collection finds every hand edit, and tells of it."""
    take_off(world, 3)
    take_off(world, 1, label="kai-heist")

    report = world.run(movies=frozenset({movie_key(1000)}), collections=("Noir",))

    assert pinned(world) == {3: False}
    assert [line.title for line in of(report).pinned_out] == ["Movie 3"]
    assert [(each.collection, each.movies) for each in told(report)] == [("Heist", ("Movie 1 (1951)",))]
    assert (world.run().added, world.numbers("kai-heist")) == (0, {0})


def test_what_is_changed_while_a_run_is_at_work(world: World) -> None:
    """A tag taken off between reading and writing is not put back on by that very run."""
    world.believe("Noir", {9, 10})

    report = world.run(during=lambda world: take_off(world, 3), force_refresh=True)

    assert world.numbers(NOIR) == MEMBERS - {3} | {9, 10}
    assert [line.title for line in of(report).pinned_out] == ["Movie 3"]
    assert (world.run().added, pinned(world)) == (0, {3: False})


# What is none


def test_auto_tagging_rules_are_named(world: World) -> None:
    """Where a rule of Radarr's own names the label nothing is pinned, and the warning says which rule it is."""
    rules = json.dumps([{"id": 1, "name": "Dark ones", "tags": [world.radarr.tag_id(NOIR)]}])
    world.radarr.faults.inject(answer(200, rules, "application/json"), path="*/autotagging")
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    (warning,) = told(report)
    assert "the auto-tagging rule Dark ones names it, too: nothing is pinned" in warning.what
    assert (warning.collection, warning.movies) == ("Noir", ("Movie 3 (1953)",))


@pytest.mark.parametrize(("status", "count"), [(404, 1), (503, 0)])
def test_rules_that_cannot_be_read(world: World, status: int, count: int) -> None:
    """A Radarr that knows no such rules has none; where they cannot be read, nothing is pinned."""
    world.radarr.faults.inject(answer(status, "{}", "application/json"), path="*/autotagging")
    take_off(world, 3)

    report = world.run()

    assert (len(pinned(world)), len(told(report))) == (count, 1 - count)


def test_a_tag_that_is_gone_is_housekeeping(world: World) -> None:
    """Radarr deletes tags that nothing uses: that took them off nobody."""
    take_off(world, 0, 1, label="kai-heist")
    world.radarr.housekeeping()

    report = world.run()

    assert world.numbers("kai-heist") == {0, 1}
    assert ChoicesFile(world.state_dir).read().pins == ()
    (warning,) = told(report)
    assert "housekeeping" in warning.what


def test_an_undo_is_no_hand_edit(world: World) -> None:
    """What an undo took back, and what was taken back from it, is its own doing; what comes after is a person's."""
    world.believe("Noir", {9})
    take_back(world, world.run(force_refresh=True).run_id)
    assert world.numbers(NOIR) == MEMBERS
    take_off(world, 2)
    put_on(world, 9)

    report = world.run()

    assert pinned(world) == {2: False, 9: True}
    assert [line.title for line in (*of(report).pinned_in, *of(report).pinned_out)] == ["Movie 9", "Movie 2"]
    assert world.numbers(NOIR) == MEMBERS - {2} | {9}


# Other choices


def test_an_older_pin_is_replaced(world: World) -> None:
    """The hand edit is the newer choice."""
    pin(world, 9, include=True, since=datetime(2026, 1, 1, tzinfo=UTC))
    world.run()
    take_off(world, 9)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({9: False}, MEMBERS)
    (line,) = of(report).pinned_out
    assert line.reason == "taken off in Radarr by hand: stays out; it was pinned in on the page, 2026-01-01"


def test_an_item_that_was_deleted_and_added_again_begins_anew(world: World) -> None:
    """Radarr gives it another id and no tags: nobody took one off, and the run puts it on again."""
    world.radarr.remove_movie(1003)
    world.radarr.add_movie(movies(4)[3])

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert ([each.title for each in of(report).added], of(report).pinned_out) == (["Movie 3"], ())


def test_a_show_that_was_deleted_and_added_again_begins_anew(home: Home) -> None:
    """In Sonarr it is the same."""
    home.sonarr.remove_show(shows(2)[1].tvdb_id)
    home.sonarr.add_show(shows(2)[1])

    report = home.run()

    assert ChoicesFile(home.state_dir).read().pins == ()
    assert [each.title for each in of(report, "Crime").added] == [shows(2)[1].title]


def test_a_pin_of_today_is_not_replaced(world: World) -> None:
    """Where both were made since the last run nobody knows which is newer: the pin counts, and it is told."""
    pin(world, 3, include=True, since=world.now + timedelta(hours=5))
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert ["the pin counts" in each.what for each in told(report)] == [True]


def test_a_pin_that_says_the_same_is_enough(world: World) -> None:
    """Who has pinned a movie out and takes its tag off has said it already."""
    pin(world, 3, include=False, since=world.now + timedelta(hours=5))
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), of(report).pinned_out, told(report)) == ({}, (), [])


def test_the_block_wins(world: World) -> None:
    """A pin of the block stands: the tag is put right, and the warning says why and where."""
    world.collections(block("Noir", include_movies="[tmdb:1003]"), block("Heist"))
    world.run()
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    (warning,) = told(report)
    assert "the block pins it the other way" in warning.what
    assert "movies.yml:2" in warning.remedy


def test_a_hand_edit_beats_a_tag_rule(world: World) -> None:
    """A movie that `exclude_tags` keeps out is in once a person puts the tag on."""
    put_on(world, 3, label="kids")
    world.collections(block("Noir", exclude_tags="[kids]"), block("Heist"))
    world.run()
    assert world.numbers(NOIR) == MEMBERS - {3}
    put_on(world, 3)

    world.run()

    assert world.numbers(NOIR) == MEMBERS


def test_a_collection_that_was_switched_off(world: World) -> None:
    """While nobody cared for its tags they were anybody's; from then on they are cared for again."""
    world.collections(block("Heist"))
    world.run()
    take_off(world, 3)
    world.collections(block("Noir"), block("Heist"))
    world.run()
    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    take_off(world, 4)

    world.run()

    assert pinned(world) == {4: False}


def test_a_block_that_cannot_be_read_for_a_night(world: World) -> None:
    """What was changed meanwhile is found when the collection is back."""
    good = (world.kometa / "movies.yml").read_text()
    (world.kometa / "movies.yml").write_text(good.replace("# enabled: true", "# enabled: maybe", 1))
    take_off(world, 3)
    world.run()
    (world.kometa / "movies.yml").write_text(good)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({3: False}, MEMBERS - {3})
    assert [line.title for line in of(report).pinned_out] == ["Movie 3"]


def test_choices_that_cannot_be_kept(world: World) -> None:
    """The run respects them all the same, says what is wrong, and the next one finds them once more."""
    take_off(world, 3)
    (world.state_dir / "choices.lock").unlink(missing_ok=True)
    (world.state_dir / "choices.lock").mkdir()

    report = world.run()

    assert [problem.source for problem in report.problems] == ["state"]
    assert world.numbers(NOIR) == MEMBERS - {3}
    (world.state_dir / "choices.lock").rmdir()
    assert [line.title for line in of(world.run()).pinned_out] == ["Movie 3"]
    assert pinned(world) == {3: False}


# Several libraries


def test_one_of_two_libraries_is_enough(home: Home) -> None:
    """Taken off in one Radarr, a film leaves the other as well, and the report says so; the Sonarr is for itself."""
    home.radarr_4k.untag_by_hand(1004, NOIR)
    home.sonarr.tag_by_hand(1003, "kai-crime")

    report = home.run()

    assert (home.members("radarr", "Noir"), home.members("radarr-4k", "Noir")) == (MEMBERS - {4}, {0, 2, 6})
    (line,) = of(report).pinned_out
    assert line.reason == "taken off in Radarr 4K by hand: stays out, and leaves it in Radarr"
    assert line.libraries == ("radarr-4k",)
    assert home.members("sonarr", "Crime") == {1, 2, 3}
    assert [each.reason for each in of(report, "Crime").pinned_in] == ["put on in Sonarr by hand: stays in"]
    again = home.run()
    assert (again.added, again.removed) == (0, 0)


def test_libraries_that_contradict_each_other(home: Home) -> None:
    """Taken off in one and put on in the other: nothing is pinned, and it is told."""
    home.radarr_4k.faults.inject(answer(401), method="PUT", times=None)
    home.believe("Noir", {10})
    home.run(force_refresh=True)
    home.radarr_4k.faults.clear()
    home.run(dry_run=True)
    home.radarr.untag_by_hand(1010, NOIR)
    place = place_of(home.state_dir, "radarr-4k")
    lines = [line for line in place.read_bytes().splitlines(keepends=True) if not line.startswith(b'{"changes"')]
    place.write_bytes(b"".join(lines))
    home.radarr_4k.tag_by_hand(1010, NOIR)

    report = home.run()

    assert pinned(home) == {}
    assert ["in one library so and in another otherwise" in each.what for each in told(report)] == [True]


def test_a_library_that_is_down_keeps_its_record(home: Home) -> None:
    """What was changed there is found when it is back, however many runs there were meanwhile."""
    home.radarr_4k.untag_by_hand(1004, NOIR)
    home.radarr_4k.faults.inject(answer(401), times=None)
    before = place_of(home.state_dir, "radarr-4k").read_bytes()
    home.run()
    home.run()
    assert place_of(home.state_dir, "radarr-4k").read_bytes() == before
    home.radarr_4k.faults.clear()

    home.run()

    assert pinned(home) == {4: False}


# Runs that die, and state folders that are not what they seem


class Dying(NullObserver):
    """An observer that dies when a step begins."""

    def __init__(self, at: str) -> None:
        self._at = at

    def step(self, name: str) -> None:
        """Die."""
        if name == self._at:
            raise Crash


def die(world: World, at: str, **options: Any) -> None:
    """A run that dies when a step begins."""
    with pytest.raises((Crash, BaseExceptionGroup)):
        world.run(observer=Dying(at), **options)


@pytest.mark.parametrize("step", [step for step in Step if step not in {Step.LOOKING_AGAIN, Step.WAITING}])
def test_a_run_that_dies_at_any_step(world: World, step: str) -> None:
    """No pin appears that nobody made, and the one that was made is told by the run that comes to its end."""
    world.believe("Noir", {9, 10})
    world.believe("Heist", {5})
    take_off(world, 3)
    die(world, step, force_refresh=True)

    report = world.run(force_refresh=True)

    assert [(made.tmdb_id, made.slug) for made in ChoicesFile(world.state_dir).read().pins] == [(1003, "noir")]
    assert (world.numbers(NOIR), world.numbers("kai-heist")) == (MEMBERS - {3} | {9, 10}, {0, 1, 5})
    assert [line.title for line in of(report).pinned_out] == ["Movie 3"]
    assert told(report) == []
    assert of(world.run()).pinned_out == ()


@pytest.mark.parametrize("effect", [answer(401), drop_after_applying()], ids=["not made", "made, but unheard of"])
def test_a_run_killed_between_radarrs_confirmation_and_ours(world: World, effect: Effect) -> None:
    """A change that was sent and that nobody has confirmed is not taken for a person's, whether it was made or not."""
    world.believe("Noir", {9, 10})
    world.radarr.faults.inject(effect, method="PUT", times=None)
    world.radarr.faults.inject(answer(401), path="*/movie", method="GET", times=None, skip=2)
    report = world.run(force_refresh=True)
    assert len(of(report).failed) == 2
    world.radarr.faults.clear()
    world.believe("Noir", {9, 10}, 0.0)

    again = world.run(force_refresh=True)

    assert (pinned(world), told(again), world.numbers(NOIR)) == ({}, [], MEMBERS)


def test_whatever_a_kill_leaves_of_the_journal(world: World) -> None:
    """The journal ends anywhere, the changes are made: the next run takes none of them for a person's."""
    world.believe("Noir", {9, 10})
    world.believe("Heist", {5})
    take_off(world, 3)
    die(world, Step.REPORTING, force_refresh=True)
    journal = world.state_dir / "kometa_state.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    folder = world.folder / "left"
    shutil.copytree(world.state_dir, folder)
    for number in sorted({*range(0, len(lines), 5), len(lines) - 1, len(lines)}):
        shutil.rmtree(world.state_dir)
        shutil.copytree(folder, world.state_dir)
        journal.write_bytes(b"".join(lines[:number]))

        report = world.run()

        assert [(made.tmdb_id, made.slug) for made in ChoicesFile(world.state_dir).read().pins] == [(1003, "noir")]
        assert told(report) == []


def test_a_record_that_is_older_than_the_state(world: World) -> None:
    """A library's file from a backup does not know of later runs: what they changed is not taken for a person's."""
    place = place_of(world.state_dir, "radarr")
    older = place.read_bytes()
    world.believe("Noir", {9})
    world.run(force_refresh=True)
    place.write_bytes(older)
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS | {9})
    (warning,) = told(report)
    assert "not of the same run: nothing is pinned" in warning.what
    assert told(world.run()) == []


def test_a_state_that_is_older_than_the_record(world: World) -> None:
    """Nor is anything pinned where the state was restored and the record was not."""
    shutil.copytree(world.state_dir, world.folder / "older")
    world.run()
    shutil.copytree(
        place_of(world.state_dir, "radarr").parent, world.folder / "older" / "libraries", dirs_exist_ok=True
    )
    shutil.rmtree(world.state_dir)
    shutil.copytree(world.folder / "older", world.state_dir)
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert ["not of the same run" in each.what for each in told(report)] == [True]


@pytest.mark.parametrize("lost", [0, 2])
def test_a_whole_state_folder_from_a_backup(world: World, lost: int) -> None:
    """A backup that knows of all runs is as good as the original; one that lacks some pins nothing."""
    world.run()
    shutil.copytree(world.state_dir, world.folder / "backup")
    for number in range(lost):
        world.believe("Noir", {9 + number})
        world.run(force_refresh=True)
    shutil.rmtree(world.state_dir)
    shutil.copytree(world.folder / "backup", world.state_dir)
    _age(place_of(world.state_dir, "radarr"))
    take_off(world, 3)

    report = world.run()

    assert pinned(world) == ({} if lost else {3: False})
    assert ["STATE_DIR is a copy" in each.what for each in told(report)] == ([True] if lost else [])


def _age(place: Path) -> None:
    """As if the file had been written an hour before it came to its place."""
    first, rest = place.read_bytes().split(b"\n", 1)
    header = json.loads(first)
    place.write_bytes(json.dumps(header | {"stamp": header["stamp"] - 3600}).encode() + b"\n" + rest)


def test_a_damaged_record(world: World) -> None:
    """Of a damaged file nobody knows which of our own changes it has lost: nothing is pinned."""
    with place_of(world.state_dir, "radarr").open("ab") as file:
        file.write(b'{"changes":[["movie:1001","kai-noir","add"]],"run_id\n')
    take_off(world, 3)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert ["is damaged" in each.what for each in told(report)] == [True]


@pytest.mark.parametrize("how", ["gone", "a folder", "no record"])
def test_a_record_that_cannot_be_read(world: World, how: str) -> None:
    """What was changed by hand is put right like any other difference: the report says that nobody looked for it."""
    place = place_of(world.state_dir, "radarr")
    place.unlink()
    if how == "a folder":
        place.mkdir()
    elif how == "no record":
        place.write_text("{}\n")
    take_off(world, 3)

    report, next_one = world.run(), world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert [str(place) in each.what for each in told(report)] == [True]
    assert told(next_one) == []


def test_a_reset_state_knows_nothing(world: World) -> None:
    """After a fresh start nothing is known of how the libraries were left."""
    take_off(world, 3)
    reset(world.state_dir, world.now)

    report = world.run()

    assert (pinned(world), world.numbers(NOIR)) == ({}, MEMBERS)
    assert report.outcome == "ok"


def test_changes_that_cannot_be_noted_are_not_made(world: World) -> None:
    """Where it cannot be noted what is about to be changed, nothing is: it would look like a person's doing."""
    place = place_of(world.state_dir, "radarr")

    def hinder(_: World) -> None:
        place.unlink()
        place.mkdir()

    world.believe("Noir", {9})
    report = world.run(during=hinder, force_refresh=True)

    assert world.numbers(NOIR) == MEMBERS
    assert [line.title for line in of(report).failed] == ["Movie 9"]
    assert any("nothing is changed in Radarr" in problem.what for problem in report.problems)
    assert world.run().exit_code == 0
    assert (world.numbers(NOIR), pinned(world)) == (MEMBERS | {9}, {})


def test_every_run_leaves_a_record(home: Home) -> None:
    """Each library has its file after any run, with the labels that its items have then."""
    home.believe("Noir", {9, 10})
    report = home.run(force_refresh=True)

    for name, service in home.services.items():
        with LibraryFile(place_of(home.state_dir, name)) as found:
            assert found.header.run_id == report.run_id
            items, intents = found.labels()
        assert intents == []
        numbers = {int(item.key.partition(":")[2]): set(item.labels) for item in items}
        assert numbers == {number: service.labels_of(number) for number in numbers}
        assert all(item.left is None and not item.new for item in items)
    assert Store.load(home.state_dir, read_only=True).state.libraries["sonarr"].left_by == report.run_id
