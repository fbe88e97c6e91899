"""Where a request comes from: peers, trusted proxies, chains of addresses, hosts and schemes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from kometa_ai.web.senders import Sender, address_in, host_in, is_local, is_local_name, sender_of

PROXIES = (ip_network("172.18.0.2"), ip_network("10.9.0.0/16"))


def sender(peer: str, *headers: tuple[str, str], scheme: str = "http") -> Sender:
    """The sender of a request from a peer with these headers."""
    raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers]
    return sender_of(Headers(raw=raw), peer, scheme, PROXIES)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (["203.0.113.7"], "203.0.113.7"),
        (["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        (["127.0.0.1, 203.0.113.7, 10.9.1.1"], "203.0.113.7"),
        (["192.168.1.5", "203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 192.168.1.5"], "192.168.1.5"),
        (["10.9.0.1, 10.9.0.2"], "10.9.0.1"),
        (["[2001:db8::1]:443"], "2001:db8::1"),
        (["203.0.113.7:51234"], "203.0.113.7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["192.168.1.5, unknown"], ""),
        (["192.168.1.5, "], ""),
        (["_hidden"], ""),
        (["unknown, 192.168.1.5"], "192.168.1.5"),
        ([], ""),
    ],
)
def test_chains(forwarded: list[str], client: str) -> None:
    """Seen from a trusted proxy the first address that is no proxy of ours counts; what came before may be a lie."""
    found = sender("172.18.0.2", *(("X-Forwarded-For", value) for value in forwarded))

    assert found.through
    assert str(found.client or "") == client
    assert found.peer == ip_address("172.18.0.2")


def test_who_is_not_trusted_says_nothing() -> None:
    """What others forward is not believed: they are themselves the client, wherever they say they come from."""
    found = sender(
        "192.168.1.9",
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "localhost"),
        ("Host", "nas:7880"),
    )

    assert str(found.client) == "192.168.1.9"
    assert not found.through
    assert found.is_forwarded
    assert not found.is_https
    assert not found.is_local
    assert found.hosts == ("nas",)


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "CF-Connecting-IP", "x-FORWARDED-host"]
)
def test_any_sign_of_a_proxy_that_is_not_trusted(name: str) -> None:
    """A proxy that is not named may bring any visitor: one who comes through it is not at home."""
    assert sender("192.168.1.9").is_local
    assert not sender("192.168.1.9", (name, "192.168.1.10")).is_local


@pytest.mark.parametrize(
    ("peer", "is_at_home"),
    [
        ("127.0.0.1", True), ("10.0.0.7", True), ("172.16.0.1", True), ("172.31.255.255", True), ("192.168.0.1", True),
        ("169.254.1.1", True), ("::1", True), ("fe80::1%eth0", True), ("fd00::1", True), ("::ffff:192.168.0.1", True),
        ("8.8.8.8", False), ("172.32.0.1", False), ("100.64.0.1", False), ("0.0.0.7", False), ("2001:db8::1", False),
        ("::ffff:8.8.8.8", False), ("::", False), ("64:ff9b::a00:1", False), ("192.0.2.1", False), ("", False),
        ("unix:", False), ("172.18.0.2", False),
    ],
)  # fmt: skip
def test_at_home(peer: str, is_at_home: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Private, loopback and link-local addresses are at home; a trusted proxy that names no visitor is not."""
    assert sender(peer).is_local is is_at_home


def test_through_a_proxy_at_home() -> None:
    """Through a trusted proxy the visitor's address counts, not the proxy's."""
    assert sender("172.18.0.2", ("X-Forwarded-For", "192.168.1.5")).is_local
    assert not sender("172.18.0.2", ("X-Forwarded-For", "203.0.113.7")).is_local
    assert not sender("172.18.0.2", ("X-Forwarded-For", "127.0.0.1, 203.0.113.7")).is_local
    assert not sender("172.18.0.2", ("X-Real-IP", "192.168.1.5")).is_local


