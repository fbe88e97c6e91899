"""Kometa's side of collections of shows: what is checked for movies is checked for them, in Sonarr's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.kometa.checking.examination import examine_folder
from kometa_ai.kometa.checking.plex_libraries import OurLibrary
from tests.kometa.support import block, read
from tests.kometa.test_kinds import BOTH, FILES, MOVIES, RADARR, SHOWS, SONARR, config, noir, put_right

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.kometa.checking.plex_libraries import Addresses

TV = config(f"TV: {{{FILES}}}")
TWO: Addresses = {
    "movie": [OurLibrary("radarr", "RADARR_URL", "http://radarr:7878")],
    "show": [
        OurLibrary("sonarr", "SONARR_URL", "http://sonarr:8989"),
        OurLibrary("sonarr-anime", "SONARR_ANIME_URL", "http://anime:8989/tv/"),
    ],
}
FINE = "sonarr_taglist: kai-noir"


def told(text: str, **others: str) -> list[str]:
    """`where: what remedy` of every warning about a file of shows, and others beside it named `<name>.yml`."""
    folder = read({"m.yml": text} | {f"{name}.yml": content for name, content in others.items()}, BOTH)
    assert folder.problems == ()
    return [f"{warning.where}: {warning.what} {warning.remedy}" for warning in folder.warnings]


def shows(*attributes: str, more: tuple[str, ...] = ("media: shows",)) -> str:
    """A file with one collection of shows."""
    return noir(*attributes, more=more)


def test_no_warning_where_kometa_does_the_right_thing() -> None:
    """With `sonarr_taglist` and `sync_mode: sync`, with a configuration and without."""
    assert told(shows(FINE)) == []
    assert told(shows(FINE, "show_missing: false"), config=TV) == []


@pytest.mark.parametrize(
    ("attributes", "where", "what", "fixed"),
    [
        (("plex_all: true",), 7, "`sonarr_taglist` is missing", "    sonarr_taglist: kai-noir"),
        (("sonarr_taglist:",), 8, "takes every show that has no tag at all", "    sonarr_taglist: kai-noir"),
        (("sonarr_taglist: kai-nior",), 8, "but its tag is kai-noir", "    sonarr_taglist: kai-noir"),
        (("sonarr_taglist: [mine, kai-x]",), 8, "but its tag", "    sonarr_taglist: [kai-noir, mine]"),
    ],
)
def test_the_taglist(attributes: tuple[str, ...], where: int, what: str, fixed: str) -> None:
    """Missing, blank or another one: a warning with the line to write."""
    files = {"m.yml": shows(*attributes)}
    (warning,) = read(files, BOTH).warnings

    assert (warning.line, what in warning.what) == (where, True)
    assert warning.correction
    assert warning.correction.lines == (fixed,)
    assert put_right(files, warning).warnings == ()


def test_shows_stay_without_sync() -> None:
    """Kometa never takes a show out of the collection, then."""
    (warning,) = told(shows(FINE).replace("sync_mode: sync", "sync_mode: append"))

    assert "Kometa never removes a show from the collection" in warning


@pytest.mark.parametrize(
    ("attribute", "what"),
    [
        ("radarr_all: true", "`radarr_all` is for libraries of movies, `sonarr_taglist` for shows."),
        ("radarr_taglist: kai-noir", "`radarr_taglist` is for libraries of movies, `sonarr_taglist` for shows."),
        ("tmdb_movie: 5", "`tmdb_movie` is for libraries of movies"),
        ("director: x", "`director` is for libraries of movies"),
        ("builder_level: season", "`sonarr_taglist` finds whole shows, no seasons."),
        ("collection_order: custom", "cannot be used with `sonarr_taglist`"),
        ("item_sonarr_tag: a\n    item_sonarr_tag.remove: b", "do not go together"),
    ],
)
def test_what_kometa_refuses(attribute: str, what: str) -> None:
    """Attributes of movies, and orders and levels that do not go with a tag."""
    assert any(what in warning for warning in told(shows(FINE, attribute)))


@pytest.mark.parametrize(
    "attribute", ["network: HBO", "tmdb_show: 5", "item_tmdb_season_titles: true", "sonarr_all: true"]
)
def test_what_is_for_shows_is_fine(attribute: str) -> None:
    """Kometa takes in a library of shows what it refuses for movies."""
    assert not any("refuses" in warning for warning in told(shows(FINE, attribute)))


def test_a_definition_for_movies() -> None:
    """Kometa then skips it in each library of shows."""
    (warning,) = told(shows(FINE, "run_definition: movie"))

    assert "Kometa never builds it: `run_definition` is not for shows." in warning


def test_radarr_beside_shows() -> None:
    """An attribute of Radarr needs a `radarr:`, also in a library of shows."""
    text = f"{SONARR}libraries:\n  TV: {{{FILES}}}\n"
    found = told(shows(FINE, "item_radarr_tag: x"), config=text)

    assert any("needs `radarr:`, which is not set up in TV" in warning for warning in found)


@pytest.mark.parametrize(
    ("line", "what", "fixed"),
    [
        ("item_sonarr_tag.sync: mine", "takes every other tag off the collection's shows", "    item_sonarr_tag: mine"),
        ("item_sonarr_tag: [mine, kai-noir]", "writes the managed tag kai-noir", "    item_sonarr_tag: [mine]"),
        ("item_sonarr_tag.remove: mine, kai-noir", "writes the managed tag", "    item_sonarr_tag.remove: mine"),
        ("sonarr_tag: [mine, kai-noir]", "gives what Kometa adds to Sonarr the managed tag", "    sonarr_tag: [mine]"),
    ],
)
def test_what_writes_tags_in_sonarr(line: str, what: str, fixed: str) -> None:
    """A warning wherever it stands, with the correction that Radarr's attributes have."""
    files = {"m.yml": shows(FINE), "o.yml": f"collections:\n  Other:\n    {line}\n"}
    (warning,) = read(files, BOTH).warnings

    assert (warning.where, what in warning.what) == ("o.yml:3", True)
    assert warning.correction
    assert warning.correction.lines == (fixed,)
    assert put_right(files, warning).warnings == ()


