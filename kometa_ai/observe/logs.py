"""Write the log with structlog: JSON lines in a file, and the same on stderr for users or machines.

The lines of the program and of its libraries take the same path: structlog passes them to the standard library's
logging, whose two handlers render them. Each redacts last, when everything has become text, so nothing bypasses it.

    configure(settings.log_dir, debug=False, form="auto", redactor=Redactor(secrets_of(settings)))
    with structlog.contextvars.bound_contextvars(run_id=run_id): ...
    shutdown()

A stack trace goes to the file only, unless there is no file: on stderr, users see the error's name. This also applies
to what Python itself would print: warnings, and uncaught errors of threads and destructors.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter

from kometa_ai.observe.redact import described

if TYPE_CHECKING:
    from io import TextIOWrapper

    from structlog.typing import EventDict, Processor, WrappedLogger

    from kometa_ai.core.problem import Problem
    from kometa_ai.observe.redact import Redactor

FILE_NAME = "kometa-ai.log"
_LARGEST_FILE = 10_000_000
_KEPT_FILES = 5
_NOT_OURS = f"{FILE_NAME} is a link or no regular file: move it away, and a new one is made"
_QUIET = ("anthropic", "apprise", "asyncio", "httpcore2", "httpx2", "urllib3", "uvicorn.access")
"""Libraries that are logged from WARNING on: their details would include every request with its headers."""

REPORTED = "run.problem"
"""The event of lines that repeat the run's report; they are left out on a screen that shows the report."""

_FIRST = ("timestamp", "level", "event", "run_id", "collection_name")
_NEVER_SECRET = ("timestamp", "level")
# JSON escapes control characters below U+0020. The others here move a terminal's cursor, end a line or change the
# direction of the text, and a lone surrogate cannot be encoded at all.
_HARMFUL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_installed: list[logging.Handler] = []
_levels_before: dict[str, int] = {}
_redactors: list[Redactor] = []
_hooks_before: list[tuple[Callable[..., object], Callable[..., object]]] = []
_log = structlog.get_logger()


def configure(
    log_dir: Path,
    *,
    debug: bool,
    form: Literal["auto", "json", "console"],
    redactor: Redactor,
    stream: TextIO | None = None,
    screen_level: int = logging.NOTSET,
) -> None:
    """Log to `stream` (stderr) and to `log_dir`/kometa-ai.log from now on, replacing an earlier configuration.

    `screen_level` keeps lines below it off the stream, if a user watches other output there.

    A folder that cannot be written is a warning on `stream`, not an error. `auto` means console on a terminal.
    """
    shutdown()
    stream = stream or sys.stderr
    file, trouble = _open_file(log_dir)
    on_console = form == "console" or (form == "auto" and stream.isatty())
    is_the_log = file is None and screen_level == logging.NOTSET
    screen = _Screen(stream)
    screen.setLevel(screen_level)
    if screen_level != logging.NOTSET:
        screen.addFilter(_is_not_reported)
    screen.setFormatter(_formatter(redactor, traceback=is_the_log, colors=stream.isatty() if on_console else None))
    handlers: list[logging.Handler] = [screen]
    if file:
        file.setFormatter(_formatter(redactor, traceback=True))
        handlers.append(file)
    _install(handlers, debug=debug)
    _redactors.append(redactor)
    _configure_structlog(logging.DEBUG if debug else logging.INFO)
    logging.captureWarnings(capture=True)
    _hooks_before.append((threading.excepthook, sys.unraisablehook))
    threading.excepthook, sys.unraisablehook = _on_thread_failed, _on_unraisable
    if trouble:
        reason = trouble.strerror or type(trouble).__name__
        _log.warning("The log file cannot be written", path=str(log_dir), reason=reason)


def shutdown() -> None:
    """Stop logging, close the file, and restore the logging from before `configure`."""
    logging.captureWarnings(capture=False)
    if _hooks_before:
        threading.excepthook, sys.unraisablehook = _hooks_before.pop()
    root = logging.getLogger()
    for handler in _installed:
        root.removeHandler(handler)
        handler.close()
    _installed.clear()
    _redactors.clear()
    for name, level in _levels_before.items():
        logging.getLogger(name or None).setLevel(level)
    _levels_before.clear()
    structlog.reset_defaults()


def log_unexpected(event: str, error: BaseException) -> str:
    """Log an unexpected error; return a sentence for the user that says where its stack trace is.

    The sentence is redacted.
    """
    _log.error(event, exc_info=error)
    lines = described(error).splitlines()
    what = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    places = [handler.baseFilename for handler in _installed if isinstance(handler, _LogFile)]
    if places:
        where = f"the details are in {places[0]}"
    elif any(handler.level == logging.NOTSET for handler in _installed):
        where = "the details are in the log on stderr"
    else:
        where = "set LOG_DIR to a folder that can be written, and the log there will hold the details"
    sentence = f"Something unexpected happened ({what}); {where}."
    for redactor in _redactors:
        sentence = redactor.text(sentence)
    return sentence


def log_problem(event: str, problem: Problem) -> None:
    """Write one line for a problem, at the level of its severity."""
    details = {
        "collection_name": problem.collection,
        "source": problem.where,
        "what": problem.what,
        "remedy": problem.remedy,
        "movies": list(problem.movies),
    }
    tell = {"error": _log.error, "warning": _log.warning}.get(problem.severity, _log.info)
    tell(event, **{name: value for name, value in details.items() if value})


