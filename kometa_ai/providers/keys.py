"""Refuse a key that can be none, before it is sent: an HTTP client's error about such a header shows the key."""

from __future__ import annotations

from kometa_ai.errors import CheckModel


def check_key(key: str, title: str, setting: str) -> None:
    """Raise CheckModel for a key with characters that no key has. Whether there has to be one is the adapter's."""
    if not (key.isascii() and key.isprintable()):
        raise CheckModel(f"The key for {title} holds characters that no key has.", f"Check {setting}.")
