"""A Radarr, as the rest of the program sees it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

import msgspec

from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.text import beginning
from kometa_ai.errors import CheckRadarr
from kometa_ai.library.arr.connection import Line, Timeouts
from kometa_ai.library.arr.edits import Editor, EditResult, Operation
from kometa_ai.library.arr.failures import (
    CreditsUnavailable,
    Failed,
    Misshapen,
    NotJSON,
    RadarrSilent,
    Refused,
    ShutOut,
    TagUnavailable,
    TimedOut,
    Transient,
    Unusable,
)
from kometa_ai.library.arr.retrying import TRIES, patiently
from kometa_ai.library.arr.texts import clean
from kometa_ai.library.arr.wire import (
    LONGEST_NAME,
    Library,
    TagId,
    Tags,
    WireCredit,
    WireMovie,
    WireRule,
    WireStatus,
    WireTag,
    credits_of,
    library_of,
    odd_tags,
    tags_of,
)
from kometa_ai.network.environment import Network

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    import httpx2

    from kometa_ai.core.movie import Credits, RadarrId
    from kometa_ai.library.arr.retrying import Sleep
    from kometa_ai.library.arr.rows import OddRow
    from kometa_ai.network.failures import Way

CREDITS_AT_ONCE = 2
CREDITS_TRIES = 3
CREDITS_GIVE_UP_AFTER = 5


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A Radarr that can be used. `warning` is not empty when something about it looks wrong all the same."""

    version: str = ""
    instance_name: str = ""
    database: str = ""
    url_base: str = ""
    warning: str = ""


