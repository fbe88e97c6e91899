"""When to run next: pure functions of what is configured, a remembered date, and now."""

from kometa_ai.schedule.next_run import Schedule

__all__ = ["Schedule"]
