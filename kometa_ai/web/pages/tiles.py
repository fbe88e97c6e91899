"""Draw a tile in the place of a poster, as SVG: the initials of a title on a quiet colour that belongs to the item."""

from __future__ import annotations

import colorsys
import unicodedata
from hashlib import blake2b
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from kometa_ai.core.item import kind_of
from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.core.item import ItemKey

_ARTICLES = frozenset({"a", "an", "the"})
_JOINER = "\u200d"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAGS = range(0x1F1E6, 0x1F200)
_MOST = 200
"""Characters of a title that are looked at."""
_SEPARATORS = dict.fromkeys(map(ord, "-_/:\u00b7\u2013\u2014\u30fb\uff1a"), " ")
_NOT_JOINED = "\u200c"

# A reel for a movie, a screen for a show: all that is told of an item without a title.
_REEL = (
    '<g fill="none" stroke="{ink}" stroke-width="2.5"><circle cx="50" cy="72" r="20"/><circle cx="50" cy="72" r="3"/>'
    '<circle cx="50" cy="60.5" r="4"/><circle cx="50" cy="83.5" r="4"/><circle cx="38.5" cy="72" r="4"/>'
    '<circle cx="61.5" cy="72" r="4"/></g>'
)
_SCREEN = (
    '<g fill="none" stroke="{ink}" stroke-width="2.5" stroke-linejoin="round" stroke-linecap="round">'
    '<rect x="28" y="58" width="44" height="30" rx="4"/><path d="M42 50l8 8 8-8M40 95h20"/></g>'
)
_TILE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 150" width="250" height="375">'
    '<defs><linearGradient id="g" x2="0.35" y2="1"><stop stop-color="{light}"/><stop offset="1" stop-color="{dark}"/>'
    '</linearGradient></defs><rect width="100" height="150" fill="url(#g)"/>'
    '<circle cx="{x}" cy="{y}" r="52" fill="{ink}" fill-opacity="0.07"/>'
    '<rect x="5.5" y="5.5" width="89" height="139" rx="3" fill="none" stroke="{ink}" stroke-opacity="0.22"/>'
    "{mark}</svg>"
)
_TEXT = (
    '<text x="50" y="75" text-anchor="middle" dominant-baseline="central" font-size="{size}" font-weight="600" '
    "fill=\"{ink}\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif\">{text}</text>"
)


def initials(title: str) -> str:
    """The first letter or digit of the first two words, as the reader sees them; empty if the title shows nothing.

    A first article does not count (`The Third Man`: TM). A title without letters gives its first sign.
    """
    words = [list(_signs(word)) for word in one_line(title)[:_MOST].translate(_SEPARATORS).split()]
    lettered = [[sign for sign in word if sign[0].isalnum()] for word in words]
    named = [word for word in lettered if word]
    if len(named) > 1 and "".join(named[0]).lower() in _ARTICLES:
        named = named[1:]
    if named:
        found = [_upper(word[0]) for word in named[:2]]
        # Arabic letters would join as those of one word do.
        return (_NOT_JOINED if unicodedata.bidirectional(found[0][0]) == "AL" else "").join(found)
    return next((sign for word in words for sign in word), "")


def tile(key: ItemKey, title: str) -> str:
    """The tile of an item: two wide, three high, and the same for the same key."""
    number = int.from_bytes(blake2b(key.encode(), digest_size=4).digest())
    hue = number % 360 / 360
    ink = _colour(hue, 0.84, 0.3)
    text = initials(title)
    if text:
        mark = _TEXT.format(size=34 if len(list(_signs(text))) > 1 else 44, ink=ink, text=escape(text))
    else:
        mark = (_SCREEN if kind_of(key) == "show" else _REEL).format(ink=ink)
    return _TILE.format(
        light=_colour(hue, 0.36, 0.26),
        dark=_colour((hue + 0.06) % 1, 0.2, 0.3),
        ink=ink,
        x=number // 360 % 100,
        y=number // 36000 % 150,
        mark=mark,
    )


def _signs(word: str) -> Iterator[str]:
    """What a reader takes for one sign: a letter with its marks, an emoji of several parts, a flag."""
    sign = ""
    for character in word:
        category = unicodedata.category(character)
        if category in ("Cc", "Cn", "Co", "Cs") or (category == "Cf" and character != _JOINER):
            continue
        is_flag = ord(character) in _FLAGS and len(sign) == 1 and ord(sign) in _FLAGS
        if sign and (category[0] == "M" or _belongs(character, sign) or is_flag):
            sign += character
            continue
        if sign:
            yield sign
        sign = "" if character == _JOINER or category[0] == "M" else character
    if sign:
        yield sign


def _belongs(character: str, sign: str) -> bool:
    is_tone = ord(character) in _SKIN_TONES
    # Between letters a joiner only changes their form; an emoji goes on behind it.
    return character == _JOINER or is_tone or (sign[-1] == _JOINER and not character.isalnum())


def _upper(sign: str) -> str:
    """In capitals, unless that would be several."""
    sign = sign.rstrip(_JOINER)
    raised = sign.upper()
    return raised if len(raised) == len(sign) else sign


def _colour(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
