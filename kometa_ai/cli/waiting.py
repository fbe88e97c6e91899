"""Wait for settings that are missing or wrong, as in a container, which would otherwise be restarted for ever.

Meanwhile the log says once what is missing, and a page behind the sign-in shows it.

Why: docs/decisions/0026-waiting.md
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from kometa_ai.cli.hosting import with_key
from kometa_ai.daemon import heartbeat
from kometa_ai.errors import FixConfiguration
from kometa_ai.jobs.aside import LooseThreads
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import load_settings, load_usable
from kometa_ai.settings.variables import secret_variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.settings.schema import Settings

EVERY = 60.0
"""Seconds between two looks at files that hold settings; the environment of a process never changes."""
_GRACE = 1.5
"""Seconds in which the page can still say that all is well."""

_log = structlog.get_logger()


def wait_for_settings(environ: Mapping[str, str], *, every: float = EVERY) -> None:
    """Return as soon as the settings can be used. Signals end the process, as before the daemon.

    Raises RepairState if the state folder cannot be written: there is no place for the keys of a page then, and the
    operator who corrects that starts the container anew anyway.
    """
    try:
        load_settings(environ)
    except FixConfiguration as error:
        # As for the daemon: ignored until a handler is there.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        settings = load_usable(environ)
        secret = {environ[name] for name in secret_variables(environ) if environ.get(name) and name[-5:] != "_FILE"}
        _configure_logs(settings, secret)
        try:
            _tell(error, every)
            settings = with_key(settings)
            heartbeat.end(settings.state_dir)  # that of a daemon which was killed: the health check would believe it
            _configure_logs(settings, secret)
            asyncio.run(_wait(settings, environ, error, every))
        finally:
            logs.shutdown()


def _configure_logs(settings: Settings, secret: set[str]) -> None:
    redactor = Redactor(secrets_of(settings) | secret)
    logs.configure(settings.log_dir, debug=settings.debug_logging, form=settings.log_format, redactor=redactor)


def _tell(error: FixConfiguration, every: float) -> None:
    """Say plainly what is missing, once for each time that it is something else."""
    for problem in error.problems:
        logs.log_problem("settings.problem", problem)
    remedy = (
        "Set them where the container is made (docker-compose.yml and .env, or Unraid's form), or without a "
        "container in the shell or unit that starts the program, and start it anew. "
        f"Files that hold a setting are read again every {every:g} seconds."
    )
    _log.error("daemon.waiting", what=f"{error.message} The program waits for them.", remedy=remedy)


async def _wait(settings: Settings, environ: Mapping[str, str], known: FixConfiguration, every: float) -> None:
    from kometa_ai.web.waiting import Waiting, make_waiting_app  # noqa: PLC0415 - a start in order needs none of it

    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(LooseThreads())  # a share that hangs must not keep the process from ending
    waiting = Waiting(environ, known, woken.set)
    async with AsyncExitStack() as stack:
        loop.add_signal_handler(signal.SIGHUP, woken.set)
        stack.callback(signal.signal, signal.SIGHUP, signal.SIG_IGN)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)
        if settings.http_port:
            from kometa_ai.web.serving import serving  # noqa: PLC0415
            from kometa_ai.web.visitors import entrance_of  # noqa: PLC0415

            key = settings.http_api_key.get_secret_value()
            app = make_waiting_app(waiting, settings, entrance_of(settings, key), api_key=key)
            address = await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
            _log.info("http.listening", address=f"{address}{settings.http_url_base}")
        while True:
            try:
                async with asyncio.timeout(every):
                    await woken.wait()
            except TimeoutError:
                pass
            woken.clear()
            before = waiting.error.problems
            if not await waiting.look():
                break
            if waiting.error.problems != before:
                _tell(waiting.error, every)
        await asyncio.sleep(_GRACE if settings.http_port else 0)
    _log.info("settings.in_order", what="The settings can be used now; the daemon starts.")
