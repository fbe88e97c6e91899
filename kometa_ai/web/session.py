"""Sign cookies and the tokens that belong to them, with a key in the state folder. Nothing is kept per visitor.

A cookie says when it was issued, how its visitor came in, who that was, and a random id. Its signature also covers the
password, so that another one ends every sign-in.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

from kometa_ai.web.keys import kept_session_key, new_session_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.datastructures import Headers

DAY = 86_400
LIFETIME = 90 * DAY
"""Seconds that a cookie is good for; one that is used is renewed each day."""
_SECURE = "__Secure-"
"""Before the name of a cookie for HTTPS alone. Under one name browsers would keep that one and silently drop that for
HTTP: who has signed in by HTTPS through a proxy could not sign in directly."""
_MOST_COOKIES = 4
"""A browser sends several cookies of one name if they have different paths, as after a change of the URL base."""

How = Literal["password", "proxy", "local", "guest"]
"""How the visitor with the cookie came in. Only `password` gives a right by itself; `guest` is for the sign-in form."""


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a cookie says. `issued` is in seconds since 1970."""

    issued: int
    how: How
    name: str
    id: str

    @property
    def text(self) -> str:
        """As it is signed."""
        return f"{self.issued}.{self.how}.{urlsafe_b64encode(self.name.encode()).decode().rstrip('=')}.{self.id}"


class Sessions:
    """Issues and reads cookies, and knows the token of each."""

    def __init__(self, folder: Path, password: str, clock: Callable[[], float] = time.time) -> None:
        """Take the key from the state folder. Raises RepairState if it can neither be read nor made."""
        self._folder = folder
        self._password = password
        self._clock = clock
        self._use(kept_session_key(folder))

    def _use(self, key: bytes) -> None:
        self._key = key
        self._password_mark = _signature(key, b"password", self._password.encode())
        # Cookies know no ports: two of us on one host must not share a name.
        self.cookie_name = f"kometa_ai_{hashlib.sha256(key).hexdigest()[:6]}"

    async def end_all(self) -> None:
        """End every sign-in. Raises RepairState if the new key cannot be kept; then all goes on as before."""
        self._use(await asyncio.to_thread(new_session_key, self._folder))

    def issued(self, how: How, name: str = "") -> Cookie:
        """A new cookie."""
        return Cookie(int(self._clock()), how, name, secrets.token_hex(16))

    def renewed(self, cookie: Cookie, name: str) -> Cookie:
        """The same cookie with its whole life before it: its token stays, so open pages stay usable."""
        return replace(cookie, issued=int(self._clock()), name=name)

    def is_due(self, cookie: Cookie) -> bool:
        """Whether a cookie should be renewed."""
        return self._clock() - cookie.issued >= DAY

    def value(self, cookie: Cookie) -> str:
        """The cookie with its signature, as browsers keep it."""
        return f"{cookie.text}.{self._signature(cookie.text)}"

    def token(self, cookie: Cookie) -> str:
        """What forms and scripts of pages for this cookie send, and pages of others cannot know."""
        return _signature(self._key, b"token", self._password_mark + cookie.id.encode()).hex()

    def read(self, headers: Headers) -> Cookie | None:
        """The first cookie of ours in a request that is good; the one for HTTPS alone before others."""
        pairs = [pair.partition("=") for line in headers.getlist("cookie") for pair in line.split(";")]
        for wanted in (f"{_SECURE}{self.cookie_name}", self.cookie_name):
            values = [value.strip() for name, _, value in pairs if name.strip() == wanted]
            if found := next(filter(None, map(self._good, values[:_MOST_COOKIES])), None):
                return found
        return None

    def _good(self, value: str) -> Cookie | None:
        """The cookie of a value; None if we did not sign it so, with another password, or too long ago."""
        text, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        issued, how, name, own_id = text.split(".")
        if how not in get_args(How):
            return None
        cookie = Cookie(
            int(issued), cast("How", how), urlsafe_b64decode(f"{name}{'=' * (-len(name) % 4)}").decode(), own_id
        )
        # One from the future would outlive the others; a clock may be a day off.
        return cookie if -DAY <= self._clock() - cookie.issued < LIFETIME else None

    def _signature(self, text: str) -> str:
        return _signature(self._key, b"cookie", self._password_mark + text.encode()).hex()


def set_cookie(name: str, value: str, *, path: str, is_https: bool, lifetime: int = LIFETIME) -> str:
    """The header that makes a browser keep a cookie, out of reach of scripts and of forms on other sites."""
    before, after = (_SECURE, "; Secure") if is_https else ("", "")
    return f"{before}{name}={value}; Max-Age={lifetime}; Path={path or '/'}; HttpOnly; SameSite=Lax{after}"


def removals(name: str, *, path: str, is_https: bool) -> Iterator[str]:
    """The headers that make a browser forget our cookies, also one from the time of another URL base.

    By HTTPS it also forgets the one for HTTP, which it sends there, too.
    """
    for each in dict.fromkeys((path or "/", "/")):
        for secure in {is_https, False}:
            yield set_cookie(name, "", path=each, is_https=secure, lifetime=0)


def _signature(key: bytes, purpose: bytes, message: bytes) -> bytes:
    return hmac.digest(key, purpose + b"\0" + message, "sha256")
