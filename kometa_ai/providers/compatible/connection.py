"""Set up the connection to a service: what is kept from the SDK, limits of answers; translate its failures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kometa_ai.network.bounds import MIB, SMALL, Bound
from kometa_ai.network.failures import Way
from kometa_ai.providers import way_failures
from kometa_ai.providers.compatible.failures import failure_of, lost
from kometa_ai.providers.sdk import Client, without_custom_headers
from kometa_ai.providers.way_failures import refused_by_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2

    from kometa_ai.errors import CheckModel
    from kometa_ai.network.environment import Network
    from kometa_ai.providers.compatible.failures import Asked
    from kometa_ai.providers.compatible.services import Service
    from kometa_ai.providers.port import RequestFailed

_ANSWER = Bound(16 * MIB, lines=1_000_000)
_LOOPBACK = ("localhost", "127.", "[::1]", "::1")


def way_to(service: Service, base_url: str | None, network: Network, hide: Callable[[str], str]) -> Way:
    """The way to a service."""
    address = base_url or service.address
    between = f"Something between you and {service.title} opens the connection" if service.is_known else ""
    return Way(
        address=address,
        setting=service.address_setting,
        proxy=network.proxy_to(address),
        between=between,
        hide=hide,
    )


def bound_of(request: httpx2.Request) -> Bound:
    """How long an answer may be."""
    return _ANSWER if request.url.path.endswith(("/completions", "/models")) else Bound(SMALL)


def headers_of(api_key: str) -> dict[str, str]:
    """What the SDK says with each call, for one that is made without it."""
    return {"Accept": "application/json"} | ({"Authorization": f"Bearer {api_key}"} if api_key else {})


def without_the_environment(client: type[Client]) -> type[Client]:
    """The SDK's client without what it reads from the environment beside its arguments.

    It would send the organisation and the project of OPENAI_ORG_ID and OPENAI_PROJECT_ID to any address, also to a
    stranger's. There is no other way around it. A server of one's own may have no key: then no header says one.
    """

    class WithoutTheEnvironment(without_custom_headers(client)):  # type: ignore[misc]
        organization = project = admin_api_key = None

        def __setattr__(self, name: str, value: object) -> None:
            if name not in ("organization", "project", "admin_api_key"):
                super().__setattr__(name, value)

        def _validate_headers(self, headers: object, custom_headers: object) -> None:
            pass

    WithoutTheEnvironment.__name__ = client.__name__  # the SDK introduces itself by it
    return WithoutTheEnvironment


def refused(status: int, body: object, headers: Mapping[str, str], asked: Asked) -> RequestFailed | CheckModel:
    """What an answer means that is an error: of the proxy on the way, or of the service or what stands in for it."""
    by_proxy = refused_by_proxy(asked.way, status, body, headers)
    return by_proxy or failure_of(status, body, headers, asked)


def unconnected(error: Exception, asked: Asked) -> RequestFailed | CheckModel:
    """What an error of a connection means: a failure that may pass, or the end of all questions."""
    return way_failures.unconnected(error, asked.way, partial(lost, asked=asked))


def where_it_should_run(asked: Asked) -> str:
    """What to do where a service does not answer at all."""
    if not asked.service.is_local:
        return f"Check the network, {asked.way.setting} and {asked.title}'s status page."
    remedy = f"Start the server there, or check {asked.way.setting}"
    if (urlsplit(asked.way.address).hostname or "").startswith(_LOOPBACK):
        return f"{remedy}: in a container, localhost is the container, and host.docker.internal may be the machine."
    return f"{remedy}."
