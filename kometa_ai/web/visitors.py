"""Decide who may pass without the API's key: who has signed in, whom a trusted proxy sends, or who is at home."""

from __future__ import annotations

import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

import structlog
from starlette.datastructures import Headers

from kometa_ai.core.text import one_line
from kometa_ai.settings.lookup import STATE_DIR
from kometa_ai.web.senders import host_in, is_local_name, sender_of
from kometa_ai.web.session import Sessions, set_cookie
from kometa_ai.web.waits import Waits

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path
    from typing import Any

    from kometa_ai.settings.schema import Settings
    from kometa_ai.web.senders import Sender
    from kometa_ai.web.session import Cookie

_LONGEST_NAME = 100
_LONGEST_NEXT = 2000
_NO_LOCAL_PATH = re.compile(r"[\x00-\x20\x7f\\]|^[^?#]*(//|/(?:\.|%2e){1,2}(?:[/?#]|$))", re.IGNORECASE)
_OWN_SITE = {"same-origin", "none"}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request, as far as it is known: a name that gives no right, and the token that their forms bring."""

    name: str
    token: str
    how: Literal["key", "password", "proxy", "local"]


class Found(NamedTuple):
    """Who sends a request, with their cookie. `is_new` is one that their browser does not have yet."""

    visitor: Visitor
    cookie: Cookie
    is_new: bool


class Tried(NamedTuple):
    """What became of a password: right, wrong, or not looked at before so many seconds have passed."""

    is_right: bool
    rest: int = 0


def is_state_of_image(folder: Path) -> bool:
    """Whether the state lies where the image keeps it, so that a command in the container finds it there."""
    return str(folder) == STATE_DIR


class Entrance:
    """The rules of WEB_LOGIN, the sign-ins, and the waits after wrong passwords."""

    def __init__(self, settings: Settings, api_key: str) -> None:
        """Take the rules from the settings. Raises RepairState if the key of the sign-ins cannot be kept."""
        own = settings.web_password.get_secret_value()
        password = own or api_key
        self.has_own_password = bool(own)
        self.is_state_of_image = is_state_of_image(settings.state_dir)
        self.login = settings.web_login
        self.url_base = settings.http_url_base
        self.sessions = Sessions(settings.state_dir, password)
        self.waits = Waits()
        self._proxies = settings.trusted_proxies
        self._user_header = settings.web_user_header
        self._hosts = frozenset(settings.web_hosts)
        self._salt = secrets.token_bytes(32)
        self._password = self._mark(password)

    def sender(self, scope: MutableMapping[str, Any]) -> Sender:
        """Where a request comes from."""
        peer = str((scope.get("client") or ("",))[0])
        return sender_of(Headers(scope=scope), peer, scope["scheme"], self._proxies)

    def refuses(self, sender: Sender) -> bool:
        """Whether the page lets people in unasked, and the name by which it was asked for may be a stranger's."""
        names = (host for host in sender.hosts if host not in self._hosts)
        return self.login == "local" and not all(map(is_local_name, names))

    def find(self, headers: Headers, sender: Sender) -> Found | None:
        """Who sends a request; None if they have to sign in."""
        cookie = self.sessions.read(headers)
        if self.login == "external" and sender.through:
            return self._found("proxy", self._name(headers), cookie)
        if cookie and cookie.how == "password":
            return self._found("password", "", cookie)
        if self.login == "local" and sender.is_local:
            return self._found("local", "", cookie)
        return None

    def _found(self, how: Literal["password", "proxy", "local"], name: str, cookie: Cookie | None) -> Found:
        is_new = cookie is None or cookie.how not in (how, "password")
        held = self.sessions.issued(how, name) if cookie is None or is_new else cookie
        return Found(Visitor(name, self.sessions.token(held), how), held, is_new)

    def _name(self, headers: Headers) -> str:
        """The visitor whom the proxy names; none if it is said twice, since then the visitor may have said it."""
        names = headers.getlist(self._user_header)
        if len(names) != 1:
            return ""
        # Headers are read as Latin-1; proxies write UTF-8.
        return one_line(names[0].encode("latin-1").decode(errors="replace"), _LONGEST_NAME)

    def cookie_for(self, found: Found, sender: Sender) -> str | None:
        """The header that gives the visitor their cookie, or renews it; None if neither is due."""
        if found.is_new:
            return self.keep(found.cookie, sender)
        if self.sessions.is_due(found.cookie):
            return self.keep(self.sessions.renewed(found.cookie, found.cookie.name), sender)
        return None

    def signed_in(self, sender: Sender) -> str:
        """The header that signs a browser in."""
        return self.keep(self.sessions.issued("password"), sender)

    def keep(self, cookie: Cookie, sender: Sender) -> str:
        """The header that gives a browser this cookie."""
        value = self.sessions.value(cookie)
        return set_cookie(self.sessions.cookie_name, value, path=self.url_base, is_https=sender.is_https)

    def guest(self, headers: Headers) -> tuple[Cookie, bool]:
        """A cookie whose token tells our sign-in form from a stranger's, and whether it is new."""
        cookie = self.sessions.read(headers)
        return (cookie, False) if cookie else (self.sessions.issued("guest"), True)

    def is_own_form(self, headers: Headers, sender: Sender, token: str) -> bool:
        """Whether a sign-in comes from our form: as its browser says, by its origin, or by its token."""
        sites = headers.getlist("sec-fetch-site")
        if sites:
            return _OWN_SITE.issuperset(sites)
        origins = headers.getlist("origin")
        own = {*sender.hosts, *self._hosts} - {""}
        if all(host_in(origin.partition("://")[2]) in own for origin in origins):
            return True
        # Proxies that replace the host by ours make every origin look foreign.
        cookie = self.sessions.read(headers)
        return cookie is not None and is_same(token, self.sessions.token(cookie))

    def try_password(self, given: str, sender: Sender) -> Tried:
        """Look at a password, unless too many wrong ones have come just before."""
        address = sender.counted_as
        if rest := self.waits.rest(address, is_local=sender.is_local):
            return Tried(is_right=False, rest=rest)
        if hmac.compare_digest(self._mark(given), self._password):
            self.waits.right(address)
            return Tried(is_right=True)
        self.waits.wrong(address)
        _log.warning("http.login_failed", client=sender.shown)
        return Tried(is_right=False)

    def _mark(self, password: str) -> bytes:
        """A password in a form whose comparison takes the same time for all, however it was typed."""
        return hmac.digest(
            self._salt, unicodedata.normalize("NFC", password.strip()).encode(errors="replace"), "sha256"
        )

    def next_page(self, wanted: str) -> str:
        """Where to go after signing in: the wanted page if it is one of ours, else the first page."""
        home = f"{self.url_base}/"
        is_ours = wanted.startswith(home) and len(wanted) <= _LONGEST_NEXT and not _NO_LOCAL_PATH.search(wanted)
        return quote(wanted, safe="/?#&=%:;,+~@!$'()*[]-._", errors="replace") if is_ours else home


def entrance_of(settings: Settings, api_key: str) -> Entrance | None:
    """The entrance that the settings ask for; None where there is to be no page. Raises RepairState."""
    return None if settings.web_login == "off" else Entrance(settings, api_key)


def comes_from_elsewhere(headers: Headers) -> bool:
    """Whether a browser says that the page of another site, or of another port, has sent this."""
    return not _OWN_SITE.issuperset(headers.getlist("sec-fetch-site"))


def is_same(given: str, right: str) -> bool:
    """Whether two tokens are the same, in constant time."""
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