def test_counted_by_network() -> None:
    """One machine has 2**64 IPv6 addresses: they count as one. An IPv4 address is one in either form."""
    assert sender("2001:db8:1:2:3::4").counted_as == sender("2001:db8:1:2:ffff::9").counted_as
    assert sender("2001:db8:1:2::").counted_as != sender("2001:db8:1:3::").counted_as
    assert sender("::ffff:8.8.8.8").counted_as == sender("8.8.8.8").counted_as == "8.8.8.8"
    assert sender("172.18.0.2", ("X-Forwarded-For", "8.8.4.4")).counted_as == "8.8.4.4"
    assert sender("172.18.0.2").counted_as == "172.18.0.2"
    assert sender("unix:").counted_as == sender("").shown == ""


@pytest.mark.parametrize(
    ("proto", "is_https"),
    [
        ("https", True),
        ("HTTPS", True),
        ("https, http", True),
        ("http, https", False),
        ("http", False),
        ("", False),
        ("wss", False),
    ],
)
def test_scheme(proto: str, is_https: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A trusted proxy says how the visitor came to the first of them."""
    assert sender("172.18.0.2", ("X-Forwarded-Proto", proto)).is_https is is_https
    assert not sender("8.8.8.8", ("X-Forwarded-Proto", proto)).is_https
    assert sender("8.8.8.8", scheme="https").is_https


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("NAS:7880", "nas"), ("nas", "nas"), ("nas.", "nas"), ("Kometa.Example.org.:443", "kometa.example.org"),
        ("192.168.1.5:7880", "192.168.1.5"), ("[::1]:7880", "::1"), ("[FE80::1]", "fe80::1"),
        ("[::ffff:1.2.3.4]", "::ffff:1.2.3.4"), ("nas:123456", ""),
        ("", ""), ("a b", ""), ("nas:port", ""), ("user@nas", ""), ("nas/path", ""), ("[::1", ""), ("::1", ""),
        ("evil.com\\nas", ""), ("nas\x00", ""), ("münchen", ""), (" nas ", "nas"), ("nas:", "nas"),
    ],
)  # fmt: skip
def test_host(text: str, host: str) -> None:
    """A host is compared in lower case, without port and final dot; what is no host is none."""
    assert host_in(text) == host


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("localhost", True), ("nas", True), ("192.168.1.5", True), ("8.8.8.8", True), ("::1", True),
        ("a.b.lan", True), ("x.home.arpa", True), ("x.internal", True), ("kometa.localhost", True),
        ("nas.local", True),
        ("example.org", False), ("local.example.org", False), ("nas.local.evil.com", False), ("evillan", True),
        ("evil-lan.com", False), ("", False), ("1.2.3", False), ("1.2.3.4.5", False), ("home.arpa.evil", False),
    ],
)  # fmt: skip
def test_names_at_home(host: str, is_ours: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Only names that no foreign name server answers for are at home."""
    assert is_local_name(host) is is_ours


def test_every_name_that_was_asked_for() -> None:
    """A trusted proxy may replace the host and say which it was: all of them count."""
    found = sender("172.18.0.2", ("Host", "kometa-ai:7880"), ("X-Forwarded-Host", "Evil.com, nas"))

    assert found.hosts == ("kometa-ai", "evil.com", "nas")
    assert sender("172.18.0.2").hosts == ("",)


@given(st.ip_addresses())
def test_a_private_address_is_one_for_python_too(address: object) -> None:
    """Nothing that the standard library calls global is at home."""
    found = ip_address(str(address))
    assert not (is_local(found) and found.is_global)


@given(st.text(), st.text(), st.text())
def test_any_header_can_be_read(forwarded: str, host: str, proto: str) -> None:
    """No header is an error, whichever client has sent it."""
    sender(
        "172.18.0.2",
        ("X-Forwarded-For", forwarded),
        ("Host", host),
        ("X-Forwarded-Proto", proto),
        ("X-Forwarded-Host", host),
    )
    assert address_in(forwarded) is None or is_local_name(str(address_in(forwarded)))
