"""The two lines between which a block stands, and how they are recognised."""

from __future__ import annotations

import re

BEGIN = "# === KOMETA-AI ==="
END = "# === END KOMETA-AI ==="

MARKER_TEXT = re.compile(r"kometa[-_ ]?ai", re.IGNORECASE)
"""A file in which this is not found holds no block."""

LIKE_A_MARKER = re.compile(rf"=\s*+(?:end[\s_-]++)?{MARKER_TEXT.pattern}|{MARKER_TEXT.pattern}\s*+=", re.IGNORECASE)
"""Nor does one in which this is not found: it may mention this program, and has no marker, however ill-written."""

MARKER = re.compile(r"\A\s*+#\s*+=++\s*+(?P<end>end[\s_-]++)?kometa[-_ ]?ai\s*+=++\s*+", re.IGNORECASE)
"""A whole line of comment that begins or ends a block."""

BARE_MARKER = re.compile(
    r"\A\s*+(?:;|//)?\s*+=++\s*+(?P<end>end[\s_-]++)?kometa[-_ ]?ai\s*+=++\s*+:?\s*+", re.IGNORECASE
)
"""A whole line that would be a marker if it had not lost its `#`."""
