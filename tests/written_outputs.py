"""What the program says, as the docs show it: made by running it in front of the stand-ins."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import ExitStack, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from kometa_ai.cli.main import run
from kometa_ai.demo import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

_BROKEN = """\
collections:
  # === KOMETA-AI ===
  # enabled: true
  # promt: Heist films.
  # confidence_threshold: 75
  # === END KOMETA-AI ===
  Heist Films:
    radarr_taglist: kai-heists
"""
"""A file with mistakes that people make."""


def estimate() -> str:
    """A forecast for three collections of the demo."""
    names = ("Film Noir", "Heist Films", "Crime with Subtitles")
    return _shown(["--estimate", *(word for name in names for word in ("--collection", name))])


def explanation() -> str:
    """Why a film of the demo is in or out of a few collections."""
    names = ("Film Noir", "Heist Films", "Mind-Bending")
    scope = [word for name in names for word in ("--collection", name)]
    return _shown(["--explain", "Heat (1995)", *scope], before=["--run-now", *scope])


def complaints() -> str:
    """What the check says of a file with mistakes."""
    return _shown(["--check-config"], file=_BROKEN)


def _shown(arguments: Sequence[str], *, before: Sequence[str] = (), file: str = "") -> str:
    """A command and what it prints, as a sample."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kometa-ai-docs-")))
        stage = Stage(folder, {})
        if file:
            shutil.rmtree(stage.kometa)
            stage.kometa.mkdir()
            (stage.kometa / "Movies.yml").write_text(file, encoding="utf-8")
        environ = stack.enter_context(stage.open())
        stack.enter_context(redirect_stdout(StringIO()))
        codes = [run(before, environ, is_watched=True)] if before else []
        with redirect_stdout(StringIO()) as printed:
            codes.append(run(arguments, environ, is_watched=True))
    if set(codes) != {2 if file else 0}:
        raise RuntimeError(f"{arguments} ended with {codes}: what it said does not belong into the docs")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-03-01 02:00 UTC", printed.getvalue())
    for setting, address in (("RADARR_URL", "http://radarr:7878"), ("SONARR_URL", "http://sonarr:8989")):
        text = text.replace(environ[setting], address)
    text = text.replace(str(folder), "")
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(["```text", *lines, "```", ""])
