"""What Radarr and Sonarr have in common, asked of both, and of Sonarr's two versions."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest

from kometa_ai.standins import faults
from kometa_ai.standins.arr.faults import busy_writes, editor_dies_after, locked, not_ready
from kometa_ai.standins.radarr import API_KEY, AutoTagRule, MovieSeed, RadarrStandIn
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.standins.sonarr_seed import ShowRule, ShowSeed
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("Radarr", "Sonarr", "Sonarr v5")


@dataclass(frozen=True)
class Kind:
    """One of the services: its name, the path of its items, and how it is made with two items, 949 and 348."""

    service: str
    app_name: str
    items: str
    ids: str

    @property
    def editor(self) -> str:
        """The path of the bulk editor."""
        return f"/api/v3/{self.items}/editor"

    def make(self, **options: Any) -> RadarrStandIn | SonarrStandIn:
        """The service with its two items, the second with four tags."""
        tags = ("seen", "4k", "kids", "best")
        if self.app_name == "Radarr":
            movies = [MovieSeed("„Heat“", 1995, 949, overview="x"), MovieSeed("Alien", 1979, 348, tags=tags)]
            return RadarrStandIn(movies, **options)
        shows = [ShowSeed("„Dark“", 2017, 949, overview="x"), ShowSeed("Lost", 2004, 348, tags=tags)]
        line: Literal["v4", "v5"] = "v5" if self.service.endswith("v5") else "v4"
        return SonarrStandIn(shows, line=line, **options)

    def rule(self, tags: tuple[str, ...], **conditions: Any) -> Any:
        """An auto tagging rule."""
        return (AutoTagRule if self.app_name == "Radarr" else ShowRule)("rule", tags, **conditions)


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the services."""
    if request.param == "Radarr":
        return Kind(request.param, "Radarr", "movie", "movieIds")
    return Kind(request.param, "Sonarr", "series", "seriesIds")


@contextmanager
def _client_of(standin: RadarrStandIn | SonarrStandIn, key: str | None = API_KEY) -> Iterator[httpx2.Client]:
    headers = {} if key is None else {"X-Api-Key": key}
    with serve(standin.app) as url, httpx2.Client(verify=PLAIN, base_url=url, headers=headers, timeout=10) as client:
        yield client


def _item(standin: RadarrStandIn | SonarrStandIn, number: int) -> dict[str, Any]:
    return standin.movie(number) if isinstance(standin, RadarrStandIn) else standin.show(number)


def _post_tag(client: httpx2.Client, label: object) -> httpx2.Response:
    return client.post("/api/v3/tag", json={"label": label})


class Editing:
    """Bulk edits of one service by the numbers of items."""

    def __init__(self, kind: Kind, standin: RadarrStandIn | SonarrStandIn, client: httpx2.Client) -> None:
        self._kind = kind
        self._standin = standin
        self._client = client

    def __call__(self, numbers: list[int], tags: list[int], operation: str = "add") -> httpx2.Response:
        """Edit the tags of items."""
        ids = [_item(self._standin, number)["id"] for number in numbers]
        return self._client.put(self._kind.editor, json={self._kind.ids: ids, "tags": tags, "applyTags": operation})


# The way to an action


@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY.upper()])
def test_without_the_right_key_401_and_nothing_else(kind: Kind, key: str | None) -> None:
    """A missing and a wrong key look the same: 401, no body, no challenge; unknown paths included."""
    with _client_of(kind.make(), key) as client:
        for path in ("/api", f"/api/v3/{kind.items}", "/api/v3/no/such/thing"):
            answer = client.get(path)
            assert (answer.status_code, answer.content) == (401, b"")
            assert "WWW-Authenticate" not in answer.headers


def test_the_first_key_present_wins(kind: Kind) -> None:
    """Query before header before bearer token, even where the first is empty or wrong."""
    with _client_of(kind.make(), None) as client:
        assert client.get(f"/api?ApiKey={API_KEY}").status_code == 200
        assert client.get("/api", headers={"Authorization": f"Bearer {API_KEY}"}).status_code == 200
        assert client.get("/api?apikey=", headers={"X-Api-Key": API_KEY}).status_code == 401


