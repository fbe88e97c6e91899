"""Whole runs that ask through batches, with every kind of interruption."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kometa_ai.app import open_batches, open_parts, rules_of
from kometa_ai.asking.batch_search import ended
from kometa_ai.core.choice import Pin
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.core.options import Options
from kometa_ai.jobs.cancel import Cancellation, cancel_batches
from kometa_ai.jobs.estimate import Estimate, estimate
from kometa_ai.jobs.running import run_and_report
from kometa_ai.run.joining import joined
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_batches import BATCHES
from kometa_ai.standins.claude_faults import DROPPED, GATEWAY_TIMEOUT, NOT_PERMITTED, Fault
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.store import Store
from kometa_ai.state.waiting import Waiting, WaitingReader
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from kometa_ai.core.report import RunReport
    from kometa_ai.providers.port import BatchAnswer, BatchedRequest, BatchProvider, BatchSeen
    from kometa_ai.run.watching import Observer

NAMES = ("Film Noir", "Heist", "Space", "War")
MEMBERS = {"Film Noir": range(0, 40, 7), "Heist": range(0, 40, 3), "Space": (5, 6), "War": (39,)}


class Killed(BaseException):
    """The process ends here; nothing more of it happens."""


class Mortal:
    """Anthropic's batches, reached by a process that dies `before create`, or `after` it, or never."""

    def __init__(self, real: BatchProvider, death: str) -> None:
        self._real = real
        self._death = death

    async def create(self, requests: Sequence[BatchedRequest]) -> BatchSeen:
        """Die, or not."""
        if self._death == "before create":
            raise Killed
        seen = await self._real.create(requests)
        if self._death == "after create":
            raise Killed
        return seen

    async def find(self, batch_id: str) -> BatchSeen | None:
        """As it is."""
        return await self._real.find(batch_id)

    def since(self, when: datetime) -> AsyncIterator[BatchSeen]:
        """As it is."""
        return self._real.since(when)

    def answers(self, batch_id: str) -> AsyncIterator[BatchAnswer]:
        """As it is."""
        return self._real.answers(batch_id)

    async def cancel(self, batch_id: str) -> None:
        """As it is."""
        await self._real.cancel(batch_id)


class BatchWorld(World):
    """A world in which time passes by waiting for batches, and runs follow each other after ten minutes."""

    def __init__(self, folder: Path, seeds: list[MovieSeed], **settings: Any) -> None:
        super().__init__(folder, seeds, **settings)
        self.claude.clock = lambda: self.now.timestamp()  # noqa: PLW0108 - the time will be another one
        self.looks = 0
        self.death = "never"

    def run(
        self,
        during: Callable[[World], None] | None = None,  # noqa: ARG002 - the signature of World
        at: str = "",  # noqa: ARG002
        observer: Observer | None = None,  # noqa: ARG002
        **options: Any,
    ) -> RunReport:
        """One run, ten minutes after the last one, and those that go on with it; the report of all of them."""
        reports = [self.start(**options)]
        while reports[-1].outcome == "waiting":
            reports.append(self.go_on())
        return joined(reports)

    def start(self, **options: Any) -> RunReport:
        """One run, ten minutes after the last one. If it hands a batch over it ends there."""
        self.now += timedelta(minutes=10)
        return asyncio.run(self._go(Options(**{"batch_size": rules_of(self.settings).page_size, **options})))

    def go_on(self) -> RunReport:
        """Look every minute until a batch has ended, and go on with the run that waits."""
        for _ in range(2 * 24 * 60):
            waiting = WaitingReader(self.state_dir).read()
            assert waiting.options is not None
            self.looks += 1
            if asyncio.run(self._ended(waiting)):
                return asyncio.run(self._go(waiting.options))
            self.now += timedelta(minutes=1)
        raise AssertionError("it waits for ever")

    async def _ended(self, waiting: Waiting) -> frozenset[str]:
        async with open_batches(self.settings) as provider:
            return await ended(provider, waiting.batches, self.now)

    async def _go(self, options: Options) -> RunReport:
        store = Store.load(self.state_dir)
        async with open_parts(self.settings, store) as real:
            assert real.batches is not None
            parts = msgspec.structs.replace(
                real, now=lambda: self.now, sleep=self._sleep, batches=Mortal(real.batches, self.death)
            )
            return await run_and_report(parts, rules_of(self.settings), options)

    def estimate(self) -> Estimate:
        """A forecast of the next run."""

        async def forecast() -> Estimate:
            async with open_parts(self.settings, Store.load(self.state_dir, read_only=True)) as parts:
                return await estimate(
                    parts, rules_of(self.settings), Options(batch_size=rules_of(self.settings).page_size)
                )

        return asyncio.run(forecast())

    def cancel(self) -> Cancellation:
        """Cancel what is with Anthropic."""

        async def canceled() -> Cancellation:
            async with open_batches(self.settings) as batches:
                return await cancel_batches(batches, Store.load(self.state_dir))

        return asyncio.run(canceled())

    async def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def revive(self) -> None:
        """Nothing dies any more."""
        self.death = "never"

    @property
    def created(self) -> int:
        """How many batches were sent, whatever became of them."""
        return sum(call.method == "POST" and call.path == BATCHES for call in self.claude.calls)

    @property
    def tags(self) -> dict[str, set[int]]:
        """The members of each collection in Radarr."""
        return {name: self.numbers(f"kai-{name.lower().replace(' ', '-')}") for name in NAMES}

    def judged_pairs(self) -> list[tuple[str, str]]:
        """What was paid for, leaving out second looks."""
        return sorted(self.claude.asked_pairs())

    def open_batches(self) -> int:
        """How many batches the state on the disk holds."""
        return len(Store.load(self.state_dir, read_only=True).state.batches)


