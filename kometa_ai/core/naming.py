"""Make slugs of collections, and the labels of their tags."""

from __future__ import annotations

import re
from typing import NewType

from slugify import slugify

Slug = NewType("Slug", str)
CollectionKey = NewType("CollectionKey", str)
"""What names a collection: `christmas` for films, `show:christmas` for shows. Both may have the same name and label."""

Label = NewType("Label", str)
"""A tag's label as Radarr stores it: lower case."""

PREFIX = "KAI-"
LONGEST_SLUG = 250
"""Characters. A slug is stored with each decision of its collection, and shown in Radarr's list of tags."""


def slug_of(name: str) -> Slug:
    """Transliterate to ASCII, lower-case, and turn each run of other characters into one hyphen.

    Returns an empty string if no letter or digit of the name can be transliterated (an emoji, say).
    """
    # slugify drops some ASCII punctuation (apostrophes, the comma of 1,000) instead of separating at it.
    separated = re.sub(r"[^a-zA-Z0-9\u0080-\U0010ffff]+", "-", re.sub("[\u2018\u2019\u201a\u201b]", "-", name))
    return Slug(slugify(separated, entities=False, decimal=False, hexadecimal=False))


def tag_of(slug: str) -> str:
    """The managed tag as users write it: `KAI-<slug>`."""
    return PREFIX + slug


def label_of(tag: str) -> Label:
    """The same tag as Radarr stores and compares it: Radarr lower-cases every label it is given."""
    return Label(tag.strip().lower())