def test_the_order_is_401_then_redirect_then_503(kind: Kind) -> None:
    """What a client learns first: its key, then its URL, then that the program, which it names, is not ready."""
    standin = kind.make(url_base="Media/")
    standin.behaviour.starting_up = True
    with _client_of(standin) as client:
        assert client.get("/api/v3/tag", headers={"X-Api-Key": "no"}).status_code == 401
        moved = client.get("/api/v3/tag?x=1")
        assert (moved.status_code, moved.headers["Location"]) == (307, "/Media/api/v3/tag?x=1")
        starting = client.get("/media/API/v3/Tag/")
        assert starting.status_code == 503
        assert starting.json() == {"errorMessage": f"{kind.app_name} is starting up, please try again later"}
        standin.behaviour.starting_up = False
        assert client.get("/MEDIA/API/v3/System/Status").json()["urlBase"] == "/Media"
        standin.faults.inject(not_ready())
        assert client.get("/media/api/v3/tag").json() == starting.json()


@pytest.mark.parametrize("ui_auth", ["none", "forms"])
def test_a_wrong_url_base_is_answered_by_the_web_interface(kind: Kind, ui_auth: str) -> None:
    """Without a URL base a path with one gets 200 and HTML, or the log-in page by way of a redirect; 405 for a PUT."""
    with _client_of(kind.make(ui_auth=ui_auth)) as client:
        if ui_auth == "forms":
            answer = client.get("/media/api/v3/tag")
            assert (answer.status_code, answer.headers["Location"]) == (
                302,
                "/login?returnUrl=%2Fmedia%2Fapi%2Fv3%2Ftag",
            )
        page = client.get("/media/api/v3/tag", follow_redirects=True)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert f"<title>{kind.app_name}</title>" in page.text
        assert client.put(f"/media{kind.editor}", json={}).status_code == 405


def test_unknown_paths_and_methods_have_no_body(kind: Kind) -> None:
    """404 for a path that does not exist (as with a doubled /api/v3), 405 with Allow for a method."""
    with _client_of(kind.make()) as client:
        doubled = client.get(f"/api/v3/api/v3/{kind.items}")
        assert (doubled.status_code, doubled.content) == (404, b"")
        patch = client.patch(kind.editor, json={})
        assert (patch.status_code, patch.content) == (405, b"")
        assert "PUT" in patch.headers["Allow"]


def test_how_json_is_sent(kind: Kind) -> None:
    """Indented, raw UTF-8, in chunks without a length, compressed only on request, with the version in a header."""
    with _client_of(kind.make()) as client:
        path = f"/api/v3/{kind.items}?tmdbId=949&tvdbId=949"
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        status = client.get("/api/v3/system/status").json()
    assert plain.text.startswith('[\n  {\n    "title": "„')
    assert plain.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert list(plain.json()[0])[-1] == "id"
    assert None not in plain.json()[0].values()
    assert (status["appName"], status["version"]) == (kind.app_name, plain.headers["X-Application-Version"])
    assert plain.headers["Cache-Control"] == "no-cache, no-store"