def everything() -> list[tuple[str, str]]:
    """Each pair once."""
    return sorted((name, f"Movie {number}") for name in NAMES for number in range(40))


def fill(world: World) -> None:
    """Four collections and what is true of them."""
    world.collections(*(block(name) for name in NAMES))
    for name, numbers in MEMBERS.items():
        world.believe(name, numbers)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[BatchWorld]:
    """Forty movies in four collections, batches switched on."""
    with BatchWorld(tmp_path, movies(40), batch_size=20, claude_batches="on") as made:
        fill(made)
        yield made


def truth() -> dict[str, set[int]]:
    """The tags there should be."""
    return {name: set(numbers) for name, numbers in MEMBERS.items()}


def test_a_whole_build_by_batches_is_the_same_at_half_the_price(world: BatchWorld, tmp_path: Path) -> None:
    """Same tags as without, at between 45 and 75 percent of the cost, and no question is asked twice."""
    other = tmp_path / "without"
    other.mkdir()
    with BatchWorld(other, movies(40), batch_size=20, claude_batches="off") as without:
        fill(without)
        usual = without.run()
        assert without.created == 0

    report = world.run()

    assert (report.outcome, report.exit_code, report.pending) == ("ok", 0, 0)
    assert world.tags == truth()
    assert world.judged_pairs() == everything()
    assert world.created == 2
    assert 0.45 < report.cost_usd / usual.cost_usd < 0.75
    assert (report.asked, report.tokens.requests) == (usual.asked, usual.tokens.requests)
    assert world.open_batches() == 0
    assert all(request.batch_id for request in world.claude.requests)


def test_the_second_phase_reads_what_the_first_has_written(world: BatchWorld) -> None:
    """Eight requests over two blocks: two write for an hour, six read, none of them writes."""
    world.run()

    first, second = world.claude.requests[:2], world.claude.requests[2:]
    assert [request.usage["cache_creation"]["ephemeral_1h_input_tokens"] > 512 for request in first] == [True, True]
    assert len(second) == 6
    assert all(request.usage["cache_read_input_tokens"] > 512 for request in second)
    assert all(request.usage["cache_creation_input_tokens"] == 0 for request in second)
    assert len({request.batch_id for request in first}) == len({request.batch_id for request in second}) == 1


def test_a_process_killed_before_its_batch_was_sent_has_lost_nothing(world: BatchWorld) -> None:
    """The plan is in the journal, the batch was never created: the next run finds that out and sends it."""
    world.death = "before create"
    with pytest.raises(Killed):
        world.run()
    assert (world.created, world.open_batches()) == (0, 1)
    world.revive()

    report = world.run()

    assert report.exit_code == 0
    assert world.tags == truth()
    assert (world.created, world.judged_pairs()) == (2, everything())


def test_a_process_killed_before_it_heard_the_id_finds_its_batch(world: BatchWorld) -> None:
    """The batch was created but its id was lost: it is found in the list, and not sent again."""
    world.death = "after create"
    with pytest.raises(Killed):
        world.run()
    assert (world.created, world.open_batches()) == (1, 1)
    world.revive()

    report = world.run()

    assert report.exit_code == 0
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


