"""What the log looks like, where it goes, and what is never in it."""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import stat
import tempfile
import threading
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.contextvars import bound_contextvars

from kometa_ai.core.problem import Problem
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator

log = structlog.get_logger("kometa_ai.test")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Whether a person reads this."""
        return True


@pytest.fixture(autouse=True)
def _shut_down() -> Iterator[None]:
    yield
    logs.shutdown()


def start(
    folder: Path,
    *,
    debug: bool = False,
    form: Literal["auto", "json", "console"] = "auto",
    terminal: bool = False,
    secrets: tuple[str, ...] = ("hunter2",),
) -> io.StringIO:
    """Configure the log; what would be on stderr is in the stream returned."""
    stream = Terminal() if terminal else io.StringIO()
    logs.configure(folder, debug=debug, form=form, redactor=Redactor(secrets), stream=stream)
    return stream


def written(folder: Path) -> list[dict[str, Any]]:
    """The lines of the log file."""
    return [json.loads(line) for line in (folder / logs.FILE_NAME).read_text(encoding="utf-8").splitlines()]


def fail(message: str) -> None:
    """Raise an error."""
    raise ValueError(message)


def fail_with(message: str) -> None:
    """Log an error as it is caught."""
    try:
        fail(message)
    except ValueError:
        log.exception("It failed")


def test_one_json_object_a_line(tmp_path: Path) -> None:
    """Each line has a time in UTC, a level, the event, a run (empty outside of runs), and a collection if bound."""
    stream = start(tmp_path)
    with bound_contextvars(run_id="r1", collection_name="Amélie"):
        log.warning("Skipped", movies=3)
    log.info("Idle")
    skipped, idle = written(tmp_path)
    assert list(skipped) == ["timestamp", "level", "event", "run_id", "collection_name", "movies"]
    assert datetime.fromisoformat(skipped.pop("timestamp")).utcoffset() == timedelta(0)
    assert skipped == {"level": "warning", "event": "Skipped", "run_id": "r1", "collection_name": "Amélie", "movies": 3}
    assert list(idle) == ["timestamp", "level", "event", "run_id"]
    assert idle["run_id"] == ""
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["Skipped", "Idle"]


def test_letters_stay_readable_in_the_file(tmp_path: Path) -> None:
    """A title with accents can be found with grep."""
    start(tmp_path)
    log.info("Tagged", title="Amélie")
    assert "Amélie" in (tmp_path / logs.FILE_NAME).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("form", "terminal", "begin", "colors"),
    [
        ("auto", True, "\x1b", True),
        ("auto", False, "{", False),
        ("json", True, "{", False),
        ("console", False, "2", False),
    ],
)
def test_stderr_is_for_a_person_or_a_machine(
    form: Literal["auto", "json", "console"], *, terminal: bool, begin: str, colors: bool, tmp_path: Path
) -> None:
    """`auto` is a console on a terminal and JSON elsewhere; colours need a terminal; the file is JSON in any case."""
    stream = start(tmp_path, form=form, terminal=terminal)
    log.info("Hello")
    assert stream.getvalue().startswith(begin)
    assert ("\x1b[" in stream.getvalue()) is colors
    assert written(tmp_path)[0]["event"] == "Hello"


def test_libraries_take_the_same_way(tmp_path: Path) -> None:
    """A line of the standard library's logging looks like ours, bound context included."""
    start(tmp_path)
    with bound_contextvars(run_id="r1"):
        logging.getLogger("uvicorn").warning("%s of %d with hunter2", "one", 2)
    (line,) = written(tmp_path)
    assert (line["level"], line["event"]) == ("warning", "one of 2 with ********")
    assert (line["run_id"], line["logger"]) == ("r1", "uvicorn")


@pytest.mark.parametrize("name", ["httpx2", "httpcore2.connection", "anthropic._base_client"])
def test_clients_are_quiet(name: str, tmp_path: Path) -> None:
    """The HTTP clients log no request, not even with debug logging: headers hold keys."""
    start(tmp_path, debug=True)
    logging.getLogger(name).info("request")
    logging.getLogger(name).debug("request")
    logging.getLogger(name).warning("trouble")
    assert [line["event"] for line in written(tmp_path)] == ["trouble"]


