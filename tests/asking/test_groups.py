"""Several collections in one request, through the real SDK and over real HTTP, with every kind of failure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.asking.layout import MOST_COLLECTIONS, bounds, group_size, groups, is_cached
from kometa_ai.asking.pages import Page
from kometa_ai.asking.prompts import FORM
from kometa_ai.errors import CheckModel
from kometa_ai.judging.looks import Models
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Failure, RequestFailed, Usage
from kometa_ai.providers.traits import Traits
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
    Asker,
    Played,
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
    spent_at,
    stand_in,
    tokens,
)
from tests.asking.test_asking import spent_by

if TYPE_CHECKING:
    from kometa_ai.standins.claude_log import RequestRecord

GARBAGE = Style(text="I would rather talk about the weather.")
EIGHT = tuple(f"C{number}" for number in range(8))
TWENTY = tuple(f"C{number}" for number in range(20))


def has(name: str) -> Any:
    """Whether a request is about that collection, alone or among others."""
    return lambda request: name in request.collection_names


def together(request: RequestRecord) -> bool:
    """Whether a request is about several collections."""
    return len(request.collection_names) > 1


def asked(standin: StandIn) -> list[tuple[int, int]]:
    """How many collections and how many movies each request was about, in order."""
    return [(len(request.collection_names), len(request.movies)) for request in standin.requests]


def everything(names: tuple[str, ...], count: int) -> set[tuple[str, int]]:
    """All pairs."""
    return {(name, number) for name in names for number in range(1, count + 1)}


# What is asked


async def test_every_pair_is_asked_once(standin: StandIn) -> None:
    """In near-equal groups of at most eight, with each collection's own verdicts."""
    standin.judge = lambda text, record: (
        judge(text, record) if "<name>C1" not in text else judge(text, {"title": "M 5"})
    )
    async with asking(standin, collections=8) as session:
        await session.ask(block(30, *TWENTY))
    assert Counter(asked_pairs(standin)) == {(name, f"Movie {number}"): 1 for name, number in everything(TWENTY, 30)}
    assert sorted(len(request.collection_names) for request in standin.requests) == [6, 7, 7]
    assert len(session.verdicts) == 600
    for (name, number), verdict in session.verdicts.items():
        assert verdict.include == (name.startswith("C1") or number % 5 == 0)


async def test_a_group_of_one_is_asked_as_ever(claude: ClaudeStandIn) -> None:
    """One collection alone, or one collection a request: nothing in them differs."""
    other = ClaudeStandIn(judge=judge, api_key=KEY)
    async with asking(claude, collections=8, concurrency=1) as session:
        await session.ask(block(30, "Heists"))
    async with asking(other, collections=1, concurrency=1) as session:
        await session.ask(block(30, "Heists"))
    assert [request.body for request in claude.requests] == [request.body for request in other.requests]


async def test_the_first_group_fills_the_cache_for_the_others(claude: ClaudeStandIn) -> None:
    """They begin when it has begun to answer, and read its movies, also where a group is only one collection."""
    claude.writing = 0.2
    async with asking(claude, collections=2, concurrency=4) as session:
        await session.ask(block(40, *EIGHT[:5]))
    first, *others = claude.requests
    assert sorted(len(request.collection_names) for request in claude.requests) == [1, 2, 2]
    assert first.usage["cache_creation_input_tokens"] > 512
    assert all(request.usage["cache_read_input_tokens"] > 512 for request in others)
    assert session.asker.cache_reads == {True: 2}
    assert len(session.verdicts) == 200


async def test_one_group_alone_writes_nothing_to_the_cache(claude: ClaudeStandIn) -> None:
    """Nothing would read it."""
    async with asking(claude, collections=8) as session:
        await session.ask(block(40, *EIGHT))
    assert asked(claude) == [(8, 40)]
    assert claude.requests[0].usage["cache_creation_input_tokens"] == 0


async def test_second_looks_are_about_one_collection(claude: ClaudeStandIn) -> None:
    """However many collections a first look asks about; a smaller page of the rules holds for them too."""
    async with asking(claude, collections=8) as session:
        due = [(collection(name), movies(20)) for name in EIGHT]
        await session.asker.look_again(due)
        assert set(asked(claude)) == {(1, 15), (1, 5)}
        claude.forget()
        await session.asker.look_again(due[:1], 10)
        assert asked(claude) == [(1, 10)] * 2


