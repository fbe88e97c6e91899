"""No folder or file takes the program long: what exceeds a limit is named, and the rest is read."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.collection import Folder
from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.kometa.files import LIMITS, Limits
from tests.kometa.support import collection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEIST = "collections:\n" + collection("Heist")
NOIR = "collections:\n" + collection("Noir")


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    """Each of these would take hours, or for ever."""
    started = perf_counter()
    yield
    assert perf_counter() - started < 60


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Kometa's folder, with one collection."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "movies.yml").write_text(HEIST)
    return folder


def names(folder: Folder) -> list[str]:
    """The collections that take part."""
    return [one.name for one in folder.collections]


def limits_hit(folder: Folder) -> list[str]:
    """What is said of the folder as a whole."""
    return [warning.what for warning in folder.warnings if warning.source == "CONFIG_DIR"]


def test_many_ways_to_one_folder(config: Path) -> None:
    """Links by which a folder can be reached in millions of ways: it is looked into once."""
    for number in range(26):
        (config / f"d{number}").mkdir()
    for number in range(25):
        for name in "ab":
            (config / f"d{number}" / name).symlink_to(f"../d{number + 1}")
    (config / "d25" / "noir.yml").write_text(NOIR)

    folder = read_folder(config)

    assert (names(folder), folder.problems, limits_hit(folder)) == (["Heist", "Noir"], (), [])


def test_folders_that_nest_too_deep(config: Path) -> None:
    """What lies too deep is named and may hide a collection; no depth ends the program."""
    here = os.open(config, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)

    try:
        folder = read_folder(config)
    finally:
        # pytest's own tidying up, some runs later, breaks off at this depth.
        subprocess.run(["rm", "-rf", str(config / "a")], check=True)  # noqa: S603, S607 - as above

    assert (names(folder), folder.problems) == (["Heist"], ())
    assert ["deeper than 50 folders" in what for what in limits_hit(folder)] == [True]
    assert folder.may_hide("a/b.yml")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(files=2), "more than 2 YAML files"),
        (Limits(folders=3), "more than 3 folders"),
        (Limits(entries=4), "more than 4 files and folders"),
        (Limits(seconds=0), "takes longer than 0 s"),
        (Limits(text=10), "not read to its end"),
    ],
)
def test_more_than_is_read(config: Path, limits: Limits, words: str) -> None:
    """Beyond a limit there is a warning, and no collection is taken for one that has gone."""
    for number in range(5):
        (config / f"d{number}").mkdir()
        (config / f"d{number}" / "noir.yml").write_text(NOIR)

    folder = read_folder(config, limits)

    assert [words in what for what in limits_hit(folder)] == [True]
    assert folder.may_hide("d4/noir.yml")


def test_upper_folders_come_first(config: Path) -> None:
    """A large folder beside Kometa's files, such as one of posters, keeps none of them from being read."""
    for number in range(20):
        (config / "assets" / f"Movie {number}" / "deep").mkdir(parents=True)

    assert names(read_folder(config, Limits(folders=10))) == ["Heist"]


@pytest.mark.parametrize("marker", ["# === KOMETA-AI ===\n", ""])
def test_a_file_without_end(config: Path, marker: str) -> None:
    """A sparse file of 200 GB is looked into for a moment, and then reported."""
    (config / "e.yml").write_text(marker)
    os.truncate(config / "e.yml", 200 << 30)

    folder = read_folder(config)

    assert names(folder) == ["Heist"]
    assert [(problem.source, "too large" in problem.what) for problem in folder.problems] == [("e.yml", True)]
    assert folder.unreadable_files == ("e.yml",)


@pytest.mark.parametrize(
    "target",
    [
        "/proc/self/pagemap",
        "/proc/self/environ",
        "/proc/self/mem",
        "/proc/kmsg",
        "/dev/zero",
        "/dev/random",
        "/dev/tty",
    ],
)
def test_what_the_system_makes_up(config: Path, target: str) -> None:
    """A link to it is named and never read."""
    (config / "e.yml").symlink_to(target)

    folder = examine_folder(config)

    assert names(folder) == ["Heist"]
    assert [problem.source for problem in folder.problems] == ["e.yml"]
    assert folder.problems[0].line is None


