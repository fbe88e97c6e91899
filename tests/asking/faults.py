"""How every provider words each kind of failure, by the claim about it: it passes, it ends the run, or it is too much.

Under each claim every provider has its own words for what Claude's stand-in can do, and some that only it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.standins import claude_faults, ollama, openai_faults
from kometa_ai.standins.claude_faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.asking.support import Played

_PAGE = "<html><head><title>{0}</title></head><body></body></html>"
_OF_THE_WAY = {
    "gateway timeout": claude_faults.GATEWAY_TIMEOUT,
    "page of a gateway": claude_faults.NOT_JSON,
    "dropped": claude_faults.DROPPED,
    "request timeout": Fault(status=408, message="Request timeout"),
}
"""What proxies and connections do, whoever is behind them."""
_AT_CHAT = {
    **_OF_THE_WAY,
    "rate limited": openai_faults.RATE_LIMITED,
    "rate limited, for how long is not said": Fault(status=429, message="Rate limit reached for requests"),
    "overloaded": openai_faults.OVERLOADED,
    "server error": openai_faults.SERVER_ERROR,
    "conflict": Fault(status=409, message="Conflict"),
    "not to be tried again, it says": Fault(
        status=503, message="The engine is currently overloaded.", headers={"x-should-retry": "false"}
    ),
}
PASSING: Mapping[Played, Mapping[str, Fault]] = {
    "claude": {
        **_OF_THE_WAY,
        "rate limited": claude_faults.rate_limited(1),
        "rate limited, for how long is not said": claude_faults.rate_limited(None),
        "overloaded": claude_faults.OVERLOADED,
        "server error": claude_faults.SERVER_ERROR,
        "conflict": Fault(status=409),
        "not to be tried again, it says": Fault(status=529, headers={"x-should-retry": "false"}),
    },
    "openai": _AT_CHAT,
    "gemini": {
        **_AT_CHAT,
        "rate limited": Fault(
            status=429,
            message="You exceeded your current quota, please check your plan and billing details.",
            details={
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
                "retryDelay": "1s",
            },
        ),
        "overloaded": Fault(status=503, message="The model is overloaded. Please try again later."),
        "server error": Fault(status=500, message="An internal error has occurred. Please retry."),
    },
    "openrouter": {
        **_AT_CHAT,
        "rate limited": openai_faults.inside(429, "Provider returned error", metadata={"provider_name": "Some"}),
        "overloaded": Fault(status=503, message="There is no available model provider that meets your requirements"),
        "server error": openai_faults.inside(502, "Provider returned error", metadata={"raw": "upstream error"}),
    },
    "local": {
        **_AT_CHAT,
        "overloaded": openai_faults.LOADING,
        "server error": Fault(status=500, message="Internal Server Error", error_type="server_error"),
    },
    "ollama": {
        **_OF_THE_WAY,
        "rate limited": Fault(status=429, message="too many requests", headers={"retry-after": "1"}),
        "rate limited, for how long is not said": Fault(status=429, message="too many requests"),
        "overloaded": ollama.BUSY,
        "server error": ollama.CRASHED,
        "not to be tried again, it says": Fault(
            status=503, message="server busy, please try again.", headers={"x-should-retry": "false"}
        ),
    },
}
"""They are waited for, and asked again. Ollama knows no conflict."""

STOPPING: Mapping[Played, Mapping[str, Fault]] = {
    "claude": {
        "bad key": claude_faults.BAD_KEY,
        "not paid": claude_faults.PAYMENT_REQUIRED,
        "not permitted": claude_faults.NOT_PERMITTED,
        "unknown model": claude_faults.UNKNOWN_MODEL,
        "no credit": claude_faults.CREDIT_BALANCE,
        "a limit of one's own": claude_faults.USAGE_LIMITS,
        "a limit of the service": claude_faults.ENFORCED_SPEND_LIMIT,
        "a limit of the contract": claude_faults.CONTRACT_SPEND_LIMIT,
        "on hold": claude_faults.ON_HOLD,
    },
    "openai": {
        "bad key": Fault(status=401, message="Incorrect API key provided: sk-12***.", error_type="invalid_api_key"),
        "not paid": Fault(
            status=429, message="Your account is not active, check your billing.", error_type="billing_not_active"
        ),
        "not permitted": openai_faults.NOT_PERMITTED,
        "unknown model": Fault(
            status=404, message="The model `gpt-6-luna` does not exist.", error_type="model_not_found"
        ),
        "no credit": openai_faults.INSUFFICIENT_QUOTA,
        "a limit of one's own": Fault(
            status=400, message="Billing hard limit has been reached", error_type="billing_hard_limit_reached"
        ),
        "a limit of the service": Fault(
            status=429,
            message="Rate limit reached for gpt-6-luna on requests per day (RPD): Limit 200, Used 200, Requested 1.",
            error_type="rate_limit_exceeded",
        ),
        "on hold": Fault(
            status=401, message="The account of this API key has been deactivated.", error_type="account_deactivated"
        ),
    },
    "gemini": {
        "bad key": Fault(
            status=400, message="API key not valid.", details={"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        ),
        "not permitted": Fault(status=403, message="Your API key was reported as leaked. Please use another one."),
        "not served here": Fault(status=400, message="User location is not supported for the API use."),
        "unknown model": Fault(status=404, message="models/gemini-3.5-flash-lite is not found for API version v1main."),
        "a limit of the service": openai_faults.DAY_IS_FULL,
        "on hold": Fault(status=403, message="Permission denied: Consumer 'api_key:1' has been suspended."),
    },
    "openrouter": {
        "bad key": Fault(status=401, message="User not found."),
        "not permitted": Fault(status=403, message="This model is not available for your key."),
        "unknown model": Fault(status=400, message="anthropic/claude-haiku-5.5 is not a valid model ID"),
        "no host": Fault(status=404, message="No endpoints found for anthropic/claude-haiku-5.5."),
        "no credit": openai_faults.NO_CREDITS,
        "no credit, said late": openai_faults.inside(402, "Insufficient credits"),
        "a limit of one's own": Fault(status=403, message="Key limit exceeded. Manage it using the web site."),
        "a limit of the service": Fault(status=429, message="Rate limit exceeded: free-models-per-day"),
    },
    "local": {
        "bad key": Fault(status=401, message="Invalid API Key", error_type="authentication_error"),
        "not permitted": Fault(status=403, message="Forbidden"),
        "unknown model": openai_faults.plain(404, "model 'qwen3-14b-q4.gguf' not found"),
        "no model": openai_faults.plain(400, "No models loaded. Please load a model first."),
        "a limit of one's own": Fault(status=400, message="Budget has been exceeded! Current cost: 5.1, Max: 5.0"),
        "log-in page": Fault(status=200, raw=_PAGE.format("Log in")),
    },
    "ollama": {
        "bad key": ollama.UNAUTHORIZED,
        "not paid": Fault(status=402, message="this model requires a subscription, upgrade for access"),
        "not permitted": Fault(status=403, message="you don't have access to this model"),
        "unknown model": Fault(status=404, message="model 'qwen3:14b' not found"),
        "no memory": ollama.NO_MEMORY,
        "too old": Fault(
            status=400,
            message="json: cannot unmarshal object into Go struct field ChatRequest.format of type string",
        ),
    },
}
"""Every request would meet them, and the run ends."""

_TOO_LARGE = {"too large": claude_faults.TOO_LARGE, "too large at the edge": claude_faults.TOO_LARGE_AT_THE_EDGE}
UNFIT: Mapping[Played, Mapping[str, Fault]] = {
    "claude": {**_TOO_LARGE, "prompt too long": Fault(status=400, message="prompt is too long")},
    "openai": {
        **_TOO_LARGE,
        "prompt too long": openai_faults.TOO_LONG,
        "larger than a limit": openai_faults.LARGER_THAN_THE_LIMIT,
        "moderated": openai_faults.CONTENT_FILTER,
    },
    "gemini": {
        **_TOO_LARGE,
        "prompt too long": Fault(
            status=400, message="The input token count (9) exceeds the maximum number of tokens allowed (8)."
        ),
    },
    "openrouter": {**_TOO_LARGE, "prompt too long": openai_faults.TOO_LONG, "moderated": openai_faults.MODERATED},
    "local": {**_TOO_LARGE, "garbled": openai_faults.GARBLED},
    "ollama": {
        **_TOO_LARGE,
        "garbled": Fault(status=500, message="The model's output does not match the expected peg-native format"),
    },
}
"""A smaller request does not meet them. What a server at home says of its context is in the tests of its adapter."""


def cases(faults: Mapping[Played, Mapping[str, Fault]]) -> list[tuple[Played, str]]:
    """Each provider with the name of each of its faults, for a parametrized test."""
    return [(played, name) for played, named in faults.items() for name in named]
