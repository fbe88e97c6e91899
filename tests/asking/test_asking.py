"""Asking, through the real adapters and over real HTTP, with every kind of failure on the way.

What the engine owes to every provider is tried with each, against its stand-in: `standin`, or `refusing` where a
refusal has to be one that can be told from an answer. What only Claude's API has is tried with `claude`: streams, of
which the beginning is seen and the whole entries are kept, and breakpoints that a request sets in the cache.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import structlog

from kometa_ai.asking.pacing import LONGEST_RETRY_AFTER, LONGEST_WAIT
from kometa_ai.asking.prompts import SYSTEM
from kometa_ai.asking.sending import SAME_FAILURES
from kometa_ai.asking.tally import Answered, Spent
from kometa_ai.errors import CheckModel, RepairState
from kometa_ai.judging.looks import SECOND_LOOK_SIZE
from kometa_ai.judging.packing import Packet
from kometa_ai.providers import prices
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Failure, RequestFailed, Usage
from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_answers import FENCED, PROSE, REFUSED, SPEC, Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.claude_gateway import Gateway
from kometa_ai.standins.serving import serve
from tests.asking.faults import PASSING, STOPPING, UNFIT, cases
from tests.asking.support import (
    KEY,
    MODEL,
    PLAYED,
    Played,
    Session,
    StandIn,
    asked_pairs,
    asking,
    block,
    collection,
    holds,
    judge,
    movie,
    movies,
    played_by,
    read_from_cache,
    spent_at,
    stand_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.providers.port import Reply, Request
    from kometa_ai.standins.claude_log import RequestRecord

GARBAGE = Style(text="I would rather talk about the weather.")
NOTHING = Style(text='{"collection_name": "", "decisions": [], "excluded": []}')


def about(name: str) -> Any:
    """Whether a request is about that collection."""
    return lambda request: request.collection_name == name


def asked_again_alone(standin: StandIn) -> int:
    """How often a movie that is declined is asked about again: where declining is words, they may be better then."""
    return int(played_by(standin) == "ollama")


def prefix(request: RequestRecord) -> str:
    """The movies as they were sent."""
    return str(request.body["messages"][0]["content"][0]["text"])


# What is asked


async def test_every_pair_is_asked_once_and_recorded(standin: StandIn) -> None:
    """Each verdict is the model's own."""
    async with asking(standin) as session:
        await session.ask(block(30, "Heists", "Noir", "War"))

    assert Counter(asked_pairs(standin)) == {
        (name, f"Movie {number}"): 1 for name in ("Heists", "Noir", "War") for number in range(1, 31)
    }
    assert {pair for pair, verdict in session.verdicts.items() if verdict.include} == {
        (name, number) for name in ("Heists", "Noir", "War") for number in range(5, 31, 5)
    }
    assert len(session.verdicts) == 90
    assert (session.asker.gaps, session.asker.is_over) == ([], False)


async def test_the_movies_are_cached_by_the_first_and_read_by_the_others(claude: ClaudeStandIn) -> None:
    """Byte-identical, after the first answer has begun, with one schema."""
    claude.latency = 0.05
    async with asking(claude) as session:
        await session.ask(block(40, "Heists", "Noir", "War", "Space"))

    first, *others = claude.requests
    assert first.collection_name == "Heists"
    assert len({prefix(request) for request in claude.requests}) == 1
    assert len({str(request.body["output_config"]) for request in claude.requests}) == 1
    assert first.usage["cache_creation_input_tokens"] > 512
    assert [request.usage["cache_creation_input_tokens"] for request in others] == [0, 0, 0]
    assert all(request.usage["cache_read_input_tokens"] > 512 for request in others)


def writes(claude: ClaudeStandIn) -> int:
    """How many answers wrote to the cache."""
    return sum(request.usage.get("cache_creation_input_tokens", 0) > 0 for request in claude.requests)


async def test_the_system_prompt_is_cached_for_all_blocks(claude: ClaudeStandIn) -> None:
    """It is written once, and every further block writes only its movies; second looks have their own form."""
    async with asking(claude, concurrency=1) as session:
        await session.ask(*(block(count, "Heists", "Noir") for count in (40, 41, 42)))
        await session.asker.look_again([(collection("Heists"), movies(30))])

    first, second, third = (request.usage for request in claude.requests if request.body.get("stream"))
    system = second["cache_read_input_tokens"]
    assert system == third["cache_read_input_tokens"] > 512
    assert first["cache_creation_input_tokens"] > second["cache_creation_input_tokens"] > system
    opening, second_look = (request.usage for request in claude.requests[-2:])
    assert opening["cache_creation_input_tokens"] == second_look["cache_read_input_tokens"] > 512
    assert opening["cache_read_input_tokens"] == second_look["cache_creation_input_tokens"] == 0


@pytest.mark.parametrize("names", [["Heists"], ["Heists", "Noir", "War", "Space"]])
async def test_a_system_prompt_that_hardly_anybody_reads_is_not_cached_by_itself(
    claude: ClaudeStandIn, names: list[str]
) -> None:
    """As few requests as can go at once would each write it."""
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(40, *names))

    assert {request.body["system"] for request in claude.requests} == {SYSTEM}


