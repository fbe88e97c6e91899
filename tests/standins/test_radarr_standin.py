from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest

from kometa_ai.standins import faults
from kometa_ai.standins.radarr import (
    API_KEY,
    AutoTagRule,
    MovieSeed,
    RadarrStandIn,
    Translation,
    editor_dies_after,
    locked,
    not_ready,
)
from kometa_ai.standins.serving import serve
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAT = MovieSeed(
    "Heat",
    1995,
    949,
    imdb_id="tt0113277",
    overview="Ein Überfall und „die Action“.",
    genres=("Crime", "Drama"),
    keywords=("bank robbery",),
    directors=("Michael Mann",),
    cast=("Al Pacino", "Robert De Niro", "Val Kilmer", "Jon Voight", "Tom Sizemore", "Amy Brenneman"),
    alternate_titles=("Heat - Fiebre",),
    collection=("Heat Collection", 1),
    translations={4: Translation("Heat (DE)", "Deutsch"), 2: Translation("Heat (FR)", "")},
)
ALIEN = MovieSeed("Alien", 1979, 348, genres=("Horror",), tags=("seen", "4k", "kids", "best"))
UNKNOWN = MovieSeed("Nothing known", tmdb_id=7, has_file=False, status="deleted", dangling_tags=(901,), runtime=0)
LIBRARY = (HEAT, ALIEN, UNKNOWN)

EDITOR = "/api/v3/movie/editor"


@contextmanager
def _client_of(radarr: RadarrStandIn, key: str | None = API_KEY) -> Iterator[httpx2.Client]:
    headers = {} if key is None else {"X-Api-Key": key}
    with serve(radarr.app) as url, httpx2.Client(verify=PLAIN, base_url=url, headers=headers, timeout=10) as client:
        yield client


def _id_of(radarr: RadarrStandIn, tmdb_id: int) -> int:
    movie_id = radarr.movie(tmdb_id)["id"]
    assert isinstance(movie_id, int)
    return movie_id


def _ids(radarr: RadarrStandIn, *tmdb_ids: int) -> list[int]:
    return [_id_of(radarr, tmdb_id) for tmdb_id in tmdb_ids]


def _edit(client: httpx2.Client, movie_ids: list[int], tags: list[int], operation: str = "add") -> httpx2.Response:
    return client.put(EDITOR, json={"movieIds": movie_ids, "tags": tags, "applyTags": operation})


def _post_tag(client: httpx2.Client, label: object) -> httpx2.Response:
    return client.post("/api/v3/tag", json={"label": label})


# Key, URL base, probes


@pytest.mark.parametrize("key", [None, "", "wrong", API_KEY.upper()])
@pytest.mark.parametrize("path", ["/api", "/api/v3/movie", "/api/v3/no/such/thing"])
def test_without_the_right_key_401_and_nothing_else(path: str, key: str | None) -> None:
    """A missing and a wrong key look the same: 401, no body, no challenge; unknown paths included."""
    with _client_of(RadarrStandIn(), key) as client:
        answer = client.get(path)
    assert (answer.status_code, answer.content) == (401, b"")
    assert "WWW-Authenticate" not in answer.headers


def test_the_first_key_present_wins() -> None:
    """Query before header before bearer token, even where the first is empty or wrong."""
    with _client_of(RadarrStandIn(), None) as client:

        def status(path: str, **headers: str) -> int:
            return client.get(path, headers=headers).status_code

        assert status(f"/api?apikey={API_KEY}") == 200
        assert status(f"/api?ApiKey={API_KEY}") == 200
        assert status("/api", Authorization=f"Bearer {API_KEY}") == 200
        assert client.get("/api?apikey=", headers={"X-Api-Key": API_KEY}).status_code == 401
        wrong_first = {"X-Api-Key": "no", "Authorization": f"Bearer {API_KEY}"}
        assert client.get("/api", headers=wrong_first).status_code == 401


def test_the_order_is_401_then_redirect_then_503() -> None:
    """What a client learns first: its key, then its URL, then that Radarr is not ready."""
    radarr = RadarrStandIn(url_base="Radarr/")
    radarr.behaviour.starting_up = True
    with _client_of(radarr) as client:
        assert client.get("/api/v3/tag", headers={"X-Api-Key": "no"}).status_code == 401
        moved = client.get("/api/v3/tag?x=1&y=ü")
        assert (moved.status_code, moved.headers["Location"]) == (307, "/Radarr/api/v3/tag?x=1&y=%C3%BC")
        assert client.get("/radarr/movies").text == "Radarr is starting up, please try again later"
        starting = client.get("/radarr/API/v3/Tag/")
        assert starting.status_code == 503
        assert starting.json() == {"errorMessage": "Radarr is starting up, please try again later"}
        radarr.behaviour.starting_up = False
        assert client.get("/RADARR/API/v3/Tag/").json() == []
        assert client.get("/ping").status_code == 307
        assert client.get("/radarr/api/v3/system/status").json()["urlBase"] == "/Radarr"


