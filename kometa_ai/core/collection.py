"""Collections and their rules as read from Kometa's files, and movies as users name them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.naming import Label, Slug
from kometa_ai.core.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.core.item import Item

_TMDB = re.compile(r"tmdb:([1-9][0-9]{0,9})", re.IGNORECASE)
_IMDB = re.compile(r"tt[0-9]+", re.IGNORECASE)
_TITLE = re.compile(r"\A(?P<title>\S(?:.*\S)?)\s*\((?P<year>[0-9]{4})\)")


def fold_title(title: str) -> str:
    """A title in the form in which titles are compared: case-folded, accents normalised to NFC."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).casefold())


class MovieRef(msgspec.Struct, frozen=True):
    """A movie as a user names it: `tmdb:603`, `tt0133093` or `The Matrix (1999)`.

    `known_as` is its title and year in the library, empty if the library does not hold it.
    """

    text: str
    item: ItemKey | None = None
    imdb_id: str = ""
    title: str = ""
    year: int = 0
    known_as: str = ""

    @classmethod
    def parse(cls, text: str) -> MovieRef:
        """Read one of the three forms. Raises ValueError for anything else."""
        text = text.strip()
        if found := _TMDB.fullmatch(text):
            return cls(text, item=movie_key(int(found[1])))
        if _IMDB.fullmatch(text):
            return cls(text, imdb_id=text.lower())
        if found := _TITLE.fullmatch(text):
            return cls(text, title=fold_title(found["title"]), year=int(found["year"]))
        raise ValueError(f"{text!r} is none of tmdb:603, tt0133093 and The Matrix (1999)")

    @property
    def key(self) -> object:
        """The id, or title and year, by which the reference names its movie; to be compared with `keys_of`."""
        return self.item or self.imdb_id or (self.title, self.year)

    @property
    def shown(self) -> str:
        """The movie's title and year; empty if the user gave an id that the library does not hold."""
        return self.known_as or (self.text if self.title else "")

    def names(self, movie: Item) -> bool:
        """Whether the reference names this movie."""
        return self.key in keys_of(movie)


def keys_of(movie: Item) -> tuple[object, ...]:
    """Every key by which a reference can name this movie."""
    return (movie.key, movie.imdb_id.lower(), (fold_title(movie.title), movie.year))


def namesakes(ref: MovieRef, movies: Iterable[Item]) -> list[Item]:
    """The movies with the reference's title, of any year: the user may have meant one of them."""
    return [movie for movie in movies if ref.title and fold_title(movie.title) == ref.title]


SCHEDULED = "it has a `schedule`, of which Kometa takes no notice when it is asked for by name"
"""`Collection.untold` of a collection that has a schedule of its own."""


_IN_EVERY_HASH = (
    "prompt",
    "confidence_threshold",
    "include_tags",
    "exclude_tags",
    "include_movies",
    "exclude_movies",
)
"""The rules in every block hash, in this order. Do not change this list: stored hashes depend on it."""

_NO_RULES = frozenset({"name", "slug", "tag", "priority", "source", "line", "untold"})
"""Fields that the block hash leaves out; it holds the tag as the label that Radarr stores."""


class Collection(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One enabled, readable collection. Tags are lower-case labels; a `kai-` label means that collection's members.

    `source` and `line` say where its block begins. `untold` is the reason why Kometa must not, or cannot, be asked to
    update this collection by name after a change; it is empty if Kometa can.
    """

    name: str
    slug: Slug
    tag: str
    prompt: str
    confidence_threshold: float = 0.7
    priority: int = 0
    include_tags: frozenset[Label] = frozenset()
    exclude_tags: frozenset[Label] = frozenset()
    include_movies: tuple[MovieRef, ...] = ()
    exclude_movies: tuple[MovieRef, ...] = ()
    source: str = ""
    line: int = 0
    untold: str = ""

    @property
    def label(self) -> Label:
        """The managed tag as Radarr stores it."""
        return Label(self.tag.lower())

    @cached_property
    def prompt_hash(self) -> str:
        """A hash (16 hex digits) of what a verdict depends on in this block: the prompt, but no threshold or pin."""
        return hashlib.sha256(self.prompt.strip().encode(errors="surrogatepass")).hexdigest()[:16]

    @cached_property
    def block_hash(self) -> str:
        """A hash (16 hex digits) of what membership depends on in this block: everything that the user can change.

        Rules that are added later are hashed only if they differ from their default. Otherwise the new version would
        see an edit in every block, and an edited block passes the brake.
        """
        rules = [_as_rule(getattr(self, name)) for name in _IN_EVERY_HASH]
        later = {
            field.name: _as_rule(value)
            for field in msgspec.structs.fields(self)
            if field.name not in _NO_RULES and field.name not in _IN_EVERY_HASH
            if (value := getattr(self, field.name)) != field.default
        }
        hashed = [*rules, self.label, *([later] if later else [])]
        return hashlib.sha256(msgspec.json.encode(hashed)).hexdigest()[:16]


def _as_rule(value: object) -> object:
    """A value as it is hashed: without the order of a list, or space around a text."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (frozenset, tuple)):
        return sorted(item.text if isinstance(item, MovieRef) else str(item) for item in value)
    return value


def recognise(collections: Sequence[Collection], movies: Iterable[Item]) -> tuple[Collection, ...]:
    """Fill in `MovieRef.known_as` of all pins from the movies of the library."""
    wanted = {ref.key for each in collections for ref in (*each.include_movies, *each.exclude_movies)}
    found: dict[object, str] = {}
    for movie in movies if wanted else ():
        for key in wanted.intersection(keys_of(movie)):
            found.setdefault(key, str(movie))

    def known(refs: tuple[MovieRef, ...]) -> tuple[MovieRef, ...]:
        return tuple(msgspec.structs.replace(ref, known_as=found.get(ref.key, "")) for ref in refs)

    return tuple(
        msgspec.structs.replace(
            each, include_movies=known(each.include_movies), exclude_movies=known(each.exclude_movies)
        )
        if each.include_movies or each.exclude_movies
        else each
        for each in collections
    )


class OtherCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection that has a block but takes no part: disabled, or skipped because of a problem.

    `source` and `line` say where its block begins.
    """

    name: str
    slug: Slug
    label: Label
    source: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """`file:line` of its block."""
        return f"{self.source}:{self.line}"


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from Kometa's folder, and every problem found there.

    `collections` are in order of priority (highest first), then name. `unreadable_files` are files whose collections
    are unknown, and folders whose files are not all known (`.` for Kometa's own). With `skipped` they keep a collection
    that cannot be read from being taken for a removed one.
    """

    collections: tuple[Collection, ...] = ()
    disabled: tuple[OtherCollection, ...] = ()
    skipped: tuple[OtherCollection, ...] = ()
    unreadable_files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()

    def may_hide(self, source: str) -> bool:
        """Whether a collection that once came from this file may still exist in something unreadable."""
        above = [source[:at] for at, character in enumerate(source) if character == "/"]
        return not {".", source, *above}.isdisjoint(self.unreadable_files)
