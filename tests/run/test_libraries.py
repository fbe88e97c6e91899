"""Several libraries: an item is judged once and tagged wherever it is; what fails in one leaves the others alone."""

from __future__ import annotations

import pytest

from kometa_ai.standins import faults
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
