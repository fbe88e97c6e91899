"""Tell where a model of Ollama runs: at home, in Ollama's cloud, or on this very machine. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from kometa_ai.network.ollama_host import CLOUD

_OF_THE_CLOUD = re.compile(r"[:-]cloud\Z")


def is_cloud(model: str, address: str) -> bool:
    """Whether a model runs at ollama.com, asked there or through an Ollama at home that passes questions on."""
    host = _split(address).hostname or ""
    return host == CLOUD or host.endswith(f".{CLOUD}") or _OF_THE_CLOUD.search(model) is not None


def is_this_machine(address: str) -> bool:
    """Whether an address means the machine, or the container, that asks."""
    host = _split(address).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
