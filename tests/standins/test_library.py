"""The demo's films and its example Kometa folder."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import slug_of
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.standins.films import KOMETA_FOLDER, Film, films

TMDB_GENRES = {
    *("Action", "Adventure", "Animation", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy", "History"),
    *("Horror", "Music", "Mystery", "Romance", "Science Fiction", "TV Movie", "Thriller", "War", "Western"),
}
FILES = sorted(KOMETA_FOLDER.glob("*.yml"))


def test_no_two_films_share_an_id() -> None:
    """Each TMDb id, each IMDb id and each title with its year stands for one film."""
    assert len(films()) >= 160
    for key in (lambda film: film.tmdb_id, lambda film: film.imdb_id, lambda film: (film.title, film.year)):
        assert [name for name, times in Counter(map(key, films())).items() if times > 1] == []


@pytest.mark.parametrize("film", films(), ids=lambda film: film.title)
def test_every_film_is_complete(film: Film) -> None:
    """A film has well-formed ids, a possible year and runtime, TMDb's genres, keywords, credits and a short plot."""
    assert film.tmdb_id > 0
    assert re.fullmatch(r"tt\d{7,8}", film.imdb_id)
    assert 1900 <= film.year <= dt.datetime.now(tz=dt.UTC).year
    assert 40 <= film.runtime <= 240
    assert film.genres
    assert set(film.genres) <= TMDB_GENRES
    assert 3 <= len(set(film.keywords)) <= 8
    assert film.directors
    assert len(set(film.cast)) == 5
    assert 80 <= len(film.plot) <= 400
    assert all(re.fullmatch(r"[a-z0-9-]+", tag) and not tag.startswith("kai-") for tag in film.tags)


def test_films_come_from_every_decade() -> None:
    """The library reaches from the twenties of the last century to those of this one, with no decade missing."""
    assert {film.year // 10 * 10 for film in films()} == set(range(1920, 2030, 10))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_kometa_can_load_the_examples(file: Path) -> None:
    """Each file is YAML 1.2 with collections, loaded the way Kometa does, and each of them keeps Plex in step."""
    collections = YAML().load(file.read_text(encoding="utf-8"))["collections"]

    assert collections
    assert all(body["sync_mode"] == "sync" for body in collections.values())


def test_every_example_names_its_own_tag() -> None:
    """Kometa looks for the very tag that the block above the collection leads to; without a block it uses none."""
    folder = read_folder(KOMETA_FOLDER)
    tags = {collection.name: collection.label for collection in folder.collections}

    for file in FILES:
        for name, body in YAML().load(file.read_text(encoding="utf-8"))["collections"].items():
            taglist = body.get("radarr_taglist")
            wanted = taglist[0] if isinstance(taglist, list) else taglist
            assert (wanted and wanted.lower()) == tags.pop(name, None)
            assert wanted is None or wanted.lower() == f"kai-{slug_of(name)}"
    assert not tags


def test_nothing_is_wrong_with_the_examples() -> None:
    """The examples give neither an error nor a warning, and every movie they pin is in the library."""
    folder = read_folder(KOMETA_FOLDER)

    assert (folder.problems, folder.warnings) == ((), ())
    assert len(folder.collections) == 8
    for collection in folder.collections:
        for ref in (*collection.include_movies, *collection.exclude_movies):
            assert any(
                movie_key(film.tmdb_id) == ref.item
                or film.imdb_id == ref.imdb_id
                or (film.title.casefold(), film.year) == (ref.title, ref.year)
                for film in films()
            ), ref.text


def test_the_tags_of_the_examples_are_in_use() -> None:
    """Each ordinary tag that an example includes or excludes is on some film, so that the demo shows what it does."""
    in_use = {tag for film in films() for tag in film.tags}

    for collection in read_folder(KOMETA_FOLDER).collections:
        ordinary = {label for label in collection.include_tags | collection.exclude_tags if label[:4] != "kai-"}
        assert ordinary <= in_use
