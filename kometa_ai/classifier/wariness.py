"""Movies whose texts address a reader: instructions to a model, hidden characters, pieces of our own form. Pure.

One answer decides for all movies of a request. Texts of movies are public data that anybody can edit, so one that looks
like an order is asked about alone, where it can speak for itself only. What nobody would suspect is not found here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from kometa_ai.classifier.prompts import HIDDEN, KEYWORDS, PLOT_LENGTH
from kometa_ai.core.movie import ACTORS_HASHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.core.movie import Movie

_ADDRESSES = re.compile(
    r"""
    # Tags and roles of prompts.
      </ | <\| | \[/?inst\]
    | <(?:system|assistant|user|movies?|collection|criteria|examples?|instructions?|prompt|record)\b
    | (?<!\#)\#{2,}\s?(?:instructions?|system|response|prompt|note)\b
    | \b(?:system|developer)\s?(?:prompt|note|instructions?|override|directive)\b
    | \bsystem\smessage\s?(?::|to\b|for\b)
    | [\n\x1f.!?"'>{}]\s?(?:system|assistant)\s?:
    | \n\n(?:human|user)\s?:

    # The form of our own requests and answers.
    | \bmovie[_\s]ids?\b | \bcollection_name\b
    | ["'](?:include|excluded|decisions|confidence|reason)["']\s?:
    | \bconfidence(?:\s?(?:level|score|value)|\s?[:=]|\s(?:is\s|of\s|to\s)?[01](?:[.,]\d|\s|$))
    | \b(?:every|all|each|any|these|other)(?:\sof)?(?:\sthe|\sthese|\sother)?
      \s(?:movies?|films?|items?|entries|records)\s(?:of|in|on|from|above|below|listed)
      (?:\s(?:this|the|your))?\s(?:list|block|request|batch|input|prompt)\b
    | \b(?:belongs?|include[ds]?|put|exclude[ds]?|add(?:ed)?)\b.{0,30}\b(?:to|in|into|from)
      \s(?:every|all|each|any|this|the\s(?:given|current|requested))\scollections?\b
    | \b(?:mark|include|exclude|list|tag|classify|rate|judge|accept)\s(?:\w{1,12}\s)?(?:every|all|each|any)(?:\sof)?
      (?:\sthe|\sthese)?(?:\sother)?\s(?:movies?|films?|items?|entries|ids)\b
    | \b(?:all|every|each|none)(?:\sof)?(?:\sthe|\sthese|\sthose|\sthem)?(?:\sother)?
      (?:\smovies?|\sfilms?|\sitems?|\sentr(?:y|ies)|\sids?)?\sbelongs?\b\s?(?:to\s|in\s)?
      (?:this\s|the\s|every\s|all\s|any\s)?(?:collections?|[.!"])
    | \bthis\s(?:movie|film|entry|item|record)\s(?:
        (?:must|should|is\sto|has\sto)\sbe\s(?:in|ex)cluded
        | belongs\s(?:everywhere|(?:in|to)\s(?:all|every|any|this|the)\scollections?)
      )
    | \bend\sof\s(?:data|list|input|records?|movies)\b

    # Orders to a model.
    | \bclassifiers?\b | \boverride\s?:
    | \b(?:ignore|disregard|forget|override|bypass|skip)\s(?:\w{1,15}\W{1,3}){0,4}
      (?:instructions?|prompts?|guidelines?|criteria|directives?)\b
    | \b(?:ignore|disregard|forget)\s(?:the\s|all\s)?(?:above|previous|preceding|foregoing)\s?[.,:;!]
    | \b(?:ignore|disregard|forget)\s(?:all|any|everything|what(?:ever)?)\s(?:of\s)?(?:the\s)?(?:you\s)?
      (?:previous|prior|above|preceding|earlier|else\sin|before|were\stold)
    | \b(?:note|message|instructions?|attention|reminder|order)\s(?:to|for)\s(?:the\s|an?\s|any\s)?(?:\w{1,12}\s)?
      (?:language\smodels?\b|llms?\b|model\b|ai\smodels?\b|ai\sassistants?\b|ai\ssystems?\b|ai\s?[:,]|chatbots?\b)
    | \bnew\s(?:rules?|instructions?|system|task)\s?:
    | \b(?:you\sare|you're|act\sas|as)\s(?:now\s)?(?:an?\s|the\s)?
      (?:ai|artificial\sintelligence|large\slanguage|language|helpful)(?:\slanguage)?\s(?:assistant|model)\b
    | \blarge\slanguage\smodels?\b | \bprompt\sinjections?\b | \bchatgpt\b | \bllms\b
    | \b(?:answer|respond|reply|output|return|set)\s(?:only\s|always\s|exactly\s)?(?:with\s|in\s)?
      (?:json|true|include|confidence)\b

    # The same in other languages.
    | \bignorier\w{0,4}\s(?:alle|die|s[äa]mtliche|vorherige)\w{0,4}\s(?:\w{1,15}\s)?
      (?:anweisung|regel|vorgabe|instruktion)\w{0,5}
    | \bignor[ae]\w{0,3}\s(?:todas?\s|toutes?\s|tutte\s)?(?:as\s|las\s|les\s|le\s)?(?:\w{1,15}\s)?
      (?:instruc|instruç|istruzion)\w{0,7}
    """,
    re.VERBOSE,
)
_KEPT_AS = "addresses_a_reader"
_JOINERS = 2
"""So many characters without a width in a row occur in ordinary text."""


def addresses_a_reader(movie: Movie) -> bool:
    """Whether a text of the movie reads as if it were written for whoever judges it, or hides something."""
    # Kept with the movie: questions are packed several times in a run.
    found = movie.__dict__.get(_KEPT_AS)
    if found is None:
        found = movie.__dict__[_KEPT_AS] = _is_wary_of("\x1f".join(_texts(movie)))
    return bool(found)


def _texts(movie: Movie) -> Iterator[str]:
    yield movie.title
    yield movie.plot[: 2 * PLOT_LENGTH]
    yield from movie.genres
    yield from movie.credits.directors
    yield from movie.credits.actors[:ACTORS_HASHED]
    yield from movie.keywords[:KEYWORDS]


def _is_wary_of(text: str) -> bool:
    if not text.isascii():
        if _hides_much(text):
            return True
        text = unicodedata.normalize("NFKC", HIDDEN.sub("", text))
    return _ADDRESSES.search(text.casefold()) is not None


def _hides_much(text: str) -> bool:
    """Whether there are more characters that a person does not see than scripts and emoji need; of tags already one."""
    found = HIDDEN.findall(text)
    return any("\U000e0000" <= run[0] <= "\U000e0fff" or len(run) > _JOINERS for run in found)
