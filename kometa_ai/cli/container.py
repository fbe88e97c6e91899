"""Start in a container: become the user that PUID and PGID name, and hand over the program's files.

The image starts `python -m kometa_ai.cli.container COMMAND ...` as root. `docker exec` starts the program as root, too,
but without this module; that is why the program itself calls `become_user` first. With `user:` there is nothing to do.
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
"""The highest valid id; the one above it means "leave unchanged"."""
_DEFAULT_ID, _DEFAULT_UMASK = 1000, 0o022
"""The image's defaults, also for a variable that is empty."""
OURS = (
    ".*.new", "api_key", "choices.*", "heartbeat", "kometa-ai.log*", "kometa_state.*", "lock", "notifications.*",
    "schedule.json", "session_key",
)  # fmt: skip
"""Names of the program's files in the state folder and in the log folder."""
FOLDERS = ("runs", "libraries", "trials", "audits", "cache")
"""The program's folders in the state folder; everything in them is its own."""
_DEEPEST = 3
"""How many folders there are at most on the way to a file, of which `cache/posters/250` has the most."""


class User(NamedTuple):
    """The user and group that the program becomes, and that own its files."""

    uid: int
    gid: int


def user_in(environ: Mapping[str, str]) -> User | None:
    """The user and group that PUID and PGID name; None without a PUID. Raises FixUsage for an invalid id.

    An empty variable (`PUID: ${PUID}` in a compose file, with nothing in `.env`) means the image's default. Root has to
    be named by 0.
    """
    uid, gid = _id(environ, "PUID"), _id(environ, "PGID")
    return None if uid is None else User(uid, uid if gid is None else gid)


def become_user(environ: Mapping[str, str]) -> None:
    """Become the user of `environ` for good if we are root; set the umask of UMASK in any case.

    Groups that the container adds (`group_add`) are kept, except root's. Raises FixUsage for wrong values, and if the
    container lacks the capability.
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
    """Raise FixUsage if the user that we became may not read the files of the program that are still to be loaded."""
    for file in (__file__, os.__file__):
        if not os.access(file, os.R_OK):
            raise FixUsage(
                f"The user {os.geteuid()}:{os.getegid()} (PUID, PGID) may not read {file!r}, a part of this program.",
                "Outside of a container, unset PUID; or install the program where that user may read it.",
            )


def hand_over(folder: Path, user: User, *, beside: Path) -> None:
    """Create a folder of the program if need be, and give it and the program's files in it to the user.

    A folder that belongs to the user already is left as it is. Otherwise files with names of the program change their
    owner: no links, no files with several hard links, none on another file system. So does the folder itself if it
    belongs to root or holds nothing else. Nothing is done if Kometa's folder (`beside`) lies in this one or around it.
    A file system without owners is left as it is: the program reports what it cannot write.
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
    """Hand over a folder that is open as the descriptor `at`."""
    folder = os.fstat(at)
    if folder.st_uid == user.uid:
        return
    names = os.listdir(at)
    ours = [name for name in names if name in FOLDERS or any(fnmatch(name, pattern) for pattern in OURS)]
    for name in ours:
        _give(name, user, at, folder.st_dev)
    if folder.st_uid == 0 or len(ours) == len(names):
        os.fchown(at, *user)


def _give(name: str, user: User, at: int, device: int, depth: int = 0) -> None:
    """Give one entry of an opened folder to the user; of one of our folders, give what is in it, too.

    `depth` is how many of our folders lie around the entry.
    """
    with suppress(OSError):
        kind = os.stat(name, dir_fd=at, follow_symlinks=False)
        is_folder = stat.S_ISDIR(kind.st_mode) and (0 < depth < _DEEPEST or name in FOLDERS)
        is_ours = is_folder or (stat.S_ISREG(kind.st_mode) and kind.st_nlink == 1)
        if not is_ours or kind.st_dev != device:
            return
        # By descriptor, so that no other process can exchange the file meanwhile.
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        try:
            if not os.path.samestat(kind, os.fstat(handle)):
                return
            if kind.st_uid != user.uid:
                os.fchown(handle, *user)
            for inside in os.listdir(handle) if is_folder else ():  # noqa: PTH208 - a handle, not a path
                _give(inside, user, handle, device, depth + 1)
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
    """Prepare folders and user, then replace this process by the given command."""
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
