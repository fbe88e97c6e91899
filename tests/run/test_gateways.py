"""Behind gateways that answer in other ways than Claude: nothing is paid twice, and what may be billed is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.claude_gateway import Gateway
from tests.asking.test_asking import spent_by
from tests.run.world import FOREVER, World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.problem import Problem
    from kometa_ai.core.report import RunReport

NAMES = ("Heist", "Space", "Noir")
EMPTY = Style(text='{"collection_name": "", "decisions": [], "excluded": []}')


@pytest.fixture
def wide(tmp_path: Path) -> Iterator[World]:
    """150 movies and three collections: three blocks, each asked about three times."""
    with World(tmp_path, movies(150)) as made:
        made.collections(*map(block, NAMES))
        made.believe("Heist", range(5))
        yield made


def twice(report: RunReport) -> list[Problem]:
    """The warnings of what is paid twice."""
    return [warning for warning in report.warnings if "paid twice" in warning.what]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "gateway",
    [
        Gateway(dialect="no names"),
        Gateway(dialect="no blanks"),
        Gateway(dialect="no names, no blank lines"),
        Gateway(dialect="names, no blank lines"),
        Gateway(dialect="crlf"),
        Gateway(dialect="cr"),
        Gateway(dialect="comments"),
        Gateway(dialect="many lines"),
        Gateway(dialect="json lines"),
        Gateway(dialect="one name for all"),
        Gateway(dialect="no names", content_type="application/json"),
        Gateway(content_type="text/plain"),
        Gateway(streams="never"),
        Gateway(streams="always"),
        Gateway(streams="always", dialect="no names", content_type="application/json"),
        Gateway(streams="buffers"),
        Gateway(streams="never", content="text"),
        Gateway(streams="never", content="block"),
        Gateway(streams="never", content="texts"),
        Gateway(streams="buffers", content="text"),
        Gateway(streams="one event"),
        Gateway(streams="one event", content="text"),
    ],
    ids=str,
)
def test_other_forms_of_answers_cost_nothing(wide: World, gateway: Gateway) -> None:
    """Each question is asked once, the reported cost is right, and there is no problem to report."""
    wide.claude.gateway = gateway

    report = wide.run()

    assert len(wide.claude.requests) == 9
    assert report.cost_usd == pytest.approx(spent_by(wide.claude), abs=1e-5)
    assert (report.exit_code, report.unclear_requests) == (0, 0)
    assert [warning for warning in report.warnings if warning.source == "Claude"] == []
    assert wide.numbers("kai-heist") == set(range(5))


@pytest.mark.parametrize("dialect", ["empty data", "chat chunks", "nothing"])
def test_a_stream_that_says_nothing_is_not_asked_for_again(wide: World, dialect: str) -> None:
    """One answer each is lost of those on their way; then nothing is streamed any more, and the loss is told."""
    wide.claude.gateway = Gateway(dialect=dialect)  # type: ignore[arg-type]  # one of them
    wide.change(max_concurrent_requests=1)

    report = wide.run()

    assert [bool(request.body.get("stream")) for request in wide.claude.requests] == [True] + [False] * 9
    assert report.unclear_requests == 1
    assert report.cost_usd >= spent_by(wide.claude)
    assert report.month is not None
    assert report.month.cost_usd == pytest.approx(report.cost_usd, abs=1e-6)
    assert report.month.unclear_requests == 1
    assert [warning.what.startswith("1 request to the model") for warning in twice(report)] == [True]
    assert report.pending == 0


def test_a_refused_stream_is_asked_for_whole(wide: World) -> None:
    """Some endpoints refuse `stream`: the same question goes again without it, and no further one is streamed."""
    wide.claude.faults.add(
        Fault(status=400, message="streaming is not supported"), times=None, when=lambda r: bool(r.body.get("stream"))
    )
    wide.change(max_concurrent_requests=1)

    report = wide.run()

    assert (report.exit_code, len(wide.claude.requests), twice(report)) == (0, 10, [])


def test_what_an_unreadable_answer_has_used_is_in_the_cost(wide: World) -> None:
    """Whole runs without a verdict are not free: the usage of the messages counts, and the asking stops after five."""
    wide.claude.style = Style(text="I would rather talk about the weather.")

    report = wide.run()

    assert 5 <= len(wide.claude.requests) <= 8
    assert report.cost_usd == pytest.approx(spent_by(wide.claude), abs=1e-5)
    assert twice(report)
    assert any("answers in a row could not be read" in problem.what for problem in report.problems)


@pytest.mark.parametrize("fault", [Fault(drop=True, afterwards=True), faults.mid_stream(Fault(drop=True))], ids=str)
def test_an_answer_that_is_lost_may_be_billed(world: World, fault: Fault) -> None:
    """Also where the repetition succeeds: the cost is told as at least so much, and the month's sum holds it."""
    world.collections(block("Heist"), block("Space"))
    world.claude.faults.add(fault, times=1)

    report = world.run()

    assert (report.exit_code, report.pending, report.unclear_requests) == (0, 0, 1)
    assert report.month is not None
    assert report.month.unclear_requests == 1
    assert report.cost_usd >= 0.95 * spent_by(world.claude)
    assert len(twice(report)) == 1
    assert world.run().month == report.month


