"""Stand in for Sonarr: its v3 API over plain Python state, for tests, the demo and development.

Written from the sources of Sonarr 4 and of the branch of version 5, without any of the program's own code, so that both
cannot share a mistake. Serve it with `kometa_ai.standins.serving.serve`:

    sonarr = SonarrStandIn([ShowSeed("Dark", 2017, 334824, original_language="German")])
    with serve(sonarr.app) as url:
        ...  # talk to it
    assert sonarr.labels_of(334824) == {"kai-time-travel"}
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from kometa_ai.standins.arr.faults import busy_writes, editor_dies_after, locked, not_ready
from kometa_ai.standins.arr.http import V3
from kometa_ai.standins.arr.pipeline import LoggedRequest
from kometa_ai.standins.arr.product import Product
from kometa_ai.standins.arr.settings import Settings
from kometa_ai.standins.arr.standin import API_KEY, ArrStandIn
from kometa_ai.standins.arr.webhooks import Webhook, Webhooks
from kometa_ai.standins.sonarr_seed import ShowRule, ShowSeed, SonarrBehaviour
from kometa_ai.standins.sonarr_shows import Shows
from kometa_ai.standins.sonarr_store import ShowRow, ShowStore
from kometa_ai.standins.sonarr_webhooks import ShowEvents
from kometa_ai.standins.sonarr_wire import ROOT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "API_KEY",
    "SONARR_4",
    "SONARR_5",
    "LoggedRequest",
    "ShowRule",
    "ShowSeed",
    "SonarrBehaviour",
    "SonarrStandIn",
    "Webhook",
    "busy_writes",
    "editor_dies_after",
    "locked",
    "not_ready",
]

_TAG_LISTS = ("delayProfileIds", "importListIds", "restrictionIds", "indexerIds", "downloadClientIds")

SONARR_4 = Product(
    name="Sonarr",
    version="4.0.19.2979",
    editor="Series.SeriesEditor",
    ids="seriesIds",
    tag_lists=_TAG_LISTS,
    branch="main",
    build_time="2026-06-26T16:23:44Z",
    runtime="6.0.36",
    migration=217,
)
SONARR_5 = replace(
    SONARR_4,
    version="5.0.0.1",
    tag_lists=(*_TAG_LISTS, "excludedReleaseProfileIds"),
    branch="v5-develop",
    current_api="v5",
    deprecated_apis=("v3",),
    invalid_operation=400,
    is_silent_about_tags=True,
)

_SETTINGS = Settings(root_folder=ROOT_FOLDER, exclusions="importlistexclusion", in_quality={}, in_profile={})
_PARAMETERS = {"apikey", "tvdbid", "includeseasonimages"}


class SonarrStandIn(ArrStandIn[ShowRow, SonarrBehaviour]):
    """One Sonarr, of version 4 or of the coming 5. Methods name shows by TVDB id.

    `tags_in_settings` are labels that some setting uses, which keeps them from housekeeping and from deletion.
    `webhooks` are its connections, and what they were told.
    """

    _store: ShowStore

    def __init__(
        self,
        shows: Iterable[ShowSeed] = (),
        *,
        line: Literal["v4", "v5"] = "v4",
        api_key: str = API_KEY,
        url_base: str = "",
        database: Literal["sqlite", "postgres"] = "sqlite",
        ui_auth: Literal["none", "forms"] = "none",
        rules: Iterable[ShowRule] = (),
        tags_in_settings: Iterable[str] = (),
    ) -> None:
        is_new = line == "v5"
        product = SONARR_5 if is_new else SONARR_4
        behaviour = SonarrBehaviour(
            product=product,
            api_key=api_key,
            url_base=url_base,
            label_rules="v6" if is_new else "none",
            database=database,
            ui_auth=ui_auth,
            transactions=is_new,
            write_retries=3 if is_new else 0,
        )
        store = ShowStore(tuple(rules), tags_in_settings)
        self._shows = Shows(store, behaviour)
        super().__init__(behaviour, store, "series", [*self._shows.routes(), *_SETTINGS.routes()])
        self.webhooks = Webhooks(product)
        self._events = ShowEvents(store, self.webhooks)
        for show in shows:
            self.add_show(show)

    # What the library holds

    def show(self, tvdb_id: int) -> dict[str, Any]:
        """A show as `GET /series/{id}` answers it."""
        return self._shows.resource(self._row(tvdb_id))

    # What others do to it

    def add_show(self, seed: ShowSeed, *, add_options: bool = False) -> int:
        """Put a show into the library; returns Sonarr's id. Webhooks hear of it only with `add_options`."""
        row = self._store.insert(seed)
        if add_options:
            self._events.added(row)
        return row.id

    def remove_show(self, tvdb_id: int, *, files: bool = False) -> None:
        """Take a show out of the library, with its files or without."""
        row = self._row(tvdb_id)
        self._store.delete(row.id)
        self._events.deleted(row, files=files)

    def update_show(self, tvdb_id: int, /, **changes: Any) -> None:  # noqa: ANN401 # fields of ShowSeed
        """Change fields of a show, as a refresh or the user does; `tags` replaces all its tags."""
        row = self._store.describe(self._row(tvdb_id), **changes)
        if "tags" in changes:
            tags = frozenset(map(self._store.ensure_tag, changes["tags"]))
            self._store.update(replace(row, tags=tags))

    def merge(self, tvdb_id: int, into: int) -> None:
        """Merge a show into its twin at TVDB: the row keeps its id and takes the other number over."""
        self.update_show(tvdb_id, tvdb_id=into)

    def import_episodes(self, tvdb_id: int, files: int = 1, *, season: int = 1, is_upgrade: bool = False) -> None:
        """Import a download of this many episodes, of which webhooks hear once a file and once more."""
        self._events.imported(self._row(tvdb_id), season=season, files=files, is_upgrade=is_upgrade)

    def start_refresh(self, tvdb_id: int) -> Callable[[], None]:
        """Begin a show's refresh. Calling the result ends it, which saves the row as it was before."""
        return self._hold(tvdb_id)

    def start_refresh_run(self) -> Callable[[int], None]:
        """Begin the run that refreshes all. Calling the result with a show ends it there: its row is that of now."""
        held = {self._store.number(row): row for row in self._store.rows()}
        return lambda tvdb_id: self._store.update(held[tvdb_id])

    def week(self) -> None:
        """Let a week pass: airings, statistics, ratings and images change, and running shows get a season more."""
        self._store.refresh()

    def rebuild(self) -> None:
        """Rebuild the database: shows and tags get other ids, and old ids name other shows and tags."""
        self._store.rebuild()

    def press_test(self) -> None:
        """Test the webhooks, as the user does when setting one up."""
        self._events.test()

    def report_health(self, message: str, level: Literal["ok", "notice", "warning", "error"] = "warning") -> None:
        """Tell the webhooks about Sonarr's own state."""
        self._events.health(message, level)

    # What it was asked, and should not be

    @property
    def forbidden_calls(self) -> list[LoggedRequest]:
        """What a tagger must never send: whole shows, deletions, and edits that replace all tags."""
        return [*self.whole_saves, *self.deletions, *self.replacements]

    @property
    def whole_saves(self) -> list[LoggedRequest]:
        """The saves of a whole show, which may mark episodes as wanted."""
        saves = [request for request in self._asked("PUT", "") if "/series" in request.path.lower()]
        return [request for request in saves if not request.path.lower().rstrip("/").endswith("/editor")]

    @property
    def deletions(self) -> list[LoggedRequest]:
        """The deletions of shows."""
        return [request for request in self._asked("DELETE", "") if "/series" in request.path.lower()]

    @property
    def replacements(self) -> list[LoggedRequest]:
        """The bulk edits that replace all tags."""
        return [request for request in self.editor_calls if _replaces(request.body)]

    @property
    def ignored_parameters(self) -> set[str]:
        """The parameters of reads of the list that Sonarr does not know, and ignores."""
        return {name for read in self.list_reads for name in read.query if name.lower() not in _PARAMETERS}

    @property
    def credit_reads(self) -> list[LoggedRequest]:
        """The reads of credits, which Sonarr does not have."""
        return self._asked("GET", f"{V3}/credit")

    @property
    def flipped_seasons(self) -> list[tuple[int, int, bool]]:
        """TVDB id, season and flag wherever a save of a whole show marked a season's episodes anew."""
        return list(self._store.flipped_seasons)


def _replaces(body: object) -> bool:
    """Whether a bulk edit replaces all tags, however its fields are spelt."""
    fields = body.items() if isinstance(body, dict) else ()
    return any(name.lower() == "applytags" and str(value).lower() in {"replace", "2"} for name, value in fields)
