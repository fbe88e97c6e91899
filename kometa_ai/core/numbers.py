"""Numbers from outside, in whatever form other programs write them. Pure."""

from __future__ import annotations

import re
from math import isfinite

_WHOLE = re.compile(r"(-?[0-9]{1,25})(?:\.0{1,25})?")


def whole_number(value: object) -> int | None:
    """A whole number, also one that was written as `1999.0` or as text; None for anything else."""
    if isinstance(value, float) and isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, str) and (found := _WHOLE.fullmatch(value.strip())):
        return int(found[1])
    return value if isinstance(value, int) and not isinstance(value, bool) else None
