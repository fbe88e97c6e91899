"""Make one HTTP call to a service with httpx2, and return its answer, or why there is none."""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

import httpx2
import msgspec
import structlog

from kometa_ai.core.picture import LARGEST_PICTURE, form_of
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr import complaints, rows
from kometa_ai.library.arr.failures import (
    Failed,
    Misshapen,
    NotJSON,
    NotSent,
    Refused,
    ShutOut,
    TimedOut,
    TooLarge,
    Transient,
    Unusable,
)
from kometa_ai.library.port import Cover
from kometa_ai.network.bounds import MIB, SMALL, AnswerTooLarge, Bound, BoundedTransport
from kometa_ai.network.client import open_client
from kometa_ai.network.failures import Way, is_of_the_proxy, named, of_the_proxy, redirect_target, trouble_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.library.arr.rows import OddRow
    from kometa_ai.library.arr.spec import ArrSpec, R
    from kometa_ai.network.environment import Network

_log = structlog.get_logger()

API = "/api/v3"
_LAST_PORT = 65535
_TRY_LATER = {HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
# 524 is Cloudflare's: it is connected, and has waited long enough.
_GAVE_UP_WAITING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT, 524}
_ALL = Bound(512 * MIB)
_EDITED = Bound(64 * MIB)
"""For calls with long answers: the whole library, and up to 100 whole items."""
_PICTURE = Bound(LARGEST_PICTURE)
_SHORT = Bound(SMALL)

T = TypeVar("T")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds for a whole call, connecting included, to the last byte read; `connect` limits that part alone.

    Six tries of a check and the waits between them stay below a minute. A library of 10,000 takes a weak NAS minutes,
    and so does an edit of 100 movies, which are saved one by one.
    """

    connect: float = 4
    check: float = 4
    tags: float = 60
    library: float = 300
    credits: float = 30
    cover: float = 5
    edit: float = 180


class Reply(msgspec.Struct, frozen=True):
    """A raw HTTP response, not yet checked to come from the service; `address` with the proxy that it came through."""

    title: str
    address: str
    status: int
    headers: Mapping[str, str]
    body: bytearray
    login: str
    """What the operator does where a web page came."""
    redact: Callable[[str], str] = str

    def as_cover(self) -> Cover:
        """The body as a picture. Its type is what it begins like: services tell it from the file's name."""
        if (form := form_of(self.body)) is not None:
            return Cover(bytes(self.body), form)
        if complaints.is_html(self.body):
            what = self.complaint
            raise Unusable(f"{self.address} answered with {what} instead of a picture.", self.login)
        raise Misshapen(f"{self.title} at {self.address} answered with what is no picture.", status=self.status)

    @property
    def complaint(self) -> str:
        """What the body of an error says, in one line and without secrets."""
        return complaints.complaint(self.body, self.redact)

    def decode(self, kind: type[T]) -> T:
        """The body as exactly that type."""
        return self._read(lambda: rows.decode(self.body, kind))

    def read(self, kind: type[T]) -> T:
        """The body as an object of that kind, without the values that cannot be read."""
        return self._read(lambda: rows.read_object(self.body, kind))

    def read_rows(self, kind: type[T]) -> tuple[list[T], list[OddRow]]:
        """The body as a list of that kind, and the rows that make no sense."""
        return self._read(lambda: rows.read_rows(self.body, kind))

    def _read(self, read: Callable[[], T]) -> T:
        """What was read. A 200 proves nothing: start pages and login pages come with it, and torn lists too."""
        content_type = self.headers.get("content-type", "")
        if "json" not in content_type.lower() or complaints.is_html(self.body):
            if complaints.is_html(self.body):
                what = self.complaint
            else:
                what = complaints.first_line(content_type, self.redact) or "nothing"
            raise NotJSON(
                f"{self.address} answered with {what} instead of JSON.", self.login, status=self.status, complaint=what
            )
        try:
            return read()
        except rows.Garbled as error:
            remedy = f"Look at {self.title}'s log, and at the proxy's if there is one."
            if error.is_torn:
                what = f"The answer of {self.title} at {self.address} is torn: {error}."
                raise Transient(what, remedy, status=self.status) from error
            what = f"The answer of {self.title} at {self.address} is not what it should be: {error}."
            raise Misshapen(what, remedy, status=self.status) from error


