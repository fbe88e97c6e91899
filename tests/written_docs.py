"""The parts of the documentation that are made from the code: `make docs` writes them, test_docs.py compares them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NamedTuple

from kometa_ai.settings.describe import as_table

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kometa_ai"


class Part(NamedTuple):
    """A part of a page, between two comments that name it."""

    page: Path
    name: str
    text: str

    def filled_in(self) -> str:
        """The whole page, with this part as it should be."""
        page = self.page.read_text(encoding="utf-8")
        begin, end = f"<!-- {self.name}: written by `make docs` -->\n", f"<!-- end of {self.name} -->\n"
        before, found, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not (found and found_end):
            raise ValueError(f"{self.page.name} has no place for {self.name}")
        return f"{before}{begin}\n{self.text}\n{end}{after}"


def parts() -> list[Part]:
    """Every such part."""
    return [
        Part(ROOT / "README.md", "settings", as_table()),
        Part(ROOT / "docs" / "architecture.md", "map", module_map()),
    ]


def module_map() -> str:
    """Each package with its modules, and the first line of each docstring."""
    folders = sorted(folder for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists())
    sections = [f"### `kometa_ai`: {_first_line(PACKAGE / '__init__.py')}", _list(PACKAGE)]
    for folder in folders:
        sections += [f"### `{folder.name}`: {_first_line(folder / '__init__.py')}", _list(folder)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _list(folder: Path) -> str:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    packages = sorted(path.parent for path in folder.glob("*/__init__.py")) if folder != PACKAGE else []
    lines = [f"- `{path.name}`: {_first_line(path)}" for path in modules]
    lines += [f"- `{path.name}/`: {_first_line(path / '__init__.py')}" for path in packages]
    return "\n".join(lines)


def _first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    if not docstring:
        raise ValueError(f"{path} does not say what it is for")
    return docstring.partition("\n")[0]


if __name__ == "__main__":
    for part in parts():
        part.page.write_text(part.filled_in(), encoding="utf-8")
