"""Set up the connection to Claude: limits of answers, headers, proxies; translate its failures."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx2

from kometa_ai.__version__ import __version__
from kometa_ai.core.text import one_line
from kometa_ai.errors import CheckModel
from kometa_ai.network.bounds import MIB, SMALL, AnswerTooLarge, Bound
from kometa_ai.network.failures import Way, causes, is_of_the_proxy, of_the_proxy, trouble_of
from kometa_ai.providers.claude.failures import LONGEST, failure_of, lost
from kometa_ai.providers.error_texts import read_error
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.network.environment import Network

ANTHROPIC = "https://api.anthropic.com"

_ANSWER = Bound(16 * MIB, lines=1_000_000)
_RESULTS = Bound(4096 * MIB, line=2 * MIB, seconds=3600)
"""The results of a batch: a line for each of up to 100,000 answers, which are read one by one."""
_VERSION = "2026-10-21"
"""Of the API, as the SDK asks for it."""
_BETWEEN = "Something between you and Anthropic opens the connection"

Client = TypeVar("Client")


def way_to(base_url: str | None, network: Network, hide: Callable[[str], str]) -> Way:
    """The way to Claude, or to a gateway."""
    address = base_url or ANTHROPIC
    proxy = network.proxy_to(address)
    return Way(address=address, setting="CLAUDE_BASE_URL", proxy=proxy, between=_BETWEEN, hide=hide)


def bound_of(request: httpx2.Request) -> Bound:
    """How long an answer may be."""
    if request.url.path.endswith("/results"):
        return _RESULTS
    return _ANSWER if request.url.path.endswith(("/messages", "/models")) else Bound(SMALL)


def headers_of(api_key: str) -> dict[str, str]:
    """What the SDK says with each call, for one that is made without it."""
    return {
        "Authorization": f"Bearer {api_key}",
        "anthropic-version": _VERSION,
        "Accept": "application/json",
        "User-Agent": f"Kometa-AI/{__version__}",
    }


def at_home(url: str) -> str:
    """The same path at Claude's own address: an answer may tell an address to go on at, and the key would go there."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    _, version, rest = parts.path.partition("/v1/")
    path = f"{version}{rest}" or parts.path
    return f"{path}?{parts.query}" if parts.query else path


def quieten() -> None:
    """Undo what ANTHROPIC_LOG makes of the SDK's import: `debug` would write whole requests into our log."""
    for name in ("anthropic", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def without_foreign_headers(client: type[Client]) -> type[Client]:
    """The SDK's client without the headers of ANTHROPIC_CUSTOM_HEADERS, which could even replace the key.

    The SDK reads that variable for each client and each copy of one, and offers no way around it.
    """

    class WithoutForeignHeaders(client):  # type: ignore[misc,valid-type]
        @property
        def _custom_headers(self) -> dict[str, str]:
            return {}

        @_custom_headers.setter
        def _custom_headers(self, headers: object) -> None:
            pass

    WithoutForeignHeaders.__name__ = client.__name__  # the SDK introduces itself by it
    return WithoutForeignHeaders


def refused(status: int, body: object, headers: Mapping[str, str], model: str, way: Way) -> RequestFailed | CheckModel:
    """What an answer means that is an error: of the proxy on the way, or of Claude or what stands in for it."""
    if not is_of_the_proxy(way, status, headers):
        return failure_of(status, body, headers, model, way.hide)
    trouble = of_the_proxy(way, status, one_line(way.hide(read_error(body).sentence), LONGEST))
    if trouble.is_final:
        return CheckModel(trouble.what, trouble.remedy)
    return RequestFailed(Failure.SERVER_ERROR, f"{trouble.what} {trouble.remedy}", retry_after(headers))


def unconnected(error: Exception, way: Way, *, has_begun: bool = False) -> RequestFailed | CheckModel:
    """What an error of a connection means: a failure that may pass, or the end of all questions.

    `has_begun`: a part of the answer is there.
    """
    # The SDK wraps the error that says what has happened.
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__ or error
    trouble = trouble_of(cause, way)
    if any(isinstance(one, AnswerTooLarge) for one in causes(cause)):
        return RequestFailed(Failure.UNREADABLE, f"{trouble.what} {trouble.remedy}", may_be_billed=True)
    if trouble.is_final and not has_begun:
        return CheckModel(trouble.what, trouble.remedy)
    why = f"{trouble.why}. {trouble.remedy}" if trouble.remedy else trouble.why
    return lost(why, may_be_billed=trouble.is_sent or has_begun, through=way.through)
