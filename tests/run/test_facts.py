"""The first named library tells what an item is: others ask nothing by what they tell, whoever is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.faults import answer
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COUNT = 12
IN_4K = range(0, COUNT, 2)
EVERY = [("Noir", f"Movie {number}") for number in range(COUNT)]
HALF = [("Noir", f"Movie {number}") for number in IN_4K]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twelve films, of which every second is in 4K with other texts and another cast; one show."""
    films = movies(COUNT)
    with Home(tmp_path, films, [films[number] for number in IN_4K], shows(1)) as made:
        made.collections(block("Noir"))
        made.believe("Noir", range(4))
        for number in IN_4K:
            made.radarr_4k.update_movie(
                1000 + number, overview="Etwas anderes.", genres=("Krimi",), directors=("Wer",), cast=("Niemand",)
            )
        yield made


class _Counting:
    """Counts what a run says about how far it has come."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def step(self, name: str) -> None:
        pass

    def total(self, what: str, count: int) -> None:
        self.totals[what] = count

    def advance(self, what: str, count: int) -> None:
        self.done[what] = self.done.get(what, 0) + count

    def cost(self, usd: float) -> None:
        pass


def test_how_far_it_has_come_reaches_its_end(home: Home) -> None:
    """People are fetched for films only; a show that is asked about, too, is not counted as one to come."""
    home.collections(block("Noir"), block("Crime", media="shows"))
    counting = _Counting()
    home.run(observer=counting)

    assert counting.done["movies"] == counting.totals["movies"] == COUNT


def test_facts_that_alternate(home: Home) -> None:
    """Twelve nights, in each third of which the first or the second Radarr is down: asked once, tags stay right."""
    assert (home.run().exit_code, home.asked()) == (0, sorted(EVERY))
    down = [home.services[name].faults.inject(answer(401), times=0) for name in ("radarr", "radarr-4k")]

    for night in range(12):
        down[0].times, down[1].times = (None if night % 3 == 0 else 0), (None if night % 3 == 1 else 0)
        report = home.run()
        assert report.exit_code == (0 if night % 3 == 2 else 1)
        assert home.asked() == []
        assert home.members("radarr", "Noir") == {0, 1, 2, 3}
        assert home.members("radarr-4k", "Noir") == {0, 2}


@pytest.mark.parametrize("with_credits", [True, False])
def test_a_prompt_that_changes_while_the_first_is_down(home: Home, *, with_credits: bool) -> None:
    """What the second holds is asked about at once, with the people that are known, and not again by the first."""
    home.change(radarr_credits=with_credits)
    home.run()
    home.asked()
    home.collections(block("Noir", "Something else."))
    fault = home.radarr.faults.inject(answer(401), times=None)

    home.run()

    records = [record for request in home.claude.requests for record in request.movies]
    assert {tuple(record.get("directors", ())) for record in records} == (
        {(f"Director {number}",) for number in IN_4K} if with_credits else {()}
    )
    assert home.asked() == sorted(HALF)
    home.run()
    assert home.asked() == []
    fault.times = 0
    home.run()
    assert home.asked() == sorted(set(EVERY) - set(HALF))
    home.run()
    assert home.asked() == []


@pytest.mark.parametrize("silent", ["radarr", "radarr-4k"])
def test_credits_of_one_radarr_only(home: Home, silent: str) -> None:
    """A Radarr that never tells of people: films are judged without, and not again whichever is down."""
    home.services[silent].faults.inject(answer(500), path="*/credit", times=None)
    home.run()
    assert home.asked() == sorted(EVERY)
    down = {name: home.services[name].faults.inject(answer(401), times=0) for name in ("radarr", "radarr-4k")}

    for name in ("radarr", "radarr-4k", "radarr"):
        down[name].times = None
        home.run()
        down[name].times = 0
        home.run()
    home.services[silent].faults.clear()
    home.run()

    assert home.asked() == []


def test_a_new_film_while_the_first_is_down(home: Home) -> None:
    """What is known from the second alone is asked about once more when the first tells other facts, and then never."""
    film = movies(COUNT + 1)[COUNT]
    home.run()
    home.asked()
    home.radarr.add_movie(film)
    home.radarr_4k.add_movie(film)
    home.radarr_4k.update_movie(film.tmdb_id, overview="Etwas anderes.")
    fault = home.radarr.faults.inject(answer(401), times=0)

    asked = []
    for night in range(6):
        fault.times = None if night % 2 == 0 else 0
        home.run()
        asked.append(home.asked())

    assert asked == [[("Noir", film.title)], [("Noir", film.title)], [], [], [], []]


def test_a_tag_that_only_the_first_shows(home: Home) -> None:
    """While it is down, collections that go by tags are left alone: nothing is taken off, nothing is asked."""
    home.radarr.tag_by_hand(1006, "by-hand")
    home.collections(
        block("Noir", include_tags="[by-hand]"), block("Heist", include_tags="[KAI-Noir]"), block("Christmas")
    )
    home.run()
    tagged = {name: home.members("radarr-4k", name) for name in ("Noir", "Heist")}
    assert tagged == {"Noir": {0, 2, 6}, "Heist": {0, 2, 6}}
    home.asked()
    home.believe("Christmas", {2})
    fault = home.radarr.faults.inject(answer(401), times=None)

    report = home.run(force_refresh=True)

    assert {name for name, _ in home.asked()} == {"Christmas"}
    assert {name: home.members("radarr-4k", name) for name in tagged} == tagged
    assert home.members("radarr-4k", "Christmas") == {2}
    [problem] = [each for each in report.problems if each.source == "Radarr"]
    assert "Left alone: 2 collections (Heist, Noir)." in problem.what
    fault.times = 0
    assert home.run().exit_code == 0
    assert home.asked() == []
