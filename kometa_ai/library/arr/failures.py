"""Define what can go wrong with one call; the client turns it into the failures of the port."""

from __future__ import annotations


class Failed(Exception):
    """A call that did not bring what it should: what happened, and what the operator can do.

    `status` is 0 without an answer. `complaint` is what the service said, in one line.
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
    """No connection came about, so the service has not seen the request."""


class NotJSON(Transient):
    """A 2xx that is not JSON: a login page, the service's own start page, a proxy."""


class TimedOut(Failed):
    """No complete answer in time, for us or for a proxy. The service works on: its actions outlive the connection."""


class TooLarge(Failed):
    """An answer with more bytes than the service has to say. Asking again would bring the same."""


class Refused(Failed):
    """This very request will never be granted; others may be."""


class Misshapen(Refused):
    """A whole answer with a 2xx that is not what it should be: asking again would bring the same."""


class Unusable(Failed):
    """No request will be granted: the key, the URL, the certificate, or it is another service."""


class ShutOut(Unusable):
    """Something else stands in front of the service and lets nothing pass."""


class RowsMissing(Failed):
    """The editor knows only `found` of the items it was given, and has saved nothing."""

    def __init__(self, failure: Failed, found: int) -> None:
        super().__init__(failure.what, failure.remedy, status=failure.status, complaint=failure.complaint)
        self.found = found