def test_a_wrong_url_base_is_answered_by_the_web_interface() -> None:
    """Without a URL base a path with one gets 200 and HTML, or the log-in page by way of a redirect."""
    for ui_auth in ("none", "forms"):
        mode: Literal["none", "forms"] = "none" if ui_auth == "none" else "forms"
        with _client_of(RadarrStandIn(ui_auth=mode)) as client:
            if mode == "forms":
                answer = client.get("/radarr/api/v3/movie")
                assert answer.status_code == 302
                assert answer.headers["Location"] == "/login?returnUrl=%2Fradarr%2Fapi%2Fv3%2Fmovie"
            page = client.get("/radarr/api/v3/movie", follow_redirects=True)
            assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            refused = client.put("/radarr/api/v3/movie/editor", json={})
            assert (refused.status_code, refused.content) == (405, b"")


def test_unknown_paths_and_methods_have_no_body() -> None:
    """404 for a path that does not exist (as with a doubled /api/v3), 405 with Allow for a method."""
    with _client_of(RadarrStandIn()) as client:
        assert client.get("/robots.txt").status_code == 404
        doubled = client.get("/api/v3/api/v3/movie")
        assert (doubled.status_code, doubled.content) == (404, b"")
        patch = client.patch("/api/v3/movie/editor", json={})
        assert (patch.status_code, patch.content) == (405, b"")
        assert "PUT" in patch.headers["Allow"]


def test_the_probes() -> None:
    """/ping for everybody, /api and the status with a key; nulls are absent."""
    with _client_of(RadarrStandIn(database="postgres")) as client:
        assert client.get("/ping", headers={"X-Api-Key": ""}).json() == {"status": "OK"}
        assert client.head("/ping").status_code == 200
        assert client.get("/api").json() == {"current": "v3", "deprecated": []}
        answer = client.get("/api/v3/system/status")
        status = answer.json()
        assert (status["appName"], status["databaseType"], status["urlBase"]) == ("Radarr", "postgreSQL", "")
        assert "packageUpdateMechanismMessage" not in status
        assert answer.headers["X-Application-Version"] == status["version"]
        assert answer.headers["Cache-Control"] == "no-cache, no-store"


def test_how_json_is_sent() -> None:
    """Indented, raw UTF-8, in chunks without a length, and compressed only on request."""
    with _client_of(RadarrStandIn([HEAT])) as client:
        plain = client.get("/api/v3/movie", headers={"Accept-Encoding": "identity"})
        packed = client.get("/api/v3/movie", headers={"Accept-Encoding": "gzip"})
    assert plain.text.startswith('[\n  {\n    "title": "Heat",\n')
    assert "„die Action“" in plain.text
    assert plain.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in plain.headers
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()


