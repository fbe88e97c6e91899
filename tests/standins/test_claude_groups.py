"""The stand-in's answers about several collections, and what it leaves out of an answer."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.asking.pages import Page
from kometa_ai.standins import keyword_judge
from kometa_ai.standins.claude_answers import SPEC, Judgement, Style, read_prompt, write_answer
from tests.asking.support import collection, movies

if TYPE_CHECKING:
    from kometa_ai.standins.claude_answers import Judge

CONFIDENCES = {"Movie 1": 0.95, "Movie 2": 0.65, "Movie 3": 0.4, "Movie 4": 0.05}


def steady(_collection: str, record: dict[str, Any]) -> Judgement:
    """Each movie has its own confidence, and only the second is arguable."""
    confidence = CONFIDENCES[record["title"]]
    return Judgement(confidence >= 0.7, confidence, "It may be." if confidence == 0.65 else "")


def answered(*names: str, style: Style | None = None, judge: Judge = steady, second_look: bool = False) -> Any:
    """What is answered about four movies and these collections."""
    asked = [collection(name, prompt=f"Only {name.lower()} films.") for name in names]
    request = Page.of(movies(4)).request(asked, "m", second_look=second_look, cache=False)
    content = [{"type": "text", "text": text} for text in (request.movies, request.collection)]
    prompt = read_prompt({"messages": [{"role": "user", "content": content}]})
    assert prompt.names == names
    schema = json.dumps(request.form.schema).encode()
    return json.loads(write_answer(prompt, judge=judge, style=style or Style(), schema=schema, chance=random.Random(0)))


def test_only_what_has_to_be_said_is_said() -> None:
    """The verdict and its reason in the open band; required fields before optional ones, as Claude writes them."""
    decisions = answered("Heists")["decisions"]
    assert decisions == [
        {"movie_id": 1, "confidence": 0.95},
        {"movie_id": 2, "confidence": 0.65, "reason": "It may be.", "include": False},
        {"movie_id": 3, "confidence": 0.4},
    ]
    assert list(decisions[1]) == ["movie_id", "confidence", "reason", "include"]


def test_a_verdict_that_does_not_follow_is_said() -> None:
    """Also outside of the open band."""
    entries = answered("Heists", judge=lambda _, record: Judgement(record["title"] == "Movie 4", 0.3, ""))["decisions"]
    assert [entry.get("include") for entry in entries] == [None, None, None, True]


@pytest.mark.parametrize("second_look", [False, True])
def test_in_full_nothing_is_left_out(second_look: bool) -> None:  # noqa: FBT001
    """By a model that does so, or where the schema requires it: then the reason comes first."""
    style = Style() if second_look else Style(form="full")
    for entry in answered("Heists", style=style, second_look=second_look)["decisions"]:
        assert set(entry) == {"movie_id", "reason", "include", "confidence"}
    assert list(entry)[1] == ("reason" if second_look else "confidence")


def test_several_are_answered_under_their_numbers() -> None:
    """Each with its own verdicts: a judge sees one collection's text."""
    seen = []

    def judge(text: str, _record: dict[str, Any]) -> Judgement:
        seen.append(text)
        return Judgement("Noir" in text, 0.9 if "Noir" in text else 0.0, "")

    answer = answered("Heists", "Noir", judge=judge)
    assert [(entry["collection"], entry["collection_name"]) for entry in answer["collections"]] == [
        (1, "Heists"),
        (2, "Noir"),
    ]
    assert [(len(entry["decisions"]), len(entry["excluded"])) for entry in answer["collections"]] == [(0, 4), (4, 0)]
    assert all(text.count("<name>") == 1 and "Judge every movie" in text for text in seen)


def test_styles_may_spoil_one_of_several() -> None:
    """Or leave one out, or write every movie out."""
    first, second = answered("Heists", "Noir", style=Style(missing=2, of="Noir"))["collections"]
    assert [len(entry["decisions"]) + len(entry["excluded"]) for entry in (first, second)] == [4, 2]
    (only,) = answered("Heists", "Noir", style=Style(without=("Heists",)))["collections"]
    assert only["collection"] == 2
    specified = answered("Heists", "Noir", style=SPEC)["collections"]
    assert [len(entry["decisions"]) for entry in specified] == [4, 4]
    assert {"collection", "collection_name", "decisions"} == set(specified[0])


def test_the_keyword_judge_reads_each_collection_s_own_words() -> None:
    """And none of its neighbours'."""
    alone = [answered(name, judge=keyword_judge.judge) for name in ("Heists", "Happens")]
    both = answered("Heists", "Happens", judge=keyword_judge.judge)["collections"]
    assert [{key: entry[key] for key in ("decisions", "excluded")} for entry in both] == [
        {key: entry[key] for key in ("decisions", "excluded")} for entry in alone
    ]
    assert both[0] != both[1]
