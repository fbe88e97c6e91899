"""Tell which variables differ between two readings of the settings. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kometa_ai.settings.schema import Settings


def changed_variables(before: Settings, after: Settings) -> list[str]:
    """The names of the variables whose values differ, those of further libraries last."""
    of_fields = [
        name.upper()
        for name in type(after).model_fields
        if name != "http_api_key" and getattr(after, name) != getattr(before, name)
    ]
    were, are = _of_libraries(before), _of_libraries(after)
    of_libraries = [name for name in sorted(were.keys() | are.keys()) if were.get(name) != are.get(name)]
    return list(dict.fromkeys([*of_fields, *of_libraries]))


def _of_libraries(settings: Settings) -> dict[str, object]:
    """The variables of all libraries; those of further ones are no fields of the settings."""
    pairs = ((each.url_setting, each.url, each.key_setting, each.api_key) for each in settings.libraries)
    return {name: value for url_name, url, key_name, key in pairs for name, value in ((url_name, url), (key_name, key))}
