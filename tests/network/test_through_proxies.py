"""The proxy of the environment is used, and named in every message about a connection."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
import structlog
import trustme

from kometa_ai.asking.prompts import FORM
from kometa_ai.errors import CheckLibrary, CheckModel
from kometa_ai.library.radarr import Radarr
from kometa_ai.network.environment import Network, read_network
from kometa_ai.notification.after_changes import after_changes
from kometa_ai.providers.claude.client import Claude
from kometa_ai.providers.port import Request, RequestFailed
from kometa_ai.settings.environment import load_settings
from kometa_ai.standins.proxy import ProxyStandIn
from kometa_ai.standins.radarr import API_KEY, RadarrStandIn
from kometa_ai.standins.serving import serve
from tests.daemon.living import free_port
from tests.daemon.test_after_changes import Receiver
from tests.library.talking import Waits
from tests.run.world import block
from tests.tls import Handshakes, file_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Ended
    from tests.run.world import World

REQUEST = Request(
    form=FORM, movies="{}", collection="Noir", model="claude-sonnet-5-5", cache=False, expected_tokens=4000
)


def network(**environ: str) -> Network:
    """The network of an environment."""
    return read_network(environ, {}).network


async def refusal(url: str, where: Network) -> CheckLibrary:
    """What is said of a Radarr that cannot be reached."""
    async with Radarr(url, API_KEY, network=where, sleep=Waits()) as radarr:
        with pytest.raises(CheckLibrary) as caught:
            await radarr.check()
    return caught.value


async def failure(url: str, where: Network) -> RequestFailed | CheckModel:
    """What is said of a Claude that cannot be reached."""
    async with Claude("key", url, network=where) as claude:
        try:
            await claude.ask(REQUEST)
        except (RequestFailed, CheckModel) as error:
            return error
    raise AssertionError("Claude has answered")


@pytest.mark.parametrize(
    "no_proxy", ["localhost,127.0.0.1,fd07:b51a::/64", "[::1]", "radarr:abc", "größer.example", "*"]
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_whatever_stands_in_no_proxy(world: World, call: Callable[..., Ended], name: str, no_proxy: str) -> None:
    """It crashes nothing: neither Radarr's client nor the SDK's reads it by itself."""
    world.collections(block("Noir"))
    assert call("--run-now", **{name: no_proxy}).code == 0


@pytest.mark.parametrize(("name", "value"), [
    ("ALL_PROXY", "socks5://me:hunter2@h:1080"), ("all_proxy", "socks://h"), ("HTTP_PROXY", "http://proxy:port"),
])  # fmt: skip
@pytest.mark.parametrize("option", ["--run-now", "--check-config", "--estimate"])
def test_a_proxy_that_cannot_be_used(
    world: World, call: Callable[..., Ended], name: str, value: str, option: str
) -> None:
    """It is told before anything is read, and without its password."""
    ended = call(option, **{name: value})

    assert ended.code == 2
    assert f"{name}:" in ended.out + ended.err
    assert "hunter2" not in ended.out + ended.err
    assert not world.radarr.requests


def test_a_whole_run_through_a_proxy(world: World, call: Callable[..., Ended]) -> None:
    """Radarr and Claude are reached through it, with its user and password, and the look at them names it."""
    world.collections(block("Noir"))
    world.believe("Noir", [1])
    with ProxyStandIn() as proxy:
        environ = {"HTTP_PROXY": f"http://me:hunter2@{proxy.address}"}
        ended = call("--run-now", **environ)
        looked = call("--check-config", "--output", "json", **environ)

    assert ended.code == 0
    assert world.numbers("kai-noir") == {1}
    assert {line.split()[1].split("/")[2] for line in proxy.requests} == {
        world.environ[name].removeprefix("http://") for name in ("RADARR_URL", "CLAUDE_BASE_URL")
    }
    assert set(proxy.credentials) == {f"Basic {b64encode(b'me:hunter2').decode()}"}
    for service in looked.data["services"]:
        assert f"through the proxy of HTTP_PROXY ({proxy.address})" in service["detail"]


async def test_tls_through_a_tunnel(tmp_path: Path) -> None:
    """HTTPS goes through a tunnel, and the certificate is that of the service."""
    authority = trustme.CA()
    with ProxyStandIn() as proxy, serve(RadarrStandIn().app, tls=Handshakes(authority).context) as url:
        where = network(HTTPS_PROXY=proxy.address, SSL_CERT_FILE=file_of(authority, tmp_path))
        async with Radarr(url, API_KEY, network=where) as radarr:
            await radarr.check()

    assert proxy.requests == [f"CONNECT {url.removeprefix('https://')} HTTP/1.1"]


@pytest.mark.parametrize("is_encrypted", [False, True])
async def test_a_proxy_that_is_reached_by_tls(tmp_path: Path, *, is_encrypted: bool) -> None:
    """Its certificate is checked as any other, and a tunnel through it may hold TLS once more."""
    authority, other = trustme.CA(), trustme.CA()
    tls = Handshakes(authority).context
    with ProxyStandIn(tls=tls) as proxy, serve(RadarrStandIn().app, tls=tls if is_encrypted else None) as url:
        environ = {"ALL_PROXY": f"https://{proxy.address}"}
        trusting, suspicious = (network(**environ, SSL_CERT_FILE=file_of(one, tmp_path)) for one in (authority, other))
        async with Radarr(url, API_KEY, network=trusting) as radarr:
            await radarr.check()
        said = await refusal(url, suspicious)

    assert len(proxy.requests) == 1
    assert "is not trusted" in said.message
    assert f"the proxy of ALL_PROXY ({proxy.address})" in said.message


async def test_a_proxy_that_is_down() -> None:
    """It is named with its variable, and how to do without it; Radarr and Claude are not to blame."""
    address = f"127.0.0.1:{free_port()}"
    of_radarr = await refusal("http://radarr:7878", network(http_proxy=address))
    of_claude = await failure("https://claude.example", network(HTTPS_PROXY=address))

    assert f"through the proxy of http_proxy ({address}): the connection was refused" in of_radarr.message
    assert "add radarr to NO_PROXY" in of_radarr.remedy
    assert f"through the proxy of HTTPS_PROXY ({address}): the connection was refused" in str(of_claude)
    assert "add claude.example to NO_PROXY" in str(of_claude)


@pytest.mark.parametrize(("status", "is_final"), [(407, True), (403, True), (502, False), (503, False)])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_refuses(status: int, scheme: str, *, is_final: bool) -> None:
    """Its own pages and its refused tunnels are told as its own; what will not change is asked once."""
    with ProxyStandIn(refuses=status) as proxy:
        environ = {f"{scheme.upper()}_PROXY": proxy.address}
        of_radarr = await refusal(f"{scheme}://radarr:7878", network(**environ))
        tries = len(proxy.requests)
        of_claude = await failure(f"{scheme}://claude.example", network(**environ))

    for said in (str(of_radarr), str(of_claude)):
        assert f"he proxy of {scheme.upper()}_PROXY ({proxy.address})" in said
        assert str(status) in said
        assert "to NO_PROXY" in said
    assert "API key" not in str(of_radarr)
    assert tries == (1 if is_final else 6)
    assert isinstance(of_claude, CheckModel) == is_final


async def test_a_service_that_the_proxy_does_not_know() -> None:
    """Squid's page on a name that it cannot resolve is no answer of Radarr's."""
    with ProxyStandIn() as proxy:
        said = await refusal("http://radarr.invalid:7878", network(HTTP_PROXY=proxy.address))

    assert f"The proxy of HTTP_PROXY ({proxy.address}) does not lead to http://radarr.invalid:7878" in said.message
    assert "add radarr.invalid to NO_PROXY" in said.remedy


async def test_what_radarr_says_through_a_proxy() -> None:
    """A refusal of Radarr's own stays what it is."""
    with ProxyStandIn() as proxy, serve(RadarrStandIn().app) as url:
        async with Radarr(url, "0" * 32, network=network(HTTP_PROXY=proxy.address), sleep=Waits()) as radarr:
            with pytest.raises(CheckLibrary, match="does not accept the API key"):
                await radarr.check()


