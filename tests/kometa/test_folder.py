from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import Folder
from kometa_ai.errors import FixConfiguration
from kometa_ai.kometa.checking.examination import read_folder
from tests.kometa.support import block, collection, lines_of, read, read_one

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kometa_ai.core.collection import Collection, OtherCollection

HEIST = "collections:\n" + collection("Heist")


def names(found: Sequence[Collection | OtherCollection]) -> list[str]:
    """The names of collections."""
    return [one.name for one in found]


def test_a_plain_folder() -> None:
    """One file, one block, one collection, with its place."""
    folder = read_one(HEIST)
    assert names(folder.collections) == ["Heist"]
    assert (folder.collections[0].source, folder.collections[0].line) == ("movies.yml", 2)
    assert folder.problems == ()


def test_which_files_are_read() -> None:
    """All `.yml` and `.yaml` below the folder, in any case; none whose name, or folder, is hidden."""
    wanted = ["a.yml", "b.YAML", "c/d/e.Yml", "_c/f.yaml"]
    others = ["_g.yml", ".h.yml", ".git/i.yml", "c/.j/k.yml", "l.yml.bak", "m.txt", "yml", "c/_n.yaml"]
    folder = read({path: f"collections:\n{collection(f'Of {path}')}" for path in wanted + others})
    assert sorted(one.source for one in folder.collections) == sorted(wanted)
    assert folder.problems == ()


def test_order_of_collections() -> None:
    """The highest priority comes first, then the name decides, whatever file it is from."""
    low = collection("B", "enabled: true", "prompt: x") + collection("A", "enabled: true", "prompt: x")
    high = collection("Z", "enabled: true", "prompt: x", "priority: 9")
    last = collection("0", "enabled: true", "prompt: x", "priority: -1")
    folder = read({"a.yml": "collections:\n" + low + last, "b.yml": "collections:\n" + high})
    assert names(folder.collections) == ["Z", "A", "B", "0"]


@pytest.mark.parametrize(
    "content",
    [
        HEIST.encode("utf-8-sig"),
        HEIST.replace("\n", "\r\n").encode(),
        HEIST.replace("\n", "\r").encode(),
        HEIST.rstrip().encode(),
    ],
)
def test_how_a_file_may_be_saved(content: bytes) -> None:
    """A byte order mark, any line ends and a missing last one change nothing."""
    folder = read_one(content)
    assert (names(folder.collections), folder.problems) == (["Heist"], ())
    assert folder.collections[0].line == 2


def test_a_block_behind_a_byte_order_mark() -> None:
    """The mark hides no marker in the first line."""
    folder = read_one(f"\ufeff{block(indent=0)}\n{HEIST}")
    assert lines_of(folder.problems) == [1]


def test_no_folder(tmp_path: Path) -> None:
    """A folder that is missing, or is a file, is a wrong setting."""
    (tmp_path / "file.yml").write_text(HEIST)
    for path in (tmp_path / "missing", tmp_path / "file.yml"):
        with pytest.raises(FixConfiguration) as caught:
            read_folder(path)
        assert [problem.source for problem in caught.value.problems] == ["CONFIG_DIR"]
        assert str(path) in str(caught.value.problems[0])


def test_an_empty_folder() -> None:
    """Without any block there is one warning and no problem."""
    folder = read({"config.yml": "libraries:\n"})
    assert (folder.collections, folder.problems) == ((), ())
    assert [warning.source for warning in folder.warnings] == ["CONFIG_DIR"]


def test_a_folder_without_any_yaml() -> None:
    """A share that is not mounted looks like this, so that nothing in it counts as removed. It is told once."""
    for files in ({}, {"assets/poster.txt": "a poster"}):
        folder = read(files)
        assert folder.may_hide("movies.yml")
        (warning,) = folder.warnings
        assert (warning.source, warning.severity) == ("CONFIG_DIR", "warning")
        assert warning.what == "Kometa's folder holds no YAML file at all."
        assert "a mistyped path on the left of the mount" in warning.remedy
    assert not read({"config.yml": "libraries:\n"}).may_hide("movies.yml")