def test_a_process_killed_while_it_waited_takes_the_answers_later(world: BatchWorld) -> None:
    """The id is in the journal: any later run takes the answers, whichever phase it was."""
    world.claude.batches.polls = 3
    world.start()
    while world.created < 2:
        world.start()

    report = world.run()

    assert report.exit_code == 0
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


@pytest.mark.parametrize("loss", [msgspec.structs.replace(DROPPED, afterwards=True), GATEWAY_TIMEOUT])
def test_an_unclear_failure_is_never_answered_by_sending_again(world: BatchWorld, loss: Fault) -> None:
    """A batch whose answer was lost is found in the list; one that was never taken is asked anew, after looking."""
    is_taken = loss.afterwards
    world.claude.faults.add(loss, path=BATCHES, when=lambda call: call.method == "POST")

    report = world.run()

    lists = [call for call in world.claude.calls if (call.method, call.path) == ("GET", BATCHES)]
    assert len(lists) >= (1 if is_taken else 10)
    assert report.exit_code == 0
    assert world.tags == truth()
    assert world.judged_pairs() == everything()
    assert len({tuple(sorted(ids)) for ids in _batches(world)}) == len(_batches(world))


def _batches(world: BatchWorld) -> list[list[str]]:
    found: dict[str, list[str]] = {}
    for request in world.claude.requests:
        if request.batch_id:
            found.setdefault(request.batch_id, []).append(request.custom_id)
    return list(found.values())


@pytest.mark.parametrize("outcome", ["errored", "expired", "canceled"])
def test_what_a_batch_leaves_open_is_asked_again(world: BatchWorld, outcome: Any) -> None:
    """The others count. After an error a question is asked directly, which tells more, else by another batch."""
    world.claude.batches.queue_outcome(outcome, when=lambda request: request.collection_name == "Film Noir")
    world.claude.batches.queue_outcome(outcome, when=lambda request: request.collection_name == "War")

    report = world.run()

    assert (report.exit_code, report.pending) == (0, 0)
    assert world.tags == truth()
    assert world.judged_pairs() == everything()
    direct = [request.collection_name for request in world.claude.requests if not request.batch_id]
    assert ("War" in direct) is (outcome == "errored")
    assert world.open_batches() == 0


def test_what_a_batch_s_errors_say_is_told(world: BatchWorld) -> None:
    """Once a batch for all that say the same."""
    world.claude.batches.queue_outcome("errored", times=5)

    report = world.run()

    warnings = [warning.what for warning in report.warnings if "ended with an error" in warning.what]
    assert 2 <= len(warnings) == len(set(warnings)) <= len(_batches(world))
    assert all("Internal server error" in warning for warning in warnings)


def test_a_batch_without_a_readable_answer_ends_the_asking(world: BatchWorld) -> None:
    """What could not be read is told as paid for, and nothing further is asked, by batch or directly."""
    world.claude.style = Style(text="Good morning.")

    report = world.run()

    asked = [bool(request.batch_id) for request in world.claude.requests]
    assert asked.count(True) < len(everything()) / 20
    assert asked.count(False) <= 8
    assert report.cost_usd > 0
    assert any("could not be read" in problem.what for problem in report.problems)
    assert any("paid twice" in warning.what for warning in report.warnings)


@pytest.mark.parametrize("style", [REFUSED, Style(missing=5), Style(truncated_at=60), Style(text="Good morning.")])
def test_answers_that_cannot_be_used_are_left_to_the_ordinary_way(world: BatchWorld, style: Style) -> None:
    """Refused, incomplete, cut off, unreadable: what was said counts, the rest is asked again, and paid for once."""
    world.claude.queue_style(style, when=lambda request: request.collection_name == "Heist")

    report = world.run()

    assert (report.exit_code, report.pending) == (0, 0)
    assert world.tags == truth()


def test_a_run_that_hands_a_batch_over_ends_and_leaves_it_to_another(world: BatchWorld) -> None:
    """Its report names the batch and how many questions are with it; the next run pays for none of them again."""
    world.claude.batches.polls = 4

    first = world.start()
    report = world.run()

    told = [warning.what for warning in first.warnings if "are with Anthropic" in warning.what]
    assert told == [f"40 questions are with Anthropic as batch {next(iter(world.claude.batches.known))}."]
    assert (first.outcome, first.exit_code, first.pending, first.problems) == ("waiting", 1, 160, ())
    assert report.exit_code == 0
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


