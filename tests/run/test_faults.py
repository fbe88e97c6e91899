"""Every fault of one request to Claude, or of all from one on: nothing is harmed, and the next run recovers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude_answers import REFUSED, Style
from kometa_ai.standins.claude_faults import Fault, mid_stream
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.standins.claude_log import RequestRecord

TRUTH = {"Heist": set(range(6)), "Space": set(range(3, 9))}

PASSING = {
    "busy": faults.OVERLOADED,
    "lost": faults.DROPPED,
    "busy within": mid_stream(faults.OVERLOADED),
    "lost within": mid_stream(faults.DROPPED),
    "no end": mid_stream(Fault(status=None)),
}
LASTING = {
    "key": faults.BAD_KEY,
    "credit": faults.CREDIT_BALANCE,
    "key within": mid_stream(faults.BAD_KEY),
    "too large": faults.TOO_LARGE,
    "rejected": Fault(status=400, message="Invalid request data"),
    "rejected within": mid_stream(Fault(status=400, message="Invalid request data")),
    "a page": Fault(status=200, raw="<html>Log in</html>"),
    "garbage within": mid_stream(Fault(status=200, raw="event: message_delta\ndata: {\n\n")),
    "refused": REFUSED,
    "refused within": Style(refused=True, text='{"decisions": ['),
    "chat": Style(text="I would rather talk about the weather."),
    "cut": Style(truncated_at=50),
}
CASES = {
    **{f"{name}, the first": (fault, 1, 1) for name, fault in (PASSING | LASTING).items()},
    **{f"{name}, a follower": (fault, 1, 2) for name, fault in (PASSING | LASTING).items()},
    **{f"{name}, from then on": (fault, None, 1) for name, fault in LASTING.items()},
}
"""What happens, how often, and to which request at first."""


@pytest.mark.no_cover
@pytest.mark.parametrize(("what", "times", "first"), CASES.values(), ids=CASES.keys())
def test_a_fault_at_any_request_harms_nothing(
    tmp_path: Path, what: Fault | Style, times: int | None, first: int
) -> None:
    """No member loses its tag for lack of an answer, what is missing is reported, and the next run asks only that."""
    with World(tmp_path, movies(12)) as world:
        world.collections(*(block(name) for name in TRUTH))
        for name, numbers in TRUTH.items():
            world.believe(name, numbers)
        world.run()
        world.asked()

        def is_struck(_: RequestRecord) -> bool:
            return len(world.claude.requests) >= first

        if isinstance(what, Fault):
            world.claude.faults.add(what, times=times, when=is_struck)
        else:
            world.claude.queue_style(what, times=times, when=is_struck)
        world.collections(*(block(name, f"Once more, all about {name}.") for name in TRUTH))
        struck = world.run()

        assert {name: world.numbers(f"kai-{name.lower()}") for name in TRUTH} == TRUTH
        assert (struck.removed, struck.asked + struck.pending) == (0, 24)
        assert bool(struck.pending) == bool(struck.problems) == (struck.exit_code in (1, 4))

        world.claude.faults.clear()
        world.claude.style = Style()
        world.claude._styles.clear()
        world.asked()
        mended = world.run()

        assert (mended.exit_code, mended.pending, len(world.asked())) == (0, 0, struck.pending)
        assert {name: world.numbers(f"kai-{name.lower()}") for name in TRUTH} == TRUTH
