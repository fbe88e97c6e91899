"""Parse the text of a variable, or explain what is wrong with it and what to write instead.

Messages do not repeat a text that may be secret: keys, addresses (they can contain a password), and any other text that
may be a key or a password which the user put into the wrong variable.
"""

from __future__ import annotations

import difflib
import re
import shlex
from datetime import UTC, datetime, time, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from kometa_ai.network.ollama_host import address_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN = 5
"""Characters. A shorter text is repeated in messages: it is too short for a secret."""
_MAPPED = 96
"""Bits before the IPv4 address in an IPv6 address that holds one."""
_HARMLESS = re.compile(r"\A(?!.*[0-9]{6})[0-9\s.,:*/+-]{1,60}")
"""Times, windows, cron expressions and small numbers."""
# Not the standard library's parser: it accepts almost anything as an address, and fails on `me@`.
_ADDRESS = r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]++@[\w-]++(\.[\w-]++)*+"
_NAME = r"(\"(\\[^\x00-\x1f\x7f]|[^\"\\\x00-\x1f\x7f])*+\"\s*+|[^@<>,;:\"()\[\]\\\x00-\x1f\x7f]*+)"
_MAILBOX = re.compile(rf"\A(?:{_ADDRESS}|{_NAME}<{_ADDRESS}>)")


class Unusable(ValueError):
    """An unusable value: what is wrong with it, and what to write instead."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


class Window(NamedTuple):
    """A part of the day, without `end`. It extends over midnight if it ends before it starts."""

    start: time
    end: time

    def covers(self, moment: time) -> bool:
        """Whether the time of day lies inside."""
        if self.start < self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def shown(text: str, instead: str = "the value") -> str:
    """A value for messages, quoted; `instead` if it may be a key or a password."""
    return repr(text) if len(text) <= _SHOWN or _HARMLESS.fullmatch(text) else instead


def boolean(text: str) -> bool:
    """Read `true`, `yes`, `on`, `1` or their opposites, in any case."""
    match text.lower():
        case "true" | "yes" | "on" | "1":
            return True
        case "false" | "no" | "off" | "0":
            return False
    raise Unusable(f"{shown(text)} is neither true nor false.", "Write true or false.")


def on_off_auto(text: str) -> str:
    """Read `auto`, or a boolean as `on` or `off`: YAML and Compose like to turn these into booleans."""
    if text.lower() == "auto":
        return "auto"
    try:
        return "on" if boolean(text) else "off"
    except Unusable:
        raise Unusable(f"{shown(text)} cannot be used.", "Write auto, off or on.") from None


def whole_number(text: str) -> int:
    """Read digits with an optional sign."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise Unusable(f"{shown(text)} is not a whole number.", "Write digits only.")
    return int(text)


def key(text: str) -> str:
    """Read a key that is valid in an HTTP header."""
    if not re.fullmatch(r"[!#-&(-~]+", text):
        raise Unusable(
            "the key holds a space, a line break, a quote or a character outside ASCII.",
            "Copy it again, alone on one line and without quotes.",
        )
    return text


def command(text: str) -> str:
    """Read a command with its arguments, quoted as for a shell."""
    try:
        shlex.split(one_line(text))
    except ValueError:
        raise Unusable(
            "a quote is never closed, or the last character is a backslash.",
            "Close the quote, or take the backslash away.",
        ) from None
    return text


def model(text: str) -> str:
    """Read the id of a model."""
    if not re.fullmatch(r"[\w.:@/-]+", text, re.ASCII):
        raise Unusable(f"{shown(text)} is not the id of a model.", "Write an id such as claude-sonnet-5-5.")
    return text


def any_model(text: str) -> str:
    """Read the id of a model of any provider, whose name may stand in front."""
    if not re.fullmatch(r"[\w.:@/+~-]{0,199}[\w.:@+~-]", text, re.ASCII):
        raise Unusable(
            f"{shown(text)} is not the id of a model.", "Write an id such as gpt-6-luna, qwen3:14b or ollama/qwen3:14b."
        )
    return text


