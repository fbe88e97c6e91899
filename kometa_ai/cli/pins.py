"""Commands about pins; each returns the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.jobs import pins

if TYPE_CHECKING:
    from kometa_ai.cli.call import Call


def show_pins(call: Call) -> int:
    """Print the pins that undos have set."""
    with prepared(call) as session:
        show(call, pins.pins(session), output.print_pins)
    return 0


def release_pin(call: Call) -> int:
    """Drop the pins of a movie or show."""
    with prepared(call) as session:
        show(call, pins.release(session, call.given["release_pin"], call.given["collections"]), output.print_released)
    return 0
