"""TLS contexts that trust the system's certificate authorities and those that the environment adds."""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx2


@lru_cache(maxsize=2)
def context_for(authorities: tuple[bytes, ...]) -> ssl.SSLContext:
    """A context for any number of connections. OpenSSL by itself lets SSL_CERT_FILE replace the system's store."""
    context = httpx2.create_ssl_context(trust_env=False)
    if authorities:
        context.load_verify_locations(cadata=b"".join(authorities))
        # What is named there is trusted, whether it signed itself or not, as curl does it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def no_trust() -> ssl.SSLContext:
    """A context for connections without TLS: it trusts no certificate, and costs nothing to make."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def unverified() -> ssl.SSLContext:
    """A context that encrypts and takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