def http_url(text: str) -> str:
    """Read an http or https address with its path prefix; the slash at the end is removed."""
    if re.search(r"[\s\x00-\x1f\x7f\"'<>\\]", text):
        raise Unusable("the address holds a space, a quote or a control character.", "Write it without.")
    try:
        parts = urlsplit(text)
        port_is_usable = parts.port != 0
    except ValueError:
        raise Unusable("the address has a wrong port or host.", "Write it like http://host:7878.") from None
    if parts.scheme not in {"http", "https"}:
        raise Unusable("the address does not begin with http:// or https://.", "Write it like http://host:7878.")
    if not parts.hostname or not port_is_usable:
        raise Unusable("the address has no host, or port 0.", "Write it like http://host:7878.")
    return text.rstrip("/")


def base_url(text: str) -> str:
    """Read an address that paths are appended to: no query, no fragment."""
    url = http_url(text)
    if "?" in url or "#" in url:
        raise Unusable("the address has a query or a fragment (`?` or `#`).", "Leave that part out.")
    return url


def arr_url(text: str) -> str:
    """Read the address of a Radarr or a Sonarr, with its URL base and without the path of its API."""
    return _without(base_url(text), r"/api(/v\d+)?", "leave /api away: it is added. A URL base such as /radarr stays.")


def claude_url(text: str) -> str:
    """Read the address of Claude's API without `/v1`, which the SDK adds. It sends no user and password."""
    url = _without_user(base_url(text), "CLAUDE_API_KEY")
    return _without(url, r"/v1(/messages)?", "leave /v1 away: it is added.")


def openai_url(text: str) -> str:
    """Read the address of an API like OpenAI's, with its `/v1`. The SDK sends no user and password."""
    url = _without_user(base_url(text), "OPENAI_API_KEY")
    return _without(url, r"/(chat/)?completions", "leave the rest away: it is added.")


def _without_user(url: str, key: str) -> str:
    if "@" in urlsplit(url).netloc:
        raise Unusable(
            "there is a user or a password in the address, and only the key is sent.",
            f"Write the address without, and let what stands there take the key in {key}.",
        )
    return url


def ollama_url(text: str) -> str:
    """Read the address of an Ollama as Ollama's own tools do: scheme and port may lack. A `/v1` is cut off."""
    try:
        url = address_of(text)
    except ValueError:
        raise Unusable("it is no address of a server.", "Write it like http://192.168.1.10:11434.") from None
    return base_url(url)


def _without(url: str, ending: str, remedy: str) -> str:
    if found := re.search(f"{ending}$", url, re.IGNORECASE):
        raise Unusable(f"the address ends in {found[0]}.", f"Write it as far as that, and {remedy}")
    return url


def host(text: str) -> str:
    """Read a host name or an IP address; the port has its own variable."""
    bare = text.removeprefix("[").removesuffix("]")
    if re.fullmatch(r"[\w.-]+", bare) or re.fullmatch(r"\A(?:[0-9A-Fa-f.]*+:){2}[:.%\w]*", bare):
        return bare
    raise Unusable(
        f"{shown(text)} is not a host name." if "@" not in text else "there is a user in the host name.",
        "Write the name or the IP address alone, without scheme and port.",
    )


