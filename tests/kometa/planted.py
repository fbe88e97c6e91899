"""Faults that people make in Kometa's files, planted into a text that is right.

Each takes the lines and a source of chance, and changes the lines; where its place is not there, it changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Fault = Callable[[list[str], Random], None]

FAULTS: dict[str, Fault] = {}
NAMES = [
    "Mission: Impossible",
    "We're #1",
    "*batteries",
    "@Home",
    "[REC]",
    '"Alien": X',
    "%x",
    "1917",
    "007",
    "true",
    "null",
    "{a}",
    "- x",
    "? y",
    "'Tis",
    "`q`",
    "Ünïcode 🎃",
    "日本",
    "A # b",
    '"Quoted: name"',
    "!Mother",
    "~",
    "2001-01-01",
    "&anchor Film",
    "Wall: E: x",
    '"Half" quoted',
    "| pipe",
    "> more",
    "& more",
    "#1 Film",
]
TAGLISTS = [
    "",
    "kai-x",
    "a, b",
    "[a, 007]",
    "[]",
    '""',
    "~",
    "KAI-Other, 1e3",
    "&tag kai-y",
    '"x # y", z',
    "{a: b}",
    "\n      - a\n      - 'b, c'",
    "\n    - kai-z  # c",
    "|\n      kai-x",
    ">-\n      kai-x, true",
    "<<tag>>",
    "!x kai-x",
    "it's",
    "[kai-x,\n      other]",
    "*nowhere",
    "kai-x # it's 'mine'",
]
MODES = ["", "append", "append # c", '"append"', "&s append", "true", "[sync]", "<<m>>", "|\n      append", "never"]
ATTRIBUTES = [
    "collection_order: custom",
    "smart_filter: {all: {genre: x}}",
    "smart_label: random",
    "build_collection: false",
    "syncmode: sync",
    "item_radarr_tag.sync: a",
    "item_radarr_tag: kai-film-noir",
    "imdb_list:",
    "<<: *x",
    "template: {name: base, tag: kai-x}",
    "template: [{name: base}, {name: nope}]",
    "collection_order: [release, x]",
    "summary: a: b",
    "summary: @x # c",
    "blank_collection: true",
    "sync_mode: append",
    "SYNC_MODE: sync",
    "item_radarr_tag.sync: b\n    item_radarr_tag: c",
    "radarr_taglist: again",
    "sonarr_taglist: again",
    "item_sonarr_tag.sync: a",
    "item_sonarr_tag: kai-nordic-noir",
    "run_definition: show",
    "builder_level: season",
    "summary: 'open",
    'summary: "open',
    "summary: [a, b",
    "sort_title: x\n      item_label: y",
    "summary: dark\n      and long\n      goes on: here",
]
BLOCK_LINES = [
    "promt: x",
    "enabled: treu",
    "confidence_threshold: 75%",
    "confidence_threshold: 0,75",
    "priority: high",
    "include_tags: [kai-film-noire]",
    "include_movies: [tmdb 603]",
    "tag: Foo",
    "enable: true",
    "include: [a]",
    "include_movies: Heat 1995",
    "prompt: a: b",
    "exclude_tags: KAI-Film-Noir",
    "\tpriority: 3",
    "media: shows",
    "media: movies",
    "media: films",
    "libraries: radarr-4k",
    "include_shows: [tvdb 81189]",
    "include_shows: [Dark (2017)]",
    "exclude_movies: [Heat (1995)]",
]
_NAME = r"^ +[^\s#].*:\s*$"
_ATTRIBUTE = r"^ {4}(?:(?:rad|son)arr_taglist|sync_mode|summary|show_missing)"


def planted(fault: Fault) -> Fault:
    """Note a fault under its own name."""
    FAULTS[fault.__name__] = fault
    return fault


def _any(lines: list[str], chance: Random, pattern: str) -> int:
    """The number of a line of that form; raises IndexError if there is none."""
    return chance.choice([number for number, line in enumerate(lines) if re.search(pattern, line)])


def _name(lines: list[str], chance: Random) -> int:
    below = [number for number in range(1, len(lines)) if "# === END KOMETA-AI ===" in lines[number - 1]]
    return chance.choice(below)


@planted
def a_line_is_missing(lines: list[str], chance: Random) -> None:
    """One of the two lines that Kometa needs is gone."""
    del lines[_any(lines, chance, "(?:rad|son)arr_taglist|sync_mode")]


@planted
def both_lines_are_missing(lines: list[str], chance: Random) -> None:
    """A block was put above a collection, and nothing else was done."""
    number = _any(lines, chance, "(?:rad|son)arr_taglist")
    del lines[number : number + 2]


@planted
def another_tag(lines: list[str], chance: Random) -> None:
    """The tag is another one, or written in another form."""
    number = _any(lines, chance, "(?:rad|son)arr_taglist:")
    lines[number] = re.sub(":.*", lambda _: ": " + chance.choice(TAGLISTS), lines[number])


@planted
def another_mode(lines: list[str], chance: Random) -> None:
    """The mode is another one, or written in another form."""
    number = _any(lines, chance, "sync_mode:")
    lines[number] = re.sub(":.*", lambda _: ": " + chance.choice(MODES), lines[number])


@planted
def a_lost_hash(lines: list[str], chance: Random) -> None:
    """A line of a block is no comment any more."""
    number = _any(lines, chance, r"^\s*#")
    lines[number] = lines[number].replace(*chance.choice([("#", ""), ("# ", ""), ("#", " ")]), 1)


@planted
def a_lost_marker(lines: list[str], chance: Random) -> None:
    """One of the two markers is gone."""
    del lines[_any(lines, chance, "KOMETA-AI")]


@planted
def a_marker_too_many(lines: list[str], chance: Random) -> None:
    """A marker stands twice."""
    number = _any(lines, chance, "KOMETA-AI")
    lines.insert(number + chance.randint(0, 1), lines[number])


@planted
def a_line_twice(lines: list[str], chance: Random) -> None:
    """Any line stands twice."""
    number = chance.randrange(len(lines))
    lines.insert(number, lines[number])


@planted
def a_name_with_a_meaning(lines: list[str], chance: Random) -> None:
    """The name means something in YAML."""
    number = _name(lines, chance)
    lines[number] = f"  {chance.choice(NAMES)}:"


@planted
def too_deep(lines: list[str], chance: Random) -> None:
    """A line is too deep."""
    number = _any(lines, chance, r"^ {4}\S")
    lines[number] = "  " + lines[number]


@planted
def not_deep_enough(lines: list[str], chance: Random) -> None:
    """A line is not deep enough."""
    number = _any(lines, chance, r"^ {4}\S")
    lines[number] = lines[number][chance.randint(1, 3) :]


@planted
def a_tab(lines: list[str], chance: Random) -> None:
    """A tab stands for blanks."""
    number = _any(lines, chance, r"^\s+\S")
    text = lines[number]
    lines[number] = chance.choice(["\t" + text.lstrip(), text.replace("  ", "\t"), text.replace(": ", ":\t", 1)])


@planted
def no_colon(lines: list[str], chance: Random) -> None:
    """A colon, or the blank behind it, is forgotten."""
    number = _any(lines, chance, ":")
    lines[number] = lines[number].replace(*chance.choice([(":", ""), (": ", ":")]), 1)


@planted
def another_attribute(lines: list[str], chance: Random) -> None:
    """An attribute is there that Kometa refuses, or that does something else."""
    number = _any(lines, chance, _ATTRIBUTE)
    lines.insert(number + chance.randint(0, 1), "    " + chance.choice(ATTRIBUTES))


@planted
def a_flow_mapping(lines: list[str], chance: Random) -> None:
    """The collection is written on one line."""
    number = _name(lines, chance)
    lines.insert(number, f"  In One Line {number}: {{plex_all: true}}")


@planted
def a_shared_definition(lines: list[str], chance: Random) -> None:
    """Others use the definition by its anchor; one of the lines is missing."""
    number = _name(lines, chance)
    lines[number] += f" &shared{number}"
    del lines[_any(lines, chance, "(?:rad|son)arr_taglist|sync_mode")]
    lines += [f"  Merged:\n    <<: *shared{number}\n    sort_title: x", f"  Same: *shared{number}"]


@planted
def a_shared_value(lines: list[str], chance: Random) -> None:
    """Another collection uses the value by its anchor, and it is wrong here."""
    number = _any(lines, chance, r"(?:rad|son)arr_taglist: \S|sync_mode: \S")
    key = lines[number].strip().partition(":")[0]
    lines[number] = f"    {key}: &value{number} {chance.choice(['kai-x', 'append'])}"
    lines.append(f"  Copied:\n    plex_all: true\n    {key}: *value{number}")


@planted
def a_wrong_line_in_the_block(lines: list[str], chance: Random) -> None:
    """A key or a value that a block cannot have."""
    number = _any(lines, chance, r"#\s+(?:enabled|prompt|priority)")
    lines.insert(number, "  # " + chance.choice(BLOCK_LINES))


@planted
def a_moved_block(lines: list[str], chance: Random) -> None:
    """A block stands anywhere."""
    begin = _any(lines, chance, "# === KOMETA-AI")
    end = next(number for number in range(begin, len(lines)) if "# === END" in lines[number])
    block = lines[begin : end + 1]
    del lines[begin : end + 1]
    at = chance.randint(0, len(lines))
    lines[at:at] = block


@planted
def an_invisible_character(lines: list[str], chance: Random) -> None:
    """A character ends the comment, or is refused."""
    number = _any(lines, chance, "#")
    lines[number] += chance.choice(["\u2028x", "\u2028", "\x85# y", "\u2029 z", "\x07"])


@planted
def a_name_twice(lines: list[str], chance: Random) -> None:
    """The same collection stands in the file a second time."""
    lines += [lines[_name(lines, chance)], "    plex_all: true"]


def plant(text: str, name: str, chance: Random) -> str:
    """The text with a fault."""
    lines = text.rstrip("\n").split("\n")
    try:
        FAULTS[name](lines, chance)
    except (IndexError, StopIteration):
        return text
    return "\n".join(lines) + "\n"
