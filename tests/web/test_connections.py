"""Idle and slow connections, over real sockets: none keeps the server from answering others."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.daemon.living import KEY, daemon_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.daemon.living import Living
    from tests.run.world import World

WEBHOOK = "/api/v1/webhooks/radarr"


def port_of(living: Living) -> int:
    """The port of a daemon."""
    return int(living.url.rpartition(":")[2])


def opened(port: int, sent: bytes = b"") -> socket.socket:
    """A connection that has said so much."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    if sent:
        connection.sendall(sent)
    return connection


@contextmanager
def many(port: int, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that say no more than this."""
    connections: list[socket.socket] = []
    try:
        for _ in range(count):
            connections.append(opened(port))
            try:
                connections[-1].sendall(sent)
            except ConnectionError:
                continue  # closed to make room for a younger one
        yield connections
    finally:
        for connection in connections:
            connection.close()


def seconds_until_closed(connection: socket.socket, most: float, drip: bytes = b"", every: float = 1.0) -> float:
    """How long a connection lasts, while its peer sends a byte now and then and reads what comes."""
    started = time.monotonic()
    connection.settimeout(every)
    while time.monotonic() - started < most:
        try:
            if not connection.recv(65536):
                return time.monotonic() - started
        except TimeoutError:
            pass
        except ConnectionError:
            return time.monotonic() - started
        try:
            connection.sendall(drip)
        except ConnectionError:
            return time.monotonic() - started
    pytest.fail(f"still open after {most} s")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /ping HT",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Half: ",
        f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nX-Api-Key: {KEY}\r\n\r\n{{".encode(),
        b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["nothing", "half a request line", "half a header", "half a body", "answered and silent"],
)
def test_500_idle_connections_keep_no_client_waiting(world: World, sent: bytes) -> None:
    """Beside 500 of them, from the same address, everything is answered at once and SIGTERM ends the daemon."""
    with daemon_process(world) as living, many(port_of(living), 500, sent):
        took = []
        for _ in range(3):
            for method, path in (("GET", "/ping"), ("GET", "/health"), ("GET", "/api/v1/status"), ("POST", WEBHOOK)):
                started = time.monotonic()
                answer = living.call(method, path, json={"eventType": "Test"} if method == "POST" else None)
                took.append(time.monotonic() - started)
                assert answer.status_code == 200, (path, answer.text)
        code, seconds = living.end(signal.SIGTERM)

    assert max(took) < 3
    assert (code, seconds < 5) == (0, True)


def test_the_files_of_the_process_are_never_used_up(world: World) -> None:
    """With 128 files in all and 400 idle connections the daemon runs, answers, and logs a handful of lines."""
    with daemon_process(world, files=128) as living, many(port_of(living), 400):
        assert living.call("GET", "/ping").status_code == 200
        assert living.call("POST", "/api/v1/runs").status_code == 202
        assert living.wait_for("run.ended")["outcome"] == "ok"
        time.sleep(1)
        lines = living.lines
        code, seconds = living.end(signal.SIGTERM)

    assert sum(line["event"].startswith("http.") for line in lines) < 8
    assert not [line for line in lines if line["level"] == "error"]
    assert (code, seconds < 5) == (0, True)


def test_a_request_behind_many_idle_connections_is_answered(world: World) -> None:
    """Connections that came while the daemon was busy are taken in turn: the youngest, which asks, finds its place."""
    with daemon_process(world, files=128) as living:
        living.wait_for("daemon.ready")
        living.process.send_signal(signal.SIGSTOP)
        with many(port_of(living), 50), opened(port_of(living), b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n") as ours:
            living.process.send_signal(signal.SIGCONT)
            answer = ours.recv(100)

    assert answer.startswith(b"HTTP/1.1 200")


LATE = {
    "nothing": (b"", b"", 13.0),
    "half a header": (b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Half: ", b"a", 13.0),
    "a body without a reader": (
        b"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
        b"a",
        13.0,
    ),
    "chunks without end": (
        b"GET /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\na\r\n",
        13.0,
    ),
    "never again": (b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", b"", 13.0),
    "half a body": (
        f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\nX-Api-Key: {KEY}\r\n\r\n".encode(),
        b"a",
        33.0,
    ),
}


def test_a_peer_has_a_limited_time(world: World) -> None:
    """A connection that does not become a request in its time, or whose answers are not read, is closed.

    However it drips. One that reads slowly gets all of its answers.
    """
    with daemon_process(world) as living, ThreadPoolExecutor() as pool:
        port = port_of(living)
        document = living.call("GET", "/api/v1/openapi.json").content
        slow = pool.submit(read_slowly, port, 60)
        unread = pool.submit(never_read, port)
        lasted = dict(zip(LATE, pool.map(lambda late: lasts(port, *late), LATE.values()), strict=True))

        assert {name: seconds for name, seconds in lasted.items() if not 2 < seconds < LATE[name][2]} == {}
        assert slow.result() > 60 * len(document)
        assert unread.result() < 50


def lasts(port: int, sent: bytes, drip: bytes, most: float) -> float:
    """How long a connection lasts."""
    with opened(port, sent) as connection:
        return seconds_until_closed(connection, most + 5, drip)


def never_read(port: int) -> float:
    """Ask and never read; return after how many seconds that was over."""
    started = time.monotonic()
    ask = f"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
    with opened(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        while time.monotonic() - started < 60:
            try:
                connection.sendall(ask * 20)
            except TimeoutError:
                pass
            except ConnectionError:
                break
    return time.monotonic() - started


def read_slowly(port: int, count: int) -> int:
    """Ask for a document so often at once, read some of the answers for 16 s, then the rest; return how many bytes."""
    ask = f"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n".encode() * count
    received = 0
    with opened(port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.sendall(ask)
        end = time.monotonic() + 16
        while time.monotonic() < end:
            received += len(connection.recv(8192))
            time.sleep(0.05)
        connection.settimeout(3)
        with suppress(TimeoutError):
            while chunk := connection.recv(1 << 20):
                received += len(chunk)
    return received


def test_watchers_leave_room_for_others(world: World) -> None:
    """Of 150 who watch a run and read nothing, 100 keep their connection; all else is answered, the end is quick."""
    world.claude.latency = 8.0
    with daemon_process(world) as living, ExitStack() as stack:
        run_id = living.call("POST", "/api/v1/runs").json()["run_id"]
        ask = f"GET /api/v1/runs/{run_id}/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\n\r\n".encode()
        watching = [stack.enter_context(opened(port_of(living), ask)) for _ in range(150)]
        codes = Counter(watcher.recv(12).split()[1] for watcher in watching)
        ping = living.call("GET", "/ping").status_code
        code, seconds = living.end(signal.SIGTERM)

    assert codes == {b"200": 100, b"429": 50}
    assert ping == 200
    assert code == 143
    assert seconds < 10


def garbage(port: int) -> None:
    """Something that is no HTTP."""
    with opened(port, b"\x16\x03\x01garbage\r\n\r\n") as connection:
        connection.recv(1000)


def spoilt_chunks(port: int) -> None:
    """A request that is answered before its body turns out to be none."""
    with opened(port, b"POST /ping HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n") as connection:
        connection.recv(1000)
        connection.sendall(b"zzz\r\n")
        connection.recv(1000)


def trailing(port: int) -> None:
    """A request with something behind it, which is answered all the same."""
    with opened(port, b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection:
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def upgrade(port: int) -> None:
    """A WebSocket."""
    headers = b"Host: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"
    with opened(port, b"GET /ping HTTP/1.1\r\n" + headers) as connection:
        answer = b""
        while chunk := connection.recv(10000):
            answer += chunk
        assert answer.startswith(b"HTTP/1.1 400")
        assert set(json.loads(answer.partition(b"\r\n\r\n")[2])) == {"error", "remedy"}


def wrong_request(port: int) -> None:
    """A request without the key."""
    with opened(port, b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert connection.recv(10000).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    ("attack", "events"),
    [
        (garbage, {"http.invalid"}),
        (spoilt_chunks, {"http.invalid"}),
        (trailing, None),
        (upgrade, set()),
        (wrong_request, {"http.refused"}),
    ],
)
def test_strangers_cannot_fill_the_log(world: World, attack: Callable[[int], None], events: set[str] | None) -> None:
    """Of 1,000 bad requests there are a few lines, with the address and how many there were, and none of uvicorn's."""
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        before = len(living.lines)
        for _ in range(1000):
            with suppress(ConnectionError):
                attack(port_of(living))
        living.end(signal.SIGTERM)
        lines = [line for line in living.lines[before:] if line["level"] != "info"]

    assert events is None or {line["event"] for line in lines} == events
    assert len(lines) < 10
    if events:
        assert {line["client"] for line in lines} == {"127.0.0.1"}
        counted = sum(int(line["repeated"].split()[1].replace(",", "")) if "repeated" in line else 1 for line in lines)
        assert counted == 1000


def test_wrong_keys_are_answered_later_and_the_right_one_is_not(world: World) -> None:
    """After 20 wrong keys in a minute an address waits for each further answer; the right key is served at once."""
    with daemon_process(world) as living:

        def seconds(key: str) -> float:
            started = time.monotonic()
            assert living.call("GET", "/api/v1/status", headers={"X-Api-Key": key}).status_code == (
                200 if key == KEY else 401
            )
            return time.monotonic() - started

        first = [seconds(f"wrong-{number}") for number in range(20)]
        after = [seconds(f"wrong-{number}") for number in range(3)]
        right = [seconds(KEY) for _ in range(3)]

    assert min(after) >= 0.5
    assert min(first) < 0.4
    assert min(right) < 0.4


def test_the_soft_limit_of_files_is_raised(world: World) -> None:
    """A service manager's low soft limit is raised as far as the hard one allows, within reason."""
    with daemon_process(world, files=(256, 2048)) as living:
        limits = subprocess.run(  # noqa: S603 - our own code
            [
                sys.executable,
                "-c",
                f"import resource; print(resource.prlimit({living.process.pid}, resource.RLIMIT_NOFILE))",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert limits.strip() == "(2048, 2048)"
