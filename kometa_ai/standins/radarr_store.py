"""Keep the stand-in's database. Single statements are atomic, and nothing else is.

As in Radarr, every writer saves the whole row of a movie, and there are no transactions and no row versions: a writer
that saves an old row overwrites what others did since.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kometa_ai.standins.radarr_seed import AutoTagRule, MovieSeed

_Item = TypeVar("_Item")

# Far from movie ids, so that a client which confuses the two is detected.
_FIRST_METADATA_ID = 40_001


class DuplicateLabel(Exception):
    """The unique index on the label of a tag refused a row."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a movie's row except its tags."""

    monitored: bool
    minimum_availability: str
    quality_profile_id: int
    path: str
    has_file: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A movie's row."""

    id: int
    metadata_id: int
    columns: Columns
    tags: frozenset[int]


class Store:
    """Movies, their metadata, and tags. Ids only grow and are never used again."""

    def __init__(self, rules: Collection[AutoTagRule] = (), tags_in_settings: Iterable[str] = ()) -> None:
        self._lock = threading.RLock()
        self._next_movie = 1
        self._next_metadata = _FIRST_METADATA_ID
        self._next_tag = 1
        self._rows: dict[int, Row] = {}
        # Kept after a movie is removed, for answers that are still being written.
        self._metadata: dict[int, MovieSeed] = {}
        self._by_tmdb: dict[int, int] = {}
        self._tags: dict[int, str] = {}
        self.rules = tuple(rules)
        self.refreshes = 0
        self.used_by_settings = frozenset(self.ensure_tag(label) for label in tags_in_settings)
        self._rule_targets: list[frozenset[int]] = []
        self._rule_conditions: list[int | None] = []
        self._number_rules()

    # Movies

    def rows(self) -> list[Row]:
        """Every movie in the order of the database."""
        with self._lock:
            return list(self._rows.values())

    def row(self, movie_id: int) -> Row | None:
        """One movie, if it exists."""
        with self._lock:
            return self._rows.get(movie_id)

    def rows_of(self, movie_ids: Collection[int]) -> list[Row]:
        """Those of these movies that exist, each once, in the order of the database."""
        with self._lock:
            return [self._rows[movie_id] for movie_id in sorted(set(movie_ids)) if movie_id in self._rows]

    def row_by_tmdb(self, tmdb_id: int) -> Row | None:
        """The movie with this TMDb id, if it is in the library."""
        with self._lock:
            return self._rows.get(self._by_tmdb.get(tmdb_id, 0))

    def metadata(self, row: Row) -> MovieSeed:
        """The metadata server's data about a movie."""
        return self._metadata[row.metadata_id]

    def insert(self, seed: MovieSeed) -> Row:
        """Add a movie with its auto tags, which each save sets. Raises ValueError if the TMDb id exists already."""
        with self._lock:
            if seed.tmdb_id in self._by_tmdb:
                raise ValueError(f"{seed.title} ({seed.tmdb_id}) is already in the library")
            movie_id = self._next_movie + (self._next_movie == seed.tmdb_id)
            metadata_id = self._next_metadata + (self._next_metadata == seed.tmdb_id)
            self._next_movie, self._next_metadata = movie_id + 1, metadata_id + 1
            self._metadata[metadata_id] = seed
            tags = frozenset(map(self.ensure_tag, seed.tags)) | frozenset(seed.dangling_tags)
            row = self.auto_tagged(Row(movie_id, metadata_id, _columns(seed), tags))
            self._rows[movie_id] = row
            self._by_tmdb[seed.tmdb_id] = movie_id
            return row

    def update(self, row: Row) -> None:
        """Save a whole row; nothing happens if the movie was removed."""
        with self._lock:
            if row.id in self._rows:
                self._rows[row.id] = row

    def describe(self, row: Row, seed: MovieSeed) -> Row:
        """Replace a movie's metadata, as a refresh does; its row keeps its tags and its path."""
        with self._lock:
            del self._by_tmdb[self.metadata(row).tmdb_id]
            self._by_tmdb[seed.tmdb_id] = row.id
            was, now = asdict(_columns(self.metadata(row))), asdict(_columns(seed))
            changed = {name: value for name, value in now.items() if value != was[name] and name != "path"}
            self._metadata[row.metadata_id] = seed
            described = replace(row, columns=replace(row.columns, **changed))
            self.update(described)
            return described

    def delete(self, movie_id: int) -> None:
        """Remove a movie; its tags stay."""
        with self._lock:
            row = self._rows.pop(movie_id)
            del self._by_tmdb[self.metadata(row).tmdb_id]

    def rebuild(self) -> None:
        """Renumber movies, metadata and tags; each old id then names the neighbour, so that its use is detected."""
        with self._lock:
            labels, old = self.labels(), self.rows()
            self._rows, self._by_tmdb, self._tags = {}, {}, {}
            if len(labels) > 1:
                self._next_tag = 1
            for label in _rotated(list(labels.values())):
                self.insert_tag(label)
            self.used_by_settings = frozenset(self.ensure_tag(labels[tag]) for tag in self.used_by_settings)
            self._number_rules()
            if len(old) > 1:
                self._next_movie = old[0].id
            for row in _rotated(old):
                tags = tuple(labels[tag] for tag in row.tags if tag in labels)
                seed = replace(self.metadata(row), tags=tags, dangling_tags=())
                self.update(replace(self.insert(seed), columns=row.columns))

    # Tags

    def labels(self) -> dict[int, str]:
        """A copy of the tag table: id to label."""
        with self._lock:
            return dict(self._tags)

    def tag_id(self, label: str) -> int | None:
        """The tag with exactly this label: the look-up is case-sensitive."""
        with self._lock:
            return next((tag for tag, known in self._tags.items() if known == label), None)

    def insert_tag(self, label: str) -> int:
        """Add a tag; return its id. Raises DuplicateLabel."""
        with self._lock:
            if self.tag_id(label) is not None:
                raise DuplicateLabel
            tag = self._next_tag
            self._next_tag += 1
            self._tags[tag] = label
            return tag

    def ensure_tag(self, label: str) -> int:
        """The id of the tag with this label in lower case, created if it is missing."""
        with self._lock:
            known = self.tag_id(label.lower())
            return self.insert_tag(label.lower()) if known is None else known

    def rename_tag(self, tag: int, label: str) -> None:
        """Change a label; nothing happens if the tag was removed. Raises DuplicateLabel."""
        with self._lock:
            if self.tag_id(label) not in {None, tag}:
                raise DuplicateLabel
            if tag in self._tags:
                self._tags[tag] = label

    def delete_tag(self, tag: int) -> None:
        """Remove a tag, and leave its id on the movies that have it."""
        with self._lock:
            self._tags.pop(tag, None)

    def movies_with(self, tag: int) -> list[int]:
        """The ids of the movies that carry a tag."""
        return [row.id for row in self.rows() if tag in row.tags]

    def rules_with(self, tag: int, *, conditions: bool) -> list[int]:
        """The ids of the auto tagging rules that set a tag or (with `conditions`) ask for it."""
        return [
            number
            for number, (targets, condition) in enumerate(
                zip(self._rule_targets, self._rule_conditions, strict=True), start=1
            )
            if tag in targets or (conditions and tag == condition)
        ]

    def rules_by_id(self) -> list[tuple[AutoTagRule, frozenset[int], int | None]]:
        """Every auto tagging rule with the ids of the tags that it sets, and of the one that it asks for."""
        return list(zip(self.rules, self._rule_targets, self._rule_conditions, strict=True))

    def housekeeping(self) -> None:
        """Delete every tag that no movie, setting or rule uses, as Radarr does once a day."""
        with self._lock:
            used = self.used_by_settings.union(
                self._rule_conditions, *self._rule_targets, *(row.tags for row in self._rows.values())
            )
            self._tags = {tag: label for tag, label in self._tags.items() if tag in used}

    def auto_tagged(self, row: Row) -> Row:
        """The row after the auto tagging rules: removals first, then additions."""
        if not self.rules:
            return row
        movie = self.metadata(row)
        names = self.labels()
        labels = frozenset(names[tag] for tag in row.tags if tag in names)
        add: frozenset[int] = frozenset()
        remove: frozenset[int] = frozenset()
        for rule, targets in zip(self.rules, self._rule_targets, strict=True):
            if rule.matches(movie, labels):
                add |= targets
            elif rule.remove_tags_automatically:
                remove |= targets
        return replace(row, tags=(row.tags - remove) | add)

    def _number_rules(self) -> None:
        self._rule_targets = [frozenset(map(self.ensure_tag, rule.tags)) for rule in self.rules]
        self._rule_conditions = [None if rule.tag is None else self.ensure_tag(rule.tag) for rule in self.rules]


def _rotated(items: list[_Item]) -> list[_Item]:
    return items[1:] + items[:1]


def _columns(seed: MovieSeed) -> Columns:
    return Columns(
        monitored=seed.monitored,
        minimum_availability=seed.minimum_availability,
        quality_profile_id=seed.quality_profile_id,
        path=f"/movies/{seed.title.replace('/', '+')} ({seed.year})",
        has_file=seed.has_file,
    )
