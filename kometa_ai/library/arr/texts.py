"""Clean a service's texts of control characters and line breaks, so that each fits on one line."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def clean(text: str | None) -> str:
    """The text without control characters and line breaks, each run of which becomes one space."""
    if not text:
        return ""
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    return text.strip()
