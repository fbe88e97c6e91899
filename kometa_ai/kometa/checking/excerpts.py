"""The lines that problems are about, looked up in Kometa's files, without anything in them that nobody should see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kometa_ai.kometa.configuration import is_configuration, only_the_key
from kometa_ai.kometa.files import opened
from kometa_ai.kometa.lines import split_lines
from kometa_ai.observe.redact import MASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.problem import Problem

_LARGEST = 1 << 23

# Even a collection may name a webhook, and a template a key. `<...>` is a variable, or our example.
_SECRET = re.compile(
    r"((?<![\w.-])[\w.-]{0,40}?(?:token|api_?key|secret|passw|webhook|auth(?!or(?!i))|username|client_id"
    r"|(?<![a-z])pin(?![a-z]))[\w.-]{0,40}"
    r"[\"']?\s{0,40}[:=]\s{0,40})[^\s#<].*",
    re.IGNORECASE,
)
_HOOK = re.compile(r"(https?://[^\s/\"']{1,255}/[^\s\"']{0,40}?(?:hook|services)[^\s/\"']{0,40}/)\S+", re.IGNORECASE)


class _Lines(NamedTuple):
    """A file's lines, and whether the file is a configuration of Kometa's."""

    lines: tuple[str, ...]
    is_configuration: bool


class Excerpts:
    """Looks lines up in the files below a folder, each of which is read once. `redact` hides the secrets it knows."""

    def __init__(self, root: Path, redact: Callable[[str], str]) -> None:
        self._root = root
        self._redact = redact
        self._files: dict[str, _Lines] = {}

    def added_to(self, problem: Problem) -> Problem:
        """The problem with its line, where it has one. A correction that would show a secret is left out.

        Of a configuration no more is shown than the line's key.
        """
        if not problem.line or problem.line > len((file := self._read(problem.source)).lines):
            return problem
        line = file.lines[problem.line - 1]
        if file.is_configuration:
            return msgspec.structs.replace(problem, excerpt=only_the_key(line), correction=None)
        correction = problem.correction
        if correction and any(self._without_secrets(line) != line for line in correction.lines):
            correction = None
        return msgspec.structs.replace(problem, excerpt=self._without_secrets(line), correction=correction)

    def _without_secrets(self, line: str) -> str:
        return self._redact(_HOOK.sub(rf"\1{MASK}", _SECRET.sub(rf"\1{MASK}", line)))

    def _read(self, source: str) -> _Lines:
        if source not in self._files:
            try:
                with opened(self._root / source) as file:
                    text = file.read(_LARGEST).decode("utf-8-sig", errors="replace")
            except (OSError, ValueError):
                text = ""
            # UTF-16 shows its words without the zero bytes.
            plain = text.replace("\0", "")
            self._files[source] = _Lines(split_lines(text) if text else (), is_configuration(source, plain))
        return self._files[source]
