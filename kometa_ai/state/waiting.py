"""Read from the state folder which batches are open and which run waits for them, without the decisions. No lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.batches import OpenBatch
from kometa_ai.core.options import Options
from kometa_ai.state import files
from kometa_ai.state.loading import SNAPSHOT, journals, lines_after, stamp
from kometa_ai.state.schema import (
    FORMAT_VERSION,
    BatchDropped,
    BatchEntry,
    BatchNamed,
    BatchPlanned,
    BatchTaken,
    RunWaits,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Waiting(msgspec.Struct, frozen=True):
    """The open batches, and the options of the run that goes on when one of them has ended, if one waits."""

    batches: tuple[OpenBatch, ...] = ()
    options: Options | None = None


class WaitingReader:
    """Reads a state folder, and again only when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: object = None
        self._waiting = Waiting()

    def read(self) -> Waiting:
        """What the state says. Raise OSError or one of schema.DAMAGE if it cannot be read."""
        found = [stamp(path) for path in (self._folder / SNAPSHOT, *journals(self._folder))]
        if found != self._known:
            self._waiting = _read(self._folder)
            self._known = found
        return self._waiting


def with_entry(batches: Sequence[OpenBatch], entry: BatchEntry) -> list[OpenBatch]:
    """The open batches after an entry of the journal."""
    by_key = {batch.key: batch for batch in batches}
    match entry:
        case BatchPlanned(batch=batch):
            by_key[batch.key] = batch
        case BatchDropped(key=key):
            by_key.pop(key, None)
        case BatchNamed(key=key) | BatchTaken(key=key) if key in by_key:
            known = by_key[key]
            if isinstance(entry, BatchNamed):
                known = msgspec.structs.replace(known, id=entry.id, foreign=entry.foreign)
            else:
                known = msgspec.structs.replace(known, taken=known.taken.union(entry.collections))
            by_key[key] = known
            if not known.open_questions:
                del by_key[key]
    return list(by_key.values())


class _Part(msgspec.Struct):
    """What this reads of a snapshot."""

    state_format_version: int = 0
    journal_entry: int = 0
    batches: list[OpenBatch] = []
    waiting: Options | msgspec.UnsetType = msgspec.UNSET


def _read(folder: Path) -> Waiting:
    try:
        part = msgspec.json.decode(files.read(folder / SNAPSHOT, files.LARGE), type=_Part)
    except FileNotFoundError:
        part = _Part()
    except msgspec.ValidationError:
        part = _Part()  # of an older format, which the next run turns into the present one
    if part.state_format_version not in (0, FORMAT_VERSION):
        return Waiting()
    batches, options = part.batches, part.waiting
    for line in lines_after(folder, part.journal_entry):
        if isinstance(line.data, RunWaits):
            options = line.data.options or msgspec.UNSET
        elif isinstance(line.data, BatchEntry):
            batches = with_entry(batches, line.data)
    return Waiting(tuple(batches), options or None)
