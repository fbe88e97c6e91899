"""Describe a show, as Sonarr tells of it."""

from __future__ import annotations

from typing import Literal

from kometa_ai.core.item import Item

Status = Literal["upcoming", "running", "ended"]


class Show(Item, frozen=True, kw_only=True):
    """One show of the library, as a whole. What is unknown is empty, or 0.

    `tmdb_id` is of TMDb's shows, whose numbers are another catalogue than those of its movies. `language` is the
    original one, by its English name. `seasons` leaves specials out, `runtime` is one episode's in minutes, and `form`
    is `anime`, `daily` or empty.
    """

    tmdb_id: int = 0
    network: str = ""
    language: str = ""
    certification: str = ""
    runtime: int = 0
    seasons: int = 0
    status: Status = "running"
    form: str = ""

    @property
    def is_over(self) -> bool:
        """Whether no episodes are to come."""
        return self.status == "ended"
