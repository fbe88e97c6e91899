from __future__ import annotations

import pytest

from kometa_ai.core.naming import slug_of
from tests.kometa.support import block, read, read_one

_PLACE = "root_folder_path: /movies, quality_profile: Any"
FINE = "radarr_taglist: kai-heist, sync_mode: sync"
CONFIG = """radarr: {url: http://radarr:7878, token: abc, root_folder_path: /movies, quality_profile: Any}
libraries:
  Movies:
    collection_files:
      - file: config/movies.yml
"""


def told(text: str, **others: str) -> list[str]:
    """`where: what remedy` of every warning about a file, and others beside it named `<name>.yml`."""
    folder = read({"movies.yml": text} | {f"{name}.yml": content for name, content in others.items()})
    assert folder.problems == ()
    assert all(warning.severity == "warning" and warning.remedy for warning in folder.warnings)
    return [f"{warning.where}: {warning.what} {warning.remedy}" for warning in folder.warnings]


def heist(*attributes: str, before: str = "", name: str = "Heist", more: tuple[str, ...] = ()) -> str:
    """A file with the one collection and these attributes, which begin in line 7 if there is nothing before."""
    lines = "".join(f"    {attribute}\n" for attribute in attributes)
    on = block("enabled: true", "prompt: Heists", *more)
    return f"{before}collections:\n{on}\n  {name}:\n{lines}"


@pytest.mark.parametrize(
    "attributes",
    [
        ("radarr_taglist: KAI-heist", "sync_mode: sync"),
        ("radarr_taglist: kai-heist", "sync_mode: SYNC"),
        ("Radarr_TagList: [favourites, KAI-Heist]", "Sync_Mode: sync"),
        ("radarr_taglist: favourites , KAI-heist", "sync_mode: sync"),
        ("radarr_taglist:", "  - kai-heist", "sync_mode: sync"),
        ("radarr_taglist: [<<tag>>, kai-heist]", "sync_mode: sync"),
        ("<<: {radarr_taglist: kai-heist, sync_mode: sync}",),
    ],
)
def test_no_warning_where_kometa_does_the_right_thing(attributes: tuple[str, ...]) -> None:
    """Case, lists, further tags and template values are all fine."""
    assert told(heist(*attributes)) == []


def test_a_missing_taglist() -> None:
    """The warning stands at the name and says what to write."""
    (warning,) = told(heist("sync_mode: sync", "plex_all: true"))
    assert warning.startswith("movies.yml:6: Kometa does not look for its tag: `radarr_taglist` is missing.")
    assert warning.endswith("Write `radarr_taglist: kai-heist` below its name.")


@pytest.mark.parametrize("value", ["", "~", "[]"])
def test_an_empty_taglist(value: str) -> None:
    """Kometa then takes every movie without a tag; the warning stands at the attribute."""
    (warning,) = told(heist("sync_mode: sync", f"radarr_taglist: {value}"))
    assert warning.startswith("movies.yml:8: `radarr_taglist` is empty: Kometa takes every movie that has no tag")


@pytest.mark.parametrize("value", ["KAI-heists", "kai", "''", "[a, b]", "['KAI-heist, x']", "1917", "{KAI-heist: 1}"])
def test_another_taglist(value: str) -> None:
    """A tag that is not the managed one collects nothing, or something else."""
    (warning,) = told(heist("sync_mode: sync", f"radarr_taglist: {value}"))
    assert warning.startswith("movies.yml:8: `radarr_taglist` is ")
    assert "but its tag is kai-heist. Write `radarr_taglist: " in warning


def test_the_taglist_follows_the_override() -> None:
    """With `tag`, that is the label to look for."""
    assert told(heist("radarr_taglist: KAI-x", "sync_mode: sync", more=("tag: KAI-X",))) == []
    assert len(told(heist("radarr_taglist: KAI-heist", "sync_mode: sync", more=("tag: KAI-x",)))) == 1


