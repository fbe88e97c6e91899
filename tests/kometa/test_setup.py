"""What Kometa's configuration makes of the files: which it loads, from which it takes a collection, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.kometa.checking.plex_libraries import OurLibrary
from tests.kometa.support import block, read

if TYPE_CHECKING:
    from pathlib import Path

RADARR = "radarr: {url: 'http://radarr:7878', token: abc, root_folder_path: /movies, quality_profile: Any}\n"
BOTH = "radarr_taglist: kai-noir, sync_mode: sync"


def config(*entries: str, settings: str = "", more: str = "", name: str = "Movies", listed: str = "") -> str:
    """A configuration with one library that loads these entries; `more` are further lines of the library."""
    files = "".join(f"      - {entry}\n" for entry in entries or ("file: config/m.yml",))
    return f"{RADARR}{settings}libraries:\n  {name}:\n{more}    {listed or 'collection_files'}:\n{files}"


def noir(attributes: str = BOTH, *, is_managed: bool = True, name: str = "Noir") -> str:
    """A file with one collection, with a block or without."""
    comments = block() + "\n" if is_managed else ""
    return f"collections:\n{comments}  {name}: {{{attributes}}}\n"


def told(files: dict[str, str]) -> list[str]:
    """`where: what` of every warning about a folder."""
    folder = read(files)
    assert folder.problems == ()
    return [f"{warning.where}: {warning.what}" for warning in folder.warnings]


# Which files are loaded


@pytest.mark.parametrize(
    "entry",
    [
        "file: config/sub/../m.yml",
        "file: config/./m.yml",
        "file: config//m.yml",
        "file: /config/x/../m",
        "folder: config/sub/..",
        "file: C:\\Kometa\\config\\m.yml",
        "{file: config/m.yml, schedule: weekly(sunday)}",
    ],
)
def test_paths_are_followed_as_the_system_does(entry: str) -> None:
    """A path with steps up, or with a blank step, is the file that it leads to."""
    assert told({"config.yml": config(entry), "m.yml": noir()}) == []


def test_the_old_name_of_the_list() -> None:
    """Kometa takes `metadata_path` where there is no `collection_files`; a hint names the new one."""
    folder = read({"config.yml": config("file: config/m.yml", listed="metadata_path"), "m.yml": noir()})

    assert folder.warnings == ()
    assert ["`collection_files`" in hint.remedy for hint in folder.hints] == [True]


@pytest.mark.parametrize("new", ["    collection_files:\n      - file: config/o.yml\n", "    collection_files:\n"])
def test_the_old_name_beside_the_new_one(new: str) -> None:
    """Where both are there, the old one counts for nothing, even if the new one is blank."""
    text = config("file: config/m.yml", listed="metadata_path", more=new)

    (warning,) = told({"config.yml": text, "m.yml": noir(), "o.yml": "collections: {A: {plex_all: true}}\n"})

    assert "reads no collections from m.yml, for it is listed below `metadata_path`" in warning


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (config(listed="Collection_Files"), "Collection_Files"),
        (config(listed="COLLECTION_FILES"), "COLLECTION_FILES"),
        (config("File: config/m.yml"), "File"),
        (config("FOLDER: config"), "FOLDER"),
    ],
)
def test_configurations_are_read_as_strictly_as_kometa_reads_them(text: str, key: str) -> None:
    """A key in capitals is none for Kometa; it is named."""
    (warning,) = told({"config.yml": text, "m.yml": noir()})

    assert f"Kometa does not know `{key}`" in warning


def test_capitals_in_the_section_of_radarr() -> None:
    """Kometa does not see these either."""
    text = config().replace("url:", "Url:")

    (warning,) = told({"config.yml": text, "m.yml": noir()})

    assert "`radarr:` has no `url`" in warning


REPOSITORY = "settings: {custom_repo: 'https://github.com/somebody/kometa-config/tree/main', sync_mode: append}\n"


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("repo: m", "m.yml"),
        ("repo: m.yml", "m.yml"),
        ("repo: config/m", "m.yml"),
        ("repo: m", "movies/m.yml"),
        ("repo: movies/m", "movies/m.yml"),
        ("url: https://raw.githubusercontent.com/Somebody/kometa-config/main/m.yml", "m.yml"),
    ],
)
def test_a_repository_that_is_this_folder(entry: str, source: str) -> None:
    """Whether it is a clone cannot be seen, so nothing is said."""
    assert told({"config.yml": config(entry, settings=REPOSITORY), source: noir()}) == []


def test_a_repository_that_holds_another_file() -> None:
    """That one is nowhere in the folder, so the one with the block is not it."""
    (warning,) = told({"config.yml": config("repo: other", settings=REPOSITORY), "m.yml": noir()})

    assert "no library loads m.yml, so Kometa never builds Noir" in warning


def test_a_repository_without_its_setting() -> None:
    """Kometa refuses `repo:` without `custom_repo`."""
    (warning,) = told({"config.yml": config("repo: m"), "m.yml": noir()})

    assert "no library loads m.yml, so Kometa never builds Noir" in warning


@pytest.mark.parametrize("entry", ["url: https://files.example/kometa/m.yml", "git: somebody/m"])
def test_a_file_of_that_name_from_elsewhere(entry: str) -> None:
    """It may be the same or not: that it cannot be seen is what is said."""
    (warning,) = told({"config.yml": config(entry), "m.yml": noir()})

    assert "no library loads m.yml from this folder" in warning
    assert "it cannot be seen whether that one has Noir" in warning


@pytest.mark.parametrize("copy", [noir(), noir(is_managed=False), noir("plex_all: true")])
def test_a_copy_that_is_not_listed(copy: str) -> None:
    """Kometa builds the collection from the file that is listed; the copy is nothing to warn of."""
    assert told({"config.yml": config(), "m.yml": noir(), "backup/m.yml": copy}) == []


def test_a_copy_with_a_collection_of_its_own() -> None:
    """Of a copy, only what no listed file has is never built."""
    copy = noir() + noir("radarr_taglist: kai-heist, sync_mode: sync", name="Heist").partition("\n")[2]

    (warning,) = told({"config.yml": config(), "m.yml": noir(), "backup/m.yml": copy})

    assert warning.endswith("no library loads backup/m.yml, so Kometa never builds Heist.")


def test_a_second_configuration() -> None:
    """Kometa may be started with another one: a file that it loads is loaded."""
    files = {"config.yml": config("file: config/tv.yml", name="TV Shows"), "config-movies.yml": config()}
    assert told({**files, "m.yml": noir(), "tv.yml": "collections: {A: {plex_all: true}}\n"}) == []


@pytest.mark.parametrize("name", ["config-movies.yml", "movies.yaml", "kometa.yml"])
def test_a_second_configuration_that_loads_it_neither(name: str) -> None:
    """Then no library does; a configuration in a folder below counts for nothing."""
    other = config("file: config/tv.yml", name="TV Shows")
    files = {"config.yml": other, name: other, "old/config.yml": config(), "m.yml": noir()}

    (warning,) = told(files)

    assert "config.yml:4" in warning
    assert "no library loads m.yml" in warning


def test_a_second_configuration_decides_where_it_alone_loads_the_file() -> None:
    """Its settings count then; else those of config.yml do."""
    second = config(settings="settings: {sync_mode: sync}\n")
    files = {"config.yml": config("file: config/tv.yml"), "config-movies.yml": second}
    assert told({**files, "m.yml": noir("radarr_taglist: kai-noir")}) == []
    assert len(told({**files, "config.yml": config(), "m.yml": noir("radarr_taglist: kai-noir")})) == 1


@pytest.mark.parametrize("name", ["config.yml", "config-movies.yml"])
def test_a_configuration_that_cannot_be_read(name: str) -> None:
    """What is in it cannot be known, so nothing is said of what it might load or set."""
    files = {"config.yml": config("file: config/tv.yml"), "m.yml": noir("radarr_taglist: kai-noir")}

    folder = read({**files, name: config() + "\tx: y\n"})

    assert [problem.source for problem in folder.problems] == [name]
    assert folder.warnings == ()


# sync_mode


@pytest.mark.parametrize(
    ("everywhere", "library", "where"),
    [
        ("append", "sync", None),
        ("sync", "append", " in Movies"),
        ("sync", "", None),
        ("sync", "~", None),
        ("sync", "SYNC", None),
        ("append", "SYNC", ""),
        ("sync", "true", None),
        ("", "sync", None),
        ("", "", ""),
        ("SYNC", "", ""),
    ],
)
@pytest.mark.parametrize("form", ["settings: {{sync_mode: {}}}", "settings: {{collections: {{sync_mode: {}}}}}"])
@pytest.mark.parametrize("line", ["", ", sync_mode: ", ", sync_mode: ~", ", sync_mode: ''", ", sync_mode: nonsense"])
def test_the_settings_of_the_library(everywhere: str, library: str, where: str | None, form: str, line: str) -> None:
    """A library's own settings win over those of all; what is blank or no mode is not there, in a collection too."""
    text = config(settings=form.format(everywhere) + "\n", more=f"    {form.format(library)}\n")

    found = told({"config.yml": text, "m.yml": noir("radarr_taglist: kai-noir" + line)})

    assert len(found) == (where is not None)
    assert all(f"Kometa never removes a movie from the collection{where}: " in warning for warning in found)