def test_a_client_that_accepts_no_json_gets_406() -> None:
    """The action is carried out all the same, since only its answer cannot be written."""
    radarr = RadarrStandIn()
    with _client_of(radarr) as client:
        answer = client.post("/api/v3/tag", json={"label": "a"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.content) == (406, b"")
    assert radarr.labels == {"a"}


# Tags


def test_labels_are_stored_in_lower_case() -> None:
    """A new label comes back in lower case with 201 and an absolute Location; posted again, it is the same tag."""
    with _client_of(RadarrStandIn()) as client:
        first = _post_tag(client, "KAI-film-noir")
        assert (first.status_code, first.json()) == (201, {"label": "kai-film-noir", "id": 1})
        assert first.headers["Location"] == client.base_url.join("/api/v3/tag/1")
        again = _post_tag(client, "kai-film-noir")
        assert (again.status_code, again.json()) == (201, {"label": "kai-film-noir", "id": 1})


@pytest.mark.parametrize(
    ("database", "status", "message"),
    [("sqlite", 409, "constraint failed\nUNIQUE constraint failed: Tags.Label"), ("postgres", 500, "23505: duplicate")],
)
def test_the_upper_case_trap(database: Literal["sqlite", "postgres"], status: int, message: str) -> None:
    """A label in upper case whose lower-case twin exists is a conflict, or an error, never the existing tag."""
    with _client_of(RadarrStandIn(database=database)) as client:
        _post_tag(client, "kai-noir")
        answer = _post_tag(client, "KAI-noir")
        assert answer.status_code == status
        assert answer.json()["message"].startswith(message)
        assert "   at " in answer.json()["description"]
        assert len(client.get("/api/v3/tag").json()) == 1


def test_a_race_for_a_new_tag_has_a_loser() -> None:
    """Who loses the race between look-up and insert gets the conflict even with the right case."""
    radarr = RadarrStandIn()
    with _client_of(radarr) as client:
        radarr.behaviour.before_tag_insert = lambda: radarr.tag_by_hand(949, "kai-noir")
        radarr.add_movie(HEAT)
        assert _post_tag(client, "kai-noir").status_code == 409


@pytest.mark.parametrize("label", ["film noir", "film_noir", "a:b", "a.b", "größe", "\u212aai"])
def test_version_6_refuses_other_characters(label: str) -> None:
    """A list of validation failures with FluentValidation's names; version 5 takes what is not empty."""
    with _client_of(RadarrStandIn()) as client:
        answer = _post_tag(client, label)
        (failed,) = answer.json()
        assert answer.status_code == 400
        assert failed["propertyName"] == "Label"
        assert failed["errorMessage"] == "Allowed characters a-z, 0-9 and -"
        assert failed["attemptedValue"] == label
        assert (failed["errorCode"], failed["severity"]) == ("RegularExpressionValidator", "error")
    with _client_of(RadarrStandIn(label_rules="v5")) as client:
        assert _post_tag(client, label).json()["label"] == label.lower()


def test_empty_labels() -> None:
    """Refused since version 5.22 with 'must not be empty'; before, even that passes."""
    for rules in ("v6", "v5"):
        with _client_of(RadarrStandIn(label_rules="v6" if rules == "v6" else "v5")) as client:
            assert _post_tag(client, "").json()[0]["errorMessage"] == "'Label' must not be empty."
            assert "attemptedValue" not in _post_tag(client, None).json()[0]
    with _client_of(RadarrStandIn(label_rules="none")) as client:
        assert _post_tag(client, "").status_code == 201
        assert _post_tag(client, None).status_code == 500


def test_tags_are_listed_by_label_with_details() -> None:
    """The list is sorted by label; details name the movies."""
    radarr = RadarrStandIn(LIBRARY, tags_in_settings=["fast"])
    with _client_of(radarr) as client:
        assert [tag["label"] for tag in client.get("/api/v3/tag").json()] == ["4k", "best", "fast", "kids", "seen"]
        details = {detail["label"]: detail for detail in client.get("/api/v3/tag/detail").json()}
        assert details["seen"]["movieIds"] == _ids(radarr, 348)
        assert details["fast"]["notificationIds"] == [1]
        one = client.get(f"/api/v3/tag/detail/{radarr.tag_id('seen')}").json()
        assert one == details["seen"]
        assert client.get("/api/v3/tag/detail/999").status_code == 404
        assert client.get(f"/api/v3/tag/{one['id']}").json() == {"label": "seen", "id": one["id"]}
        assert client.get("/api/v3/tag/999").headers["Content-Type"].startswith("application/problem+json")


def test_a_tag_in_use_cannot_be_deleted() -> None:
    """409 while a movie or a setting has it, 200 without a body afterwards, then 404; 400 for a senseless id."""
    radarr = RadarrStandIn(LIBRARY, tags_in_settings=["fast"])
    with _client_of(radarr) as client:
        tag = radarr.tag_id("seen")
        kept = client.delete(f"/api/v3/tag/{tag}")
        assert kept.status_code == 409
        assert kept.json()["message"] == f"Tag with ID {tag} 'seen' cannot be deleted since it's still in use"
        assert client.delete(f"/api/v3/tag/{radarr.tag_id('fast')}").status_code == 409
        radarr.untag_by_hand(348, "seen")
        gone = client.delete(f"/api/v3/tag/{tag}")
        assert (gone.status_code, gone.content) == (200, b"")
        assert client.delete(f"/api/v3/tag/{tag}").json()["message"] == f"Tag with ID {tag} does not exist"
        senseless = client.delete("/api/v3/tag/0")
        assert senseless.status_code == 400
        assert senseless.json() == {"message": "BadRequest: 0 is not a valid ID", "content": "0 is not a valid ID"}


def test_a_renamed_tag_stays_on_its_movies() -> None:
    """202 and the new label everywhere; an existing label is a conflict, an unknown id 404."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        tag = radarr.tag_id("seen")
        renamed = client.put(f"/api/v3/tag/{tag}", json={"label": "Watched"})
        assert (renamed.status_code, renamed.json()) == (202, {"label": "watched", "id": tag})
        assert "watched" in radarr.labels_of(348)
        assert client.put(f"/api/v3/tag/{tag}", json={"label": "4k"}).status_code == 409
        assert client.put("/api/v3/tag/99", json={"label": "new"}).status_code == 404


def test_housekeeping_deletes_unused_tags_for_good() -> None:
    """A tag without users vanishes; made again it has a new id, and its old id is accepted and means nothing."""
    radarr = RadarrStandIn(LIBRARY, rules=[AutoTagRule("r", ("target",), genres=("None",), tag="condition")])
    with _client_of(radarr) as client:
        old = _post_tag(client, "kai-noir").json()["id"]
        radarr.housekeeping()
        assert radarr.labels == {"seen", "4k", "kids", "best", "target", "condition"}
        new = _post_tag(client, "kai-noir").json()["id"]
        assert new > old
        assert _edit(client, _ids(radarr, 949), [old]).status_code == 202
        assert radarr.labels_of(949) == set()
        assert old in radarr.movie(949)["tags"]


# Movies


def test_the_movie_list_leaves_nulls_out_and_id_last() -> None:
    """Every movie, in the order of the database; what is unknown is absent."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        heat, alien, unknown = client.get("/api/v3/movie?excludeLocalCovers=true").json()
    assert list(heat)[-1] == "id"
    assert (heat["title"], heat["tmdbId"], heat["genres"]) == ("Heat", 949, ["Crime", "Drama"])
    assert heat["collection"] == {"title": "Heat Collection", "tmdbId": 1}
    assert heat["hasFile"]
    assert heat["movieFile"]["movieId"] == heat["id"]
    assert sorted(alien["tags"]) == sorted(map(radarr.tag_id, ALIEN.tags))
    assert {"overview", "imdbId", "collection", "movieFile", "inCinemas"}.isdisjoint(unknown)
    assert (unknown["year"], unknown["status"], unknown["tags"]) == (0, "deleted", [901])
    assert None not in [*heat.values(), *alien.values(), *unknown.values()]


def test_the_three_numbers_of_a_movie_differ() -> None:
    """Radarr's id, the metadata id and the TMDb id of a movie are never the same number."""
    seeds = [MovieSeed(f"Movie {number}", 2000, number) for number in (1, 2, 3, 4, 40_003, 40_005)]
    radarr = RadarrStandIn(seeds)
    with _client_of(radarr) as client:
        for movie in client.get("/api/v3/movie").json():
            radarr.update_movie(movie["tmdbId"], cast=("Somebody",))
            (credit,) = client.get(f"/api/v3/credit?movieId={movie['id']}").json()
            assert len({movie["id"], movie["tmdbId"], credit["movieMetadataId"]}) == 3


def test_the_order_of_tags_means_nothing() -> None:
    """The same tags come in different orders."""
    with _client_of(RadarrStandIn([ALIEN])) as client:
        orders = {tuple(client.get("/api/v3/movie").json()[0]["tags"]) for _ in range(30)}
    assert len(orders) > 1
    assert len({frozenset(order) for order in orders}) == 1


def test_one_movie_by_tmdb_id() -> None:
    """An array of one movie or of none, never 404; a value that is no number is the framework's 400."""
    with _client_of(RadarrStandIn(LIBRARY)) as client:
        assert [movie["title"] for movie in client.get("/api/v3/movie?tmdbId=348").json()] == ["Alien"]
        assert client.get("/api/v3/movie?tmdbId=1").json() == []
        refused = client.get("/api/v3/movie?tmdbId=abc")
        assert refused.status_code == 400
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        assert refused.json()["errors"] == {"tmdbId": ["The value 'abc' is not valid."]}
        assert client.get("/api/v3/movie?excludeLocalCovers=1").status_code == 400


def test_local_covers_cost_time_and_can_be_left_out() -> None:
    """Without local covers images have only a remote URL; with them the list is slow where the disk is."""
    radarr = RadarrStandIn(LIBRARY)
    radarr.behaviour.local_covers_delay = 3600
    with _client_of(radarr) as client:
        fast = client.get("/api/v3/movie?excludeLocalCovers=True").json()
        assert all("url" not in image for movie in fast for image in movie["images"])
        with pytest.raises(httpx2.ReadTimeout):
            client.get("/api/v3/movie", timeout=0.1)
        radarr.behaviour.local_covers_delay = 0
        slow = client.get("/api/v3/movie").json()
        assert all("url" in image for movie in slow for image in movie["images"])


def test_languages() -> None:
    """`languageId` chooses title and overview, an empty overview included; else it is the user's; unknown ids break."""
    radarr = RadarrStandIn(LIBRARY)
    radarr.behaviour.ui_language = 4
    with _client_of(radarr) as client:

        def heat(query: str) -> tuple[str, str]:
            movie = client.get(f"/api/v3/movie?tmdbId=949{query}").json()[0]
            return movie["title"], movie["overview"]

        assert heat("") == heat("&languageId=0") == ("Heat (DE)", "Deutsch")
        assert heat("&languageId=1") == ("Heat", HEAT.overview)
        assert heat("&languageId=2") == ("Heat (FR)", "")
        assert heat("&languageId=3") == ("Heat", HEAT.overview)
        single = client.get(f"/api/v3/movie/{_id_of(radarr, 949)}?languageId=1").json()
        assert single["title"] == "Heat (DE)"
        assert client.get("/api/v3/movie?languageId=99").status_code == 500


def test_the_list_follows_every_change() -> None:
    """What is remembered for speed never shows: tags, metadata, refreshes, additions and removals appear at once."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:

        def movies() -> dict[int, dict[str, Any]]:
            return {movie["tmdbId"]: movie for movie in client.get("/api/v3/movie").json()}

        before = movies()
        radarr.tag_by_hand(949, "New")
        radarr.update_movie(348, overview="In space", monitored=False, tags=("only",))
        radarr.remove_movie(7)
        radarr.add_movie(MovieSeed("Ronin", 1998, 8195))
        radarr.refresh()
        after = movies()
    assert after[949]["tags"] == [radarr.tag_id("new")]
    assert (after[348]["overview"], after[348]["monitored"]) == ("In space", False)
    assert radarr.labels_of(348) == {"only"}
    assert set(after) == {949, 348, 8195}
    assert before[949]["ratings"] != after[949]["ratings"]
    assert before[949]["popularity"] != after[949]["popularity"]


def test_single_movies() -> None:
    """The same resource as in the list; ProblemDetails for an id without a movie, no route for what is no id."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        assert client.get(f"/api/v3/movie/{_id_of(radarr, 949)}").json() == radarr.movie(949)
        missing = client.get("/api/v3/movie/999")
        assert missing.status_code == 404
        assert {"type", "title", "status", "traceId"} <= set(missing.json())
        assert client.get("/api/v3/movie/abc").content == b""


def test_a_full_put_replaces_what_it_does_not_mention() -> None:
    """Without tags they are wiped, without monitored it becomes true; without a path it is refused."""
    radarr = RadarrStandIn([ALIEN])
    radarr.update_movie(348, monitored=False)
    with _client_of(radarr) as client:
        path = f"/api/v3/movie/{_id_of(radarr, 348)}"
        refused = client.put(path, json={"title": "Alien"})
        assert (refused.status_code, refused.json()[0]["propertyName"]) == (400, "Path")
        saved = client.put(path, json={"path": "/movies/Alien", "qualityProfileId": "2"})
        assert saved.status_code == 202
        movie = radarr.movie(348)
        assert (movie["tags"], movie["monitored"], movie["qualityProfileId"]) == ([], True, 2)
        unknown = client.put("/api/v3/movie/99", json={"path": "/x", "qualityProfileId": 1})
        assert unknown.json()["message"] == "Movie with ID 99 does not exist"


def test_movies_can_be_deleted() -> None:
    """One, or several through the editor: the calls a tagger must never make."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        assert client.delete(f"/api/v3/movie/{_id_of(radarr, 949)}").status_code == 200
        assert client.delete("/api/v3/movie/1").status_code == 404
        assert client.delete("/api/v3/movie/0").status_code == 400
        body = {"movieIds": _ids(radarr, 348, 7)}
        assert client.request("DELETE", EDITOR, json=body).status_code == 200
        assert client.get("/api/v3/movie").json() == []


def test_a_rebuilt_database_gives_old_ids_to_other_movies() -> None:
    """All ids are new, the old ones mislead, and tags and settings are what they were."""
    radarr = RadarrStandIn(LIBRARY)
    before = {tmdb_id: radarr.movie(tmdb_id) for tmdb_id in (949, 348, 7)}
    tags = {label: radarr.tag_id(label) for label in radarr.labels}
    radarr.rebuild()
    after = {tmdb_id: radarr.movie(tmdb_id) for tmdb_id in before}
    assert {movie["id"] for movie in after.values()} == {movie["id"] for movie in before.values()}
    assert all(after[tmdb_id]["id"] != before[tmdb_id]["id"] for tmdb_id in before)
    assert all(radarr.tag_id(label) != tag for label, tag in tags.items())
    assert radarr.labels_of(348) == set(ALIEN.tags)
    assert radarr.movie(7)["tags"] == []


# Credits


def test_credits_of_a_movie() -> None:
    """Cast has a character, crew a job; rows are not in order, and directors have other jobs beside."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        rows = client.get(f"/api/v3/credit?movieId={_id_of(radarr, 949)}").json()
    cast = [row for row in rows if row["type"] == "cast"]
    crew = [row for row in rows if row["type"] == "crew"]
    assert tuple(row["personName"] for row in sorted(cast, key=lambda row: row["order"])) == HEAT.cast
    assert tuple(row["personName"] for row in cast) != HEAT.cast
    assert all("character" in row and "job" not in row and "department" not in row for row in cast)
    assert all("job" in row and "department" in row and "character" not in row for row in crew)
    assert [row["personName"] for row in crew if row["job"] == "Director"] == ["Michael Mann"]
    assert {row["job"] for row in crew if row["personName"] == "Michael Mann"} == {"Director", "Screenplay"}
    assert len({row["creditTmdbId"] for row in rows}) == len({row["id"] for row in rows}) == len(rows)
    assert {len(row["images"]) for row in rows} == {0, 1}
    assert list(rows[0])[-1] == "id"


def test_the_three_forms_of_credits() -> None:
    """By movie (404 for an unknown one), by metadata id (empty for an unknown one, and it goes first), and all."""
    radarr = RadarrStandIn([HEAT, MovieSeed("Ronin", 1998, 8195, cast=("Jean Reno",)), UNKNOWN])
    with _client_of(radarr) as client:
        heat, ronin, unknown = _ids(radarr, 949, 8195, 7)
        (reno,) = client.get(f"/api/v3/credit?movieId={ronin}").json()
        by_metadata = client.get(f"/api/v3/credit?movieMetadataId={reno['movieMetadataId']}&movieId={heat}").json()
        assert by_metadata == [reno]
        assert client.get("/api/v3/credit?movieMetadataId=1").json() == []
        assert client.get(f"/api/v3/credit?movieId={unknown}").json() == []
        missing = client.get("/api/v3/credit?movieId=99")
        assert (missing.status_code, missing.json()["message"]) == (404, "Movie with ID 99 does not exist")
        everything = client.get("/api/v3/credit").json()
        assert len(everything) == 1 + len(client.get(f"/api/v3/credit?movieId={heat}").json())
        assert client.get(f"/api/v3/credit/{reno['id']}").json() == reno
        assert client.get("/api/v3/credit/1").status_code == 404
    assert len(radarr.credit_reads) == 7


def test_a_movie_just_added_has_no_credits_yet() -> None:
    """Credits come with the first refresh."""
    radarr = RadarrStandIn()
    with _client_of(radarr) as client:
        path = f"/api/v3/credit?movieId={radarr.add_movie(MovieSeed('A', 1, 2, cast=('B',), credits_known=False))}"
        assert client.get(path).json() == []
        radarr.update_movie(2, credits_known=True)
        assert len(client.get(path).json()) == 1


# The bulk editor


def test_the_editor_adds_removes_and_replaces() -> None:
    """Union, difference, or exactly these; answered with 202 and the movies in the order of the database."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        new, seen = _post_tag(client, "new").json()["id"], radarr.tag_id("seen")
        answer = _edit(client, _ids(radarr, 348, 949), [new])
        assert answer.status_code == 202
        assert [movie["tmdbId"] for movie in answer.json()] == [949, 348]
        assert radarr.members("NEW") == {949, 348}
        _edit(client, _ids(radarr, 348), [new, seen], "remove")
        assert radarr.labels_of(348) == {"4k", "kids", "best"}
        _edit(client, _ids(radarr, 348), [seen], "replace")
        assert radarr.labels_of(348) == {"seen"}
        client.put(EDITOR, json={"movieIds": _ids(radarr, 348), "applyTags": "replace"})
        assert radarr.labels_of(348) == {"seen"}
        _edit(client, _ids(radarr, 348), [], "replace")
        assert radarr.labels_of(348) == set()


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({}, {"seen", "new"}),
        ({"applyTags": "ADD"}, {"seen", "new"}),
        ({"applyTags": 1}, {"seen"}),
        ({"applyTags": "2"}, {"new"}),
        ({"ApplyTags": "Replace"}, {"new"}),
        ({"applyTags": 7, "unknown": None}, {"seen"}),
        ({"tags": ["2"]}, {"seen", "new"}),
    ],
)
def test_the_editor_reads_leniently(fields: dict[str, object], labels: set[str]) -> None:
    """No operation means add; enumerations in any case or as numbers; numbers as text; names in any case."""
    radarr = RadarrStandIn([MovieSeed("Alien", 1979, 348, tags=("seen",))])
    with _client_of(radarr) as client:
        assert _post_tag(client, "new").json()["id"] == 2
        assert client.put(EDITOR, json={"movieids": _ids(radarr, 348), "TAGS": [2], **fields}).status_code == 202
    assert radarr.labels_of(348) == labels


def test_the_editors_answer_lacks_what_it_lacks() -> None:
    """No hasFile, statistics, sizeOnDisk and root folder, but local cover URLs."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        (edited,) = _edit(client, _ids(radarr, 949), []).json()
    assert set(radarr.movie(949)) - set(edited) == {"hasFile", "statistics", "sizeOnDisk", "rootFolderPath"}
    assert "url" in edited["images"][0]


@pytest.mark.parametrize(("wrong", "rows", "found"), [([1, 2, 99], 3, 2), ([1, 1, 2], 3, 2)])
def test_one_wrong_id_fails_the_whole_edit(wrong: list[int], rows: int, found: int) -> None:
    """A missing movie and one named twice give the same 500, and nothing is saved."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        answer = _edit(client, wrong, [1])
    assert answer.status_code == 500
    assert answer.json()["message"] == f"Expected query to return {rows} rows but returned {found}"
    assert radarr.members("seen") == {348}


def test_edits_without_movies() -> None:
    """No list is an error of Radarr's, an empty list is no error at all."""
    with _client_of(RadarrStandIn(LIBRARY)) as client:
        assert _edit(client, [], [1]).json() == []
        missing = client.put(EDITOR, json={"tags": [1]})
        assert missing.status_code == 500
        assert missing.json()["message"] == "Value cannot be null. (Parameter 'source')"
        assert "\\u0027source\\u0027" in missing.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"movieIds": ["x"]}', b'{"applyTags": "delete"}', b'{"applyTags": null}']
)
def test_bodies_that_cannot_be_read(body: bytes) -> None:
    """The framework refuses them with ProblemDetails; another content type gets 415."""
    with _client_of(RadarrStandIn(LIBRARY)) as client:
        refused = client.put(EDITOR, content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.json()["status"]) == (400, 400)
        assert refused.headers["Content-Type"].startswith("application/problem+json")
        text = client.put(EDITOR, content=b"{}", headers={"Content-Type": "text/plain"})
        assert text.status_code == 415


