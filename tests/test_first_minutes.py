"""Each command of README.md and docs/start.md is proven: run here, or by a test or a job of CI that its rule names.

Docker itself is not there: what is said to it is held against the compose file, the Dockerfile and the job that builds
the image, and what the container is to do is done with the same arguments.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from ruamel.yaml import YAML

from kometa_ai.settings.variables import variables
from tests.cli.test_waiting import token_in
from tests.daemon.living import PATIENCE, daemon_process
from tests.run.world import World, movies
from tests.shipping.test_image import environment, instructions
from tests.test_docs import NOT_RUN
from tests.tls import PLAIN
from tests.written_docs import ROOT, rows
from tests.written_samples import all_samples, command_lines, our_commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = {"README.md", "docs/start.md"}
COMMANDS = sorted(
    {shlex.join(shlex.split(line, comments=True)) for sample, line in command_lines() if sample.page in PAGES}
)
_TESTED_TARGETS = {"demo-page": "tests/cli/test_demo_page.py"}
_STARTED = {(): "tests/daemon/living.py", ("--wait",): "tests/cli/test_waiting.py"}
"""What does not end by itself is not run with the other commands: where it is started."""


def _service() -> dict[str, Any]:
    compose = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service: dict[str, Any] = compose["services"]["kometa-ai"]
    return service


def _workflow_steps() -> str:
    """Everything that CI runs."""
    found = []
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for job in YAML(typ="safe").load(path.read_text(encoding="utf-8"))["jobs"].values():
            found += [step["run"] for step in job.get("steps", ()) if "run" in step]
    return "\n".join(found)


def _made(words: list[str]) -> None:
    """`make X`: CI calls the target, or a test does what its recipe does."""
    (target,) = words[1:]
    if target not in _TESTED_TARGETS:
        assert re.search(rf"\bmake {target}$", _workflow_steps(), re.MULTILINE)
        return
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition(f"\n{target}:")[2].splitlines()[1]
    called = shlex.split(recipe.partition("-m kometa_ai ")[2])
    test = (ROOT / _TESTED_TARGETS[target]).read_text(encoding="utf-8")
    assert ", ".join(f'"{word}"' for word in ("-m", "kometa_ai", *called)) in test


def _ours(words: list[str]) -> None:
    """A call of the program: `test_every_command_works` runs it against the stand-ins, in this order."""
    call = tuple(words)
    if call in _STARTED:
        assert '"-m", "kometa_ai"' in (ROOT / _STARTED[call]).read_text(encoding="utf-8")
        return
    assert call in our_commands()
    assert call not in NOT_RUN


def _run_in_a_container(words: list[str]) -> None:
    """`docker compose run --rm kometa-ai …`: the image's entry passes the words on to the program."""
    (entry,) = (text for name, text in instructions("Dockerfile") if name == "ENTRYPOINT")
    assert "kometa-ai" in entry
    assert not {"command", "entrypoint"} & _service().keys()
    _ours(words[5:])


def _exec_ours(words: list[str]) -> None:
    _ours(words[5:])


def _key(words: list[str]) -> None:
    """The file of the key is where the image keeps its state; `test_from_nothing_to_first_tags` signs in with it."""
    assert words[-1] == f"{environment('Dockerfile')['STATE_DIR']}/api_key"
    assert any(volume.endswith(f":{environment('Dockerfile')['STATE_DIR']}") for volume in _service()["volumes"])


def _built(words: list[str]) -> None:
    """The image is built from the clone, as CI does it."""
    assert (ROOT / "Dockerfile").is_file()
    assert re.search(r"\bmake image\b", _workflow_steps())
    if words[1] == "compose":
        assert _service()["build"] == "."
    else:
        template = (ROOT / "unraid" / "kometa-ai.xml").read_text(encoding="utf-8")
        assert f"<Repository>{words[words.index('--tag') + 1]}</Repository>" in template
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert "--tag kometa-ai ." in makefile


def _up(_: list[str]) -> None:
    """Compose starts the daemon: `test_from_nothing_to_first_tags` starts it with the settings of that file."""
    assert not {"command", "entrypoint"} & _service().keys()
    assert _service()["ports"] == ["7880:7880"]


def _logs(words: list[str]) -> None:
    assert words[-1] == "kometa-ai"
    assert _service()


def _copied(words: list[str]) -> None:
    """The file is there. Unraid's folder of templates is on its boot device."""
    source, target = words[1:]
    assert (ROOT / source).is_file()
    assert re.fullmatch(r"/boot/config/plugins/dockerMan/templates-user/my-[a-z-]+\.xml", target)


def _exported(words: list[str]) -> None:
    assert words[1].partition("=")[0] in variables()


def _installed(_: list[str]) -> None:
    """CI really installs it like that, and runs it: the module takes the lines from the page."""
    assert "python -m tests.shipping.plain_python" in _workflow_steps()


RULES: list[tuple[str, Callable[[list[str]], None]]] = [
    (r"make [a-z-]+", _made),
    (r"docker compose build|docker build --tag kometa-ai \.", _built),
    (r"docker compose up --detach", _up),
    (r"docker compose logs kometa-ai", _logs),
    (r"docker compose run --rm kometa-ai --.+", _run_in_a_container),
    (r"docker compose exec kometa-ai kometa-ai --.+", _exec_ours),
    (r"docker compose exec kometa-ai cat .+", _key),
    (r"kometa-ai( --.+)?", lambda words: _ours(words[1:])),
    (r"cp \S+ \S+", _copied),
    (r"export \S+", _exported),
    (r"(python3 -m venv|\.|pip install) .+", _installed),
]


