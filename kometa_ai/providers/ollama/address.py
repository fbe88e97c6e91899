"""Read OLLAMA_HOST as Ollama itself does: scheme and port may be left out. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

DEFAULT = "http://localhost:11434"

_PORT = 11434
_CLOUD = "ollama.com"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a server listens; a client needs one of them
_OF_THE_CLOUD = re.compile(r"[:-]cloud\Z")


def address_of(text: str) -> str:
    """The base address of an Ollama, without a slash at its end; the default where the text is empty.

    `/v1` and `/api` at the end are cut off: programs that use other APIs are given them. Without a scheme the port is
    Ollama's, with one it is the scheme's own. Raise ValueError for what is no address.
    """
    text = text.strip()
    if not text:
        return DEFAULT
    has_scheme = "://" in text
    parts = urlsplit(text if has_scheme else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"[\s\\]", text):
        raise ValueError("it is no address of the form http://host:11434")
    scheme, port = parts.scheme, parts.port
    if not has_scheme and port is None:
        scheme, port = ("https", None) if parts.hostname == _CLOUD else ("http", _PORT)
    host = _EVERYWHERE.get(parts.hostname, parts.hostname)
    place = f"[{host}]" if ":" in host else host
    user, at, _ = parts.netloc.rpartition("@")
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")
    return f"{scheme}://{user}{at}{place}{f':{port}' if port is not None else ''}{path}"


def is_cloud(model: str, address: str) -> bool:
    """Whether a model runs at ollama.com, asked there or through an Ollama at home that passes questions on."""
    host = _split(address).hostname or ""
    return host == _CLOUD or host.endswith(f".{_CLOUD}") or _OF_THE_CLOUD.search(model) is not None


def is_this_machine(address: str) -> bool:
    """Whether an address means the machine, or the container, that asks."""
    host = _split(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