def test_the_editor_can_change_settings_too() -> None:
    """Other fields are applied if sent, and checked."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        settings = {"monitored": False, "qualityProfileId": 3, "minimumAvailability": "announced"}
        client.put(EDITOR, json={"movieIds": _ids(radarr, 949), **settings})
        assert {name: radarr.movie(949)[name] for name in settings} == settings
        refused = client.put(EDITOR, json={"movieIds": _ids(radarr, 949), "qualityProfileId": 99})
        assert refused.json()[0]["propertyName"] == "QualityProfileId"


def test_an_edit_overwrites_what_the_user_did_meanwhile() -> None:
    """Whole rows are written: a user's change between the editor's read and write is lost."""
    radarr = RadarrStandIn([HEAT])

    def user() -> None:
        radarr.tag_by_hand(949, "meanwhile")
        radarr.update_movie(949, monitored=False)

    with _client_of(radarr) as client:
        tag = _post_tag(client, "kai-noir").json()["id"]
        radarr.tag_by_hand(949, "before")
        radarr.behaviour.before_save = user
        _edit(client, _ids(radarr, 949), [tag])
    assert radarr.labels_of(949) == {"before", "kai-noir"}
    assert radarr.movie(949)["monitored"] is True


def test_edits_in_parallel_lose_one() -> None:
    """Two edits of one movie at the same time both succeed, and one of the tags is missing."""
    radarr = RadarrStandIn([HEAT])
    both = threading.Barrier(2)
    radarr.behaviour.before_save = lambda: both.wait(10)
    with _client_of(radarr) as client:
        tags = [_post_tag(client, label).json()["id"] for label in ("one", "two")]
        movies = _ids(radarr, 949)
        other = threading.Thread(target=_edit, args=[client, movies, tags[:1]])
        other.start()
        assert _edit(client, movies, tags[1:]).status_code == 202
        other.join(10)
    assert len(radarr.labels_of(949)) == 1


def test_a_finished_import_brings_an_old_row_back() -> None:
    """A writer that holds the row from before undoes our tag."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        finish = radarr.start_import(949)
        _edit(client, _ids(radarr, 949), [_post_tag(client, "kai-noir").json()["id"]])
        assert radarr.members("kai-noir") == {949}
        finish()
    assert radarr.members("kai-noir") == set()