async def test_the_others_follow_when_the_first_answer_has_begun(claude: ClaudeStandIn) -> None:
    """They read its movies from the cache while it is still being written; no other request is streamed."""
    claude.writing = 0.3
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(40, "Heists", "Noir", "War", "Space"))

    assert claude.peak_in_flight == 4
    assert writes(claude) == 1
    assert session.asker.cache_reads == {True: 3}
    assert [request.body.get("stream") for request in claude.requests] == [True, None, None, None]
    assert len(session.verdicts) == 160


async def test_where_nothing_is_streamed_they_follow_when_it_is_complete(claude: ClaudeStandIn) -> None:
    """Some gateways do not stream."""
    claude.writing = 0.1
    claude.streams = False
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(40, "Heists", "Noir", "War", "Space"))

    assert claude.peak_in_flight == 3
    assert writes(claude) == 1
    assert len(session.verdicts) == 160


async def test_where_the_first_is_not_answered_the_next_is_the_first(claude: ClaudeStandIn) -> None:
    """Nothing was written for the others to read."""
    claude.faults.add(Fault(status=400, message="No."), times=None, when=about("Heists"))
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(40, "Heists", "Noir", "War", "Space"))

    assert session.sizes("Heists") == [40, 20, 20]
    assert writes(claude) == 1
    assert [request.body.get("stream") for request in claude.requests if len(request.movies) == 40] == [
        *(True, True),
        *(None, None),
    ]
    assert len(session.verdicts) == 120


async def test_a_first_answer_that_breaks_off_is_asked_for_again(claude: ClaudeStandIn) -> None:
    """The others are on their way by then."""
    claude.faults.add(faults.mid_stream(faults.OVERLOADED))
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(40, "Heists", "Noir", "War", "Space"))

    first, rest = session.sizes("Heists")
    assert (first, 0 < rest < 40) == (40, True)  # what was whole of the first is kept
    assert writes(claude) == 1
    assert len(session.verdicts) == 160


async def test_blocks_run_side_by_side_within_the_limit(standin: StandIn) -> None:
    """Never more requests at one time than allowed, and no fewer where there is work."""
    standin.latency = 0.02
    async with asking(standin, concurrency=3) as session:
        await session.ask(*(block(5, "Heists", "Noir", "War") for _ in range(4)))

    assert standin.peak_in_flight == 3
    assert len(standin.requests) == 12


async def test_a_model_has_the_pace_and_the_groups_of_its_traits(standin: StandIn) -> None:
    """Unless a setting says otherwise: at home one request at a time about one collection."""
    standin.latency = 0.05
    names = [f"C{number}" for number in range(12)]
    async with asking(standin, concurrency=0, collections=0) as session:
        await session.ask(*(block(5, *names) for _ in range(4)))

    assert session.traits.is_local is (played_by(standin) in ("local", "ollama"))
    assert standin.peak_in_flight == session.traits.concurrency == (1 if session.traits.is_local else 4)
    largest = max(len(request.collection_names) for request in standin.requests)
    assert largest == (1 if session.traits.is_local else 6)  # the half of twelve
    assert len(session.verdicts) == 60


async def test_the_first_request_about_movies_is_answered_before_the_others(standin: StandIn) -> None:
    """They read its movies from the cache, wherever one is kept. Where an answer streams, its beginning is enough."""
    standin.latency = 0.1
    if isinstance(standin, ClaudeStandIn):
        standin.streams = False
    long = tuple(movie(number, plot=f"What happens in movie {number}. " * 12) for number in range(1, 41))
    async with asking(standin) as session:
        await session.ask(Packet(long, tuple(map(collection, ("Heists", "Noir", "War", "Space")))))

    assert session.traits.caching != "none"
    assert standin.peak_in_flight == 3
    first, *others = standin.requests
    assert read_from_cache(first) == 0
    assert all(read_from_cache(request) > 4000 for request in others)
    assert session.asker.cache_reads == ({True: 3} if session.traits.caching == "explicit" else {})
    assert len(session.verdicts) == 160


async def test_nothing_to_ask_sends_nothing(standin: StandIn) -> None:
    """Not even a connection."""
    async with asking(standin) as session:
        await session.ask()
        await session.asker.look_again([])

    assert standin.calls == []


async def test_second_looks_are_small_and_about_one_collection(standin: StandIn) -> None:
    """At most 15 movies, uncached, and recorded as second looks of the model for them."""
    async with asking(standin) as session:
        await session.asker.look_again([(collection("Heists"), movies(35)), (collection("Noir"), movies(2))])

    assert sorted(session.sizes("Heists")) == [5, 15, 15]
    assert max(session.sizes()) <= SECOND_LOOK_SIZE
    assert all("careful second look" in request.collection_text for request in standin.requests)
    assert all(answered.second_look for answered in session.answered)
    assert session.judged("Heists") == set(range(1, 36))


# Answers that are not what was asked for


@pytest.mark.parametrize("style", [SPEC, FENCED, PROSE, Style(reordered=True), Style(duplicated=5)], ids=str)
async def test_other_forms_cost_no_further_request(standin: StandIn, style: Style) -> None:
    """The specification's form, fences, prose, another order, repetitions."""
    standin.style = style
    async with asking(standin) as session:
        await session.ask(block(10, "Heists"))

    assert session.sizes() == [10]
    assert session.judged("Heists") == set(range(1, 11))


