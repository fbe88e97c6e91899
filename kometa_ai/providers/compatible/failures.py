"""Translate the errors of services that speak Chat Completions: a failure of one request, or a reason to ask no more.

Their bodies are objects, lists (Gemini), plain texts (LM Studio) or pages, and some come under status 200 (OpenRouter).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from kometa_ai.errors import CheckModel
from kometa_ai.providers.compatible.messages import seconds_of
from kometa_ai.providers.error_texts import read_error, shown
from kometa_ai.providers.port import Failure, RequestFailed
from kometa_ai.providers.waits import retry_after
from kometa_ai.providers.way_failures import elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.network.failures import Way
    from kometa_ai.providers.compatible.services import Service

_LOOKED_AT = 20_000
_DEPTH = 8
_TELLING = frozenset({
    "code", "detail", "details", "error", "error_code", "error_description", "error_type", "errors", "message",
    "metadata", "metric", "msg", "param", "quotaId", "quotaMetric", "raw", "reason", "reasons", "status", "title",
    "type", "violations",
})  # fmt: skip
"""Names under which errors say something. Others hold what was asked, which is the user's text and no error."""

_SPENT = re.compile(
    r"insufficient[_ ](?:quota|credit|fund|balance)|credit_balance_exhausted|billing_hard_limit|spend_limit_exceeded"
    r"|usage_limit_exceeded|requires more credits|out of credits|never purchased credits|billing_not_active"
    r"|exceeded_budget|budget (?:has been |is )?exceeded|key limit exceeded",
    re.IGNORECASE,
)
"""No money, in words that no ordinary rate limit has: waiting changes nothing."""
_DAY = re.compile(r"per[ _-]?day\b|PerDay|\bdaily\b|free-models-per-day", re.IGNORECASE)
"""A limit of a day's requests or tokens, which is not waited out."""
_BAD_KEY = re.compile(r"API_KEY_INVALID|invalid_api_key|API key (?:not valid|expired|not found)", re.IGNORECASE)
_NOT_HERE = re.compile(r"location is not supported|unsupported_country", re.IGNORECASE)
_TOO_LARGE = re.compile(
    r"context_length_exceeded|exceed_context_size|string_above_max_length|maximum context length|reduce the length"
    r"|exceeds? the (?:available )?(?:context|maximum number of tokens)|context (?:length|size|window)"
    r"|prompt is too long|request too large|too many (?:input )?tokens"
    r"|max_(?:completion_)?tokens.{0,60}(?:too large|at most|exceed)",
    re.IGNORECASE,
)
_LARGER_THAN_A_LIMIT = re.compile(r"request too large", re.IGNORECASE)
"""A request that alone exceeds a limit of tokens per minute, which no waiting lets through."""
_MODERATED = re.compile(
    r"content_filter|content_policy|content management policy|PROHIBITED_CONTENT|blocked by .{0,30}safety"
    r"|flagged by moderation",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model_not_found|\b(?:invalid|unknown|no such) model\b|not a valid model"
    r"|\bmodels?\b.{0,120}\b(?:not (?:be )?(?:found|exist|available|loaded)|unknown|invalid)\b"
    r"|\bno models? (?:is |are )?(?:loaded|found)\b|no endpoints found for|DeploymentNotFound",
    re.IGNORECASE,
)
_WRONG_PATH = re.compile(r"unexpected endpoint|unknown (?:url|path|endpoint)|invalid url", re.IGNORECASE)
_GARBLED = re.compile(r"peg-native|does not match the expected .{0,20}format", re.IGNORECASE)
"""llama.cpp's error for an answer of the model that its parser cannot take apart."""
_STATUS_OF_NAME = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "insufficient_quota": 402,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "server_error": 500,
    "unavailable": 503,
    "overloaded": 503,
}
"""The status of an error that comes under status 200, by the names that it gives itself."""
_FAILURES = {
    408: Failure.NO_CONNECTION,
    409: Failure.SERVER_ERROR,
    413: Failure.TOO_LARGE,
    429: Failure.RATE_LIMITED,
    498: Failure.OVERLOADED,
    503: Failure.OVERLOADED,
    529: Failure.OVERLOADED,
}
_FIRST_REDIRECT, _FIRST_ERROR, _SERVER_ERROR = 300, 400, 500
_ON = "the next run goes on where this one stopped."