@pytest.mark.parametrize("style", [SPEC, FENCED, PROSE, Style(reordered=True), Style(form="full")], ids=str)
async def test_other_forms_cost_no_further_request(standin: StandIn, style: Style) -> None:
    """As with one collection."""
    standin.style = style
    async with asking(standin, collections=8) as session:
        await session.ask(block(20, *EIGHT))
    assert asked(standin) == [(8, 20)]
    assert session.verdicts.keys() == everything(EIGHT, 20)


# Answers that leave something open


async def test_a_refusal_for_one_of_eight_costs_only_that_one(standin: StandIn) -> None:
    """The group falls apart; the others are answered one by one, and read one cache."""
    standin.queue_style(REFUSED, times=None, when=has("C3"))
    async with asking(standin, collections=8) as session:
        await session.ask(block(30, *EIGHT))
    assert session.verdicts.keys() == everything(EIGHT, 30) - everything(("C3",), 30)
    assert session.left("C3") == set(range(1, 31))
    assert asked(standin)[0] == (8, 30)
    assert Counter(asked(standin)[1:]) == {(1, 30): 8, (1, 15): 2}
    if isinstance(standin, ClaudeStandIn):
        assert sum(request.usage["cache_creation_input_tokens"] > 0 for request in standin.requests) == 1


async def test_a_collection_that_is_skipped_drops_out_of_later_groups(standin: StandIn) -> None:
    """It is refused once together and once alone; then the others are asked without it, together."""
    standin.queue_style(REFUSED, times=None, when=has("C0"))
    async with asking(standin, collections=8, concurrency=1) as session:
        await session.ask(block(20, *EIGHT), block(21, *EIGHT), block(22, *EIGHT))
    assert session.sizes("C0") == [20, 10, 10]
    assert asked(standin)[-2:] == [(7, 21), (7, 22)]
    assert all(session.judged(name) == set(range(1, 23)) for name in EIGHT[1:])


@pytest.mark.parametrize(
    "style", [GARBAGE, Style(text='{"collections": []}'), REFUSED], ids=["text", "none", "refused"]
)
async def test_a_group_without_an_answer_falls_apart(standin: StandIn, style: Style) -> None:
    """Each collection is asked about alone then."""
    standin.queue_style(style, when=together)
    async with asking(standin, collections=8) as session:
        await session.ask(block(20, *EIGHT))
    assert asked(standin) == [(8, 20), *[(1, 20)] * 8]
    assert session.verdicts.keys() == everything(EIGHT, 20)
    assert not session.asker.gaps


async def test_a_group_that_was_cut_off_keeps_what_is_whole(claude: ClaudeStandIn) -> None:
    """Of the collection within which it was cut only the rest is asked about, and those after it alone."""
    claude.queue_style(Style(form="spec", truncated_at=1500), when=together)
    async with asking(claude, collections=8, concurrency=1) as session:
        await session.ask(block(20, *EIGHT))
    assert session.verdicts.keys() == everything(EIGHT, 20)
    assert Counter(claude.asked_pairs()) <= Counter(dict.fromkeys(claude.asked_pairs(), 2))
    (_, first), (rest, movies_left), *others = asked(claude)
    assert (first, rest) == (20, 1)
    assert 0 < movies_left < 20
    assert 0 < len(others) < 8
    assert set(others) == {(1, 20)}


async def test_a_stream_that_breaks_keeps_what_is_whole(claude: ClaudeStandIn) -> None:
    """The others follow it all the same."""
    claude.style = SPEC
    claude.faults.add(faults.mid_stream(Fault(drop=True)), when=together)
    async with asking(claude, collections=4) as session:
        await session.ask(block(20, *EIGHT))
    assert session.verdicts.keys() == everything(EIGHT, 20)
    assert Counter(collections for collections, _ in asked(claude))[4] == 2


