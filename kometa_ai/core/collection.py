"""Describe collections and their rules as read from Kometa's files, and items as users name them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import msgspec

from kometa_ai.core.item import KINDS, Item, ItemKey, Kind, kind_of, movie_key, show_key
from kometa_ai.core.naming import CollectionKey, Label, Slug
from kometa_ai.core.problem import Problem
from kometa_ai.core.show import Show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ItemT = TypeVar("ItemT", bound=Item)

_TMDB = re.compile(r"tmdb:([1-9][0-9]{0,9})", re.IGNORECASE)
_TVDB = re.compile(r"tvdb:([1-9][0-9]{0,9})", re.IGNORECASE)
_IMDB = re.compile(r"tt[0-9]+", re.IGNORECASE)
_TITLE = re.compile(r"\A(?P<title>\S(?:.*\S)?)\s*\((?P<year>[0-9]{4})\)")
_OWN_YEAR = re.compile(r"\A(?P<title>.*\S)\s*\((?P<year>[0-9]{4})\)")

_FORMS: dict[Kind, str] = {
    "movie": "tmdb:603, tt0133093 and The Matrix (1999)",
    "show": "tvdb:81189, tt0903747, tmdb:1396 and Breaking Bad (2008)",
}


def fold_title(title: str) -> str:
    """A title in the form in which titles are compared: case-folded, accents in NFC, apostrophes straight."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).casefold())
    return folded.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


class ItemRef(msgspec.Struct, frozen=True):
    """An item as a user names it: `tmdb:603`, `tt0133093` or `The Matrix (1999)`, and a show also as `tvdb:81189`.

    `tmdb_show` is a number of TMDb's shows, which are another catalogue than its movies. `known_as` is the item's title
    and year in the library, empty if the library does not hold it.
    """

    text: str
    item: ItemKey | None = None
    imdb_id: str = ""
    title: str = ""
    year: int = 0
    known_as: str = ""
    tmdb_show: int = 0

    @classmethod
    def parse(cls, text: str, kind: Kind = "movie") -> ItemRef:
        """Read one of the forms for items of this kind. Raises ValueError for anything else."""
        text = text.strip()
        if found := _TMDB.fullmatch(text):
            number = int(found[1])
            return cls(text, item=movie_key(number)) if kind == "movie" else cls(text, tmdb_show=number)
        if kind == "show" and (found := _TVDB.fullmatch(text)):
            return cls(text, item=show_key(int(found[1])))
        if _IMDB.fullmatch(text):
            return cls(text, imdb_id=text.lower())
        if found := _TITLE.fullmatch(text):
            return cls(text, title=fold_title(found["title"]), year=int(found["year"]))
        raise ValueError(f"{text!r} is none of {_FORMS[kind]}")

    @property
    def key(self) -> object:
        """The id, or title and year, by which the reference names its item; to be compared with `keys_of`."""
        return self.item or self.imdb_id or (_of_tmdb(self.tmdb_show) if self.tmdb_show else (self.title, self.year))

    @property
    def shown(self) -> str:
        """The item's title and year; empty if the user gave an id that the library does not hold."""
        return self.known_as or (self.text if self.title else "")

    def names(self, item: Item) -> bool:
        """Whether the reference names this item."""
        return self.key in keys_of(item)


def keys_of(item: Item) -> tuple[object, ...]:
    """Every key by which a reference can name this item. What is unknown (an id of 0, no year) is no key of a show."""
    if not isinstance(item, Show):
        return (item.key, item.imdb_id.lower(), (fold_title(item.title), item.year))
    ids = (item.imdb_id.lower(),) if item.imdb_id else ()
    tmdb = (_of_tmdb(item.tmdb_id),) if item.tmdb_id > 0 else ()
    return (item.key, *ids, *tmdb, *_titles_of(item))


def _of_tmdb(number: int) -> object:
    return ("tmdb", "show", number)


def _titles_of(show: Show) -> Iterator[object]:
    """The show's titles, each with its year.

    TVDb puts the year into the title where two shows share one. So `Archer (2009)` of 2009 is named by `Archer (2009)`,
    its title as it stands, and by `Archer (2009) (2009)`, its title and its year; and a plain `Archer` of 2009 by both.
    """
    title = fold_title(show.title)
    own = _OWN_YEAR.fullmatch(title)
    if own:
        yield own["title"], int(own["year"])
    if show.year > 0:
        yield title, show.year
        if not own:
            yield f"{title} ({show.year})", show.year


def namesakes(ref: ItemRef, items: Iterable[ItemT]) -> list[ItemT]:
    """The items with the reference's title, of any year: the user may have meant one of them."""
    return [item for item in items if ref.title and ref.title in _bare_titles(item)]


def _bare_titles(item: Item) -> tuple[str, ...]:
    title = fold_title(item.title)
    own = _OWN_YEAR.fullmatch(title) if isinstance(item, Show) else None
    return (title, own["title"]) if own else (title,)


def collection_key(kind: Kind, slug: str) -> CollectionKey:
    """The key of a collection of this kind with this slug: for movies the slug alone, as in every older state."""
    return CollectionKey(slug if kind == "movie" else f"{kind}:{slug}")


def kind_in(key: CollectionKey) -> Kind:
    """The kind of the collection with that key."""
    return "show" if key.startswith("show:") else "movie"


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

AS_WRITTEN = ("libraries_line", "libraries_written")
"""Fields that say how and where the block says something, for problems about it."""

EXAMPLES = ("chosen_in", "chosen_out")
"""Fields that hold what people have chosen elsewhere than in the block."""

_NO_RULES = frozenset(
    {"name", "slug", "tag", "priority", "source", "line", "untold", "kind_because", *AS_WRITTEN, *EXAMPLES}
)
"""Fields that the block hash leaves out; it holds the tag as the label that Radarr stores."""


