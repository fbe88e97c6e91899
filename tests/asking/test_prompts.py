"""The prompts: what is sent to the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.pages import Page
from kometa_ai.asking.prompts import (
    FORM,
    SCHEMA,
    SHOW_FORM,
    SHOW_SCHEMA,
    SHOW_SYSTEM,
    SYSTEM,
    collection_text,
    form_of,
    forms_of,
    question_text,
)
from kometa_ai.core.collection import ItemRef, recognise
from kometa_ai.core.item import KINDS, show_key
from kometa_ai.core.movie import Credits
from kometa_ai.judging.records import KEYWORDS, PLOT_LENGTH, records_text
from kometa_ai.standins.claude_schema import schema_problem
from tests.asking.support import collection, movie, movies
from tests.core.test_show import show

if TYPE_CHECKING:
    from kometa_ai.core.item import Kind

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # half characters too


def test_a_movie_is_one_json_object_on_one_line() -> None:
    """With the fields of the contract, in one order."""
    heat = movie(
        title="Heat",
        year=1995,
        plot="Two men.\nOne \u201ccity\u201d.",
        genres=("Crime", "Drama"),
        keywords=("heist",),
        credits=Credits(directors=("Michael Mann",), actors=tuple("ABCDEFG")),
    )

    assert json.loads(records_text([heat])) == {
        "movie_id": 1,
        "title": "Heat",
        "year": 1995,
        "genres": ["Crime", "Drama"],
        "plot": "Two men. One \u201ccity\u201d.",
        "directors": ["Michael Mann"],
        "actors": list("ABCDE"),
        "keywords": ["heist"],
    }


def test_what_is_empty_is_left_out() -> None:
    """No field says nothing, and no name in a list is empty."""
    bare = movie(title="Bare", year=0, plot="", genres=("", " ", "Drama"), keywords=("\x00",))

    assert json.loads(records_text([bare])) == {"movie_id": 1, "title": "Bare", "genres": ["Drama"]}


def test_a_show_is_one_json_object_with_fields_of_its_own() -> None:
    """It has no people and no keywords; what says which show is meant stands first."""
    dark = show(certification="TV-MA", runtime=60, status="ended", form="anime", seasons=3, tmdb_id=70523)

    record = json.loads(records_text([dark]))

    assert record == {
        "show_id": 1,
        "title": "Dark",
        "year": 2017,
        "network": "Netflix",
        "language": "German",
        "genres": ["Drama", "Crime"],
        "certification": "TV-MA",
        "runtime": 60,
        "seasons": 3,
        "status": "ended",
        "type": "anime",
        "plot": "A child is missing.",
    }
    assert list(record)[:5] == ["show_id", "title", "year", "network", "language"]


def test_what_is_empty_of_a_show_is_left_out() -> None:
    """A show that was just added, without an English text."""
    bare = show(year=0, plot="", genres=(), network="", language="", seasons=0, status="upcoming")

    assert json.loads(records_text([bare])) == {"show_id": 1, "title": "Dark", "status": "upcoming"}


def test_a_long_text_of_a_show_is_cut() -> None:
    """As a movie's is."""
    assert len(json.loads(records_text([show(plot="x" * 10_000)]))["plot"]) == PLOT_LENGTH


def test_movies_and_shows_never_share_a_page() -> None:
    """A request has one system prompt and one schema."""
    with pytest.raises(ValueError, match="cannot share"):
        Page.of([movie(), show()])


def test_a_request_has_the_form_of_its_items() -> None:
    """System prompt, schema, records and what to do all speak of one kind, also where a page is halved."""
    films, shows = Page.of(movies(3)), Page.of([show(), show(title="Severance")])
    for page, form in ((films, FORM), (films.halves()[0], FORM), (shows, SHOW_FORM), (shows.halves()[1], SHOW_FORM)):
        for second_look in (False, True):
            request = page.request((collection(),), "m", second_look=second_look, cache=False)
            assert request.form == (form_of(page.kind, second_look=True) if second_look else form)
            assert request.form == page.form(second_look=second_look)
            assert ("show" in request.collection, "movie" in request.collection) == (page.kind == "show", form is FORM)
            assert f'"{page.kind}_id":1' in request.movies


def test_ids_are_unique_in_a_block_and_start_with_one() -> None:
    """Short integers in the order sent, whatever Radarr or TMDb call the movies."""
    lines = records_text(movies(60)).split("\n")

    assert [json.loads(line)["movie_id"] for line in lines] == list(range(1, 61))