def test_tags_are_managed_in_the_service_of_their_kind() -> None:
    """The label of a collection of movies is the user's own business in Sonarr, and the reverse."""
    other = "collections:\n  Other:\n    item_sonarr_tag: kai-noir\n"
    assert read({"m.yml": MOVIES, "o.yml": other}, BOTH).warnings == ()
    assert len(read({"m.yml": SHOWS, "o.yml": other}, BOTH).warnings) == 1
    assert read({"m.yml": SHOWS, "o.yml": other.replace("sonarr", "radarr")}, BOTH).warnings == ()


@pytest.mark.parametrize(("arr", "kind", "text"), [("radarr", "movie", MOVIES), ("sonarr", "show", SHOWS)])
def test_deleting_by_a_managed_tag(arr: str, kind: str, text: str) -> None:
    """It deletes, and a tag that is gone ends Kometa's run for the whole library."""
    name = "Movies" if kind == "movie" else "TV"
    operations = f"operations:\n      assets_for_all: true\n      {arr}_remove_by_tag: kai-noir"
    library = f"{name}:\n    {operations}\n    {FILES}"
    (warning,) = read({"m.yml": text, "config.yml": config(library)}, BOTH).warnings

    assert f"deletes from {arr.capitalize()} the {kind}s with the managed tag kai-noir" in warning.what
    assert f"ends Kometa's run for the library where a {kind} has a tag that is gone" in warning.what
    assert warning.correction


