"""Do what the Claude stand-in does without HTTP: record requests, charge them, call the judge, write messages."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from kometa_ai.standins.claude_answers import NORMAL, Judge, Style, judge_by_genre, read_prompt, write_answer
from kometa_ai.standins.claude_cache import Charge, PromptCache, lay_out
from kometa_ai.standins.claude_log import Predicate, RequestRecord, Rules
from kometa_ai.standins.claude_message import message, write_output
from kometa_ai.standins.claude_models import MODELS, Model
from kometa_ai.standins.claude_wire import bad_request, encode


class ClaudeEngine:
    """Plays the model; everything about it is a plain attribute.

    - `judge` decides about each movie, given the text of the collection and the movie as it was sent.
    - `models`: the available models by name.
    - `clock`: Unix time in seconds, for the cache's TTLs and all time stamps.
    - `seed`: for everything that is shuffled.

    `style` is how answers are written unless one was queued with `queue_style`. `requests` are the requests to the
    model in the order of arrival, including those of batches.
    """

    def __init__(
        self,
        *,
        judge: Judge = judge_by_genre,
        models: Mapping[str, Model] = MODELS,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
    ) -> None:
        self.judge = judge
        self.models = dict(models)
        self.clock = clock
        self.chance = random.Random(seed)
        self.style = NORMAL
        self.cache = PromptCache()
        self.requests: list[RequestRecord] = []
        self._styles: Rules[Style] = Rules()
        self._configs: dict[bytes, dict[str, Any]] = {}
        self._ids = 0

    def queue_style(self, style: Style, *, times: int | None = 1, when: Predicate | None = None) -> None:
        """Write the next `times` answers (None: all) to requests that satisfy `when` in this style."""
        self._styles.add(style, times=times, when=when)

    def asked_pairs(self) -> list[tuple[str, str]]:
        """Collection name and movie title of every verdict that the model was asked for, in the order asked.

        Requests that failed before the model saw them do not count.
        """
        return [
            (name, title)
            for record in self.requests
            if record.judged
            for name in record.collection_names
            for title in record.titles
        ]

    def usage_totals(self) -> dict[str, int]:
        """The sums of the token counts of all answers: `input_tokens`, `cache_read_input_tokens` and so on."""
        totals: dict[str, int] = {}
        for record in self.requests:
            for name, amount in record.usage.items():
                if isinstance(amount, int):
                    totals[name] = totals.get(name, 0) + amount
        return totals

    def new_id(self, prefix: str) -> str:
        """A new id."""
        self._ids += 1
        return f"{prefix}_standin{self._ids:016d}"

    def describe(self, record: RequestRecord, body: dict[str, Any]) -> None:
        """Put a well-formed request into its record. Equal texts become one object, as thousands of them are kept."""
        config = body.get("output_config")
        if config is not None:
            body["output_config"] = self._configs.setdefault(encode(config), config)
        if isinstance(body.get("system"), str):
            body["system"] = sys.intern(body["system"])
        for turn in body["messages"]:
            for block in turn["content"] if isinstance(turn["content"], list) else ():
                if block["type"] == "text":
                    block["text"] = sys.intern(block["text"])
        record.describe(read_prompt(body))

    def charge(self, body: dict[str, Any], model: Model, cache: PromptCache) -> Charge:
        """The charge for the input of a checked request, with this cache. Raises ApiError if it exceeds the context."""
        layout = lay_out(body)
        if layout.tokens > model.max_input_tokens:
            raise bad_request(f"prompt is too long: {layout.tokens} tokens > {model.max_input_tokens} maximum")
        return cache.charge(layout, minimum=model.min_cache_tokens, now=self.clock())

    def complete(self, record: RequestRecord, model: Model, charge: Charge, *, service_tier: str) -> dict[str, Any]:
        """Answer a described and charged request with a complete Message, and record that."""
        style = self._styles.take(record) or self.style
        asleep = style.refused or record.body["max_tokens"] == 0
        text = "" if asleep else self._write(record, style)
        output = write_output(text, record.body, model, style)
        whole = message(self.new_id("msg"), model, output, charge, service_tier=service_tier)
        record.judged = not asleep
        record.usage = whole["usage"]
        record.stop_reason = output.stop_reason
        record.answer = output.text or ""
        return whole

    def _write(self, record: RequestRecord, style: Style) -> str:
        output_format = (record.body.get("output_config") or {}).get("format")
        return write_answer(
            read_prompt(record.body),
            judge=self.judge,
            style=style,
            schema=encode(output_format["schema"]) if output_format else None,
            chance=self.chance,
        )
