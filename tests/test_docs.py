import re
import shlex
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from kometa_ai import errors
from kometa_ai.__version__ import __version__
from kometa_ai.cli.main import cli
from kometa_ai.errors import KometaAIError
from kometa_ai.kometa.folder import read_folder
from kometa_ai.kometa.parser import BlockModel
from kometa_ai.settings.schema import variables
from tests.written_docs import PACKAGE, ROOT, Part, parts

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^```(?P<language>[a-z]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def fences(language: str) -> list[str]:
    """The samples of one language in the README."""
    return [found["text"] for found in _FENCE.finditer(README) if found["language"] == language]


def section(heading: str) -> str:
    """The README from one heading of the second level to the next."""
    return README.split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
def test_what_is_made_from_the_code_is_up_to_date(part: Part) -> None:
    """The README's table of settings and the map of the modules say what the code says."""
    is_current = part.page.read_text(encoding="utf-8") == part.filled_in()

    assert is_current, "run: make docs"


def test_every_option_is_in_the_readme() -> None:
    """No option is missing from the README, and it names none that there is not."""
    known = {name for parameter in cli.params for name in parameter.opts if name.startswith("--")} | {"--help"}

    assert set(_OPTION.findall(section("Options"))) == known


def test_every_exit_code_is_in_the_readme() -> None:
    """The table of exit codes has each that an error can lead to, and those that need no error."""
    raised = {
        found.exit_code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, KometaAIError)
    }
    rows = re.findall(r"^\| ([\d, ]+) \| \S", section("Options"), re.MULTILINE)

    assert {int(code) for row in rows for code in row.split(",")} == raised | {0, 1, 130, 143}


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    """What is released has an entry; what is not is collected under Unreleased."""
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert headings[0] in {"Unreleased", __version__}
    assert [heading for heading in headings if heading != "Unreleased"][:1] in ([], [__version__])


@pytest.mark.parametrize("sample", fences("yaml"))
def test_every_yaml_sample_can_be_loaded(sample: str) -> None:
    """A sample of YAML is YAML, with something in it."""
    assert YAML(typ="safe").load(sample)


@pytest.mark.parametrize("sample", [sample for sample in fences("yaml") if "KOMETA-AI" in sample])
def test_every_sample_block_is_read_without_a_word(sample: str, tmp_path: Path) -> None:
    """Whoever copies a block from the README gets one enabled collection, no problem and no warning."""
    (tmp_path / "collections.yml").write_text(sample, encoding="utf-8")

    folder = read_folder(tmp_path)

    assert len(folder.collections) == 1
    assert folder.problems + folder.warnings == ()


def test_there_are_sample_blocks_and_a_compose_file() -> None:
    """The tests above had something to test, and the compose file sets what the program knows."""
    (compose,) = [YAML(typ="safe").load(sample) for sample in fences("yaml") if "services:" in sample]
    environment = compose["services"]["kometa-ai"]["environment"]

    assert len([sample for sample in fences("yaml") if "KOMETA-AI" in sample]) > 1
    assert environment.keys() <= variables().keys()
    assert [name for name, known in variables().items() if known.default == "required"] <= list(environment)


def test_every_key_of_a_block_is_in_the_readme() -> None:
    """The table of keys is complete, and has no other."""
    rows = re.findall(r"^\| `(\w+)` \|", section("The block"), re.MULTILINE)

    assert rows == list(BlockModel.model_fields)


def test_every_command_in_the_readme_is_one() -> None:
    """Each command line of ours is understood by the program, and each target of make is in the Makefile."""
    lines = [line for sample in fences("sh") for line in sample.splitlines()]
    ours = [
        line.split("kometa-ai ", 1)[1] for line in lines if re.match(r"(docker compose run --rm )?kometa-ai ", line)
    ]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    parsed = [cli.make_context("kometa-ai", shlex.split(line, comments=True)).params for line in ours]

    assert len(parsed) > 5
    assert all(any(parameters.values()) for parameters in parsed)
    for target in re.findall(r"`?make ([a-z]+)", README):
        assert f"\n{target}:" in makefile


def test_every_module_that_the_architecture_page_names_is_there() -> None:
    """Whoever follows a path of docs/architecture.md finds a file or a folder."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    paths = re.findall(r"`([a-z_]+/(?:[a-z_]+\.py)?)`", page.partition("<!-- map")[0])

    assert len(paths) > 20
    assert [path for path in paths if not (PACKAGE / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    """No page links to a file that there is not."""
    dead = [
        link for link in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link.strip()).exists()
    ]

    assert dead == []
