"""Which attributes Kometa knows in a collection, and with which it refuses one that is filled from a tag.

As Kometa 2.4.4 has it (`modules/builder.py`, `modules/plex.py` and its JSON schema).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kometa_ai.core.text import beginning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.kometa.checking.guesses import Guesses

REFUSES = "Kometa refuses this collection: "
"""How each sentence about something begins that keeps Kometa from building a collection."""

_BUILDERS = frozenset(
    """
anidb_id anidb_relation anidb_tag anidb_tag_name anilist_id anilist_popular anilist_relations anilist_search
anilist_studio anilist_top_rated anilist_trending anilist_userlist icheckmovies_list icheckmovies_list_details
imdb_award imdb_chart imdb_id imdb_list imdb_search imdb_watchlist letterboxd_list letterboxd_list_details
letterboxd_user_films letterboxd_user_films_details letterboxd_user_reviews letterboxd_user_reviews_details mal_airing
mal_all mal_favorite mal_genre mal_id mal_movie mal_ova mal_popular mal_search mal_season mal_special mal_studio
mal_suggested mal_tv mal_upcoming mal_userlist mdblist_list mojo_all_time mojo_domestic mojo_international mojo_never
mojo_record mojo_world plex_all plex_collectionless plex_pilots plex_search plex_watchlist radarr_all radarr_taglist
simkl_dvd simkl_trending sonarr_all sonarr_taglist stevenlu_popular tautulli_popular tautulli_watched text_file
tmdb_actor tmdb_actor_details tmdb_airing_today tmdb_collection tmdb_collection_details tmdb_company tmdb_crew
tmdb_crew_details tmdb_director tmdb_director_details tmdb_discover tmdb_keyword tmdb_list tmdb_list_details
tmdb_movie tmdb_movie_details tmdb_network tmdb_now_playing tmdb_on_the_air tmdb_popular tmdb_producer
tmdb_producer_details tmdb_show tmdb_show_details tmdb_top_rated tmdb_trending_daily tmdb_trending_weekly
tmdb_upcoming tmdb_writer tmdb_writer_details trakt_anticipated trakt_boxoffice trakt_chart trakt_collected_all
trakt_collected_daily trakt_collected_monthly trakt_collected_weekly trakt_collected_yearly trakt_collection
trakt_list trakt_list_details trakt_popular trakt_recommendations trakt_recommended_all trakt_recommended_daily
trakt_recommended_monthly trakt_recommended_weekly trakt_recommended_yearly trakt_trending trakt_userlist
trakt_watched_all trakt_watched_daily trakt_watched_monthly trakt_watched_weekly trakt_watched_yearly trakt_watchlist
tvdb_list tvdb_list_details tvdb_movie tvdb_movie_details tvdb_show tvdb_show_details
""".split()  # noqa: SIM905 - as quoted names they would fill pages; so in the two that follow
)
_SEARCHES = frozenset(
    """
actor added album_added album_collection album_critic_rating album_decade album_format album_genre album_label
album_last_played album_mood album_plays album_record_label album_released album_source album_style album_title
album_type album_unmatched album_user_rating album_year artist_added artist_collection artist_country artist_genre
artist_label artist_last_played artist_mood artist_style artist_title artist_unmatched artist_user_rating
audience_rating audio_language collection country critic_rating decade director dovi duplicate duration edition
episode_actor episode_added episode_air_date episode_audience_rating episode_collection episode_critic_rating
episode_duplicate episode_label episode_last_played episode_plays episode_progress episode_title episode_unmatched
episode_unplayed episode_user_rating episode_year genre hdr last_played network plays producer progress release
resolution season_collection season_label show_unmatched studio subtitle_language title track_added track_label
track_last_played track_last_rated track_last_skipped track_mood track_plays track_skips track_source track_title
track_trash track_user_rating trash unmatched unplayed unplayed_episodes user_rating writer year
""".split()  # noqa: SIM905
)
_OTHERS = frozenset(
    """
