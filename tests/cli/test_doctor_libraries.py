"""`--check-config` and `--dump-config` where there are several libraries, or none of a kind, from outside."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.cli.main import run
from kometa_ai.standins.faults import answer
from kometa_ai.standins.radarr import AutoTagRule, RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.standins.sonarr_seed import ShowSeed
from tests.cli.conftest import Ended
from tests.daemon.living import daemon_process
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Call = Callable[..., Ended]

SERVICES = ("RADARR", "RADARR_4K", "SONARR")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Two Radarrs, a Sonarr, and a block for movies and one for shows."""
    films = movies(6)
    with Home(tmp_path, films, films[::2], shows(5)) as made:
        made.collections(block("Noir", media="movies"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Noir", range(3))
        made.believe_shows("Crime", range(2))
        yield made


@pytest.fixture
def call(home: Home, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the program in that home with some variables changed; None takes one away."""

    def called(*arguments: str, **changed: str | None) -> Ended:
        environ: Mapping[str, str | None] = {**home.environ, **changed}
        code = run(arguments, {name: value for name, value in environ.items() if value is not None})
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return called


def without(*services: str) -> dict[str, None]:
    """The variables of these services, taken away."""
    return {f"{service}_{what}": None for service in services for what in ("URL", "API_KEY")}


def only(*services: str) -> dict[str, None]:
    """The variables of all other services, taken away."""
    return without(*(service for service in SERVICES if service not in services))


def told(problems: list[dict[str, Any]]) -> list[str]:
    """What each problem says, but for Kometa's attributes, which the blocks here lack."""
    return [problem["what"] for problem in problems if "taglist" not in problem["what"]]


def test_each_library_is_looked_at_by_its_title(call: Call) -> None:
    """In the order of the settings, then Claude."""
    ended = call("--check-config", "--output", "json")

    assert [(each["service"], each["status"]) for each in ended.data["services"]] == [
        ("Radarr", "ok"),
        ("Radarr 4K", "ok"),
        ("Sonarr", "ok"),
        ("Claude", "ok"),
    ]


def test_collections_of_one_name_are_told_apart(home: Home, call: Call) -> None:
    """In words one of shows says so, as in tables; where there are no movies, it need not. JSON has plain names."""
    home.collections(block("Crime"))

    assert "Collections that take part: Crime, Crime (shows)." in call("--check-config").out
    assert call("--check-config", "--output", "json").data["collections"] == ["Crime", "Crime"]
    home.collections(block("Heist", media="shows"))
    assert "Collections that take part: Crime, Heist." in call("--check-config").out


def test_wrong_settings_name_the_services_that_are_not_looked_at(home: Home, call: Call) -> None:
    """Those whose variables are set, half a pair included."""
    in_words = call("--check-config", BATCH_SIZE="0", **without("RADARR"), RADARR_4K_API_KEY=None)
    data = call("--check-config", "--output", "json", BATCH_SIZE="0").data

    assert "Radarr 4K, Sonarr, Claude: not looked at, since the settings are wrong." in in_words.out
    assert (data["not_looked_at"], data["services"]) == (["Radarr", "Radarr 4K", "Sonarr", "Claude"], [])
    assert not any(service.requests for service in home.services.values())


@pytest.mark.parametrize(
    ("written", "meant"), [("Radarr4K", "Did you mean radarr-4k? "), ("Radarr-UHD", ""), ("Movies", "")]
)
def test_a_library_that_a_block_names_and_there_is_not(home: Home, call: Call, written: str, meant: str) -> None:
    """The check says the same as the run: the same problem, and the collection skipped; so does the dump."""
    home.collections(block("Noir", media="movies", libraries=f"[{written}]"), block("Heist", libraries="[radarr-4k]"))

    checked = call("--check-config", "--output", "json")
    dumped = call("--dump-config").data
    ran = call("--run-now", "--output", "json")

    (problem,) = (each for each in ran.data["problems"] if "`libraries`" in each["what"])
    assert f"`libraries` names {written!r}, and no library of movies has that name." in problem["what"]
    assert (problem["source"], problem["line"]) == ("movies.yml", 7)
    assert problem["remedy"] == (
        f"{meant}There are: radarr, radarr-4k. A library here is a Radarr or Sonarr, not one of Plex."
    )
    for problems in (checked.data["problems"], dumped["problems"]):
        assert [(each["what"], each["remedy"]) for each in problems] == [(problem["what"], problem["remedy"])]
    assert (checked.code, checked.data["skipped"], checked.data["collections"]) == (2, ["Noir"], ["Crime", "Heist"])
    assert {each["name"]: each["is_served"] for each in dumped["collections"]} == {
        "Noir": False,
        "Heist": True,
        "Crime": True,
    }


def test_a_library_of_the_other_kind_in_a_block(home: Home, call: Call) -> None:
    """The remedy says how the block would be about what that library holds."""
    home.collections(block("Noir", libraries="[sonarr]"))

    (problem,) = call("--check-config", "--output", "json").data["problems"]

    told = "There are: radarr, radarr-4k. Or write `media: shows`: sonarr holds shows."
    assert (problem["collection"], problem["remedy"]) == ("Noir", told)


def test_tags_that_none_of_a_blocks_libraries_has(home: Home, call: Call) -> None:
    """One warning for all of them; a tag that one library has is no mistake, and so is one of a silent library."""
    seeds = movies(1, tags=("uhd",))
    home.collections(
        block("Noir", media="movies", include_tags="[uhd, none]"),
        block("In 4K", media="movies", libraries="[radarr-4k]", exclude_tags="[uhdd]"),
        block("Plain", media="movies", libraries="[radarr]", include_tags="[uhd]"),
    )
    with serve(RadarrStandIn(movies=seeds).app) as url:
        found = call("--check-config", "--output", "json", RADARR_4K_URL=url).data["warnings"]
        home.radarr.faults.inject(answer(503), path="*", times=None)
        silent = call("--check-config", "--output", "json", RADARR_4K_URL=url).data["warnings"]

    assert {(each["collection"], each["what"], each["remedy"]) for each in found if "no tag" in each["what"]} == {
        (
            "Noir",
            "Radarr and Radarr 4K have no tag 'none', so this part of `include_tags` does nothing.",
            "Correct it, or give the tag to a movie in Radarr or Radarr 4K.",
        ),
        ("In 4K", "Radarr 4K has no tag 'uhdd', so this part of `exclude_tags` does nothing.", "Did you mean 'uhd'?"),
        (
            "Plain",
            "Radarr has no tag 'uhd', so this part of `include_tags` does nothing.",
            "Correct it, or give the tag to a movie in Radarr.",
        ),
    }
    assert [each["collection"] for each in silent if "no tag" in each["what"]] == ["In 4K"]


def test_rules_of_a_librarys_own(call: Call) -> None:
    """A rule counts for the collections that its library is for, and the warning names the library."""
    rules = [AutoTagRule("Old ones", ("kai-noir",)), AutoTagRule("Of shows", ("kai-crime",))]
    with serve(RadarrStandIn(movies(3), rules=rules).app) as url:
        found = call("--check-config", "--output", "json", RADARR_4K_URL=url).data["warnings"]

    (warning,) = (each for each in found if "auto-tagging" in each["what"])
    assert (warning["source"], "rule Old ones" in warning["what"]) == ("Radarr 4K", True)
    assert "(Radarr 4K: Settings, Tags, Auto Tagging)" in warning["remedy"]


def test_kometas_radarr_is_one_of_several(home: Home, call: Call) -> None:
    """A second Radarr for a second Plex library is no reason for a hint; one that is none of ours is."""
    one = "  {name}:\n    collection_files: [file: config/movies.yml]\n    radarr: {{url: '{url}', token: t}}\n"
    urls = {"Films": home.environ["RADARR_URL"], "4K": home.environ["RADARR_4K_URL"], "Else": "http://elsewhere"}
    text = "libraries:\n" + "".join(one.format(name=name, url=url) for name, url in urls.items())
    (home.kometa / "config.yml").write_text(text)

    hints = told(call("--check-config", "--output", "json").data["hints"])

    assert [hint for hint in hints if "address" in hint] == [
        "Kometa reads the tags of a Radarr at another address than RADARR_URL and RADARR_4K_URL in Else."
    ]


# Wrong settings


@pytest.mark.parametrize(
    ("setting", "meant", "title"),
    [
        ("RADARR_URL", "SONARR_URL", "Radarr"),
        ("SONARR_URL", "RADARR_URL", "Sonarr"),
        ("RADARR_4K_URL", "SONARR_URL", "Radarr 4K"),
    ],
)
def test_a_service_at_the_others_setting(home: Home, call: Call, setting: str, meant: str, title: str) -> None:
    """Told with the setting that it belongs in, by the check, the run and the daemon; nothing is written there."""
    is_alone = setting != "RADARR_4K_URL"
    gone = only(setting.removesuffix("_URL")) if is_alone else without("SONARR")
    changed: dict[str, str | None] = {**gone, setting: home.environ[meant]}
    correction = f"Set {setting} to {title}'s address; this one belongs in {meant}."

    checked = call("--check-config", **changed)
    ran = call("--run-now", **changed)
    home.change(**{name.lower(): value or "" for name, value in changed.items()})
    with daemon_process(home) as living:
        down = living.wait_for("service.down")

    assert (checked.code, ran.code) == (1, 3 if is_alone else 1)
    assert correction in " ".join(checked.out.split())
    assert correction in " ".join(ran.out.split())
    assert (down["service"], down["remedy"]) == (title, correction)
    other = home.sonarr if meant == "SONARR_URL" else home.radarr
    assert not other.writes


@pytest.mark.parametrize("missing", ["RADARR_4K_URL", "RADARR_4K_API_KEY", "SONARR_URL", "RADARR_API_KEY"])
@pytest.mark.parametrize("command", ["--check-config", "--run-now", "--estimate"])
def test_half_a_pair(call: Call, missing: str, command: str) -> None:
    """Exit code 2 with the variable that is missing, whatever the command."""
    ended = call(command, "--output", "json", **{missing: None})

    assert ended.code == 2
    assert [problem["source"] for problem in ended.data["problems"]] == [missing]


def test_two_libraries_at_one_address(home: Home, call: Call) -> None:
    """A warning; the run goes on."""
    ended = call("--check-config", "--output", "json", RADARR_4K_URL=home.environ["RADARR_URL"])

    (warning,) = (each for each in ended.data["warnings"] if each["source"] == "RADARR_4K_URL")
    assert (ended.code, warning["what"]) == (1, "is the same address as RADARR_URL.")
    assert call("--run-now", RADARR_4K_URL=home.environ["RADARR_URL"]).code == 0


# Libraries of one kind only


@pytest.mark.parametrize(
    ("service", "of", "item"), [("SONARR", "Crime", "Show 1 (1991)"), ("RADARR_4K", "Noir", "Movie 2 (1952)")]
)
def test_one_library_alone(home: Home, call: Call, service: str, of: str, item: str) -> None:
    """Every command works with a Sonarr alone, and with a Radarr that has a name."""
    alone = only(service)

    checked = call("--check-config", "--output", "json", **alone)
    estimated = call("--estimate", "--output", "json", **alone)
    ran = call("--run-now", "--output", "json", **alone)
    dumped = call("--dump-config", **alone).data
    explained = call("--explain", item, "--output", "json", **alone)
    state = call("--dump-state", **alone)
    undone = call("--undo", ran.data["run_id"], "--output", "json", **alone)

    title = {"SONARR": "Sonarr", "RADARR_4K": "Radarr 4K"}[service]
    assert [each["service"] for each in checked.data["services"]] == [title, "Claude"]
    assert (checked.code, checked.data["collections"]) == (1, [of])
    assert ["is set up: nothing is asked" in what for what in told(checked.data["warnings"])] == [True]
    assert (estimated.code, ran.code, explained.code, state.code, undone.code) == (0, 0, 0, 0, 0)
    name = {"SONARR": "sonarr", "RADARR_4K": "radarr-4k"}[service]
    assert [library["name"] for library in dumped["libraries"]] == [name]
    assert home.writes().keys() == {name}
    assert f"kai-{of.lower()}" in json.dumps(state.data)
    assert home.members(name, of) == set()


def test_a_block_for_shows_without_a_sonarr(home: Home, call: Call) -> None:
    """A warning, nothing asked, tags left alone, no orphan; with Sonarr again all is as before."""
    call("--run-now")
    home.claude.forget()
    before = home.members("sonarr", "Crime")
    home.sonarr.requests.clear()

    ran = call("--run-now", "--output", "json", **without("SONARR"))

    warnings = ran.data["warnings"]
    assert ran.code == 0
    assert [each["collection"] for each in warnings if "no Sonarr is set up" in each["what"]] == ["Crime"]
    assert ran.data["orphans"] == []
    assert (home.asked(), home.members("sonarr", "Crime"), home.sonarr.requests) == ([], before, [])
    again = call("--run-now", "--output", "json")
    assert (again.code, home.asked(), home.members("sonarr", "Crime")) == (0, [], before)


def test_many_blocks_for_shows_without_a_sonarr(home: Home, call: Call) -> None:
    """One warning with all their names, in the check and in a run."""
    home.collections(*(block(name, media="shows") for name in ("Drama", "Comedy")), file="more.yml")

    checked, ran = (call(command, **without("SONARR")).out for command in ("--check-config", "--run-now"))

    for shown in (" ".join(checked.split()), " ".join(ran.split())):
        assert shown.count("more.yml:2, 10:") == 1
    assert "more.yml:2, 10: Comedy, Drama: it is about shows" in " ".join(checked.split())


def test_rows_of_sonarr_that_take_no_part(call: Call) -> None:
    """Without a TVDb id, or without a title: named in a warning, and the others are judged."""
    rows = [*shows(3), *shows(1, tvdb_id=0), ShowSeed(title="", tvdb_id=77)]
    with serve(SonarrStandIn(rows).app) as url:
        ran = call("--run-now", "--output", "json", SONARR_URL=url)

    assert ran.code == 0
    assert [what for what in told(ran.data["warnings"]) if "no part" in what] == [
        "Sonarr's show 4 (Show 0) takes no part: it has no TVDb id.",
        "Sonarr's show 5 (no title) takes no part: it has no title.",
    ]


def test_dump_config_hides_the_keys_of_every_library(home: Home, call: Call) -> None:
    """Also the key of half a pair, and the password in an address."""
    key = "0123456789abcdef0123456789abcdef"
    address = home.environ["SONARR_URL"].replace("http://", "http://me:pass-word-1@")

    dumped = call("--dump-config", RADARR_UHD_API_KEY=key, SONARR_ANIME_URL=address, SONARR_ANIME_API_KEY=key)

    assert dumped.code == 0
    assert key not in dumped.out
    assert "pass-word-1" not in dumped.out
    assert dumped.data["settings"]["RADARR_4K_API_KEY"]["value"] == "********"
    assert dumped.data["settings"]["RADARR_UHD_API_KEY"]["value"] == "********"
    assert [library["name"] for library in dumped.data["libraries"]] == [
        "radarr",
        "radarr-4k",
        "sonarr",
        "sonarr-anime",
    ]
