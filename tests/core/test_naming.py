from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.naming import label_of, slug_of, tag_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Film Noir", "film-noir"),
        ("Sci-Fi/Horror", "sci-fi-horror"),
        ("Amélie & Co.", "amelie-co"),
        ("Heist Movies!", "heist-movies"),
        ("Mission: Impossible Style", "mission-impossible-style"),
        ("Schindler's List", "schindler-s-list"),
        ("Schindler\u2019s List", "schindler-s-list"),
        ("1,000 Nights", "1-000-nights"),
        ("  spaces  --  and__underscores ", "spaces-and-underscores"),
        ("R&B &amp; &#65;", "r-b-amp-65"),
        ("straße ÆON Øl", "strasse-aeon-ol"),
        ("日本の映画", "ri-ben-noying-hua"),
        ("🎬", ""),
        ("", ""),
        ("---", ""),
    ],
)
def test_slug_examples(name: str, slug: str) -> None:
    """Transliterated to ASCII, lower-case, runs of anything else one hyphen, none at either end."""
    assert slug_of(name) == slug


@given(st.text())
def test_slug_shape(name: str) -> None:
    """A slug is empty, or words of a-z and 0-9 with single hyphens between them."""
    assert re.fullmatch(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*)?", slug_of(name))


@given(st.text())
def test_slug_is_stable(name: str) -> None:
    """The slug of a slug is itself, and case makes no difference to ASCII names."""
    slug = slug_of(name)
    assert slug_of(slug) == slug
    if name.isascii():
        assert slug_of(name.upper()) == slug_of(name.lower()) == slug


@given(st.text(st.characters(codec="ascii")))
def test_slug_of_ascii_is_the_contract_word_for_word(name: str) -> None:
    """For ASCII names the slug is what the contract's sentence says, by the simplest reading."""
    assert slug_of(name) == re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def test_label() -> None:
    """The tag has the prefix in capitals; its label is lower-case, as Radarr stores it."""
    assert tag_of(slug_of("Film Noir")) == "KAI-film-noir"
    assert label_of(" KAI-Film-Noir ") == "kai-film-noir"
