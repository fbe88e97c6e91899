"""Make the odd shows that real libraries hold, each odd in one way; a client has to survive all of them."""

from __future__ import annotations

from kometa_ai.standins.sonarr_seed import ShowSeed

_LOST_PROFILE = 99


def without_overview(tvdb_id: int = 910_001) -> ShowSeed:
    """No text in English, so none at all."""
    return ShowSeed("Ohne Worte", 2003, tvdb_id, network="RTL", original_language="German", genres=("Comedy",))


def without_year(tvdb_id: int = 910_002) -> ShowSeed:
    """Announced, with nothing known: year 0, no episodes, no seasons."""
    return ShowSeed("Untitled Lighthouse Project", 0, tvdb_id, status="upcoming", seasons=0, episodes_known=False)


def just_added(tvdb_id: int = 910_003) -> ShowSeed:
    """Before its first refresh: no statistics."""
    return ShowSeed("Fresh Paint", 2024, tvdb_id, overview="Renovators argue.", episodes_known=False)


def without_other_numbers(tvdb_id: int = 910_004) -> ShowSeed:
    """TVDB alone knows it: no IMDb id, and TMDb's number is 0."""
    return ShowSeed("Only Here", 1998, tvdb_id, overview="A show that few sites list.", imdb_id=None, tmdb_id=0)


def gone_from_tvdb(tvdb_id: int = 910_005) -> ShowSeed:
    """TVDB dropped it: its status is deleted, and so it has not ended."""
    return ShowSeed("Dropped", 2011, tvdb_id, status="deleted", overview="It was listed once.")


def upcoming(tvdb_id: int = 910_006) -> ShowSeed:
    """It has a date, and no episodes yet."""
    return ShowSeed("Next Spring", 2030, tvdb_id, status="upcoming", overview="It begins next spring.")


def with_year_in_title(tvdb_id: int = 910_007) -> ShowSeed:
    """TVDB puts the year into the title."""
    return ShowSeed("Harbour (2009)", 2009, tvdb_id, status="continuing", overview="Customs officers at work.")


def twins() -> tuple[ShowSeed, ShowSeed]:
    """Two shows of one title, told apart by year and network."""
    return (
        ShowSeed("The Ferry", 1987, 910_008, network="BBC One", overview="Islanders wait for the ferry."),
        ShowSeed("The Ferry", 2016, 910_009, network="NRK1", original_language="Norwegian", overview="It sinks."),
    )


def anime(tvdb_id: int = 910_010) -> ShowSeed:
    """Downloaded by absolute numbers, and not in ASCII."""
    return ShowSeed(
        "Kōcha no Jikan ☕",
        2019,
        tvdb_id,
        series_type="anime",
        genres=("Anime", "Animation"),
        original_language="Japanese",
        overview="Tea, mostly.",
    )


def daily(tvdb_id: int = 910_011) -> ShowSeed:
    """On every day."""
    return ShowSeed("Late Talk", 1995, tvdb_id, series_type="daily", status="continuing", seasons=31, runtime=60)


def without_seasons(tvdb_id: int = 910_012) -> ShowSeed:
    """Its list of seasons is empty."""
    return ShowSeed("Nothing Numbered", 2008, tvdb_id, seasons=0, overview="No season is listed.")


def specials_only(tvdb_id: int = 910_013) -> ShowSeed:
    """Season 0 and no other."""
    return ShowSeed("A Yearly Special", 2012, tvdb_id, seasons=0, has_specials=True, overview="Once a year.")


def with_dead_tags(tvdb_id: int = 910_014) -> ShowSeed:
    """Two tags that no longer exist, and one that does."""
    return ShowSeed("Tagged Long Ago", 2001, tvdb_id, tags=("kept",), dangling_tags=(901, 902), overview="Old tags.")


def with_lost_profile(tvdb_id: int = 910_015) -> ShowSeed:
    """Its quality profile was deleted: every bulk edit with it is refused. Not among `odd_shows`."""
    return ShowSeed("Profile Lost", 2014, tvdb_id, overview="A damaged row.", quality_profile_id=_LOST_PROFILE)


def odd_shows() -> tuple[ShowSeed, ...]:
    """One of each that a bulk edit accepts."""
    return (
        without_overview(),
        without_year(),
        just_added(),
        without_other_numbers(),
        gone_from_tvdb(),
        upcoming(),
        with_year_in_title(),
        *twins(),
        anime(),
        daily(),
        without_seasons(),
        specials_only(),
        with_dead_tags(),
    )