async def test_missing_movies_are_asked_about_again_in_a_smaller_request(standin: StandIn) -> None:
    """Once, and only about them."""
    standin.queue_style(Style(missing=3))
    async with asking(standin) as session:
        await session.ask(block(10, "Heists"))

    assert session.sizes() == [10, 3]
    assert standin.requests[1].titles == ("Movie 8", "Movie 9", "Movie 10")
    assert standin.requests[1].movie_ids == (1, 2, 3)
    assert session.judged("Heists") == set(range(1, 11))


async def test_movies_that_are_left_out_twice_are_left_for_the_next_run(standin: StandIn) -> None:
    """They are a gap, and the rest counts."""
    standin.style = Style(missing=2)
    async with asking(standin) as session:
        await session.ask(block(10, "Heists"))

    assert session.sizes() == [10, 2]
    assert session.judged("Heists") == set(range(1, 9))
    assert session.left("Heists") == {9, 10}


async def test_a_movie_that_is_always_left_out_does_not_stop_the_run(standin: StandIn) -> None:
    """However many collections it is left out of: the answers are good apart from it."""
    standin.style = Style(missing=1)
    names = [f"C{number}" for number in range(12)]
    async with asking(standin, concurrency=1) as session:
        await session.ask(block(10, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 10)) for name in names)
    assert all(session.left(name) == {10} for name in names)


async def test_a_single_movie_that_is_left_out_is_asked_about_again(standin: StandIn) -> None:
    """There is no smaller request than one movie."""
    standin.queue_style(NOTHING)
    async with asking(standin) as session:
        await session.ask(block(1, "Heists"))

    assert session.sizes() == [1, 1]
    assert session.judged("Heists") == {1}


async def test_a_cut_answer_is_used_as_far_as_it_goes(standin: StandIn) -> None:
    """And the rest is asked about again."""
    standin.queue_style(Style(form="spec", truncated_at=400))
    async with asking(standin) as session:
        await session.ask(block(30, "Heists"))

    first, second = session.sizes()
    assert (first, 0 < second < 30) == (30, True)
    assert session.judged("Heists") == set(range(1, 31))


async def test_unknown_ids_are_dropped_and_counted(standin: StandIn) -> None:
    """Also when an answer holds nothing else."""
    standin.queue_style(Style(unknown=2), when=about("Heists"))
    standin.queue_style(Style(text='{"decisions": [], "excluded": [77, 78, 79]}'), when=about("Noir"))
    async with asking(standin) as session:
        await session.ask(block(10, "Heists", "Noir"))

    assert session.asker.unknown_ids == {"heists": 2, "noir": 3}
    assert session.judged("Heists") == session.judged("Noir") == set(range(1, 11))


async def test_a_standing_membership_wins_a_tie(standin: StandIn) -> None:
    """Of two equally sure verdicts in one answer."""
    both = [{"movie_id": 1, "reason": "", "include": include, "confidence": 0.7} for include in (False, True)]
    standin.style = Style(
        text=f'{{"decisions": {both}, "excluded": []}}'.replace("'", '"').replace("F", "f").replace("T", "t")
    )
    heists = collection("Heists")
    member = movie(1, labels=frozenset({heists.label}))
    async with asking(standin) as session:
        await session.asker.look_again([(heists, [member])])
        assert session.verdicts["Heists", 1].include

        await session.asker.look_again([(heists, [movie(1)])])
        assert not session.verdicts["Heists", 1].include


# The log


async def test_every_line_names_its_collection(standin: StandIn) -> None:
    """Lines about calls and about their failures, also of concurrent calls."""
    standin.faults.add(PASSING[played_by(standin)]["overloaded"], when=about("Noir"))
    standin.queue_style(GARBAGE, when=about("War"))
    names = ["Heists", "Noir", "War"]
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        async with asking(standin, concurrency=3) as session:
            await session.ask(block(10, *names))

    calls = Counter(line["collection_name"] for line in lines if line["event"].endswith(".call") and "model" in line)
    others = Counter((line["event"], line["collection_name"]) for line in lines if line["event"].startswith("model."))
    assert calls == Counter({name: len(session.sizes(name)) for name in names})
    assert others == {("model.waiting", "Noir"): 1, ("model.unreadable", "War"): 1, ("model.failed", "War"): 1}


# Failures of one request


@pytest.mark.parametrize(("played", "fault"), cases(PASSING))
async def test_what_passes_is_tried_again(played: Played, fault: str) -> None:
    """Until it has passed, with longer and longer waits."""
    standin = stand_in(played)
    standin.faults.add(PASSING[played][fault], times=4)
    async with asking(standin) as session:
        await session.ask(block(10, "Heists"))

    assert session.sizes() == [10] * 5
    assert session.judged("Heists") == set(range(1, 11))
    # A wait counts from the answer on: what the machine has used of it since is not waited again.
    assert all(0 < wait <= LONGEST_WAIT for wait in session.waits)
    assert all(earlier < later for earlier, later in pairwise(session.waits))
    assert not session.asker.gaps