def hosts(text: str) -> tuple[str, ...]:
    """Read host names separated by commas, without ports; in lower case, as they are compared."""
    found = [entry.strip().rstrip(".").lower() for entry in text.split(",")]
    return tuple(host(entry) for entry in found if entry)


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read IP addresses and networks separated by commas; an address is a network of one."""
    return tuple(_network(entry.strip()) for entry in text.split(",") if entry.strip())


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise Unusable(
            f"{shown(text, 'one of the entries')} is neither an IP address nor a network.",
            "Write numbers, such as 172.18.0.2 or 172.18.0.0/16: a name is no address, also in Docker.",
        ) from None
    if not found.prefixlen:
        raise Unusable(f"{found} is every address there is.", "Name the proxy's own address or network.")
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    return (
        ip_network(f"{mapped}/{found.prefixlen - 96}", strict=False) if mapped and found.prefixlen > _MAPPED else found
    )


def header_name(text: str) -> str:
    """Read the name of an HTTP header."""
    if not re.fullmatch(r"[\w!#$%&'*+.^`|~-]{1,100}", text, re.ASCII):
        raise Unusable(f"{shown(text)} is not the name of a header.", "Write the name alone, such as Remote-User.")
    return text


def login(text: str) -> str:
    """Read who may see the page; `off` also in the forms into which YAML turns it."""
    return "off" if text.lower() in ("false", "no", "0") else text.lower()


def url_path(text: str) -> str:
    """Read a URL base such as `/kometa-ai`, with a leading slash and no trailing one; `/` means none."""
    if not re.fullmatch(r"[\w.~/-]+", text, re.ASCII) or "//" in text or re.search(r"(^|/)\.\.?(/|$)", text):
        raise Unusable(f"{shown(text)} is not a path.", "Write it like /kometa-ai.")
    bare = text.strip("/")
    return f"/{bare}" if bare else ""


def addresses(text: str) -> tuple[str, ...]:
    """Read e-mail addresses, each alone or as `Name <address>`, separated by commas or line breaks."""
    found = _entries(text)
    for number, entry in enumerate(found, start=1):
        if not _MAILBOX.fullmatch(entry):
            raise Unusable(
                f"{shown(entry, f'entry {number}')} is not an e-mail address.",
                "Write addresses separated by commas, such as me@example.org, Ann <ann@example.org>.",
            )
    return tuple(found)


def address(text: str) -> str:
    """Read one e-mail address, alone or as `Name <address>`."""
    found = addresses(text)
    if len(found) != 1:
        raise Unusable(f"{shown(text)} is not one e-mail address.", "Write one, such as kometa-ai@example.org.")
    return found[0]


def _entries(text: str) -> list[str]:
    """Split at commas and line breaks outside of quoted names."""
    entries = re.findall(r'(?:"(?:\\.|[^"\\\n]){0,200}+"|[^,\n\r])++', text)
    return [entry.strip() for entry in entries if entry.strip()]


def apprise_urls(text: str) -> tuple[str, ...]:
    """Read Apprise addresses, separated by commas or white space; an address may contain commas."""
    # As Apprise does: a comma is a separator only if another address begins after it.
    found = [url.strip(",") for url in re.split(r"\s+|,\s*(?=[a-zA-Z][a-zA-Z0-9+.-]{1,20}://)", text)]
    urls = tuple(url for url in found if url)
    if not all(re.match(r"\A[a-zA-Z][a-zA-Z0-9+.-]*+://.", url) for url in urls):
        raise Unusable("one of the addresses has no service in front.", "Write each like discord://… or ntfy://….")
    return urls


def time_zone(text: str) -> ZoneInfo:
    """Read an IANA name such as Europe/Berlin."""
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        names = {name.lower(): name for name in available_timezones()}
        near = difflib.get_close_matches(text.lower(), names, n=1, cutoff=0.7)
        hint = f"Did you mean {names[near[0]]}?" if near else "Write an IANA name such as Europe/Berlin or UTC."
        raise Unusable(f"{shown(text)} is not a time zone.", hint) from None


def time_of_day(text: str) -> time:
    """Read `HH:MM` on the 24-hour clock."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if found is None:
        raise Unusable(f"{shown(text)} is not a time of day.", "Write HH:MM from 00:00 to 23:59.")
    return time(int(found[1]), int(found[2]))


