"""Radarr: read movies, tags and credits; write tags through the bulk editor."""

from kometa_ai.radarr.client import Radarr, Status
from kometa_ai.radarr.edits import EditResult, Operation
from kometa_ai.radarr.failures import CreditsUnavailable, EditStopped, TagUnavailable
from kometa_ai.radarr.http import Timeouts
from kometa_ai.radarr.wire import LeftOut, Library, TagId

__all__ = [
    "CreditsUnavailable",
    "EditResult",
    "EditStopped",
    "LeftOut",
    "Library",
    "Operation",
    "Radarr",
    "Status",
    "TagId",
    "TagUnavailable",
    "Timeouts",
]
