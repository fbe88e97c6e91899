"""Explain a failed connection: what is wrong, whether it may pass by itself, and what to do."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeGuard

import httpx2
import msgspec

from kometa_ai.core.text import one_line
from kometa_ai.network.bounds import AnswerTooLarge
from kometa_ai.network.proxies import host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kometa_ai.network.proxies import Proxy

_NOT_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG"}
_NO_AGREEMENT = (
    "HANDSHAKE_FAILURE",
    "PROTOCOL_VERSION",
    "UNSUPPORTED_PROTOCOL",
    "NO_PROTOCOLS",
    "CERTIFICATE_REQUIRED",
)
# h11's message for an answer that begins with a control character, as each TLS record does.
_BINARY = "illegal request line"
# OpenSSL's X509_V_ERR_...
_NOT_YET_VALID, _HAS_EXPIRED, _WRONG_NAMES = 9, 10, {62, 64}
_PROXY_STATUSES = {
    HTTPStatus.FORBIDDEN,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_LONGEST = 200


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The route to a service: its address without credentials, the setting that holds it, and the proxy in between."""

    address: str
    setting: str
    proxy: Proxy | None = None
    between: str = ""
    """What a certificate of an unknown authority means here, as a sentence without its full stop."""
    hide: Callable[[str], str] = str
    """Redacts secrets in other services' words, before they are cut."""

    @property
    def through(self) -> str:
        """` through the proxy of HTTP_PROXY (squid:3128)`; empty without a proxy."""
        return f" through {self.proxy}" if self.proxy else ""

    @property
    def around(self) -> str:
        """How to reach the service without the proxy, as a remedy."""
        return f"add {host_of(self.address)} to NO_PROXY"


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer. `why` is a clause; `what` a sentence, if more is known than that the route is blocked.

    `is_final`: trying again changes nothing. `is_sent`: the request was sent, and the service may have carried it out.
    """

    why: str
    what: str = ""
    remedy: str = ""
    is_final: bool = False
    is_sent: bool = False


def trouble_of(error: BaseException, way: Way) -> Trouble:
    """Explain an error of httpx2 or of the operating system on this route."""
    chain = list(causes(error))
    for cause in chain:
        if found := _final(cause, way):
            return found
    # The outermost error decides: behind a ConnectError, the chain shows how the exchange with the proxy ended.
    kinds = (cause for cause in chain if isinstance(cause, httpx2.TransportError))
    is_sent = isinstance(next(kinds, None), (httpx2.ReadError, httpx2.ReadTimeout, httpx2.RemoteProtocolError))
    remedy = f"Look whether that proxy runs and can reach it, or {way.around}." if way.proxy else ""
    return Trouble(why=_reason(chain, way), remedy=remedy, is_sent=is_sent)


def _final(cause: BaseException, way: Way) -> Trouble | None:
    match cause:
        case AnswerTooLarge():
            return Trouble(
                why=str(cause),
                what=f"The answer of {way.address}{way.through} cannot be read: {cause}.",
                remedy=f"Look at what answers there; check {way.setting}.",
                is_final=True,
                is_sent=True,
            )
        case ssl.SSLCertVerificationError():
            what, remedy = certificate_trouble(cause, f"{way.address}{way.through}", way.setting, between=way.between)
            return Trouble(
                why=f"its certificate is not trusted: {cause.verify_message}", what=what, remedy=remedy, is_final=True
            )
        case ssl.SSLError():
            return _no_tls(cause, way)
        case httpx2.RemoteProtocolError() if str(cause) == _BINARY and way.address.startswith("http://"):
            return Trouble(
                why="it does not speak HTTP",
                what=f"{way.address} does not speak HTTP{way.through}; most likely it speaks TLS (https behind http://).",
                remedy=f"Write https:// instead of http:// in {way.setting}.",
                is_final=True,
            )
        case httpx2.ProxyError():
            return _refused_tunnel(str(cause), way)
    return None


def certificate_trouble(
    error: ssl.SSLCertVerificationError, name: str, setting: str, *, between: str = ""
) -> tuple[str, str]:
    """What is wrong with a certificate, and what to do: check the clock, the name or the authority."""
    what = f"The certificate of {name} is not trusted: {error.verify_message}."
    clock = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    match error.verify_code:
        case code if code == _NOT_YET_VALID:
            return f"{what} The clock of this machine says {clock}.", "Set the clock of this machine."
        case code if code == _HAS_EXPIRED:
            remedy = "Renew the certificate, or set the clock of this machine if it is wrong."
            return f"{what} The clock of this machine says {clock}.", remedy
        case code if code in _WRONG_NAMES:
            return what, f"Write a name into {setting} that the certificate was made out for."
    name_it = "name its authority in SSL_CERT_FILE"
    remedy = f"{between}: {name_it}" if between else name_it[0].upper() + name_it[1:]
    return what, f"{remedy}, or correct {setting}."


def _no_tls(error: ssl.SSLError, way: Way) -> Trouble | None:
    reason = error.reason or ""
    or_in_proxy = f", or in {way.proxy.variable} if it is the proxy" if _is_encrypted(way.proxy) else ""
    if reason in _NOT_TLS:
        return Trouble(
            why="it does not speak TLS",
            what=f"{way.address} does not speak TLS{way.through} (http behind https://).",
            remedy=f"Write http:// instead of https:// in {way.setting}{or_in_proxy}.",
            is_final=True,
        )
    if any(word in reason for word in _NO_AGREEMENT):
        words = reason.replace("_", " ").lower()
        return Trouble(
            why=f"no TLS connection comes about: {words}",
            what=f"{way.address} and this program find no way to encrypt{way.through}: {words}.",
            remedy=f"Look at the TLS settings of that server; check {way.setting}.",
            is_final=True,
        )
    return None


def _refused_tunnel(said: str, way: Way) -> Trouble:
    """Explain that the proxy answered our CONNECT with another status than 200."""
    status = said.partition(" ")[0]
    said = one_line(way.hide(said), _LONGEST)
    if status == str(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED.value):
        what, remedy = wants_log_in(way)
        return Trouble(why="the proxy wants a user and a password (407)", what=what, remedy=remedy, is_final=True)
    return Trouble(
        why=f"it answered {said}",
        what=f"{_capital(way.proxy)} opens no connection to {way.address}: it answered {said}.",
        remedy=f"Look at that proxy's rules and log, or {way.around}.",
        is_final=status.startswith("4") and status not in ("408", "429"),
    )


def wants_log_in(way: Way) -> tuple[str, str]:
    """Explain that the proxy wants a user and a password: what is wrong, and the remedy."""
    variable = way.proxy.variable if way.proxy else "HTTP_PROXY"
    return (
        f"{_capital(way.proxy)} wants a user and a password (407).",
        f"Write user and password into {variable}, before the proxy's host, or {way.around}.",
    )


def is_of_the_proxy(way: Way, status: int, headers: Mapping[str, str]) -> bool:
    """Whether the proxy most likely made this answer: services answer with JSON, proxies with HTML pages."""
    if way.proxy is None:
        return False
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or "x-squid-error" in headers:
        return True
    return status in _PROXY_STATUSES and "json" not in headers.get("content-type", "").lower()


def of_the_proxy(way: Way, status: int, said: str = "") -> Trouble:
    """Explain an answer that the proxy made."""
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        what, remedy = wants_log_in(way)
        return Trouble(why="the proxy wants a user and a password (407)", what=what, remedy=remedy, is_final=True)
    words = f"{named(status)}: {said.rstrip('.')}" if said else named(status)
    return Trouble(
        why=f"it answered {words}",
        what=f"{_capital(way.proxy)} does not lead to {way.address}: it answered {words}.",
        remedy=f"Look at that proxy's rules and log, or {way.around}.",
        is_final=status < HTTPStatus.INTERNAL_SERVER_ERROR,
    )


def redirect_target(base: str, location: str) -> str:
    """The target of a redirect without credentials and query; empty if it is not an address."""
    try:
        return str(httpx2.URL(base).join(location).copy_with(userinfo=b"", query=None, fragment=None))
    except httpx2.InvalidURL:
        return ""


def named(status: int) -> str:
    """A status with its phrase, such as `404 Not Found`."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def unwrapped(error: Exception) -> BaseException:
    """The error of a connection, out of the one that an SDK has made of it."""
    return error if isinstance(error, httpx2.HTTPError) else error.__cause__ or error


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its causes, and the errors of exception groups (attempts on several addresses)."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from causes(inner)
        error = error.__cause__ or error.__context__


def _reason(chain: list[BaseException], way: Way) -> str:
    for cause in chain:
        match cause:
            case socket.gaierror():
                return "its name cannot be resolved"
            case ConnectionRefusedError():
                return "the connection was refused"
            case httpx2.ConnectTimeout():
                return "no connection came about in time"
            case ssl.SSLEOFError():
                return "the connection was ended before it was encrypted; does it speak TLS?"
    if isinstance(chain[0], httpx2.NetworkError) and not str(chain[0]).strip():
        return "the connection was lost"
    lines = way.hide(str(chain[0])).strip().splitlines()
    return (one_line(lines[0], _LONGEST).rstrip(".") if lines else "") or type(chain[0]).__name__


def _is_encrypted(proxy: Proxy | None) -> TypeGuard[Proxy]:
    return proxy is not None and proxy.url.startswith("https:")


def _capital(proxy: Proxy | None) -> str:
    text = str(proxy or "a proxy")
    return text[0].upper() + text[1:]
