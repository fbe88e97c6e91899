"""Find movies and shows whose texts may steer a model: instructions, hidden characters, pieces of our own form. Pure.

One answer decides for all movies of a request, and texts of movies are public data that anyone can edit. A movie whose
text looks like an instruction is asked about alone, so that it can affect only its own verdict. Attacks that read like
an ordinary plot are not found here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, assert_never

from kometa_ai.core.movie import ACTORS_HASHED, Movie
from kometa_ai.core.show import Show
from kometa_ai.judging.records import HIDDEN, KEYWORDS, PLOT_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.core.kinds import AnyItem

_TAGS = re.compile(r"</|<\||<(?:system|assistant|user|movie|collection|criteria|example|instruction|prompt|record)")
_ROLES = re.compile(
    r"\[/?inst\]|##\s?(?:instruction|system|response|prompt|note)|[\n\x1f.!?\"'>{}]\s?(?:system|assistant)\s?:"
    r"|\n\n(?:human|user)\s?:"
)
_OUR_FORM = re.compile(
    r"movie_id|movie\sid\b|movie\sids\b|collection_name|[\"'](?:include|excluded|decisions|confidence|reason)[\"']\s?:"
    r"|(?:include|excluded?|belongs?)\s?[:=]\s?(?:true|false|yes|no|1|0)\b"
    r"|confidence(?:\s?(?:level|score|value)|\s?[:=]|\s(?:is\s|of\s|to\s)?[01](?:[.,]\d|\s|$))"
)
_LISTED = re.compile(
    r"(?:movie|film|item|entrie|record)s?\s(?:of|in|on|from|above|below|listed)(?:\s(?:this|the|your))?"
    r"\s(?:list|block|request|batch|input|prompt)\b"
    r"|(?:to|into)\s(?:every|all|each|any|this)\scollections?\b|in\s(?:every|all|each)\scollections?\b"
    r"|end\sof\s(?:data|list|input|record|movies)"
)
_ALL_OF_THEM = re.compile(
    r"(?:mark|include|exclude|list|tag|classify|rate|judge|accept)\s(?:\w{1,12}\s)?(?:every|all|each|any)(?:\sof)?"
    r"(?:\sthe|\sthese)?(?:\sother)?\s(?:movie|film|item|entries|ids)"
    r"|(?:all|every|each|none)(?:\sof)?(?:\sthe|\sthese|\sthose|\sthem)?(?:\sother)?"
    r"(?:\smovies?|\sfilms?|\sitems?|\sentry|\sentries|\sids?)?\sbelongs?\s?(?:to\s|in\s)?"
    r"(?:this\s|the\s|every\s|all\s|any\s)?(?:collection|[.!\"])"
    r"|this\s(?:movie|film|entry|item|record)\s(?:(?:must|should|is\sto|has\sto)\sbe\s(?:in|ex)cluded|belongs\severywhere)"
)
_ORDERS = re.compile(
    r"(?:ignore|disregard|forget|override|bypass|skip)\s(?:\w{1,15}\W{1,3}){0,4}"
    r"(?:instruction|prompt|guideline|criteria|directive)"
    r"|(?:ignore|disregard|forget)\s(?:the\s|all\s)?(?:above|previous|preceding|foregoing)\s?[.,:;!]"
    r"|(?:ignore|disregard|forget)\s(?:all|any|everything|what|whatever)\s(?:of\s)?(?:the\s)?(?:you\s)?"
    r"(?:previous|prior|above|preceding|earlier|else\sin|before|were\stold)"
)
_ADDRESSED = re.compile(
    r"(?:system|developer)\s?(?:prompt|note|instruction|override|directive)|system\smessage\s?(?::|to\s|for\s)"
    r"|(?:note|message|instructions?|attention|reminder|order)\s(?:to|for)\s(?:the\s|an?\s|any\s)?(?:\w{1,12}\s)?"
    r"(?:language\smodel|llm|model\b|ai\smodel|ai\sassistant|ai\ssystem|ai\s?[:,]|chatbot)"
    r"|(?:you\sare|you're|act\sas|as)\s(?:now\s)?(?:an?\s|the\s)?"
    r"(?:ai|artificial\sintelligence|large\slanguage|language|helpful)(?:\slanguage)?\s(?:assistant|model)\b"
)
_TOLD = re.compile(
    r"classifiers?\b|override\s?:|new\s(?:rule|instruction|system|task)s?\s?:|large\slanguage\smodel|prompt\sinjection|chatgpt"
    r"|llms\b|(?:answer|respond|reply|output|return|set)\s(?:only\s|always\s|exactly\s)?(?:with\s|in\s)?"
    r"(?:json|true|include|confidence)\b"
)
_RIGHT = re.compile(
    r"(?:correct|right|expected|required)\s(?:answer|verdict|output|decision|judge?ment)\s(?:is|for|here)\b"
)
_ELSEWHERE = re.compile(
    r"ignorier\w{0,4}\s(?:alle|die|s[äa]mtliche|vorherige)\w{0,4}\s(?:\w{1,15}\s)?(?:anweisung|regel|vorgabe|instruktion)"
    r"|ignor[ae]\w{0,3}\s(?:todas?\s|toutes?\s|tutte\s)?(?:as\s|las\s|les\s|le\s)?(?:\w{1,15}\s)?(?:instruc|instruç|istruzion)"
)
_IN_OTHER_LANGUAGES = re.compile(
    # A model, or all movies of a list, in German, French, Spanish, Italian, Portuguese.
    r"sprachmodell|an\s(?:die|das)\s(?:ki|modell)\b|alle[rn]?\s(?:filme|eintr[äa]ge)\b|dieser\s(?:liste|anfrage)\b"
    r"|mod[eè]le\sde\slangage|pour\sl['\u2019]ia\b|tous\sles\s(?:films|[ée]l[ée]ments)\b"
    r"|modelo\sde\s(?:lenguaje|linguagem)|para\s(?:la|a)\sia\b|tod[ao]s\s(?:las|los|as|os)\s(?:pel[ií]culas|filmes)\b"
    r"|modello\slinguistico|per\sl['\u2019]ia\b|tutti\si\sfilm\b"
    # The same in Russian, Chinese, Japanese, with what is to be ignored.
    r"|игнорируй|предыдущие\s(?:инструкции|указания)|(?:все|всех|каждый)\sфильм|языков\w{1,4}\sмодел"  # noqa: RUF001
    r"|忽略.{0,12}指令|(?:所有|全部|每部)(?:的)?(?:电影|影片|電影)|(?:これまで|以前|上記)の.{0,8}指示|すべての映画|全ての映画"
)
_SHORTEST_ENCODED = 24
ENCODED = re.compile(
    rf"(?<![a-z0-9+/])(?=[a-z]{{0,40}}[0-9])[a-z0-9+/]{{{_SHORTEST_ENCODED},400}}={{0,2}}(?![a-z0-9+/])"
)
"""A long run of letters and digits, as of Base64: no word has it, and a model may read it."""


class Sign(NamedTuple):
    """What gives an address to a reader away, and words of which each match holds one.

    Most texts have none of the words. To find that out takes a fraction of the time in which the pattern finds nothing.
    """

    pattern: re.Pattern[str]
    words: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        """Whether it is in a casefolded text."""
        for word in self.words:  # half as long as `any` takes
            if word in text:
                return self.pattern.search(text) is not None
        return False


SIGNS = (
    Sign(_TAGS, ("<",)),
    Sign(_ROLES, ("inst]", "##", "system", "assistant", "\n\n")),
    Sign(_OUR_FORM, ("movie", "collection_name", "include", "exclude", "decisions", "confidence", "reason", "belong")),
    Sign(_LISTED, ("list", "block", "request", "batch", "input", "prompt", "collection", "data", "record", "movies")),
    Sign(_ALL_OF_THEM, ("movie", "film", "item", "entries", "ids", "belong", "cluded")),
    Sign(_ORDERS, ("ignore", "disregard", "forget", "override", "bypass", "skip")),
    Sign(
        _ADDRESSED,
        (
            *("system", "developer", "note", "message", "instruction", "attention", "reminder", "order"),
            *("assistant", "model"),
        ),
    ),
    Sign(
        _TOLD,
        (
            *("classifier", "override", "rule", "instruction", "system", "task", "model", "prompt", "chatgpt", "llms"),
            *("json", "true", "include", "confidence"),
        ),
    ),
    Sign(_RIGHT, ("answer", "verdict", "output", "decision", "judg")),
    Sign(_ELSEWHERE, ("ignor",)),
    Sign(
        _IN_OTHER_LANGUAGES,
        (
            *("modell", "die", "das", "filme", "eintr", "dieser", "langage", "l'ia", "l\u2019ia", "tous", "modelo"),
            *("para", "culas", "tutti", "игнорируй", "предыдущие", "фильм", "языков", "忽略"),
            *("电影", "影片", "電影", "指示", "映画"),
        ),
    ),
)
_SHOW = re.compile(r"\bshow(?=s?\b|_id)", re.IGNORECASE)
_KEPT_AS = "addresses_a_reader"
_JOINERS = 2
"""Ordinary text has at most this many characters without a width in a row."""


def addresses_a_reader(item: AnyItem) -> bool:
    """Whether a text of the item reads like an instruction to the model, or hides characters."""
    # Cached on the item: questions are packed several times in a run.
    found = item.__dict__.get(_KEPT_AS)
    if found is None:
        text = "\x1f".join(_texts(item))
        # What would be said of movies is said of shows.
        text = _SHOW.sub("movie", text) if isinstance(item, Show) else text
        found = item.__dict__[_KEPT_AS] = _is_wary_of(text)
    return bool(found)


def _texts(item: AnyItem) -> Iterator[str]:
    yield item.title
    yield item.plot[: 2 * PLOT_LENGTH]
    yield from item.genres
    match item:
        case Movie():
            yield from item.credits.directors
            yield from item.credits.actors[:ACTORS_HASHED]
            yield from item.keywords[:KEYWORDS]
        case Show():
            yield from (item.network, item.language, item.certification)
        case _:
            assert_never(item)


def _is_wary_of(text: str) -> bool:
    if not text.isascii():
        if _hides_much(text):
            return True
        text = unicodedata.normalize("NFKC", HIDDEN.sub("", text))
    text = text.casefold()
    return any(sign.is_in(text) for sign in SIGNS) or is_encoded(text)


def is_encoded(text: str) -> bool:
    """Whether a casefolded text has a long run of letters and digits."""
    longest = max(map(len, text.split()), default=0)
    return longest >= _SHORTEST_ENCODED and ENCODED.search(text) is not None


def _hides_much(text: str) -> bool:
    """Whether there are more hidden characters in a row than scripts and emoji need, or any tag character."""
    found = HIDDEN.findall(text)
    return any("\U000e0000" <= run[0] <= "\U000e0fff" or len(run) > _JOINERS for run in found)
