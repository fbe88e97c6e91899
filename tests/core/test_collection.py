from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import (
    Collection,
    ItemRef,
    OtherCollection,
    collection_key,
    keys_of,
    namesakes,
    recognise,
)
from kometa_ai.core.item import KINDS, ArrId, Kind, movie_key, show_key
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import Label, Slug
from kometa_ai.core.show import Show


def _movie(title: str = "The Matrix", year: int = 1999, tmdb_id: int = 603, imdb_id: str = "tt0133093") -> Movie:
    return Movie(arr_id=ArrId(7), key=movie_key(tmdb_id), title=title, year=year, imdb_id=imdb_id)


@pytest.mark.parametrize(
    "text",
    ["tmdb:603", "TMDB:603", " tmdb:603 ", "tt0133093", "TT0133093", "The Matrix (1999)", "the matrix(1999)"],
)
def test_ref_names_its_movie(text: str) -> None:
    """Each of the three forms names the movie, without regard to case and space around it."""
    assert ItemRef.parse(text).names(_movie())


@pytest.mark.parametrize("text", ["tmdb:604", "tt0133094", "The Matrix (2003)", "The Matrix Reloaded (1999)"])
def test_ref_names_no_other_movie(text: str) -> None:
    """Another id, year or title is another movie."""
    assert not ItemRef.parse(text).names(_movie())


@pytest.mark.parametrize("title", ["M", "Z", "Up", "(500) Days of Summer", "2001: A Space Odyssey", "1917", "M (II)"])
def test_ref_any_title(title: str) -> None:
    """A title may be one letter, hold parentheses or be a number."""
    assert ItemRef.parse(f"{title} (1931)").names(_movie(title, 1931))


def test_ref_accents_either_way() -> None:
    """An accent typed as a letter and a combining mark (as on a Mac) is the same accent."""
    decomposed = unicodedata.normalize("NFD", "Amélie (2001)")
    assert decomposed != "Amélie (2001)"
    assert ItemRef.parse(decomposed).names(_movie("Amélie", 2001))
    assert ItemRef.parse("Amélie (2001)").names(_movie(unicodedata.normalize("NFD", "Amélie"), 2001))


def test_a_curly_apostrophe_is_a_straight_one() -> None:
    """On either side: keyboards of telephones write one, and catalogues the other."""
    curly, straight = "Schindler\N{RIGHT SINGLE QUOTATION MARK}s List", "Schindler's List"
    assert ItemRef.parse(f"{curly} (1993)").names(_movie(straight, 1993))
    assert ItemRef.parse(f"{straight} (1993)").names(_movie(curly, 1993))
    assert namesakes(ItemRef.parse(f"{curly} (1994)"), [_movie(straight, 1993)])
    written = [
        Collection(name="x", slug=Slug("x"), tag="kai-x", prompt="x", include_movies=(ItemRef.parse(f"{each} (1993)"),))
        for each in (curly, straight)
    ]
    assert len({each.block_hash for each in written}) == len(written)


@pytest.mark.parametrize(
    "text",
    [
        *("", "   ", "The Matrix", "(1999)", "The Matrix (99)", "The Matrix (١٩٩٩)", "The Matrix (1999) extra"),
        *("tmdb:", "tmdb:0", "tmdb:-3", "tmdb:6o3", "tmdb:" + "9" * 5000, "imdb:tt1", "603"),
    ],
)
def test_ref_refuses_anything_else(text: str) -> None:
    """What is none of the three forms is a ValueError, which says what the forms are."""
    with pytest.raises(ValueError, match="tmdb:603"):
        ItemRef.parse(text)


def _show(title: str = "Breaking Bad", year: int = 2008, tvdb_id: int = 81189, **more: int | str) -> Show:
    fields: dict[str, object] = {"imdb_id": "tt0903747", "tmdb_id": 1396, **more}
    return Show(arr_id=ArrId(3), key=show_key(tvdb_id), title=title, year=year, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["tvdb:81189", "TVDB:81189", " tt0903747 ", "tmdb:1396", "TMDb:1396", "breaking bad (2008)"]
)
def test_ref_names_its_show(text: str) -> None:
    """A show is named by TVDb's number, IMDb's, TMDb's number of shows, or title and year."""
    assert ItemRef.parse(text, "show").names(_show())


