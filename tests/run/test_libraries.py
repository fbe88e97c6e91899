"""Several libraries: an item is judged once and tagged wherever it is; what fails in one leaves the others alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.standins.faults import answer
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOIR = set(range(0, 300, 7))
HEIST = set(range(0, 300, 11))
CRIME_SHOWS = set(range(0, 200, 9))
COSY_SHOWS = set(range(0, 200, 13))
IN_4K = range(0, 300, 2)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Forty films, of which every second is in 4K, too, and thirty shows."""
    films = movies(40)
    with Home(tmp_path, films, films[::2], shows(30), batch_size=20) as made:
        made.collections(block("Noir"), block("Heist"))
        made.collections(block("Crime", media="shows"), block("Cosy", media="shows"), file="shows.yml")
        made.believe("Noir", range(10))
        made.believe("Heist", range(5, 15))
        made.believe_shows("Crime", range(8))
        made.believe_shows("Cosy", range(4, 12))
        yield made


def test_tags_are_the_truth_in_each_library(tmp_path: Path) -> None:
    """300 films and 200 shows in three libraries, six collections: exactly right in each; then nothing to do."""
    films = movies(300, tags=("by-hand",))
    with Home(tmp_path, films, [films[number] for number in IN_4K], shows(200, tags=("by-hand",))) as home:
        home.collections(block("Film Noir"), block("Heist", priority=3), block("Christmas"))
        home.collections(*(block(name, media="shows") for name in ("Crime", "Cosy", "Christmas")), file="shows.yml")
        home.believe("Film Noir", NOIR)
        home.believe("Heist", HEIST)
        home.believe("Christmas", {5, 6})
        home.believe_shows("Crime", CRIME_SHOWS)
        home.believe_shows("Cosy", COSY_SHOWS)
        home.believe_shows("Christmas", {5, 99})

        report = home.run()

        assert (report.outcome, report.exit_code) == ("ok", 0)
        for name, numbers in (("Film Noir", NOIR), ("Heist", HEIST), ("Christmas", {5, 6})):
            assert home.members("radarr", name) == numbers
            assert home.members("radarr-4k", name) == numbers & set(IN_4K)
        for name, numbers in (("Crime", CRIME_SHOWS), ("Cosy", COSY_SHOWS), ("Christmas", {5, 99})):
            assert home.members("sonarr", name) == numbers
        assert home.sonarr.forbidden_calls == []
        assert {label for service in home.services.values() for label in service.labels} >= {"by-hand"}
        assert report.added == len(NOIR) + len(HEIST) + 2 + len(CRIME_SHOWS) + len(COSY_SHOWS) + 2
        pairs = [(name, title) for name, title in home.asked()]
        assert len(pairs) == len(set(pairs)) == 300 * 3 + 200 * 3

        for service in home.services.values():
            service.requests.clear()
        again = home.run()

        assert (again.asked, home.asked(), home.writes()) == (0, [], {})
        assert again.outcome == "ok"


def test_films_and_shows_never_share_a_request(home: Home) -> None:
    """Each request is about items of one kind, with the prompt for that kind."""
    home.run()

    for request in home.claude.requests:
        kinds = {title.partition(" ")[0] for title in request.titles}
        assert len(kinds) == 1
        assert ("film expert" in str(request.body["system"])) is (kinds == {"Movie"})
    assert {title.partition(" ")[0] for request in home.claude.requests for title in request.titles} == {
        "Movie",
        "Show",
    }


def test_two_collections_of_one_name_are_apart(home: Home) -> None:
    """Two called Christmas, of films and of shows, have one label, and each its own status and its own decisions."""
    home.collections(block("Christmas"))
    home.collections(block("Christmas", prompt="Something else", media="shows"), file="shows.yml")
    home.believe("Christmas", {1})
    home.believe_shows("Christmas", {2, 3})

    report = home.run()

    assert [(each.name, each.kind, each.members) for each in report.collections] == [
        ("Christmas", "movie", 1),
        ("Christmas", "show", 2),
    ]
    state = json.loads((home.state_dir / "kometa_state.json").read_text())
    assert set(state["collections"]) == {"christmas", "show:christmas"}
    assert state["decisions"]["movie:1001"]["collections"]["christmas"]["include"] is True
    assert state["decisions"]["show:1002"]["collections"]["christmas"]["include"] is True
    assert (home.members("radarr", "Christmas"), home.members("sonarr", "Christmas")) == ({1}, {2, 3})


