"""Write the Claude stand-in's answers: read the movies, call the judge, and write what Claude would write.

A `Style` says what goes wrong in the writing, so that tests can try a client on answers that real models give.
"""

from __future__ import annotations

import functools
import html
import random
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from kometa_ai.standins.claude_schema import resolve

EXCLUDED_BELOW = 0.2  # a movie with less confidence than this is only listed, not explained

_LEAN_FIELDS = ("movie_id", "reason", "include", "confidence")
_SPEC_FIELDS = ("movie_id", "title", "include", "confidence", "reasoning")
_NAME = re.compile(r"<name>([^<]*)</name>")
_NUMBERED = re.compile(r'<collection number="(\d{1,3})">')
_END = "</collection>"
_OPEN_FROM, _OPEN_TO = 0.45, 0.65  # between these the verdict has to be said
_BELONGS = 0.5


class Judgement(msgspec.Struct, frozen=True):
    """The judge's opinion of one movie: whether it belongs, how sure, and why."""

    include: bool
    confidence: float
    reason: str


Judge = Callable[[str, dict[str, Any]], Judgement]


def judge_by_genre(collection: str, movie: dict[str, Any]) -> Judgement:
    """Judge a movie by how many of its genres and keywords the collection's text names; good enough for development."""
    text = collection.casefold()
    words = [str(word) for word in (*movie.get("genres", ()), *movie.get("keywords", ()))]
    named = [word for word in words if word.casefold() in text]
    confidence = min(0.95, 0.5 + 0.2 * len(named)) if named else 0.05
    return Judgement(bool(named), confidence, f"its record says {', '.join(named)}" if named else "nothing in common")


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an answer is written; the defaults are a flawless model.

    - `form`: `lean` lists what clearly does not belong as bare ids in `excluded`, and leaves out a `reason` that is
      empty and an `include` that follows from the confidence; `full` leaves out nothing of a decision; `spec` writes
      every movie out in `decisions`, with `title` and `reasoning`, and has no `excluded`.
    - `wrap`: the JSON as it is, in a code fence, or between sentences.
    - `missing`, `duplicated`, `unknown`: the number of movies that are left out (the last ones), answered twice
      (decisions before excluded ids; with `contradicted` the second decision is the opposite), or made up.
    - `reordered`: the entries are shuffled.
    - `of`: of an answer about several collections only what it has for that one is spoiled so.
    - `without`: the names of collections that an answer about several leaves out.
    - `confidence`: replaces every confidence, even if the schema forbids it.
    - `truncated_at`: the output ends after this many tokens, as if `max_tokens` had said so.
    - `refused`: `stop_reason: refusal`, with `refusal_category`; without content, or after `text`.
    - `text`: the answer, word for word, instead of one to the question.
    """

    form: Literal["lean", "full", "spec"] = "lean"
    wrap: Literal["none", "fence", "prose"] = "none"
    missing: int = 0
    duplicated: int = 0
    contradicted: bool = False
    unknown: int = 0
    reordered: bool = False
    of: str | None = None
    without: tuple[str, ...] = ()
    confidence: float | None = None
    truncated_at: int | None = None
    refused: bool = False
    refusal_category: str | None = None
    text: str | None = None


NORMAL = Style()
SPEC = Style(form="spec")
FENCED = Style(wrap="fence")
PROSE = Style(wrap="prose")
REFUSED = Style(refused=True)


class Asked(msgspec.Struct, frozen=True):
    """A collection that is asked about: its name, and its text with what is to be done."""

    name: str
    text: str
    number: int = 1


class Prompt(msgspec.Struct, frozen=True):
    """The content of a request: the movies, the text after them, and the collections that it asks about."""

    movies: tuple[dict[str, Any], ...]
    text: str
    collections: tuple[Asked, ...]
    is_numbered: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the collections."""
        return tuple(asked.name for asked in self.collections)


def read_prompt(body: dict[str, Any]) -> Prompt:
    """Read the movies and the collections from the last user message.

    The first text block holds the movies, one JSON object a line; the rest is the collection, or several with numbers.
    In a message of one block the collection is every line that is not a movie.
    """
    first, *rest = _last_user_texts(body) or [""]
    movies = read_movies(first)
    text = "\n".join(rest) if rest else "\n".join(line for line in first.splitlines() if line[:1] != "{")
    collections = _numbered(text)
    return Prompt(movies, text, collections or (Asked(_named(text), text),), is_numbered=bool(collections))


