"""Say what an error of Ollama means: a failure of one request, or a reason to ask nothing more. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.errors import CheckModel
from kometa_ai.providers.error_texts import ErrorText, read_error, shown
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after
from kometa_ai.providers.way_failures import elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOT_OLLAMA = "What answered at Ollama's address is not Ollama: check OLLAMA_HOST."

# The texts are those of Ollama's server, of its runners, and of the llama.cpp server that newer versions run.
_TOO_LONG = re.compile(
    r"longer than the context length|exceeds? the (?:available |maximum )?context|exceed_context_size"
    r"|input length exceeds|context (?:length|size|window) exceeded",
    re.IGNORECASE,
)
_THINKING = re.compile(r"\bthink", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodel\b.{0,200}\bnot found\b|try pulling it first", re.IGNORECASE)
_NO_MEMORY = re.compile(r"requires more (?:system|gpu|video) ?memory", re.IGNORECASE)
_OLD = re.compile(r"cannot unmarshal .{0,80}\bformat\b|invalid format: expected", re.IGNORECASE)
_UNREADABLE = re.compile(r"does not match the expected peg-native format", re.IGNORECASE)
_KINDS = {
    408: Failure.NO_CONNECTION,
    413: Failure.TOO_LARGE,
    429: Failure.RATE_LIMITED,
    503: Failure.OVERLOADED,
}
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED = 400, 404, 405
_SHUT_OUT = frozenset({401, 402, 403})
_FIRST_REDIRECT, _SERVER_ERROR = 300, 500


class Refusal(NamedTuple):
    """What an error is about, as far as it changes how the model is asked."""

    is_too_long: bool = False
    is_about_thinking: bool = False
    is_missing: bool = False


def refusal_of(status: int, body: object, hide: Callable[[str], str]) -> Refusal:
    """Read that from its words: most of Ollama's errors are a status 400 or 500 and a sentence."""
    said = _read(body, hide)
    text = " ".join((said.sentence, *said.names))
    is_too_long = bool(_TOO_LONG.search(text)) and not said.is_page
    return Refusal(
        is_too_long=is_too_long,
        is_about_thinking=status == _BAD_REQUEST and bool(_THINKING.search(text)),
        is_missing=status == _NOT_FOUND and bool(_NO_MODEL.search(text)),
    )


def failure_of(
    status: int, body: object, headers: Mapping[str, str], address: str, hide: Callable[[str], str] = str
) -> RequestFailed | CheckModel:
    """What an error answer means. `hide` takes secrets out of a text."""
    said = _read(body, hide)
    if _FIRST_REDIRECT <= status < _BAD_REQUEST:
        return _redirected(status, headers)
    what = f"Ollama answered {status}: {said.sentence or 'no explanation'}"
    if said.is_page:
        what = f"Something else answers at Ollama's address {address}: {status}, a web page {said.sentence!r}"
    if (stop := _stopping(status, said, what, address)) is not None:
        return stop
    return RequestFailed(_kind(status, said), what, retry_after(headers))


def _kind(status: int, said: ErrorText) -> Failure:
    if not said.is_page and _TOO_LONG.search(" ".join((said.sentence, *said.names))):
        return Failure.TOO_LARGE
    if _UNREADABLE.search(said.sentence):
        return Failure.UNREADABLE
    known = _KINDS.get(status)
    return known or (Failure.SERVER_ERROR if status >= _SERVER_ERROR else Failure.REJECTED)


def _stopping(status: int, said: ErrorText, what: str, address: str) -> CheckModel | None:
    """The error that ends the run, where every further request would meet it too."""
    if status in _SHUT_OUT:
        return CheckModel(
            f"{what.rstrip('.')}.",
            "Let requests pass there. For a model in Ollama's cloud, sign in on Ollama's machine with `ollama signin`.",
        )
    if status in (_NOT_FOUND, _NOT_ALLOWED):
        return CheckModel(
            f"There is no Ollama at {address}: it answered {status}: {said.sentence or 'no explanation'}",
            "Check OLLAMA_HOST, an address such as http://192.168.1.5:11434. Another server is asked with "
            "LLM_PROVIDER=openai and OPENAI_BASE_URL.",
        )
    if _NO_MEMORY.search(said.sentence):
        return CheckModel(
            f"{what.rstrip('.')}.", "Choose a smaller model, or smaller pages with BATCH_SIZE: a context needs memory."
        )
    if status == _BAD_REQUEST and _OLD.search(said.sentence):
        return CheckModel(f"{what.rstrip('.')}.", "Update Ollama: this version knows no JSON schema for answers.")
    return None


def _redirected(status: int, headers: Mapping[str, str]) -> CheckModel:
    return CheckModel(
        f"Ollama's address {elsewhere(status, headers)}",
        "Set OLLAMA_HOST to the address that answers itself, or look at the login page of the proxy in between.",
    )


def _read(body: object, hide: Callable[[str], str]) -> ErrorText:
    """What an error says. Newer versions put the error of their llama.cpp server, as JSON, into the sentence."""
    said = read_error(body)
    if said.sentence.startswith("{"):
        try:
            inner = read_error(json.loads(said.sentence))
        except (ValueError, RecursionError):
            inner = ErrorText("")
        if inner.sentence:
            said = inner._replace(names=(*said.names, *inner.names))
    return said._replace(sentence=shown(said.sentence, hide))
