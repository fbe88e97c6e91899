"""Hold a judge's members of the example collections against those labelled by hand: `python -m tests.example_trial`.

The libraries are the demo's. With CLAUDE_API_KEY the real Claude judges, for about a dollar; without it the keyword
judge, which understands nothing. `example_members.yml` has the labels; what is in neither list is not counted.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ruamel.yaml import YAML

from kometa_ai.cli.main import run
from kometa_ai.demo import Stage
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.films import films
from kometa_ai.standins.shows import shows
from tests.kometa import plain_kometa

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kometa_ai.core.item import Kind
    from kometa_ai.standins.claude_answers import Judge

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
_LABELS = Path(__file__).with_name("example_members.yml")
_KINDS: Mapping[str, Kind] = {"movies": "movie", "shows": "show"}


class Labels(NamedTuple):
    """Titles that certainly belong to a collection, and titles that certainly do not."""

    members: frozenset[str]
    others: frozenset[str]


class Tried(NamedTuple):
    """A run of all examples: its exit code, and of each collection the titles with the tag that Kometa looks for."""

    code: int
    members: Mapping[tuple[Kind, str], frozenset[str]]


def labels() -> Mapping[tuple[Kind, str], Labels]:
    """The labels of each collection, by its kind and name."""
    read = YAML(typ="safe").load(_LABELS.read_text(encoding="utf-8"))
    return {
        (kind, name): Labels(frozenset(lists["in"]), frozenset(lists["out"]))
        for plural, kind in _KINDS.items()
        for name, lists in read[plural].items()
    }


def titles() -> Mapping[tuple[Kind, int], str]:
    """Each title of the demo with its year, by its kind and number."""
    return {
        **{("movie", film.tmdb_id): f"{film.title} ({film.year})" for film in films()},
        **{("show", show.tvdb_id): f"{show.title} ({show.year})" for show in shows()},
    }


def tried(folder: Path, environ: Mapping[str, str], judge: Judge | None = None) -> Tried:
    """Run all examples for real, over the demo's whole libraries, in an empty folder; a judge replaces the demo's."""
    stage = Stage(folder, environ)
    stage.add_newcomers()
    if judge is not None:
        stage.claude = ClaudeStandIn(judge=judge, api_key="demo")
    config = folder / "examples"
    shutil.copytree(EXAMPLES, config)
    with stage.open() as to_stage, redirect_stdout(StringIO()):
        code = run(["--run-now"], {**to_stage, "CONFIG_DIR": str(config)}, is_watched=True)
    known = titles()
    members: dict[tuple[Kind, str], frozenset[str]] = {}
    for file in config.glob("*.yml"):
        for name, body in plain_kometa.collections(file.read_text(encoding="utf-8")).items():
            if tag := body.get("radarr_taglist"):
                members["movie", name] = frozenset(known["movie", number] for number in stage.radarr.members(tag))
            else:
                tagged = stage.sonarr.members(body["sonarr_taglist"])
                members["show", name] = frozenset(known["show", number] for number in tagged)
    return Tried(code, members)


def agreement(outcome: Tried) -> int:
    """How many labels the members agree with."""
    return sum(
        len(label.members & outcome.members[key]) + len(label.others - outcome.members[key])
        for key, label in labels().items()
    )


def main() -> int:
    """Try them, and print for each collection which labels it does not agree with, and how many it does."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = tried(Path(folder), os.environ)
    for (kind, name), label in labels().items():
        members = outcome.members[kind, name]
        print(f"{name}: {len(members)} {kind}s")  # noqa: T201
        for what, those in (("missing", label.members - members), ("wrongly in", label.others & members)):
            if those:
                print(f"  {what}: {'; '.join(sorted(those))}")  # noqa: T201
    counted = sum(len(label.members) + len(label.others) for label in labels().values())
    print(f"It agrees with {agreement(outcome)} of {counted} labels.")  # noqa: T201
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