async def test_ids_that_one_leaves_out_are_asked_about_for_that_one(standin: StandIn) -> None:
    """Alone, and once more; what is left out again waits for the next run."""
    standin.queue_style(Style(missing=3, of="C2"), when=together)
    standin.queue_style(Style(missing=1), when=has("C2"))
    async with asking(standin, collections=8) as session:
        await session.ask(block(20, *EIGHT))
    assert [(request.collection_names, len(request.movies)) for request in standin.requests] == [
        (EIGHT, 20),
        (("C2",), 3),
    ]
    assert session.verdicts.keys() == everything(EIGHT, 20) - {("C2", 20)}
    assert session.left("C2") == {20}


async def test_a_collection_that_is_left_out_is_asked_about_alone(standin: StandIn) -> None:
    """As a whole page."""
    standin.queue_style(Style(without=("C2", "C5")), when=together)
    async with asking(standin, collections=8) as session:
        await session.ask(block(20, *EIGHT))
    assert [request.collection_name for request in standin.requests[1:]] == ["C2", "C5"]
    assert asked(standin) == [(8, 20), (1, 20), (1, 20)]
    assert session.verdicts.keys() == everything(EIGHT, 20)


async def test_unknown_ids_are_counted_for_their_collection(standin: StandIn) -> None:
    """And dropped."""
    standin.queue_style(Style(unknown=2, of="C4"))
    async with asking(standin, collections=8) as session:
        await session.ask(block(10, *EIGHT))
    assert +session.asker.unknown_ids == {"c4": 2}
    assert session.verdicts.keys() == everything(EIGHT, 10)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("late", [False, True])
async def test_a_movie_that_spoils_all_answers_is_found_within_groups(
    claude: ClaudeStandIn, concurrency: int, *, late: bool
) -> None:
    """One search finds it, and all others are judged, in groups where the search is over."""
    style = Style(refused=True, text='{"collections": [') if late else REFUSED
    claude.writing = 0.02
    claude.queue_style(style, times=None, when=holds("Movie 11"))
    async with asking(claude, collections=8, concurrency=concurrency) as session:
        await session.ask(block(32, *TWENTY), block(8, *TWENTY))
    assert not session.asker.is_over
    assert session.verdicts.keys() == everything(TWENTY, 32) - {(name, 11) for name in TWENTY}
    assert all(session.left(name) == {11} for name in TWENTY)
    searches = sum(collections == 1 and 1 < count < 31 for collections, count in asked(claude))
    assert searches < 10
    assert len(claude.requests) < 80


# Failures of the service


@pytest.mark.parametrize(
    ("played", "fault"), [case for case in cases(PASSING) if case[1] in ("rate limited", "overloaded", "dropped")]
)
async def test_what_passes_is_tried_again_together(played: Played, fault: str) -> None:
    """A group does not fall apart because the service is busy."""
    standin = stand_in(played)
    standin.faults.add(PASSING[played][fault], times=4)
    async with asking(standin, collections=8) as session:
        await session.ask(block(10, *EIGHT))
    assert asked(standin) == [(8, 10)] * 5
    assert session.verdicts.keys() == everything(EIGHT, 10)


@pytest.mark.parametrize(("played", "fault"), cases(UNFIT))
async def test_a_request_that_is_too_large_falls_apart_and_is_halved(played: Played, fault: str) -> None:
    """First by collection, then by movies; that is no reason to stop, and there is nothing to wait for."""
    standin = stand_in(played)
    standin.faults.add(UNFIT[played][fault], times=None, when=lambda r: together(r) or len(r.movies) > 8)
    async with asking(standin, collections=8) as session:
        await session.ask(block(16, *EIGHT[:3]))
    assert not session.asker.is_over
    assert session.verdicts.keys() == everything(EIGHT[:3], 16)
    assert asked(standin)[0] == (3, 16)
    assert Counter(shape for shape in asked(standin) if shape[0] == 1) == {(1, 16): 3, (1, 8): 6}
    assert session.waits == []


@pytest.mark.parametrize("played", PLAYED)
async def test_what_every_request_would_meet_stops_the_run(played: Played) -> None:
    """A group does not fall apart for it."""
    standin = stand_in(played)
    standin.faults.add(STOPPING[played]["bad key"], times=None, when=has("C5"))
    async with asking(standin, collections=4, concurrency=1) as session:
        await session.ask(block(10, *EIGHT), block(11, *EIGHT))
    assert isinstance(session.asker.stopped, CheckModel)
    assert asked(standin) == [(4, 10), (4, 10)]
    assert session.verdicts.keys() == everything(EIGHT[:4], 10)


