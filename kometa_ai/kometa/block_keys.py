"""Define the keys of a block: type, default, message for a wrong value. All but `enabled` are in `core.collection`.

To add a key, write it here and as a field of `Collection`, and use it where it takes effect, e.g. in `judging.policy`.
The parser, the block hash and `--dump-config` follow from these.

Why: docs/decisions/0009-types.md
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kometa_ai.core.collection import ItemRef
from kometa_ai.core.item import Kind
from kometa_ai.core.naming import LONGEST_SLUG, PREFIX, Label, label_of

_TAG = re.compile(re.escape(PREFIX) + "[a-z0-9-]+", re.IGNORECASE | re.ASCII)
_PRIORITY_LIMIT = 2**31 - 1
_LONGEST_NAME = 300  # of a movie or a show

MEDIA: dict[Kind, str] = {"movie": "movies", "show": "shows"}
"""The kinds as `media` names them."""

PINS: dict[Kind, tuple[str, str]] = {
    "movie": ("include_movies", "exclude_movies"),
    "show": ("include_shows", "exclude_shows"),
}
"""The keys that pin items of each kind."""


class Wanted(NamedTuple):
    """What is wrong with a refused value, and what to write instead; `{key}` stands for the key."""

    what: str
    remedy: str


class ListOf(NamedTuple):
    """Marks a key that holds a list of tags, items or names; `split` cuts a plain text in place of the list."""

    items: Literal["tags", "movies", "shows", "names"]
    split: Callable[[str], Iterable[str]]


def _label(text: str) -> Label:
    if not text.strip():
        raise ValueError("empty")
    return label_of(text)


def _tag(text: str) -> str:
    if not _TAG.fullmatch(text) or len(text) > LONGEST_SLUG:
        raise ValueError("not a managed tag")
    return text


def _split_labels(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _split_items(kind: Kind, text: str) -> Iterator[str]:
    """Cut at each comma after a whole item, or after overlong text: `I, Tonya (2017), tmdb:603` gives two."""
    name = ""
    for part in text.split(","):
        name = f"{name},{part}" if name else part
        if _is_item(kind, name) or len(name) > _LONGEST_NAME:
            yield name.strip()
            name = ""
    if name or not text:
        yield name.strip()


def _is_item(kind: Kind, text: str) -> bool:
    try:
        ItemRef.parse(text, kind)
    except ValueError:
        return False
    return True


def _media(text: str) -> Kind:
    word = text.strip().lower()
    for kind, plural in MEDIA.items():
        if word in (kind, plural):
            return kind
    raise ValueError("neither movies nor shows")


def _library(text: str) -> str:
    if not text.strip():
        raise ValueError("empty")
    return text.strip().lower()


Tags = Annotated[
    frozenset[Annotated[Label, AfterValidator(_label)]],
    ListOf("tags", _split_labels),
    Wanted("not the label of a tag", "Write the labels of Radarr tags, e.g. `{key}: [4k, kids]`."),
]
Movies = Annotated[
    tuple[Annotated[ItemRef, BeforeValidator(ItemRef.parse)], ...],
    ListOf("movies", partial(_split_items, "movie")),
    Wanted("not a movie", 'Write `tmdb:603`, `tt0133093` or "The Matrix (1999)", one in a line with `- ` before it.'),
]

Shows = Annotated[
    tuple[Annotated[ItemRef, BeforeValidator(partial(ItemRef.parse, kind="show"))], ...],
    ListOf("shows", partial(_split_items, "show")),
    Wanted(
        "not a show",
        'Write `tvdb:81189`, `tt0903747`, `tmdb:1396` or "Breaking Bad (2008)", one in a line with `- ` before it.',
    ),
]
Libraries = Annotated[
    frozenset[Annotated[str, AfterValidator(_library)]],
    ListOf("names", _split_labels),
    Wanted("not the name of a library", "Write names of libraries, e.g. `{key}: [radarr-4k]`."),
]


class BlockModel(BaseModel):
    """The keys of a block. Values arrive as the text that was written; Pydantic converts `yes` and `0.7`."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, str_strip_whitespace=True)

    enabled: Annotated[
        bool,
        Wanted("neither true nor false", "Write `enabled: true` or `enabled: false`."),
    ] = False
    prompt: Annotated[
        str,
        Wanted("not text", "Write `prompt: |` and the text in the lines below it, two blanks further in."),
    ] = ""
    confidence_threshold: Annotated[
        float,
        Field(ge=0, le=1, allow_inf_nan=False),
        Wanted("not a number from 0.0 to 1.0", "Write e.g. `confidence_threshold: 0.7`."),
    ] = 0.7
    priority: Annotated[
        int,
        Field(ge=-_PRIORITY_LIMIT, le=_PRIORITY_LIMIT),
        Wanted("not a whole number", "Write e.g. `priority: 10`; higher comes earlier."),
    ] = 0
    media: Annotated[
        Annotated[Kind, BeforeValidator(_media)] | None,
        Wanted("neither movies nor shows", "Write `media: movies` or `media: shows`."),
    ] = None
    libraries: Libraries = frozenset()
    include_tags: Tags = frozenset()
    exclude_tags: Tags = frozenset()
    include_movies: Movies = ()
    exclude_movies: Movies = ()
    include_shows: Shows = ()
    exclude_shows: Shows = ()
    tag: Annotated[
        Annotated[str, AfterValidator(_tag)] | None,
        Wanted("not a tag that can be managed", "Write `kai-` and then letters a to z, digits and hyphens only."),
    ] = None


_Note = TypeVar("_Note", Wanted, ListOf)


def _noted(kind: type[_Note]) -> dict[str, _Note]:
    """The notes of this kind in the annotations, by key."""
    fields = BlockModel.model_fields.items()
    return {key: note for key, field in fields for note in field.metadata if isinstance(note, kind)}


BLOCK_KEYS = frozenset(BlockModel.model_fields)
WANTED = _noted(Wanted)
LISTS = _noted(ListOf)


def values_of(model: BlockModel) -> dict[str, Any]:
    """The values by key, without `enabled`, `media` and `tag`, which `Collection` stores in another form."""
    return {key: getattr(model, key) for key in BlockModel.model_fields if key not in ("enabled", "media", "tag")}
