"""The settings as people see them: for --dump-config, secrets never in clear."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretStr

from kometa_ai.observe.redact import MASK, Redactor
from kometa_ai.settings.schema import Settings, Variable, as_text, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kometa_ai.settings.environment import Loaded

_SHORTEST_TOKEN = 16


def as_dump(loaded: Loaded) -> dict[str, dict[str, object]]:
    """Each variable with its value and where that came from, as JSON; what is not set is null.

    Secrets are masked, also where they are a part of another value: the password in an address, a key in its query.
    """
    redactor = Redactor(secrets_of(loaded.settings))
    return {
        variable.name: {
            "value": _dumped(variable, getattr(loaded.settings, variable.field), redactor),
            "source": loaded.sources[variable.name],
        }
        for variable in variables().values()
    }


def _dumped(variable: Variable, value: object, redactor: Redactor) -> object:
    """Numbers and booleans as they are, lists as lists, everything else as it is written into the variable."""
    if variable.secret:
        return _masked(value)
    match value:
        case bool() | int():
            return value
        case Decimal():
            return float(value)
        case tuple():
            return [redactor.text(as_text(entry)) for entry in value]
    return redactor.text(as_text(value)) or None


def _masked(value: object) -> object:
    """Whether a secret is set, and which service an Apprise address belongs to: all the rest of it may be a token."""
    if isinstance(value, tuple):
        return [f"{url.get_secret_value().partition('://')[0]}://{MASK}" for url in value]
    return MASK if value else None


def secrets_of(settings: Settings) -> frozenset[str]:
    """Every value that must not be shown, for a Redactor: keys, passwords, and what stands for one in an address."""
    found: set[str] = set()
    for variable in variables().values():
        match getattr(settings, variable.field):
            case SecretStr() as secret:
                found.add(secret.get_secret_value())
            case tuple() as urls if variable.secret:
                for url in urls:
                    found.update(_secrets_in_apprise(url.get_secret_value()))
            case str() as text if "://" in text:
                found.update(_password(text))
    if settings.smtp_username and (password := settings.smtp_password.get_secret_value()):
        found.add(f"{settings.smtp_username}:{password}")
        # As the log-in of a mail server sends it, in base64.
        found.add(f"\0{settings.smtp_username}\0{password}")
    return frozenset(found - {""})


def _password(url: str) -> Iterator[str]:
    """The password in an address: as it is written, and as it is sent, alone and behind the user."""
    try:
        user, password = urlsplit(url).username, urlsplit(url).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)
        yield f"{user}:{password}"
        yield f"{unquote(user or '')}:{unquote(password)}"


def _secrets_in_apprise(url: str) -> Iterator[str]:
    """The address, its password, and every part long enough for a token: each service puts its own elsewhere."""
    yield url
    rest = url.partition("://")[2]
    yield rest
    yield from _password(url)
    parts = [*re.split(r"[/?#&=:@,]", rest), *(value for _, value in parse_qsl(rest.partition("?")[2]))]
    # A part with a dot is a host or an address far more often than a token; those would be hidden everywhere.
    yield from (part for part in parts if len(part) >= _SHORTEST_TOKEN and "." not in part)
