"""Slips of the pen that YAML trips over: each is told as what it is, with the line that was meant."""

from __future__ import annotations

import pytest

from kometa_ai.core.naming import slug_of
from tests.kometa.support import block, read_one

ON = block("enabled: true", "prompt: Heists")
LINES = "    radarr_taglist: kai-{slug}\n    sync_mode: sync\n"


def collection(name: str, written: str = "", body: str = "") -> str:
    """A file with a collection of this name, which stands in line 8, between two others."""
    lines = body or LINES.format(slug=slug_of(name))
    return (
        f"collections:\n  First:\n    plex_all: true\n{ON}\n  {written or name}:\n{lines}  Last:\n    plex_all: true\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Mission: Impossible",
        "Mission: Impossible: Fallout",
        "We're #1",
        "*batteries not included",
        "@Home",
        "%x",
        "`quoted`",
        "[REC]",
        "[REC] 2",
        "{proof}",
        '"Alien": Resurrection',
        '"Crocodile" Dundee',
        "'Tis the Season",
        "& Sons",
        "&Sons",
        "- minus",
        "> more",
        "| pipe",
        "Ünïcode: 日本",
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_name_that_needs_quotes(name: str, ending: str) -> None:
    """The whole name is quoted, not its second half; afterwards the collection is there."""
    text = collection(name).replace("\n", ending)

    (problem,) = read_one(text).problems

    assert (problem.line, problem.column) == (8, 3)
    assert "the name holds a character that means something in YAML" in problem.what
    assert problem.correction is not None
    (line,) = problem.correction.lines
    assert line in problem.remedy.replace('Put the name in quotes: `"', '  "')
    mended = read_one(text.replace(f"  {name}:{ending}", line + ending))
    assert [each.name for each in mended.collections] == [name]
    assert mended.problems == mended.warnings == ()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("'Mum's Favourites'", "Mum's Favourites"),
        ("'Mum''s and Dad's'", "Mum's and Dad's"),
        ("'Mum's \"Best\"'", 'Mum\'s "Best"'),
    ],
)
def test_an_apostrophe_in_single_quotes(written: str, name: str) -> None:
    """The single quotes are none of the name: double ones take their place."""
    text = collection(written)

    (problem,) = read_one(text).problems

    assert problem.correction is not None
    (line,) = problem.correction.lines
    remedy = "An apostrophe ends a name in single quotes; use double ones: "
    assert problem.remedy == f"{remedy}`{line.strip()}`."
    assert [each.name for each in read_one(text.replace(f"  {written}:", line)).collections] == [name]


@pytest.mark.parametrize("name", ["&x", "!x", "- x", "? x", "&x *y", "!x y", "? "])
@pytest.mark.parametrize("below", ["", "  Last:\n    plex_all: true\n"])
def test_a_name_that_yaml_takes_for_none(name: str, below: str) -> None:
    """Whatever YAML makes of it, the check ends with a sentence about it or the line below."""
    folder = read_one(f"collections:\n{ON}\n  {name}:\n{LINES.format(slug='x')}{below}")

    assert folder.problems or folder.warnings


@pytest.mark.parametrize("name", ["[REC]", "{proof}"])
def test_a_name_in_brackets_above_other_lines(name: str) -> None:
    """Its correction is offered though the collection, once it has its name, lacks the lines that Kometa needs."""
    text = collection(name, body="    plex_all: true\n")

    (problem,) = read_one(text).problems

    assert problem.correction is not None
    assert problem.correction.lines == (f'  "{name}":',)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("1917", 'Put the name in quotes: `"1917":`.'),
        ("007", 'Put the name in quotes: `"007":`, or `"7":` for the name that Kometa knows now.'),
        ("3.10", 'Put the name in quotes: `"3.10":`, or `"3.1":` for the name that Kometa knows now.'),
    ],
)
def test_a_name_that_is_a_number(written: str, remedy: str) -> None:
    """It is shown as it is written, and as Kometa calls it where that is something else."""
    (warning, *_) = read_one(collection(written)).warnings

    assert warning.remedy == remedy
    assert bool(warning.correction) is ("or" not in remedy)


def test_a_name_with_a_comment_behind_it() -> None:
    """The comment stays."""
    text = collection("Mission: Impossible").replace("Impossible:", "Impossible:   # the first: 1996")

    (problem,) = read_one(text).problems

    assert problem.correction is not None
    assert problem.correction.lines == ('  "Mission: Impossible":   # the first: 1996',)