def test_a_cache_and_a_minimum() -> None:
    """They keep tagged shows from being seen."""
    found = told(shows(FINE, "cache_builders: 7", "minimum_items: 3"))

    assert ["cache_builders" in found[0], "only with as many shows as" in found[1]] == [True, True]


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("url", "Write `url` (Sonarr's address as Kometa reaches it, e.g. http://sonarr:8989) below `sonarr:`."),
        ("token", "Write `token` (its key) below `sonarr:`."),
        ("root_folder_path", "Write `root_folder_path` (one of its root folders, exactly as Sonarr spells it) below"),
        ("quality_profile", "Write `quality_profile` (one of its profiles, exactly as Sonarr spells it) below"),
    ],
)
def test_a_section_of_sonarr_with_a_gap(missing: str, remedy: str) -> None:
    """Kometa connects with all four or not at all, though it only reads tags."""
    text = f"{RADARR}{SONARR.replace(f'{missing}:', 'x:')}libraries:\n  TV: {{{FILES}}}\n"
    (warning,) = told(shows(FINE), config=text)

    assert warning.startswith(f"config.yml:2: Kometa cannot read Sonarr's tags in TV: `sonarr:` has no `{missing}`.")
    assert remedy in warning
    assert ("adds nothing to Sonarr" in warning) is (missing in ("root_folder_path", "quality_profile"))


def test_a_section_of_sonarr_with_gaps_is_one_warning() -> None:
    """It names all that lacks, and is no hint besides."""
    text = f"sonarr: {{url: http://sonarr:8989}}\nlibraries:\n  TV: {{{FILES}}}\n"
    folder = read({"m.yml": shows(FINE), "config.yml": text}, BOTH)

    assert [warning.what for warning in folder.warnings] == [
        (
            "Kometa cannot read Sonarr's tags in TV: `sonarr:` has no `token`, no `root_folder_path` and no "
            "`quality_profile`."
        )
    ]
    assert folder.hints == ()


def test_each_library_needs_the_service_of_its_kind_only() -> None:
    """A file for both kinds of libraries: no Radarr is missed in the one of shows."""
    text = f"{SONARR}libraries:\n  TV: {{{FILES}}}\n  Movies: {{{FILES}, {RADARR.strip()}}}\n"
    both = MOVIES + SHOWS.partition("collections:\n")[2].replace("Noir:", "Shows:").replace("kai-noir", "kai-shows")

    assert told(both, config=text) == []


def test_another_sonarr_than_ours(tmp_path: Path) -> None:
    """A hint where the addresses differ."""
    (tmp_path / "m.yml").write_text(shows(FINE))
    (tmp_path / "config.yml").write_text(TV)

    def hints(url: str) -> list[str]:
        ours: Addresses = {
            "movie": [OurLibrary("radarr", "RADARR_URL", "http://elsewhere")],
            "show": [OurLibrary("sonarr", "SONARR_URL", url)],
        }
        return [hint.what for hint in examine_folder(tmp_path, addresses=ours, services=BOTH).hints]

    assert hints("http://sonarr:8989") == []
    assert ["a Sonarr at another address than SONARR_URL in TV" in hint for hint in hints("http://nas:8989")] == [True]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://sonarr:8989", []),
        ("http://anime:8989/tv", []),
        ("http://nas:8989", ["SONARR_URL and SONARR_ANIME_URL"]),
    ],
)
def test_one_of_several_sonarrs(tmp_path: Path, url: str, told: list[str]) -> None:
    """Each Plex library may have an instance of its own; a hint where Kometa's is none of ours."""
    (tmp_path / "m.yml").write_text(shows(FINE))
    (tmp_path / "config.yml").write_text(TV.replace("http://sonarr:8989", url))

    found = [hint for hint in examine_folder(tmp_path, addresses=TWO, services=BOTH).hints if "address" in hint.what]

    assert [hint.what for hint in found] == [
        f"Kometa reads the tags of a Sonarr at another address than {names} in TV." for names in told
    ]
    assert all("it is one of these Sonarr" in hint.remedy for hint in found)


