from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import Collection, ItemRef, OtherCollection
from kometa_ai.core.naming import label_of
from kometa_ai.kometa.blocks import Block
from kometa_ai.kometa.parser import Parsed, parse_block, uncomment
from tests.kometa.support import lines_of

ON = ("enabled: true", "prompt: Heists")


def parse(*lines: str, name: str = "Film Noir") -> Parsed:
    """The block with these lines, whose begin marker is in line 10: the first of them is in line 11."""
    return parse_block(name, Block(10, 11 + len(lines), tuple(f"  # {line}" for line in lines)), "movies.yml")


def good(*lines: str, name: str = "Film Noir") -> Collection:
    """The collection that these lines make without a problem."""
    parsed = parse(*lines, name=name)
    assert parsed.problems == ()
    assert isinstance(parsed.collection, Collection)
    return parsed.collection


def refused(*lines: str) -> list[tuple[int | None, str]]:
    """Line and text of each problem; the collection must be off, and every problem must say what to do."""
    parsed = parse(*lines)
    assert isinstance(parsed.collection, OtherCollection)
    assert all(problem.remedy and problem.source == "movies.yml" for problem in parsed.problems)
    assert all(problem.collection == "Film Noir" and problem.severity == "error" for problem in parsed.problems)
    return [(problem.line, f"{problem.what} {problem.remedy}") for problem in parsed.problems]


def test_the_specifications_example() -> None:
    """The specification's block gives its whole prompt and its threshold."""
    found = good(
        "enabled: true",
        "prompt: |",
        "  Identify film noir movies based on these criteria:",
        "  - Made primarily between 1940-1959",
        "  - Femme fatale character often present",
        "confidence_threshold: 0.7",
    )
    assert found.prompt == (
        "Identify film noir movies based on these criteria:\n"
        "- Made primarily between 1940-1959\n"
        "- Femme fatale character often present"
    )
    assert (found.name, found.slug, found.tag, found.label) == (
        "Film Noir",
        "film-noir",
        "KAI-film-noir",
        "kai-film-noir",
    )
    assert (found.confidence_threshold, found.source, found.line) == (0.7, "movies.yml", 10)


def test_defaults() -> None:
    """A block needs `enabled` and `prompt` only."""
    found = good(*ON)
    assert (found.confidence_threshold, found.priority, found.include_tags, found.exclude_tags) == (
        0.7,
        0,
        frozenset(),
        frozenset(),
    )
    assert found.include_movies == found.exclude_movies == ()


def test_every_key() -> None:
    """All keys are read, in any order, with the prompt in the middle."""
    found = good(
        "tag: KAI-Noir-2",
        "priority: 5",
        "exclude_movies: [tmdb:603]",
        "prompt: |",
        "  Dark.",
        "include_tags: [4K, Favourites]",
        "exclude_tags: [Kids]",
        "include_movies:",
        "  - tt0133093",
        "  - The Matrix (1999)",
        "confidence_threshold: 0.85",
        "enabled: true",
    )
    assert (found.tag, found.label, found.priority, found.prompt) == ("KAI-Noir-2", "kai-noir-2", 5, "Dark.")
    assert found.include_tags == {"4k", "favourites"}
    assert found.exclude_tags == {"kids"}
    assert found.include_movies == (ItemRef.parse("tt0133093"), ItemRef.parse("The Matrix (1999)"))
    assert found.exclude_movies == (ItemRef.parse("tmdb:603"),)
    assert found.confidence_threshold == 0.85


