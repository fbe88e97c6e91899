"""Read the sentence, the type and the status from an error's body, whichever service wrote it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kometa_ai.core.text import beginning, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_HEADING = re.compile(r"<h1[^<>]{0,200}>([^<]{1,500})", re.IGNORECASE)
_PAGE = re.compile(r"<(?:!doctype|html|head|body|\?xml|title|h1|center)\b", re.IGNORECASE)
_LOOKED_AT = 20_000
"""Characters of a page in which its title is looked for."""
_SENTENCES = ("message", "detail", "error_description", "msg", "error", "reason", "title", "errors", "description")
"""Names under which services put their sentence, the most telling first."""
_NAMES = ("type", "code", "status", "error_code", "param")
_LONGEST = 300
_HIDDEN_IN = 100_000
"""Characters of a sentence in which secrets are looked for."""
_DEPTH = 5
_ENTRIES = 3


class ErrorText(NamedTuple):
    """What an error says: its sentence, every name and number that it gives itself, and whether it is a web page."""

    sentence: str
    names: tuple[str, ...] = ()
    is_page: bool = False
    is_anthropic: bool = False


def read_error(body: object) -> ErrorText:
    """Find what an error says: `body` is the JSON of an answer, or its text where that is none."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        if _PAGE.match(body[:_LOOKED_AT].lstrip("\ufeff \t\r\n")):
            return ErrorText(_title(body[:_LOOKED_AT]), is_page=True)
        return ErrorText(" ".join(body.split()))
    sentence = " ".join(_sentence(body, _DEPTH).split())
    return ErrorText(sentence, tuple(_names(body, _DEPTH)), is_anthropic=_is_anthropic(body))


def shown(sentence: str, hide: Callable[[str], str]) -> str:
    """A service's own words for people: without secrets and only then cut, as what is cut is no longer recognised."""
    return one_line(hide(beginning(sentence, _HIDDEN_IN)), _LONGEST)


def _title(page: str) -> str:
    found = _TITLE.search(page) or _HEADING.search(page)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def _sentence(found: Any, depth: int) -> str:  # noqa: ANN401 - any JSON
    if isinstance(found, str):
        return found
    if not depth:
        return ""
    if isinstance(found, list):
        entries = [text for entry in found[:_ENTRIES] if (text := _sentence(entry, depth - 1))]
        return "; ".join(entries)
    if isinstance(found, dict):
        # An `error` that is an object knows more than what stands beside it.
        inner = found.get("error")
        if isinstance(inner, dict | list) and (text := _sentence(inner, depth - 1)):
            return text
        return next((text for name in _SENTENCES if (text := _sentence(found.get(name), depth - 1))), "")
    return ""


def _names(found: Any, depth: int) -> list[str]:  # noqa: ANN401 - any JSON
    if not depth or not isinstance(found, dict):
        return []
    names = [str(value) for name in _NAMES if isinstance(value := found.get(name), str | int) and value is not True]
    for name in ("error", "details", "detail"):
        names += _names(found.get(name), depth - 1)
    return names


def _is_anthropic(body: object) -> bool:
    """Whether that is the form of Anthropic's own errors."""
    inner = body.get("error") if isinstance(body, dict) and body.get("type") == "error" else None
    return isinstance(inner, dict) and isinstance(inner.get("type"), str) and isinstance(inner.get("message"), str)
