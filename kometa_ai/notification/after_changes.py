"""Call a command, a URL or both after tags have changed, so that the user can run Kometa for these collections.

Errors are logged; none fails a run.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import re
import shlex
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import msgspec
import structlog

from kometa_ai.core.collection import SCHEDULED
from kometa_ai.core.problem import Problem
from kometa_ai.core.text import ending, one_line
from kometa_ai.network.client import open_client
from kometa_ai.network.failures import Way, redirect_target, trouble_of
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.variables import own_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.report import RunReport
    from kometa_ai.settings.schema import Settings

VARIABLE = "KAI_CHANGED_COLLECTIONS"
COMMAND_TIMEOUT = 3600.0
URL_TIMEOUT = 30.0
_OUTPUT_KEPT = 4000
_ENDING = 3.0
"""Seconds that a command has to end after SIGTERM."""
_SEPARATOR = "|"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_HALVES = re.compile("[\ud800-\udfff\ufffd]")
_LONGEST_NAME = 1000
_SHOWN = 80

_log = structlog.get_logger()


def changed_collections(report: RunReport) -> tuple[str, ...]:
    """The names of the collections that this run changed and Kometa may be asked to update; none for a dry run."""
    if report.dry_run:
        return ()
    changed = [each for each in report.collections if each.added or each.removed]
    for each in changed:
        if each.untold:
            _log.info("after_changes.left_out", collection_name=each.name, why=each.untold)
    return tuple(dict.fromkeys(each.name for each in changed if not each.untold))


def why_not_by_name(name: str) -> str:
    """Why Kometa's `--run-collections` does not take this name; empty if it does."""
    if _SEPARATOR in name:
        return "its name holds `|`, at which Kometa cuts the names apart"
    if _CONTROLS.search(name):
        return "its name holds a line break or another control character"
    if name != name.strip():
        return "its name begins or ends with a blank, which Kometa takes away"
    if _HALVES.search(name):
        return "its name holds half a character"
    return "its name is too long" if len(name.encode()) > _LONGEST_NAME else ""


def about_left_out(collections: Iterable[Collection]) -> Iterator[Problem]:
    """A warning for each collection that Kometa cannot be asked for by name, a hint for each that it should not be."""
    for each in collections:
        by_name = why_not_by_name(each.name)
        why = by_name or each.untold
        if not why:
            continue
        # The user wants a schedule, but has a name with such characters by accident.
        is_wanted = each.untold == SCHEDULED and not by_name
        yield Problem(
            source=each.source,
            line=each.line,
            collection=each.name,
            what=f"when it changes, others are not told: {why}.",
            remedy="Nothing to do: Kometa builds it when it is due."
            if is_wanted
            else "Give it another name, or let Kometa build it in its next full run.",
            severity="hint" if is_wanted else "warning",
        )


async def after_changes(names: Sequence[str], settings: Settings, *, timeout: float = COMMAND_TIMEOUT) -> None:  # noqa: ASYNC109 - the command's, not ours
    """Call the command and the URL of the settings with these names, if there are any. Never raises an error.

    The command is split as a shell would, but no shell is involved: its last argument are the names, joined with `|`
    as Kometa's `--run-collections` expects; the environment has them as KAI_CHANGED_COLLECTIONS. The command gets none
    of our settings. Names that cannot be passed on are left out.
    """
    if not (settings.after_changes_url or settings.after_changes_command):
        return
    for name in names:
        if why := why_not_by_name(name):
            _log.warning("after_changes.left_out", collection_name=one_line(name, _SHOWN), why=why)
    # A name with a leading hyphen would be taken for an option if it came first.
    told = sorted((name for name in names if not why_not_by_name(name)), key=lambda name: name.startswith("-"))
    if told and settings.after_changes_url:
        await _post(settings, told)
    if told and settings.after_changes_command:
        await _run(settings, _SEPARATOR.join(told), timeout)