async def test_the_call_after_changes() -> None:
    """It takes the same way, and its line in the log names the proxy; a redirect is told with its host."""
    receiver = Receiver()
    with ProxyStandIn() as proxy, serve(receiver.app) as url, structlog.testing.capture_logs() as log:
        environ = {"AFTER_CHANGES_URL": f"{url}/told", "HTTP_PROXY": proxy.address}
        await after_changes(["Noir"], load_settings(environ, required=()).settings)

    assert len(receiver.told) == 1
    assert log[-1]["proxy"] == f"the proxy of HTTP_PROXY ({proxy.address})"


def test_the_check_of_a_proxy_that_is_down(world: World, call: Callable[..., Ended]) -> None:
    """A service that is silent may be so for a moment; behind a proxy that is a warning of the proxy's variable."""
    world.collections(block("Noir", ""), file="movies.yml")
    looked = call("--check-config", "--output", "json", HTTP_PROXY=f"127.0.0.1:{free_port()}")

    assert looked.code == 1
    assert {"HTTP_PROXY"} <= {warning["source"] for warning in looked.data["warnings"]}
    assert [service["status"] for service in looked.data["services"]] == ["silent", "silent"]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_check_of_claude_behind_a_proxy_that_refuses(scheme: str) -> None:
    """It is no gateway's list that is refused: questions would meet the same proxy."""
    with ProxyStandIn(refuses=403) as proxy:
        async with Claude("key", f"{scheme}://claude.example", network=network(ALL_PROXY=proxy.address)) as claude:
            with pytest.raises(CheckModel, match=r"the proxy of ALL_PROXY|The proxy of ALL_PROXY"):
                await claude.check("claude-sonnet-5-5")


