from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.kometa.blocks import FileBlocks, find_blocks
from kometa_ai.kometa.document import read_document
from kometa_ai.kometa.lines import split_lines
from kometa_ai.kometa.refusals import BrokenYaml
from tests.kometa.support import block, lines_of

BODIES = [
    "\n    a: 1",
    "\n    a:\n      b:\n        c: deep  # trailing",
    "\n    summary: |\n      text\n      # === KOMETA-AI ===\n",
    "\n    summary: >+\n      # text\n\n\n",
    "\n    summary: |2-\n       # indented text",
    "\n    summary: |\n",
    "\n    a: 'one\n      # === KOMETA-AI ===\n\n      two'",
    '\n    a: "one\n# === END KOMETA-AI ===\n      two"',
    "\n    a: plain\n      text over\n\n      lines",
    "\n    list:\n    - a\n    - b: c",
    "\n    list:\n      - [a,\n         b]",
    "\n  - not\n  - a mapping",
    " {a: 1, b: [c: d]}",
    " {a: 1,\n   # a comment\n   b: 2}",
    "",
    " ~",
    " &anchor\n    <<: {a: 1}",
    " &other\n    # a comment\n    a: 1\n    # another",
    " !tag\n    a: 1",
    " 'text'",
]
HEADS: list[list[str]] = [[], ["templates:", "  T: {a: 1}"], ["---", "# a head"]]
TOPS = ["collections:", "'collections':", "collections: !!map", "collections:  # x"]
TAILS: list[list[str]] = [[], [""], ["metadata:", "  x: 1"], ["..."]]
PLAIN_NAMES = {
    "1917": "1917",
    "007": "7",
    "3.10": "3.1",
    "2001-01-01": "2001-01-01",
    "true": "True",
    "yes": "yes",
    "12:30": "12:30",
    "🎃 Halloween": "🎃 Halloween",
    "We're 1": "We're 1",
    "'It''s'": "It's",
    "!!str 42": "42",
    "&name Anchored": "Anchored",
}
NAMES = st.one_of(
    st.sampled_from(sorted(PLAIN_NAMES.items())),
    st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="&"), min_size=1, max_size=12).map(
        lambda name: (json.dumps(name, ensure_ascii=False), name)
    ),
)
INDENTS = st.integers(0, 12).map(lambda width: " " * width)
SHALLOW = st.integers(0, 4).map(lambda width: " " * width)  # where deeper lines would go on with a block scalar
NOISE = st.lists(
    st.sampled_from(["", "   ", "# a remark", "        # far right", "# === something else ==="]), max_size=3
)


def blocks_of(text: str) -> FileBlocks:
    """What is found in a file of this text."""
    return find_blocks(read_document(text), "movies.yml")


def bound(text: str) -> list[tuple[str, int]]:
    """Each bound collection with its block's line; nothing may be wrong."""
    found = blocks_of(text)
    assert found.problems == ()
    return [(key.name, block.line) for key, block in found.bound]


@st.composite
def planted(draw: st.DrawFn) -> tuple[str, str, int]:
    """A file with one block in it, the name it stands above, and its line."""
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique_by=lambda name: name[1]))
    chosen = draw(st.integers(0, len(names) - 1))
    lines = [*draw(st.sampled_from(HEADS)), draw(st.sampled_from(TOPS))]
    place = 0
    for number, (written, _) in enumerate(names):
        if number == chosen:
            below_scalar = any(sign in line for line in lines for sign in "|>")
            lines += [] if below_scalar else draw(NOISE)
            place = len(lines) + 1
            indents = SHALLOW if below_scalar else INDENTS
            lines += [draw(indents) + line for line in block(indent=0).split("\n")]
            lines += draw(NOISE)
        body = draw(st.sampled_from(BODIES))
        entry = draw(st.sampled_from([f"  {written}:{body}", f"  ? {written}\n  :{body}"]))
        lines += entry.replace("&", f"&a{number}").split("\n")
    lines += draw(st.sampled_from(TAILS))
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(lines), names[chosen][1], place


@given(planted())
def test_a_block_belongs_to_the_key_below_it(file: tuple[str, str, int]) -> None:
    """A block above any key, at any indentation, after any value, is bound to exactly that key."""
    text, name, line = file
    found = blocks_of(text)
    assert found.problems == ()
    assert [(key.name, block.line) for key, block in found.bound] == [(name, line)]
    assert found.spoiled == found.misplaced == ()


@given(
    st.lists(st.sampled_from(["# === KOMETA-AI ===", "# enabled: true", "# === END KOMETA-AI ===", "text", ""])),
    st.sampled_from(["|", ">", "|-", ">+", '"', "'"]),
)
def test_markers_in_text_are_text(lines: list[str], style: str) -> None:
    """No marker in a block scalar or in a quoted string is ever taken for a block."""
    quote = style if style in "'\"" else ""
    value = "".join(f"\n      {line}" for line in ["begin", *lines, "end"])
    text = f"collections:\n  A:\n    summary: {quote or style}{value}{quote}\n  B:\n    a: 1\n"
    assert blocks_of(text) == FileBlocks()


