"""Write the text for a bug report: surroundings, settings without secrets, the last problems. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST = 300
_NAMES = ("timestamp", "level", "event")


def bug_report(
    surroundings: Mapping[str, str],
    settings: Mapping[str, Mapping[str, object]],
    trouble: str,
    log: Iterable[Mapping[str, Any]],
) -> str:
    """The text. `settings` are as `--dump-config` shows them, `log` are lines of the log, the newest first."""
    parts = [[f"{name}: {text}" for name, text in surroundings.items()]]
    if trouble:
        parts.append([f"Not in order: {one_line(trouble, _LONGEST)}"])
    written = [
        f"{name}={_value(found['value'])}  ({found['source']})"
        for name, found in settings.items()
        if found["source"] != "default"
    ]
    parts.append(["Settings that are not the default:", *written])
    parts.append(["Last warnings and errors, the newest first:", *(map(_line, log))])
    return "\n\n".join("\n".join(one_line(line) for line in part) for part in parts) + "\n"


def _value(value: object) -> str:
    return one_line(", ".join(map(str, value)) if isinstance(value, list) else str(value), _LONGEST)


def _line(entry: Mapping[str, Any]) -> str:
    head = " ".join(str(entry.get(name, "")) for name in _NAMES)
    rest = " ".join(f"{name}={value}" for name, value in entry.items() if value and name not in _NAMES)
    return one_line(f"{head} {rest}", _LONGEST)