def test_whole_entries_of_a_cut_stream_are_kept(world: World) -> None:
    """The rest is asked about in a smaller request: what was read is not asked for again."""
    world.collections(block("Heist"), block("Space"))
    world.believe("Heist", range(40))
    world.claude.faults.add(faults.mid_stream(faults.OVERLOADED), times=1)

    report = world.run()

    first, *rest = [request.titles for request in world.claude.requests if request.collection_name == "Heist"]
    assert len(first) == 20
    assert any(0 < len(titles) < 20 for titles in rest)
    assert report.pending == 0
    assert world.numbers("kai-heist") == set(range(40))


# What is given up


def test_an_endpoint_that_says_nothing_blames_no_movie(world: World) -> None:
    """After three runs without any verdict everything is still asked, once the endpoint answers again."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    for style in (EMPTY, REFUSED, Style(text="no")):
        world.claude.style = style
        report = world.run()
        assert not any("not asked about any more" in problem.what for problem in report.problems)
    world.claude.style = Style()

    report = world.run()

    assert (report.exit_code, report.pending) == (0, 0)
    assert world.numbers("kai-heist") == {1}


def given_up(world: World) -> None:
    """Movie 13 is refused in three runs, beside others that are not."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 13])
    world.claude.queue_style(REFUSED, times=3 * 9, when=lambda r: "Movie 13" in r.titles)
    for _ in range(3):
        world.run()
    world.claude._styles.clear()
    world.claude.forget()


def test_another_model_is_asked_once_about_what_one_has_given_up(world: World) -> None:
    """And not again, where it does not answer either."""
    given_up(world)
    world.run()
    assert world.asked() == []

    world.change(claude_model="claude-opus-5-5")
    world.claude.queue_style(REFUSED, times=None, when=lambda r: "Movie 13" in r.titles)
    world.run()
    assert {title for _, title in world.asked()} == {"Movie 13"}
    world.run()

    assert world.claude.requests == []


def test_what_was_given_up_can_be_asked_again(world: World) -> None:
    """That alone, without a refresh of everything else."""
    given_up(world)

    report = world.run(ask_again=("given-up",))

    assert world.asked() == [("Heist", "Movie 13")]
    assert (report.exit_code, world.numbers("kai-heist")) == (0, {1, 13})


def test_second_looks_are_given_up_by_their_own_model(world: World) -> None:
    """After three runs in vain the first verdict stands; another model for the second look is asked once."""
    world.collections(block("Heist"))
    world.believe("Heist", range(4), confidence=0.7)
    world.believe("Heist", range(4, 8), confidence=0.72)
    is_second = {"when": lambda r: "second look" in r.collection_text and "Movie 2" in r.titles}
    world.claude.queue_style(REFUSED, times=None, **is_second)
    looks = []
    for _ in range(5):
        world.run()
        looks.append(sum("second look" in r.collection_text for r in world.claude.requests))
        world.claude.forget()
    assert looks[2]
    assert looks[3:] == [0, 0]
    world.claude._styles.clear()
    world.change(claude_review_model="claude-opus-5-5")

    world.run()

    assert [r.titles for r in world.claude.requests] == [("Movie 2",)]


# What gateways say


def said(world: World, fault: Fault) -> tuple[RunReport, Problem]:
    """The report of a run in which each question fails so, and its first problem."""
    world.collections(block("Heist"))
    world.change(max_concurrent_requests=1)
    world.claude.faults.add(fault, times=FOREVER)
    report = world.run()
    return report, report.problems[0]


def plain(status: int, body: str, kind: str = "application/json", **headers: str) -> Fault:
    """An answer word for word."""
    return Fault(status=status, raw=body, headers={"content-type": kind, **headers})


@pytest.mark.parametrize(
    "body",
    [
        '{"detail": "the words"}',
        '{"detail": [{"loc": ["body"], "msg": "the words", "type": "value_error"}]}',
        '{"message": "the words"}',
        '{"error": "the words"}',
        '{"error": {"message": "the words", "code": "400"}}',
        '{"errors": ["the words"]}',
        '[{"error": {"code": 400, "message": "the words"}}]',
        '{"error": {"type": "x", "error": {"message": "the words"}}}',
        "the words",
        "<html><head><title>the words</title></head></html>",
    ],
)
def test_the_sentence_of_an_error_is_found(world: World, body: str) -> None:
    """Whatever its form; and the remedy says more than that the next run asks again."""
    report, problem = said(world, plain(400, body))

    assert "the words" in problem.what
    assert report.exit_code == 1
    assert problem.remedy.partition(".")[0] != "Nothing changes for them; the next run asks again"