@pytest.mark.parametrize(
    ("written", "prompt"),
    [
        (["prompt: |", "  one", "  two"], "one\ntwo"),
        (["prompt: |-", "  one", "", "  two"], "one\n\ntwo"),
        (["prompt: |+", "  one", "  # two", ""], "one\n# two"),
        (["prompt: |2", "  one", "    two"], "one\n  two"),
        (["prompt: >", "  one", "  two"], "one two"),
        (["prompt: >-", "  one", "  two"], "one two"),
        (["prompt: one", "  two"], "one two"),
        (['prompt: "one: two # three"'], "one: two # three"),
        (["prompt: 'one''s'"], "one's"),
        (["prompt: 300"], "300"),
        (["prompt: |  # a remark", "  enabled: false"], "enabled: false"),
        (["? prompt", ": one"], "one"),
    ],
)
def test_a_prompt_in_any_form(written: list[str], prompt: str) -> None:
    """Every form of YAML text makes a prompt, first or last; what follows it are keys."""
    first = good(*written, "confidence_threshold: 0.8", "enabled: true")
    last = good("enabled: true", "confidence_threshold: 0.8", *written)
    assert first.prompt == last.prompt == prompt
    assert first.confidence_threshold == last.confidence_threshold == 0.8


@pytest.mark.parametrize("value", ["true", "True", "yes", "Yes", "on", "ON", "y", "1", "'true'", "true  # for now"])
def test_what_counts_as_true(value: str) -> None:
    """YAML 1.2 takes `yes` and `on` for text; people mean true."""
    assert good(f"enabled: {value}", "prompt: x").prompt == "x"


@pytest.mark.parametrize(
    "lines", [["enabled: false"], ["enabled: no"], ["enabled: off"], ["enabled:"], [], ["prompt: x"]]
)
def test_what_counts_as_false(lines: list[str]) -> None:
    """A block is off unless it says that it is on, and needs nothing else."""
    parsed = parse(*lines)
    assert parsed.problems == ()
    assert parsed.collection == OtherCollection(
        name="Film Noir", slug=parsed.collection.slug, label=label_of("kai-film-noir"), source="movies.yml", line=10
    )


def test_a_block_that_is_off_is_judged_by_its_keys_only() -> None:
    """Values change nothing while it is off, but a misspelt key may have been `enabled`."""
    assert refused("enabled: false", "confidence_threshold: 7", "prompt: []", "enabeld: true") == [
        (14, "`enabeld` is not a key of a block. Did you mean `enabled`?")
    ]


@pytest.mark.parametrize(
    "body",
    [
        ["#enabled: true", "#prompt: |", "#  a"],
        ["#    enabled: true", "#    prompt: a"],
        ["#\tenabled: true", "#\tprompt: a"],
        ["\t#enabled: true", "", "    # prompt: a"],
        ["# enabled: true\u2028", "# prompt: a"],
        ["# # a remark", "# enabled: true", "# prompt: a"],
    ],
)
def test_comments_may_be_typed_in_any_style(body: list[str]) -> None:
    """With and without a blank after `#`, indented as a whole, with empty lines between."""
    parsed = parse_block("A", Block(1, 9, tuple(body)), "movies.yml")
    assert parsed.problems == ()
    assert isinstance(parsed.collection, Collection)
    assert parsed.collection.prompt == "a"


@pytest.mark.parametrize("value", ["4K, kids", "[4k, KIDS]", "'4k,kids'"])
def test_tags_as_a_list_or_as_text(value: str) -> None:
    """One line with commas is a list, too; labels are compared in lower case."""
    assert good(*ON, f"include_tags: {value}").include_tags == {"4k", "kids"}


@pytest.mark.parametrize("value", ["007", "1917", "true", "null-ish", "2001-01-01", "1e3", "4k"])
def test_labels_are_what_was_written(value: str) -> None:
    """A label that looks like a number or a date stays as it was typed."""
    assert good(*ON, f"exclude_tags: [{value}]").exclude_tags == {value}
    assert good(*ON, f"exclude_tags: {value}").exclude_tags == {value}


@pytest.mark.parametrize("value", ["", "[]", "~", "null"])
def test_an_empty_list(value: str) -> None:
    """A key without a value is as good as no key."""
    found = good(
        *ON, f"include_tags: {value}", f"include_movies: {value}", f"priority: {'' if value == '[]' else value}"
    )
    assert (found.include_tags, found.include_movies, found.priority) == (frozenset(), (), 0)


