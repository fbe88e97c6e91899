"""Every command of the command line, from outside: results on stdout, logs on stderr, exit codes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kometa_ai.cli.output import print_json
from kometa_ai.core.batches import BatchedQuestion, OpenBatch
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.daemon import heartbeat
from kometa_ai.jobs.estimate import duration
from kometa_ai.kometa.block_keys import BLOCK_KEYS
from kometa_ai.providers.port import Usage
from kometa_ai.standins import claude_faults
from kometa_ai.standins.faults import html_page
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.ollama import OllamaStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.state.lock import StateLock
from kometa_ai.state.schema import BatchPlanned, Judged
from kometa_ai.state.store import Store
from tests.notification.support import Hooks
from tests.run.world import FOREVER, World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


NONSENSE = claude_faults.Fault(status=200, raw='{"input_tokens": 0}', headers={"content-type": "application/json"})


def test_a_run_shows_its_result(world: World, call: Call) -> None:
    """The result is on stdout, plain and without colours when piped; the log is on stderr, one JSON object a line."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])

    ended = call("--run-now")

    assert ended.code == 0
    assert "Heist" in ended.out
    assert "Movie 1 (1951)" in ended.out
    assert "\x1b" not in ended.out + ended.err
    events = [json.loads(line) for line in ended.err.splitlines()]
    assert {"timestamp", "level", "event", "run_id"} <= set(events[-1])
    assert "run.ended" in {event["event"] for event in events}
    assert world.numbers("kai-heist") == {1, 2}


def test_a_run_as_json(world: World, call: Call) -> None:
    """--output json gives the whole report."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])

    data = call("--run-now", "--output", "json").data

    assert data["exit_code"] == 0
    assert [movie["title"] for movie in data["collections"][0]["added"]] == ["Movie 1", "Movie 2"]
    assert data["collections"][0]["members"] == 2
    assert data["tokens"]["requests"] == 1


@pytest.mark.parametrize("arguments", [("--dry-run",), ("--run-now", "--dry-run")])
def test_a_dry_run(world: World, call: Call, arguments: tuple[str, ...]) -> None:
    """With or without --run-now: shows, writes nothing, sends no mail."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])

    with Mailbox() as mailbox:
        ended = call(*arguments, **mail(mailbox))

    assert ended.code == 0
    assert "would be added" in ended.out
    assert world.radarr.writes == []
    assert mailbox.received == []


def mail(mailbox: Mailbox) -> dict[str, str]:
    """The settings that lead to a mail box."""
    return {
        "SMTP_SERVER": mailbox.host,
        "SMTP_PORT": str(mailbox.port),
        "NOTIFICATION_RECIPIENTS": "you@example.org",
    }


def test_a_run_beside_the_daemon_tells_when_that_runs_next(world: World, call: Call) -> None:
    """And without one, that there is none: in the data and in the mail."""
    world.collections(block("Heist"))
    heartbeat.beat(world.state_dir, {"next_run": "2026-12-01T03:00:00+00:00"})

    with Mailbox() as mailbox:
        beside = call("--run-now", "--output", "json", **mail(mailbox)).data
        heartbeat.end(world.state_dir)
        alone = call("--run-now", "--output", "json", **mail(mailbox)).data
        texts = [one.message.get_body(("plain",)).get_content() for one in mailbox.received]  # type: ignore[union-attr]

    assert beside["next_run"].startswith("2026-12-01T03:00:00")
    assert alone["next_run"] is None
    assert ["2026-12-01 03:00" in text for text in texts] == [True, False]
    assert ["no daemon is running" in text for text in texts] == [False, True]


def test_a_run_is_reported_by_mail(world: World, call: Call) -> None:
    """A real run sends its report; a dead mail server is said and fails nothing."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])

    with Mailbox() as mailbox:
        assert call("--run-now", **mail(mailbox)).code == 0
    ended = call("--run-now", "--output", "json", **mail(mailbox))

    (message,) = mailbox.received
    assert message.message["Subject"] == "Kometa-AI: 1 added in 1 collection"
    assert ended.code == 0
    assert any("SMTP" in warning["source"] for warning in ended.data["warnings"])


def test_a_run_is_pushed(world: World, call: Call) -> None:
    """A webhook gets the report; the test message says of each address what happened to it."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])

    with Hooks() as hooks:
        ended = call("--run-now", APPRISE_URLS=hooks.url("json", "here"))
        tested = call("--test-notification", APPRISE_URLS=f"{hooks.url('json', 'here')},slack://half")

    (path, report), _ = hooks.received
    assert ended.code == 0
    assert (path, report["title"]) == ("here", "Kometa-AI: 1 added in 1 collection")
    assert "Movie 1" in report["message"]
    assert tested.code == 1
    assert tested.out == (
        "json (APPRISE_URLS, address 1): sent. JSON took it.\n"
        "slack (APPRISE_URLS, address 2): failed. Not sent: "
        "Apprise cannot read this address. Compare it with Apprise's page on that service.\n"
    )


def test_collection_implies_a_run(world: World, call: Call) -> None:
    """--collection alone does one run of that collection; an unknown one is wrong usage."""
    world.collections(block("Heist"), block("Space"))

    assert call("--collection", "space").code == 0
    assert {name for name, _ in world.asked()} == {"Space"}
    ended = call("--collection", "Western")
    assert ended.code == 2
    assert "Heist, Space" in ended.err


