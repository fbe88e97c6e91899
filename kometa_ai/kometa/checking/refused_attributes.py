"""The attributes for which Kometa 2.4.4 refuses or skips a collection that is filled from a tag, and why.

Kometa's rules are in its `modules/builder.py` and `modules/plex.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kometa_ai.core.text import beginning
from kometa_ai.kometa.attributes import BUILDERS, KNOWN, SEARCHES, is_known
from kometa_ai.kometa.checking.values import is_off, is_on, is_plain, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.kometa.checking.guesses import Guesses

REFUSES = "Kometa refuses this collection: "
"""The start of each message about an attribute that keeps Kometa from building a collection."""

_FOR_SHOWS = frozenset(
    {
        "item_tmdb_season_titles",
        "sonarr_all",
        "sonarr_taglist",
        "tmdb_airing_today",
        "tmdb_network",
        "tmdb_on_the_air",
        "tmdb_show",
        "tmdb_show_details",
        "tvdb_show",
        "tvdb_show_details",
    }
)
_SEARCHES_OF_SHOWS = frozenset(
    """
network season_collection episode_collection season_label episode_label episode_title episode_added episode_air_date
episode_last_played episode_year unplayed_episodes episode_unplayed episode_duplicate episode_progress
episode_unmatched show_unmatched
""".split()  # noqa: SIM905 - as above
)
_FOR_OTHERS = {"item_album_sorting": "libraries of music", "plex_pilots": "collections of episodes"}
_NEVER_BLANK = frozenset({"hub_priority", "tmdb_birthday", "tmdb_deathday", "tmdb_person"})
_NEVER_NULL = (BUILDERS - {"radarr_taglist"}) | SEARCHES | _NEVER_BLANK
_NEVER_EMPTY = frozenset(
    {"language", "name", "schedule", "limit", "key_name", "translation_key", "non_item_remove_label"}
)
_AVAILABLE = ("announced", "cinemas", "released", "db")
_SERVICES = ("trakt", "sonarr", "tautulli", "mal")
_DEFINITIONS = ("run_definition", "allowed_library_types")
_SMART = ("smart_filter", "smart_url")
_ORDERS = frozenset({"release", "alpha"})
CUSTOM_ORDERS = ("custom", "custom.asc", "custom.desc")
"""Orders that need a single builder, and work only with some builders."""

_SORTED_BY = frozenset(
    """
