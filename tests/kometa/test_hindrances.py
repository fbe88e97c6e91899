"""What keeps Kometa from building a collection though its tag is right, and how old Kometa is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kometa_ai.kometa.checking.kometa_log import about_version, version_in
from tests.kometa.support import read
from tests.kometa.test_setup import BOTH, config, noir, told

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY = "    settings: {{{}}}\n"
EVERYWHERE = "settings: {{{}}}\n"
TEMPLATES = "templates:\n  T: {{{}}}\n"


@pytest.mark.parametrize("value", ["7", "'7'", "1"])
def test_a_cache_of_builders(value: str) -> None:
    """Kometa does not see new tags for so many days."""
    (warning,) = told({"config.yml": config(), "m.yml": noir(f"{BOTH}, cache_builders: {value}")})

    assert warning.startswith("m.yml:6: Kometa keeps what it found for as many days as `cache_builders` says")


@pytest.mark.parametrize(
    ("value", "settings"), [("0", ""), ("~", ""), ("x", ""), ("7", "settings: {cache: false}\n"), ("true", "")]
)
def test_no_cache_of_builders(value: str, settings: str) -> None:
    """Zero is none, and without Kometa's cache there is none either."""
    found = told({"config.yml": config(settings=settings), "m.yml": noir(f"{BOTH}, cache_builders: {value}")})

    assert not any("cache_builders" in warning and "keeps what it found" in warning for warning in found)


@pytest.mark.parametrize("name", ["minimum_items", "Minimum_Items", "collection_minimum"])
def test_a_minimum_of_the_collection(name: str) -> None:
    """With fewer movies there is no collection, and no error."""
    (warning,) = told({"config.yml": config(), "m.yml": noir(f"{BOTH}, {name}: 3")})

    assert warning.startswith("m.yml:6: Kometa builds it only with as many movies as `minimum_items` says")


@pytest.mark.parametrize("attributes", ["minimum_items: 1", "minimum_items: 3, build_collection: false"])
def test_no_minimum_of_the_collection(attributes: str) -> None:
    """One is the default; with `build_collection: false` there is no collection anyway."""
    found = told({"config.yml": config(), "m.yml": noir(f"{BOTH}, {attributes}")})

    assert not any("minimum_items" in warning for warning in found)


@pytest.mark.parametrize(
    ("everywhere", "library", "place"),
    [
        ("minimum_items: 3", "", "config.yml:2"),
        ("collection_minimum: 3", "", "config.yml:2"),
        ("minimum_items: 1", "minimum_items: 3", "config.yml:5"),
        ("collections: {minimum_items: 3}", "", "config.yml:2"),
        ("minimum_items: 3", "minimum_items: 1", ""),
        ("minimum_items: 3", "minimum_items:  ", "config.yml:2"),
        ("minimum_items: '3'", "", ""),
        ("minimum_items: true", "", ""),
        ("minimum_items: 1, collections: {minimum_items: 3}", "", ""),
    ],
)
def test_a_minimum_of_the_settings(everywhere: str, library: str, place: str) -> None:
    """One warning for all collections that have none of their own, where the setting stands; its value stays hidden."""
    text = config(settings=EVERYWHERE.format(everywhere), more=LIBRARY.format(library))
    both = noir() + noir("radarr_taglist: kai-b, sync_mode: sync", name="B").partition("\n")[2]

    found = told({"config.yml": text, "m.yml": both})

    assert len(found) == bool(place)
    assert all(warning.startswith(f"{place}: Kometa builds Noir, B in Movies only with as many") for warning in found)
    one = noir(f"{BOTH}, minimum_items: 1")
    assert told({"config.yml": text, "m.yml": one}) == []


def test_a_minimum_of_a_library_that_loads_nothing_of_ours() -> None:
    """That is none of ours."""
    other = "  TV:\n    settings: {minimum_items: 5}\n    collection_files: [{file: config/tv.yml}]\n"
    tv = "collections: {A: {plex_all: true}}\n"
    assert told({"config.yml": config() + other, "m.yml": noir(), "tv.yml": tv}) == []


def test_attributes_of_a_template() -> None:
    """A template may bring them in."""
    text = TEMPLATES.format("cache_builders: 7, minimum_items: 3") + noir(f"{BOTH}, template: {{name: T}}")

    found = told({"config.yml": config(), "m.yml": text})

    assert sorted("cache_builders" in warning for warning in found) == [False, True]