@functools.lru_cache(maxsize=64)
def _numbered(text: str) -> tuple[Asked, ...]:
    pieces = _NUMBERED.split(text)[1:]
    numbers, bodies = pieces[::2], [body.partition(_END) for body in pieces[1::2]]
    after = bodies[-1][2] if bodies else ""
    return tuple(
        Asked(_named(body), f"<collection>{body}{_END}{after}", int(number))
        for number, (body, _, _) in zip(numbers, bodies, strict=True)
    )


def _named(text: str) -> str:
    name = _NAME.search(text)
    return html.unescape(name[1].strip()) if name else ""


def _last_user_texts(body: dict[str, Any]) -> list[str]:
    for message in reversed(body.get("messages") or []):
        if isinstance(message, dict) and message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, str):
                return [content]
            blocks = [block for block in content or () if isinstance(block, dict)]
            return [str(block.get("text", "")) for block in blocks if block.get("type") == "text"]
    return []


@functools.lru_cache(maxsize=64)
def read_movies(text: str) -> tuple[dict[str, Any], ...]:
    """The JSON objects with a `movie_id` or a `show_id`, one a line; other lines are skipped.

    The result is cached, as the same block comes once for every collection: do not change it.
    """
    movies = []
    for line in text.splitlines():
        if line[:1] != "{":
            continue
        try:
            movie = msgspec.json.decode(line.rstrip().rstrip(","), type=dict[str, Any])
        except msgspec.DecodeError:
            continue
        if isinstance(id_of(movie), int):
            movies.append(movie)
    return tuple(movies)


