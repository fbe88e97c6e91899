"""Define failures of calls to Claude, to be queued for calls; worded as in Anthropic's API documentation."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import msgspec
from starlette.responses import Response

from kometa_ai.standins.claude_log import Predicate, RequestRecord, Rules
from kometa_ai.standins.claude_wire import ApiError, DroppedConnection, event

MESSAGES = "/v1/messages"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to a call instead of (or, with `status` None, before) its regular answer.

    `delay` is in seconds. `drop` closes the connection within the answer. `raw` is sent as the body, for answers that
    are not JSON. `afterwards` carries the call out first, so that only its answer is lost. `mid_stream` begins a
    streamed answer regularly and breaks it off: with the error as an event, with the end of the connection, with `raw`,
    or (`status` None) with nothing at all; a call that is not streamed gets an ordinary fault.
    """

    status: int | None = 500
    error_type: str = ""
    message: str = "Internal server error"
    details: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    delay: float = 0.0
    drop: bool = False
    raw: str | None = None
    mid_stream: bool = False
    afterwards: bool = False

    def error(self) -> ApiError | None:
        """The error to answer with; None if the call is only delayed or has another answer."""
        if self.status is None or self.drop or self.raw is not None:
            return None
        return ApiError(
            self.status, self.message, error_type=self.error_type, details=self.details, headers=self.headers
        )

    def response(self) -> Response | None:
        """The answer to send; None if there is an error to send, or only a delay."""
        if self.drop:
            return DroppedConnection()
        if self.raw is None:
            return None
        headers = {"content-type": "text/html; charset=UTF-8", **self.headers}
        return Response(self.raw, self.status or 200, headers)

    def breaks_off(self, request_id: str) -> bytes:
        """The last bytes of a stream that this fault breaks off."""
        error = self.error()
        if error is not None:
            return event(error.body(request_id))
        return (self.raw or "").encode()


CREDIT_BALANCE = Fault(
    status=400,
    message="Your credit balance is too low to access the Anthropic API. "
    "Please go to Plans & Billing to upgrade or purchase credits.",
)
USAGE_LIMITS = Fault(
    status=400,
    message="You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
)
ON_HOLD = Fault(
    status=400, message="This organization has been disabled.", details={"error_code": "organization_on_hold"}
)
BAD_KEY = Fault(status=401, message="invalid x-api-key")
PAYMENT_REQUIRED = Fault(
    status=402,
    message="The linked organization's billing is not available.",
    details={"error_code": "linked_organization_billing_unavailable"},
)
NOT_PERMITTED = Fault(status=403, message="Your API key does not have permission to use the specified resource.")
UNKNOWN_MODEL = Fault(status=404, message="model: claude-unknown")
TOO_LARGE = Fault(status=413, message="Request exceeds the maximum size")
TOO_LARGE_AT_THE_EDGE = Fault(
    status=413, raw="<html><head><title>413 Request Entity Too Large</title></head><body></body></html>"
)
ENFORCED_SPEND_LIMIT = Fault(
    status=429,
    message="Your organization has reached its monthly API usage threshold.",
    details={"error_code": "enforced_spend_limit_reached"},
)
CONTRACT_SPEND_LIMIT = Fault(
    status=429,
    message="Your organization has reached the spend limit of its contract.",
    details={"error_code": "contract_spend_limit_reached"},
)
SERVER_ERROR = Fault(status=500)
UNAVAILABLE = Fault(status=503, message="Service unavailable")
GATEWAY_TIMEOUT = Fault(status=504, message="Gateway timeout")
OVERLOADED = Fault(status=529, message="Overloaded")
DROPPED = Fault(drop=True)
NOT_JSON = Fault(status=502, raw="<html><head><title>502 Bad Gateway</title></head><body></body></html>")

NAMED_FAULTS = {
    "credit_balance": CREDIT_BALANCE,
    "usage_limits": USAGE_LIMITS,
    "on_hold": ON_HOLD,
    "bad_key": BAD_KEY,
    "payment_required": PAYMENT_REQUIRED,
    "not_permitted": NOT_PERMITTED,
    "unknown_model": UNKNOWN_MODEL,
    "too_large": TOO_LARGE,
    "too_large_at_the_edge": TOO_LARGE_AT_THE_EDGE,
    "enforced_spend_limit": ENFORCED_SPEND_LIMIT,
    "contract_spend_limit": CONTRACT_SPEND_LIMIT,
    "server_error": SERVER_ERROR,
    "unavailable": UNAVAILABLE,
    "gateway_timeout": GATEWAY_TIMEOUT,
    "overloaded": OVERLOADED,
    "dropped": DROPPED,
    "not_json": NOT_JSON,
}


def rate_limited(retry_after: float | None = 1) -> Fault:
    """A 429 that asks for a pause of `retry_after` seconds (None: without the header)."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return Fault(
        status=429, message="This request would exceed your organization's rate limit of tokens.", headers=headers
    )


def slow(seconds: float) -> Fault:
    """The regular answer, but late."""
    return Fault(status=None, delay=seconds)


def mid_stream(fault: Fault) -> Fault:
    """`fault` in the middle of a streamed answer that began with 200."""
    return msgspec.structs.replace(fault, mid_stream=True)


class FaultOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /_fake/faults`: a fault by `name` or in full, and the calls that it is for."""

    name: str = ""
    fault: Fault | None = None
    times: int | None = 1
    path: str = ""
    contains: str = ""


class Faults:
    """Faults that wait for their calls. The oldest that matches a call is applied to it.

    They are for calls of `usual_path`, where the service is asked questions, unless another path is given.
    """

    def __init__(self, usual_path: str = MESSAGES) -> None:
        self._rules: Rules[Fault] = Rules()
        self._usual_path = usual_path

    def __len__(self) -> int:
        return len(self._rules)

    def add(
        self,
        fault: Fault,
        *,
        times: int | None = 1,
        path: str = "",
        contains: str = "",
        when: Predicate | None = None,
    ) -> None:
        """Queue `fault` for the next `times` calls (None: all) that satisfy every given condition.

        `path` is a shell pattern (`*` for any call); `contains` is text of the collection's block.
        """
        wanted = path or self._usual_path

        def matches(record: RequestRecord) -> bool:
            return (
                fnmatchcase(record.path, wanted)
                and contains in record.collection_text
                and (when is None or when(record))
            )

        self._rules.add(fault, times=times, when=matches)

    def order(self, body: bytes) -> None:
        """Queue the fault of a `POST /_fake/faults`. Raises ApiError (400) if it cannot be understood."""
        try:
            order = msgspec.json.decode(body, type=FaultOrder)
        except msgspec.DecodeError as error:
            raise ApiError(400, f"not a fault: {error}") from error
        fault = order.fault or NAMED_FAULTS.get(order.name)
        if fault is None:
            raise ApiError(400, f"no fault named {order.name!r}; there are {', '.join(NAMED_FAULTS)}")
        self.add(fault, times=order.times, path=order.path, contains=order.contains)

    def take(self, record: RequestRecord) -> Fault | None:
        """Take the fault for this call, or None."""
        return self._rules.take(record)

    def clear(self) -> None:
        """Remove all faults."""
        self._rules.clear()
