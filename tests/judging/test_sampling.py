"""Samples: the same seed, the same sample."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.judging.sampling import Draw, Drawn, Group, is_in_reach, seed_of

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: tuple[Group, ...] = ("near", "other", "member")
QUOTAS: dict[Group, int] = {"near": 5, "other": 4, "member": 3}


def _populations(least: int = 0) -> st.SearchStrategy[list[tuple[Group, str]]]:
    return st.lists(st.sampled_from(GROUPS), min_size=least, max_size=60).map(
        lambda groups: [(group, f"movie:{number}") for number, group in enumerate(groups, start=1)]
    )


def _sample(population: Sequence[tuple[Group, str]], seed: str = "seed") -> list[Drawn[str]]:
    draw: Draw[str] = Draw(seed, sum(QUOTAS.values()))
    for group, name in population:
        draw.add(group, name, name)
    return draw.sample(QUOTAS)


@given(_populations(), st.randoms(use_true_random=False))
def test_a_sample_does_not_depend_on_the_order(population: list[tuple[Group, str]], dice: random.Random) -> None:
    """However a library is sorted, the sample is the same and in the same order, and nothing is drawn twice."""
    mixed = dice.sample(population, len(population))

    sample = _sample(population)

    assert _sample(mixed) == sample
    assert len({drawn.what for drawn in sample}) == len(sample)
    assert {(drawn.group, drawn.what) for drawn in sample} <= set(population)


@given(_populations())
def test_a_sample_is_as_large_as_it_can_be(population: list[tuple[Group, str]]) -> None:
    """What one group lacks, others make up for; none that could fill its quota has less."""
    sample = _sample(population)

    assert len(sample) == min(len(population), sum(QUOTAS.values()))
    for group, quota in QUOTAS.items():
        there = sum(one == group for one, _ in population)
        assert sum(drawn.group == group for drawn in sample) >= min(quota, there)


@given(_populations(sum(QUOTAS.values()) + 1), st.data())
def test_who_was_not_drawn_does_not_matter(population: list[tuple[Group, str]], data: st.DataObject) -> None:
    """An item that comes to the library or leaves it changes the sample by itself at most."""
    before = _sample(population)
    others = [one for one in population if one[1] not in {drawn.what for drawn in before}]
    gone = data.draw(st.sampled_from(others))

    assert _sample([one for one in population if one != gone]) == before


def test_another_seed_draws_others() -> None:
    """Seeds differ with each of their texts, and with where one text ends."""
    population: list[tuple[Group, str]] = [("other", f"movie:{number}") for number in range(1, 200)]

    assert _sample(population, seed_of("a", "b")) != _sample(population, seed_of("a", "c"))
    assert seed_of("ab", "c") != seed_of("a", "bc")
    assert seed_of("a prompt", "noir") == "5c87ae8303e78a4a"  # in every process


def test_reach_has_both_its_ends() -> None:
    """Confidences come in steps of 0.05, and binary fractions cannot represent them."""
    assert is_in_reach(0.5, 0.7)
    assert is_in_reach(0.9, 0.7)
    assert not is_in_reach(0.45, 0.7)
    assert not is_in_reach(0.95, 0.7)
