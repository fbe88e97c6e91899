"""Surround a command: load settings, set up logs, open the session, clean its errors, show its result."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import structlog

from kometa_ai.app import session_of
from kometa_ai.cli import output
from kometa_ai.cli.call import is_output_lost
from kometa_ai.errors import KometaAIError, ReportDefect
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.schema import Settings
from kometa_ai.settings.variables import secret_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kometa_ai.cli.call import Call
    from kometa_ai.jobs.session import Session

_log = structlog.get_logger()


@contextmanager
def prepared(call: Call, *required: str, warn: bool = True) -> Iterator[Session]:
    """Load the settings, configure logging, and yield the session that jobs start from.

    Errors that leave the context contain no secret; an unexpected one becomes a ReportDefect.
    """
    loaded = load_settings(call.environ, required=required)
    settings = loaded.settings
    redactor = Redactor(secrets_of(settings))
    logs.configure(
        settings.log_dir,
        debug=settings.debug_logging,
        form=settings.log_format,
        redactor=redactor,
        screen_level=logging.WARNING if call.is_watched and not settings.debug_logging else logging.NOTSET,
    )
    try:
        for warning in loaded.warnings if warn else ():
            _log.warning("settings.warning", setting=warning.source, what=warning.what, remedy=warning.remedy)
        yield (call.session_of or session_of)(settings)
    except KometaAIError as error:
        # Some services repeat the key that they refuse.
        error.message, error.remedy = redactor.text(error.message), redactor.text(error.remedy)
        raise
    except (click.ClickException, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and is_output_lost():
            raise
        raise ReportDefect(logs.log_unexpected("program.failed", error)) from error
    finally:
        logs.shutdown()


def defect_in(error: Exception, environ: Mapping[str, str]) -> ReportDefect:
    """Log an error that came before logging was configured, with its stack trace; return what to tell the user."""
    redactor = Redactor(environ.get(name, "") for name in secret_variables(environ))
    folder = environ.get("LOG_DIR") or str(Settings.model_fields["log_dir"].default)
    logs.configure(Path(folder), debug=False, form="json", redactor=redactor, screen_level=logging.CRITICAL)
    try:
        return ReportDefect(logs.log_unexpected("program.failed", error))
    finally:
        logs.shutdown()


def show(
    call: Call,
    result: Any,  # noqa: ANN401 - any result
    in_words: Callable[[Any], None],
    as_data: Callable[[Any], Any] = lambda result: result,
) -> None:
    """Write a result to stdout, as JSON if the user asked for it, else in words."""
    if call.given["output"] == "json":
        output.print_json(as_data(result))
    else:
        in_words(result)
