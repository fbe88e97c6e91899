"""The pictures of docs/images that show a report, by e-mail and on a terminal: `python -m tests.pictures`.

The report is an example; what is shown of it is made by the program, as it is of any other. Needs Chromium for the
e-mail, and makes its pictures smaller with pngquant where that is there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from kometa_ai.cli.report import print_report
from kometa_ai.core.naming import slug_of
from kometa_ai.core.problem import Problem
from kometa_ai.core.report import CollectionReport, MovieLine, Orphan, RunReport, Spending, Tokens
from kometa_ai.core.summary import in_order
from kometa_ai.notification.news import Ended, News
from kometa_ai.notification.render import render

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BERLIN = ZoneInfo("Europe/Berlin")
STARTED = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
WIDTHS = (360, 1200)
SCHEMES = {"dark": 0, "light": 1}


def films(*titles: tuple[str, int] | tuple[str, int, str]) -> tuple[MovieLine, ...]:
    """Movies by title, year and, for some, reason."""
    return in_order(
        MovieLine(title=title, year=year, tmdb_id=number, reason="".join(reason))
        for number, (title, year, *reason) in enumerate(titles, 1)
    )


NOIR = CollectionReport(
    name="Film Noir",
    slug="film-noir",
    tag="kai-film-noir",
    members=25,
    added=films(
        ("Detour", 1945, "0.95 A hitchhiker, a femme fatale and a fate that cannot be escaped."),
        ("In a Lonely Place", 1950, "0.90 A murder, and a love that suspicion poisons."),
        ("The Big Heat", 1953, "0.95 A policeman against a corrupt city."),
    ),
    removed=films(("Who Framed Roger Rabbit", 1988, "0.45 A comedy that plays with noir, and is none.")),
    asked=21,
    cost_usd=0.0112,
)
SAMURAI = CollectionReport(
    name="Samurai & Rōnin",
    slug="samurai-ronin",
    tag="kai-samurai-ronin",
    members=16,
    added=films(
        ("Harakiri", 1962, "0.95 A rōnin at a clan's gate."),
        ("13 Assassins", 2010, "0.95 Samurai on a mission of no return."),
    ),
    asked=21,
    cost_usd=0.0093,
)
CHRISTMAS = CollectionReport(
    name="Christmas",
    slug="christmas",
    tag="kai-christmas",
    members=19,
    held_back=films(
        ("Die Hard", 1988), ("Gremlins", 1984), ("Carol", 2015), ("Bad Santa", 2003), ("Klaus", 2019), ("Elf", 2003)
    ),
    asked=21,
    pending=3,
    cost_usd=0.0087,
)
QUIET = tuple(
    CollectionReport(name=name, slug=slug_of(name), tag=f"kai-{slug_of(name)}", members=members)
    for name, members in (("Heist Films", 23), ("Courtroom Dramas", 19), ("Mind-Bending", 32), ("Feel-Good", 30))
)
HELD_BACK = Problem(
    source="REMOVAL_LIMIT",
    what="6 removals are held back: too large a part of the collection for one run.",
    remedy="Look at them; to let them through, run once with --run-now --allow-removals.",
    collection="Christmas",
    at=STARTED + timedelta(minutes=2),
)
UNREAD = Problem(
    source="holidays.yml",
    line=14,
    what="'treshold' is no key of a block.",
    remedy="Did you mean confidence_threshold?",
    collection="Halloween",
    at=STARTED + timedelta(minutes=2),
)
WARNING = Problem(
    source="movies.yml",
    line=31,
    what="sync_mode is not sync: movies that leave the collection stay in Plex.",
    remedy="Add sync_mode: sync.",
    collection="Feel-Good",
    severity="warning",
)
REPORT = RunReport(
    run_id="20260302-020000-5c1e",
    version="1.0.0",
    started=STARTED,
    finished=STARTED + timedelta(minutes=2, seconds=9),
    dry_run=False,
    outcome="problems",
    exit_code=1,
    library=298,
    collections=(NOIR, SAMURAI, CHRISTMAS, *QUIET),
    orphans=(Orphan(name="Westerns", tag="kai-westerns", members=12, why="it is switched off"),),
    problems=(UNREAD, HELD_BACK),
    warnings=(WARNING,),
    tokens=Tokens(requests=9, input=6_120, cache_write=4_310, cache_read=21_400, output=1_910),
    cost_usd=0.0292,
    month=Spending(
        month="2026-03", tokens=Tokens(requests=106, input=81_000, cache_read=325_000, output=19_800), cost_usd=0.47
    ),
    next_run=STARTED + timedelta(days=1),
)
NEWS = News(
    report=REPORT,
    over=(Ended(what="Radarr does not answer.", since=STARTED - timedelta(days=1)),),
    has_fresh_problems=True,
)


def photograph(html: str, width: int, scheme: str, target: Path, folder: Path) -> None:
    """A page as a browser shows it, at its whole height."""
    page, height = folder / "page.html", folder / "height.html"
    page.write_text(html, encoding="utf-8")
    # A window cannot be as narrow as a phone; a frame can, and tells how tall it is.
    height.write_text(
        f"<body style='margin:0'><iframe src='page.html' width={width} height=100 style='border:0;display:block'"
        ' onload="this.height=document.title=this.contentDocument.documentElement.scrollHeight"></iframe>',
        encoding="utf-8",
    )
    browser = [
        shutil.which("chromium") or "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder / 'profile'}",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        "--virtual-time-budget=1000",
    ]
    dump = subprocess.run(  # noqa: S603
        [*browser, "--dump-dom", height.as_uri()], check=True, capture_output=True, text=True
    )
    tall = int(dump.stdout.partition("<title>")[2].partition("<")[0])
    subprocess.run(  # noqa: S603
        [*browser, f"--screenshot={target}", f"--window-size={width},{tall}", height.as_uri()],
        check=True,
        capture_output=True,
    )


class _Terminal(StringIO):
    """Standard output that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def draw(target: Path) -> None:
    """A report as a terminal shows it. Nothing is fetched: the font is the reader's own."""
    os.environ |= {"COLUMNS": "100", "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    screen = _Terminal()
    with contextlib.redirect_stdout(screen):
        print_report(REPORT, reasons=True)
    recording = Console(record=True, width=100, file=StringIO())
    recording.print("[bold]$[/] kometa-ai --run-now --reasons", highlight=False)
    recording.print(Text.from_ansi(screen.getvalue().rstrip()))
    form = re.sub(r"@font-face {{.*?}}|<!--.*?-->", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")
    form = form.replace("</svg>", "") + "<title>A report on a terminal</title></svg>"
    drawing = recording.export_svg(title="Kometa-AI", code_format=form, unique_id="kometa-ai")
    target.write_text("\n".join(line.rstrip() for line in drawing.splitlines()) + "\n", encoding="utf-8")


def shrink(picture: Path) -> None:
    """Sixty-four colours are enough for a page of text."""
    if program := shutil.which("pngquant"):
        subprocess.run([program, "--force", "--strip", "--ext=.png", "64", picture], check=True)  # noqa: S603


def main() -> None:
    """Make all of them."""
    html = render([NEWS], BERLIN).html
    with tempfile.TemporaryDirectory() as folder:
        for scheme in SCHEMES:
            for width in WIDTHS:
                picture = IMAGES / f"email-{scheme}-{width}.png"
                photograph(html, width, scheme, picture, Path(folder))
                shrink(picture)
    draw(IMAGES / "terminal.svg")


if __name__ == "__main__":
    main()
