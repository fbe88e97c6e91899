"""The demo's shows."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import KINDS, show_key
from kometa_ai.kometa.checking.examination import examine_folder
from kometa_ai.standins.films import KOMETA_FOLDER as OF_FILMS
from kometa_ai.standins.shows import KOMETA_FOLDER, Show, shows
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.standins.sonarr_seed import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable

TVDB_GENRES = {
    *(
        "Action",
        "Adventure",
        "Animation",
        "Anime",
        "Comedy",
        "Crime",
        "Documentary",
        "Drama",
        "Family",
        "Fantasy",
        "Food",
    ),
    *("Game Show", "History", "Horror", "Mini-Series", "Mystery", "News", "Reality", "Romance", "Science Fiction"),
    *("Sport", "Talk Show", "Thriller", "War", "Western"),
}


def test_no_two_shows_share_an_id() -> None:
    """Each TVDB id, each IMDb id and each title with its year stands for one show."""
    assert len(shows()) >= 80
    keys: tuple[Callable[[Show], object], ...] = (
        lambda show: show.tvdb_id,
        lambda show: show.imdb_id or show.tvdb_id,
        lambda show: (show.title, show.year),
    )
    for key in keys:
        assert [name for name, times in Counter(map(key, shows())).items() if times > 1] == []


@pytest.mark.parametrize("show", shows(), ids=lambda show: f"{show.title} {show.year}")
def test_every_show_is_complete(show: Show) -> None:
    """A show has well-formed ids, a possible year and runtime, TVDB's genres, a language and a short plot."""
    assert show.tvdb_id > 0
    assert show.imdb_id is None or re.fullmatch(r"tt\d{7,8}", show.imdb_id)
    assert 1950 <= show.year <= dt.datetime.now(tz=dt.UTC).year + 3
    assert 15 <= show.runtime <= 120
    assert 1 <= show.seasons <= 80
    assert show.genres
    assert set(show.genres) <= TVDB_GENRES
    assert show.language in LANGUAGES
    assert show.network
    assert 80 <= len(show.plot) <= 300
    assert all(re.fullmatch(r"[a-z0-9-]+", tag) and not tag.startswith("kai-") for tag in show.tags)


def test_shows_come_from_every_decade_and_many_countries() -> None:
    """From the fifties on no decade is missing, and eight languages and more are spoken."""
    assert {show.year // 10 * 10 for show in shows()} == set(range(1950, 2030, 10))
    assert len({show.language for show in shows()}) >= 8
    assert len({show.network for show in shows()}) >= 25


def test_what_makes_shows_hard_to_tell_apart_is_there() -> None:
    """Two of one title, years and countries in titles, anime and daily shows, one to come and one that is gone."""
    titles = Counter(show.title for show in shows())
    assert [title for title, times in titles.items() if times > 1] == ["Shōgun"]
    assert {"Battlestar Galactica (2003)", "House of Cards (US)", "The Office (US)"} <= titles.keys()
    assert {show.series_type for show in shows()} == {"standard", "anime", "daily"}
    assert {show.status for show in shows()} == {"continuing", "ended", "upcoming", "deleted"}


def test_the_stand_in_takes_them() -> None:
    """Each is in the library under its number."""
    sonarr = SonarrStandIn(show.as_seed() for show in shows())
    assert {sonarr.show(show.tvdb_id)["title"] for show in shows()} == {show.title for show in shows()}


def test_nothing_is_wrong_with_the_examples() -> None:
    """No error, no warning, and no hint but of a missing config.yml; what blocks pin and the tags they name exist."""
    folder = examine_folder(KOMETA_FOLDER, services=frozenset(KINDS))

    assert (folder.problems, folder.warnings) == ((), ())
    assert [hint.source for hint in folder.hints] == ["CONFIG_DIR"]
    assert [collection.kind for collection in folder.collections] == ["show"] * 4
    assert {"Christmas"} == {each.name for each in folder.collections} & {
        each.name for each in examine_folder(OF_FILMS, services=frozenset(KINDS)).collections
    }
    for collection in folder.collections:
        for ref in (*collection.include_shows, *collection.exclude_shows):
            assert any(
                show_key(show.tvdb_id) == ref.item
                or ref.text.casefold() in {show.title.casefold(), f"{show.title} ({show.year})".casefold()}
                for show in shows()
            ), ref.text
        assert collection.include_tags | collection.exclude_tags <= {tag for show in shows() for tag in show.tags}
