"""Measure the daemon's pages after a run: `python -m benchmarks.pages`, with the settings in the environment.

Each page is asked for several times once the index is there; the median counts, in the process's own time, since other
work on the machine only adds to that of the clock. A daemon of its own, at which nobody looks, is weighed with the page
and without it.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from benchmarks.figures import Paged, PageFigure
from kometa_ai.app import session_of
from kometa_ai.daemon.life import Daemon
from kometa_ai.settings.environment import load_settings
from kometa_ai.web.app import make_app
from kometa_ai.web.visitors import entrance_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from kometa_ai.daemon.index import Index

_KEY = "the-key-of-the-benchmarks"
_TIMES = 7
_ASSET = re.compile(r"(?:href|src)=\"(/static/(?![^\"]+/icon-192)[^\"]+)\"")
"""What a browser loads; the large icon is for a phone's home screen."""
_WORD = "of the"
"""It is in many titles and in no other field."""
_SETTLING = 3.0
"""Seconds after which a daemon has looked at all services, and rests."""


def measured(environ: Mapping[str, str], root: Path) -> Paged:
    """Measure in separate processes."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pages"], env=dict(environ), cwd=root, check=True, stdout=subprocess.PIPE
    )
    return msgspec.json.decode(done.stdout, type=Paged)


class _Site:
    """The app of a daemon that does not live: it only answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def get(self, path: str) -> tuple[float, bytes]:
        """The milliseconds to the end of an answer, and the answer. Raise RuntimeError where it is none."""
        content: list[bytes] = []
        status = 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
            nonlocal status
            status = message.get("status", status)
            content.append(message.get("body", b""))

        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                (b"accept", b"text/html"),
                (b"accept-encoding", b"gzip"),
                (b"x-api-key", _KEY.encode()),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        started = time.process_time()
        await self._app(scope, receive, send)
        took = (time.process_time() - started) * 1000
        if status != httpx2.codes.OK:
            raise RuntimeError(f"{path} answers {status}")
        return took, b"".join(content)

    async def figure(self, name: str, path: str) -> PageFigure:
        """The figure of a page."""
        answers = [await self.get(path) for _ in range(_TIMES)]
        return PageFigure(name=name, ms=median(ms for ms, _ in answers), kb=len(answers[-1][1]) / 1000)

    async def first_load(self) -> float:
        """The KB on the wire of everything that a browser loads at its first visit, without posters."""
        _, html = await self.get("/")
        assets = set(_ASSET.findall(html.decode()))
        return (len(html) + sum([len((await self.get(path))[1]) for path in sorted(assets)])) / 1000


def _paths(index: Index, run_id: str) -> Sequence[tuple[str, str]]:
    """The pages that are measured: each with what is largest in it."""
    collection = index.list_collections()[0].key
    members = index.items_of(collection)
    item = getattr(members.items[0], "key", "") if members and members.items else ""
    one = f"/collections/{collection}"
    return (
        ("overview", "/"),
        ("collections", "/collections"),
        ("a collection's members", one),
        ("all judged, by title", f"{one}?list=all&sort=title"),
        ("its threshold", f"{one}/threshold?at=0.5"),
        ("its prompt", f"{one}/prompt"),
        ("its block", f"{one}/block"),
        ("review, one by one", "/review"),
        ("review, as a grid", "/review?view=grid"),
        ("search", f"/movies?q={_WORD.replace(' ', '+')}"),
        ("one movie or show", f"/movies/{item}"),
        ("runs", "/runs"),
        ("one run", f"/runs/{run_id}"),
        ("pins", "/pins"),
        ("settings", "/settings"),
    )


async def _measure() -> Paged:
    session = session_of(load_settings(os.environ).settings)
    daemon = Daemon(session, os.environ)
    site = _Site(make_app(daemon, api_key=_KEY, entrance=entrance_of(session.settings, _KEY)))
    index = await daemon.indexer.newest()
    (last, *_) = reversed(await daemon.views.past_runs())
    pages = [await site.figure(name, path) for name, path in _paths(index, last.run_id)]
    first_load = await site.first_load()
    daemon.indexer.close()
    return Paged(pages=pages, first_load_kb=first_load, resting_mb=_resting_mb(), resting_without_mb=_resting_mb("off"))


def _resting_mb(login: str = "password") -> float:
    """The MB of a daemon at which nobody looks, with the page or without it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    environ = {**os.environ, "HTTP_PORT": str(port), "HTTP_API_KEY": _KEY, "WEB_LOGIN": login}
    with subprocess.Popen([sys.executable, "-m", "kometa_ai"], env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                time.sleep(0.1)
                try:
                    if httpx2.get(f"http://127.0.0.1:{port}/ping").status_code == httpx2.codes.OK:
                        break
                except httpx2.TransportError:
                    continue
            time.sleep(_SETTLING)
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:  # noqa: PTH123 - no file of ours
                (kilobytes,) = (line.split()[1] for line in status if line.startswith("VmRSS:"))
            return int(kilobytes) / 1000
        finally:
            process.terminate()


def main() -> None:
    """Measure, and print the result as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_measure())))


if __name__ == "__main__":
    main()
