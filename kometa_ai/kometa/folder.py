"""Combine the blocks of all files into collections, and report where they contradict each other."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.collection import Collection, OtherCollection
from kometa_ai.core.naming import LONGEST_SLUG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kometa_ai.kometa.faults import Fault
    from kometa_ai.kometa.reading import Claim, Contents

_FEW = 3


class Collections(msgspec.Struct, frozen=True):
    """The collections of a folder: those that take part, by priority, those switched off, and those with a fault."""

    on: tuple[Collection, ...]
    disabled: tuple[OtherCollection, ...]
    skipped: tuple[OtherCollection, ...]
    faults: tuple[Fault, ...]


def collections_of(contents: Contents) -> Collections:
    """The collections of all files. A collection with a fault in one place is skipped everywhere."""
    by_name: dict[str, list[Claim]] = defaultdict(list)
    for claim in contents.claims:
        by_name[claim.name].append(claim)
    faults = [*contents.faults, *_different_blocks(by_name), *_unusable_slugs(by_name), *_same_tags(by_name)]
    touched = {fault.problem.collection for fault in faults}
    touched |= {claim.name for claim in contents.claims if not claim.usable}
    on, disabled, skipped = [], [], []
    for name, (first, *_) in by_name.items():
        if name in touched:
            skipped.append(_other(first.says))
        elif isinstance(first.says, Collection):
            on.append(first.says)
        else:
            disabled.append(first.says)
    skipped += [other for name, other in contents.misplaced.items() if name not in by_name]
    return Collections(
        on=tuple(sorted(on, key=lambda collection: (-collection.priority, collection.name))),
        disabled=tuple(sorted(disabled, key=lambda other: other.name)),
        skipped=tuple(sorted(skipped, key=lambda other: other.name)),
        faults=tuple(sorted(faults, key=lambda fault: (fault.problem.source, fault.problem.line or 0))),
    )


def _other(says: Collection | OtherCollection) -> OtherCollection:
    if isinstance(says, OtherCollection):
        return says
    return OtherCollection(name=says.name, slug=says.slug, label=says.label, source=says.source, line=says.line)


def _different_blocks(by_name: dict[str, list[Claim]]) -> Iterator[Fault]:
    for claims in by_name.values():
        usable = [claim for claim in claims if claim.usable]
        if len({claim.rules() for claim in usable}) > 1:
            for claim in usable:
                others = _some(other.where for other in usable if other is not claim)
                what = f"this block differs from the one of the same collection in {others}."
                yield claim.fault(what, "Keep one of them; the other places need none.")


def _unusable_slugs(by_name: dict[str, list[Claim]]) -> Iterator[Fault]:
    for claims in by_name.values():
        for claim in claims:
            if claim.takes_part and not claim.says.slug:
                what = "no tag can be made of the name: it holds no letter or digit."
                remedy = "Give it a name with letters, and below it `name:` with the title that Plex is to show."
                yield claim.fault(what, remedy)
            elif claim.takes_part and len(claim.says.slug) > LONGEST_SLUG:
                what = f"its name makes a tag of {len(claim.says.slug):,} characters."
                remedy = "Give it a shorter name, and below it `name:` with the title that Plex is to show."
                yield claim.fault(what, remedy)


def _same_tags(by_name: dict[str, list[Claim]]) -> Iterator[Fault]:
    """Two names with the same slug would share decisions, and two with the same label a tag; so both are refused."""
    active = [claim for claims in by_name.values() for claim in claims if claim.takes_part and claim.says.slug]
    by_slug: dict[str, dict[str, Claim]] = defaultdict(dict)
    by_label: dict[str, dict[str, Claim]] = defaultdict(dict)
    for claim in active:
        by_slug[claim.says.slug].setdefault(claim.name, claim)
        by_label[claim.says.label].setdefault(claim.name, claim)
    for claim in active:
        same = by_slug[claim.says.slug], by_label[claim.says.label]
        others = _some(f"{name!r} ({other.where})" for name, other in _others(claim, *same))
        if others:
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