def test_the_specifications_example() -> None:
    """The example of the specification is one block of "Film Noir", and its comments below are none."""
    text = (
        f"# Regular\ncollections:\n{block()}\n  Film Noir:\n    plex_search:\n      all:\n        genre: x\n    # ...\n"
    )
    assert bound(text) == [("Film Noir", 3)]


@pytest.mark.parametrize(
    "text",
    [
        f"collections: {{\n{block()}\n  A: {{a: 1}}, B: 2}}\n",
        f'{{"collections": {{\n{block()}\n  "A": 1}}}}',
        f"collections:\n{block(indent=0)}\n\n\n  A:",
        f"collections:\n{block()}\n  ? A\n  : {{a: 1}}",
        f"collections:\n{block()}\n  ? # remark\n    A\n  : {{a: 1}}",
        f"collections:\n{block()}\n  ? |-\n    A\n  : {{a: 1}}",
        f"# x\ncollections:\n{block()}\n  !!str A:\n    a: 1",
        f"collections: &all\n{block()}\n  A:\n    a: 1\nmore: *all",
        f"%YAML 1.2\n---\ncollections:\n{block()}\n  A:\n    a: 1\n...\n",
        f"collections:\n  <<: {{Z: 1}}\n{block()}\n  A:\n    a: 1\n  Y: 1",
    ],
)
def test_every_form_of_mapping(text: str) -> None:
    """Flow mappings, explicit keys, tags, anchors, directives and merges change nothing about binding."""
    assert [name for name, _ in bound(text)] == ["A"]


def test_a_name_brought_in_by_an_alias() -> None:
    """A key that is an alias has the alias's place and the anchor's name."""
    text = f"names:\n  - &heist Heist\ncollections:\n  A: 1\n{block()}\n  *heist :\n    a: 1\n"
    assert bound(text) == [("Heist", 5)]


def test_collections_that_share_a_body() -> None:
    """An alias as the value makes two collections, each with a block of its own."""
    text = f"collections:\n{block()}\n  A: &body\n    a: 1\n{block()}\n  B: *body\n"
    assert bound(text) == [("A", 2), ("B", 8)]


@pytest.mark.parametrize(
    "marker", ["#=== {}KOMETA-AI ===", "#   === {}kometa-ai ===  ", "    # ==== {}Kometa AI ====", "#==={}KOMETA-AI==="]
)
def test_markers_may_be_typed_a_little_differently(marker: str) -> None:
    """Case, blanks and the number of signs do not matter: a block with a near miss would vanish without a word."""
    text = f"collections:\n{marker.format('')}\n# x\n{marker.format('end ')}\n  A: 1"
    assert bound(text) == [("A", 2)]


@pytest.mark.parametrize("line", ["# # === KOMETA-AI ===", "# see === KOMETA-AI ===", "# KOMETA-AI"])
def test_other_comments_are_no_markers(line: str) -> None:
    """A marker commented out once more, or mentioned in a sentence, begins nothing."""
    assert blocks_of(f"collections:\n  {line}\n  A: 1") == FileBlocks()


def test_a_marker_after_a_value_is_no_block() -> None:
    """Only whole lines are markers."""
    assert blocks_of("collections:\n  A: # === KOMETA-AI ===\n    a: 1 # === END KOMETA-AI ===\n") == FileBlocks()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{block()}\ncollections:\n  A: 1", 1),
        (f"collections:\n  A: 1\n{block()}\nmetadata:\n  A: 1", 3),
        (f"collections:\n  A: 1\n{block()}", 3),
        (f"metadata:\n{block()}\n  A: 1", 2),
        (f"Collections:\n{block()}\n  A: 1", 2),
        (f"collections:\n{block()}\n  - A", 2),
        (f"collections:\n{block()}\n  <<: {{A: 1}}", 2),
        (f"collections:\n{block()}\n  ? [A]\n  : 1", 2),
        (f"- collections:\n{block()}\n    A: 1", 2),
        (block(), 1),
        (f"\n\n{block()}\n", 3),
    ],
)
def test_a_block_of_no_collection(text: str, line: int) -> None:
    """A block that does not stand right above a key below `collections:` is a problem at its line."""
    found = blocks_of(text)
    assert (found.bound, found.spoiled, found.misplaced) == ((), (), ())
    assert lines_of(found.problems) == [line]
    assert "belongs to no collection" in found.problems[0].what


@pytest.mark.parametrize("body", ["    a: 1\n{}\n    b: 1", "{}\n    a: 1", "    a: [1,\n{}\n      2]"])
def test_a_block_inside_a_collection(body: str) -> None:
    """A block below the name is a problem, and the collection is known to be meant."""
    found = blocks_of("collections:\n  Film Noir:\n" + body.format(block(indent=4)) + "\n  B: 1")
    assert found.bound == ()
    assert [key.name for key in found.misplaced] == ["Film Noir"]
    assert "belongs to no collection" in found.problems[0].what


