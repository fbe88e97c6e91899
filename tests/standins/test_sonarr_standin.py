"""What Sonarr does otherwise than Radarr."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest

from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import API_KEY, ShowRule, ShowSeed, SonarrStandIn
from kometa_ai.standins.sonarr_rows import odd_shows, twins, with_lost_profile
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

DARK = ShowSeed(
    "Dark",
    2017,
    334824,
    imdb_id="tt5753856",
    overview="Kinder verschwinden in „Winden“.",
    network="Netflix",
    genres=("Crime", "Drama"),
    certification="TV-MA",
    seasons=3,
    original_language="German",
    alternate_titles=("Dark DE",),
)
QI = ShowSeed("QI", 2003, 72716, status="continuing", seasons=2, has_specials=True, tags=("seen", "panel"))
LOST_PROFILE = with_lost_profile()
LIBRARY = (DARK, QI)

SERIES = "/api/v3/series"
EDITOR = "/api/v3/series/editor"
Line = Literal["v4", "v5"]


@contextmanager
def _client_of(sonarr: SonarrStandIn) -> Iterator[httpx2.Client]:
    headers = {"X-Api-Key": API_KEY}
    with serve(sonarr.app) as url, httpx2.Client(verify=PLAIN, base_url=url, headers=headers, timeout=10) as client:
        yield client


def _ids(sonarr: SonarrStandIn, *tvdb_ids: int) -> list[int]:
    return [sonarr.show(tvdb_id)["id"] for tvdb_id in tvdb_ids]


def _edit(client: httpx2.Client, ids: list[int], tags: list[int], operation: str = "add") -> httpx2.Response:
    return client.put(EDITOR, json={"seriesIds": ids, "tags": tags, "applyTags": operation})


def _shows(client: httpx2.Client, query: str = "") -> dict[int, dict[str, Any]]:
    return {show["tvdbId"]: show for show in client.get(f"{SERIES}{query}").json()}


# The two versions


@pytest.mark.parametrize(
    ("line", "version", "apis"),
    [
        ("v4", "4.0.19.2979", {"current": "v3", "deprecated": []}),
        ("v5", "5.0.0.1", {"current": "v5", "deprecated": ["v3"]}),
    ],
)
def test_the_versions_tell_themselves(line: Line, version: str, apis: dict[str, object]) -> None:
    """Version 5 has a new API and deprecates the one that works in both; the name is Sonarr in both."""
    with _client_of(SonarrStandIn(line=line)) as client:
        status = client.get("/api/v3/system/status").json()
        assert client.get("/api").json() == apis
    assert (status["appName"], status["version"]) == ("Sonarr", version)


@pytest.mark.parametrize("label", ["film noir", "größe ☕", "a.b", ""])
def test_version_4_takes_every_label(label: str) -> None:
    """Nothing is checked, the empty text included; version 5 refuses with a list of failures."""
    with _client_of(SonarrStandIn()) as client:
        assert client.post("/api/v3/tag", json={"label": label}).json()["label"] == label
    with _client_of(SonarrStandIn(line="v5")) as client:
        refused = client.post("/api/v3/tag", json={"label": label})
    assert (refused.status_code, refused.json()[0]["propertyName"]) == (400, "Label")


def test_a_tag_without_a_label() -> None:
    """Version 4 fails with 500 over the missing text."""
    with _client_of(SonarrStandIn()) as client:
        assert client.post("/api/v3/tag", json={}).status_code == 500


@pytest.mark.parametrize(("line", "status"), [("v4", 500), ("v5", 400)])
def test_an_invalid_operation(line: Line, status: int) -> None:
    """A tag that is posted with an id: the same words, with another status in version 5."""
    with _client_of(SonarrStandIn(line=line)) as client:
        refused = client.post("/api/v3/tag", json={"label": "a", "id": 7})
    assert (refused.status_code, refused.json()["message"]) == (status, "Can't insert model with existing ID 7")


def test_a_tag_that_is_not_there() -> None:
    """404 with ProblemDetails in version 4, without a body in version 5, where a show still gets ProblemDetails."""
    for line, has_body in (("v4", True), ("v5", False)):
        with _client_of(SonarrStandIn(LIBRARY, line="v4" if line == "v4" else "v5")) as client:
            missing = [client.get(path) for path in ("/api/v3/tag/99", "/api/v3/tag/detail/99")]
            show = client.get(f"{SERIES}/99")
        assert [(answer.status_code, bool(answer.content)) for answer in missing] == [(404, has_body)] * 2
        assert (show.status_code, show.json()["status"]) == (404, 404)


def test_the_details_of_a_tag() -> None:
    """The lists have Sonarr's names, and one more in version 5."""
    common = {"label", "delayProfileIds", "importListIds", "notificationIds", "restrictionIds", "indexerIds"}
    common |= {"downloadClientIds", "autoTagIds", "seriesIds", "id"}
    for line, names in (("v4", common), ("v5", common | {"excludedReleaseProfileIds"})):
        sonarr = SonarrStandIn(LIBRARY, line="v4" if line == "v4" else "v5")
        with _client_of(sonarr) as client:
            panel = client.get("/api/v3/tag/detail").json()[0]
        assert panel.keys() == names
        assert panel["seriesIds"] == _ids(sonarr, 72716)


