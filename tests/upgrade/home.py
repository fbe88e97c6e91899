"""The home of a user of 0.1 in `home-0.1`, with the Radarr, the Claude and the mail server that it belongs to."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec
from ruamel.yaml import YAML

from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.serving import serve
from tests.shipping.test_compose import OF_THE_IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping

FIXTURE = Path(__file__).parent / "home-0.1"
OLD_STATE: Mapping[str, Any] = json.loads((FIXTURE / "kometa-ai" / "state" / "kometa_state.json").read_bytes())
_REFERENCE = re.compile(r"\$\{(\w+):\?[^}]*\}")


def given(name: str) -> Any:
    """What one of the fixture's JSON files holds."""
    return json.loads((FIXTURE / name).read_bytes())


def compose_service() -> dict[str, Any]:
    """The service of that user's compose file, with the keys of the `.env` in their places."""
    keys = dict(line.split("=", 1) for line in (FIXTURE / "env").read_text(encoding="utf-8").splitlines())
    text = _REFERENCE.sub(lambda found: keys[found[1]], (FIXTURE / "docker-compose.yml").read_text(encoding="utf-8"))
    service: dict[str, Any] = YAML(typ="safe").load(text)["services"]["kometa-ai"]
    return service


def compose_environ() -> dict[str, str]:
    """The variables that its container gets, but for those that only the image reads."""
    variables = compose_service()["environment"].items()
    return {name: str(value) for name, value in variables if name not in OF_THE_IMAGE}


class Home:
    """A copy of that home, in which today's program can be started with its settings."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(FIXTURE, folder, dirs_exist_ok=True)
        self.folder = folder
        self.kometa = folder / "kometa" / "config"
        self.state_dir = folder / "kometa-ai" / "state"
        self.log = folder / "kometa-ai" / "logs" / "kometa-ai.log"
        self._service = service = compose_environ()
        seeds = msgspec.json.decode((FIXTURE / "library.json").read_bytes(), type=list[MovieSeed])
        self.radarr = RadarrStandIn(movies=seeds, api_key=service["RADARR_API_KEY"])
        self.claude = ClaudeStandIn(judge=self._judge, api_key=service["CLAUDE_API_KEY"])
        self._truth = given("truth.json")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.mailbox = self._stack.enter_context(Mailbox())
        self.environ = {
            **self._service,
            "RADARR_URL": self._stack.enter_context(serve(self.radarr.app)),
            "CLAUDE_BASE_URL": self._stack.enter_context(serve(self.claude.app)),
            "SMTP_SERVER": self.mailbox.host,
            "SMTP_PORT": str(self.mailbox.port),
            "CONFIG_DIR": str(self.kometa),
            "STATE_DIR": str(self.state_dir),
            "LOG_DIR": str(self.log.parent),
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _judge(self, collection: str, movie: dict[str, Any]) -> Judgement:
        name = collection.partition("<name>")[2].partition("</name>")[0]
        confidence = self._truth[name].get(movie["title"], 0.0)
        return Judgement(include=confidence >= 0.5, confidence=confidence, reason="so it is")

    def members(self) -> dict[str, set[int]]:
        """The TMDb ids of the movies that have each tag in Radarr now."""
        return {label: set(self.radarr.members(label)) for label in self.radarr.labels}

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log file with this event."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [line for line in map(json.loads, lines) if line["event"] == event]
