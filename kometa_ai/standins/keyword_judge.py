"""Judge movies and shows by keyword matching, in Claude's place in the demo; every reason says that it is no more.

It reads the user's criteria superficially: sentences with "must" name what is required, sentences with "leave out" what
counts against an item, years limit the period, everything else is a word that may occur in the item's record. It knows
no titles and no collections, and misses everything that requires understanding.
"""

from __future__ import annotations

import functools
import html
import math
import re
import unicodedata
from collections.abc import Collection
from typing import Any, Final

import msgspec

from kometa_ai.standins.claude_answers import Judgement

# The weight of a word, by the field of the record that has it.
_OF_MOVIES: Final = {"keywords": 1.0, "title": 0.7, "plot": 0.6, "genres": 0.5}
# A show's record has no keywords and no people: what it is about stands in its plot, if anywhere.
_OF_SHOWS: Final = {
    "genres": 1.0,
    "plot": 1.0,
    "language": 1.0,
    "network": 0.8,
    "title": 0.7,
    "status": 0.7,
    "type": 0.7,
}
_DEFINING = 1.5  # the factor for a word of the collection's name or of a "must" sentence
_PARTIAL = (
    0.5  # a keyword of several words of which only some are wanted: "mistaken identity", "artificial intelligence"
)
_PERSON = 1.0
_SATURATION = 1.7  # the weight at which confidence reaches about 0.6
_CERTAIN = 0.96

# Factors on confidence.
_MISSING = 0.4  # nothing required was found
_MENTIONED = 0.75  # it was found in the plot only
_AGAINST = 0.6  # for each word that counts against the item; if only the plot has it, the milder factor
_AGAINST_IN_PLOT = 0.8

_EVEN_ODDS = 0.5
_STEP = 0.05
_SHORTEST_WORD = 3
_SHOWN = 5  # words shown in a reason

_UNWANTED = re.compile(r"(?i:leave out|exclud|not\b|no\b|never|without|avoid|skip|ignore|do not|don't)")
_UNWANTED_TAIL = re.compile(r"\b(?:but not|except|rather than|other than)\b", re.IGNORECASE)
_REQUIRED = re.compile(r"(must|requir|needs?\b|only\b)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?;](?=\s|$)|\n\s*[-*\u2022]\s+|\n\s*\n|\n(?=\s*[A-Z])")
_WORD = re.compile(r"[a-z][a-z0-9'-]+")
_NAME_PART = re.compile(r"[^\W_]+")
_CAPITALISED = re.compile(r"\b[A-Z][a-z]{4,}\b")
_RANGE = re.compile(r"\b(\d{4})\s*(?:-|\u2013|to|and|until|through)\s*(\d{4})\b")
_DECADE = re.compile(r"\b(\d{3})0'?s\b")
_BEFORE = re.compile(r"\b(?:before|until|up to|no later than)\s+(\d{4})\b", re.IGNORECASE)
_AFTER = re.compile(r"\b(?:after|since|from|later than)\s+(\d{4})\b(?!\s*(?:-|\u2013|to|until))", re.IGNORECASE)

_FIRST_YEAR, _LAST_YEAR = 1870, 2999

