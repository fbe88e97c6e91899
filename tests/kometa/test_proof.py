"""Corrections that are offered: whatever was wrong, each does what it is for, and nothing else in any file changes."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import KINDS
from kometa_ai.standins.films import KOMETA_FOLDER
from tests.kometa import plain_kometa
from tests.kometa.planted import FAULTS, plant
from tests.kometa.support import block, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kometa_ai.core.collection import Folder
    from kometa_ai.core.problem import Correction, Problem

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CONFIG = """libraries:
  Movies:
    collection_files:
      - folder: config
  Films:
    template_variables: {mode: sync}
    collection_files:
      - file: config/m.yml
settings: {sync_mode: append}
radarr: {url: "http://radarr:7878", token: abc, root_folder_path: /movies, quality_profile: Any}
"""
OF_SHOWS = CONFIG.replace("Movies:", "TV Shows:").replace("Films:", "Anime:").replace("radarr", "sonarr")
NEEDED = {"sync_mode", "collection_order"} | {
    f"{start}arr{end}" for end in ("_taglist", "_tag", "_tag.sync") for start in ("rad", "son", "item_rad", "item_son")
}
OF_A_BLOCK = {"enabled", "prompt", "priority", "confidence_threshold", "tag", "include_tags", "exclude_tags"} | {
    *("media", "libraries", "include_movies", "exclude_movies", "include_shows", "exclude_shows"),
}
ROUNDS = 20

MADE = f"""templates:
  base:
    optional: [tag]
    radarr_taglist: <<tag>>
    sync_mode: <<mode>>
    default: {{mode: append}}
collections:
{block()}
  Film Noir:
    radarr_taglist: kai-film-noir
    sync_mode: sync
{block("prompt: Ghosts", "enabled: yes")}
  Bōkun & Ghosts:
    template: {{name: base, tag: kai-bokun-ghosts}}
    sync_mode: sync
  By Hand:
    plex_all: true
