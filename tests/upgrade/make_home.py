"""Make the home of a user of 0.1: state, settings and compose file, written by the program of 0.1 itself.

In a checkout of 0.1, whose commit `home-0.1/README.md` names, with its requirements installed:

    PYTHONPATH=CHECKOUT CHECKOUT/.venv/bin/python tests/upgrade/make_home.py CHECKOUT tests/upgrade/home-0.1

Nothing of the tests is imported, so that everything below comes from that checkout.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from kometa_ai.standins.claude import ClaudeStandIn, Judgement
from kometa_ai.standins.radarr import RadarrStandIn
from kometa_ai.standins.radarr_seed import MovieSeed
from kometa_ai.standins.serving import serve

_KEY = "0123456789abcdef0123456789abcdef"
_PORT = "17880"
_SETTINGS = """\
      SMTP_SERVER: mail.example.org
      SMTP_SECURITY: none
      NOTIFICATION_RECIPIENTS: me@example.org
      MAX_COST_PER_RUN: 2.50
      SCHEDULE_START_TIME: "03:30"
      REMOVAL_LIMIT: 30
"""
"""What this user has added to the compose file of 0.1."""

_BLOCK = """\
  # === KOMETA-AI ===
  # enabled: {enabled}
  # prompt: |
  #   {prompt}
{keys}  # === END KOMETA-AI ===
  {name}:
    radarr_taglist: {tag}
    sync_mode: sync
    show_missing: false
