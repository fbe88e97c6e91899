"""Compute what a first run costs with other models, and how long local ones take. Nothing is asked, nothing measured.

The tokens are those that a first run with Claude's default model has used, as docs/benchmarks.json keeps them; a local
model's are reckoned from the sizes of texts. What is assumed stands in docs/compare.md, beside the tables.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from kometa_ai.jobs.estimate import LOCAL_READS, LOCAL_WRITES
from kometa_ai.providers import prices
from kometa_ai.providers.compatible.services import service_of, traits_of
from kometa_ai.providers.port import Usage
from kometa_ai.providers.traits import Traits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.figures import Measured, Result, Scenario, Seen
    from kometa_ai.providers.compatible.services import Service

SIZES: Final = ((1_000, 5), (10_000, 20))
"""Movies and collections."""
PRICES_OF: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
"""Some prices change by the day or the hour: an offer is priced at this moment unless it says another."""

_BEGIN: Final = "<!-- models: written by `python -m benchmarks --models` -->\n"
_END: Final = "<!-- end of models -->\n"
_Row = dict[str, str]


class Offer(NamedTuple):
    """A model at a price. `remark` says for when the price is, if not for always, and what else is billed."""

    traits: Traits
    at: datetime = PRICES_OF
    remark: str = ""


def _claude(model: str) -> Offer:
    return Offer(Traits(title="Claude", model=model, catalogue="anthropic", caching="explicit"))


def _offer(service: Service, model: str, remark: str = "", at: datetime = PRICES_OF) -> Offer:
    """A model as the program itself sees it at this service."""
    return Offer(traits_of(service, model), at, remark)


OPENAI: Final = service_of("openai")
GEMINI: Final = service_of("gemini")
OPENROUTER: Final = service_of("openrouter")
DEEPSEEK: Final = service_of("openai", "https://api.deepseek.com")
MISTRAL: Final = service_of("openai", "https://api.mistral.ai/v1")
GROQ: Final = service_of("openai", "https://api.groq.com/openai/v1")

_THINKS: Final = "thinks, which is billed on top"
SONNET: Final = _claude("claude-sonnet-5-5")
HAIKU: Final = _claude("claude-haiku-5-5")
LUNA: Final = _offer(OPENAI, "gpt-6-luna")
TERRA: Final = _offer(OPENAI, "gpt-6.1-terra")
FLASH_LITE: Final = _offer(GEMINI, "gemini-3.5-flash-lite")
OFFERS: Final = (
    SONNET,
    HAIKU,
    LUNA,
    TERRA,
    _offer(OPENAI, "gpt-6-sol"),
    _offer(OPENAI, "gpt-6.1-sol", _THINKS),
    FLASH_LITE,
    _offer(GEMINI, "gemini-3.8-flash", f"until the end of 2026; {_THINKS}"),
    _offer(GEMINI, "gemini-3.8-flash", f"from 2027 on; {_THINKS}", datetime(2027, 1, 2, 12, tzinfo=UTC)),
    _offer(OPENROUTER, "anthropic/claude-haiku-5.5"),
    _offer(OPENROUTER, "deepseek/deepseek-v4-flash", f"the price depends on the route; {_THINKS}"),
    _offer(DEEPSEEK, "deepseek-v4-flash", "off-peak"),
    _offer(
        DEEPSEEK,
        "deepseek-v4-flash",
        "peak: 01:00 to 04:00 and 06:00 to 10:00 UTC",
        datetime(2026, 12, 1, 2, tzinfo=UTC),
    ),
    _offer(MISTRAL, "mistral-small-latest"),
    _offer(MISTRAL, "mistral-medium-latest"),
    _offer(GROQ, "openai/gpt-oss-120b", _THINKS),
    _offer(GROQ, "openai/gpt-oss-20b", _THINKS),
)
FLEX_SHARE: Final = 0.5
"""What OpenAI's slow tier costs of the usual price; the daemon's scheduled runs ask in it."""
CHEAP: Final = (HAIKU, LUNA, FLASH_LITE)
STRONG: Final = (SONNET, TERRA)
"""Models for the first look and for the second, beside a local one for the first."""
NEAR: Final = (1, 3)
"""How many times as many pairs are near the threshold as in the benchmark: a weak model is unsure more often."""


PAGE: Final = 10
"""Movies in a request to a local model, about one collection."""
_MOVIE, _QUESTION = 230, 190
_ANSWER, _ANSWER_A_MOVIE = 30, 4
"""Tokens: of a movie, of a collection's text, of an empty answer, and of each movie in it, listed or excluded."""


class Speed(NamedTuple):
    """A local model's speed, in tokens a second: of a prompt that is read, and of an answer that is written."""

    reads: int
    writes: int

    def hours(self, local: Local) -> float:
        """How long that many tokens take."""
        return (local.prompt / self.reads + local.answers / self.writes) / 3600


GUESSED: Final = Speed(LOCAL_READS, LOCAL_WRITES)
"""What is guessed of a 14B model on a graphics card that holds it whole."""
SPEEDS: Final = (Speed(200, 8), Speed(500, 20), GUESSED, Speed(3_000, 100))


