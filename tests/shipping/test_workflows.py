"""The workflows that test, build and release, as far as they can be judged without running them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.shipping.tools import against_schema, complaints
from tests.written_docs import ROOT

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_USES = re.compile(r"^\s*(?:- )?uses: (\S+)(.*)$", re.MULTILINE)


def test_github_understands_them() -> None:
    """They are what GitHub's schema describes, and no job can hang for hours."""
    assert against_schema("vendor.github-workflows", *FILES) == ""
    assert against_schema("custom.github-workflows-require-timeout", *FILES) == ""


def test_zizmor_has_nothing_against_them() -> None:
    """Not even in its strictest mood, without the network."""
    assert complaints("zizmor", "--offline", "--persona=auditor", "--quiet", ".") == ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rights_are_given_to_single_jobs(file: Path) -> None:
    """A workflow as a whole has no right; each job names what it needs."""
    workflow = YAML(typ="safe").load(file.read_text(encoding="utf-8"))

    assert workflow["permissions"] == {}
    assert [name for name, job in workflow["jobs"].items() if not job.get("permissions")] == []
    assert workflow["concurrency"]


def test_actions_are_pinned_to_one_commit_each() -> None:
    """Every action of others is named by its full commit and says which version that is, everywhere the same."""
    uses = [found for file in FILES for found in _USES.findall(file.read_text(encoding="utf-8"))]
    others = {(name, note.strip()) for name, note in uses if not name.startswith("$/")}

    assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name) for name, _ in others)
    assert all(re.fullmatch(r"# v\d+\.\d+\.\d+", note) for _, note in others)
    assert len({name.partition("@")[0] for name, _ in others}) == len(others)


def test_every_target_is_in_the_makefile() -> None:
    """What the workflows ask make for can be made."""
    targets = {target for file in FILES for target in re.findall(r"\bmake ([a-z-]+)", file.read_text(encoding="utf-8"))}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert len(targets) > 3
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_renovate_understands_its_configuration() -> None:
    """It is what Renovate's schema describes."""
    assert against_schema("vendor.renovate", ROOT / "renovate.json") == ""
