"""Keys of items, and how users write them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.item import KINDS, LARGEST_ID, ItemKey, key_named, movie_key, ref_of, show_key

KEYS = st.builds(
    lambda kind, number: (movie_key if kind == "movie" else show_key)(number),
    st.sampled_from(KINDS),
    st.integers(1, LARGEST_ID),
)


@given(KEYS)
def test_a_key_is_named_by_itself_and_by_its_reference(key: ItemKey) -> None:
    """What we write of an item can be read again."""
    assert key_named(key) == key_named(f" {ref_of(key)} ") == key


@given(st.text() | st.from_regex(r"(tmdb|tvdb|movie|show|imdb):-?[0-9]{0,12}", fullmatch=True))
def test_anything_else_names_nothing(text: str) -> None:
    """No text names an item that no catalogue could have."""
    try:
        key = key_named(text)
    except ValueError:
        return
    assert text.strip() in {key, ref_of(key)}