actors add_to_arr album_sorting allowed_library_types anidb_popular anilist_genre anilist_season anilist_tag
append_label arr_folder arr_tag asset_folders blank_collection boxofficemojo_list build_collection builder_level
cache_builders changes_webhooks collection_changes_webhooks collection_filtering collection_level collection_minimum
collection_mode collection_name collection_order collections content_rating content_ratings contentrating
contentratings countries create_asset_folders decades default_percent delete_below_minimum delete_collections_named
delete_not_scheduled delete_playlist directors episode_originally_available episode_play episode_release
episode_released exclude_users file_background file_poster file_square_art file_theme filter filters genres
hub_priority icheckmovies_description ignore_blank_results ignore_ids ignore_imdb_ids item_album_sorting item_analyze
item_assets item_audience_rating item_audio_language item_credits_detection item_critic_rating item_delete_episodes
item_edition item_episode_ordering item_episode_sorting item_genre item_keep_episodes item_label item_lock_background
item_lock_poster item_lock_square_art item_lock_title item_metadata_language item_radarr_tag item_refresh
item_refresh_delay item_season_display item_sonarr_tag item_subtitle_language item_subtitle_mode
item_tmdb_season_titles item_use_original_title item_user_rating key_name kometa_poster label labels language
letterboxd_description libraries limit mal_licensor mal_producer max_age minimum_items missing_only_released name
name_mapping networks non_item_remove_label only_filter_missing only_run_on_create originally_available overlay
overlay_level play playlist_minimum playlist_name plex_collection producers radarr_add radarr_add_existing
radarr_add_missing radarr_availability radarr_folder radarr_ignore_cache radarr_monitor radarr_monitor_existing
radarr_quality radarr_search radarr_tag radarr_upgrade_existing rating released revert_overlay role roles run_again
run_definition save_missing save_report schedule seasonyear server_preroll show_actor show_actors show_air_date
show_collection show_collections show_filtered show_missing show_originally_available show_play show_plays
show_release show_released show_role show_roles show_unfiltered show_user_rating show_year show_years smart_filter
smart_label smart_url sonarr_add sonarr_add_existing sonarr_add_missing sonarr_cutoff_search sonarr_folder
sonarr_ignore_cache sonarr_language sonarr_monitor sonarr_monitor_existing sonarr_quality sonarr_search sonarr_season
sonarr_season_folder sonarr_series sonarr_series_type sonarr_tag sonarr_upgrade_existing sort_title stevenlu2_popular
studios summary suppress_overlays sync_missing_to_trakt_list sync_mode sync_to_trakt_list sync_to_users template test
tmdb_background tmdb_biography tmdb_birthday tmdb_deathday tmdb_description tmdb_list_poster tmdb_person
tmdb_person_offset tmdb_poster tmdb_profile tmdb_region tmdb_summary tmdb_trending trakt_collected trakt_description
trakt_recommended trakt_recommended_personal trakt_watched translation_key translation_prefix tvdb_background
tvdb_description tvdb_list_poster tvdb_poster tvdb_summary url_background url_poster url_square_art url_theme
validate_builders variables video_resolution visible_home visible_library visible_shared writers years
""".split()  # noqa: SIM905
)
_KNOWN = _BUILDERS | _SEARCHES | _OTHERS
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
_NEVER_NULL = (_BUILDERS - {"radarr_taglist"}) | _SEARCHES | _NEVER_BLANK
_NEVER_EMPTY = frozenset(
    {"language", "name", "schedule", "limit", "key_name", "translation_key", "non_item_remove_label"}
)
_AVAILABLE = ("announced", "cinemas", "released", "db")
_SERVICES = ("trakt", "sonarr", "tautulli", "mal")
_DEFINITIONS = ("run_definition", "allowed_library_types")
_SMART = ("smart_filter", "smart_url")
_ORDERS = frozenset({"release", "alpha"})
CUSTOM_ORDERS = ("custom", "custom.asc", "custom.desc")
"""Orders that only one builder at a time can have, and only some builders."""

_SORTED_BY = frozenset(
    """
title year originally_available release critic_rating audience_rating user_rating content_rating duration progress
plays added viewed resolution bitrate
""".split()  # noqa: SIM905
)
_TAG_WRITERS = ("label", "item_label", "item_genre", "item_radarr_tag")
_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})
_LONGEST = 80


class Refusal(NamedTuple):
    """Why Kometa does not build a collection: the attribute (as it is looked up), what it does, and what to do.

    `better` is the entry to write in its place, where there is one.
    """

    attribute: str
    why: str
    remedy: str
    better: str = ""


def is_known(name: str) -> bool:
    """Whether Kometa knows an attribute of this name, in whatever case."""
    name = name.lower()
    return name in _KNOWN or name.rpartition(".")[0] in _KNOWN


def is_filled_otherwise(attributes: Mapping[str, Any]) -> str:
    """The attribute with which a collection takes no tag at all, as a smart one; empty if there is none."""
    smart = next((name for name in _SMART if name in attributes), "")
    return smart or ("blank_collection" if is_on(attributes.get("blank_collection")) else "")


def is_never_built(attributes: Mapping[str, Any]) -> str:
    """The attribute for which Kometa skips a collection of movies in each run; empty if there is none."""
    name = next((each for each in _DEFINITIONS if each in attributes), "")
    if name and not all(one in {"true", "movie"} or "<<" in one for one in _texts(attributes[name])):
        return name
    schedule = _texts(attributes.get("schedule") or "")
    return "schedule" if schedule and all(one == "never" for one in schedule) else ""


def _is_told(value: object) -> bool:
    """Whether a value is a scalar in which no variable of a template is left."""
    return value is not None and is_plain(value) and "<<" not in str(value)


def _texts(value: object) -> list[str]:
    """A list of Kometa's: as it is, or a text cut at commas; in lower case, without anything nested."""
    parts = value if isinstance(value, list) else str(value).split(",") if is_plain(value) else []
    return [str(part).strip().lower() for part in parts if is_plain(part)]


def service_of(name: str) -> str:
    """The section of a configuration without which Kometa refuses an attribute of this name; empty if there is none."""
    return next((service for service in _SERVICES if service in name and is_known(name)), "")


def is_on(value: object) -> bool:
    """Whether Kometa takes a value for true."""
    return value > 0 if isinstance(value, (int, float)) else str(value).lower() in _TRUE if is_plain(value) else False


def is_off(value: object) -> bool:
    """Whether Kometa takes a value for false."""
    return value <= 0 if isinstance(value, (int, float)) else str(value).lower() in _FALSE if is_plain(value) else False


def is_plain(value: object) -> bool:
    """Whether a value is a scalar, which is all that can safely be made into text."""
    return not isinstance(value, (dict, list))


def refusals(attributes: Mapping[str, Any], guesses: Guesses, default_order: str | None = None) -> Iterator[Refusal]:
    """Each reason why Kometa refuses a collection with these attributes (in lower case), filled from a tag.

    `default_order` is what the library takes where the collection says no order.
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
            near = guesses.nearest(base, _KNOWN, 0.8)
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
