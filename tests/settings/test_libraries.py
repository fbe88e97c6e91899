"""Which libraries the variables name, and what is told of a name that is not finished."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.notification.after_changes import environ_for_others
from kometa_ai.observe.redact import MASK, Redactor
from kometa_ai.settings.describe import as_dump, secrets_of
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.libraries import places_in
from kometa_ai.settings.variables import own_variables
from tests.settings.test_environment import problems_of

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.settings.environment import Loaded

CLAUDE = {"CLAUDE_API_KEY": "claude-key"}
RADARR = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "radarr-key"}
SONARR = {"SONARR_URL": "http://sonarr:8989", "SONARR_API_KEY": "sonarr-key"}
RADARR_4K = {"RADARR_4K_URL": "http://radarr4k:7878/films", "RADARR_4K_API_KEY": "radarr-4k-key"}


def loaded(*parts: dict[str, str]) -> Loaded:
    """What an environment gives."""
    return load_settings({name: text for part in (CLAUDE, *parts) for name, text in part.items()})


def test_radarr_alone_is_enough() -> None:
    """The settings of every version before."""
    [radarr] = loaded(RADARR).settings.libraries
    assert (radarr.name, radarr.kind, radarr.service, radarr.title) == ("radarr", "movie", "Radarr", "Radarr")
    assert (radarr.url, radarr.api_key.get_secret_value()) == ("http://radarr:7878", "radarr-key")
    assert (radarr.url_setting, radarr.key_setting) == ("RADARR_URL", "RADARR_API_KEY")


def test_sonarr_alone_is_enough() -> None:
    """A home may have shows only."""
    [sonarr] = loaded(SONARR).settings.libraries
    assert (sonarr.name, sonarr.kind, sonarr.title, sonarr.url) == ("sonarr", "show", "Sonarr", "http://sonarr:8989")


def test_a_further_one_alone_is_enough() -> None:
    """Which one has no name of its own is nobody's business."""
    [radarr] = loaded(RADARR_4K).settings.libraries
    assert (radarr.name, radarr.kind, radarr.title) == ("radarr-4k", "movie", "Radarr 4K")
    assert (radarr.url_setting, radarr.key_setting) == ("RADARR_4K_URL", "RADARR_4K_API_KEY")


def test_the_order_of_libraries() -> None:
    """Radarr, its further ones by name, Sonarr, its further ones by name, however the environment has them."""
    further = {
        f"{name}_{half}": f"http://{name.lower().replace('_', '-')}:1" if half == "URL" else "key"
        for name in ("SONARR_ANIME", "RADARR_UHD_HDR", "SONARR_4K", "RADARR_4K")
        for half in ("URL", "API_KEY")
    }
    libraries = loaded(further, SONARR, RADARR).settings.libraries
    assert [library.name for library in libraries] == [
        "radarr",
        "radarr-4k",
        "radarr-uhd-hdr",
        "sonarr",
        "sonarr-4k",
        "sonarr-anime",
    ]
    assert libraries[2].title == "Radarr UHD HDR"


@given(st.permutations(["RADARR_B_URL", "RADARR_A_API_KEY", "SONARR_A_URL_FILE", "RADARR_URL", "RADARR_CREDITS"]))
def test_the_order_is_not_the_environments(names: list[str]) -> None:
    """Facts come from the first library that has an item: another order would make items look changed."""
    found = [place.name for place in places_in(names)]
    assert found == ["radarr", "radarr-a", "radarr-b", "sonarr", "sonarr-a"]


@pytest.mark.parametrize("name", ["RADARR_CREDITS", "RADARR_URL", "RADARR_URL_FILE", "RADARR_API_KEY", "RADARR__URL"])
def test_other_variables_name_no_library(name: str) -> None:
    """RADARR_CREDITS is a setting, and a name is not empty."""
    assert [place.name for place in places_in([name])] == ["radarr", "sonarr"]


def test_a_key_from_a_file(tmp_path: Path) -> None:
    """Docker secrets work for further ones, too, and the dump says where the value is from."""
    file = tmp_path / "secret"
    file.write_text("radarr-4k-key\n", encoding="utf-8")
    environ = {"RADARR_4K_URL": "http://r:1", "RADARR_4K_API_KEY_FILE": str(file)}
    found = loaded(environ)
    assert found.settings.libraries[0].api_key.get_secret_value() == "radarr-4k-key"
    assert found.sources["RADARR_4K_API_KEY"] == f"file {file}"
    (file).write_text("", encoding="utf-8")
    (problem,) = problems_of(CLAUDE | environ)
    assert (problem.source, "is empty" in problem.what) == ("RADARR_4K_API_KEY", True)


@pytest.mark.parametrize("half", [*RADARR, *SONARR, *RADARR_4K])
def test_one_variable_of_two(half: str) -> None:
    """The missing one is named, whatever else is complete."""
    environ = CLAUDE | RADARR | SONARR | RADARR_4K
    del environ[half]
    (problem,) = problems_of(environ)
    assert problem.source == half
    assert half in problem.remedy
    [other] = next(pair for pair in (RADARR, SONARR, RADARR_4K) if half in pair).keys() - {half}
    assert problem.what.startswith(f"is not set, but {other} is")
    if "4K" in half:
        assert f"take {other} away" in problem.remedy