def test_debug_lines_only_when_asked_for(tmp_path: Path) -> None:
    """DEBUG_LOGGING decides about details."""
    start(tmp_path / "a")
    log.debug("Detail")
    log.info("Line")
    start(tmp_path / "b", debug=True)
    log.debug("Detail")
    assert [line["event"] for line in written(tmp_path / "a")] == ["Line"]
    assert [line["event"] for line in written(tmp_path / "b")] == ["Detail"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_stack_traces_go_to_the_file_only(form: Literal["json", "console"], tmp_path: Path) -> None:
    """What is on stderr names the error in a line, the file has all of it, and neither has the secret in its text."""
    stream = start(tmp_path, form=form)
    fail_with("no hunter2\nhere")
    assert "Traceback" not in stream.getvalue()
    assert "ValueError: no ********" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1
    (line,) = written(tmp_path)
    assert line["error"] == "ValueError: no ********\nhere"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert "hunter2" not in str(line)


def test_the_error_of_a_library(tmp_path: Path) -> None:
    """A stack trace of the standard library's logging is kept and redacted too."""
    start(tmp_path)
    try:
        fail("hunter2")
    except ValueError:
        logging.getLogger("uvicorn").exception("failed")
    (line,) = written(tmp_path)
    assert (line["error"], "Traceback" in line["exception"]) == ("ValueError: ********", True)
    assert "hunter2" not in str(line)


def test_a_problem_is_one_line(tmp_path: Path) -> None:
    """A problem's line has its severity as level, and the same names for where, what and what to do in every line."""
    start(tmp_path)
    logs.log_problem(
        "run.problem", Problem(source="a.yml", line=3, what="It is wrong.", remedy="Do.", collection="Noir")
    )
    logs.log_problem("run.problem", Problem(source="Radarr", what="Slow.", remedy="", severity="warning"))
    first, second = written(tmp_path)
    del first["timestamp"], second["timestamp"]
    assert first == {
        "level": "error",
        "event": "run.problem",
        "run_id": "",
        "collection_name": "Noir",
        "source": "a.yml:3",
        "what": "It is wrong.",
        "remedy": "Do.",
    }
    assert second == {"level": "warning", "event": "run.problem", "run_id": "", "source": "Radarr", "what": "Slow."}


def test_a_person_is_shown_a_problem_once(tmp_path: Path) -> None:
    """Who watches has the run's problems from its report: their lines are in the file only, other warnings on both."""
    stream = io.StringIO()
    logs.configure(
        tmp_path, debug=False, form="console", redactor=Redactor(), stream=stream, screen_level=logging.WARNING
    )
    logs.log_problem(logs.REPORTED, Problem(what="It is wrong.", remedy="Mend it."))
    log.warning("Slow")
    assert [line["event"] for line in written(tmp_path)] == [logs.REPORTED, "Slow"]
    assert "Slow" in stream.getvalue()
    assert "wrong" not in stream.getvalue()


def test_what_python_would_print_itself(tmp_path: Path) -> None:
    """Warnings, and uncaught errors in threads and destructors, are lines of the log and nothing else."""

    class Bad:
        def __del__(self) -> None:
            fail("destroyed with hunter2")

    stream = start(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old\nways", UserWarning, stacklevel=1)
    thread = threading.Thread(target=fail, args=("in a thread",), name="worker")
    thread.start()
    thread.join()
    bad = Bad()
    del bad
    gc.collect()
    warned, threaded, ignored = written(tmp_path)
    assert (warned["level"], warned["logger"], "old\nways" in warned["event"]) == ("warning", "py.warnings", True)
    assert (threaded["event"], threaded["thread"]) == ("thread.failed", "worker")
    assert threaded["error"] == "ValueError: in a thread"
    assert (ignored["event"], ignored["error"]) == ("error.ignored", "ValueError: destroyed with ********")
    assert "Traceback" in threaded["exception"]
    assert all(json.loads(line) for line in stream.getvalue().splitlines())
    assert "Traceback" not in stream.getvalue()


def test_an_unexpected_error(tmp_path: Path) -> None:
    """The sentence about it says where its stack trace is; a person who watches is shown none, even without a file."""
    error = ValueError("no\nway")
    stream = start(tmp_path)
    here = logs.log_unexpected("failed", error)
    (tmp_path / "file").touch()
    without = start(tmp_path / "file" / "logs")
    there = logs.log_unexpected("failed", error)
    watched = io.StringIO()
    logs.configure(
        tmp_path / "file" / "logs",
        debug=False,
        form="console",
        redactor=Redactor(),
        stream=watched,
        screen_level=logging.WARNING,
    )
    nowhere = logs.log_unexpected("failed", raised(error))

    assert here == f"Something unexpected happened (ValueError: no); the details are in {tmp_path / logs.FILE_NAME}."
    assert "the log on stderr" in there
    assert "LOG_DIR" in nowhere
    assert "Traceback" not in stream.getvalue() + watched.getvalue()
    assert "exception" in without.getvalue()


def raised(error: Exception) -> Exception:
    """The error, with a stack trace."""
    try:
        raise error
    except ValueError as caught:
        return caught


class Unprintable(Exception):
    """An error without a text."""

    def __str__(self) -> str:
        raise RuntimeError


def test_an_error_that_cannot_be_printed(tmp_path: Path) -> None:
    """Even such an error leaves its line."""
    start(tmp_path)
    log.error("Strange", exc_info=Unprintable(), value=Unprintable())
    assert "Unprintable" in written(tmp_path)[0]["error"]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_folder_that_cannot_be_written(*, terminal: bool, tmp_path: Path) -> None:
    """It is a warning on stderr, which then has the stack traces as well; nothing crashes."""
    (tmp_path / "file").touch()
    stream = start(tmp_path / "file" / "logs", terminal=terminal)
    assert "The log file cannot be written" in stream.getvalue()
    fail_with("hunter2")
    assert "Traceback (most recent call last):" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_the_file_is_private(tmp_path: Path) -> None:
    """Only its owner can read it, and a missing folder is made."""
    start(tmp_path / "new" / "logs")
    mode = (tmp_path / "new" / "logs" / logs.FILE_NAME).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_rotation(tmp_path: Path) -> None:
    """At 10 MB a new file begins, five old ones are kept, all of them private."""
    start(tmp_path)
    # Twice for each file: since Python 3.13 the handler goes by where it has written to, not by the size of the file.
    for _ in range(16):
        log.info("One more line")
        os.truncate(tmp_path / logs.FILE_NAME, 9_999_950)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [logs.FILE_NAME, *(f"{logs.FILE_NAME}.{number}" for number in range(1, 6))]
    assert max(file.stat().st_size for file in files) <= 10_000_000
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


@pytest.mark.parametrize("gone", [True, False])
def test_another_process_rotated(*, gone: bool, tmp_path: Path) -> None:
    """When the file was renamed or deleted under us, the next line is in the file that has the name now."""
    start(tmp_path)
    log.info("Before")
    file = tmp_path / logs.FILE_NAME
    file.rename(tmp_path / "moved")
    if not gone:
        file.touch()
    log.info("After")
    assert [line["event"] for line in written(tmp_path)] == ["After"]


def test_a_closed_stderr_stops_nothing(tmp_path: Path) -> None:
    """When stderr is gone, the file goes on."""
    stream = start(tmp_path)
    stream.close()
    log.info("Still here")
    assert written(tmp_path)[0]["event"] == "Still here"


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """When the file cannot take a line, stderr has it and the program goes on."""
    (tmp_path / logs.FILE_NAME).symlink_to("/dev/full")
    stream = start(tmp_path)
    log.info("Still here")
    assert "Still here" in stream.getvalue()
    assert "Traceback" not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
@given(text=st.text(), name=st.text(min_size=1))
def test_no_text_forges_a_line(form: Literal["json", "console"], text: str, name: str) -> None:
    """Line breaks, control sequences and lone surrogates in what is logged neither add a line nor reach a terminal."""
    nasty = f"{text}\r\n\x1b[2J\x9b\u2028\u202e\ud800{text}"
    with tempfile.TemporaryDirectory() as folder:
        stream = start(Path(folder), form=form)
        log.warning(nasty, **{f"k{name}": nasty}, nested={"a": [nasty]})
        (line,) = written(Path(folder))
        assert line["event"].count("\x1b") >= 1
        logs.shutdown()
    body = stream.getvalue()
    assert body.endswith("\n")
    assert len(body.splitlines()) == 1
    assert body[:-1].isprintable() or not set(body[:-1]) & set("\r\n\x1b\x9b\u2028\u202e\ud800")


@given(
    secret=st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=30),
    around=st.text(max_size=20),
)
def test_no_secret_is_ever_logged(secret: str, around: str) -> None:
    """As an event, a value, a name, nested, in an error's text or bound: it is neither in the file nor on stderr."""

    def everything(word: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            stream = start(Path(folder), secrets=(secret,))
            with bound_contextvars(collection_name=around + word):
                sentence = around + word + around
                log.info(sentence, value=word, nested={"a": [word, {word: word}]})
                logging.getLogger("uvicorn").warning("%s", word)
                fail_with(around + word)
            logs.shutdown()
            texts = [stream.getvalue(), (Path(folder) / logs.FILE_NAME).read_text(encoding="utf-8")]
        lines = [json.loads(line) for text in texts for line in text.split("\n") if line]
        return "\0".join(str(value) for line in lines for name, value in line.items() if name not in FIXED)

    FIXED = {"timestamp", "level", "logger"}  # noqa: N806
    assert secret not in everything(secret)


def test_shutdown_leaves_nothing_behind(tmp_path: Path) -> None:
    """Handlers are gone, levels are as they were, and a line after it does not reach the old file."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.getLogger("httpx2").level)
    stream = start(tmp_path, debug=True)
    start(tmp_path, debug=True)
    logs.shutdown()
    logs.shutdown()
    assert (root.handlers, root.level, logging.getLogger("httpx2").level) == before
    logging.getLogger("x").warning("Late")
    assert stream.getvalue() == ""
