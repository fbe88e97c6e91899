"""Parse the command line with click, call the command, and turn errors into exit codes. Imports commands late."""

from __future__ import annotations

import gc
import math
import os
import sys
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from kometa_ai.__version__ import version_and_commit
from kometa_ai.cli.call import Call, Caller, is_given, is_output_lost, watch_output
from kometa_ai.cli.container import become_user, refuse_unreadable
from kometa_ai.errors import FixConfiguration, FixUsage, KometaAIError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.jobs.session import Session
    from kometa_ai.settings.schema import Settings

_Function = TypeVar("_Function", bound="Callable[..., Any]")

_EPILOG = """\b
Start here:
  kometa-ai --demo           see it work: needs no key and no network
  kometa-ai --demo --serve   click through its page, with something to decide
  kometa-ai --check-config   is everything set up right? what is to be done?
  kometa-ai --estimate       what would a run ask, and what would it cost?
  kometa-ai --dry-run        ask the model, show the changes, write nothing
  kometa-ai --run-now        the real thing, once; asks nothing again
  kometa-ai                  from now on by itself, every night

\b
In a container, beside the daemon:
  docker exec kometa-ai kometa-ai --explain "Heat (1995)"

\b
Settings are environment variables, above all RADARR_URL, RADARR_API_KEY,
SONARR_URL, SONARR_API_KEY, CLAUDE_API_KEY or that of another LLM_PROVIDER,
and CONFIG_DIR (Kometa's folder).
All of them are shown by --dump-config.

\b
Exit codes:
  0    done
  1    done, but something was skipped or failed; the report says what
  2    wrong usage or configuration
  3    no Radarr and no Sonarr can be used; nothing was changed
  4    the model cannot be used: its key, credit or name
  5    the state cannot be used
  6    another run is in progress
  130  interrupted by Ctrl+C, 143 by SIGTERM; what was learned is kept"""

_SECTIONS = {
    "One run, now": (
        "run_now",
        "dry_run",
        "collections",
        "force_refresh",
        "ask_again",
        "batch_size",
        "allow_removals",
        "accept_library",
        "max_cost",
        "reasons",
    ),
    "Looking; nothing is changed": (
        "check_config",
        "estimate",
        "explain",
        "what_if",
        "review",
        "pins",
        "runs",
        "dump_config",
        "dump_state",
    ),
    "Asking about a sample; nothing is decided": ("try_prompt", "audit"),
    "Having the last word": ("pin_in", "pin_out", "release_pin"),
    "Taking back": ("undo", "cancel_batches", "reset_state"),
    "Trying out": ("demo", "serve", "test_notification"),
}
"""The sections of --help with their options by parameter name; all others come last."""

_COMMANDS = {
    "health_check": "health:check",
    "dump_config": "inspection:dump_config",
    "dump_state": "inspection:dump_state",
    "reset_state": "inspection:reset_state",
    "check_config": "doctor:check_config",
    "test_notification": "inspection:test_notification",
    "demo": "runs:demo",
    "estimate": "runs:show_estimate",
    "explain": "runs:show_explanation",
    "what_if": "whatif:show_what_if",
    "undo": "runs:undo_run",
    "cancel_batches": "runs:cancel_open_batches",
    "review": "review:show_review",
    "pins": "pins:show_pins",
    "runs": "inspection:show_runs",
    "pin_in": "pins:pin_in",
    "pin_out": "pins:pin_out",
    "release_pin": "pins:release_pin",
    "try_prompt": "trials:try_a_prompt",
    "audit": "trials:audit_decisions",
    "run_now": "runs:run_now",
    "": "runs:daemon",
}
"""The module and function of each command, imported when called: a health check must not load what a run needs."""
_RUN_OPTIONS = (
    "dry_run",
    "collections",
    "batch_size",
    "force_refresh",
    "ask_again",
    "allow_removals",
    "accept_library",
    "max_cost",
    "reasons",
)
_IMPLYING = ("dry_run", "collections", "ask_again")
"""Options that imply one run."""
_TAKES = {
    "run_now": _RUN_OPTIONS,
    "estimate": ("dry_run", "collections", "batch_size", "force_refresh", "ask_again"),
    "explain": ("collections",),
    "review": ("collections",),
    "try_prompt": ("collections", "batch_size", "max_cost"),
    "audit": ("collections", "max_cost"),
    "undo": ("dry_run",),
    "pins": ("collections",),
    "pin_in": ("collections",),
    "pin_out": ("collections",),
    "release_pin": ("collections",),
}
"""The options of a run that each command accepts; commands not listed accept none."""


class _Dollars(click.FloatRange):
    """An amount of money. `nan` is within no range, and yet click lets it pass; `inf` is no limit."""

    name = "usd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's
        """Read the amount."""
        amount = super().convert(value, param, ctx)
        if not math.isfinite(amount):
            self.fail(f"{value!r} is not an amount.", param, ctx)
        return amount


def _flag(*names: str, text: str) -> Callable[[_Function], _Function]:
    return click.option(*names, is_flag=True, help=text)


