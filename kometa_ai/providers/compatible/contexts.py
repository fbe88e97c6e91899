"""Find out whether a question fits into a model's context, and how many items would. Pure.

How many tokens a text has is an estimate. A question is only held back that cannot fit by any tokenizer; whatever else
does not fit, the server says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.errors import CheckModel
from kometa_ai.providers.compatible.messages import count_of, estimated_prompt
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.prices import tokens_in

if TYPE_CHECKING:
    from kometa_ai.providers.port import Request

AT_BEST = 0.75
"""Of an estimated prompt: no tokenizer needs fewer tokens."""
_ANSWERED = 8
"""Tokens that an answer has for each item at least."""
_USUAL = "8,192"
_SHORTEST = 256


def too_large(request: Request, context: int, title: str) -> RequestFailed | CheckModel | None:
    """The failure of a question that cannot fit; of all questions where half of it cannot, either: no more is tried."""
    items = request.movies.count("\n") + 1
    prompt, movies = estimated_prompt(request), tokens_in(request.movies)
    if prompt * AT_BEST + items * _ANSWERED <= context:
        return None
    at_best = (context - (prompt - movies) * AT_BEST) / (movies / items * AT_BEST + _ANSWERED)
    safely = int((context - (prompt - movies)) / (movies / items + _ANSWERED))
    what = f"The context of {request.model!r} at {title}, {context:,} tokens, is too small"
    if items == 1 or safely < 1:
        return CheckModel(f"{what} for any question.", f"Give the model a longer one there, such as {_USUAL} tokens.")
    what = f"{what} for {items} items in a request."
    remedy = f"Set BATCH_SIZE to {safely}, or give the model a longer context there, such as {_USUAL} tokens."
    if at_best < (items + 1) // 2:
        return CheckModel(what, remedy)
    return RequestFailed(Failure.TOO_LARGE, f"{what} {remedy}")


def context_in(body: object) -> int | None:
    """The context that llama.cpp names when it refuses a prompt that is too long for it."""
    error = body.get("error") if isinstance(body, dict) else None
    context = count_of(error, "n_ctx")
    return context if context is not None and context >= _SHORTEST else None
