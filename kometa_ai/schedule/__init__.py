"""Compute when to run next, as pure functions of the settings, an anchor date, and the current time."""

from kometa_ai.schedule.next_run import Schedule

__all__ = ["Schedule"]
