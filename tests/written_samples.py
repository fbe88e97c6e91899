"""The samples in README and docs: what stands between fences, and what is quoted in a line."""

from __future__ import annotations

import re
import shlex
import textwrap
from typing import NamedTuple

from tests.written_docs import DOCS, ROOT

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
# The service and the program in it have the same name: `docker compose exec kometa-ai kometa-ai --pins`.
_CALL = re.compile(r"(docker compose (run --rm kometa-ai|exec kometa-ai kometa-ai)|kometa-ai)(?P<call>( .*)?)")


class Sample(NamedTuple):
    """What stands between two fences, and where."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """For the name of a test."""
        return f"{self.page}:{self.line}"


def samples(language: str) -> list[Sample]:
    """Those of one language, except where a file is included that has tests of its own."""
    return [sample for sample in all_samples() if sample.language == language and "--8<--" not in sample.text]


def all_samples() -> list[Sample]:
    """All samples of all pages."""
    return [
        Sample(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, found.start()) + 1,
            found["language"],
            textwrap.dedent(found["text"]),
        )
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for found in _FENCE.finditer(text)
    ]


def quoted() -> list[tuple[str, str]]:
    """Everything that stands in `backticks` outside of samples, with its page."""
    return [
        (page.relative_to(ROOT).as_posix(), found[2].strip())
        for page in PAGES
        # The map of the modules quotes docstrings, which are about anything.
        for found in _QUOTED.finditer(_FENCE.sub("", page.read_text(encoding="utf-8").partition("<!-- map")[0]))
    ]


def command_lines() -> list[tuple[Sample, str]]:
    """Each line of the shell samples without its comment, continued lines put together."""
    return [
        (sample, line)
        for sample in samples("sh")
        for line in sample.text.replace("\\\n", " ").splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]


def our_commands() -> list[tuple[str, ...]]:
    """The arguments of each call of the program in samples and in quotes, each once, in order of appearance."""
    lines = [line for _, line in command_lines()] + [text for _, text in quoted()]
    calls = [found["call"] for line in lines if (found := _CALL.fullmatch(line))]
    return list(dict.fromkeys(tuple(shlex.split(call, comments=True)) for call in calls))
