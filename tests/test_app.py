"""Which client is built of which library's settings."""

from __future__ import annotations

from kometa_ai.app import library_of
from kometa_ai.library.radarr import Radarr
from kometa_ai.library.sonarr import Sonarr
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.schema import Settings

HALVES = ("URL", "API_KEY")
ALL = {
    f"{name}_{half}": f"http://{name.lower().replace('_', '-')}:1/base" if half == "URL" else "key"
    for name in ("RADARR", "RADARR_4K", "SONARR", "SONARR_ANIME")
    for half in HALVES
}


def settings_of(*without: str) -> Settings:
    """Settings with all libraries but those."""
    environ = {name: text for name, text in ALL.items() if name not in {f"{w}_{h}" for w in without for h in HALVES}}
    return load_settings(environ | {"CLAUDE_API_KEY": "key"}).settings


def test_every_library_has_its_client() -> None:
    """Named, titled and set up by its own variables, in the order of the settings."""
    settings = settings_of()
    clients = [library_of(each, settings) for each in settings.libraries]
    assert [type(client) for client in clients] == [Radarr, Radarr, Sonarr, Sonarr]
    assert [(client.name, client.title, client.address) for client in clients] == [
        ("radarr", "Radarr", "http://radarr:1/base"),
        ("radarr-4k", "Radarr 4K", "http://radarr-4k:1/base"),
        ("sonarr", "Sonarr", "http://sonarr:1/base"),
        ("sonarr-anime", "Sonarr ANIME", "http://sonarr-anime:1/base"),
    ]
    assert [client.spec.key_setting for client in clients][1::2] == ["RADARR_4K_API_KEY", "SONARR_ANIME_API_KEY"]
    assert [client.kind for client in clients] == ["movie", "movie", "show", "show"]