# Shows


def test_what_a_show_tells() -> None:
    """The fields of a running and of an ended show, with statistics for each season that has episodes."""
    with _client_of(SonarrStandIn(LIBRARY)) as client:
        shows = _shows(client)
    dark, panel = shows[334824], shows[72716]
    assert (dark["title"], dark["year"], dark["network"], dark["certification"]) == ("Dark", 2017, "Netflix", "TV-MA")
    assert dark["originalLanguage"] == {"id": 4, "name": "German"}
    assert (dark["status"], dark["ended"], dark["imdbId"], dark["tmdbId"]) == ("ended", True, "tt5753856", 0)
    assert dark["alternateTitles"] == [{"title": "Dark DE", "seasonNumber": -1}]
    assert [season["seasonNumber"] for season in dark["seasons"]] == [1, 2, 3]
    assert dark["statistics"]["seasonCount"] == 3
    assert "nextAiring" not in dark
    assert {"nextAiring", "previousAiring", "lastAired"} <= panel.keys()
    assert [season["seasonNumber"] for season in panel["seasons"]] == [0, 1, 2]
    assert panel["statistics"]["seasonCount"] == 2
    assert all(show["tvdbId"] != show["id"] for show in shows.values())


def test_one_show_by_tvdb_id() -> None:
    """An array of one show or of none, never 404; what is no number gets the framework's 400."""
    with _client_of(SonarrStandIn(LIBRARY)) as client:
        assert [show["title"] for show in client.get(f"{SERIES}?tvdbId=72716").json()] == ["QI"]
        assert client.get(f"{SERIES}?tvdbId=1").json() == []
        refused = client.get(f"{SERIES}?tvdbId=abc")
    assert refused.status_code == 400
    assert refused.headers["Content-Type"].startswith("application/problem+json")


