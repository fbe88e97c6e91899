"""Read proxies and certificate authorities from the environment, once, together with the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.network.authorities import problems_of_apprise, read_authorities
from kometa_ai.network.proxies import Proxies, host_of, read_proxies, unusable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kometa_ai.network.proxies import Proxy

_OF_THE_SDK = {
    "ANTHROPIC_AUTH_TOKEN": "Give a key in CLAUDE_API_KEY; a token is not sent.",
    "ANTHROPIC_CUSTOM_HEADERS": "Let a gateway at CLAUDE_BASE_URL add these headers; they are not sent.",
    "ANTHROPIC_PROFILE": "Give a key in CLAUDE_API_KEY; profiles are not read.",
    "ANTHROPIC_LOG": "Set DEBUG_LOGGING to true for details of each call.",
}
"""Variables that Anthropic's SDK reads in other programs, and what to use instead."""


_OF_OPENAI = {
    "OPENAI_ORG_ID": "A key of a project says whose it is; the header is not sent.",
    "OPENAI_PROJECT_ID": "A key of a project says whose it is; the header is not sent.",
    "OPENAI_ADMIN_KEY": "Give a key in OPENAI_API_KEY; an administrator's is not sent.",
    "OPENAI_CUSTOM_HEADERS": "Let a gateway at OPENAI_BASE_URL add these headers; they are not sent.",
}
"""The same for OpenAI's SDK. Its variables would go to any server at OPENAI_BASE_URL, also to a stranger's."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """Proxies, and certificate authorities (DER) in addition to the system's. Without any, connections are direct."""

    proxies: Proxies = Proxies()
    authorities: tuple[bytes, ...] = ()

    def proxy_to(self, url: str) -> Proxy | None:
        """The proxy for an address, or None."""
        return self.proxies.to(url)


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """The network settings of an environment, and the problems found in its variables."""

    network: Network
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()


def read_network(environ: Mapping[str, str], urls: Mapping[str, str], *, pushes: bool = False) -> Surroundings:
    """Read the variables for proxies and certificates, and find all problems in them before any connection is made.

    `urls` are the addresses in use by their settings: an unusable proxy is a problem if one of them leads through it.
    `pushes` says that Apprise is used, which reads these variables itself, and two more.
    """
    proxies = read_proxies(environ)
    authorities, wrong_authorities = read_authorities(environ)
    wrong = unusable(proxies, urls)
    problems = [_unusable(proxy, {name: urls[name] for name in names}) for proxy, names in wrong.items()]
    problems += wrong_authorities
    warnings: list[Problem] = []
    if pushes:
        others = {proxy for proxy in proxies.by_scheme.values() if proxy.fault} - wrong.keys()
        warnings += [_unusable(proxy, {"APPRISE_URLS": ""}, "warning") for proxy in others]
        problems += problems_of_apprise(environ)
    else:
        warnings += [msgspec.structs.replace(one, severity="warning") for one in problems_of_apprise(environ)]
    return Surroundings(
        network=Network(proxies=proxies, authorities=authorities),
        problems=tuple(problems),
        warnings=tuple(warnings),
        hints=tuple(_hints(environ, proxies, _OF_THE_SDK | (_OF_OPENAI if "OPENAI_BASE_URL" in urls else {}))),
    )


def _unusable(proxy: Proxy, urls: Mapping[str, str], severity: Literal["error", "warning"] = "error") -> Problem:
    """An unusable proxy, and the settings that lead through it. Its value may hold a password, so it is not shown."""
    hosts = dict.fromkeys(filter(None, map(host_of, urls.values())))
    return Problem(
        source=proxy.variable,
        what=f"{proxy.fault}. {' and '.join(urls)} {'leads' if len(urls) == 1 else 'lead'} through it.",
        remedy=f"Write an HTTP proxy as http://squid:3128, or unset {proxy.variable}"
        + (f", or add {','.join(hosts)} to NO_PROXY." if hosts else "."),
        severity=severity,
    )


def _hints(environ: Mapping[str, str], proxies: Proxies, unread: Mapping[str, str]) -> Iterator[Problem]:
    if proxies.by_scheme and proxies.unread:
        yield Problem(
            source=proxies.exceptions_variable,
            what=f"{len(proxies.unread)} of its entries cannot be read and are passed over: "
            f"{', '.join(repr(entry.rpartition('@')[2][:60]) for entry in proxies.unread[:5])}.",
            remedy="Write hosts, domains, IP addresses or networks, separated by commas.",
            severity="hint",
        )
    for name, remedy in unread.items():
        if environ.get(name):
            yield Problem(source=name, what="is set, and has no effect here.", remedy=remedy, severity="hint")