def environ_for_others(environ: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The environment without our settings, most of which are keys and addresses; the time zone stays.

    Variables whose value is one of our secrets are removed, too: an orchestrator may have made ours from them.
    """
    ours = own_variables(environ)
    secrets = secrets_of(settings)
    return {
        name: value for name, value in environ.items() if name == "TZ" or (name not in ours and value not in secrets)
    }


async def _post(settings: Settings, names: Sequence[str]) -> None:
    url = settings.after_changes_url
    # The rest of the address may be a token.
    host = urlsplit(url).hostname
    way = Way(address=host or "", setting="AFTER_CHANGES_URL", proxy=settings.network.proxy_to(url))
    body = msgspec.json.encode({"collections": list(names), "run_collections": _SEPARATOR.join(names)})
    headers = {"Content-Type": "application/json"}
    through = {"proxy": str(way.proxy)} if way.proxy else {}
    try:
        async with open_client(settings.network, headers=headers, timeout=URL_TIMEOUT) as client:
            response = await client.post(url, content=body)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        trouble = trouble_of(error, way)
        _log.warning(
            "after_changes.not_called", host=host, **through, why=trouble.what or trouble.why, remedy=trouble.remedy
        )
        return
    about = {"host": host, **through, "status": response.status_code, "collections": list(names)}
    if response.is_success:
        _log.info("after_changes.called", **about)
    elif response.has_redirect_location:
        # Log only the host of the target, as of our own address.
        target = urlsplit(redirect_target(url, response.headers["location"])).hostname
        _log.warning(
            "after_changes.redirected", **about, to=target, remedy="Write that address into AFTER_CHANGES_URL."
        )
    else:
        _log.warning("after_changes.called", **about)


async def _run(settings: Settings, names: str, seconds: float) -> None:
    command = settings.after_changes_command
    started = time.monotonic()
    program = command.split(maxsplit=1)[0]  # alone in the log: the arguments may hold a secret
    try:
        process = await _started([*shlex.split(command), names], settings, names)
    except (OSError, ValueError) as error:
        _log.warning("after_changes.not_run", program=program, why=str(error))
        return
    try:
        async with asyncio.timeout(seconds):
            output = await _tail(process)
            code = await process.wait()
    except TimeoutError:
        _log.warning("after_changes.too_long", program=program, seconds=seconds)
        return
    finally:
        await _end(process)
    level = _log.warning if code else _log.info
    took = round(time.monotonic() - started, 1)
    level("after_changes.run", program=program, exit_code=code, seconds=took, output=output)


async def _started(arguments: Sequence[str], settings: Settings, names: str) -> asyncio.subprocess.Process:
    """Start a command. If this is cancelled meanwhile, end the command with its children: asyncio would leave those."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**environ_for_others(os.environ, settings), VARIABLE: names},
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError, ValueError):
            await _end(await starting)
        raise


async def _tail(process: asyncio.subprocess.Process) -> str:
    """The end of a command's output, read as it comes, since it may not fit into memory.

    A cut leaves an ellipsis, by which the log's redactor knows that the end of a secret may follow.
    """
    if process.stdout is None:
        return ""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    screen = _Screen(4 * _OUTPUT_KEPT + 1)
    while chunk := await process.stdout.read(65536):
        screen.write(decoder.decode(chunk))
    screen.write(decoder.decode(b"", final=True))
    return ending(screen.text, _OUTPUT_KEPT)


class _Screen:
    """The end of what a terminal would show: after a carriage return, a line is overwritten.

    Kometa shows its progress on one line, which it overwrites thousands of times.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._above = ""
        self._line = ""
        self._is_returned = False

    @property
    def text(self) -> str:
        """The text shown now."""
        return self._above + self._line

    def write(self, text: str) -> None:
        """Add output."""
        above = [self._above]
        for piece in re.split(r"([\r\n])", text):
            if piece == "\n":
                above += (self._line, piece)
                self._line, self._is_returned = "", False
            elif piece == "\r":
                self._is_returned = True
            elif piece:
                self._line = piece if self._is_returned else self._line + piece
                self._is_returned = False
        self._above = "".join(above)[-self._kept :]
        self._line = self._line[-self._kept :]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a command and its children: SIGTERM, some seconds later SIGKILL. One that has ended is left alone."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDING):
                await process.wait()
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
