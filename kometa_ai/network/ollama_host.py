"""Read OLLAMA_HOST as Ollama itself does: scheme and port may be left out. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

CLOUD = "ollama.com"
DEFAULT = "http://localhost:11434"
_PORT = 11434
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server listens; a client needs one of them


def address_of(text: str) -> str:
    """The base address of an Ollama, without a slash at its end; the default where the text is empty.

    `/v1` and `/api` at the end are cut off: programs that use other APIs are given them. Without a scheme the port is
    Ollama's, with one it is the scheme's own. Raise ValueError for what is no address of a server.
    """
    text = text.strip()
    if not text:
        return DEFAULT
    has_scheme = "://" in text
    parts = urlsplit(text if has_scheme else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\\?#]", text):
        raise ValueError("it is no address of the form http://host:11434")
    scheme, port = parts.scheme, parts.port
    if not has_scheme and port is None:
        scheme, port = ("https", None) if parts.hostname == CLOUD else ("http", _PORT)
    host = _EVERYWHERE.get(parts.hostname, parts.hostname)
    place = f"[{host}]" if ":" in host else host
    user, at, _ = parts.netloc.rpartition("@")
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")
    return f"{scheme}://{user}{at}{place}{f':{port}' if port is not None else ''}{path}"
