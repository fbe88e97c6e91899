"""Tell where a request comes from: its address, host and scheme, as far as a trusted proxy or its peer can say so."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from ipaddress import IPv4Network

    from starlette.datastructures import Headers

Address = IPv4Address | IPv6Address

_LOCAL_NETWORKS = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "::1/128", "fc00::/7",
        "fe80::/10",
    )
)  # fmt: skip
_LOCAL_NAMES = (".localhost", ".local", ".lan", ".home.arpa", ".internal")
_FORWARDING = (
    "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-server", "x-real-ip",
    "x-client-ip", "x-cluster-client-ip", "true-client-ip", "cf-connecting-ip", "cf-ray", "via",
)  # fmt: skip
"""Headers that proxies add. A browser adds none of them, and a page in it cannot."""
_HOST = re.compile(r"(?:\[(?P<literal>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9_.-]{1,253}))(?::[0-9]{0,5})?")
_ENTRY = re.compile(r"\A(?:\[(?P<literal>[^\]]*)\](?::[0-9]+)?|(?P<v4>[0-9.]+):[0-9]+)")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a request.

    `peer` is the other end of the connection; `client` is whom the proxies speak for, None if that cannot be known.
    `through` is whether the peer is a trusted proxy; `is_forwarded` whether some proxy has passed the request on.
    `hosts` are the names by which the page was asked for, in lower case, without port; an unusable one is empty.
    """

    peer: Address | None
    client: Address | None
    through: bool
    is_forwarded: bool
    is_https: bool
    hosts: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether it comes from a private or loopback address, and nothing says that it was passed on for another."""
        return (self.through or not self.is_forwarded) and self.client is not None and is_local(self.client)

    @property
    def shown(self) -> str:
        """The address for the log."""
        return str(self.client or self.peer or "")

    @property
    def counted_as(self) -> str:
        """The address to count under: an IPv6 one by its /64 network, since one machine has all of these."""
        address = self.client or self.peer
        if isinstance(address, IPv6Address):
            return str(IPv6Network((address, 64), strict=False))
        return str(address or "")


def sender_of(headers: Headers, peer: str, scheme: str, proxies: Sequence[IPv4Network | IPv6Network]) -> Sender:
    """The sender of a request with these headers, which came from this peer."""
    address = address_in(peer)
    through = address is not None and _is_among(address, proxies)
    is_forwarded = any(name in headers for name in _FORWARDING)
    hosts = [host_in(value) for value in headers.getlist("host")] or [""]
    client, is_https = address, scheme == "https"
    if through:
        client = _client(headers, proxies)
        is_https = is_https or next(_entries(headers, "x-forwarded-proto"), "").lower() == "https"
        hosts += [host_in(entry) for entry in _entries(headers, "x-forwarded-host")]
    return Sender(address, client, through, is_forwarded, is_https, tuple(hosts))


def address_in(text: str) -> Address | None:
    """The address in a text, without port and zone; an IPv4 address within IPv6 as IPv4. None if there is none."""
    if found := _ENTRY.fullmatch(text):
        text = found["literal"] or found["v4"] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def host_in(text: str) -> str:
    """The host of a Host header or of an origin, in lower case, without port and final dot; empty if it is none."""
    found = _HOST.fullmatch(text.strip().lower())
    if found is None:
        return ""
    return found["literal"] or found["name"].removesuffix(".")


def is_local(address: Address) -> bool:
    """Whether an address is private, loopback or link-local. What carriers and VPNs share (100.64/10) is not."""
    return _is_among(address, _LOCAL_NETWORKS)


def is_local_name(host: str) -> bool:
    """Whether no foreign name server can have said that this host is us: an IP address, or a name of the home."""
    if not host:
        return False
    return address_in(host) is not None or "." not in host or host.endswith(_LOCAL_NAMES)


def _client(headers: Headers, proxies: Sequence[IPv4Network | IPv6Network]) -> Address | None:
    """Whom trusted proxies speak for: seen from here, the first address that is none of theirs.

    None if they say nothing, or something that is no address: then the visitor may come from anywhere.
    """
    client: Address | None = None
    for entry in reversed(list(_entries(headers, "x-forwarded-for"))):
        client = address_in(entry)
        if client is None or not _is_among(client, proxies):
            break
    return client


def _entries(headers: Headers, name: str) -> Iterator[str]:
    for value in headers.getlist(name):
        yield from (entry.strip() for entry in value.split(","))


def _is_among(address: Address, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)
