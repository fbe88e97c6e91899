"""Show each variable with its value, where that came from, what it is for, and where to change it. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, Request, Response

from kometa_ai.observe.redact import MASK
from kometa_ai.settings.variables import variables_in
from kometa_ai.web.pages.rendering import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kometa_ai.daemon.life import Daemon

router = APIRouter(include_in_schema=False)

_LONGEST_SEARCH = 200
_GROUPS = (
    ("Radarr and Sonarr", ("RADARR_", "SONARR_")),
    (
        "Models",
        (
            *("LLM_", "CLAUDE_", "OPENAI_", "GEMINI_", "OPENROUTER_", "OLLAMA_"),
            *("BATCH_SIZE", "COLLECTIONS_", "MAX_"),
        ),
    ),
    ("Runs", ("RUN_", "SCHEDULE_", "AUDIT_", "TZ")),
    ("What changes, and who decides", ("REMOVAL_", "ADDITION_", "REVIEW", "HAND_")),
    ("Reports", ("SMTP_", "NOTIF", "APPRISE_")),
    ("After changes", ("AFTER_",)),
    ("Page and API", ("HTTP_", "WEB_", "TRUSTED_")),
    ("Folders and log", ("CONFIG_", "STATE_", "LOG_", "DEBUG_")),
)
_OTHERS = "Others"


class Line(NamedTuple):
    """A variable as the page shows it. `is_set` says that its value is no default."""

    name: str
    value: str
    is_set: bool
    source: str
    help: str
    default: str
    is_secret: bool


class Group(NamedTuple):
    """Variables that belong together."""

    title: str
    lines: tuple[Line, ...]


@router.get("/settings")
async def read(request: Request, q: str = "", only: str = "") -> Response:
    """All settings, or those that contain a text, or only those that are not as they are without being set."""
    daemon: Daemon = request.app.state.daemon
    found = daemon.describe_settings()
    wanted = q[:_LONGEST_SEARCH].strip()
    lines = [line for line in lines_of(found) if _fits(line, wanted) and (line.is_set or only != "set")]
    return await page(
        request,
        "settings.jinja",
        groups=grouped(lines),
        shown=len(lines),
        total=len(found),
        q=wanted,
        only="set" if only == "set" else "",
    )


def lines_of(described: Mapping[str, Mapping[str, object]]) -> Iterator[Line]:
    """The variables in their order, from what `--dump-config` tells of them."""
    known = variables_in(described)
    for name, found in described.items():
        variable, source = known[name], str(found["source"])
        yield Line(
            name=name,
            value=_said(found["value"], is_secret=variable.secret),
            is_set=source != "default",
            source=source,
            help=variable.help,
            default=variable.default,
            is_secret=variable.secret,
        )


def grouped(lines: Sequence[Line]) -> tuple[Group, ...]:
    """The lines by what they are about; groups without any are left out."""
    by_title: dict[str, list[Line]] = {title: [] for title in (*(title for title, _ in _GROUPS), _OTHERS)}
    for line in lines:
        by_title[_group_of(line.name)].append(line)
    return tuple(Group(title, tuple(found)) for title, found in by_title.items() if found)


def _group_of(name: str) -> str:
    return next((title for title, beginnings in _GROUPS if name.startswith(beginnings)), _OTHERS)


def _said(value: object, *, is_secret: bool) -> str:
    """A value in words. Of a secret only whether it is set; Apprise's addresses also name their service."""
    if value is None or value in ([], ""):
        return "not set" if is_secret else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if is_secret and value == MASK:
        return "set"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _fits(line: Line, wanted: str) -> bool:
    return all(word in f"{line.name} {line.help} {line.value}".casefold() for word in wanted.casefold().split())
