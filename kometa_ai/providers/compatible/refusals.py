"""Find out from a refusal what of a request a service does not take, and ask without it from then on. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.providers.compatible.services import ROOM

if TYPE_CHECKING:
    from kometa_ai.providers.compatible.services import Manner

_EFFORT = re.compile(r"reasoning[_. ]effort|thinking[_ ](?:level|budget)", re.IGNORECASE)
_OFFERED = re.compile(
    r"support\w{0,5} values.{0,200}|input should be.{0,200}|one of.{0,200}", re.IGNORECASE | re.DOTALL
)
_EFFORTS = ("none", "minimal", "low", "medium", "high")
_SCHEMA = re.compile(
    r"response_?(?:format|schema|json)|json_schema|json_object|\bschema\b|grammar|structured output", re.IGNORECASE
)
_NO_ROUTE = re.compile(r"no endpoints found.{0,80}(?:parameters|support)", re.IGNORECASE)
_PARTS = re.compile(
    r"prompt_cache_breakpoint|cache_control|content.{0,60}(?:must|should) be a? ?(?:valid )?string", re.IGNORECASE
)
_LIMIT = re.compile(r"max_(?:completion_|output_)?tokens|in the completion|(?:completion|output) tokens", re.IGNORECASE)


def without(manner: Manner, said: str) -> tuple[Manner, str] | None:
    """How to ask after a refusal in these words, and what is left out for it; None where it is not about the form."""
    if manner.effort and _EFFORT.search(said):
        effort = _offered_effort(said, manner.effort)
        what = f"reasoning_effort {manner.effort!r}" + (f" (from now on {effort!r})" if effort else "")
        return _changed(manner, effort=effort, room=ROOM), what
    if not manner.is_other_field and (other := _other_limit_field(manner.limit_field, said)):
        return _changed(manner, limit_field=other, is_other_field=True), manner.limit_field
    if manner.marker and _PARTS.search(said):
        return _changed(manner, marker="", fields=manner.fields - {"prompt_cache_options"}), "the mark for the cache"
    named = next((name for name in sorted(manner.fields) if name in said), "")
    if named:
        return _changed(manner, fields=manner.fields - {named}), named
    if manner.schema != "none" and (_SCHEMA.search(said) or _NO_ROUTE.search(said)):
        offers_object = manner.schema == "json_schema" and "json_object" in said
        what = "the answer's schema" if manner.schema == "json_schema" else "JSON as the answer's form"
        return _changed(manner, schema="json_object" if offers_object else "none"), what
    return None


def without_limit(manner: Manner, said: str) -> tuple[Manner, str] | None:
    """How to ask where it is the length of the answer that a service finds too large."""
    if manner.limit_field and _LIMIT.search(said):
        return _changed(manner, limit_field="", room=0), manner.limit_field
    return None


def _changed(manner: Manner, **changes: object) -> Manner:
    return msgspec.structs.replace(manner, **changes)


def _offered_effort(said: str, refused: str) -> str:
    """The lowest effort above the refused one that a refusal offers; empty where it names none."""
    found = _OFFERED.search(said)
    words = re.findall(r"[a-z]{1,20}", found[0].casefold()) if found else []
    more = _EFFORTS[_EFFORTS.index(refused) + 1 :] if refused in _EFFORTS else ()
    return next((effort for effort in more if effort in words), "")


def _other_limit_field(sent: str, said: str) -> str:
    """The other name of the answer's length, where a refusal asks for it."""
    other = "max_tokens" if sent == "max_completion_tokens" else "max_completion_tokens"
    asks = re.search(r"\buse\b|instead|unsupported|not supported", said, re.IGNORECASE)
    if sent == "max_tokens":
        return other if asks and other in said else ""
    unknown = re.search(r"unknown|unrecognized|extra|not permitted|unsupported|not supported", said, re.IGNORECASE)
    return other if unknown and sent in said else ""
