"""Read whole numbers from other programs, which write them in several forms. Pure."""

from __future__ import annotations

import re
from math import isfinite

_WHOLE = re.compile(r"(-?[0-9]{1,25})(?:\.0{1,25})?")


def whole_number(value: object) -> int | None:
    """Read a whole number, also from `1999.0` and from text; None for anything else."""
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, str) and (found := _WHOLE.fullmatch(value.strip())):
        return int(found[1])
    return value if isinstance(value, int) and not isinstance(value, bool) else None