class _Sorted(click.Command):
    """A command whose --help sorts its options into sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        records = {option.name: record for option in self.get_params(ctx) if (record := option.get_help_record(ctx))}
        for heading, names in _SECTIONS.items():
            with formatter.section(heading):
                formatter.write_dl([records.pop(name) for name in names if name in records])
        with formatter.section("Else"):
            formatter.write_dl(list(records.values()))


@click.command(
    cls=_Sorted,
    name="kometa-ai",
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@_flag("--run-now", text="Do one run now, in this process, and exit.")
@_flag("--dry-run", text="Ask the model and show the exact tag changes, but write no tag and send no notification.")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="TEXT",
    help="Only this collection: its name, or its tag with or without kai-. May be repeated. Implies --run-now.",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 300), metavar="NUMBER", help="Movies or shows in one request to the model."
)
@_flag(
    "--force-refresh",
    text="Ask again about every movie and show, whatever is known. Costs as much as a first run; for one "
    "--collection more than its share of that, since those asked about together share what is sent of a movie.",
)
@click.option(
    "--ask-again",
    multiple=True,
    metavar="TEXT",
    help="Ask again what one request has answered (its id is in --explain), or what was given-up. May be repeated. "
    "Implies --run-now.",
)
@_flag("--allow-removals", text="Remove as many members as it takes: lift the safety brake (REMOVAL_LIMIT).")
@_flag(
    "--accept-library",
    text="Believe a library's list although it has shrunk to less than half, or its tags have lost their names.",
)
@click.option(
    "--max-cost",
    type=_Dollars(min=0),
    metavar="USD",
    help="Spend no more than this; the lower of it and MAX_COST_PER_RUN counts. With 0 nothing is asked.",
)
@_flag("--estimate", text="What a run would ask, why, and about what it would cost. Costs nothing.")
@_flag(
    "--check-config",
    text="Check settings, Kometa's files, Radarr, Sonarr and the model: every problem, and what to do.",
)
@_flag("--health-check", text="For Docker: is the daemon alive, can it write its state?")
@_flag(
    "--dump-config",
    text="The settings in force (secrets masked), libraries, every collection found, and `next_run`, as JSON.",
)
@_flag("--dump-state", text="Everything that is remembered, decisions and past runs, as JSON.")
@_flag("--reset-state", text="Forget every decision and start fresh; pins stay, and the old state is kept as a backup.")
@_flag("--demo", text="The whole program on real films and shows, against services that it brings along.")
@_flag("--serve", text="With --demo: stay, and serve the page at an address and with a password that are printed.")
@click.option(
    "--explain",
    metavar="TEXT",
    help='Why a movie or show ("Heat (1995)", tmdb:949, tvdb:81189) is in or out of each collection.',
)
@click.option(
    "--what-if",
    metavar="COLLECTION=THRESHOLD",
    help='Who would enter and leave a collection at another threshold, e.g. "Film Noir=0.65". Costs nothing.',
)
@click.option(
    "--try-prompt",
    metavar="FILE",
    help="Judge about 40 movies or shows of one --collection by another prompt (- reads it from standard input), and "
    "show what would change. Spends at most --max-cost, without it twice the forecast; with 0 only forecasts.",
)
@_flag(
    "--audit",
    text="Ask again, blind, about a sample of decisions and all pins, and show what differs. --max-cost as above.",
)
@click.option(
    "--undo",
    metavar="RUN_ID",
    help="Take one run's tag changes back, for good: they become pins. With --dry-run: only show.",
)
@_flag(
    "--review",
    text="What wants a person: changes that are held, looks that disagree, close calls; and how to answer.",
)
@_flag(
    "--runs",
    text="The runs that are kept, the latest first, with their ids: when, what they changed, which was taken back.",
)
@_flag(
    "--pins",
    text="The movies and shows that people have pinned in or out of a collection, by whom and when; those in Kometa's "
    "files are not listed.",
)
@click.option(
    "--pin-in",
    multiple=True,
    metavar="TEXT",
    help='A movie or show ("Heat (1995)", tmdb:949, tvdb:81189) belongs in the --collection, whatever the model says.',
)
@click.option(
    "--pin-out",
    multiple=True,
    metavar="TEXT",
    help="It does not belong there. At once, also while a run is on; free. Both may be repeated.",
)
@click.option(
    "--release-pin",
    metavar="TEXT",
    help="Let the model decide on a movie or show again: drop its pins, all or those in one --collection. A run's id "
    "drops all that this run has made.",
)
@_flag(
    "--cancel-batches", text="Stop the questions that wait at Anthropic in batches; what is answered by then is kept."
)
@_flag(
    "--wait",
    text="The daemon waits for settings that are missing or wrong, and shows them on its page, instead of ending with "
    "exit code 2. The image sets it; other commands pass it over.",
)
@_flag("--reasons", text="Show with each movie or show why it was added or removed.")
@_flag("--test-notification", text="Send a test report to every configured channel and say what became of it.")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the result is written.",
)
@click.version_option(version_and_commit(), prog_name="kometa-ai")
@click.pass_obj
def cli(caller: Caller, /, **options: Any) -> int:  # noqa: ANN401 - click's parameters
    """Collections described in plain words, in comments of your Kometa files: a language model decides which of
    Radarr's movies or Sonarr's shows belong, each is tagged kai-<collection> there, and Kometa builds the collection
    from the tag.

    Without an option this is the daemon: it waits for the schedule, runs, and waits again.
    """  # noqa: D205 - what --help begins with
    # An empty value is an error of its command, and must not start the daemon.
    chosen = [name for name in _COMMANDS if name and options[name] not in (None, False, ())]
    if len(chosen) > 1:
        names = " and ".join("--" + name.replace("_", "-") for name in chosen)
        raise FixUsage(f"{names} cannot be combined.", "Give one of them.")
    if chosen:
        _refuse_run_options(chosen[0], options)
    if options["serve"] and not options["demo"]:
        raise FixUsage("--serve is for the demo's page.", "Add --demo; the daemon, without options, serves its own.")
    if options["demo"] and options["output"] == "json":
        raise FixUsage("--demo tells a story; it has no JSON form.", "Leave --output out.")
    command = chosen[0] if chosen else "run_now" if any(map(options.get, _IMPLYING)) else ""
    module, _, name = _COMMANDS[command].partition(":")
    gc.disable()  # nothing of an import is garbage, now or later
    try:
        function: Callable[[Call], int] = getattr(import_module(f"kometa_ai.cli.{module}"), name)
        gc.freeze()
    finally:
        gc.enable()
    return function(Call(options, *caller))


def _refuse_run_options(command: str, options: Mapping[str, Any]) -> None:
    given = [name for name in _RUN_OPTIONS if is_given(options[name]) and name not in _TAKES.get(command, ())]
    if given:
        option = "--" + given[0].replace("_", "-").replace("collections", "collection")
        raise FixUsage(f"{option} has no meaning with --{command.replace('_', '-')}.", "Leave it out.")


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    is_watched: bool | None = None,
    session_of: Callable[[Settings], Session] | None = None,
) -> int:
    """Run the program and return its exit code.

    With `is_watched` (by default: stderr is a terminal), progress and warnings go to stderr, and the log does not.
    """
    caller = Caller(environ, sys.stderr.isatty() if is_watched is None else is_watched, session_of)
    try:
        result = cli.main(list(arguments), prog_name="kometa-ai", standalone_mode=False, obj=caller)
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.ClickException as error:
        error.show()
        if _wants_json(arguments):
            _print_error(error.exit_code, error.format_message(), "--help lists the options and their values.")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Exception as error:  # noqa: BLE001 - users never see a stack trace
        if isinstance(error, OSError) and is_output_lost():
            return _without_output(error)
        known = error if isinstance(error, KometaAIError) else _defect(error, environ)
        _show(known, as_json=_wants_json(arguments))
        return known.exit_code
    return result if isinstance(result, int) else 0


def _without_output(error: OSError) -> int:
    """Tell the user that the result could not be written; return the exit code."""
    _discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return 0  # the reader has gone (`| head`): not an error, and nothing more to say
    click.echo(f"Error: The result could not be written to standard output: {error.strerror}.", err=True)
    click.echo("What was asked for has been done all the same; a run's report is in STATE_DIR/runs.", err=True)
    return 1


def _discard(stream: TextIO) -> None:
    """Discard the unwritten rest of a stream: the interpreter would fail to flush it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _defect(error: Exception, environ: Mapping[str, str]) -> KometaAIError:
    from kometa_ai.cli.calls import defect_in  # noqa: PLC0415 - brings the log

    return defect_in(error, environ)