def test_auto_tagging_undoes_an_edit_in_the_same_answer() -> None:
    """Rules are applied at every save: removals, then additions; only their own tags are touched."""
    rules = [
        AutoTagRule("never", ("kai-noir",), remove_tags_automatically=True, genres=("Western",)),
        AutoTagRule("always", ("kai-crime",), genres=("CRIME",), years=(1990, 1999)),
        AutoTagRule("follows", ("big",), tag="seen"),
    ]
    radarr = RadarrStandIn(LIBRARY, rules=rules)
    assert radarr.labels_of(949) == {"kai-crime"}
    assert "big" in radarr.labels_of(348)
    with _client_of(radarr) as client:
        noir, crime, seen = map(radarr.tag_id, ("kai-noir", "kai-crime", "seen"))
        (added,) = _edit(client, _ids(radarr, 949), [noir]).json()
        assert added["tags"] == [crime]
        assert added["rootFolderPath"] == "/movies"
        (removed,) = _edit(client, _ids(radarr, 949), [crime], "remove").json()
        assert removed["tags"] == [crime]
        listed = client.get("/api/v3/autotagging").json()
        assert [(rule["tags"], rule["removeTagsAutomatically"]) for rule in listed[:2]] == [
            ([noir], True),
            ([crime], False),
        ]
        assert listed[2]["specifications"][0]["fields"][0]["value"] == seen
        in_list = {detail["label"]: detail["autoTagIds"] for detail in client.get("/api/v3/tag/detail").json()}
        assert (in_list["seen"], in_list["kai-noir"]) == ([3], [1])
        assert client.get(f"/api/v3/tag/detail/{seen}").json()["autoTagIds"] == []