def test_a_client_that_accepts_no_json_gets_406(kind: Kind) -> None:
    """The action is carried out all the same, since only its answer cannot be written."""
    standin = kind.make()
    with _client_of(standin) as client:
        answer = client.post("/api/v3/tag", json={"label": "a"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content) == (406, b"")
    assert "a" in standin.labels


def test_the_probe_needs_no_key(kind: Kind) -> None:
    """/ping is for everybody."""
    with _client_of(kind.make(), None) as client:
        assert client.get("/ping").json() == {"status": "OK"}
        assert client.head("/ping").status_code == 200


# Tags


def test_labels_are_stored_in_lower_case(kind: Kind) -> None:
    """A new label comes back in lower case with 201 and an absolute Location; posted again, it is the same tag."""
    with _client_of(kind.make()) as client:
        first = _post_tag(client, "KAI-film-noir")
        assert (first.status_code, first.json()) == (201, {"label": "kai-film-noir", "id": 5})
        assert first.headers["Location"] == client.base_url.join("/api/v3/tag/5")
        again = _post_tag(client, "kai-film-noir")
        assert (again.status_code, again.json()) == (201, {"label": "kai-film-noir", "id": 5})


@pytest.mark.parametrize(("database", "status"), [("sqlite", 409), ("postgres", 500)])
def test_the_upper_case_trap(kind: Kind, database: str, status: int) -> None:
    """A label in upper case whose lower-case twin exists is a conflict, or an error, never the existing tag."""
    with _client_of(kind.make(database=database)) as client:
        _post_tag(client, "kai-noir")
        answer = _post_tag(client, "KAI-noir")
        assert answer.status_code == status
        assert f"   at {kind.app_name}.Api.V3." in answer.json()["description"]


def test_a_race_for_a_new_tag_has_a_loser(kind: Kind) -> None:
    """The loser of the race between look-up and insert gets the conflict even with the right case."""
    standin = kind.make()
    standin.behaviour.before_tag_insert = lambda: standin.tag_by_hand(949, "kai-noir")
    with _client_of(standin) as client:
        assert _post_tag(client, "kai-noir").status_code == 409


def test_a_tag_in_use_cannot_be_deleted(kind: Kind) -> None:
    """409 while an item or a setting has it, 200 without a body afterwards, then 404; 400 for a senseless id."""
    standin = kind.make(tags_in_settings=["fast"])
    with _client_of(standin) as client:
        tag = standin.tag_id("seen")
        details = client.get(f"/api/v3/tag/detail/{tag}").json()
        assert details[kind.ids] == [_item(standin, 348)["id"]]
        kept = client.delete(f"/api/v3/tag/{tag}")
        assert kept.status_code == 409
        assert kept.json()["message"] == f"Tag with ID {tag} 'seen' cannot be deleted since it's still in use"
        assert client.delete(f"/api/v3/tag/{standin.tag_id('fast')}").status_code == 409
        standin.untag_by_hand(348, "seen")
        gone = client.delete(f"/api/v3/tag/{tag}")
        assert (gone.status_code, gone.content) == (200, b"")
        assert client.delete(f"/api/v3/tag/{tag}").status_code == 404
        assert client.delete("/api/v3/tag/0").status_code == 400


def test_a_renamed_tag_stays_on_its_items(kind: Kind) -> None:
    """202 and the new label everywhere; an existing label is a conflict, an unknown id 404."""
    standin = kind.make()
    with _client_of(standin) as client:
        tag = standin.tag_id("seen")
        assert client.put(f"/api/v3/tag/{tag}", json={"label": "Watched"}).status_code == 202
        assert "watched" in standin.labels_of(348)
        assert client.put(f"/api/v3/tag/{tag}", json={"label": "4k"}).status_code == 409
        assert client.put("/api/v3/tag/99", json={"label": "new"}).status_code == 404


def test_housekeeping_deletes_unused_tags_for_good(kind: Kind) -> None:
    """A tag without users vanishes; made again it has a new id, and its old id is accepted and means nothing."""
    standin = kind.make(rules=[kind.rule(("target",), genres=("None",), tag="condition")])
    with _client_of(standin) as client:
        old = _post_tag(client, "kai-noir").json()["id"]
        standin.housekeeping()
        assert standin.labels == {"seen", "4k", "kids", "best", "target", "condition"}
        assert _post_tag(client, "kai-noir").json()["id"] > old
        assert Editing(kind, standin, client)([949], [old]).status_code == 202
        assert standin.labels_of(949) == set()
        assert old in _item(standin, 949)["tags"]


# The bulk editor


def test_the_editor_adds_removes_and_replaces(kind: Kind) -> None:
    """Union, difference, or exactly these; answered with 202 and the items in the order of the database."""
    standin = kind.make()
    with _client_of(standin) as client:
        edit = Editing(kind, standin, client)
        new, seen = _post_tag(client, "new").json()["id"], standin.tag_id("seen")
        answer = edit([348, 949], [new])
        assert answer.status_code == 202
        assert [item["id"] for item in answer.json()] == [_item(standin, number)["id"] for number in (949, 348)]
        assert standin.members("NEW") == {949, 348}
        edit([348], [new, seen], "remove")
        assert standin.labels_of(348) == {"4k", "kids", "best"}
        edit([348], [seen], "replace")
        assert standin.labels_of(348) == {"seen"}


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({}, {"seen", "new"}),
        ({"applyTags": "ADD"}, {"seen", "new"}),
        ({"applyTags": 1}, {"seen"}),
        ({"ApplyTags": "Replace"}, {"new"}),
        ({"applyTags": 7, "unknown": None}, {"seen"}),
        ({"tags": ["6"]}, {"seen", "new"}),
        ({"tags": None}, {"seen"}),
    ],
)
def test_the_editor_reads_leniently(kind: Kind, fields: dict[str, object], labels: set[str]) -> None:
    """No operation means add; enumerations in any case or as numbers; numbers as text; names in any case."""
    standin = kind.make()
    standin.tag_by_hand(949, "seen")
    with _client_of(standin) as client:
        _post_tag(client, "other")
        assert _post_tag(client, "new").json()["id"] == 6
        body = {kind.ids.lower(): [_item(standin, 949)["id"]], "TAGS": [6]}
        if "tags" in fields:
            del body["TAGS"]
        assert client.put(kind.editor, json={**body, **fields}).status_code == 202
    assert standin.labels_of(949) == labels