def test_parameters_that_sonarr_does_not_know_are_ignored_and_noted() -> None:
    """A client that asks as it asks Radarr is not told; the stand-in keeps the names for the test."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        shows = _shows(client, "?excludeLocalCovers=true&languageId=99&TvdbId=334824")
    assert [image["coverType"] for image in shows[334824]["images"] if "url" in image] != []
    assert sonarr.ignored_parameters == {"excludeLocalCovers", "languageId"}


def test_seasons_have_images_only_on_request() -> None:
    """`includeSeasonImages` adds them, in the list and for one show."""
    sonarr = SonarrStandIn([DARK])
    with _client_of(sonarr) as client:
        for path in (f"{SERIES}?includeSeasonImages=", f"{SERIES}/{_ids(sonarr, 334824)[0]}?includeSeasonImages="):
            for asked in (True, False):
                found = client.get(f"{path}{str(asked).lower()}").json()
                show = found[0] if isinstance(found, list) else found
                assert all(("images" in season) == asked for season in show["seasons"])


def test_the_order_of_shows_and_tags_means_nothing() -> None:
    """The same shows come in different orders, and so do the same tags."""
    with _client_of(SonarrStandIn(odd_shows())) as client:
        orders = {tuple(show["id"] for show in client.get(SERIES).json()) for _ in range(5)}
        tags = {tuple(show["tags"]) for _ in range(20) for show in client.get(SERIES).json() if show["tags"]}
    assert len(orders) > 1
    assert len({frozenset(order) for order in orders}) == 1
    assert len(tags) > 1


def test_the_list_takes_its_time_with_every_call() -> None:
    """There is no parameter against it."""
    sonarr = SonarrStandIn(LIBRARY)
    sonarr.behaviour.list_delay = 3600
    with _client_of(sonarr) as client, pytest.raises(httpx2.ReadTimeout):
        client.get(f"{SERIES}?tvdbId=1", timeout=0.1)


def test_the_odd_shows_of_real_libraries() -> None:
    """Each is odd in its way, and each has its tags, even none."""
    sonarr = SonarrStandIn((*odd_shows(), LOST_PROFILE))
    with _client_of(sonarr) as client:
        shows = {show["title"]: show for show in _shows(client).values()}
        alone = client.get(f"{SERIES}/{shows['Fresh Paint']['id']}").json()
        titles = [show["title"] for show in client.get(SERIES).json()]
    assert all(isinstance(show["tags"], list) for show in shows.values())
    assert "overview" not in shows["Ohne Worte"]
    assert (shows["Untitled Lighthouse Project"]["year"], shows["Untitled Lighthouse Project"]["seasons"]) == (0, [])
    assert "statistics" not in shows["Fresh Paint"]
    assert alone["statistics"]["episodeCount"] == 0
    assert ("imdbId" in shows["Only Here"], shows["Only Here"]["tmdbId"]) == (False, 0)
    assert (shows["Dropped"]["status"], shows["Dropped"]["ended"]) == ("deleted", False)
    assert (shows["Next Spring"]["status"], "statistics" in shows["Next Spring"]) == ("upcoming", False)
    assert shows["Harbour (2009)"]["year"] == 2009
    assert titles.count("The Ferry") == len(twins())
    assert len({show["titleSlug"] for show in shows.values()}) == len(shows)
    assert {shows[title]["seriesType"] for title in ("Kōcha no Jikan ☕", "Late Talk")} == {"anime", "daily"}
    assert shows["Nothing Numbered"]["seasons"] == []
    assert [season["seasonNumber"] for season in shows["A Yearly Special"]["seasons"]] == [0]
    assert {901, 902} < set(shows["Tagged Long Ago"]["tags"])


def test_two_shows_of_one_number_cannot_be() -> None:
    """The index on the TVDB id is unique, for the stand-in's own methods and for a save over HTTP."""
    sonarr = SonarrStandIn(LIBRARY)
    with pytest.raises(ValueError, match="already"):
        sonarr.add_show(DARK)
    (dark,) = _ids(sonarr, 334824)
    body = {**sonarr.show(334824), "tvdbId": 72716}
    with _client_of(sonarr) as client:
        refused = client.put(f"{SERIES}/{dark}", json=body)
    assert refused.status_code == 409
    assert "UNIQUE constraint failed: Series.TvdbId" in refused.json()["message"]


# What time does


def test_a_week_moves_what_is_volatile_and_nothing_else() -> None:
    """Airings, statistics, ratings, images, and a season more; the texts by which a show is judged stay."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        before = _shows(client)
        sonarr.week()
        after = _shows(client)
    moved = {
        tvdb_id: {name for name in show if name != "tags" and show[name] != after[tvdb_id][name]}
        for tvdb_id, show in before.items()
    }
    assert moved[334824] == {"ratings", "images"}
    running = {"nextAiring", "previousAiring", "lastAired", "statistics", "seasons", "ratings", "images"}
    assert moved[72716] == running
    assert after[72716]["statistics"]["seasonCount"] == before[72716]["statistics"]["seasonCount"] + 1
    assert "statistics" not in after[72716]["seasons"][-1]


def test_a_merge_changes_the_number_and_keeps_the_row() -> None:
    """TVDB merged duplicates: the show is asked for by another number from now on."""
    sonarr = SonarrStandIn(LIBRARY)
    (dark,) = _ids(sonarr, 334824)
    sonarr.merge(334824, into=500)
    with _client_of(sonarr) as client:
        shows = _shows(client)
    assert shows.keys() == {500, 72716}
    assert (shows[500]["id"], shows[500]["title"]) == (dark, "Dark")


def test_a_show_can_be_described_anew() -> None:
    """A refresh or a person changes fields; a show that ends, ends in the list, too."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        client.get(SERIES)
        sonarr.update_show(72716, status="ended", overview="New.", tags=("only",), seasons=1)
        show = _shows(client)[72716]
    assert (show["ended"], show["overview"], [season["seasonNumber"] for season in show["seasons"]]) == (
        True,
        "New.",
        [0, 1],
    )
    assert sonarr.labels_of(72716) == {"only"}


# The bulk editor


