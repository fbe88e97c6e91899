import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from kometa_ai.cli.main import run
from kometa_ai.core.item import KINDS
from kometa_ai.demo import Stage
from kometa_ai.kometa.checking.examination import examine_folder, read_folder
from kometa_ai.settings.schema import variables
from tests.test_docs import CONTAINER
from tests.written_docs import ROOT

EXAMPLES = ROOT / "examples"
EVERYTHING = sorted(EXAMPLES.glob("*.yml"))
SHOWS = EXAMPLES / "shows.yml"
FILES = [file for file in EVERYTHING if file != SHOWS]
"""Those about movies."""


def _alone(files: list[Path], folder: Path) -> Path:
    """A Kometa folder with these files."""
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    return folder


def _set(folder: Path, config: Path) -> dict[str, str]:
    return {
        "RADARR_URL": "http://radarr:7878",
        "RADARR_API_KEY": "a-key",
        "CLAUDE_API_KEY": "a-key",
        "CONFIG_DIR": str(config),
        "STATE_DIR": str(folder / "state"),
        "LOG_DIR": str(folder / "logs"),
    }


@pytest.mark.parametrize("files", [*([file] for file in FILES), FILES], ids=["first", "second", "together"])
def test_examples_are_in_order(files: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file, and all of them in one folder, is read without a problem or a warning; the services are not there."""
    config = _alone(files, tmp_path / "kometa")

    code = run(["--check-config", "--output", "json"], _set(tmp_path, config))

    found = json.loads(capsys.readouterr().out)
    assert (code, found["problems"], found["warnings"]) == (1, [], [])
    assert {looked["status"] for looked in found["services"]} == {"silent"}
    assert len(found["collections"]) > 4 * len(files)


def test_examples_of_shows_are_in_order(tmp_path: Path) -> None:
    """They are read beside those of movies without a problem or a warning, and each is about shows.

    The one hint is that there is no config.yml.
    """
    folder = examine_folder(_alone(EVERYTHING, tmp_path / "kometa"), services=frozenset(KINDS))
    alone = examine_folder(_alone([SHOWS], tmp_path / "shows"), services=frozenset(KINDS))

    assert (folder.problems, folder.warnings) == ((), ())
    assert [hint.source for hint in folder.hints] == ["CONFIG_DIR"]
    assert [each.kind for each in alone.collections] == ["show"] * len(alone.collections)
    assert len(alone.collections) >= 8
    assert len(folder.collections) > 4 * len(EVERYTHING)


@pytest.mark.no_cover
def test_examples_can_be_carried_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run of all examples over the bundled library brings a verdict on every movie, and members for the classics.

    The judge is keyword matching: this says nothing of how well the prompts do with Claude.
    """
    stage = Stage(tmp_path, {})
    config = _alone(FILES, tmp_path / "examples")

    with stage.open() as environ:
        code = run(["--dry-run", "--output", "json"], {**environ, "CONFIG_DIR": str(config)}, is_watched=False)

    report = json.loads(capsys.readouterr().out)
    added = {collection["name"]: len(collection["added"]) for collection in report["collections"]}
    assert (code, report["problems"], report["warnings"]) == (0, [], [])
    assert [each["name"] for each in report["collections"] if each["pending"]] == []
    assert stage.radarr.editor_calls == []
    assert all(added[name] > 0 for name in ("Film Noir", "Heist Films", "Courtroom Drama", "Christmas", "Samurai"))


def test_each_prompt_says_what_is_in_and_what_is_out() -> None:
    """An example worth copying has criteria, inclusions and exclusions; there are at least a dozen."""
    collections = read_folder(EXAMPLES, services=frozenset(KINDS)).collections
    parts = ("Must have:", "Count in:", "Leave out:")

    assert len(collections) >= 20
    assert [each.name for each in collections if not all(part in each.prompt for part in parts)] == []


def test_each_collection_can_be_copied_alone() -> None:
    """An example brings the three lines that Kometa needs, and no template that stands somewhere else."""
    for file in EVERYTHING:
        taglist = "sonarr_taglist" if file == SHOWS else "radarr_taglist"
        for name, body in YAML(typ="safe").load(file.read_text(encoding="utf-8"))["collections"].items():
            assert body[taglist].startswith("kai-"), name
            assert (body["sync_mode"], body["show_missing"]) == ("sync", False), name
            assert "template" not in body, name


def test_the_template_for_unraid_fits_the_program() -> None:
    """It sets settings that there are, asks for those that are required, and hides what is secret."""
    template = ET.parse(ROOT / "unraid" / "kometa-ai.xml").getroot()  # noqa: S314 - our own file
    configs = {config.attrib["Target"]: config for config in template.iter("Config")}
    settings = {name for name, config in configs.items() if config.attrib["Type"] == "Variable"} - CONTAINER
    known = variables()

    assert settings <= known.keys()
    for name in settings:
        config = configs[name].attrib
        assert (config["Required"] == "true") is (known[name].default == "required"), name
        assert (config["Mask"] == "true") is known[name].secret, name
        assert config["Default"] in ("", known[name].default.strip("`")), name
    assert {name for name, variable in known.items() if variable.default == "required"} <= settings
    folders = {known[name].default.strip("`") for name in ("CONFIG_DIR", "STATE_DIR", "LOG_DIR")}
    assert {name for name, config in configs.items() if config.attrib["Type"] == "Path"} == folders
    assert configs["/app/kometa-config"].attrib["Mode"] == "ro"
    assert configs[known["HTTP_PORT"].default.strip("`")].attrib["Type"] == "Port"


def test_the_compose_file_fits_the_program() -> None:
    """It sets settings that there are, gives those that are required, and mounts Kometa's folder for reading only."""
    service = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["kometa-ai"]
    known = variables()

    assert service["environment"].keys() - CONTAINER <= known.keys()
    assert {name for name, setting in known.items() if setting.default == "required"} <= service["environment"].keys()
    assert next(mount for mount in service["volumes"] if ":/app/kometa-config" in mount).endswith(":ro")
