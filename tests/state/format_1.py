"""The format-1 state in `fixtures/format-1`, with the library and the Claude that it belongs to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kometa_ai.standins.claude_batches import Batch
from kometa_ai.standins.radarr_seed import MovieSeed
from tests.run.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURE = Path(__file__).parent / "fixtures" / "format-1"
_DAY = 24 * 3600
DUMP: Mapping[str, Any] = json.loads((FIXTURE / "dump.json").read_bytes())


def lay_out(folder: Path) -> None:
    """Put the state into an empty folder."""
    shutil.copytree(FIXTURE / "state", folder, dirs_exist_ok=True)


class FormatOneWorld(World):
    """Radarr and Claude as they were when the last process of the fixture was killed."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        seeds = msgspec.json.decode((FIXTURE / "library.json").read_bytes(), type=list[MovieSeed])
        super().__init__(folder, seeds, batch_size=8, **settings)
        self.claude.clock = lambda: self.now.timestamp()  # noqa: PLW0108 - the time will be another one
        self.truth = json.loads((FIXTURE / "truth.json").read_bytes())
        shutil.copytree(FIXTURE / "kometa", self.kometa, dirs_exist_ok=True)
        lay_out(self.state_dir)
        self.now = self.now.replace(day=9, hour=5)  # a run is a day later, half an hour after the last one
        for batch in json.loads((FIXTURE / "batches.json").read_bytes()):
            self._hand_over(batch)

    def _hand_over(self, batch: dict[str, Any]) -> None:
        made: Batch = self.claude.batches.create({"requests": batch["requests"]})
        del self.claude.batches.known[made.id]
        made.id, made.polls_left, made.created_at = batch["id"], 0, self.now.timestamp() + _DAY
        self.claude.batches.known[made.id] = made