@pytest.mark.parametrize(
    ("value", "movies"),
    [
        ("tmdb:603", ["tmdb:603"]),
        ("tmdb:603, tt0133093", ["tmdb:603", "tt0133093"]),
        ("I, Tonya (2017), The Matrix (1999)", ["I, Tonya (2017)", "The Matrix (1999)"]),
        ("Mission: Impossible (1996)", ["Mission: Impossible (1996)"]),
        ("[1917 (2019), '2001: A Space Odyssey (1968)']", ["1917 (2019)", "2001: A Space Odyssey (1968)"]),
    ],
)
def test_pins_as_a_list_or_as_text(value: str, movies: list[str]) -> None:
    """Titles keep their commas and colons."""
    value = value if ": " not in value or value.startswith("[") else f"'{value}'"
    assert [ref.text for ref in good(*ON, f"include_movies: {value}").include_movies] == movies


def test_a_title_with_a_colon_needs_no_quotes() -> None:
    """YAML sees a mapping in it; a person sees a title."""
    found = good(*ON, "include_movies:", "  - Mission: Impossible (1996)", "  - 2001: A Space Odyssey (1968)")
    assert [ref.title for ref in found.include_movies] == ["mission: impossible", "2001: a space odyssey"]


@pytest.mark.parametrize("value", ["0", "1", "0.0", "1.0", ".5", "'0.75'", "7e-1", "+0.7"])
def test_thresholds_in_range(value: str) -> None:
    """Both ends belong to the range."""
    assert good(*ON, f"confidence_threshold: {value}").confidence_threshold == float(value.strip("'"))


@pytest.mark.parametrize(
    "line",
    [
        "confidence_threshold: 1.01", "confidence_threshold: -0.1", "confidence_threshold: .nan",
        "confidence_threshold: nan", "confidence_threshold: .inf", "confidence_threshold: true",
        "confidence_threshold: high", "confidence_threshold: 70%", "confidence_threshold: 0,7",
        "confidence_threshold: [0.7]", "confidence_threshold: ''",
        "priority: 1.5", "priority: high", "priority: true", "priority: [1]", "priority: 99999999999999999999",
        "enabled: maybe", "enabled: 2", "enabled: [true]", "enabled: ''",
        "tag: film-noir", "tag: KAI-", "tag: KAI-film_noir", "tag: KAI-film noir", "tag: KAI-ürban", "tag: [KAI-x]",
        "include_tags: ['']", "include_tags: ''", "include_tags: ' '", "include_tags: [~]", "include_tags: a,,b",
        "exclude_tags: [[a]]", "exclude_tags: {a: b, c: d}",
        "include_movies: The Matrix", "include_movies: [603]", "exclude_movies: ''", "exclude_movies: [~]",
        "include_movies: tmdb:603, Heat", "exclude_movies: ['tmdb:x']",
        "include_tags: KAI-Film-Noir", "exclude_tags: [kai-film-noir]",
        "promt: x", "Prompt: x", "confidence-threshold: 0.7", "threshold: 0.7", "nonsense: 1", "<<: {a: b}",
        "? [a, b]",
    ],
)  # fmt: skip
def test_every_wrong_value_is_named_with_its_line(line: str) -> None:
    """One wrong line is one problem, at that line, that quotes the key."""
    lines = [text for text in ON if not text.startswith(line.partition(":")[0] + ":")]
    found = refused(*lines, line)
    assert [where for where, _ in found] == [11 + len(lines)]
    assert f"`{line.partition(':')[0]}" in found[0][1] or line.startswith("?")


@pytest.mark.parametrize("line", ["prompt:", "prompt: ''", "prompt: ' '", "prompt: |", "prompt: # Heists"])
def test_an_empty_prompt(line: str) -> None:
    """A collection that is on needs a prompt with text in it."""
    assert "there is no `prompt`" in refused("enabled: true", line)[0][1]