def windows(text: str) -> tuple[Window, ...]:
    """Read `18:00-23:30,…`. A window may extend over midnight; 24:00 is the end of the day."""
    found: list[Window] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        start, dash, end = (part.strip() for part in entry.partition("-"))
        if not dash:
            raise Unusable(f"{shown(entry)} is not a window.", "Write windows like 18:00-23:30,02:00-03:00.")
        window = Window(time_of_day(start), time() if end == "24:00" else time_of_day(end))
        if window.start == window.end:
            raise Unusable(f"{shown(entry)} ends where it begins.", "Write two different times.")
        found.append(window)
    if all(any(window.covers(time(*divmod(minute, 60))) for window in found) for minute in range(24 * 60)):
        raise Unusable("the windows leave no minute of the day to start a run in.", "Leave a gap between them.")
    return tuple(found)


def duration(text: str) -> timedelta | None:
    """Read `90s`, `30m`, `6h` or `1d`; `0` means none."""
    if text == "0":
        return None
    found = re.fullmatch(r"\A0*+([1-9][0-9]{0,6})\s*+([smhd])", text.lower())
    if found is None:
        raise Unusable(f"{shown(text)} is not a duration.", "Write a number and s, m, h or d, such as 90s or 6h.")
    unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def patience(text: str) -> timedelta:
    """Read a number of seconds, or a duration such as `10m`; there is no waiting without end."""
    if re.fullmatch(r"\A0*+[1-9][0-9]{0,6}", text):
        return timedelta(seconds=int(text))
    try:
        found = duration(text)
    except Unusable:
        found = None
    if found is None:
        raise Unusable(f"{shown(text)} is not a time to wait.", "Write seconds, or a duration such as 10m.")
    return found


def collections(text: str) -> int | Literal["auto"]:
    """Read `auto`, or a number from 1 to 10."""
    if text.lower() == "auto":
        return "auto"
    if re.fullmatch(r"\+?0{0,9}([1-9]|10)", text):
        return int(text)
    raise Unusable(f"{shown(text)} cannot be used.", "Write auto, or a number from 1 to 10.")


def interval(text: str) -> str:
    """Read `30m`, `6h`, `2d`, `1w`, `1mo` or a cron expression; return it in a normalised spelling."""
    if len(text.split()) > 1:
        return _cron(text)
    # `1M` is refused: it could mean a minute or a month, and a run each minute would be expensive.
    if re.fullmatch(r"[1-9][0-9]{0,3}(m|mo|[hHdDwW])", text):
        return text.lower()
    raise Unusable(
        f"{shown(text)} is not an interval.",
        "Write a number and m, h, d, w or mo, such as 6h or 1mo, or a cron expression such as 0 3 * * 1.",
    )


def every(text: str) -> str:
    """Read `10d`, `2w` or `1mo`; `off` is empty."""
    if text.lower() in ("off", "0"):
        return ""
    if re.fullmatch(r"[1-9][0-9]{0,2}(d|w|mo)", text.lower()):
        return text.lower()
    raise Unusable(
        f"{shown(text)} is no number of days, weeks or months.",
        "Write a number and d, w or mo, such as 1mo; or off.",
    )


def _cron(text: str) -> str:
    fields = text.split()
    if len(fields) != 5:  # noqa: PLR2004 - minute, hour, day of month, month, day of week
        raise Unusable(f"{shown(text)} has {len(fields)} fields.", "Write a cron expression of five, or 1d or 6h.")
    try:
        next(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        reason = str(error).removeprefix("Bad ")
        raise Unusable(f"{shown(text)}: the {reason} field cannot be used.", "Write one like 0 3 * * 1.") from None
    except StopIteration:
        raise Unusable(f"{shown(text)} names no date that ever comes.", "Write one like 0 3 * * 1.") from None
    return " ".join(fields)


def one_line(text: str) -> str:
    """Read text without line breaks and other control characters."""
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        raise Unusable("the value holds a line break or another control character.", "Write it on one line.")
    return text


def only_text(parse: Callable[[str], object]) -> Callable[[object], object]:
    """Turn a parser into a validator: it reads text, and leaves other values to the type."""

    def read(value: object) -> object:
        return parse(value) if isinstance(value, str) else value

    return read