"""
_TRUTH = {
    "Film Noir": {"Movie 0": 0.95, "Movie 1": 0.9, "Movie 2": 0.75, "Movie 3": 0.65, "Movie 4": 0.85},
    "Heists": {"Movie 4": 0.9, "Movie 5": 0.95, "Movie 6": 0.8, "Movie 7": 0.35},
    "War": {"Movie 8": 0.95, "Movie 9": 0.9, "Movie 10": 0.8, "Movie 11": 0.3},
}
_EVERY_SETTING = {
    "RADARR_URL": "http://radarr:7878/radarr",
    "RADARR_API_KEY": _KEY,
    "CLAUDE_API_KEY": "sk-ant-0123456789abcdef",
    "CLAUDE_MODEL": "claude-opus-5",
    "CLAUDE_REVIEW_MODEL": "claude-opus-5-5",
    "CLAUDE_BATCHES": "off",
    "CLAUDE_BASE_URL": "https://claude.example.org",
    "BATCH_SIZE": "40",
    "MAX_CONCURRENT_REQUESTS": "2",
    "MAX_COST_PER_RUN": "2.5",
    "RUN_TIMEOUT": "6h",
    "RADARR_CREDITS": "false",
    "REMOVAL_LIMIT": "30",
    "ADDITION_LIMIT": "200",
    "SMTP_SERVER": "mail.example.org",
    "SMTP_PORT": "587",
    "SMTP_USERNAME": "me",
    "SMTP_PASSWORD": "a-password",
    "SMTP_SECURITY": "starttls",
    "SMTP_FROM": "kometa-ai@example.org",
    "NOTIFICATION_RECIPIENTS": "me@example.org, you@example.org",
    "APPRISE_URLS": "ntfy://topic, json://example.org/hook",
    "NOTIFY_ON": "changes",
    "SCHEDULE_INTERVAL": "12h",
    "SCHEDULE_START_TIME": "04:15",
    "SCHEDULE_BLACKOUT": "18:00-23:30",
    "TZ": "Europe/Berlin",
    "AFTER_CHANGES_COMMAND": "run-kometa now",
    "AFTER_CHANGES_URL": "https://example.org/hook",
    "HTTP_HOST": "0.0.0.0",  # noqa: S104 - a container's
    "HTTP_PORT": "8880",
    "HTTP_API_KEY": "key-of-my-own-choosing",
    "HTTP_URL_BASE": "/kometa-ai",
    "CONFIG_DIR": "/kometa",
    "STATE_DIR": "/state",
    "LOG_DIR": "/logs",
    "DEBUG_LOGGING": "true",
    "LOG_FORMAT": "console",
}


def _movies(first: int, count: int) -> list[MovieSeed]:
    return [
        MovieSeed(
            title=f"Movie {number}",
            year=1950 + number,
            tmdb_id=1000 + number,
            imdb_id=f"tt{1000 + number:07}",
            overview=f"What happens in movie {number}.",
            genres=("Drama",),
            directors=(f"Director {number}",),
            cast=(f"Actor {number}", f"Actress {number}"),
        )
        for number in range(first, first + count)
    ]


def _judge(collection: str, movie: dict[str, Any]) -> Judgement:
    name = collection.partition("<name>")[2].partition("</name>")[0]
    confidence = _TRUTH[name].get(movie["title"], 0.0)
    return Judgement(include=confidence >= 0.5, confidence=confidence, reason=f"As {name} as it is.")


class _Home:
    """The folder that the compose file lies in, with the program of 0.1 and the services of that home."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout = checkout
        self.folder = folder
        self.radarr = RadarrStandIn(movies=_movies(0, 16), api_key=_KEY)
        self.claude = ClaudeStandIn(judge=_judge, api_key="sk-ant-0123456789abcdef")

    def settings(self, radarr: str, claude: str) -> None:
        """Adapt the compose file of 0.1, and write the keys beside it."""
        text = (self.checkout / "docker-compose.yml").read_text(encoding="utf-8")
        (zone,) = re.findall(r"^      TZ: .*\n", text, re.MULTILINE)
        (self.folder / "docker-compose.yml").write_text(text.replace(zone, zone + _SETTINGS), encoding="utf-8")
        (self.folder / "env").write_text(
            f"RADARR_API_KEY={_KEY}\nCLAUDE_API_KEY=sk-ant-0123456789abcdef\n", encoding="utf-8"
        )
        service = YAML(typ="safe").load((self.folder / "docker-compose.yml").read_text(encoding="utf-8"))
        keys = dict(line.split("=", 1) for line in (self.folder / "env").read_text(encoding="utf-8").splitlines())
        given = {name: str(value) for name, value in service["services"]["kometa-ai"]["environment"].items()}
        self.environ = {
            **{name: re.sub(r"\$\{(\w+):.*\}", lambda found: keys[found[1]], value) for name, value in given.items()},
            # What is elsewhere in the container and in the home's network.
            "RADARR_URL": radarr,
            "CLAUDE_BASE_URL": claude,
            "CONFIG_DIR": str(self.folder / "kometa" / "config"),
            "STATE_DIR": str(self.folder / "kometa-ai" / "state"),
            "LOG_DIR": str(self.folder / "kometa-ai" / "logs"),
            "HTTP_PORT": _PORT,
            "SMTP_SERVER": "127.0.0.1",
            "SMTP_PORT": "9",  # where no mail server is: its reports are kept
        }
        for name in ("PUID", "PGID"):
            del self.environ[name]

    def kometa(self, *, war: bool) -> None:
        """Write Kometa's folder."""
        config = self.folder / "kometa" / "config"
        config.mkdir(parents=True, exist_ok=True)
        (config / "config.yml").write_text(
            f"radarr:\n  url: http://radarr:7878\n  token: {_KEY}\n"
            "  root_folder_path: /movies\n  quality_profile: HD-1080p\n"
            "libraries:\n  Movies:\n    collection_files:\n      - file: config/movies.yml\n",
            encoding="utf-8",
        )
        blocks = (
            ("Film Noir", "true", "  # priority: 10\n  # confidence_threshold: 0.7\n"),
            ("Heists", "true", '  # exclude_movies: ["Movie 4 (1954)"]\n  # include_tags: [caper]\n'),
            ("War", "true" if war else "false", ""),
        )
        text = "".join(
            _BLOCK.format(
                name=name,
                enabled=enabled,
                prompt=f"All about {name}.",
                keys=keys,
                tag=f"kai-{name.lower().replace(' ', '-')}",
            )
            for name, enabled, keys in blocks
        )
        (config / "movies.yml").write_text(f"collections:\n{text}", encoding="utf-8")

    def call(self, *arguments: str, environ: dict[str, str] | None = None) -> str:
        """Start the program of 0.1, and return what it said."""
        done = subprocess.run(  # noqa: S603 - the program in question
            [sys.executable, "-m", "kometa_ai", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self.checkout),
                **(self.environ if environ is None else environ),
            },
            cwd=self.checkout,
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stdout.write(f"{' '.join(arguments)}: {done.returncode}\n")
        return done.stdout

    def live(self) -> None:
        """Start the daemon of 0.1, wait until it answers, and end it."""
        command = [sys.executable, "-m", "kometa_ai"]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.checkout), **self.environ}
        with subprocess.Popen(command, env=environ, cwd=self.checkout, stderr=subprocess.DEVNULL) as daemon:  # noqa: S603
            for _ in range(100):
                time.sleep(0.1)
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/ping").close()
                except OSError:
                    continue
                break
            daemon.terminate()
        sys.stdout.write(f"the daemon: {daemon.returncode}\n")

    def latest(self) -> str:
        """The id of the last run."""
        return max((self.folder / "kometa-ai" / "state" / "runs").iterdir(), key=lambda run: run.stat().st_mtime).stem


