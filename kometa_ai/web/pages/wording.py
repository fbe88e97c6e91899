"""Compare two texts word by word: what was taken out, and what came in. Pure."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r"\w+|\s|[^\w\s]")
_MOST = 6000
"""Words and signs of both texts together, beyond which what differs is shown as a whole: comparing takes a second."""


class Piece(NamedTuple):
    """A piece that both texts have (`same`), or that only the old one (`gone`) or the new one (`new`) has."""

    kind: Literal["same", "gone", "new"]
    text: str


def differences(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of both texts in their order.

    Those that are not `new` give the text before, those that are not `gone` the text after.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    first = _shared(old, new)
    last = _shared(old[first:][::-1], new[first:][::-1])
    changed = _changed(old[first : len(old) - last], new[first : len(new) - last])
    ends = (Piece("same", "".join(old[:first])), *changed, Piece("same", "".join(old[len(old) - last :])))
    return tuple(_joined(ends))


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many tokens both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    if len(old) + len(new) > _MOST:
        yield Piece("gone", "".join(old))
        yield Piece("new", "".join(new))
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[a:b]))
        else:
            yield Piece("gone", "".join(old[a:b]))
            yield Piece("new", "".join(new[c:d]))


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces without empty ones; changes with nothing but a blank between them read as one."""
    gone, new = "", ""
    filled = [piece for piece in pieces if piece.text]
    for at, (kind, text) in enumerate(filled):
        if kind == "gone":
            gone += text
        elif kind == "new":
            new += text
        elif text == " " and (gone or new) and at + 1 < len(filled):
            gone, new = gone + text, new + text
        else:
            yield from (piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text)
            gone, new = "", ""
            yield Piece("same", text)
    yield from (piece for piece in (Piece("gone", gone), Piece("new", new)) if piece.text)
