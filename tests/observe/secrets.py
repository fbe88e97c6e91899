"""Whether a text gives away a part of a secret."""

from __future__ import annotations

PART = 6


def parts_shown(secret: str, text: str) -> set[str]:
    """Every six characters in a row of the secret that stand in the text."""
    return {part for at in range(len(secret) - PART + 1) if (part := secret[at : at + PART]) in text}
