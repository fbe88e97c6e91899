"""Keep documents of one kind as JSON files beside the state: trials of prompts, audits."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import msgspec

from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.schema import DAMAGE

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path

T = TypeVar("T", bound=msgspec.Struct)

_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}")
_LARGEST = 16 << 20


class Shelf(NamedTuple, Generic[T]):
    """Where documents of one type are kept: the folder's name, how many at most, and for how long at most.

    An id begins with its time, as a run's does, so that names are in the order of time.
    """

    name: str
    holds: type[T]
    most: int
    lasts: timedelta | None = None

    def open(self, folder: Path) -> Path:
        """The shelf's own folder, made if there is none. Raise RepairState where documents cannot be kept."""
        shelf = folder / self.name
        try:
            files.make_folder(shelf)
        except OSError as error:
            raise RepairState(
                f"Nothing can be kept in {str(shelf)!r}: {error.strerror}.", files.remedy_for(error)
            ) from error
        return shelf

    def keep(self, folder: Path, document_id: str, document: T, now: datetime) -> None:
        """Keep a document, and no more than there may be. Raise RepairState where that fails."""
        shelf = self.open(folder)
        try:
            files.replace(shelf / f"{document_id}.json", msgspec.json.encode(document))
            found = [path for path in files.in_order(shelf) if _ID.fullmatch(path.stem)]
            lasting = set(self.ids(folder, now))
            over = [path for path in found if path.stem not in lasting]
            over += files.superfluous([path for path in found if path.stem in lasting], now, self.most)
            for path in over:
                with suppress(IsADirectoryError):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise RepairState(
                f"{document_id} could not be kept in {str(shelf)!r}: {error.strerror}.", files.remedy_for(error)
            ) from error

    def ids(self, folder: Path, now: datetime) -> list[str]:
        """The ids of what is kept and has not had its time, the newest first."""
        found = [path.stem for path in reversed(files.in_order(folder / self.name))]
        oldest = "" if self.lasts is None else f"{now - self.lasts:%Y%m%d-%H%M%S}"
        return [each for each in found if _ID.fullmatch(each) and each >= oldest]

    def recall(self, folder: Path, document_id: str) -> T | None:
        """A kept document; None if there is none of that id. Raise RepairState if it cannot be read."""
        if not _ID.fullmatch(document_id):
            return None
        path = folder / self.name / f"{document_id}.json"
        try:
            return msgspec.json.decode(files.read(path, _LARGEST), type=self.holds)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RepairState(f"{str(path)!r} cannot be read: {error.strerror}.", files.remedy_for(error)) from error
        except DAMAGE as error:
            raise RepairState(f"{str(path)!r} is damaged: {error}.", "Remove it: it is needed for nothing.") from error
