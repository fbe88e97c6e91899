"""Over the API: what another threshold would do, and which prompts a collection has had."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.run.world import World, block

if TYPE_CHECKING:
    from tests.daemon.living import Beside

NOIR = "/api/v1/collections/noir"


@pytest.fixture
def world(world: World) -> World:
    """The collection was judged, with two prompts so far."""
    world.believe("Noir", [5], 0.6)
    world.run()
    world.collections(block("Noir", "Dark, and old."))
    world.run()
    world.claude.forget()
    return world


async def test_another_threshold(world: World, here: Beside) -> None:
    """It says who would enter, and the line to copy; nothing is asked and no tag changes."""
    before = world.numbers("kai-noir")

    answer = await here.client.get(f"{NOIR}/what-if", params={"threshold": 0.6})

    assert answer.status_code == 200
    found = answer.json()
    assert [title["title"] for title in found["enters"]] == ["Movie 5"]
    assert (found["members_now"], found["members"], len(found["histogram"])) == (3, 4, 21)
    assert found["lines"][0]["correction"]["lines"] == ["  # confidence_threshold: 0.6"]
    assert world.numbers("kai-noir") == before
    assert not world.claude.requests


@pytest.mark.parametrize("threshold", ["", "1.01", "-0.1", "nan", "much"])
async def test_wrong_numbers(here: Beside, threshold: str) -> None:
    """What is no number from 0 to 1 is bad input."""
    assert (await here.client.get(f"{NOIR}/what-if", params={"threshold": threshold})).status_code == 422
    assert (await here.client.get(f"{NOIR}/what-if")).status_code == 422


async def test_unknown_collections(here: Beside) -> None:
    """A collection that there is not has no preview and no prompts."""
    other = "/api/v1/collections/nothing"

    answers = await asyncio.gather(
        here.client.get(f"{other}/what-if", params={"threshold": 0.6}), here.client.get(f"{other}/prompts")
    )

    assert [answer.status_code for answer in answers] == [404, 404]
    assert all("nothing" in answer.json()["error"] for answer in answers)


async def test_prompts(here: Beside) -> None:
    """The prompts so far, the newest first, in pages, with the time of the run that read each first."""
    whole = (await here.client.get(f"{NOIR}/prompts")).json()
    second = (await here.client.get(f"{NOIR}/prompts", params={"page": 2, "size": 1})).json()

    assert [each["text"] for each in whole["items"]] == ["Dark, and old.", "All about Noir."]
    assert (whole["total"], whole["page"]) == (2, 1)
    assert whole["as_of"] >= whole["items"][0]["at"] > whole["items"][1]["at"]
    assert second["items"] == whole["items"][1:]