class Asked(NamedTuple):
    """What was asked, and where; errors are told in its terms."""

    service: Service
    model: str
    way: Way

    @property
    def title(self) -> str:
        """The service's name, at the beginning of a sentence too."""
        return self.service.title

    @property
    def right_address(self) -> str:
        """What the address has to be, as a remedy."""
        wrong = urlsplit(self.way.address)
        if (wrong.hostname or "").endswith("openrouter.ai"):
            return f"Set {self.way.setting} to https://openrouter.ai/api/v1."
        missing = "" if wrong.path.rstrip("/").endswith(("/v1", "/openai")) else ", with its path, usually /v1"
        return f"Check {self.way.setting}: the address without /chat/completions{missing}."


class Said(NamedTuple):
    """What an error says: a sentence to show, all its telling words, and whether it is a web page."""

    sentence: str
    words: str
    is_page: bool


def read(body: object, asked: Asked) -> Said:
    """Read an error, its sentence without secrets."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    said = read_error(body)
    sentence = shown(said.sentence, asked.way.hide)
    words = said.sentence if isinstance(body, str) else " ".join((said.sentence, *_words(body, _DEPTH)))
    return Said(sentence or "no explanation", words[:_LOOKED_AT], said.is_page)


def _words(found: Any, depth: int) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if not depth:
        return
    if isinstance(found, dict):
        for name, value in list(found.items())[:50]:
            if name in _TELLING:
                yield from _words(value, depth - 1)
    elif isinstance(found, list):
        for value in found[:20]:
            yield from _words(value, depth - 1)
    elif isinstance(found, str | int) and not isinstance(found, bool):
        yield str(found)[:_LOOKED_AT]


def failure_of(status: int, body: object, headers: Mapping[str, str], asked: Asked) -> RequestFailed | CheckModel:
    """What an error answer means; one under status 200 goes by the status or the names that it gives itself."""
    said = read(body, asked)
    is_late = status < _FIRST_REDIRECT
    if is_late:
        status = _stated_status(body) or _SERVER_ERROR
    stop = _redirected(status, headers, asked) or _stopping(status, body, said, asked)
    if stop is not None:
        return stop
    # A page is not the service's: what it says of lengths or of money is of no account.
    known = None if said.is_page else _kind(status, body, said)
    failure = known or _FAILURES.get(status)
    if failure is None:
        failure = Failure.SERVER_ERROR if status >= _SERVER_ERROR else Failure.REJECTED
    verb = "answered with an error" if is_late else f"answered {status}"
    what = f"{asked.title} {verb}: {said.sentence}"
    return RequestFailed(
        failure, what, wait_of(headers, body), may_be_billed=failure is Failure.UNREADABLE or _has_begun(body)
    )


def _kind(status: int, body: object, said: Said) -> Failure | None:
    """What kind of failure an error's words make it, where its status does not tell."""
    if status != 429 and _MODERATED.search(said.words):  # noqa: PLR2004 - the status of rate limits
        return Failure.REFUSED
    if status == 403 and _reasons(body):  # noqa: PLR2004
        return Failure.REFUSED
    if _GARBLED.search(said.words):
        return Failure.UNREADABLE
    too_large = _LARGER_THAN_A_LIMIT if status == 429 else _TOO_LARGE  # noqa: PLR2004
    return Failure.TOO_LARGE if too_large.search(said.words) else None


def error_in(body: object, headers: Mapping[str, str], asked: Asked) -> RequestFailed | CheckModel | None:
    """What an error means that stands where an answer was due, under status 200; None where there is none."""
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return None
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    # OpenRouter's answer that broke off has its error beside the text.
    if isinstance(first, dict) and first.get("error"):
        return failure_of(200, {"error": first["error"], "choices": choices}, headers, asked)
    if body.get("error") and not choices:
        return failure_of(200, body, headers, asked)
    return None


def not_the_service(body: object, asked: Asked) -> RequestFailed | CheckModel:
    """The failure where something else has answered."""
    said = read(body, asked)
    if said.is_page:
        return _page(asked, 200, said)
    tells = f" It says: {said.sentence}" if isinstance(body, dict) and said.sentence != "no explanation" else ""
    return RequestFailed(
        Failure.UNREADABLE,
        f"What answered at {asked.way.address} is no completion of a chat. {asked.right_address}{tells}",
        may_be_billed=True,
    )


def lost(why: object, asked: Asked, *, may_be_billed: bool) -> RequestFailed:
    """The failure where the connection failed."""
    what = f"{asked.title}'s answer was lost" if may_be_billed else f"{asked.title} could not be reached"
    return RequestFailed(Failure.NO_CONNECTION, f"{what}{asked.way.through}: {why}", may_be_billed=may_be_billed)