class Connection:
    """The connection to one service. `calls` counts them by kind and outcome: a status, `timeout` or `lost`."""

    def __init__(
        self,
        spec: ArrSpec[R],
        base_url: str,
        api_key: str,
        *,
        network: Network,
        transport: httpx2.AsyncBaseTransport | None,
        connect_seconds: float,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._title, self._name, self._setting = spec.title, spec.name, spec.url_setting
        self._key_setting, self._plain_login = spec.key_setting, spec.login
        self._bounds = {spec.items: _ALL, "edit": _EDITED, "cover": _PICTURE}
        url = _parsed(base_url, spec)
        if not api_key or not api_key.isascii() or not api_key.isprintable() or api_key != api_key.strip():
            # Checked here, because the error that httpx2 raises for such a header shows the key.
            raise CheckLibrary(
                f"{spec.key_setting} is empty or holds characters that no key has.",
                f"Copy it again from {spec.title}'s Settings > General > Security.",
            )
        self.prefix = url.path.rstrip("/")
        self.address = str(url.copy_with(userinfo=b"", path=self.prefix or "/", query=None, fragment=None)).rstrip("/")
        proxy = network.proxy_to(self.address)
        self.way = Way(address=self.address, setting=spec.url_setting, proxy=proxy, hide=redact)
        self.calls: Counter[tuple[str, str]] = Counter()
        self._connect_seconds = connect_seconds
        self._redact = redact
        self._auth = httpx2.BasicAuth(url.username, url.password) if url.userinfo else httpx2.Auth()
        self._transport = BoundedTransport(network, lambda _: _SHORT, transport)
        self.client = open_client(
            network,
            # Only the header: a key in the query would be in every proxy's log.
            headers={"X-Api-Key": api_key, "Accept": "application/json"},
            transport=self._transport,
        )
        self._plain = self._authorized(self.client.build_request("GET", self.address)).headers

    def _authorized(self, request: httpx2.Request) -> httpx2.Request:
        return next(self._auth.sync_auth_flow(request))

    @property
    def _where(self) -> str:
        """The address with the proxy that leads there, for messages."""
        return f"{self.address}{self.way.through}"

    @property
    def _login(self) -> str:
        """What to do where a web page, or the way to one, came in place of an answer."""
        plain = self._plain_login
        return f"{plain[:-1]}; if the page is the proxy's, {self.way.around}." if self.way.proxy else plain

    async def call(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        seconds: float,
        params: Mapping[str, str | int] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call to `path` below the API; a 2xx, or one of this package's failures. Never tried twice here.

        Where `headers` hold `If-Modified-Since`, it may be a 304, too.
        """
        # The query belongs to the text: httpx2 takes an address apart once more for parameters of its own.
        url = f"{self.address}{API}{path}{f'?{urlencode(params)}' if params else ''}"
        # The time for the whole call is the transport's to watch.
        limits = httpx2.Timeout(None, connect=min(seconds, self._connect_seconds)).as_dict()
        extensions = {**self._bounds.get(kind, _SHORT).extension, "timeout": limits}
        request = self._request(method, url, extensions, body, headers)
        started = time.perf_counter()
        outcome, size = "lost", 0
        try:
            reply = await self._exchange(request, seconds)
            outcome, size = str(reply.status), len(reply.body)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout) as error:
            outcome = "timeout"
            raise self._timed_out(seconds) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise self._unreachable(error) from error
        finally:
            self.calls[kind, outcome] += 1
            milliseconds = round((time.perf_counter() - started) * 1000)
            _log.debug(f"{self._name}.call", kind=kind, outcome=outcome, milliseconds=milliseconds, size=size)
        if reply.status != HTTPStatus.NOT_MODIFIED or "If-Modified-Since" not in (headers or {}):
            self._judge(reply)
        return reply

    def _request(
        self, method: str, url: str, extensions: dict[str, object], body: object, headers: Mapping[str, str] | None
    ) -> httpx2.Request:
        if method == "GET" and not headers and not self.client.cookies:
            # The headers of thousands of calls for credits are the same.
            return httpx2.Request(
                method, url, headers=self._plain, stream=httpx2.ByteStream(b""), extensions=extensions
            )
        request = self.client.build_request(
            method,
            url,
            content=None if body is None else msgspec.json.encode(body),
            headers={**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})},
            extensions=extensions,
        )
        return self._authorized(request)

    async def _exchange(self, request: httpx2.Request, seconds: float) -> Reply:
        # Past the client, which has nothing to add but cookies: it follows no redirects.
        response, received = await self._transport.read(request, seconds)
        if "set-cookie" in response.headers:
            self.client.cookies.extract_cookies(response)
        return Reply(
            self._title,
            self._where,
            response.status_code,
            response.headers,
            received,
            self._login,
            self._redact,
        )

    def _timed_out(self, seconds: float) -> TimedOut:
        return TimedOut(
            f"{self._title} at {self.address} did not answer within {seconds:g} s{self.way.through}.",
            f"Look whether that proxy waits long enough, or {self.way.around}."
            if self.way.proxy
            else "Look at its log and at the load of its machine.",
        )

    def _unreachable(self, error: Exception) -> Failed:
        trouble = trouble_of(error, self.way)
        if isinstance(error, AnswerTooLarge):
            return TooLarge(trouble.what, trouble.remedy)
        if trouble.is_final:
            return Unusable(trouble.what, trouble.remedy)
        kind = (
            NotSent if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)) else Transient
        )
        if trouble.what:
            return kind(trouble.what, trouble.remedy)
        return kind(
            f"{self._title} at {self.address} cannot be reached{self.way.through}: {trouble.why}.",
            trouble.remedy
            or f"Check that it is running and that {self._setting} is right "
            "(in a container, localhost is that container).",
        )

    def _judge(self, reply: Reply) -> None:
        """Raise for everything but a 2xx."""
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = reply.complaint
        if is_of_the_proxy(self.way, reply.status, reply.headers):
            trouble = of_the_proxy(self.way, reply.status, said)
            for_now = TimedOut if reply.status in _GAVE_UP_WAITING else Transient
            failure = Unusable if trouble.is_final else for_now
            raise failure(trouble.what, trouble.remedy, status=reply.status, complaint=said)
        if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
            raise self._redirected(reply)
        if shut_out := self._shut_out(reply, said):
            raise shut_out
        what = f"{self._title} at {self._where} answered {named(reply.status)}" + (
            f": {said.rstrip('.')}." if said else "."
        )
        if reply.status in _GAVE_UP_WAITING:
            remedy = (
                f"A proxy gave up waiting for {self._title}: raise its time-out, or set {self._setting} to "
                f"{self._title}'s own address."
            )
            raise TimedOut(what, remedy, status=reply.status, complaint=said)
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status in _TRY_LATER:
            remedy = f"Look at {self._title}'s log, and at the proxy's if there is one."
            raise Transient(what, remedy, status=reply.status, complaint=said)
        raise Refused(what, f"Look at {self._title}'s log.", status=reply.status, complaint=said)

    def _shut_out(self, reply: Reply, said: str) -> Unusable | None:
        """The failure for statuses that every other request would get, too."""
        status, where = reply.status, self._where
        if status == HTTPStatus.UNAUTHORIZED and not reply.body and "www-authenticate" not in reply.headers:
            return Unusable(
                f"{self._title} at {where} does not accept the API key (401).",
                f"Copy the key of this very {self._title} from its Settings > General > Security to "
                f"{self._key_setting}.",
                status=status,
            )
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return ShutOut(
                f"Something in front of {self._title} at {where} refuses us ({named(status)}).",
                f"Let the proxy pass requests below /api, or use {self._title}'s own address in {self._setting}.",
                status=status,
                complaint=said,
            )
        wrong_path = status == HTTPStatus.NOT_FOUND and not _is_object(reply)
        if wrong_path or status == HTTPStatus.METHOD_NOT_ALLOWED:
            return Unusable(
                f"There is no {self._title} API at {where} ({named(status)}).",
                f"{self._setting} is the address of {self._title}'s start page, with its URL base and without /api/v3.",
                status=status,
                complaint=said,
            )
        return None

    def _redirected(self, reply: Reply) -> Unusable:
        what = f"{self._where} redirects ({reply.status})"
        shown = redirect_target(self.address + API, reply.headers.get("location", ""))
        if not shown:
            return Unusable(what + ".", f"Correct {self._setting}.", status=reply.status)
        base, api, _ = shown.partition(API)
        remedy = f"Set {self._setting} to {base}." if api and base != self.address else self._login
        return Unusable(f"{what} to {shown}.", remedy, status=reply.status)


def _parsed(base_url: str, spec: ArrSpec[R]) -> httpx2.URL:
    example = f"It looks like http://{spec.name}:{spec.port}, or http://nas:{spec.port}/{spec.name} with a URL base."
    try:
        url = httpx2.URL(base_url.strip())
    except httpx2.InvalidURL as error:
        raise CheckLibrary(f"{spec.url_setting} is no address that can be used.", example) from error
    # httpx2 lets any port pass, and quotes what no host name holds.
    if url.scheme not in ("http", "https") or not url.host or "%" in url.host or (url.port or 1) > _LAST_PORT:
        raise CheckLibrary(f"{spec.url_setting} is no http:// or https:// address.", example)
    return url


def _is_object(reply: Reply) -> bool:
    return reply.body.lstrip().startswith(b"{")