def test_every_settings_problem_at_once(call: Call) -> None:
    """Exit 2, and each wrong or missing variable is named, in text and in JSON."""
    wrong = {"RADARR_URL": "", "CLAUDE_API_KEY": "", "BATCH_SIZE": "900", "TZ": "Mars/Olympus"}

    ended = call("--run-now", **wrong)
    as_json = call("--run-now", "--output", "json", **wrong)

    assert (ended.code, as_json.code) == (2, 2)
    assert all(name in ended.err for name in wrong)
    assert {problem["source"] for problem in as_json.data["problems"]} == set(wrong)
    assert "Traceback" not in ended.err


def test_a_missing_kometa_folder_is_a_configuration_problem(call: Call) -> None:
    """CONFIG_DIR that is not there: exit 2 with its name."""
    ended = call("--run-now", CONFIG_DIR="/nowhere/at/all")

    assert ended.code == 2
    assert "CONFIG_DIR" in ended.out + ended.err


def test_a_radarr_that_is_none(world: World, call: Call) -> None:
    """HTML in place of Radarr: exit 3, one clear sentence, no traceback."""
    world.collections(block("Heist"))
    world.radarr.faults.inject(html_page(), path="*", times=None)

    ended = call("--run-now")

    assert ended.code == 3
    assert "RADARR_URL" in ended.out
    assert "Traceback" not in ended.out + ended.err


def test_a_wrong_radarr_key(world: World, call: Call) -> None:
    """A refused key: exit 3 at once, and the key itself is nowhere to be seen."""
    world.collections(block("Heist"))

    ended = call("--run-now", RADARR_API_KEY="f" * 32)

    assert ended.code == 3
    assert "RADARR_API_KEY" in ended.out
    assert "f" * 32 not in ended.out + ended.err


def test_claude_without_credit(world: World, call: Call) -> None:
    """No credit: exit 4 after a single request."""
    world.collections(block("Heist"), block("Space"))
    world.claude.faults.add(claude_faults.CREDIT_BALANCE, times=FOREVER)

    ended = call("--run-now")

    assert ended.code == 4
    assert "credit" in ended.out
    assert len(world.claude.requests) == 1


def test_a_newer_state_is_not_touched(world: World, call: Call) -> None:
    """A state of a newer version: exit 5, the file as it was; --reset-state keeps it as a backup."""
    world.collections(block("Heist"))
    newer = '{"version": "9.0.0", "state_format_version": 99, "decisions": {}}'
    (world.state_dir / "kometa_state.json").write_text(newer)

    ended = call("--run-now")

    assert ended.code == 5
    assert (world.state_dir / "kometa_state.json").read_text() == newer
    assert world.claude.requests == []
    assert call("--reset-state").code == 0
    assert [path.read_text() for path in world.state_dir.glob("*.reset-*")] == [newer]
    assert call("--run-now").code == 0


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_newer_state_lets_no_daemon_begin(world: World, call: Call, blank: str) -> None:
    """It would be healthy, though no run of it could begin: exit 5, and --check-config names it as a problem."""
    world.collections(block("Heist"))
    newer = f'{{"version": "9.0.0",{blank}"state_format_version":{blank}99, "decisions": {{}}}}'
    (world.state_dir / "kometa_state.json").write_text(newer)

    daemon = call(HTTP_PORT="0")
    check = call("--check-config")

    assert daemon.code == 5
    assert "has format 99" in daemon.err
    assert "All in order" not in check.out
    assert "has format 99" in " ".join(check.out.split())
    assert check.code == 2
    assert (world.state_dir / "kometa_state.json").read_text() == newer


def test_another_run_is_in_progress(world: World, call: Call) -> None:
    """Exit 6, naming the holder."""
    world.collections(block("Heist"))

    with StateLock(world.state_dir):
        ended = call("--run-now")

    assert ended.code == 6
    assert re.search(r"process \d+ on \S+, since 20", ended.err)


def test_options_that_exclude_each_other(call: Call) -> None:
    """Two commands at once, or a run's option beside another command, are wrong usage."""
    assert call("--pins", "--dump-state").code == 2
    assert call("--pins", "--force-refresh").code == 2
    assert call("--batch-size", "301", "--run-now").code == 2
    assert call("--no-such-option").code == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--no-such-option",), "No such option '--no-such-option'."),
        (("--run-now", "--batch-size", "301"), "301 is not in the range 1<=x<=300"),
        (("--run-now", "heist"), "Got unexpected extra argument (heist)"),
        (("--pins", "--undo"), "requires an argument"),
        (("--pins", "--force-refresh"), "--force-refresh has no meaning with --pins."),
    ],
)
@pytest.mark.parametrize("form", [("--output", "json"), ("--output=json",)])
def test_wrong_usage_is_told_to_scripts(
    call: Call, arguments: tuple[str, ...], error: str, form: tuple[str, ...]
) -> None:
    """Whoever finds it, click or the program: the same object as for every error on stdout, and exit code 2."""
    ended = call(*form, *arguments)

    assert ended.code == 2
    assert set(ended.data) == {"outcome", "exit_code", "error", "remedy", "problems"}
    assert (ended.data["outcome"], ended.data["exit_code"], ended.data["problems"]) == ("error", 2, [])
    assert error in ended.data["error"]
    assert ended.data["remedy"]
    assert f"Error: {ended.data['error']}" in ended.err
    assert call(*arguments).out == ""


