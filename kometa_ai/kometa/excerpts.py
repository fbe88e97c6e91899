"""The lines that problems are about, looked up in Kometa's files, without anything in them that nobody should see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.kometa.lines import split_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.problem import Problem

_LARGEST = 1 << 23

# Kometa's files hold the keys of a dozen services, each under another name. `<...>` is a variable, or our example.
_SECRET = re.compile(
    r"((?:^|[\s,{\"'-])(?:\w*token|\w*api_?key|\w*secret|\w*password|username|client_id|pin|auth\w*|webhook\w*)"
    r"[\"']?\s*[:=]\s*)[^\s#<].*",
    re.IGNORECASE,
)


class Excerpts:
    """Looks lines up in the files below a folder, each of which is read once. `redact` hides the secrets it knows."""

    def __init__(self, root: Path, redact: Callable[[str], str]) -> None:
        self._root = root
        self._redact = redact
        self._files: dict[str, tuple[str, ...]] = {}

    def added_to(self, problem: Problem) -> Problem:
        """The problem with its line, where it has one. A correction that would show a secret is left out."""
        if not problem.line or problem.line > len(lines := self._lines(problem.source)):
            return problem
        correction = problem.correction
        if correction and any(self._without_secrets(line) != line for line in correction.lines):
            correction = None
        excerpt = self._without_secrets(lines[problem.line - 1])
        return msgspec.structs.replace(problem, excerpt=excerpt, correction=correction)

    def _without_secrets(self, line: str) -> str:
        return self._redact(_SECRET.sub(r"\1********", line))

    def _lines(self, source: str) -> tuple[str, ...]:
        if source not in self._files:
            try:
                with (self._root / source).open("rb") as file:
                    text = file.read(_LARGEST).decode("utf-8-sig", errors="replace")
            except OSError:
                text = ""
            self._files[source] = split_lines(text) if text else ()
        return self._files[source]