def test_a_block_for_one_library(home: Home) -> None:
    """`libraries` narrows: only what that library holds is asked about, and only there it is tagged."""
    home.collections(block("Noir", libraries="[radarr-4k]"))

    home.run()

    asked = {title for name, title in home.asked() if name == "Noir"}
    assert asked == {f"Movie {number}" for number in range(0, 40, 2)}
    assert home.members("radarr", "Noir") == set()
    assert home.members("radarr-4k", "Noir") == {0, 2, 4, 6, 8}


def test_a_block_narrowed_later_leaves_no_tag_behind(home: Home) -> None:
    """What is no longer for a library loses the tag there, and nothing is asked for it."""
    home.run()
    home.asked()
    home.collections(block("Noir", libraries="[radarr-4k]"), block("Heist"))

    home.run()

    assert home.asked() == []
    assert home.members("radarr", "Noir") == set()
    assert home.members("radarr-4k", "Noir") == {0, 2, 4, 6, 8}
    assert home.members("radarr", "Heist") == set(range(5, 15))


def test_a_library_that_there_is_not(home: Home) -> None:
    """A block that names one is skipped, with the names there are; all others go on."""
    home.collections(block("Noir", libraries="[radarr-8k]"), block("Heist"))

    report = home.run()

    [problem] = [each for each in report.problems if each.collection == "Noir"]
    assert "'radarr-8k'" in problem.what
    assert "radarr, radarr-4k" in problem.remedy
    assert report.exit_code == 1
    assert home.members("radarr", "Noir") == set()
    assert home.members("radarr", "Heist") == set(range(5, 15))


def test_the_first_library_tells_the_facts(home: Home) -> None:
    """Other texts in the second Radarr ask nothing; also not while the first one is down."""
    home.run()
    home.asked()
    for number in range(0, 40, 2):
        home.radarr_4k.update_movie(1000 + number, overview="Etwas anderes.")

    home.run()
    assert home.asked() == []
    fault = home.radarr.faults.inject(answer(401), times=None)
    report = home.run()
    assert home.asked() == []
    assert report.exit_code == 1
    fault.times = 0
    home.run()
    assert home.asked() == []


@pytest.mark.parametrize("down", ["radarr", "radarr-4k", "sonarr"])
def test_one_down_the_others_go_on(home: Home, down: str) -> None:
    """Exit code 1; the report names what was left alone; what the others hold is right; nothing there is forgotten."""
    home.services[down].faults.inject(answer(401), times=None)

    report = home.run()

    assert (report.outcome, report.exit_code) == ("problems", 1)
    lines = {line.name: line for line in report.libraries}
    assert [name for name, line in lines.items() if line.error] == [down]
    [problem] = [each for each in report.problems if each.source == lines[down].title]
    assert "Nothing was changed there" in problem.what
    if down == "sonarr":
        assert "Crime" in problem.what
    for library, numbers in (("radarr", set(range(10))), ("radarr-4k", {0, 2, 4, 6, 8})):
        assert home.members(library, "Noir") == (set() if library == down else numbers)
    assert home.members("sonarr", "Crime") == (set() if down == "sonarr" else set(range(8)))
    assert home.writes().get(down) is None


