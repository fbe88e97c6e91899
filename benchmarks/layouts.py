"""Compute what other ways to ask would cost for the same library, truth, tokenizer and prices, without running them.

The specification's own layout, as it prints its prompts: one request for each collection and each 150 movies, its
system prompt, the collection first and the movies after it, no caching, and every movie answered with a full decision
object, with a reasoning for borderline cases. Everything that it leaves open is assumed in its favour: the movies are
written as compactly as ours, nothing is asked twice, no second looks, no schema.

- `baseline`: the answer in the layout that the specification prints, which a model copies if it is shown that.
- `baseline_compact`: the same answer without any blank or line break, the cheapest form of this layout.

The lower bound: every text (system prompt, each movie, each collection) is sent once and never again, and the output
holds members only.

- `bound`: a member is a decision object of ours, with its reason.
- `bound_ids`: a member is a bare id and a comma, which no answer with a confidence can reach.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import library
from benchmarks.figures import MODEL, Layouts
from benchmarks.other_side import usd
from kometa_ai.asking.prompts import SHOW_SYSTEM, SYSTEM
from kometa_ai.judging.records import records_text
from kometa_ai.standins.claude import count_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.figures import Kind
    from kometa_ai.core.kinds import AnyItem

BATCH = 150

SPECIFICATION_SYSTEM = """\
You are a film expert tasked with categorizing movies for a Plex media server. Your job is to determine which movies \
belong in a specific collection based on the provided criteria.

Guidelines:
1. Focus on the specific collection definition provided
2. Consider all relevant movie attributes (title, year, genres, plot, directors, actors, etc.)
3. Apply the collection criteria consistently
4. Provide a confidence score (0.0-1.0) for each decision
5. When uncertain, provide reasoning in your response
6. Return answers in valid JSON format only

You'll receive a collection definition with criteria and a list of movies to evaluate. For each movie, decide if it \
belongs in the collection and provide your confidence level.

Your response must follow this exact JSON format:
{
  "collection_name": "Name of the collection",
  "decisions": [
    {
      "movie_id": 123,
      "title": "Movie Title",
      "include": true/false,
      "confidence": 0.95,
      "reasoning": "Optional explanation for borderline cases"
    },
    // Additional movies...
  ]
}

Do not include any text outside of this JSON structure. Your JSON must be valid and properly formatted."""

_SPECIFICATION_COLLECTION = """\
I need you to categorize movies for the "{name}" collection.

COLLECTION DEFINITION AND CRITERIA:
{criteria}

For each movie in the provided list, evaluate whether it belongs in the {name} collection based on these criteria. \
Provide your decision and a confidence level (0.0-1.0) for each movie. Return your evaluation in the required JSON \
format."""


def compute(*, kind: Kind, movies: int, collections: int, members: float) -> Layouts:
    """Price the layouts for a first run."""
    truth = library.Truth(members)
    names = library.names(collections)
    baseline = compact = 0.0
    written, members_out, ids_out = count_tokens(SHOW_SYSTEM if kind == "shows" else SYSTEM), 0, 0
    written += sum(count_tokens(library.criteria(name)) for name in names)
    left: Iterator[AnyItem] = library.shows(movies) if kind == "shows" else library.movies(movies)
    while batch := list(islice(left, BATCH)):
        text = records_text(batch)
        written += count_tokens(text)
        for name in names:
            decisions = [_specified(movie, truth.about(name, movie.title)) for movie in batch]
            belong = [decision for decision in decisions if truth.about(name, decision["title"]).is_member]
            members_out += sum(count_tokens(msgspec.json.encode(_ours(decision)).decode()) for decision in belong)
            ids_out += sum(count_tokens(f"{decision['movie_id']},") for decision in belong)
            answer = {"collection_name": name, "decisions": decisions}
            question = _SPECIFICATION_COLLECTION.format(name=name, criteria=library.criteria(name))
            asked = count_tokens(SPECIFICATION_SYSTEM) + count_tokens(f"{question}\n\n{text}")
            printed = json.dumps(answer, indent=2, ensure_ascii=False)
            baseline += _price(input_tokens=asked, output_tokens=count_tokens(printed))
            dense = msgspec.json.encode(answer).decode()
            compact += _price(input_tokens=asked, output_tokens=count_tokens(dense))
    return Layouts(
        baseline=baseline,
        baseline_compact=compact,
        bound=_price(input_tokens=written, output_tokens=members_out),
        bound_ids=_price(input_tokens=written, output_tokens=ids_out),
    )


def _specified(movie: AnyItem, verdict: library.Verdict) -> dict[str, Any]:
    decision = {
        "movie_id": movie.arr_id,
        "title": movie.title,
        "include": verdict.is_member,
        "confidence": verdict.at_second_look,
    }
    if verdict.is_borderline:
        decision["reasoning"] = library.reason(movie.title)
    return decision


def _ours(decision: dict[str, Any]) -> dict[str, Any]:
    return {
        "movie_id": decision["movie_id"] % BATCH,
        "reason": library.reason(decision["title"]),
        "include": True,
        "confidence": decision["confidence"],
    }


def _price(**tokens: int) -> float:
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    return usd({**usage, **tokens}, MODEL)
