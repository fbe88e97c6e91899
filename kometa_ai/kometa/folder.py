"""Combine the blocks of all files into collections, and report where they contradict each other."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import LONGEST_SLUG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.faults import Fault
    from kometa_ai.kometa.reading import Claim, Contents

    Named = tuple[Kind, str]

_FEW = 3


class Collections(msgspec.Struct, frozen=True):
    """The collections of a folder: those that take part, by priority, those switched off, and those with a fault."""

    on: tuple[Collection, ...]
    disabled: tuple[OtherCollection, ...]
    skipped: tuple[OtherCollection, ...]
    faults: tuple[Fault, ...]


def collections_of(contents: Contents) -> Collections:
    """The collections of all files. A collection with a fault in one place is skipped everywhere.

    A collection is known by its kind and its name: the same name for movies in one file and for shows in another is
    two collections.
    """
    by_name: dict[Named, list[Claim]] = defaultdict(list)
    for claim in contents.claims:
        for kind in claim.kinds:
            by_name[kind, claim.name].append(claim)
    faults = [*contents.faults, *_different_blocks(by_name), *_unusable_slugs(contents.claims), *_same_tags(by_name)]
    wrong = {(fault.problem.source, fault.problem.collection) for fault in faults}
    on, disabled, skipped = [], [], []
    for claims in by_name.values():
        first = claims[0]
        if any(not claim.usable or (claim.source, claim.name) in wrong for claim in claims):
            skipped.append(as_other(first.says))
        elif isinstance(first.says, Collection):
            on.append(first.says)
        else:
            disabled.append(first.says)
    skipped += [as_other(claim.says) for claim in contents.misplaced if not _is_known(claim, by_name)]
    return Collections(
        on=tuple(sorted(on, key=lambda collection: (-collection.priority, collection.name, collection.kind))),
        disabled=tuple(sorted(_one_of_each(disabled), key=_order)),
        skipped=tuple(sorted(_one_of_each(skipped), key=_order)),
        faults=tuple(sorted(faults, key=lambda fault: (fault.problem.source, fault.problem.line or 0))),
    )


def as_other(says: Collection | OtherCollection) -> OtherCollection:
    """The collection as one that takes no part."""
    if isinstance(says, OtherCollection):
        return says
    return OtherCollection(
        name=says.name,
        slug=says.slug,
        label=says.label,
        source=says.source,
        line=says.line,
        kind=says.kind,
        kind_because=says.kind_because,
    )


def _is_known(claim: Claim, by_name: Mapping[Named, Sequence[Claim]]) -> bool:
    """Whether every collection that a misplaced block may be for has another block."""
    return all((kind, claim.name) in by_name for kind in claim.kinds)


def _one_of_each(others: Iterable[OtherCollection]) -> list[OtherCollection]:
    """Each collection once: one that may be of either kind stands in the groups of both."""
    found: dict[tuple[str, Kind | None], OtherCollection] = {}
    for other in others:
        found.setdefault((other.name, other.kind), other)
    return list(found.values())


def _order(other: OtherCollection) -> tuple[str, str]:
    return other.name, other.kind or ""


def _different_blocks(by_name: Mapping[Named, Sequence[Claim]]) -> Iterator[Fault]:
    for claims in by_name.values():
        usable = [claim for claim in claims if claim.usable]
        if len({claim.rules() for claim in usable}) > 1:
            for claim in usable:
                others = _some(other.where for other in usable if other is not claim)
                what = f"this block differs from the one of the same collection in {others}."
                yield claim.fault(what, "Keep one of them; the other places need none.")


def _unusable_slugs(claims: Iterable[Claim]) -> Iterator[Fault]:
    for claim in claims:
        if claim.takes_part and not claim.says.slug:
            what = "no tag can be made of the name: it holds no letter or digit."
            remedy = "Give it a name with letters, and below it `name:` with the title that Plex is to show."
            yield claim.fault(what, remedy)
        elif claim.takes_part and len(claim.says.slug) > LONGEST_SLUG:
            what = f"its name makes a tag of {len(claim.says.slug):,} characters."
            remedy = "Give it a shorter name, and below it `name:` with the title that Plex is to show."
            yield claim.fault(what, remedy)


def _same_tags(by_name: Mapping[Named, Sequence[Claim]]) -> Iterator[Fault]:
    """Of one kind, two names with the same slug would share decisions, and two with the same label a tag.

    So both are refused. A collection of movies and one of shows may share both: their tags are in different services.
    """
    by_slug: dict[tuple[Kind, str], dict[str, Claim]] = defaultdict(dict)
    by_label: dict[tuple[Kind, str], dict[str, Claim]] = defaultdict(dict)
    active = [
        (kind, claim)
        for (kind, _), claims in by_name.items()
        for claim in claims
        if claim.takes_part and claim.says.slug
    ]
    for kind, claim in active:
        by_slug[kind, claim.says.slug].setdefault(claim.name, claim)
        by_label[kind, claim.says.label].setdefault(claim.name, claim)
    told: set[tuple[str, str]] = set()
    for kind, claim in active:
        same = by_slug[kind, claim.says.slug], by_label[kind, claim.says.label]
        others = _some(f"{name!r} ({other.where})" for name, other in _others(claim, *same))
        if others and (claim.where, claim.name) not in told:
            told.add((claim.where, claim.name))
            what = f"its tag {claim.says.label} is also that of {others}."
            yield claim.fault(what, "Rename one of the collections, or switch one of the blocks off.")


def _others(claim: Claim, *groups: Mapping[str, Claim]) -> Iterator[tuple[str, Claim]]:
    """The claims of other names in these groups; each name once."""
    seen = {claim.name}
    for group in groups:
        for name, other in group.items():
            if name not in seen:
                seen.add(name)
                yield name, other


def _some(texts: Iterable[str]) -> str:
    """The first few texts: with thousands of collections, each message would name all others."""
    shown = list(islice(texts, _FEW + 1))
    return ", ".join(shown[:_FEW]) + (" and others" if len(shown) > _FEW else "")
