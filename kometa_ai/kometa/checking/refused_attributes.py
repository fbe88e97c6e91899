"""List the attributes for which Kometa 2.4.4 refuses or skips a collection that is filled from a tag, and why.

Kometa's rules are in its `modules/builder.py` and `modules/plex.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kometa_ai.core.text import beginning
from kometa_ai.kometa.attributes import BUILDERS, KNOWN, SEARCHES, is_known
from kometa_ai.kometa.checking.arrs import ARRS, arr_of, other_than
from kometa_ai.kometa.checking.values import is_off, is_on, is_plain, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.core.item import Kind
    from kometa_ai.kometa.checking.guesses import Guesses

REFUSES = "Kometa refuses this collection: "
"""The start of each message about an attribute that keeps Kometa from building a collection."""

FOR_SHOWS = frozenset(
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
FOR_MOVIES = frozenset(
    """
icheckmovies_list icheckmovies_list_details item_edition letterboxd_list letterboxd_list_details
letterboxd_user_films letterboxd_user_films_details letterboxd_user_reviews letterboxd_user_reviews_details
mojo_all_time mojo_domestic mojo_international mojo_never mojo_record mojo_world radarr_all radarr_taglist
stevenlu_popular tmdb_collection tmdb_collection_details tmdb_movie tmdb_movie_details tmdb_now_playing tmdb_upcoming
trakt_boxoffice tvdb_movie tvdb_movie_details
""".split()  # noqa: SIM905 - as quoted names they would fill pages; so are the ones below
)
_SEARCHES_OF_SHOWS = frozenset(
    """
network season_collection episode_collection season_label episode_label episode_title episode_added episode_air_date
episode_last_played episode_year unplayed_episodes episode_unplayed episode_duplicate episode_progress
episode_unmatched show_unmatched
""".split()  # noqa: SIM905 - as above
)
_SEARCHES_OF_MOVIES = frozenset(
    "director producer writer decade duplicate unplayed progress duration edition".split()  # noqa: SIM905
)
_REFUSED: dict[Kind, frozenset[str]] = {
    "movie": FOR_SHOWS | _SEARCHES_OF_SHOWS,
    "show": FOR_MOVIES | _SEARCHES_OF_MOVIES,
}
_PARTS = frozenset({"season", "episode"})
_FOR_OTHERS = {"item_album_sorting": "libraries of music", "plex_pilots": "collections of episodes"}
_NEVER_BLANK = frozenset({"hub_priority", "tmdb_birthday", "tmdb_deathday", "tmdb_person"})
_NEVER_NULL = (BUILDERS - {arr.taglist for arr in ARRS}) | SEARCHES | _NEVER_BLANK
_NEVER_EMPTY = frozenset(
    {"language", "name", "schedule", "limit", "key_name", "translation_key", "non_item_remove_label"}
)
_AVAILABLE = ("announced", "cinemas", "released", "db")
_SERVICES = ("trakt", "radarr", "sonarr", "tautulli", "mal")
_LEVELS = ("builder_level", "collection_level")
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
_TAG_WRITERS = ("label", "item_label", "item_genre", *(arr.adds for arr in ARRS))
_ARR_WRITERS = frozenset(arr.adds for arr in ARRS)
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


def is_never_built(attributes: Mapping[str, Any], kind: Kind) -> str:
    """The attribute for which Kometa skips a collection of this kind in every run; empty if there is none."""
    name = next((each for each in _DEFINITIONS if each in attributes), "")
    if name and not all(one in {"true", kind} or "<<" in one for one in texts_in(attributes[name])):
        return name
    schedule = texts_in(attributes.get("schedule") or "")
    return "schedule" if schedule and all(one == "never" for one in schedule) else ""


def _is_told(value: object) -> bool:
    """Whether a value is a scalar without a template variable in it."""
    return value is not None and is_plain(value) and "<<" not in str(value)


def service_of(name: str, kind: Kind) -> str:
    """The section of a configuration that Kometa requires for an attribute of this name; empty if there is none.

    The section of the kind's own service is checked for each library as a whole.
    """
    services = (service for service in _SERVICES if service != arr_of(kind).section)
    return next((service for service in services if service in name and is_known(name)), "")


def refusals(
    attributes: Mapping[str, Any], guesses: Guesses, default_order: str | None = None, kind: Kind = "movie"
) -> Iterator[Refusal]:
    """Why Kometa refuses a collection of this kind that is filled from a tag and has these attributes (in lower case).

    `default_order` is the library's order for a collection without one of its own.
    """
    if not is_off(attributes.get("build_collection")):
        yield from _about_order(attributes, default_order, arr_of(kind).taglist)
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
            yield from _about_known(name, base, value, attributes, kind)
    yield from _about_level(attributes, kind)
    for base in _TAG_WRITERS:
        there = [name for name in (base, f"{base}.sync", f"{base}.remove") if name in attributes]
        if len(there) > 1 and (f"{base}.sync" in there or base in _ARR_WRITERS):
            why = " and ".join(f"`{name}`" for name in there) + " do not go together."
            yield Refusal(there[1], why, f"Take `{there[1]}` away.")


def _about_level(attributes: Mapping[str, Any], kind: Kind) -> Iterator[Refusal]:
    """A collection of seasons or episodes takes no tag: a show has it as a whole."""
    for name in _LEVELS if kind == "show" else ():
        if level := next((text for text in texts_in(attributes.get(name)) if text in _PARTS), ""):
            why = f"`{arr_of(kind).taglist}` finds whole shows, no {level}s."
            yield Refusal(name, why, f"Take `{name}` away.")
            return


def _about_known(name: str, base: str, value: object, attributes: Mapping[str, Any], kind: Kind) -> Iterator[Refusal]:
    if base in _REFUSED[kind]:
        mine, other = arr_of(kind), other_than(kind)
        yield Refusal(
            name, f"`{name}` is for libraries of {other.items}, `{mine.taglist}` for {mine.items}.", "Take it away."
        )
    elif base in _FOR_OTHERS:
        yield Refusal(name, f"`{name}` is for {_FOR_OTHERS[base]}.", "Take it away.")
    elif base == "collection_filtering" and "smart_label" not in attributes:
        yield Refusal(name, f"`{name}` is for smart collections.", "Take it away.")
    elif base == "radarr_availability" and _is_told(value) and str(value).lower() not in _AVAILABLE:
        yield Refusal(name, f"`{name}` is none of {', '.join(_AVAILABLE)}.", "Write one of them, or take it away.")
    elif (name in _NEVER_EMPTY and not value) or (value is None and base in _NEVER_NULL):
        yield Refusal(name, f"`{name}` has no value.", "Give it one, or take it away.")


def _about_order(attributes: Mapping[str, Any], default_order: str | None, taglist: str) -> Iterator[Refusal]:
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
        yield Refusal(name, f"{shown} cannot be used with `{taglist}`.", remedy, better)
    elif not all(map(_is_order, order if isinstance(order, list) else [order])):
        yield Refusal(name, f"{shown} is no order that Kometa knows.", remedy, better)


def _is_order(order: object) -> bool:
    if not is_plain(order):
        return False
    if order in _ORDERS or order == "random":
        return True
    by, _, direction = str(order).rpartition(".")
    return by in _SORTED_BY and direction in {"asc", "desc"}
