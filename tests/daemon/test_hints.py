"""Hints that come together and meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import show_key
from kometa_ai.daemon.hints import Hints

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.item import ItemKey

SHOW, OTHER = show_key(1001), show_key(1002)


class Asked:
    """The state, as hints ask it; something happens while it is read, once."""

    def __init__(self, unknown: AbstractSet[ItemKey], meanwhile: Callable[[], None] = lambda: None) -> None:
        self.unknown = unknown
        self.meanwhile = meanwhile

    async def __call__(self, items: AbstractSet[ItemKey]) -> AbstractSet[ItemKey]:
        """Those of them of which nothing is known."""
        self.meanwhile()
        return items & self.unknown


async def never() -> None:
    """No run is asked for: these tests take hints themselves."""


@pytest.mark.parametrize("unknown", [{SHOW}, set()], ids=["unknown", "known"])
async def test_files_that_come_while_the_state_is_read_are_no_new_hint(unknown: AbstractSet[ItemKey]) -> None:
    """Of a season's files some come while the first one's show is looked up: no other run comes of them."""
    asked = Asked(unknown)
    hints = Hints(never, unknown=asked)
    asked.meanwhile = lambda: hints.add_if_unknown(SHOW, "Show 1")
    hints.add_if_unknown(SHOW, "Show 1")

    assert await hints.take() == unknown
    assert await hints.take() == set()


async def test_other_hints_of_that_moment_are_kept() -> None:
    """Of another show, and of the same one if it has been added, which counts in any case."""
    asked = Asked({SHOW, OTHER})
    hints = Hints(never, unknown=asked)

    def meanwhile() -> None:
        hints.add_if_unknown(OTHER, "Show 2")
        hints.add(SHOW, "Show 1")

    asked.meanwhile = meanwhile
    hints.add_if_unknown(SHOW, "Show 1")

    assert await hints.take() == {SHOW}
    asked.meanwhile = lambda: None
    assert await hints.take() == {SHOW, OTHER}


async def test_what_could_not_be_looked_up_may_be_told_of_again() -> None:
    """A state that cannot be read in this moment costs no show its run."""
    asked = Asked({SHOW})
    hints = Hints(never, unknown=asked)

    def broken() -> None:
        raise OSError(5, "Input/output error")

    asked.meanwhile = broken
    hints.add_if_unknown(SHOW, "Show 1")
    with pytest.raises(OSError, match="Input/output"):
        await hints.take()
    asked.meanwhile = lambda: None
    hints.add_if_unknown(SHOW, "Show 1")

    assert await hints.take() == {SHOW}