async def test_no_request_is_tried_more_than_ten_times(standin: StandIn) -> None:
    """Waiting half a minute at most between them."""
    standin.faults.add(PASSING[played_by(standin)]["overloaded"], times=None)
    async with asking(standin) as session:
        await session.ask(block(1, "Heists"))

    assert len(standin.requests) == 10
    assert max(session.waits) <= LONGEST_WAIT
    assert session.left("Heists") == {1}


@pytest.mark.parametrize(("seconds", "expected"), [(7, 7), (200, 200), (86400, LONGEST_RETRY_AFTER)])
async def test_retry_after_is_obeyed_up_to_five_minutes(standin: StandIn, seconds: int, expected: float) -> None:
    """A Retry-After of a day is cut to five minutes."""
    standin.faults.add(faults.rate_limited(seconds))
    async with asking(standin) as session:
        await session.ask(block(10, "Heists"))

    (waited,) = session.waits
    assert waited == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("fault", [faults.rate_limited(60), faults.OVERLOADED, faults.SERVER_ERROR, faults.DROPPED])
async def test_all_workers_pause_together(claude: ClaudeStandIn, fault: Fault) -> None:
    """While one request backs off, no other is sent, for every cause."""
    claude.faults.add(fault, when=about("Noir"))
    pausing = asyncio.Event()
    go_on = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        pausing.set()
        await go_on.wait()

    async with asking(claude, concurrency=2, sleep=sleep) as session:
        work = asyncio.create_task(session.ask(block(5, "Heists", "Noir", *(f"C{n}" for n in range(8)))))
        await pausing.wait()
        await asyncio.sleep(0.1)
        sent = len(claude.requests)
        await asyncio.sleep(0.1)
        assert len(claude.requests) == sent < 5
        go_on.set()
        await work

    assert len(session.verdicts) == 50


async def test_an_outage_in_the_middle_stops_the_run_soon(standin: StandIn) -> None:
    """A request that is waiting keeps its place: the ten tries of a few are not those of all."""
    standin.faults.add(faults.OVERLOADED, times=None, when=lambda request: request.collection_name != "C0")
    async with asking(standin, concurrency=4) as session:
        await session.ask(block(10, *(f"C{n}" for n in range(40))))

    assert isinstance(session.asker.stopped, RequestFailed)
    assert len({request.collection_name for request in standin.requests}) <= 1 + SAME_FAILURES + 4
    assert session.judged("C0") == set(range(1, 11))


async def test_a_refused_request_is_halved(standin: StandIn) -> None:
    """Until the movie that is refused stands alone; all others are judged."""
    standin.queue_style(REFUSED, times=None, when=holds("Movie 11"))
    async with asking(standin) as session:
        await session.ask(block(16, "Heists"))

    again = asked_again_alone(standin)
    assert session.sizes() == [16, 8, 8, 4, 4, 2, 2, 1, 1, *[1] * again]
    assert session.judged("Heists") == set(range(1, 17)) - {11}
    assert session.left("Heists") == {11}
    assert [gap.failure for gap in session.asker.gaps] == [Failure.UNREADABLE if again else Failure.REFUSED]


async def test_a_movie_that_is_always_refused_costs_the_others_little(refusing: StandIn) -> None:
    """Once it is found, it stands alone for the other collections, and the run goes on whatever their number."""
    refusing.queue_style(REFUSED, times=None, when=holds("Movie 11"))
    names = [f"C{number}" for number in range(12)]
    async with asking(refusing) as session:
        await session.ask(block(32, *names), block(8, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 33)) - {11} for name in names)
    assert all(session.left(name) == {11} for name in names)
    assert all(session.sizes(name) in ([31, 1, 8], [31, 8, 1], [8, 31, 1]) for name in names[1:])


@pytest.mark.parametrize("collections", [1, 2])
async def test_a_movie_that_makes_answers_unreadable_does_not_stop_the_run(standin: StandIn, collections: int) -> None:
    """A model that has answered without it can answer in this form, however many requests it spoils."""
    standin.queue_style(GARBAGE, times=None, when=holds("Movie 3"))
    names = [f"C{number}" for number in range(6)]
    others = Packet(tuple(map(movie, range(17, 22))), tuple(map(collection, names)))
    async with asking(standin, collections=collections) as session:
        await session.ask(others)
        await session.ask(block(16, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 22)) - {3} for name in names)
    assert all(session.left(name) == {3} for name in names)


async def test_a_movie_that_is_refused_late_costs_the_others_little_too(claude: ClaudeStandIn) -> None:
    """Where a refusal comes after some text, those on their way are refused as well; only one of them searches."""
    claude.writing = 0.02
    claude.queue_style(Style(refused=True, text='{"decisions": ['), times=None, when=holds("Movie 11"))
    names = [f"C{number}" for number in range(12)]
    async with asking(claude, concurrency=4) as session:
        await session.ask(block(32, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 33)) - {11} for name in names)
    assert sorted(map(len, map(session.sizes, names))) == [2] * 8 + [3] * 3 + [11]


