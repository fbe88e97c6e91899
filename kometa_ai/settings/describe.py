"""Describe the settings for people, as --dump-config shows them: secrets are masked."""

from __future__ import annotations

import re
import shlex
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from kometa_ai.observe.redact import MASK, Redactor
from kometa_ai.settings.schema import Settings
from kometa_ai.settings.variables import Variable, as_text, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.settings.environment import Loaded
    from kometa_ai.settings.libraries import LibrarySettings

_SHORTEST_TOKEN = 16
_SECRET_FLAG = re.compile(r"--?[\w-]{0,20}(?:pass|token|key|secret|auth)[\w-]{0,20}", re.IGNORECASE)
_USER_FLAG = re.compile(r"-u|--(?:proxy-)?user")
# `TOKEN=value`, `X-Api-Key: value`, `"password": "value"`, `?token=value`, `Authorization: Bearer value`.
_NAMED_SECRET = re.compile(
    r"(?:pass|passwd|password|token|key|secret|authorization)[\"']?(?:=|:)\s{0,9}[\"']?(?:(?:bearer|basic|token)\s{1,9})?"
    r"([^\s\"'&;,|)}]+)",
    re.IGNORECASE,
)
_GLUED = re.compile(r"\A-p(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])([^\s=/:,.-][^\s/:,]{3,63})\Z")
_INSIDE = re.compile(r"[\s\"';|&()`]+")
_IDS = re.compile(r"[0-9:]+")
_MIXED = re.compile(r"\A(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w+-]+", re.ASCII)


def as_dump(loaded: Loaded) -> dict[str, dict[str, object]]:
    """Each variable with its value and where the value came from, as data for JSON; what is not set is null.

    Secrets are masked, including those inside other values: the password in an address, a key in its query.
    """
    redactor = Redactor(secrets_of(loaded.settings))
    known = variables()
    further: dict[str, object] = {}
    for library in loaded.settings.libraries:
        further[library.url_setting], further[library.key_setting] = redactor.text(library.url), MASK
    return {
        name: {
            "value": _dumped(known[name], getattr(loaded.settings, known[name].field), redactor)
            if name in known
            # Half a pair names no library; it is set all the same, and may be a key.
            else further.get(name, None if source == "default" else MASK),
            "source": source,
        }
        for name, source in loaded.sources.items()
    }


def _dumped(variable: Variable, value: object, redactor: Redactor) -> object:
    """Numbers and booleans as they are, tuples as lists, everything else as it is written in the variable."""
    if variable.secret:
        return _masked(value)
    if variable.name in _HOOKS and isinstance(value, str) and value:
        return _HOOKS[variable.name](value)
    match value:
        case bool() | int():
            return value
        case Decimal():
            return float(value)
        case tuple():
            return [redactor.text(as_text(entry)) for entry in value]
    return redactor.text(as_text(value)) or None


def _masked(value: object) -> object:
    """Whether a secret is set, and the service of each Apprise address: the rest of the address may be a token."""
    if isinstance(value, tuple):
        return [f"{url.get_secret_value().partition('://')[0]}://{MASK}" for url in value]
    return MASK if value else None


def _masked_command(command: str) -> str:
    """The program of a hook's command: its arguments may contain a password in any form."""
    program, *arguments = shlex.split(command) or [""]
    return f"{program} {MASK}" if arguments else program


def _masked_url(url: str) -> str:
    """Scheme and host of a hook's address: the rest may be a token."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}/{MASK}"


_HOOKS = {"AFTER_CHANGES_COMMAND": _masked_command, "AFTER_CHANGES_URL": _masked_url}


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every value that must not be shown, for a Redactor: keys, passwords, parts of addresses that may be tokens."""
    found: set[str] = set()
    for variable in variables().values():
        match getattr(settings, variable.field):
            case SecretStr() as secret:
                found.add(secret.get_secret_value())
            case tuple() as urls if variable.secret:
                for url in urls:
                    found.update(_secrets_in_apprise(url.get_secret_value()))
            case str() as text if variable.name == "AFTER_CHANGES_COMMAND":
                found.update(_secrets_in_command(text))
            case str() as text if "://" in text:
                found.update(_password(text))
                if variable.name == "AFTER_CHANGES_URL":
                    found.update(_tokens(text.partition("://")[2]))
            case str() as text if variable.name == "SMTP_USERNAME" and "@" not in text:
                found.update(_tokens(text))
    if settings.smtp_username and (password := settings.smtp_password.get_secret_value()):
        found.add(f"{settings.smtp_username}:{password}")
        # The form in which SMTP's AUTH PLAIN sends them, in base64.
        found.add(f"\0{settings.smtp_username}\0{password}")
    found.update(*map(_secrets_in_library, settings.libraries))
    return frozenset(found - {""}) | settings.network.proxies.secrets


def _secrets_in_library(library: LibrarySettings) -> Iterator[str]:
    yield library.api_key.get_secret_value()
    yield from _password(library.url)


def _password(url: str) -> Iterator[str]:
    """The password in an address: as written, percent-decoded, and with its user as in `Basic` credentials."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    if password := parts.password:
        yield password
        yield unquote(password)
        yield f"{parts.username}:{password}"
        yield f"{unquote(parts.username or '')}:{unquote(password)}"


def _secrets_in_apprise(url: str) -> Iterator[str]:
    """The address, its password, and every part long enough for a token: services differ in where they put it."""
    yield url
    rest = url.partition("://")[2]
    yield rest
    yield from _password(url)
    yield from _tokens(rest)


def _tokens(text: str) -> Iterator[str]:
    """Every part of an address or of a user name that is long enough for a token."""
    parts = [*re.split(r"[/?#&=:@,]", text), *(value for _, value in parse_qsl(text.partition("?")[2]))]
    # A part with a dot is more likely a host or an address than a token, and would be hidden everywhere.
    yield from (part for part in parts if len(part) >= _SHORTEST_TOKEN and "." not in part)


def _secrets_in_command(command: str) -> Iterator[str]:
    """The values of arguments named like a secret, the password of `user:password`, and words that look like tokens."""
    words = [*_words(command)]
    pairs = [*pairwise(words), *((flag, value) for flag, _, value in (word.partition("=") for word in words))]
    for flag, value in pairs:
        if _SECRET_FLAG.fullmatch(flag):
            yield from (value, value.partition(":")[2])
        elif _USER_FLAG.fullmatch(flag) and not _IDS.fullmatch(value):
            yield value.partition(":")[2]
    for word in words:
        yield from _password(word)
        yield from (part for part in _tokens(word) if _MIXED.fullmatch(part))
        yield from (found[1] for found in _NAMED_SECRET.finditer(word))
        if found := _GLUED.match(word):
            yield found[1]


def _words(command: str) -> Iterator[str]:
    """The words of a command, and the words inside of them: a shell script, a header, JSON."""
    for word in shlex.split(command):
        yield word
        if len(inner := _INSIDE.split(word)) > 1:
            yield from filter(None, inner)
