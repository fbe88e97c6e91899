"""The choice of the proxy for an address, for all kinds of environments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.network.proxies import read_proxies

RADARR = "http://radarr:7878"


def is_through_a_proxy(url: str, no_proxy: str) -> bool:
    """Whether an address is reached through the proxy of HTTP_PROXY."""
    return read_proxies({"HTTP_PROXY": "http://squid:3128", "NO_PROXY": no_proxy}).to(url) is not None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("radarr", RADARR),
        ("RADARR", "http://Radarr:7878/base"),
        ("radarr.", RADARR),
        (".lan", "http://radarr.lan"),
        ("lan", "http://radarr.lan"),
        ("*.lan", "http://radarr.lan"),
        (".radarr.lan", "http://radarr.lan"),
        ("radarr:7878", RADARR),
        ("radarr:80", "http://radarr"),
        ("http://radarr", RADARR),
        ("sonarr, radarr", RADARR),
        ("sonarr radarr", RADARR),
        ("*", RADARR),
        ("sonarr,*", RADARR),
        ("127.0.0.1", "http://127.0.0.1:7878"),
        ("127.0.0.1:7878", "http://127.0.0.1:7878"),
        ("10.0.0.0/8", "http://10.1.2.3"),
        ("fd07:b51a::/64", "http://[fd07:b51a::7]:7878"),
        ("[fd07:b51a::]/64", "http://[fd07:b51a::7]:7878"),
        ("::1", "http://[::1]:7878"),
        ("[::1]", "http://[::1]:7878"),
        ("[::1]:7878", "http://[::1]:7878"),
        ("müller.lan", "http://radarr.müller.lan"),
        ("müller.lan", "http://xn--mller-kva.lan"),
        ("radarr:abc,[,x/y,[::1,radarr", RADARR),
    ],
)
def test_a_host_that_needs_no_proxy(no_proxy: str, url: str) -> None:
    """Hosts, domains, addresses, networks and ports, in any case and form; what cannot be read is passed over."""
    assert not is_through_a_proxy(url, no_proxy)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", RADARR),
        (" , ,", RADARR),
        ("arr", RADARR),
        ("radarr:8989", RADARR),
        ("https://radarr", RADARR),
        ("radarr:abc", RADARR),
        ("radarr.lan", "http://my-radarr.lan"),
        ("10.0.0.0/8", "http://11.1.2.3"),
        ("10.0.0.0/99", "http://10.1.2.3"),
        ("fd07:b51a::/64", "http://[fd08::1]"),
        ("[::1]:8080", "http://[::1]:7878"),
        ("localhost,127.0.0.1,fd07:b51a::/64", RADARR),
    ],
)
def test_a_host_that_needs_one(no_proxy: str, url: str) -> None:
    """Neither half of a name nor another port nor another network is an exception."""
    assert is_through_a_proxy(url, no_proxy)


@given(st.text(), st.sampled_from([RADARR, "https://[::1]:1", "http://ä.example", "no address", "http://h:port"]))
def test_nothing_in_these_variables_raises(text: str, url: str) -> None:
    """Whatever they hold, a proxy is found, or is not, or cannot be used."""
    found = read_proxies({"HTTP_PROXY": text, "ALL_PROXY": text, "NO_PROXY": text}).to(url)
    assert found is None or found.host or found.fault


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"HTTP_PROXY": "http://a", "http_proxy": "http://b"}, "http_proxy"),
        ({"HTTP_PROXY": "http://a", "ALL_PROXY": "http://b"}, "HTTP_PROXY"),
        ({"ALL_PROXY": "http://b", "all_proxy": "http://c"}, "all_proxy"),
        ({"HTTPS_PROXY": "http://a"}, ""),
        ({"HTTP_PROXY": "http://a", "http_proxy": ""}, ""),
        ({"HTTP_PROXY": "http://a", "NO_PROXY": "radarr", "no_proxy": "sonarr"}, "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://a", "NO_PROXY": "sonarr", "no_proxy": "radarr"}, ""),
        ({"HTTP_PROXY": "http://a", "NO_PROXY": "radarr", "no_proxy": ""}, "HTTP_PROXY"),
    ],
)
def test_which_variable_counts(environ: dict[str, str], variable: str) -> None:
    """The one in lower case, even if empty; the one for the scheme before the one for all."""
    proxy = read_proxies(environ).to(RADARR)
    assert (proxy.variable if proxy else "") == variable


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://squid:3128", "the proxy of HTTP_PROXY (squid:3128)"),
        ("squid:3128", "the proxy of HTTP_PROXY (squid:3128)"),
        ("http://me:hunter2@squid:3128/", "the proxy of HTTP_PROXY (squid:3128)"),
        ("http://[::1]:3128", "the proxy of HTTP_PROXY ([::1]:3128)"),
        ("https://squid", "the proxy of HTTP_PROXY (squid:443)"),
    ],
)
def test_how_a_proxy_is_named(value: str, said: str) -> None:
    """By its variable, its host and its port, and never by its password."""
    proxy = read_proxies({"HTTP_PROXY": value}).to(RADARR)
    assert proxy
    assert not proxy.fault
    assert str(proxy) == said


@pytest.mark.parametrize(
    "value",
    ["socks5://h:1080", "SOCKS5H://h", "socks://h", "ftp://h", "http://proxy:port", "http://", "http://h:99999",
     "http://h:0", "http://a b", '"http://squid:3128"', "http://[::1", "\udcff"],
)  # fmt: skip
def test_a_proxy_that_cannot_be_used(value: str) -> None:
    """It is known for what it is before anything is sent, and passed by where it is not needed."""
    environ = {"ALL_PROXY": value, "NO_PROXY": "radarr"}
    assert read_proxies(environ).to(RADARR) is None
    found = read_proxies(environ).to("https://api.anthropic.com")
    assert found
    assert found.fault
