from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from structlog.testing import capture_logs

from kometa_ai.core.changes import Change
from kometa_ai.core.item import number_of
from kometa_ai.core.naming import Label, Slug
from kometa_ai.standins.faults import Effect, answer, answer_instead, delay_answer, drop_after_applying
from kometa_ai.standins.radarr import AutoTagRule, MovieSeed, RadarrStandIn, editor_dies_after
from kometa_ai.tags.apply import Applied, apply_changes
from tests.library.talking import library_of, talking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Literal

    from kometa_ai.library.port import Contents

    Make = Callable[[Contents], Sequence[Change]]


def _changes(
    contents: Contents, numbers: Iterable[int], label: str, operation: Literal["add", "remove"]
) -> list[Change]:
    movies = {number_of(movie.key): movie for movie in contents.items}
    slug = Slug(label.removeprefix("kai-"))
    return [
        Change(movie=movies[1000 + number], slug=slug, label=Label(label), operation=operation) for number in numbers
    ]


EDITOR = "*/movie/editor"


async def _apply(server: RadarrStandIn, make: Make, before: Callable[[], object] | None = None) -> Applied:
    """Plan against the library as read, let something happen, and apply; what `on_done` was told is what is done."""
    told: list[Change] = []
    async with talking(server) as radarr:
        library = await radarr.contents()
        changes = make(library)
        if before is not None:
            before()
        applied = Applied("Radarr")
        await apply_changes(radarr, changes, library, told.extend, applied)
    assert told == applied.done
    return applied


def _numbers(server: RadarrStandIn, label: str) -> set[int]:
    return {tmdb_id - 1000 for tmdb_id in server.members(label)}


async def test_the_log_names_every_change_in_a_line_for_each_call() -> None:
    """Which tag, which collection, which movies: all of it, but not a line for each of ten thousand."""
    server = library_of(3)
    server.tag_by_hand(1002, "kai-noir")
    with capture_logs() as logged:
        await _apply(
            server,
            lambda library: [
                *_changes(library, range(2), "kai-noir", "add"),
                *_changes(library, (2,), "kai-noir", "remove"),
            ],
        )

    events = [event for event in logged if event["event"].startswith("tags.")]
    assert [(event["event"], event["library"], event["collection_name"], event["tag"]) for event in events] == [
        ("tags.added", "radarr", "noir", "kai-noir"),
        ("tags.removed", "radarr", "noir", "kai-noir"),
    ]
    assert [[name.rsplit(" ", 1)[1] for name in event["movies"]] for event in events] == [
        ["tmdb:1000", "tmdb:1001"],
        ["tmdb:1002"],
    ]


async def test_additions_and_removals_are_made() -> None:
    """Every change of the plan is made and told, in calls of at most a hundred movies, and no other tag is touched."""
    server = library_of(250)
    for number in range(30):
        server.tag_by_hand(1000 + number, "kai-heist")
        server.tag_by_hand(1000 + number, "kai-by-hand")
    applied = await _apply(
        server,
        lambda library: [
            *_changes(library, range(230), "kai-noir", "add"),
            *_changes(library, range(10), "kai-heist", "remove"),
        ],
    )
    assert (len(applied.done), applied.failed, applied.problems, applied.stopped) == (240, [], [], None)
    assert _numbers(server, "kai-noir") == set(range(230))
    assert _numbers(server, "kai-heist") == set(range(10, 30))
    assert _numbers(server, "kai-by-hand") == set(range(30))
    assert len(server.editor_calls) == 4


async def test_tag_is_created_right_before_its_first_use() -> None:
    """A missing tag is made once, directly before the edit that uses it; unneeded tags are not made."""
    server = library_of(3)
    await _apply(
        server,
        lambda library: [
            *_changes(library, [0], "kai-noir", "add"),
            *_changes(library, [1], "kai-heist", "add"),
            *_changes(library, [2], "kai-noir", "add"),
        ],
    )
    assert [write.method for write in server.writes] == ["POST", "PUT", "POST", "PUT"]
    assert server.labels == {"kai-noir", "kai-heist"}