class Radarr:
    """An async context manager around one Radarr, reached with the header `X-Api-Key` and nothing else.

    `redact` hides secrets in what Radarr says, before it is cut to a readable length.

    Whatever cannot be done because of Radarr as a whole raises `CheckRadarr`; no foreign exception leaves.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        network: Network | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        timeouts: Timeouts | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self._line = Line(
            base_url,
            api_key,
            network=network or Network(),
            transport=transport,
            connect_seconds=self._timeouts.connect,
            redact=redact,
        )
        self._editor = Editor(self._line, self._timeouts, sleep)
        # Radarr saves whole rows without any version check: two writes at once can undo each other.
        self._writing = asyncio.Lock()
        self._asking_credits = asyncio.Semaphore(CREDITS_AT_ONCE)
        self._credits_failed = 0

    async def __aenter__(self) -> Self:
        await self._line.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._line.client.__aexit__(kind, error, trace)

    @property
    def address(self) -> str:
        """Radarr's address with its URL base and without credentials, fit for messages."""
        return self._line.address

    @property
    def way(self) -> Way:
        """The way to Radarr: its address, and the proxy in between."""
        return self._line.way

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """How often each kind of call had each outcome: an HTTP status, `timeout` or `lost`."""
        return self._line.calls

    async def check(self, *, tries: int = TRIES) -> Status:
        """Make sure that this is a Radarr which accepts the key; six tries, and never more than a minute.

        Raise `CheckRadarr`, which is a `RadarrSilent` where Radarr itself has not answered.
        """
        with _for_the_operator():
            found = await patiently(self._status, sleep=self._sleep, tries=tries)
        base = (found.url_base or "").rstrip("/")
        warning = ""
        if base.lower() != self._line.prefix.lower():
            warning = (
                f"Radarr's URL base is {base or 'empty'}, but RADARR_URL uses {self._line.prefix or 'none'}; "
                "this works only as long as a proxy translates it."
            )
        return Status(
            version=beginning(clean(found.version), LONGEST_NAME),
            instance_name=beginning(clean(found.instance_name), LONGEST_NAME),
            database=beginning(clean(found.database_type), LONGEST_NAME),
            url_base=base,
            warning=warning,
        )

    async def _status(self) -> WireStatus:
        reply = await self._line.call("status", "GET", "/system/status", seconds=self._timeouts.check)
        try:
            found = reply.read(WireStatus)
        except Misshapen:
            found = WireStatus()
        except NotJSON as error:
            raise Unusable(error.what, error.remedy) from error
        # Sonarr has the same API at the same path, and so has a fork like Whisparr.
        if found.app_name != "Radarr":
            what = clean(found.app_name) or "something else"
            raise Unusable(f"{self.address} is {what}, not Radarr.", "Set RADARR_URL to Radarr's address.")
        return found

    async def library(self, *, tries: int = TRIES) -> Library:
        """Every movie and every tag, or `CheckRadarr`: half a list is no list.

        A call that times out is not repeated, because Radarr would then build the list twice at once.
        """
        self._credits_failed = 0
        with _for_the_operator():
            movies, odd = await patiently(self._movies, sleep=self._sleep, tries=tries, again=(Transient,))
            # Tags after movies: one that is deleted in between is left out, and none that a movie has is missing.
            tags, unread = await patiently(self._tags, sleep=self._sleep, tries=tries, again=(Transient,))
            return library_of(movies, tags, odd, unread)

    async def _movies(self) -> tuple[list[WireMovie], list[OddRow]]:
        # Without this parameter Radarr searches its whole cover folder on disk for each list.
        params = {"excludeLocalCovers": "true"}
        reply = await self._line.call("movies", "GET", "/movie", params=params, seconds=self._timeouts.library)
        return reply.read_rows(WireMovie)

    async def _tags(self) -> tuple[Tags, tuple[str, ...]]:
        reply = await self._line.call("tags", "GET", "/tag", seconds=self._timeouts.tags)
        rows, odd = reply.read_rows(WireTag)
        return tags_of(rows), odd_tags(rows, odd)

    async def credits(self, radarr_id: RadarrId) -> Credits:
        """Directors and actors of one movie; both may be empty until Radarr's first refresh of it.

        `CreditsUnavailable` when they cannot be read, a vanished movie included: that is not the same as having none,
        and must not be remembered as such. After five failures in a row nothing is asked until the next `library()`.
        """
        async with self._asking_credits:
            if self._credits_failed >= CREDITS_GIVE_UP_AFTER:
                raise CreditsUnavailable(f"Not asked for, since the {CREDITS_GIVE_UP_AFTER} credits before it failed.")
            try:
                found = await patiently(lambda: self._credits(radarr_id), sleep=self._sleep, tries=CREDITS_TRIES)
            except Failed as error:
                vanished = isinstance(error, Refused) and error.status == HTTPStatus.NOT_FOUND
                self._credits_failed = 0 if vanished else self._credits_failed + 1
                raise CreditsUnavailable(f"{error.what} {error.remedy}".strip()) from error
            self._credits_failed = 0
            return found

    async def _credits(self, radarr_id: RadarrId) -> Credits:
        # Without the parameter Radarr sends, and caches, the credits of its whole database.
        params = {"movieId": radarr_id}
        reply = await self._line.call("credits", "GET", "/credit", params=params, seconds=self._timeouts.credits)
        return credits_of(reply.read_rows(WireCredit)[0])

    async def auto_tagging(self) -> dict[Label, tuple[str, ...]]:
        """The labels that Radarr's own rules put on and take off, with the names of these rules. One try."""
        with _for_the_operator():
            reply = await self._line.call("rules", "GET", "/autotagging", seconds=self._timeouts.check)
            rules, _ = reply.read_rows(WireRule)
            tags, _ = await self._tags()
        named = [(beginning(clean(rule.name), LONGEST_NAME), set(rule.tags or ())) for rule in rules]
        return {
            label: names
            for label, numbers in tags.items()
            if (names := tuple(name for name, targets in named if targets & set(numbers)))
        }

    async def labels(self) -> frozenset[Label]:
        """Every tag there is. One try."""
        with _for_the_operator():
            tags, _ = await self._tags()
            return frozenset(tags)

    async def has_tag(self, tag: TagId, label: str) -> bool:
        """Whether a tag still has this id. False, too, where that cannot be told: to create it answers with its id."""
        try:
            reply = await self._line.call("tag", "GET", f"/tag/{tag}", seconds=self._timeouts.tags)
            return label_of(reply.read(WireTag).label or "") == label
        except Failed:
            return False

    async def create_tag(self, label: str) -> TagId:
        """The id of a tag that was not there a moment ago. To be called right before its first use.

        Radarr's housekeeping deletes tags that nothing uses, and its editor accepts ids that name no tag. Should
        somebody have been quicker, it is their tag: a label that exists in lower case is answered with its id.
        """
        wanted = label_of(label)
        async with self._writing:
            try:
                return await patiently(lambda: self._made(wanted), sleep=self._sleep, again=(Transient,))
            except Failed as error:
                if isinstance(error, Unusable) or not error.status:
                    raise CheckRadarr(error.what, error.remedy) from error
                raise TagUnavailable(f"Radarr has no tag {wanted!r} and does not create it: {error.what}") from error

    async def _made(self, label: Label) -> TagId:
        try:
            reply = await self._line.call(
                "create tag", "POST", "/tag", body={"label": label}, seconds=self._timeouts.tags
            )
            return _id_of(reply.read(WireTag))
        except (Transient, Refused, TimedOut) as error:
            # 409 on SQLite: another program was quicker. So it is for 500 on PostgreSQL, where the broken constraint is
            # not recognised. After a time-out, or an answer that says nothing, the tag may have been made.
            is_unclear = isinstance(error, TimedOut) or HTTPStatus(200) <= error.status < HTTPStatus(300)
            if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.INTERNAL_SERVER_ERROR) and not is_unclear:
                raise
            if found := (await self._tags())[0].get(label):
                return found[0]
            if isinstance(error, TimedOut):
                raise
            raise Transient(error.what, error.remedy, status=error.status) from error

    async def edit_tags(
        self, movie_ids: Sequence[RadarrId], tag_ids: Sequence[TagId], *, operation: Operation
    ) -> EditResult:
        """Add those tags to those movies, or remove them: at most 100 movies a call, one call at a time.

        The result accounts for every movie. `EditStopped` (a `CheckRadarr`) carries what was done until then.
        """
        async with self._writing:
            return await self._editor.edit(movie_ids, tag_ids, operation)


def _id_of(tag: WireTag) -> TagId:
    if not tag.id:
        raise Transient("Radarr created a tag without telling its id.", status=HTTPStatus.CREATED)
    return TagId(tag.id)


@contextmanager
def _for_the_operator() -> Iterator[None]:
    try:
        yield
    except Failed as error:
        is_silent = isinstance(error, (Transient, TimedOut, ShutOut)) and not isinstance(error, NotJSON)
        raise (RadarrSilent if is_silent else CheckRadarr)(error.what, error.remedy) from error