def id_of(item: Mapping[str, Any]) -> Any:  # noqa: ANN401 # whatever is there
    """A movie's or a show's number in its list."""
    return item.get("movie_id", item.get("show_id"))


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The freedom that the schema leaves the model.

    `top` are the fields of what an answer has for a collection and `fields` those of a decision, in order, `optional`
    those that it may leave out; without `excluded` at the top every movie needs a decision. `steps` are the confidences
    to choose from (empty: any). `is_of_several` says that the answer is a list of such objects.
    """

    top: tuple[str, ...]
    fields: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    steps: tuple[float, ...] = ()
    is_of_several: bool = False

    @property
    def listed(self) -> bool:
        """Whether a movie may be listed without a decision."""
        return "excluded" in self.top


_FORMS = {
    "lean": Form(
        top=("collection_name", "decisions", "excluded"),
        fields=_LEAN_FIELDS,
        optional=frozenset({"reason", "include"}),
    ),
    "spec": Form(top=("collection_name", "decisions"), fields=_SPEC_FIELDS),
}
_FORMS["full"] = msgspec.structs.replace(_FORMS["lean"], optional=frozenset())


@functools.lru_cache(maxsize=64)
def form_of_schema(encoded: bytes) -> Form:
    """The form that a schema (as JSON) enforces: its fields in its order, those that are required first.

    The lean form for any other schema.
    """
    schema: dict[str, Any] = msgspec.json.decode(encoded)
    properties = schema.get("properties") or {}
    several = _items(properties.get("collections"), schema)
    if several:
        properties = several.get("properties") or {}
    item = _items(properties.get("decisions"), schema)
    fields = item.get("properties")
    if not fields:
        return msgspec.structs.replace(_FORMS["lean"], is_of_several=bool(several))
    optional = frozenset(fields) - frozenset(item.get("required", ()))
    confidence = resolve(fields.get("confidence") or {}, schema) or {}
    return Form(
        top=tuple(properties),
        fields=tuple(sorted(fields, key=lambda name: name in optional)),
        optional=optional,
        steps=tuple(confidence.get("enum", ())),
        is_of_several=bool(several),
    )


def _items(node: dict[str, Any] | None, schema: dict[str, Any]) -> dict[str, Any]:
    """What the schema says of the entries of a list."""
    array = resolve(node or {}, schema) or {}
    return resolve(array.get("items") or {}, schema) or {}


def write_answer(
    prompt: Prompt,
    *,
    judge: Judge,
    style: Style,
    schema: bytes | None,
    chance: random.Random,
) -> str:
    """The text of the answer to `prompt`, in the form that the schema (as JSON) enforces."""
    if style.text is not None:
        return style.text
    if schema is None or style.form == "spec":
        form = msgspec.structs.replace(_FORMS[style.form], is_of_several=prompt.is_numbered)
    else:
        form = form_of_schema(schema)
        if style.form == "full":
            form = msgspec.structs.replace(form, optional=frozenset())
    entries = []
    for asked in prompt.collections:
        if asked.name in style.without:
            continue
        spoilt = style if style.of in (None, asked.name) else NORMAL
        decisions, excluded = _judge_all(prompt.movies, asked.text, judge, form, spoilt)
        _spoil(decisions, excluded, form, spoilt, chance)
        entries.append(_entry(asked, decisions, excluded, form))
    answer = {"collections": entries} if form.is_of_several else entries[0]
    return _wrap(msgspec.json.encode(answer).decode(), style)


def _entry(asked: Asked, decisions: list[dict[str, Any]], excluded: list[int], form: Form) -> dict[str, Any]:
    """What an answer has for one collection."""
    known = {
        "collection": asked.number,
        "collection_name": asked.name,
        "decisions": decisions,
        "excluded": excluded,
    }
    top = form.top if "collection" in form.top or not form.is_of_several else ("collection", *form.top)
    return {field: known.get(field, "") for field in top}


def _judge_all(
    movies: tuple[dict[str, Any], ...], collection: str, judge: Judge, form: Form, style: Style
) -> tuple[list[dict[str, Any]], list[int]]:
    decisions: list[dict[str, Any]] = []
    excluded: list[int] = []
    for movie in movies[: max(0, len(movies) - style.missing)]:
        judgement = judge(collection, movie)
        if form.listed and judgement.confidence < EXCLUDED_BELOW:
            excluded.append(id_of(movie))
        else:
            decisions.append(_decision(movie, judgement, form, style))
    return decisions, excluded


def _decision(movie: dict[str, Any], judgement: Judgement, form: Form, style: Style) -> dict[str, Any]:
    confidence = judgement.confidence
    if style.confidence is not None:
        confidence = style.confidence
    elif form.steps:
        confidence = min(form.steps, key=lambda step: abs(step - judgement.confidence))
    known = {
        "movie_id": id_of(movie),
        "show_id": id_of(movie),
        "title": movie.get("title", ""),
        "year": movie.get("year", 0),
        "reason": judgement.reason,
        "reasoning": judgement.reason,
        "include": judgement.include,
        "confidence": confidence,
    }
    follows = not _OPEN_FROM <= confidence <= _OPEN_TO and judgement.include == (confidence >= _BELONGS)
    left_out = {"reason"} if not judgement.reason else set()
    left_out |= {"include"} if follows else set()
    return {field: known.get(field, "") for field in form.fields if field not in left_out & form.optional}


def _spoil(
    decisions: list[dict[str, Any]], excluded: list[int], form: Form, style: Style, chance: random.Random
) -> None:
    again = [dict(decision) for decision in decisions[: style.duplicated]]
    if style.contradicted:
        again = [{**decision, "include": not decision.get("include", _says_yes(decision))} for decision in again]
    decisions += again
    excluded += excluded[: style.duplicated - len(again)]
    top = max([*excluded, *(id_of(decision) for decision in decisions)], default=0)
    for number in range(1, style.unknown + 1):
        made_up = Judgement(include=True, confidence=0.9, reason="made up")
        decisions.append(_decision({"movie_id": top + number, "title": "Made Up"}, made_up, form, style))
    if style.reordered:
        chance.shuffle(decisions)
        chance.shuffle(excluded)


def _says_yes(decision: dict[str, Any]) -> bool:
    """What a decision without `include` says."""
    return bool(decision["confidence"] >= _BELONGS)


def _wrap(text: str, style: Style) -> str:
    if style.wrap == "fence":
        return f"```json\n{text}\n```"
    if style.wrap == "prose":
        return f"Here is what I found:\n\n{text}\n\nLet me know if you would like {{more}} detail."
    return text
