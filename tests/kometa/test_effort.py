"""Reading Kometa's folder takes time in proportion to what is in it, whatever that is."""

from __future__ import annotations

import re
from contextlib import suppress
from time import process_time
from typing import TYPE_CHECKING

import pytest

from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.kometa.document import MOST_TOKENS, load, read_document
from kometa_ai.kometa.refusals import BrokenYaml
from tests.kometa.support import block, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_FEW, _MANY = 100, 800
_SIZE = 120_000  # an eighth of what is read
_MOST_SECONDS = 40  # on a slow machine; a tenth of it on a fast one

# Each reads a hundred folders, which takes a loaded machine its time.
pytestmark = [pytest.mark.timeout(300), pytest.mark.no_cover]


def _block(number: int, name: str = "", more: str = "") -> str:
    lines = block("enabled: true", f"prompt: Movies about {number}", *filter(None, [more]))
    return f"{lines}\n  {name or f'Number {number}'}:\n    radarr_taglist: kai-number-{number}\n    sync_mode: sync\n"


def _in_one_file(count: int, one: Callable[[int], str]) -> dict[str, str]:
    config = "libraries:\n  Movies:\n    collection_files:\n      - file: config/movies.yml\n"
    return {"config.yml": config, "movies.yml": "collections:\n" + "".join(map(one, range(count)))}


def _in_files(count: int, one: Callable[[int], str]) -> dict[str, str]:
    listed = "".join(f"      - file: config/m{number}.yml\n" for number in range(count))
    files = {f"m{number}.yml": f"collections:\n{one(number)}" for number in range(count)}
    return {"config.yml": f"libraries:\n  Movies:\n    collection_files:\n{listed}", **files}


@pytest.mark.parametrize("place", [_in_one_file, _in_files])
@pytest.mark.parametrize(
    "one",
    [
        _block,
        lambda number: _block(number, name="Same" if number else "Other"),
        lambda number: _block(number, more="tag: kai-same"),
        lambda number: _block(number, more=f"include_tags: [kai-nubmer-{number}]"),
        lambda number: _block(number, more=f"promt{number}: x"),
        lambda number: f"  Number {number}:\n{block(indent=4)}\n    plex_all: true\n",
    ],
    ids=["right", "one name", "one tag", "unknown tags", "unknown keys", "misplaced"],
)
def test_time_is_linear_in_blocks(
    tmp_path: Path, place: Callable[[int, Callable[[int], str]], dict[str, str]], one: Callable[[int], str]
) -> None:
    """Eight times the blocks take some eight times as long, not sixty-four times."""
    took = []
    for count in (_FEW, _MANY):
        folder = tmp_path / str(count)
        folder.mkdir()
        for source, text in place(count, one).items():
            (folder / source).write_text(text)
        started = process_time()
        read_folder(folder)
        took.append(process_time() - started)

    assert took[1] < took[0] * 24 + 0.5


