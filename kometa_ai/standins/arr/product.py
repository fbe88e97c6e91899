"""Describe one of the two programs in one of its versions: its name, its numbers, and the words that differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A program and its version.

    `editor` is the class of its bulk editor, for stack traces. `ids` names the items in a bulk edit and in the details
    of a tag, whose other lists are `tag_lists`. `invalid_operation` is the status of .NET's InvalidOperationException.
    `is_silent_about_tags` is whether a tag that does not exist gets a 404 without a body.
    """

    name: str
    version: str
    editor: str
    ids: str
    tag_lists: tuple[str, ...]
    branch: str
    build_time: str
    runtime: str
    migration: int
    current_api: str = "v3"
    deprecated_apis: tuple[str, ...] = ()
    invalid_operation: int = 500
    is_silent_about_tags: bool = False

    @property
    def starting(self) -> str:
        """What it says between listening and being ready."""
        return f"{self.name} is starting up, please try again later"


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """How the server behaves; every option may be changed while it runs.

    `label_rules`: v6 accepts [a-z0-9-], v5 any text, none nothing (Radarr's versions). `database`: PostgreSQL answers
    500 where SQLite answers 409. `ui_auth`: outside the API, none shows a page to every client and forms sends them to
    the log-in. With `transactions` a save of several rows that fails leaves none of them, and with `write_retries` it
    waits that often for a busy database. `before_save` (between the read and the write of a save) and
    `before_tag_insert` are called at that very moment, in their own thread: they may block, and call the server.
    """

    product: Product
    api_key: str
    url_base: str = ""
    label_rules: Literal["v6", "v5", "none"] = "v6"
    database: Literal["sqlite", "postgres"] = "sqlite"
    ui_auth: Literal["none", "forms"] = "none"
    transactions: bool = False
    write_retries: int = 0
    starting_up: bool = False
    before_save: Callable[[], object] | None = None
    before_tag_insert: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        """Write the URL base as the program keeps it: with a slash in front and none behind."""
        base = self.url_base.strip("/")
        self.url_base = f"/{base}" if base else ""