@pytest.mark.parametrize("text", ["tvdb:1396", "tmdb:81189", "tt0903748", "Breaking Bad (2009)", "Bad (2008)"])
def test_ref_names_no_other_show(text: str) -> None:
    """Another number, another catalogue, year or title is another show."""
    assert not ItemRef.parse(text, "show").names(_show())


@pytest.mark.parametrize(("title", "year"), [("Archer (2009)", 2009), ("Archer", 2009)])
@pytest.mark.parametrize("text", ["Archer (2009)", "archer (2009) (2009)"])
def test_ref_of_a_title_that_carries_its_year(title: str, year: int, text: str) -> None:
    """TVDb writes the year into titles that two shows share: with it and without it is the same show."""
    assert ItemRef.parse(text, "show").names(_show(title, year))


@pytest.mark.parametrize(
    ("text", "title", "year", "is_named"),
    [
        ("Archer (2009)", "Archer (1975)", 1975, False),
        ("Archer (1975)", "Archer (1975)", 1975, True),
        ("Archer (2009)", "Archer (2009)", 2010, True),
        ("Archer (2009) (2010)", "Archer (2009)", 2010, True),
        ("Archer (2010)", "Archer (2009)", 2010, False),
        ("Archer (2009)", "Archer (2009)", 0, True),
        ("Archer (0000)", "Archer", 0, False),
        ("The Office (US) (2005)", "The Office (US)", 2005, True),
        ("The Office (2005)", "The Office (US)", 2005, False),
    ],
)
def test_ref_of_shows_of_one_title(text: str, title: str, year: int, *, is_named: bool) -> None:
    """The year in the title tells them apart; a country in it belongs to the title; no year is no year 0."""
    assert ItemRef.parse(text, "show").names(_show(title, year)) is is_named


def test_an_id_of_0_names_nothing() -> None:
    """It means that the id is unknown."""
    unknown = _show("X", 0, imdb_id="", tmdb_id=0)

    assert keys_of(unknown) == (unknown.key,)
    with pytest.raises(ValueError, match="tvdb:81189"):
        ItemRef.parse("tmdb:0", "show")


def test_numbers_of_movies_and_shows_are_apart() -> None:
    """`tmdb:1396` is one film in a block of movies, and one show in a block of shows."""
    film = _movie("Mirror", 1975, 1396, "tt0072443")

    assert ItemRef.parse("tmdb:1396").names(film)
    assert not ItemRef.parse("tmdb:1396").names(_show())
    assert not ItemRef.parse("tmdb:1396", "show").names(film)


def test_namesakes_of_shows() -> None:
    """Those whose title is the same but for the year in it."""
    shows = [_show("Archer (2009)", 2009, 1), _show("Archer (1975)", 1975, 2), _show("Archers", 2000, 3)]

    assert namesakes(ItemRef.parse("Archer (1999)", "show"), shows) == shows[:2]


@given(st.text(), st.sampled_from(KINDS))
def test_ref_parse_never_breaks(text: str, kind: Kind) -> None:
    """Any text either is a reference that keeps its text, or a ValueError."""
    try:
        ref = ItemRef.parse(text, kind)
    except ValueError:
        return
    assert ref.text == text.strip()
    assert sum([ref.item is not None, bool(ref.imdb_id), bool(ref.title), bool(ref.tmdb_show)]) == 1


def _collection(**changes: object) -> Collection:
    fields: dict[str, object] = {"name": "Noir", "slug": Slug("noir"), "tag": "KAI-noir", "prompt": "Dark."}
    return Collection(**{**fields, **changes})  # type: ignore[arg-type]  # of the right types, one by one


