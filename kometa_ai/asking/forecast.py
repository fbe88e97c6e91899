"""Forecast the tokens and the cost of questions from the length of their texts.

How many characters make a token is assumed, or measured where the service counts tokens for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from kometa_ai.asking.layout import groups, is_cached
from kometa_ai.asking.prompts import FORM, SYSTEM, collection_text, form_of, question_text
from kometa_ai.core.movie import Credits
from kometa_ai.judging.records import records_text
from kometa_ai.providers import prices
from kometa_ai.providers.port import Failure, Request, RequestFailed, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.judging.packing import Packet
    from kometa_ai.providers.traits import Traits

SHARE_LISTED = 0.07
"""Of the movies: an answer names most as excluded (a number and a comma) and writes these out."""
SHARE_CLOSE = 0.01
"""Of the questions: a first look comes so near the threshold that a second one follows in the same run."""
USUAL_CREDITS = Credits(
    ("A. Usual Director",), ("First Usual Actor", "Second Usual Actor", "Third Actor", "Fourth Actor", "Fifth Actor")
)
"""Stands for people who are not known yet: they are read from Radarr when a movie is asked about."""
SAMPLES = 3
"""Packets of movies that are counted."""

_TOKENS_EXCLUDED, _TOKENS_LISTED, _TOKENS_WRITTEN_OUT, _TOKENS_ANSWER = 2, 24, 45, 40
_MOVIES_ANSWERED = 100
# Structured outputs add a description of the schema to the prompt.
_TOKENS_FORMAT = 350
_PLAUSIBLE = (1.0, 10.0)
_NOTHING = "."  # a text may not be empty


class Counting(Protocol):
    """Counts tokens for nothing; a part of Provider."""

    async def count(self, request: Request) -> int | None:
        """See Provider."""
        ...


class Ruler(NamedTuple):
    """How many characters of the movies and of the collections make a token, and how many tokens there are else.

    `form` is what is around both texts, `answered` what an answer has for each movie.
    """

    movies: float = prices.CHARS_PER_TOKEN
    collections: float = prices.CHARS_PER_TOKEN
    form: int = prices.tokens_in(SYSTEM) + _TOKENS_FORMAT
    answered: float = SHARE_LISTED * _TOKENS_LISTED + (1 - SHARE_LISTED) * _TOKENS_EXCLUDED

    @property
    def of_second_looks(self) -> Ruler:
        """The same for second looks: every movie is written out."""
        return self._replace(answered=float(_TOKENS_WRITTEN_OUT))


ASSUMED = Ruler()


async def measured(packets: Sequence[Packet], counting: Counting, model: str) -> Ruler | None:
    """Let a few texts be counted: some packets, all collections, a usual answer. None where the service cannot count.

    Raise RequestFailed or CheckModel.
    """
    form = await counting.count(_sample(model))
    if form is None:
        return None

    async def tokens(characters: int, **texts: str) -> int:
        found = max(1, (await counting.count(_sample(model, **texts)) or 0) - form)
        if not _PLAUSIBLE[0] <= characters / found <= _PLAUSIBLE[1]:
            raise RequestFailed(Failure.UNREADABLE, f"{found} tokens for {characters} characters cannot be true")
        return found

    step = max(1, len(packets) // SAMPLES)
    movies = [records_text(packet.movies) for packet in packets[::step][:SAMPLES]]
    collections = {collection.key: collection for packet in packets for collection in packet.collections}
    questions, answer = "\n".join(map(collection_text, collections.values())), _usual_answer()
    return Ruler(
        movies=sum(map(len, movies)) / sum([await tokens(len(text), movies=text) for text in movies]),
        collections=len(questions) / await tokens(len(questions), collection=questions),
        form=form,
        answered=await tokens(len(answer), collection=answer) / _MOVIES_ANSWERED,
    )


def _sample(model: str, movies: str = _NOTHING, collection: str = _NOTHING) -> Request:
    return Request(form=FORM, movies=movies, collection=collection, model=model, cache=False, expected_tokens=1)


def _usual_answer() -> str:
    """The lists of an answer about so many movies."""
    listed = round(_MOVIES_ANSWERED * SHARE_LISTED)
    arguable = (
        '{"movie_id":%d,"confidence":0.6,"reason":"A short fact that decides it, in some ten words.","include":true}'
    )
    plain = '{"movie_id":%d,"confidence":0.95}'
    decisions = [(arguable if number <= listed // 3 else plain) % number for number in range(1, listed + 1)]
    return ",".join([*decisions, *map(str, range(listed + 1, _MOVIES_ANSWERED + 1))])


def usages(
    packet: Packet,
    traits: Traits,
    ruler: Ruler = ASSUMED,
    *,
    group: int = 1,
    second_look: bool = False,
    batched: bool = False,
) -> list[Usage]:
    """What each request about a packet would use, each about a `group` of collections at most.

    Where that is cheaper, the first writes the movies to the cache, and the others read them.
    """
    movies = round(len(records_text(packet.movies)) / ruler.movies) + 1
    parts = groups(packet.collections, group)
    numbered = any(len(part) > 1 for part in parts)
    form = form_of(packet.kind, numbered=numbered, second_look=second_look)
    prefix = movies + ruler.form + form.tokens - FORM.tokens
    cached = is_cached(form.tokens + movies, len(parts), traits, batched=batched)
    found = []
    for number, part in enumerate(parts):
        text = question_text(part, kind=packet.kind, numbered=numbered, second_look=second_look)
        question = round(len(text) / ruler.collections) + 1
        written = prefix if cached and number == 0 else 0
        found.append(
            Usage(
                requests=1,
                input_tokens=question if cached else prefix + question,
                cache_write_tokens=written,
                cache_write_1h_tokens=written if batched else 0,
                cache_read_tokens=prefix if cached and number > 0 else 0,
                output_tokens=round(len(part) * (_TOKENS_ANSWER + len(packet.movies) * ruler.answered)),
            )
        )
    return found


def cost(
    packets: Iterable[Packet],
    traits: Traits,
    ruler: Ruler = ASSUMED,
    *,
    group: int = 1,
    second_look: bool = False,
    batched: bool = False,
) -> float | None:
    """What the questions would cost in USD; None for a model without a known price. See `usages`."""
    total = 0.0
    for packet in packets:
        for usage in usages(packet, traits, ruler, group=group, second_look=second_look, batched=batched):
            price = prices.cost(usage, traits, batched=batched)
            if price is None:
                return None
            total += price
    return total


def looks_cost(packets: Iterable[Packet], traits: Traits) -> float | None:
    """What second looks would cost in USD; None for a model without a known price."""
    return cost(packets, traits, ASSUMED.of_second_looks, second_look=True)


def most(request: Request, traits: Traits, *, batched: bool = False, second_look: bool = False) -> float | None:
    """What a request costs unless its answer is very long: none of it is read from the cache.

    None without a known price.
    """
    movies, question = prices.tokens_in(request.movies), prices.tokens_in(request.collection)
    form = prices.tokens_in(request.form.system) + _TOKENS_FORMAT
    written = (form if request.cache or request.cache_system else 0) + (movies if request.cache else 0)
    answered = 150 + (2 * _TOKENS_WRITTEN_OUT if second_look else 12) * (request.movies.count("\n") + 1)
    usage = Usage(
        input_tokens=form + movies + question - written,
        cache_write_tokens=written,
        cache_write_1h_tokens=written if batched else 0,
        output_tokens=request.collections * answered,
    )
    return prices.cost(usage, traits, batched=batched)