def test_one_library_of_two() -> None:
    """Where only one of the libraries does not sync, it is named."""
    second = "  4K:\n    settings: {sync_mode: append}\n    collection_files: [{file: config/m.yml}]\n"
    files = {"config.yml": config(settings="settings: {sync_mode: sync}\n") + second}

    (warning,) = told({**files, "m.yml": noir("radarr_taglist: kai-noir")})

    assert "never removes a movie from the collection in 4K: `sync_mode: sync` is missing." in warning
    assert told({**files, "m.yml": noir()}) == []
    (warning,) = told({**files, "m.yml": noir("radarr_taglist: kai-noir, sync_mode: append")})
    assert "never removes a movie from the collection: `sync_mode` is append." in warning


def test_settings_that_contradict_each_other() -> None:
    """Which of an old and a new spelling counts depends on Kometa's version, so nothing is said."""
    settings = "settings: {sync_mode: append, collections: {sync_mode: sync}}\n"
    assert told({"config.yml": config(settings=settings), "m.yml": noir("radarr_taglist: kai-noir")}) == []


def test_the_oldest_place_of_the_setting() -> None:
    """Kometa still takes it from `plex:`, where the settings do not have it."""
    files = {"m.yml": noir("radarr_taglist: kai-noir")}
    assert told({**files, "config.yml": config(settings="plex: {sync_mode: sync}\n")}) == []
    assert told({**files, "config.yml": config(more="    plex: {sync_mode: sync}\n")}) == []


