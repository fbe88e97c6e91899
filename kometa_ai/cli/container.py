"""In a container: become the user that PUID and PGID name, so that nothing of the program has root's rights.

The image starts `python -m kometa_ai.cli.container COMMAND ...` as root. `docker exec` starts the program itself as
root, beside it; that is why the program, too, calls `become_user` first. Under `user:` there is nothing to do.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.errors import FixUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

_HIGHEST = 2**32 - 2
"""The highest id there is; the one above it means "leave it as it is"."""


class User(NamedTuple):
    """Whom the program becomes, and who its files belong to."""

    uid: int
    gid: int


def user_in(environ: Mapping[str, str]) -> User | None:
    """The user and group that PUID and PGID name; None without a PUID. Raise FixUsage for what is no id."""
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
    # PUID=0 is for containers whose root is nobody special outside, such as rootless Podman's.
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


def hand_over(folder: Path, user: User, *, beside: Path) -> None:
    """Give a folder of ours, made if need be, and what lies in it to the user who will write there.

    Only what is another's is touched, no link is followed, and nothing is done where Kometa's folder (`beside`) lies in
    this one or around it. A file system that knows no owners is left as it is: the program will say what it cannot
    write.
    """
    if folder.is_relative_to(beside) or beside.is_relative_to(folder):
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    for _, folders, files, at in os.fwalk(folder):
        for name in (*folders, *files):
            _give(name, user, at)
    _give(str(folder), user, None)


def _give(name: str, user: User, at: int | None) -> None:
    with suppress(OSError):
        if os.stat(name, dir_fd=at, follow_symlinks=False).st_uid != user.uid:
            os.chown(name, *user, dir_fd=at, follow_symlinks=False)


def _id(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > _HIGHEST:
        raise FixUsage(f"{name} is {text!r}, which is no id of a user or group.", "Give a number such as 1000.")
    return int(text)


def _umask(environ: Mapping[str, str]) -> int | None:
    text = environ.get("UMASK", "").strip()
    if text and not re.fullmatch(r"0?[0-7]{3}", text):
        raise FixUsage(f"UMASK is {text!r}, which is no umask.", "Give three octal digits such as 022.")
    return int(text, 8) if text else None


def main() -> None:
    """Make ready, then turn into the command that was given."""
    try:
        user = user_in(os.environ)
        if user and os.geteuid() == 0:
            # The image names all three; a folder without a name is nobody's to give.
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
