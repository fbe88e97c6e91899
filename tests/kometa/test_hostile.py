"""Malicious files, and files of faulty programs: each is answered, and soon."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.kometa.files import LIMITS
from tests.kometa.support import block, collection, read, read_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kometa_ai.core.collection import Folder

FINE = f"collections:\n{block()}\n  Heist: {{radarr_taglist: kai-heist, sync_mode: sync}}\n"
TEN = ", ".join(["*{0}"] * 10)
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{TEN.format(f'a{n - 1}')}]\n" for n in range(1, 12))
MERGED = "m0: &m0 {x: 1}\n" + "".join(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}], y{n}: 1}}\n" for n in range(1, 30))
LONG = 100_000


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    """Nothing here takes long; a regular expression that backtracks would take for ever."""
    started = perf_counter()
    yield
    assert perf_counter() - started < 60


@pytest.mark.parametrize(
    "attribute", ["radarr_taglist", "sync_mode", "item_radarr_tag", "template", "item_radarr_tag.sync"]
)
def test_aliases_that_multiply(attribute: str) -> None:
    """A few lines that would be a hundred billion items as text are never made into text."""
    text = f"{BOMB}collections:\n{block()}\n  Heist:\n    {attribute}: *a11\n"

    folder = read_one(text)

    assert [one.name for one in folder.collections] == ["Heist"]
    assert all(len(warning.what) < 500 for warning in folder.warnings)


def test_aliases_that_multiply_in_the_config() -> None:
    """Nor where files, libraries and Radarr's address are looked for."""
    library = "{collection_files: *a11, operations: {radarr_remove_by_tag: *a11}}"
    config = f"{BOMB}libraries: {{Movies: {library}}}\nradarr: {{url: *a11}}\n"

    assert [one.name for one in read({"movies.yml": FINE, "config.yml": config}).collections] == ["Heist"]


def test_aliases_in_a_block() -> None:
    """A block may use anchors, even one that holds itself."""
    folder = read_one(FINE.replace("# prompt: Heists", "# prompt: Heists\n  # include_movies: &x [*x, tmdb:1]"))

    assert ["is not a movie" in problem.what for problem in folder.problems] == [True]


def test_merges_that_multiply() -> None:
    """Merge keys, too, may name each other again and again."""
    folder = read_one(f"{MERGED}{FINE}")

    assert [one.name for one in folder.collections] == ["Heist"]


