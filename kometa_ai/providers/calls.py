"""Time one call to a provider, and write its line in the log when it has ended (`Call`)."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import structlog

from kometa_ai.providers.port import RequestFailed, Usage

if TYPE_CHECKING:
    import httpx2

    from kometa_ai.errors import CheckModel

_log = structlog.get_logger()


class Call:
    """One call to a provider: what it is `about`, what came of it, how long it took.

    `event` names its line in the log. `details` are further fields of that line.
    """

    def __init__(self, event: str, **about: str) -> None:
        self.outcome = "cancelled"
        self.usage = Usage()
        self.response: httpx2.Response | None = None
        self.details: dict[str, object] = {}
        self._event = event
        self._about = about
        self._started = perf_counter()

    @property
    def is_question(self) -> bool:
        """Whether a model is asked."""
        return "model" in self._about

    def failed(self, failure: RequestFailed | CheckModel) -> RequestFailed | CheckModel:
        """Note why there is no answer."""
        self.outcome = failure.failure if isinstance(failure, RequestFailed) else "stopped"
        self.details["why"] = str(failure)
        return failure

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return perf_counter() - self._started

    def log(self) -> None:
        """Write the line."""
        details = dict(self.details)
        if (response := self.response) is not None:
            headers = response.headers
            details |= {
                "status": response.status_code,
                "request_id": headers.get("request-id") or headers.get("x-request-id"),
                "request_bytes": int(response.request.headers.get("content-length", 0)),
                # The results of a batch are read later.
                "response_bytes": response.num_bytes_downloaded if response.is_closed else None,
            }
        if self.usage.requests:
            details |= {
                "input_tokens": self.usage.input_tokens,
                "cache_read_tokens": self.usage.cache_read_tokens,
                "cache_write_tokens": self.usage.cache_write_tokens,
                "output_tokens": self.usage.output_tokens,
            }
        milliseconds = round(self.seconds * 1000)
        _log.debug(self._event, **self._about, outcome=self.outcome, milliseconds=milliseconds, **details)
