"""Settings for all tests: property tests, and signals."""

from __future__ import annotations

import signal

from hypothesis import settings

# A loaded machine is no failing test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# A shell starts its background jobs with SIGINT ignored, and programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
