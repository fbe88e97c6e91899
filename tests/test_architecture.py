import ast
import subprocess
import sys
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from tests.written_docs import PACKAGE, ROOT

MODULES = sorted(PACKAGE.rglob("*.py"))
_LONGEST_MODULE = 600
_LONGEST_FUNCTION = 60


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_go_one_way() -> None:
    """Every contract on imports in pyproject.toml is kept."""
    # In a process of its own: it turns off every logger there is.
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]

    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_module_imports_itself_by_way_of_others() -> None:
    """There is no circle of imports; those for types alone count."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES}
    graph = {name: _imported(path, names) - {name} for name, path in names.items()}

    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
    else:
        circle = []

    assert circle == []


def _imported(path: Path, names: Collection[str]) -> set[str]:
    """Our own modules that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    packages = {name.rpartition(".")[0] for name in names}
    # `from package import module` is an import of the module; a package itself holds nothing.
    return {name for name in found if name in names and name not in packages}


def test_every_top_level_module_is_on_the_map() -> None:
    """docs/modules.md names every package and module directly below kometa_ai."""
    page = (ROOT / "docs" / "modules.md").read_text(encoding="utf-8")
    packages = [path.parent.name for path in PACKAGE.glob("*/__init__.py")]
    modules = [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]

    assert [name for name in packages if f"## `{name}`" not in page] == []
    assert [name for name in modules if f"- `{name}`" not in page] == []


def test_nothing_is_named_after_nothing() -> None:
    """There is no grab-bag: a module's name says what belongs into it, and what does not."""
    bags = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "tools", "shared", "base"}

    assert [_name(path) for path in MODULES if bags & {path.stem, path.parent.name}] == []


def test_modules_and_functions_can_be_read() -> None:
    """No module is longer than 600 lines, no function longer than 60; one idea a module is for its reviewer to see."""
    long: list[str] = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > _LONGEST_MODULE:
            long.append(_name(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                long += [f"{_name(path)}:{node.lineno} {node.name}"] if lines > _LONGEST_FUNCTION else []

    assert long == []
