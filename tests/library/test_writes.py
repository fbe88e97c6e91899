from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Literal

import pytest

from kometa_ai.core.item import ArrId, number_of
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.port import EditResult, EditStopped, TagId, TagUnavailable
from kometa_ai.library.radarr import Radarr
from kometa_ai.standins.faults import (
    Effect,
    answer,
    answer_instead,
    bad_gateway,
    delay,
    delay_answer,
    drop,
    drop_after_applying,
    html_page,
    redirect,
    truncate,
)
from kometa_ai.standins.radarr import AutoTagRule, MovieSeed, RadarrStandIn, editor_dies_after, locked
from tests.library.talking import HEAT, RONIN, Waits, library_of, refusing, talking

if TYPE_CHECKING:
    from collections.abc import Sequence

EDITOR, TAG = "*/movie/editor", "*/tag"
LABEL = "kai-heist-films"


def as_json(value: object, status: int = 202) -> Effect:
    """Somebody answers with this JSON."""
    return answer(status, json.dumps(value), "application/json")


def ids_of(server: RadarrStandIn, tmdb_ids: Sequence[int]) -> list[ArrId]:
    """Radarr's ids of those movies."""
    return [ArrId(server.movie(tmdb_id)["id"]) for tmdb_id in tmdb_ids]


async def tag_all(radarr: Radarr, ids: Sequence[ArrId] | None = None) -> EditResult:
    """Tag those movies (or all of them)."""
    if ids is None:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
    return await radarr.edit_tags(ids, [await radarr.create_tag(LABEL)], operation="add")


# Tags


@pytest.mark.parametrize("label", ["KAI-Heist-Films", "kai-heist-films"])
async def test_a_tag_is_created_in_lower_case(label: str) -> None:
    """Trap 1: Radarr stores lower case, and upper case for a tag that exists is a conflict; lower case never is."""
    server = RadarrStandIn()
    async with talking(server) as radarr:
        created = await radarr.create_tag(label)
        assert await radarr.create_tag(label) == created == server.tag_id(LABEL)
    assert [(post.method, post.body, post.status) for post in server.requests] == [
        ("POST", {"label": LABEL}, 201),
        ("POST", {"label": LABEL}, 201),
    ]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_another_client_creates_the_tag_first(database: Literal["sqlite", "postgres"]) -> None:
    """Trap 24: the loser of a race gets 409 from SQLite and 500 from PostgreSQL, and looks again."""
    server = RadarrStandIn([HEAT], database=database)
    server.behaviour.before_tag_insert = lambda: server.tag_by_hand(949, LABEL)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        assert await radarr.create_tag(LABEL) == server.tag_id(LABEL)
    assert server.writes[0].status == (409 if database == "sqlite" else 500)
    assert waits == []


async def test_housekeeping_gives_a_tag_another_id() -> None:
    """Traps 2 and 3: an unused tag is gone the next day, and what is created again has a new id."""
    server = RadarrStandIn()
    async with talking(server) as radarr:
        before = await radarr.create_tag(LABEL)
        server.housekeeping()
        after = await radarr.create_tag(LABEL)
    assert after == server.tag_id(LABEL) != before


async def test_a_label_that_radarr_refuses() -> None:
    """Trap 23 and lesson 27: a validation failure is a JSON list, and ends in its own words for this tag alone."""
    waits = Waits()
    async with talking(RadarrStandIn(), waits=waits) as radarr:
        with pytest.raises(TagUnavailable, match="Allowed characters a-z, 0-9 and -"):
            await radarr.create_tag("kai_heist")
        assert await radarr.create_tag(LABEL)
    assert waits == []


