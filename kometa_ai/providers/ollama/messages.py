"""Translate requests and replies to and from Ollama's own API. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from kometa_ai.providers.answer_form import with_example
from kometa_ai.providers.port import ReplyEnd, Usage

if TYPE_CHECKING:
    from kometa_ai.providers.ollama.context import Room
    from kometa_ai.providers.port import Request

Think = Literal[False, "low"] | None
"""What a model is told about thinking; None where it may not be told anything."""

_KEPT = "15m"
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_NANOSECONDS = 1_000_000
_DURATIONS = {
    "load_duration": "load_milliseconds",
    "prompt_eval_duration": "prompt_milliseconds",
    "eval_duration": "eval_milliseconds",
}


class Prompt(NamedTuple):
    """The two texts of a question. The second is one string: of several messages Ollama drops the first ones."""

    system: str
    user: str

    @classmethod
    def of(cls, request: Request) -> Prompt:
        """The texts of a request: its movies come first, as other questions begin with them too."""
        return cls(with_example(request.form), f"{request.movies.rstrip()}\n\n{request.collection}")


class Answer(NamedTuple):
    """An answer of `/api/chat`: its text, what the model thought, how it ended, and the tokens read and written."""

    text: str
    thought: str
    done_reason: str
    read: int | None
    written: int | None
    milliseconds: dict[str, int]

    @property
    def ending(self) -> ReplyEnd:
        """How it ended."""
        return ReplyEnd.TRUNCATED if self.done_reason == "length" else ReplyEnd.COMPLETE

    @property
    def usage(self) -> Usage:
        """What it used. Ollama does not say how much of the prompt it knew from the question before."""
        return Usage(requests=1, input_tokens=self.read or 0, output_tokens=self.written or 0)


def thinking_of(model: str) -> Think:
    """What to tell a model about thinking: gpt-oss cannot leave it, and takes no `false`."""
    return "low" if "gpt-oss" in model.casefold() else False


def body_of(request: Request, prompt: Prompt, room: Room, think: Think) -> dict[str, Any]:
    """A request as `/api/chat` takes it."""
    body: dict[str, Any] = {
        "model": request.model,
        "stream": False,
        "think": think,
        "keep_alive": _KEPT,
        "truncate": False,
        "shift": False,
        "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
        "format": request.form.schema,
        "options": {"num_ctx": room.context, "num_predict": room.answer, "temperature": 0},
    }
    if think is None:
        del body["think"]
    return body


def answer_of(body: object) -> Answer | None:
    """What an answer says; None for what is no answer of Ollama's."""
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(message, dict) or body.get("error"):
        return None
    text = message.get("content")
    if not isinstance(text, str | None):
        return None
    thought, done_reason = message.get("thinking"), body.get("done_reason")
    return Answer(
        text=text or "",
        thought=thought if isinstance(thought, str) else "",
        done_reason=done_reason if isinstance(done_reason, str) else "",
        read=number_of(body.get("prompt_eval_count")),
        written=number_of(body.get("eval_count")),
        milliseconds={
            ours: nanoseconds // _NANOSECONDS
            for theirs, ours in _DURATIONS.items()
            if (nanoseconds := number_of(body.get(theirs))) is not None
        },
    )


def number_of(value: object) -> int | None:
    """A number of tokens or nanoseconds; None for what is none."""
    try:
        return msgspec.convert(value, _Number)
    except msgspec.ValidationError:
        return None


def context_of(shown: object) -> int | None:
    """The longest context that a model can have, from what `/api/show` says; None where that does not tell."""
    info = shown.get("model_info") if isinstance(shown, dict) else None
    if not isinstance(info, dict):
        return None
    architecture = info.get("general.architecture")
    if isinstance(architecture, str) and (found := number_of(info.get(f"{architecture}.context_length"))):
        return found
    lengths = [number_of(value) for name, value in info.items() if str(name).endswith(".context_length")]
    return max(filter(None, lengths), default=None)


def capabilities_of(shown: object) -> frozenset[str]:
    """What a model can do, from what `/api/show` says; empty where that does not tell."""
    found = shown.get("capabilities") if isinstance(shown, dict) else None
    return frozenset(str(each) for each in found) if isinstance(found, list) else frozenset()


def installed(tags: object) -> list[str]:
    """The names of the models that are there, from what `/api/tags` says."""
    models = tags.get("models") if isinstance(tags, dict) else None
    names = [model.get("name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    return [name for name in names if isinstance(name, str) and name]
