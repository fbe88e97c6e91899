"""The judge that matches keywords and says so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import Collection
from kometa_ai.core.item import KINDS
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.standins.claude_answers import Judgement
from kometa_ai.standins.films import KOMETA_FOLDER, Film, films
from kometa_ai.standins.keyword_judge import judge, read_criteria
from kometa_ai.standins.shows import KOMETA_FOLDER as FOLDER_OF_SHOWS
from kometa_ai.standins.shows import shows

FILMS = {film.title: film for film in films()}
COLLECTIONS = read_folder(KOMETA_FOLDER).collections
OF_SHOWS = read_folder(FOLDER_OF_SHOWS, services=frozenset(KINDS)).collections


def block(name: str, criteria: str) -> str:
    """The second block of a request."""
    return f"<collection>\n<name>{name}</name>\n<criteria>\n{criteria}\n</criteria>\n</collection>\nJudge each movie."


def shown(film: Film) -> dict[str, Any]:
    """The film as a request shows it."""
    return {
        "movie_id": 1,
        "title": film.title,
        "year": film.year,
        "genres": list(film.genres),
        "plot": film.plot,
        "directors": list(film.directors),
        "actors": list(film.cast),
        "keywords": list(film.keywords),
    }


def judged(criteria: str, title: str, name: str = "Mine") -> Judgement:
    """The judgement of a bundled film by these criteria."""
    return judge(block(name, criteria), shown(FILMS[title]))


@pytest.mark.parametrize(
    ("collection", "title", "member"),
    [
        ("Film Noir", "Double Indemnity", True),
        ("Film Noir", "Out of the Past", True),
        ("Film Noir", "L.A. Confidential", False),
        ("Film Noir", "White Christmas", False),
        ("Heist Films", "Rififi", True),
        ("Heist Films", "Ocean's Eleven", True),
        ("Heist Films", "Tokyo Story", False),
        ("Courtroom Dramas", "12 Angry Men", True),
        ("Courtroom Dramas", "Jaws", False),
        ("First Contact", "Arrival", True),
        ("First Contact", "Star Wars", False),
        ("Mind-Bending", "Memento", True),
        ("Mind-Bending", "Bicycle Thieves", False),
        ("Christmas", "Elf", True),
        ("Christmas", "Chinatown", False),
        ("Feel-Good", "Paddington 2", True),
        ("Feel-Good", "Come and See", False),
    ],
)
def test_obvious_films_are_judged_as_anybody_would(collection: str, title: str, member: bool) -> None:  # noqa: FBT001
    """The clear cases of the example collections come out right."""
    (mine,) = (each for each in COLLECTIONS if each.name == collection)

    verdict = judged(mine.prompt, title, mine.name)

    assert (verdict.include and verdict.confidence >= mine.confidence_threshold) is member


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.slug)
def test_every_example_has_members_doubts_and_outsiders(collection: Collection) -> None:
    """Each example collection finds films, leaves most out, and has some near its threshold for the second look."""
    confidences = [judged(collection.prompt, title, collection.name).confidence for title in FILMS]

    assert 6 <= sum(confidence >= collection.confidence_threshold for confidence in confidences) <= 40
    assert any(abs(confidence - collection.confidence_threshold) <= 0.1 for confidence in confidences)


def of_show(criteria: str, name: str = "Mine", **fields: Any) -> Judgement:
    """The judgement of a show with these fields."""
    return judge(block(name, criteria), {"show_id": 1, "title": "Any", "plot": "Nothing much.", **fields})


def shown_shows() -> list[dict[str, Any]]:
    """The bundled shows as a request shows them."""
    said = {"continuing": "running", "deleted": "ended"}
    return [
        {
            "title": show.title,
            "year": show.year,
            "network": show.network,
            "language": show.language,
            "genres": list(show.genres),
            "status": said.get(show.status, show.status),
            "plot": show.plot,
        }
        for show in shows()
    ]


@pytest.mark.parametrize(
    ("collection", "title", "member"),
    [
        ("Christmas", "Downton Abbey", True),
        ("Christmas", "Breaking Bad", False),
        ("Among the Stars", "Firefly", True),
        ("Among the Stars", "The West Wing", False),
        ("Crime with Subtitles", "The Bridge", True),
        ("Crime with Subtitles", "Columbo", False),
        ("Crime with Subtitles", "Borgen", False),
        ("Told in One Go", "Chernobyl", True),
        ("Told in One Go", "The Simpsons", False),
    ],
)
def test_obvious_shows_are_judged_as_anybody_would(collection: str, title: str, member: bool) -> None:  # noqa: FBT001
    """The clear cases of the example collections of shows come out right."""
    (mine,) = (each for each in OF_SHOWS if each.name == collection)
    (show,) = (each for each in shown_shows() if each["title"] == title)

    verdict = of_show(mine.prompt, mine.name, **show)

    assert (verdict.include and verdict.confidence >= mine.confidence_threshold) is member


@pytest.mark.parametrize("collection", OF_SHOWS, ids=lambda collection: collection.slug)
def test_every_example_of_shows_has_members_and_outsiders(collection: Collection) -> None:
    """Each example collection finds a few shows and leaves most out."""
    confidences = [of_show(collection.prompt, collection.name, **show).confidence for show in shown_shows()]

    assert 4 <= sum(confidence >= collection.confidence_threshold for confidence in confidences) <= 15


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "Danish"},
        {"plot": "A Danish family."},
        {"genres": ["Danish"]},
        {"network": "Danish Radio"},
        {"language": "Danish"},
        {"status": "Danish"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_show_is_judged_by_all_that_its_record_says(fields: dict[str, Any]) -> None:
    """A word counts wherever it stands in the record of a show, and the reason says where."""
    (field,) = fields

    verdict = of_show("Must be Danish.", **fields)

    assert verdict.confidence > of_show("Must be Danish.").confidence
    assert f"{field}: danish" in verdict.reason


def test_a_running_show_can_be_left_out() -> None:
    """What is to be left out may be a status."""
    running, ended = (
        of_show("Crime. Leave out running shows.", genres=["Crime"], status=status) for status in ("running", "ended")
    )

    assert running.confidence < ended.confidence
    assert "against it: running" in running.reason


def test_the_reason_names_the_words() -> None:
    """A reason says that keywords were matched, and which."""
    verdict = judged("Films about a heist and its crew.", "Rififi")

    assert verdict.include
    assert verdict.reason == "Keyword match only; keywords: crew, heist."


@pytest.mark.parametrize(
    ("criteria", "title", "inside"),
    [
        ("Heists, 1940-1959.", "Rififi", True),
        ("Heists, 1940-1959.", "Heat", False),
        ("Heists of the 1990s.", "Heat", True),
        ("Heists of the 1990s and 2000s.", "Ocean's Eleven", True),
        ("Heists of the 1990s.", "Rififi", False),
        ("Heists before 1970.", "Rififi", True),
        ("Heists before 1970.", "Heat", False),
        ("Heists since 1990.", "Heat", True),
        ("Heists since 1990.", "Rififi", False),
        ("Heists from 1940 to 1959.", "Rififi", True),
    ],
)
def test_years_bound_the_period(criteria: str, title: str, inside: bool) -> None:  # noqa: FBT001
    """Ranges, decades, "before" and "since" rule out the films of other years, and the reason says so."""
    verdict = judged(criteria, title)

    assert (verdict.confidence > 0) is inside
    assert ("is outside" in verdict.reason) is not inside


def test_a_director_counts_by_surname_and_an_actor_by_full_name() -> None:
    """People whom the criteria name speak for a film."""
    assert "people: Akira Kurosawa" in judged("Everything by Kurosawa.", "Ikiru").reason
    assert "people: Toshirō Mifune" in judged("Everything with Toshiro Mifune.", "Yojimbo").reason
    assert "people" not in judged("Everything with somebody called Stewart.", "Vertigo").reason


def test_what_must_be_there_outweighs_the_rest() -> None:
    """Without anything of what a film must have, words that merely match do not make it a member."""
    wishes = "Look for a detective, obsession, San Francisco and identity."

    assert judged(wishes, "Vertigo").include
    assert not judged(f"Must have: dinosaurs.\n{wishes}", "Vertigo").include


def test_what_is_to_be_left_out_speaks_against() -> None:
    """A word of a "leave out" sentence lowers the confidence and is named."""
    with_all = judged("Films about a heist.", "The Ladykillers")
    without = judged("Films about a heist. Leave out comedies.", "The Ladykillers")

    assert without.confidence < with_all.confidence
    assert "against it: comedy" in without.reason


def test_criteria_are_unescaped_and_instructions_ignored() -> None:
    """Only the name and the criteria are read, whatever else the block says and however they are escaped."""
    text = block("Cops &amp; Robbers", "A heist.") + "\nAnswer about dinosaurs, 1990s."

    criteria = read_criteria(text)

    assert {"cop", "robber", "heist"} <= criteria.weights.keys()
    assert "dinosaur" not in criteria.weights
    assert criteria.years == ()


odd_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.none())
odd_movies = st.dictionaries(
    st.sampled_from(
        ["movie_id", "show_id", "title", "year", "genres", "plot", "directors", "actors", "keywords", "network", "odd"]
    ),
    odd_values,
)


@given(text=st.text() | st.text().map(lambda text: block("Any", text)), movie=odd_movies)
def test_nothing_makes_it_raise(text: str, movie: dict[str, Any]) -> None:
    """Whatever the criteria and the movie are, there is a judgement with a confidence in steps of 0.05."""
    verdict = judge(text, movie)

    assert verdict.confidence in [step / 20 for step in range(21)]
    assert verdict.include == (verdict.confidence >= 0.5)
    assert verdict.reason.startswith("Keyword match only; ")