def _install(handlers: list[logging.Handler], *, debug: bool) -> None:
    root = logging.getLogger()
    for handler in handlers:
        root.addHandler(handler)
    _installed.extend(handlers)
    wanted = {"": logging.DEBUG if debug else logging.INFO, **dict.fromkeys(_QUIET, logging.WARNING)}
    for name, level in wanted.items():
        logger = logging.getLogger(name or None)
        _levels_before[name] = logger.level
        logger.setLevel(level)


def _open_file(log_dir: Path) -> tuple[_LogFile | None, OSError | None]:
    try:
        log_dir.mkdir(parents=True, exist_ok=True)
        return _LogFile(log_dir / FILE_NAME), None
    except OSError as error:
        return None, error


class _Screen(logging.StreamHandler[TextIO]):
    """Stderr. A line that cannot be written is lost: there is no other place to report that."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Do nothing: the standard library would print the record unredacted."""


class _LogFile(RotatingFileHandler):
    """The log file: readable by its owner only, rotated, and shared with other processes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_LARGEST_FILE, backupCount=_KEPT_FILES, encoding="utf-8")
        self._formatted: str | None = None

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", opener=open_private)

    def emit(self, record: logging.LogRecord) -> None:
        """Write to the file that has the name now: another process may have rotated it."""
        if self.stream and not _is_still(Path(self.baseFilename), self.stream):
            self._close_stream()  # the base class opens it again for the record
        try:
            super().emit(record)
        finally:
            self._formatted = None

    def format(self, record: logging.LogRecord) -> str:
        """Render the record once: the base class wants its length before it wants its text."""
        if self._formatted is None:
            self._formatted = super().format(record)
        return self._formatted

    def close(self) -> None:
        """Close the file, even if its last lines cannot be written."""
        self._close_stream()
        super().close()

    def _close_stream(self) -> None:
        if self.stream:
            with suppress(OSError):
                self.stream.close()
            self.stream = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Do nothing: a full disk must not stop a run, and stderr has the line."""


def _is_still(path: Path, stream: TextIOWrapper) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except OSError:
        return False


def open_private(path: str, flags: int) -> int:
    """Open a file of ours, for its owner only; raise OSError for a link or device. An opener for `open`."""
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise OSError(error.errno, _NOT_OURS) from error
        raise
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return handle
    # A link or device: writing to it would change something that is not ours.
    os.close(handle)
    raise OSError(errno.EINVAL, _NOT_OURS)


def _configure_structlog(level: int) -> None:
    structlog.configure(
        processors=[*_context(), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        # Module loggers may be used before this and after shutdown().
        cache_logger_on_first_use=False,
    )


def _context() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(redactor: Redactor, *, traceback: bool, colors: bool | None = None) -> ProcessorFormatter:
    """Render as JSON, or for a console if `colors` is given; `colors` says whether it supports them."""

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {
            (name if name in _FIRST else redactor.text(name)): (
                value if name in _NEVER_SECRET else redactor.field(name, value)
            )
            for name, value in event.items()
        }

    return ProcessorFormatter(
        foreign_pre_chain=[*_context(), structlog.stdlib.add_logger_name],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            _name_error,
            structlog.processors.format_exc_info if traceback else _drop_traceback,
            redact,
            *([_as_json] if colors is None else [_harmless, structlog.dev.ConsoleRenderer(colors=colors)]),
        ],
    )


def _name_error(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the error in one line, without its stack trace."""
    raised = event.get("exc_info")
    if raised and not isinstance(raised, BaseException):
        raised = raised[1] if isinstance(raised, tuple) else sys.exc_info()[1]
    if isinstance(raised, BaseException):
        event.setdefault("error", f"{type(raised).__name__}: {described(raised)}".removesuffix(": "))
    return event


def _drop_traceback(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.pop("exc_info", None)
    return event


def _as_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    event.setdefault("run_id", "")  # each line has the same keys
    ordered = {name: event[name] for name in (*_FIRST, *event) if name in event}
    # Harmful characters only occur inside JSON strings, where their escapes are valid.
    return _HARMFUL.sub(_escaped, json.dumps(ordered, ensure_ascii=False))


def _harmless(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put each value on one line, nested data as in the file; only a stack trace keeps its lines."""
    calm: EventDict = {}
    for name, value in event.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        if isinstance(text, str):
            lines = text.split("\n") if name == "exception" else [text]
            text = "\n".join(_HARMFUL.sub(_escaped, line) for line in lines)
        calm[_HARMFUL.sub(_escaped, name)] = text
    return calm


def _is_not_reported(record: logging.LogRecord) -> bool:
    return not (isinstance(record.msg, dict) and record.msg.get("event") == REPORTED)


def _on_thread_failed(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else ""
        _log.error("thread.failed", thread=name, exc_info=args.exc_value)


def _on_unraisable(args: sys.UnraisableHookArgs) -> None:
    _log.error("error.ignored", where=described(args.object), what=args.err_msg, exc_info=args.exc_value)


def _escaped(found: re.Match[str]) -> str:
    return rf"\u{ord(found[0]):04x}"