@pytest.mark.parametrize("fitting", [1, 3, 4])
async def test_a_page_is_halved_until_it_fits(claude: ClaudeStandIn, fitting: int) -> None:
    """How small a context is does not matter, as long as one movie fits in: neither half proves that none does."""
    claude.faults.add(faults.TOO_LARGE, times=None, when=lambda r: len(r.movies) > fitting)
    async with asking(claude, collections=1) as session:
        await session.ask(block(40, "Heists", "Noir"))
    assert not session.asker.is_over
    assert session.verdicts.keys() == everything(("Heists", "Noir"), 40)
    assert session.asker.gaps == []


async def test_an_outage_stops_the_run_soon(standin: StandIn) -> None:
    """Groups that fall apart are not tried one by one to the end."""
    standin.faults.add(PASSING[played_by(standin)]["server error"], times=None)
    async with asking(standin, collections=8, concurrency=4) as session:
        await session.ask(*(block(10, *TWENTY) for _ in range(5)))
    assert isinstance(session.asker.stopped, RequestFailed)
    assert session.answered == []
    assert len(standin.requests) < 60


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_five_unreadable_answers_in_a_row_stop_the_run(claude: ClaudeStandIn, concurrency: int) -> None:
    """Each is paid for, whether about one or about eight."""
    claude.style = GARBAGE
    claude.latency = 0.02
    async with asking(claude, collections=8, concurrency=concurrency) as session:
        await session.ask(*(block(10, *TWENTY) for _ in range(5)))
    assert isinstance(session.asker.stopped, RequestFailed)
    assert 5 <= len(claude.requests) < 5 + concurrency


@pytest.mark.timeout(20)
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_many_failing_groups_never_wait_for_each_other(standin: StandIn, concurrency: int) -> None:
    """Places are held by questions, and a group that falls apart has given its own back."""
    standin.queue_style(REFUSED, times=None, when=together)
    standin.queue_style(Style(missing=2), times=None)
    async with asking(standin, collections=4, concurrency=concurrency) as session:
        await session.ask(*(block(12, *EIGHT) for _ in range(4)))
    assert not session.asker.is_over
    assert all(session.judged(name) == set(range(1, 11)) for name in EIGHT)


# Money


async def test_what_a_group_costs_is_shared(standin: StandIn) -> None:
    """In equal parts that add up: tokens to the last one, and USD."""
    standin.queue_style(REFUSED, when=together)
    async with asking(standin, collections=8) as session:
        await session.ask(block(30, *EIGHT), block(31, *EIGHT))
    spent = session.asker.spent
    assert sum(each.cost for each in spent.values()) == pytest.approx(spent_at(standin, session.traits))
    usage = sum((each.usage for each in spent.values()), Usage())
    assert usage.requests == len(standin.requests)
    stated = [tokens(request) for request in standin.requests]
    read_and_written = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    assert (read_and_written, usage.output_tokens) == tuple(map(sum, zip(*stated, strict=True)))
    assert {each.answers for each in spent.values()} == {61}


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_run_stays_within_its_budget(claude: ClaudeStandIn, concurrency: int) -> None:
    """What is reserved for a group covers all of its collections."""
    claude.latency = 0.01
    blocks = [block(50, *TWENTY) for _ in range(6)]
    async with asking(claude, collections=8, concurrency=concurrency, max_cost=0.2) as session:
        await session.ask(*blocks)
    assert session.asker.out_of_budget
    assert 0.1 < spent_by(claude) <= 0.2


async def test_a_lost_answer_is_shared_too(standin: StandIn) -> None:
    """One request that may be billed is one, whatever it was about; at home there is nothing to share."""
    standin.faults.add(Fault(drop=True, afterwards=True))
    async with asking(standin, collections=8) as session:
        await session.ask(block(10, *EIGHT))
    spent = session.asker.spent.values()
    assert all((each.cost == 0) is session.traits.is_free for each in spent)
    assert len(spent) == 8
    if not session.traits.is_free:
        assert sum(each.unclear for each in spent) == 1


# Two models


