"""Read attributes as Kometa does: names without case, true and false in several spellings, tags as a list or a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kometa_ai.core.naming import Label, label_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRUE = frozenset({"t", "true", "y", "yes"})
_FALSE = frozenset({"f", "false", "n", "no"})


def find(mapping: Mapping[Any, Any], name: str) -> object:
    """The key that spells this attribute, in any case."""
    return next((key for key in mapping if str(key).lower() == name), None)


def is_plain(value: object) -> bool:
    """Whether a value is a scalar. Only scalars can safely be converted to text."""
    return not isinstance(value, (dict, list))


def is_on(value: object) -> bool:
    """Whether Kometa reads a value as true."""
    return value > 0 if isinstance(value, (int, float)) else str(value).lower() in _TRUE if is_plain(value) else False


def is_off(value: object) -> bool:
    """Whether Kometa reads a value as false."""
    return value <= 0 if isinstance(value, (int, float)) else str(value).lower() in _FALSE if is_plain(value) else False


def texts_in(value: object) -> list[str]:
    """A list as Kometa reads it: the items, or a text cut at commas; in lower case, without nested values."""
    parts = value if isinstance(value, list) else str(value).split(",") if is_plain(value) else []
    return [str(part).strip().lower() for part in parts if is_plain(part)]


def labels_in(value: object) -> list[Label]:
    """Tags as Kometa reads them: the items of a list, or any other value as text cut at commas.

    A nested value is no tag. It is never converted to text: with a few aliases, the text could fill any memory.
    """
    if value is None:
        return []
    parts = value if isinstance(value, list) else [value] if isinstance(value, dict) else str(value).split(",")
    return [Label("") if isinstance(part, (dict, list)) else label_of(str(part)) for part in parts]
