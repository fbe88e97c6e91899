"""Redact secrets in all output: known values in any encoding, and text that looks like a key."""

from __future__ import annotations

import html
import json
import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "********"
_SHORTEST_SECRET = 4
_SHORTEST_PART = 6
"""Characters. A secret's beginning or end of this length is recognised beside a cut, and its base64 form anywhere."""
_SHORTEST_BY_ITSELF = 8
"""Characters. A part of a secret this long is hidden everywhere if it mixes letters and digits."""
_SHORTEST_WITH_CASE = 8
"""Characters. A shorter secret may be a word: its upper-case and lower-case forms are left alone."""
_DEEPEST = 20
_TOO_DEEP = "(nested too deeply)"

_NAME = r"(?:api[_-]?key|token|secret|passwo?r?d|signature)"
_SECRET_KEY = re.compile(rf"{_NAME}$|^(?:proxy[_-])?authorization$|^(?:set[_-])?cookie$", re.IGNORECASE)
# What separates a name from its value: `name=`, `name: `, `"name": "`, `('name', b'`, and the same escaped once more.
_ASSIGNED = r"(?:\\*[\"']?\s*[:=]\s*|\\*[\"'],\s*)(?:b?\\*[\"'])?"
_VALUE = r"[^\s\"'\\&,;<>()\[\]{}]+"
_BASIC = re.compile(r"\b((?i:Basic)\s+)([A-Za-z0-9_+/-]{6,}={0,2})")
_PATTERNS = (
    # Up to the last @, as a password may contain one. The user is hidden, too: some services put a token there.
    (re.compile(r"(://)[^\s/?#\"'<>]*@"), rf"\1{MASK}@"),
    (re.compile(rf"(authorization{_ASSIGNED})(?:(?:bearer|basic|token)\s+)?{_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\b(Bearer\s+)[\w.~+/=-]{8,}"), rf"\1{MASK}"),
    (re.compile(rf"({_NAME}{_ASSIGNED}){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(rf"([?&](?:key|pass|auth|sig|pwd)=){_VALUE}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"\bsk-ant-[\w-]+"), MASK),
)