def test_pipes_and_sockets(config: Path) -> None:
    """Nothing is waited for."""
    os.mkfifo(config / "pipe.yml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(config / "socket.yml"))

        folder = read_folder(config)

    assert names(folder) == ["Heist"]
    assert [problem.source for problem in folder.problems] == ["pipe.yml", "socket.yml"]


def test_a_link_to_everything(config: Path) -> None:
    """A link to the root of the file system ends at a limit; what the system makes up is left out."""
    (config / "all").symlink_to("/")

    folder = read_folder(config, Limits(folders=300, files=100))

    assert "Heist" in {*names(folder), *(other.name for other in folder.skipped)}
    assert not any("proc/" in problem.source for problem in folder.problems)


def test_files_that_change_while_they_are_read(config: Path) -> None:
    """A file that grows, goes and comes back is read as it was at some moment, or named."""
    done = threading.Event()

    def change() -> None:
        path, number = config / "changing.yml", 0
        while not done.is_set() and number < 100_000:
            number += 1
            path.write_text(NOIR + "# more\n" * (number % 1000))
            path.unlink()

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(50):
            folder = read_folder(config)
            assert "Heist" in names(folder)
            assert {problem.source for problem in folder.problems} <= {"changing.yml"}
    finally:
        done.set()
        thread.join()


@pytest.mark.no_cover
def test_a_file_of_the_largest_size_is_read(config: Path) -> None:
    """Up to the limit, to the byte."""
    text = NOIR + "#" * (LIMITS.file - len(NOIR) - 1) + "\n"
    (config / "large.yml").write_text(text)
    (config / "larger.yml").write_text(text.replace("Noir", "Heat") + "#")

    folder = read_folder(config)

    assert names(folder) == ["Heist", "Noir"]
    assert folder.unreadable_files == ("larger.yml",)


K8S = "kind: A\n---\nkind: B\n"
LISTED = "libraries:\n  Movies:\n    collection_files:\n      - file: config/movies.yml\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("k8s/deploy.yaml", K8S),
        ("k8s/deploy.yaml", "a: {b: c\n"),
        ("compose.yml", "item_radarr_tag: [\n"),
        ("compose.yml", b"name: caf\xe9\n"),
    ],
)
def test_a_file_that_no_library_lists(config: Path, source: str, text: str | bytes) -> None:
    """Without a block it is none of ours, whatever is in it, where Kometa's configuration lists the files."""
    (config / "config.yml").write_text(LISTED)
    (config / "k8s").mkdir()
    (config / source).write_bytes(text.encode() if isinstance(text, str) else text)

    assert examine_folder(config).problems == ()
    assert examine_folder(config).unreadable_files == ()


@pytest.mark.parametrize(
    "configuration",
    [
        None,
        LISTED + "      - file: config/other.yml\n",
        LISTED + "      - folder: config/\n",
        LISTED + "    overlay_files:\n      - file: config/other.yml\n",
        LISTED + "playlist_files:\n  - file: config/other.yml\n",
        "libraries: {\n",
    ],
)
def test_a_broken_file_that_kometa_may_load(config: Path, configuration: str | None) -> None:
    """A file that is listed for anything stays a problem, and so do all where nothing lists files."""
    if configuration is not None:
        (config / "config.yml").write_text(configuration)
    (config / "other.yml").write_text(K8S)

    assert "other.yml" in {problem.source for problem in examine_folder(config).problems}


def test_a_broken_file_of_templates(config: Path) -> None:
    """Files with templates are listed by the files that use them."""
    (config / "config.yml").write_text(LISTED)
    (config / "movies.yml").write_text(f"external_templates:\n  - file: config/other.yml\n{HEIST}")
    (config / "other.yml").write_text(K8S)

    assert [problem.source for problem in examine_folder(config).problems] == ["other.yml"]


def test_a_broken_file_with_a_block(config: Path) -> None:
    """It is a problem, whether a library lists it or not."""
    (config / "config.yml").write_text(LISTED)
    (config / "other.yml").write_text(f"---\n{NOIR}---\n")

    folder = examine_folder(config)

    assert [problem.source for problem in folder.problems] == ["other.yml"]
    assert folder.unreadable_files == ("other.yml",)


@pytest.mark.parametrize("mention", ["image: me/kometa-ai:1", "a: 1 # our Kometa-AI", "KOMETA_AI: x"])
def test_a_broken_file_that_only_mentions_us(config: Path, mention: str) -> None:
    """A manifest with our image's name in it holds no block: unless a library lists it, it is none of ours."""
    (config / "deploy.yml").write_text(f"{mention}\n---\n")
    (config / "config.yml").write_text(LISTED)
    unlisted = examine_folder(config)
    (config / "config.yml").write_text(LISTED + "      - file: config/deploy.yml\n")
    listed = examine_folder(config)

    assert (unlisted.problems, unlisted.unreadable_files) == ((), ())
    assert [problem.source for problem in listed.problems] == ["deploy.yml"]


@pytest.mark.parametrize("name", ["_noir.yml", ".noir.yml", "_noir.yaml"])
def test_a_name_that_is_passed_over(config: Path, name: str) -> None:
    """A file that Kometa loads and we do not is hinted at, if it holds a block."""
    (config / "config.yml").write_text(f"{LISTED}      - file: config/{name}\n")
    (config / name).write_text(NOIR)
    (config / "_empty.yml").write_text("collections: {}\n")

    folder = examine_folder(config)

    assert [hint.source for hint in folder.hints if "passed over" in hint.what] == [name]
    assert (names(folder), folder.problems) == (["Heist"], ())
    assert read_folder(config).hints == ()


def test_a_name_that_nobody_loads(config: Path) -> None:
    """What is switched off for both programs needs no hint."""
    (config / "config.yml").write_text(LISTED)
    (config / "_noir.yml").write_text(NOIR)

    assert not any("passed over" in hint.what for hint in examine_folder(config).hints)


def test_what_an_unread_folder_may_hide() -> None:
    """All that stood in or below it, and nothing beside it; all of it where Kometa's own folder is not known whole."""
    folder = Folder(unreadable_files=("a.yml", "sub/dir"))

    assert [source for source in ("a.yml", "sub/dir/b.yml", "sub/b.yml", "b.yml", "") if folder.may_hide(source)] == [
        "a.yml",
        "sub/dir/b.yml",
    ]
    assert Folder(unreadable_files=(".",)).may_hide("b.yml")
    assert not Folder().may_hide("b.yml")
