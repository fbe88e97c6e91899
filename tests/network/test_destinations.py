"""Where keys and reports may go: redirects are not followed, and foreign variables change no request."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import structlog

from kometa_ai.errors import CheckModel
from kometa_ai.network.environment import Network
from kometa_ai.notification import push
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.providers.claude.batches import ClaudeBatches
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import BatchedRequest, RequestFailed
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.serving import serve
from tests.daemon.test_after_changes import Receiver
from tests.network.raw import serving
from tests.network.test_through_proxies import REQUEST, failure
from tests.run.world import block

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tests.run.world import World


def redirecting(target: str) -> Callable[[socket.socket, bytes], None]:
    """Answer everything with a redirect that keeps method and body."""
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
    return lambda connection, _: connection.sendall(head)


async def test_redirects_of_claude_are_not_followed() -> None:
    """Nothing is sent to where one points; it is told with its host, and ends the questions."""
    receiver = Receiver()
    with serve(receiver.app) as elsewhere, serving(redirecting(f"{elsewhere}/told?key=hunter2")) as server:
        said = await failure(server.url, Network())

    assert isinstance(said, CheckModel)
    assert elsewhere in str(said)
    assert "hunter2" not in str(said)
    assert not receiver.told


async def test_redirects_of_the_call_after_changes_are_not_followed() -> None:
    """The log tells the host that it points to, and no more of the address."""
    receiver = Receiver()
    with (
        serve(receiver.app) as elsewhere,
        serving(redirecting(f"{elsewhere}/told")) as server,
        structlog.testing.capture_logs() as log,
    ):
        await after_changes(["Noir"], Settings(after_changes_url=f"{server.url}/hook/hunter2"))

    assert log[-1]["event"] == "after_changes.redirected"
    assert log[-1]["to"] == "127.0.0.1"
    assert "hunter2" not in str(log[-1])
    assert not receiver.told


@pytest.mark.parametrize(("suffix", "is_told"), [("", False), ("?redirect=yes", True)])
async def test_redirects_of_pushes_are_followed_on_request_only(suffix: str, *, is_told: bool) -> None:
    """A report goes no further than its address, unless that says so; the problem says what to do."""
    receiver = Receiver()
    with serve(receiver.app) as elsewhere, serving(redirecting(f"{elsewhere}/told")) as server:
        address = server.url.replace("http://", "json://") + f"/hook{suffix}"
        (target,) = push.targets(Settings.model_validate({"APPRISE_URLS": address}))
        delivery = await push.send(target, "Title", lambda _form, _room: "Text", patience=20)

    assert bool(receiver.told) == is_told
    if not is_told:
        assert delivery.problem
        assert "redirects" in delivery.problem.what


def test_the_log_of_anthropics_sdk(world: World) -> None:
    """ANTHROPIC_LOG=debug brings no request into our log, nor lines of another form onto stderr."""
    world.collections(block("Noir"))
    environ = {**world.environ, "ANTHROPIC_LOG": "debug", "DEBUG_LOGGING": "true", "PATH": "/usr/bin"}
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--run-now"], env=environ, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0
    assert all(line.startswith("{") for line in ended.stderr.splitlines())
    assert "What happens in movie" not in ended.stderr
    assert "What happens in movie" not in (world.folder / "logs" / "kometa-ai.log").read_text()


async def test_claude_is_sent_no_foreign_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a token nor what ANTHROPIC_CUSTOM_HEADERS holds reaches it, not even another key; nor from a copy."""
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: other\nX-Foreign: b\nX-Ü: ü")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    heads: list[str] = []

    def handle(connection: socket.socket, head: bytes) -> None:
        heads.append(head.partition(b"\r\n\r\n")[0].decode().lower())
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    with serving(handle) as server:
        async with Claude("key", server.url) as claude:
            for call in (claude.ask(REQUEST), ClaudeBatches(claude).create([BatchedRequest("one", REQUEST)])):
                with pytest.raises((RequestFailed, CheckModel)):
                    await call

    assert len(heads) == 2
    for head in heads:
        assert "x-foreign" not in head
        assert "x-api-key" not in head
        assert "\r\nauthorization: bearer key\r\n" in head
        assert "\r\nuser-agent: asyncanthropic/" in head
