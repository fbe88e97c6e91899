"""--try-prompt from outside: the sample, what would change, what it costs, and that it decides nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.problem import Correction
from kometa_ai.kometa.checking.corrections import applied
from kometa_ai.standins import claude_faults
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.state.lock import StateLock
from tests.cli.samples import MEMBERS, NEAR, charged, remembered, spent
from tests.cli.samples import world as world  # noqa: PLC0414 - a fixture
from tests.run.world import FOREVER, World, block

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

PATIENCE = 60.0


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    """A file with another prompt."""
    path = tmp_path / "prompt.txt"
    path.write_text("Crime in the city, at night.\n")
    return path


def _try(call: Call, prompt: Path | str, *options: str, **changed: str) -> Ended:
    return call("--try-prompt", str(prompt), "--collection", "Noir", "--output", "json", *options, **changed)


def test_who_would_enter_and_leave(world: World, call: Call, prompt: Path) -> None:
    """Each of the sample with its sides, and why; changes first; counted by group."""
    world.believe("Noir", [*range(3)], 0.2)
    world.believe("Noir", [*NEAR][:2], 0.9)

    ended = _try(call, prompt)

    trial = ended.data
    items = {item["title"]: item for item in trial["items"]}
    assert (ended.code, trial["outcome"], trial["sampled"], len(items)) == (0, "ok", 40, 40)
    leave = {f"Movie {number}" for number in range(3)} & items.keys()
    enter = {f"Movie {number}" for number in [*NEAR][:2]} & items.keys()
    assert enter
    changing = [item["title"] for item in trial["items"][: len(leave | enter)]]
    assert set(changing) == leave | enter
    assert all(items[title]["reason"] == world.reason for title in changing)
    assert all((items[title]["is_in"], items[title]["would_be_in"]) == (True, False) for title in leave)
    assert all((items[title]["is_in"], items[title]["would_be_in"]) == (False, True) for title in enter)
    groups = {group["group"]: group for group in trial["groups"]}
    assert [groups[name]["sampled"] for name in ("member", "near", "other")] == [12, 10, 18]
    assert groups["member"]["changed"] == len(leave)
    assert groups["near"]["changed"] == len(enter)
    assert trial["as_before"] == 40 - len(leave | enter)


def test_the_text_says_the_same(world: World, call: Call, prompt: Path) -> None:
    """The table, the counts, the costs; and that a sample is no census."""
    world.believe("Noir", MEMBERS, 0.2)

    ended = call("--try-prompt", str(prompt), "--collection", "Noir")

    assert "12 of 12 members would leave, 0 of 10 near would enter, 0 of 18 others would enter; 28 of 40" in ended.out
    assert "in 0.95" in ended.out
    assert "out 0.20" in ended.out
    assert "says nothing of how many in the whole library" in ended.out
    assert "60 questions" in ended.out
    assert "In place of lines" in ended.out
    assert "#   Crime in the city, at night." in ended.out


def test_nothing_is_decided(world: World, call: Call, prompt: Path) -> None:
    """Decisions, tags and history are as before; the month's spending has grown by what the model charged."""
    before, paid = remembered(world), spent(world)
    world.believe("Noir", MEMBERS, 0.1)

    trial = _try(call, prompt).data

    assert remembered(world) == before
    assert charged(world) > 0
    assert spent(world) - paid == pytest.approx(charged(world))
    assert trial["cost"]["cost_usd"] == pytest.approx(charged(world))
    assert (world.state_dir / "trials" / f"{trial['trial_id']}.json").exists()


def test_requests_are_second_looks_by_the_other_prompt(world: World, call: Call, prompt: Path) -> None:
    """At most fifteen movies each, all to be given a reason, and the groups are mixed."""
    _try(call, prompt)

    asked = world.claude.requests
    assert all("Crime in the city, at night." in request.collection_text for request in asked)
    assert all("second look" in request.collection_text for request in asked)
    assert [len(request.titles) for request in asked].count(15) == 2
    assert max(Counter(title for request in asked for title in request.titles).values()) == 1
    numbers = {int(title.split()[1]) for title in max((each.titles for each in asked), key=len)}
    assert numbers & set(MEMBERS)
    assert numbers - set(MEMBERS) - set(NEAR)


@pytest.mark.usefixtures("world")
def test_the_same_text_draws_the_same_sample(call: Call, prompt: Path) -> None:
    """However often, and with blanks around it; another text draws another one."""

    def sample() -> list[str]:
        return sorted(item["title"] for item in _try(call, prompt).data["items"])

    first = sample()
    prompt.write_text("\n  Crime in the city, at night.  ")
    again = sample()
    prompt.write_text("Something else.")

    assert again == first
    assert sample() != first


