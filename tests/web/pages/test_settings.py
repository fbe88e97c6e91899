"""The settings' page: every variable, no secret, and how to find one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kometa_ai.settings.variables import variables
from kometa_ai.web.pages.settings import grouped, lines_of
from tests.daemon.living import KEY, daemon_beside

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World

AS_BROWSER = {"Accept": "text/html"}


async def _page(here: Beside, query: str = "") -> str:
    answered = await here.client.get(f"/settings{query}", headers=AS_BROWSER)
    assert answered.status_code == 200, answered.text
    return str(answered.text)


def _row(text: str, name: str) -> str:
    found = re.search(rf"<tr>\s*<th scope=\"row\"><span class=\"mono\">{name}</span>.*?</tr>", text, re.DOTALL)
    assert found, f"no row {name}"
    return found[0]


async def test_every_variable_has_its_value_source_and_meaning(here: Beside, world: World) -> None:
    """With its default, and where one changes it; nothing can be changed here."""
    text = await _page(here)

    assert [name for name in variables() if f">{name}<" not in text] == []
    assert str(world.state_dir) in _row(text, "STATE_DIR")
    assert "from the environment" in _row(text, "STATE_DIR")
    assert "from the" not in _row(text, "BATCH_SIZE")
    assert "<code>50</code>" in _row(text, "BATCH_SIZE")
    assert "Required for Claude." in _row(text, "CLAUDE_API_KEY")
    assert "docker compose up" in text
    assert 'method="post"' not in text.partition("<main")[2]


async def test_no_secret_is_shown(world: World) -> None:
    """Of a key it says that it is set; of an address with a password in it, the rest."""
    secret = world.folder / "password"
    secret.write_text("hush-hush-hush-hush")
    world.change(
        smtp_server="mail",
        smtp_username="me",
        smtp_password_file=str(secret),
        apprise_urls="discord://1234567890/abcdefghijklmnop",
    )
    async with daemon_beside(world) as here:
        text = await _page(here)

    assert ">set<" in re.sub(r"<svg.*?</svg>", "", _row(text, "CLAUDE_API_KEY"))
    assert ">set<" in re.sub(r"<svg.*?</svg>", "", _row(text, "SMTP_PASSWORD"))
    assert f"the file {secret}" in _row(text, "SMTP_PASSWORD")
    assert "not set" in _row(text, "WEB_PASSWORD")
    assert "discord://" in _row(text, "APPRISE_URLS")
    for hidden in ("hush-hush", "abcdefghijklmnop", KEY, world.environ["RADARR_API_KEY"]):
        assert hidden not in text


async def test_one_can_be_found(here: Beside) -> None:
    """By a part of its name, its meaning or its value; or only those that are set."""
    found = await _page(here, "?q=smtp+port")
    set_ones = await _page(here, "?only=set")
    none = await _page(here, "?q=%3Cscript%3Enothing")

    assert re.findall(r'<span class="mono">([A-Z_]+)</span>', found) == ["SMTP_PORT"]
    assert "SMTP_PORT" not in set_ones
    assert "RADARR_URL" in set_ones
    assert "No setting fits." in none
    assert "<script>nothing" not in none


async def test_further_libraries_stand_beside_the_first(world: World) -> None:
    """Variables of users' own names, in their group; values are data."""
    world.change(radarr_4k_url="http://127.0.0.1:9/%3Cb%3E", radarr_4k_api_key="k" * 32)
    async with daemon_beside(world) as here:
        text = await _page(here)

    names = re.findall(r'<span class="mono">([A-Z0-9_]+)</span>', text)
    assert names.index("RADARR_4K_URL") == names.index("RADARR_API_KEY") + 1
    assert "k" * 32 not in text


def test_every_variable_has_a_group_of_its_own_kind() -> None:
    """A new variable whose name begins like none is shown all the same, under Others, and wants a group."""
    described: dict[str, dict[str, object]] = {name: {"value": None, "source": "default"} for name in variables()}
    groups = grouped(list(lines_of(described)))

    assert sum(len(group.lines) for group in groups) == len(described)
    assert "Others" not in [group.title for group in groups]


def test_values_are_said_as_one_would_write_them() -> None:
    """Lists with commas, yes and no as true and false, amounts without needless digits."""
    described: dict[str, dict[str, object]] = {
        "RADARR_CREDITS": {"value": True, "source": "default"},
        "MAX_COST_PER_RUN": {"value": 2.5, "source": "environment"},
        "NOTIFICATION_RECIPIENTS": {"value": ["a@b.c", "d@e.f"], "source": "environment"},
        "SMTP_SERVER": {"value": None, "source": "default"},
    }

    assert [line.value for line in lines_of(described)] == ["true", "2.5", "a@b.c, d@e.f", ""]
