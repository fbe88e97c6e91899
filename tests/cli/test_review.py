"""`--review`: what wants a person, on the command line."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.standins.claude import Judgement
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


@pytest.fixture(autouse=True)
def judged(world: World) -> World:
    """Noir, built: a close call, looks that disagree, one that Crime keeps out, and one that Crime would not."""
    world.change(radarr_credits=False)
    world.collections(
        block("Film Noir", exclude_tags="[kai-crime]", confidence_threshold=0.7), block("Crime", priority=1)
    )
    world.believe("Film Noir", [0, 1, 2], 0.95)
    world.believe("Film Noir", [3], 0.75)
    world.believe("Film Noir", [4], 0.65)
    world.believe("Crime", [0], 0.0)

    def judge(collection: str, movie: dict[str, Any]) -> Judgement:
        verdict = world._judge(collection, movie)
        if "second look" in collection and movie["title"] == "Movie 4":
            return Judgement(include=True, confidence=0.8, reason="a city at night")
        return verdict

    world.claude.judge = judge
    world.run()
    # Only now, since what a tag decides is not asked about.
    world.believe("Crime", [0])
    world.run(collections=("Crime",), force_refresh=True)
    world.claude.forget()
    return world


def test_the_queue_is_listed_by_kind_with_how_to_answer(judged: World, call: Call) -> None:
    """The most urgent first, each once, with what the model says and what happens if nobody answers."""
    writes = len(judged.radarr.writes)

    ended = call("--review")

    assert ended.code == 0
    kinds = ("Wants", "Looks disagree (1)", "Tag against verdict (1)", "Close call (1)", "3 cases want you.")
    assert [word in ended.out for word in kinds] == [False, True, True, True, True]
    assert ended.out.index("Looks disagree") < ended.out.index("Tag against") < ended.out.index("Close call")
    assert "  Movie 4 (1954) · Film Noir: in\n" in ended.out
    assert "claude-sonnet-5-5 is for it with 0.80 (0.70 is needed), first look 0.65, 2026-03-02\n" in ended.out
    assert "    “a city at night”\n    If you do nothing, it stays in.\n" in ended.out
    assert "--pin-in 'Movie 4 (1954)' --collection 'Film Noir'  (or --pin-out)\n" in ended.out
    assert (
        "kai-crime decides (exclude tag)\n    If you do nothing, it stays out, as long as it has kai-crime.\n"
        in ended.out
    )
    assert judged.claude.requests == []
    assert len(judged.radarr.writes) == writes


def test_the_command_that_is_shown_answers(call: Call) -> None:
    """Copied as it stands it makes a pin, and the pair wants no person any more."""
    line = next(line for line in call("--review").out.splitlines() if "--pin-in 'Movie 3" in line)

    assert call(*shlex.split(line.removesuffix("(or --pin-out)"))).code == 0

    data = call("--review", "--output", "json").data
    assert [card["title"] for card in data["items"]] == ["Movie 4", "Movie 0"]
    assert (data["total"], data["by_kind"]) == (2, {"looks disagree": 1, "tag against verdict": 1})


def test_scripts_get_every_card(call: Call) -> None:
    """With what was seen, so that an answer over the API can say it again."""
    [_, _, card] = call("--review", "--output", "json", "--collection", "Film Noir").data["items"]

    assert (card["kind"], card["key"], card["tmdb_id"], card["collection"]) == (
        "close call",
        "movie:1003",
        1003,
        "film-noir",
    )
    assert (card["confidence"], card["threshold"], card["first"], card["belongs"]) == (0.75, 0.7, 0.75, True)
    assert set(card["seen"]) == {"prompt_hash", "metadata_hash", "confidence"}


def test_nothing_wants_anybody(call: Call) -> None:
    """A collection without such cases says so; an unknown one is an error."""
    assert call("--review", "--collection", "Crime").out.startswith("Nothing wants you")
    assert call("--review", "--collection", "Western").code == 2


def test_what_is_held_says_what_becomes_of_it(judged: World, call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """What REVIEW lets wait leaves on its day, as a run would have it."""
    judged.change(review="removals")
    judged.believe("Film Noir", [1], 0.65)
    judged.collections(block("Film Noir", "Darker."), block("Crime", priority=1))
    judged.now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    judged.run()
    capsys.readouterr()

    [card] = [card for card in call("--review", "--output", "json").data["items"] if card["title"] == "Movie 1"]

    until = judged.now + timedelta(days=7)
    assert (card["kind"], card["if_nothing_is_done"]) == (
        "wants to leave",
        f"it leaves with the first run from {until:%Y-%m-%d} on",
    )
    assert datetime.fromisoformat(card["waits_until"]) == until


def test_it_fits_a_terminal_of_80_columns(judged: World) -> None:
    """Lines are folded below their title; only the command to copy may be longer."""
    main, other = pty.openpty()
    code = "import os, sys; from kometa_ai.cli.main import run; sys.exit(run(['--review'], os.environ))"
    environ = {**os.environ, **judged.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", code], stdout=other, stderr=subprocess.DEVNULL, env=environ
    ) as process:
        os.close(other)
        out = b""
        while chunk := _read(main):
            out += chunk
        assert process.wait() == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.decode()).splitlines()
    assert any("Movie 4 (1954)" in line for line in lines)
    assert [line for line in lines if len(line) > 80 and "--pin-in" not in line] == []


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""
