"""What the program says, as the docs show it: made by running it in front of the stand-ins."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import cache, partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.cli.main import run
from kometa_ai.demo import Stage
from kometa_ai.standins.claude_faults import MESSAGES, Fault
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.serving import serve
from tests.daemon.living import daemon_beside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

_UNSYNCED = """\
collections:
  # === KOMETA-AI ===
  # enabled: true
  # prompt: Heist films.
  # === END KOMETA-AI ===
  Heist Films:
    radarr_taglist: kai-heist-films
"""
_UNLISTED = """\
radarr:
  url: http://radarr:7878
  token: "0123456789abcdef0123456789abcdef"
libraries:
  Movies:
    collection_files:
      - file: config/Classics.yml
"""
"""A configuration of Kometa that does not load the file above."""

_NOIR = "Crime in the city, at night.\n"
_MISTYPED = {"SCHEDULE_START_TIME": "3 o'clock", "REMOVAL_LIMT": "50", "RADARR_4K_URL": "http://radarr-4k:7878"}
_SECOND_KEY = "89abcdef0123456789abcdef01234567"
_NO_RADARR = {"RADARR_URL": "http://127.0.0.1:1"}


def estimate() -> str:
    """A forecast for three collections of the demo."""
    return _shown(["--estimate", *_scope("Film Noir", "Heist Films", "Crime with Subtitles")])


def explanation() -> str:
    """Why a film of the demo is in or out of a few collections."""
    scope = _scope("Film Noir", "Heist Films", "Mind-Bending")
    return _shown(["--explain", "Heat (1995)", *scope], before=["--run-now", *scope])


def complaints() -> str:
    """What the check says of a file with mistakes."""
    return _shown(["--check-config"], files={"Movies.yml": _BROKEN})


def kometa_side() -> str:
    """What the check says of Kometa's own files."""
    return _shown(["--check-config"], files={"Movies.yml": _UNSYNCED, "config.yml": _UNLISTED})


def _said(name: str) -> str:
    return _played()[name]


SHOWN: tuple[tuple[str, str, Callable[[], str]], ...] = tuple(
    (page, name, partial(_said, name))
    for page, name in (
        ("trying", "what-if"),  # who would leave at another threshold
        ("trying", "trial"),  # what another prompt would change in a sample: the first rows and the end
        ("review", "review"),  # the first close calls
        ("choices", "pins"),  # what is pinned after one choice
        ("safety", "undo"),  # what taking a run back would change
        ("shows", "show"),  # why a show is in
        ("deciding", "decision"),  # why a film is in, by a second look and without one
        ("cost", "again"),  # what asking about a collection once more would cost
        ("libraries", "two"),  # a film that two Radarrs hold
        ("settings", "mistyped"),  # settings with mistakes
        ("troubleshooting", "diagnosis"),  # a Radarr that is not there
        ("models", "provider"),  # a provider without its key
        ("compare", "cheaper"),  # a forecast for a cheaper model
        ("limits", "limit"),  # a run that has come to its limit
        ("backup", "reset"),  # the state that is set aside
        ("api", "events"),  # a run, watched: a step, how far it has come, and its end
        ("security", "masked"),  # a few settings as they are listed: secrets cannot be read
    )
)
"""What a played session says: the page that shows it, and its name there."""


@cache
def _played() -> dict[str, str]:
    """Commands one after the other on one stage: a run, looks at what it decided, a choice, and what follows."""
    scope = _scope("Film Noir", "Heist Films", "Mind-Bending", "Crime with Subtitles")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kometa-ai-docs-")))
        stage = Stage(folder, {})
        environ = stack.enter_context(stage.open())
        prompt = folder / "noir.txt"
        prompt.write_text(_NOIR, encoding="utf-8")
        bare = {name: value for name, value in environ.items() if name != "CLAUDE_API_KEY"}

        def said(*arguments: str, code: int = 0, on: Mapping[str, str] = environ) -> list[str]:
            return _lines(arguments, {**on}, folder, expected=code)

        found = {}
        said("--run-now", *scope)
        found["what-if"] = _sample(said("--what-if", "Film Noir=0.9"))
        lines = said("--try-prompt", str(prompt), "--collection", "Film Noir", "--max-cost", "0.1")
        (end,) = (number for number, line in enumerate(lines) if "members would leave" in line)
        found["trial"] = _sample([*lines[:13], " …", *lines[end : end + 3]])
        found["review"] = _sample(said("--review", "--collection", "Film Noir")[:13])
        said("--pin-out", "Heat (1995)", "--collection", "Heist Films")
        found["pins"] = _sample(said("--pins"))
        said("--run-now", *scope)
        *_, last = sorted((folder / "state" / "runs").iterdir())
        found["undo"] = _sample(said("--undo", last.name.partition(".")[0], "--dry-run"))
        found["show"] = _sample(said("--explain", "The Bridge (2011)", *_scope("Crime with Subtitles")))
        second = RadarrStandIn([film.as_seed() for film in stage.films], api_key=_SECOND_KEY)
        both = {"RADARR_4K_URL": stack.enter_context(serve(second.app)), "RADARR_4K_API_KEY": _SECOND_KEY}
        found["two"] = _sample(said("--explain", "Rififi (1955)", *_scope("Film Noir"), on={**environ, **both}))
        found["decision"] = _sample(said("--explain", "Rififi (1955)", *_scope("Film Noir", "Heist Films")))
        found["again"] = _sample(said("--estimate", "--force-refresh", "--collection", "Film Noir"))
        found["mistyped"] = _sample(_without_hint(said("--check-config", code=2, on={**environ, **_MISTYPED})))
        found["diagnosis"] = _sample(_without_hint(said("--check-config", code=1, on={**environ, **_NO_RADARR})))
        found["provider"] = _sample(
            _without_hint(said("--check-config", code=2, on={**bare, "LLM_PROVIDER": "openai"}))
        )
        haiku = {**environ, "LLM_MODEL": "claude-haiku-5-5"}
        found["cheaper"] = _sample(said("--estimate", *_scope("Courtroom Dramas", "Feel-Good"), on=haiku))
        settings = json.loads("\n".join(said("--dump-config")))["settings"]
        shown = {name: settings[name] for name in ("RADARR_URL", "RADARR_API_KEY", "CLAUDE_API_KEY", "REMOVAL_LIMIT")}
        found["masked"] = _sample([f"{name}: {json.dumps(value)}" for name, value in shown.items()])
        with redirect_stdout(StringIO()):
            found["events"] = _sample(_neutral(asyncio.run(_watched(stage, environ, "First Contact")), environ, folder))
        lines = said("--run-now", "--collection", "Feel-Good", "--max-cost", "0.001", code=1)
        found["limit"] = _sample([lines[0], *(line for line in lines if line.startswith("Problem"))])
        found["reset"] = _sample(said("--reset-state"))
    return found


