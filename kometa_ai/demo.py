"""Play the whole program as a demo, against stand-ins; with CLAUDE_API_KEY the real Claude judges.

Everything else is real: a stand-in Radarr holds a library of real films, a stand-in Claude judges by keyword matching
and says so, and a mailbox receives the mails. With CLAUDE_API_KEY set, the real Claude judges the bundled library.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kometa_ai.cli.main import run
from kometa_ai.cli.output import console
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.films import KOMETA_FOLDER, films
from kometa_ai.standins.keyword_judge import judge
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RADARR_KEY = "0123456789abcdef0123456789abcdef"
_NEWCOMERS = 3
"""Films that are kept back at first, and added between two runs."""


class Stage:
    """The services of the demo: a Radarr, a Claude, a mailbox; and a Kometa folder of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        library = films()
        self.newcomers = library[-_NEWCOMERS:]
        self.films = len(library) - _NEWCOMERS
        self.radarr = RadarrStandIn(movies=[film.as_seed() for film in library[:-_NEWCOMERS]], api_key=_RADARR_KEY)
        self.claude = ClaudeStandIn(judge=judge, api_key="demo")
        self.kometa = folder / "kometa"
        shutil.copytree(KOMETA_FOLDER, self.kometa)
        self._folder = folder
        self._environ = environ

    @contextmanager
    def open(self) -> Iterator[dict[str, str]]:
        """Serve the stand-ins, and yield the environment that points the program at them."""
        with ExitStack() as stack:
            radarr = stack.enter_context(serve(self.radarr.app))
            mailbox = stack.enter_context(Mailbox())
            environ = {
                **{name: value for name, value in self._environ.items() if name in ("TERM", "COLUMNS", "NO_COLOR")},
                "RADARR_URL": radarr,
                "RADARR_API_KEY": _RADARR_KEY,
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


def play(environ: Mapping[str, str]) -> int:
    """Play the demo; return the first exit code that is not 0."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # so that the folder is removed
    with tempfile.TemporaryDirectory(prefix="kometa-ai-demo-") as folder:
        stage = Stage(Path(folder), environ)
        with stage.open() as to_stage:
            return _act(stage, to_stage)


def _act(stage: Stage, environ: dict[str, str]) -> int:
    out = console()
    who = (
        "Claude itself judges: CLAUDE_API_KEY is set, and this costs about half a dollar."
        if stage.is_real
        else "In Claude's place a stand-in judges, by keyword matching and no more; prices are what Claude would take."
    )
    out.print(
        f"\n[bold]Kometa-AI, the demo.[/] A stand-in Radarr with {stage.films} real films, and a Kometa folder "
        f"with collections. {who}\nEverything else is the program as you would run it."
    )
    codes = []

    def act(title: str, *arguments: str) -> None:
        out.rule(f"[bold]{title}[/]", align="left")
        out.print(f"[cyan]$ kometa-ai {' '.join(arguments)}[/]")
        codes.append(run(arguments, environ, is_watched=True))

    act("What would a first run ask, and cost?", "--estimate")
    act("The first run", "--run-now", "--reasons")
    act("The second run: nothing has changed, so nothing is asked and nothing is written", "--run-now")
    for film in stage.newcomers:
        stage.radarr.add_movie(film.as_seed())
    titles = ", ".join(f"{film.title} ({film.year})" for film in stage.newcomers)
    act(f"New in the library: {titles}. Only these are asked about", "--run-now")
    out.rule("[bold]And the mail that came[/]", align="left")
    for message in stage.mailbox.received:
        out.print(f"  to {message.recipients[0]}: [bold]{message.message['Subject']}[/]")
    act("Why is a film in or out?", "--explain", f"tmdb:{_explained_film(stage)}")
    questions = len(stage.claude.requests)
    writes = len(stage.radarr.editor_calls)
    if not stage.is_real:
        out.print(f"\n[dim]In all: {questions} requests to Claude and {writes} bulk edits in Radarr.[/]")
    out.print("[bold]That was all of it.[/] Your own library: docs/start.md, in five minutes.\n")
    return next((code for code in codes if code), 0)


def _explained_film(stage: Stage) -> int:
    """A film to explain: the first one in a collection, or else the first of all."""
    tagged = [film.tmdb_id for film in films() if stage.radarr.labels_of(film.tmdb_id)]
    return tagged[0] if tagged else films()[0].tmdb_id
