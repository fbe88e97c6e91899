"""The lines to copy for another threshold, prompt or pins: in every form of block, and proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.problem import Correction
from kometa_ai.kometa.checking.corrections import applied
from kometa_ai.kometa.checking.examination import read_folder
from kometa_ai.kometa.checking.rewording import (
    WrittenBlock,
    lines_to_copy,
    with_pins,
    with_prompt,
    with_threshold,
)
from kometa_ai.kometa.files import TextFile

from .support import block, read_one

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.collection import Collection

FORMS = {
    "plain": block("enabled: true", "prompt: Heists", "confidence_threshold: 0.7"),
    "with a comment": block("enabled: true  # on", "confidence_threshold: 0.7  # was 0.8", "prompt: Heists  # mine"),
    "quoted": block("'enabled': \"yes\"", '"confidence_threshold": "0.7"', "prompt: 'Heists'"),
    "empty": block("enabled: true", "confidence_threshold:  # the default", "prompt: Heists"),
    "not written": block("prompt: Heists", "enabled: true"),
    "literal": block(
        "enabled: true", "prompt: |", "  Heists", "", "  # and robberies", "", "confidence_threshold: 0.7"
    ),
    "folded": block("confidence_threshold: 0.7", "enabled: true", "prompt: >-  # folded", "    Heists", "    and more"),
    "over two lines": block("enabled: true", 'prompt: "Heists', '  and more"', "priority: 3"),
    "flow": block("{enabled: true, prompt: Heists, confidence_threshold: 0.7}"),
    "flow over lines": block("{", "  enabled: true,", "  prompt: Heists", "}"),
    "without blanks": block("enabled: true", "prompt: |", "    Heists").replace("# e", "#e").replace("# p", "#p"),
    "with tabs": block("enabled: true", "prompt: Heists", "confidence_threshold: 0.7")
    .replace("# e", "#\te")
    .replace("# p", "#\tp")
    .replace("# c", "#\tc"),
    "far in": block("   enabled: true", "   prompt: Heists", "   include_movies:", "   - tmdb:1"),
    "with pins": block(
        "include_movies:",
        "  - tmdb:1  # Ariel",
        "  - Heat (1995)",
        "",
        "enabled: true",
        "exclude_movies: [tmdb:2]",
        "prompt: A",
    ),
    "pins in text": block("enabled: true", "prompt: A", "include_movies: I, Tonya (2017), tmdb:1", "exclude_movies:"),
    "anchored": block("enabled: true", "prompt: &text Heists", "confidence_threshold: 0.7"),
}
ENDS = {"unix": "\n", "windows": "\r\n"}


def file_of(form: str, end: str = "\n") -> str:
    """A file with two collections, the first of which has the block."""
    other = block("enabled: true", "prompt: Others", "include_tags: [kai-heist]")
    text = f"collections:\n{form}\n  Heist:\n    radarr_taglist: kai-heist\n{other}\n  Other:\n    plex_all: true\n"
    return text.replace("\n", end)


def written(text: str) -> WrittenBlock:
    """The first block of a file."""
    found = WrittenBlock.of(TextFile("movies.yml", text), "Heist")
    assert found
    return found


def read_again(text: str, correction: Correction) -> Collection:
    """The collection after the correction was made."""
    folder = read_one(applied(text, correction))
    assert not folder.problems
    return next(each for each in folder.collections if each.name == "Heist")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_another_threshold(form: str, end: str) -> None:
    """In every form of block the line for another threshold is told; the file then says that, and nothing else new."""
    text = file_of(form, end)

    correction = with_threshold(written(text), 0.65)

    assert correction
    after = read_again(text, correction)
    assert after.confidence_threshold == 0.65
    assert after.prompt == written(text).says.prompt
    assert len(correction.lines) == 1


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("prompt", ["Robberies", "Robberies:\n\n  - planned\n# not petty\n'all' \"of\" them: {x}"])
def test_another_prompt(form: str, prompt: str) -> None:
    """In every form of block the lines for another prompt are told; nothing else of the block changes."""
    text = file_of(form)
    before = written(text)

    correction = with_prompt(before, f"\n{prompt}  \n\n")

    assert correction
    after = read_again(text, correction)
    assert after.prompt == prompt
    assert after.confidence_threshold == before.says.confidence_threshold
    assert after.pins_in == before.says.pins_in


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_more_pins(form: str) -> None:
    """In every form of block the lines for more pins are told: after those that are there, once each."""
    text = file_of(form)
    before = written(text)

    correction = with_pins(before, into=["tmdb:1", "Mission: Impossible (1996)", "tmdb:603"], out=["tt0113277"])

    assert correction
    after = read_again(text, correction)
    into, out = ([ref.text for ref in side] for side in (before.says.pins_in, before.says.pins_out))
    new = [text for text in ("tmdb:1", "Mission: Impossible (1996)", "tmdb:603") if text not in into]
    assert [ref.text for ref in after.pins_in] == [*into, *new]
    assert [ref.text for ref in after.pins_out] == [*out, "tt0113277"]


@pytest.mark.parametrize("name", ["with pins", "pins in text", "far in"])
def test_pin_on_the_other_side(name: str) -> None:
    """An item that is pinned in and is now to be out moves over; the comments of the others stay."""
    text = file_of(FORMS[name])

    correction = with_pins(written(text), out=["tmdb:1"])

    assert correction
    after = read_again(text, correction)
    assert "tmdb:1" not in [ref.text for ref in after.pins_in]
    assert "tmdb:1" in [ref.text for ref in after.pins_out]
    assert len(after.pins_in) == len(written(text).says.pins_in) - 1


def test_show_pins() -> None:
    """A collection of shows gets its pins under the keys of shows."""
    text = file_of(block("enabled: true", "media: shows", "prompt: Crime"))
    found = WrittenBlock.of(TextFile("shows.yml", text), "Heist", "show")
    assert found

    correction = with_pins(found, into=["tvdb:81189"])

    assert correction
    assert correction.lines == ("  # include_shows:", "  #   - tvdb:81189")
    with pytest.raises(ValueError, match="is none of"):
        with_pins(found, into=["603"])


def test_lines_keep_what_stands_beside() -> None:
    """Comments and indentation of the line that changes stay, and a line is put in below `enabled`."""
    text = file_of(FORMS["with a comment"])

    assert with_threshold(written(text), 0.75) == corrected(4, 4, "  # confidence_threshold: 0.75  # was 0.8")
    assert with_prompt(written(text), "Robberies") == corrected(5, 5, "  # prompt: |  # mine", "  #   Robberies")
    assert with_threshold(written(file_of(FORMS["not written"])), 0.75) == corrected(
        5, 4, "  # confidence_threshold: 0.75"
    )


def corrected(first: int, last: int, *lines: str) -> Correction:
    """The correction of these lines."""
    return Correction(first, last, lines)


def test_nothing_to_change() -> None:
    """What the block says already needs no lines."""
    block_now = written(file_of(FORMS["with pins"]))

    assert with_threshold(block_now, 0.7) is None
    assert with_prompt(block_now, " A ") is None
    assert with_pins(block_now, into=["tmdb:1"], out=["tmdb:2"]) is None


@pytest.mark.parametrize(
    ("form", "prompt"),
    [
        (block("enabled: true", "? prompt", ": Heists"), "Robberies"),
        (FORMS["plain"], "Robberies\n=== END KOMETA-AI ==="),
        (FORMS["plain"], "Robb\x07eries"),
        (block("enabled: true", "prompt: &text Heists", "include_movies: [*text]"), "Robberies"),
    ],
    ids=["complex key", "marker", "control", "shared"],
)
def test_unproved_is_not_offered(form: str, prompt: str) -> None:
    """Lines that would break the block, or change another key, are not offered."""
    text = file_of(form)
    if found := WrittenBlock.of(TextFile("movies.yml", text), "Heist"):
        assert with_prompt(found, prompt) is None


@given(
    st.sampled_from(list(FORMS.values())),
    st.sampled_from(list(ENDS.values())),
    st.one_of(st.text(max_size=60), st.text("ab:#-|>'\"{}[],&*!%@`\\ \n\t=?", max_size=40)),
)
def test_any_prompt(form: str, end: str, prompt: str) -> None:
    """Whatever the prompt, lines that are offered say it, apart from blanks at the ends of lines."""
    text = file_of(form, end)

    correction = with_prompt(written(text), prompt)

    if correction is not None:
        after = written(applied(text, correction)).says
        assert [line.rstrip() for line in prompt.strip().replace("\r\n", "\n").replace("\r", "\n").split("\n")] == (
            after.prompt.split("\n")
        )


@given(st.sampled_from(list(FORMS.values())), st.floats(0, 1))
def test_any_threshold(form: str, value: float) -> None:
    """Every threshold can be written, exactly."""
    block_now = written(file_of(form))

    correction = with_threshold(block_now, value)

    assert (correction is None) == (value == block_now.says.confidence_threshold)
    if correction:
        assert written(applied(block_now.file.text, correction)).says.confidence_threshold == value


def lines_for(folder: Path, value: float = 0.65) -> list[tuple[str, bool, str]]:
    """What is told for the collection Heist: of each file its name, whether there are lines, and what to do by hand."""
    collection = next(each for each in read_folder(folder).collections if each.name == "Heist")
    found = lines_to_copy(
        folder,
        collection,
        lambda each: with_threshold(each, value),
        by_hand="Write it.",
        services=frozenset({"movie"}),
        redact=lambda text: text.replace("hunter2", "***"),
    )
    return [(each.source, each.correction is not None, each.by_hand) for each in found]


def test_each_file(tmp_path: Path) -> None:
    """A collection whose block stands in two files gets lines for both: they must say the same."""
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(f"collections:\n{FORMS['plain']}\n  Heist:\n    plex_all: true\n")
    (tmp_path / "c.yml").write_text("collections:\n  Heist:\n    plex_all: true\n")

    assert lines_for(tmp_path) == [("a.yml", True, ""), ("b.yml", True, "")]


def test_no_secret(tmp_path: Path) -> None:
    """Lines of a configuration, and such as hold a secret, are not shown: the user changes them by hand."""
    secret = block("{enabled: true, prompt: hunter2}")
    (tmp_path / "config.yml").write_text(f"collections:\n{FORMS['plain']}\n  Heist:\n    plex_all: true\n")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "movies.yml").write_text(f"collections:\n{secret}\n  Heist:\n    plex_all: true\n")

    (tmp_path / "config.yml").rename(tmp_path / "config.yml.off")
    assert lines_for(tmp_path) == [("secret/movies.yml", False, "Write it.")]
    (tmp_path / "secret" / "movies.yml").unlink()
    (tmp_path / "config.yml.off").rename(tmp_path / "config.yml")
    assert lines_for(tmp_path) == [("config.yml", False, "Write it.")]
