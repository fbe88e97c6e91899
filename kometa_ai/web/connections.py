"""Accept HTTP connections with uvicorn's protocol: limit their number and time, and close the idlest to make room.

A peer that sends nothing, sends half a request or does not read its answer still occupies one of few places. So each
turn of a peer has a time limit, and a new connection replaces the one that has waited longest for its peer.
Connections that have brought the key are replaced last, and never while their request is being answered.
"""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from kometa_ai.observe.repeats import Repeats, settle_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from uvicorn.config import Config
    from uvicorn.server import ServerState

MOST = 256
"""Connections at once; fewer if the process may open few files."""
BACKLOG = 64
_ACCEPTED_AT_ONCE = 32
"""At most; less than the share of one peer, for connections make room for others from the next turn of the loop on."""
_SWEEP = 0.5
_PROGRESS = 32 * 1024
"""Bytes of an answer that a peer must read within the time for reading."""
_LIMITS: Mapping[str, float] = {"head": 10.0, "body": 30.0, "reading": 30.0}
"""Seconds that a peer has to send a request head, to send a body, and to read `_PROGRESS` bytes of an answer."""
_DEAD_AFTER = 60.0
"""Seconds after which a peer that acknowledges nothing counts as gone (TCP_USER_TIMEOUT)."""
_PAUSE = 0.2
"""Seconds without accepting after the process has run out of files."""
_STATE = "connection"
_NO_FILES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Turn = Literal["head", "body", "reading", "ours"]


def most_connections() -> int:
    """The maximum number of connections: at most a quarter of the files that this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else max(8, min(MOST, soft // 4))


def trust(scope: MutableMapping[str, Any]) -> None:
    """Mark the connection of an ASGI scope as one that has brought the key."""
    connection = scope.get("state", {}).get(_STATE)
    if isinstance(connection, Connection):
        connection.is_trusted = True


class Connection(H11Protocol):
    """One connection, with whose turn it is and since when."""

    def __init__(self, door: Door, peer: str, config: Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, {_STATE: self})
        self._door = door
        self.peer = peer
        self.is_trusted = False
        self._is_made = False
        self.since = time.monotonic()
        self._seen: tuple[Turn, object] = ("head", None)
        self._unread = 0

    @property
    def turn(self) -> Turn:
        """What the connection waits for: the peer's request, its body, its reading; or our answer."""
        if self.transport.get_write_buffer_size():
            return "reading"
        if self.cycle is None or self.cycle.response_complete:
            return "head"
        return "body" if self.cycle.more_body else "ours"

    @property
    def may_be_closed(self) -> bool:
        """Whether another connection may take its place."""
        return self._is_made and not (self.is_trusted and self.turn == "ours")

    def look(self) -> None:
        """Record when the turn began. A peer that reads slowly, but does read, gets its time anew."""
        turn, unread = self.turn, self.transport.get_write_buffer_size()
        if self._seen != (turn, self.cycle) or unread <= self._unread - _PROGRESS:
            self._seen = turn, self.cycle
            self._unread = unread
            self.since = time.monotonic()

    def close_if_late(self) -> None:
        """Close the connection if its peer has exceeded its time."""
        if not self._is_made:
            return
        self.look()
        limit = _LIMITS.get(self.turn)
        if limit is not None and time.monotonic() - self.since > limit:
            self.abort()

    def abort(self) -> None:
        """Close the connection at once, without waiting for the peer to read the rest, which may never happen."""
        self._door.forget(self)
        if self._is_made:
            self.transport.abort()

    # What uvicorn calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._is_made = True
        self.look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._door.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request."""
        super().data_received(data)
        self.look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self.look()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not valid HTTP, if an answer is still possible."""
        self._door.invalid.add(client=self.peer)
        if self.turn == "ours":
            self.flow.pause_reading()  # it follows a whole request, whose answer is on its way
        elif self.cycle is not None and self.cycle.more_body:
            self.abort()
        else:
            super().send_400_response(msg)

    def _should_upgrade(self) -> bool:
        # The guard answers WebSocket requests with an explanation; other upgrades are handled as plain requests.
        return False


