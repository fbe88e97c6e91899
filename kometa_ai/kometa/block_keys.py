"""The keys of a block: type, default, message for a wrong value. All but `enabled` are in `core.collection`, too.

To add a key, write it here and as a field of `Collection`, and use it where it takes effect, e.g. in `judging.policy`.
The parser, the block hash and `--dump-config` follow from these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kometa_ai.core.collection import MovieRef
from kometa_ai.core.naming import LONGEST_SLUG, PREFIX, Label, label_of

_TAG = re.compile(re.escape(PREFIX) + "[a-z0-9-]+", re.IGNORECASE | re.ASCII)
_PRIORITY_LIMIT = 2**31 - 1
_LONGEST_NAME = 300  # of a movie


class Wanted(NamedTuple):
    """What is wrong with a refused value, and what to write instead; `{key}` stands for the key."""

    what: str
    remedy: str


class ListOf(NamedTuple):
    """Marks a key that holds a list of tags or movies; `split` cuts a plain text that stands in place of the list."""

    items: Literal["tags", "movies"]
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


def _split_movies(text: str) -> Iterator[str]:
    """Cut at each comma after a whole movie, or after overlong text: `I, Tonya (2017), tmdb:603` gives two."""
    name = ""
    for part in text.split(","):
        name = f"{name},{part}" if name else part
        if _is_movie(name) or len(name) > _LONGEST_NAME:
            yield name.strip()
            name = ""
    if name or not text:
        yield name.strip()


def _is_movie(text: str) -> bool:
    try:
        MovieRef.parse(text)
    except ValueError:
        return False
    return True


Tags = Annotated[
    frozenset[Annotated[Label, AfterValidator(_label)]],
    ListOf("tags", _split_labels),
    Wanted("not the label of a tag", "Write the labels of Radarr tags, e.g. `{key}: [4k, kids]`."),
]
Movies = Annotated[
    tuple[Annotated[MovieRef, BeforeValidator(MovieRef.parse)], ...],
    ListOf("movies", _split_movies),
    Wanted("not a movie", 'Write `tmdb:603`, `tt0133093` or "The Matrix (1999)", one in a line with `- ` before it.'),
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
    include_tags: Tags = frozenset()
    exclude_tags: Tags = frozenset()
    include_movies: Movies = ()
    exclude_movies: Movies = ()
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
    """The values by key, without `enabled` and `tag`, which `Collection` stores in another form."""
    return {key: getattr(model, key) for key in BlockModel.model_fields if key not in ("enabled", "tag")}
