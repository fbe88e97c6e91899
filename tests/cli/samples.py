"""A library of sixty movies with one judged collection, for commands that ask about a sample of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.providers import prices
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Usage
from kometa_ai.state.store import Store
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMBERS, NEAR = range(15), range(15, 25)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Sixty movies: fifteen members of Noir, ten near its threshold, the rest clearly out."""
    with World(tmp_path, movies(60)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", MEMBERS, 0.95)
        made.believe("Noir", NEAR, 0.55)
        made.run()
        made.claude.forget()
        yield made


def spent(world: World) -> float:
    """What all months have cost, as the state has it."""
    return sum(month.cost_usd for month in Store.load(world.state_dir, read_only=True).state.spending.values())


def charged(world: World, first: int | None = None) -> float:
    """What the stand-in has charged for since it last forgot, or for the first requests of these."""
    return sum(_price(request.usage, request.model) for request in world.claude.requests[:first] if request.usage)


def _price(usage: dict[str, Any], model: str) -> float:
    used = Usage(
        requests=1,
        input_tokens=usage["input_tokens"],
        cache_write_tokens=usage.get("cache_creation_input_tokens", 0),
        cache_read_tokens=usage.get("cache_read_input_tokens", 0),
        output_tokens=usage["output_tokens"],
    )
    return prices.cost(used, Claude("").traits(model)) or 0.0


def remembered(world: World) -> tuple[object, ...]:
    """Everything that a run could have changed: decisions, libraries' tags, and the state but for its spending."""
    store = Store.load(world.state_dir, read_only=True)
    state = store.state
    return (
        dict(store.memory),
        world.numbers("kai-noir"),
        state.collections,
        state.libraries,
        state.tag_changes,
        state.runs,
    )
