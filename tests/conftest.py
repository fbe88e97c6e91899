"""Settings for all tests: property tests, signals, and coverage in workers."""

from __future__ import annotations

import os
import signal

import pytest
from coverage import Coverage
from hypothesis import settings

# A loaded machine is no failing test. Where CI is set, Hypothesis would try the same examples each time.
settings.register_profile("patient", deadline=None, derandomize=False)
settings.load_profile("patient")

# A shell starts its background jobs with SIGINT ignored, and programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# In a worker of pytest-xdist, pytest-cov begins to measure twice: with the process, which is never saved, and with the
# session. `no_cover` ends the second only, and coverage would go on with the first.
if "PYTEST_XDIST_WORKER" in os.environ and (unsaved := Coverage.current()) is not None:
    unsaved.stop()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Three workers for two processors: half of their time tests wait, for a process, a signal, or a time-out."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)
