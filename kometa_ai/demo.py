"""Play the whole program as a demo, against stand-ins; with CLAUDE_API_KEY the real Claude judges.

Everything else is real: stand-ins hold a library of real films and one of real shows, a stand-in Claude judges by
keyword matching and says so, and a mailbox receives the mails. `play` ends by itself; `serve_page` leaves the daemon
running with its page, until a signal ends it.
"""

from __future__ import annotations

import logging
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import textwrap
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich.rule import Rule
from rich.text import Text

from kometa_ai.cli.hosting import live
from kometa_ai.cli.main import run
from kometa_ai.cli.output import console, print_hanging
from kometa_ai.standins import films as of_films
from kometa_ai.standins import shows as of_shows
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.films import films
from kometa_ai.standins.keyword_judge import judge
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.shows import shows
from kometa_ai.standins.sonarr import SonarrStandIn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from kometa_ai.cli.call import Call

_RADARR_KEY = "0123456789abcdef0123456789abcdef"
_SONARR_KEY = "fedcba9876543210fedcba9876543210"
_NEW_FILMS = 3
"""Films that are kept back at first, and added between two runs."""
_NEW_SHOW = 361753
"""The show that is kept back: The Mandalorian."""

_HOST, _PORT = "127.0.0.1", 7880
_PASSWORD = "demo-page"  # noqa: S105 - nothing is behind it, and no other machine can reach it
_SIGNALLED = 128
"""Exit codes from here on say which signal has ended a run."""
_MISTAGGED = 15
"""Films that get a tag by mistake which keeps them out of a collection: more than the brake lets through."""
_SYNCED = "    radarr_taglist: kai-heist-films\n    sync_mode: sync\n"

_FILM = "Inception (2010)"
_DOUBTED, _PINNED = "Crime with Subtitles", "Narcos (2015)"
_WHY_PINNED = "Narcos is in Spanish, but it plays in Colombia, and the block asks for the continent."
_WIDTH = 80
"""The columns that the demo's own lines take at most."""


class Stage:
    """The services of the demo: a Radarr, a Sonarr, a Claude, a mailbox; and a Kometa folder of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.new_films = films()[-_NEW_FILMS:]
        self.films = films()[:-_NEW_FILMS]
        (self.new_show,) = (show for show in shows() if show.tvdb_id == _NEW_SHOW)
        self.shows = tuple(show for show in shows() if show != self.new_show)
        self.radarr = RadarrStandIn([film.as_seed() for film in self.films], api_key=_RADARR_KEY)
        self.sonarr = SonarrStandIn([show.as_seed() for show in self.shows], api_key=_SONARR_KEY)
        self.claude = ClaudeStandIn(judge=judge, api_key="demo")
        self.kometa = folder / "kometa"
        for bundled in (of_films.KOMETA_FOLDER, of_shows.KOMETA_FOLDER):
            shutil.copytree(bundled, self.kometa, dirs_exist_ok=True)
        self._folder = folder
        self._environ = environ

    @contextmanager
    def open(self) -> Iterator[dict[str, str]]:
        """Serve the stand-ins, and yield the environment that points the program at them."""
        with ExitStack() as stack:
            radarr = stack.enter_context(serve(self.radarr.app))
            sonarr = stack.enter_context(serve(self.sonarr.app))
            mailbox = stack.enter_context(Mailbox())
            environ = {
                **{name: value for name, value in self._environ.items() if name in ("TERM", "COLUMNS", "NO_COLOR")},
                "RADARR_URL": radarr,
                "RADARR_API_KEY": _RADARR_KEY,
                "SONARR_URL": sonarr,
                "SONARR_API_KEY": _SONARR_KEY,
                "CONFIG_DIR": str(self.kometa),
                "STATE_DIR": str(self._folder / "state"),
                "LOG_DIR": str(self._folder / "logs"),
                "SMTP_SERVER": mailbox.host,
                "SMTP_PORT": str(mailbox.port),
                "SMTP_SECURITY": "none",
                "NOTIFICATION_RECIPIENTS": "you@example.org",
                "LOG_FORMAT": "console",
            }
            if self.is_real:
                environ |= {name: value for name, value in self._environ.items() if name.startswith(_OURS)}
                environ |= _outbound(self._environ)
            else:
                environ |= {"CLAUDE_API_KEY": "demo", "CLAUDE_BASE_URL": stack.enter_context(serve(self.claude.app))}
            self.mailbox = mailbox
            yield environ

    def add_newcomers(self) -> None:
        """Put what was kept back into the libraries."""
        for film in self.new_films:
            self.radarr.add_movie(film.as_seed())
        self.sonarr.add_show(self.new_show.as_seed())

    def let_things_slip(self) -> None:
        """What happens in a real home between two runs: a line of a file is lost, and films get a tag by mistake."""
        (file,) = (path for path in self.kometa.glob("*.yml") if _SYNCED in path.read_text(encoding="utf-8"))
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(_SYNCED, _SYNCED.splitlines(keepends=True)[0]), encoding="utf-8")
        for number in sorted(self.radarr.members("kai-feel-good"))[:_MISTAGGED]:
            self.radarr.tag_by_hand(number, "horror-night")

    @property
    def is_real(self) -> bool:
        """Whether the real Claude judges."""
        return bool(self._environ.get("CLAUDE_API_KEY") or self._environ.get("ANTHROPIC_API_KEY"))


_OURS = ("CLAUDE_", "ANTHROPIC_", "MAX_COST")
_OUTBOUND = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"}


def _outbound(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for the real Claude: proxies and certificates, with the stand-ins excepted from the proxy."""
    found = {name: value for name, value in environ.items() if name.upper() in _OUTBOUND}
    exceptions = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    return {**found, "no_proxy": f"{exceptions},127.0.0.1"}


