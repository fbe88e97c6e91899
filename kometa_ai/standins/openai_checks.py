"""Refuse what services that speak Chat Completions refuse, each in its own words and its own form.

From OpenAI's documentation and SDK, and from errors that users report of Gemini, OpenRouter and llama.cpp.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from kometa_ai.standins.claude_wire import encode
from kometa_ai.standins.openai_models import ChatModel, Face
from kometa_ai.standins.openai_schema import strict_problem

_BY_STATUS = {
    400: ("invalid_request_error", "INVALID_ARGUMENT"),
    401: ("invalid_request_error", "UNAUTHENTICATED"),
    403: ("permission_error", "PERMISSION_DENIED"),
    404: ("invalid_request_error", "NOT_FOUND"),
    429: ("rate_limit_error", "RESOURCE_EXHAUSTED"),
    503: ("service_unavailable_error", "UNAVAILABLE"),
}
_OF_CHAT = frozenset(
    {"model", "messages", "response_format", "max_tokens", "reasoning_effort", "temperature", "stream"}
)
_FIELDS: Mapping[Face, frozenset[str]] = {
    "gemini": _OF_CHAT,
    "openai": _OF_CHAT
    | {
        "max_completion_tokens",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "safety_identifier",
        "seed",
        "service_tier",
        "store",
        "top_p",
    },
}
"""Of services that refuse what they do not know."""


class ChatError(Exception):
    """A refusal. `reasons` are why an input was moderated (OpenRouter), `details` what Gemini adds."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str = "",
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.kind = kind
        self.param = param
        self.headers = dict(headers or {})
        self.details = dict(details or {})

    def body(self, face: Face) -> Any:  # noqa: ANN401 - any JSON
        """The error as the service writes it."""
        kind, state = _BY_STATUS.get(self.status, ("server_error", "INTERNAL"))
        match face:
            case "gemini":
                details = (
                    [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **self.details}] if self.details else []
                )
                state = self.kind or state
                return [{"error": {"code": self.status, "message": self.message, "status": state, "details": details}}]
            case "openrouter":
                metadata = {"metadata": self.details} if self.details else {}
                return {"error": {"code": self.status, "message": self.message, **metadata}, "user_id": "user_1"}
            case "local":
                named = {"code": self.status, "message": self.message, "type": self.kind or kind}
                return {"error": named | self.details}
        error = {"message": self.message, "type": self.kind or kind, "param": self.param, "code": self.code}
        return {"error": error | self.details}


def check_key(headers: Mapping[str, str], api_key: str | None, face: Face) -> None:
    """Raise ChatError unless the call carries the key (None: any, or none)."""
    if api_key is None:
        return
    scheme, _, offered = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(offered.strip().encode(), api_key.encode()):
        return
    match face:
        case "gemini":
            message = "API key not valid. Please pass a valid API key."
            raise ChatError(400, message, details={"reason": "API_KEY_INVALID", "domain": "googleapis.com"})
        case "openrouter":
            raise ChatError(401, "No auth credentials found" if not offered else "User not found.")
        case "local":
            raise ChatError(401, "Invalid API Key", kind="authentication_error")
    raise ChatError(401, f"Incorrect API key provided: {offered[:8]}****.", code="invalid_api_key")


def find_model(name: object, models: Mapping[str, ChatModel], face: Face) -> ChatModel:
    """The model of that name. Raises ChatError if there is none; llama.cpp has one, whatever it is called."""
    if face == "local":
        return next(iter(models.values()))
    model = models.get(str(name))
    if model is not None:
        return model
    match face:
        case "gemini":
            raise ChatError(404, f"models/{name} is not found for API version v1main, or is not supported.")
        case "openrouter":
            raise ChatError(400, f"{name} is not a valid model ID")
    message = f"The model `{name}` does not exist or you do not have access to it."
    raise ChatError(404, message, code="model_not_found")


def check_shape(body: Mapping[str, Any]) -> None:
    """Raise ChatError unless the request has a model, and messages of texts."""
    messages = body.get("messages")
    if not isinstance(body.get("model"), str) or not isinstance(messages, list) or not messages:
        raise ChatError(400, "you must provide a model and messages")
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        pieces = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for piece in pieces:
            if not isinstance(piece, dict) or piece.get("type") != "text" or not isinstance(piece.get("text"), str):
                raise ChatError(400, "Invalid value for 'content': expected a string or a list of texts.")


def check_request(body: Mapping[str, Any], model: ChatModel, face: Face) -> None:
    """Raise ChatError for what the service refuses of a request."""
    check_shape(body)
    for name in body.keys() - _FIELDS.get(face, body.keys()):
        if face == "gemini":
            raise ChatError(400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        raise ChatError(400, f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    _check_effort(body, model, face)
    if face == "openai":
        _check_openai(body, model)
    if face == "gemini" and any("cache" in encode(message).decode() for message in body["messages"]):
        raise ChatError(400, 'Invalid JSON payload received. Unknown name "prompt_cache_breakpoint".')


def _check_effort(body: Mapping[str, Any], model: ChatModel, face: Face) -> None:
    effort = body.get("reasoning_effort")
    if effort is None or effort in model.efforts or face == "local":
        return
    if face == "gemini":
        raise ChatError(400, f"Thinking level {effort} is not supported for this model.")
    if not model.efforts:
        message = "Unsupported parameter: 'reasoning_effort' is not supported with this model."
        raise ChatError(400, message, code="unsupported_parameter", param="reasoning_effort")
    message = (
        f"Unsupported value: 'reasoning_effort' does not support '{effort}' with this model. Supported values are: "
        f"{', '.join(map(repr, model.efforts))}."
    )
    raise ChatError(400, message, code="unsupported_value", param="reasoning_effort")


def _check_openai(body: Mapping[str, Any], model: ChatModel) -> None:
    if "max_tokens" in body and model.efforts:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise ChatError(400, message, code="unsupported_parameter", param="max_tokens")
    length = body.get("max_completion_tokens", body.get("max_tokens", 1))
    if length > model.longest:
        message = f"max_tokens is too large: {length}. This model supports at most {model.longest} completion tokens."
        raise ChatError(400, message, code="invalid_value", param="max_tokens")
    if "temperature" in body and model.efforts and body.get("reasoning_effort") != "none":
        message = "Unsupported value: 'temperature' does not support 0 with this model."
        raise ChatError(400, message, code="unsupported_value", param="temperature")
    _check_cache(body, model)
    output = body.get("response_format") or {}
    if output.get("type") == "json_schema" and output["json_schema"].get("strict"):
        problem = strict_problem(encode(output["json_schema"].get("schema")))
        if problem:
            message = f"Invalid schema for response_format '{output['json_schema'].get('name')}': {problem}"
            raise ChatError(400, message, param="response_format")


def _check_cache(body: Mapping[str, Any], model: ChatModel) -> None:
    options = body.get("prompt_cache_options")
    marks = encode(body["messages"]).decode().count('"prompt_cache_breakpoint"')
    if model.caching != "explicit" and (options or marks):
        name = "prompt_cache_options" if options else "prompt_cache_breakpoint"
        raise ChatError(400, f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
    if options and options.get("ttl", "30m") != "30m":
        raise ChatError(400, "Invalid value for 'prompt_cache_options.ttl'.", param="prompt_cache_options.ttl")
    if marks > 4:  # noqa: PLR2004 - OpenAI's limit
        raise ChatError(400, "At most 4 prompt_cache_breakpoint are allowed.", param="messages")
