"""Keep what each library looked like after a run: `libraries/<name>.jsonl`, a header, a line an item, then intents.

The page and the API show items from these files, and what a person changed by hand is what differs from them. An intent
is a tag change that was about to be sent: a run that was killed may have made it, so it is no hand edit.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar, assert_never

import msgspec
import structlog

from kometa_ai.core.item import ArrId, ItemKey, kind_of
from kometa_ai.core.moment import Moment
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.naming import CollectionKey, Label
from kometa_ai.core.show import Show, Status
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from kometa_ai.core.kinds import AnyItem

FOLDER = "libraries"
FORMAT = 1

_INTENT = b'{"changes":'
_log = structlog.get_logger()
_T = TypeVar("_T")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a file: of which library it is, and the run that wrote it, at its end.

    `managed` are the labels that the program cared for there, each with its collection. A run that left some of them
    alone (a dry run) names those that the run before it had cared for. `at` is the run's time, `stamp` the clock's, in
    seconds: by that a copy of the file is told.
    """

    format: int = FORMAT
    library: str
    at: Moment
    run_id: str
    managed: dict[Label, CollectionKey]
    stamp: float = 0.0


class ItemLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One item: its fields as its library told them, and its labels after the run's own changes.

    `left` are its managed labels as the last run left them that cared for them, where these are not among `labels`.
    One that is `new` was not there then. Directors and actors are known to the state alone, unless the library's list
    tells them.
    """

    key: ItemKey
    id: ArrId
    title: str
    year: int = 0
    imdb_id: str = ""
    genres: tuple[str, ...] = ()
    plot: str = ""
    labels: tuple[Label, ...] = ()
    keywords: tuple[str, ...] = ()
    directors: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    tmdb_id: int = 0
    network: str = ""
    language: str = ""
    certification: str = ""
    runtime: int = 0
    seasons: int = 0
    status: Status = "running"
    form: str = ""
    left: tuple[Label, ...] | None = None
    new: bool = False


class ItemLabels(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of an item's line, its id and what tells its labels: it is read in half the time."""

    key: ItemKey
    id: ArrId
    labels: tuple[Label, ...] = ()
    left: tuple[Label, ...] | None = None
    new: bool = False


class Intended(NamedTuple):
    """A tag change that is about to be sent to a library."""

    key: ItemKey
    label: Label
    operation: Literal["add", "remove"]


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """Changes that a run was about to send, and when; `stamp` is as in the header."""

    changes: tuple[Intended, ...]
    run_id: str
    at: Moment
    stamp: float = 0.0


class Row(NamedTuple):
    """An item's line and where it stands in its file, in bytes, without the line's end."""

    offset: int
    length: int
    line: ItemLine


_ENCODER = msgspec.json.Encoder()
_HEADER = msgspec.json.Decoder(Header)
_ITEM = msgspec.json.Decoder(ItemLine)
_LABELS = msgspec.json.Decoder(ItemLabels)
_INTENDED = msgspec.json.Decoder(Intent)


def line_of(item: AnyItem, *, left: tuple[Label, ...] | None = None, new: bool = False) -> ItemLine:
    """The line of an item; `item_of` makes the item of it again."""
    labels = tuple(sorted(item.labels))
    match item:
        case Movie():
            return ItemLine(
                key=item.key,
                id=item.arr_id,
                title=item.title,
                year=item.year,
                imdb_id=item.imdb_id,
                genres=item.genres,
                plot=item.plot,
                labels=labels,
                keywords=item.keywords,
                directors=item.credits.directors,
                actors=item.credits.actors,
                left=left,
                new=new,
            )
        case Show():
            return ItemLine(
                key=item.key,
                id=item.arr_id,
                title=item.title,
                year=item.year,
                imdb_id=item.imdb_id,
                genres=item.genres,
                plot=item.plot,
                labels=labels,
                tmdb_id=item.tmdb_id,
                network=item.network,
                language=item.language,
                certification=item.certification,
                runtime=item.runtime,
                seasons=item.seasons,
                status=item.status,
                form=item.form,
                left=left,
                new=new,
            )
    assert_never(item)


def item_of(line: ItemLine, library: str) -> AnyItem:
    """The item of a line, as the library of that name told of it.

    A run judges a movie with the people that the state remembers (`subjects_of` in `judging/planning.py`).
    """
    if kind_of(line.key) == "movie":
        return Movie(
            arr_id=line.id,
            key=line.key,
            title=line.title,
            year=line.year,
            imdb_id=line.imdb_id,
            plot=line.plot,
            genres=line.genres,
            labels=frozenset(line.labels),
            libraries=(library,),
            keywords=line.keywords,
            credits=Credits(line.directors, line.actors),
        )
    return Show(
        arr_id=line.id,
        key=line.key,
        title=line.title,
        year=line.year,
        imdb_id=line.imdb_id,
        plot=line.plot,
        genres=line.genres,
        labels=frozenset(line.labels),
        libraries=(library,),
        tmdb_id=line.tmdb_id,
        network=line.network,
        language=line.language,
        certification=line.certification,
        runtime=line.runtime,
        seasons=line.seasons,
        status=line.status,
        form=line.form,
    )