def test_blocks_without_kometas_configuration() -> None:
    """A hint: the folder may be one below Kometa's own. A configuration under another name counts."""
    for more, told in (({}, 1), ({"config.yml": "libraries:\n"}, 0), ({"main.yml": "libraries:\n"}, 0)):
        hints = [hint for hint in read({"movies.yml": HEIST, **more}).hints if hint.source == "CONFIG_DIR"]
        assert [hint.what.partition(",")[0] for hint in hints] == ["Kometa's config.yml is not in the folder"] * told


def test_a_file_that_is_no_yaml() -> None:
    """It is skipped and reported with its line; the others go on; nothing in it counts as removed."""
    folder = read({"a.yml": HEIST, "sub/b.yml": "collections:\n" + collection("B") + "  C: [1\n  D: 2\n"})
    assert names(folder.collections) == ["Heist"]
    assert folder.unreadable_files == ("sub/b.yml",)
    assert [problem.where for problem in folder.problems] == ["sub/b.yml:9"]


def test_a_key_twice_makes_kometa_refuse_the_file() -> None:
    """So it is no YAML for us, either."""
    folder = read_one("collections:\n" + collection("A") + collection("A"))
    assert folder.unreadable_files == ("movies.yml",)
    assert lines_of(folder.problems) == [12]


def test_a_broken_file_without_a_block() -> None:
    """It is reported, but it can hide no collection."""
    folder = read({"a.yml": HEIST, "b.yml": "a: b: c\n"})
    assert names(folder.collections) == ["Heist"]
    assert [problem.where for problem in folder.problems] == ["b.yml:1"]
    assert folder.unreadable_files == ()


def test_much_yaml_of_others_is_not_checked() -> None:
    """Only so much foreign YAML is read in a run: it is Kometa's business, and it takes time."""
    broken = "a: b: c\n"
    folder = read({"a.yml": HEIST, "b.yml": broken + "# a remark\n" * 30_000, "c.yml": broken})
    assert names(folder.collections) == ["Heist"]
    assert [problem.source for problem in folder.problems] == ["c.yml"]


@pytest.mark.parametrize(
    ("content", "unreadable"),
    [
        (HEIST.encode() + b"# caf\xe9\n", ("x.yml",)),
        (HEIST.encode("utf-16"), ("x.yml",)),
        (HEIST.encode("utf-16-le"), ("x.yml",)),
        (HEIST.encode("utf-16-be"), ("x.yml",)),
        (b"a: 1\nb: \xff\xfe\n", ()),
    ],
)
def test_a_file_that_is_not_utf_8(content: bytes, unreadable: tuple[str, ...]) -> None:
    """It is reported, and may hide a collection where a marker can be made out in it."""
    folder = read({"x.yml": content, "y.yml": HEIST})
    assert names(folder.collections) == ["Heist"]
    assert [problem.source for problem in folder.problems] == ["x.yml"]
    assert "UTF-8" in folder.problems[0].what
    assert folder.unreadable_files == unreadable


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    """A link into nowhere and one to itself may hide a collection; a pipe is not waited for, and named as well."""
    (tmp_path / "a.yml").write_text(HEIST)
    (tmp_path / "b.yml").symlink_to("nowhere.yml")
    (tmp_path / "c.yml").symlink_to("c.yml")
    (tmp_path / "notes.txt").symlink_to("nowhere.txt")
    (tmp_path / "f.yml").symlink_to("/proc/self/mem")
    os.mkfifo(tmp_path / "d.yml")
    (tmp_path / "e.yml").mkdir()
    folder = read_folder(tmp_path)
    assert names(folder.collections) == ["Heist"]
    assert folder.unreadable_files == ("b.yml", "c.yml")
    assert [problem.source for problem in folder.problems] == ["b.yml", "c.yml", "d.yml", "f.yml"]


