"""Tell pictures of items by how they begin: which kinds are taken, and in which sizes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Height = Literal[250, 500]
"""How high a poster is, in pixels; it is two thirds as wide."""

HEIGHTS: tuple[Height, ...] = get_args(Height)

Form = Literal["jpg", "png", "webp"]
"""A kind of picture, by the ending of its file."""

FORMS: tuple[Form, ...] = get_args(Form)

MEDIA_TYPES: Mapping[Form, str] = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

LARGEST_PICTURE = 4 << 20
"""Bytes. A poster that was made smaller has some ten thousand, and a whole one may have a million."""


def form_of(body: bytes | bytearray) -> Form | None:
    """Which kind of picture begins like this; None for anything else, whatever its name or type may say."""
    if body.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return "webp"
    return None