def test_answers_made_from_other_inputs_are_dropped(world: BatchWorld) -> None:
    """A plot and a prompt change while the batch is under way: those questions are asked anew, no others."""
    world.claude.batches.polls = 4
    world.start()
    world.radarr.update_movie(1003, overview="Something else happens.")
    world.collections(block("Film Noir"), block("Heist"), block("Space"), block("War", "Only battles."))

    report = world.run()

    assert report.exit_code == 0
    asked = world.judged_pairs()
    assert asked.count(("Film Noir", "Movie 3")) == 2
    assert asked.count(("Film Noir", "Movie 4")) == 1


def test_a_movie_that_is_away_when_its_answers_come_is_not_asked_about_again(world: BatchWorld) -> None:
    """Half of Radarr's list may be missing for a night; what was paid for holds when it is back."""
    world.claude.batches.polls = 4
    world.start()
    for number in range(10):
        world.radarr.remove_movie(1000 + number)
    world.run()
    for seed in movies(10):
        world.radarr.add_movie(seed)

    report = world.run()

    assert report.exit_code == 0
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


def test_a_movie_that_a_tag_decides_when_its_answers_come_is_not_asked_about_again(world: BatchWorld) -> None:
    """The answer is kept for the day on which the tag is gone."""
    world.collections(*(block(name, exclude_tags="[never]") for name in NAMES))
    world.claude.batches.polls = 4
    world.start()
    for number in range(10):
        world.radarr.tag_by_hand(1000 + number, "never")
    world.run()
    without = world.tags
    for number in range(10):
        world.radarr.untag_by_hand(1000 + number, "never")

    world.run()

    assert without == {name: members - set(range(10)) for name, members in truth().items()}
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


def test_a_run_of_one_collection_leaves_the_others_answers(world: BatchWorld) -> None:
    """Answers about collections outside of a run's scope wait for the run that has them in scope."""
    world.start()
    world.go_on()
    assert world.created == 2

    one = world.run(collections=("Heist",))
    assert (one.pending, world.tags["Heist"]) == (0, truth()["Heist"])
    assert world.open_batches() == 1
    report = world.run()

    assert (report.exit_code, world.open_batches()) == (0, 0)
    assert world.tags == truth()
    assert world.judged_pairs() == everything()


def test_a_waiting_user_is_not_kept_by_an_open_batch(tmp_path: Path) -> None:
    """An attended run with `auto` looks once; what is with Anthropic stays pending and is not paid for again."""
    with BatchWorld(tmp_path, movies(40), batch_size=20, claude_batches="on") as world:
        fill(world)
        world.claude.batches.polls = 9
        world.start()
        world.change(claude_batches="auto")

        attended = world.start()
        assert (attended.outcome, attended.pending) == ("problems", 40)
        unattended = world.run(unattended=True)

        assert unattended.exit_code == 0
        assert world.tags == truth()
        assert world.judged_pairs() == everything()


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("mode", "unattended", "is_dear", "batches"),
    [
        ("auto", True, True, True),
        ("auto", True, False, False),
        ("auto", False, True, False),
        ("off", True, True, False),
        ("on", False, False, True),
    ],
)
def test_batches_are_chosen_by_the_forecast_and_by_who_waits(
    tmp_path: Path, *, mode: str, unattended: bool, is_dear: bool, batches: bool
) -> None:
    """`auto` takes batches for unattended runs above one dollar, `off` never, `on` always."""
    seeds = [replace(seed, overview=f"{seed.title} " * 160) for seed in movies(600 if is_dear else 20)]
    settings = {"claude_model": "claude-opus-5-5", "claude_review_model": "claude-opus-5-5"}
    with BatchWorld(tmp_path, seeds, batch_size=20, claude_batches=mode, **settings) as world:
        world.collections(*(block(name) for name in NAMES))

        report = world.run(unattended=unattended)

        assert report.exit_code == 0
        assert (world.created > 0) is batches
        assert (report.cost_usd > 0.5) is is_dear


def test_where_batches_are_refused_the_run_goes_on_without(world: BatchWorld) -> None:
    """No right to batches, or a proxy without them: everything is asked the ordinary way, with a warning."""
    world.claude.faults.add(NOT_PERMITTED, path=BATCHES, times=None)

    report = world.run()

    assert report.exit_code == 0
    assert [warning.source for warning in report.warnings if "batch" in warning.what] == ["CLAUDE_BATCHES"]
    assert world.tags == truth()
    assert (world.created, world.open_batches()) == (1, 0)


@pytest.mark.parametrize("limit", [0.005, 0.02, 0.04, 1.0])
def test_the_limit_on_costs_is_kept(world: BatchWorld, limit: float) -> None:
    """No run costs more than its limit, though it fills batches as far as there is room; more runs bring the rest."""
    world.change(max_cost_per_run=limit)
    reports = [world.run() for _ in range(1 if limit == 1.0 else 12)]

    assert max(report.cost_usd for report in reports) <= limit
    if limit > 0.005:
        assert world.created > 0
        assert world.tags == truth()
        assert world.judged_pairs() == everything()


def test_an_estimate_leaves_out_what_is_in_a_batch(world: BatchWorld) -> None:
    """Questions that Anthropic has already are shown as such: not pending, and no part of the cost."""
    whole = world.estimate()
    world.start()

    found = world.estimate()

    assert (whole.pending, whole.in_batches) == (160, 0)
    assert (found.pending, found.in_batches) == (120, 40)
    assert {c.slug: c.in_batches for c in found.collections if c.in_batches} == {"film-noir": 40}
    assert sum(found.collections[0].reasons.values()) == 0
    assert found.cost_usd is not None
    assert whole.cost_usd is not None
    assert 0 < found.cost_usd < whole.cost_usd
    assert world.created == 1


def test_canceled_batches_are_stopped_and_asked_again(world: BatchWorld) -> None:
    """Nothing of them is answered or paid for; the next run finds that out and asks the same questions anew."""
    world.claude.batches.polls = 3
    world.start()

    found = world.cancel()

    assert [(batch.outcome, batch.questions) for batch in found.batches] == [("canceling", 40)]
    assert found.exit_code == 0
    assert world.open_batches() == 1
    report = world.run()
    assert (report.exit_code, world.open_batches(), world.tags) == (0, 0, truth())
    assert world.judged_pairs() == everything()


def test_a_batch_that_has_ended_keeps_its_answers(world: BatchWorld) -> None:
    """Too late to cancel: it says so, and the next run takes the answers instead of asking again."""
    world.claude.batches.polls = 0
    world.claude.batches.seconds = 30
    world.start()
    world.now += timedelta(minutes=5)

    assert [batch.outcome for batch in world.cancel().batches] == ["ended"]
    world.run()
    assert world.judged_pairs() == everything()


def test_a_batch_without_an_id_is_looked_for_and_canceled(world: BatchWorld) -> None:
    """One whose id was never heard is found in the list; one that is not there is left to the next run."""
    world.claude.batches.polls = 3
    world.death = "after create"
    with pytest.raises(Killed):
        world.run()
    assert [batch.outcome for batch in world.cancel().batches] == ["canceling"]
    assert [batch.cancel_initiated_at is not None for batch in world.claude.batches.known.values()] == [True]
    world.claude.batches.known.clear()

    assert [batch.outcome for batch in world.cancel().batches] == ["unknown"]
    assert world.open_batches() == 1


@pytest.mark.parametrize(("fault", "exit_code"), [(GATEWAY_TIMEOUT, 1), (NOT_PERMITTED, 4)])
def test_a_batch_that_cannot_be_canceled_stays(world: BatchWorld, fault: Fault, exit_code: int) -> None:
    """It says why, and that the batch may go on."""
    world.claude.batches.polls = 3
    world.start()
    world.claude.faults.add(fault, path="*/cancel")

    found = world.cancel()

    assert ([batch.outcome for batch in found.batches], found.exit_code) == (["failed"], exit_code)
    assert "may go on: " in found.batches[0].what
    assert world.open_batches() == 1


def test_a_forced_refresh_by_batches_asks_each_question_once(world: BatchWorld) -> None:
    """Everything is asked again, and nothing twice."""
    world.run()
    world.claude.forget()

    report = world.run(force_refresh=True)

    assert report.exit_code == 0
    assert world.judged_pairs() == everything()


def test_close_calls_get_their_second_look_at_once(world: BatchWorld) -> None:
    """Second looks follow the batches in the same run; a few of them are not worth a batch."""
    world.believe("War", [39], confidence=0.7)

    report = world.run()

    assert report.exit_code == 0
    looks = [request for request in world.claude.requests if "second look" in request.collection_text]
    assert [(look.titles, look.batch_id) for look in looks] == [(("Movie 39",), "")]
    assert world.tags == truth()


