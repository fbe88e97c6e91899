"""The stand-ins that the engine is tried against."""

from __future__ import annotations

import pytest

from kometa_ai.standins.claude import ClaudeStandIn
from tests.asking.support import KEY, PLAYED, StandIn, judge, stand_in


@pytest.fixture
def claude() -> ClaudeStandIn:
    """The stand-in for Claude, for what only its API has, or for what does not depend on who is asked."""
    return ClaudeStandIn(judge=judge, api_key=KEY)


@pytest.fixture(params=PLAYED)
def standin(request: pytest.FixtureRequest) -> StandIn:
    """The stand-in of each provider."""
    return stand_in(request.param)


@pytest.fixture(params=[played for played in PLAYED if played != "ollama"])
def refusing(request: pytest.FixtureRequest) -> StandIn:
    """The stand-in of each provider that says when a model declines; Ollama's answer is only words then."""
    return stand_in(request.param)
