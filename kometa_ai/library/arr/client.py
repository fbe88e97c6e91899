"""Check a Radarr or a Sonarr, read what it holds, and change tags, over one connection with retries."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar

from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.text import beginning
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Connection, Timeouts
from kometa_ai.library.arr.contents import LONGEST_NAME, Tags, contents_of, odd_tags, tags_of
from kometa_ai.library.arr.diagnosis import diagnose
from kometa_ai.library.arr.edits import Editor
from kometa_ai.library.arr.failures import (
    Failed,
    Misshapen,
    NotJSON,
    Refused,
    ShutOut,
    TimedOut,
    TooLarge,
    Transient,
    Unusable,
)
from kometa_ai.library.arr.retrying import AGAIN, patiently
from kometa_ai.library.arr.spec import R
from kometa_ai.library.arr.texts import clean
from kometa_ai.library.arr.wire import WireRule, WireStatus, WireTag
from kometa_ai.library.port import TRIES, CoverUnavailable, LibrarySilent, LibraryStatus, TagId, TagUnavailable
from kometa_ai.network.environment import Network

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    import httpx2

    from kometa_ai.core.item import ArrId, Kind
    from kometa_ai.core.picture import Height
    from kometa_ai.library.arr.retrying import Sleep
    from kometa_ai.library.arr.rows import OddRow
    from kometa_ai.library.arr.spec import ArrSpec, Instance
    from kometa_ai.library.port import Contents, Cover, CreditsSource, EditResult, Operation
    from kometa_ai.network.failures import Way

T = TypeVar("T")


class Arr(Generic[R]):
    """An async context manager around one service, reached with the header `X-Api-Key` and nothing else.

    A service is a subclass with its `service_spec`; `instance` tells two of one service apart. `redact` hides secrets
    in what the service says, before it is cut to a readable length. Whatever cannot be done because of the service as a
    whole raises `CheckLibrary`; no foreign exception leaves.
    """

    service_spec: ClassVar[ArrSpec[Any]]

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        instance: Instance | None = None,
        network: Network | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        timeouts: Timeouts | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        spec: ArrSpec[R] = self.service_spec.of(instance)
        self.spec = spec
        self.timeouts = timeouts or Timeouts()
        self._sleep = sleep
        self.connection = Connection(
            spec,
            base_url,
            api_key,
            network=network or Network(),
            transport=transport,
            connect_seconds=self.timeouts.connect,
            redact=redact,
        )
        self._editor = Editor(spec, self.connection, self.timeouts, sleep, self._tags_of_rows)
        # The services save whole rows without any version check: two writes at once can undo each other.
        self._writing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self.connection.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.client.__aexit__(kind, error, trace)

    @property
    def name(self) -> str:
        """See Library."""
        return self.spec.name

    @property
    def kind(self) -> Kind:
        """See Library."""
        return self.spec.kind

    @property
    def service(self) -> str:
        """See Library."""
        return self.spec.service

    @property
    def title(self) -> str:
        """See Library."""
        return self.spec.title

    @property
    def url_setting(self) -> str:
        """See Library."""
        return self.spec.url_setting

    @property
    def credits(self) -> CreditsSource | None:
        """See Library; a service that tells of none needs not say so."""
        return None

    @property
    def address(self) -> str:
        """See Library."""
        return self.connection.address

    @property
    def way(self) -> Way:
        """See Library."""
        return self.connection.way

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        """See Library."""
        return self.connection.calls

    async def patiently(
        self, ask: Callable[[], Awaitable[T]], *, tries: int = TRIES, again: tuple[type[Failed], ...] = AGAIN
    ) -> T:
        """Ask again after failures that may pass; see `retrying`."""
        return await patiently(ask, self.spec.name, sleep=self._sleep, tries=tries, again=again)

    async def check(self, *, tries: int = TRIES) -> LibraryStatus:
        """Make sure that this is the service which accepts the key; six tries, and never more than a minute.

        Raise `CheckLibrary`, which is a `LibrarySilent` where the service itself has not answered.
        """
        with _for_the_operator():
            found = await self.patiently(self._status, tries=tries)
        base = (found.url_base or "").rstrip("/")
        warning = ""
        if base.lower() != self.connection.prefix.lower():
            warning = (
                f"{self.title}'s URL base is {base or 'empty'}, but {self.url_setting} uses "
                f"{self.connection.prefix or 'none'}; this works only as long as a proxy translates it."
            )
        return LibraryStatus(version=beginning(clean(found.version), LONGEST_NAME), warning=warning)

    async def _status(self) -> WireStatus:
        reply = await self.connection.call("status", "GET", "/system/status", seconds=self.timeouts.check)
        try:
            found = reply.read(WireStatus)
        except Misshapen:
            found = WireStatus()
        except NotJSON as error:
            raise Unusable(error.what, error.remedy) from error
        # The siblings have the same API at the same path, and so have their forks. The name of an instance is the
        # user's to choose, so it proves nothing.
        if found.app_name != self.service:
            what = beginning(clean(found.app_name), LONGEST_NAME) or "something else"
            remedy = f"Set {self.url_setting} to {self.title}'s address."
            if setting := self.spec.siblings.get(what):
                remedy = f"{remedy[:-1]}; this one belongs in {setting}."
            raise Unusable(f"{self.address} is {what}, not {self.service}.", remedy)
        return found

    async def diagnose(self, answer: str) -> str:
        """See Library."""
        return await diagnose(self.way, self.title, answer)

    async def contents(self, *, tries: int = TRIES) -> Contents:
        """Every item and every tag, or `CheckLibrary`: half a list is no list.

        A call that times out is not repeated, because the service would then build the list twice at once.
        """
        with _for_the_operator():
            rows, odd = await self.patiently(self._rows, tries=tries, again=(Transient,))
            # Tags after items: one that is deleted in between is left out, and none that an item has is missing.
            tags, unread = await self.patiently(self._tags, tries=tries, again=(Transient,))
            return contents_of(self.spec, rows, tags, odd, unread)

    async def _rows(self) -> tuple[list[R], list[OddRow]]:
        spec = self.spec
        reply = await self.connection.call(
            spec.items, "GET", spec.items_path, params=spec.items_query, seconds=self.timeouts.library
        )
        return reply.read_rows(spec.row)

    async def _tags_of_rows(self) -> dict[int, frozenset[int]]:
        rows, _ = await self._rows()
        return {row.id or 0: frozenset(row.tags or ()) for row in rows}

    async def _tags(self) -> tuple[Tags, tuple[str, ...]]:
        reply = await self.connection.call("tags", "GET", "/tag", seconds=self.timeouts.tags)
        rows, odd = reply.read_rows(WireTag)
        return tags_of(rows), odd_tags(rows, odd)

    async def auto_tagging(self) -> Mapping[Label, tuple[str, ...]]:
        """The labels that the service's own rules put on and take off, with the names of these rules. One try."""
        with _for_the_operator():
            try:
                reply = await self.connection.call("rules", "GET", "/autotagging", seconds=self.timeouts.check)
            except Failed as error:
                if error.status == HTTPStatus.NOT_FOUND:  # a Radarr before 4.7.3, or a Sonarr 3, has no such rules
                    return {}
                raise
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

    async def cover(
        self, arr_id: ArrId, height: Height, *, since: datetime | None = None
    ) -> Cover | Literal["none", "unchanged"]:
        """See Library."""
        # The last one, because it tells what is wrong in JSON: without it a picture that is missing would be a 406.
        headers = {"Accept": "image/jpeg, image/png, image/webp, */*;q=0.1"}
        if since is not None:
            headers["If-Modified-Since"] = format_datetime(since, usegmt=True)
        path, seconds = f"/MediaCover/{arr_id}/poster-{height}.jpg", self.timeouts.cover
        with _for_the_operator():
            try:
                reply = await self.connection.call("cover", "GET", path, headers=headers, seconds=seconds)
                return "unchanged" if reply.status == HTTPStatus.NOT_MODIFIED else reply.as_cover()
            except Failed as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return "none"
                is_of_this_one = isinstance(error, (Refused, TooLarge))
                if is_of_this_one or error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise CoverUnavailable(f"{error.what} {error.remedy}".strip()) from error
                raise

    async def has_tag(self, tag: TagId, label: str) -> bool:
        """See TagWriter."""
        try:
            reply = await self.connection.call("tag", "GET", f"/tag/{tag}", seconds=self.timeouts.tags)
            return label_of(reply.read(WireTag).label or "") == label
        except Failed:
            return False

    async def create_tag(self, label: str) -> TagId:
        """The id of a tag that was not there a moment ago. To be called right before its first use.

        The service's housekeeping deletes tags that nothing uses, and its editor accepts ids that name no tag. Where
        another program was quicker, it is its tag: a label that exists in lower case is answered with its id.
        """
        wanted = label_of(label)
        async with self._writing:
            try:
                return await self.patiently(lambda: self._made(wanted), again=(Transient,))
            except Failed as error:
                if isinstance(error, Unusable) or not error.status:
                    raise CheckLibrary(error.what, error.remedy) from error
                raise TagUnavailable(
                    f"{self.title} has no tag {wanted!r} and does not create it: {error.what}"
                ) from error

    async def _made(self, label: Label) -> TagId:
        try:
            reply = await self.connection.call(
                "create tag", "POST", "/tag", body={"label": label}, seconds=self.timeouts.tags
            )
            return self._id_of(reply.read(WireTag))
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

    def _id_of(self, tag: WireTag) -> TagId:
        if not tag.id:
            raise Transient(f"{self.title} created a tag without telling its id.", status=HTTPStatus.CREATED)
        return TagId(tag.id)

    async def edit_tags(
        self, item_ids: Sequence[ArrId], tag_ids: Sequence[TagId], *, operation: Operation
    ) -> EditResult:
        """See TagWriter; at most 100 items a call, one call at a time."""
        async with self._writing:
            return await self._editor.edit(item_ids, tag_ids, operation)


@contextmanager
def _for_the_operator() -> Iterator[None]:
    try:
        yield
    except Failed as error:
        is_silent = isinstance(error, (Transient, TimedOut, ShutOut)) and not isinstance(error, NotJSON)
        raise (LibrarySilent if is_silent else CheckLibrary)(error.what, error.remedy) from error