@pytest.mark.parametrize(("played", "fault"), cases(UNFIT))
async def test_a_request_that_is_too_large_is_halved(played: Played, fault: str) -> None:
    """In as many collections as there are; that is no reason to stop."""
    standin = stand_in(played)
    standin.faults.add(UNFIT[played][fault], times=None, when=lambda request: len(request.movies) > 8)
    names = [f"C{number}" for number in range(6)]
    async with asking(standin) as session:
        await session.ask(block(16, *names))

    assert not session.asker.is_over
    assert len(session.verdicts) == 16 * 6
    assert all(session.sizes(name) == [16, 8, 8] for name in names)
    assert session.waits == []


@pytest.mark.parametrize("style", [REFUSED, GARBAGE, NOTHING], ids=["refused", "garbage", "nothing"])
async def test_a_collection_that_fails_is_skipped_and_the_others_go_on(standin: StandIn, style: Style) -> None:
    """When neither half is answered, the rest of that collection is not asked about either."""
    for name in ("Noir", "War"):
        standin.queue_style(style, times=None, when=about(name))
    blocks = [block(10, "Heists", "Noir", "Space", "War") for _ in range(3)]
    async with asking(standin, concurrency=1) as session:
        await session.ask(*blocks)

    assert session.sizes("Noir") == session.sizes("War") == [10, 5, 5]
    assert session.sizes("Heists") == session.sizes("Space") == [10, 10, 10]
    assert session.left("Noir") == set(range(1, 11))
    assert not session.asker.is_over


async def test_two_bad_movies_do_not_cost_a_collection(standin: StandIn) -> None:
    """Where one half of a page is answered, only what fails of the other is left."""
    standin.queue_style(REFUSED, times=None, when=holds("Movie 1"))
    standin.queue_style(REFUSED, times=None, when=holds("Movie 8"))
    async with asking(standin, concurrency=1) as session:
        await session.ask(block(16, "Heists"), block(16, "Heists"))

    assert session.judged("Heists") >= set(range(9, 17))
    assert session.sizes("Heists").count(16) == 2


# The end of a run


async def test_five_refusals_in_a_row_stop_the_run(refusing: StandIn) -> None:
    """No further collection is asked about; the halves of a refused page prove nothing new."""
    refusing.style = REFUSED
    async with asking(refusing, concurrency=1) as session:
        await session.ask(block(10, *(f"C{number}" for number in range(30))))

    assert isinstance(session.asker.stopped, RequestFailed)
    assert len({request.collection_name for request in refusing.requests}) == SAME_FAILURES
    assert session.answered == []


@pytest.mark.parametrize("size", [1, 10])
@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("style", [GARBAGE, NOTHING], ids=["garbage", "nothing"])
async def test_five_unreadable_answers_in_a_row_stop_the_run(
    claude: ClaudeStandIn, style: Style, concurrency: int, size: int
) -> None:
    """Whatever was halved in between, and however many collections there are: each answer is paid for."""
    claude.style = style
    claude.latency = 0.02
    names = [f"C{number}" for number in range(14)]
    async with asking(claude, concurrency=concurrency) as session:
        await session.ask(*(block(size, *names) for _ in range(3)))

    assert isinstance(session.asker.stopped, RequestFailed)
    assert SAME_FAILURES <= len(claude.requests) < SAME_FAILURES + concurrency


@pytest.mark.parametrize("style", [GARBAGE, NOTHING], ids=["garbage", "nothing"])
async def test_a_model_that_cannot_answer_in_this_form_is_asked_no_more(standin: StandIn, style: Style) -> None:
    """At its own pace and in its own groups; nothing is recorded that it has not said."""
    standin.style = style
    async with asking(standin, concurrency=0, collections=0) as session:
        await session.ask(*(block(10, *(f"C{number}" for number in range(14))) for _ in range(3)))

    assert isinstance(session.asker.stopped, RequestFailed)
    assert SAME_FAILURES <= len(standin.requests) < SAME_FAILURES + session.traits.concurrency
    assert session.answered == []


async def test_a_verdict_between_unreadable_answers_counts_them_anew(standin: StandIn) -> None:
    """Three of four collections bring nothing, one after the other, and the run goes on to its end."""
    names = [f"C{number}" for number in range(12)]
    for number, name in enumerate(names):
        if number % 2:
            standin.queue_style(GARBAGE, times=None, when=about(name))
    async with asking(standin, concurrency=1) as session:
        await session.ask(block(10, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 11)) for name in names[::2])


async def test_five_single_movies_that_fail_stop_the_run_too(standin: StandIn) -> None:
    """With one movie a request there are no halves."""
    standin.style = REFUSED
    async with asking(standin, concurrency=1) as session:
        await session.ask(*(block(1, "Heists")._replace(movies=(movie(number),)) for number in range(1, 30)))

    assert len(standin.requests) == SAME_FAILURES


