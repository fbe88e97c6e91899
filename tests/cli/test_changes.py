"""What is changed, held back and taken back, as the command line shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins.faults import answer_instead
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]


def test_edits_that_a_proxy_hides_can_be_undone(world: World, call: Call) -> None:
    """Radarr makes each edit and a proxy answers 504: the run tells it as made, and --undo takes it back as well."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    world.radarr.faults.inject(answer_instead(504), path="*/movie/editor", times=None)

    ran = call("--run-now", "--output", "json")
    made = world.numbers("kai-heist")
    undone = call("--undo", ran.data["run_id"], "--output", "json")

    assert (ran.code, ran.data["totals"]["added"], made) == (0, 1, {1})
    assert (undone.code, len(undone.data["removed"]), world.numbers("kai-heist")) == (0, 1, set())


def test_a_library_that_shrank_is_accepted_by_its_own_option_only(world: World, call: Call) -> None:
    """3 without it and with --allow-removals, 0 with it and ever after."""
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    codes = [call("--run-now").code]
    for number in range(4, 12):
        world.radarr.remove_movie(1000 + number)

    codes += [call("--run-now", *option).code for option in ([], ["--allow-removals"], ["--accept-library"], [])]

    assert codes == [0, 3, 3, 0, 0]


def test_additions_that_are_held_back_are_shown(world: World, call: Call) -> None:
    """Names, the reason and what lets them through, in the text as in the JSON; exit code 1."""
    for number in range(12, 40):
        world.radarr.add_movie(movies(40)[number])
    world.collections(block("Heist"))
    world.believe("Heist", [1])
    call("--run-now")
    world.believe("Heist", range(2, 40))

    ended = call("--run-now", "--force-refresh")
    data = call("--run-now", "--output", "json").data
    let_through = call("--run-now", ADDITION_LIMIT="3800")

    shown = " ".join(ended.out.split())
    assert ended.code == 1
    assert "Heist: 38 held back, not added" in shown
    assert "ADDITION_LIMIT=3800" in shown
    assert (data["totals"]["held_back"], data["totals"]["held_back_additions"], data["totals"]["added"]) == (38, 38, 0)
    assert len(data["collections"][0]["held_back_additions"]) == 38
    assert (let_through.code, len(world.numbers("kai-heist"))) == (0, 39)