@pytest.mark.parametrize("attributes", [("plex_all: true",), ("sync_mode: append",), ("sync_mode:",)])
def test_a_missing_sync_mode(attributes: tuple[str, ...]) -> None:
    """Kometa's default adds only: removed movies would stay in Plex."""
    (warning,) = told(heist("radarr_taglist: kai-heist", *attributes))
    assert "Kometa never removes a movie" in warning
    assert "Write `sync_mode: sync`" in warning


def test_sync_mode_for_all() -> None:
    """What config.yml makes the default need not be repeated; a collection may still overrule it."""
    everywhere = "settings:\n  sync_mode: sync\n"
    assert told(heist("radarr_taglist: kai-heist"), config=everywhere) == []
    assert len(told(heist("radarr_taglist: kai-heist", "sync_mode: append"), config=everywhere)) == 1


TEMPLATES = """templates:
  Ours:
    default: {mode: sync}
    radarr_taglist: KAI-<<slug>>
    sync_mode: <<mode>>
  Half:
    sync_mode: sync
"""


@pytest.mark.parametrize(
    ("template", "count"),
    [
        ("{name: Ours, slug: heist}", 0),
        ("[{name: Half}, {name: Ours, slug: heist}]", 0),
        ("{name: Ours}", 1),
        ("{name: Ours, slug: noir}", 1),
        ("{name: Ours, slug: heist, mode: append}", 1),
        ("{name: Half}", 1),
    ],
)
def test_templates_of_the_file(template: str, count: int) -> None:
    """A template in the same file is looked up, with its variables; one that nothing gives a value is told."""
    assert len(told(heist(f"template: {template}", before=TEMPLATES))) == count


def test_templates_of_other_files() -> None:
    """What cannot be seen is said, once."""
    elsewhere = "external_templates: [{git: somebody/templates}]\n"
    (warning,) = told(heist("template: {name: Elsewhere}", before=elsewhere))
    assert "its template Elsewhere stands in another file" in warning
    assert "`radarr_taglist: kai-heist` and `sync_mode: sync`" in warning
    both = ("radarr_taglist: kai-heist", "sync_mode: sync")
    assert told(heist("template: {name: Elsewhere}", *both, before=elsewhere)) == []


def test_nothing_below_the_name() -> None:
    """Kometa skips such a collection without a word."""
    (warning,) = told(heist())
    assert "Kometa skips it" in warning


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("favourites", "[kai-heist, favourites]"),
        ("[a, KAI-heists]", "[kai-heist, a]"),
        ("['a, b']", '[kai-heist, "a, b"]'),
        ("''", "kai-heist"),
        ("{x: 1}", "kai-heist"),
    ],
)
def test_peoples_own_tags_stay(value: str, written: str) -> None:
    """The correction puts the managed tag in front of theirs; what looks like a managed tag and is none goes."""
    (warning,) = read_one(heist("sync_mode: sync", f"radarr_taglist: {value}")).warnings
    assert warning.correction is not None
    assert warning.correction.lines == (f"    radarr_taglist: {written}",)


@pytest.mark.parametrize(
    "entry",
    [
        "file: config/movies.yml",
        "file: /config/movies",
        "file: /config/movies.yaml",
        "file: movies.yml",
        "file: /srv/kometa/config/movies.yml",
        "folder: config/",
        "folder: config",
        "folder: /srv/kometa",
        "folder: /config/",
        "config/movies.yml",
        "{git: x, schedule: daily, file: config/movies.yml}",
    ],
)
def test_files_that_kometa_loads(entry: str) -> None:
    """However the file is written in config.yml, it is recognised; endings may be missing or differ."""
    config = f"{CONFIG.partition('- ')[0]}- {entry}\n"
    assert told(heist(*FINE.split(", ")), config=config) == []