@pytest.mark.parametrize(("every", "styles"), [(5, [REFUSED]), (99, [REFUSED, GARBAGE])], ids=["answers", "kinds"])
async def test_failures_that_something_lies_between_do_not_add_up(
    refusing: StandIn, every: int, styles: list[Style]
) -> None:
    """Neither with an answer nor with a failure of another kind between them."""
    names = [f"C{number}" for number in range(12)]
    for number, name in enumerate(names):
        if number % every:
            refusing.queue_style(styles[number % len(styles)], times=None, when=about(name))
    async with asking(refusing, concurrency=1) as session:
        await session.ask(block(4, *names))

    assert not session.asker.is_over
    assert all(session.judged(name) == {1, 2, 3, 4} for name in names[::every])
    assert session.sizes().count(4) == len(names)


@pytest.mark.parametrize(("played", "fault"), cases(STOPPING))
async def test_what_every_request_would_meet_stops_the_run(played: Played, fault: str) -> None:
    """After one request; what was answered before is kept."""
    standin = stand_in(played)
    standin.faults.add(STOPPING[played][fault], times=None, when=about("Noir"))
    async with asking(standin, concurrency=1) as session:
        await session.ask(block(10, "Heists", "Noir", "War"), block(10, "Heists", "Noir"))

    assert isinstance(session.asker.stopped, CheckModel)
    assert [request.collection_name for request in standin.requests] == ["Heists", "Noir"]
    assert session.judged("Heists") == set(range(1, 11))


async def test_answers_on_their_way_are_taken_when_the_run_is_stopped(standin: StandIn) -> None:
    """They are paid for; nothing new is asked, not even about what they leave out."""
    standin.faults.add(faults.slow(0.3), when=about("Noir"))
    standin.queue_style(Style(missing=2), when=about("Noir"))
    standin.faults.add(STOPPING[played_by(standin)]["bad key"], times=None, when=about("War"))
    async with asking(standin, concurrency=2) as session:
        await session.ask(block(10, "Heists", "Noir", "War", "Space"))

    assert isinstance(session.asker.stopped, CheckModel)
    assert session.judged("Noir") == set(range(1, 9))
    assert len(standin.requests) == 3


async def test_the_end_cuts_a_pause_short(standin: StandIn) -> None:
    """Whoever stops the program does not wait for five minutes."""
    standin.faults.add(faults.rate_limited(300), times=None)
    pausing = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pausing.set()
        await asyncio.sleep(seconds)

    async with asking(standin, sleep=sleep) as session:
        work = asyncio.create_task(session.ask(block(10, "Heists")))
        await pausing.wait()
        session.asker.end("the program is being stopped")
        await asyncio.wait_for(work, 5)

    assert len(standin.requests) == 1
    assert session.asker.gaps == []


async def test_an_error_of_the_recorder_ends_the_asking(standin: StandIn) -> None:
    """It is raised when others that are on their way have their answers recorded; nothing new is asked."""
    standin.faults.add(faults.slow(0.3), when=about("Noir"))
    recorded: list[str] = []

    def record(answered: Answered) -> None:
        recorded.append(answered.collection.name)
        if answered.collection.name == "War":
            raise RepairState("The disk is full.", "Free some space.")

    async with asking(standin, concurrency=2, record=record) as session:
        with pytest.raises(ExceptionGroup) as caught:
            await session.ask(block(10, "Heists", "Noir", "War", "Space", "Opera"))

    assert caught.group_contains(RepairState, match="The disk is full")
    assert recorded == ["Heists", "War", "Noir"]
    assert session.asker.is_over


async def is_asked(standin: StandIn) -> None:
    """Wait until a request has arrived, however slow this machine is."""
    async with asyncio.timeout(30):
        while standin.in_flight == 0:  # noqa: ASYNC110 - the stand-in runs in a thread of its own
            await asyncio.sleep(0.02)


async def test_a_cancelled_run_frees_its_place(standin: StandIn) -> None:
    """And asks nothing more."""
    standin.latency = 30
    async with asking(standin, concurrency=1) as session:
        work = asyncio.create_task(session.ask(block(10, "Heists", "Noir")))
        await is_asked(standin)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

        assert session.asker.is_over
        await asyncio.wait_for(session.ask(block(10, "War")), 5)

    assert len(standin.requests) == 1


async def test_a_cancelled_run_keeps_what_has_come(claude: ClaudeStandIn) -> None:
    """Whole entries of the answer that was on its way are recorded, and it counts as billed."""
    claude.writing = 5
    claude.style = SPEC
    async with asking(claude, concurrency=1) as session:
        work = asyncio.create_task(session.ask(block(40, "Heists", "Noir")))
        await asyncio.sleep(1.5)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    (spent,) = session.asker.spent.values()
    assert 0 < len(session.judged("Heists")) < 40
    assert (spent.unclear, spent.answers) == (1, len(session.judged("Heists")))
    assert 0 < spent.cost <= spent_by(claude)


async def test_a_cancelled_run_counts_what_it_has_sent(standin: StandIn) -> None:
    """Of which nothing was heard: it may be billed, and is booked with the most it may have cost: nothing at home."""
    standin.latency = 30
    async with asking(standin, concurrency=1) as session:
        work = asyncio.create_task(session.ask(block(10, "Heists")))
        await is_asked(standin)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    (spent,) = session.asker.spent.values()
    assert spent.unclear == 1
    assert (spent.cost > 0) is not session.traits.is_free


