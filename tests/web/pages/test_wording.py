"""Two texts compared word by word."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.web.pages.wording import Piece, differences

WORDS = st.lists(
    st.sampled_from(["dark", "old", " ", "\n", ",", "the", "city", "é", "👩‍👩‍👧", "\u202e", "<b>"]), max_size=60
)
TEXTS = st.one_of(st.text(max_size=80), WORDS.map("".join))


@given(TEXTS, TEXTS)
def test_both_texts_are_in_it(before: str, after: str) -> None:
    """Without what came in it is the text before, without what was taken out the text after."""
    pieces = differences(before, after)

    assert "".join(piece.text for piece in pieces if piece.kind != "new") == before
    assert "".join(piece.text for piece in pieces if piece.kind != "gone") == after
    assert all(piece.text for piece in pieces)


@given(TEXTS)
def test_the_same_text(text: str) -> None:
    """What is the same has nothing that came in or was taken out."""
    assert differences(text, text) == ((Piece("same", text),) if text else ())


@pytest.mark.parametrize(
    ("before", "after", "pieces"),
    [
        ("a dark film", "a bright film", [("same", "a "), ("gone", "dark"), ("new", "bright"), ("same", " film")]),
        (
            "a dark old film",
            "a bright new film",
            [("same", "a "), ("gone", "dark old"), ("new", "bright new"), ("same", " film")],
        ),
        ("Robbers.", "Robbers and their plan.", [("same", "Robbers"), ("new", " and their plan"), ("same", ".")]),
        ("", "Robbers", [("new", "Robbers")]),
        ("Robbers", "", [("gone", "Robbers")]),
        ("one\n\ntwo", "one\ntwo", [("same", "one\n"), ("gone", "\n"), ("same", "two")]),
    ],
)
def test_by_words(before: str, after: str, pieces: list[tuple[str, str]]) -> None:
    """Whole words differ, never parts of them; neighbouring ones are one change."""
    assert [tuple(piece) for piece in differences(before, after)] == pieces


@pytest.mark.parametrize("words", [2, 40, 100, 400, 5000])
def test_long_texts(words: int) -> None:
    """Prompts of 8 KB are compared at once, whatever words they are made of."""
    before = " ".join(f"w{number * 7 % words}" for number in range(1800))
    after = " ".join(f"w{number * 11 % words}" for number in range(1700))
    started = time.process_time()

    differences(before, after)

    assert time.process_time() - started < 1


def test_what_is_too_long_differs_as_a_whole() -> None:
    """Beyond some thousand words that differ, the old part is taken out and the new one comes in."""
    pieces = differences("same " + "a b " * 2000, "same " + "c d " * 2000 + "end")

    assert [piece.kind for piece in pieces] == ["same", "gone", "new"]
