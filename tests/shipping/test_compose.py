"""The compose files, and the samples of compose files in the documentation."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.libraries import places_in
from kometa_ai.settings.variables import variables
from kometa_ai.standins.__main__ import standins
from tests.shipping.smoke import RIGHTS
from tests.shipping.test_image import instructions
from tests.shipping.tools import against_schema
from tests.written_docs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FILES = [ROOT / "docker-compose.yml", ROOT / "docker-compose.dev.yml"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OF_THE_IMAGE = {"PUID", "PGID", "UMASK"}

_SAMPLE = re.compile(r"^```yaml\n((?:(?!^```).)*?^services:\n.*?)^```$", re.MULTILINE | re.DOTALL)
_FILLED_IN = re.compile(r"\$\{\w+(?::\?[^}]*)?\}")


def _samples() -> list[str]:
    return [sample for page in PAGES for sample in _SAMPLE.findall(page.read_text(encoding="utf-8"))]


def _service(text: str) -> dict[str, Any]:
    """Our service, with something in place of what Compose takes from elsewhere."""
    compose = YAML(typ="safe").load(_FILLED_IN.sub("0123456789abcdef0123456789abcdef", text))
    service: dict[str, Any] = compose["services"]["kometa-ai"]
    return service


def _texts() -> list[Any]:
    files = [pytest.param(path.read_text(encoding="utf-8"), id=path.name) for path in FILES]
    return files + [pytest.param(sample, id=f"sample{number}") for number, sample in enumerate(_samples())]


@pytest.mark.parametrize("text", _texts())
def test_compose_understands_it(text: str, tmp_path: Path) -> None:
    """It is what the Compose Specification describes."""
    file = tmp_path / "compose.yml"
    file.write_text(text, encoding="utf-8")

    assert against_schema("vendor.compose-spec", file) == ""


@pytest.mark.parametrize("text", _texts())
def test_the_program_understands_its_settings(text: str) -> None:
    """Every variable is one of ours, and every value is accepted."""
    environment = {name: str(value) for name, value in _service(text).get("environment", {}).items()}
    values = {name: value for name, value in environment.items() if not name.endswith("_FILE")}
    of_libraries = {name for place in places_in(environment) for name in place.settings}

    assert {name.removesuffix("_FILE") for name in environment} <= variables().keys() | OF_THE_IMAGE | of_libraries
    assert load_settings(values, required=()).warnings == ()


def test_there_is_a_sample_for_each_home() -> None:
    """The page on libraries has compose files for movies, for shows, and for both with a second Radarr."""
    page = (ROOT / "docs" / "libraries.md").read_text(encoding="utf-8")
    homes = [load_settings(_service(sample)["environment"], required=()).settings for sample in _SAMPLE.findall(page)]

    assert [[library.name for library in home.libraries] for home in homes] == [
        ["radarr"],
        ["sonarr"],
        ["radarr", "radarr-4k", "sonarr"],
    ]


@pytest.mark.parametrize("text", _texts())
def test_folders_are_mounted_where_the_image_wants_them(text: str) -> None:
    """Kometa's folder can only be read; what is written goes to folders that the image names."""
    targets = [str(volume).split(":")[1:] for volume in _service(text).get("volumes", [])]
    (declared,) = [json.loads(folders) for name, folders in instructions("Dockerfile") if name == "VOLUME"]

    folders = {re.sub("^(/app/kometa-config)/.*", r"\1", target[0]) for target in targets}
    assert folders - {"/src/kometa_ai"} <= set(declared)
    assert [target for target in targets if target[0].startswith("/app/kometa-config") and target[1:] != ["ro"]] == []


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_nothing_that_it_needs_is_missing(file: Path) -> None:
    """What is required is set, and Kometa's folder is there."""
    service = _service(file.read_text(encoding="utf-8"))

    required = {name for name, known in variables().items() if known.default == "required"}
    assert {*required, "RADARR_URL", "RADARR_API_KEY"} <= service["environment"].keys()
    assert any(":/app/kometa-config" in volume for volume in service["volumes"])


def test_the_optional_libraries_have_only_to_be_uncommented() -> None:
    """Without the marks of comment before their lines, Sonarr and the second Radarr are libraries, too."""
    text = re.sub(r"^( +)# (?=(?:SONARR|RADARR_4K)_)", r"\1", FILES[0].read_text(encoding="utf-8"), flags=re.MULTILINE)
    environment = {name: str(value) for name, value in _service(text)["environment"].items()}

    libraries = load_settings(environment, required=()).settings.libraries

    assert [library.name for library in libraries] == ["radarr", "radarr-4k", "sonarr"]


def test_what_is_shipped_is_what_is_tried() -> None:
    """The rights that docker-compose.yml leaves are those with which the image's smoke test runs it."""
    service = _service(FILES[0].read_text(encoding="utf-8"))

    assert (service["cap_drop"], tuple(service["cap_add"])) == (["ALL"], RIGHTS)
    assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])  # noqa: S108 - the container's
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_development_starts_the_stand_ins_that_there_are() -> None:
    """Each service besides ours is one of the stand-ins, and our settings lead to it."""
    services = YAML(typ="safe").load(FILES[1].read_text(encoding="utf-8"))["services"]
    settings = services.pop("kometa-ai")["environment"]
    ports = {}
    for name, service in services.items():
        *start, stand_in, _, host = service["entrypoint"]
        (port,) = (option.default for option in standins.commands[stand_in].params if option.name == "port")
        assert (start, stand_in, host) == (["python", "-m", "kometa_ai.standins"], name, "0.0.0.0")  # noqa: S104
        ports[name] = port

    assert services.keys() == standins.commands.keys()
    assert settings["RADARR_URL"] == f"http://radarr:{ports['radarr']}"
    assert settings["SONARR_URL"] == f"http://sonarr:{ports['sonarr']}"
    assert settings["CLAUDE_BASE_URL"] == f"http://claude:{ports['claude']}"
    assert settings["OPENAI_BASE_URL"] == f"http://openai:{ports['openai']}/v1"
    assert settings["OLLAMA_HOST"] == f"http://ollama:{ports['ollama']}"
    assert (settings["SMTP_SERVER"], settings["SMTP_PORT"]) == ("mailbox", ports["mailbox"])
