"""Name the kinds of items that there are. What differs between them is found by `match` with `assert_never`."""

from __future__ import annotations

from kometa_ai.core.movie import Movie
from kometa_ai.core.show import Show

AnyItem = Movie | Show
"""An item of one of the kinds: what libraries hold and models are asked about."""
