"""A world around the program, its command line in it, and everything that both write, as text that stays the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from datetime import UTC, date, datetime, timedelta
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any, Self

from kometa_ai.__version__ import __version__
from kometa_ai.cli.main import run
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.serving import serve
from tests.golden.wire import Transcript, Wire, pretty, receiver
from tests.run.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kometa_ai.standins.mailbox import Mail
    from kometa_ai.standins.radarr_seed import MovieSeed
    from tests.golden.wire import Exchange

_PATIENCE = 60.0
_RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_DATE = re.compile(r"\d{4}-(?:0\d|1[0-2])-[0-3]\d")
_SAME_EACH_TIME = [
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "<time>"),
        (r'("month": ?")\d{4}-\d\d"', r'\1<month>"'),
        (r'"\d{4}-\d\d": ?\{', '"<month>": {'),
        (r"\d{8}T\d{6}", "<time>"),
        (r'"stamp":\d+(\.\d+)?', '"stamp":"<time>"'),
        (r'("(?:peak_)?memory_mb": ?)\d+', r'\1"<memory>"'),
        (r'("(?:(?:duration_)?seconds|wait|took)": ?)[0-9.]+', r'\1"<seconds>"'),
        (r"\b\d+ s\b", "<seconds> s"),
        (r"(AsyncAnthropic/Python) [0-9.]+", r"\1 <version>"),
        (rf"(?<![\d.]){re.escape(__version__)}(?![\d.])", "<version>"),
        (r'("key": ?")[0-9a-f]{16}"', r'\1<key>"'),
        (r'"[0-9a-f]{16}":', '"<key>":'),
        (r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1.."),
    )
]


class Scene(World):
    """A world whose program is called by its command line alone. Each call is a step with a name.

    `recorded` holds what was written so far, by the name of its file: `cli`, `log`, `claude`, `radarr`, `state`,
    `mail` and `push`. Requests to Claude go one by one, so that their order is no matter of chance.
    """

    def __init__(self, folder: Path, seeds: Iterable[MovieSeed], **settings: Any) -> None:
        super().__init__(
            folder,
            seeds,
            **{"max_concurrent_requests": 1, "tz": "UTC", "smtp_from": "kometa-ai@example.org", **settings},
        )
        self._wires = {"claude": Wire(), "radarr": Wire(), "push": Wire()}
        self._transcripts = {name: Transcript() for name in self._wires}
        self._receiver = receiver()
        self._wires["claude"].watch(self.claude.app)
        self._wires["radarr"].watch(self.radarr.app)
        self._wires["push"].watch(self._receiver)
        self._mailbox = Mailbox()
        self._around = ExitStack()
        self._read = 0
        self._files: dict[str, bytes] = {}
        self._run_ids: dict[str, str] = {}
        self._pieces: defaultdict[str, list[str]] = defaultdict(list)

    def __enter__(self) -> Self:
        super().__enter__()
        self._around.enter_context(self._mailbox)
        self._push_url = self._around.enter_context(serve(self._receiver))
        return self

    def __exit__(self, *_: object) -> None:
        self._around.close()
        super().__exit__()

    @property
    def recorded(self) -> dict[str, str]:
        """What was written so far, by the name of its file."""
        return {name: "\n".join(pieces) for name, pieces in self._pieces.items()}

    @property
    def run_id(self) -> str:
        """The id of the latest run."""
        return max((self.state_dir / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns).stem

    def notify(self, **settings: str) -> None:
        """Let reports be sent by e-mail and by push, and the services be told of changes."""
        port = self._push_url.rpartition(":")[2]
        self.change(
            smtp_server=self._mailbox.host,
            smtp_port=self._mailbox.port,
            notification_recipients="ann@example.org",
            apprise_urls=f"json://127.0.0.1:{port}/push",
            after_changes_url=f"{self._push_url}/changed",
            **settings,
        )

    # Calls

    def call(self, step: str, *arguments: str, is_watched: bool = False) -> int:
        """Call the program in this process, and record what follows from it."""
        out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with redirect_stdout(out), redirect_stderr(err):
            code = run(arguments, self.environ, is_watched=is_watched)
        written = [stream.buffer.getvalue().decode() for stream in (out, err)]
        self._record(step, arguments, code, *written)
        return code

    def process(self, step: str, *arguments: str, until: Callable[[Exchange], bool] | None = None) -> int:
        """Call the program in a process of its own, which gets Ctrl+C once such a request was sent to Claude."""
        with subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "kometa_ai", *arguments],
            env={"PATH": os.environ["PATH"], "COLUMNS": "110", **self.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                if until is not None:
                    self._wires["claude"].wait_for(until, _PATIENCE)
                    process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=_PATIENCE)
            finally:
                process.kill()
        self._record(step, arguments, process.returncode, out, err)
        return process.returncode

    # Records

    def _record(self, step: str, arguments: Iterable[str], code: int, out: str, err: str) -> None:
        call = " ".join(["kometa-ai", *(f'"{one}"' if " " in one else one for one in arguments)])
        self._add("cli", step, f"$ {call}\n{out}{_without_log(err)}exit code {code}\n")
        self._add("log", step, self._new_log())
        for name, wire in self._wires.items():
            self._add(name, step, self._transcripts[name].written(wire.take(), self._normal))
        self._add("mail", step, "".join(map(_letter, self._mailbox.received)))
        self._mailbox.received.clear()
        self._add("state", step, self._changed_files())

    def _add(self, name: str, step: str, text: str) -> None:
        if text:
            self._pieces[name].append(self._normal(f"=== {step} ===\n{text}"))

    def _normal(self, text: str) -> str:
        """The text without what another time, another folder or another port makes of it."""
        places = {self._radarr_url: "http://radarr", self._claude_url: "http://claude", self._push_url: "http://push"}
        for place, name in places.items():
            text = text.replace(place, name).replace(place.removeprefix("http://"), name.removeprefix("http://"))
            text = text.replace(f"port {place.rpartition(':')[2]} ", "port <port> ")
        text = re.sub(rf"\b{self._mailbox.port}\b", "<mail port>", text).replace(str(self.folder), "")
        text = _RUN_ID.sub(lambda found: self._run_ids.setdefault(found[0], f"<run {len(self._run_ids) + 1}>"), text)
        for pattern, same in _SAME_EACH_TIME:
            text = pattern.sub(same, text)
        return _DATE.sub(lambda found: "<date>" if _is_near(date.fromisoformat(found[0])) else found[0], text)

    def _new_log(self) -> str:
        path = self.folder / "logs" / "kometa-ai.log"
        if not path.exists():
            return ""
        with path.open(encoding="utf-8") as file:
            file.seek(self._read)
            text = file.read()
            self._read = file.tell()
        lines = [line for line in map(json.loads, text.splitlines()) if line.get("logger") != "mail.log"]
        return "".join(
            json.dumps({name: value for name, value in line.items() if name != "timestamp"}, ensure_ascii=False) + "\n"
            for line in lines
        )

    def _changed_files(self) -> str:
        """The files of the state that have changed: their names, and what is in them."""
        found = {
            str(path.relative_to(self.state_dir)): path.read_bytes()
            for path in sorted(self.state_dir.rglob("*"), key=_place)
            if path.is_file()
        }
        before, self._files = self._files, found
        pieces = []
        for name, content in found.items():
            now, then = self._normal(content.decode()), self._normal(before.get(name, b"").decode())
            if name not in before or now != then:
                pieces.append(f"--- {name}\n{_content(name, now, then)}")
        return "".join([*pieces, *(f"--- {name} is gone\n" for name in sorted(before.keys() - found.keys()))])


def _place(path: Path) -> tuple[str, int]:
    """Where a file comes among the others: reports of runs as they were kept, since their names are left to chance."""
    is_report = path.parent.name == "runs"
    return str(path.parent if is_report else path), path.stat().st_mtime_ns if is_report else 0


def _is_near(day: date) -> bool:
    """Whether a date is about today's: others stand in what the stand-ins say."""
    return abs(day - datetime.now(UTC).date()) < timedelta(days=60)


