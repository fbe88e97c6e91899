"""Draw a poster for an item: a scene of discs and wedges in the colours of a film, chosen by its number, as PNG.

Pictures are the same each time, made in milliseconds and a few KB large: each point is one of three tones (the ground,
shapes, an accent) or lies on the edge of two, and all of them become darker or lighter from row to row.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

_LEVELS = 28
_TONES = 9
_GROUND, _SHAPE, _ACCENT = range(3)
_EDGES = {(_GROUND, _SHAPE): 3, (_GROUND, _ACCENT): 5, (_SHAPE, _ACCENT): 7}
"""The first of two tones for the edge of these two: a third of the second, and two thirds of it."""

_Colour = tuple[int, int, int]
_Span = tuple[float, float]


class _Palette(NamedTuple):
    """Colours as `rrggbb`: the ground above and below, the shapes above and below, the accent."""

    ground: tuple[str, str]
    shape: tuple[str, str]
    accent: str


_PALETTES = (
    _Palette(("12203f", "2c5a7d"), ("0b1326", "13233f"), "f2b84b"),
    _Palette(("f0c48a", "d9674e"), ("7c2f3e", "3b1730"), "fbe9c6"),
    _Palette(("e9e2d0", "c9bfa6"), ("2b2b2f", "121214"), "b3261e"),
    _Palette(("0f1a17", "24463b"), ("081210", "0c1c18"), "d7e7a9"),
    _Palette(("3a1c46", "b0416a"), ("1f0f2b", "140a1d"), "ffd27a"),
    _Palette(("a9c7cf", "e7dcc3"), ("3c5a66", "22363f"), "e0633b"),
    _Palette(("1b1b1f", "3c3c44"), ("0d0d10", "060608"), "e6e6ea"),
    _Palette(("f4a259", "8c3f2b"), ("4a2016", "27100c"), "ffe7b3"),
    _Palette(("0d2a38", "0f6b6e"), ("061a24", "04121a"), "ff7a59"),
    _Palette(("d8d0e3", "8f86b3"), ("3d3566", "221c40"), "f6c1b1"),
)


class _Piece(NamedTuple):
    """A shape: the part of a row that it covers, or None, for a height between 0 and 1.5; widths are from 0 to 1."""

    covers: Callable[[float], _Span | None]
    tone: int


def draw_poster(number: int, height: int) -> bytes:
    """The poster of an item as PNG, two thirds as wide as it is high."""
    dice = random.Random(number)
    palette = dice.choice(_PALETTES)
    pieces = list(dice.choice(_SCENES)(dice))
    width = round(height * 2 / 3)
    rows = [_row(pieces, width, y) for y in range(height)]
    levels = [_level(y, height) for y in range(height)]
    data = b"".join(_filtered(rows, levels))
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", _colours(palette)),
            _chunk(b"IDAT", zlib.compress(data, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _level(y: int, height: int) -> int:
    return y * _LEVELS // height


def _filtered(rows: Sequence[bytes], levels: Sequence[int]) -> Iterator[bytes]:
    """The rows as numbers of colours, each without what it has in common with the one above, which makes them small."""
    tables = [bytes(range(level * _TONES, (level + 1) * _TONES)) + bytes(256 - _TONES) for level in range(_LEVELS)]
    above = bytes(len(rows[0]))
    for row, level in zip(rows, levels, strict=True):
        present = row.translate(tables[level])
        if present == above:
            yield b"\x02" + bytes(len(row))
        else:
            yield b"\x02" + bytes((now - was) & 0xFF for now, was in zip(present, above, strict=True))
        above = present


def _row(pieces: Iterable[_Piece], width: int, y: int) -> bytes:
    """The tones of a row."""
    row = bytearray(width)
    for piece in pieces:
        if (span := piece.covers((y + 0.5) / width)) is not None:
            left, right = max(0.0, span[0] * width), min(float(width), span[1] * width)
            if left < right:
                _paint(row, left, right, piece.tone)
    return bytes(row)


def _paint(row: bytearray, left: float, right: float, tone: int) -> None:
    first, last = math.ceil(left), math.floor(right)
    if first > last:
        return
    row[first:last] = bytes((tone,)) * (last - first)
    if first > 0:
        row[first - 1] = _mixed(row[first - 1], tone, first - left)
    if last < len(row):
        row[last] = _mixed(row[last], tone, right - last)


def _mixed(under: int, tone: int, part: float) -> int:
    """The tone of a point of which a shape covers a part."""
    thirds = round(part * 3)
    if under == tone or thirds == 0:
        return under
    pair = (min(under, tone), max(under, tone))
    if thirds == 3 or pair not in _EDGES:  # noqa: PLR2004 - all of it
        return tone
    return _EDGES[pair] + (thirds if tone == pair[1] else 3 - thirds) - 1


def _colours(palette: _Palette) -> bytes:
    """All tones of all levels."""
    above, below = (_colour(text) for text in palette.ground)
    roof, foot = (_colour(text) for text in palette.shape)
    accent = _colour(palette.accent)
    found = bytearray()
    for level in range(_LEVELS):
        at = level / (_LEVELS - 1)
        plain = (_between(above, below, at), _between(roof, foot, at), accent)
        edges = (_between(plain[one], plain[other], part) for one, other in _EDGES for part in (1 / 3, 2 / 3))
        for colour in (*plain, *edges):
            found += bytes(colour)
    return bytes(found)


def _colour(text: str) -> _Colour:
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def _between(one: _Colour, other: _Colour, part: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


# Shapes


def _disc(x: float, y: float, radius: float, tone: int) -> _Piece:
    def covers(at: float) -> _Span | None:
        if abs(at - y) >= radius:
            return None
        half = math.sqrt(radius * radius - (at - y) ** 2)
        return x - half, x + half

    return _Piece(covers, tone)


def _wedge(top: float, above: _Span, bottom: float, below: _Span, tone: int) -> _Piece:
    """From the span `above` at the height `top` to the span `below` at `bottom`: a triangle, a beam, a house."""

    def covers(at: float) -> _Span | None:
        if not top <= at < bottom:
            return None
        part = (at - top) / (bottom - top)
        return above[0] + (below[0] - above[0]) * part, above[1] + (below[1] - above[1]) * part

    return _Piece(covers, tone)


# Scenes


def _hills(dice: random.Random) -> Iterator[_Piece]:
    yield _disc(dice.uniform(0.3, 0.7), dice.uniform(0.45, 0.7), dice.uniform(0.2, 0.3), _ACCENT)
    yield _disc(dice.uniform(-0.1, 0.25), 2.0, dice.uniform(0.95, 1.1), _SHAPE)
    yield _disc(dice.uniform(0.8, 1.1), 2.1, dice.uniform(0.95, 1.1), _SHAPE)


def _sea(dice: random.Random) -> Iterator[_Piece]:
    x, radius, horizon = dice.uniform(0.35, 0.65), dice.uniform(0.16, 0.24), 0.85
    yield _disc(x, dice.uniform(0.45, 0.7), radius, _ACCENT)
    yield _wedge(horizon, (0, 1), 1.5, (0, 1), _SHAPE)
    for step in range(7):
        y, half = horizon + 0.03 + step * 0.08, radius * dice.uniform(0.35, 1.0) * (1 - step * 0.07)
        yield _wedge(y, (x - half, x + half), y + 0.028, (x - half, x + half), _ACCENT)


def _mountains(dice: random.Random) -> Iterator[_Piece]:
    yield _disc(dice.uniform(0.2, 0.8), 0.34, dice.uniform(0.07, 0.12), _ACCENT)
    for x in (dice.uniform(0.05, 0.25), dice.uniform(0.75, 0.95), dice.uniform(0.4, 0.6)):
        top, slope = dice.uniform(0.5, 0.75), dice.uniform(0.5, 0.62)
        wide = (1.5 - top) * slope
        yield _wedge(top, (x, x), 1.5, (x - wide, x + wide), _SHAPE)
        yield _wedge(top, (x, x), top + 0.12, (x - 0.12 * slope, x + 0.12 * slope), _ACCENT)


def _skyline(dice: random.Random) -> Iterator[_Piece]:
    yield _disc(dice.uniform(0.25, 0.75), dice.uniform(0.35, 0.55), dice.uniform(0.14, 0.22), _ACCENT)
    x = -0.02
    while x < 1:
        wide, top = dice.uniform(0.09, 0.19), dice.uniform(0.6, 1.15)
        yield _wedge(top, (x, x + wide), 1.5, (x, x + wide), _SHAPE)
        for floor in range(int((1.45 - top) / 0.09)):
            if dice.random() < 0.4:  # noqa: PLR2004 - a light is on
                left, y = x + wide * dice.choice((0.2, 0.55)), top + 0.05 + floor * 0.09
                yield _wedge(y, (left, left + 0.025), y + 0.03, (left, left + 0.025), _ACCENT)
        x += wide + dice.choice((0.0, 0.015))


def _beams(dice: random.Random) -> Iterator[_Piece]:
    x = dice.uniform(0.35, 0.65)
    for turn in (-0.55, -0.2, 0.2, 0.55):
        yield _wedge(
            0.0, (x + turn * 0.12 - 0.01, x + turn * 0.12 + 0.01), 1.2, (x + turn - 0.1, x + turn + 0.1), _SHAPE
        )
    yield _wedge(1.2, (0, 1), 1.5, (0, 1), _SHAPE)
    yield _disc(x, 0.97, 0.07, _ACCENT)
    yield _wedge(1.03, (x - 0.05, x + 0.05), 1.3, (x - 0.11, x + 0.11), _ACCENT)


def _rings(dice: random.Random) -> Iterator[_Piece]:
    x, y = dice.uniform(0.35, 0.65), dice.uniform(0.6, 0.9)
    for radius, tone in ((0.62, _SHAPE), (0.5, _GROUND), (0.4, _SHAPE), (0.3, _GROUND), (0.2, _ACCENT), (0.07, _SHAPE)):
        yield _disc(x, y, radius, tone)


def _road(dice: random.Random) -> Iterator[_Piece]:
    x, horizon = dice.uniform(0.4, 0.6), 0.72
    yield _disc(x, horizon, dice.uniform(0.2, 0.3), _ACCENT)
    yield _wedge(horizon, (0, 1), 1.5, (0, 1), _GROUND)
    yield _wedge(horizon, (x - 0.01, x + 0.01), 1.5, (-0.1, 1.1), _SHAPE)
    for near in (0.08, 0.2, 0.42, 0.72):
        y = horizon + (1.5 - horizon) * near
        yield _wedge(
            y, (x - 0.03 * near, x + 0.03 * near), y + 0.12 * near, (x - 0.036 * near, x + 0.036 * near), _ACCENT
        )


def _door(dice: random.Random) -> Iterator[_Piece]:
    x, half = dice.uniform(0.42, 0.58), dice.uniform(0.11, 0.15)
    yield _wedge(0.0, (0, 1), 1.5, (0, 1), _SHAPE)
    yield _wedge(0.35, (x - half, x + half), 1.05, (x - half, x + half), _ACCENT)
    yield _wedge(1.05, (x - half, x + half), 1.5, (x - half * 2.6, x + half * 2.6), _GROUND)
    yield _disc(x, 0.7, 0.045, _SHAPE)
    yield _wedge(0.74, (x - 0.03, x + 0.03), 1.05, (x - 0.06, x + 0.06), _SHAPE)


_SCENES: tuple[Callable[[random.Random], Iterator[_Piece]], ...] = (
    _hills,
    _sea,
    _mountains,
    _skyline,
    _beams,
    _rings,
    _road,
    _door,
)
