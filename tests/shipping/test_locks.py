"""The locks: they are complete and installed without resolving, so a later release of anything changes nothing."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.written_docs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")
PYTHONS = ("3.11.0", "3.11.7", "3.12.1", "3.13.0", "3.14.0")
MACHINES = (("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTALLERS = sorted(
    path
    for pattern in ("Makefile", "Dockerfile*", "*.md", "docs/**/*.md", ".github/workflows/*.yml", ".ci/run")
    for path in ROOT.glob(pattern)
)


class Pin(NamedTuple):
    """One entry of a lock."""

    requirement: Requirement
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name as the index writes it."""
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        """The one version that it allows."""
        (specifier,) = self.requirement.specifier
        assert specifier.operator == "==", self.requirement
        return specifier.version


def pins(text: str) -> list[Pin]:
    """The entries of a lock."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", " ")
    entries = (re.split(r"\s+--hash=", line.strip()) for line in lines.splitlines() if line.strip())
    return [Pin(Requirement(entry), tuple(part.strip() for part in hashes)) for entry, *hashes in entries]


def read(lock: str) -> list[Pin]:
    """The entries of one of our locks."""
    return pins((ROOT / lock).read_text(encoding="utf-8"))


def environments() -> list[dict[str, str]]:
    """What markers are asked for: each supported Python on each machine."""
    return [
        {
            **{name: str(value) for name, value in default_environment().items()},
            "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": python,
            "implementation_version": python,
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
        }
        for python in PYTHONS
        for platform, system, machine in MACHINES
    ]


def holds(marker: Marker | None, environment: dict[str, str], extras: set[str]) -> bool:
    """Whether a requirement with this marker is one, with any of these extras or with none."""
    return marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in ("", *extras))


def gaps(lock: list[Pin], roots: list[Requirement], environment: dict[str, str]) -> list[str]:
    """What is required there, by the roots or by a pinned package that is installed here, and is not pinned."""
    active = [pin for pin in lock if holds(pin.requirement.marker, environment, set())]
    by_name = {pin.name: pin for pin in active}
    found = [f"{name} is pinned twice" for name in by_name if sum(pin.name == name for pin in active) > 1]
    demands = [("the project", root, set[str]()) for root in roots]
    demands += [(pin.name, wanted, pin.requirement.extras) for pin in active for wanted in requirements_of(pin)]
    for by, wanted, extras in demands:
        if not holds(wanted.marker, environment, extras):
            continue
        pinned = by_name.get(canonicalize_name(wanted.name))
        if pinned is None:
            found.append(f"{by} requires {wanted}: not pinned")
        elif not wanted.specifier.contains(pinned.version, prereleases=True):
            found.append(f"{by} requires {wanted}: pinned is {pinned.version}")
        elif not wanted.extras <= pinned.requirement.extras:
            found.append(f"{by} requires {wanted}: pinned without that extra")
    return found


def requirements_of(pin: Pin) -> list[Requirement]:
    """What a pinned package asks for; nothing where it is for another Python, whose own tests look at it."""
    try:
        here = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        return []
    return [Requirement(text) for text in here.requires or ()] if here.version == pin.version else []


def roots_of(lock: str) -> list[Requirement]:
    """What the project itself asks of a lock."""
    named: list[str] = PROJECT["build-system"]["requires"] if "build" in lock else PROJECT["project"]["dependencies"]
    dev: list[str] = PROJECT["project"]["optional-dependencies"]["dev"] if "dev" in lock else []
    return [Requirement(text) for text in (*named, *dev)]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_complete(lock: str) -> None:
    """Everything that a pinned package requires, extras included, is pinned for each Python and machine."""
    complaints = {gap for environment in environments() for gap in gaps(read(lock), roots_of(lock), environment)}

    assert sorted(complaints) == []


def test_a_gap_is_seen() -> None:
    """An entry that is taken away, and an extra that is stripped from its entry, are found."""
    lock, roots, environment = read("requirements-dev.txt"), roots_of("requirements-dev.txt"), environments()[0]
    without_core = [pin for pin in lock if pin.name != "pydantic-core"]
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    without_extra = pins(text.replace("coverage[toml]==", "coverage=="))

    assert any("pydantic requires pydantic-core" in gap for gap in gaps(without_core, roots, environment))
    assert any("pytest-cov requires coverage[toml]" in gap for gap in gaps(without_extra, roots, environment))


def test_what_is_tested_is_what_is_locked() -> None:
    """Each package of the development lock that this Python needs is installed here in its locked version."""
    environment = {name: str(value) for name, value in default_environment().items()}
    wanted = {
        pin.name: pin.version
        for pin in read("requirements-dev.txt")
        if holds(pin.requirement.marker, environment, set())
    }

    assert {name: metadata.version(name) for name in wanted} == wanted


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_carries_hashes(lock: str) -> None:
    """No entry is taken without proof that it is the file that was looked at."""
    assert [pin.name for pin in read(lock) if not pin.hashes or not all("sha256:" in each for each in pin.hashes)] == []


def test_the_locks_agree() -> None:
    """What is shipped, what is tested and what builds the package are the same versions, with the same hashes."""
    tested = {(pin.name, pin.version, pin.hashes) for pin in read("requirements-dev.txt")}

    for lock in ("requirements.txt", "requirements-build.txt"):
        assert {(pin.name, pin.version, pin.hashes) for pin in read(lock)} <= tested


def test_the_build_backend_is_pinned() -> None:
    """An old checkout is built by the tools of its day: each build requirement names one version."""
    wanted = {str(Requirement(text).specifier) for text in PROJECT["build-system"]["requires"]}

    assert wanted == {f"=={pin.version}" for pin in read("requirements-build.txt")}


def test_locks_are_installed_without_resolving() -> None:
    """Wherever a lock is installed, in files and in documents, nothing is resolved and every hash is checked."""
    calls: list[tuple[str, str]] = []
    for path in INSTALLERS:
        for line in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
            if re.search(r"install\b.*requirements|INSTALL_LOCK\) -r", line):
                calls += [(path.name, call) for call in line.split("&&") if "requirements" in call or "-r " in call]
    flags = re.search(r"^INSTALL_LOCK := (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert flags is not None
    written_out = [(name, call.replace("$(INSTALL_LOCK)", flags[1])) for name, call in calls]

    assert {name for name, _ in calls} >= {"Makefile", "Dockerfile", "Dockerfile.dev", "ci.yml", "start.md"}
    for name, call in written_out:
        assert "--no-deps" in call, (name, call)
        assert "--require-hashes" in call, (name, call)


def test_a_python_that_the_locks_are_not_for_is_refused(tmp_path: Path) -> None:
    """`make` says which Pythons will do, where the one that it was given is none of these, and makes nothing."""
    fake = tmp_path / "python9"
    fake.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    fake.chmod(0o755)

    made = subprocess.run(  # noqa: S603 - our own Makefile
        ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), f"PYTHON={fake}", ".venv/bin/python"],  # noqa: S607
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode != 0
    assert "are for Python 3.11 to 3.14" in made.stderr
    assert not (tmp_path / ".venv").exists()