def test_a_prompt_that_is_missing() -> None:
    """Without the key, the problem stands at the block."""
    assert refused("enabled: true")[0][0] == 10


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("enabeld", "enabled"),
        ("Promt", "prompt"),
        ("threshold", "confidence_threshold"),
        ("confidence-threshold", "confidence_threshold"),
        ("exclude tags", "exclude_tags"),
    ],
)
def test_a_typo_is_answered_with_the_key(written: str, meant: str) -> None:
    """The nearest key is proposed."""
    assert refused(*ON, f"{written}: 1")[0][1].endswith(f"Did you mean `{meant}`?")


def test_a_key_like_no_other() -> None:
    """Where no key is near, all are listed."""
    assert "enabled, prompt, confidence_threshold" in refused(*ON, "zzz: 1")[0][1]


def test_all_problems_at_once() -> None:
    """Every mistake of a block is reported, each at its own line, the ones between keys included."""
    found = refused(
        "confidence_threshold: 2",
        "enabled: true",
        "priority: x",
        "include_tags:",
        "  - ok",
        "  - ''",
        "  - kai-film-noir",
        "include_movies:",
        "  - tmdb:603",
        "  - Matrix",
        "exclude_movies: TMDB:603",
        "oops: 1",
        "priority: 3",
    )
    # 10: there is no prompt; 17: the own tag
    assert [line for line, _ in found] == [10, 11, 13, 16, 17, 20, 21, 22, 23]


def test_one_movie_in_and_out() -> None:
    """A movie that is pinned in and out at once is a problem, however its name is written."""
    assert refused(*ON, "include_movies: The Matrix (1999)", "exclude_movies: THE MATRIX (1999)")[0][0] == 14


def test_the_own_tag_under_another_name() -> None:
    """With `tag`, the own tag is that one."""
    assert good(*ON, "tag: KAI-x", "include_tags: KAI-film-noir").include_tags == {"kai-film-noir"}
    assert len(refused(*ON, "tag: KAI-x", "exclude_tags: kai-X")) == 1


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["enabled: true", "prompt: Heists: the best"], 12),
        (["enabled: true", "prompt: |", "not indented"], 13),
        (["enabled: true", "prompt: 'never closed"], 12),
        (["enabled: [true", "prompt: x"], 12),
        (["just some text"], 11),
        (["- enabled: true"], 11),
        (["", "enabled true"], 12),
        (["enabled: true", "---", "prompt: x"], 12),
    ],
)
def test_a_block_that_is_no_settings(lines: list[str], line: int) -> None:
    """Text that YAML refuses is one problem, at the line where reading stopped."""
    assert [where for where, _ in refused(*lines)] == [line]


def test_a_key_that_stands_twice() -> None:
    """The second of two equal keys is the problem, and the first is named."""
    ((line, text),) = refused(*ON, "prompt: other")
    assert line == 13
    assert "line 12" in text


def test_the_label_of_a_skipped_collection() -> None:
    """A block with a mistake still says which tag it manages, so that the tag is not taken for an orphan."""
    parsed = parse(*ON, "tag: KAI-mine", "oops: 1")
    assert isinstance(parsed.collection, OtherCollection)
    assert parsed.collection.label == "kai-mine"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r")), max_size=8))
def test_no_text_makes_it_fail(lines: list[str]) -> None:
    """Whatever stands in a block, the answer is a collection or problems inside the block."""
    parsed = parse(*lines)
    assert all(10 <= (line or 0) <= 10 + max(len(lines), 1) for line in lines_of(parsed.problems))


@given(
    st.lists(st.sampled_from(["enabled: true", "prompt: |", "  text", "- a", "include_tags: ", "&a", "*a", "{", "'"]))
)
def test_no_piece_of_yaml_makes_it_fail(lines: list[str]) -> None:
    """The same with text that is nearly right."""
    assert isinstance(parse(*lines), Parsed)


@given(st.lists(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]))), st.integers(0, 6), st.booleans())
def test_uncommenting_keeps_the_lines(lines: list[str], indent: int, blank: bool) -> None:  # noqa: FBT001
    """Lines are counted as before, and their indentation to each other stays."""
    body = [" " * indent + "#" + " " * blank + " x" + line for line in lines]
    assert uncomment(body) == [f"x{line}".rstrip() for line in lines]