def test_a_forecast_costs_nothing(world: World, call: Call, prompt: Path) -> None:
    """With --max-cost 0 nothing is asked, no key is needed, and a run may be on."""
    with StateLock(world.state_dir):
        ended = _try(call, prompt, "--max-cost", "0", CLAUDE_API_KEY="")

    assert (ended.code, ended.data["outcome"]) == (0, "forecast")
    assert ended.data["forecast_usd"] > 0
    assert ended.data["library_questions"] == 60
    assert ended.data["library_usd"] > 0
    assert not world.claude.requests
    words = call("--try-prompt", str(prompt), "--collection", "Noir", "--max-cost", "0").out
    assert "Nothing was asked." in words
    assert "60 questions" in words


@pytest.mark.parametrize(("given", "setting"), [("0.01", "0"), ("5", "0.01")])
def test_a_limit_is_kept(world: World, call: Call, prompt: Path, given: str, setting: str) -> None:
    """The lower of --max-cost and MAX_COST_PER_RUN counts; what is left without an answer is told."""
    ended = _try(call, prompt, "--max-cost", given, MAX_COST_PER_RUN=setting)

    trial = ended.data
    assert trial["limit_usd"] == pytest.approx(0.01)
    assert charged(world) <= 0.01
    assert ended.code == 1
    assert 0 < sum(group["answered"] for group in trial["groups"]) < 40
    assert "may be spent" in trial["problems"][0]["what"]
    words = call("--try-prompt", str(prompt), "--collection", "Noir", "--max-cost", "0.01").out
    assert "without an answer" in words


@pytest.mark.usefixtures("world")
def test_without_a_limit_its_own_forecast_is_one(call: Call, prompt: Path) -> None:
    """It may cost twice what was forecast, and no more."""
    trial = _try(call, prompt).data

    assert trial["limit_usd"] == pytest.approx(2 * trial["forecast_usd"])
    assert trial["cost"]["cost_usd"] < trial["forecast_usd"]


def test_while_a_run_is_on(world: World, call: Call, prompt: Path) -> None:
    """It spends, and so it waits for nobody: exit code 6."""
    with StateLock(world.state_dir):
        ended = _try(call, prompt)

    assert ended.code == 6
    assert not world.claude.requests


def test_pins_are_examples_and_no_part_of_the_sample(world: World, call: Call, prompt: Path) -> None:
    """A pin stays whatever a prompt says; the model is shown it, as in a run."""
    world.collections(block("Noir", include_movies="[tmdb:1001]", exclude_movies="[tmdb:1030]"))

    titles = {item["title"] for item in _try(call, prompt).data["items"]}

    assert titles.isdisjoint({"Movie 1", "Movie 30"})
    text = world.claude.requests[0].collection_text
    assert "Belongs: Movie 1 (1951)" in text
    assert "Does not belong: Movie 30 (1980)" in text


@pytest.mark.usefixtures("world")
def test_a_whole_block(call: Call, prompt: Path) -> None:
    """Its prompt is tried, and its threshold counts."""
    lines = block("Noir", "Another prompt.", confidence_threshold=0.5).splitlines()
    prompt.write_text("\n".join(lines[:-2]))

    trial = _try(call, prompt).data

    assert (trial["prompt"], trial["is_block"]) == ("Another prompt.", True)
    assert (trial["threshold"], trial["threshold_now"]) == (0.5, 0.7)
    assert {group["group"]: group["changed"] for group in trial["groups"]} == {"member": 0, "near": 10, "other": 0}
    words = call("--try-prompt", str(prompt), "--collection", "Noir").out
    assert "threshold 0.50 in place of 0.70" in words
    assert "a whole block" in words


def test_from_standard_input(world: World) -> None:
    """With - the text comes from there."""
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--try-prompt", "-", "--collection", "noir", "--max-cost", "0"],
        env={**os.environ, **world.environ},
        input=block("Noir").splitlines()[3].strip(" #"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert ended.returncode == 0
    assert "It is the prompt that the collection has now." in ended.stdout
    assert "0 questions" in ended.stdout


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"  \n", "empty"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"x" * 30_000, "30,000 characters"),
        (b"x" * 200_000, "too large"),
        (b"# === KOMETA-AI ===\n# enabled: true\n# prompt: x\n", "not one whole block"),
        (b"# === KOMETA-AI ===\n# prompt: x\n# === END KOMETA-AI ===\n", "switched off"),
        (b"# === KOMETA-AI ===\n# enabled: true\n# promt: x\n# === END KOMETA-AI ===\n", "cannot be used"),
    ],
)
def test_texts_that_are_no_prompt(world: World, call: Call, prompt: Path, content: bytes, told: str) -> None:
    """Exit code 2, with what is wrong; nothing is asked."""
    prompt.write_bytes(content)

    ended = _try(call, prompt)

    assert ended.code == 2
    assert told in ended.err
    assert not world.claude.requests


