"""Show the newest lines of the log, by level, run or text; and send the whole file."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from kometa_ai.core.text import one_line
from kometa_ai.observe.log_end import Level
from kometa_ai.web.pages.rendering import page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from kometa_ai.daemon.life import Daemon

router = APIRouter(include_in_schema=False)

LINES = 500
_LONGEST_VALUE = 600
_LONGEST_FILTER = 200
_BLOCK = 64 << 10
_HEAD = ("timestamp", "level", "event", "run_id")
_LEVELS: tuple[Level, ...] = get_args(Level)


class Entry(NamedTuple):
    """A line of the log: when, how bad, what, in which run, and its details as pairs."""

    at: datetime | None
    level: str
    event: str
    run_id: str
    details: tuple[tuple[str, str], ...]


@router.get("/logs")
async def read(request: Request, level: str = "info", run: str = "", q: str = "") -> Response:
    """The newest lines, the newest first."""
    daemon: Daemon = request.app.state.daemon
    wanted: Level = next((each for each in _LEVELS if each == level), "info")
    run, text = run[:_LONGEST_FILTER].strip(), q[:_LONGEST_FILTER].strip()
    found = await daemon.log_end(LINES, wanted, run, text)
    return await page(
        request,
        "logs.jinja",
        entries=tuple(map(entry_of, found.items)),
        is_whole=found.is_whole,
        problem=found.problem,
        level=wanted,
        levels=_LEVELS,
        run=run,
        q=text,
    )


@router.get("/logs/download")
async def download(request: Request) -> Response:
    """The file as it is: secrets were taken out when its lines were written."""
    daemon: Daemon = request.app.state.daemon
    try:
        file, size = await daemon.whole_log()
    except FileNotFoundError as error:
        raise HTTPException(404, "There is no log file: LOG_DIR cannot be written, or nothing was logged.") from error
    except OSError as error:
        raise HTTPException(503, f"The log file cannot be read: {error.strerror}.") from error
    headers = {"Content-Disposition": 'attachment; filename="kometa-ai.log"', "Cache-Control": "no-store"}
    return StreamingResponse(_read(file, size), media_type="text/plain; charset=utf-8", headers=headers)


def _read(file: BinaryIO, size: int) -> Iterator[bytes]:
    """What the file held when it was opened; it grows meanwhile."""
    with file:
        while size > 0 and (block := file.read(min(_BLOCK, size))):
            size -= len(block)
            yield block


def entry_of(line: dict[str, Any]) -> Entry:
    """A line as the page shows it, each value on one line and cut."""
    at = None
    with suppress(ValueError):
        at = datetime.fromisoformat(str(line.get("timestamp", "")))
    return Entry(
        at=at if at is not None and at.tzinfo else None,
        level=_text(line.get("level", "")),
        event=_text(line.get("event", "")),
        run_id=_text(line.get("run_id", "")),
        details=tuple((_text(name), _text(value)) for name, value in line.items() if name not in _HEAD),
    )


def _text(value: object) -> str:
    return one_line(str(value), _LONGEST_VALUE)