def test_a_command_that_needs_no_library_takes_half_a_pair_for_none() -> None:
    """What is set must be right, but it may be unfinished."""
    assert load_settings({"RADARR_4K_URL": "http://r"}, required=()).settings.libraries == ()
    (problem,) = problems_of({"SONARR_4K_URL": "nowhere"}, ())
    assert problem.source == "SONARR_4K_URL"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("RADARR_4K_URL", "radarr:7878", "http://"),
        ("RADARR_4K_URL", "http://radarr/api/v3", "/api/v3"),
        ("RADARR_4K_API_KEY", "hunter2 hunter2", "space"),
    ],
)
def test_a_wrong_value_of_a_further_one(name: str, text: str, said: str) -> None:
    """It is told as of the first one, under its own name, and no key is shown."""
    (problem,) = problems_of(CLAUDE | RADARR | RADARR_4K | {name: text})
    assert problem.source == name
    assert said in f"{problem.what} {problem.remedy}"
    assert "hunter2" not in str(problem)


def test_two_names_that_differ_in_case_only() -> None:
    """Both would be the library radarr-4k."""
    again = {"RADARR_4k_URL": "http://other", "RADARR_4k_API_KEY": "other-key"}
    (problem,) = problems_of(CLAUDE | RADARR_4K | again)
    assert (problem.source, "RADARR_4K_URL" in problem.what) == ("RADARR_4k_URL", True)


@pytest.mark.parametrize("again", ["http://radarr:7878", "http://RADARR:7878/"])
def test_one_address_twice(again: str) -> None:
    """It is probably a copy that was to be changed; nothing forbids it."""
    (warning,) = loaded(RADARR, RADARR_4K, {"RADARR_4K_URL": again}).warnings
    assert (warning.source, warning.severity) == ("RADARR_4K_URL", "warning")
    assert "RADARR_URL" in warning.what


@pytest.mark.parametrize(
    ("parts", "typo", "meant"),
    [
        ((RADARR,), "RADARR_4K_URl", "RADARR_4K_URL"),
        ((RADARR, {"RADARR_4K_API_KEY": "key", "RADARR_4K_URL": "http://r"}), "RADARR_4K_APIKEY", "RADARR_4K_API_KEY"),
        ((RADARR,), "RADARR-4K_URL", "RADARR_4K_URL"),
        ((RADARR,), "RADARR4K_API_KEY", "RADARR_4K_API_KEY"),
        ((RADARR,), "RADARR_URL_4K", "RADARR_4K_URL"),
        ((RADARR,), "SONARR_API_KEY_ANIME", "SONARR_ANIME_API_KEY"),
        ((RADARR,), "RADARR_KÜCHE_URL", "RADARR_KUCHE_URL"),
        ((RADARR,), "RADARR__URL", "RADARR_URL"),
        ((RADARR,), "RADARR_API_KEYS", "RADARR_API_KEY"),
        ((RADARR,), "SONAR_URL", "SONARR_URL"),
        ((RADARR,), "SONARR_APIKEY", "SONARR_API_KEY"),
    ],
)
def test_typos_in_names_of_libraries(parts: tuple[dict[str, str], ...], typo: str, meant: str) -> None:
    """The nearest variable is named, a further library's own included."""
    (warning,) = loaded(*parts, {typo: "hunter2"}).warnings
    assert (warning.source, warning.remedy) == (typo, f"Did you mean {meant}?")


@pytest.mark.parametrize("name", ["SONARR_PORT", "SONARR_SERVICE_HOST", "SONARR_VERSION", "RADARR_4K_PORT"])
def test_variables_of_other_programs_are_no_typos(name: str) -> None:
    """Kubernetes and Docker make some of every service's name."""
    assert loaded(RADARR, {name: "x"}).warnings == ()


def test_the_dump_shows_every_library_with_its_source() -> None:
    """Further ones stand after the first one of their service; keys and passwords are masked."""
    secret = {"RADARR_4K_URL": "http://me:hunter2@radarr4k:7878"}
    dump = json.loads(json.dumps(as_dump(loaded(RADARR, SONARR, RADARR_4K, secret))))
    assert list(dump)[:6] == [*RADARR, *RADARR_4K, *SONARR]
    assert dump["RADARR_4K_URL"] == {"value": f"http://{MASK}@radarr4k:7878", "source": "environment"}
    assert dump["RADARR_4K_API_KEY"] == {"value": MASK, "source": "environment"}
    assert dump["SONARR_API_KEY"]["value"] == MASK
    assert "hunter2" not in json.dumps(dump)


def test_keys_of_all_libraries_are_redacted_and_kept_from_others() -> None:
    """Neither a log nor the command after changes gets one."""
    environ = RADARR | SONARR | RADARR_4K | {"RADARR_4K_URL": "http://me:hunter2@r", "COPY": "sonarr-key", "PATH": "/"}
    settings = loaded(environ).settings
    said = Redactor(secrets_of(settings)).text("radarr-key sonarr-key radarr-4k-key hunter2")
    assert said == " ".join([MASK] * 4)
    assert environ_for_others(CLAUDE | environ, settings) == {"PATH": "/"}


def test_names_of_further_libraries_are_ours() -> None:
    """Both variables, even where one of them is set, each with its file."""
    ours = own_variables(["SONARR_ANIME_URL_FILE"]) - own_variables([])
    assert ours == {f"SONARR_ANIME_{half}{form}" for half in ("URL", "API_KEY") for form in ("", "_FILE")}


def test_a_proxy_that_cannot_be_used_is_a_problem_for_every_library() -> None:
    """The way to each of them is looked at before anything connects."""
    (problem,) = problems_of(CLAUDE | SONARR | RADARR_4K | {"HTTP_PROXY": "socks5://proxy:1080"})
    assert problem.source == "HTTP_PROXY"
    assert "SONARR_URL" in problem.what
    assert "RADARR_4K_URL" in problem.what