class Collection(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One enabled, readable collection. Tags are lower-case labels; a `kai-` label means that collection's members.

    It is about items of one kind; `kind_because` says why this kind. `libraries` are the names of those that it is for,
    all of its kind if there are none. `source` and `line` say where its block begins. `untold` is the reason why Kometa
    must not, or cannot, be asked to update this collection by name after a change; it is empty if Kometa can.

    `chosen_in` and `chosen_out` are titles that people have pinned elsewhere than in the block, the most telling first:
    the model is shown them beside the block's own pins (`judging/examples.py`).
    """

    name: str
    slug: Slug
    tag: str
    prompt: str
    confidence_threshold: float = 0.7
    priority: int = 0
    include_tags: frozenset[Label] = frozenset()
    exclude_tags: frozenset[Label] = frozenset()
    include_movies: tuple[ItemRef, ...] = ()
    exclude_movies: tuple[ItemRef, ...] = ()
    source: str = ""
    line: int = 0
    untold: str = ""
    kind: Kind = "movie"
    kind_because: str = ""
    libraries: frozenset[str] = frozenset()
    include_shows: tuple[ItemRef, ...] = ()
    exclude_shows: tuple[ItemRef, ...] = ()
    libraries_line: int = 0
    libraries_written: tuple[str, ...] = ()
    chosen_in: tuple[str, ...] = ()
    chosen_out: tuple[str, ...] = ()

    @property
    def key(self) -> CollectionKey:
        """What names the collection wherever something is kept for it."""
        return collection_key(self.kind, self.slug)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Its kind, as an OtherCollection tells of those that it may be of."""
        return (self.kind,)

    def is_for(self, kind: Kind, library: str) -> bool:
        """Whether the collection's tag belongs in the library of that name, which holds items of that kind."""
        return kind == self.kind and (not self.libraries or library in self.libraries)

    def concerns(self, item: Item) -> bool:
        """Whether the collection is about this item: one of its kind, in one of its libraries."""
        return kind_of(item.key) == self.kind and (not self.libraries or not self.libraries.isdisjoint(item.libraries))

    @property
    def pins_in(self) -> tuple[ItemRef, ...]:
        """The items of its kind that the block puts in."""
        return self.include_movies if self.kind == "movie" else self.include_shows

    @property
    def pins_out(self) -> tuple[ItemRef, ...]:
        """The items of its kind that the block keeps out."""
        return self.exclude_movies if self.kind == "movie" else self.exclude_shows

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
        return sorted(item.text if isinstance(item, ItemRef) else str(item) for item in value)
    return value


def recognise(collections: Sequence[Collection], items: Iterable[Item]) -> tuple[Collection, ...]:
    """Fill in `ItemRef.known_as` of all pins from the items of the libraries."""
    wanted = {ref.key for each in collections for ref in (*each.pins_in, *each.pins_out)}
    found: dict[object, str] = {}
    for item in items if wanted else ():
        for key in wanted.intersection(keys_of(item)):
            found.setdefault((kind_of(item.key), key), str(item))
    return tuple(_recognised(each, found) if each.pins_in or each.pins_out else each for each in collections)


def _recognised(collection: Collection, found: Mapping[object, str]) -> Collection:
    kind = collection.kind

    def known(refs: tuple[ItemRef, ...]) -> tuple[ItemRef, ...]:
        return tuple(msgspec.structs.replace(ref, known_as=found.get((kind, ref.key), "")) for ref in refs)

    pins_in, pins_out = known(collection.pins_in), known(collection.pins_out)
    if kind == "movie":
        return msgspec.structs.replace(collection, include_movies=pins_in, exclude_movies=pins_out)
    return msgspec.structs.replace(collection, include_shows=pins_in, exclude_shows=pins_out)


class OtherCollection(msgspec.Struct, frozen=True, kw_only=True):
    """A collection that has a block but takes no part: disabled, skipped because of a problem, or without a library.

    `source` and `line` say where its block begins. `kind` is None if it cannot be known.
    """

    name: str
    slug: Slug
    label: Label
    source: str = ""
    line: int = 0
    kind: Kind | None = None
    kind_because: str = ""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kind that it is of, or each that it may be of."""
        return (self.kind,) if self.kind else KINDS

    @property
    def keys(self) -> tuple[CollectionKey, ...]:
        """Its key, or each that may be its own: what is kept under one of them is not to be taken for abandoned."""
        return tuple(collection_key(kind, self.slug) for kind in self.kinds)

    @property
    def where(self) -> str:
        """`file:line` of its block."""
        return f"{self.source}:{self.line}"


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from Kometa's folder, and every problem found there.

    `collections` are in order of priority (highest first), then name. `unserved` are collections that are on, of a kind
    for which there is no library: nothing is asked for them, and their tags are left alone. `unreadable_files` are
    files whose collections are unknown, and folders whose files are not all known (`.` for Kometa's own). With
    `skipped` they keep a collection that cannot be read from being taken for a removed one. So do `torn_files` for what
    once came from them: they cannot be parsed, and what is left of them shows no block.
    """

    collections: tuple[Collection, ...] = ()
    disabled: tuple[OtherCollection, ...] = ()
    skipped: tuple[OtherCollection, ...] = ()
    unserved: tuple[OtherCollection, ...] = ()
    unreadable_files: tuple[str, ...] = ()
    torn_files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()

    def may_hide(self, source: str) -> bool:
        """Whether a collection that once came from this file may still exist in something unreadable."""
        above = [source[:at] for at, character in enumerate(source) if character == "/"]
        return source in self.torn_files or not {".", source, *above}.isdisjoint(self.unreadable_files)
