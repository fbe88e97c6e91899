"""The free check before anything is asked: what proves that a model is not there, and what only makes it doubtful."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.errors import CheckModel
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.claude.models import Listed
from kometa_ai.settings import values
from kometa_ai.standins import claude_faults as faults
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.serving import serve
from tests.asking.support import KEY, MODEL, judge

if TYPE_CHECKING:
    from kometa_ai.core.problem import Problem

JSON = {"content-type": "application/json"}
NO_ROUTE = Fault(status=404, raw='{"detail": "Not Found"}', headers=JSON)


@pytest.fixture
def claude() -> ClaudeStandIn:
    """The stand-in that is asked."""
    return ClaudeStandIn(judge=judge, api_key=KEY)


async def check(claude: ClaudeStandIn, model: str = MODEL) -> Problem | None:
    """What the check says."""
    with serve(claude.app) as url:
        async with Claude(KEY, url) as provider:
            return await provider.check(model)


def listing(*names: str, has_more: bool = False, own: bool = False) -> Fault:
    """A list of models, in the form of OpenAI's API or in Anthropic's."""
    entries: list[dict[str, Any]] = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}
        if own
        else {"object": "model", "id": name, "created": 1, "owned_by": "x"}
        for name in names
    ]
    body = {"data": entries, "has_more": has_more, "first_id": names[0], "last_id": names[-1]}
    return Fault(status=200, raw=json.dumps(body), headers=JSON)


def gateway(claude: ClaudeStandIn, *lists: Fault) -> None:
    """A gateway that knows no single model, and answers with these lists."""
    claude.faults.add(NO_ROUTE, times=None, path="/v1/models/*")
    for each in lists[:-1]:
        claude.faults.add(each, path="/v1/models")
    claude.faults.add(lists[-1], times=None, path="/v1/models")


@pytest.mark.parametrize(
    "lists",
    [
        (listing("anthropic/*"),),
        (listing("*"),),
        (listing("claude-*", "gpt-5"),),
        (listing("fast", has_more=True), listing(MODEL)),
        (listing("fast", has_more=True), listing("faster", has_more=True), listing("x", has_more=True)),
        (listing("anthropic/Claude-Sonnet-5-5"),),
        (listing(f"{MODEL}-20260928"),),
        (listing(f"{MODEL}-latest"),),
        (Fault(status=403, message="no"),),
        (Fault(status=405, raw="Method Not Allowed", headers={"content-type": "text/plain"}),),
        (Fault(status=500, raw="<html>", headers={"content-type": "text/html"}),),
        (Fault(status=200, raw="[]", headers=JSON),),
        (Fault(status=200, raw='{"data": null}', headers=JSON),),
    ],
    ids=lambda lists: str(lists[0].raw)[:60],
)
async def test_a_list_that_proves_nothing_says_nothing(claude: ClaudeStandIn, lists: tuple[Fault, ...]) -> None:
    """Patterns, aliases, pages without an end, names in another form, no list at all."""
    gateway(claude, *lists)

    assert await check(claude) is None


@pytest.mark.parametrize("own", [True, False])
async def test_a_gateway_s_list_is_a_hint_at_most(claude: ClaudeStandIn, *, own: bool) -> None:
    """The first question tells, for nothing as well; five names are near, and each can be set."""
    names = [f"claude-other-{number}" for number in range(300)] + [
        "claude-sonnet-5-4",
        "claude sonnet 5 5",
        "sonnet-5-5",
    ]
    gateway(claude, listing(*names, own=own))

    doubt = await check(claude)

    assert doubt is not None
    assert doubt.severity == "hint"
    near = doubt.remedy.partition("one of: ")[2].rstrip(".").split(", ")
    assert "claude-sonnet-5-4" in near
    assert len(near) <= 5
    assert all(values.model(name) for name in near)
    assert len(str(doubt)) < 500


@pytest.mark.parametrize("status", [401, 403, 405, 501])
async def test_a_check_that_a_gateway_refuses_stops_nothing(claude: ClaudeStandIn, status: int) -> None:
    """It may refuse the list and answer questions all the same."""
    claude.faults.add(
        Fault(status=status, raw='{"error": {"message": "no"}}', headers=JSON), times=None, path="/v1/models*"
    )

    doubt = await check(claude)

    assert doubt is None or doubt.severity == "hint"


async def test_an_error_under_status_200_makes_it_doubtful(claude: ClaudeStandIn) -> None:
    """A gateway that wants payment is no gateway that is in order."""
    fault = Fault(status=200, raw='{"error": {"code": 402, "message": "no credits"}}', headers=JSON)
    claude.faults.add(fault, times=None, path="/v1/models*")

    doubt = await check(claude)

    assert doubt is not None
    assert "no credits" in doubt.what


@pytest.mark.parametrize("status", [301, 307, 407])
async def test_what_is_in_the_way_stops(claude: ClaudeStandIn, status: int) -> None:
    """A redirect, or a proxy that wants a log-in, is in the way of questions as well."""
    fault = Fault(status=status, raw="", headers={"location": "https://elsewhere.example/login"})
    claude.faults.add(fault, times=None, path="*")

    with pytest.raises(CheckModel):
        await check(claude)


async def test_claude_s_own_word_stops(claude: ClaudeStandIn) -> None:
    """The model is not there by its own word, the list is whole and its own: the nearest names, five of them."""
    with pytest.raises(CheckModel) as caught:
        await check(claude, "claude-sonet-5-5")

    assert MODEL in caught.value.remedy
    assert caught.value.remedy.count(",") <= 4


@pytest.mark.parametrize("fault", [faults.BAD_KEY, faults.CREDIT_BALANCE], ids=["key", "credit"])
async def test_claude_s_own_refusal_stops(claude: ClaudeStandIn, fault: Fault) -> None:
    """A key that is refused there is refused for questions, too."""
    claude.faults.add(fault, times=None, path="*")

    with pytest.raises(CheckModel):
        await check(claude)


def test_a_long_list_is_read_quickly() -> None:
    """And no sentence grows with it."""
    listed = Listed().with_page([{"id": f"m{number}" * 40} for number in range(20_000)])

    assert len(listed.nearest(MODEL)) <= 5