# The stand-in's own answers


def test_what_is_not_there_is_an_error_of_the_test() -> None:
    """Asking for a movie or tag that does not exist, or adding a movie twice, fails loudly."""
    radarr = RadarrStandIn(LIBRARY)
    with pytest.raises(KeyError):
        radarr.labels_of(1)
    with pytest.raises(KeyError):
        radarr.tag_id("none")
    with pytest.raises(ValueError, match="already"):
        radarr.add_movie(HEAT)
    assert radarr.members("none") == set()


# What goes wrong


def test_the_database_is_locked_now_and_then() -> None:
    """500 with that message on reads and writes, after which nothing has happened."""
    radarr = RadarrStandIn(LIBRARY)
    radarr.faults.inject(locked(), method="PUT", path="*/editor")
    radarr.faults.inject(locked(), method="GET", path="/api/v3/movie", skip=1, times=2)
    with _client_of(radarr) as client:
        answer = _edit(client, _ids(radarr, 949), [1])
        assert answer.status_code == 500
        assert answer.json()["message"].startswith("database is locked")
        assert "X-Application-Version" not in answer.headers
        assert radarr.members("seen") == {348}
        assert _edit(client, _ids(radarr, 949), [1]).status_code == 202
        assert [client.get("/api/v3/movie").status_code for _ in range(5)] == [200, 500, 500, 200, 200]


