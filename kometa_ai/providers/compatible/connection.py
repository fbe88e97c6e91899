"""Set up the connection to a service: what is kept from the SDK, limits of answers; translate its failures."""

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
from kometa_ai.providers.compatible.failures import LONGEST, failure_of, lost
from kometa_ai.providers.error_texts import read_error
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kometa_ai.network.environment import Network
    from kometa_ai.providers.compatible.failures import Asked
    from kometa_ai.providers.compatible.services import Service

_ANSWER = Bound(16 * MIB, lines=1_000_000)
_LOOPBACK = ("localhost", "127.", "[::1]", "::1")

Client = TypeVar("Client")


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


def quieten() -> None:
    """Undo what OPENAI_LOG makes of the SDK's import: `debug` would write whole requests into our log."""
    for name in ("openai", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def headers_of(api_key: str) -> dict[str, str]:
    """What the SDK says with each call, for one that is made without it."""
    headers = {"Accept": "application/json", "User-Agent": f"Kometa-AI/{__version__}"}
    return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})


def without_the_environment(client: type[Client]) -> type[Client]:
    """The SDK's client without what it reads from the environment beside its arguments.

    It would send the headers of OPENAI_CUSTOM_HEADERS, which could even replace the key, and the organisation and the
    project of OPENAI_ORG_ID and OPENAI_PROJECT_ID to any address, also to a stranger's. There is no other way around
    it. A server of one's own may have no key: then no header says one.
    """

    class WithoutTheEnvironment(client):  # type: ignore[misc,valid-type]
        organization = project = admin_api_key = None

        def __setattr__(self, name: str, value: object) -> None:
            if name not in ("organization", "project", "admin_api_key"):
                super().__setattr__(name, value)

        @property
        def _custom_headers(self) -> dict[str, str]:
            return {}

        @_custom_headers.setter
        def _custom_headers(self, headers: object) -> None:
            pass

        def _validate_headers(self, headers: object, custom_headers: object) -> None:
            pass

    WithoutTheEnvironment.__name__ = client.__name__  # the SDK introduces itself by it
    return WithoutTheEnvironment


def refused(status: int, body: object, headers: Mapping[str, str], asked: Asked) -> RequestFailed | CheckModel:
    """What an answer means that is an error: of the proxy on the way, or of the service or what stands in for it."""
    way = asked.way
    if not is_of_the_proxy(way, status, headers):
        return failure_of(status, body, headers, asked)
    trouble = of_the_proxy(way, status, one_line(way.hide(read_error(body).sentence), LONGEST))
    if trouble.is_final:
        return CheckModel(trouble.what, trouble.remedy)
    return RequestFailed(Failure.SERVER_ERROR, f"{trouble.what} {trouble.remedy}", retry_after(headers))


def unconnected(error: Exception, asked: Asked) -> RequestFailed | CheckModel:
    """What an error of a connection means: a failure that may pass, or the end of all questions."""
    # The SDK wraps the error that says what has happened.
    cause = error if isinstance(error, httpx2.HTTPError) else error.__cause__ or error
    trouble = trouble_of(cause, asked.way)
    if any(isinstance(one, AnswerTooLarge) for one in causes(cause)):
        return RequestFailed(Failure.UNREADABLE, f"{trouble.what} {trouble.remedy}", may_be_billed=True)
    if trouble.is_final:
        return CheckModel(trouble.what, trouble.remedy)
    why = f"{trouble.why}. {trouble.remedy}" if trouble.remedy else trouble.why
    return lost(why, asked, may_be_billed=trouble.is_sent)


def where_it_should_run(asked: Asked) -> str:
    """What to do where a service does not answer at all."""
    if not asked.service.is_local:
        return f"Check the network, {asked.way.setting} and {asked.title}'s status page."
    remedy = f"Start the server there, or check {asked.way.setting}"
    if (urlsplit(asked.way.address).hostname or "").startswith(_LOOPBACK):
        return f"{remedy}: in a container, localhost is the container, and host.docker.internal may be the machine."
    return f"{remedy}."
