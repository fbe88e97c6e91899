"""Host the daemon in this process: logs, API key, server and signals."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
import signal
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr

from kometa_ai.app import session_of
from kometa_ai.cli.call import is_given
from kometa_ai.cli.calls import prepared
from kometa_ai.daemon.life import Daemon
from kometa_ai.errors import FixUsage, RepairState, WaitForOtherRun
from kometa_ai.jobs.aside import LooseThreads
from kometa_ai.jobs.stopping import ending_in_order
from kometa_ai.observe import logs, process
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import REQUIRED
from kometa_ai.state.loading import is_older
from kometa_ai.state.lock import StateLock
from kometa_ai.state.store import Store
from kometa_ai.state.upgrades import tell_due
from kometa_ai.web.keys import kept_key
from kometa_ai.web.serving import serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.cli.call import Call
    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings

_FILES = 4096

_log = structlog.get_logger()


def live(call: Call, *, screen_level: int = logging.NOTSET) -> int:
    """Run the daemon until a signal ends it. `screen_level` is from which level on its log goes to stderr, too.

    Raises FixUsage for options that apply to a single run only.
    """
    for name in ("force_refresh", "allow_removals", "accept_library", "max_cost", "reasons"):
        if is_given(call.given[name]):
            raise FixUsage(f"--{name.replace('_', '-')} is for one run, not for every night.", "Add --run-now.")
    # SIGHUP means "check again". It is ignored until the daemon listens: it checks everything at its start anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with prepared(call, *REQUIRED) as session:
        _raise_file_limit()
        settings = with_key(session.settings)
        if call.given["batch_size"]:
            settings = settings.model_copy(update={"batch_size": call.given["batch_size"]})
        # Once more, now that the key is known, so that it is redacted, too; and no user watches a daemon's progress.
        logs.configure(
            settings.log_dir,
            debug=settings.debug_logging,
            form=settings.log_format,
            redactor=Redactor(secrets_of(settings)),
            screen_level=screen_level,
        )
        process.share_memory()
        _log.info("daemon.starting", user=os.geteuid(), group=os.getegid(), is_root=os.geteuid() == 0)
        keyed = (call.session_of or session_of)(settings)
        _try_state(keyed)
        code = asyncio.run(_live(keyed, call.environ))
    # Otherwise the interpreter walks through all objects of the libraries at exit, which takes a second.
    gc.freeze()
    return code


def _try_state(session: Session) -> None:
    """Raise RepairState if the folder can never be locked or its state is newer: no run of a daemon could start.

    A state that an older version wrote is brought to the present format, or the page could not read it before the next
    run has ended. One that is damaged is left to that run, whose report says what it repaired.
    """
    folder = session.settings.state_dir
    must_migrate = is_older(folder)
    with suppress(WaitForOtherRun), StateLock(folder):
        try:
            if not must_migrate:
                tell_due(folder)  # the process that brought it to the present format may have been killed
            elif not session.read().alerts:
                session.choices.take_over(Store.load(folder))
        except RepairState as error:
            _log.warning("state.not_migrated", why=error.message, remedy=error.remedy)


def _raise_file_limit() -> None:
    """Raise the limit of open files as far as allowed: service managers start with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def with_key(settings: Settings) -> Settings:
    """The settings with the API's key, which is made if none is set. Raises RepairState if it cannot be kept."""
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RepairState(
            f"The state folder {str(settings.state_dir)!r} cannot be made: {error.strerror}.",
            "Mount a folder there that this user may write, or set STATE_DIR.",
        ) from error
    if settings.http_port == 0 or settings.http_api_key.get_secret_value():
        return settings
    return settings.model_copy(update={"http_api_key": SecretStr(kept_key(settings.state_dir))})


async def _live(session: Session, environ: Mapping[str, str]) -> int:
    settings = session.settings
    daemon = Daemon(session, environ)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(LooseThreads())
    rechecks: set[asyncio.Task[None]] = set()

    def recheck() -> None:
        task = asyncio.create_task(daemon.recheck())
        rechecks.add(task)
        task.add_done_callback(rechecks.discard)

    async with AsyncExitStack() as stack:
        stack.enter_context(ending_in_order(daemon.stop))
        loop.add_signal_handler(signal.SIGHUP, recheck)
        stack.callback(signal.signal, signal.SIGHUP, signal.SIG_IGN)
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)
        if settings.http_port:
            # A daemon without a server needs no framework.
            from kometa_ai.web.app import make_app  # noqa: PLC0415
            from kometa_ai.web.visitors import entrance_of  # noqa: PLC0415

            key = settings.http_api_key.get_secret_value()
            entrance = entrance_of(settings, key)
            app = make_app(daemon, api_key=key, url_base=settings.http_url_base, entrance=entrance)
            address = await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
            _log.info("http.listening", address=f"{address}{settings.http_url_base}")
        return await daemon.live()