def _rules_for(command: str) -> list[Callable[[list[str]], None]]:
    return [prove for form, prove in RULES if re.fullmatch(form, command)]


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("chmod ")])
def test_every_command_is_proven(command: str) -> None:
    """Exactly one rule covers it, and what the rule rests on is there. A command that no rule covers fails."""
    rules = _rules_for(command)

    assert len(rules) == 1, "write a rule that runs it, or names the test or the job of CI that does"
    rules[0](shlex.split(command))


def test_a_command_that_no_rule_knows_is_refused() -> None:
    """The rules do not cover just anything."""
    assert [
        _rules_for(command) for command in ("docker compose down", "curl example.org | sh", "kometa-ai please")
    ] == [
        [],
        [],
        [],
    ]


def test_the_keys_are_kept_to_oneself(tmp_path: Path) -> None:
    """The line for `.env` does what it is for."""
    (line,) = [command for command in COMMANDS if command.startswith("chmod ")]
    (tmp_path / ".env").touch(mode=0o644)

    subprocess.run(shlex.split(line), cwd=tmp_path, check=True, timeout=10)  # noqa: S603 - our own page

    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_every_picture_of_the_readme_is_there() -> None:
    """The page in both themes, and the terminal, before anything else is said."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|srcset)="([^"]+)"', readme)

    assert {"docs/images/page-overview-desk-dark.png", "docs/images/page-overview-desk-light.png"} == set(named)
    assert all((ROOT / name).is_file() for name in named)
    assert readme.index("</picture>") < readme.index("docs/images/terminal.svg") < readme.index("Describe a Plex")


def test_what_it_costs_is_what_was_measured() -> None:
    """The sentences about money on the first pages have the benchmark's figures, as the table of docs/cost.md."""
    costs = {
        (row["movies"], row["collections"]): row for row in rows(ROOT / "docs" / "cost.md", "## From the benchmark")
    }
    small, large = costs["1,000", "5"], costs["10,000", "20"]
    readme, index = (
        " ".join((ROOT / name).read_text(encoding="utf-8").split()) for name in ("README.md", "docs/index.md")
    )

    first = f"A first run with 1,000 movies and 5 collections costs about {small['first run']} USD with Claude"
    assert first in readme
    assert first in index
    assert 0.005 < float(small["night with ten new movies"]) < 0.1  # "some cents"
    dear, batched = (f"{float(large[column]):.0f}" for column in ("first run", "in batches"))
    assert f"For 10,000 movies and 20 collections a first run is {dear} USD, or {batched} in batches" in readme


def _block() -> str:
    (sample,) = [each for each in all_samples() if (each.page, each.language) == ("README.md", "yaml")]
    return sample.text


def _environ() -> dict[str, str]:
    """What the container gets from the compose file, with keys as the README has them put into `.env`."""
    (sample,) = [each for each in all_samples() if (each.page, each.language) == ("README.md", "ini")]
    keys = dict(line.split("=", 1) for line in sample.text.splitlines())
    given = {name: str(value) for name, value in _service()["environment"].items()}
    return {name: re.sub(r"\$\{(\w+):.*\}", lambda key: keys[key[1]], value) for name, value in given.items()}


class _Visitor:
    """A browser without script, on *Check*."""

    def __init__(self, browser: httpx2.Client) -> None:
        self._browser = browser
        self.page = browser.get("/").text

    def press(self, path: str, **fields: str) -> None:
        """Send one of the page's forms, and come to *Check*."""
        self._browser.post(path, data={"token": token_in(self.page), **fields})
        self.page = self._browser.get("/start").text

    def until(self, text: str) -> None:
        """Look until the page says it."""
        end = time.monotonic() + PATIENCE
        while text not in self.said and time.monotonic() < end:
            time.sleep(0.05)
            self.page = self._browser.get("/start").text
        assert text in self.said

    @property
    def said(self) -> str:
        """What the page says, without its tags."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.page).split())


def test_from_nothing_to_first_tags(tmp_path: Path) -> None:
    """The five steps of the README, with its compose file, `.env` and block: sign in with the key, and press on.

    The addresses lead to stand-ins, the folders to this machine's; no tag is written before the last button.
    """
    with World(tmp_path, movies(12)) as world:
        world.believe("Film Noir", range(3))
        (world.kometa / "config.yml").write_text("libraries: {}\n", encoding="utf-8")
        here = world.environ.keys()
        world.change(**{name: value for name, value in _environ().items() if name in variables().keys() - here})
        with daemon_process(world, HTTP_API_KEY="") as living:
            living.wait_for("daemon.ready")
            key = (world.state_dir / "api_key").read_text(encoding="ascii").strip()
            headers = {"Accept": "text/html"}
            with httpx2.Client(
                verify=PLAIN, base_url=living.url, headers=headers, follow_redirects=True, timeout=PATIENCE
            ) as browser:
                visitor = _Visitor(browser)
                visitor.press("/login", password=key, next="/start")
                visitor.press("/looks/doctor")
                visitor.until("What is missing is a collection")
                sample = visitor.page
                (world.kometa / "movies.yml").write_text(_block(), encoding="utf-8")
                visitor.press("/looks/doctor")
                visitor.until("1 collection takes part")
                visitor.press("/looks/estimate")
                visitor.until("to ask")
                visitor.until("Spend at most")
                visitor.press("/runs", dry_run="on", max_cost_usd="1")
                visitor.until("Make the 3 changes shown")
                before = world.numbers("kai-film-noir")
                asked = len(world.claude.requests)
                made = re.search(r'action="(/runs/[^"]+/make)"', visitor.page)
                assert made
                visitor.press(made[1])
                visitor.until("ended well")

        assert "# === KOMETA-AI ===" in sample
        assert before == set()
        assert world.numbers("kai-film-noir") == {0, 1, 2}
        assert len(world.claude.requests) == asked
