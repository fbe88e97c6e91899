"""The items of several libraries as one list, and the tags of each: for any libraries, in any order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ArrId, kind_of, movie_key, order_of, show_key
from kometa_ai.core.naming import Label
from kometa_ai.judging.policy import Membership
from kometa_ai.run.libraries import merged
from kometa_ai.tags.plan import NO_BRAKE, Brake, plan_tags
from tests.judging.making import movie, named, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.kinds import AnyItem

NAMES = ("radarr", "radarr-4k", "radarr-kids", "sonarr", "sonarr-anime")
OWN = Label("by-hand")
COLLECTIONS = ("Noir", "Heist", "Christmas")
FREE = Brake(100, frozenset())

some_labels = st.frozensets(st.sampled_from([*(Label(f"kai-{name.lower()}") for name in COLLECTIONS), OWN]))


@st.composite
def libraries(draw: st.DrawFn) -> dict[str, list[AnyItem]]:
    """Up to three Radarrs and two Sonarrs, whose items have numbers in common, and facts and labels of their own."""
    found: dict[str, list[AnyItem]] = {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        make = movie if name.startswith("radarr") else show
        numbers = draw(st.lists(st.integers(1, 8), unique=True))
        found[name] = [make(number, *draw(some_labels), title=f"{name} {number}") for number in numbers]
    return found


@st.composite
def blocks(draw: st.DrawFn) -> list[Collection]:
    """Collections of both kinds, of the same names, some of them for one library only."""
    found = []
    for kind in ("movie", "show"):
        for name in draw(st.lists(st.sampled_from(COLLECTIONS), unique=True)):
            narrowed = draw(st.frozensets(st.sampled_from(NAMES), max_size=2))
            found.append(named(name, kind=kind, libraries=narrowed))
    return found


@given(libraries())
def test_the_first_tells_the_facts_and_all_tell_the_labels(held: Mapping[str, Sequence[AnyItem]]) -> None:
    """Each item once, in order; all but its labels as the first of its libraries has it."""
    found = merged(held)

    keys = [item.key for item in found]
    assert keys == sorted({item.key for items in held.values() for item in items}, key=order_of)
    for item in found:
        places = {name: one for name, items in held.items() for one in items if one.key == item.key}
        assert item.libraries == tuple(places)
        assert item.labels == frozenset().union(*(one.labels for one in places.values()))
        first = next(iter(places.values()))
        assert msgspec.structs.replace(item, labels=first.labels, libraries=first.libraries) == first


@given(libraries(), blocks(), st.data())
def test_each_library_gets_what_is_true_for_it(
    held: Mapping[str, Sequence[AnyItem]], collections: Sequence[Collection], data: st.DataObject
) -> None:
    """A plan makes the managed tags of a library true, and touches no other tag and no other kind."""
    keys = sorted({item.key for items in held.values() for item in items})
    judged = data.draw(st.frozensets(st.sampled_from(keys))) if keys else frozenset()
    everything = data.draw(st.frozensets(st.sampled_from(keys))) if keys else frozenset()
    unsure = data.draw(st.frozensets(st.sampled_from(keys))) if keys else frozenset()
    memberships = {
        each.key: Membership(
            members=frozenset(key for key in everything - unsure if kind_of(key) == each.kind),
            undecided=frozenset(key for key in unsure if kind_of(key) == each.kind),
        )
        for each in collections
    }

    for name, items in held.items():
        plan = plan_tags(collections, memberships, items, judged, FREE, additions=NO_BRAKE, library=name)

        tags = {item.key: set(item.labels) for item in items}
        numbers = {item.arr_id for item in items}
        for change in data.draw(st.permutations(plan.changes)):
            assert change.movie.arr_id in numbers
            assert (change.library, kind_of(change.movie.key)) == (name, kind_of(items[0].key))
            (tags[change.movie.key].add if change.operation == "add" else tags[change.movie.key].remove)(change.label)
        for item in items:
            expected = set(item.labels)
            for each in collections:
                if each.kind != kind_of(item.key) or item.key not in judged:
                    continue
                is_here = not each.libraries or name in each.libraries
                if is_here and item.key in memberships[each.key].undecided:
                    continue
                belongs = is_here and item.key in memberships[each.key].members
                (expected.add if belongs else expected.discard)(each.label)
            assert tags[item.key] == expected


@given(libraries())
def test_a_number_names_two_items(held: Mapping[str, Sequence[AnyItem]]) -> None:
    """A film and a show of the same number, with the same id in their services, are never taken for one."""
    wanted = named("Christmas", kind="show")
    everything = frozenset(item.key for item in merged(held))
    membership = {wanted.key: Membership(members=everything, undecided=frozenset())}

    for name, items in held.items():
        changes = plan_tags([wanted], membership, items, everything, FREE, library=name).changes

        assert all(change.movie.key.startswith("show:") for change in changes)
    assert movie_key(1) != show_key(1)
    assert collection_key("movie", wanted.slug) != wanted.key
    assert movie(1).arr_id == show(1).arr_id == ArrId(10_001)