# What marks a cut, made by us or by a service: the end of the text or of a line, an ellipsis, or stars, possibly after
# quotes and brackets. The second pattern is for text read backwards.
_MARKS = ("…", "...", "***")
_CUT_AFTER = re.compile(r"[^\w\n]{0,8}(?:…|\.\.\.|\*\*\*|\n|\Z)")
_CUT_BEFORE = re.compile(r"[^\w\n]{0,8}(?:…|\.\.\.|\*\*\*)")
_SLASH = re.compile(r"/|%2f|%252f", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+")
_COLON, _DASH = r"(?::|%3a|%253a)", r"(?:/|%2f|%252f)"
_ADDRESS = re.compile(
    rf"\A(?:[\w.+-]{{1,30}}{_COLON}{_DASH}{{2}})?[\w.-]{{1,255}}(?:{_COLON}[0-9]{{1,5}})?{_DASH}", re.IGNORECASE
)
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_BASE64_REST = re.compile(r"[\w+/-]*=*", re.ASCII)
_LONGEST_BASE64 = 1024


class Redactor:
    """Hides the given secrets, and everything that looks like a password or a key, in text and in nested data.

    A secret is hidden as it is, escaped (URL, JSON, HTML, repr, hex), and inside base64, as in `Authorization: Basic`,
    which is then hidden as a whole. Where a text was cut, the beginning of a secret is hidden before the cut, and its
    end after it. Longer beginnings and ends that are not words are hidden everywhere: some services cut what they
    repeat without a mark. Secrets of fewer than four characters are ignored: hiding them would hide everything.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
        self._encoded = {form for secret in known for form in _base64_forms(secret.encode(errors="backslashreplace"))}
        self._forms = {form for secret in known for form in _forms(secret)} | self._encoded
        parted = sorted(form for form in self._forms if len(form) > _SHORTEST_PART)
        self._beginnings = _by_beginning(parted)
        self._ends = _by_beginning(form[::-1] for form in parted)

    def text(self, text: str) -> str:
        """The text without secrets."""
        # Known values first: a pattern could hide half of a value and leave the rest.
        text = self._without_known(text)
        text = _BASIC.sub(_without_credentials, text)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def _without_known(self, text: str) -> str:
        """The text without the known secrets. Overlapping finds are hidden together, so that no rest is left."""
        found = [*self._whole(text), *self._cut(text)]
        pieces: list[str] = []
        end = 0
        for first, last in sorted(found):
            if first > end or not pieces:
                pieces += [text[end:first], MASK]
            end = max(end, last)
        return "".join([*pieces, text[end:]]) if pieces else text

    def _whole(self, text: str) -> Iterator[tuple[int, int]]:
        """The places of whole secrets. Of base64 the whole run, since a user or another secret surrounds the secret."""
        for form in self._forms:
            for first in _places(text, form):
                last = first + len(form)
                yield _all_of_base64(text, first, last) if form in self._encoded else (first, last)

    def _cut(self, text: str) -> Iterator[tuple[int, int]]:
        """The places of beginnings and ends of secrets beside a cut."""
        for first, last, form in _beginnings(text, self._beginnings, _CUT_AFTER):
            yield _all_of_base64(text, first, last) if form in self._encoded else (first, last)
        size = len(text)
        for first, last, _ in _beginnings(text[::-1], self._ends, _CUT_BEFORE):
            yield size - last, size - first

    def data(self, value: object, depth: int = 0) -> object:
        """The data without secrets, in JSON's types; other values, and what is nested too deeply, become text."""
        match value:
            case None | bool():
                clean: object = value
            case int() | float() if math.isfinite(value) and self.text(str(value)) == str(value):
                clean = value
            case Mapping() | list() | tuple() | set() | frozenset() if depth >= _DEEPEST:
                clean = _TOO_DEEP
            case Mapping():
                clean = {self.text(str(name)): self.field(str(name), entry, depth + 1) for name, entry in value.items()}
            case list() | tuple() | set() | frozenset():
                clean = self._entries(list(value), depth + 1)
            case _:
                clean = self.text(described(value))
        return clean

    def _entries(self, entries: list[object], depth: int) -> list[object]:
        # Most lists are hundreds of titles without a secret. What would be hidden in one of them is hidden in the text
        # of all, too, as the end of a line is a cut like the end of a text.
        if all(type(entry) is str for entry in entries):
            together = "\n".join(map(str, entries))
            if self.text(together) == together:
                return entries
        return [self.data(entry, depth) for entry in entries]

    def field(self, name: str, value: object, depth: int = 0) -> object:
        """The value of a field without secrets; masked if the field's name says that it is a secret."""
        if value and isinstance(value, str | bytes) and _SECRET_KEY.search(name):
            return MASK
        return self.data(value, depth)


def described(value: object) -> str:
    """`str()` of anything, with bytes decoded; never raises."""
    try:
        return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
    except Exception as error:  # noqa: BLE001 - whatever a foreign object raises
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


# Where secrets stand


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _by_beginning(forms: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for form in forms:
        found.setdefault(form[:_SHORTEST_PART], []).append(form)
    return {head: tuple(same) for head, same in found.items()}


def _beginnings(
    text: str, forms: Mapping[str, tuple[str, ...]], cut: re.Pattern[str]
) -> Iterator[tuple[int, int, str]]:
    """Where one of these forms begins and is cut, or is long enough to be recognised: start, end and form."""
    for head, same in forms.items():
        for first in _places(text, head):
            for form in same:
                last = first + _shared(text, first, form)
                found = cut.match(text, last)
                is_cut = found and (found[0].endswith(_MARKS) or not _is_word(text, first, last, form))
                if is_cut or _tells(text[first:last], form):
                    yield first, last, form


def _shared(text: str, first: int, form: str) -> int:
    """The number of characters of the form that the text has from `first` on; its head is known to match."""
    if text.startswith(form, first):
        return len(form)
    size = _SHORTEST_PART
    while size < len(form) and text.startswith(form[size], first + size):
        size += 1
    return size


def _tells(part: str, form: str) -> bool:
    """Whether a part is long and mixed enough to be no coincidence, no word and no host of an address."""
    if len(part) < _SHORTEST_BY_ITSELF:
        return False
    if _ADDRESS.match(form) and _is_host(part.rstrip("/:"), form):
        return False
    return any(map(str.isdigit, part)) and any(map(str.isalpha, part))


def _is_host(part: str, form: str) -> bool:
    return _SLASH.search(form) is not None and _HOST.fullmatch(part) is not None


def _is_word(text: str, first: int, last: int, form: str) -> bool:
    """Whether the part is a word of its own in the text and in the secret: `radarr` reveals nothing of `radarr-key`.

    Neither does the host of an address that is secret as a whole.
    """
    size = last - first
    part = text[first:last]
    is_apart = not text[max(first - 1, 0) : first].isalnum() and not form[size : size + 1].isalnum()
    return is_apart and size < len(form) and (part.isalpha() or _is_host(part, form))


def _all_of_base64(text: str, first: int, last: int) -> tuple[int, int]:
    """The whole run of base64 around a part of it."""
    before = text[max(first - _LONGEST_BASE64, 0) : first]
    rest = _BASE64_REST.match(text, last, last + _LONGEST_BASE64)
    return first - len(before) + len(before.rstrip(_BASE64)), rest.end() if rest else last


def _without_credentials(found: re.Match[str]) -> str:
    """Hide what follows `Basic` if it decodes to `user:password`; it may be a word ("Basic authentication")."""
    encoded = found[2].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        pair = b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:  # binascii's own error and that of UTF-8 are such, too
        return found[0]
    return f"{found[1]}{MASK}" if ":" in pair else found[0]


# How secrets are written


def _forms(secret: str) -> Iterator[str]:
    """Every way to write the secret in a text, except base64."""
    raw = secret.encode(errors="backslashreplace")
    spelled = [secret, secret.upper(), secret.lower()] if len(secret) >= _SHORTEST_WITH_CASE else [secret]
    for one in spelled:
        yield one
        yield from _quoted(one)
    yield raw.hex()
    yield raw.hex().upper()
    for ensure_ascii in (True, False):
        within = json.dumps(secret, ensure_ascii=ensure_ascii)[1:-1]
        yield within
        yield json.dumps(within, ensure_ascii=ensure_ascii)[1:-1]
    # .NET and Go escape more characters than JSON requires; .NET with capital hex digits.
    yield _escaped(secret, "<>&'\"+`", str.upper)
    yield _escaped(secret, "<>&", str)
    yield repr(secret)[1:-1]
    yield repr(raw)[2:-1]
    yield html.escape(secret)
    yield html.escape(secret).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")


def _quoted(secret: str) -> Iterator[str]:
    """Percent-encoded once and twice, as in an address."""
    raw = secret.encode(errors="backslashreplace")
    for quoting in (quote, lambda text: quote(text, safe=""), quote_plus):
        once = quoting(raw)
        for form in (once, quoting(once)):
            yield form
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form)


def _escaped(secret: str, special: str, case: Callable[[str], str]) -> str:
    """As JSON that also escapes these characters."""
    written = "".join(f"\\u{ord(one):04x}" if one in special else json.dumps(one)[1:-1] for one in secret)
    return re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: case(found[0]), written)


def _base64_forms(raw: bytes) -> Iterator[str]:
    for core in _base64_cores(raw):
        if len(core) >= _SHORTEST_PART:
            yield core
            yield core.replace("+", "-").replace("/", "_")


def _base64_cores(raw: bytes) -> Iterator[str]:
    """The part of its base64 form that does not depend on its neighbours, for each of three alignments."""
    for lead, first in enumerate((0, 2, 3)):
        encoded = b64encode(bytes(lead) + raw).decode()
        yield encoded[first : (lead + len(raw)) * 8 // 6]