def _without_log(err: str) -> str:
    """What stands on stderr beside the lines of the log, which the log's file has, too."""
    lines = [line for line in err.splitlines() if not line.startswith('{"timestamp"')]
    return "".join(f"stderr: {line}\n" for line in lines)


def _content(name: str, text: str, before: str) -> str:
    """What to show of a file: all of it, or of the movies in a snapshot those that were not the same before."""
    if re.search(r"json\.bak\d|journal\.bak[2-9]", name):
        return ""  # it was shown when it was the newest
    if name == "kometa_state.json":
        (head, movies), (head_before, movies_before) = _snapshot(text), _snapshot(before)
        new = [movie for movie in movies if movie not in set(movies_before)]
        same = [_as_before(len(movies) - len(new), "movies")] if len(new) < len(movies) else []
        return "\n".join([pretty(_what_is_new(head, head_before)), *new, *same, ""])
    if name.endswith(".json"):
        return pretty(json.loads(text)) + "\n"
    return text


def _snapshot(text: str) -> tuple[dict[str, Any], list[str]]:
    """A snapshot without its movies, and its movies, each as it stands on its line."""
    if not text:
        return {}, []
    head, *movies = text.splitlines()
    return json.loads(head + "}}" if movies else head), [movie.rstrip(",}") for movie in movies]


def _what_is_new(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """An object without what it held before, of which it only says that it is there."""
    new: dict[str, Any] = {}
    for name, value in now.items():
        then = before.get(name)
        if value and value == then and isinstance(value, dict | list):
            new[name] = "<as before>"
        elif isinstance(value, dict) and isinstance(then, dict):
            new[name] = _what_is_new(value, then)
        elif isinstance(value, list) and isinstance(then, list) and value[: len(then)] == then and then:
            new[name] = [_as_before(len(then), "entries"), *value[len(then) :]]
        else:
            new[name] = value
    return new


def _as_before(count: int, what: str) -> str:
    return f"<{count} {what} as before>"


def _letter(mail: Mail) -> str:
    message = mail.message
    lines = [f"envelope: {mail.sender} -> {', '.join(mail.recipients)}"]
    lines += [
        f"{name}: {value}" for name, value in message.items() if name not in {"Date", "Message-ID", "Content-Type"}
    ]
    for part in message.walk():
        if not part.is_multipart():
            lines += [f"--- {part.get_content_type()}", part.get_content()]
    return "\n".join(lines)
