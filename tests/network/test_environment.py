"""Problems with the variables for proxies and certificates are reported with those of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from kometa_ai.errors import FixConfiguration
from kometa_ai.settings.environment import Loaded, load_settings
from tests.tls import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.problem import Problem

ENOUGH = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "radarr-key", "CLAUDE_API_KEY": "claude-key"}


def load(**environ: str) -> Loaded:
    """The settings of an environment."""
    return load_settings(ENOUGH | environ)


def problems(**environ: str) -> list[Problem]:
    """What is wrong with an environment."""
    with pytest.raises(FixConfiguration) as caught:
        load(**environ)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    "value", ["socks5://me:hunter2@h", "socks://h", "http://me:hunter2@proxy:port", "quic://h", "http://"]
)
@pytest.mark.parametrize("name", ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "http_proxy"])
def test_a_proxy_that_cannot_be_used(name: str, value: str) -> None:
    """A problem of its variable names what leads through it and what to do, and no password."""
    (problem,) = problems(**{name: value})

    assert problem.source == name
    assert "RADARR_URL" in problem.what or "CLAUDE_BASE_URL" in problem.what
    assert "NO_PROXY" in problem.remedy
    assert "hunter2" not in str(problem)


def test_a_proxy_that_nothing_leads_through() -> None:
    """Neither a proxy that NO_PROXY keeps us from nor one that another variable replaces is a problem."""
    assert not load(ALL_PROXY="socks5://h", NO_PROXY="radarr,anthropic.com").warnings
    assert not load(ALL_PROXY="socks5://h", HTTP_PROXY="http://h:1", HTTPS_PROXY="h:1").warnings
    assert not load(HTTPS_PROXY="socks5://h", CLAUDE_BASE_URL="http://gateway").warnings


def test_pushes_may_lead_through_it() -> None:
    """Where a message may be sent through such a proxy by Apprise, that is a warning."""
    loaded = load(HTTPS_PROXY="socks5://h", CLAUDE_BASE_URL="http://gateway", APPRISE_URLS="json://host")
    assert [(warning.source, "APPRISE_URLS" in warning.what) for warning in loaded.warnings] == [("HTTPS_PROXY", True)]


def test_entries_of_no_proxy_that_cannot_be_read() -> None:
    """They are passed over, and named in a hint without what may be a password."""
    loaded = load(HTTP_PROXY="http://h:1", NO_PROXY="radarr:abc,u:hunter2@x:y,fd07:b51a::/64,localhost")
    assert [hint.source for hint in loaded.hints] == ["NO_PROXY"]
    assert "'radarr:abc'" in loaded.hints[0].what
    assert "hunter2" not in loaded.hints[0].what


def test_variables_of_anthropics_sdk() -> None:
    """Those that would change requests have no effect, and a hint says so for each."""
    loaded = load(ANTHROPIC_AUTH_TOKEN="t", ANTHROPIC_CUSTOM_HEADERS="X-A: b")
    assert {hint.source for hint in loaded.hints} == {"ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"}


def test_a_user_in_claudes_address() -> None:
    """It would not be sent; the report would blame the key."""
    (problem,) = problems(CLAUDE_BASE_URL="http://me:hunter2@gateway")
    assert problem.source == "CLAUDE_BASE_URL"
    assert "hunter2" not in str(problem)


@pytest.fixture(name="bad")
def _bad(tmp_path: Path) -> dict[str, str]:
    """Files and folders that certificates cannot be read from."""
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("no certificate\n")
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n")
    (tmp_path / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (tmp_path / "der.pem").write_bytes(bytes(range(256)))
    (tmp_path / "folder").mkdir()
    names = ("missing.pem", "empty.pem", "text.pem", "torn.pem", "broken.pem", "der.pem", "folder")
    return {name: str(tmp_path / name) for name in names}


@pytest.mark.parametrize(
    "name", ["missing.pem", "empty.pem", "text.pem", "torn.pem", "broken.pem", "der.pem", "folder"]
)
def test_a_file_of_certificates_that_cannot_be_read(bad: dict[str, str], name: str) -> None:
    """The variable and the path are named, together with whatever else is wrong."""
    first, second = problems(SSL_CERT_FILE=bad[name], BATCH_SIZE="x")

    assert first.source == "SSL_CERT_FILE"
    assert bad[name] in first.what
    assert second.source == "BATCH_SIZE"


@pytest.mark.parametrize("broken", ["MA==", "MIIB", ""])
def test_a_broken_certificate_between_others(tmp_path: Path, broken: str) -> None:
    """It is told also where OpenSSL, given all of them at once, would take it for the end of the data."""
    first, last = (trustme.CA().cert_pem.bytes().decode() for _ in range(2))
    path = tmp_path / "three.pem"
    path.write_text(f"{first}-----BEGIN CERTIFICATE-----\n{broken}\n-----END CERTIFICATE-----\n{last}")

    (problem,) = problems(SSL_CERT_FILE=str(path))

    assert f"number 2, line {first.count(chr(10)) + 1}" in problem.what


@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "folder"])
def test_a_folder_of_certificates_that_cannot_be_read(bad: dict[str, str], name: str) -> None:
    """The same for SSL_CERT_DIR: what is not there, is no folder, or holds no certificate."""
    (problem,) = problems(SSL_CERT_DIR=bad[name])

    assert problem.source == "SSL_CERT_DIR"
    assert bad[name] in problem.what


def test_a_list_of_folders_of_which_one_is_missing(tmp_path: Path) -> None:
    """OpenSSL passes it over, and so do we, as long as there is a certificate in another."""
    file_of(trustme.CA(), tmp_path)

    assert len(load(SSL_CERT_DIR=f"/no/such:{tmp_path}").settings.network.authorities) == 1
    (problem,) = problems(SSL_CERT_DIR="/no/such:/nor/this")
    assert problem.what == "'/no/such:/nor/this' is not there."


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_file_that_apprise_reads(bad: dict[str, str], name: str) -> None:
    """It is a problem where pushes are sent, else a warning: nothing else obeys it."""
    (problem,) = problems(**{name: bad["missing.pem"], "APPRISE_URLS": "json://host"})
    (warning,) = load(**{name: bad["missing.pem"]}).warnings

    assert problem.source == warning.source == name
    assert warning.severity == "warning"


def test_an_empty_variable_is_none() -> None:
    """Compose sets variables to nothing."""
    loaded = load(SSL_CERT_FILE="", SSL_CERT_DIR=" ", HTTP_PROXY="", NO_PROXY="")
    assert not loaded.warnings
    assert loaded.settings.network.proxy_to("http://radarr:7878") is None
