"""The settings that can be used while others cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.settings.environment import load_usable

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_right_is_taken_and_the_rest_is_not_set(tmp_path: Path) -> None:
    """By itself, from a file, by an alias; a wrong one, an unreadable one, and one that is there twice are left out."""
    (tmp_path / "password").write_text("hush-hush")
    found = load_usable(
        {
            "HTTP_PORT": "8000",
            "HTTP_HOST": "not a host",
            "WEB_PASSWORD_FILE": str(tmp_path / "password"),
            "ANTHROPIC_API_KEY": "key-key-key",
            "HTTP_API_KEY_FILE": str(tmp_path / "none"),
            "TZ": "Europe/Berlin",
            "BATCH_SIZE": "20",
            "BATCH_SIZE_FILE": str(tmp_path / "password"),
            "RADARR_4K_URL": "http://half-a-pair:7878",
        }
    )

    assert (found.http_port, found.http_host, str(found.tz)) == (8000, "127.0.0.1", "Europe/Berlin")
    assert found.web_password.get_secret_value() == "hush-hush"
    assert found.claude_api_key.get_secret_value() == "key-key-key"
    assert found.http_api_key.get_secret_value() == ""
    assert found.batch_size is None
    assert found.libraries == ()


def test_a_sign_in_by_proxy_needs_its_proxy() -> None:
    """With the proxy that it needs it is taken, in whatever order they stand; without, the password is asked for."""
    both = load_usable({"WEB_LOGIN": "external", "TRUSTED_PROXIES": "10.0.0.1"})
    alone = load_usable({"WEB_LOGIN": "external"})
    wrong = load_usable({"WEB_LOGIN": "external", "TRUSTED_PROXIES": "nonsense"})

    assert (both.web_login, alone.web_login, wrong.web_login) == ("external", "password", "password")