# Which definition is taken


def test_the_same_collection_earlier_without_its_lines() -> None:
    """Kometa takes the first of a library's files that has it; the warning stands there and names the other."""
    files = {"config.yml": config("file: config/a.yml", "file: config/m.yml"), "m.yml": noir()}
    files["a.yml"] = "collections:\n  Noir: {plex_all: true}\n"

    (warning,) = read(files).warnings

    assert warning.where == "a.yml:2"
    assert warning.collection == "Noir"
    assert warning.what.startswith("Kometa takes it in Movies from here, not from m.yml:6: Kometa does not look for")
    assert "Write `radarr_taglist: kai-noir` below its name." in warning.remedy
    assert warning.correction is None


@pytest.mark.parametrize(
    "entries", [("folder: config/a", "file: config/m.yml"), ("file: config/a/a", "folder: config")]
)
def test_the_same_collection_earlier_in_a_folder(entries: tuple[str, ...]) -> None:
    """Whatever kind of entry comes first."""
    files = {"config.yml": config(*entries), "m.yml": noir(), "a/a.yaml": noir("plex_all: true", is_managed=False)}
    assert len(told(files)) == 1


@pytest.mark.parametrize(
    "first",
    [
        noir(is_managed=False),
        "collections:\n  Noir:\n",
        "collections:\n  Noir: text\n",
        "collections:\n  noir: {plex_all: true}\n",
        "metadata:\n  Noir: {plex_all: true}\n",
        "templates:\n  Noir: {plex_all: true}\n",
    ],
)
def test_the_same_collection_earlier_and_no_harm(first: str) -> None:
    """With both lines it is fine; without a mapping, in other capitals or elsewhere Kometa passes over it."""
    files = {"config.yml": config("file: config/a.yml", "file: config/m.yml"), "m.yml": noir()}
    assert told({**files, "a.yml": first}) == []


