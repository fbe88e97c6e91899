"""Read a service's JSON with msgspec: all at once where it is as it should be, else row by row and value by value.

Other programs write to a service's database and proxies rewrite its answers, so one row of ten thousand may hold a null
or a text where a number belongs. Such a value is read where its meaning is certain and left out where it is not; a row
without a meaning is left out and named. An answer that was cut off is never read in part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from kometa_ai.core.item import LARGEST_ID
from kometa_ai.core.numbers import whole_number
from kometa_ai.core.text import beginning
from kometa_ai.library.arr.texts import clean

T = TypeVar("T")
Body = bytes | bytearray | memoryview

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Text that is no UTF-8 comes as Python's own error.
_DAMAGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Garbled(ValueError):
    """An answer that cannot be used. `is_torn`: it is no whole JSON, so another try may bring it whole."""

    def __init__(self, what: str, *, is_torn: bool) -> None:
        super().__init__(what)
        self.is_torn = is_torn


class OddRow(msgspec.Struct, frozen=True):
    """A row that makes no sense: its place from 1 on, its id and name where it has them, and what is wrong."""

    place: int
    id: int
    name: str
    why: str


def decode(body: Body, kind: type[T]) -> T:
    """Decode strictly: all of the body, or `Garbled`."""
    body = _without_mark(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except _DAMAGE as error:
        raise Garbled(_in_brief(error), is_torn=not _is_whole(body)) from None


def read_rows(body: Body, kind: type[T]) -> tuple[list[T], list[OddRow]]:
    """The rows of a JSON array, and those that make no sense. Raise `Garbled` for what is no whole array."""
    body = _without_mark(body)
    try:
        return msgspec.json.decode(body, type=list[kind]), []  # type: ignore[valid-type]  # a type at run time
    except _DAMAGE:
        pieces = _pieces(body)
    strict = msgspec.json.Decoder(kind)
    good: list[T] = []
    odd: list[OddRow] = []
    for place, piece in enumerate(pieces, start=1):
        try:
            good.append(strict.decode(piece))
        except _DAMAGE:
            row = _read_row(_value(piece), kind, place)
            if isinstance(row, OddRow):
                odd.append(row)
            else:
                good.append(row)
    return good, odd


def read_object(body: Body, kind: type[T]) -> T:
    """One JSON object, its odd values read or left out. Raise `Garbled` for what is none."""
    body = _without_mark(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except _DAMAGE:
        [piece] = _pieces(b"[" + bytes(body) + b"]") or [msgspec.Raw(b"null")]
    row = _read_row(_value(piece), kind, 1)
    if isinstance(row, OddRow):
        raise Garbled(row.why, is_torn=False)
    return row


def _text(value: object) -> str | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _texts(value: object) -> list[str] | None:
    return [text for item in value if (text := _text(item)) is not None] if isinstance(value, list) else None


def _numbers(value: object) -> list[int] | None:
    """Numbers without the nulls among them. Raise ValueError for anything else: a tag overlooked would be removed."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"{_shown(value)} is no list of numbers")  # noqa: TRY004 # it is about a value of a message
    found = [(item, whole_number(item)) for item in value if item is not None]
    if wrong := [item for item, whole in found if whole is None]:
        raise ValueError(f"{_shown(wrong[0])} is no number")
    return [whole for _, whole in found if whole is not None]


