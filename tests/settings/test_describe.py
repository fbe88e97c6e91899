"""How settings are shown."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.settings.describe import as_dump, secrets_of
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.variables import variables

ENOUGH = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "radarr-key", "CLAUDE_API_KEY": "claude-key"}
KEYS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFXYZ0123456789-_%+=~!$&()", min_size=6, max_size=40)


def dumped(environ: dict[str, str]) -> dict[str, dict[str, object]]:
    """The dump of an environment, through JSON."""
    result: dict[str, dict[str, object]] = json.loads(json.dumps(as_dump(load_settings(ENOUGH | environ))))
    return result


def test_every_variable_with_its_source() -> None:
    """The dump shows each setting, also those of the mail server, and where it came from."""
    dump = dumped({"BATCH_SIZE": "20", "RUN_TIMEOUT": "360m", "TZ": "Europe/Berlin", "MAX_COST_PER_RUN": "2.5"})
    assert list(dump) == list(variables())
    assert dump["BATCH_SIZE"] == {"value": 20, "source": "environment"}
    assert dump["SMTP_PORT"] == {"value": 25, "source": "default"}
    assert dump["SMTP_SERVER"]["value"] is None
    shown = [dump[name]["value"] for name in ("RUN_TIMEOUT", "TZ", "MAX_COST_PER_RUN", "SCHEDULE_START_TIME")]
    assert shown == ["6h", "Europe/Berlin", 2.5, "03:00"]


def test_lists() -> None:
    """Lists are lists, each entry as it is written."""
    dump = dumped({"NOTIFICATION_RECIPIENTS": "a@b, Ann <c@d>", "SCHEDULE_BLACKOUT": "18:00-23:30"})
    assert dump["NOTIFICATION_RECIPIENTS"]["value"] == ["a@b", "Ann <c@d>"]
    assert dump["SCHEDULE_BLACKOUT"]["value"] == ["18:00-23:30"]


def test_set_secrets_are_masked_and_unset_ones_are_null() -> None:
    """Whether a secret is set can be seen, what it is cannot."""
    dump = dumped({})
    assert set(str(dump["RADARR_API_KEY"]["value"])) == {"*"}
    assert dump["SMTP_PASSWORD"]["value"] is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("RADARR_URL", "http://user:hunter2@radarr:7878/radarr"),
        ("RADARR_URL", "http://hunter2@radarr"),
        ("AFTER_CHANGES_URL", "http://kometa/run?apikey=hunter2&x=1"),
        ("AFTER_CHANGES_URL", "http://kometa/run?token=hunter2"),
        ("AFTER_CHANGES_COMMAND", "curl -H 'X-Api-Key: hunter2' http://kometa"),
        ("AFTER_CHANGES_COMMAND", "curl http://me:hunter2@kometa"),
        ("AFTER_CHANGES_COMMAND", "notify --password hunter2"),
        ("AFTER_CHANGES_COMMAND", "curl -u me:hunter2 http://kometa"),
        ("AFTER_CHANGES_COMMAND", "notify hunter2"),
        ("AFTER_CHANGES_URL", "http://u:p@ha:8123/hook/hunter2?x=1"),
        ("AFTER_CHANGES_URL", "http://ha/hunter2"),
        ("AFTER_CHANGES_URL", "http://ha/?hunter2#hunter2"),
        ("APPRISE_URLS", "mailto://user:hunter2@gmail.com, tgram://123:hunter2/456 json://host/?+X-Token=hunter2"),
        ("SMTP_PASSWORD", "hunter2"),
        ("HTTP_API_KEY", "hunter2"),
    ],
)
def test_secrets_inside_other_values(name: str, text: str) -> None:
    """A password in an address, a key in a query or in a command are masked, the rest stays readable."""
    dump = dumped({name: text})
    assert "hunter2" not in str(dump)
    if name.startswith("APPRISE"):
        services = [str(url).partition(":")[0] for url in dump[name]["value"]]  # type: ignore[attr-defined]
        assert services == ["mailto", "tgram", "json"]


def test_hooks_show_where_they_lead() -> None:
    """Of what is called after changes the host and the program stay readable, and a command without arguments does."""
    dump = dumped({"AFTER_CHANGES_URL": "http://[fd00::1]:8123/hook/id", "AFTER_CHANGES_COMMAND": "docker exec x"})
    alone = dumped({"AFTER_CHANGES_COMMAND": "/opt/refresh"})

    assert str(dump["AFTER_CHANGES_URL"]["value"]).startswith("http://[fd00::1]:8123/*")
    assert str(dump["AFTER_CHANGES_COMMAND"]["value"]).startswith("docker *")
    assert alone["AFTER_CHANGES_COMMAND"]["value"] == "/opt/refresh"


def test_a_hooks_secrets_are_hidden_from_the_log() -> None:
    """The redactor knows what in a hook is a secret, and takes ordinary words and numbers for none."""
    command = (
        "docker exec -u 1000:1000 kometa python3 kometa.py --run-collections --password hunter2 -h=A1b2C3d4E5f6G7h8"
    )
    url = "http://ha:8123/api/webhook/0a1b2c3d4e5f6a7b8c9d"
    settings = load_settings(ENOUGH | {"AFTER_CHANGES_COMMAND": command, "AFTER_CHANGES_URL": url}).settings

    secrets = secrets_of(settings)

    assert {"hunter2", "A1b2C3d4E5f6G7h8", "0a1b2c3d4e5f6a7b8c9d"} <= secrets
    assert not secrets & {"kometa", "1000", "1000:1000", "docker", "python3", "--run-collections", "webhook"}


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'notify --password hunter2; exit 1'",
        'bash -c "TOKEN=hunter2 notify | tee log"',
        "sh -c \"curl -H 'X-Api-Key: hunter2' http://ha\"",
        "curl -H 'X-Api-Key: hunter2' http://ha",
        "curl -H 'Authorization: Bearer hunter2' http://ha",
        "env HA_TOKEN=hunter2 notify",
        "ssh nas 'sh -c \"notify --token=hunter2\"'",
        "sh -c 'curl -u me:hunter2 http://ha'",
        "mysql -phunter2 -e x",
        "curl 'http://ha/run?token=hunter2&now=1'",
        'notify --data \'{"password": "hunter2"}\'',
    ],
)
def test_secrets_inside_a_commands_words_are_known(command: str) -> None:
    """Those of a script for a shell, of a header, of a variable and of JSON, too."""
    secrets = secrets_of(load_settings(ENOUGH | {"AFTER_CHANGES_COMMAND": command}).settings)

    assert "hunter2" in secrets
    assert not secrets & {"notify", "curl", "bash", "Bearer", "http://ha", "exit"}


def test_credentials_that_a_server_repeats_are_known() -> None:
    """User and password of an address are hidden as `Basic` credentials hold them."""
    settings = load_settings(ENOUGH | {"RADARR_URL": "http://me:hunter%212@radarr"}).settings

    assert "me:hunter!2" in secrets_of(settings)


def test_the_address_stays_readable() -> None:
    """Only the user and the password of an address are masked."""
    value = str(dumped({"RADARR_URL": "http://user:hunter2@radarr:7878/radarr"})["RADARR_URL"]["value"])
    assert value.startswith("http://*")
    assert value.endswith("@radarr:7878/radarr")


@pytest.mark.no_cover
@given(KEYS, KEYS, KEYS, KEYS)
def test_no_secret_is_ever_dumped(radarr: str, claude: str, mail: str, own: str) -> None:
    """Whatever the secrets are, and even where one is also a part of another value, the dump holds none."""
    environ = {
        "RADARR_API_KEY": radarr, "CLAUDE_API_KEY": claude, "SMTP_PASSWORD": mail, "HTTP_API_KEY": own,
        "APPRISE_URLS": f"ntfy://{mail}/{own}", "AFTER_CHANGES_COMMAND": f"echo {radarr} {claude}/{own}",
    }  # fmt: skip
    dump = json.dumps(dumped(environ))
    innocent = json.dumps(dumped({}))
    assert not [secret for secret in (radarr, claude, mail, own) if secret in dump and secret not in innocent]


def test_secrets_for_the_redactor() -> None:
    """Keys, passwords in addresses as written and as sent, and Apprise's tokens are what a log must not show."""
    token = "9f8e7d6c5b4a39281706"
    environ = {
        "RADARR_URL": "http://me:p%40ss@radarr", "SMTP_PASSWORD": "hunter2", "APPRISE_URLS": f"slack://a.example.org/{token}/x",
    }  # fmt: skip
    secrets = secrets_of(load_settings(ENOUGH | environ).settings)
    assert {"radarr-key", "claude-key", "p%40ss", "p@ss", "hunter2", token} <= secrets
    assert not secrets & {"", "a.example.org", "radarr", "me"}


def test_an_apprise_address_that_is_no_address() -> None:
    """What cannot be taken apart is secret as a whole."""
    settings = load_settings(ENOUGH | {"APPRISE_URLS": "json://[hunter2"}).settings
    assert {"json://[hunter2", "[hunter2"} <= secrets_of(settings)
