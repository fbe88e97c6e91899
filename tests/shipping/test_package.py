"""The package as it is released: built, looked into, and used far from the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from kometa_ai.__version__ import __version__
from tests.written_docs import PACKAGE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _run(*command: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    keys = {"CLAUDE_API_KEY", "ANTHROPIC_API_KEY"}
    return subprocess.run(  # noqa: S603 - our own package
        command,
        cwd=cwd,
        env={**{name: value for name, value in os.environ.items() if name not in keys}, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes, from a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    for folder in (PACKAGE, ROOT / "tests"):
        shutil.copytree(folder, tree / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "kometa_ai" / "COMMIT").write_text(f"{COMMIT}\n", encoding="ascii")
    built = _run(sys.executable, "-m", "build", "--no-isolation", cwd=tree)
    assert built.returncode == 0, built.stdout + built.stderr
    return tree / "dist"


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed and nothing else; the libraries are the tests' own."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = dist.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder))
    done = _run(*pip, str(wheel), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_pythons_that_it_names_are_those_that_it_is_tested_on() -> None:
    """The classifiers, the least version that is required and the matrix of the tests agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [kind.rpartition(" ")[2] for kind in project["classifiers"] if "Python :: 3." in kind]
    workflow = YAML(typ="safe").load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))

    assert named == workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={named[0]}"


def _files() -> set[str]:
    every = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in every} | {"kometa_ai/COMMIT"}


def test_the_wheel_holds_every_file_of_the_package(dist: Path) -> None:
    """Templates, stand-ins, the demo's library and the mark of types are inside, and nothing else is."""
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert wheel.name == f"kometa_ai-{__version__}-py3-none-any.whl"
    assert names == _files()
    library = {"kometa_ai/standins/films/films.json", "kometa_ai/standins/shows/shows.json"}
    assert {"kometa_ai/py.typed"} | library <= names


def test_the_source_archive_builds_the_same(dist: Path) -> None:
    """The wheel was built from the archive, which holds the package, its licence and its page, and no tests."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames() if opened.getmember(name).isfile()}

    assert names >= _files() | {"LICENSE", "README.md", "pyproject.toml"}
    assert [name for name in names if name.startswith("tests/")] == []


def test_the_wheel_works_far_from_the_tree(installed: Path, tmp_path: Path) -> None:
    """The console script says its version and the commit; the demo runs to its end."""
    script = str(installed / "bin" / "kometa-ai")

    version = _run(script, "--version", cwd=tmp_path, PYTHONPATH=str(installed))
    demo = _run(script, "--demo", cwd=tmp_path, PYTHONPATH=str(installed), TMPDIR=str(tmp_path))

    assert version.stdout == f"kometa-ai, version {__version__} ({COMMIT[:12]})\n"
    assert demo.returncode == 0, demo.stderr
    assert "That was all of it" in demo.stdout
    assert list(tmp_path.iterdir()) == []