def test_estimate_costs_nothing(world: World, call: Call) -> None:
    """Pending decisions with their reasons and a forecast, without a call to Claude or a write, also without key."""
    world.collections(block("Heist"), block("Space"))

    ended = call("--estimate", "--output", "json", CLAUDE_API_KEY="")

    assert ended.code == 0
    assert ended.data["pending"] == 24
    assert [c["reasons"] for c in ended.data["collections"]] == [{"new": 12}, {"new": 12}]
    assert 0 < ended.data["batches_cost_usd"] < ended.data["cost_usd"] < 1
    assert "no key for Claude" in ended.data["basis"]
    assert world.claude.calls == []
    assert world.radarr.writes == []
    assert list(world.state_dir.iterdir()) == []
    assert "24 decisions pending" in call("--estimate").out


def test_an_estimate_of_nothing_forecasts_nothing(world: World, call: Call) -> None:
    """Where all is decided it ends with that: requests, tokens and what a forecast rests on are of no use then."""
    world.collections(block("Heist"))
    call("--run-now")

    shown = call("--estimate").out

    assert shown.rstrip().endswith("0 decisions pending: a run would ask nothing, and cost nothing.")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--estimate", "No collection takes part, so a run would ask nothing.\nProblem movies.yml:"),
        ("--audit", "Nothing was answered\n"),
    ],
)
def test_where_no_collection_takes_part_there_is_no_table(world: World, call: Call, command: str, said: str) -> None:
    """Every block is broken: what is said comes first, and no table without a line."""
    world.collections(block("Heist", promt="Heists."), block("Space", promt="Space."))

    ended = call(command)

    assert ended.out.startswith(said)
    assert "──" not in ended.out


def test_the_estimate_says_where_some_pay_for_what_others_would_share(world: World, call: Call) -> None:
    """One of two collections that is asked about by force costs more than its share, and the estimate says so."""
    world.collections(block("Heist"), block("Space"))
    call("--run-now")
    together = {"COLLECTIONS_PER_REQUEST": "auto"}
    whole = call("--estimate", "--force-refresh", **together)
    alone = call("--estimate", "--force-refresh", "--collection", "Heist", **together)
    cost = call("--estimate", "--force-refresh", "--output", "json", **together).data["cost_usd"]
    part = call("--estimate", "--force-refresh", "--collection", "Heist", "--output", "json", **together).data

    assert part["cost_usd"] > cost / 2
    assert part["is_apart"] is True
    assert "More than a share of a whole run" in alone.out
    assert "More than a share" not in whole.out
    assert "More than a share" not in call("--estimate", "--collection", "Heist", **together).out


def test_the_estimate_of_a_local_model_is_in_time(world: World, call: Call) -> None:
    """Nothing to pay, nothing through batches, and how long it takes; the model's server need not be there."""
    world.collections(*(block(f"Collection {n}") for n in range(5)))
    local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": "127.0.0.1:9"}

    found = call("--estimate", "--output", "json", **local).data
    shown = call("--estimate", **local).out

    assert (found["model"], found["cost_usd"], found["batches_cost_usd"]) == ("ollama/qwen3:14b", 0.0, None)
    assert re.search(r"about \d+ minutes? at 1,000 tokens a second read and 40 written", found["basis"])
    assert (found["is_free"], found["problems"]) == (True, [])
    assert found["hours"] > 0
    assert ": free" in " ".join(shown.split())
    assert "$" not in shown


def test_an_estimate_counts_the_second_looks_of_a_dear_model(world: World, call: Call) -> None:
    """A free model first and a paid one for close calls is not free: it tells how many, by which, for how much."""
    world.collections(*(block(f"Collection {n}") for n in range(9)))
    local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": "127.0.0.1:9"}

    found = call("--estimate", "--output", "json", LLM_REVIEW_MODEL="claude/claude-sonnet-5-5", **local).data
    alone = call("--estimate", "--output", "json", **local).data
    shown = " ".join(call("--estimate", LLM_REVIEW_MODEL="claude/claude-sonnet-5-5", **local).out.split())

    assert (alone["second_looks"], alone["second_looks_cost_usd"], alone["is_free"]) == (1, 0.0, True)
    assert (found["second_looks"], found["review_model"], found["is_free"]) == (1, "claude-sonnet-5-5", False)
    assert found["requests"] == alone["requests"]
    assert 0 < found["cost_usd"] == found["second_looks_cost_usd"] < 0.05
    assert 0 < found["hours"] < alone["hours"]
    assert "requests to ollama/qwen3:14b and claude-sonnet-5-5" in shown
    assert re.search(r"Of these about 1 second look by claude-sonnet-5-5, about \$0\.0", shown)
    assert ": free" not in shown


