"""Do the commands about pins; each returns its exit code."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.cli import output
from kometa_ai.cli.calls import prepared, show
from kometa_ai.jobs import pins
from kometa_ai.settings.environment import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.cli.call import Call
    from kometa_ai.jobs.pins import Pinned


def show_pins(call: Call) -> int:
    """Print the pins that are kept beside the state."""
    with prepared(call) as session:
        found = pins.pins(session, call.given["collections"])
        show(call, found, partial(output.print_pins, names=pins.names_of(session)))
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
        show(call, made, partial(output.print_pinned, names=pins.names_of(session)), _with_replaced)
    return 0


def release_pin(call: Call) -> int:
    """Drop the pins of a movie or show, or those that one run has made."""
    with prepared(call) as session:
        dropped = pins.release(session, call.given["release_pin"], call.given["collections"])
        show(call, dropped, partial(output.print_released, names=pins.names_of(session)))
    return 0


def _with_replaced(made: Pinned) -> list[dict[str, Any]]:
    """Each pin that was made, and as `replaces` the one of before."""
    before = {pin.pair: msgspec.to_builtins(pin) for pin in made.replaced}
    return [msgspec.to_builtins(pin) | {"replaces": before.get(pin.pair)} for pin in made.pins]