@pytest.mark.parametrize("status", [409, 500])
async def test_a_conflict_about_nothing_ends_after_some_tries(status: int) -> None:
    """A tag that cannot be created although it does not exist is a problem of that tag only."""
    server = RadarrStandIn()
    server.faults.inject(as_json({"message": "constraint failed"}, status), method="POST", path=TAG, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        with pytest.raises(TagUnavailable, match="constraint failed"):
            await radarr.create_tag(LABEL)
    assert waits == [1, 2, 4, 8, 16]


@pytest.mark.parametrize(
    "effect",
    [drop(), drop_after_applying(), locked(), bad_gateway(), html_page(), truncate(5), as_json({"label": LABEL}, 201)],
)
async def test_a_lost_answer_is_asked_for_again(effect: Effect) -> None:
    """Trap 17: whether the tag was created or not, Radarr answers the next try with its id, and there is one tag."""
    server = RadarrStandIn()
    server.faults.inject(effect, method="POST", path=TAG)
    async with talking(server) as radarr:
        assert await radarr.create_tag(LABEL) == server.tag_id(LABEL)
    assert server.labels == {LABEL}


@pytest.mark.parametrize("effect", [drop(), answer(401), redirect("/login"), answer(404)])
async def test_no_tags_without_radarr(effect: Effect) -> None:
    """Unreachable, locked out, or elsewhere: that is not about one tag."""
    server = RadarrStandIn()
    server.faults.inject(effect, path=TAG, times=None)
    async with talking(server) as radarr:
        with pytest.raises(CheckLibrary):
            await radarr.create_tag(LABEL)


# Edits


async def test_an_edit_changes_its_tags_and_nothing_else() -> None:
    """Traps 6 and 7, lesson 1: three fields are sent; people's tags and all other settings stay as they are."""
    server = RadarrStandIn(
        [MovieSeed("Heat", 1995, 949, tags=("favourites",), monitored=False, minimum_availability="announced")]
    )
    before = server.movie(949)
    ids = ids_of(server, [949])
    async with talking(server) as radarr:
        tag = await radarr.create_tag(LABEL)
        assert await radarr.edit_tags(ids, [tag], operation="add") == EditResult(done=tuple(ids))
        assert server.labels_of(949) == {"favourites", LABEL}
        assert await radarr.edit_tags(ids, [tag], operation="remove") == EditResult(done=tuple(ids))
    assert server.movie(949) == before
    assert [call.body for call in server.editor_calls] == [
        {"movieIds": ids, "tags": [tag], "applyTags": "add"},
        {"movieIds": ids, "tags": [tag], "applyTags": "remove"},
    ]


async def test_batches_of_a_hundred() -> None:
    """Trap 8: as few calls as can be, none of them large, repeated ids sent once (trap 4)."""
    server = library_of(250)
    async with talking(server) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        result = await tag_all(radarr, [*ids, *reversed(ids)])
    assert result == EditResult(done=tuple(ids))
    assert [len(call.body["movieIds"]) for call in server.editor_calls] == [100, 100, 50]
    assert len(server.members(LABEL)) == 250


async def test_nothing_to_do_is_not_sent() -> None:
    """No movie or no tag: no call."""
    server = RadarrStandIn([HEAT])
    async with talking(server) as radarr:
        assert await radarr.edit_tags([], [TagId(1)], operation="add") == EditResult()
        assert await radarr.edit_tags(ids_of(server, [949]), [], operation="add") == EditResult()
    assert server.requests == []


async def test_one_write_at_a_time() -> None:
    """Trap 9: Radarr saves whole rows, so that of two edits at once one would be lost."""
    server = library_of(3)
    guard = threading.Lock()
    overlaps: list[bool] = []

    def save() -> None:
        overlaps.append(not guard.acquire(blocking=False))
        time.sleep(0.02)
        if not overlaps[-1]:
            guard.release()

    async with talking(server) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        tags = [await radarr.create_tag(f"kai-{n}") for n in range(4)]
        server.behaviour.before_save = save
        await asyncio.gather(*(radarr.edit_tags(ids, [tag], operation="add") for tag in tags))
    assert overlaps == [False] * 4
    assert server.labels_of(1000) == {"kai-0", "kai-1", "kai-2", "kai-3"}


@pytest.mark.parametrize("gone", [[1000], [1099], [1003, 1004, 1071]])
async def test_vanished_movies_are_isolated(gone: list[int]) -> None:
    """Trap 4: one unknown id fails a whole batch with 500; halving finds it, and the others are tagged."""
    server = library_of(100)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        movies = (await radarr.contents()).items
        lost = {movie.arr_id for movie in movies if number_of(movie.key) in gone}
        for tmdb_id in gone:
            server.remove_movie(tmdb_id)
        result = await tag_all(radarr, [movie.arr_id for movie in movies])
    assert set(result.vanished) == lost
    assert len(result.done) == 100 - len(gone)
    assert (result.failed, result.contested, result.problems) == ((), (), ())
    assert server.members(LABEL) == {number_of(movie.key) for movie in movies} - set(gone)
    assert len(server.editor_calls) <= 1 + 2 * 7 * len(gone)
    assert waits == []


async def test_a_batch_that_vanished_as_a_whole_is_one_call() -> None:
    """Radarr counts what it found; nothing found needs no search."""
    server = RadarrStandIn([HEAT])
    async with talking(server) as radarr:
        ids = [ArrId(n) for n in range(5000, 5100)]
        assert await tag_all(radarr, ids) == EditResult(vanished=tuple(ids))
    assert len(server.editor_calls) == 1


@pytest.mark.parametrize("operation", ["add", "remove"])
async def test_auto_tagging_may_undo_an_edit(operation: Literal["add", "remove"]) -> None:
    """Trap 18: a rule with our tag turns the edit round in the same request; the answer tells."""
    rule = AutoTagRule(name="crime", tags=(LABEL,), remove_tags_automatically=True, genres=("Crime",))
    server = RadarrStandIn([HEAT, RONIN], rules=[rule])
    heat, ronin = ids_of(server, [949, 8195])
    async with talking(server) as radarr:
        result = await radarr.edit_tags([heat, ronin], [await radarr.create_tag(LABEL)], operation=operation)
    expected = {"add": ((heat,), (ronin,)), "remove": ((ronin,), (heat,))}
    assert (result.done, result.contested) == expected[operation]
    assert server.members(LABEL) == {949}


async def test_effects_on_other_tags_are_not_ours() -> None:
    """Section 8: a rule may react to our tag; that is no contest."""
    server = RadarrStandIn([HEAT], rules=[AutoTagRule(name="react", tags=("kids",), tag=LABEL)])
    async with talking(server) as radarr:
        assert len((await tag_all(radarr)).done) == 1
    assert server.labels_of(949) == {"favourites", "kids", LABEL}


@pytest.mark.parametrize(
    "effect",
    [
        locked(),
        bad_gateway(),
        drop(),
        drop_after_applying(),
        html_page(),
        truncate(100),
        truncate(0),
        editor_dies_after(1),
    ],
)
async def test_an_edit_is_repeated_until_it_is_confirmed(effect: Effect) -> None:
    """Traps 5, 15 and 17: adding twice is adding once, so whatever was lost on the way is asked for again."""
    server = RadarrStandIn([HEAT, RONIN])
    server.faults.inject(effect, path=EDITOR, times=2)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        result = await tag_all(radarr)
    assert (len(result.done), result.problems) == (2, ())
    assert server.members(LABEL) == {949, 8195}
    assert waits == [1, 2]


@pytest.mark.parametrize(
    "effect",
    [
        as_json({}),
        as_json(None),
        answer_instead(202),
        answer_instead(202, "accepted", "text/plain"),
        answer_instead(200, "", "application/json"),
    ],
)
async def test_an_answer_that_tells_nothing_is_no_proof_either_way(effect: Effect) -> None:
    """A proxy that only takes the edit is not asked again, and its word is neither a yes nor a no."""
    server = library_of(250)
    server.faults.inject(effect, path=EDITOR, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        result = await tag_all(radarr)
    assert (len(result.unclear), result.done, result.failed) == (250, (), ())
    assert len(result.problems) == 1
    assert len(server.editor_calls) == 3
    assert waits == []


@pytest.mark.parametrize("status", [408, 504, 524])
async def test_a_batch_that_a_proxy_gives_up_is_halved(status: int) -> None:
    """A proxy's time-out is one as ours is; the remedy names the proxy."""
    server = library_of(8)
    server.faults.inject(answer_instead(status), path=EDITOR, times=2)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        result = await tag_all(radarr)
    assert (len(result.done), result.problems) == (8, ())
    assert [len(call.body["movieIds"]) for call in server.editor_calls] == [8, 4, 2, 2, 4]
    assert waits == [1, 2]


async def test_what_was_sent_without_an_answer_is_unclear_and_the_rest_failed() -> None:
    """No proof is told as no proof; what was never sent is told as not done."""
    server = library_of(250)
    server.faults.inject(answer_instead(504), path=EDITOR, times=None)
    async with talking(server) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        result = await tag_all(radarr, ids)
    assert (result.unclear, result.failed) == (tuple(ids[:100]), tuple(ids[100:]))
    assert any("raise its time-out" in problem for problem in result.problems)


@pytest.mark.parametrize("effect", [drop_after_applying(), answer_instead(502), answer_instead(504)])
async def test_an_exit_in_the_middle_leaves_what_was_sent_unclear(effect: Effect) -> None:
    """The key is refused right after an answer was lost: what was sent before may have been made."""
    server = library_of(150)
    server.faults.inject(effect, path=EDITOR, times=1)
    server.faults.inject(answer(401), path=EDITOR, times=None)
    async with talking(server) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        with pytest.raises(EditStopped) as caught:
            await tag_all(radarr, ids)
    assert (caught.value.result.unclear, caught.value.result.failed) == (tuple(ids[:100]), tuple(ids[100:]))


async def test_a_refused_connection_is_no_unclear_outcome() -> None:
    """Radarr has not seen the edit, so it is not made."""
    waits = Waits()
    async with Radarr("http://127.0.0.1:9", "key", sleep=waits) as radarr:
        result = await radarr.edit_tags([ArrId(1)], [TagId(1)], operation="add")
    assert (result.failed, result.unclear) == ((ArrId(1),), ())


@pytest.mark.parametrize("effect", [answer_instead(504), answer_instead(202), answer_instead(200, "{}", "text/plain")])
async def test_a_tag_that_was_made_without_an_answer_is_looked_up(effect: Effect) -> None:
    """Its id is in the list of tags; to ask again would only wait as long."""
    server = RadarrStandIn()
    server.faults.inject(effect, method="POST", path=TAG, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        assert await radarr.create_tag(LABEL) == server.tag_id(LABEL)
    assert (len(server.writes), waits) == (1, [])


async def test_a_batch_that_takes_too_long_is_halved() -> None:
    """Trap 8: Radarr goes on with a batch whose client has gone; the same again would take as long."""
    server = library_of(8)
    server.faults.inject(delay_answer(60), path=EDITOR, times=1)
    waits = Waits()
    async with talking(server, timeouts=Timeouts(edit=1), waits=waits) as radarr:
        result = await tag_all(radarr)
    assert len(result.done) == 8
    assert [len(call.body["movieIds"]) for call in server.editor_calls] == [8, 4, 4]
    assert waits == [1]


async def test_a_failing_batch_does_not_stop_the_others() -> None:
    """A batch that fails for good is reported with the reason, and the next ones are done."""
    server = library_of(250)
    server.faults.inject(locked(), path=EDITOR, times=6)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        result = await tag_all(radarr, ids)
    assert (result.unclear, result.done) == (tuple(ids[:100]), tuple(ids[100:]))
    [problem] = result.problems
    assert "500 Internal Server Error: database is locked" in problem
    assert "   at " not in problem
    assert waits == [1, 2, 4, 8, 16]


async def test_an_outage_does_not_cost_minutes_a_batch() -> None:
    """After a failure each batch has one try, and after three failures the rest is not sent."""
    server = library_of(560)
    server.faults.inject(bad_gateway(), path=EDITOR, times=None)
    async with talking(server) as radarr:
        result = await tag_all(radarr)
        assert (len(result.unclear), len(result.failed), result.done) == (300, 260, ())
        assert radarr.calls["edit", "502"] == 6 + 1 + 1
        assert any("Not sent" in problem for problem in result.problems)
        server.faults.clear()
        assert len((await tag_all(radarr)).done) == 560


async def test_a_hanging_radarr_is_given_up() -> None:
    """Halving ends at one movie, and does not start again for the next batch."""
    server = library_of(120)
    server.faults.inject(delay(60), path=EDITOR, times=None)
    async with talking(server, timeouts=Timeouts(edit=0.1)) as radarr:
        result = await tag_all(radarr)
        assert (len(result.unclear), len(result.failed)) == (100, 20)
        assert radarr.calls["edit", "timeout"] <= 10
    assert any("did not answer" in problem for problem in result.problems)


async def test_one_refused_movie_does_not_block_its_batch() -> None:
    """A 400 names no movie: the batch is halved until the bad ones stand alone, each with the reason."""
    server = library_of(150)
    bad = tuple(ids_of(server, [1017, 1018, 1099]))
    server.faults.inject(refusing(*bad), path=EDITOR, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        result = await tag_all(radarr)
        assert radarr.calls["edit", "400"] < 25
    assert (set(result.failed), len(result.done)) == (set(bad), 147)
    assert "400 Bad Request: Quality Profile does not exist." in result.problems[0]
    assert waits == []


async def test_an_editor_that_refuses_everything_is_given_up() -> None:
    """Three batches are tried movie by movie; what refuses all of them would refuse the others, too."""
    server = library_of(420)
    server.faults.inject(as_json([{"propertyName": "X", "errorMessage": "No."}], 400), path=EDITOR, times=None)
    async with talking(server) as radarr:
        result = await tag_all(radarr)
        assert radarr.calls["edit", "400"] == 3 * 199
    assert len(result.failed) == 420
    assert any("Not sent" in problem for problem in result.problems)


async def test_a_batch_that_was_saved_in_part_is_not_sent_whole_again() -> None:
    """Without a transaction a busy database saves the first rows: the list is read again, and the rest is sent."""
    server = library_of(100)
    server.faults.inject(editor_dies_after(60), path=EDITOR, times=6)
    async with talking(server) as radarr:
        result = await tag_all(radarr)
    assert (len(result.done), result.unclear, result.failed) == (100, (), ())
    assert [len(call.body["movieIds"]) for call in server.editor_calls] == [100] * 6 + [40]


async def test_a_movie_that_the_answer_leaves_out_is_not_done() -> None:
    """Trap 18: only what the answer shows is believed."""
    server = RadarrStandIn([HEAT, RONIN])
    heat, ronin = ids_of(server, [949, 8195])
    async with talking(server) as radarr:
        tag = await radarr.create_tag(LABEL)
        server.faults.inject(as_json([{"tags": [tag], "id": heat}, {"tags": [tag]}]), path=EDITOR)
        result = await radarr.edit_tags([heat, ronin], [tag], operation="add")
    assert (result.done, result.unclear) == ((heat,), (ronin,))
    assert result.problems


async def test_an_answer_without_tags_is_read_as_none() -> None:
    """Trap 13: absent means empty."""
    server = RadarrStandIn([HEAT])
    [heat] = ids_of(server, [949])
    async with talking(server) as radarr:
        server.faults.inject(as_json([{"id": heat}]), path=EDITOR, times=2)
        assert (await radarr.edit_tags([heat], [TagId(5)], operation="add")).contested == (heat,)
        assert (await radarr.edit_tags([heat], [TagId(5)], operation="remove")).done == (heat,)


@pytest.mark.parametrize("effect", [answer(401), answer(403), redirect("/login"), answer(405), answer(404)])
async def test_radarr_becomes_unusable_between_two_batches(effect: Effect) -> None:
    """Trap 16: no redirect is followed, nothing more is sent, and what was done until then is not forgotten."""
    server = library_of(250)
    server.faults.inject(effect, path=EDITOR, skip=1, times=None)
    waits = Waits()
    async with talking(server, waits=waits) as radarr:
        ids = [movie.arr_id for movie in (await radarr.contents()).items]
        with pytest.raises(EditStopped) as caught:
            await tag_all(radarr, ids)
        assert radarr.calls["edit", "202"] == 1
    assert isinstance(caught.value, CheckLibrary)
    assert caught.value.remedy
    assert (caught.value.result.done, caught.value.result.failed) == (tuple(ids[:100]), tuple(ids[100:]))
    assert len(server.editor_calls) == 2
    assert waits == []


async def test_calls_are_counted_by_kind_and_outcome() -> None:
    """What metrics and benchmarks read."""
    server = library_of(150)
    server.faults.inject(locked(), path=EDITOR)
    async with talking(server) as radarr:
        await tag_all(radarr)
        assert radarr.calls == Counter(
            {
                ("movies", "200"): 1,
                ("tags", "200"): 1,
                ("create tag", "201"): 1,
                ("edit", "500"): 1,
                ("edit", "202"): 2,
            }
        )
