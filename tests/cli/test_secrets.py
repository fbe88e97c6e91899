"""What Kometa's configuration keeps secret is in no output, in no log and in no file of ours, however it is broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.kometa.checking.examination import read_folder
from tests.kometa.secrets import CONFIG, broken_configurations, shows_a_secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ended
    from tests.run.world import World

    Call = Callable[..., Ended]

HEIST = """collections:
  # === KOMETA-AI ===
  # enabled: true
  # prompt: Heists.
  # === END KOMETA-AI ===
  Heist:
    radarr_taglist: kai-heist
    sync_mode: sync
"""


def kept(world: World) -> str:
    """Everything in the program's own folders."""
    folders = [world.state_dir, world.folder / "logs"]
    return "".join(path.read_text() for folder in folders for path in folder.rglob("*") if path.is_file())


@pytest.fixture(name="slips")
def _slips(world: World) -> list[Path]:
    """A Kometa folder with some hundred broken configurations, under the names that people give them."""
    (world.kometa / "movies.yml").write_text(HEIST)
    names = ("config.yml", "config.yaml", "config-movies.yml", "kometa.yml", "Movies.yml")
    made = []
    for number, (_, text) in enumerate(broken_configurations(every=4)):
        path = world.kometa / f"v{number}" / names[number % len(names)]
        path.parent.mkdir()
        path.write_text(text)
        made.append(path)
    return made


@pytest.mark.no_cover
def test_the_check_shows_no_secret_of_broken_configurations(world: World, slips: list[Path], call: Call) -> None:
    """Neither in words nor as data, on stderr or in the log; what is broken is told all the same."""
    shown, data = call("--check-config"), call("--check-config", "--output", "json")

    assert len(slips) > 300
    assert len(data.data["problems"]) > 50
    for text in (shown.out, shown.err, data.out, data.err, kept(world)):
        assert not shows_a_secret(text)


@pytest.mark.no_cover
def test_a_run_shows_no_secret_of_broken_configurations(world: World, slips: list[Path], call: Call) -> None:
    """Neither on stdout or stderr nor in the log, the state and the reports that are kept."""
    ended = call("--run-now", "--dry-run")
    real = call("--run-now", "--output", "json")

    assert slips
    for text in (ended.out, ended.err, real.out, real.err, kept(world)):
        assert text
        assert not shows_a_secret(text)


def test_a_sound_configuration_is_not_repeated_either(world: World, call: Call) -> None:
    """Addresses, paths and names of services: hints say what is amiss without them."""
    (world.kometa / "movies.yml").write_text(HEIST)
    (world.kometa / "config.yml").write_text(CONFIG)

    shown, data = call("--check-config"), call("--check-config", "--output", "json")

    assert [hint["source"] for hint in data.data["hints"]] == ["config.yml"]
    assert not shows_a_secret(shown.out + shown.err + data.out + data.err + kept(world))


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "line",
    [
        "S3cretHost: a: b",
        "- S3cret: 'x",
        "\tS3cret",
        "S3cret",
        "token S3cret",
        "token\n  S3cret: a: b",
        "? S3cret\n: [",
        "token: !s3cret!x y",
        "date: 2001-99-99 # S3cret",
        "token: *S3cret",
        "token: &S3cret a\ntoken: *S3cret",
    ],
)
@pytest.mark.parametrize("name", ["config.yml", "config.yaml", "config-movies.yml", "kometa.yml", "secrets.yml"])
def test_what_is_no_key_of_kometas_is_hidden(world: World, call: Call, name: str, line: str) -> None:
    """A word that Kometa does not know may be a secret, in any place; so may a file of an unknown kind."""
    (world.kometa / "movies.yml").write_text(HEIST)
    text = f"{line}\n" if name == "secrets.yml" else f"plex:\n  url: x\n  {line.replace(chr(10), chr(10) + '  ')}\n"
    (world.kometa / name).write_text(text)

    shown, data = call("--check-config"), call("--check-config", "--output", "json")

    told: list[Any] = [problem.what + problem.remedy for problem in read_folder(world.kometa).problems]
    assert not shows_a_secret(shown.out + shown.err + data.out + data.err + json.dumps(told) + kept(world))


def test_secrets_in_files_of_collections_are_hidden(world: World, call: Call) -> None:
    """A collection may name webhooks and keys, too; its other lines are shown."""
    hook = "https://discord.com/api/webhooks/1/S3cret"
    broken = HEIST + f"    changes_webhooks: {hook}: x\n"
    (world.kometa / "movies.yml").write_text(broken)
    (world.kometa / "more.yml").write_text(f"collections:\n  A:\n    x:\n      - {hook} : y: z\n")
    (world.kometa / "other.yml").write_text("collections:\n  Noir:\n    summary: a: b\n")

    shown, data = call("--check-config"), call("--check-config", "--output", "json")

    assert "summary: a: b" in shown.out
    assert not shows_a_secret(shown.out + shown.err + data.out + data.err)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_a_configuration_that_is_not_utf_8_is_hidden(world: World, call: Call, encoding: str) -> None:
    """Its line is named and not shown, letter by letter neither."""
    (world.kometa / "kometa.yml").write_bytes("plex:\n  token: S3cretß ß\n".encode(encoding))

    shown, data = call("--check-config"), call("--check-config", "--output", "json")

    assert "not UTF-8" in shown.out
    assert not shows_a_secret((shown.out + data.out).replace(" ", "").replace("\\u0000", ""))