async def test_tag_that_housekeeping_deletes_before_its_first_use() -> None:
    """Radarr deletes tags that nothing uses, and its editor takes dead ids: such a tag is made again before its use."""
    server = library_of(3)
    server.tag_by_hand(1000, "kai-noir")
    server.untag_by_hand(1000, "kai-noir")
    applied = await _apply(
        server, lambda library: _changes(library, [1, 2], "kai-noir", "add"), before=server.housekeeping
    )
    assert (len(applied.done), applied.problems) == (2, [])
    assert _numbers(server, "kai-noir") == {1, 2}
    assert [write.method for write in server.writes] == ["POST", "PUT"]


async def test_unused_tag_that_is_still_there_is_looked_up_once() -> None:
    """One small read for it, none for a tag that a movie has: that one is safe. Nothing is made anew."""
    server = library_of(250)
    server.tag_by_hand(1000, "kai-noir")
    server.untag_by_hand(1000, "kai-noir")
    server.tag_by_hand(1000, "kai-heist")
    await _apply(
        server,
        lambda library: [
            *_changes(library, range(250), "kai-noir", "add"),
            *_changes(library, range(1, 250), "kai-heist", "add"),
        ],
    )
    looked_up = [request.path for request in server.requests if "/tag/" in request.path]
    assert looked_up == [f"/api/v3/tag/{server.tag_id('kai-noir')}"]
    assert {write.method for write in server.writes} == {"PUT"}


async def test_tag_whose_look_up_fails_is_made_or_found_all_the_same() -> None:
    """Whatever stands in front of Radarr says: to create a tag that is there brings its id, too."""
    server = library_of(2)
    server.tag_by_hand(1000, "kai-noir")
    server.untag_by_hand(1000, "kai-noir")
    server.faults.inject(answer(404), method="GET", path="*/tag/*", times=None)
    applied = await _apply(server, lambda library: _changes(library, [0, 1], "kai-noir", "add"))
    assert (len(applied.done), applied.problems) == (2, [])
    assert _numbers(server, "kai-noir") == {0, 1}


async def test_no_changes_no_writes() -> None:
    """An empty plan writes nothing, not even a tag."""
    server = library_of(1)
    applied = await _apply(server, lambda _: [])
    assert (applied.done, server.writes) == ([], [])


async def test_changes_of_others_survive() -> None:
    """What a person tagged after the library was read stays, on the very movies that are edited."""
    server = library_of(2)
    await _apply(
        server,
        lambda library: _changes(library, [0, 1], "kai-noir", "add"),
        before=lambda: server.tag_by_hand(1000, "favourites"),
    )
    assert server.labels_of(1000) == {"favourites", "kai-noir"}


async def test_vanished_movie_is_neither_done_nor_failed() -> None:
    """A movie deleted after the plan does not affect others, and is no problem."""
    server = library_of(5)
    applied = await _apply(
        server,
        lambda library: _changes(library, range(5), "kai-noir", "add"),
        before=lambda: server.remove_movie(1002),
    )
    assert (len(applied.done), applied.failed, applied.problems) == (4, [], [])
    assert _numbers(server, "kai-noir") == {0, 1, 3, 4}


async def test_contested_change_is_told() -> None:
    """A change that one of Radarr's own rules undoes is not done, and the problem names the rule's place."""
    rules = [AutoTagRule("old", ("kai-noir",), remove_tags_automatically=True, years=(1900, 1950))]
    server = RadarrStandIn(rules=rules)
    for movie in _seeds(2):
        server.add_movie(movie)
    applied = await _apply(server, lambda library: _changes(library, [0, 1], "kai-noir", "add"))
    assert (applied.done, len(applied.failed)) == ([], 2)
    assert [problem.collection for problem in applied.problems] == ["noir"]
    assert "Auto Tagging" in applied.problems[0].remedy