def _reader_of(kind: Any) -> Callable[[object], object]:  # noqa: ANN401 - the type of a field
    """How to read the value of a field: plain ones by the table, objects and lists of objects by their own fields."""
    if reader := _READERS.get(kind):
        return reader
    (inner,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(inner) is list:
        (inner,) = get_args(inner)
        return lambda value: [_object(each, inner) for each in value] if isinstance(value, list) else None
    return lambda value: _object(value, inner) if isinstance(value, dict) else None


def _object(value: object, kind: type[T]) -> T:
    """An object inside of a row. It tells no more than what can be read of it: no row is left out for it."""
    found = value if isinstance(value, dict) else {}
    fields = msgspec.structs.fields(cast("Any", kind))
    return kind(**{each.name: _reader_of(each.type)(found.get(each.encode_name)) for each in fields})


_READERS: Mapping[Any, Callable[[object], object]] = {
    int | None: whole_number,
    str | None: _text,
    list[str] | None: _texts,
    list[int] | None: _numbers,
}
_NAMES = ("title", "label", "name", "personName")
_SHOWN = 60
_BRIEF = 200


def _read_row(value: object, kind: type[T], place: int) -> T | OddRow:
    if not isinstance(value, dict):
        return OddRow(place, 0, "", f"row {place} of the list is {_shown(value)}")
    fields = {}
    try:
        for field in msgspec.structs.fields(cast("Any", kind)):
            if field.encode_name in value:
                name = field.encode_name
                fields[field.name] = _reader_of(field.type)(value[name])
    except ValueError as error:
        label = next((text for name in _NAMES if (text := clean(_text(value.get(name))))), "")
        return OddRow(place, _id(value.get("id")), label, f"its {name} cannot be read: {error}")
    return kind(**fields)


def _id(value: object) -> int:
    found = whole_number(value)
    return found if found is not None and 0 < found <= LARGEST_ID else 0


def _shown(value: object) -> str:
    try:
        text = clean(msgspec.json.encode(value).decode(errors="replace"))
    except (ValueError, OverflowError):  # a number of very many digits
        return "a number of many digits"
    return beginning(text, _SHOWN)


def _in_brief(error: Exception) -> str:
    return beginning(clean(str(error)), _BRIEF)


def _value(piece: msgspec.Raw) -> object:
    for repair in (bytes, _sound):
        try:
            return msgspec.json.decode(repair(piece).decode(errors="replace"))
        except _DAMAGE as error:
            failure = error
    return _in_brief(failure)


# What JSON does not allow, but some writers do: no numbers, half a surrogate pair, control characters inside strings;
# and what it allows, but no reader can hold: numbers of many digits, values inside values inside values.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKEN = re.compile(
    _STRING + rb"|-?(?:NaN|Infinity)|-?[0-9.]{26,}+(?:[eE][+-]?[0-9]++)?|-?[0-9.]++[eE][+-]?[0-9]{3,}+", re.DOTALL
)
_BRACKET = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_DEEPEST = 50
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.", re.DOTALL
)
_HALF = 6
_SPACED = bytes(max(b, ord(" ")) for b in range(256))


def _pieces(body: Body) -> Sequence[msgspec.Raw]:
    for repair in (bytes, _sound):
        try:
            return msgspec.json.decode(repair(body), type=list[msgspec.Raw])
        except _DAMAGE as error:
            failure = error
    raise Garbled(_in_brief(failure), is_torn=not _is_whole(body))


def _sound(body: Body) -> bytes:
    """The same with null in the place of what cannot be read; what was cut off stays so."""
    text = _repaired(body)
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except RecursionError:
        return _shallow(text)
    except _DAMAGE:
        pass
    return text


def _shallow(text: bytes) -> bytes:
    """The same with null in the place of each value that stands too deep."""
    pieces: list[bytes] = []
    depth = kept = 0
    for found in _BRACKET.finditer(text):
        if found[0] in (b"[", b"{"):
            depth += 1
            if depth == _DEEPEST:
                pieces += [text[kept : found.start()], b"null"]
        elif found[0] in (b"]", b"}"):
            if depth == _DEEPEST:
                kept = found.end()
            depth -= 1
    return text if depth else b"".join([*pieces, text[kept:]])


def _repaired(body: Body) -> bytes:
    return _TOKEN.sub(lambda found: _repaired_token(found[0]), body)


def _repaired_token(token: bytes) -> bytes:
    if not token.startswith(b'"'):
        return b"null"
    token = token.translate(_SPACED)
    if b"\\u" not in token:
        return token
    return _ESCAPE.sub(lambda e: b"\\ufffd" if len(e[0]) == _HALF and e[0][2:3] in b"dD" else e[0], token)


def _is_whole(body: Body) -> bool:
    try:
        msgspec.json.decode(_sound(body), type=msgspec.Raw)
    except _DAMAGE:
        return False
    return True


def _without_mark(body: Body) -> Body:
    return memoryview(body)[len(_BYTE_ORDER_MARK) :] if bytes(body[:3]) == _BYTE_ORDER_MARK else body