class _Paced(Claude):
    """Claude, whose models take different numbers of requests side by side."""

    def traits(self, model: str) -> Traits:
        local: dict[str, Any] = {"concurrency": 1, "collections": 1, "is_local": True}
        return super().traits(model) if model != "claude-haiku-5-5" else Traits(title="L", model=model, **local)


async def test_each_model_has_its_own_pace(claude: ClaudeStandIn) -> None:
    """A local one is asked one at a time and about one collection, beside a hosted one for second looks."""
    claude.latency = 0.05
    peaks = []
    with serve(claude.app) as url:
        async with _Paced(KEY, url) as provider:
            asker = Asker(
                provider,
                models=Models("claude-haiku-5-5", MODEL),
                concurrency=0,
                collections=0,
                record=lambda _: None,
            )
            await asker.ask([block(5, *EIGHT[:4])])
            peaks.append(claude.peak_in_flight)
            await asker.look_again([(collection(name), movies(5)) for name in EIGHT])
            peaks.append(claude.peak_in_flight)
    assert peaks == [1, 4]
    assert asked(claude)[:4] == [(1, 5)] * 4


# The arithmetic


@pytest.mark.parametrize(("count", "size"), [(0, 8), (1, 8), (8, 8), (9, 8), (20, 8), (20, 10), (5, 2), (7, 1)])
def test_groups_are_few_and_nearly_equal(count: int, size: int) -> None:
    """Each collection once, in order; none larger than allowed, and none more than one larger than another."""
    parts = groups(range(count), size)
    assert [each for part in parts for each in part] == list(range(count))
    assert len(parts) == -(-count // size)
    assert all(0 < len(part) <= size for part in parts)
    assert max(map(len, parts), default=0) - min(map(len, parts), default=0) <= 1


def test_a_setting_goes_before_the_model() -> None:
    """And neither beyond ten."""
    traits = Traits(title="T", model="m", collections=8)
    assert [group_size(setting, traits) for setting in (0, 1, 3, 10, 99)] == [8, 1, 3, 10, MOST_COLLECTIONS]


def test_a_cache_is_written_where_that_is_cheaper() -> None:
    """Claude: for two requests, in a batch from three on, where it must be for an hour. Others by their kind."""
    sonnet = Claude(KEY).traits(MODEL)
    assert [is_cached(10_000, requests, sonnet) for requests in (1, 2, 3)] == [False, True, True]
    assert [is_cached(10_000, requests, sonnet, batched=True) for requests in (1, 2, 3)] == [False, False, True]
    assert not is_cached(sonnet.cache_from - 1, 9, sonnet)
    unpriced = Traits(title="T", model="unheard-of", caching="explicit")
    assert [is_cached(10_000, requests, unpriced, batched=True) for requests in (2, 3)] == [False, True]
    by_itself, without = (Traits(title="T", model="m", caching=caching) for caching in ("automatic", "none"))
    assert is_cached(10_000, 2, by_itself, batched=True)
    assert not is_cached(10_000, 9, without)


def test_bounds_hold_for_every_request() -> None:
    """No prompt about any of the movies and collections is longer, whatever is packed together."""
    library = [movie(number, plot="x" * (number % 7 * 90)) for number in range(1, 40)]
    chosen = [collection(f"C{number}", prompt="y" * number * 20) for number in range(1, 9)]
    most = bounds(library, chosen, 5, 3)
    for start in range(35):
        for first in range(6):
            request = Page.of(library[start : start + 5]).request(
                chosen[first : first + 3], "m", second_look=False, cache=False
            )
            text = len(request.movies) + len(request.collection)
            assert request.form.tokens + text / 3.3 <= most.prompt
            assert request.expected_tokens <= most.answer
    assert bounds([], chosen, 5, 3) == (0, 0)
    assert most.prompt > FORM.tokens


async def test_where_no_answer_streams_a_group_is_asked_all_the_same(claude: ClaudeStandIn) -> None:
    """Some gateways do not stream."""
    claude.gateway = Gateway(streams="always")
    async with asking(claude, collections=3) as session:
        await session.ask(block(20, *EIGHT))
    assert session.verdicts.keys() == everything(EIGHT, 20)
    assert Failure.REFUSED not in {gap.failure for gap in session.asker.gaps}