@pytest.mark.parametrize(
    "entry", ["file: config/other.yml", "folder: config/sub", "git: noir", "url: http://x/noir.yml"]
)
def test_files_that_kometa_does_not_load(entry: str) -> None:
    """The warning stands at the list in config.yml and names the collections that will never be built."""
    config = f"{CONFIG.partition('- ')[0]}- {entry}\n"
    (warning,) = told(heist(*FINE.split(", ")), config=config)
    assert warning.startswith("config.yml:4: no library loads movies.yml, so Kometa never builds Heist.")
    assert warning.endswith("`- file: config/movies.yml`.")


def test_files_in_folders_below() -> None:
    """A folder entry takes the files right in it, and none from deeper."""
    files = {
        "config.yml": CONFIG.replace("file: config/movies.yml", "folder: config/a"),
        "a/b/x.yml": heist(*FINE.split(", ")),
    }
    assert [warning.what for warning in read(files).warnings] == [
        "no library loads a/b/x.yml, so Kometa never builds Heist."
    ]
    assert (
        read({**files, "config.yml": CONFIG.replace("file: config/movies.yml", "folder: config/a/b/")}).warnings == ()
    )


def test_files_in_a_list_that_is_not_for_collections() -> None:
    """Kometa ignores collections in a metadata file without a word."""
    config = CONFIG.replace("collection_files", "metadata_files")
    (warning,) = told(heist(*FINE.split(", ")), config=config)
    assert warning.startswith("config.yml:4: Kometa reads no collections from movies.yml")


@pytest.mark.parametrize("config", ["settings: {cache: true}\n", "libraries:\n", "libraries: []\n", "- a\n", "x\n"])
def test_a_config_without_libraries_says_nothing(config: str) -> None:
    """Kometa itself is loud about that."""
    assert told(heist(*FINE.split(", ")), config=config) == []


@pytest.mark.parametrize(
    ("radarr", "library", "gap"),
    [
        ("", "", "no `url`, no `token`, no `root_folder_path` and no `quality_profile`."),
        ("radarr:\n", "", "no `url`, no `token`, no `root_folder_path` and no `quality_profile`."),
        (f"radarr: {{url: http://x, {_PLACE}}}\n", "", "no `token`."),
        (f"radarr: {{token: x, {_PLACE}}}\n", "    radarr: {token: y}\n", "no `url`."),
        ("radarr: {url: http://x, token: y}\n", "", "no `root_folder_path` and no `quality_profile`."),
        ("", f"    radarr: {{url: http://x, token: y, {_PLACE}}}\n", ""),
        (f"radarr: {{url: http://x, {_PLACE}}}\n", "    radarr: {token: y}\n", ""),
        ("radarr: {url: http://x, token: y}\n", f"    radarr: {{{_PLACE}}}\n", ""),
    ],
)
def test_a_radarr_that_is_missing(radarr: str, library: str, gap: str) -> None:
    """Global and the library's own settings count together, and what is missing is named."""
    config = radarr + CONFIG.partition("\n")[2] + library
    found = told(heist(*FINE.split(", ")), config=config)
    assert len(found) == bool(gap)
    assert all(gap in warning and "Kometa cannot read Radarr's tags in Movies" in warning for warning in found)


def test_collections_that_take_no_part_are_left_alone() -> None:
    """A block that is off is not advised on."""
    text = f"collections:\n{block('enabled: false')}\n  Heist: {{a: 1}}\n"
    assert read_one(text).warnings == ()


def test_what_takes_all_tags_away() -> None:
    """`item_radarr_tag.sync` wipes the managed tags wherever it stands, blocks or not."""
    other = "collections:\n  Other:\n    radarr_all: true\n    item_radarr_tag.sync: favourites\n"
    (warning,) = told(heist(*FINE.split(", ")), other=other)
    assert warning.startswith("other.yml:4: `item_radarr_tag.sync` takes every other tag off")