@pytest.mark.parametrize(
    "name", ["0x" + "F" * 5000, "9" * 5000, "1e" + "9" * 300, "2001-13-45", "? [a, b]\n ", "!!binary x"]
)
def test_names_that_python_trips_over(name: str) -> None:
    """A number too long to be written, an impossible date: a problem of that file, and no end of the run."""
    folder = read({"bad.yml": f"collections:\n{block()}\n  {name}: {{a: 1}}\n", "movies.yml": FINE})

    assert "Heist" in {one.name for one in folder.collections}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 3000,
        "{a: " * 5000,
        "- " * 5000,
        "".join(f"{' ' * n}a:\n" for n in range(1500)),
        "\0",
        "%YAML 9.9\n---\na: 1\n",
        "!!python/object/apply:os.system [echo]\n",
        "&a\n",
        "*a\n",
        "a: !<" + "x" * 1000,
    ],
)
def test_documents_that_are_none(text: str) -> None:
    """Deep, empty, foreign or torn: at most a problem, whatever the marker in it; the other file is read."""
    folder = read({"bad.yml": f"# === KOMETA-AI ===\n{text}", "movies.yml": FINE})

    assert [one.name for one in folder.collections] == ["Heist"]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "line",
    [
        "a: b" + " " * LONG + "x: y",
        "a" * LONG + ": b: c",
        "confidence_threshold: " + "7" * LONG,
        "confidence_threshold: x" + " " * LONG + "y",
        "include_movies: " + "a," * (LONG // 2),
        "include_movies: " + "a " * (LONG // 2),
        "include_movies: [x" + " " * LONG + "1999x]",
        "priority: " + "9" * LONG,
        "enabled: " + "t" * LONG,
        "tag: " + "-" * LONG,
        "\t" * LONG,
        "'" * LONG,
        "radarr_taglist: x" + " " * LONG + "y",
    ],
    ids=lambda line: repr(line[:24]),
)
def test_very_long_lines(line: str) -> None:
    """In a block and in a collection: an answer of reasonable length, soon."""
    text = f"collections:\n{block('enabled: true', 'prompt: x', line)}\n  Heist:\n    {line}\n    sync_mode: sync\n"

    assert_short(read_one(text))
    assert_short(read_one(text.replace(f"    {line}\n", "")))
    assert_short(read_one(text.replace(f"  # {line}\n", "")))


def assert_short(folder: Folder) -> None:
    """Messages can be read, whatever is in the file."""
    for problem in (*folder.problems, *folder.warnings):
        assert len(problem.what) < 1000
        assert len(problem.remedy) < 1000


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """With a block in it, it is a problem and may hide a collection; without one, it is none of our business."""
    (tmp_path / "movies.yml").write_text(FINE)
    (tmp_path / "ours.yml").write_text("# remark\n" * (LIMITS.file // 8) + FINE)
    (tmp_path / "report.yml").write_text("# remark\n" * (LIMITS.file // 8))

    folder = read_folder(tmp_path)

    assert [one.name for one in folder.collections] == ["Heist"]
    assert [problem.where for problem in folder.problems] == ["ours.yml"]
    assert "too large" in folder.problems[0].what
    assert folder.unreadable_files == ("ours.yml",)


def test_a_folder_whose_name_is_too_long(tmp_path: Path) -> None:
    """What the system refuses to look up is a wrong setting, not a defect."""
    for path in (tmp_path / ("x" * 5000), tmp_path / "\0"):
        with pytest.raises(FixConfiguration):
            read_folder(path)


@contextmanager
def another_user(home: Path | None = None) -> Iterator[None]:
    """Be a user who has no rights of the owner, and who can reach `home`."""
    for above in (home, *home.parents) if home else ():
        if str(above) == tempfile.gettempdir():
            break
        above.chmod(0o755)
    # Python itself may lie where only its owner can look: what reading loads as it goes along is loaded now.
    if home:
        read_folder(home / "config")
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_files_and_folders_of_others(tmp_path: Path) -> None:
    """What may not be read is named, and may hide a collection; a folder that may not be read is a wrong setting."""
    (tmp_path / "config" / "sub").mkdir(parents=True)
    (tmp_path / "config" / "movies.yml").write_text(FINE)
    (tmp_path / "config" / "secret.yml").write_text("collections:\n" + collection("Noir"))
    (tmp_path / "config" / "secret.yml").chmod(0)
    (tmp_path / "config" / "sub").chmod(0)
    with another_user(tmp_path):
        folder = read_folder(tmp_path / "config")
    tmp_path.chmod(0)
    try:
        with another_user(), pytest.raises(FixConfiguration):
            read_folder(tmp_path / "config")
    finally:
        tmp_path.chmod(0o755)

    assert [one.name for one in folder.collections] == ["Heist"]
    assert folder.unreadable_files == ("secret.yml", "sub")
    assert all("Permission denied" in problem.what for problem in folder.problems)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
@pytest.mark.parametrize("where", ["config", "config/sub"])
def test_a_folder_that_may_be_listed_and_not_entered(tmp_path: Path, where: str) -> None:
    """`chmod -R 644` makes such ones. No link is to blame for that; each file may hide a collection."""
    (tmp_path / "config" / "sub").mkdir(parents=True)
    (tmp_path / where / "movies.yml").write_text(FINE)
    (tmp_path / where).chmod(0o744)
    with another_user(tmp_path):
        folder = read_folder(tmp_path / "config")

    (problem,) = (one for one in folder.problems if one.source.endswith("movies.yml"))
    assert "Permission denied" in problem.what
    assert "link" not in problem.remedy
    assert "`x`" in problem.remedy
    assert problem.source in folder.unreadable_files
