"""Describe what one run is asked for: collections and movies, dry run, what to ask again, brakes lifted, money."""

from __future__ import annotations

import msgspec

from kometa_ai.core.item import ItemKey
from kometa_ai.core.moment import Moment


class Earlier(msgspec.Struct, frozen=True):
    """The runs that one goes on with: their ids, and when the first began. Verdicts since then are not asked again."""

    run_ids: tuple[str, ...]
    since: Moment


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run's options; `collections` are names or slugs, empty for all of them.

    With `movies` a run is about these only: no other movie is asked about or touched, and nothing is remembered that
    only a run of the whole library can know. No person waits for a run that is `unattended`. `ask_again` names requests
    whose verdicts are asked for again, or says `given-up` for the questions that are not asked any more.

    `allow_removals` lifts the brake for removals; `accept_library` believes a library that has shrunk, or lost the
    names of its tags, this once.

    `within` is the id of a dry run: no change is made that it did not show.

    `max_cost` is in USD; the lower of it and the limit of the settings counts. If a run hands a batch over, another one
    with the same options goes on with it (`goes_on_with`), which is started by the same caller (`caller_goes_on`), or
    else by the daemon.
    """

    dry_run: bool = False
    collections: tuple[str, ...] = ()
    movies: frozenset[ItemKey] = frozenset()
    force_refresh: bool = False
    ask_again: tuple[str, ...] = ()
    allow_removals: bool = False
    accept_library: bool = False
    within: str = ""
    batch_size: int = 50
    unattended: bool = False
    caller_goes_on: bool = False
    max_cost: float | None = None
    goes_on_with: Earlier | None = None