def test_the_editors_answer_lacks_what_it_lacks() -> None:
    """No statistics, alternate titles, root folder and airings, nor statistics of seasons and local images."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        (edited,) = _edit(client, _ids(sonarr, 72716), []).json()
    missing = {"statistics", "alternateTitles", "rootFolderPath", "nextAiring", "previousAiring"}
    assert sonarr.show(72716).keys() - edited.keys() == missing
    assert all("statistics" not in season for season in edited["seasons"])
    assert all("url" not in image and "remoteUrl" in image for image in edited["images"])


@pytest.mark.parametrize("profile", [99, 0])
def test_one_lost_quality_profile_blocks_the_batch(profile: int) -> None:
    """400 with a list that does not say which show; the list works, and so do the halves without that show."""
    damaged = with_lost_profile()
    sonarr = SonarrStandIn([DARK, ShowSeed("Damaged", 2014, damaged.tvdb_id, quality_profile_id=profile), QI])
    ids = _ids(sonarr, 334824, damaged.tvdb_id, 72716)
    tag = sonarr.tag_id("panel")
    with _client_of(sonarr) as client:
        refused = _edit(client, ids, [tag])
        assert len(client.get(SERIES).json()) == 3
        assert sonarr.members("panel") == {72716}
        halves = [_edit(client, half, [tag]).status_code for half in (ids[:1], ids[1:2], ids[2:])]
    (failed,) = refused.json()
    assert (refused.status_code, failed["propertyName"], failed["severity"]) == (400, "QualityProfileId", "error")
    assert "Damaged" not in refused.text
    assert halves == [202, 400, 202]
    assert sonarr.members("panel") == {334824, 72716}


def test_a_missing_show_is_told_before_a_lost_profile() -> None:
    """The numbers of ids and rows are compared first."""
    sonarr = SonarrStandIn([LOST_PROFILE])
    with _client_of(sonarr) as client:
        assert _edit(client, [*_ids(sonarr, LOST_PROFILE.tvdb_id), 99], [1]).status_code == 500


def test_radarrs_name_for_the_ids_is_no_name_here() -> None:
    """`movieIds` is ignored, so the ids are missing: 500."""
    with _client_of(SonarrStandIn(LIBRARY)) as client:
        refused = client.put(EDITOR, json={"movieIds": [1], "tags": [1]})
    assert (refused.status_code, refused.json()["message"]) == (500, "Value cannot be null. (Parameter 'source')")


def test_the_editor_can_change_settings_too() -> None:
    """Other fields are applied if sent, and checked; without `tags` the tags stay."""
    sonarr = SonarrStandIn(LIBRARY)
    ids = _ids(sonarr, 72716)
    settings = {"monitored": False, "qualityProfileId": 3, "seriesType": "daily", "seasonFolder": False}
    with _client_of(sonarr) as client:
        client.put(EDITOR, json={"seriesIds": ids, "rootFolderPath": "/more/", **settings})
        refused = client.put(EDITOR, json={"seriesIds": ids, "qualityProfileId": 99})
    show = sonarr.show(72716)
    assert {name: show[name] for name in settings} == settings
    assert show["path"] == "/more/QI"
    assert sonarr.labels_of(72716) == {"seen", "panel"}
    assert refused.json()[0]["errorMessage"] == "Quality Profile does not exist"


def test_auto_tagging_knows_more_conditions() -> None:
    """Type, status, language and (in version 5) network decide, too, and are listed."""
    rules = [
        ShowRule("running", ("running",), status="continuing"),
        ShowRule("german", ("german",), original_language="German", network="Netflix"),
        ShowRule("anime", ("anime",), series_type="anime"),
    ]
    sonarr = SonarrStandIn(LIBRARY, rules=rules)
    with _client_of(sonarr) as client:
        listed = client.get("/api/v3/autotagging").json()
    assert (sonarr.members("running"), sonarr.members("german"), sonarr.members("anime")) == ({72716}, {334824}, set())
    conditions = {condition["name"]: condition["fields"][0]["value"] for condition in listed[1]["specifications"]}
    assert conditions == {"OriginalLanguage": 4, "Network": "Netflix"}


# Lost updates


def test_a_refresh_loses_what_was_tagged_meanwhile() -> None:
    """The row that was read before the metadata server was asked is written whole afterwards."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        end = sonarr.start_refresh(334824)
        _edit(client, _ids(sonarr, 334824), [sonarr.tag_id("panel")])
        assert sonarr.members("panel") == {334824, 72716}
        end()
    assert sonarr.members("panel") == {72716}


def test_a_run_of_refreshes_brings_rows_back_from_its_beginning() -> None:
    """Tags and metadata both: the object that was loaded when the whole run began."""
    sonarr = SonarrStandIn(LIBRARY)
    end = sonarr.start_refresh_run()
    sonarr.tag_by_hand(334824, "late")
    sonarr.update_show(334824, overview="Newer.")
    sonarr.tag_by_hand(72716, "late")
    end(334824)
    assert sonarr.members("late") == {72716}
    assert sonarr.show(334824)["overview"] == DARK.overview


