"""Rewrite the Claude stand-in's answers as gateways in front of Claude do; each form is in use or allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec
from starlette.responses import Response

Dialect = Literal[
    "as Claude",
    "no names",
    "no blanks",
    "no names, no blank lines",
    "names, no blank lines",
    "crlf",
    "cr",
    "comments",
    "many lines",
    "empty data",
    "chat chunks",
    "nothing",
    "json lines",
    "one name for all",
]


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """How a gateway rewrites answers.

    - `dialect`: how events of a stream are written; `empty data`, `chat chunks` and `nothing` lose their content.
    - `streams`: obeys `stream`, or streams always, or never, or waits for the whole stream (`buffers`) and sends a
      message under the content type of a stream, or as the data of `one event`.
    - `content_type`: replaces that of every answer.
    - `content`: of a message: a list of blocks, a text, one block, or a list of texts.
    - `usage`: whether messages report their usage.
    """

    dialect: Dialect = "as Claude"
    streams: Literal["as asked", "always", "never", "buffers", "one event"] = "as asked"
    content_type: str = ""
    content: Literal["blocks", "text", "block", "texts"] = "blocks"
    usage: bool = True

    def wants_stream(self, body: Mapping[str, Any]) -> bool:
        """Whether the answer to this request is streamed."""
        return self.streams == "always" or (self.streams == "as asked" and bool(body.get("stream")))

    def message(self, whole: dict[str, Any], body: Mapping[str, Any]) -> Response:
        """A message that is sent as a whole."""
        text = "".join(block.get("text", "") for block in whole["content"])
        contents = {"text": text, "block": {"type": "text", "text": text}, "texts": [text]}
        whole = {**whole, "content": contents.get(self.content, whole["content"])}
        if not self.usage:
            whole = {name: value for name, value in whole.items() if name != "usage"}
        is_stream = self.streams in ("buffers", "one event") and bool(body.get("stream"))
        kind = "text/event-stream" if is_stream else "application/json"
        sent = f"data: {json.dumps(whole)}\n\n" if is_stream and self.streams == "one event" else json.dumps(whole)
        return Response(sent, headers={"content-type": self.content_type or kind})

    def event(self, event: bytes) -> bytes:
        """An event of the stand-in in this gateway's dialect."""
        return _DIALECTS[self.dialect](event)


def _data(event: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.partition(b"data: ")[2])
    return found


def _no_names(event: bytes) -> bytes:
    return event[event.index(b"data: ") :]


def _one_name(event: bytes) -> bytes:
    return b"event: message\n" + _no_names(event)


def _many_lines(event: bytes) -> bytes:
    lines = json.dumps(_data(event), indent=1).splitlines()
    return "".join(f"data: {line}\n" for line in lines).encode() + b"\n"


def _comments(event: bytes) -> bytes:
    return b": keep-alive\n\nretry: 100\nid: 7\n" + _no_names(event) + b":\n\n"


def _chat_chunk(event: bytes) -> bytes:
    text = _data(event).get("delta", {}).get("text", "")
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


_DIALECTS: Mapping[Dialect, Callable[[bytes], bytes]] = {
    "as Claude": bytes,
    "no names": _no_names,
    "no blanks": lambda event: event.replace(b"event: ", b"event:").replace(b"data: ", b"data:", 1),
    "no names, no blank lines": lambda event: _no_names(event).rstrip() + b"\n",
    "names, no blank lines": lambda event: event.rstrip() + b"\n",
    "crlf": lambda event: event.replace(b"\n", b"\r\n"),
    "cr": lambda event: event.replace(b"\n", b"\r"),
    "comments": _comments,
    "many lines": _many_lines,
    "empty data": lambda event: event[: event.index(b"data: ")] + b"data:\n\n",
    "chat chunks": _chat_chunk,
    "nothing": lambda _: b"",
    "one name for all": _one_name,
    "json lines": lambda event: json.dumps(_data(event)).encode() + b"\n",
}