@pytest.mark.parametrize("name", ["Film Noir", "1917", '"1917"', "&x Film", "Who?", "A, B & C!"])
def test_a_name_that_is_none_the_worse(name: str) -> None:
    """A collection whose name is fine is not blamed for what is wrong below it."""
    text = collection("x", name, "    summary: a: b\n")

    (problem,) = read_one(text).problems

    assert problem.line == 9
    assert "the name" not in problem.what


@pytest.mark.parametrize("value", ["dark", '"dark"', "5", "[a, b]", "{a: 1}", "dark  # c"])
@pytest.mark.parametrize("more", [1, 2])
def test_a_line_that_is_too_deep(value: str, more: int) -> None:
    """It goes as deep as the line above it, with those that are as deep."""
    deep = "".join(f"      {key}: x\n" for key in ("sort_title", "item_label")[:more])
    text = collection("Noir", body=f"    summary: {value}\n{deep}{LINES.format(slug='noir')}")

    (problem,) = read_one(text).problems

    assert problem.line == 10
    assert "indented deeper than the one above it, which already has its value" in problem.what
    assert problem.correction is not None
    assert (problem.correction.first, problem.correction.last) == (10, 9 + more)
    assert problem.correction.lines == tuple(line[2:] for line in deep.splitlines())
    assert read_one(text.replace(deep, deep.replace("      ", "    "))).problems == ()


@pytest.mark.parametrize(
    "body",
    [
        "    summary: dark\n      and long\n      goes on: here\n",
        "    summary: dark\n      whatever: x\n",
        "    imdb_list:\n      - a\n        b: c\n",
    ],
)
def test_a_deep_line_that_may_be_anything(body: str) -> None:
    """What may be text is not moved."""
    (problem,) = read_one(collection("Noir", body=body + LINES.format(slug="noir"))).problems

    assert problem.correction is None


@pytest.mark.parametrize(
    ("lost", "written", "meant"),
    [
        ("# === KOMETA-AI ===", "=== KOMETA-AI ===", "  # === KOMETA-AI ==="),
        ("# === END KOMETA-AI ===", "=== END KOMETA-AI ===", "  # === END KOMETA-AI ==="),
        ("# === END KOMETA-AI ===", "=== END KOMETA-AI ===:", "  # === END KOMETA-AI ==="),
        ("# === END KOMETA-AI ===", "== end kometa-ai ==", "  # === END KOMETA-AI ==="),
        ("# enabled: true", "enabled: true", "  # enabled: true"),
        ("# prompt: Heists", "prompt: Heists", "  # prompt: Heists"),
        ("# prompt: Heists", "  prompt: Heists", "  # prompt: Heists"),
        ("# prompt: Heists", "# prompt: |\n     Heists", "  #   Heists"),
        ("# === END KOMETA-AI ===", "; === END KOMETA-AI ===", "  # === END KOMETA-AI ==="),
        ("# === END KOMETA-AI ===", "// === END KOMETA-AI ===", "  # === END KOMETA-AI ==="),
    ],
)
def test_a_line_of_the_block_without_its_hash(lost: str, written: str, meant: str) -> None:
    """It gets its `#` back, and the block its collection: never one that is called like a marker."""
    text = collection("Film Noir").replace(lost, written, 1)

    folder = read_one(text)

    (problem,) = folder.problems
    assert "a line of the block has lost its `#`" in problem.what
    assert folder.collections == ()
    assert problem.correction is not None
    assert problem.correction.lines == (meant,)
    lines = text.split("\n")
    lines[problem.correction.first - 1 : problem.correction.last] = problem.correction.lines
    mended = read_one("\n".join(lines))
    assert [each.name for each in mended.collections] == ["Film Noir"]


def test_a_line_of_the_prompt_without_its_hash() -> None:
    """Where its place in the prompt is lost as well, it is only said: and no marker is taken away for it."""
    text = collection("Film Noir").replace("# prompt: Heists", "# prompt: |\n  #   Heists\n  Thefts: all of them")

    (problem,) = read_one(text).problems

    assert (problem.line, problem.correction) == (8, None)
    assert "a line of the block has lost its `#`" in problem.what


