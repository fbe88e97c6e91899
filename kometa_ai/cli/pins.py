"""Do the commands about pins; each returns its exit code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.jobs import pins
from kometa_ai.settings.environment import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.cli.call import Call


def show_pins(call: Call) -> int:
    """Print the pins that are kept beside the state."""
    with prepared(call) as session:
        show(call, pins.pins(session, call.given["collections"]), output.print_pins)
    return 0


def pin_in(call: Call) -> int:
    """Pin a movie or show in a collection."""
    return _pin(call, call.given["pin_in"], include=True)


def pin_out(call: Call) -> int:
    """Pin a movie or show out of a collection."""
    return _pin(call, call.given["pin_out"], include=False)


def _pin(call: Call, texts: Sequence[str], *, include: bool) -> int:
    with prepared(call, LIBRARY) as session:
        made = asyncio.run(pins.pin(session, texts, call.given["collections"], include=include, origin="command line"))
        show(call, made, output.print_pinned, lambda made: made.pins)
    return 0


def release_pin(call: Call) -> int:
    """Drop the pins of a movie or show, or those that one run has made."""
    with prepared(call) as session:
        show(call, pins.release(session, call.given["release_pin"], call.given["collections"]), output.print_released)
    return 0
