"""Choose the proxy for an address from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl does.

A lower-case name takes precedence over the same in capitals, even if it is empty. Unreadable entries of NO_PROXY are
ignored.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORTS = {"http": 80, "https": 443}
_VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY"}
_FOR_ALL, _EXCEPTIONS = "ALL_PROXY", "NO_PROXY"
_LAST_PORT = 65535
_BRACKETS = re.compile(r"^\[([^\]]*)\](/\d+)?$")
_HOST = re.compile(r"\A(?:[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f.]*+:[0-9a-f:.]*)")


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy that a variable names. `fault` is a clause that says why it cannot be used; then it has no host."""

    variable: str
    url: str = ""
    host: str = ""
    port: int = 0
    username: str = ""
    password: str = ""
    fault: str = ""

    def __str__(self) -> str:
        """The proxy for messages, without user and password."""
        return f"the proxy of {self.variable} ({_bracketed(self.host)}:{self.port})"


class Exempt(msgspec.Struct, frozen=True):
    """One entry of NO_PROXY: a domain with its subdomains, or a network, possibly for one scheme or port only."""

    domain: str = ""
    network: IPv4Network | IPv6Network | None = None
    scheme: str = ""
    port: int | None = None

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Whether a connection to this host needs no proxy."""
        if (self.scheme and self.scheme != scheme) or (self.port and self.port != port):
            return False
        if self.network is None:
            return not self.domain or host == self.domain or host.endswith(f".{self.domain}")
        try:
            return ip_address(host) in self.network
        except ValueError:
            return False


class Proxies(msgspec.Struct, frozen=True, kw_only=True):
    """The proxies of an environment by scheme, and the hosts that are reached directly."""

    by_scheme: dict[str, Proxy] = {}
    exceptions: tuple[Exempt, ...] = ()
    unread: tuple[str, ...] = ()
    """Entries of NO_PROXY that cannot be read."""
    exceptions_variable: str = _EXCEPTIONS

    def to(self, url: str) -> Proxy | None:
        """The proxy for an address; None for a direct connection, and for an invalid address."""
        if not self.by_scheme:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            return None
        proxy = self.by_scheme.get(parts.scheme)
        if proxy is None or not parts.hostname:
            return None
        host = _plain(parts.hostname)
        return None if any(one.covers(parts.scheme, host, port) for one in self.exceptions) else proxy

    @property
    def secrets(self) -> frozenset[str]:
        """The passwords of proxies, as written and percent-decoded."""
        return frozenset(
            password
            for proxy in self.by_scheme.values()
            for password in (proxy.password, unquote(proxy.password))
            if password
        )


def read_proxies(environ: Mapping[str, str]) -> Proxies:
    """The proxies that an environment names, including unusable ones."""
    by_scheme = {}
    for scheme, name in _VARIABLES.items():
        found = _lookup(environ, name) or _lookup(environ, _FOR_ALL)
        if found and found[1]:
            by_scheme[scheme] = _proxy(*found)
    variable, text = _lookup(environ, _EXCEPTIONS) or (_EXCEPTIONS, "")
    exceptions, unread = [], []
    for entry in re.split(r"[\s,]+", text.strip()):
        if found_exception := _exception(entry):
            exceptions.append(found_exception)
        elif entry:
            unread.append(entry)
    return Proxies(
        by_scheme=by_scheme, exceptions=tuple(exceptions), unread=tuple(unread), exceptions_variable=variable
    )


def _lookup(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """The variable in force, and its value: the lower-case name, even if empty, else the name in capitals."""
    for form in (name.lower(), name):
        if form in environ:
            return form, environ[form].strip()
    return None


def _proxy(variable: str, value: str) -> Proxy:
    """Read the address of a proxy; a scheme is optional (`host:3128`)."""
    url = value if "://" in value else f"http://{value}"
    scheme = url.partition("://")[0].lower()
    if scheme.startswith("socks"):
        return Proxy(variable=variable, fault="it names a SOCKS proxy, and these are not supported")
    if scheme not in _DEFAULT_PORTS:
        return Proxy(variable=variable, fault="it names something else than an HTTP proxy")
    try:
        parts = urlsplit(url)
        host, port = _plain(parts.hostname or ""), parts.port
    except ValueError:
        return Proxy(variable=variable, fault="its host or its port cannot be read")
    if not _HOST.fullmatch(host) or port == 0 or any(not character.isprintable() for character in value):
        return Proxy(variable=variable, fault="its host or its port cannot be read")
    port = port or _DEFAULT_PORTS[scheme]
    return Proxy(
        variable=variable,
        url=f"{scheme}://{_bracketed(host)}:{port}",
        host=host,
        port=port,
        username=unquote(parts.username or ""),
        password=parts.password or "",
    )


def _exception(entry: str) -> Exempt | None:
    """Read a NO_PROXY entry: `*`, a host, domain, address or network, with optional scheme and port; else None."""
    if entry == "*":
        return Exempt()
    scheme, _, rest = entry.rpartition("://")
    bare = rest.rstrip("/")
    try:
        return Exempt(network=ip_network(_BRACKETS.sub(r"\1\2", bare), strict=False), scheme=scheme.lower())
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{bare}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    domain = _plain(host.removeprefix("*"))
    if parts.path or parts.query or "@" in bare or not _HOST.fullmatch(domain):
        return None
    try:
        return Exempt(network=ip_network(domain), scheme=scheme.lower(), port=port)
    except ValueError:
        return Exempt(domain=domain, scheme=scheme.lower(), port=port)


def _plain(host: str) -> str:
    """A host in comparable form: lower case, IDNA, without leading and trailing dots."""
    bare = host.strip(".").lower()
    try:
        return bare if bare.isascii() else bare.encode("idna").decode()
    except UnicodeError:
        return bare


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def unusable(proxies: Proxies, urls: Mapping[str, str]) -> dict[Proxy, list[str]]:
    """The unusable proxies that are in use, each with the settings whose addresses lead through it."""
    found: dict[Proxy, list[str]] = {}
    for setting, url in urls.items():
        proxy = proxies.to(url)
        if proxy and proxy.fault:
            found.setdefault(proxy, []).append(setting)
    return found


def host_of(url: str) -> str:
    """The host of an address as NO_PROXY names it; empty if there is none."""
    try:
        return _plain(urlsplit(url).hostname or "")
    except ValueError:
        return ""
