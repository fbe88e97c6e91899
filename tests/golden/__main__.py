"""`python -m tests.golden` records the golden files anew; with names of worlds, only theirs."""

from __future__ import annotations

import sys

from tests.golden.files import record

if __name__ == "__main__":
    record(sys.argv[1:])