PAGE = "<html><head><title>Attention Required! | Wall</title></head><body>no</body></html>"


@pytest.mark.parametrize("status", [401, 403])
def test_a_firewall_is_not_a_wrong_key(world: World, status: int) -> None:
    """Its page is told as something in between."""
    report, problem = said(world, plain(status, PAGE, "text/html"))

    assert report.exit_code == 4
    assert "between" in problem.what
    assert "Attention Required! | Wall" in problem.what
    assert "CLAUDE_API_KEY" not in problem.remedy
    assert len(world.claude.requests) == 1


@pytest.mark.parametrize(
    ("body", "exit_code"),
    [
        ('{"type": "error", "error": {"type": "authentication_error", "message": "bad key"}}', 4),
        ('{"error": {"code": 402, "message": "This request requires more credits"}}', 4),
        ('{"error": {"code": "402", "message": "no"}}', 4),
        ('{"error": {"type": "insufficient_quota", "message": "no"}}', 4),
        ('{"error": {"type": "permission_error", "message": "no"}}', 4),
    ],
)
def test_an_error_under_status_200_is_what_it_says(world: World, body: str, exit_code: int) -> None:
    """And stops the run where every question would meet it."""
    report, problem = said(world, plain(200, body))

    assert report.exit_code == exit_code
    assert "is not Claude" not in problem.what
    assert (len(world.claude.requests), report.unclear_requests) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        '{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
        '{"error": {"code": 529, "message": "busy"}}',
        '{"error": {"type": "rate_limit_error", "message": "slow"}}',
    ],
)
def test_a_busy_endpoint_under_status_200_is_waited_for(world: World, body: str) -> None:
    """As under a status of its own; nothing is paid for it."""
    world.collections(block("Heist"))
    world.claude.faults.add(plain(200, body), times=1)

    report = world.run()

    assert (report.exit_code, report.unclear_requests) == (0, 0)


@pytest.mark.parametrize(
    "fault",
    [
        plain(400, '{"error": {"message": "Budget has been exceeded! Current cost: 5.1, Max budget: 5.0"}}'),
        plain(429, '{"error": {"message": "ExceededBudget: Budget has been exceeded", "type": "budget_exceeded"}}'),
        plain(429, '{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}'),
        plain(403, '{"error": {"message": "Insufficient credits. Add more at the console."}}'),
        plain(402, '{"detail": "pay"}'),
        plain(402, "<html><title>Payment Required</title></html>", "text/html"),
    ],
    ids=lambda fault: fault.raw[:40],
)
def test_a_spent_budget_stops_the_run(world: World, fault: Fault) -> None:
    """Like spent credit, after one question, with what to do."""
    report, problem = said(world, fault)

    assert (report.exit_code, len(world.claude.requests)) == (4, 1)
    assert "budget" in problem.remedy


@pytest.mark.parametrize("status", [407, 301, 307, 405])
def test_a_way_that_leads_nowhere_stops_the_run(world: World, status: int) -> None:
    """A proxy that wants a password, a redirect, another service: one question, and what to set."""
    report, problem = said(world, plain(status, "", location="https://elsewhere.example/login"))

    assert (report.exit_code, len(world.claude.requests)) == (4, 1)
    assert any(word in problem.remedy for word in ("HTTPS_PROXY", "CLAUDE_BASE_URL"))


def test_what_is_said_holds_no_key(world: World) -> None:
    """Also where the cut falls into it."""
    key = "sk-gateway-0123456789abcdef0123456789"
    world.change(claude_api_key=key)
    world.claude.api_key = key
    report, problem = said(world, plain(401, '{"message": "' + "p" * 280 + " " + key + '"}'))

    assert report.exit_code == 4
    assert "pppp" in problem.what
    assert key[:12] not in problem.what


# Models


@pytest.mark.parametrize("is_there", [True, False])
def test_a_doubtful_model_is_told_where_it_is_not_there(world: World, *, is_there: bool) -> None:
    """The list of a gateway stops nothing: questions that are answered disprove it, and a 404 stops the run."""
    world.collections(block("Heist"))
    world.claude.faults.add(plain(404, '{"detail": "Not Found"}'), times=None, path="/v1/models/*")
    world.claude.faults.add(plain(200, '{"data": [{"id": "claude-sonnet-5-4"}]}'), times=None, path="/v1/models")
    if not is_there:
        world.claude.faults.add(faults.UNKNOWN_MODEL, times=None)

    report = world.run()

    told = [warning for warning in report.warnings if warning.source == "CLAUDE_MODEL"]
    assert report.exit_code == (0 if is_there else 4)
    assert [warning.severity for warning in told] == ([] if is_there else ["warning"])