async def test_twins_are_all_taken_off() -> None:
    """Of two tags whose labels differ in case only, one is put on and both are taken off."""
    server = library_of(2)
    server.behaviour.label_rules = "none"
    server.tag_by_hand(1000, "kai-noir")
    async with talking(server) as radarr:
        library = await radarr.contents()
        other = await radarr.create_tag("kai-heist")
        tags = {**library.tags, Label("kai-noir"): (*library.tags[Label("kai-noir")], other)}
        twins = msgspec.structs.replace(library, tags=tags)
        added = Applied("Radarr")
        await apply_changes(radarr, _changes(library, [1], "kai-noir", "add"), twins, lambda _: None, added)
        assert server.labels_of(1001) == {"kai-noir"}
        await radarr.edit_tags([library.items[0].arr_id], [other], operation="add")
        await apply_changes(
            radarr, _changes(library, [0], "kai-noir", "remove"), twins, lambda _: None, Applied("Radarr")
        )
    assert len(added.done) == 1
    assert server.labels_of(1000) == set()


async def test_tag_that_cannot_be_made_stops_no_other() -> None:
    """Where Radarr does not make one tag, movies still get the others they need, and it is asked for only once."""
    server = library_of(250)
    bad = "kai_bad"
    applied = await _apply(
        server,
        lambda library: [
            *_changes(library, range(2), "kai-noir", "add"),
            *_changes(library, range(2), bad, "add"),
        ],
    )
    assert _numbers(server, "kai-noir") == {0, 1}
    assert [change.label for change in applied.failed] == [bad, bad]
    assert [problem.collection for problem in applied.problems] == [bad]
    server.requests.clear()
    applied = await _apply(server, lambda library: _changes(library, range(250), bad, "add"))
    assert len(applied.failed) == 250
    assert len(server.writes) == 1
    assert len(applied.problems) == 1
    assert len(applied.problems[0].movies) == 250


async def test_failing_edit_is_told_for_each_collection() -> None:
    """An edit of several tags that fails is a problem of each of their collections, each with its movies."""
    server = library_of(2)
    server.faults.inject(answer(500), method="PUT", path="*/movie/editor", times=None)
    applied = await _apply(
        server,
        lambda library: [*_changes(library, [0, 1], "kai-noir", "add"), *_changes(library, [0, 1], "kai-heist", "add")],
    )
    assert (applied.done, len(applied.failed), applied.stopped) == ([], 4, None)
    assert sorted(problem.collection for problem in applied.problems) == ["heist", "noir"]
    assert all(problem.movies == ("Movie 0 (2000)", "Movie 1 (2000)") for problem in applied.problems)


async def test_failures_alike_are_one_problem() -> None:
    """However many calls fail alike for a collection, it is told once, with all movies."""
    server = library_of(230)
    server.faults.inject(answer(500), method="PUT", path="*/movie/editor", times=None)
    applied = await _apply(server, lambda library: _changes(library, range(230), "kai-noir", "add"))
    assert len(applied.failed) == 230
    assert len(applied.problems) == 1
    assert len(applied.problems[0].movies) == 230


@pytest.mark.parametrize(
    "effect",
    [answer_instead(504), answer_instead(502), answer_instead(202), drop_after_applying(), answer_instead(200, "{}")],
)
async def test_changes_whose_answers_are_lost_are_looked_at(effect: Effect) -> None:
    """Radarr makes them and the answer never comes: its list is read once more, and what it shows is done."""
    server = library_of(40)
    server.tag_by_hand(1039, "kai-noir")
    server.faults.inject(effect, method="PUT", path=EDITOR, times=None)
    applied = await _apply(
        server,
        lambda library: [
            *_changes(library, range(20), "kai-noir", "add"),
            *_changes(library, [39], "kai-noir", "remove"),
        ],
    )
    assert (len(applied.done), applied.failed, applied.problems) == (21, [], [])
    assert all("shows it made" in warning.what for warning in applied.warnings)
    assert len(server.list_reads) == 2