def _wants_json(arguments: Sequence[str]) -> bool:
    return "--output=json" in arguments or any(pair == ("--output", "json") for pair in pairwise(arguments))


def _show(error: KometaAIError, *, as_json: bool) -> None:
    """Print an error: on stderr for users, and as the result on stdout if JSON was asked for."""
    problems = error.problems if isinstance(error, FixConfiguration) else ()
    click.echo(f"Error: {error.message}", err=True)
    for problem in problems:
        click.echo(f"  - {problem}", err=True)
    if error.remedy:
        click.echo(error.remedy, err=True)
    if as_json:
        _print_error(error.exit_code, error.message, error.remedy, problems)


def _print_error(exit_code: int, message: str, remedy: str, problems: Sequence[Problem] = ()) -> None:
    """Print an error as the result that a script asked for."""
    from kometa_ai.cli.output import print_json  # noqa: PLC0415

    found = {"error": message, "remedy": remedy, "problems": list(problems)}
    print_json({"outcome": "error", "exit_code": exit_code, **found})


def main() -> None:
    """Run the program for the arguments it was started with, and exit."""
    try:
        become_user(os.environ)
        refuse_unreadable()
    except KometaAIError as error:
        _show(error, as_json=_wants_json(sys.argv))
        sys.exit(error.exit_code)
    watch_output()
    code = run(sys.argv[1:], os.environ)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # Nothing is left to save or to close. The interpreter would wait for abandoned threads, and then free all memory
    # piece by piece, which is a tenth of a settled run.
    os._exit(code)
