"""List the models of the Claude stand-in, with prices, cache minimum and thinking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
THINKING_OFF = ("between_tools", "disabled")


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model. `id` is the name in its answers, which for an alias differs from the name in the request.

    `min_cache_tokens` is the shortest prompt prefix that it caches; `thinking` the types that a request may name;
    `thinks` says whether it thinks if the request does not mention it; `default_effort` is empty for a model without
    effort.
    """

    id: str
    display_name: str
    line: str
    created_at: str
    max_input_tokens: int
    max_tokens: int
    min_cache_tokens: int
    thinking: frozenset[str]
    thinks: bool
    default_effort: str
    forced_tools: bool = False
    prefill: bool = False
    lifecycle: Literal["active", "deprecated", "retired"] = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None

    def info(self) -> dict[str, Any]:
        """The model as `GET /v1/models/{id}` describes it."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.display_name,
            "line": self.line,
            "created_at": self.created_at,
            "lifecycle": self.lifecycle,
            "deprecated_at": self.deprecated_at,
            "retires_at": self.retires_at,
            "max_input_tokens": self.max_input_tokens,
            "max_tokens": self.max_tokens,
            "capabilities": self._capabilities(),
        }

    def _capabilities(self) -> dict[str, Any]:
        efforts = {name: _support(supported=bool(self.default_effort)) for name in EFFORTS}
        types = {name: _support(supported=name in self.thinking) for name in THINKING_TYPES}
        return {
            "batch": _SUPPORTED,
            "citations": _SUPPORTED,
            "code_execution": _SUPPORTED,
            "context_management": {"supported": True},
            "effort": {"supported": bool(self.default_effort), **efforts},
            "image_input": _SUPPORTED,
            "pdf_input": _SUPPORTED,
            "server_tools": {"supported": True, "web_search": _SUPPORTED, "code_execution": _SUPPORTED},
            "structured_outputs": _SUPPORTED,
            "thinking": {"supported": True, "types": types},
        }


def _support(*, supported: bool) -> dict[str, bool]:
    return {"supported": supported}


_SUPPORTED = _support(supported=True)


_HAIKU_5_5 = Model(
    id="claude-haiku-5-5",
    display_name="Claude Haiku 5.5",
    line="haiku",
    created_at="2026-10-07T00:00:00Z",
    max_input_tokens=1_000_000,
    max_tokens=128_000,
    min_cache_tokens=512,
    thinking=frozenset({"adaptive", "disabled"}),
    thinks=True,
    default_effort="medium",
    forced_tools=True,
)
_SONNET_5_5 = Model(
    id="claude-sonnet-5-5",
    display_name="Claude Sonnet 5.5",
    line="sonnet",
    created_at="2026-09-28T00:00:00Z",
    max_input_tokens=1_000_000,
    max_tokens=128_000,
    min_cache_tokens=512,
    thinking=frozenset({"adaptive", "between_tools"}),
    thinks=True,
    default_effort="high",
)
_OPUS_5_5 = Model(
    id="claude-opus-5-5",
    display_name="Claude Opus 5.5",
    line="opus",
    created_at="2026-09-22T00:00:00Z",
    max_input_tokens=1_000_000,
    max_tokens=128_000,
    min_cache_tokens=512,
    thinking=frozenset({"adaptive"}),
    thinks=True,
    default_effort="medium",
)
_HAIKU_4_5 = Model(
    id="claude-haiku-4-5-20251001",
    display_name="Claude Haiku 4.5",
    line="haiku",
    created_at="2025-10-01T00:00:00Z",
    max_input_tokens=200_000,
    max_tokens=64_000,
    min_cache_tokens=4_096,
    thinking=frozenset({"disabled", "enabled"}),
    thinks=False,
    default_effort="",
    forced_tools=True,
    prefill=True,
)
_SONNET_4_5 = Model(
    id="claude-sonnet-4-5-20250929",
    display_name="Claude Sonnet 4.5",
    line="sonnet",
    created_at="2025-09-29T00:00:00Z",
    max_input_tokens=200_000,
    max_tokens=64_000,
    min_cache_tokens=1_024,
    thinking=frozenset({"disabled", "enabled"}),
    thinks=False,
    default_effort="",
    forced_tools=True,
    prefill=True,
    lifecycle="deprecated",
    deprecated_at="2026-09-28T00:00:00Z",
    retires_at="2026-11-30T00:00:00Z",
)

# By the name in requests; Anthropic's API documentation, "Models overview". The 5.5 names have no dated form.
MODELS: Mapping[str, Model] = {
    "claude-sonnet-5-5": _SONNET_5_5,
    "claude-haiku-5-5": _HAIKU_5_5,
    "claude-opus-5-5": _OPUS_5_5,
    "claude-haiku-4-5": _HAIKU_4_5,
    "claude-haiku-4-5-20251001": _HAIKU_4_5,
    "claude-sonnet-4-5": _SONNET_4_5,
    "claude-sonnet-4-5-20250929": _SONNET_4_5,
}
