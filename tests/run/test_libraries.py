"""Several libraries: an item is judged once and tagged wherever it is; what fails in one leaves the others alone."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass
