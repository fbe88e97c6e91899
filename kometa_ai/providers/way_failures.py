"""Translate what fails on the way to a service, a lost connection or a proxy's refusal, into the port's failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kometa_ai.errors import CheckModel
from kometa_ai.network.bounds import AnswerTooLarge
from kometa_ai.network.failures import causes, is_of_the_proxy, of_the_proxy, redirect_target, trouble_of, unwrapped
from kometa_ai.providers.error_texts import read_error, shown
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.network.failures import Way


class Lost(Protocol):
    """Makes the failure of an answer that did not come, in the words of its service."""

    def __call__(self, why: str, *, may_be_billed: bool) -> RequestFailed:
        """`why` it did not come, and whether the request may have been answered for all that."""
        ...


def refused_by_proxy(
    way: Way, status: int, body: object, headers: Mapping[str, str]
) -> RequestFailed | CheckModel | None:
    """What an error means that the proxy on the way has answered; None for one of the service, or in its place."""
    if not is_of_the_proxy(way, status, headers):
        return None
    trouble = of_the_proxy(way, status, shown(read_error(body).sentence, way.hide))
    if trouble.is_final:
        return CheckModel(trouble.what, trouble.remedy)
    return RequestFailed(Failure.SERVER_ERROR, f"{trouble.what} {trouble.remedy}", retry_after(headers))


def unconnected(error: Exception, way: Way, lost: Lost, *, has_begun: bool = False) -> RequestFailed | CheckModel:
    """What an error of a connection means: a failure that may pass, or the end of all questions.

    `has_begun`: a part of the answer is there.
    """
    cause = unwrapped(error)
    trouble = trouble_of(cause, way)
    if any(isinstance(one, AnswerTooLarge) for one in causes(cause)):
        return RequestFailed(Failure.UNREADABLE, f"{trouble.what} {trouble.remedy}", may_be_billed=True)
    if trouble.is_final and not has_begun:
        return CheckModel(trouble.what, trouble.remedy)
    why = f"{trouble.why}. {trouble.remedy}" if trouble.remedy else trouble.why
    return lost(why, may_be_billed=trouble.is_sent or has_begun)


def elsewhere(status: int, headers: Mapping[str, str]) -> str:
    """How an error says that an address redirects: the status, and where to, without credentials and query."""
    location = headers.get("location", "")
    where = redirect_target(location, "") if "://" in location else ""
    return f"leads elsewhere ({status}){f', to {where}' if where else ''}; redirects are not followed."