def test_an_edit_can_die_half_way() -> None:
    """Without a transaction the rows before the failure stay saved."""
    radarr = RadarrStandIn(LIBRARY)
    radarr.faults.inject(editor_dies_after(2))
    with _client_of(radarr) as client:
        assert _edit(client, _ids(radarr, 949, 348, 7), [radarr.tag_id("seen")]).status_code == 500
    assert radarr.members("seen") == {949, 348}


def test_radarr_not_ready_needs_the_right_key_to_be_seen() -> None:
    """401 before 503."""
    radarr = RadarrStandIn()
    radarr.faults.inject(not_ready(), times=None)
    with _client_of(radarr) as client:
        assert client.get("/api", headers={"X-Api-Key": "no"}).status_code == 401
        assert client.get("/api").status_code == 503
        radarr.faults.clear()
        assert client.get("/api").status_code == 200


def test_dropped_connections() -> None:
    """Nothing is answered; whether the request was carried out is another question."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        for effect, label in ((faults.drop(), "never"), (faults.drop_after_applying(), "done")):
            radarr.faults.inject(effect, method="POST")
            with pytest.raises(httpx2.RemoteProtocolError):
                _post_tag(client, label)
    assert radarr.labels == {"done"}
    assert [request.status for request in radarr.requests] == [None, None]


def test_a_delayed_request_is_carried_out_later() -> None:
    """A delay comes before the request has any effect."""
    radarr = RadarrStandIn()
    with _client_of(radarr) as client:
        radarr.faults.inject(faults.delay(0.05), method="POST")
        assert _post_tag(client, "late").status_code == 201
        radarr.faults.inject(faults.delay(3600), method="POST")
        with pytest.raises(httpx2.ReadTimeout):
            client.post("/api/v3/tag", json={"label": "never"}, timeout=0.1)
    assert radarr.labels == {"late"}


def test_a_late_answer_to_what_was_done() -> None:
    """A client that times out has changed something all the same."""
    radarr = RadarrStandIn([HEAT])
    with _client_of(radarr) as client:
        tag = _post_tag(client, "kai-noir").json()["id"]
        radarr.faults.inject(faults.delay_answer(3600), method="PUT")
        with pytest.raises(httpx2.ReadTimeout):
            client.put(EDITOR, json={"movieIds": _ids(radarr, 949), "tags": [tag]}, timeout=0.2)
        assert radarr.members("kai-noir") == {949}
        radarr.faults.inject(faults.delay_answer(0.01))
        assert client.get("/ping").json() == {"status": "OK"}


def test_truncated_lists() -> None:
    """The status says 200, and the body ends too early."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        for keep in (0, 100, 10_000_000):
            radarr.faults.inject(faults.truncate(keep))
            with pytest.raises(httpx2.RemoteProtocolError):
                client.get("/api/v3/movie", headers={"Accept-Encoding": "identity"})
        assert len(client.get("/api/v3/movie").json()) == 3


