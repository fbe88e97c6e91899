"""What Kometa makes of a file, read plainly by ruamel.yaml: with nothing of the program, which is judged by it.

From Kometa's source: attributes by their names without case, merges and aliases as YAML has them, templates of the same
file with the variables of the entry in config.yml, the call and the defaults.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Mapping

_BEGIN = re.compile(r"\s*# === KOMETA-AI ===\s*")
_END = re.compile(r"\s*# === END KOMETA-AI ===\s*")


def load(text: str) -> Any:
    """The data of a file as plain dicts, lists and scalars with their kinds; raises what ruamel raises."""
    return _plain(YAML().load(text.removeprefix("\ufeff")))


def loads(text: str) -> bool:
    """Whether Kometa can load the file."""
    try:
        load(text)
    except Exception:  # noqa: BLE001 - ruamel lets Python's own errors out
        return False
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return f"{value.tag} {value.value}" if hasattr(value, "tag") and hasattr(value, "value") else value


def _key(key: Any) -> Any:
    return _plain(key) if isinstance(key, (str, int, float)) else key if key is None else str(key)


def collections(text: str) -> dict[Any, Any]:
    """The collections of a file that can be loaded."""
    data = load(text)
    found = data.get("collections") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def effective(text: str, name: Any, config_variables: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a collection with those that its templates in the same file bring in."""
    data = load(text)
    body = data["collections"][name]
    if not isinstance(body, dict):
        return {}
    attributes = {str(key).lower(): value for key, value in body.items()}
    calls = attributes.get("template") or []
    for call in calls if isinstance(calls, list) else [calls]:
        template = data.get("templates", {}).get(call["name"], {})
        given = {**call, "collection_name": str(name), "mapping_name": str(name), **config_variables}
        default = {key: value for key, value in (template.get("default") or {}).items() if given.get(key) is None}
        known = {key: value for key, value in {**default, **given}.items() if value is not None}
        optional = template.get("optional") or []
        dropped = [
            *(optional if isinstance(optional, list) else [optional]),
            *(key for key in call if call[key] is None),
        ]
        for key, value in template.items():
            if key in {"default", "optional", "conditionals"} or str(key).lower() in attributes:
                continue
            if any(f"<<{each}>>" in str(value) for each in dropped if each not in known):
                continue
            attributes[str(key).lower()] = _filled(value, known)
    return attributes


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    if isinstance(value, str):
        for key, item in known.items():
            value = item if value == f"<<{key}>>" else str(value).replace(f"<<{key}>>", str(item))
    return value


def tags(value: Any) -> list[str]:
    """Tags as Kometa reads them: a list as it is, text cut at commas, all in lower case."""
    if value is None:
        return []
    return [str(part).strip().lower() for part in (value if isinstance(value, list) else str(value).split(","))]


def blocks(text: str) -> dict[str, list[str]]:
    """The lines of each block that stands right above a collection, by the collection's name."""
    keys = {}
    for section, body in YAML(typ="rt").compose(text.removeprefix("\ufeff")).value:
        if section.value == "collections" and hasattr(body, "value") and isinstance(body.value, list):
            keys = {key.start_mark.line: str(key.value) for key, _ in body.value}
    lines = re.split("\r\n|\n|\r", text)
    found = {}
    for line, name in keys.items():
        above = line - 1
        while above >= 0 and not lines[above].strip():
            above -= 1
        if above < 0 or not _END.fullmatch(lines[above]):
            continue
        begin = above - 1
        while begin >= 0 and lines[begin].lstrip().startswith("#") and not _BEGIN.fullmatch(lines[begin]):
            begin -= 1
        if begin >= 0 and _BEGIN.fullmatch(lines[begin]):
            found[name] = [each.strip().removeprefix("#").strip() for each in lines[begin + 1 : above]]
    return found