def _page(asked: Asked, status: int, said: Said) -> CheckModel:
    title = "" if said.sentence == "no explanation" else f" ({said.sentence!r})"
    where = "The proxy or a login page may be in between." if asked.service.is_known else ""
    return CheckModel(
        f"A web page{title} came from {asked.way.address} in place of {asked.title}'s answer ({status}).",
        f"{asked.right_address} {where}".strip(),
    )


def _redirected(status: int, headers: Mapping[str, str], asked: Asked) -> CheckModel | None:
    if not _FIRST_REDIRECT <= status < _FIRST_ERROR:
        return None
    return CheckModel(
        f"{asked.way.address} {elsewhere(status, headers)}",
        f"Set {asked.way.setting} to the address that answers itself.",
    )


def _stopping(status: int, body: object, said: Said, asked: Asked) -> CheckModel | None:
    """The error that ends the run, where every further request would meet it too."""
    if said.is_page:
        return _page(asked, status, said) if status in (200, 401, 403, 404, 405) else None
    return _used_up(status, said, asked) or _shut_out(status, body, said, asked) or _not_there(status, said, asked)


def _used_up(status: int, said: Said, asked: Asked) -> CheckModel | None:
    """The error of one who may ask nothing more for money or for today."""
    title = asked.title
    if status == 402 or _SPENT.search(said.words):  # noqa: PLR2004 - payment required
        return CheckModel(
            f"{title} refuses further requests: {said.sentence}", f"Add credit or raise the limit at {title}; {_ON}"
        )
    if status == 429 and _DAY.search(said.words):  # noqa: PLR2004
        return CheckModel(
            f"{title}'s limit for one day is used up: {said.sentence}",
            f"Wait until it is full again, or choose a paid tier there; {_ON}",
        )
    return None


def _shut_out(status: int, body: object, said: Said, asked: Asked) -> CheckModel | None:
    """The error of a key that is wrong, or that may not ask this."""
    title, sentence, key = asked.title, said.sentence, asked.service.key_setting
    if status == 401 or (status in (400, 403) and _BAD_KEY.search(said.words)):  # noqa: PLR2004
        return CheckModel(f"{title} does not accept the key: {sentence}", f"Check {key}.")
    if status in (400, 403) and _NOT_HERE.search(said.words):
        return CheckModel(f"{title} does not serve this place: {sentence}", "Choose another LLM_PROVIDER.")
    if status == 403 and not (_reasons(body) or _MODERATED.search(said.words)):  # noqa: PLR2004
        return CheckModel(f"{title} does not let the key use the model {asked.model!r}: {sentence}", f"Check {key}.")
    return None


def _not_there(status: int, said: Said, asked: Asked) -> CheckModel | None:
    """The error of a model or of a path that the service does not know."""
    sentence = said.sentence
    names = _NO_MODEL.search(said.words) or asked.model.casefold() in said.words.casefold()
    if status == 405 or _WRONG_PATH.search(said.words) or (status == 404 and not names):  # noqa: PLR2004
        return CheckModel(
            f"There are no Chat Completions at {asked.way.address}: it answered: {sentence}", asked.right_address
        )
    if status == 404 or (status in (400, 422, 500) and _NO_MODEL.search(said.words)):  # noqa: PLR2004
        return CheckModel(
            f"{asked.title} does not have the model {asked.model!r}: {sentence}",
            "Set LLM_MODEL (or LLM_REVIEW_MODEL) to one that it has, and load it there where that is needed.",
        )
    return None


def _reasons(body: object) -> bool:
    """Whether OpenRouter says why it refuses this very input; without reasons it is the key."""
    error = body.get("error") if isinstance(body, dict) else None
    metadata = error.get("metadata") if isinstance(error, dict) else None
    return isinstance(metadata, dict) and bool(metadata.get("reasons"))


def _has_begun(body: object) -> bool:
    return isinstance(body, dict) and bool(body.get("choices"))


def _stated_status(body: object) -> int | None:
    """The status that an error states, or that its names stand for."""
    for word in _words(body, 4):
        if re.fullmatch(r"[45]\d\d", word):
            return int(word)
        if (status := _STATUS_OF_NAME.get(word.casefold())) is not None:
            return status
    return None


def wait_of(headers: Mapping[str, str], body: object = None) -> float | None:
    """The seconds that a service asks us to wait: in a header, or in the body (Gemini)."""
    return retry_after(headers) if headers.get("retry-after") else _retry_delay(body)


class _Delay(msgspec.Struct):
    retryDelay: str = ""  # noqa: N815 - Gemini's name


def _retry_delay(body: object) -> float | None:
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        try:
            found = msgspec.convert(detail, _Delay)
        except msgspec.ValidationError:
            continue
        if found.retryDelay:
            return seconds_of(found.retryDelay)
    return None
