"""Translate Claude's errors: a failure of one request, or a reason to ask nothing more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kometa_ai.errors import CheckModel
from kometa_ai.providers.error_texts import ErrorText, read_error, shown
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after
from kometa_ai.providers.way_failures import elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Messages are all that tells a spent credit and a reached spend limit from an ordinary bad request: both are 400.
_SPENT = re.compile(
    r"credit balance|usage limits?\b|organization.{0,20}(?:on hold|disabled)|billing|\bbudget\b"
    r"|insufficient[ _](?:credit|fund|balance|quota)|(?:out of|not enough|no|add more|exhausted) credits?\b"
    r"|credits? (?:exhausted|used up|exceeded|required)|payment required",
    re.IGNORECASE,
)
# Rate limits speak of quotas and plans, too: of these only what no waiting changes.
_SPENT_FOR_GOOD = re.compile(
    r"enforced_spend_limit|contract_spend_limit|organization_on_hold|insufficient[_ ](?:quota|credit|fund|balance)"
    r"|budget[_ ]?(?:has been |is )?(?:exceeded|used|exhausted|reached)|exceeded.{0,20}\bbudget\b|credit balance"
    r"|billing_hard_limit",
    re.IGNORECASE,
)
_FORM_REFUSED = re.compile(r"schema|grammar|output_config|output format|\beffort\b|\bthinking\b", re.IGNORECASE)

_NO_MODEL = re.compile(
    r"\b(?:invalid|unknown|unsupported|no such) model\b"
    r"|\bmodel\b.{0,80}\b(?:not (?:found|exist|available)|unknown|invalid)\b"
    r"|\bno (?:healthy )?deployments? (?:available|found)\b",
    re.IGNORECASE,
)
"""Gateways answer 400 for a model that they do not know."""

_STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "auth_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "budget_exceeded": 402,
    "insufficient_quota": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limited": 429,
    "throttling_error": 429,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
    "service_unavailable": 503,
    "timeout_error": 504,
    "overloaded_error": 529,
    "overloaded": 529,
}
"""The status of an error that comes within an answer, under status 200, by the names that it gives itself."""
_FAILURES = {
    408: Failure.NO_CONNECTION,
    409: Failure.SERVER_ERROR,
    413: Failure.TOO_LARGE,
    429: Failure.RATE_LIMITED,
    529: Failure.OVERLOADED,
}
_STOPPING = {
    400: ("Claude refuses the form of our requests", "Check that CLAUDE_MODEL supports structured outputs."),
    401: ("Claude does not accept the key", "Check CLAUDE_API_KEY."),
    402: ("Claude asks for payment", "Check the billing in Anthropic's console, or your budget at the gateway."),
    403: ("The key may not use the model {model!r}", "Check CLAUDE_MODEL and the key's workspace."),
    404: ("Claude knows no model {model!r}", "Check CLAUDE_MODEL and CLAUDE_BASE_URL."),
    407: (
        "The proxy on the way to Claude wants to know its user (407)",
        "Write user and password into HTTPS_PROXY, before the proxy's host, or Claude's host into NO_PROXY.",
    ),
}
_BETWEEN = "Something between this program and Claude (a firewall, a gateway, a login page) answers in Claude's place"
_LOOK_BETWEEN = (
    "Look at the proxy, the firewall and CLAUDE_BASE_URL: let requests to Claude pass there. The key is not the cause."
)
_BAD_REQUEST, _NOT_FOUND, _PROXY, _NOT_ALLOWED = 400, 404, 407, 405
_FIRST_REDIRECT, _FIRST_ERROR, _SERVER_ERROR = 300, 400, 500


def failure_of(
    status: int, body: object, headers: Mapping[str, str], model: str, hide: Callable[[str], str] = str
) -> RequestFailed | CheckModel:
    """What an error answer means; one within an answer, under status 200, goes by the names that it gives itself.

    `hide` takes secrets out of a text: services repeat the key that they refuse.
    """
    said = _read(body, hide)
    is_late = status < _FIRST_REDIRECT
    if is_late:
        status = _status_of(said) or _SERVER_ERROR
    message = said.sentence or "no explanation"
    stop = _redirected(status, headers) or _stopping(status, said, message, model)
    if stop is not None:
        return stop
    failure = _FAILURES.get(status)
    if failure is None:
        failure = Failure.SERVER_ERROR if status >= _SERVER_ERROR else Failure.REJECTED
    if said.is_page:
        what = f"{_BETWEEN}: {status}, {_quoted(said)}"
    else:
        what = f"Claude broke off its answer: {message}" if is_late else f"Claude answered {status}: {message}"
    # What was answered until then is likely to be billed, and no service says how much it was.
    return RequestFailed(failure, what, retry_after(headers), may_be_billed=is_late)


def error_in_answer(
    body: object, headers: Mapping[str, str], model: str, hide: Callable[[str], str] = str
) -> RequestFailed | CheckModel | None:
    """What an error means that stands where an answer was due, under status 200; None for what is no known error."""
    if not isinstance(body, dict) or not (body.get("type") == "error" or body.get("error")):
        return None
    said = _read(body, hide)
    if _status_of(said) is None and not _SPENT_FOR_GOOD.search(said.sentence):
        return None
    failure = failure_of(200, body, headers, model, hide)
    if isinstance(failure, CheckModel):
        return failure
    # It stands alone: nothing was answered that could be billed.
    what = f"Claude answered with an error: {said.sentence or 'no explanation'}"
    return RequestFailed(failure.failure, what, failure.retry_after)


def lost(why: object, *, may_be_billed: bool, through: str = "") -> RequestFailed:
    """The failure where the connection failed; `through` names the proxy in between."""
    what = "Claude's answer was lost" if may_be_billed else "Claude could not be reached"
    return RequestFailed(Failure.NO_CONNECTION, f"{what}{through}: {why}", may_be_billed=may_be_billed)


def not_claude(body: object = "", hide: Callable[[str], str] = str) -> RequestFailed:
    """The failure where something else has answered."""
    said = _read(body, hide) if isinstance(body, dict | str) else ErrorText("")
    if said.is_page:
        what = f"A web page came in place of Claude's answer, {_quoted(said)}: check CLAUDE_BASE_URL and the proxy."
    elif isinstance(body, dict) and said.sentence:
        what = f"What answered at Claude's address is not Claude: check CLAUDE_BASE_URL. It says: {said.sentence}"
    else:
        what = "What answered at Claude's address is not Claude: check CLAUDE_BASE_URL."
    # A page is no answer of a model's.
    return RequestFailed(Failure.UNREADABLE, what, may_be_billed=not said.is_page)


def _read(body: object, hide: Callable[[str], str]) -> ErrorText:
    said = read_error(body)
    return said._replace(sentence=shown(said.sentence, hide))


def _quoted(said: ErrorText) -> str:
    return f"with the page {said.sentence!r}" if said.sentence else "with a page that has no title"


def _status_of(said: ErrorText) -> int | None:
    """The status that an error states, or that its names stand for."""
    for name in said.names:
        if name.isdecimal() and _FIRST_ERROR <= int(name[:4]) < 600:  # noqa: PLR2004 - the last of HTTP's errors
            return int(name)
        if (status := _STATUS_OF_NAME.get(name.casefold())) is not None:
            return status
    return None


def _redirected(status: int, headers: Mapping[str, str]) -> CheckModel | None:
    if not _FIRST_REDIRECT <= status < _FIRST_ERROR:
        return None
    return CheckModel(
        f"Claude's address {elsewhere(status, headers)}",
        "Set CLAUDE_BASE_URL to the address that answers itself, or look at the login page of the proxy in between.",
    )


def _stopping(status: int, said: ErrorText, message: str, model: str) -> CheckModel | None:
    """The error that ends the run, where every further request would meet it too."""
    text = " ".join((*said.names, message))
    if _SPENT_FOR_GOOD.search(text) or (status in (400, 403) and not said.is_page and _SPENT.search(message)):
        return CheckModel(
            f"Claude refuses further requests: {message}",
            "Add credit, or raise the spend limit or the budget, in Anthropic's console or at the gateway; the next "
            "run goes on where this one stopped.",
        )
    if said.is_page and status in (401, 403, _NOT_FOUND, _NOT_ALLOWED):
        return CheckModel(f"{_BETWEEN}: {status}, {_quoted(said)}", _LOOK_BETWEEN)
    if status == _BAD_REQUEST and not _FORM_REFUSED.search(message):
        if not _NO_MODEL.search(message):
            return None
        status = _NOT_FOUND
    if status == _NOT_ALLOWED or (status == _NOT_FOUND and not _names_a_model(said, model)):
        return CheckModel(
            f"There is no Messages API at Claude's address: it answered {status}: {message}",
            "Check CLAUDE_BASE_URL: the address without /v1/messages; and CLAUDE_MODEL.",
        )
    known = _STOPPING.get(status)
    return CheckModel(f"{known[0].format(model=model)}: {message}", known[1]) if known else None


def _names_a_model(said: ErrorText, model: str) -> bool:
    return said.is_anthropic or "model" in said.sentence.casefold() or model.casefold() in said.sentence.casefold()