class Local(NamedTuple):
    """The tokens of a run with a local model: what it reads, once for each page that it keeps, and what it writes."""

    prompt: int
    answers: int

    @classmethod
    def run(cls, movies: int, collections: int, *, is_reused: bool = True) -> Local:
        """A run about these. Without reuse each question makes the model read its page of movies again."""
        pages = -(-movies // PAGE)
        requests = pages * collections
        read = movies * (1 if is_reused else collections) * _MOVIE
        return cls(read + requests * _QUESTION, requests * _ANSWER + movies * collections * _ANSWER_A_MOVIE)


def markdown(measured: Measured) -> str:
    """All tables, for the page."""
    first = {size: _result(measured, "first", size) for size in SIZES}
    in_batches = _result(measured, "batches", SIZES[-1])
    days = " and ".join(f"{result.measured:%Y-%m-%d} ({_size(size)})" for size, result in first.items())
    return "\n".join(
        [
            "## What a first run costs",
            "",
            f"USD, computed: prices of {PRICES_OF:%Y-%m-%d}, for the tokens measured {days}.",
            "",
            _pipes([_costs(offer, first, _nightly(offer, first[SIZES[-1]].seen, in_batches.seen)) for offer in OFFERS]),
            "## Cheap first, strong second",
            "",
            f"USD for a first run of {_size(SIZES[-1])}, computed in the same way.",
            "",
            _pipes(_cascades(first[SIZES[-1]].seen)),
            "## How long a local model takes",
            "",
            f"Hours, computed: {PAGE} movies a request, one collection, one request at a time.",
            "",
            _pipes([_durations(speed) for speed in SPEEDS]),
        ]
    )


def write(page: Path, content: str) -> None:
    """Put the tables into a page, between the two comments that mark the place."""
    before, found, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, found_end, after = rest.partition(_END)
    if not (found and found_end):
        raise ValueError(f"{page.name} has no place for the models")
    page.write_text(f"{before}{_BEGIN}\n{content}\n{_END}{after}", encoding="utf-8")


def usd(seen: Seen, offer: Offer, *, is_read: bool = True) -> float:
    """What the requests of a run cost with another model. Where its cache is not read, it gets every prompt anew.

    Requests are priced one by one, each at the average length: some models cost more above a size of the prompt.
    """
    kept = seen.cache_write_tokens if offer.traits.caching == "explicit" and is_read else 0
    read = seen.cache_read_tokens if is_read else 0
    whole = seen.input_tokens + seen.cache_write_tokens + seen.cache_read_tokens
    usage = Usage(
        input_tokens=whole - kept - read,
        cache_write_tokens=kept,
        cache_read_tokens=read,
        output_tokens=seen.output_tokens,
    )
    total = 0.0
    for share, count in Counter(usage.shares(seen.claude)).items():
        price = prices.cost(share, offer.traits, at=offer.at)
        if price is None:
            raise ValueError(f"genai-prices has no price for {offer.traits.model!r} of {offer.traits.catalogue!r}")
        total += price * count
    return total


def second_looks_usd(seen: Seen, offer: Offer) -> float:
    """What the run's second looks cost with another model: the same share as of the run that was measured."""
    return usd(seen, offer) * seen.second_looks_usd / seen.usd


def _nightly(offer: Offer, first: Seen, in_batches: Seen) -> str:
    """What the daemon's scheduled runs pay where they pay less; only Claude's default model was measured in batches."""
    if offer == SONNET:
        return f"{in_batches.usd:.2f}"
    return f"{usd(first, offer) * FLEX_SHARE:.2f}" if offer.traits.catalogue == OPENAI.catalogue else ""


def _costs(offer: Offer, first: dict[tuple[int, int], Result], nightly: str) -> _Row:
    never = usd(first[SIZES[-1]].seen, offer, is_read=False)
    return {
        "provider": offer.traits.title,
        "model": f"`{offer.traits.model}`",
        **{_size(size): f"{usd(result.seen, offer):.2f}" for size, result in first.items()},
        f"{_size(SIZES[-1])} by night": nightly,
        "if its cache is never read": "" if offer.traits.caching == "explicit" else f"{never:.2f}",
        "": offer.remark,
    }


def _cascades(seen: Seen) -> list[_Row]:
    cheap = [*((f"`{offer.traits.model}`", usd(seen, offer)) for offer in CHEAP), ("a local model", 0.0)]
    alone = [
        {
            "first look": f"`{offer.traits.model}`",
            "second look": "the same",
            _near(1): f"{usd(seen, offer):.2f}",
            _near(3): "",
        }
        for offer in STRONG
    ]
    both = [
        {
            "first look": name,
            "second look": f"`{strong.traits.model}`",
            **{_near(times): f"{price + times * second_looks_usd(seen, strong):.2f}" for times in NEAR},
        }
        for strong in STRONG
        for name, price in cheap
    ]
    return [*alone, *both]


def _near(times: int) -> str:
    return "as many close calls as measured" if times == 1 else f"{times} times as many"


def _durations(speed: Speed) -> _Row:
    few, many = SIZES
    night = 60 * speed.hours(Local.run(PAGE, many[1]))
    return {
        "reads, tokens a second": f"{speed.reads:,}",
        "writes, tokens a second": f"{speed.writes}",
        _size(few): f"{speed.hours(Local.run(*few)):.1f}",
        _size(many): f"{speed.hours(Local.run(*many)):.1f}",
        "the same, if it reads each prompt anew": f"{speed.hours(Local.run(*many, is_reused=False)):.1f}",
        f"a night with {_size((PAGE, many[1]))}, minutes": f"{night:.1f}",
    }


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]:,} \N{MULTIPLICATION SIGN} {size[1]}"


def _result(measured: Measured, scenario: Scenario, size: tuple[int, int]) -> Result:
    for result in measured.results:
        if (result.kind, result.scenario, result.movies, result.collections) == ("movies", scenario, *size):
            return result
    raise ValueError(f"no {scenario} run of {size[0]:,} movies and {size[1]} collections has been measured")


def _pipes(rows: Sequence[_Row]) -> str:
    cells = [list(row.values()) for row in rows]
    is_right = (all(not cell or cell[0].isdigit() for cell in column) for column in zip(*cells, strict=True))
    lines = [list(rows[0]), ["---:" if right else "---" for right in is_right], *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