@pytest.mark.usefixtures("world")
def test_wrong_usage(call: Call, prompt: Path) -> None:
    """One collection, one file that is there, and no other command."""
    assert call("--try-prompt", str(prompt)).code == 2
    assert call("--try-prompt", str(prompt), "--collection", "Noir", "--collection", "Heist").code == 2
    assert "cannot be read" in _try(call, "/nowhere").err
    assert "There is no collection" in call("--try-prompt", str(prompt), "--collection", "Noirs").err
    assert call("--try-prompt", str(prompt), "--collection", "Noir", "--force-refresh").code == 2
    assert call("--audit", "--try-prompt", str(prompt), "--collection", "Noir").code == 2


def test_a_key_that_is_refused(world: World, call: Call, prompt: Path) -> None:
    """Exit code 4, as a run's; nothing was paid."""
    paid = spent(world)
    world.claude.faults.add(claude_faults.BAD_KEY, times=FOREVER)

    ended = _try(call, prompt)

    assert ended.code == 4
    assert (ended.data["outcome"], ended.data["as_before"]) == ("problems", 0)
    assert spent(world) == paid


def test_what_cannot_be_judged_is_told(world: World, call: Call, prompt: Path) -> None:
    """A movie without an answer is named and counted on no side."""
    world.claude.faults.add(Fault(status=413), times=FOREVER, when=lambda call: "Movie 20" in call.titles)

    ended = _try(call, prompt)

    assert ended.code == 1
    (item,) = (item for item in ended.data["items"] if item["title"] == "Movie 20")
    assert (item["is_in"], item["would_be_in"]) == (False, None)
    assert any("Movie 20 (1970)" in problem["movies"] for problem in ended.data["problems"])


def test_a_collection_that_was_never_judged(world: World, call: Call, prompt: Path) -> None:
    """Its whole sample is drawn from all movies, and none of it is on a side yet."""
    world.collections(block("Noir"), block("Fresh"))
    world.believe("Fresh", range(60), 0.9)

    trial = call("--try-prompt", str(prompt), "--collection", "Fresh", "--output", "json").data

    assert (trial["sampled"], trial["as_before"], trial["not_judged_before"]) == (40, 0, 40)
    assert all((item["is_in"], item["would_be_in"]) == (None, True) for item in trial["items"])
    words = call("--try-prompt", str(prompt), "--collection", "Fresh").out
    assert "not judged" in words


def _started(world: World, prompt: Path) -> AbstractContextManager[subprocess.Popen[str]]:
    world.claude.latency = 0.7
    return subprocess.Popen(  # noqa: S603 - ourselves
        [
            sys.executable, "-m", "kometa_ai", "--try-prompt", str(prompt), "--collection", "Noir", "--output", "json",
        ],
        env={**os.environ, **world.environ, "MAX_CONCURRENT_REQUESTS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip


def _until_paid(world: World, before: float) -> None:
    end = time.monotonic() + PATIENCE
    while spent(world) <= before:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_killed_trial_has_paid(world: World, prompt: Path) -> None:
    """Each answer is booked as it arrives, whatever becomes of the process."""
    paid = spent(world)

    with _started(world, prompt) as process:
        _until_paid(world, paid)
        process.kill()
        process.communicate()

    booked = spent(world) - paid
    assert booked > 0
    whole = [charged(world, first=number) for number in range(1, len(world.claude.requests) + 1)]
    assert any(booked == pytest.approx(cost) for cost in whole)


def test_a_signal_ends_it_in_order(world: World, prompt: Path) -> None:
    """What was answered by then is shown; the exit code is that of the signal."""
    paid = spent(world)

    with _started(world, prompt) as process:
        _until_paid(world, paid)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 143
    assert '"outcome": "interrupted"' in out
    assert '"reason": "so it is"' in out
    assert spent(world) - paid == pytest.approx(charged(world))


def test_the_lines_for_the_file(world: World, call: Call, prompt: Path) -> None:
    """What was tried, written into the block, is what a run reads then: prompt and threshold, each with its place."""
    written = [line.strip() for line in block("Noir", "Another prompt.", confidence_threshold=0.5).splitlines()]
    prompt.write_text("\n".join(written[:-2]))

    lines = _try(call, prompt, "--max-cost", "0").data["lines"]

    assert {each["source"] for each in lines} == {"movies.yml"}
    path = world.kometa / "movies.yml"
    text = path.read_text()
    for each in sorted(lines, key=lambda each: -each["correction"]["first"]):
        correction = each["correction"]
        text = applied(text, Correction(correction["first"], correction["last"], tuple(correction["lines"])))
    path.write_text(text)
    again = _try(call, prompt, "--max-cost", "0").data
    assert again["is_present_prompt"]
    assert (again["threshold_now"], again["lines"]) == (0.5, [])