def _filled(line: str, start: str = "") -> str:
    return start + line * ((_SIZE - len(start)) // len(line))


def _numbered(line: str) -> str:
    return "".join(line.replace("N", f"{number:06}") for number in range(_SIZE // (len(line) + 5)))


@pytest.mark.parametrize(
    "text",
    [
        _filled("# a remark\n"),
        _filled("#\n\n"),
        _filled('  - "quoted"\n', "a:\n"),
        _filled("- a\n"),
        _filled("a,", "[") + "a]",
        _filled("{a: b},", "[") + "a]",
        _filled("x\n  ", 'a: "') + '"',
        _filled("x y ", "a: "),
        _filled("\n"),
        _filled("- 2001-01-01\n"),
        _filled("---\na\n"),
        _filled("  - <<: *a\n", "a: &a {b: c}\nd:\n"),
        _filled("[", "a: "),
        _filled("{a: ", "a: "),
        _filled("- ", "a:\n  "),
        _filled("? "),
        _filled(":10", "%YAML 1.1\n---\na: 1"),
        _filled("9", "a: "),
        _numbered("N: 1\n"),
        _numbered("a: &N b\n"),
        _numbered("mN: &mN {<<: *m000000, yN: 1}\n"),
        "".join(f"{' ' * depth}a:\n" for depth in range(1400)),
    ],
    ids=lambda text: repr(text[:16]),
)
def test_no_form_takes_long(text: str) -> None:
    """A large file is read, or refused, in seconds, whatever it is made of."""
    started = process_time()
    with suppress(BrokenYaml):
        read_document(text)

    assert process_time() - started < _MOST_SECONDS


def test_merges_that_copy_too_much() -> None:
    """Thousands of small mappings that each take in a large one would need more memory than there is."""
    large = "a: &a\n" + "".join(f"  k{number}: 1\n" for number in range(5000))

    with pytest.raises(BrokenYaml, match="repeat too much"):
        load(large + "b:\n" + "  - <<: *a\n" * 5000)


def test_more_tokens_than_are_read() -> None:
    """What takes time is how many pieces a text has, so that is what is limited."""
    with pytest.raises(BrokenYaml, match="too long") as caught:
        load("[" + "a,\n" * MOST_TOKENS + "]")

    assert caught.value.line == MOST_TOKENS // 2


def test_as_deep_as_is_read() -> None:
    """A hundred levels are more than anything of Kometa's has, and far from Python's own limit."""
    load("[" * 90 + "]" * 90)

    with pytest.raises(BrokenYaml, match="nested too deeply"):
        load("[" * 110 + "]" * 110)


TEN = ", ".join(["*{0}"] * 10)
LIST = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{TEN.format(f'a{n - 1}')}]\n" for n in range(1, 12))
TENFOLD = ", ".join(f"k{n}: *{{0}}" for n in range(10))
MAPPING = "b0: &b0 {x: y}\n" + "".join(f"b{n}: &b{n} {{{TENFOLD.format(f'b{n - 1}')}}}\n" for n in range(1, 12))
CHAIN = "c0: &c0 [x]\n" + "".join(f"c{n}: &c{n} {'[' * 20}*c{n - 1}{']' * 20}\n" for n in range(1, 56))  # 1,100 levels
TEMPLATES = "templates:\n  Other: {default: {v: @}, radarr_taglist: @}\n  More: @\n"
COLLECTIONS = f"""
templates:
  T:
    default: {{v: @}}
    radarr_taglist: <<v>>
    sync_mode: <<w>>
    conditionals: {{u: {{default: @, conditions: [{{v: @, w.exists: @, value: @}}]}}}}
    optional: @
    plex_search: @
    move_prefix: @
external_templates:
  - file: config/templates.yml
    template_variables: {{v: @}}
  - @
collections:
{block("enabled: true", "prompt: x", "include_tags: [kai-x]")}
  Heist:
    template: {{name: T, w: @, v: @}}
{block()}
  Noir:
    template: @
    radarr_taglist: @
    sync_mode: @
    item_radarr_tag: @
    item_radarr_tag.sync: @
    run_definition: @
    build_collection: @
    collection_order: @
    minimum_items: @
    schedule: @
    plex_search: @
    validate_builders: @
"""
CONFIG = """
libraries:
  Movies:
    collection_files: [{file: config/movies.yml, template_variables: {v: @}, schedule: @}, @]
    metadata_path: @
    template_variables: {q: @}
    operations: {radarr_remove_by_tag: @}
    settings: {sync_mode: @, minimum_items: @, custom_repo: @, collections: @}
    radarr: {url: @, token: @}
settings: {sync_mode: @, custom_repo: @, cache: @}
radarr: {url: @, token: @, root_folder_path: @}
plex: {sync_mode: @}
playlist_files: @
"""
FILES = {"movies.yml": COLLECTIONS, "config.yml": CONFIG, "templates.yml": TEMPLATES}


def _places() -> Iterator[tuple[str, int]]:
    for source, text in FILES.items():
        for found in re.finditer("@", text):
            yield source, found.start()


@pytest.mark.parametrize(
    "alias",
    ["*a11", "*b11", "[*a11]", "[[x]]", "{x: y}", "*c55", "&x {y: *x}", "~", "9999999999999999999", "2001-01-01"],
)
def test_anything_in_any_place(alias: str) -> None:
    """What stands for a hundred billion items, nests without end, or is of a strange kind, ends nothing."""
    plain = {source: text.replace("@", "z") for source, text in FILES.items()}
    for source, at in _places():
        text = FILES[source]
        before = CHAIN if "c" in alias else LIST + MAPPING
        changed = before + (text[:at] + alias + text[at + 1 :]).replace("@", "z")

        folder = read({**plain, source: changed})

        told = (*folder.problems, *folder.warnings, *folder.hints)
        assert "Noir" in {one.name for one in folder.collections}, text[:at][-40:]
        assert max(len(problem.what) + len(problem.remedy) for problem in told) < 2000


@pytest.mark.parametrize("key", ["*a11", "*b11", "{x: *a11}", "[*b11]"])
def test_keys_that_multiply(key: str, tmp_path: Path) -> None:
    """A key of a hundred billion items is refused before it is built; the other files are read."""
    (tmp_path / "movies.yml").write_text(COLLECTIONS.replace("@", "z"))
    (tmp_path / "bad.yml").write_text(f"# === KOMETA-AI ===\n{LIST}{MAPPING}c:\n  ? {key}\n  : x\n")

    folder = examine_folder(tmp_path)

    assert ["a key holds too much" in problem.what for problem in folder.problems] == [True]
    assert folder.unreadable_files == ("bad.yml",)
