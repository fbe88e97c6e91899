"""What the caller of a run asks for."""

from __future__ import annotations

import msgspec

from kometa_ai.core.item import ItemKey


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """One run's options; `collections` are names or slugs, empty for all of them.

    With `movies` a run is about these only: no other movie is asked about or touched, and nothing is remembered that
    only a run of the whole library can know. Nobody waits for a run that is `unattended`. `ask_again` names requests
    whose verdicts are asked for again, or says `given-up` for the questions that are not asked any more.

    `allow_removals` lifts the brake for removals; `accept_library` believes a library that has shrunk, or lost the
    names of its tags, this once.
    """

    dry_run: bool = False
    collections: tuple[str, ...] = ()
    movies: frozenset[ItemKey] = frozenset()
    force_refresh: bool = False
    ask_again: tuple[str, ...] = ()
    allow_removals: bool = False
    accept_library: bool = False
    batch_size: int = 50
    unattended: bool = False