def test_a_missing_end_spoils_one_collection() -> None:
    """Without its end a block takes neither the next collection nor that one's block with it."""
    cut = block().rpartition("\n")[0]
    found = blocks_of(f"collections:\n{cut}\n  A: 1\n{block()}\n  B: 1\n")
    assert [key.name for key, _ in found.bound] == ["B"]
    assert [key.name for key in found.spoiled] == ["A"]
    assert lines_of(found.problems) == [2]
    assert found.problems[0].collection == "A"


def test_a_missing_end_above_another_block() -> None:
    """A block that begins inside another: the first has no end, and it is unknown what the key's block is."""
    found = blocks_of(f"collections:\n  # === KOMETA-AI ===\n{block()}\n  A: 1\n")
    assert found.bound == ()
    assert lines_of(found.problems) == [2]


def test_an_end_without_a_beginning() -> None:
    """An end marker alone is a problem of the collection below it."""
    found = blocks_of("collections:\n  # enabled: true\n  # === END KOMETA-AI ===\n  A: 1\n")
    assert [key.name for key in found.spoiled] == ["A"]
    assert lines_of(found.problems) == [3]


def test_two_blocks_on_one_collection() -> None:
    """The second of two blocks is the problem; both lines are named."""
    found = blocks_of(f"collections:\n{block()}\n  # and\n{block()}\n  A: 1\n")
    assert [key.name for key in found.spoiled] == ["A"]
    assert lines_of(found.problems) == [7]
    assert "line 2" in found.problems[0].what


def test_the_body_is_what_stands_between_the_markers() -> None:
    """Empty lines between comments belong to the block, so that its lines can be counted."""
    found = blocks_of("collections:\n# === KOMETA-AI ===\n# a: 1\n\n  #b: 2\n# === END KOMETA-AI ===\n  A: 1\n")
    assert found.bound[0][1].body == ("# a: 1", "", "  #b: 2")


def test_text_right_under_a_block_scalars_header() -> None:
    """Under an empty `|` a deeper comment is text, and one at the key's indentation is a comment."""
    deeper = f"collections:\n  A:\n    s: |\n{block(indent=6)}\n  B: 1"
    level = f"collections:\n  A:\n    s: |\n{block(indent=4)}\n  B: 1"
    assert bound(deeper) == []
    assert bound(level) == [("B", 4)]


def test_lines_are_cut_as_yaml_counts_them() -> None:
    """Form feeds and Unicode's separators end no line: every number after them would be wrong."""
    assert split_lines("a\r\nb\rc\nd\x0b\x0c\x85\u2028\u2029e\n") == ("a", "b", "c", "d\x0b\x0c\x85\u2028\u2029e", "")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: c: d\n", 2, "Put the text in quotes"),
        ("a:\n  b\n    c: 1\n", 2, "a colon is missing at the end of the line"),
        ("a:\n  b c\n\n    d: 1\n", 2, "a colon is missing at the end of the line"),
        ("a: b\n  c: 1\n", 2, "Indent it as deep as that one"),
        ("a: |\nb c\n", 2, "two blanks further in than `a`"),
        ("a: >-\n  b\nc d\n", 3, "two blanks further in than `a`"),
        ("a: |\nb: c\nd e\n", 3, "two blanks further in than `a`"),
        ("a: |\n  b\nc: 1\nd e\n", 4, "Write it as `key: value`."),
        ("a: 1\nb: 2\na: 3\n", 3, "the same key stands twice"),
        ("a: *b\n", 1, "no anchor"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a:\n\tb: 1\n", 2, "a tab"),
        ("a: @b\n", 1, "quotes"),
        ("a: 1\nb: 'c\nd\n", 2, "a quote is never closed"),
        ("a:\n  b: 1\n c: 2\n", 3, "indentation"),
        ("a: 1\n# \x07\n", 2, "control character"),
        ("a: 1\n# x\u2028y z\n# b\nc: 1\n", 2, "U+2028"),
        ("a: 1\r\n# x\x85y z\r\nc: 1\r\n", 2, "U+0085"),
        ("[" * 600, 1, "nested too deeply"),
        ("a: 2001-99-99\n", 0, "month must be in 1..12"),
    ],
)
def test_a_refused_file_says_where_and_why(text: str, line: int, words: str) -> None:
    """What YAML refuses is explained in plain words, with the line where it can be known."""
    with pytest.raises(BrokenYaml) as caught:
        read_document(text)
    assert caught.value.line == line
    assert words in f"{caught.value.reason} {caught.value.remedy}"


def test_a_separator_that_breaks_nothing_is_not_blamed() -> None:
    """Where an invisible line end in a comment is followed by a comment, the real mistake is reported."""
    with pytest.raises(BrokenYaml) as caught:
        read_document("# a\u2028# b\nc: d: e\n")
    assert caught.value.line == 2


def test_an_anchor_that_is_used_twice_is_no_problem() -> None:
    """Kometa accepts it, so it neither fails nor warns."""
    assert bound(f"a: &x 1\nb: &x 2\ncollections:\n{block()}\n  *x : 1\n") == [("2", 4)]