def test_long_data_are_cut() -> None:
    """A plot or a list of keywords without end does not become a prompt without end."""
    long = json.loads(records_text([movie(plot="x" * 10_000, keywords=tuple(f"k{n}" for n in range(200)))]))

    assert len(long["plot"]) == PLOT_LENGTH
    assert len(long["keywords"]) == KEYWORDS


@given(ANY_TEXT)
def test_any_text_of_a_movie_stays_on_its_line_and_can_be_sent(text: str) -> None:
    """Line ends of every kind, control characters and half characters are replaced."""
    sent = records_text([movie(1, title=text, plot=text, genres=(text,)), movie(2)])

    assert len(sent.splitlines()) == 2
    assert sent.encode()


@given(ANY_TEXT)
def test_any_text_of_a_collection_can_be_sent(text: str) -> None:
    """A prompt keeps its lines, and loses what no API takes."""
    ref = ItemRef(text, title="as written")

    sent = collection_text(collection(f"{text}!", slug="a", tag="KAI-a", prompt=text, include_movies=(ref,)))

    assert sent.encode()
    assert all(character.isprintable() or character in "\n\t" or ord(character) > 0x9F for character in sent)


def test_the_lines_of_a_prompt_are_kept() -> None:
    """They are how its owner wrote it."""
    assert "Robberies:\n\t- planned\n\n- not petty\n</criteria>" in collection_text(
        collection(prompt="Robberies:\r\n\t- planned\n\n- not petty\n")
    )


def test_equal_movies_make_equal_bytes() -> None:
    """Nothing in the block depends on the collection, the time, or what was sent before."""
    assert records_text(movies(50)) == records_text(movies(50))


MATRIX = movie(603 - 1000, title="The Matrix", year=1999, imdb_id="tt0133093")


def test_pins_are_shown_as_examples() -> None:
    """On both sides, under the names that the library's movies have, however their owner wrote them."""
    (heists,) = recognise(
        [
            collection(
                include_movies=(ItemRef.parse("HEAT (1995)"), ItemRef.parse("tmdb:603")),
                exclude_movies=(ItemRef.parse("tt0078748"),),
            )
        ],
        [MATRIX, movie(1, title="Heat", year=1995), movie(2, title="Alien", year=1979, imdb_id="tt0078748")],
    )

    assert "Belongs: Heat (1995), The Matrix (1999)\nDoes not belong: Alien (1979)\n" in collection_text(heists)
    assert "example" not in collection_text(collection())


def test_pins_of_shows_are_shown_as_examples() -> None:
    """A block for shows names its own, under their titles in Sonarr."""
    (crime,) = recognise(
        [collection(kind="show", include_shows=(ItemRef.parse("tvdb:81189", "show"),))],
        [show(key=show_key(81189), title="Breaking Bad", year=2008)],
    )

    assert "Belongs: Breaking Bad (2008)\n" in collection_text(crime)


def test_a_pin_of_a_movie_that_is_not_there_is_shown_where_it_says_something() -> None:
    """A title as it is written; an id says nothing to a model, and where nothing else is left there are no examples."""
    unknown: dict[str, Any] = {"exclude_movies": (ItemRef.parse("tt0000001"), ItemRef.parse("tmdb:1"))}
    titled, bare = recognise(
        [collection(include_movies=(ItemRef.parse("Heat (1995)"),), **unknown), collection("Noir", **unknown)],
        [MATRIX],
    )

    assert "Belongs: Heat (1995)\n</examples>" in collection_text(titled)
    assert "example" not in collection_text(bare)


def test_each_example_is_shown_once_and_on_the_side_that_counts() -> None:
    """A movie pinned by its id and by its title is one; pinned on both sides it is out."""
    (heists,) = recognise(
        [
            collection(
                include_movies=tuple(map(ItemRef.parse, ("tmdb:603", "The Matrix (1999)", "Heat (1995)"))),
                exclude_movies=(ItemRef.parse("heat (1995)"),),
            )
        ],
        [MATRIX, movie(1, title="Heat", year=1995)],
    )

    assert "Belongs: The Matrix (1999)\nDoes not belong: Heat (1995)\n" in collection_text(heists)


def test_a_pin_asks_nothing_again() -> None:
    """Neither a new one nor one whose movie has come: what a verdict depends on is the prompt."""
    pinned = collection(include_movies=(ItemRef.parse("tmdb:603"),))
    (known,) = recognise([pinned], [MATRIX])

    assert collection().prompt_hash == pinned.prompt_hash == known.prompt_hash
    assert pinned.block_hash == known.block_hash


