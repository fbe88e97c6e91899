"""Parse server-sent events from the bytes of an answer, as the standard says and as gateways write them. Pure.

The SDK hands on only events that have an `event:` line. The standard does not ask for one, and some gateways leave it
out: the type is in the data as well.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS = (b"event:", b"data:", b"id:", b"retry:", b":")
_DONE = "[DONE]"
"""What gateways to OpenAI's API end a stream with."""


class Event(NamedTuple):
    """An event: its name, or else the type that its data states, and its data; None where these are no object."""

    name: str
    data: dict[str, Any] | None
    text: str


class Decoder:
    """Decodes the bytes of a stream piece by piece, in time that grows with their number alone."""

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._name = ""
        self._data: list[str] = []
        self._after_cr = False

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that the next piece completes."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        *whole, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            self._line.append(line)
            yield from self._take(b"".join(self._line).decode("utf-8", "replace"))
            self._line.clear()
        if rest:
            self._line.append(rest)

    def end(self) -> Iterator[Event]:
        """What is left where a stream ends without the blank line behind its last event."""
        yield from self.feed(b"\n\n")

    def _take(self, line: str) -> Iterator[Event]:
        name, _, value = line.removeprefix("\ufeff").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "" if not line:
                yield from self._event()
            case "event":
                # Where no blank line parts them, the name of the next event ends this one.
                if self._data:
                    yield from self._event()
                self._name = value
            case "data":
                if len(self._data) == 1 and _object(self._data[0]) is not None:
                    yield from self._event()
                self._data.append(value)
            case _:
                pass  # a comment, or a field of no interest

    def _event(self) -> Iterator[Event]:
        text, name = "\n".join(self._data).strip(), self._name
        self._name = ""
        self._data.clear()
        if text and text != _DONE:
            data = _object(text)
            yield Event(name if name == "error" else str((data or {}).get("type") or name), data, text)


def is_stream(beginning: bytes) -> bool:
    """Whether an answer that begins like this is a stream, whatever its content type says."""
    return beginning.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_FIELDS)


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