def test_an_estimate_prices_second_looks_that_are_due(world: World, call: Call) -> None:
    """What a run has left is only second looks: they are requests, and cost something."""
    world.believe("Heist", [1, 2, 3], 0.65)
    world.collections(block("Heist"))
    assert call("--run-now").code == 0
    store = Store.load(world.state_dir)
    for key, known in list(store.memory.items()):
        for slug, decision in known.collections.items():
            if decision.second_look:
                store.record(Judged(key=key, slug=slug, decision=replace(decision, second_look="due")))

    found = call("--estimate", "--output", "json").data

    assert found["pending"] == found["second_looks"] == 3
    assert found["requests"] == 1
    assert found["cost_usd"] == found["second_looks_cost_usd"] > 0


def test_an_estimate_speaks_of_the_context_that_the_run_announces(world: World, call: Call) -> None:
    """Long records: the forecast looks at the model with the run's own bounds, and says the same as the run."""
    world.collections(block("Heist"))
    service = OllamaStandIn()

    with serve(service.app) as url:
        local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": url, "BATCH_SIZE": "12"}
        foretold = call("--estimate", "--output", "json", OLLAMA_CONTEXT_LENGTH="2048", **local).data["problems"]
        told = call("--run-now", "--output", "json", OLLAMA_CONTEXT_LENGTH="2048", **local).data["warnings"]

    size = r"a page needs about ([\d,]+)"
    (before,), (then,) = (
        [found[1] for each in those if (found := re.search(size, each["what"]))] for those in (foretold, told)
    )
    assert before == then


def test_the_estimate_tells_of_a_context_that_is_too_small(world: World, call: Call) -> None:
    """A local model is looked at by free calls: where a page does not fit it is said, with what does."""
    world.collections(block("Heist"))
    service = OllamaStandIn()

    with serve(service.app) as url:
        local = {"LLM_PROVIDER": "ollama", "LLM_MODEL": "qwen3:14b", "OLLAMA_HOST": url, "BATCH_SIZE": "12"}
        small = call("--estimate", "--output", "json", OLLAMA_CONTEXT_LENGTH="2048", **local)
        enough = call("--estimate", "--output", "json", **local)

    (problem,) = small.data["problems"]
    assert "BATCH_SIZE" in problem["remedy"]
    assert (small.code, enough.code) == (1, 0)
    assert enough.data["problems"] == []
    assert service.requests == []


def test_the_estimate_says_what_a_limit_does_without_a_price(world: World, call: Call) -> None:
    """A model whose price is not known is not asked under a limit, and that is said beforehand."""
    world.collections(block("Heist"))
    unknown = {"LLM_MODEL": "claude-of-tomorrow", "MAX_COST_PER_RUN": "1"}

    found = call("--estimate", "--output", "json", **unknown).data
    without = call("--estimate", "--output", "json", LLM_MODEL="claude-of-tomorrow").data

    assert found["cost_usd"] is None
    assert [problem["source"] for problem in found["problems"]] == ["MAX_COST_PER_RUN"]
    assert without["problems"] == []
    assert "no known price" in call("--estimate", **unknown).out


def test_the_estimate_counts_decisions_of_other_models(world: World, call: Call) -> None:
    """After a change of model its predecessor's decisions stand: none is pending, and their number is told."""
    world.collections(block("Heist"))
    assert call("--run-now").code == 0

    found = call("--estimate", "--output", "json", LLM_MODEL="claude-haiku-5-5").data

    assert (found["pending"], found["decisions_by_other_models"]) == (0, 12)
    assert "By another model: 12 decisions" in call("--estimate", LLM_MODEL="claude-haiku-5-5").out


def test_an_estimate_names_batches_only_where_there_are_some(world: World, call: Call) -> None:
    """OpenAI's models have a price, and no batches that this program uses."""
    world.collections(block("Heist"))

    found = call("--estimate", "--output", "json", LLM_PROVIDER="openai", OPENAI_API_KEY="key").data

    assert found["cost_usd"] > 0
    assert found["batches_cost_usd"] is None
    assert " minutes" not in found["basis"]


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(input_tokens=60_000, cache_read_tokens=10**9, output_tokens=2_400), "about 2 minutes at"),
        (Usage(cache_write_tokens=1), "about 1 minute at"),
        (Usage(input_tokens=3_600_000, output_tokens=2 * 144_000), "about 3.0 hours at"),
    ],
)
def test_a_local_model_takes_its_time(usage: Usage, told: str) -> None:
    """A thousand tokens a second are read, what is kept not again, and forty written."""
    assert duration(usage).startswith(told)


def test_the_estimate_lets_claude_count(world: World, call: Call) -> None:
    """A handful of free counts, which the forecast says it is made from, and nothing that is billed."""
    world.collections(*(block(f"Collection {n}") for n in range(5)))

    basis = call("--estimate", "--output", "json", BATCH_SIZE="2").data["basis"]

    assert "Claude counted in a sample (3.5 characters a token)" in basis
    assert {call.path for call in world.claude.calls} == {"/v1/messages/count_tokens"}
    assert len(world.claude.calls) == 6
    assert world.claude.usage_totals() == {}


