"""Keep people's choices in `choices.json` beside the state, with a lock of its own that is held for moments.

So a choice can be made at any time, also while a run holds the state's lock.

Why: docs/decisions/0024-choices.md
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from kometa_ai.core.choice import Choices
from kometa_ai.core.problem import Problem
from kometa_ai.errors import RepairState
from kometa_ai.state import files
from kometa_ai.state.loading import SNAPSHOT, journals, stamp
from kometa_ai.state.lock import wait_for_lock
from kometa_ai.state.schema import CHOICES, DAMAGE
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT = 1
_LOCK = "choices.lock"
_LONGEST_WAIT = 5.0
"""Seconds to wait for the lock, which others hold for moments."""

_log = structlog.get_logger()


class _Content(Choices, frozen=True, kw_only=True):
    """What the file holds."""

    format: int = FORMAT


class ChoicesFile:
    """The choices of one state folder. Reading is cheap while nothing has changed; for any thread.

    Before there was such a file, pins were kept in the state: as long as there is none, those count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / CHOICES
        self._guard = threading.Lock()
        self._known: object = None
        self._choices = Choices()
        self._damage = ""

    def read(self) -> Choices:
        """All choices. Raise RepairState where they cannot be read; a damaged file is read from its newest backup."""
        with self._guard:
            try:
                # Before reading, so that what is written meanwhile is read the next time.
                found = self.stamp()
                if found != self._known:
                    self._choices = self._read()
                    self._known = found
            except OSError as error:
                raise RepairState(
                    f"The choices {str(self._path)!r} cannot be read: {error.strerror}.", files.remedy_for(error)
                ) from error
            return self._choices

    @property
    def damage(self) -> str:
        """What was wrong with the file when it was read last; empty if nothing was. The next run repairs it."""
        return self._damage

    def stamp(self) -> object:
        """What differs once the choices have changed. Raise OSError."""
        places = (self._path, self._folder / SNAPSHOT, *journals(self._folder))
        return stamp(self._path) or tuple(map(stamp, places))

    def change(self, change: Callable[[Choices], Choices]) -> Choices:
        """Read the choices, change them, and keep the result on the disk before this returns.

        `change` must not take long: others wait. Raise RepairState where the result cannot be kept; then nothing has
        changed.
        """
        with self._locked():
            before = self.read()
            after = change(before)
            if after != before or self._damage or not os.path.lexists(self._path):
                self._write(after)
            return after

    def take_over(self, store: Store) -> None:
        """Repair a damaged file, and move the pins of a state of before there was one, as a run begins.

        What was repaired, or cannot be written, is added to the store's alerts: the run can go on with what was read.
        Raise RepairState where the choices cannot be read.
        """
        self.read()
        if self._damage:
            store.alerts.append(
                Problem(
                    source="state",
                    what=f"{self._damage} A choice that was made since that backup is lost.",
                    remedy="Look through --pins. The damaged file is kept in STATE_DIR.",
                )
            )
        if self._damage or not os.path.lexists(self._path):
            try:
                kept = self.change(lambda choices: choices)
            except RepairState as error:
                store.alerts.append(Problem(source="state", what=error.message, remedy=error.remedy))
                return
            if kept.pins:
                _log.info("choices.moved", pins=len(kept.pins))
        store.state.pins.clear()

    def _read(self) -> Choices:
        self._damage = ""
        try:
            return _decoded(self._path)
        except FileNotFoundError:
            return self._of_older_state()
        except (*DAMAGE, files.NotOurs) as error:
            if isinstance(error, files.NotOurs) and error.is_link:
                raise
            return self._restored(error)

    def _restored(self, damage: Exception) -> Choices:
        """The newest good backup in the place of a damaged file. Raise RepairState where there is none.

        To begin with no choices at all would let the next run change what people have decided.
        """
        for place in files.backups(self._path):
            try:
                choices = _decoded(place)
            except (*DAMAGE, OSError):
                continue
            self._damage = f"{self._path.name} is damaged ({damage}); restored from {place.name}."
            _log.warning("choices.damaged", what=self._damage)
            return choices
        raise RepairState(
            f"The choices {str(self._path)!r} are damaged ({damage}), and there is no good backup.",
            "Restore the file from a backup of yours. If there is none, remove it: then all pins are lost, but for "
            "those in Kometa's files.",
        ) from damage

    def _of_older_state(self) -> Choices:
        """The pins that the state itself holds, where it was written before there was this file."""
        if not any(os.path.lexists(place) for place in (self._folder / SNAPSHOT, *journals(self._folder))):
            return Choices()
        return Choices(pins=tuple(Store.load(self._folder, read_only=True).state.pins))

    def _write(self, choices: Choices) -> None:
        content = _Content(**msgspec.structs.asdict(choices))
        try:
            if self._damage:
                files.set_aside(self._path, f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            files.replace(self._path, msgspec.json.format(msgspec.json.encode(content), indent=1), keep=True)
        except OSError as error:
            raise RepairState(
                f"The choice cannot be kept in {str(self._path)!r}: {error.strerror}.", files.remedy_for(error)
            ) from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        path = self._folder / _LOCK
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = files.open_regular(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise RepairState(
                f"The choice cannot be kept: {str(path)!r} cannot be written: {error.strerror}.",
                files.remedy_for(error),
            ) from error
        try:
            if not wait_for_lock(handle, _LONGEST_WAIT):
                raise RepairState(
                    f"The choice cannot be kept: another process has held {str(path)!r} for {_LONGEST_WAIT:.0f} "
                    "seconds.",
                    "Try again. If it stays so, look which process hangs there, and end it.",
                )
            yield
        finally:
            os.close(handle)


def _decoded(place: Path) -> Choices:
    """Raise OSError, or one of DAMAGE, or RepairState for a file that a newer program has written."""
    text = files.read(place, files.LARGE)
    version = msgspec.json.decode(text, type=_Version).format
    if version > FORMAT:
        raise RepairState(
            f"The choices {str(place)!r} have format {version}, this program knows {FORMAT}.",
            "Start the newer version of Kometa-AI again.",
        )
    content = msgspec.json.decode(text, type=_Content)
    return Choices(**{name: getattr(content, name) for name in Choices.__struct_fields__})


class _Version(msgspec.Struct):
    format: int