def place_of(folder: Path, library: str) -> Path:
    """Where the file of a library is, whether it exists or not."""
    return folder / FOLDER / f"{library}.jsonl"


def write(folder: Path, header: Header, lines: Iterable[ItemLine], intents: Iterable[Intent] = ()) -> None:
    """Write a library's file in the place of the one before, whole. Raise RepairState where that fails.

    `intents` are those that are still open: sent, and neither confirmed nor seen not to have been made.
    """
    place = place_of(folder, header.library)
    try:
        files.make_folder(place.parent)
        files.replace(place, _pieces(msgspec.structs.replace(header, stamp=time.time()), lines, intents))
    except OSError as error:
        raise _unwritable(place, error) from error


def intend(folder: Path, library: str, intent: Intent) -> None:
    """Note changes that are about to be sent, where the library has a file. Raise RepairState where that fails.

    A file that cannot be added to is removed: what it does not know of would look like a hand edit.
    """
    place = place_of(folder, library)
    if not os.path.lexists(place):
        return
    try:
        files.append(place, _encoded(msgspec.structs.replace(intent, stamp=time.time())))
    except OSError as error:
        try:
            place.unlink()
        except OSError:
            raise _unwritable(place, error) from error
        _log.warning("library_file.removed", library=library, why=str(error))


class LibraryFile:
    """A library's file, open for reading, so that offsets hold while a new one takes its name. Close it.

    `size` and `written` (the modification time, in nanoseconds) tell it from any other; `changed` is when its inode was
    changed last, in seconds: a copy has the time of the copying. `is_whole` becomes false when a line turns out to be
    unreadable. Intents that are added after the opening are not read.
    """

    def __init__(self, place: Path) -> None:
        self._file = os.fdopen(files.open_regular(place, os.O_RDONLY), "rb", 1 << 18)
        status = os.fstat(self._file.fileno())
        self.size, self.written, self.changed = status.st_size, status.st_mtime_ns, status.st_ctime
        self.is_whole = True
        try:
            first = self._file.readline()
            self.header = _header_of(first, place)
        except BaseException:
            self._file.close()
            raise
        self._start = len(first)

    def rows(self) -> Iterator[Row]:
        """Each item, with its place in the file. What cannot be read is left out, and logged."""
        for offset, content in self._lines():
            if not content.startswith(_INTENT) and (line := self._read(content, _ITEM)) is not None:
                yield Row(offset, len(content), line)

    def labels(self) -> tuple[list[ItemLabels], list[Intent]]:
        """The labels of each item, and the intents."""
        items: list[ItemLabels] = []
        intents: list[Intent] = []
        for _, content in self._lines():
            if content.startswith(_INTENT):
                if (intent := self._read(content, _INTENDED)) is not None:
                    intents.append(intent)
            elif (item := self._read(content, _LABELS)) is not None:
                items.append(item)
        return items, intents

    def at(self, offset: int, length: int) -> ItemLine:
        """The item at a place that `rows` has told."""
        return _ITEM.decode(os.pread(self._file.fileno(), length, offset))

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        offset = self._start
        self._file.seek(offset)
        for content in self._file:
            if not content.endswith(b"\n"):
                # An intent that is being added at this moment, or what a power cut has left of one.
                self.is_whole = False
                return
            yield offset, content[:-1]
            offset += len(content)

    def _read(self, content: bytes, decoder: msgspec.json.Decoder[_T]) -> _T | None:
        try:
            return decoder.decode(content)
        except DAMAGE as error:
            if self.is_whole:
                _log.warning("library_file.damaged", library=self.header.library, why=str(error))
            self.is_whole = False
            return None


def open_file(folder: Path, library: str) -> LibraryFile | None:
    """The file of a library; None, with a line in the log, where there is none that can be used."""
    try:
        return LibraryFile(place_of(folder, library))
    except FileNotFoundError:
        return None
    except (OSError, *DAMAGE) as error:
        _log.warning("library_file.unreadable", library=library, why=str(error))
        return None


def _header_of(first: bytes, place: Path) -> Header:
    header = _HEADER.decode(first)
    if header.format != FORMAT or header.library != place.stem:
        raise msgspec.ValidationError(f"it is of format {header.format}, of the library {header.library!r}")
    return header


def _pieces(header: Header, lines: Iterable[ItemLine], intents: Iterable[Intent]) -> Iterator[bytes]:
    yield _encoded(header)
    yield from map(_encoded, lines)
    yield from map(_encoded, intents)


def _encoded(line: Header | ItemLine | Intent) -> bytes:
    try:
        return _ENCODER.encode(line) + b"\n"
    except UnicodeEncodeError:
        # Half a surrogate pair, which JSON can carry and UTF-8 cannot.
        return json.dumps(msgspec.to_builtins(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _unwritable(place: Path, error: OSError) -> RepairState:
    return RepairState(
        f"What the library holds could not be noted in {str(place)!r}: {error.strerror}.",
        f"{files.remedy_for(error)} Until then changes by hand are not noticed, and the page is out of date.",
    )
