"""The recorded files: make them from the worlds, write them, and compare them."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.golden.worlds import WORLDS, played

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = Path(__file__).parent / "recorded"
_SHOWN = 200


def record(names: Iterable[str] = ()) -> None:
    """Write the files of these worlds anew, or of all."""
    for name in [*names] or WORLDS:
        made = made_by(name)
        shutil.rmtree(RECORDED / name, ignore_errors=True)
        (RECORDED / name).mkdir(parents=True)
        for what, text in made.items():
            (RECORDED / name / f"{what}.txt").write_text(text, encoding="utf-8")


def made_by(name: str) -> dict[str, str]:
    """What a world writes now, by the name of its file."""
    with tempfile.TemporaryDirectory(prefix="kometa-ai-golden-") as folder, played(name, Path(folder)) as scene:
        return scene.recorded


def differences(name: str) -> str:
    """What a world writes now and did not write before, or the other way round, as a diff; empty when nothing."""
    made = made_by(name)
    kept = {path.stem: path.read_text(encoding="utf-8") for path in (RECORDED / name).glob("*.txt")}
    lines: list[str] = []
    for what in sorted(made.keys() | kept.keys()):
        before, now = kept.get(what, "").splitlines(), made.get(what, "").splitlines()
        lines += difflib.unified_diff(before, now, f"recorded/{name}/{what}.txt", "now", lineterm="")
    more = [f"... and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
    return "\n".join([*lines[:_SHOWN], *more])