def test_what_is_down_later_keeps_everything(home: Home) -> None:
    """A Sonarr that is down one night loses no tag, no decision and no status, and is no orphan."""
    home.run()
    home.asked()
    before = json.loads((home.state_dir / "kometa_state.json").read_text())
    fault = home.sonarr.faults.inject(answer(401), times=None)

    report = home.run()

    assert report.orphans == ()
    after = json.loads((home.state_dir / "kometa_state.json").read_text())
    assert after["collections"]["show:crime"] == before["collections"]["show:crime"]
    assert after["libraries"]["sonarr"] == before["libraries"]["sonarr"]
    shows_before = {key: value for key, value in before["decisions"].items() if key.startswith("show:")}
    assert {key: after["decisions"][key] for key in shows_before} == shows_before
    fault.times = 0
    assert home.run().exit_code == 0
    assert home.asked() == []


def test_all_down(home: Home) -> None:
    """Exit code 3, and every library is named."""
    for service in home.services.values():
        service.faults.inject(answer(401), times=None)

    report = home.run()

    assert report.exit_code == 3
    assert all(title in str(report.problems) for title in ("Radarr", "Radarr 4K", "Sonarr"))
    assert home.writes() == {}


@pytest.mark.parametrize("dying", ["radarr", "radarr-4k", "sonarr"])
@pytest.mark.parametrize("after", ["the decisions", "the tag", "the first edit"])
def test_a_library_that_dies_in_a_run(home: Home, dying: str, after: str) -> None:
    """Right before the writes or between them: the others are right, and the next run makes what is missing."""
    path = {"the decisions": "*", "the tag": "*/editor", "the first edit": "*/editor"}[after]

    def die(_: object) -> None:
        home.services[dying].faults.inject(answer(401), path=path, times=None, skip=after == "the first edit")

    report = home.run(during=die, at="Planning the tags")

    assert report.exit_code == 1
    assert report.failed
    if after == "the decisions":
        title = {"radarr": "Radarr", "radarr-4k": "Radarr 4K", "sonarr": "Sonarr"}[dying]
        [problem] = [each for each in report.problems if each.source == title]
        assert "Left alone" in problem.what
        assert ("Crime" if dying == "sonarr" else "Noir") in problem.what
    for library in {"radarr", "radarr-4k"} - {dying}:
        assert home.members(library, "Noir") == (set(range(10)) if library == "radarr" else {0, 2, 4, 6, 8})
    if dying != "sonarr":
        assert home.members("sonarr", "Crime") == set(range(8))
    home.asked()
    home.services[dying].faults.clear()
    assert home.run().exit_code == 0
    assert home.asked() == []
    assert home.members("radarr", "Heist") == set(range(5, 15))
    assert home.members("radarr-4k", "Noir") == {0, 2, 4, 6, 8}
    assert home.members("sonarr", "Crime") == set(range(8))


def test_a_halved_library_is_left_alone(home: Home) -> None:
    """A second Radarr that lists much less than before is not believed; the others go on."""
    home.run()
    for number in range(0, 30, 2):
        home.radarr_4k.remove_movie(1000 + number)

    report = home.run()

    assert report.exit_code == 1
    assert any(each.source == "Radarr 4K" and "listed 20 before" in each.what for each in report.problems)
    assert home.run(accept_library=True).exit_code == 0


def test_the_brake_weighs_each_library_for_itself(home: Home) -> None:
    """Many removals in one Radarr are held back there, and reported with its name; the other is not held."""
    home.collections(block("Noir"))
    home.believe("Noir", range(40))
    home.run()
    for number in range(0, 40, 2):
        home.radarr_4k.update_movie(1000 + number, tags=("kai-noir",))

    home.truth["Noir"] = {f"Movie {number}": 0.95 for number in range(40) if number not in (1, 3, *range(0, 20, 2))}
    report = home.run(force_refresh=True)

    held = [each for each in report.problems if each.source == "REMOVAL_LIMIT"]
    assert held
    assert {each.what.partition(" held back in ")[2].partition(":")[0] for each in held} <= {"Radarr", "Radarr 4K"}


