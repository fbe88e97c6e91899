"""Start with an empty state; the old one is kept as a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.state import store
from kometa_ai.state.lock import StateLock

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.jobs.session import Session


def reset(session: Session) -> Path | None:
    """Forget everything, and return where the old state is kept; None if there was none."""
    with StateLock(session.settings.state_dir):
        return store.reset(session.settings.state_dir, session.now())