def test_a_file_name_that_is_not_utf_8(tmp_path: Path) -> None:
    """Its place can be printed."""
    (tmp_path / os.fsdecode(b"caf\xe9.yml")).write_text(HEIST)
    assert read_folder(tmp_path).collections[0].source == "caf\ufffd.yml"


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    """A linked folder is read, one that leads back to itself is not read for ever."""
    config = tmp_path / "config"
    (config / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.yml").write_text(HEIST)
    (config / "linked").symlink_to(tmp_path / "elsewhere")
    (config / "sub" / "up").symlink_to(config)
    (tmp_path / "elsewhere" / "self").symlink_to(tmp_path / "elsewhere")
    folder = read_folder(config)
    assert names(folder.collections) == ["Heist"]
    assert folder.collections[0].source == "linked/a.yml"
    assert folder.problems == ()


def test_one_collection_in_several_files() -> None:
    """Bare places and places with the same block are one collection."""
    same = f"collections:\n{block('prompt:  |', '  Heists', 'enabled: yes', indent=0)}\n  Heist: {{a: 1}}\n"
    folder = read({"a.yml": "collections:\n  Heist: {a: 1}\n", "b.yml": HEIST, "c.yml": same})
    assert names(folder.collections) == ["Heist"]
    assert folder.collections[0].source == "b.yml"
    assert folder.problems == ()


@pytest.mark.parametrize(
    "body",
    [("enabled: true", "prompt: other"), ("enabled: true", "prompt: Heists", "priority: 1"), ("enabled: false",)],
)
def test_different_blocks_of_one_collection(body: tuple[str, ...]) -> None:
    """Neither block can be believed: both places are named, and the collection is skipped."""
    folder = read({"a.yml": HEIST, "b.yml": "collections:\n" + collection("Heist", *body) + collection("Noir")})
    assert names(folder.collections) == ["Noir"]
    assert names(folder.skipped) == ["Heist"]
    assert [problem.where for problem in folder.problems] == ["a.yml:2", "b.yml:2"]
    assert ["b.yml:2" in folder.problems[0].what, "a.yml:2" in folder.problems[1].what] == [True, True]


def test_a_number_and_its_text_are_one_name() -> None:
    """1917 and "1917" end in one collection of Plex."""
    folder = read({"a.yml": "collections:\n" + collection("1917"), "b.yml": "collections:\n" + collection('"1917"')})
    assert names(folder.collections) == ["1917"]
    assert folder.collections[0].tag == "KAI-1917"


@pytest.mark.parametrize(("one", "other"), [("RED", "Red"), ("Heist Movies", "Heist Movies!"), ("Amélie", "Amelie")])
def test_two_names_with_one_slug(one: str, other: str) -> None:
    """They would fight over one tag: both are skipped, and each problem names the other's place."""
    folder = read(
        {"a.yml": f"collections:\n{collection(one)}{collection('Noir')}", "b.yml": f"collections:\n{collection(other)}"}
    )
    assert names(folder.collections) == ["Noir"]
    assert set(names(folder.skipped)) == {one, other}
    assert [problem.where for problem in folder.problems] == ["a.yml:2", "b.yml:2"]
    assert f"{other!r} (b.yml:2)" in folder.problems[0].what


def test_two_names_with_one_tag() -> None:
    """The same is true where `tag` brings them together."""
    folder = read_one("collections:\n" + collection("A", "enabled: true", "prompt: x", "tag: KAI-b") + collection("B"))
    assert folder.collections == ()
    assert names(folder.skipped) == ["A", "B"]
    assert lines_of(folder.problems) == [2, 9]


def test_a_block_that_is_off_takes_no_tag() -> None:
    """Switching one of two off ends their fight; so does a collection without a block."""
    folder = read_one("collections:\n" + collection("RED") + collection("Red", "enabled: false") + "  rED: {a: 1}\n")
    assert (names(folder.collections), names(folder.disabled), folder.problems) == (["RED"], ["Red"], ())


def test_names_in_other_scripts_have_slugs_of_their_own() -> None:
    """Two Japanese names are two tags."""
    folder = read_one("collections:\n" + collection("時代劇") + collection("怪獣映画"))
    assert len({one.tag for one in folder.collections}) == 2
    assert folder.problems == ()


def test_a_name_without_a_letter() -> None:
    """No tag can be made of it, and an override does not help: decisions are kept by slug."""
    folder = read_one(
        "collections:\n" + collection("🎃", "enabled: true", "prompt: x", "tag: KAI-x") + collection("Noir")
    )
    assert names(folder.collections) == ["Noir"]
    assert names(folder.skipped) == ["🎃"]
    assert lines_of(folder.problems) == [2]


@pytest.mark.parametrize(
    "name", ['"Mission: Impossible Style"', "Sci-Fi/Horror", "'Ocean''s'", '"#1"', "Film Noir (1940-1959)"]
)
def test_names_with_punctuation(name: str) -> None:
    """Colons, slashes, quotes and signs of any kind may stand in a name."""
    folder = read_one("collections:\n" + collection(name))
    assert len(folder.collections) == 1
    assert folder.problems == ()


def test_a_problem_skips_what_it_touches_and_nothing_else() -> None:
    """A missing END, a typo, a second block and a misplaced one: four skipped, one goes on."""
    text = (
        "collections:\n"
        + block().rpartition("\n")[0]
        + "\n  No End: {a: 1}\n"
        + collection("Typo", "enabeld: true")
        + block()
        + "\n"
        + collection("Two")
        + "  Below:\n"
        + block(indent=4)
        + "\n    a: 1\n"
        + collection("Good")
    )
    folder = read_one(text)
    assert names(folder.collections) == ["Good"]
    assert names(folder.skipped) == ["Below", "No End", "Two", "Typo"]
    assert lines_of(folder.problems) == [2, 7, 15, 22]


def test_a_spoiled_place_spoils_the_collection() -> None:
    """A good block in one file does not outweigh a broken one in another."""
    folder = read({"a.yml": HEIST, "b.yml": "collections:\n  # === KOMETA-AI ===\n  Heist: {a: 1}\n"})
    assert (folder.collections, names(folder.skipped)) == ((), ["Heist"])


def test_a_stray_block_below_a_collection_with_its_own() -> None:
    """The collection's own block is not in doubt."""
    folder = read_one(HEIST + block(indent=4) + "\n    b: 1\n")
    assert names(folder.collections) == ["Heist"]
    assert (folder.skipped, lines_of(folder.problems)) == ((), [8])


def test_disabled_collections_are_known() -> None:
    """They are listed with the label whose tags they keep."""
    folder = read_one("collections:\n" + collection("Off", "enabled: false", "tag: KAI-other"))
    assert [(one.name, one.slug, one.label) for one in folder.disabled] == [("Off", "off", "kai-other")]


PIECES = [
    "collections:\n",
    "  A:\n",
    "    b: 1\n",
    *(line + "\n" for line in block().split("\n")),
    "|\n",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    ": ",
    "? ",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "\t",
    "\r",
    "\u2028",
    "\x85",
    "---\n",
    "%YAML 1.1\n",
    "\ufeff",
]


@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), st.text(st.characters(codec="utf-8"))))
def test_no_text_makes_it_fail(text: str) -> None:
    """Whatever stands in a file, reading gives a folder and leaves the file as it was."""
    assert isinstance(read({"a.yml": text, "b.yml": f"{text} # kometa-ai"}), Folder)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    """The same with bytes that are no text."""
    assert isinstance(read_one(content + b"# KOMETA-AI"), Folder)


def test_a_name_with_half_a_character() -> None:
    """YAML lets one in, and nothing can be written that holds it: it becomes what stands for no character."""
    folder = read_one(f'collections:\n{block()}\n  "A\\ud800B":\n    radarr_taglist: kai-a-b\n    sync_mode: sync\n')

    assert [one.name for one in folder.collections] == ["A\ufffdB"]