def test_answers_of_proxies() -> None:
    """HTML with 200 or 502 and redirects come before everything, even without a key."""
    radarr = RadarrStandIn()
    for effect in (faults.html_page(), faults.bad_gateway(), faults.redirect("https://login.example.org/")):
        radarr.faults.inject(effect, path="/api/*")
    radarr.faults.inject(faults.answer(429, "[]", "application/json", Retry_After="5"))
    with _client_of(radarr, None) as client:
        answers = [client.get("/api/v3/movie") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 502, 302, 429]
    assert answers[0].headers["Content-Type"].startswith("text/html")
    assert answers[2].headers["Location"] == "https://login.example.org/"
    assert answers[3].headers["Retry-After"] == "5"


def test_the_request_log() -> None:
    """Every request is there as it came, with lower-case header names, decoded body and the status it got."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        client.get("/api/v3/movie", params={"excludeLocalCovers": "true"})
        _edit(client, [1], [2])
        client.put(EDITOR, content=b"{oops", headers={"Content-Type": "application/json"})
    (read,) = radarr.list_reads
    assert (read.method, read.path, read.query) == ("GET", "/api/v3/movie", {"excludeLocalCovers": "true"})
    assert (read.body, read.headers["x-api-key"]) == (None, API_KEY)
    assert [call.body for call in radarr.editor_calls] == [
        {"movieIds": [1], "tags": [2], "applyTags": "add"},
        "{oops",
    ]
    assert [call.status for call in radarr.writes] == [202, 400]
    assert radarr.requests[0].at < radarr.requests[1].at


@pytest.mark.no_cover
def test_large_libraries() -> None:
    """10,000 movies are listed, and edited by the hundred."""
    radarr = RadarrStandIn(MovieSeed(f"Movie {n}", 1950 + n % 70, n, overview="x" * 200) for n in range(1, 10_001))
    with _client_of(radarr) as client:
        movies = client.get("/api/v3/movie?excludeLocalCovers=true").json()
        tag = _post_tag(client, "kai-noir").json()["id"]
        assert _edit(client, [movie["id"] for movie in movies[:100]], [tag]).status_code == 202
        again = client.get("/api/v3/movie?excludeLocalCovers=true").json()
    assert len(movies) == 10_000
    assert [movie for movie in again if movie["tags"]] == [{**movie, "tags": [tag]} for movie in movies[:100]]


@pytest.mark.parametrize("path", ["rootFolder", "rootfolder", "qualityProfile", "exclusions"])
def test_settings_that_others_read_first(path: str) -> None:
    """Kometa asks for folders, profiles and exclusions when it connects; the profile of each movie is among them."""
    radarr = RadarrStandIn(LIBRARY)
    with _client_of(radarr) as client:
        found = client.get(f"/api/v3/{path}")
        movies = client.get("/api/v3/movie").json()
        refused = client.post(f"/api/v3/{path}", json={})
        page = client.get("/api/v3/exclusions/paged?page=2").json()
    assert (found.status_code, refused.status_code) == (200, 405)
    if path.lower() == "rootfolder":
        assert {movie["rootFolderPath"] for movie in movies} == {folder["path"] for folder in found.json()}
    if path == "qualityProfile":
        profiles = {profile["id"]: profile["name"] for profile in found.json()}
        assert profiles[4] == "HD-1080p"
        assert {movie["qualityProfileId"] for movie in movies} <= profiles.keys()
    assert isinstance(found.json(), list)
    assert (page["page"], page["totalRecords"], page["records"]) == (2, 0, [])


def test_answers_that_arrive_changed_or_not_at_all() -> None:
    """A body may be rewritten on its way, and a proxy may answer for a request that was carried out."""
    radarr = RadarrStandIn(LIBRARY)
    radarr.faults.inject(faults.rewrite(lambda body: body.replace(b"Heat", b"H\\ud800t")), path="/api/v3/movie")
    radarr.faults.inject(faults.answer_instead(504), path=EDITOR)
    with _client_of(radarr) as client:
        listed = client.get("/api/v3/movie").content
        tag = _post_tag(client, "kai-noir").json()["id"]
        edited = _edit(client, _ids(radarr, 949), [tag])
    assert b"H\\ud800t" in listed
    assert edited.status_code == 504
    assert radarr.labels_of(949) == {"kai-noir"}
