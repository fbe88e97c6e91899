"""Lines to copy for settings that are missing or wrong."""

from __future__ import annotations

from kometa_ai.core.problem import Problem
from kometa_ai.web.pages.wanted_lines import wanted_lines


def _about(*names: str) -> list[Problem]:
    return [Problem(what="is not set.", remedy="Give it.", source=name) for name in names]


def test_secrets_go_into_env_and_addresses_have_an_example() -> None:
    """Each variable once, in the order of the problems; what is no variable has no line."""
    found = wanted_lines(_about("RADARR_4K_URL", "RADARR_4K_API_KEY", "BATCH_SIZE", "BATCH_SIZE", "https_proxy"))

    assert found.compose.splitlines() == [
        "      RADARR_4K_URL: http://radarr:7878",
        "      RADARR_4K_API_KEY: ${RADARR_4K_API_KEY:?put it into .env}",
        "      BATCH_SIZE: ...  # a whole number from 1 to 300",
    ]
    assert found.env == "RADARR_4K_API_KEY="
    assert found.names == ("RADARR_4K_URL", "RADARR_4K_API_KEY", "BATCH_SIZE")


def test_a_library_has_two_lines() -> None:
    """Where no library is set at all the problem names an address; with it alone the next look would want its key."""
    found = wanted_lines(_about("RADARR_URL", "CLAUDE_API_KEY"))

    assert found.names == ("RADARR_URL", "RADARR_API_KEY", "CLAUDE_API_KEY")
    assert found.env.splitlines() == ["RADARR_API_KEY=", "CLAUDE_API_KEY="]
    assert wanted_lines(_about("RADARR_URL"), given={"RADARR_URL", "RADARR_API_KEY"}).names == ("RADARR_URL",)


def test_without_a_container_they_are_a_shells() -> None:
    """There no container is called radarr: the example is on this machine."""
    found = wanted_lines(_about("RADARR_4K_URL", "RADARR_4K_API_KEY", "BATCH_SIZE"))

    assert found.shell.splitlines() == [
        "export RADARR_4K_URL=http://localhost:7878",
        "export RADARR_4K_API_KEY=...",
        "export BATCH_SIZE=...  # a whole number from 1 to 300",
    ]


def test_without_a_variable_there_is_none() -> None:
    """A proxy that is wrong is the network's own variable."""
    assert wanted_lines(_about("https_proxy")).names == ()
