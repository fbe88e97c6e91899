"""An undo of a run that changed several libraries: each is taken back, and one that cannot be used is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.cli.main import run
from kometa_ai.standins.faults import answer
from tests.cli.conftest import Ended
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Call = Callable[..., Ended]

ALL = {"radarr": {1, 2, 4}, "radarr-4k": {2, 4}, "sonarr": {1, 3}}
NONE: dict[str, set[int]] = {name: set() for name in ALL}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Twelve films, every second in 4K, too, and six shows; two collections of one name."""
    films = movies(12)
    with Home(tmp_path, films, films[::2], shows(6)) as made:
        made.collections(block("Christmas"))
        made.collections(block("Christmas", media="shows"), file="shows.yml")
        made.believe("Christmas", {1, 2, 4})
        made.believe_shows("Christmas", {1, 3})
        yield made


@pytest.fixture
def run_id(home: Home) -> str:
    """A run that has tagged all of them."""
    report = home.run()
    home.asked()
    return report.run_id


@pytest.fixture
def ask(home: Home, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the program with some options, in the home's environment with some variables changed."""

    def called(*arguments: str, **changed: str) -> Ended:
        capsys.readouterr()  # what runs beside the command line have logged
        code = run(arguments, {**home.environ, **changed})
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return called


def tagged(home: Home) -> dict[str, set[int]]:
    """What is tagged in each library."""
    return {name: home.members(name, "Christmas") for name in home.services}


def kept(home: Home, undo_id: str) -> Any:
    """A kept report as data."""
    return json.loads((home.state_dir / "runs" / f"{undo_id}.json").read_text())


def test_each_library_is_taken_back(home: Home, ask: Call, run_id: str) -> None:
    """All tags of the run go, in each library; what was taken back stays so, and nothing is asked or written later."""
    ended = ask("--undo", run_id, "--output", "json")

    assert (ended.code, ended.data["outcome"]) == (0, "ok")
    assert tagged(home) == NONE
    report = kept(home, ended.data["undo_id"])
    assert [(each["name"], each["kind"], each["members"]) for each in report["collections"]] == [
        ("Christmas", "movie", 0),
        ("Christmas", "show", 0),
    ]
    assert {line["name"] for line in report["libraries"]} == set(ALL)
    assert "tvdb:1001 is pinned out of Christmas (shows), by an undo," in ask("--pins").out
    pins = {pin["key"] for pin in ask("--pins", "--output", "json").data}
    assert pins == {"movie:1001", "movie:1002", "movie:1004", "show:1001", "show:1003"}
    for service in home.services.values():
        service.requests.clear()
    assert home.run().exit_code == 0
    assert (tagged(home), home.asked(), home.writes()) == (NONE, [], {})


@pytest.mark.parametrize("down", ALL)
def test_one_is_down(home: Home, ask: Call, run_id: str, down: str) -> None:
    """The others are taken back, exit code 1 and a problem name it; a second undo takes the rest back."""
    fault = home.services[down].faults.inject(answer(401), times=None)
    ended = ask("--undo", run_id, "--output", "json")

    assert (ended.code, ended.data["outcome"]) == (1, "problems")
    assert tagged(home) == NONE | {down: ALL[down]}
    titles = {"radarr": "Radarr", "radarr-4k": "Radarr 4K", "sonarr": "Sonarr"}
    assert [problem["source"] for problem in ended.data["problems"]] == [titles[down]]
    fault.times = 0
    assert ask("--undo", run_id).code == 0
    assert tagged(home) == NONE
    assert home.run().exit_code == 0
    assert (tagged(home), home.asked()) == (NONE, [])


def test_a_film_stays_out_of_a_library_that_was_down(home: Home, ask: Call, run_id: str) -> None:
    """A film is pinned wherever it is: the next run takes its tag off in the Radarr that was down, too."""
    radarr = home.radarr_4k.faults.inject(answer(401), times=None)
    sonarr = home.sonarr.faults.inject(answer(401), times=None)
    ask("--undo", run_id)
    radarr.times = sonarr.times = 0

    home.run()

    assert tagged(home) == NONE | {"sonarr": ALL["sonarr"]}


@pytest.mark.parametrize(("gone", "prefix"), [("radarr-4k", "RADARR_4K"), ("sonarr", "SONARR")])
def test_one_is_in_the_settings_no_more(home: Home, ask: Call, run_id: str, gone: str, prefix: str) -> None:
    """The others are taken back, and the problem says which library there is no more."""
    ended = ask("--undo", run_id, "--output", "json", **{f"{prefix}_URL": "", f"{prefix}_API_KEY": ""})

    assert ended.code == 1
    assert tagged(home) == NONE | {gone: ALL[gone]}
    [problem] = ended.data["problems"]
    assert repr(gone) in problem["what"]
    assert "give its address and key again" in problem["remedy"]


def test_all_are_down(home: Home, ask: Call, run_id: str) -> None:
    """Exit 3, each is named, nothing is changed, nothing is pinned."""
    for service in home.services.values():
        service.faults.inject(answer(401), times=None)

    ended = ask("--undo", run_id)

    assert ended.code == 3
    assert all(setting in ended.err for setting in ("RADARR_API_KEY", "RADARR_4K_API_KEY", "SONARR_API_KEY"))
    assert tagged(home) == ALL
    assert ask("--pins", "--output", "json").data == []


def test_one_dies_at_its_first_edit(home: Home, ask: Call, run_id: str) -> None:
    """The others are taken back; what it did not take is not pinned for its own sake, and the report counts it."""
    home.sonarr.faults.inject(answer(401), path="*/editor", times=None)
    ended = ask("--undo", run_id, "--output", "json")

    assert ended.code == 1
    assert tagged(home) == NONE | {"sonarr": ALL["sonarr"]}
    assert kept(home, ended.data["undo_id"])["totals"]["failed"] == len(ALL["sonarr"])
    assert {pin["key"].partition(":")[0] for pin in ask("--pins", "--output", "json").data} == {"movie"}


def test_what_changed_in_one_library_since(home: Home, ask: Call, run_id: str) -> None:
    """A tag that a person took off in one Radarr is left there, and taken back in the other."""
    home.radarr_4k.untag_by_hand(1002, "kai-christmas")
    ended = ask("--undo", run_id, "--output", "json")

    assert ended.code == 0
    assert [(line["title"], line["year"]) for line in ended.data["left"]] == [("Movie 2", 1952)]
    assert tagged(home) == NONE


def test_a_dry_run_shows_all_of_it(home: Home, ask: Call, run_id: str) -> None:
    """It says of which libraries, and changes nothing."""
    ended = ask("--undo", run_id, "--dry-run", "--output", "json")

    assert ended.code == 0
    assert len(ended.data["removed"]) == sum(map(len, ALL.values()))
    assert tagged(home) == ALL


def test_an_undo_of_removals(home: Home, ask: Call, run_id: str) -> None:
    """Tags that a run took off come back in each library that had them, and stay."""
    home.truth["Christmas"] = {"Movie 1": 0.95, "Show 1": 0.95}
    removing = home.run(force_refresh=True, allow_removals=True)
    assert tagged(home) == {"radarr": {1}, "radarr-4k": set(), "sonarr": {1}}

    assert ask("--undo", removing.run_id).code == 0

    assert tagged(home) == ALL
    home.run(force_refresh=True, allow_removals=True)
    assert tagged(home) == ALL
    assert run_id != removing.run_id
