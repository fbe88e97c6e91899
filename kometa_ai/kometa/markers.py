"""Recognise the two lines that begin and end a block."""

from __future__ import annotations

import re

BEGIN = "# === KOMETA-AI ==="
END = "# === END KOMETA-AI ==="

MARKER_TEXT = re.compile(r"kometa[-_ ]?ai", re.IGNORECASE)
"""A file without a match holds no block."""

LIKE_A_MARKER = re.compile(rf"=\s*+(?:end[\s_-]++)?{MARKER_TEXT.pattern}|{MARKER_TEXT.pattern}\s*+=", re.IGNORECASE)
"""A file without a match holds no marker, however misspelt, even if it mentions this program."""

MARKER = re.compile(r"\A\s*+#\s*+=++\s*+(?P<end>end[\s_-]++)?kometa[-_ ]?ai\s*+=++\s*+", re.IGNORECASE)
"""A comment line that begins or ends a block."""

BARE_MARKER = re.compile(
    r"\A\s*+(?:;|//)?\s*+=++\s*+(?P<end>end[\s_-]++)?kometa[-_ ]?ai\s*+=++\s*+:?\s*+", re.IGNORECASE
)
"""A line that would be a marker if it had its `#`."""