def test_second_looks_are_put_off_while_questions_are_handed_over(world: BatchWorld) -> None:
    """Those of the first answers come with all others at the end, where together they may be worth a batch."""
    world.believe("Film Noir", [7], confidence=0.7)
    world.believe("War", [39], confidence=0.7)

    report = world.run()

    looks = ["second look" in request.collection_text for request in world.claude.requests]
    assert report.exit_code == 0
    assert looks == [False] * 8 + [True] * 2
    assert world.tags == truth()


@pytest.fixture
def close(tmp_path: Path) -> Iterator[BatchWorld]:
    """Six hundred close calls, whose second looks cost more than a dollar."""
    seeds = [replace(seed, overview=f"{seed.title} " * 160) for seed in movies(600)]
    models = {"claude_model": "claude-opus-5-5", "claude_review_model": "claude-opus-5-5"}
    with BatchWorld(tmp_path, seeds, batch_size=100, claude_batches="on", **models) as made:
        made.collections(block("War"))
        made.believe("War", range(600), confidence=0.75)
        yield made


def looks(world: BatchWorld) -> list[str]:
    """For each movie that was looked at again, its title."""
    asked = [request for request in world.claude.requests if "second look" in request.collection_text]
    assert all(request.batch_id for request in asked)
    return sorted(title for request in asked if request.judged for title in request.titles)


def test_many_close_calls_get_their_second_look_in_a_batch(close: BatchWorld) -> None:
    """Where second looks are worth it they go through a batch too: each once, in the same run, and they are final."""
    report = close.run()

    assert (report.exit_code, report.pending) == (0, 0)
    assert looks(close) == sorted(f"Movie {number}" for number in range(600))
    assert close.numbers("kai-war") == set(range(600))
    assert close.run().asked == 0


def test_second_looks_in_a_batch_outlive_the_run(close: BatchWorld) -> None:
    """The run that hands them over ends: the next takes them and asks for none again."""
    close.start()
    close.go_on()
    assert close.estimate().in_batches == 600

    report = close.run()

    assert report.exit_code == 0
    assert len(looks(close)) == 600
    assert close.numbers("kai-war") == set(range(600))
    assert close.open_batches() == 0


def test_a_run_about_some_movies_leaves_batches_alone(world: BatchWorld) -> None:
    """It neither takes answers, which would be lost for all other movies, nor asks twice, nor waits for a batch."""
    world.claude.batches.polls = 1
    world.start()
    world.radarr.add_movie(MovieSeed(title="Movie 99", year=2026, tmdb_id=1099))

    some = world.run(movies=frozenset({movie_key(1099), movie_key(1000)}))
    created = world.created
    world.run()

    assert (some.asked, created) == (4 + 3, 1)
    assert world.tags == truth()
    assert world.judged_pairs() == sorted([*everything(), *((name, "Movie 99") for name in NAMES)])


def test_a_page_that_is_with_anthropic_is_not_written_to_the_cache_again(world: BatchWorld) -> None:
    """A run in between hands over what is new, and nothing about the movies whose first answers are awaited."""
    world.claude.batches.polls = 9
    world.start()
    world.radarr.add_movie(MovieSeed(title="Movie 99", year=2026, tmdb_id=1099))

    between = world.start()
    report = world.run()

    assert (between.outcome, between.pending, world.open_batches()) == ("waiting", 164, 0)
    assert report.exit_code == 0
    writing = [request for request in world.claude.requests if request.usage["cache_creation_input_tokens"]]
    assert sorted(len(request.movies) for request in writing) == [1, 20, 20]
    assert world.judged_pairs() == sorted([*everything(), *((name, "Movie 99") for name in NAMES)])


def test_a_choice_made_while_a_batch_is_open(world: BatchWorld) -> None:
    """Its answers are used although there are other examples by now; the next questions show them, none is repeated."""
    assert world.start().outcome == "waiting"
    movie = Pin(
        key=movie_key(1001),
        slug=Slug("heist"),
        include=True,
        title="Movie 1 (1951)",
        since=world.now,
        origin="command line",
    )
    ChoicesFile(world.state_dir).change(lambda choices: choices.with_pins(movie))

    world.go_on()
    asked = len(world.claude.requests)
    world.run()
    assert len(world.claude.requests) == asked
    assert 1 in world.numbers("kai-heist")

    world.radarr.add_movie(movies(41)[40])
    world.run()

    texts = {request.collection_name: request.collection_text for request in world.claude.requests[asked:]}
    assert "Belongs: Movie 1 (1951)\n" in texts["Heist"]
    assert "<examples>" not in texts["War"]
