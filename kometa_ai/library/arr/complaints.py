"""Say in one line and without secrets what the body of an error says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kometa_ai.core.text import beginning
from kometa_ai.library.arr.rows import Garbled, decode
from kometa_ai.library.arr.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 200
_LONGEST_BODY = 65536


def first_line(text: str, redact: Callable[[str], str] = str) -> str:
    """The first line that says something, cut to a readable length; stack traces begin after it.

    The redactor sees all of it before it is cut: a secret that was cut is not found any more.
    """
    return beginning(_first_line(redact(text)), _LONGEST)


def _first_line(text: str) -> str:
    return next((line for raw in text.splitlines() if (line := clean(raw))), "")


_HTML_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


def is_html(body: bytes | bytearray) -> bool:
    """Whether a body is a web page, whatever its content type says."""
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def complaint(body: bytes | bytearray, redact: Callable[[str], str] = str) -> str:
    """What an error's body says, in one line and without secrets; empty when it says nothing.

    The services have four forms: nothing, a list of validation failures, an object with a message (and a stack trace,
    which is left alone), and RFC 7807 problem details. A proxy adds HTML and plain text.
    """
    if is_html(body):
        # Before the title is looked for: a secret in it may hold what seems to end it.
        found = _HTML_TITLE.search(redact(_beginning_of(body)))
        title = first_line(found[1]) if found else ""
        return f"a web page titled {title!r}" if title else "a web page"
    try:
        said = decode(body, object)
    except Garbled:
        return first_line(_beginning_of(body), redact)
    return first_line(_said(said), redact)


def _beginning_of(body: bytes | bytearray) -> str:
    return bytes(body[:_LONGEST_BODY]).decode(errors="replace")


def _said(answer: object) -> str:
    if isinstance(answer, list):
        return "; ".join(filter(None, (_said(item) for item in answer[:3] if isinstance(item, dict))))
    if not isinstance(answer, dict):
        return ""
    for key in ("errorMessage", "message", "title"):
        if isinstance(said := answer.get(key), str) and said:
            return " ".join([_first_line(said), *_details(answer.get("errors"))])
    return ""


def _details(errors: object) -> list[str]:
    if not isinstance(errors, dict):
        return []
    return [f"{field}: {texts[0]}" for field, texts in errors.items() if isinstance(texts, list) and texts][:3]