def test_a_running_show_is_not_asked_about_every_week(home: Home) -> None:
    """A year of weeks with new airings, statistics and seasons asks nothing; its end asks once."""
    for number in range(10):
        home.sonarr.update_show(1000 + number, status="continuing")
    home.run()
    home.asked()
    for _ in range(5):
        home.sonarr.week()
        home.run()
    assert home.asked() == []

    home.sonarr.update_show(1003, status="ended")
    home.run()
    assert home.asked() == [("Cosy", "Show 3"), ("Crime", "Show 3")]


def test_pins_of_shows(home: Home) -> None:
    """By TVDb number, IMDb id, title and year: in or out without a question, and shown to the model by name."""
    home.sonarr.update_show(1020, title="Archer (2009)", year=2009)
    pins = '[tvdb:1010, "Archer (2009)"]'
    home.collections(block("Crime", media="shows", include_shows=pins, exclude_shows="[tt0009000]"), file="shows.yml")

    home.run()

    assert home.members("sonarr", "Crime") == {*range(1, 8), 10, 20}
    asked = {title for name, title in home.asked() if name == "Crime"}
    assert asked == {f"Show {number}" for number in range(30) if number not in (0, 10, 20)}
    home.collections(block("Crime", "Other", media="shows", include_shows=pins), file="shows.yml")
    home.run()
    text = next(r.collection_text for r in home.claude.requests if r.collection_name == "Crime")
    assert "Belongs: Show 10 (2000), Archer (2009)" in text


def test_a_pin_of_the_other_kind(home: Home) -> None:
    """A film that a block of shows pins is told to be a film: the same pin is no suggestion."""
    home.collections(block("Crime", media="shows", include_shows='["Movie 1 (1951)"]'), file="shows.yml")

    [warning] = [each for each in home.run().warnings if "the pin" in each.what]

    assert warning.remedy == "Movie 1 (1951) is a movie: pin it in a collection of movies, or take it away."


def test_tags_of_the_users_own_decide(home: Home) -> None:
    """An included label counts where any library of the kind has it; another kind's label does not."""
    home.radarr_4k.update_movie(1030, tags=("film-club",))
    home.sonarr.update_show(1030 - 10, tags=("film-club",))
    home.collections(block("Noir", include_tags="[film-club]"))

    home.run()

    assert home.members("radarr", "Noir") == {*range(10), 30}
    assert home.members("radarr-4k", "Noir") == {0, 2, 4, 6, 8, 30}
    assert ("Noir", "Movie 30") not in home.asked()


def test_a_pin_that_names_no_show(home: Home) -> None:
    """A block pins shows, and their tags follow without a question; a pin that names no show is told."""
    pins = {"include_shows": '["tvdb:1020", "Show 21 (2011)"]', "exclude_shows": "[tt0009000, tvdb:5]"}
    home.collections(block("Crime", media="shows", **pins), file="shows.yml")

    report = home.run()

    assert home.members("sonarr", "Crime") == {*range(1, 8), 20, 21}
    assert ("Crime", "Show 20") not in home.asked()
    assert [each.what for each in report.warnings if "pin" in each.what] == [
        "the pin 'tvdb:5' names no show that Sonarr has."
    ]


@pytest.mark.parametrize("when", ["all along", "before the writes"])
def test_an_edited_block_passes_the_brake_where_a_library_was_down(home: Home, when: str) -> None:
    """The block counts as carried out once every library has it: the one that was down is not held back later."""
    home.collections(block("Noir"))
    home.believe("Noir", range(40))
    home.run()
    home.collections(block("Noir", "Only some of them"))
    home.truth["Noir"] = {"Movie 1": 0.95, "Movie 2": 0.95}

    def break_down() -> None:
        home.radarr_4k.faults.inject(answer(401), times=None)

    if when == "all along":
        break_down()
        report = home.run()
    else:
        report = home.run(during=lambda _: break_down(), at="Planning the tags")
    assert report.exit_code == 1
    assert (home.members("radarr", "Noir"), len(home.members("radarr-4k", "Noir"))) == ({1, 2}, 20)
    home.radarr_4k.faults.clear()

    report = home.run()

    assert (report.exit_code, home.members("radarr-4k", "Noir")) == (0, {2})