@pytest.mark.parametrize(
    "changes",
    [
        {"confidence_threshold": 0.8},
        {"include_tags": frozenset({Label("crime")})},
        {"exclude_tags": frozenset({Label("crime")})},
        {"include_movies": (ItemRef.parse("tmdb:603"),)},
        {"exclude_movies": (ItemRef.parse("tmdb:603"),)},
        {"tag": "KAI-film-noir"},
        {"libraries": frozenset({"radarr-4k"})},
        {"kind": "show"},
        {"include_shows": (ItemRef.parse("tvdb:81189", "show"),)},
        {"exclude_shows": (ItemRef.parse("tvdb:81189", "show"),)},
    ],
)
def test_rule_change_edits_the_block_and_asks_nothing(changes: dict[str, object]) -> None:
    """A changed threshold, tag or pin is an edit of the block, but no reason to ask again."""
    assert _collection(**changes).prompt_hash == _collection().prompt_hash
    assert _collection(**changes).block_hash != _collection().block_hash


def test_prompt_change_is_both() -> None:
    """A changed prompt is an edit, and a reason to ask; space around it is neither."""
    assert _collection(prompt="Darker.").prompt_hash != _collection().prompt_hash
    assert _collection(prompt="Darker.").block_hash != _collection().block_hash
    assert _collection(prompt="\n Dark.\n").prompt_hash == _collection().prompt_hash
    assert _collection(prompt="\n Dark.\n").block_hash == _collection().block_hash


def test_place_and_priority_are_no_edit() -> None:
    """Moving a block to another file, or changing its priority, changes no membership."""
    moved = _collection(source="b.yml", line=9, priority=5, kind_because="`radarr_taglist`", libraries_line=4)
    assert (moved.prompt_hash, moved.block_hash) == (_collection().prompt_hash, _collection().block_hash)


def test_block_hashes_are_those_of_earlier_versions() -> None:
    """The state remembers hashes: another one for the same block would look like an edit of it."""
    full = _collection(
        prompt=" Dark.\n",
        confidence_threshold=0.65,
        include_tags=frozenset({Label("b"), Label("a")}),
        exclude_tags=frozenset({Label("kids")}),
        include_movies=(ItemRef.parse("tmdb:603"), ItemRef.parse("Heat (1995)")),
        exclude_movies=(ItemRef.parse("tt0133093"),),
        tag="KAI-film-noir",
    )

    assert (_collection().block_hash, full.block_hash) == ("b7da41ea1df800b3", "da040fb17261e03c")


def test_a_new_rule_is_an_edit_only_where_it_is_set() -> None:
    """A version that brings another key finds no block edited; a block that sets the key is."""

    class Newer(Collection, frozen=True, kw_only=True):
        studio: str = ""

    fields = {field: getattr(_collection(), field) for field in ("name", "slug", "tag", "prompt")}

    assert Newer(**fields).block_hash == _collection().block_hash
    assert Newer(**fields, studio="A24").block_hash != _collection().block_hash


def test_label_is_lower_case() -> None:
    """The tag is written KAI-…, and kai-… in Radarr."""
    assert _collection().label == "kai-noir"


def test_a_key_tells_the_kind() -> None:
    """The slug for movies, as in every state so far; shows of the same name have a key of their own."""
    assert (_collection().key, _collection(kind="show").key) == ("noir", "show:noir")
    assert collection_key("show", Slug("noir")) == "show:noir"
    assert _collection(kind="show").label == _collection().label


@pytest.mark.parametrize(("kind", "keys"), [("movie", ("a",)), ("show", ("show:a",)), (None, ("a", "show:a"))])
def test_a_collection_of_an_unknown_kind_may_have_either_key(kind: Kind | None, keys: tuple[str, ...]) -> None:
    """So nothing that is kept for it is taken for abandoned."""
    assert OtherCollection(name="A", slug=Slug("a"), label=Label("kai-a"), kind=kind).keys == keys


def test_pins_are_recognised_in_items_of_their_kind() -> None:
    """A film of the same title is no show."""
    title = "Fargo (1996)"
    films, shows = recognise(
        [
            _collection(include_movies=(ItemRef.parse(title),)),
            _collection(
                kind="show", include_shows=(ItemRef.parse("tvdb:269613", "show"), ItemRef.parse(title, "show"))
            ),
        ],
        [_movie("Fargo", 1996, 275, "tt0116282"), _show("Fargo", 2014, 269613)],
    )

    assert [ref.known_as for ref in films.pins_in] == ["Fargo (1996)"]
    assert [ref.known_as for ref in shows.pins_in] == ["Fargo (2014)", ""]
    assert (films.pins_out, shows.include_movies) == ((), ())
