"""Use the built image as its users do, and say what was seen: `python -m tests.shipping.smoke ENGINE IMAGE COMMIT`.

ENGINE is `docker` or `podman`; COMMIT is what the image was built from. Needs root on Linux, since the folders that are
mounted change their owners. Nothing of the program is imported: it is the image that is on trial.
"""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 60.0
_TIGHT = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")  # noqa: S108
RIGHTS = ("CHOWN", "DAC_OVERRIDE", "SETGID", "SETUID")
LARGEST = 250_000_000
"""Bytes of all files in the image."""
_PASSWORD = "open-sesame-please"
"""Of a container that lives for seconds."""
_USER = ("--user", "3456:3456")


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
            self.call("rm", "--force", "--volumes", made, check=False)

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


class Visitor:
    """A browser without scripts at the container's page."""

    def __init__(self, stage: Stage) -> None:
        self._address = f"http://127.0.0.1:{stage.http}"
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)

    def look(self, path: str, **form: str) -> tuple[int, str, str]:
        """The status, the path where it ended, and the text; with a form it is sent."""
        data = urllib.parse.urlencode(form).encode() if form else None
        asked = urllib.request.Request(self._address + path, data, {"Accept": "text/html"})  # noqa: S310 - our container
        try:
            answer = self._opener.open(asked, timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, urllib.parse.urlsplit(answer.url).path, answer.read().decode()

    def sign_in(self, password: str) -> tuple[int, str, str]:
        """Fill the form in that stands before the page."""
        _, path, form = self.look("/")
        token = re.search(r'name="token" value="([^"]+)"', form)
        assert path == "/login", path
        assert token, form
        return self.look("/login", token=token[1], next="/", password=password)


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


def size(stage: Stage) -> None:
    """All files together are at most 250 MB."""
    told = stage.once("-sxb", "/", options=("--network", "none", "--entrypoint", "du"))
    bytes_ = int(told.split()[0])
    sys.stdout.write(f"    {bytes_ / 1_000_000:.0f} MB\n")
    assert bytes_ <= LARGEST, f"{bytes_} bytes"


def waiting(stage: Stage) -> None:
    """A first start without settings waits, alive and not healthy; behind the sign-in Check says what is missing."""
    given = ("--env", f"HTTP_PORT={stage.http}", "--env", f"WEB_PASSWORD={_PASSWORD}")
    with stage.background(options=(*_TIGHT, "--user", "1000:1000", *given)) as daemon:
        _until(lambda: _answers(f"http://127.0.0.1:{stage.http}/ping"))
        visitor = Visitor(stage)
        assert visitor.look("/ping")[0] == 200
        status, _, health = visitor.look("/health")
        assert (status, "RADARR_URL" in health) == (503, True), health
        status, path, page = visitor.sign_in(_PASSWORD)
        assert (status, path, "RADARR_URL" in page, "CLAUDE_API_KEY" in page) == (200, "/start", True, True), page
        check = stage.call("exec", daemon, "kometa-ai", "--health-check", check=False)
        assert (check.returncode, "CLAUDE_API_KEY" in check.stderr) == (2, True), check.stderr


def page(stage: Stage) -> None:
    """With user: and no right at all: the page wants the password, nothing else can be written, it is healthy."""
    options = (*_TIGHT, *_USER, *stage.settings(WEB_PASSWORD=_PASSWORD))
    with stage.background(options=options) as daemon:
        _until(lambda: _answers(f"http://127.0.0.1:{stage.http}/ping"))
        visitor = Visitor(stage)
        status, path, _ = visitor.sign_in("another-password")
        assert (status, path) == (401, "/login")
        status, path, text = visitor.sign_in(_PASSWORD)
        assert (status, path, "Sign in" in text, "<main" in text) == (200, "/", False, True), (status, path, text)
        assert visitor.look("/health")[0] == 200
        ids = stage.call("exec", daemon, "stat", "--format", "%u:%g", "/proc/1").stdout.split()
        assert ids == ["3456:3456"], ids
        wrote = stage.call("exec", daemon, "sh", "-c", "echo > /app/written || echo > /opt/written", check=False)
        assert "Read-only file system" in wrote.stderr, wrote
        stage.call("exec", daemon, "kometa-ai", "--health-check")


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
    stage.once("--run-now", options=("--network", "host", *_TIGHT, *_USER, *stage.settings()))
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


def use(engine: str, image: str, commit: str) -> None:
    """Every check in turn; the first that fails ends it."""
    with tempfile.TemporaryDirectory(prefix="kometa-ai-smoke-") as folder:
        Path(folder).chmod(0o755)
        stage = Stage(engine, image, commit, Path(folder))
        for check in (version, contents, size, demo, wrong, waiting):
            check(stage)
            sys.stdout.write(f"ok  {check.__doc__}\n")
        with stage.services():
            for check in (dropped, another, plain, page):
                check(stage)
                sys.stdout.write(f"ok  {check.__doc__}\n")


def main() -> None:
    """Use the image that the command line names."""
    use(*sys.argv[1:])


if __name__ == "__main__":
    main()
