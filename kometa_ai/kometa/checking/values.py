"""How Kometa reads the attributes of a collection: by name without case, as true or false, and as lists of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.naming import Label, label_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})


def find(mapping: Mapping[Any, Any], name: str) -> object:
    """The key that spells this attribute, in whatever case."""
    return next((key for key in mapping if str(key).lower() == name), None)


def is_plain(value: object) -> bool:
    """Whether a value is a scalar, which is all that can safely be made into text."""
    return not isinstance(value, (dict, list))


def is_on(value: object) -> bool:
    """Whether Kometa takes a value for true."""
    return value > 0 if isinstance(value, (int, float)) else str(value).lower() in _TRUE if is_plain(value) else False


def is_off(value: object) -> bool:
    """Whether Kometa takes a value for false."""
    return value <= 0 if isinstance(value, (int, float)) else str(value).lower() in _FALSE if is_plain(value) else False


def texts_in(value: object) -> list[str]:
    """A list of Kometa's: as it is, or a text cut at commas; in lower case, without anything nested."""
    parts = value if isinstance(value, list) else str(value).split(",") if is_plain(value) else []
    return [str(part).strip().lower() for part in parts if is_plain(part)]


def labels_in(value: object) -> list[Label]:
    """Tags as Kometa reads them: a list as it is, anything else as text cut at commas.

    What is nested is no tag. Its text is never made: a few aliases can make that longer than any memory.
    """
    if value is None:
        return []
    parts = value if isinstance(value, list) else [value] if isinstance(value, dict) else str(value).split(",")
    return [Label("") if isinstance(part, (dict, list)) else label_of(str(part)) for part in parts]