def _run_ids(environ: Mapping[str, str]) -> set[str]:
    """The runs so far. Which of two that began within one second is the later one, their ids do not say."""
    return {path.stem for path in (Path(environ["STATE_DIR"]) / "runs").glob("*.json")}


def play(environ: Mapping[str, str]) -> int:
    """Play the demo; return the first exit code that is not 0."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # so that the folder is removed
    with tempfile.TemporaryDirectory(prefix="kometa-ai-demo-") as folder:
        stage = Stage(Path(folder), environ)
        with stage.open() as to_stage:
            return perform(stage, to_stage)


def perform(stage: Stage, environ: dict[str, str]) -> int:
    """Play all acts on an open stage; return the first exit code that is not 0."""
    out = console()
    _introduce(stage, out, "the demo")
    codes = []

    def act(title: str, *arguments: str, told: str = "") -> None:
        _head(out, title)
        if told:
            out.print(told)
        out.print(f"[cyan]$ kometa-ai {shlex.join(arguments)}[/]")
        codes.append(run(arguments, environ, is_watched=True))

    _head(out, "What you write: a comment in Kometa's file")
    _show_block(stage, out)
    act("What would a first run ask, and cost?", "--estimate")
    act("The first run", "--run-now")
    act("The second run: nothing is new, so nothing is asked and nothing written", "--run-now")
    stage.add_newcomers()
    new_show = f"{stage.new_show.title} ({stage.new_show.year})"
    titles = ", ".join([*(f"{film.title} ({film.year})" for film in stage.new_films), new_show])
    earlier = _run_ids(environ)
    act("Something is new in both libraries, and only that is asked about", "--run-now", told=f"New: {titles}")
    newest = (_run_ids(environ) - earlier).pop()
    act("Why is a film in or out?", "--explain", _FILM)
    act("And a show?", "--explain", new_show)
    act("What wants you: close calls, and changes that are held back", "--review", "--collection", _DOUBTED)
    act("You have the last word", "--pin-out", _PINNED, "--collection", _DOUBTED, told=_WHY_PINNED)
    act("And a run can be taken back", "--undo", newest)
    _head(out, "The mail that came meanwhile")
    for message in stage.mailbox.received:
        print_hanging(out, f"to {message.recipients[0]}: [bold]{message.message['Subject']}[/]", lead=2, indent=4)
    _conclude(stage, out)
    return next((code for code in codes if code), 0)


def _head(out: Console, title: str) -> None:
    out.print()
    out.print(Rule(f"[bold]{title}[/]", align="left"), width=min(out.width, _WIDTH))


def _show_block(stage: Stage, out: Console) -> None:
    """Print a collection with its block as it stands in the file; long lines go on below, as comments."""
    file = next(path for path in stage.kometa.glob("*.yml") if _SYNCED in path.read_text(encoding="utf-8"))
    before, _, after = file.read_text(encoding="utf-8").partition(_SYNCED)
    block = before.rpartition("\n\n")[2] + _SYNCED + after.partition("\n\n")[0]
    out.print(f"[cyan]{file.name}[/]")
    for line in block.splitlines():
        text = line.lstrip(" #-")
        for piece in textwrap.wrap(line, _WIDTH, subsequent_indent=line.removesuffix(text).replace("-", " ")):
            out.print(Text(piece, style="green" if "#" in piece else ""))
    out.print("[dim]The lines below the comment are Kometa's: it takes what has the tag.[/]")


def _conclude(stage: Stage, out: Console) -> None:
    out.print()
    if not stage.is_real:
        requests, edits = len(stage.claude.requests), [len(each.editor_calls) for each in (stage.radarr, stage.sonarr)]
        out.print(
            f"[dim]In all: {requests} requests to Claude, {edits[0]} bulk edits in Radarr and {edits[1]} in Sonarr.[/]"
        )
    out.print(
        "[bold]That was all of it.[/] Kometa would now build the collections in Plex.\n\n"
        "[cyan]kometa-ai --demo --serve[/] (make demo-page) leaves its page open: who is in and why, what waits for "
        "you, undo, other words tried.\n"
        "Your own libraries, in five minutes: docs/start.md; shows and several libraries: docs/libraries.md.\n"
    )


def serve_page(call: Call) -> int:
    """Do two runs after which there is something to decide, and serve the daemon's page until a signal ends it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(_SIGNALLED + number))  # both: the folder is removed
    with tempfile.TemporaryDirectory(prefix="kometa-ai-demo-") as folder:
        stage = Stage(Path(folder), call.environ)
        with stage.open() as environ:
            out = console()
            _introduce(stage, out, "the demo's page")
            out.print("\nTwo runs come first, so that there is something to see and to decide.")
            code = _run_quietly(environ)
            if code < _SIGNALLED:
                stage.add_newcomers()
                stage.let_things_slip()
                code = _run_quietly(environ)
            return _host(call, environ, out) if code < _SIGNALLED else code


def _run_quietly(environ: Mapping[str, str]) -> int:
    with redirect_stdout(StringIO()):
        return run(["--run-now"], environ, is_watched=True)


def _host(call: Call, environ: Mapping[str, str], out: Console) -> int:
    port = _free_port()
    out.print(f"\n  [bold]http://{_HOST}:{port}[/]   The password is [bold]{_PASSWORD}[/].\n")
    out.print(
        "Review has close calls, and removals that the brake holds back: films got a tag by mistake. Heist Films has a "
        "warning: a line of its file was lost. Runs lists both runs; either can be taken back. Run now asks the same "
        "judge again.\n"
    )
    out.print("For a collection of your own, write a block into a file of its Kometa folder, and Run now:")
    out.print(f"  {environ['CONFIG_DIR']}", markup=False, highlight=False, soft_wrap=True)
    out.print("\nCtrl+C ends it, and then nothing is left of it.")
    sys.stdout.flush()
    page = {"HTTP_HOST": _HOST, "HTTP_PORT": str(port), "WEB_PASSWORD": _PASSWORD}
    return live(call._replace(environ={**environ, **page}), screen_level=logging.ERROR)


def _free_port() -> int:
    """The usual port, or another one if something listens there."""
    for port in (_PORT, 0):
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_HOST, port))
            return int(listener.getsockname()[1])
    return _PORT


def _introduce(stage: Stage, out: Console, what: str) -> None:
    who = (
        "Claude itself judges: CLAUDE_API_KEY is set, and this costs about half a dollar."
        if stage.is_real
        else "In Claude's place a stand-in judges, by keyword matching and no more; prices are what Claude would take."
    )
    out.print(
        f"\n[bold]Kometa-AI, {what}.[/] You describe a collection in plain words, in a comment of your Kometa file. "
        "A model reads what your libraries know of each film and show and says which belong; these get a tag in Radarr "
        "or Sonarr, and from the tag Kometa builds the collection in Plex.\n\n"
        f"Here: a stand-in Radarr with {len(stage.films)} real films, a stand-in Sonarr with {len(stage.shows)} real "
        f"shows, and a Kometa folder with collections of both. {who} Everything else is the program as you would run "
        "it, and nothing of yours is touched."
    )