title year originally_available release critic_rating audience_rating user_rating content_rating duration progress
plays added viewed resolution bitrate
""".split()  # noqa: SIM905
)
_TAG_WRITERS = ("label", "item_label", "item_genre", "item_radarr_tag")
_LONGEST = 80


class Refusal(NamedTuple):
    """Why Kometa does not build a collection: the attribute, in lower case, the reason, and the remedy.

    `better` is the entry to write instead, if there is one.
    """

    attribute: str
    why: str
    remedy: str
    better: str = ""


def is_filled_otherwise(attributes: Mapping[str, Any]) -> str:
    """The attribute that makes Kometa ignore the tag, such as a smart filter; empty if there is none."""
    smart = next((name for name in _SMART if name in attributes), "")
    return smart or ("blank_collection" if is_on(attributes.get("blank_collection")) else "")


def is_never_built(attributes: Mapping[str, Any]) -> str:
    """The attribute for which Kometa skips a collection of movies in every run; empty if there is none."""
    name = next((each for each in _DEFINITIONS if each in attributes), "")
    if name and not all(one in {"true", "movie"} or "<<" in one for one in texts_in(attributes[name])):
        return name
    schedule = texts_in(attributes.get("schedule") or "")
    return "schedule" if schedule and all(one == "never" for one in schedule) else ""


def _is_told(value: object) -> bool:
    """Whether a value is a scalar without a template variable in it."""
    return value is not None and is_plain(value) and "<<" not in str(value)


def service_of(name: str) -> str:
    """The section of a configuration that Kometa requires for an attribute of this name; empty if there is none."""
    return next((service for service in _SERVICES if service in name and is_known(name)), "")


def refusals(attributes: Mapping[str, Any], guesses: Guesses, default_order: str | None = None) -> Iterator[Refusal]:
    """Why Kometa refuses a collection that is filled from a tag and has these attributes (in lower case).

    `default_order` is the library's order for a collection without one of its own.
    """
    if not is_off(attributes.get("build_collection")):
        yield from _about_order(attributes, default_order)
    if is_off(attributes.get("validate_builders")):
        return
    for name, value in attributes.items():
        base = name.rpartition(".")[0] or name
        if "<<" in name:
            continue
        if not is_known(name):
            near = guesses.nearest(base, KNOWN, 0.8)
            remedy = f"Did you mean `{near}`?" if near else "Take it away, or check its spelling."
            yield Refusal(name, f"Kometa 2.4.4 knows no attribute `{beginning(name, _LONGEST)}`.", remedy)
        else:
            yield from _about_known(name, base, value, attributes)
    for base in _TAG_WRITERS:
        there = [name for name in (base, f"{base}.sync", f"{base}.remove") if name in attributes]
        if len(there) > 1 and (f"{base}.sync" in there or base == "item_radarr_tag"):
            why = " and ".join(f"`{name}`" for name in there) + " do not go together."
            yield Refusal(there[1], why, f"Take `{there[1]}` away.")


def _about_known(name: str, base: str, value: object, attributes: Mapping[str, Any]) -> Iterator[Refusal]:
    if base in _FOR_SHOWS or base in _SEARCHES_OF_SHOWS:
        yield Refusal(name, f"`{name}` is for libraries of shows, `radarr_taglist` for movies.", "Take it away.")
    elif base in _FOR_OTHERS:
        yield Refusal(name, f"`{name}` is for {_FOR_OTHERS[base]}.", "Take it away.")
    elif base == "collection_filtering" and "smart_label" not in attributes:
        yield Refusal(name, f"`{name}` is for smart collections.", "Take it away.")
    elif base == "radarr_availability" and _is_told(value) and str(value).lower() not in _AVAILABLE:
        yield Refusal(name, f"`{name}` is none of {', '.join(_AVAILABLE)}.", "Write one of them, or take it away.")
    elif (name in _NEVER_EMPTY and not value) or (value is None and base in _NEVER_NULL):
        yield Refusal(name, f"`{name}` has no value.", "Give it one, or take it away.")


def _about_order(attributes: Mapping[str, Any], default_order: str | None) -> Iterator[Refusal]:
    name = "collection_order"
    is_own = name in attributes
    smart = "smart_label" in attributes
    order = attributes[name] if is_own else None if smart else default_order
    shown = f"`{name}: {beginning(str(order), _LONGEST) if is_plain(order) else '…'}`"
    better = f"{name}: release"
    remedy = f"Write `{better}`."
    if not is_own:
        shown = "the settings have a `default_collection_order` that"  # no value of a configuration is shown
    if is_own and order is None:
        yield Refusal(name, f"`{name}` has no value.", remedy, better)
    elif order is None or "<<" in str(order if is_plain(order) else ""):
        return
    elif smart:
        yield Refusal(name, f"`{name}` does not go with `smart_label`.", "Take it away.")
    elif order in CUSTOM_ORDERS:
        yield Refusal(name, f"{shown} cannot be used with `radarr_taglist`.", remedy, better)
    elif not all(map(_is_order, order if isinstance(order, list) else [order])):
        yield Refusal(name, f"{shown} is no order that Kometa knows.", remedy, better)


def _is_order(order: object) -> bool:
    if not is_plain(order):
        return False
    if order in _ORDERS or order == "random":
        return True
    by, _, direction = str(order).rpartition(".")
    return by in _SORTED_BY and direction in {"asc", "desc"}
