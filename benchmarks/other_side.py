"""Serve a Radarr or a Sonarr, and a Claude, in a separate process; both answer at once and count requests.

It takes commands on stdin, one a line (`look`: count the requests since the last look; `add 10`: ten more items), and
answers each with a line of JSON on stdout. It ends with stdin.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import sys
from collections import Counter
from typing import IO, TYPE_CHECKING, Any, Self

import msgspec
from genai_prices import Usage, calc_price

from benchmarks import library
from benchmarks.figures import Seen
from kometa_ai.core.naming import slug_of
from kometa_ai.standins.claude import ClaudeStandIn, Judgement, RequestRecord, count_tokens
from kometa_ai.standins.claude_wire import RateLimits
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.figures import Kind

CLAUDE_KEY = "benchmark"
_NO_LIMIT = 10**12
_OK = 200
_SECOND_LOOK = "second look"
_ARGUABLE_FROM, _ARGUABLE_TO = 0.45, 0.65  # cases that get a reason at the first look
_NAME = re.compile(r"<name>(.*?)</name>")
_NUMBER = re.compile(r"/\d+(?=/|$)")


class OtherSide:
    """The stand-ins of one measurement."""

    def __init__(self, *, kind: Kind, movies: int, collections: int, members: float) -> None:
        self._truth = library.Truth(members)
        self._collections = library.names(collections)
        self._titles: dict[int, str] = {}
        self.arr: RadarrStandIn | SonarrStandIn = SonarrStandIn() if kind == "shows" else RadarrStandIn()
        self.add(movies)
        self.claude = ClaudeStandIn(judge=self._judge, api_key=CLAUDE_KEY)
        # Otherwise the program keeps to the smallest account, a thousand requests a minute, and mostly waits.
        # A batch ends at once, as everything here does: what is measured is not Anthropic's time.
        self.claude.batches.polls = 0
        self.claude.rate_limits = RateLimits(requests=_NO_LIMIT, input_tokens=_NO_LIMIT, output_tokens=_NO_LIMIT)

    def add(self, count: int) -> None:
        """Add movies or shows, at the beginning and between two runs."""
        start = len(self._titles)
        if isinstance(self.arr, SonarrStandIn):
            for show in library.show_seeds(count, start):
                self.arr.add_show(show)
                self._titles[show.tvdb_id] = show.title
        else:
            for movie in library.seeds(count, start):
                self.arr.add_movie(movie)
                self._titles[movie.tmdb_id] = movie.title

    def look(self) -> Seen:
        """Count the requests since the last look."""
        seen = Seen(radarr=dict(Counter(f"{r.method} {_plain(r.path)}" for r in self.arr.requests)))
        for record in self.claude.requests:
            _count(record, seen)
        seen.batches = len(self.claude.batches.known)
        for name in self._collections:
            tagged = self.arr.members(f"kai-{slug_of(name)}")
            belong = {id_ for id_, title in self._titles.items() if self._truth.about(name, title).is_member}
            seen.tags += len(tagged)
            seen.unlike_truth += len(tagged ^ belong)
        self.arr.requests.clear()
        self.claude.forget()
        return seen

    def _judge(self, collection: str, movie: dict[str, Any]) -> Judgement:
        found = _NAME.search(collection)
        if found is None:
            raise ValueError("the collection has no name")
        verdict = self._truth.about(found[1], movie["title"])
        if _SECOND_LOOK in collection:
            return Judgement(verdict.is_member, verdict.at_second_look, library.reason(movie["title"]))
        is_arguable = _ARGUABLE_FROM <= verdict.confidence <= _ARGUABLE_TO
        return Judgement(verdict.is_member, verdict.confidence, library.reason(movie["title"]) if is_arguable else "")


def usd(usage: Mapping[str, Any], model: str) -> float:
    """The cost of one request, by its usage as Anthropic's API defines it; half of that in a batch."""
    written, read = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    priced = Usage(
        input_tokens=usage["input_tokens"] + written + read,
        cache_write_tokens=written,
        cache_write_1h_tokens=_for_an_hour(usage),
        cache_read_tokens=read,
        output_tokens=usage["output_tokens"],
    )
    price = float(calc_price(priced, model_ref=model, provider_id="anthropic").total_price)
    return price / 2 if usage.get("service_tier") == "batch" else price


def _for_an_hour(usage: Mapping[str, Any]) -> int:
    return int(usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0))


def _plain(path: str) -> str:
    return _NUMBER.sub("/{id}", path.removeprefix("/api/v3"))


def _count(record: RequestRecord, seen: Seen) -> None:
    seen.claude += 1
    if record.status != _OK:
        seen.refused += 1
        return
    cost = usd(record.usage, record.model)
    seen.input_tokens += record.usage["input_tokens"]
    seen.cache_write_tokens += record.usage["cache_creation_input_tokens"]
    seen.cache_write_1h_tokens += _for_an_hour(record.usage)
    seen.cache_read_tokens += record.usage["cache_read_input_tokens"]
    seen.output_tokens += record.usage["output_tokens"]
    seen.usd += cost
    if _SECOND_LOOK in record.collection_text:
        seen.second_looks += 1
        seen.second_looks_usd += cost
    else:
        answer = msgspec.json.decode(record.answer)
        for entry in answer.get("collections", [answer]):
            seen.excluded += len(entry["excluded"])
            seen.excluded_tokens += _tokens(entry["excluded"])
            plain = [decision for decision in entry["decisions"] if "reason" not in decision]
            seen.plain += len(plain)
            seen.plain_tokens += sum(_tokens(decision) + 1 for decision in plain)  # with its comma


def _tokens(value: object) -> int:
    return count_tokens(msgspec.json.encode(value).decode())


class Started:
    """The process as its parent sees it. `arr` and `claude` are its addresses."""

    def __init__(self, *, kind: Kind, movies: int, collections: int, members: float, root: Path) -> None:
        given = ["--kind", kind, "--movies", str(movies)]
        given += ["--collections", str(collections), "--members", str(members)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "benchmarks.other_side", *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("a pipe was asked for")
        self._commands: IO[bytes] = self._process.stdin
        self._answers: IO[bytes] = self._process.stdout
        self.arr, self.claude = msgspec.json.decode(self._answers.readline(), type=tuple[str, str])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._commands.close()
        self._process.wait()
        self._answers.close()

    def look(self) -> Seen:
        """Count the requests since the last look."""
        return msgspec.json.decode(self._ask(b"look"), type=Seen)

    def add(self, count: int) -> None:
        """Add movies or shows between two runs."""
        self._ask(b"add %d" % count)

    def _ask(self, command: bytes) -> bytes:
        self._commands.write(command + b"\n")
        self._commands.flush()
        return self._answers.readline()


def _answer(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=["movies", "shows"], required=True)
    parser.add_argument("--movies", type=int, required=True)
    parser.add_argument("--collections", type=int, required=True)
    parser.add_argument("--members", type=float, required=True)
    given = parser.parse_args()
    side = OtherSide(kind=given.kind, movies=given.movies, collections=given.collections, members=given.members)
    with serve(side.arr.app) as arr, serve(side.claude.app) as claude:
        _answer((arr, claude))
        for line in sys.stdin:
            command, _, count = line.strip().partition(" ")
            if command == "add":
                side.add(int(count))
                _answer(None)
            else:
                _answer(side.look())


if __name__ == "__main__":
    main()
