from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import Collection, ItemRef
from kometa_ai.core.item import ArrId, movie_key
from kometa_ai.core.movie import Movie
from kometa_ai.core.naming import Label, Slug


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


@given(st.text())
def test_ref_parse_never_breaks(text: str) -> None:
    """Any text either is a reference that keeps its text, or a ValueError."""
    try:
        ref = ItemRef.parse(text)
    except ValueError:
        return
    assert ref.text == text.strip()
    assert sum([ref.item is not None, bool(ref.imdb_id), bool(ref.title)]) == 1


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
    moved = _collection(source="b.yml", line=9, priority=5)
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
