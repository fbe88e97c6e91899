"""Certificates that are not trusted end what they are for at once, and a private authority is added to the system's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import structlog
import trustme

from kometa_ai.network.environment import read_network
from kometa_ai.network.trust import context_for
from kometa_ai.notification import email, push
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.settings.environment import load_settings
from kometa_ai.standins.mailbox import Mailbox
from kometa_ai.standins.serving import serve
from tests.daemon.test_after_changes import Receiver
from tests.network.raw import serving
from tests.notification.support import HELLO, settings_for
from tests.run.world import block
from tests.tls import LONG_AGO, TOMORROW, YESTERDAY, Handshakes, by_name, file_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.notification.message import Delivery
    from kometa_ai.settings.schema import Settings
    from tests.cli.conftest import Ended
    from tests.run.world import World
ALERT = b"\x15\x03\x01\x00\x02\x02\x0a"


class Case(NamedTuple):
    """A certificate, and what must be said of it; nothing of one that is valid."""

    name: str
    dates: dict[str, Any] = {}  # noqa: RUF012 - as it is
    what: str = ""
    remedy: str = ""


CASES = [
    Case("localhost"),
    Case("localhost", {"not_before": LONG_AGO, "not_after": YESTERDAY}, "certificate has expired", "clock"),
    Case("localhost", {"not_before": TOMORROW}, "not yet valid", "clock"),
    Case("elsewhere.example", {}, "localhost", "made out for"),
]


@pytest.fixture(name="authority")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize("case", CASES)
def test_radarr_behind_tls(
    world: World, call: Callable[..., Ended], authority: trustme.CA, tmp_path: Path, case: Case
) -> None:
    """Only a valid certificate is talked to; any other is final: one try, exit code 3, and what to do."""
    server = Handshakes(authority, case.name, **case.dates)
    with serve(world.radarr.app, tls=server.context) as url:
        environ = {"RADARR_URL": by_name(url), "SSL_CERT_FILE": file_of(authority, tmp_path)}
        world.collections(block("Noir"))
        ended = call("--run-now", **environ)
        looked = call("--check-config", "--output", "json", **environ)

    assert ended.code == (3 if case.what else 0)
    assert statuses(looked)["Radarr"] == ("unusable" if case.what else "ok")
    assert server.count == 2 or not case.what
    for said in (ended.err + ended.out, looked.out):
        assert not case.what or {"is not trusted", case.what, case.remedy} <= parts(said, case)
        assert "Traceback" not in said


@pytest.mark.parametrize("case", CASES)
def test_claude_behind_tls(
    world: World, call: Callable[..., Ended], authority: trustme.CA, tmp_path: Path, case: Case
) -> None:
    """The same for Claude, with exit code 4: nothing is asked six times."""
    server = Handshakes(authority, case.name, **case.dates)
    with serve(world.claude.app, tls=server.context) as url:
        environ = {"CLAUDE_BASE_URL": by_name(url), "SSL_CERT_FILE": file_of(authority, tmp_path)}
        world.collections(block("Noir"))
        ended = call("--run-now", **environ)
        looked = call("--check-config", "--output", "json", **environ)

    assert ended.code == (4 if case.what else 0)
    assert statuses(looked)["Claude"] == ("unusable" if case.what else "ok")
    assert server.count == 2 or not case.what
    for said in (ended.err + ended.out, looked.out):
        assert not case.what or {"is not trusted", case.what, case.remedy} <= parts(said, case)


def test_an_unknown_authority(world: World, call: Callable[..., Ended], authority: trustme.CA) -> None:
    """What to do is to name it: something opens the connection to Anthropic, or the server is one's own."""
    server = Handshakes(authority)
    with serve(world.claude.app, tls=server.context) as claude, serve(world.radarr.app, tls=server.context) as radarr:
        world.collections(block("Noir"))
        of_claude = call("--run-now", CLAUDE_BASE_URL=claude)
        of_radarr = call("--run-now", RADARR_URL=radarr)

    said = " ".join((of_claude.out + of_claude.err).split())
    assert of_claude.code == 4
    assert "omething between you and Anthropic opens the connection" in said
    assert "SSL_CERT_FILE" in said
    assert of_radarr.code == 3
    assert "SSL_CERT_FILE" in of_radarr.out + of_radarr.err


@pytest.mark.parametrize(("variable", "code"), [("RADARR_URL", 3), ("CLAUDE_BASE_URL", 4)])
def test_no_tls_behind_https(world: World, call: Callable[..., Ended], variable: str, code: int) -> None:
    """A server that speaks plain HTTP is told as such, and asked once."""
    world.collections(block("Noir"))
    ended = call("--run-now", **{variable: world.environ[variable].replace("http://", "https://")})

    said = " ".join((ended.out + ended.err).split())
    assert ended.code == code
    assert "does not speak TLS (http behind https://)" in said
    assert f"Write http:// instead of https:// in {variable}." in said


@pytest.mark.parametrize(("variable", "code"), [("RADARR_URL", 3), ("CLAUDE_BASE_URL", 4)])
def test_tls_behind_http(world: World, call: Callable[..., Ended], variable: str, code: int) -> None:
    """A server that answers with an alert of TLS is told as such, and asked once."""
    world.collections(block("Noir"))
    with serving(lambda connection, _: connection.sendall(ALERT)) as server:
        ended = call("--run-now", **{variable: server.url})

    assert ended.code == code
    assert server.requests == 1
    assert f"Write https:// instead of http:// in {variable}." in " ".join((ended.out + ended.err).split())