def test_the_same_collection_later() -> None:
    """Kometa skips the later one, with or without a block, so what it lacks does not matter."""
    files = {"config.yml": config("file: config/m.yml", "file: config/z.yml"), "m.yml": noir()}
    assert told({**files, "z.yml": noir("plex_all: true", is_managed=False)}) == []
    assert told({**files, "z.yml": noir("plex_all: true")}) == []


def test_a_block_above_the_later_one() -> None:
    """One block is enough: the definition that is taken has the lines, and the one with the block needs none."""
    files = {"config.yml": config("file: config/a.yml", "file: config/m.yml"), "m.yml": noir("plex_all: true")}
    assert told({**files, "a.yml": noir(is_managed=False)}) == []


def test_each_library_by_itself() -> None:
    """One library takes it from one file, and one from the other; libraries without the block's file do not matter."""
    second = "  4K:\n    collection_files:\n      - file: config/a.yml\n      - file: config/m.yml\n"
    third = "  TV Shows:\n    collection_files:\n      - file: config/tv.yml\n"
    files = {
        "config.yml": config() + second + third,
        "m.yml": noir(),
        "a.yml": noir("plex_all: true", is_managed=False),
        "tv.yml": noir("plex_all: true", is_managed=False),
    }

    found = told(files)

    assert found
    assert all(warning.startswith("a.yml:2: Kometa takes it in 4K from here, not from m.yml:6") for warning in found)


def test_an_order_that_cannot_be_told() -> None:
    """The files of a folder come in any order: that is said."""
    files = {"config.yml": config("folder: config"), "m.yml": noir(), "a.yml": noir("plex_all: true", is_managed=False)}

    (warning,) = told(files)

    assert warning.startswith("a.yml:2: Kometa may take it in Movies from here, or from m.yml:6: ")


def test_a_block_in_a_copy_of_what_is_taken() -> None:
    """The block may stand in a file that no library loads; what is taken has to have the lines all the same."""
    files = {"config.yml": config("file: config/a.yml"), "copies/m.yml": noir()}
    assert told({**files, "a.yml": noir(is_managed=False)}) == []
    (warning,) = told({**files, "a.yml": noir("plex_all: true", is_managed=False)})
    assert warning.startswith("a.yml:2: Kometa takes it in Movies from here, not from copies/m.yml:6")


def test_names_that_are_no_text_are_two() -> None:
    """For Kometa `1917` and `"1917"` are two collections."""
    files = {"config.yml": config("file: config/a.yml", "file: config/m.yml")}
    managed = noir("radarr_taglist: kai-1917, sync_mode: sync", name='"1917"')
    assert told({**files, "m.yml": managed, "a.yml": noir("plex_all: true", is_managed=False, name="1917")}) == []
    assert len(told({**files, "m.yml": managed, "a.yml": noir("plex_all: true", is_managed=False, name='"1917"')})) == 1


# Which Radarr


@pytest.mark.parametrize("blank", ["", " ~", " null"])
def test_blank_values_of_a_librarys_radarr(blank: str) -> None:
    """What is blank in a library is as it is for all."""
    more = f"    radarr:\n      url:{blank}\n      token:{blank}\n      root_folder_path: /4k\n"
    folder = read({"config.yml": config(more=more), "m.yml": noir()})

    assert folder.warnings == folder.hints == ()


