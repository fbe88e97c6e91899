"""Read one answer of Claude's as it arrives, whole or in events, and make a Reply of it. No I/O.

What decides is what the bytes are: some gateways stream whatever is asked for, some never do, and their content types
say the one or the other.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kometa_ai.providers.claude.events import Decoder, Event, is_stream
from kometa_ai.providers.claude.failures import error_in_answer, failure_of, not_claude
from kometa_ai.providers.claude.messages import OWN_EVENTS, Streamed, reply_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kometa_ai.providers.port import Reply

_MOST_EVENTS = 200_000
"""Several times as many as the longest answer has."""
_ENOUGH = 8
"""Bytes that tell a stream from anything else."""


class Incoming:
    """An answer as it comes. `on_first_token` is called when there is something of its text."""

    def __init__(self, model: str, on_first_token: Callable[[], None] | None, hide: Callable[[str], str]) -> None:
        self.headers: Mapping[str, str] = {}
        self._model = model
        self._on_first_token = on_first_token
        self._hide = hide
        self._streamed = Streamed()
        self._decoder = Decoder()
        self._pieces: list[bytes] = []
        self._size = 0
        self._heard = 0
        self.is_stream = False

    @property
    def is_complete(self) -> bool:
        """Whether the answer is there, though its stream has not ended."""
        return self._streamed.is_complete

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all has come."""
        return not self.is_stream and not self._size

    @property
    def so_far(self) -> Reply | None:
        """What there is of an answer that breaks off, if there is anything."""
        return self._streamed.so_far

    def take(self, piece: bytes) -> None:
        """The next piece. Raise RequestFailed or CheckModel for an error within a stream."""
        if self.is_stream:
            self._hear(self._decoder.feed(piece))
            return
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size - len(piece) < _ENOUGH and is_stream(b"".join(self._pieces)):
            self.is_stream = True
            self._hear(self._decoder.feed(b"".join(self._pieces)))
            self._pieces.clear()

    def reply(self) -> Reply:
        """What the answer says, now that it has ended. Raise RequestFailed or CheckModel where it says nothing."""
        if not self.is_stream:
            return self._whole(b"".join(self._pieces).decode("utf-8", "replace").strip("\ufeff \t\r\n"))
        self._hear(self._decoder.end())
        try:
            return self._streamed.reply()
        except TypeError:
            raise not_claude() from None

    def _lines(self, text: str) -> Reply:
        """Events without the form of a stream, an object a line."""
        self._hear(event for line in text.splitlines() for event in self._decoder.feed(f"data: {line}\n\n".encode()))
        try:
            return self._streamed.reply()
        except TypeError:
            raise not_claude(text, self._hide) from None

    def _hear(self, events: Iterable[Event]) -> None:
        for event in events:
            self._heard += 1
            if self._heard > _MOST_EVENTS:
                raise not_claude()
            if _is_error(event):
                raise failure_of(200, event.data or event.text, self.headers, self._model, self._hide)
            if self._streamed.add(event) and self._on_first_token is not None:
                self._on_first_token()

    def _whole(self, text: str) -> Reply:
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            if text.startswith("{") and "\n" in text:
                return self._lines(text)
            raise not_claude(text, self._hide) from None
        failure = error_in_answer(body, self.headers, self._model, self._hide)
        if failure is not None:
            raise failure
        try:
            reply = reply_of(body)
        except TypeError:
            raise not_claude(body, self._hide) from None
        if reply.text and self._on_first_token is not None:
            self._on_first_token()
        return reply


def _is_error(event: Event) -> bool:
    """Whether an event tells an error, by its name or, under any name but those of Claude's own, by what it holds."""
    return event.name == "error" or (event.name not in OWN_EVENTS and bool(event.data and event.data.get("error")))
