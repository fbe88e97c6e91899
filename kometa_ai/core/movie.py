"""Describe a movie, as Radarr tells of it."""

from __future__ import annotations

import msgspec

from kometa_ai.core.item import Item

ACTORS_HASHED = 5


class Credits(msgspec.Struct, frozen=True):
    """Directors, and the actors in billing order."""

    directors: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()


NO_CREDITS = Credits()


class Movie(Item, frozen=True, kw_only=True):
    """One movie of the library."""

    keywords: tuple[str, ...] = ()
    credits: Credits = NO_CREDITS