@pytest.mark.parametrize("fault", [claude_faults.BAD_KEY, claude_faults.OVERLOADED, NONSENSE])
def test_the_estimate_says_why_nothing_was_counted(world: World, call: Call, fault: claude_faults.Fault) -> None:
    """Whatever is in the way of counting, there is a forecast, and it says that it assumes."""
    world.collections(block("Heist"))
    world.claude.faults.add(fault, times=FOREVER, path="*")

    ended = call("--estimate", "--output", "json")

    assert ended.code == 0
    assert "assuming 3.3 characters a token, since they could not be counted (" in ended.data["basis"]
    assert ended.data["cost_usd"] > 0
    assert len(world.claude.calls) <= 2


@pytest.mark.parametrize("key", ["key", ""])
def test_the_estimate_is_close(world: World, call: Call, key: str) -> None:
    """What the run then costs is near the forecast, and nearer where Claude has counted."""
    for number in range(5):
        world.believe(f"Collection {number}", [number])
    world.collections(*(block(f"Collection {n}") for n in range(5)))
    forecast = call("--estimate", "--output", "json", CLAUDE_API_KEY=key).data["cost_usd"]

    cost = call("--run-now", "--output", "json").data["cost_usd"]

    factor = 1.5 if key else 2
    assert forecast / factor < cost < forecast * factor


def test_cancel_batches(world: World, call: Call) -> None:
    """Says of each open batch what became of it, in words and as JSON; needs no Radarr, but the lock and a key."""
    world.collections(block("Heist"))
    assert call("--cancel-batches").out == "There are no open batches.\n"
    open_batch = OpenBatch(
        key="k",
        id="msgbatch_gone",
        model="m",
        planned=datetime(2026, 3, 1, tzinfo=UTC),
        pages=(((movie_key(1000), "hash"),),),
        questions=(BatchedQuestion(id="q", page=0, slug=Slug("heist"), prompt_hash="p"),),
    )
    Store.load(world.state_dir).record(BatchPlanned(batch=open_batch))

    ended = call("--cancel-batches", RADARR_URL="", RADARR_API_KEY="")
    as_json = call("--cancel-batches", "--output", "json")

    assert ended.code == as_json.code == 0
    assert "msgbatch_gone, 1 question, handed over 2026-03-01 00:00 UTC: unknown." in ended.out
    assert [(b["id"], b["outcome"]) for b in as_json.data["batches"]] == [("msgbatch_gone", "unknown")]
    assert call("--cancel-batches", CLAUDE_API_KEY="").code == 2
    assert call("--cancel-batches", "--force-refresh").code == 2
    with StateLock(world.state_dir):
        assert call("--cancel-batches").code == 6


def test_check_config(world: World, call: Call) -> None:
    """0 in order, 1 with warnings, 2 with problems: each with file, line and remedy; settings and files together."""
    world.collections(block("Heist") + "    radarr_taglist: kai-heist\n")
    assert call("--check-config").code == 0
    world.collections(block("Heist"))
    ended = call("--check-config")
    assert ended.code == 1
    assert "movies.yml:" in ended.out
    assert "radarr_taglist" in ended.out
    world.collections(block("Heist", confidence_threshold=7, promt="x"))
    ended = call("--check-config", "--output", "json", BATCH_SIZE="0")
    assert ended.code == 2
    assert {p["source"] for p in ended.data["problems"]} == {"BATCH_SIZE", "movies.yml"}
    assert {p["line"] for p in ended.data["problems"] if "line" in p} == {6, 7}
    assert world.radarr.list_reads == []


def test_dump_config_hides_secrets(world: World, call: Call) -> None:
    """Settings with their sources and all collections; no secret, not even inside a URL."""
    world.collections(block("Heist", priority=4), block("Off").replace("enabled: true", "enabled: false"))
    url = world.environ["RADARR_URL"].replace("http://", "http://user:geheim@")

    ended = call("--dump-config", RADARR_URL=url, SMTP_PASSWORD="pass word")

    assert ended.code == 0
    assert "geheim" not in ended.out
    assert "pass word" not in ended.out
    assert world.environ["RADARR_API_KEY"] not in ended.out
    assert ended.data["settings"]["RADARR_URL"]["source"] == "environment"
    assert ended.data["settings"]["BATCH_SIZE"] == {"value": None, "source": "default"}
    assert ended.data["models"] == {
        "model": "claude-sonnet-5-5",
        "review_model": "claude-sonnet-5-5",
        "batch_size": 50,
        "max_concurrent_requests": 4,
    }
    assert [(c["name"], c["enabled"]) for c in ended.data["collections"]] == [("Heist", True), ("Off", False)]


def test_dump_config_shows_every_key_of_a_block(world: World, call: Call) -> None:
    """Each key that a block may hold is in the dump, with the value that the block gives it; `media` as the kind."""
    given = {"confidence_threshold": 0.65, "priority": 4, "tag": "KAI-other"}
    lists = {
        "libraries": ["radarr-4k"],
        "include_tags": ["4k", "crime"],
        "exclude_tags": ["kids"],
        "include_movies": ["tmdb:603", "Heat (1995)"],
        "exclude_movies": ["tt0133093"],
    }
    written = {key: json.dumps(value) for key, value in lists.items()}
    world.collections(block("Heist", "Thieves.", media="movies", **given, **written))

    (shown,) = call("--dump-config").data["collections"]

    of_shows: dict[str, list[str]] = {"include_shows": [], "exclude_shows": []}
    expected = {"enabled": True, "prompt": "Thieves.", **given, **lists, **of_shows}
    assert {*expected, "media"} == BLOCK_KEYS  # a new key is to be given a value here, too
    assert {key: shown.get(key) for key in expected} == expected
    assert (shown["kind"], shown["kind_because"]) == ("movie", "`media: movies`")