@pytest.mark.parametrize(
    ("attributes", "everywhere", "library", "why"),
    [
        ("show_missing: false, save_report: true", "", "", "`save_report` is on"),
        ("show_missing: false", "save_report: true", "", "`save_report` is on"),
        ("show_missing: false", "save_missing: true", "", "`save_report` is on"),
        ("show_missing: false", "save_report: true", "settings: {save_report: false}", ""),
        ("show_missing: false, save_report: false", "save_report: true", "", ""),
        ("show_missing: false, radarr_add_missing: true", "", "", "`radarr_add_missing` is on"),
        ("show_missing: false", "", "radarr: {add_missing: true}", "`add_missing` of `radarr:` is on"),
        ("show_missing: false, radarr_add_missing: false", "", "radarr: {add_missing: true}", ""),
        ("show_missing: false", "", "", ""),
        ("show_missing: true, save_report: true", "", "", ""),
        ("save_report: true", "", "", ""),
    ],
)
def test_looking_up_what_is_missing(attributes: str, everywhere: str, library: str, why: str) -> None:
    """`show_missing: false` is not enough where a report is saved or missing movies are added: a hint, no warning."""
    text = config(settings=EVERYWHERE.format(everywhere), more=f"    {library}\n" if library else "")

    folder = read({"config.yml": text, "m.yml": noir(f"{BOTH}, {attributes}")})

    assert folder.warnings == ()
    assert [hint.what.rpartition(": ")[2] for hint in folder.hints] == ([f"{why}."] if why else [])


def log(folder: Path, *lines: str, begin: str = "") -> None:
    """Kometa's log with these lines, as Kometa writes them."""
    (folder / "logs").mkdir(exist_ok=True)
    written = "".join(f"[2026-11-28 05:00:01,123] [kometa.py:406]  [INFO]   | {line:<100} |\n" for line in lines)
    (folder / "logs" / "meta.log").write_text(begin + written)


@pytest.mark.parametrize(
    ("line", "is_old"),
    [
        ("    Version: 2.3.1 (Docker: latest)", True),
        ("    Version: 2.3.0 (Python 3.11.7) (Git: master)", True),
        ("    Version: 1.21.1 (Docker: latest)", True),
        ("    Version: 2.3.1-build69 (Docker: nightly)", True),
        ("    Version: 2.3.1-build70 (Docker: nightly)", False),
        ("    Version: 2.3.1-develop7 (Docker: develop)", False),
        ("    Version: 2.4.0 (Docker: latest)", False),
        ("    Version: 2.10.0 (Docker: latest)", False),
        ("    Version: 3.0.0 (Docker: latest)", False),
        ("    Version: Unknown (Docker: latest)", False),
        ("    Newest Version: 2.3.1", False),
        ("    PlexAPI version: 2.3.1", False),
    ],
)
def test_versions(tmp_path: Path, line: str, is_old: bool) -> None:  # noqa: FBT001 - a row of the table
    """Until 2.4.0, and some builds before, the last movie stays in its collection."""
    log(tmp_path, line, "    Newest Version: 9.9.9", "    Platform: Linux", "Version: 1.0.0")
    found = [warning.what for warning in about_version(tmp_path)]

    if "Newest" in line or "PlexAPI" in line:
        assert str(version_in(tmp_path)) == "1.0.0"
    else:
        assert bool(found) is is_old
        assert all("leaves a collection as it was when the last movie loses its tag" in what for what in found)


def test_logs_that_tell_nothing(tmp_path: Path) -> None:
    """No log, an empty one, one that begins with something else, a pipe, a folder: nothing is said or waited for."""
    assert version_in(tmp_path) is None
    log(tmp_path, "    Version: 2.3.1", begin="x" * 100_000)
    assert version_in(tmp_path) is None
    (tmp_path / "logs" / "meta.log").write_bytes(b"")
    assert version_in(tmp_path) is None
    (tmp_path / "logs" / "meta.log").unlink()
    os.mkfifo(tmp_path / "logs" / "meta.log")
    assert version_in(tmp_path) is None
    (tmp_path / "logs" / "meta.log").unlink()
    (tmp_path / "logs" / "meta.log").mkdir()
    assert version_in(tmp_path) is None
