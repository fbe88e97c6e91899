"""Stand in for a mail server: it keeps what it receives, and can fail in the ways of real ones."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
from dataclasses import dataclass
from typing import TYPE_CHECKING, AnyStr, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, syntax
from anyio.from_thread import start_blocking_portal

from kometa_ai.standins.serving import HOST, let_connections_arrive, listener_on

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Callable, Collection, Mapping
    from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Mail:
    """A message with its envelope; its lines end as Python's do."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


class Mailbox:
    """A mail server while its context is open: `received` is what it accepted, `host` and `port` where it listens.

    In a container another host than the default is needed, which is reachable from this machine only. All options but
    the security ones may be changed while it runs.

    refuse        recipients it does not know (550)
    greylist      every sender and recipient is rejected once (451)
    credentials   user and password, required before any mail (530, 535)
    starttls      a context for encryption on request; `require_starttls` makes it mandatory
    tls           a context for encryption from the first byte
    hang          it accepts the connection and stays silent ("greeting"), or never confirms a message ("data")
    drop          it ends the connection in the middle of a message
    say           its answers by command (`AUTH`, `MAIL`, `RCPT`, `DATA`, `QUIT`) in place of the usual ones; for DATA
                  the answer to the final dot. A function gets the argument; for DATA, the recipients in a line and then
                  the text
    think         seconds from the final dot to its answer; the message is kept by then
    ponder        the same, by the text of the message; set once it runs
    end           the command (`RCPT`, `DATA`) that it answers with 421, ending the connection
    lose          it keeps the message, and ends the connection instead of answering the final dot
    """

    def __init__(
        self,
        *,
        host: str = HOST,
        port: int = 0,
        refuse: Collection[str] = (),
        greylist: bool = False,
        credentials: tuple[str, str] | None = None,
        starttls: ssl.SSLContext | None = None,
        require_starttls: bool = False,
        tls: ssl.SSLContext | None = None,
        hang: Literal["greeting", "data"] | None = None,
        drop: bool = False,
        say: Mapping[str, str | Callable[[str], str]] | None = None,
        think: float = 0,
        end: str = "",
        lose: bool = False,
    ) -> None:
        self.received: list[Mail] = []
        self.host = host
        self.port = port
        self.refuse = set(refuse)
        self.greylist = greylist
        self.credentials = credentials
        self.hang = hang
        self.drop = drop
        self.say = dict(say or {})
        self.think = think
        self.ponder: Callable[[str], float] | None = None
        self.end = end
        self.lose = lose
        self.starttls = starttls
        self.require_starttls = require_starttls
        self.put_off: set[tuple[str | None, str]] = set()
        self._tls = tls
        self._connections: set[_Connection] = set()
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            listener = opening.enter_context(listener_on(self.port, self.host))
            self.port = listener.getsockname()[1]
            portal = opening.enter_context(start_blocking_portal(name="mailbox"))
            opening.enter_context(portal.wrap_async_context_manager(self._serving(listener)))
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def words(self, command: str, about: str) -> str:
        """The configured answer to a command; empty for the usual one."""
        words = self.say.get(command, "")
        return words if isinstance(words, str) else words(about)

    @contextlib.asynccontextmanager
    async def _serving(self, listener: socket.socket) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self, self._connections), sock=listener, ssl=self._tls)
        try:
            yield
        finally:
            server.close()
            await let_connections_arrive()
            connections = list(self._connections)
            for connection in connections:
                connection.abort()
            await asyncio.gather(*(connection.lost.wait() for connection in connections))


class _Connection(SMTP):
    """The connection of one client."""

    def __init__(self, mailbox: Mailbox, connections: set[_Connection]) -> None:
        super().__init__(
            _Handler(mailbox),
            hostname="localhost",
            enable_SMTPUTF8=True,
            tls_context=mailbox.starttls,
            require_starttls=mailbox.require_starttls,
            # Whether AUTH is wanted, and needs TLS, is the handler's business: the library cannot tell TLS from the
            # first byte from none, and warns about AUTH without it.
            auth_require_tls=False,
            authenticator=_Authenticator(mailbox),
            loop=asyncio.get_running_loop(),
        )
        self.lost = asyncio.Event()
        self._mailbox = mailbox
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._connections.discard(self)
        self.lost.set()

    def abort(self) -> None:
        """End the connection at once."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    async def _end(self) -> None:
        await self.push("421 4.7.0 Bye")
        self.abort()
        await self.lost.wait()

    @syntax("RCPT")
    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802 # as below
        if self._mailbox.end == "RCPT":
            await self._end()
        await super().smtp_RCPT(arg)

    async def push(self, status: AnyStr) -> None:
        if self._mailbox.hang == "greeting":
            await asyncio.Event().wait()
        await super().push(status)

    @syntax("QUIT")
    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 # as below
        if words := self._mailbox.words("QUIT", arg):
            await self.push(words)
        else:
            await super().smtp_QUIT(arg)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 # the library finds commands by name
        if self._mailbox.end == "DATA":
            await self._end()
        if self._mailbox.drop:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._reader.readline()
            self.abort()
            await self.lost.wait()
        await super().smtp_DATA(arg)


@dataclass(frozen=True, slots=True)
class _Authenticator:
    mailbox: Mailbox

    def __call__(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        if words := self.mailbox.words("AUTH", given[0]):
            return AuthResult(success=False, handled=False, message=words)
        return AuthResult(success=given == self.mailbox.credentials, handled=False, auth_data=data)


@dataclass(frozen=True, slots=True)
class _Handler:
    """The answers to commands; the library finds them by name, and leaves the envelope to them."""

    mailbox: Mailbox

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        hidden = self.mailbox.credentials is None or (self.mailbox.starttls is not None and session.ssl is None)
        return [line for line in responses if not (hidden and line[4:].startswith("AUTH"))]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mailbox.credentials is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if words := self.mailbox.words("MAIL", address):
            return words
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if words := self.mailbox.words("RCPT", address):
            return words
        if address in self.mailbox.refuse:
            return "550 5.1.1 No such user here"
        triplet = (envelope.mail_from, address)
        if self.mailbox.greylist and triplet not in self.mailbox.put_off:
            self.mailbox.put_off.add(triplet)
            return "451 4.7.1 Greylisted, please try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: _Connection, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.mailbox.hang == "data":
            await asyncio.Event().wait()
        content = (envelope.original_content or b"").replace(b"\r\n", b"\n")
        message = email.message_from_bytes(content, policy=email.policy.default)
        text = "".join(part.get_content() for part in message.iter_parts())
        words = self.mailbox.words("DATA", f"{', '.join(envelope.rcpt_tos)}\n{text}")
        if words and not words.startswith("2"):
            return words
        self.mailbox.received.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), message))
        await asyncio.sleep(self.mailbox.ponder(text) if self.mailbox.ponder else self.mailbox.think)
        if self.mailbox.lose:
            server.abort()
            await server.lost.wait()
        return words or "250 2.0.0 Accepted"
