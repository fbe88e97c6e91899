"""Use the built image as its users do, and say what was seen: `python -m tests.shipping.smoke ENGINE IMAGE COMMIT`.

ENGINE is `docker` or `podman`; COMMIT is what the image was built from. Needs root on Linux, since the folders that are
mounted change their owners. Nothing of the program is imported: it is the image that is on trial.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 60.0
_TIGHT = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108
RIGHTS = ("CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID")


class Stage:
    """An image, an engine that runs it, and containers of stand-ins beside it."""

    def __init__(self, engine: str, image: str, commit: str, folder: Path) -> None:
        self.engine = engine
        self.image = image
        self.commit = commit
        self.kometa, self.state, self.logs = folder / "kometa", folder / "state", folder / "logs"
        for made in (self.kometa, self.state, self.logs):
            made.mkdir(mode=0o755)
        self.radarr, self.claude, self.http = _free_port(), _free_port(), _free_port()

    def call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call the engine."""
        done = subprocess.run([self.engine, *arguments], capture_output=True, text=True, check=False)  # noqa: S603
        if check and done.returncode != 0:
            raise AssertionError(f"{self.engine} {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def once(self, *arguments: str, options: tuple[str, ...] = ()) -> str:
        """What a container says that ends by itself."""
        return self.call("run", "--rm", *options, self.image, *arguments).stdout

    @contextlib.contextmanager
    def background(self, *arguments: str, options: tuple[str, ...] = ()) -> Iterator[str]:
        """A container that lives until the context ends: its id."""
        made = self.call("run", "--detach", "--network", "host", *options, self.image, *arguments).stdout.split()[-1]
        try:
            yield made
        except BaseException:
            logs = self.call("logs", made, check=False)
            sys.stderr.write(logs.stdout + logs.stderr)
            raise
        finally:
            self.call("rm", "--force", made, check=False)

    @contextlib.contextmanager
    def services(self) -> Iterator[None]:
        """The stand-ins, from the same image."""
        with contextlib.ExitStack() as stack:
            for name, port in (("radarr", self.radarr), ("claude", self.claude)):
                options = ("--entrypoint", "python")
                stack.enter_context(
                    self.background("-m", "kometa_ai.standins", name, "--port", str(port), options=options)
                )
                _until(lambda port=port: _answers(f"http://127.0.0.1:{port}/"))  # type: ignore[misc]
            yield

    def settings(self, **changed: str) -> tuple[str, ...]:
        """Options that lead a container to the services and to the three folders."""
        environment = {
            "RADARR_URL": f"http://127.0.0.1:{self.radarr}",
            "RADARR_API_KEY": "0123456789abcdef0123456789abcdef",
            "CLAUDE_API_KEY": "smoke",
            "CLAUDE_BASE_URL": f"http://127.0.0.1:{self.claude}",
            "HTTP_PORT": str(self.http),
            **changed,
        }
        folders = {"kometa": "kometa-config:ro", "state": "state", "logs": "logs"}
        return (
            *(part for name, value in environment.items() for part in ("--env", f"{name}={value}")),
            *(
                part
                for name, place in folders.items()
                for part in ("--volume", f"{self.kometa.with_name(name)}:/app/{place}")
            ),
        )


def version(stage: Stage) -> None:
    """--version names the commit."""
    assert f"({stage.commit[:12]})" in stage.once("--version"), "the image was not built with this GIT_COMMIT"


def demo(stage: Stage) -> None:
    """--demo works without a network, as any user, on a file system that cannot be written."""
    told = stage.once("--demo", options=(*_TIGHT, "--network", "none", "--user", "1234:1234"))
    assert "That was all of it" in told


def contents(stage: Stage) -> None:
    """No compiler, no installer among the libraries, no sample where Kometa's folder goes; a health check is there."""
    look = "ls -A /app/kometa-config; command -v gcc cc; ls -d /opt/kometa-ai/lib/python3*/site-packages/pip; true"
    assert stage.once("-c", look, options=("--entrypoint", "sh")) == ""
    inspected = json.loads(stage.call("image", "inspect", stage.image).stdout)[0]
    config = inspected.get("Config") or {}
    check = config.get("Healthcheck") or inspected.get("Healthcheck") or {}
    assert "--health-check" in check.get("Test", []), inspected


def dropped(stage: Stage) -> None:
    """Started as root with PUID and PGID: it becomes that user for good, and owns its two folders and no other."""
    caps = tuple(part for right in RIGHTS for part in ("--cap-add", right))
    ids = {"PUID": "1234", "PGID": "4321", "UMASK": "027"}
    with stage.background(options=(*_TIGHT, *caps, *stage.settings(**ids))) as daemon:
        _until(lambda: _answers(f"http://127.0.0.1:{stage.http}/ping"))
        status = stage.call("exec", daemon, "cat", "/proc/1/status").stdout
        fields = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
        assert (fields["Name"], fields["Uid"], fields["Gid"]) == (["tini"], ["1234"] * 4, ["4321"] * 4), status
        assert (int(fields["CapEff"][0], 16), fields["Umask"]) == (0, ["0027"]), status
        stage.call("exec", daemon, "kometa-ai", "--health-check")
        stage.call("exec", daemon, "python", "-m", "kometa_ai", "--run-now")
        begun = time.monotonic()
        stage.call("stop", "--time", "20", daemon)
        took = time.monotonic() - begun
        code = stage.call("inspect", "--format", "{{.State.ExitCode}}", daemon).stdout.strip()
    assert code == "0", f"it ended with {code}"
    assert took < 2, f"it took {took:.1f} s to stop, the engine's own time included"
    assert _owners(stage.state) == _owners(stage.logs) == {1234}
    assert _owners(stage.kometa) == {os.getuid()}


def another(stage: Stage) -> None:
    """The same folders, another PUID: what the former user wrote is handed over."""
    stage.once("--dump-state", options=stage.settings(PUID="2345", PGID="2345"))
    assert _owners(stage.state) == {2345}


def plain(stage: Stage) -> None:
    """Started with user: and no right at all, on a file system that cannot be written: it simply runs."""
    stage.call(
        "run",
        "--rm",
        "--volume",
        f"{stage.state.parent}:/all",
        "--entrypoint",
        "chown",
        stage.image,
        "-R",
        "3456",
        "/all/state",
        "/all/logs",
    )
    stage.once("--run-now", options=("--network", "host", *_TIGHT, "--user", "3456:3456", *stage.settings()))
    assert _owners(stage.state) == {3456}


def wrong(stage: Stage) -> None:
    """A wrong PUID, or a missing right, ends with a sentence that says what to do."""
    bad = stage.call("run", "--rm", "--env", "PUID=me", stage.image, check=False)
    assert (bad.returncode, "PUID is 'me'" in bad.stderr) == (2, True), bad.stderr
    stuck = stage.call("run", "--rm", *_TIGHT, stage.image, check=False)
    assert (stuck.returncode, "SETUID" in stuck.stderr) == (2, True), stuck.stderr


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own container
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "nothing answered"
        time.sleep(0.1)


def _owners(folder: Path) -> set[int]:
    return {path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def main() -> None:
    """Every check in turn; the first that fails ends it."""
    engine, image, commit = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="kometa-ai-smoke-") as folder:
        Path(folder).chmod(0o755)
        stage = Stage(engine, image, commit, Path(folder))
        for check in (version, contents, demo, wrong):
            check(stage)
            sys.stdout.write(f"ok  {check.__doc__}\n")
        with stage.services():
            for check in (dropped, another, plain):
                check(stage)
                sys.stdout.write(f"ok  {check.__doc__}\n")


if __name__ == "__main__":
    main()