@pytest.mark.parametrize("fault", [faults.BAD_KEY, faults.CREDIT_BALANCE], ids=["key", "credit"])
async def test_what_came_before_the_end_of_all_is_kept(claude: ClaudeStandIn, fault: Fault) -> None:
    """Also where the error within the stream stops the run."""
    claude.style = SPEC
    claude.faults.add(faults.mid_stream(fault))
    async with asking(claude, concurrency=1) as session:
        await session.ask(block(40, "Heists", "Noir"))

    assert isinstance(session.asker.stopped, CheckModel)
    assert 0 < len(session.judged("Heists")) < 40
    assert len(claude.requests) == 1


async def test_a_stream_that_is_cut_again_and_again_gets_on(claude: ClaudeStandIn) -> None:
    """Each time by what is whole of it; nothing is asked twice that was read, and no movie is to blame."""
    claude.style = SPEC
    claude.gateway = Gateway(streams="always")
    claude.faults.add(faults.mid_stream(Fault(drop=True)), times=None)
    async with asking(claude, concurrency=1) as session:
        await session.ask(block(40, "Heists", "Noir"))

    sizes = session.sizes("Heists")
    assert sizes == sorted(sizes, reverse=True)
    assert len(session.judged("Heists")) > 30
    assert {gap.failure for gap in session.asker.gaps} <= {Failure.NO_CONNECTION}


# Money


async def test_a_model_at_home_may_count_nothing() -> None:
    """Its requests have a price all the same, so a report does not say that the sum lacks some."""
    said = {"collection_name": "Heists", "decisions": [], "excluded": [1, 2]}
    body = {"choices": [{"message": {"content": json.dumps(said)}, "finish_reason": "stop"}]}
    local = stand_in("local")
    local.faults.add(Fault(status=200, raw=json.dumps(body), headers={"content-type": "application/json"}))
    async with asking(local) as session:
        await session.ask(block(2, "Heists"))

    (spent,) = session.asker.spent.values()
    assert (spent.answers, spent.cost, spent.unpriced) == (2, 0.0, 0)


def spent_by(claude: ClaudeStandIn) -> float:
    """What all answers cost."""
    return sum(
        prices.cost(
            Usage(
                input_tokens=request.usage["input_tokens"],
                cache_write_tokens=request.usage["cache_creation_input_tokens"],
                cache_read_tokens=request.usage["cache_read_input_tokens"],
                output_tokens=request.usage["output_tokens"],
            ),
            Claude(KEY).traits(MODEL),
        )
        or 0.0
        for request in claude.requests
        if request.usage
    )


async def test_what_was_used_is_counted_by_collection(standin: StandIn) -> None:
    """To the cent, refused answers included; at home nothing costs anything."""
    standin.queue_style(REFUSED, when=about("Noir"))
    async with asking(standin) as session:
        await session.ask(block(30, "Heists", "Noir"))

    spent = {str(key): each for key, each in session.asker.spent.items()}
    assert spent.keys() == {"heists", "noir"}
    assert sum(each.cost for each in spent.values()) == pytest.approx(spent_at(standin, session.traits))
    assert (spent["heists"].cost == 0) is session.traits.is_free
    assert sum((each.usage for each in spent.values()), Usage()).requests == len(standin.requests) == 4
    assert {slug: each.answers for slug, each in spent.items()} == {"heists": 30, "noir": 30}


def test_a_model_without_a_price_is_counted_apart() -> None:
    """Its cost is not guessed."""
    spent = Spent()
    spent.add(Usage(requests=1, input_tokens=5), None)
    spent.add(Usage(requests=1, input_tokens=5), 0.5)

    assert (spent.cost, spent.unpriced, spent.usage.input_tokens) == (0.5, 1, 10)


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_run_stays_within_its_budget(claude: ClaudeStandIn, concurrency: int) -> None:
    """Also with requests side by side; and it uses the budget up as far as whole requests go."""
    claude.latency = 0.01
    blocks = [block(50, *(f"C{number}" for number in range(10))) for _ in range(6)]
    async with asking(claude, concurrency=concurrency, max_cost=0.1) as session:
        await session.ask(*blocks)

    assert session.asker.out_of_budget
    assert session.asker.is_over
    assert 0.07 < spent_by(claude) <= 0.1
    assert sum(each.cost for each in session.asker.spent.values()) == pytest.approx(spent_by(claude))


async def test_what_was_paid_for_nothing_is_counted_where_it_is_paid(standin: StandIn) -> None:
    """An answer without a verdict, and one that was lost; the report of a model at home tells of no money."""
    standin.queue_style(GARBAGE, when=about("Noir"))
    standin.faults.add(Fault(drop=True, afterwards=True), when=about("War"))
    async with asking(standin, concurrency=1) as session:
        await session.ask(block(10, "Heists", "Noir", "War"))

    assert len(session.verdicts) == 30
    assert session.asker.tally.wasted.total() == (0 if session.traits.is_free else 2)