def test_an_empty_address_is_one() -> None:
    """For Kometa an empty text is a value, and so no address."""
    (warning,) = told({"config.yml": config(more="    radarr: {url: ''}\n"), "m.yml": noir()})

    assert "`radarr:` has no `url`" in warning


@pytest.mark.parametrize(
    ("url", "count"),
    [
        ("http://other:7878", 1),
        ("other:7878", 1),
        ("radarr:7878", 0),
        ("http://RADARR:7878/", 0),
        ("<<radarr_url>>", 0),
        ("''", 0),
        ("[", 1),
    ],
)
def test_another_radarr(tmp_path: Path, url: str, count: int) -> None:
    """A hint without any address: Kometa's may be a secret."""
    (tmp_path / "config.yml").write_text(
        config().replace("'http://radarr:7878'", f"'{url}'" if "'" not in url else url)
    )
    (tmp_path / "m.yml").write_text(noir())

    hints = examine_folder(
        tmp_path, addresses={"movie": [OurLibrary("radarr", "RADARR_URL", "http://radarr:7878")]}
    ).hints

    assert len([hint for hint in hints if "another address" in hint.what]) == count
    assert all("other" not in hint.what.replace("another", "") for hint in hints)


def test_hints_about_libraries_that_load_nothing_of_ours(tmp_path: Path) -> None:
    """There are none."""
    radarr = "    radarr: {url: http://other:7878, quality_profile: ''}\n"
    other = f"  TV:\n{radarr}    collection_files: [{{file: config/tv.yml}}]\n"
    (tmp_path / "config.yml").write_text(config() + other)
    (tmp_path / "m.yml").write_text(noir())
    (tmp_path / "tv.yml").write_text("collections: {A: {plex_all: true}}\n")

    assert (
        examine_folder(tmp_path, addresses={"movie": [OurLibrary("radarr", "RADARR_URL", "http://radarr:7878")]}).hints
        == ()
    )
    assert read_folder(tmp_path).warnings == ()


# An order for lists, and variables


@pytest.mark.parametrize(
    ("everywhere", "library", "attributes", "is_refused"),
    [
        ("default_collection_order: custom", "", BOTH, True),
        ("", "default_collection_order: custom.desc", BOTH, True),
        ("collections: {default_order: custom}", "", BOTH, True),
        ("default_collection_order: custom", "default_collection_order: release", BOTH, False),
        ("default_collection_order: custom", "", f"{BOTH}, collection_order: release", False),
        ("default_collection_order: release", "", BOTH, False),
    ],
)
def test_the_order_of_the_settings(everywhere: str, library: str, attributes: str, *, is_refused: bool) -> None:
    """What a library gives to all its collections can make Kometa refuse this one; its value is not shown."""
    text = config(settings=f"settings: {{{everywhere}}}\n", more=f"    settings: {{{library}}}\n")

    found = told({"config.yml": text, "m.yml": noir(attributes)})

    assert len(found) == is_refused
    assert all("the settings have a `default_collection_order` that cannot be used" in warning for warning in found)


@pytest.mark.parametrize("attribute", ["radarr_taglist: <<given>>", "sync_mode: <<given>>"])
def test_variables_of_a_configuration_are_not_shown(attribute: str) -> None:
    """What a template is given there may be anything, so a warning about it does not repeat it."""
    lines = f"    {attribute}\n" + ("    sync_mode: sync\n" if "tag" in attribute else "    radarr_taglist: kai-noir\n")
    text = f"templates:\n  T:\n{lines}" + noir("template: {name: T}")
    entry = "{file: config/m.yml, template_variables: {given: S3cret}}"

    (warning,) = told({"config.yml": config(entry), "m.yml": text})

    assert "s3cret" not in warning.lower()
    assert "what the configuration gives to its template" in warning
