"""What Claude's errors mean for a run: a failure of this request, or a reason to ask nothing more."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from kometa_ai.classifier.provider import Failure, RequestFailed
from kometa_ai.core.text import one_line
from kometa_ai.errors import CheckClaude

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Messages are all that tells a spent credit and a reached spend limit from an ordinary bad request: both are 400.
_CREDIT = re.compile(r"credit balance|usage limits|organization.{0,20}(on hold|disabled)|billing", re.IGNORECASE)
_SPENT = re.compile(r"enforced_spend_limit|contract_spend_limit|organization_on_hold")
_FORM_REFUSED = re.compile(r"schema|grammar|output_config|output format|\beffort\b|\bthinking\b", re.IGNORECASE)

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error that comes within an answer, under status 200, would have had for a status of its own."""
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
    402: ("Claude asks for payment", "Check the billing in Anthropic's console."),
    403: ("The key may not use the model {model!r}", "Check CLAUDE_MODEL and the key's workspace."),
    404: ("Claude knows no model {model!r}", "Check CLAUDE_MODEL and CLAUDE_BASE_URL."),
}
_LONGEST = 300
_BAD_REQUEST, _FIRST_ERROR, _SERVER_ERROR = 400, 400, 500


def failure_of(
    status: int, body: object, headers: Mapping[str, str], model: str, redact: Callable[[str], str] = str
) -> RequestFailed | CheckClaude:
    """What an error answer means; one that broke off an answer under status 200 goes by the type it names.

    `redact` hides secrets in what it says, before that is cut.
    """
    inner = _inner(body)
    is_late = status < _FIRST_ERROR
    if is_late:
        status = _STATUS_OF_TYPE.get(str(inner.get("type")), _SERVER_ERROR)
    message = one_line(redact(str(inner.get("message") or "no explanation")), _LONGEST)
    stop = _stopping(status, message, _codes(inner), model)
    if stop is not None:
        return stop
    failure = _FAILURES.get(status)
    if failure is None:
        failure = Failure.SERVER_ERROR if status >= _SERVER_ERROR else Failure.REJECTED
    what = f"Claude broke off its answer: {message}" if is_late else f"Claude answered {status}: {message}"
    # What was answered until then is likely to be billed, and nobody says how much it was.
    return RequestFailed(failure, what, _retry_after(headers), may_be_billed=is_late)


def lost(why: object, *, may_be_billed: bool) -> RequestFailed:
    """The failure where the connection failed."""
    what = "Claude's answer was lost" if may_be_billed else "Claude could not be reached"
    return RequestFailed(Failure.NO_CONNECTION, f"{what}: {why}", may_be_billed=may_be_billed)


def not_claude() -> RequestFailed:
    """The failure where something else has answered."""
    return RequestFailed(
        Failure.UNREADABLE,
        "What answered at Claude's address is not Claude: check CLAUDE_BASE_URL.",
        may_be_billed=True,
    )


def _stopping(status: int, message: str, codes: str, model: str) -> CheckClaude | None:
    """The error that ends the run, where every further request would meet it too."""
    if _SPENT.search(f"{codes} {message}") or (status in (400, 403) and _CREDIT.search(message)):
        return CheckClaude(
            f"Claude refuses further requests: {message}",
            "Add credit or raise the spend limit in Anthropic's console; the next run goes on where this one stopped.",
        )
    if status == _BAD_REQUEST and not _FORM_REFUSED.search(message):
        return None
    known = _STOPPING.get(status)
    return CheckClaude(f"{known[0].format(model=model)}: {message}", known[1]) if known else None


def _codes(inner: Mapping[str, Any]) -> str:
    """Every name that the error gives itself; gateways put the code elsewhere than Anthropic does."""
    details = inner.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return f"{code} {inner.get('type')} {inner.get('code')}"


def _inner(body: object) -> dict[str, Any]:
    inner = body.get("error") if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that Claude asks us to wait; HTTP lets it name a date instead."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return None if math.isnan(seconds) else max(0.0, seconds)
