"""The tools that check what is shipped, from the environment that the tests run in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.written_docs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable


def complaints(tool: str, *arguments: str, files: Iterable[Path] = ()) -> str:
    """What a tool has against some files; empty where it is content."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments, *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tool
    return "" if done.returncode == 0 else f"{tool} ended with {done.returncode}:\n{done.stdout}{done.stderr}"


def against_schema(schema: str, *files: Path) -> str:
    """What speaks against some files being what a published schema describes; the schemas come with the tool."""
    return complaints("check-jsonschema", "--builtin-schema", schema, files=files)
