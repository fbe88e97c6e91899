"""Choose the collections of a run: all that take part, or those that the user named. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from kometa_ai.core.collection import OtherCollection
from kometa_ai.errors import FixUsage
from kometa_ai.judging.planning import GIVEN_UP, is_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.core.collection import Collection, Folder
    from kometa_ai.core.decision import Memory

_FEW = 3
_EXPLAINED = 20


def choose(folder: Folder, names: Sequence[str]) -> tuple[Collection, ...]:
    """The collections with one of those names, slugs, tags or keys, all without any.

    Raise FixUsage for a name that no collection has, or only one that is switched off or skipped: it says where.
    """
    if not names:
        return folder.collections
    wanted = {name.strip().casefold(): name.strip() for name in names}
    known = {spelling for collection in folder.collections for spelling in _spellings(collection)}
    if missing := [name for spelling, name in sorted(wanted.items()) if spelling not in known]:
        there_are = ", ".join(sorted(collection.name for collection in folder.collections)) or "none"
        reasons = " ".join(reason for name in missing[:_EXPLAINED] for reason in _why_missing(name, folder))
        raise FixUsage(reasons, f"There are: {there_are}.")
    return tuple(collection for collection in folder.collections if wanted.keys() & _spellings(collection))


def check_again(names: Sequence[str], memory: Memory) -> None:
    """Raise FixUsage for a name in `--ask-again` that no request of a remembered decision has."""
    wanted = {name for name in names if name != GIVEN_UP}
    if not wanted:
        return
    requests = {decision.request for known in memory.values() for decision in known.collections.values()}
    if missing := sorted(name for name in wanted if not any(is_named(request, {name}) for request in requests)):
        raise FixUsage(
            f"No decision comes from a request named {missing[0]!r}.",
            f"--explain shows the request of each decision, such as 1a2b3c4d-5e6f. Or write {GIVEN_UP}.",
        )


def _spellings(collection: Collection | OtherCollection) -> set[str]:
    keys = collection.keys if isinstance(collection, OtherCollection) else (collection.key,)
    return {collection.name.casefold(), collection.slug, collection.label, *keys}


def _why_missing(name: str, folder: Folder) -> Iterator[str]:
    spelling = name.casefold()
    for other in folder.disabled:
        if spelling in _spellings(other):
            yield f"The collection {other.name!r} is switched off: its block at {other.where} lacks `enabled: true`."
            return
    for other in folder.unserved:
        if spelling in _spellings(other):
            yield f"The collection {other.name!r} is about {other.kind}s, and no library of {other.kind}s is set up."
            return
    for other in folder.skipped:
        if spelling in _spellings(other):
            yield f"The collection {other.name!r} is skipped because of a problem. {_its_problems(other, folder)}"
            return
    everything: list[Collection | OtherCollection] = [*folder.collections, *folder.disabled]
    everything += [*folder.unserved, *folder.skipped]
    names = {collection.name.casefold(): collection.name for collection in everything}
    near = get_close_matches(spelling, names, n=1)
    yield f"There is no collection named {name!r}." + (f" Did you mean {names[near[0]]!r}?" if near else "")
    if folder.unreadable_files:
        files = ["Kometa's folder itself" if file == "." else file for file in folder.unreadable_files[:_FEW]]
        files += ["others"] if len(folder.unreadable_files) > _FEW else []
        yield f"It may stand in a file that cannot be read: {', '.join(files)}; --check-config says why."


def _its_problems(other: OtherCollection, folder: Folder) -> str:
    found = [problem for problem in folder.problems if problem.collection == other.name]
    return " ".join(f"{problem.where}: {problem.what} {problem.remedy}" for problem in found)