@pytest.mark.parametrize("form", ["file", "folder", "behind another", "an intermediate one"])
def test_an_authority_is_added(
    world: World, call: Callable[..., Ended], authority: trustme.CA, tmp_path: Path, form: str
) -> None:
    """A file, a folder, a file with several; signed by itself or not. Connections without TLS go on as before."""
    signing = authority.create_child_ca() if form == "an intermediate one" else authority
    folder = tmp_path / "trusted"
    folder.mkdir()
    path = file_of(signing, folder)
    if form == "behind another":
        (folder / "authority.pem").write_bytes(trustme.CA().cert_pem.bytes() + b"# ours\n" + signing.cert_pem.bytes())
    environ = {"SSL_CERT_DIR": str(folder)} if form == "folder" else {"SSL_CERT_FILE": path}
    with serve(world.radarr.app, tls=Handshakes(signing).context) as url:
        world.collections(block("Noir"))
        assert call("--run-now", RADARR_URL=url, **environ).code == 0


def test_the_system_is_trusted_as_before(authority: trustme.CA, tmp_path: Path) -> None:
    """An authority is one more, and replaces none."""
    network = read_network({"SSL_CERT_FILE": file_of(authority, tmp_path)}, {}).network
    system, both = (context_for(these).cert_store_stats()["x509_ca"] for these in ((), network.authorities))
    assert both == system + 1


def test_a_broken_certificate_behind_a_good_one(authority: trustme.CA, tmp_path: Path, world: World,
                                                call: Callable[..., Ended]) -> None:  # fmt: skip
    """It may be the one that is needed, so it is a problem, and named by its number and its line."""
    path = tmp_path / "both.pem"
    good = authority.cert_pem.bytes().decode()
    path.write_text(f"{good}-----BEGIN CERTIFICATE-----\nMIIBqqqq\n-----END CERTIFICATE-----\n")

    ended = call("--run-now", SSL_CERT_FILE=str(path))

    assert ended.code == 2
    assert "number 2" in ended.err
    assert not world.radarr.requests


def test_pushes_trust_it_too(authority: trustme.CA, tmp_path: Path) -> None:
    """Apprise is given what it trusts by itself and our authorities in one file."""
    receiver = Receiver()
    environ = {"SSL_CERT_FILE": file_of(authority, tmp_path)}
    with serve(receiver.app, tls=Handshakes(authority).context) as url:
        addresses = url.replace("https://", "jsons://") + "/told"
        delivered = [
            sent_to(load_settings({"APPRISE_URLS": addresses, **more}, required=()).settings)
            for more in (environ, {})
        ]  # fmt: skip

    assert [delivery.problem is None for delivery in delivered] == [True, False]
    assert len(receiver.told) == 1


def test_no_stack_trace_of_a_missing_file(world: World) -> None:
    """Exit code 2, the variable and the path on stderr, and nothing else of Python's."""
    world.collections(block("Noir"))
    environ = {**world.environ, "SSL_CERT_FILE": "/no/such.pem", "SSL_CERT_DIR": "/nowhere", "PATH": "/usr/bin"}
    ended = subprocess.run(
        [sys.executable, "-m", "kometa_ai", "--run-now"], env=environ, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "SSL_CERT_FILE: '/no/such.pem' is not there." in ended.stderr
    assert "SSL_CERT_DIR: '/nowhere' is not there." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert not world.radarr.requests


def statuses(looked: Ended) -> dict[str, str]:
    """How --check-config found each service."""
    return {service["service"]: service["status"] for service in looked.data["services"]}


def parts(said: str, case: Case) -> set[str]:
    """What is said of a case, line breaks aside."""
    flat = " ".join(said.split())
    return {part for part in ("is not trusted", case.what, case.remedy) if part in flat}


def sent_to(settings: Settings) -> Delivery:
    """What became of a push to the only address."""
    (target,) = push.targets(settings)
    return asyncio.run(push.send(target, "Title", lambda _form, _room: "Text", patience=20))


async def test_the_call_after_changes_trusts_no_other(authority: trustme.CA, tmp_path: Path) -> None:
    """An authority that was added is trusted; another is told with what to do, in the log, and fails nothing."""
    receiver = Receiver()
    environ = {"SSL_CERT_FILE": file_of(authority, tmp_path)}
    with serve(receiver.app, tls=Handshakes(authority).context) as url, structlog.testing.capture_logs() as log:
        for more in (environ, {}):
            settings = load_settings({"AFTER_CHANGES_URL": f"{url}/told", **more}, required=()).settings
            await after_changes(["Noir"], settings)

    assert [line["event"] for line in log] == ["after_changes.called", "after_changes.not_called"]
    assert "is not trusted" in log[1]["why"]
    assert "SSL_CERT_FILE" in log[1]["remedy"]


@pytest.mark.parametrize("case", CASES)
async def test_mail_behind_tls(authority: trustme.CA, tmp_path: Path, case: Case) -> None:
    """The mail server's certificate is judged in the same way and told in the same words."""
    network = read_network({"SSL_CERT_FILE": file_of(authority, tmp_path)}, {}).network
    with Mailbox(tls=Handshakes(authority, case.name, **case.dates).context) as box:
        settings = settings_for(box, network=network, smtp_server="localhost", smtp_security="tls")
        (delivery,) = await email.send(settings, HELLO, settings.notification_recipients)

    said = f"{delivery.problem.what} {delivery.problem.remedy}" if delivery.problem else ""
    assert bool(said) == bool(case.what)
    assert not case.what or {"is not trusted", case.what, case.remedy} <= parts(said, case)