_STOP_TEXT = """
    about above across after again all almost along also although always among an and another any anybody anyone
    anything are around as at away back be because been before begin being best between big both but by came can come
    could day did do does done down during each either else end enough even ever every everybody everyone everything
    far few find first for four from full get gets give given go goes gone good great had half happen has have having
    he heart help her here hers him himself his how however if in into is it its itself just keep kind know last least
    less let like likes little long look looking lot made main make makes man many matter may men mere might more most
    much must near never new next no nobody none nor not nothing now of off often old on once one only or order other
    others our out over own part people place plain play plays put quite rather real really right same say says see
    seen set several she should show since small so some somebody someone something still such take takes tell than
    that the their them themselves then there these they thing things this those three through time to together too
    turn two under until up upon us use used very want was way we well were what whatever when where whether which
    while who whole whom whose why will with within without woman women would year years yet you young your

    actor actress audience belong borrow cinema collection count country decade director drama era example film genre
    leave model movie period picture plot scene screen spirit story style tale theme viewer watch welcome world
"""
_STOP_WORDS: Final = frozenset(_STOP_TEXT.split())


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What the user's words ask for. Words are stems; any one word of `required` is enough.

    `weights` holds every wanted word, `years` the allowed periods (empty: any year), `people` the wanted text in the
    form in which names are looked up, `surnames` its capitalised words.
    """

    weights: dict[str, float]
    required: frozenset[str]
    unwanted: frozenset[str]
    years: tuple[tuple[int, int], ...]
    people: str
    surnames: frozenset[str]


class _Evidence(msgspec.Struct, frozen=True):
    """Where a record has a word, as what, and what it weighs there; `phrase` are the stems of the text around it."""

    field: str
    word: str
    phrase: frozenset[str]
    weight: float

    def strength(self, wanted: Collection[str]) -> float:
        """The weight of the word for these stems."""
        whole = self.field != "keywords" or all(stem in wanted for stem in self.phrase)
        return self.weight * (1.0 if whole else _PARTIAL)


def judge(collection_text: str, item: dict[str, Any]) -> Judgement:
    """Judge `item`, a movie or a show as a request shows it, by the criteria in a request's second block.

    Never raises: a field that is missing or of an unexpected type is ignored.
    """
    criteria = read_criteria(collection_text)
    fields = _OF_SHOWS if "show_id" in item else _OF_MOVIES
    words = _words_of(item, fields)
    named = _people(criteria, item)
    score = _PERSON * len(named) + sum(
        weight * words[stem].strength(criteria.weights) for stem, weight in criteria.weights.items() if stem in words
    )
    factor, remarks = _objections(criteria, words, has_keywords="keywords" in fields)
    if outside := _outside(criteria, item):
        factor = 0.0
        remarks.append(outside)
    confidence = round(round(_CERTAIN * (1 - math.exp(-score / _SATURATION)) * factor / _STEP) * _STEP, 2)
    return Judgement(confidence >= _EVEN_ODDS, confidence, _reason(criteria, words, named, remarks))


def _objections(criteria: Criteria, words: dict[str, _Evidence], *, has_keywords: bool) -> tuple[float, list[str]]:
    """The factor by which missing words and words against the item lower the confidence, and remarks on them.

    Of an item with keywords, what stands in the plot alone is no more than mentioned.
    """
    factor, remarks = 1.0, []
    found = {words[stem].field for stem in criteria.required if stem in words}
    if criteria.required and not found:
        factor *= _MISSING
        remarks.append("nothing of what it must have")
    elif has_keywords and found == {"plot"}:
        factor *= _MENTIONED
        remarks.append("what it must have is only mentioned")
    against = [words[stem] for stem in sorted(criteria.unwanted) if stem in words]
    for evidence in against:
        factor *= _AGAINST_IN_PLOT if has_keywords and evidence.field == "plot" else _AGAINST
    if against:
        remarks.append(f"against it: {_listed([evidence.word for evidence in against])}")
    return factor, remarks


@functools.lru_cache(maxsize=256)
def read_criteria(collection_text: str) -> Criteria:
    """Read the text of a request's collection block; text without `<criteria>` is taken as criteria as a whole."""
    name = _between(collection_text, "name") or ""
    text = _between(collection_text, "criteria") or re.sub(r"<[^<>]*>", " ", collection_text)
    wanted, required, unwanted = _sorted_sentences(text)

    required_stems = _stems(" ".join(required)).keys()
    defining = required_stems | _stems(name).keys()
    wanted_text = " ".join([name, *required, *wanted])
    stems = _stems(wanted_text).keys()
    return Criteria(
        weights={stem: _DEFINING if stem in defining else 1.0 for stem in sorted(stems)},
        required=frozenset(required_stems),
        unwanted=frozenset(_stems(" ".join(unwanted)).keys() - stems),
        years=_years(wanted_text),
        people=_as_name(wanted_text),
        surnames=frozenset(found.lower() for found in _CAPITALISED.findall(_unaccented(wanted_text))),
    )


def _between(text: str, tag: str) -> str | None:
    found = re.search(f"<{tag}>([^<]*)</{tag}>", text)
    return html.unescape(found[1]) if found else None


def _sorted_sentences(text: str) -> tuple[list[str], list[str], list[str]]:
    """The wanted, the required and the unwanted sentences of the criteria."""
    wanted: list[str] = []
    required: list[str] = []
    unwanted: list[str] = []
    for sentence in map(str.strip, _SENTENCE_END.split(text)):
        if _UNWANTED.match(sentence):
            unwanted.append(sentence)
            continue
        positive, *tail = _UNWANTED_TAIL.split(sentence)
        unwanted += tail
        (required if _REQUIRED.match(sentence) else wanted).append(positive)
    return wanted, required, unwanted


