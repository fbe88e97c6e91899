"""How the program becomes the user that a container's PUID and PGID name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kometa_ai
from kometa_ai.cli.container import User, become_user, hand_over, user_in
from kometa_ai.errors import FixUsage

_AS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user; tests/shipping/smoke.py tries it in a container"
)
_STATUS = ("cat", "/proc/self/status")
"""What the kernel says of a process; a user who cannot reach our Python can start this."""


def _started(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The container's command, started as the image starts it."""
    return subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-m", "kometa_ai.cli.container", *command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("environ", "user"),
    [
        ({}, None),
        ({"PUID": ""}, User(1000, 1000)),
        ({"PUID": " ", "PGID": ""}, User(1000, 1000)),
        ({"PUID": "", "PGID": "100"}, User(1000, 100)),
        ({"PUID": "99", "PGID": ""}, User(99, 1000)),
        ({"PGID": ""}, None),
        ({"PGID": "100"}, None),
        ({"PUID": "1000"}, User(1000, 1000)),
        ({"PUID": " 99 ", "PGID": "100"}, User(99, 100)),
        ({"PUID": "0"}, User(0, 0)),
    ],
)
def test_the_user_is_read(environ: dict[str, str], user: User | None) -> None:
    """PUID names the user, PGID the group; without PGID the group has the user's number; empty is the default."""
    assert user_in(environ) == user


@pytest.mark.parametrize(
    "environ",
    [
        {"PUID": "me"},
        {"PUID": "-1"},
        {"PUID": "4294967295"},
        {"PUID": "\N{SUPERSCRIPT TWO}"},
        {"PUID": "1", "PGID": "users"},
        {"UMASK": "22"},
        {"UMASK": "0o22"},
        {"UMASK": "899"},
    ],
)
def test_what_is_no_number_is_refused(environ: dict[str, str]) -> None:
    """The message names the variable and what was found in it."""
    (name, value), *_ = reversed(environ.items())

    with pytest.raises(FixUsage, match=name) as refused:
        become_user(environ)

    assert repr(value) in refused.value.message


@_AS_ROOT
def test_root_becomes_the_user_for_good() -> None:
    """User, group and umask are as wanted, with no way back, no capability, and without root's groups."""
    seen = _started(*_STATUS, PUID="1234", PGID="4321", UMASK="027")

    fields = {line.partition(":")[0]: line.partition(":")[2].split() for line in seen.stdout.splitlines()}
    assert (fields["Uid"], fields["Gid"], fields["Groups"]) == (["1234"] * 4, ["4321"] * 4, []), seen.stderr
    assert (int(fields["CapPrm"][0], 16), fields["Umask"]) == (0, ["0027"])


