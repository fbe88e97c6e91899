"""What docs/models.md says of settings, addresses and messages, held against the program."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from kometa_ai.core.model import PROVIDERS
from kometa_ai.providers.compatible.services import service_of
from kometa_ai.settings.environment import load_settings
from tests.written_docs import DOCS, PACKAGE, rows
from tests.written_samples import samples

if TYPE_CHECKING:
    from tests.written_samples import Sample

PAGE = DOCS / "models.md"
RADARR = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "0123456789abcdef0123456789abcdef"}
KEY = "sk-0123456789abcdef0123456789abcdef"

OF_THE_PAGE = [sample for sample in samples("yaml") if sample.page == "docs/models.md"]


def _environ(sample: Sample) -> dict[str, str]:
    """What a container gets from such a file, with a key in place of each that is left to `.env`."""
    environment = YAML(typ="safe").load(sample.text)["services"]["kometa-ai"]["environment"]
    return {name: re.sub(r"\$\{\w+:\?[^}]*\}", KEY, str(value)) for name, value in environment.items()}


@pytest.mark.parametrize("sample", OF_THE_PAGE, ids=lambda sample: sample.where)
def test_each_sample_is_all_that_its_models_need(sample: Sample) -> None:
    """With a Radarr beside it, a copied sample starts the program: nothing is missing, and nothing has no effect."""
    environ = _environ(sample)

    loaded = load_settings({**RADARR, **environ})

    assert loaded.warnings == loaded.hints == ()
    assert all(model.name for model in loaded.settings.models)
    given = {environ[name].rpartition("/")[2] for name in ("LLM_MODEL", "LLM_REVIEW_MODEL") if name in environ}
    assert given <= {model.name.rpartition("/")[2] for model in loaded.settings.models}


def test_there_is_a_sample_for_every_provider() -> None:
    """Users of each provider find theirs, and one of two providers together."""
    uses = [load_settings({**RADARR, **_environ(sample)}).settings.models.providers for sample in OF_THE_PAGE]

    assert {provider for use in uses for provider in use} == set(PROVIDERS)
    assert any(len(use) == 2 for use in uses)


def test_each_address_can_be_set_and_is_known() -> None:
    """Each in the table is a value of OPENAI_BASE_URL, and a public one is a service that the program knows by name."""
    table = rows(PAGE, "## Other addresses")

    for row in table:
        address = row["`OPENAI_BASE_URL`"].strip("`").replace("HOST", "server").replace("NAME", "name")
        settings = load_settings({"OPENAI_BASE_URL": address}, required=()).settings
        service = service_of("openai", settings.openai_base_url)
        assert service.is_local != service.is_known, row
        assert service.is_local or service.title == row["service"], row
    assert len(table) > 7


def test_each_message_that_is_explained_is_one_of_ours() -> None:
    """What the table of troubles quotes stands in the code."""
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    nodes = [node for source in sources for node in ast.walk(source)]
    said = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    told = [row["what it says"] for row in rows(PAGE, "## When something is wrong")]
    fragments = [text for cell in told for text in re.findall(r"`([^`]+)`", cell)]

    assert len(fragments) > 8
    assert [fragment for fragment in fragments if not any(fragment in text for text in said)] == []