def _years(text: str) -> tuple[tuple[int, int], ...]:
    """The periods that the text allows: "1940-1959", "1990s", "before 1970", "since 2000"."""
    spans = [(int(first), int(last)) for first, last in _RANGE.findall(text)]
    spans += [(int(decade) * 10, int(decade) * 10 + 9) for decade in _DECADE.findall(text)]
    if not spans:
        spans += [(_FIRST_YEAR, int(year) - 1) for year in _BEFORE.findall(text)]
        spans += [(int(year), _LAST_YEAR) for year in _AFTER.findall(text)]
    return tuple(spans)


def _outside(criteria: Criteria, item: dict[str, Any]) -> str:
    """Why the item's year rules it out; empty if it does not, or if the year is unknown."""
    year = item.get("year")
    if not criteria.years or not isinstance(year, int) or not year:
        return ""
    if any(first <= year <= last for first, last in criteria.years):
        return ""
    return f"{year} is outside {', '.join(_period(first, last) for first, last in criteria.years)}"


def _period(first: int, last: int) -> str:
    if first == _FIRST_YEAR:
        return f"the years to {last}"
    return f"the years from {first}" if last == _LAST_YEAR else f"{first}-{last}"


def _people(criteria: Criteria, item: dict[str, Any]) -> list[str]:
    """The item's directors and actors that the criteria name; a director's surname is enough."""
    named = [name for name in _texts(item, "actors") if _is_named(name, criteria)]
    return named + [
        name
        for name in _texts(item, "directors")
        if _is_named(name, criteria) or not criteria.surnames.isdisjoint(_as_name(name).split()[-1:])
    ]


def _is_named(name: str, criteria: Criteria) -> bool:
    name = _as_name(name)
    return " " in name.strip() and name in criteria.people


@functools.lru_cache(maxsize=4096)
def _as_name(text: str) -> str:
    """`text` as plain lower-case words, with a blank at both ends so that only whole words match."""
    return f" {' '.join(_NAME_PART.findall(_fold(text)))} "


def _words_of(item: dict[str, Any], fields: dict[str, float]) -> dict[str, _Evidence]:
    return _index(tuple((field, weight, tuple(_texts(item, field))) for field, weight in fields.items()))


@functools.lru_cache(maxsize=1024)
def _index(record: tuple[tuple[str, float, tuple[str, ...]], ...]) -> dict[str, _Evidence]:
    """Every content word of a record under its stem, from the field where it is worth most.

    Remembered, because an item is judged for one collection after the other: do not change what you are given.
    """
    words: dict[str, _Evidence] = {}
    for field, weight, texts in record:
        for text in texts:
            stems = _stems(text)
            for stem, word in stems.items():
                words.setdefault(stem, _Evidence(field, word, frozenset(stems), weight))
    return words


def _texts(item: dict[str, Any], field: str) -> list[str]:
    value = item.get(field)
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


@functools.lru_cache(maxsize=4096)
def _stems(text: str) -> dict[str, str]:
    """The content words of `text` by stem, each in its first spelling. Cached: do not change the result."""
    stems: dict[str, str] = {}
    for found in _WORD.findall(_fold(text)):
        word = found.removesuffix("'s").strip("'-")
        stem = _stem(word)
        if len(word) >= _SHORTEST_WORD and word not in _STOP_WORDS and stem not in _stop_stems():
            stems.setdefault(stem, word)
    return stems


def _stem(word: str) -> str:
    """A word without the endings of plural, past and progressive: enough to match "dreams" with "dreaming"."""
    if not word.endswith(("ss", "us", "is")):
        for ending, put in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
            if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_WORD:
                word = word.removesuffix(ending) + put
                break
    return word.removesuffix("e")


@functools.cache
def _stop_stems() -> frozenset[str]:
    return frozenset(map(_stem, _STOP_WORDS))


def _unaccented(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).replace("\u2019", "'")


def _fold(text: str) -> str:
    return " ".join(_unaccented(text).casefold().split())


def _reason(criteria: Criteria, words: dict[str, _Evidence], named: list[str], remarks: list[str]) -> str:
    """One line that names the words behind the verdict."""
    matched = sorted(
        (stem for stem in criteria.weights if stem in words),
        key=lambda stem: (-criteria.weights[stem] * words[stem].strength(criteria.weights), stem),
    )
    by_field = {
        field: [words[stem].word for stem in matched if words[stem].field == field] for field in _OF_MOVIES | _OF_SHOWS
    }
    parts = [f"{field}: {_listed(found)}" for field, found in {**by_field, "people": named}.items() if found]
    return f"Keyword match only; {'; '.join([*(parts or ['no word in common']), *remarks])}."


def _listed(words: list[str]) -> str:
    return ", ".join(words[:_SHOWN])