@pytest.mark.parametrize("played", PLAYED)
async def test_a_limit_stops_only_what_costs_money(played: Played) -> None:
    """Whatever the price is: most of the money is used, and never more; at home nothing is stopped."""
    whole, part = stand_in(played), stand_in(played)
    blocks = [block(30, *(f"C{number}" for number in range(10))) for _ in range(2)]
    async with asking(whole) as session:
        await session.ask(*blocks)
    limit = 0.6 * spent_at(whole, session.traits) or 0.000_001
    async with asking(part, max_cost=limit) as session:
        await session.ask(*blocks)

    assert session.asker.out_of_budget is not session.traits.is_free
    spent = spent_at(part, session.traits)
    assert (len(session.verdicts), spent) == (300, 0) if session.traits.is_free else 0.5 * limit < spent <= limit
    assert sum(each.cost for each in session.asker.spent.values()) == pytest.approx(spent)


@pytest.mark.parametrize("played", PLAYED)
async def test_answers_that_are_lost_use_up_a_limit(played: Played) -> None:
    """They may have been paid for; where nothing is, they are tried for as often as ever."""
    whole, lost = stand_in(played), stand_in(played)
    lost.faults.add(Fault(drop=True, afterwards=True), times=None)
    async with asking(whole) as session:
        await session.ask(block(30, "Heists"))
    limit = 6 * spent_at(whole, session.traits) or 0.000_001
    async with asking(lost, max_cost=limit) as session:
        await session.ask(block(30, "Heists"))

    assert session.asker.out_of_budget is not session.traits.is_free
    assert 0 < len(lost.requests) < 10 or session.traits.is_free
    assert spent_at(lost, session.traits) <= limit
    assert session.verdicts == {}
    if not session.traits.is_free:
        assert sum(each.unclear for each in session.asker.spent.values()) == len(lost.requests)


async def test_a_budget_that_is_enough_changes_nothing(claude: ClaudeStandIn) -> None:
    """Requests that wait for others to settle are sent when they have."""
    async with asking(claude, concurrency=4, max_cost=0.06) as session:
        await session.ask(*(block(30, "Heists") for _ in range(4)))

    assert len(claude.requests) == 4
    assert not session.asker.out_of_budget


async def test_requests_that_failed_do_not_use_up_the_budget(claude: ClaudeStandIn) -> None:
    """An error message costs nothing."""
    claude.faults.add(faults.OVERLOADED, times=9)
    async with asking(claude, max_cost=0.03) as session:
        await session.ask(block(30, "Heists"))

    assert session.judged("Heists") == set(range(1, 31))


async def test_lost_answers_use_up_the_budget(claude: ClaudeStandIn) -> None:
    """They may have been paid for, so that asking again and again could cost more than was allowed."""
    claude.faults.add(Fault(drop=True, afterwards=True), times=None)
    async with asking(claude, max_cost=0.05) as session:
        await session.ask(block(30, "Heists"))

    assert session.asker.out_of_budget
    assert spent_by(claude) <= 0.05


async def test_skipped_questions_need_no_budget(claude: ClaudeStandIn) -> None:
    """What is not sent cannot be too expensive."""
    claude.queue_style(REFUSED, times=None, when=about("Noir"))
    async with asking(claude, concurrency=1, max_cost=0.05) as session:
        await session.ask(block(10, "Noir"), block(1000, "Noir"))

    assert session.sizes() == [10, 5, 5]
    assert not session.asker.out_of_budget


class _Uncounted(Claude):
    """Claude behind a gateway that states no tokens."""

    async def ask(
        self,
        request: Request,
        begun: Callable[[], None] | None = None,
        broken: Callable[[Reply], None] | None = None,
    ) -> Reply:
        return msgspec.structs.replace(await super().ask(request, begun, broken), usage=Usage(requests=1))


async def test_a_limit_is_kept_where_no_tokens_are_stated() -> None:
    """What an answer used is then taken for what it may have used at most, and is no known price in the report."""
    claude = ClaudeStandIn(judge=judge, api_key=KEY)
    with serve(claude.app) as url:
        async with _Uncounted(KEY, url) as provider:
            session = Session(claude, provider, concurrency=1, max_cost=0.05)
            await session.ask(*(block(20, f"C{number}") for number in range(20)))
    assert 0 < len(claude.requests) < 10
    assert session.asker.out_of_budget
    assert sum(spent.unpriced for spent in session.asker.spent.values()) == len(claude.requests)


async def test_a_model_without_a_price_cannot_be_asked_under_a_budget(claude: ClaudeStandIn) -> None:
    """Nobody knows what it would cost; that is said, and is not a limit that was reached."""
    async with asking(claude, max_cost=5, model="llama-of-the-house") as session:
        await session.ask(block(10, "Heists"))
        await session.asker.look_again([(collection("Heists"), movies(3))])

    assert session.asker.unpriced == {"llama-of-the-house"}
    assert not session.asker.out_of_budget
    assert [request.model for request in claude.requests] == [MODEL]


async def test_a_model_without_a_price_can_be_asked_without_a_budget(claude: ClaudeStandIn) -> None:
    """It is counted apart."""
    claude.models["llama-of-the-house"] = claude.models[MODEL]
    async with asking(claude, model="llama-of-the-house") as session:
        await session.ask(block(10, "Heists"))

    assert (session.asker.unpriced, session.asker.spent[collection("Heists").key].unpriced) == (set(), 1)
