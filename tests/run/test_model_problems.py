"""Problems of the asking are called by the provider of the model that was asked, and name its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.asking.ending import Stopped
from kometa_ai.asking.tally import Gap, Tally
from kometa_ai.core.collection import collection_key
from kometa_ai.core.naming import Slug
from kometa_ai.errors import CheckModel
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.run.problems import problems_of, warnings_of
from kometa_ai.run.results import Asking, Judging, RunResults

if TYPE_CHECKING:
    from kometa_ai.asking.ending import Ending
    from kometa_ai.core.model import ProviderName

HEIST = collection_key("movie", Slug("heist"))
CLAUDE, LOCAL, GEMINI = "claude-sonnet-5-5", "ollama/qwen3:14b", "gemini/gemini-3.5-flash"


def asked(tally: Tally, *endings: Ending) -> RunResults:
    """The results of a run that asked, and no more."""
    asking = Asking(open_questions={}, reasons={}, last_asked={}, tally=tally, endings=endings)
    return RunResults(judging=Judging(subjects={}, asking=asking))


def gap(model: str, failure: Failure = Failure.NO_CONNECTION) -> Gap:
    """A page that one model could not be asked about."""
    return Gap(collection=HEIST, movies=(), failure=failure, message="It failed.", model=model)


def test_a_gap_is_told_of_the_provider_that_left_it() -> None:
    """A first look at Ollama and a second one at Claude that fail alike are two problems, each with its own address."""
    tally = Tally()
    tally.gaps += [gap(LOCAL), gap(CLAUDE)]

    found = {each.source: each.remedy for each in problems_of(asked(tally), {LOCAL, CLAUDE})}

    assert list(found) == ["Ollama", "Claude"]
    assert found["Ollama"].startswith("Look at the network, the proxy and OLLAMA_HOST.")
    assert found["Claude"].startswith("Look at the network, the proxy and CLAUDE_BASE_URL.")


def test_a_server_in_the_place_of_openai_is_called_by_its_host() -> None:
    """OpenAI has nothing to do with a llama.cpp: each problem has the name that the server's own messages have."""
    tally = Tally()
    tally.gaps.append(gap("openai/qwen3-14b"))
    tally.unknown_ids[HEIST] += 2
    results = asked(tally, Stopped(CheckModel("No model.")))
    titles: dict[ProviderName, str] = {"openai": "192.168.1.10:8080"}

    found = problems_of(results, {"openai/qwen3-14b"}, titles=titles)
    found += warnings_of(results, {"openai/qwen3-14b"}, titles)

    assert [each.source for each in found] == ["192.168.1.10:8080"] * 3


@pytest.mark.parametrize("failure", Failure)
def test_no_remedy_names_what_its_provider_does_not_have(failure: Failure) -> None:
    """Gemini has neither Claude's settings nor an address to be set, and Anthropic knows nothing of it."""
    tally = Tally()
    tally.gaps.append(gap(GEMINI, failure))

    (problem,) = problems_of(asked(tally), {GEMINI})

    assert problem.source == "Gemini"
    assert not any(word in problem.remedy for word in ("CLAUDE", "Anthropic", "BASE_URL", "  ", " ,", " ."))


@pytest.mark.parametrize(
    ("models", "source"), [({CLAUDE}, "Claude"), ({LOCAL}, "Ollama"), ({CLAUDE, LOCAL}, "The model")]
)
@pytest.mark.parametrize("error", [CheckModel("No key."), RequestFailed(Failure.OVERLOADED, "Busy.")])
def test_an_end_names_the_provider_where_there_is_one(models: set[str], source: str, error: Exception) -> None:
    """Where a run asks two, the error alone tells which it was."""
    (problem,) = problems_of(asked(Tally(), Stopped(error)), models)

    assert problem.source == source


@pytest.mark.parametrize(("models", "source"), [({LOCAL}, "Ollama"), ({CLAUDE, LOCAL}, "The model")])
def test_warnings_name_the_provider_where_there_is_one(models: set[str], source: str) -> None:
    """Their sentences are about the model, whichever it is, and their remedies about its settings."""
    tally = Tally()
    tally.wasted["It broke off."] += 1
    tally.unknown_ids[HEIST] += 2
    tally.cache_reads[False] += 10

    warnings = warnings_of(asked(tally), models)

    assert [each.source for each in warnings] == [source] * 3
    assert ["OLLAMA_HOST" in each.remedy for each in warnings] == [source == "Ollama"] * 2 + [False]
    assert not any("Claude" in each.what or "CLAUDE" in each.remedy for each in warnings)
