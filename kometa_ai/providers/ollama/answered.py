"""Read what Ollama has answered to a call, and what that means where it is an error (`Answered`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog

from kometa_ai.providers.ollama.failures import Refusal, failure_of, refusal_of
from kometa_ai.providers.way_failures import refused_by_proxy

if TYPE_CHECKING:
    import httpx2

    from kometa_ai.errors import CheckModel
    from kometa_ai.network.failures import Way
    from kometa_ai.providers.port import RequestFailed

OK = 200
_log = structlog.get_logger()


class Answered:
    """An HTTP answer: its status and its body, as JSON where it is some."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        try:
            self.body: Any = json.loads(response.content)
        except (ValueError, RecursionError):
            self.body = response.text

    def refusal(self, way: Way) -> Refusal:
        """What it is about, where it is an error."""
        return refusal_of(self.status, self.body, way.hide)

    def failure(self, way: Way) -> RequestFailed | CheckModel:
        """What it means, where it is an error: of the proxy on the way, of Ollama or of what stands in for it."""
        status = 500 if self.status == OK else self.status
        by_proxy = refused_by_proxy(way, self.status, self.body, self.headers)
        return by_proxy or failure_of(status, self.body, self.headers, way.address, way.hide)
