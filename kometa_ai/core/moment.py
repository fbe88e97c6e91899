"""Name the type of a time that is kept on the disk: with its zone, or else comparing it with another would fail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A file in which one has no zone, as after an edit by hand, is damaged."""