def test_dump_config_tells_the_kind_of_every_collection(world: World, call: Call) -> None:
    """Also of one that is off, and of one that has no library of its kind, which takes no part."""
    off = block("Off", media="shows").replace("enabled: true", "enabled: false")
    world.collections(block("Heist"), off, block("Series", media="shows"))

    dumped = call("--dump-config").data

    told = [(c["name"], c["kind"], c["kind_because"], c["is_served"]) for c in dumped["collections"]]
    assert told == [
        ("Heist", "movie", "no key says otherwise", True),
        ("Series", "show", "`media: shows`", False),
        ("Off", "show", "`media: shows`", False),
    ]
    left_alone = [warning for warning in dumped["warnings"] if "no Sonarr is set up" in warning["what"]]
    assert [warning["collection"] for warning in left_alone] == ["Series"]


@pytest.mark.parametrize("interval", ["1d", "2d", "1w", "1mo", "30m", "0 3 * * *"])
def test_dump_config_tells_the_next_run(world: World, call: Call, interval: str) -> None:
    """`next_run` is when a daemon with these settings starts, with its zone's offset; nothing is written."""
    ended = call("--dump-config", SCHEDULE_INTERVAL=interval, SCHEDULE_START_TIME="03:00", TZ="Asia/Kolkata")

    next_run = datetime.fromisoformat(ended.data["next_run"])
    assert ended.data["next_run"].endswith("+05:30")
    assert timedelta() < next_run - datetime.now(UTC) <= timedelta(days=1)
    assert interval == "30m" or (next_run.hour, next_run.minute) == (3, 0)
    assert not (world.state_dir / "schedule.json").exists()


def test_dump_config_counts_from_the_remembered_start(world: World, call: Call) -> None:
    """An interval that has begun goes on: the next run is two days after a start that the daemon remembers."""
    today = datetime.now(UTC).date()
    world.state_dir.mkdir(exist_ok=True)
    kept = {"interval": "2d", "anchor": (today - timedelta(days=1)).isoformat()}
    (world.state_dir / "schedule.json").write_text(json.dumps(kept), encoding="utf-8")

    ended = call("--dump-config", SCHEDULE_INTERVAL="2d", SCHEDULE_START_TIME="00:00", TZ="UTC")

    assert ended.data["next_run"] == f"{today + timedelta(days=1)}T00:00:00+00:00"


def test_dump_state(world: World, call: Call) -> None:
    """The specified JSON: decisions by TMDb id, each with tag, include, confidence, timestamp and its inputs."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    call("--run-now")

    state = call("--dump-state").data

    decision = state["decisions"]["movie:1001"]["collections"]["heist"]
    assert decision["tag"] == "KAI-heist"
    assert (decision["include"], decision["confidence"], decision["reasoning"]) == (True, 0.95, "so it is")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", decision["timestamp"])
    assert decision["metadata_hash"] == state["decisions"]["movie:1001"]["metadata_hash"]
    assert {"prompt_hash", "model", "threshold"} <= set(decision)
    assert state["state_format_version"] == 2
    assert state["last_successful_run"]
    assert [change["tag"] for change in state["tag_changes"]] == ["kai-heist"]
    assert state["collections"]["heist"]["status"] == "complete"


def test_explain(world: World, call: Call) -> None:
    """Why a movie is in or out of each collection, by title and year, TMDb id or IMDb id."""
    world.collections(block("Heist", exclude_movies="[tmdb:1002]"), block("Space"))
    world.believe("Heist", [1, 2])
    call("--run-now")

    for name in ("Movie 1 (1951)", "tmdb:1001", "tt0001001", "movie 1"):
        data = call("--explain", name, "--output", "json").data
        found = {c["slug"]: (c["belongs"], c["cause"], c["is_tagged"]) for c in data["collections"]}
        assert found == {"heist": (True, "verdict", True), "space": (False, "verdict", False)}
    ended = call("--explain", "tmdb:1002")
    assert "pinned out" in ended.out
    assert call("--explain", "No Such Film (1900)").code == 2
    assert 'Did you mean "Movie 1 (1951)"?' in call("--explain", "movie 1 (1961)").err
    assert 'Did you mean "Movie 1 (1951)"?' in call("--explain", "Movie-1").err
    assert 'Did you mean "Movie 10 (1960)" or ' in call("--explain", "Mvie 10").err


def test_explain_says_who_decided_and_when_by_the_clock_of_the_house(world: World, call: Call) -> None:
    """Also where a movie is plainly out; the time is that of TZ, and in JSON that of the whole world."""
    world.collections(block("Heist"))
    call("--run-now")

    (plain,) = call("--explain", "tmdb:1001", "--output", "json").data["collections"]
    shown = call("--explain", "tmdb:1001", TZ="Asia/Tokyo").out

    decided = datetime.fromisoformat(plain["decided"])
    in_tokyo = f"{decided + timedelta(hours=9):%Y-%m-%d %H:%M} JST"
    assert (plain["belongs"], plain["reason"], decided.utcoffset()) == (False, "", timedelta(0))
    assert f"claude-sonnet-5-5, {in_tokyo}" in shown


def test_explain_names_the_tags_that_decide(world: World, call: Call) -> None:
    """A movie that a tag keeps out or lets in is told with that tag, also where the tag is another collection's."""
    world.collections(
        block("First", priority=9, include_tags="[favourites]"),
        block("Second", include_tags="[favourites]", exclude_tags="[watched, KAI-first, other]"),
    )
    world.radarr.tag_by_hand(1001, "favourites")
    world.radarr.tag_by_hand(1001, "watched")
    world.radarr.tag_by_hand(1002, "favourites")

    first = call("--explain", "tmdb:1001", "--output", "json").data["collections"]
    second = call("--explain", "tmdb:1002")

    assert [(found["cause"], found["deciding_tags"]) for found in first] == [
        ("include tag", ["favourites"]),
        ("exclude tag", ["kai-first", "watched"]),
    ]
    assert "out (exclude tag: kai-first)" in second.out