def test_several_lines_of_the_block_without_their_hash() -> None:
    """One correction gives it to all."""
    text = collection("Film Noir").replace("# enabled", "enabled").replace("# prompt", "prompt")

    folder = read_one(text)

    (problem,) = folder.problems
    assert problem.correction is not None
    assert problem.correction.lines == ("  # enabled: true", "  # prompt: Heists")
    assert [each.name for each in folder.skipped] == ["Film Noir"]


def test_a_collection_between_the_markers_is_not_commented_out() -> None:
    """An end that stands too low is no reason to take a collection for a part of the block."""
    text = collection("Film Noir").replace("  # === END KOMETA-AI ===\n", "") + "  # === END KOMETA-AI ===\n"

    problems = read_one(text).problems

    assert not any("lost" in problem.what for problem in problems)
    assert not any("#   Film Noir" in line for each in problems if each.correction for line in each.correction.lines)


def test_a_block_never_belongs_to_an_attribute() -> None:
    """A name that YAML takes for a comment leaves the block above the first attribute."""
    text = f"collections:\n{ON}\n  #1 Film:\n    radarr_taglist: kai-1-film\n    sync_mode: sync\n"

    folder = read_one(text)

    assert folder.collections == ()
    assert "stands above `radarr_taglist`, which is an attribute" in folder.problems[0].what


@pytest.mark.parametrize(
    ("old", "new", "meant"),
    [
        ("sync_mode: sync", "sync_mode sync", "    sync_mode: sync"),
        ("sync_mode: sync", "sync_mode:sync", "    sync_mode: sync"),
        ("radarr_taglist: kai-noir", "radarr_taglist kai-noir", "    radarr_taglist: kai-noir"),
        ("  Noir:", "  Noir", "  Noir:"),
        ("    sync_mode: sync", "\tsync_mode: sync", "    sync_mode: sync"),
        ("sync_mode: sync", "summary: a: b # c\n    sync_mode: sync", '    summary: "a: b" # c'),
        ("sync_mode: sync", "summary: @x\n    sync_mode: sync", '    summary: "@x"'),
        ("sync_mode: sync", "shine on you\n    sync_mode: sync", None),
        ("radarr_taglist: kai-noir", "radarr_taglist: *noir", None),
        ("Last:", "Last:\n    plex_search:\n      all:\n        genre: x\n\tsync_mode: sync", None),
        ("  Last:", "---\n  Last:", None),
    ],
)
def test_what_else_is_slipped(old: str, new: str, meant: str | None) -> None:
    """A colon, a blank, a tab, quotes: corrected where there is no doubt, else only said."""
    (problem,) = read_one(collection("Noir").replace(old, new, 1)).problems

    assert (problem.correction and problem.correction.lines) == (meant and (meant,))


@pytest.mark.parametrize(
    ("text", "first", "lines"),
    [
        (f"  # === KOMETA-AI ===\n{ON}", 4, ()),
        (f"{ON}\n  # === KOMETA-AI ===", 8, ()),
        (f"{ON}\n  # === END KOMETA-AI ===", 8, ()),
        (ON.replace("END ", ""), 7, ("  # === END KOMETA-AI ===",)),
    ],
)
def test_a_marker_too_many(text: str, first: int, lines: tuple[str, ...]) -> None:
    """It is taken away; where the end is written as a beginning, it becomes the end. There is never a second block."""
    (problem,) = read_one(collection("Noir").replace(ON, text)).problems

    assert problem.correction is not None
    assert (problem.correction.first, problem.correction.lines) == (first, lines)


@pytest.mark.parametrize("marker", ["# === KOMETA-AI ===", "# === END KOMETA-AI ==="])
def test_a_marker_too_many_above_no_collection(marker: str) -> None:
    """Without a setting beside it, it is taken away as well: at the top of a file, and at its end."""
    for text, line in ((f"{marker}\n{collection('Noir')}", 1), (f"{collection('Noir')}{marker}\n", 13)):
        (problem,) = read_one(text).problems

        assert problem.what == "this marker begins or ends no block."
        assert problem.correction is not None
        assert (problem.correction.first, problem.correction.lines) == (line, ())


def test_flaws_that_hang_together() -> None:
    """Where two markers lack their halves, it is not known which."""
    text = collection("Noir").replace(ON, f"{ON}\n{ON}".replace("  # === END KOMETA-AI ===\n", "  # enabled: no\n", 1))
    text = text.replace("  # === END KOMETA-AI ===\n", "  # === END KOMETA-AI ===\n  # === END KOMETA-AI ===\n")

    assert [problem.correction for problem in read_one(text).problems] == [None, None]