# What a tagger must not send


def test_a_whole_put_replaces_what_it_does_not_mention() -> None:
    """Without tags they are gone, without monitored it becomes false, without seasons there are none."""
    sonarr = SonarrStandIn(LIBRARY)
    (panel,) = _ids(sonarr, 72716)
    with _client_of(sonarr) as client:
        refused = client.put(f"{SERIES}/{panel}", json={"qualityProfileId": 1})
        saved = client.put(f"{SERIES}/{panel}", json={"path": "/tv/QI", "qualityProfileId": 2, "tvdbId": 72716})
        unknown = client.put(f"{SERIES}/99", json={"path": "/x", "qualityProfileId": 1})
    show = sonarr.show(72716)
    assert (refused.status_code, refused.json()[0]["propertyName"]) == (400, "Path")
    assert (saved.status_code, show["tags"], show["monitored"], show["seasons"]) == (202, [], False, [])
    assert (unknown.status_code, unknown.json()["message"]) == (404, "Series with ID 99 does not exist")
    assert len(sonarr.whole_saves) == 3


def test_a_stale_put_flips_episodes() -> None:
    """A season's flag that differs marks all its episodes anew: downloads may begin."""
    sonarr = SonarrStandIn(LIBRARY)
    body = sonarr.show(334824)
    body["seasons"][1]["monitored"] = False
    with _client_of(sonarr) as client:
        client.put(f"{SERIES}/{body['id']}", json=body)
    assert sonarr.flipped_seasons == [(334824, 2, False)]


def test_shows_can_be_deleted() -> None:
    """One, or several through the editor; an unknown one is 500 by the comparison of numbers, a senseless one 400."""
    sonarr = SonarrStandIn((*LIBRARY, LOST_PROFILE))
    dark, panel, lost = _ids(sonarr, 334824, 72716, LOST_PROFILE.tvdb_id)
    with _client_of(sonarr) as client:
        assert client.delete(f"{SERIES}/{dark}").status_code == 200
        assert client.delete(f"{SERIES}/{dark}").status_code == 500
        assert client.delete(f"{SERIES}/0").status_code == 400
        assert client.request("DELETE", EDITOR, json={"seriesIds": [panel, lost]}).status_code == 200
        assert client.get(SERIES).json() == []
    assert len(sonarr.deletions) == 4


def test_what_is_forbidden_is_counted() -> None:
    """A test can hold that none of it was sent: whole shows, deletions, edits that replace, however spelt."""
    sonarr = SonarrStandIn(LIBRARY)
    ids = _ids(sonarr, 334824)
    with _client_of(sonarr) as client:
        client.get(SERIES)
        client.post("/api/v3/tag", json={"label": "a"})
        client.delete("/api/v3/tag/1")
        client.put("/api/v3/tag/2", json={"label": "b"})
        _edit(client, ids, [1])
        _edit(client, ids, [1], "remove")
        assert sonarr.forbidden_calls == []
        _edit(client, ids, [1], "replace")
        client.put(EDITOR, json={"seriesIds": ids, "tags": [], "APPLYTAGS": 2})
        client.put(f"{SERIES}/{ids[0]}", json={})
        client.delete(f"{SERIES}/editor")
    assert (len(sonarr.replacements), len(sonarr.whole_saves), len(sonarr.deletions)) == (2, 1, 1)
    assert len(sonarr.forbidden_calls) == 4


def test_there_are_no_credits() -> None:
    """The path does not exist; that it was asked for is noted."""
    sonarr = SonarrStandIn(LIBRARY)
    with _client_of(sonarr) as client:
        answer = client.get("/api/v3/credit?movieId=1")
    assert (answer.status_code, answer.content) == (404, b"")
    assert len(sonarr.credit_reads) == 1


def test_large_libraries() -> None:
    """3,000 shows of several seasons are listed, and edited by the hundred."""
    sonarr = SonarrStandIn(
        ShowSeed(f"Show {n}", 1950 + n % 70, n, overview="x" * 200, seasons=4) for n in range(1, 3001)
    )
    with _client_of(sonarr) as client:
        shows = _shows(client)
        tag = client.post("/api/v3/tag", json={"label": "kai-noir"}).json()["id"]
        numbers = sorted(shows)[:100]
        assert _edit(client, [shows[number]["id"] for number in numbers], [tag]).status_code == 202
        again = _shows(client)
    assert len(shows) == 3000
    assert [number for number in sorted(again) if again[number]["tags"] == [tag]] == numbers
