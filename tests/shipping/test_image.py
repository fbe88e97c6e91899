"""The image's recipe; tests/shipping/smoke.py uses the image itself."""

from __future__ import annotations

import json
import shlex
from typing import NamedTuple

import pytest

from kometa_ai.settings.variables import variables
from tests.shipping.tools import complaints
from tests.written_docs import ROOT

RECIPES = [ROOT / "Dockerfile", ROOT / "Dockerfile.dev"]
IN_THE_IMAGE = {"HTTP_HOST": "0.0.0.0"}  # noqa: S104 - a container's own network
SPECIFIED = {"TZ", "SCHEDULE_INTERVAL", "SCHEDULE_START_TIME", "DEBUG_LOGGING", "SMTP_PORT"}
_ITS_OWN = {"PUID", "PGID", "UMASK", "PATH", "HOME"}


class Instruction(NamedTuple):
    """One instruction of a Dockerfile, its lines joined."""

    name: str
    text: str


def instructions(recipe: str) -> list[Instruction]:
    """Every instruction of a Dockerfile."""
    lines = [line for line in (ROOT / recipe).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line]


def environment(recipe: str) -> dict[str, str]:
    """What the last stage's ENV sets."""
    found: dict[str, str] = {}
    for name, text in instructions(recipe):
        found = {} if name == "FROM" else found
        if name == "ENV":
            found |= dict(word.split("=", 1) for word in shlex.split(text))
    return found


def test_the_image_sets_the_defaults() -> None:
    """Each setting that the image names has its documented default; those of the specification are all named."""
    known = variables()
    set_ = {name: value for name, value in environment("Dockerfile").items() if name in known}

    assert set_ == {name: IN_THE_IMAGE.get(name, known[name].default.strip("`")) for name in set_}
    assert IN_THE_IMAGE["HTTP_HOST"] in known["HTTP_HOST"].default
    assert set_.keys() >= SPECIFIED


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_the_image_sets_nothing_that_does_nothing(recipe: str) -> None:
    """What is not a setting is Python's or pip's, or says who the program is to be."""
    others = environment(recipe).keys() - variables().keys() - _ITS_OWN

    assert [name for name in others if not name.startswith(("PYTHON", "PIP_"))] == []


def test_nothing_is_copied_but_what_is_let_through() -> None:
    """.dockerignore shuts everything out but what the recipes copy, and lets nothing through that they do not."""
    copied = {
        source.removeprefix("./").rstrip("/")
        for recipe in RECIPES
        for name, text in instructions(recipe.name)
        if name == "COPY" and "--from" not in text
        for source in text.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert lines[lines.index("*") + 1].startswith("!")
    assert {line[1:] for line in lines if line.startswith("!")} == copied


def test_a_build_can_name_another_base() -> None:
    """Every stage begins with the same base, an argument whose default is one and the same."""
    bases = {
        (name, text.removesuffix(" AS build"))
        for recipe in RECIPES
        for name, text in instructions(recipe.name)
        if name == "FROM" or "PYTHON_IMAGE" in text
    }

    assert bases == {("ARG", "PYTHON_IMAGE=python:3.13-slim-trixie"), ("FROM", "${PYTHON_IMAGE}")}


def test_hadolint_has_nothing_against_the_recipes() -> None:
    """What is ignored says so, and why, where it stands."""
    assert complaints("hadolint", files=RECIPES) == ""


def test_the_image_waits_for_its_settings() -> None:
    """A daemon without them would be restarted for ever; other commands pass `--wait` over."""
    (entry,) = (text for name, text in instructions("Dockerfile") if name == "ENTRYPOINT")

    assert json.loads(entry)[-2:] == ["kometa-ai", "--wait"]
