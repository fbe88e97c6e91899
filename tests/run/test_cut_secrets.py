"""Secrets that services repeat and that are cut anywhere: no six consecutive characters of one are shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.cli.main import run
from kometa_ai.errors import KometaAIError
from kometa_ai.library.radarr import Radarr
from kometa_ai.notification import email, push
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.observe import logs
from kometa_ai.observe.redact import Redactor
from kometa_ai.providers.claude.client import Claude
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.schema import Settings
from kometa_ai.standins.claude import ClaudeStandIn
from kometa_ai.standins.claude_faults import Fault
from kometa_ai.standins.faults import answer
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.radarr import API_KEY, RadarrStandIn
from kometa_ai.standins.serving import serve
from tests.notification.support import HELLO, Hooks
from tests.observe.secrets import parts_shown
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from pathlib import Path

KEY = API_KEY
REDACT = Redactor([KEY]).text
BODIES = {
    "JSON": (lambda pad: json.dumps({"message": f"{pad}{KEY}{pad}"}), "application/json"),
    "a list": (lambda pad: json.dumps([{"errorMessage": f"{pad}{KEY}"}]), "application/json"),
    "a page": (lambda pad: f"<html><title>{pad}{KEY}{pad}</title></html>", "text/html"),
    "text": (lambda pad: f"{pad}{KEY}{pad}", "text/plain"),
    "cut by itself": (lambda pad: json.dumps({"message": f"{pad}{KEY[:20]}… {pad}"}), "application/json"),
    "both ends": (lambda pad: json.dumps({"message": f"{pad} {KEY[:9]}***{KEY[-9:]}"}), "application/json"),
}
AROUND_200 = range(130, 215)


@pytest.mark.parametrize(("body", "kind"), BODIES.values(), ids=BODIES)
async def test_radarr_repeats_its_key(body: object, kind: str) -> None:
    """In any of its bodies, at any distance from where what it says is cut."""
    assert callable(body)
    server = RadarrStandIn(api_key=KEY)
    with serve(server.app) as url:
        async with Radarr(url, KEY, redact=REDACT) as radarr:
            for size in AROUND_200:
                server.faults.clear()
                server.faults.inject(answer(400, body("p" * size), kind))
                with pytest.raises(KometaAIError) as raised:
                    await radarr.check(tries=1)
                assert not parts_shown(KEY, str(raised.value)), size


async def test_claude_repeats_its_key() -> None:
    """Claude's own sentence is cut at another length."""
    server = ClaudeStandIn(api_key=KEY)
    with serve(server.app) as url:
        async with Claude(KEY, url, redact=REDACT) as claude:
            for size in range(230, 310):
                refusal = Fault(status=401, error_type="authentication_error", message=f"{'p' * size}{KEY}")
                server.faults.add(refusal, path="*")
                with pytest.raises(KometaAIError) as raised:
                    await claude.check("claude-sonnet-5-5")
                assert not parts_shown(KEY, str(raised.value)), size


@pytest.mark.parametrize("command", ["AUTH", "MAIL", "RCPT", "DATA"])
async def test_a_mail_server_repeats_the_password(command: str) -> None:
    """Whatever it refuses, and also where it is the address that holds one."""
    with Mailbox(credentials=("ann", KEY)) as box:
        settings = Settings(
            smtp_server=box.host,
            smtp_port=box.port,
            smtp_username="ann",
            smtp_password=KEY,  # type: ignore[arg-type]  # as from the environment
            notification_recipients=("ann@example.org",),
        )
        for size in AROUND_200:
            box.say = {command: f"550 {'p' * size}{KEY}"}
            (delivery,) = await email.send(settings, HELLO, ["ann@example.org"])
            assert delivery.problem is not None
            assert not parts_shown(KEY, str(delivery.problem)), size


async def test_a_push_service_repeats_its_token() -> None:
    """What Apprise says of it is cut as well."""
    with Hooks() as hooks:
        settings = Settings(apprise_urls=hooks.url("ntfy", "topic", f"token={KEY}"))  # type: ignore[arg-type]
        (target,) = push.targets(settings)
        redact = Redactor(secrets_of(settings)).text
        for size in range(200, 310):
            hooks.answer = (400, {"code": 40001, "error": f"{'p' * size}{KEY}"})
            delivery = await push.send(target, "Title", lambda _form, _room: "text", redact=redact)
            assert delivery.problem is not None
            assert not parts_shown(KEY, str(delivery.problem)), size


async def test_a_command_repeats_a_secret(tmp_path: Path) -> None:
    """Of long output the end is kept, which may begin within a secret."""
    script = tmp_path / "told"
    script.write_text('#!/bin/sh\ncat "$0.txt"\n')
    script.chmod(0o700)
    settings = Settings(after_changes_command=str(script), radarr_api_key=KEY)  # type: ignore[arg-type]
    logs.configure(tmp_path, debug=True, form="json", redactor=Redactor(secrets_of(settings)))
    try:
        for size in range(3950, 4010, 3):
            (tmp_path / "told.txt").write_text(f"{'q' * 9000}{KEY}{'p' * size}")
            await after_changes(["Heist"], settings)
    finally:
        logs.shutdown()

    told = (tmp_path / logs.FILE_NAME).read_text()
    assert "ppp" in told
    assert not parts_shown(KEY, told)


@pytest.mark.parametrize("size", [155, 168, 179, 190, 199])
def test_nothing_of_a_whole_run_shows_a_part(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """What Radarr repeats is not on stdout or stderr, in the log, in the mail, in the state or in the kept report."""
    with World(tmp_path, movies(3)) as world, Mailbox() as box:
        world.collections(block("Heist"))
        world.believe("Heist", [1])
        said = json.dumps({"message": f"{'p' * size}{KEY}"})
        world.radarr.faults.inject(answer(400, said, "application/json"), path="/api/v3/movie/editor", times=None)
        mail = {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": "ann@example.org"}

        code = run(["--run-now"], {**world.environ, **mail})

        shown = capsys.readouterr()
        (letter,) = box.received
        written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert code == 1
    assert "ppp" in shown.out
    for text in (shown.out, shown.err, letter.message.as_string(), *written):
        assert not parts_shown(KEY, text)
    for part in letter.message.iter_parts():
        assert not parts_shown(KEY, part.get_content())


def test_an_answer_that_repeats_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason of a verdict is remembered, reported and mailed: without the key that it repeats."""
    with World(tmp_path, movies(3)) as world, Mailbox() as box:
        world.collections(block("Heist"))
        world.reason = f"it was {KEY} that"
        world.believe("Heist", [1])
        mail = {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": "ann@example.org"}

        run(["--run-now", "--reasons"], {**world.environ, **mail})

        shown = capsys.readouterr()
        written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert "it was ***" in shown.out
    for text in (shown.out, shown.err, *written):
        assert not parts_shown(KEY, text)
