"""What a run would ask, and about what it would cost, without any call that costs money."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.classifier import forecast, prices
from kometa_ai.classifier.planning import describe, pack, plan_questions, stages, unanswered
from kometa_ai.classifier.provider import Usage
from kometa_ai.core.problem import Problem
from kometa_ai.decisions.policy import decide, gates, members_as_seen
from kometa_ai.run.pipeline import Run
from kometa_ai.run.questioning import count

if TYPE_CHECKING:
    from kometa_ai.classifier.planning import Block
    from kometa_ai.core.movie import TmdbId
    from kometa_ai.core.naming import Label
    from kometa_ai.run.options import Options
    from kometa_ai.run.session import Parts, Rules


class PendingCollection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be asked about one collection, by reason."""

    name: str
    slug: str
    pending: int
    reasons: dict[str, int]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast. `cost_usd` is None for a model without a known price. `basis` says how it was made."""

    collections: tuple[PendingCollection, ...]
    pending: int
    requests: int
    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost_usd: float | None
    model: str
    basis: str
    problems: tuple[Problem, ...] = ()


async def estimate(parts: Parts, rules: Rules, options: Options) -> Estimate:
    """Plan a run's questions and price them; nothing is asked, written or remembered. Raise CheckRadarr."""
    run = Run(parts, rules, options, "estimate")
    library = await run.fetch_library()
    collections = run.load_collections()
    memory = parts.store.memory
    known = describe(library.movies, memory)
    movies = library.movies
    by_id = {movie.tmdb_id: movie for movie in movies}
    decided: dict[Label, frozenset[TmdbId]] = {collection.label: frozenset() for collection in collections}
    pending: dict[str, dict[str, int]] = {}
    blocks: list[Block] = []
    for stage in stages(collections):
        gated = {c.slug: gates(c, movies, decided, parts.store.state.pins) for c in stage}
        questions = plan_questions(known, stage, memory, gated, force=options.force_refresh)
        pending |= {slug: count(pairs.values()) for slug, pairs in questions.items()}
        blocks += pack(questions, known, stage, options.batch_size)
        for collection in stage:
            membership = decide(
                collection, movies, memory, gated[collection.slug], unanswered(questions)[collection.slug]
            )
            decided[collection.label] = members_as_seen(collection, membership, by_id)
    usages = [usage for block in blocks for usage in forecast.usages(block, parts.provider, rules.model)]
    total = sum(usages, Usage())
    costs = [prices.cost(usage, rules.model) for usage in usages]
    return Estimate(
        collections=tuple(
            PendingCollection(name=c.name, slug=c.slug, pending=sum(pending[c.slug].values()), reasons=pending[c.slug])
            for c in collections
        ),
        pending=sum(sum(reasons.values()) for reasons in pending.values()),
        requests=total.requests,
        input_tokens=total.input_tokens,
        cache_write_tokens=total.cache_write_tokens,
        cache_read_tokens=total.cache_read_tokens,
        output_tokens=total.output_tokens,
        cost_usd=None if None in costs else round(sum(cost or 0.0 for cost in costs), 4),
        model=rules.model,
        basis=(
            f"estimated from the length of the texts ({prices.CHARS_PER_TOKEN} characters a token), "
            f"{forecast.SHARE_LISTED:.0%} of the movies written out in answers, second looks not included"
        ),
        problems=tuple(run.found.problems),
    )