async def test_what_the_list_does_not_show_is_told_with_the_reason() -> None:
    """A proxy's time-out with no effect: not changed as far as the list shows, and the remedy names the proxy."""
    server = library_of(40)
    server.faults.inject(answer(504), method="PUT", path=EDITOR, times=None)
    applied = await _apply(server, lambda library: _changes(library, range(40), "kai-noir", "add"))
    assert (applied.done, len(applied.failed), applied.unclear) == ([], 40, [])
    assert "raise its time-out" in applied.problems[0].what
    assert "does not show the change" in applied.problems[0].what


async def test_what_cannot_be_looked_at_is_told_as_not_known() -> None:
    """The list cannot be read either: that the changes were not made is not said."""
    server = library_of(3)
    server.faults.inject(answer_instead(502), method="PUT", path=EDITOR, times=None)
    server.faults.inject(answer(502), method="GET", path="*/movie", skip=1, times=None)
    applied = await _apply(server, lambda library: _changes(library, range(3), "kai-noir", "add"))
    assert (applied.done, len(applied.failed)) == ([], 3)
    assert "Whether it was changed cannot be seen" in applied.problems[0].what
    assert "next run looks" in applied.problems[0].remedy


async def test_an_exit_in_the_middle_forgets_no_change() -> None:
    """An answer is lost and then the key is refused for writes: what was made before is found and told as done."""
    server = library_of(150)
    server.faults.inject(answer_instead(504), method="PUT", path=EDITOR, times=1)
    server.faults.inject(answer(401), method="PUT", path=EDITOR, times=None)
    applied = await _apply(server, lambda library: _changes(library, range(150), "kai-noir", "add"))
    assert (len(applied.done), len(applied.failed)) == (100, 50)
    assert applied.stopped is not None


async def test_a_run_that_is_ended_in_the_middle_accounts_for_every_change() -> None:
    """What was confirmed is done, what is on its way may be made, what is left was not sent: each is told as it is."""
    server = library_of(250)
    server.faults.inject(delay_answer(60), method="PUT", path=EDITOR, skip=1)
    applied = Applied("Radarr")
    async with talking(server) as radarr:
        library = await radarr.contents()
        changes = _changes(library, range(250), "kai-noir", "add")
        writing = asyncio.create_task(apply_changes(radarr, changes, library, lambda _: None, applied))
        for _ in range(2000):
            await asyncio.sleep(0.01)
            if len(server.members("kai-noir")) == 200:
                break
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
    assert (len(applied.done), len(applied.failed)) == (100, 150)
    assert sorted(len(problem.movies) for problem in applied.problems) == [50, 100]
    assert any("before Radarr had confirmed" in problem.what for problem in applied.problems)


async def test_edit_that_dies_half_way_is_done_in_the_end() -> None:
    """Radarr saves row by row: an edit that failed after some of them is repeated, and all changes count once."""
    server = library_of(20)
    server.faults.inject(editor_dies_after(7), method="PUT", path="*/movie/editor")
    applied = await _apply(server, lambda library: _changes(library, range(20), "kai-noir", "add"))
    assert (len(applied.done), applied.failed) == (20, [])
    assert _numbers(server, "kai-noir") == set(range(20))


async def test_radarr_becoming_unusable_stops_and_accounts_for_all() -> None:
    """A key that is refused in the middle ends the writing: what was done is told, all the rest failed, once each."""
    server = library_of(250)
    server.faults.inject(answer(401), method="PUT", path="*/movie/editor", skip=1, times=None)
    applied = await _apply(
        server,
        lambda library: [
            *_changes(library, range(250), "kai-noir", "add"),
            *_changes(library, range(30), "kai-heist", "add"),
        ],
    )
    assert applied.stopped is not None
    assert len(applied.done) == len(_numbers(server, "kai-noir")) + 0
    assert 0 < len(applied.done) < 280
    assert len(applied.done) + len(applied.failed) == 280
    assert len({(change.movie.key, change.label) for change in (*applied.done, *applied.failed)}) == 280
    assert len(server.editor_calls) == 2


def _seeds(count: int) -> list[MovieSeed]:
    return [MovieSeed(f"Movie {n}", 2000, 1000 + n) for n in range(count)]