def test_a_proxy_that_wants_a_user(world: World, call: Callable[..., Ended]) -> None:
    """What to do about it can be read: the example of an address with a password is not masked."""
    world.collections(block("Noir"))
    with ProxyStandIn(refuses=407) as proxy:
        ended = call("--run-now", HTTP_PROXY=proxy.address)

    assert ended.code == 3
    assert "Write user and password into HTTP_PROXY, before the proxy's host" in ended.out
    assert "***" not in ended.out


async def test_a_page_of_the_proxy_s_under_status_200() -> None:
    """A portal's page is told with the proxy, and with the way around it."""
    with ProxyStandIn(refuses=200) as proxy:
        said = await refusal("http://radarr:7878", network(HTTP_PROXY=proxy.address))

    assert f"through the proxy of HTTP_PROXY ({proxy.address}) answered with a web page" in said.message
    assert "add radarr to NO_PROXY" in said.remedy


async def test_a_tunnel_that_does_not_come_about() -> None:
    """What fails before Claude was asked cannot be billed; the same behind the tunnel can."""
    with ProxyStandIn(hangs_up=True) as proxy:
        before = await failure("https://claude.example", network(HTTPS_PROXY=proxy.address))
        forwarded = await failure("http://claude.example", network(HTTP_PROXY=proxy.address))

    assert isinstance(before, RequestFailed)
    assert isinstance(forwarded, RequestFailed)
    assert (before.may_be_billed, forwarded.may_be_billed) == (False, True)


async def test_an_encrypted_proxy_that_does_not_speak_tls() -> None:
    """Which of the two addresses is wrong cannot be told, so both are named."""
    with ProxyStandIn() as proxy:
        said = await refusal("https://radarr:7878", network(HTTPS_PROXY=f"https://{proxy.address}"))

    assert said.remedy == "Write http:// instead of https:// in RADARR_URL, or in HTTPS_PROXY if it is the proxy."


async def test_a_proxy_that_hangs_up() -> None:
    """One full stop ends the sentence."""
    with ProxyStandIn(hangs_up=True) as proxy:
        said = await refusal("http://radarr:7878", network(HTTP_PROXY=proxy.address))

    assert ".." not in said.message
