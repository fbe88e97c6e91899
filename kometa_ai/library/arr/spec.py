"""Describe a service to the client: names, paths, and what one row means; Radarr's and Sonarr's are beside `arr/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import msgspec

from kometa_ai.core.item import Kind
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.naming import Label

Labels = Mapping[int, Label]
"""Labels by the id of their tag."""


class Row(Protocol):
    """What all services tell of an item; each field may be absent."""

    id: int | None
    title: str | None
    tags: list[int] | None


R = TypeVar("R", bound=Row)


class Instance(NamedTuple):
    """What tells two of one service apart: `name` for state and logs, `title` for messages, the settings it is from."""

    name: str
    title: str
    url_setting: str
    key_setting: str


class ArrSpec(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """One service, and one instance of it.

    `service` is how it calls itself, `siblings` are the settings for services that could be taken for it. `row` is the
    type of its items on the wire, `catalogue_id` an item's id in the `catalogue` that names it for good, and `item_of`
    the item itself, from a row, its title, the labels of all tags, and the name of the library that holds it.
    """

    kind: Kind
    service: str
    name: str
    title: str
    item: str
    port: int
    url_setting: str
    key_setting: str
    items_path: str
    items_query: Mapping[str, str] = {}
    editor_path: str
    ids_field: str
    catalogue: str
    siblings: Mapping[str, str] = {}
    row: type[R]
    catalogue_id: Callable[[R], int | None]
    item_of: Callable[[R, str, Labels, tuple[str, ...]], AnyItem]

    def of(self, instance: Instance | None) -> Self:
        """The same for another instance of the service."""
        return msgspec.structs.replace(self, **instance._asdict()) if instance else self

    @property
    def items(self) -> str:
        """Its items, for messages."""
        return f"{self.item}s"

    @property
    def login(self) -> str:
        """What the operator does where a web page, or the way to one, comes in place of an answer."""
        return (
            f"{self.url_setting} lacks {self.title}'s URL base, or a login stands in front of it: "
            "let requests below /api pass."
        )