def test_explain_tells_of_collections_that_cannot_be_read(world: World, call: Call) -> None:
    """A movie that is missed in a skipped collection: its block's problem is the answer."""
    world.collections(block("Heist"), block("Space", confidence_threshold="75"))

    ended = call("--explain", "tmdb:1001")

    assert ended.code == 1
    assert "Space: `confidence_threshold` holds '75'" in ended.out
    (problem,) = call("--explain", "tmdb:1001", "--output", "json").data["problems"]
    assert problem["collection"] == "Space"


@pytest.mark.parametrize("collection", ["HEIST", "KAI-Heist"])
def test_undo_takes_a_run_back_for_good(world: World, call: Call, collection: str) -> None:
    """Preview, undo, pins that hold against the next run, release."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    run_id = call("--run-now", "--output", "json").data["run_id"]
    world.radarr.untag_by_hand(1002, "kai-heist")

    preview = call("--undo", run_id, "--dry-run", "--output", "json").data
    assert preview["removed"] == [
        {"title": "Movie 1", "year": 1951, "key": "movie:1001", "tmdb_id": 1001, "tag": "kai-heist", "library": ""}
    ]
    assert [movie["tmdb_id"] for movie in preview["left"]] == [1002]
    assert world.numbers("kai-heist") == {1}

    undone = call("--undo", run_id)
    assert undone.code == 0
    assert "Movie 1 (1951): kai-heist taken off again\n" in undone.out
    assert f"1 change of run {run_id} undone.\n" in undone.out
    assert world.numbers("kai-heist") == set()
    call("--run-now")
    assert world.numbers("kai-heist") == set()
    pins = call("--pins").out
    assert "Movie 1 (1951)" in pins
    assert "Movie 2 (1952)" in pins  # what was taken off by hand is no part of the undo, and not forgotten over it
    assert call("--release-pin", "tmdb:1002").code == 0
    assert call("--release-pin", "tmdb:1001", "--collection", collection).code == 0
    assert call("--release-pin", "tmdb:1001").code == 2
    call("--run-now")
    assert world.numbers("kai-heist") == {1, 2}
    assert call("--undo", "20000101-000000-abcd").code == 2


def test_a_test_message(call: Call) -> None:
    """--test-notification says of each receiver what happened."""
    with Mailbox(refuse=["bad@example.org"]) as mailbox:
        settings = {**mail(mailbox), "NOTIFICATION_RECIPIENTS": "good@example.org, bad@example.org"}
        ended = call("--test-notification", **settings)

    assert ended.code == 1
    assert len(mailbox.received) == 1
    assert re.search(r"good@example\.org: sent", ended.out)
    assert re.search(r"bad@example\.org: failed", ended.out)
    (told,) = call("--test-notification", "--output", "json", APPRISE_URLS="slack://half").data
    assert told["channel"] == "slack (APPRISE_URLS, address 1)"
    assert told["is_delivered"] is False
    assert "Apprise cannot read this address" in told["outcome"]


def test_health(world: World, call: Call) -> None:
    """0 while the state can be written, 1 when its folder is missing, 2 for settings that no daemon can use."""
    assert call("--health-check").code == 0
    assert call("--health-check", STATE_DIR=str(world.folder / "missing")).code == 1
    assert call("--health-check", CLAUDE_API_KEY="").code == 2
    assert call("--health-check", STATE_DIR_FILE=str(world.folder / "missing")).code == 2


def test_health_beside_a_daemon(world: World, call: Call) -> None:
    """A daemon that lives has its settings, though a secret's file is gone by now; its own problem is one."""
    (world.state_dir / "heartbeat").write_text('{"pid": 7}')
    alive = call("--health-check", CLAUDE_API_KEY="", CLAUDE_API_KEY_FILE=str(world.folder / "gone"))
    (world.state_dir / "heartbeat").write_text('{"pid": 7, "problem": "A run hangs."}')
    hangs = call("--health-check")

    assert alive.code == 0
    assert (hangs.code, "A run hangs." in hangs.out) == (1, True)