class _Place(NamedTuple):
    """Where the daemon is that is watched."""

    environ: dict[str, str]
    folder: Path


_DONE, _COST = re.compile(r'"done":\d+'), re.compile(r'"cost_usd":[\d.]+')


async def _watched(stage: Stage, environ: dict[str, str], collection: str) -> str:
    """Three events of a run, as a client gets them: of the step that asks its beginning and a look, and the end.

    The model's answers take long enough for the look to come before the first of them.
    """
    stage.claude.faults.add(Fault(status=None, delay=1.0), path=MESSAGES)
    async with daemon_beside(_Place(environ, stage.kometa.parent)) as here:
        answer = await here.client.post("/api/v1/runs", json={"collections": [collection]})
        path = f"/api/v1/runs/{answer.json()['run_id']}/events"
        events = (await here.client.get(path)).text.split("\n\n")
    asking = [event for event in events if '"step":"Asking the model"' in event]
    # How far it has come at a look is chance.
    asking = [_COST.sub('"cost_usd":0.049695', _DONE.sub('"done":147', event)) for event in asking]
    return "\n\n".join([*asking[:2], *(event for event in events if event.startswith("event: ended"))])


def _scope(*names: str) -> list[str]:
    return [word for name in names for word in ("--collection", name)]


def _shown(arguments: Sequence[str], *, before: Sequence[str] = (), files: Mapping[str, str] | None = None) -> str:
    """A command and what it prints, as a sample, on a stage of its own; with `files` as Kometa's only ones."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kometa-ai-docs-")))
        stage = Stage(folder, {})
        if files:
            shutil.rmtree(stage.kometa)
            stage.kometa.mkdir()
            for name, text in files.items():
                (stage.kometa / name).write_text(text, encoding="utf-8")
        environ = stack.enter_context(stage.open())
        if before:
            _lines(before, environ, folder)
        return _sample(_lines(arguments, environ, folder, expected=(1, 2) if files else 0))


def _lines(
    arguments: Sequence[str], environ: dict[str, str], folder: Path, *, expected: int | tuple[int, ...] = 0
) -> list[str]:
    """What a command prints."""
    with redirect_stdout(StringIO()) as printed, redirect_stderr(StringIO()) as complained:
        code = run(arguments, environ, is_watched=True)
    if code not in (expected if isinstance(expected, tuple) else (expected,)):
        said = printed.getvalue() + complained.getvalue()
        raise RuntimeError(f"{arguments} ended with {code}: what it said does not belong into the docs\n{said}")
    return _neutral(printed.getvalue() or complained.getvalue(), environ, folder)


def _neutral(text: str, environ: Mapping[str, str], folder: Path) -> list[str]:
    """The lines of what was said, with addresses, folders and times as a reader's own would be."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "2026-03-01 02:00 UTC", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-03-01T02:00:00Z", text)
    text = re.sub(r"\b20\d\d-\d\d-\d\d\b", "2026-03-01", text)
    text = re.sub(r"\b20\d{6}-\d{6}-[0-9a-f]{4}\b", "20260301-020000-1f3a", text)
    text = re.sub(r"\b20\d{6}T\d{6}\b", "20260301T020000", text)
    for setting, address in (("RADARR_URL", "http://radarr:7878"), ("SONARR_URL", "http://sonarr:8989")):
        text = text.replace(environ[setting], address)
    text = text.replace(str(folder), "")
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _without_hint(lines: Sequence[str]) -> list[str]:
    """A check without what it says of the demo's Kometa folder, which has no config.yml, and of its collections."""
    text = "\n".join(lines)
    text = re.sub(r"Hint CONFIG_DIR.*?\n\n", "", text, flags=re.DOTALL)
    return re.sub(r"\nCollections that take part.*", "", text).splitlines()


def _sample(lines: Sequence[str]) -> str:
    return "\n".join(["```text", *lines, "```", ""])
