"""Certificates for tests, made when a test runs: no date in them can pass."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import trustme

if TYPE_CHECKING:
    from pathlib import Path

LONG_AGO = datetime.now(UTC) - timedelta(days=400)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
TOMORROW = datetime.now(UTC) + timedelta(days=1)
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients that speak plain HTTP: to read all authorities that there are takes longer than a request."""


class Handshakes:
    """A server's certificate, and how often a client began to talk about it (to a host that has a name)."""

    def __init__(self, authority: trustme.CA, *names: str, **dates: Any) -> None:
        self.count = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*(names or ("localhost", "127.0.0.1")), **dates).configure_cert(self.context)
        self.context.sni_callback = self._seen

    def _seen(self, *_: object) -> None:
        self.count += 1


def file_of(authority: trustme.CA, folder: Path, name: str = "authority.pem") -> str:
    """The authority's certificate in a file, for SSL_CERT_FILE."""
    path = folder / name
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def by_name(url: str) -> str:
    """The same address with a name in place of a number: TLS tells a server only names."""
    return url.replace("127.0.0.1", "localhost")