@pytest.mark.parametrize(("wrong", "rows", "found"), [([1, 2, 99], 3, 2), ([1, 1, 2], 3, 2)])
def test_one_wrong_id_fails_the_whole_edit(kind: Kind, wrong: list[int], rows: int, found: int) -> None:
    """A missing item and one named twice give the same 500, and nothing is saved."""
    standin = kind.make()
    with _client_of(standin) as client:
        answer = client.put(kind.editor, json={kind.ids: wrong, "tags": [1]})
    assert answer.status_code == 500
    assert answer.json()["message"] == f"Expected query to return {rows} rows but returned {found}"
    assert standin.members("seen") == {348}


def test_edits_without_items(kind: Kind) -> None:
    """No list is an error of the program's, an empty list is no error at all."""
    with _client_of(kind.make()) as client:
        empty = client.put(kind.editor, json={kind.ids: [], "tags": [1]})
        assert (empty.status_code, empty.json()) == (202, [])
        missing = client.put(kind.editor, json={"tags": [1]})
        assert missing.status_code == 500
        assert missing.json()["message"] == "Value cannot be null. (Parameter 'source')"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"tags": ["x"]}', b'{"applyTags": "delete"}'])
def test_bodies_that_cannot_be_read(kind: Kind, body: bytes) -> None:
    """The framework refuses them with ProblemDetails; another content type gets 415."""
    with _client_of(kind.make()) as client:
        refused = client.put(kind.editor, content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["status"]) == (400, 400)
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        text = client.put(kind.editor, content=b"{}", headers={"Content-Type": "text/plain"})
        assert text.status_code == 415


def test_edits_in_parallel_lose_one(kind: Kind) -> None:
    """Two edits of one item at the same time both succeed, and one of the tags is missing."""
    standin = kind.make()
    both = threading.Barrier(2)
    standin.behaviour.before_save = lambda: both.wait(10)
    with _client_of(standin) as client:
        edit = Editing(kind, standin, client)
        tags = [_post_tag(client, label).json()["id"] for label in ("one", "two")]
        other = threading.Thread(target=edit, args=[[949], tags[:1]])
        other.start()
        assert edit([949], tags[1:]).status_code == 202
        other.join(10)
    assert len(standin.labels_of(949)) == 1


def test_auto_tagging_undoes_an_edit_in_the_same_answer(kind: Kind) -> None:
    """Rules are applied at every save: a target that does not match goes again, within the same 202."""
    rule = kind.rule(("kai-noir",), remove_tags_automatically=True, genres=("Western",))
    standin = kind.make(rules=[rule])
    with _client_of(standin) as client:
        noir = standin.tag_id("kai-noir")
        (answer,) = Editing(kind, standin, client)([949], [noir]).json()
        (listed,) = client.get("/api/v3/autotagging").json()
    assert answer["tags"] == []
    assert (listed["tags"], listed["removeTagsAutomatically"]) == ([noir], True)
    assert [condition["implementation"] for condition in listed["specifications"]] == ["GenreSpecification"]


def test_a_rebuilt_database_gives_old_ids_to_other_items(kind: Kind) -> None:
    """All ids are new, the old ones mislead, and tags are what they were."""
    standin = kind.make()
    before = [_item(standin, number)["id"] for number in (949, 348)]
    standin.rebuild()
    after = [_item(standin, number)["id"] for number in (949, 348)]
    assert set(after) == set(before)
    assert all(now != was for now, was in zip(after, before, strict=True))
    assert standin.labels_of(348) == {"seen", "4k", "kids", "best"}


# What goes wrong


def test_the_database_is_locked_now_and_then(kind: Kind) -> None:
    """500 with that message on reads and writes, after which nothing has happened."""
    standin = kind.make()
    standin.faults.inject(locked(), method="PUT", path="*/editor")
    standin.faults.inject(locked(), method="GET", path=f"/api/v3/{kind.items}")
    with _client_of(standin) as client:
        edit = Editing(kind, standin, client)
        answer = edit([949], [1])
        assert answer.status_code == 500
        assert answer.json()["message"].startswith("database is locked")
        assert "X-Application-Version" not in answer.headers
        assert standin.members("seen") == {348}
        assert edit([949], [1]).status_code == 202
        assert [client.get(f"/api/v3/{kind.items}").status_code for _ in range(2)] == [500, 200]


