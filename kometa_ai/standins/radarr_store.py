"""Keep the stand-in Radarr's database: a movie's row, and apart from it what the metadata server knows about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from kometa_ai.standins.arr.store import Row, Store, rotated
from kometa_ai.standins.radarr_seed import AutoTagRule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kometa_ai.standins.radarr_seed import MovieSeed

# Far from movie ids, so that a client which confuses the two is detected.
_FIRST_METADATA_ID = 40_001


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a movie's row except its tags."""

    monitored: bool
    minimum_availability: str
    quality_profile_id: int
    path: str
    has_file: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MovieRow(Row):
    """A movie's row."""

    metadata_id: int
    columns: Columns


class MovieStore(Store[MovieRow, AutoTagRule]):
    """Movies, their metadata, and tags."""

    def __init__(self, rules: Collection[AutoTagRule] = (), tags_in_settings: Iterable[str] = ()) -> None:
        super().__init__(rules, tags_in_settings)
        self._next_movie = 1
        self._next_metadata = _FIRST_METADATA_ID
        # Kept after a movie is removed, for answers that are still being written.
        self._metadata: dict[int, MovieSeed] = {}
        self._by_tmdb: dict[int, int] = {}

    def row_by_number(self, number: int) -> MovieRow | None:
        """The movie with this TMDb id, if it is in the library."""
        with self._lock:
            return self._rows.get(self._by_tmdb.get(number, 0))

    def number(self, row: MovieRow) -> int:
        """The movie's TMDb id."""
        return self.metadata(row).tmdb_id

    def metadata(self, row: MovieRow) -> MovieSeed:
        """The metadata server's data about a movie."""
        return self._metadata[row.metadata_id]

    def insert(self, seed: MovieSeed) -> MovieRow:
        """Add a movie with its auto tags, which each save sets. Raises ValueError if the TMDb id exists already."""
        with self._lock:
            if seed.tmdb_id in self._by_tmdb:
                raise ValueError(f"{seed.title} ({seed.tmdb_id}) is already in the library")
            movie_id = self._next_movie + (self._next_movie == seed.tmdb_id)
            metadata_id = self._next_metadata + (self._next_metadata == seed.tmdb_id)
            self._next_movie, self._next_metadata = movie_id + 1, metadata_id + 1
            self._metadata[metadata_id] = seed
            tags = frozenset(map(self.ensure_tag, seed.tags)) | frozenset(seed.dangling_tags)
            row = self.auto_tagged(MovieRow(id=movie_id, metadata_id=metadata_id, columns=_columns(seed), tags=tags))
            self._rows[movie_id] = row
            self._by_tmdb[seed.tmdb_id] = movie_id
            return row

    def describe(self, row: MovieRow, seed: MovieSeed) -> MovieRow:
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

    def delete(self, item_id: int) -> None:
        """Remove a movie; its tags stay."""
        with self._lock:
            row = self._rows.pop(item_id)
            del self._by_tmdb[self.metadata(row).tmdb_id]

    def rebuild(self) -> None:
        """Renumber movies, metadata and tags; each old id then names the neighbour, so that its use is detected."""
        with self._lock:
            old = self.rows()
            self._rows, self._by_tmdb = {}, {}
            labels = self._renumber_tags()
            if len(old) > 1:
                self._next_movie = old[0].id
            for row in rotated(old):
                tags = tuple(labels[tag] for tag in row.tags if tag in labels)
                seed = replace(self.metadata(row), tags=tags, dangling_tags=())
                self.update(replace(self.insert(seed), columns=row.columns))

    def _applies(self, rule: AutoTagRule, row: MovieRow, labels: frozenset[str]) -> bool:
        return rule.matches(self.metadata(row), labels)


def _columns(seed: MovieSeed) -> Columns:
    return Columns(
        monitored=seed.monitored,
        minimum_availability=seed.minimum_availability,
        quality_profile_id=seed.quality_profile_id,
        path=f"/movies/{seed.title.replace('/', '+')} ({seed.year})",
        has_file=seed.has_file,
    )
