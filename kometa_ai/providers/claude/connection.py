"""Set up the connection to Claude: limits of answers, headers, proxies; translate its failures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kometa_ai.network.bounds import MIB, SMALL, Bound
from kometa_ai.network.failures import Way
from kometa_ai.providers import way_failures
from kometa_ai.providers.claude.failures import failure_of, lost
from kometa_ai.providers.way_failures import refused_by_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from kometa_ai.errors import CheckModel
    from kometa_ai.network.environment import Network
    from kometa_ai.providers.port import RequestFailed

ANTHROPIC = "https://api.anthropic.com"

_ANSWER = Bound(16 * MIB, lines=1_000_000)
_RESULTS = Bound(4096 * MIB, line=2 * MIB, seconds=3600)
"""The results of a batch: a line for each of up to 100,000 answers, which are read one by one."""
_VERSION = "2026-10-21"
"""Of the API, as the SDK asks for it."""
_BETWEEN = "Something between you and Anthropic opens the connection"


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
    }


def at_home(url: str) -> str:
    """The same path at Claude's own address: an answer may tell an address to go on at, and the key would go there."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    _, version, rest = parts.path.partition("/v1/")
    path = f"{version}{rest}" or parts.path
    return f"{path}?{parts.query}" if parts.query else path


def refused(status: int, body: object, headers: Mapping[str, str], model: str, way: Way) -> RequestFailed | CheckModel:
    """What an answer means that is an error: of the proxy on the way, or of Claude or what stands in for it."""
    return refused_by_proxy(way, status, body, headers) or failure_of(status, body, headers, model, way.hide)


def unconnected(error: Exception, way: Way, *, has_begun: bool = False) -> RequestFailed | CheckModel:
    """What an error of a connection means; `has_begun`: a part of the answer is there."""
    return way_failures.unconnected(error, way, partial(lost, through=way.through), has_begun=has_begun)