def test_what_deletes_our_movies() -> None:
    """`radarr_remove_by_tag` is dangerous with a managed tag only, and those of collections that are off count, too."""
    off = f"{block('enabled: false')}\n  Off: {{a: 1}}\n"
    config = f"{CONFIG}    operations:\n      radarr_remove_by_tag: [KAI-Heist, x, kai-off]\n"
    (warning,) = told(heist(*FINE.split(", ")) + off, config=config)
    assert warning.startswith("config.yml:7: `radarr_remove_by_tag` deletes")
    assert "kai-heist, kai-off" in warning
    assert told(heist(*FINE.split(", ")), config=config.replace("KAI-", "").replace("kai-", "")) == []


def test_what_writes_our_tag() -> None:
    """Another collection that writes a managed tag would fight with us for ever."""
    other = "collections:\n  Other:\n    item_radarr_tag: new, KAI-heist\n  More:\n    item_radarr_tag: new\n"
    (warning,) = told(heist(*FINE.split(", ")), other=other)
    assert warning.startswith("other.yml:3: `item_radarr_tag` writes the managed tag kai-heist")


def test_a_file_that_holds_itself() -> None:
    """Aliases that make a loop are walked once."""
    other = "collections:\n  Other: &o\n    self: *o\n    item_radarr_tag.sync: x\n"
    assert len(told(heist(*FINE.split(", ")), other=other)) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [("1917", "1917"), ("007", "7"), ("true", "True"), ("2001-01-01", "2001-01-01"), ("3.10", "3.1")],
)
def test_a_name_that_is_no_text(name: str, shown: str) -> None:
    """Kometa cannot select it by name: it belongs in quotes."""
    tag = f"KAI-{slug_of(shown)}"
    warnings = told(heist(f"radarr_taglist: {tag}", "sync_mode: sync", name=name))
    assert len(warnings) == 1
    assert "no text for YAML" in warnings[0]
    assert told(heist(f"radarr_taglist: {tag}", "sync_mode: sync", name=f'"{shown}"')) == []


def test_a_name_with_colons_that_is_no_text() -> None:
    """The remedy names the whole of it: a colon without a blank behind it is a part of the name."""
    (remedy,) = (
        warning.remedy
        for warning in read_one(heist(name="2001-01-01 10:00:00")).warnings
        if "no text for YAML" in warning.what
    )
    assert remedy == 'Put the name in quotes: `"2001-01-01 10:00:00":`.'


@pytest.mark.parametrize("line", ["a line\u2028", "a line\u2028# goes on", "a line\x85"])
def test_invisible_line_ends(line: str) -> None:
    """They end the comment for YAML; where that breaks nothing yet, it soon may."""
    (warning,) = told(heist(*FINE.split(", "), more=("# " + line,)))
    assert warning.startswith("movies.yml:5: the line holds the invisible character U+")


def test_a_collection_commented_out_below_its_block() -> None:
    """Its block falls to the next collection, which is said."""
    text = heist(*FINE.split(", ")).replace("  Heist:", "  # Noir:\n  #   plex_all: true\n  Heist:")
    (warning,) = told(text)
    assert warning.startswith("movies.yml:6: between its block and its name")
    assert told(heist(*FINE.split(", ")).replace("  Heist:", "  # My favourite\n\n  Heist:")) == []


def test_references_to_other_collections() -> None:
    """A `KAI-` label of no collection is a typo; the order of collections that name each other does not matter."""

    def on(name: str, *more: str) -> str:
        slug = name.lower()
        return (
            f"{block('enabled: true', 'prompt: x', *more)}\n  {name}: {{radarr_taglist: KAI-{slug}, sync_mode: sync}}\n"
        )

    off = f"{block('enabled: false')}\n  Off: {{a: 1}}\n"
    fine = on("A", "exclude_tags: [KAI-B, KAI-off, 4k]") + on("B", "priority: 1") + off
    assert told("collections:\n" + fine) == []
    assert told("collections:\n" + on("A", "priority: 1", "exclude_tags: KAI-b") + on("B")) == []
    (nobody,) = told("collections:\n" + on("A", "include_tags: KAI-x"))
    assert "kai-x is that of no collection" in nobody
