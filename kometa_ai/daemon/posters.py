"""Fetch posters of movies and shows: from the cache on the disk, or from their libraries, and then keep them there.

A library that does not answer is left in peace for a while, and a disk that fails only means that nothing is kept.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

import structlog

from kometa_ai.core.picture import MEDIA_TYPES
from kometa_ai.errors import CheckLibrary, KometaAIError
from kometa_ai.jobs.aside import DoesNotAnswer, Patience
from kometa_ai.library.port import Cover, CoverUnavailable
from kometa_ai.state import files
from kometa_ai.state.posters import PosterCache, is_older

if TYPE_CHECKING:
    from collections.abc import Callable

    from kometa_ai.core.item import ArrId, ItemKey
    from kometa_ai.core.picture import Height
    from kometa_ai.daemon.indexing import Indexer
    from kometa_ai.jobs.session import Session
    from kometa_ai.library.port import Library
    from kometa_ai.state.posters import KeptPoster

AT_ONCE = 4
"""Downloads."""
MOST_KEPT = 300_000_000
"""Bytes; what is beyond is deleted once a day, and as soon as a tenth of that has been written."""
_DAY = 86400.0
ASKED_AGAIN = 30 * _DAY
"""Seconds until a library is asked whether it has another picture by now."""
NONE_FOR = _DAY
"""Seconds for which an item without a poster is believed to have none."""
ODD_FOR = 600.0
"""The same for a picture that cannot be used."""
REST = 30.0
"""Seconds for which a library that has not answered is not asked."""

_log = structlog.get_logger()
_T = TypeVar("_T")
_Wanted = tuple["ItemKey", "Height"]


class Picture(NamedTuple):
    """A poster. `media_type` is told by its first bytes; `etag` is of its content, with its quotes."""

    body: bytes
    media_type: str
    etag: str
    modified: datetime


class Missing(Enum):
    """Why there is no picture: the libraries have none, or it cannot be had just now."""

    NONE = "none"
    FOR_NOW = "for now"


class _Absence(NamedTuple):
    """That a picture is not to be had, and until when that is believed."""

    why: Missing
    until: float


class Posters:
    """Finds the pictures of a session's items. All calls may come at once; nothing is opened before the first."""

    def __init__(
        self,
        session: Session,
        indexer: Indexer,
        *,
        most_kept: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._indexer = indexer
        self._most_kept = most_kept
        self._clock = clock
        self._cache = PosterCache(session.settings.state_dir)
        self._disk = Patience("STATE_DIR", most=4)
        self._downloading = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[_Wanted, asyncio.Task[Picture | Missing]] = {}
        self._absent: dict[_Wanted, _Absence] = {}
        self._rests_until: dict[str, float] = {}
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._opened: dict[str, Library] = {}
        self._is_closed = False
        self._trimmed_at, self._written = -math.inf, 0
        self._fails = False

    async def picture(self, key: ItemKey, size: Height) -> Picture | None:
        """The poster of an item; None where there is none, or none can be had now."""
        found = await self.find(key, size)
        return None if isinstance(found, Missing) else found

    async def find(self, key: ItemKey, size: Height) -> Picture | Missing:
        """The poster of an item, or why there is none. Who asks for one that is being looked for waits for that."""
        wanted = key, size
        task = self._under_way.get(wanted)
        if task is None:
            task = self._under_way[wanted] = asyncio.create_task(self._find(key, size))
            task.add_done_callback(lambda _: self._under_way.pop(wanted, None))
        # One who no longer wants it must not end it for the others.
        return await asyncio.shield(task)

    async def title(self, key: ItemKey) -> str:
        """The title of an item; empty where it is unknown, or is not known yet."""
        try:
            return await self._indexer.ask(lambda index: index.title_of(key))
        except KometaAIError:
            return ""

    async def size(self) -> int:
        """Bytes that are kept on the disk. Raise DoesNotAnswer where it does not."""
        return await self._looked(self._cache.size)

    async def clear(self) -> int:
        """Delete what is kept, and believe nothing of what is missing; return how many bytes were freed."""
        self._absent.clear()
        self._rests_until.clear()
        return await self._looked(self._cache.clear)

    async def close(self) -> None:
        """End downloads, and close the connections. What is kept can still be had."""
        self._is_closed = True
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stack.aclose()

    async def _find(self, key: ItemKey, size: Height) -> Picture | Missing:
        kept = await self._read(key, size)
        if kept is not None and not is_older(kept, ASKED_AGAIN):
            return _picture_of(kept)
        found = await self._ask(key, size, kept)
        # An old picture is better than none. A library that has lost its own may be one that was set up anew.
        return _picture_of(kept) if kept is not None and isinstance(found, Missing) else found

    async def _ask(self, key: ItemKey, size: Height, kept: KeptPoster | None) -> Picture | Missing:
        """Ask the libraries that hold an item, one after the other; `kept` is what there is of it."""
        if self._is_closed:
            return Missing.FOR_NOW
        absent = self._absent.get((key, size))
        if absent is not None and self._clock() < absent.until:
            return absent.why
        try:
            index = await self._indexer.index()
        except KometaAIError:
            return Missing.FOR_NOW
        held = index.held_as(key)
        absent = _Absence(Missing.NONE, self._clock() + NONE_FOR)
        for library, arr_id in held:
            found = await self._from(library, arr_id, size, kept)
            if isinstance(found, Cover):
                return await self._kept(key, size, found)
            if found == "unchanged" and kept is not None:
                await self._quietly(self._cache.confirm, key, size)
                return _picture_of(kept)
            if isinstance(found, _Absence):
                absent = min(absent, found, key=lambda each: each.until)
        if held:
            self._absent[key, size] = absent
        return absent.why

    async def _from(
        self, name: str, arr_id: ArrId, size: Height, kept: KeptPoster | None
    ) -> Cover | Literal["none", "unchanged"] | _Absence:
        """Ask one library, unless it rests."""
        async with self._downloading:
            if self._clock() < (until := self._rests_until.get(name, 0.0)):
                return _Absence(Missing.FOR_NOW, until)
            since = datetime.fromtimestamp(kept.asked, UTC) if kept else None
            try:
                library = await self._library(name)
                return await library.cover(arr_id, size, since=since)
            except CoverUnavailable as error:
                _log.info("poster.unusable", library=name, item=arr_id, why=str(error))
                return _Absence(Missing.FOR_NOW, self._clock() + ODD_FOR)
            except CheckLibrary as error:
                _log.info("posters.rest", library=name, seconds=REST, why=error.message)
                self._rests_until[name] = until = self._clock() + REST
                return _Absence(Missing.FOR_NOW, until)

    async def _library(self, name: str) -> Library:
        async with self._opening:
            if name not in self._opened:
                self._opened[name] = await self._stack.enter_async_context(self._session.open_library(name))
            return self._opened[name]

    # The disk

    async def _read(self, key: ItemKey, size: Height) -> KeptPoster | None:
        try:
            return await self._disk(self._cache.read, key, size)
        except (OSError, DoesNotAnswer) as error:
            self._tell(error)
            return None

    async def _kept(self, key: ItemKey, size: Height, cover: Cover) -> Picture:
        """Keep a picture, where the disk allows that."""
        if await self._quietly(self._cache.write, key, size, cover.body, cover.form):
            self._fails = False
            self._written += len(cover.body)
            if self._written > self._most_kept // 10 or self._clock() >= self._trimmed_at + _DAY:
                self._trimmed_at, self._written = self._clock(), 0
                await self._quietly(self._cache.trim, self._most_kept)
        return _made(cover.body, MEDIA_TYPES[cover.form], time.time())

    async def _quietly(self, do: Callable[..., object], *arguments: object) -> bool:
        """Do it in a thread; return whether the disk has let it."""
        try:
            await self._disk(do, *arguments)
        except (OSError, DoesNotAnswer) as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: OSError | DoesNotAnswer) -> None:
        """Log that posters are not kept: once, until it works again."""
        if isinstance(error, OSError):
            why, remedy = f"{error.strerror}: {error.filename}", files.remedy_for(error)
        else:
            why, remedy = error.message, error.remedy
        tell = _log.debug if self._fails else _log.warning
        tell("posters.not_kept", why=why, remedy=remedy)
        self._fails = True

    async def _looked(self, do: Callable[[], _T]) -> _T:
        """What the disk says. Raise DoesNotAnswer where it fails."""
        try:
            return await self._disk(do)
        except OSError as error:
            raise DoesNotAnswer(
                f"The posters cannot be looked at: {error.strerror}.", files.remedy_for(error)
            ) from error


def _picture_of(kept: KeptPoster) -> Picture:
    return _made(kept.body, MEDIA_TYPES[kept.form], kept.asked)


def _made(body: bytes, media_type: str, modified: float) -> Picture:
    etag = f'"{blake2b(body, digest_size=12).hexdigest()}"'
    return Picture(body, media_type, etag, datetime.fromtimestamp(int(modified), UTC))
