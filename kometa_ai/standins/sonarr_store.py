"""Keep the stand-in Sonarr's database: a show's row holds all there is about it, metadata and settings alike.

So a writer that holds an old row brings back old metadata, too.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kometa_ai.standins.arr.store import Row, Store, rotated
from kometa_ai.standins.sonarr_seed import ShowRule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kometa_ai.standins.sonarr_seed import ShowSeed


class DuplicateShow(Exception):
    """The unique index on the TVDB id refused a row."""


@dataclass(frozen=True, slots=True)
class Season:
    """A season of a show's row; number 0 holds the specials."""

    number: int
    monitored: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRow(Row):
    """A show's row. `refreshes` is how often the metadata server was asked since the show was added."""

    show: ShowSeed
    seasons: tuple[Season, ...]
    path: str
    slug: str
    refreshes: int = 0


class ShowStore(Store[ShowRow, ShowRule]):
    """Shows and tags."""

    def __init__(self, rules: Collection[ShowRule] = (), tags_in_settings: Iterable[str] = ()) -> None:
        super().__init__(rules, tags_in_settings)
        self._next_show = 1
        self._by_tvdb: dict[int, int] = {}
        self.flipped_seasons: list[tuple[int, int, bool]] = []

    def row_by_number(self, number: int) -> ShowRow | None:
        """The show with this TVDB id, if it is in the library."""
        with self._lock:
            return self._rows.get(self._by_tvdb.get(number, 0))

    def number(self, row: ShowRow) -> int:
        """The show's TVDB id."""
        return row.show.tvdb_id

    def insert(self, seed: ShowSeed) -> ShowRow:
        """Add a show with its auto tags, which each save sets. Raises ValueError if the TVDB id exists already."""
        with self._lock:
            if seed.tvdb_id in self._by_tvdb:
                raise ValueError(f"{seed.title} ({seed.tvdb_id}) is already in the library")
            show_id = self._next_show + (self._next_show == seed.tvdb_id)
            self._next_show = show_id + 1
            row = ShowRow(
                id=show_id,
                show=seed,
                seasons=tuple(Season(number) for number in range(0 if seed.has_specials else 1, seed.seasons + 1)),
                path=f"/tv/{seed.title.replace('/', '+')}",
                slug=self._slug(seed),
                tags=frozenset(map(self.ensure_tag, seed.tags)) | frozenset(seed.dangling_tags),
            )
            row = self.auto_tagged(row)
            self._rows[show_id] = row
            self._by_tvdb[seed.tvdb_id] = show_id
            return row

    def update(self, row: ShowRow) -> None:
        """Save a whole row; nothing happens if the show was removed. Raises DuplicateShow."""
        with self._lock:
            known = self._rows.get(row.id)
            if known is None:
                return
            if self._by_tvdb.get(row.show.tvdb_id, row.id) != row.id:
                raise DuplicateShow
            del self._by_tvdb[known.show.tvdb_id]
            self._by_tvdb[row.show.tvdb_id] = row.id
            super().update(row)

    def describe(self, row: ShowRow, **changes: Any) -> ShowRow:  # noqa: ANN401 # fields of ShowSeed
        """Change fields of a show, as a refresh or the user does; its tags and its path stay."""
        show = replace(row.show, **changes)
        seasons = row.seasons
        if {"seasons", "has_specials"} & changes.keys():
            monitored = {season.number: season.monitored for season in row.seasons}
            first = 0 if show.has_specials else 1
            seasons = tuple(Season(number, monitored.get(number, True)) for number in range(first, show.seasons + 1))
        described = replace(row, show=show, seasons=seasons)
        self.update(described)
        return described

    def delete(self, item_id: int) -> None:
        """Remove a show; its tags stay."""
        with self._lock:
            row = self._rows.pop(item_id)
            del self._by_tvdb[row.show.tvdb_id]

    def refresh(self) -> None:
        """Let a week pass: each row has news from the metadata server, and each running show one season more."""
        with self._lock:
            self.refreshes += 1
            for row in self.rows():
                seasons = row.seasons
                if row.show.status == "continuing":
                    last = max((season.number for season in seasons), default=0)
                    seasons = (*seasons, Season(last + 1))
                self.update(replace(row, seasons=seasons, refreshes=row.refreshes + 1))

    def flip(self, row: ShowRow, was: ShowRow) -> None:
        """Note the seasons whose episodes a save of the whole show marks as wanted, or as not wanted."""
        monitored = {season.number: season.monitored for season in was.seasons}
        with self._lock:
            self.flipped_seasons += [
                (row.show.tvdb_id, season.number, season.monitored)
                for season in row.seasons
                if monitored.get(season.number, season.monitored) != season.monitored
            ]

    def rebuild(self) -> None:
        """Renumber shows and tags; each old id then names the neighbour, so that its use is detected."""
        with self._lock:
            old = self.rows()
            self._rows, self._by_tvdb = {}, {}
            labels = self._renumber_tags()
            if len(old) > 1:
                self._next_show = old[0].id
            for row in rotated(old):
                tags = tuple(labels[tag] for tag in row.tags if tag in labels)
                added = self.insert(replace(row.show, tags=tags, dangling_tags=()))
                self.update(replace(row, id=added.id, tags=added.tags))

    def _applies(self, rule: ShowRule, row: ShowRow, labels: frozenset[str]) -> bool:
        return rule.matches(row.show, labels)

    def _slug(self, seed: ShowSeed) -> str:
        """Unique, as the site's are: shows of one title have the year behind it, or the number."""
        ascii_title = unicodedata.normalize("NFKD", seed.title).encode("ascii", "ignore").decode().lower()
        title = re.sub(r"[^a-z0-9]+", "-", ascii_title).strip("-")
        taken = {row.slug for row in self._rows.values()}
        slugs = (title, f"{title}-{seed.year}", f"{title}-{seed.tvdb_id}")
        return next(slug for slug in slugs if slug not in taken)