def test_a_collection_says_its_name_and_criteria() -> None:
    """First what is asked for, then what to do; a second look asks for something else."""
    text = collection_text(collection("Heists", prompt="  Movies about heists. "))

    assert "<name>Heists</name>" in text
    assert "<criteria>\nMovies about heists.\n</criteria>" in text
    assert text != collection_text(collection("Heists", prompt="Movies about heists."), second_look=True)


def test_the_second_look_asks_for_the_reason_first() -> None:
    """And for every movie in `decisions`."""
    text = collection_text(collection(), second_look=True)

    assert text.index("reason") < text.index("verdict")
    assert "every movie in `decisions`" in text


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_are_ones_that_the_api_takes(kind: Kind) -> None:
    """Every object closed, no unsupported keyword, confidences in steps of 0.05; one entry alike in all."""
    one, several, second = (form.schema for form in forms_of(kind))
    entry = one["properties"]["decisions"]["items"]

    for schema in (one, several, second):
        assert not schema_problem(json.dumps(schema).encode())
    assert list(entry["properties"]) == [f"{kind}_id", "reason", "include", "confidence"]
    assert entry["properties"]["confidence"]["enum"] == pytest.approx([step * 0.05 for step in range(21)])
    of_each = several["properties"]["collections"]["items"]
    assert of_each["properties"] == {"collection": {"type": "integer"}, **one["properties"]}
    assert of_each["required"] == ["collection", *one["required"]]


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_second_look_must_have_its_reason(kind: Kind) -> None:
    """There it is written before the verdict; elsewhere it and what follows from the confidence are left out."""
    forms = forms_of(kind)
    one, second = (form.schema["properties"]["decisions"]["items"]["required"] for form in (forms.one, forms.second))
    assert one == [f"{kind}_id", "confidence"]
    assert second == [f"{kind}_id", "reason", "include", "confidence"]


def test_several_collections_are_numbered_and_one_is_not() -> None:
    """One is asked about as it ever was; of several each is written as it is alone, under its number."""
    heists, noir = collection("Heists", prompt="Movies\nabout heists."), collection("Film Noir")
    assert question_text((heists,)) == collection_text(heists)
    assert question_text((heists,)) == (
        "<collection>\n<name>Heists</name>\n<criteria>\nMovies\nabout heists.\n</criteria>\n</collection>\n\n"
        "Judge every movie of the list for this collection, in the order of the list."
    )
    text = question_text((heists, noir))
    first, second = (
        collection_text(each).partition("</collection>")[0].removeprefix("<collection>") for each in (heists, noir)
    )
    assert text.startswith(
        f'<collection number="1">{first}</collection>\n<collection number="2">{second}</collection>\n\nJudge every '
    )
    assert "each of them (1 to 2)" in text
    shows = question_text((heists, noir), kind="show")
    assert "Judge every show" in shows
    assert "movie" not in shows.partition("Judge")[2]


def test_an_answer_about_several_may_be_longer() -> None:
    """As many times as there are collections, up to a bound; what one alone may have is never cut."""

    def tokens(count: int, collections: int) -> int:
        asked = [collection(f"C{number}") for number in range(collections)]
        return Page.of(movies(count)).request(asked, "m", second_look=False, cache=False).expected_tokens

    assert (tokens(50, 1), tokens(50, 2), tokens(50, 8)) == (8_000, 16_000, 32_000)
    assert (tokens(300, 1), tokens(300, 2), tokens(400, 8)) == (28_000, 32_000, 36_000)


@pytest.mark.parametrize("kind", KINDS)
def test_the_system_prompt_speaks_of_every_field_of_the_answer(kind: Kind) -> None:
    """So that models and endpoints without structured outputs know the form too."""
    for field in (f"{kind}_id", "reason", "include", "confidence", "decisions", "excluded", "collection_name"):
        assert field in form_of(kind).system


def test_shows_have_prompts_of_their_own() -> None:
    """Nothing in them speaks of films; both are constant, and each kind's form is its own cache."""
    assert (FORM.system, FORM.schema) == (SYSTEM, SCHEMA)
    assert (SHOW_FORM.system, SHOW_FORM.schema) == (SHOW_SYSTEM, SHOW_SCHEMA)
    for word in ("movie", "film"):
        assert word not in SHOW_SYSTEM
        assert word not in json.dumps(SHOW_SCHEMA)
    assert "TV expert" in SHOW_SYSTEM
    assert "as a whole" in SHOW_SYSTEM
    assert "show" not in SYSTEM.replace("shown", "")
