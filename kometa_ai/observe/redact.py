"""Keep secrets out of everything that is written: known values in any form, and what looks like a key."""

from __future__ import annotations

import html
import json
import math
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "********"
_SHORTEST_SECRET = 4
_SHORTEST_BASE64 = 6

_NAME = r"(?:api[_-]?key|token|secret|passwo?r?d|signature)"
_SECRET_KEY = re.compile(rf"{_NAME}$|^(?:proxy[_-])?authorization$|^(?:set[_-])?cookie$", re.IGNORECASE)
# How a value follows its name: `name=`, `name: `, `"name": "`, `('name', b'`, and the same escaped once more.
_ASSIGNED = r"(?:\\*[\"']?\s*[:=]\s*|\\*[\"'],\s*)(?:b?\\*[\"'])?"
_VALUE = r"[^\s\"'\\&,;<>()\[\]{}]+"
_PATTERNS = (
    # Everything up to the last @: a password may hold one. The user goes too, since some services put a token there.
    (re.compile(r"(://)[^\s/?#\"'<>]*@"), rf"\1{MASK}@"),
    (re.compile(rf"(authorization{_ASSIGNED})(?:(?:bearer|basic|token)\s+)?{_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer\s+)[\w.~+/=-]{8,}"), rf"\1{MASK}"),
    (re.compile(rf"({_NAME}{_ASSIGNED}){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"([?&](?:key|pass|auth|sig|pwd)=){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\bsk-ant-[\w-]+"), MASK),
)


class Redactor:
    """Hides the given secrets, and whatever looks like a password or a key, in text and in nested data.

    A secret is hidden as it is, escaped (URL, JSON, HTML, repr), and inside base64, as in `Authorization: Basic`.
    Secrets of fewer than four characters are ignored: hiding them would hide everything.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
        # The longest first: a secret that holds another one must go as a whole.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def text(self, text: str) -> str:
        """The text without secrets."""
        # Known values before patterns: a pattern could hide one half of a value and leave the other.
        for form in self._forms:
            text = text.replace(form, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def data(self, value: object) -> object:
        """The same data without secrets, as what JSON knows; anything else becomes text."""
        match value:
            case None | bool():
                clean: object = value
            case int() | float() if math.isfinite(value) and self.text(str(value)) == str(value):
                clean = value
            case Mapping():
                clean = {self.text(str(name)): self.field(str(name), entry) for name, entry in value.items()}
            case list() | tuple() | set() | frozenset():
                clean = [self.data(entry) for entry in value]
            case _:
                clean = self.text(described(value))
        return clean

    def field(self, name: str, value: object) -> object:
        """The value of a field without secrets: nothing of it when the field is named like one."""
        if value and isinstance(value, str | bytes) and _SECRET_KEY.search(name):
            return MASK
        return self.data(value)


def described(value: object) -> str:
    """`str()` of anything, bytes as the text they hold; never an error."""
    try:
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    except Exception as error:  # noqa: BLE001 - whatever a foreign object raises
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


def _forms(secret: str) -> Iterator[str]:
    """Every way the secret may stand in a text."""
    raw = secret.encode(errors="backslashreplace")
    yield secret
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(secret)
    for core in _base64_cores(raw):
        if len(core) >= _SHORTEST_BASE64:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _base64_cores(raw: bytes) -> Iterator[str]:
    """The part of its base64 form that does not depend on what stands around it, for each of three alignments."""
    for lead, first in enumerate((0, 2, 3)):
        encoded = b64encode(bytes(lead) + raw).decode()
        yield encoded[first : (lead + len(raw)) * 8 // 6]