class Door:
    """Accepts connections from a listening socket, within limits."""

    def __init__(self, listener: socket.socket, config: Config, server_state: ServerState) -> None:
        self._listener = listener
        self._make: Callable[[str], Connection] = lambda peer: Connection(self, peer, config, server_state)
        self._most = most_connections()
        self._of_one_peer = self._most * 3 // 4
        self._at_once = min(_ACCEPTED_AT_ONCE, self._most // 4)
        self._connections: dict[Connection, None] = {}
        self._peers: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._is_open = False
        self.invalid = Repeats("http.invalid")
        self._crowded = Repeats("http.crowded")
        self._no_files = Repeats("http.no_files")

    def open(self) -> None:
        """Accept connections from now on."""
        self._is_open = True
        self._listener.setblocking(False)  # noqa: FBT003 - the library's way
        self._loop.add_reader(self._listener, self._accept)
        self._timer = self._loop.call_later(_SWEEP, self._sweep)

    def close(self) -> None:
        """Accept no more connections; existing ones continue."""
        self._is_open = False
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()
        settle_all(at_once=True)

    def abort(self) -> None:
        """Close every connection at once."""
        for connection in list(self._connections):
            connection.abort()

    def forget(self, connection: Connection) -> None:
        """Free the place of a connection."""
        if connection in self._connections:
            del self._connections[connection]
            self._peers[connection.peer] -= 1
            if not self._peers[connection.peer]:
                del self._peers[connection.peer]

    def _accept(self) -> None:
        for _ in range(self._at_once):
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _NO_FILES:
                    continue  # of this connection alone: it was given up before it was accepted
                self._no_files.add(why=str(error))
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE, self._go_on)
                for _ in range(_ACCEPTED_AT_ONCE):
                    self._make_room(None)
                return
            self._admit(accepted, _peer(address))

    def _go_on(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._accept)

    def _admit(self, accepted: socket.socket, peer: str) -> None:
        is_full = len(self._connections) >= self._most
        has_its_share = self._peers[peer] >= self._of_one_peer
        if (is_full or has_its_share) and not self._make_room(peer if has_its_share else None):
            accepted.close()
            return
        connection = self._make(peer)
        self._connections[connection] = None
        self._peers[peer] += 1
        task = self._loop.create_task(self._take(accepted, connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, accepted: socket.socket, connection: Connection) -> None:
        try:
            accepted.setblocking(False)  # noqa: FBT003 - the library's way
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            with suppress(OSError, AttributeError):
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(_DEAD_AFTER * 1000))
            await self._loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            self.forget(connection)
            accepted.close()

    def _make_room(self, peer: str | None) -> bool:
        """Close the connection (of this peer) that has waited longest; return whether there was one to close."""
        candidates = [one for one in self._connections if peer in (None, one.peer) and one.may_be_closed]
        if not candidates:
            self._crowded.add(connections=len(self._connections))
            return False
        oldest = min(candidates, key=lambda one: (one.is_trusted, one.since))
        self._crowded.add(connections=len(self._connections), client=oldest.peer)
        oldest.abort()
        return True

    def _sweep(self) -> None:
        for connection in list(self._connections):
            connection.close_if_late()
        settle_all()
        self._timer = self._loop.call_later(_SWEEP, self._sweep)


def _peer(address: tuple[Any, ...]) -> str:
    """The peer of an address. One machine has 2**64 IPv6 addresses, so these are counted by their /64 network."""
    host = str(address[0])
    if ":" not in host:
        return host
    plain = host.partition("%")[0]
    packed = socket.inet_pton(socket.AF_INET6, plain)
    if packed[:12] == bytes(10) + b"\xff\xff":
        return socket.inet_ntoa(packed[12:])
    return plain if packed[:2] == b"\xfe\x80" else socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8))