def _play(home: _Home) -> None:
    """Some weeks of a user, in their order."""
    home.kometa(war=False)
    home.call("--check-config")
    home.call("--run-now")
    home.radarr.tag_by_hand(1015, "caper")  # it is in by its tag then
    home.radarr.untag_by_hand(1000, "kai-film-noir")  # 0.1 puts it back
    home.call("--run-now")
    home.kometa(war=True)
    home.call("--run-now")
    home.call("--undo", home.latest())
    home.call("--release-pin", "Movie 8 (1958)")
    for movie in _movies(16, 2):
        home.radarr.add_movie(movie)
    home.call("--run-now")
    home.live()


def _keep(home: _Home) -> None:
    """Write down what belongs to that home and is not in its folder."""
    kept = home.folder / "kometa-ai" / "state"
    for gone in (*kept.glob("*.bak[2-5]"), kept / "lock", kept / "heartbeat"):
        gone.unlink(missing_ok=True)
    library = []
    for number in range(1000, 1018):
        seed = next(movie for movie in _movies(0, 18) if movie.tmdb_id == number)
        library.append({**dataclasses.asdict(seed), "tags": sorted(home.radarr.labels_of(number))})
    _write(home.folder / "library.json", library)
    _write(home.folder / "truth.json", _TRUTH)
    (home.folder / "every-setting.json").write_text(json.dumps(_EVERY_SETTING, indent=1) + "\n", encoding="utf-8")
    for name, environ in (("every-setting", _EVERY_SETTING), ("no-setting", {})):
        said = json.loads(home.call("--dump-config", environ=environ))["settings"]
        _write(home.folder / f"{name}-as-0.1-read-it.json", said)
    (home.folder / "pins-as-0.1-listed-them.txt").write_text(home.call("--pins"), encoding="utf-8")
    shutil.rmtree(home.folder / "kometa-ai" / "logs")


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Make it anew."""
    checkout, folder = (Path(argument).resolve() for argument in sys.argv[1:])
    for made in ("kometa", "kometa-ai"):
        shutil.rmtree(folder / made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    home = _Home(checkout, folder)
    with ExitStack() as stack:
        home.settings(stack.enter_context(serve(home.radarr.app)), stack.enter_context(serve(home.claude.app)))
        _play(home)
        _keep(home)


if __name__ == "__main__":
    main()
