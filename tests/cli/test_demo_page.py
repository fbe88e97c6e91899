"""The demo that stays: its page at a printed address, something in it to decide, and nothing left at its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2
import pytest

from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Ended

PATIENCE = 60.0


class Served(NamedTuple):
    """The demo's process, the address and the password that it has printed, and the folder that it keeps."""

    process: subprocess.Popen[str]
    url: str
    password: str
    folder: Path

    def ask(self, path: str) -> Any:
        """What the API answers, with the key of the demo's state folder."""
        key = (self.folder / "state" / "api_key").read_text(encoding="utf-8").strip()
        with httpx2.Client(verify=PLAIN, base_url=self.url, headers={"X-Api-Key": key}) as client:
            return client.get(path).raise_for_status().json()

    def end(self, number: int) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo, on its way, with its files below `folder`."""
    with subprocess.Popen(
        [sys.executable, "-m", "kometa_ai", "--demo", "--serve"],
        env={**os.environ, "TMPDIR": str(folder), "CLAUDE_API_KEY": "", "ANTHROPIC_API_KEY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """The demo, once its page answers."""
    with started(folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"(http://127\.0\.0\.1:\d+)   The password is (\S+)\.$", line.rstrip()):
                break
        else:
            pytest.fail("no address was printed")
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with suppress(httpx2.TransportError):
                httpx2.get(f"{found[1]}/ping", verify=PLAIN).raise_for_status()
                break
            time.sleep(0.05)
        (made,) = folder.glob("kometa-ai-demo-*")
        yield Served(process, found[1], found[2], made)


def test_it_has_something_to_decide_and_leaves_nothing(tmp_path: Path) -> None:
    """Films and shows are in collections; close calls and held-back removals wait, one line of a file is warned about.

    Where something listens on the usual port, another one is taken. Ctrl+C ends it well. Of the daemon's log a visitor
    of the terminal sees nothing: what there is to see is on the page.
    """
    with closing(socket.socket()) as taken:
        with suppress(OSError):
            taken.bind(("127.0.0.1", 7880))
            taken.listen()
        with served(tmp_path) as demo:
            collections = demo.ask("/api/v1/collections")["items"]
            review = demo.ask("/api/v1/review?size=200")["items"]
            runs = demo.ask("/api/v1/runs")
            code = demo.end(signal.SIGINT)
            assert demo.process.stdout is not None
            rest = demo.process.stdout.read()

    assert not demo.url.endswith(":7880")
    assert demo.password == "demo-page"
    assert {collection["kind"] for collection in collections} == {"movie", "show"}
    assert all(collection["counts"]["members"] for collection in collections)
    assert {card["kind"] for card in review} == {"held back", "close call"}
    assert {card["key"].partition(":")[0] for card in review} == {"movie", "show"}
    assert [run["held_back"] > 0 for run in runs] == [True, False]
    warned = [problem["what"] for collection in collections for problem in collection["problems"]]
    assert len(warned) == 1
    assert "sync_mode: sync" in warned[0]
    assert f"Kometa folder, and Run now:\n  {demo.folder / 'kometa'}\n" in rest
    assert rest.strip().endswith("Ctrl+C ends it, and then nothing is left of it.")
    assert code == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_before_there_is_a_page(tmp_path: Path, number: int, code: int) -> None:
    """Also in its first runs nothing is left, and the exit code is that of an interrupted program."""
    with started(tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Two runs come first"):
                break
        process.send_signal(number)
        ended = process.wait(PATIENCE)

    assert ended == code
    assert list(tmp_path.iterdir()) == []


def test_only_the_demo_is_served_so(call: Callable[..., Ended]) -> None:
    """The daemon serves its own page, and needs no option for it."""
    ended = call("--serve")

    assert ended.code == 2
    assert "Add --demo" in ended.err
