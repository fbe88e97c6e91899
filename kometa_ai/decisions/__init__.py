"""From verdicts to decisions: pins, tags, thresholds, hysteresis."""
