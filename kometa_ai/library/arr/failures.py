"""What can go wrong with one call. Except for the last four, nothing here leaves the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.errors import CheckRadarr

if TYPE_CHECKING:
    from kometa_ai.library.arr.edits import EditResult


class Failed(Exception):
    """A call that did not bring what it should: what happened, and what the operator can do.

    `status` is 0 without an answer. `complaint` is what Radarr said, in one line.
    """

    def __init__(self, what: str, remedy: str = "", *, status: int = 0, complaint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.status = status
        self.complaint = complaint


class Transient(Failed):
    """Asking again may help: no connection, a lost one, a busy database, a gateway's error, a torn answer."""


class NotSent(Transient):
    """No connection came about, so Radarr has not seen the request."""


class NotJSON(Transient):
    """A 2xx that is not JSON: a login page, Radarr's own start page, a proxy."""


class TimedOut(Failed):
    """No complete answer in time, for us or for a proxy. Radarr works on: its actions outlive the connection."""


class TooLarge(Failed):
    """An answer with more bytes than Radarr has to say. Asking again would bring the same."""


class Refused(Failed):
    """This very request will never be granted; others may be."""


class Misshapen(Refused):
    """A whole answer with a 2xx that is not what it should be: asking again would bring the same."""


class Unusable(Failed):
    """No request will be granted: the key, the URL, the certificate, or it is not Radarr at all."""


class ShutOut(Unusable):
    """Something that is not Radarr stands in front of it and lets nothing pass."""


class RowsMissing(Failed):
    """The editor knows only `found` of the movies it was given, and has saved nothing."""

    def __init__(self, failure: Failed, found: int) -> None:
        super().__init__(failure.what, failure.remedy, status=failure.status, complaint=failure.complaint)
        self.found = found


class RadarrSilent(CheckRadarr):
    """Radarr itself has not answered: it is down, or cannot be reached from here, or just now."""


class CreditsUnavailable(Exception):
    """The credits of one movie could not be read; its classification goes on without them."""


class TagUnavailable(Exception):
    """Radarr answers, but neither has this tag nor creates it; other tags may do."""


class EditStopped(CheckRadarr):
    """Radarr became unusable between two writes; `result` is what became of every movie until then."""

    def __init__(self, message: str, remedy: str, result: EditResult) -> None:
        super().__init__(message, remedy)
        self.result = result