@pytest.mark.parametrize(
    ("libraries", "url", "told"),
    [
        ("[sonarr-anime]", "http://sonarr:8989", 1),
        ("[sonarr]", "http://sonarr:8989/", 0),
        ("[sonarr, sonarr-anime]", "http://sonarr:8989", 0),
        ("[sonarr-anime]", "http://nas:8989", 0),
        ("[sonarr-anime]", "<<sonarr>>", 0),
        ("[sonarr-anime]", "", 0),
        ("[sonarr-anima]", "http://sonarr:8989", 0),
        ("[]", "http://anime:8989/tv", 0),
    ],
)
def test_a_block_for_one_sonarr_and_kometa_at_another(tmp_path: Path, libraries: str, url: str, told: int) -> None:
    """A hint where Kometa is certain to look for the tag where it never is; none where the name itself is wrong."""
    (tmp_path / "m.yml").write_text(shows(FINE, more=("media: shows", f"libraries: {libraries}")))
    (tmp_path / "config.yml").write_text(TV.replace("http://sonarr:8989", url))

    found = [hint for hint in examine_folder(tmp_path, addresses=TWO, services=BOTH).hints if "finds" in hint.what]

    what = "its tag is only in sonarr-anime, but Kometa looks for it in sonarr, and finds nothing."
    assert [hint.what for hint in found] == [what] * told


def test_a_reference_to_a_collection_of_the_other_kind() -> None:
    """It means no collection, as items of two kinds have nothing in common; and it is no misspelling."""
    movies = noir("radarr_taglist: kai-noir", more=("media: movies", "include_tags: [kai-crime]"))
    crime = block("enabled: true", "prompt: x", "media: shows")
    crime += "\n  Crime: {sonarr_taglist: kai-crime, sync_mode: sync}\n"

    (warning,) = told(movies + crime)

    assert "kai-crime is that of a collection of shows, and this one is about movies" in warning
    assert "correct `media`" in warning


def test_a_library_of_the_other_kind_takes_its_own() -> None:
    """Kometa's collection of the same name for movies is none of the block for shows."""
    movies = "collections:\n  Noir:\n    plex_all: true\n"
    libraries = config(f"TV: {{{FILES}}}", "Movies: {collection_files: [file: config/movies.yml, file: config/m.yml]}")

    assert told(shows(FINE), movies=movies, config=libraries) == []


def test_missing_shows_that_are_looked_up_all_the_same() -> None:
    """`show_missing: false` is not enough where Kometa adds missing shows."""
    text = config(f"TV: {{sonarr: {{add_missing: true}}, {FILES}}}")
    folder = read({"m.yml": shows(FINE, "show_missing: false"), "config.yml": text}, BOTH)

    (hint,) = (hint for hint in folder.hints if "looks up" in hint.what)
    assert "its shows that are not in Plex" in hint.what
    assert "`sonarr_add_missing: false`" in hint.remedy


def test_a_block_without_a_library_gets_no_advice() -> None:
    """Without a Sonarr the one warning says so; what Kometa would do with its tag does not matter."""
    folder = read({"m.yml": f"collections:\n{block('enabled: true', 'prompt: x', 'media: shows')}\n  Noir:\n"})

    assert ["no Sonarr is set up" in warning.what for warning in folder.warnings] == [True]


@pytest.mark.parametrize(
    ("operations", "kind"), [("sonarr_add_all: true", "warning"), ("assets_for_all: true", "hint")]
)
def test_a_collection_in_a_library_of_the_other_kind(operations: str, kind: str) -> None:
    """Kometa refuses its taglist there: a warning, or a hint where only the name of the library tells its kind."""
    files = {"m.yml": MOVIES, "config.yml": config(f"TV: {{operations: {{{operations}}}, {FILES}}}")}
    folder = read(files, BOTH)

    found = [each for each in (*folder.warnings, *folder.hints) if "library of shows" in each.what]
    assert [(each.where, each.severity) for each in found] == [("m.yml:6", kind)]
    assert [each.key for each in folder.collections] == ["noir"]


def test_no_word_where_one_library_may_be_of_its_kind() -> None:
    """A file that libraries of both kinds load, or one of which nothing is known, is fine."""
    for other in ("Movies", "Kids"):
        folder = read({"m.yml": MOVIES, "config.yml": config(f"TV: {{{FILES}}}", f"{other}: {{{FILES}}}")}, BOTH)

        assert (folder.warnings, folder.hints) == ((), ())
