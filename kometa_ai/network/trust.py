"""Make TLS contexts that trust the system's certificate authorities and those that the environment adds."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import certifi
import httpx2

from kometa_ai.network.authorities import OF_APPRISE

if TYPE_CHECKING:
    from collections.abc import Iterator


@lru_cache(maxsize=2)
def context_for(authorities: tuple[bytes, ...]) -> ssl.SSLContext:
    """A context for any number of connections. OpenSSL itself would let SSL_CERT_FILE replace the system's store."""
    context = httpx2.create_ssl_context(trust_env=False)
    if authorities:
        context.load_verify_locations(cadata=b"".join(authorities))
        # Trust each certificate named there, self-signed or not, as curl does.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def no_trust() -> ssl.SSLContext:
    """A context for connections without TLS: it trusts no certificate, and is cheap to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def unverified() -> ssl.SSLContext:
    """A context that encrypts and accepts any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def bundle_for(authorities: tuple[bytes, ...]) -> Iterator[Path | None]:
    """Yield a file with Apprise's own authorities and these, for libraries that take a file instead of a context.

    None if there are none to add, or no temporary file can be written.
    """
    if not authorities:
        yield None
        return
    own = next((path for name in OF_APPRISE if Path(path := os.environ.get(name, "")).is_file()), certifi.where())
    try:
        file = NamedTemporaryFile(prefix="kometa-ai-", suffix=".pem")  # noqa: SIM115 - closed below
    except OSError:
        yield None
        return
    with file:
        file.write(Path(own).read_bytes())
        for authority in authorities:
            file.write(b"\n" + ssl.DER_cert_to_PEM_cert(authority).encode())
        file.flush()
        yield Path(file.name)
