"""Libraries that come and go between runs, and blocks whose kind changes with them or by hand: what becomes of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twelve films, every second in 4K, too, and ten shows; a block that nothing gives a kind, and one for shows."""
    films = movies(12)
    with Home(tmp_path, films, films[::2], shows(10)) as made:
        made.collections(block("Noir"), block("Crime", media="shows"))
        made.believe("Noir", range(3))
        made.believe_shows("Noir", range(2))
        made.believe_shows("Crime", range(4))
        yield made


def without(home: Home, *services: str) -> dict[str, str]:
    """Take these services out of the settings; return what puts them back."""
    names = [f"{service}_{what}" for service in services for what in ("url", "api_key")]
    before = {name: home.environ[name.upper()] for name in names}
    home.change(**dict.fromkeys(names, ""))
    return before


def tags(home: Home, name: str = "Noir") -> dict[str, set[int]]:
    """The members of a collection in each library that has any."""
    return {library: found for library in home.services if (found := home.members(library, name))}


def test_a_library_that_is_taken_away_and_comes_back(home: Home) -> None:
    """Whichever it was: its tags stay, nothing is asked again, and nothing is written."""
    home.run()
    before = tags(home)
    home.asked()
    for service in ("radarr_4k", "radarr", "sonarr"):
        back = without(home, service)
        home.run()
        home.run()
        home.change(**back)
        report = home.run()

        assert (report.exit_code, report.orphans, home.asked()) == (0, (), [])
        assert (tags(home), tags(home, "Crime")) == (before, {"sonarr": {0, 1, 2, 3}})


def test_a_library_under_another_name(home: Home) -> None:
    """It is another library with the same items: nothing is asked or written. An undo leaves what it had changed."""
    first = home.run()
    before = tags(home)
    home.asked()
    writes = home.writes()
    back = without(home, "radarr_4k")
    home.change(radarr_uhd_url=back["radarr_4k_url"], radarr_uhd_api_key=back["radarr_4k_api_key"])

    report = home.run()

    assert (report.exit_code, home.asked(), tags(home), home.writes()) == (0, [], before, writes)
    assert first.exit_code == 0


def test_a_block_that_names_a_library_of_old(home: Home) -> None:
    """It is skipped with the names there are, and its tags stay."""
    home.collections(block("Noir", libraries="[radarr-4k]"))
    home.run()
    assert tags(home) == {"radarr-4k": {0, 2}}
    without(home, "radarr_4k")

    report = home.run()

    (problem,) = (each for each in report.problems if each.collection == "Noir")
    assert problem.remedy == "There are: radarr. A library here is a Radarr or Sonarr, not one of Plex."
    assert (tags(home), report.orphans) == ({"radarr-4k": {0, 2}}, ())


def test_radarr_joins_a_sonarr_that_was_alone(home: Home) -> None:
    """What nothing gives a kind was about shows, and is about movies then: the shows keep the tag, and why is told."""
    back = without(home, "radarr", "radarr_4k")
    home.run()
    assert tags(home) == {"sonarr": {0, 1}}
    home.change(**back)

    report = home.run()

    assert tags(home) == {"radarr": {0, 1, 2}, "radarr-4k": {0, 2}, "sonarr": {0, 1}}
    (orphan,) = report.orphans
    assert (orphan.name, orphan.kind, orphan.members) == ("Noir", "show", 2)
    assert orphan.why == "its block is about movies now (no key says otherwise)"
    assert orphan.remedy.startswith("If it is to be about shows, write `media: shows` into its block. ")


def test_media_is_changed_by_hand(home: Home) -> None:
    """The movies keep the tag, which is told; the other way round nothing is asked again."""
    home.run()
    home.collections(block("Noir", media="shows"), block("Crime", media="shows"))
    flipped = home.run()
    home.asked()
    home.collections(block("Noir", media="movies"), block("Crime", media="shows"))
    back = home.run()

    assert [(each.kind, each.members, each.why) for each in flipped.orphans] == [
        ("movie", 3, "its block is about shows now (`media: shows`)"),
    ]
    assert [each.kind for each in back.orphans if each.name == "Noir"] == ["show"]
    assert home.asked() == []
    assert tags(home) == {"radarr": {0, 1, 2}, "radarr-4k": {0, 2}, "sonarr": {0, 1}}


def test_a_show_collection_is_taken_away_and_a_movie_collection_has_its_name(home: Home) -> None:
    """The other one is another collection: the orphan is said to be gone."""
    home.collections(block("Noir", media="movies"))
    home.collections(block("Noir", media="shows"), file="shows.yml")
    home.run()
    (home.kometa / "shows.yml").unlink()

    report = home.run()

    gone = "it is no longer in Kometa's folder"
    assert [(each.name, each.kind, each.why) for each in report.orphans] == [("Noir", "show", gone)]


def test_a_block_is_narrowed_to_one_library(home: Home) -> None:
    """The tags in the others go, since the block says so; wide again, they come back without a question."""
    home.run()
    home.asked()
    home.collections(block("Noir", libraries="[radarr-4k]"), block("Crime", media="shows"))
    narrow = home.run()

    assert (narrow.exit_code, tags(home)) == (0, {"radarr-4k": {0, 2}})
    home.collections(block("Noir"), block("Crime", media="shows"))
    home.run()
    assert (tags(home), home.asked()) == ({"radarr": {0, 1, 2}, "radarr-4k": {0, 2}}, [])


def test_two_libraries_on_one_database(home: Home) -> None:
    """An address that differs in letters only: each change is made once, and nothing is asked twice."""
    home.change(radarr_4k_url=home.environ["RADARR_URL"].replace("127.0.0.1", "localhost"))

    home.run()

    assert tags(home)["radarr"] == {0, 1, 2}
    assert len(home.asked()) == 12 + 10
    assert home.run().exit_code == 0
    assert [write.path for write in home.radarr.writes] == ["/api/v3/tag", "/api/v3/movie/editor"]
