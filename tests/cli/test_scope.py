from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.main import cli
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

COMMANDS = [("--run-now",), ("--dry-run",), ("--estimate",), ("--explain", "tmdb:1001"), ()]


def of_three_kinds(world: World) -> None:
    """A collection that is on, one that is off and one with a problem."""
    off = block("Space").replace("enabled: true", "enabled: false")
    world.collections(block("Heist"), off, block("Noir", promt="x"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nope", "There is no collection named 'nope'. There are: Heist."),
        ("hiest", "Did you mean 'Heist'?"),
        ("SPACE", "The collection 'Space' is switched off: its block at movies.yml:9 lacks `enabled: true`."),
        ("noir", "The collection 'Noir' is skipped because of a problem. movies.yml:20: `promt` is not a key"),
    ],
)
def test_a_name_that_cannot_be_run(world: World, call: Call, command: tuple[str, ...], name: str, told: str) -> None:
    """Exit 2 with the names there are and what is wrong with this one; nothing is begun, and no service is called."""
    of_three_kinds(world)

    ended = call(*command, "--collection", name)
    down = call(*command, "--collection", name, RADARR_URL="http://127.0.0.1:9")

    assert (ended.code, down.code) == (2, 2)
    assert told in " ".join(ended.err.split())
    assert "run.started" not in ended.err
    assert world.radarr.requests == []
    assert list(world.state_dir.iterdir()) == []


def test_a_name_in_a_file_that_cannot_be_read(world: World, call: Call) -> None:
    """Then it is unknown whether there is such a collection, and the message names the file."""
    world.collections(block("Heist"))
    world.collections(block("Space") + "  broken: [\n", file="more.yml")

    ended = call("--run-now", "--collection", "Space")

    assert ended.code == 2
    assert "may stand in a file that cannot be read: more.yml" in " ".join(ended.err.split())


def test_an_option_that_would_do_nothing_is_refused(call: Call) -> None:
    """Each option of a run is taken by the commands that follow it, and refused by the others."""
    for arguments in (
        ("--estimate", "--allow-removals"),
        ("--undo", "x", "--accept-library"),
        ("--explain", "tmdb:1", "--force-refresh"),
        ("--undo", "x", "--collection", "Heist"),
        ("--release-pin", "tmdb:1", "--dry-run"),
        ("--demo", "--dry-run"),
        ("--estimate", "--max-cost", "0"),
        ("--explain", "tmdb:1", "--max-cost", "1"),
        ("--max-cost", "0"),
        ("--force-refresh",),
        ("--reasons",),
    ):
        assert call(*arguments).code == 2, arguments


def test_a_run_spends_no_more_than_it_is_given(world: World, call: Call) -> None:
    """With 0 nothing is asked, and all is left to the next run; what is no amount is wrong usage."""
    world.collections(block("Heist"), block("Noir"))
    nothing = call("--run-now", "--max-cost", "0")
    nothing_asked = world.asked()
    wrong = [call("--run-now", "--max-cost", amount).code for amount in ("-1", "nan", "inf", "much")]
    everything = call("--run-now", "--max-cost", "5")

    assert (nothing.code, nothing_asked) == (1, [])
    assert wrong == [2] * 4
    assert (everything.code, len(world.asked())) == (0, 24)


@pytest.mark.parametrize("name", ["--explain", "--undo", "--release-pin"])
def test_an_empty_name_is_wrong_usage(world: World, call: Call, name: str) -> None:
    """And not the daemon, which is what there is without any option."""
    world.collections(block("Heist"))

    assert call(name, "").code == 2


def test_help_fits_a_narrow_terminal_and_names_every_option(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """At eighty columns nothing is cut or runs over; every option is in one section, and every exit code is told."""
    monkeypatch.setenv("COLUMNS", "80")

    out = call("--help").out

    assert max(map(len, out.splitlines())) <= 80
    for parameter in cli.params:
        assert len(re.findall(rf"^  (?:-h, )?{parameter.opts[0]}\b", out, re.MULTILINE)) == 1, parameter.name
    assert re.findall(r"^    (\d+) ", out, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "6", "130"]
