"""Kometa folders made for one test."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kometa_ai.kometa.checking.examination import MOVIES, examine_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.core.collection import Folder
    from kometa_ai.core.item import Kind
    from kometa_ai.core.problem import Problem


def block(*body: str, indent: int = 2) -> str:
    """A block with these lines, without a line end after it; by default one that is on."""
    lines = body or ("enabled: true", "prompt: Heists")
    comments = ["# === KOMETA-AI ===", *(f"# {line}" for line in lines), "# === END KOMETA-AI ==="]
    return "\n".join(" " * indent + line for line in comments)


def collection(name: str, *body: str) -> str:
    """A block and its collection, to be put below `collections:`."""
    return f"{block(*body)}\n  {name}:\n    plex_all: true\n"


def read(files: Mapping[str, str | bytes], services: frozenset[Kind] = MOVIES) -> Folder:
    """Read a folder of these files, and see that reading changes none of them.

    `services` are the kinds for which a library is set up.
    """
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for source, content in files.items():
            path = root / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}
        folder = examine_folder(root, services=services)
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
        assert {path for path in root.rglob("*") if path.is_file()} == before.keys()
    return folder


def read_one(text: str | bytes) -> Folder:
    """Read a folder of one file, `movies.yml`."""
    return read({"movies.yml": text})


def lines_of(problems: Sequence[Problem]) -> list[int | None]:
    """Where each problem is."""
    return [problem.line for problem in problems]
