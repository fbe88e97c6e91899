"""Start in a container: become the user that PUID and PGID name, and hand over the program's files.

The image starts `python -m kometa_ai.cli.container COMMAND ...` as root. `docker exec` starts the program itself as
root, beside it; that is why the program, too, calls `become_user` first. Under `user:` there is nothing to do.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.errors import FixUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIGHEST = 2**32 - 2
"""The highest id there is; the one above it means "leave it as it is"."""
_DEFAULT_ID, _DEFAULT_UMASK = 1000, 0o022
"""The image's own defaults, which an empty variable means, too."""
OURS = (
    ".*.new", "api_key", "heartbeat", "kometa-ai.log*", "kometa_state.*", "lock", "notifications.*", "schedule.json",
)  # fmt: skip
"""What the program calls its files in the state folder and in the log folder."""
RUNS = "runs"
"""The state folder's folder of reports; all in it is the program's."""


class User(NamedTuple):
    """Whom the program becomes, and who its files belong to."""

    uid: int
    gid: int


def user_in(environ: Mapping[str, str]) -> User | None:
    """The user and group that PUID and PGID name; None without a PUID. Raise FixUsage for what is no id.

    A variable that is there and empty (`PUID: ${PUID}` in a compose file, with nothing in `.env`) is the image's
    default: root is only who says 0.
    """
    uid, gid = _id(environ, "PUID"), _id(environ, "PGID")
    return None if uid is None else User(uid, uid if gid is None else gid)


def become_user(environ: Mapping[str, str]) -> None:
    """If we are root, become the user of `environ` for good; in any case take the umask of UMASK.

    Groups that the container was given besides (`group_add`) are kept, except root's. Raise FixUsage for wrong values,
    and where the container lacks the right.
    """
    user, umask = user_in(environ), _umask(environ)
    if umask is not None:
        os.umask(umask)
    # PUID=0 is for containers whose root has no rights outside, such as rootless Podman's.
    if user is None or user.uid == 0 or os.geteuid() != 0:
        return
    try:
        os.setgroups([group for group in os.getgroups() if group != 0])
        os.setgid(user.gid)
        os.setuid(user.uid)
    except PermissionError as error:
        raise FixUsage(
            f"This container may not become the user {user.uid}:{user.gid} (PUID, PGID): {error.strerror}.",
            f'Start it as this user (user: "{user.uid}:{user.gid}"), or leave it the capabilities SETUID and SETGID.',
        ) from error


def refuse_unreadable() -> None:
    """Raise FixUsage where the user that we have become may not read what of this program is still to be loaded."""
    for file in (__file__, os.__file__):
        if not os.access(file, os.R_OK):
            raise FixUsage(
                f"The user {os.geteuid()}:{os.getegid()} (PUID, PGID) may not read {file!r}, a part of this program.",
                "Outside of a container, unset PUID; or install the program where that user may read it.",
            )


def hand_over(folder: Path, user: User, *, beside: Path) -> None:
    """Give a folder of ours, made if need be, and our files in it to the user who will write there.

    A folder that is that user's already was handed over before. Else the files that are named as ours change their
    owner: no link, no file with a second name elsewhere, none on another file system; and the folder itself, if it is
    root's or holds nothing but ours. Nothing is done where Kometa's folder (`beside`) lies in this one or around it. A
    file system that knows no owners is left as it is: the program says what it cannot write.
    """
    if folder.is_relative_to(beside) or beside.is_relative_to(folder):
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    with suppress(OSError):
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _hand_over(at, user)
        finally:
            os.close(at)


def _hand_over(at: int, user: User) -> None:
    """The same for an opened folder."""
    folder = os.fstat(at)
    if folder.st_uid == user.uid:
        return
    names = os.listdir(at)
    ours = [name for name in names if name == RUNS or any(fnmatch(name, pattern) for pattern in OURS)]
    for name in ours:
        _give(name, user, at, folder.st_dev)
    if folder.st_uid == 0 or len(ours) == len(names):
        os.fchown(at, *user)


def _give(name: str, user: User, at: int, device: int) -> None:
    """Give one entry of an opened folder, and the reports in the folder of reports."""
    with suppress(OSError):
        kind = os.stat(name, dir_fd=at, follow_symlinks=False)
        is_reports = stat.S_ISDIR(kind.st_mode) and name == RUNS
        is_ours = is_reports or (stat.S_ISREG(kind.st_mode) and kind.st_nlink == 1)
        if not is_ours or kind.st_dev != device:
            return
        # By its handle, so that nothing can be put into its place meanwhile.
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        try:
            if not os.path.samestat(kind, os.fstat(handle)):
                return
            if kind.st_uid != user.uid:
                os.fchown(handle, *user)
            for report in os.listdir(handle) if is_reports else ():  # noqa: PTH208 - a handle, not a path
                _give(report, user, handle, device)
        finally:
            os.close(handle)


def _id(environ: Mapping[str, str], name: str) -> int | None:
    if name not in environ:
        return None
    text = environ[name].strip()
    if not text:
        return _DEFAULT_ID
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _HIGHEST:
        raise FixUsage(f"{name} is {text!r}, which is no id of a user or group.", "Give a number such as 1000.")
    return int(text)


def _umask(environ: Mapping[str, str]) -> int | None:
    if "UMASK" not in environ:
        return None
    text = environ["UMASK"].strip()
    if text and not re.fullmatch(r"0?[0-7]{3}", text):
        raise FixUsage(f"UMASK is {text!r}, which is no umask.", "Give three octal digits such as 022.")
    return int(text, 8) if text else _DEFAULT_UMASK


def main() -> None:
    """Make ready, then turn into the command that was given."""
    try:
        user = user_in(os.environ)
        if user and os.geteuid() == 0:
            # The image names all three; a folder without a name is never handed over.
            kometa, *ours = (
                Path(os.environ.get(name, "/")).resolve() for name in ("CONFIG_DIR", "STATE_DIR", "LOG_DIR")
            )
            for folder in ours:
                hand_over(folder, user, beside=kometa)
        become_user(os.environ)
    except FixUsage as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - there is no log yet
        sys.exit(error.exit_code)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the image's own command


if __name__ == "__main__":
    main()