def test_an_edit_dies_half_way(kind: Kind) -> None:
    """500 for the edit that dies, and the rows that it did not reach are as they were; the next edit goes through."""
    standin = kind.make()
    standin.faults.inject(editor_dies_after(1))
    with _client_of(standin) as client:
        answer = Editing(kind, standin, client)([949, 348], [standin.tag_id("seen")], "remove")
        again = Editing(kind, standin, client)([949], [standin.tag_id("seen")])
    assert (answer.status_code, again.status_code) == (500, 202)
    assert standin.members("seen") == {949, 348}


def test_a_save_without_a_transaction_keeps_its_first_rows(kind: Kind) -> None:
    """The first of two items has the new tag after the failure; version 5 of Sonarr takes it back."""
    standin = kind.make()
    standin.faults.inject(editor_dies_after(1))
    with _client_of(standin) as client:
        assert Editing(kind, standin, client)([949, 348], [standin.tag_id("4k")]).status_code == 500
    assert standin.labels_of(949) == (set() if kind.service == "Sonarr v5" else {"4k"})


def test_a_busy_database_is_waited_for_or_not(kind: Kind) -> None:
    """Version 5 of Sonarr tries to save four times; what gives up at once has saved nothing here."""
    standin = kind.make()
    with _client_of(standin) as client:
        edit = Editing(kind, standin, client)
        standin.faults.inject(busy_writes(3), method="PUT")
        assert edit([949], [1]).status_code == (202 if kind.service == "Sonarr v5" else 500)
        standin.faults.inject(busy_writes(4), method="PUT")
        assert edit([949], [1], "remove").status_code == 500


def test_connections_and_answers_break(kind: Kind) -> None:
    """Dropped before or after the deed, delayed, torn in the middle with 200, or answered by a proxy."""
    standin = kind.make()
    path = f"/api/v3/{kind.items}"
    with _client_of(standin) as client:
        for effect, label in ((faults.drop(), "never"), (faults.drop_after_applying(), "done")):
            standin.faults.inject(effect, method="POST")
            with pytest.raises(httpx2.RemoteProtocolError):
                _post_tag(client, label)
        standin.faults.inject(faults.truncate(100), path=path)
        with pytest.raises(httpx2.RemoteProtocolError):
            client.get(path, headers={"Accept-Encoding": "identity"})
        standin.faults.inject(faults.delay(3600), path=path)
        with pytest.raises(httpx2.ReadTimeout):
            client.get(path, timeout=0.1)
        standin.faults.inject(faults.html_page(), path=path)
        assert client.get(path).headers["Content-Type"].startswith("text/html")
        assert len(client.get(path).json()) == 2
    assert standin.labels & {"never", "done"} == {"done"}


def test_the_request_log(kind: Kind) -> None:
    """Every request is there as it came, with lower-case header names, decoded body and the status it got."""
    standin = kind.make()
    with _client_of(standin) as client:
        client.get(f"/api/v3/{kind.items}", params={"a": "b"})
        client.put(kind.editor, json={kind.ids: [1]})
        client.put(kind.editor, content=b"{oops", headers={"Content-Type": "application/json"})
    (read,) = standin.list_reads
    assert (read.method, read.query, read.body, read.headers["x-api-key"]) == ("GET", {"a": "b"}, None, API_KEY)
    assert [call.body for call in standin.editor_calls] == [{kind.ids: [1]}, "{oops"]
    assert [call.status for call in standin.writes] == [202, 400]


def test_settings_that_others_read_first(kind: Kind) -> None:
    """Kometa asks for folders and profiles when it connects, in its own spelling; each item's are among them."""
    standin = kind.make()
    with _client_of(standin) as client:
        folders = [folder["path"] for folder in client.get("/api/v3/rootFolder").json()]
        profiles = {profile["id"]: profile["name"] for profile in client.get("/api/v3/qualityProfile").json()}
        exclusions = "exclusions" if kind.app_name == "Radarr" else "importlistexclusion"
        excluded = client.get(f"/api/v3/{exclusions}").json()
        page = client.get(f"/api/v3/{exclusions}/paged").json()
    assert folders == [_item(standin, 949)["rootFolderPath"]]
    assert profiles[4] == "HD-1080p"
    assert _item(standin, 949)["qualityProfileId"] in profiles
    assert (excluded, page["records"]) == ([], [])


def test_what_is_not_there_is_an_error_of_the_test(kind: Kind) -> None:
    """Asking for an item or tag that does not exist fails loudly."""
    standin = kind.make()
    with pytest.raises(KeyError):
        standin.labels_of(1)
    with pytest.raises(KeyError):
        standin.tag_id("none")
    assert standin.members("none") == set()