"""


def sources() -> Iterator[str]:
    """Texts that are right: the examples that are delivered, two collections of each, and one made up."""
    yield MADE
    for path in (*sorted(EXAMPLES.glob("*.yml")), *sorted(KOMETA_FOLDER.glob("*.yml"))):
        head, begin, rest = path.read_text().partition("collections:\n")
        parts = re.split(r"\n(?= *# === KOMETA-AI)", rest)
        for number in range(0, len(parts) - 1, 2):
            yield head + begin + "\n".join(part.strip("\n") for part in parts[number : number + 2]) + "\n"


SOURCES = tuple(sources())


def applied(text: str, corrections: Sequence[Correction]) -> str:
    """What a plain editor makes of it."""
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = re.split("\r\n|\n|\r", text)
    for correction in sorted(corrections, key=lambda one: (-one.first, -one.last)):
        lines[correction.first - 1 : correction.last] = list(correction.lines)
    return ending.join(lines)


def found(folder: Folder) -> list[Problem]:
    """Everything that is wrong."""
    return [*folder.problems, *folder.warnings]


def counted(folder: Folder) -> Counter[tuple[str, ...]]:
    """The same without the lines, which move."""
    return Counter((each.source, each.collection, re.sub(r"\d+", "", each.what)) for each in found(folder))


def look(text: str) -> Folder:
    """The folder with this file, in libraries of the kind that it is mostly about."""
    is_about_shows = text.count("sonarr_taglist: kai") > text.count("radarr_taglist: kai")
    return read({"m.yml": text, "config.yml": OF_SHOWS if is_about_shows else CONFIG}, frozenset(KINDS))


def hold(text: str) -> int:
    """Apply every correction that is offered for a text, alone, together, and one by one; how many there were."""
    before = look(text)
    corrections = []
    for problem in found(before):
        if problem.correction is None:
            continue
        corrections.append(problem.correction)
        holds_alone(text, before, problem)
    if len(corrections) > 1:
        together = applied(text, corrections)
        assert plain_kometa.loads(together)
        assert not plain_kometa.loads(text) or not counted(look(together)) - counted(before)
    ends(text)
    return len(corrections)


def holds_alone(text: str, before: Folder, problem: Problem) -> None:
    """One correction: the file loads, its problem is gone, nothing new is wrong, nothing else means another thing."""
    assert problem.correction
    assert problem.source == "m.yml"
    new = applied(text, [problem.correction])
    after = look(new)
    key = (problem.source, problem.collection, re.sub(r"\d+", "", problem.what))
    assert counted(after)[key] < counted(before)[key]
    if not plain_kometa.loads(text):
        assert plain_kometa.loads(new)
        return
    assert not counted(after) - counted(before)
    means_the_same(text, new, problem)


def means_the_same(text: str, new: str, problem: Problem) -> None:
    """Everything but the attributes that a block needs, in the collection that the correction is for."""
    old_data, new_data = plain_kometa.load(text), plain_kometa.load(new)
    for key in {*old_data, *new_data} - {"collections"} - OF_A_BLOCK:
        assert old_data.get(key) == new_data.get(key)
    old, now = plain_kometa.collections(text), plain_kometa.collections(new)
    renamed = {key for key in old if not isinstance(key, str)} | {key for key in old if str(key)[:1] in "([{C"}
    for name in {*map(str, old), *map(str, now)} - OF_A_BLOCK:
        mine, theirs = by_text(old).get(name), by_text(now).get(name)
        if (
            mine == theirs
            or "KOMETA-AI" in name
            or (renamed and (name in map(str, renamed) or name not in by_text(old)))
        ):
            continue
        assert not problem.collection or name == problem.collection
        assert isinstance(theirs, dict)
        mine = mine if isinstance(mine, dict) else {}
        for attribute in {*mine, *theirs}:
            changed = mine.get(attribute, "-") != theirs.get(attribute, "-")
            assert not changed or str(attribute).lower() in NEEDED | OF_A_BLOCK
    old_blocks, new_blocks = plain_kometa.blocks(text), plain_kometa.blocks(new)
    for name, body in old_blocks.items():
        assert name == problem.collection or "Scalar" in name or new_blocks.get(name) == body
    assert len(new_blocks.keys() - old_blocks.keys()) <= 1


def by_text(collections: dict[object, object]) -> dict[str, object]:
    """The collections by their names as text."""
    return {str(key): value for key, value in collections.items()}


def ends(text: str) -> None:
    """One correction after another comes to an end, and loses no collection."""
    current = text
    for _ in range(ROUNDS):
        offered = [problem.correction for problem in found(look(current)) if problem.correction]
        if not offered:
            break
        current = applied(current, offered[:1])
    else:
        raise AssertionError("there is always one more")
    if plain_kometa.loads(text):
        names = {name for name in by_text(plain_kometa.collections(text)) if "KOMETA-AI" not in name}
        lost = names - OF_A_BLOCK - by_text(plain_kometa.collections(current)).keys()
        assert all(name.startswith(("(", "[", "{", "C")) for name in lost)  # a name that was none, now in quotes


@pytest.mark.parametrize("text", SOURCES)
def test_the_examples_are_right(text: str) -> None:
    """Nothing is wrong with the texts that the faults are planted in."""
    assert [f"{each.where} {each.what}" for each in found(look(text)) if "is that of no" not in each.what] == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fault", FAULTS)
def test_every_correction_is_right(fault: str, seed: int) -> None:
    """For each kind of fault, in one of the examples; some with others beside it, and with the line ends of Windows."""
    chance = random.Random(f"{fault} {seed}")
    text = plant(chance.choice(SOURCES), fault, chance)
    for _ in range(seed % 3):
        text = plant(text, chance.choice([*FAULTS]), chance)
    if seed % 2:
        text = text.replace("\n", "\r\n")

    hold(text)


def test_many_are_offered() -> None:
    """The rule is not kept by offering nothing."""
    chance = random.Random(1)
    simple = ("a_line_is_missing", "both_lines_are_missing", "another_mode", "a_lost_marker", "a_tab", "a_lost_hash")

    offered = [sum(bool(each.correction) for each in found(look(plant(MADE, name, chance)))) for name in simple * 3]

    assert sum(map(bool, offered)) >= len(offered) * 2 // 3


def collections(count: int) -> str:
    """A file of so many collections that have a block and nothing that Kometa needs."""
    parts = [f"{block('enabled: true', f'prompt: x{n}')}\n  Film {n}:\n    plex_all: true\n" for n in range(count)]
    return "collections:\n" + "".join(parts)


@pytest.mark.no_cover
def test_a_thousand_warnings() -> None:
    """The time does not grow with the square of the collections, and each still has its correction."""
    started = process_time()

    warnings = look(collections(500)).warnings

    assert len(warnings) == 1000
    assert sum(bool(warning.correction) for warning in warnings) == 500
    assert process_time() - started < 60


def test_many_files() -> None:
    """Nor does it grow with the square of the files; what would take too long is left out, and has its turn later."""
    files = {f"m{n}.yml": collections(2).replace("Film ", f"Film {n} ") for n in range(150)}
    started = process_time()

    warnings = read({**files, "config.yml": CONFIG}).warnings

    assert len(warnings) == 600
    assert sum(bool(warning.correction) for warning in warnings) >= 10
    assert process_time() - started < 60


def test_definitions_that_are_shared() -> None:
    """A correction that would reach another collection is not offered, but said; one that does not is."""
    shared = f"collections:\n{block()}\n  Film Noir: &noir\n    plex_all: true\n  Neo Noir:\n    <<: *noir\n"
    (missing, sync) = look(shared).warnings
    assert (missing.correction, sync.correction) == (None, None)
    assert "Whatever uses `*noir` changes, too." in missing.remedy

    alone = look(shared.replace("<<: *noir", "plex_all: true")).warnings
    assert alone[0].correction is not None


@pytest.mark.parametrize("value", ["&tag kai-noir", "&tag [kai-noir]", "&tag"])
def test_values_that_are_shared(value: str) -> None:
    """No anchor is lost that another collection needs."""
    text = f"collections:\n{block()}\n  Film Noir:\n    radarr_taglist: {value}\n    sync_mode: sync\n"
    warnings = look(f"{text}  Other:\n    radarr_taglist: *tag\n").warnings

    assert [warning.collection for warning in warnings] == ["Film Noir"]
    assert warnings[0].correction is None


def test_a_wrong_tag_comes_before_the_mode() -> None:
    """To sync with a tag that is not the collection's own would empty it: the mode is corrected afterwards."""
    text = f"collections:\n{block()}\n  Film Noir:\n    radarr_taglist: kai-x\n    sync_mode: append\n"
    tag, mode = look(text).warnings
    assert tag.correction is not None
    assert mode.correction is None

    (mode,) = look(applied(text, [tag.correction])).warnings
    assert mode.correction is not None


@pytest.mark.parametrize(("first", "other"), [("Film Noir:", "Film Noir"), ("1917:\n    sync_mode: sync", '"1917"')])
def test_a_name_that_another_file_holds(first: str, other: str) -> None:
    """Kometa takes the first definition of a name: none is begun that would keep it from another one."""
    mine = f"collections:\n{block()}\n  {first}\n"
    theirs = f"collections:\n  {other}:\n    plex_all: true\n"

    alone, beside = read({"a.yml": mine}).warnings, read({"a.yml": mine, "b.yml": theirs}).warnings

    assert alone[0].what == beside[0].what
    assert alone[0].correction is not None
    assert beside[0].correction is None