def test_the_program_looks_at_it_first() -> None:
    """`docker exec` starts the program as root, past the image's entry: it becomes the user by itself, or says why."""
    done = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--version"],
        env={**os.environ, "PUID": "me"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "PUID is 'me'" in done.stderr


@_AS_ROOT
@pytest.mark.parametrize(
    "environ", [{"PUID": ""}, {"PUID": "", "PGID": ""}, {"PUID": " ", "PGID": "1000", "UMASK": ""}]
)
def test_an_empty_variable_does_not_make_root(environ: dict[str, str]) -> None:
    """What a compose file passes on without a value means the image's default: 1000, and 022."""
    seen = _started(*_STATUS, **environ)

    fields = {line.partition(":")[0]: line.partition(":")[2].split() for line in seen.stdout.splitlines()}
    assert (fields["Uid"], fields["Gid"]) == (["1000"] * 4, ["1000"] * 4), seen.stderr
    assert fields["Umask"] == ["0022"]


@_AS_ROOT
def test_files_of_ours_are_handed_over(tmp_path: Path) -> None:
    """State and logs belong to the user then, with our files in them; Kometa's folder and links' targets do not."""
    kometa, state, logs, target = (tmp_path / name for name in ("kometa", "state", "logs", "target"))
    for folder in (kometa, state / "runs", logs, target):
        folder.mkdir(parents=True)
    ours = [state / "kometa_state.json", state / "runs" / "20260101-030000-aaaa.json", logs / "kometa-ai.log.1"]
    for path in (*ours, kometa / "movies.yml", target / "file"):
        path.touch()
    (state / "lock").symlink_to(target / "file")
    (state / "runs" / "link.json").symlink_to(target / "file")

    seen = _started("true", PUID="1234", CONFIG_DIR=str(kometa), STATE_DIR=str(state), LOG_DIR=str(logs))

    given = {path.lstat().st_uid for path in (state, logs, state / "runs", *ours)}
    others = (kometa, kometa / "movies.yml", target, target / "file", tmp_path, state / "lock")
    assert (seen.returncode, given, {path.lstat().st_uid for path in others}) == (0, {1234}, {0})


@_AS_ROOT
def test_the_cache_is_handed_over(tmp_path: Path) -> None:
    """Its folders lie within each other, and each may be written again; no deeper ones, which are not ours."""
    places = [tmp_path / "cache" / "posters", tmp_path / "cache" / "posters" / "250"]
    (places[-1] / "deeper").mkdir(parents=True)
    for name in ("movie-949.jpg", "deeper/movie-949.jpg"):
        (places[-1] / name).touch()

    hand_over(tmp_path, User(1234, 1234), beside=tmp_path.parent / "kometa")

    given = {path.lstat().st_uid for path in (tmp_path, tmp_path / "cache", *places, places[-1] / "movie-949.jpg")}
    assert given == {1234}
    assert {path.lstat().st_uid for path in (places[-1] / "deeper").rglob("*")} == {0}


@_AS_ROOT
def test_files_of_others_are_not_given_away(tmp_path: Path) -> None:
    """In a folder that is shared, what is another's, what has a second name and what is a folder keep their owners."""
    (tmp_path / "share" / "kometa_state.json.folder").mkdir(parents=True)
    share, precious = tmp_path / "share", tmp_path / "precious"
    for path in (share / "letter.txt", share / "kometa_state.json", precious):
        path.touch(mode=0o600)
    os.link(precious, share / "kometa_state.journal")
    os.chown(share / "letter.txt", 4242, 4242)
    os.chown(share, 4242, 4242)

    hand_over(share, User(1234, 1234), beside=tmp_path / "kometa")

    owners = {path.name: path.lstat().st_uid for path in (share, *share.iterdir(), precious)}
    assert owners == {
        "share": 4242,
        "letter.txt": 4242,
        "kometa_state.json": 1234,
        "kometa_state.json.folder": 0,
        "kometa_state.journal": 0,
        "precious": 0,
    }


@_AS_ROOT
def test_a_folder_that_is_the_users_is_left_alone(tmp_path: Path) -> None:
    """Where the folder belongs to PUID already, no file in it changes its owner."""
    (tmp_path / "lock").touch()
    os.chown(tmp_path, 1234, 1234)

    hand_over(tmp_path, User(1234, 1234), beside=tmp_path / "kometa")

    assert (tmp_path / "lock").stat().st_uid == 0


@_AS_ROOT
@pytest.mark.parametrize(
    ("folder", "kometa"),
    [("all", "all"), ("all", "all/kometa"), ("all/state", "all")],
    ids=["same", "around", "inside"],
)
def test_nothing_near_kometas_folder_is_touched(tmp_path: Path, folder: str, kometa: str) -> None:
    """A state folder that is, holds or lies in Kometa's folder keeps its owner."""
    for path in (folder, kometa):
        (tmp_path / path).mkdir(parents=True, exist_ok=True)

    hand_over(tmp_path / folder, User(1234, 1234), beside=tmp_path / kometa)

    assert {path.lstat().st_uid for path in tmp_path.rglob("*")} == {0}


def test_a_wrong_value_ends_with_what_to_do() -> None:
    """The container says it in one sentence, and ends with the code for wrong usage."""
    seen = _started("true", PUID="me")

    assert (seen.returncode, seen.stdout) == (2, "")
    assert seen.stderr == "Error: PUID is 'me', which is no id of a user or group. Give a number such as 1000.\n"


def test_another_user_stays_who_they_are() -> None:
    """Started with `user:`, the program runs as that user, whatever PUID says."""
    code = (
        "import os\nfrom kometa_ai.cli.container import become_user\nos.geteuid() or os.setuid(2345)\n"
        "before = os.getresuid()\nbecome_user(os.environ)\nprint(before == os.getresuid() and 0 not in before)"
    )

    seen = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], env={**os.environ, "PUID": "1234"}, capture_output=True, text=True, check=False
    )

    assert seen.stdout == "True\n", seen.stderr


@_AS_ROOT
def test_a_user_who_may_not_read_the_program(tmp_path: Path) -> None:
    """Root has installed it in a folder of its own, and PUID names another: that is said, instead of a stack trace."""
    package = Path(kometa_ai.__file__).parent
    (tmp_path / "root").mkdir(mode=0o700)
    shutil.copytree(package, tmp_path / "root" / "kometa_ai", ignore=shutil.ignore_patterns("__pycache__", "standins"))
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--check-config"],
        cwd=tmp_path / "root",
        env={"PATH": os.environ["PATH"], "PUID": "", "PYTHONPATH": ":".join(sys.path[1:])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Error: The user 1000:1000 (PUID, PGID) may not read '/")
    assert "Traceback" not in ended.stderr
