"""What docs/libraries.md says of several libraries, tried with two Radarrs and a Sonarr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.main import run
from kometa_ai.standins.faults import answer
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_BOTH = {0, 2, 4, 6, 8}
ONLY_IN_4K = 41


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Forty films, of which every second is in 4K, too, four that are there alone, and thirty shows."""
    films = movies(44)
    with Home(tmp_path, films[:40], [*films[:40:2], *films[40:]], shows(30), batch_size=20) as made:
        made.collections(block("Noir"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Noir", [*range(10), ONLY_IN_4K])
        made.believe_shows("Crime", range(8))
        yield made


def _take_out(home: Home, *prefixes: str) -> dict[str, object]:
    """Take libraries out of the settings; the result puts them in again."""
    gone = {name: value for name, value in home._settings.items() if name.startswith(prefixes)}
    for name in gone:
        del home._settings[name]
    return gone


def test_one_that_is_taken_out_keeps_its_tags_and_decisions(home: Home) -> None:
    """Nothing is written there, no tag is called an orphan, and nothing is asked once it is back."""
    home.run()
    gone = _take_out(home, "radarr_4k")

    reports = [home.run(), home.run()]
    home.change(**gone)
    back = home.run()

    assert [(each.exit_code, each.asked, each.orphans) for each in (*reports, back)] == [(0, 0, ())] * 3
    assert home.members("radarr-4k", "Noir") == {*IN_BOTH, ONLY_IN_4K}


def test_blocks_without_a_library_are_left_alone_with_a_warning(home: Home) -> None:
    """Without Sonarr a block for shows is a warning, and its tags stay; one that names what is gone is a problem."""
    home.run()
    _take_out(home, "sonarr", "radarr_4k")
    home.collections(block("Noir", libraries="[radarr-4k]"))

    report = home.run()

    assert report.exit_code == 1
    assert any("no library of movies has that name" in each.what for each in report.problems)
    assert any("no Sonarr is set up" in each.what for each in report.warnings)
    assert home.members("radarr", "Noir") == set(range(10))
    assert home.members("sonarr", "Crime") == set(range(8))


def test_a_tag_of_the_users_counts_wherever_it_is(home: Home) -> None:
    """A tag in one Radarr lets the movie in in both."""
    home.collections(block("Noir", include_tags="[mine]"))
    home.radarr_4k.tag_by_hand(1020, "mine")

    home.run()

    assert 20 in home.members("radarr", "Noir") & home.members("radarr-4k", "Noir")


def test_narrowed_at_once_and_widened_again(home: Home) -> None:
    """More removals than the brake lets through are made at once, as the block was edited; back they cost nothing."""
    home.run()
    home.collections(block("Noir", libraries="[radarr-4k]"))
    narrowed = home.run()
    home.collections(block("Noir"))
    widened = home.run()

    assert (narrowed.removed, narrowed.asked, widened.asked) == (10, 0, 0)
    assert home.members("radarr", "Noir") == set(range(10))


def test_the_next_library_tells_the_facts_once_the_first_is_gone(home: Home) -> None:
    """Movies that the second Radarr describes in other words are asked about again when the first is taken out."""
    for number in range(0, 40, 2):
        home.radarr_4k.update_movie(1000 + number, overview="In anderen Worten.")
    home.run()
    home.asked()
    home.change(radarr_url=home._settings["radarr_4k_url"])
    _take_out(home, "radarr_4k")

    home.run()

    assert {title for _, title in home.asked()} == {f"Movie {number}" for number in range(0, 40, 2)}


def test_an_undo_while_one_library_is_away(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, its changes are left and it is named; what both hold follows there in the next run, by the pins."""
    done = home.run()
    fault = home.radarr_4k.faults.inject(answer(401), times=None)

    code = run(["--undo", done.run_id], home.environ)
    fault.times = 0
    left = home.members("radarr-4k", "Noir")
    home.run()

    assert code == 1
    assert "Radarr 4K" in capsys.readouterr().out
    assert left == {*IN_BOTH, ONLY_IN_4K}
    assert (home.members("radarr", "Noir"), home.members("radarr-4k", "Noir")) == (set(), {ONLY_IN_4K})


def test_an_undo_does_not_widen_a_block(home: Home) -> None:
    """Tags that went because `libraries` was narrowed are to go again, and the brake weighs that as no edit."""
    home.run()
    home.collections(block("Noir", libraries="[radarr-4k]"))
    narrowed = home.run()

    code = run(["--undo", narrowed.run_id], home.environ)
    back = home.members("radarr", "Noir")
    again, allowed = home.run(), home.run(allow_removals=True)

    assert (code, back) == (0, set(range(10)))
    assert (again.removed, again.held_back, allowed.removed) == (0, 10, 10)
    assert home.members("radarr", "Noir") == set()


def test_a_report_counts_an_item_once(home: Home) -> None:
    """Eleven movies and eight shows were added, although five of the movies were tagged twice."""
    report = home.run()

    assert report.added == 11 + 8
    assert len(report.changes) == 10 + 6 + 8