@pytest.mark.parametrize("content", [b"", b"{}", b"\0" * 40, b'{"pid": -1}', b'{"pid": 7, "problem": 7}'])
def test_health_beside_a_file_that_no_daemon_writes(world: World, call: Call, content: bytes) -> None:
    """A fresh file in the heartbeat's place is no sign of life: the check says what it is and what to do."""
    (world.state_dir / "heartbeat").write_bytes(content)
    found = call("--health-check")

    assert found.code == 1
    assert "is not what a daemon writes" in found.out
    assert "remove the file" in found.out


def test_health_where_nothing_can_be_written(world: World, call: Call) -> None:
    """Without a daemon that would notice it, the check writes: a folder's rights say nothing of a disk."""
    (world.state_dir / "..probe.new.new").mkdir()  # where the check would write
    found = call("--health-check")

    assert found.code == 1
    assert "cannot be written: " in found.out


def test_health_beside_what_is_no_file(world: World, call: Call) -> None:
    """A link, a folder and a FIFO are refused at once, and a heartbeat from a time to come is no sign of life."""
    place = world.state_dir / "heartbeat"
    makers: list[Callable[[], object]] = [
        lambda: place.symlink_to(world.folder / "elsewhere"),
        place.mkdir,
        lambda: os.mkfifo(place),
    ]
    for make in makers:
        make()
        found = call("--health-check")
        assert (found.code, "is not what a daemon writes" in found.out) == (1, True)
        place.rmdir() if place.is_dir() else place.unlink()
    place.write_text('{"pid": 7}')
    later = time.time() + 3600
    os.utime(place, (later, later))
    ahead = call("--health-check")

    assert (ahead.code, "ahead of the clock" in ahead.out) == (1, True)


def test_a_reader_that_goes_away(world: World, call: Call) -> None:
    """The log file holds the run as JSON lines with its run_id, and no secret."""
    world.collections(block("Heist"))
    call("--run-now", DEBUG_LOGGING="true")

    text = (world.folder / "logs" / "kometa-ai.log").read_text()

    lines = [json.loads(line) for line in text.splitlines()]
    assert {"radarr.call", "claude.call"} <= {line["event"] for line in lines}
    assert world.environ["RADARR_API_KEY"] not in text


def test_a_key_that_a_service_repeats_is_hidden(world: World, call: Call) -> None:
    """Claude and Radarr may quote the key they refuse: it is neither shown nor kept."""
    world.collections(block("Heist"))
    world.claude.faults.add(
        claude_faults.Fault(status=401, error_type="authentication_error", message="invalid x-api-key sk-geheim-1234"),
        times=FOREVER,
        path="*",
    )

    ended = call("--run-now", CLAUDE_API_KEY="sk-geheim-1234")

    assert ended.code == 4
    assert "geheim" not in ended.out + ended.err
    kept = b"".join(path.read_bytes() for path in world.state_dir.rglob("*") if path.is_file())
    assert b"geheim" not in kept
    assert b"invalid x-api-key" in kept


def test_the_time_of_a_run_is_limited(world: World, call: Call) -> None:
    """RUN_TIMEOUT ends the asking: what is decided is carried out, the rest is left, and the report says so."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    world.claude.latency = 0.7

    ended = call("--run-now", "--output", "json", RUN_TIMEOUT="1s", BATCH_SIZE="1", MAX_CONCURRENT_REQUESTS="1")

    assert ended.code == 1
    assert [problem["source"] for problem in ended.data["problems"]] == ["RUN_TIMEOUT"]
    assert 0 < ended.data["collections"][0]["pending"] < 12
    world.claude.latency = 0
    assert call("--run-now").code == 0
    assert world.numbers("kai-heist") == {1}


def test_the_demo_has_no_json(call: Call) -> None:
    """A story is no result."""
    assert call("--demo", "--output", "json").code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
@pytest.mark.parametrize("arguments", [["--run-now"], ["--run-now", "--output", "json"], ["--dump-config"], ["--help"]])
def test_output_that_cannot_be_written_is_told_in_a_sentence(world: World, arguments: list[str]) -> None:
    """On a full disk the exit code is 1 and stderr says which stream took nothing; what was asked for has been done."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])

    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, "-m", "kometa_ai", *arguments],
            env={**os.environ, **world.environ},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert "could not be written to standard output: No space left on device" in ended.stderr
    assert "unexpected" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert world.numbers("kai-heist") == ({1} if "--run-now" in arguments else set())


@given(st.text())
def test_json_holds_nothing_that_a_terminal_would_obey(text: str) -> None:
    """Marks of direction, invisible and control characters are escaped in JSON, and read back as they were."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        print_json({"text": f"{text}\u202e\u2066\u200b\U000e0041\x9b31m\u200f"})

    written = out.getvalue()
    assert json.loads(written)["text"].startswith(text)
    assert [each for each in written if unicodedata.category(each) == "Cc" and each != "\n"] == []
    assert not set(written) & set(
        "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\U000e0041"
    )


def test_a_prompt_cannot_turn_the_text_on_a_terminal(world: World, call: Call) -> None:
    """--dump-config escapes what a prompt holds; who reads the JSON gets the prompt as it is."""
    world.collections(block("Heist").replace("prompt: ", "prompt: Heists \u202eof\u202c banks "))

    ended = call("--dump-config")

    assert "\u202e" not in ended.out
    assert "\u202eof\u202c" in ended.data["collections"][0]["prompt"]
