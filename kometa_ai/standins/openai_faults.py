"""Define failures of calls to services that speak Chat Completions, worded as each service words them."""

from __future__ import annotations

import json

from kometa_ai.standins.claude_faults import Fault

QUESTIONS = "*/chat/completions"

INSUFFICIENT_QUOTA = Fault(
    status=429,
    message="You exceeded your current quota, please check your plan and billing details.",
    error_type="insufficient_quota",
)
RATE_LIMITED = Fault(
    status=429,
    message="Rate limit reached for gpt-6-luna on requests per min (RPM): Limit 500, Used 500, Requested 1.",
    error_type="rate_limit_exceeded",
    headers={"retry-after": "1"},
)
LARGER_THAN_THE_LIMIT = Fault(
    status=429,
    message="Request too large for gpt-6-luna on tokens per min (TPM): Limit 30000, Requested 40000.",
    error_type="rate_limit_exceeded",
)
NO_ROOM_FOR_FLEX = Fault(
    status=429, message="Resource unavailable, please try again.", error_type="resource_unavailable"
)
OVERLOADED = Fault(status=503, message="The engine is currently overloaded, please try again later.")
SERVER_ERROR = Fault(status=500, message="The server had an error while processing your request.")
TOO_LONG = Fault(
    status=400,
    message="This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    error_type="context_length_exceeded",
)
NOT_PERMITTED = Fault(status=403, message="You are not allowed to sample from this model.")
CONTENT_FILTER = Fault(
    status=400,
    message="The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
    error_type="content_filter",
)
DAY_IS_FULL = Fault(
    status=429,
    message="You exceeded your current quota, please check your plan and billing details.",
    details={
        "reason": "RATE_LIMIT_EXCEEDED",
        "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier", "quotaValue": "20"}],
    },
)
MINUTE_IS_FULL = Fault(
    status=429,
    message="You exceeded your current quota, please check your plan and billing details.",
    details={
        "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
        "retryDelay": "34s",
    },
)
MODERATED = Fault(
    status=403,
    message="Your input was flagged",
    details={"reasons": ["violence"], "flagged_input": "…insufficient credits…", "provider_name": "Some"},
)
NO_CREDITS = Fault(status=402, message="This request requires more credits, or fewer max_tokens.")
GARBLED = Fault(status=500, message="The model's output does not match the expected peg-native format")
LOADING = Fault(status=503, message="Loading model", error_type="unavailable_error")


def inside(code: int | str, message: str, **more: object) -> Fault:
    """An error under status 200, as OpenRouter's once it has begun to answer."""
    body = json.dumps({"error": {"code": code, "message": message, **more}, "user_id": "user_1"})
    return Fault(status=200, raw=body, headers={"content-type": "application/json"})


def plain(status: int, message: str) -> Fault:
    """An error that is a plain text, as LM Studio's."""
    body = json.dumps({"error": message})
    return Fault(status=status, raw=body, headers={"content-type": "application/json"})
