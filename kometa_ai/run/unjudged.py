"""Count questions that bring no verdict run after run, so that they are not asked for ever. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.core.decision import TRIES, Unjudged
from kometa_ai.providers.port import RETRIED
from kometa_ai.state.schema import LeftUnjudged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from kometa_ai.asking.tally import Gap
    from kometa_ai.core.collection import Collection
    from kometa_ai.core.decision import Memory
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.naming import Slug
    from kometa_ai.judging.planning import Subject


class _Vain(NamedTuple):
    """A movie that a model gave no verdict on, and how often that has happened to the same question `before`."""

    gap: Gap
    slug: Slug
    key: ItemKey
    metadata_hash: str
    prompt_hash: str
    before: Unjudged | None

    def entry(self) -> LeftUnjudged:
        """One run more; if another model has given the question up, one run is enough."""
        before, model = self.before, self.gap.model
        runs = before.runs if before else 0
        is_other = before is not None and before.model not in ("", model)
        return LeftUnjudged(
            key=self.key,
            slug=self.slug,
            unjudged=Unjudged(
                runs=(TRIES if runs >= TRIES else 1) if is_other else runs + 1,
                metadata_hash=self.metadata_hash,
                prompt_hash=self.prompt_hash,
                model=model,
            ),
        )


def count_vain(
    gaps: Iterable[Gap],
    collections: Iterable[Collection],
    subjects: Mapping[ItemKey, Subject],
    memory: Memory,
    *,
    models: Iterable[str],
    read_models: AbstractSet[str],
) -> Iterator[LeftUnjudged]:
    """The entries for movies that could not be judged for a reason of their own. `read_models` gave a verdict."""
    by_key = {collection.key: collection for collection in collections}
    met = [
        _met(gap, key, subjects[key].fingerprint.full, by_key[gap.collection], memory)
        for gap in gaps
        if gap.failure not in RETRIED and gap.collection in by_key
        for key in (movie.key for movie in gap.movies)
    ]
    # If nothing of a model could be read the endpoint fails, unless the run asked only about movies that have failed
    # beside others before.
    blamed = read_models | {
        model for model in models if all(vain.before is not None for vain in met if vain.gap.model == model)
    }
    return (vain.entry() for vain in met if vain.gap.model in blamed)


def _met(gap: Gap, key: ItemKey, metadata_hash: str, collection: Collection, memory: Memory) -> _Vain:
    known, prompt_hash = memory.get(key), collection.prompt_hash
    before = known.unjudged.get(collection.slug) if known else None
    is_same = before is not None and (before.metadata_hash, before.prompt_hash) == (metadata_hash, prompt_hash)
    return _Vain(gap, collection.slug, key, metadata_hash, prompt_hash, before if is_same else None)
