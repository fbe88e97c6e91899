"""The API over real HTTP: keys, errors, runs, figures, Radarr's webhook, and many clients at once."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.daemon.living import KEY, daemon_beside, daemon_process, until
from tests.run.world import World, block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.daemon.living import Beside

WEBHOOK = "/api/v1/webhooks/radarr"
SONARR = "/api/v1/webhooks/sonarr"


def basic(password: str) -> dict[str, str]:
    """The header that Radarr sends for a user and a password."""
    return {"Authorization": "Basic " + b64encode(f"radarr:{password}".encode()).decode()}


async def test_only_ping_and_health_need_no_key(world: World) -> None:
    """Every documented path, and any other, is shut without the key or with a wrong one; no path is told apart.

    With a page it is the same, except that a browser without any key is sent to the sign-in.
    """
    for login in ("off", "password"):
        async with daemon_beside(world, environ={"WEB_LOGIN": login}) as here:
            await everything_is_shut(here, has_page=login != "off")


async def everything_is_shut(here: Beside, *, has_page: bool) -> None:
    """Try every path without the key and with wrong ones."""
    document = (await here.client.get("/api/v1/openapi.json")).json()
    paths = [
        *document["paths"],
        "/api/v1/openapi.json",
        "/",
        "/docs",
        "/redoc",
        "/nothing",
        "//ping",
        "/ping/",
        "/PING",
    ]
    wrong = [
        {},
        {"X-Api-Key": KEY[:-1]},
        {"X-Api-Key": ""},
        {"Authorization": "Bearer"},
        basic(KEY),
        {"X-Api-Key": "é"},
    ]

    async def refused(path: str, headers: dict[str, str], method: str) -> None:
        encoded = {name.encode(): value.encode() for name, value in headers.items()}
        answer = await here.bare.request(method, path, headers=encoded)
        if path in {"/ping", "/health"}:
            assert answer.status_code == (200 if method == "GET" else 405)
        elif has_page and not headers.get("X-Api-Key") and not path.startswith(("/api/v1/", "/metrics")):
            assert answer.status_code == 303, (method, path, headers)
            assert answer.headers["location"].startswith("/login")
        else:
            assert answer.status_code == 401, (method, path, headers)
            assert answer.json()["error"]

    # At once: after some wrong keys each further one is answered later.
    await asyncio.gather(
        *(
            refused(path, headers, method)
            for path in paths
            for headers in wrong
            if not (path in (WEBHOOK, SONARR) and headers.get("Authorization", "").startswith("Basic"))
            for method in ("GET", "POST")
        )
    )


async def test_each_way_to_send_the_key(here: Beside) -> None:
    """X-Api-Key and a bearer token open everything, a Basic password the webhooks only."""
    ways = [{"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer {KEY}"}]

    opened = [
        (await here.bare.request("GET", "/api/v1/status", headers=way)).status_code for way in [*ways, basic(KEY)]
    ]
    webhooks = [
        (await here.bare.request("POST", path, headers=way, json={"eventType": "Test"})).status_code
        for path in (WEBHOOK, SONARR)
        for way in [*ways, basic(KEY), basic("wrong"), {"Authorization": "Basic nonsense!"}]
    ]

    assert opened == [200, 200, 200, 401]
    assert webhooks == [200, 200, 200, 200, 401, 401] * 2


async def test_every_answer_is_safe_to_show(here: Beside) -> None:
    """Answers, refusals and errors alike tell browsers to guess, frame, load and keep nothing."""
    answers = [
        await here.client.get(path) for path in ("/ping", "/api/v1/status", "/nothing", "/metrics", "/api/v1/runs/x")
    ]
    answers.append(await here.bare.request("GET", "/api/v1/status"))

    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


async def test_a_run_from_start_to_end(here: Beside, world: World) -> None:
    """POST gives an id at once; the run can be read and watched while it is on, and its report when it has ended."""
    world.claude.latency = 0.5
    started = await here.client.post("/api/v1/runs", json={})
    run_id = started.json()["run_id"]
    during = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
    listed = (await here.client.get("/api/v1/runs")).json()
    second = await here.client.post("/api/v1/runs")
    events = [line async for line in here.events(f"/api/v1/runs/{run_id}/events")]
    await here.daemon.runs.ended()
    report = (await here.client.get(f"/api/v1/runs/{run_id}")).json()
    afterwards = [line async for line in here.events(f"/api/v1/runs/{run_id}/events")]

    assert started.status_code == 202
    assert (during["run_id"], during["status"], during["trigger"]) == (run_id, "running", "api")
    assert [run["run_id"] for run in listed] == [run_id]
    assert second.status_code == 409
    assert run_id in second.json()["error"]
    assert [data["step"] for name, data in events if name == "step"][:2] == [
        "Fetching the library",
        "Loading the collections",
    ]
    assert events[-1] == afterwards[0] == ("ended", events[-1][1])
    assert events[-1][1]["added"] == report["totals"]["added"] == len(report["collections"][0]["added"]) == 3
    assert report["headline"] == "All is well. 3 added in 1 collection."
    assert report["status"] == "finished"
    assert world.numbers("kai-noir") == {0, 1, 2}


async def test_options_of_a_run(here: Beside, world: World) -> None:
    """A dry run writes nothing; a named collection is the only one asked about; force_refresh asks again."""
    world.collections(block("Noir"), block("Heist"))
    await here.run(dry_run=True)
    assert world.numbers("kai-noir") == set()
    world.asked()
    await here.run(collections=["heist"], force_refresh=True)

    assert {name for name, _ in world.asked()} == {"Heist"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"collections": ["No such thing"]}, "There are: Noir"),
        ({"collections": "Noir"}, "collections"),
        ({"collections": [1]}, "collections.0"),
        ({"collections": [""]}, "collections.0"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"dryrun": True}, "dryrun"),
        ([], "body"),
        ("text", "body"),
    ],
)
async def test_bad_input_is_refused_with_its_reason(here: Beside, body: object, reason: str) -> None:
    """What cannot be meant is 422, names the field or the collection, and starts nothing."""
    refused = await here.client.post("/api/v1/runs", json=body)
    found = refused.json()

    assert refused.status_code == 422
    assert reason in found["error"] + found["remedy"]
    assert here.daemon.runs.current is None


@pytest.mark.parametrize("path", ["/api/v1/runs", WEBHOOK, SONARR])
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"dry_run":' * 50_000,
        b'{"dry_run": ' + b"9" * 100_000 + b"}",
        b'{"collections": ["\xff"]}',
        b'{"\\ud800": 1}',
        b'{"collections": ["\\ud800"]}',
        b"",
    ],
    ids=["deep list", "deep object", "long number", "no UTF-8", "half a pair", "half a pair in a name", "nothing"],
)
async def test_json_that_is_none(here: Beside, path: str, body: bytes) -> None:
    """Nonsensical JSON is refused like other bad input: with a status, the error and a remedy."""
    answer = await here.client.post(path, content=body, headers={"Content-Type": "application/json"})

    is_webhook = path in (WEBHOOK, SONARR)
    if body or is_webhook:
        assert answer.status_code in ({200, 422} if is_webhook else {422}), answer.text
    if answer.status_code == 422:
        assert answer.json()["error"]
        assert answer.json()["remedy"]


async def test_errors_are_json(here: Beside) -> None:
    """Unknown runs and paths, wrong methods, broken JSON and too much of it: each is a JSON object with `error`."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    many = {"Content-Type": "application/json"}
    answers = [
        (404, await here.client.get("/api/v1/runs/20260101-000000-abcd")),
        (404, await here.client.get("/api/v1/runs/..%2f..%2fapi_key")),
        (404, await here.client.get("/api/v1/runs/none/events")),
        (404, await here.client.get("/nothing")),
        (405, await here.client.delete("/api/v1/runs")),
        (422, await here.client.post("/api/v1/runs", content=b"{", headers=many)),
        (422, await here.client.get("/api/v1/runs?limit=0")),
        (422, await here.client.post(WEBHOOK, content=b"[" * 100_000)),
        (413, await here.client.post(WEBHOOK, content=b"x" * 2_000_000)),
        (413, await here.client.post(WEBHOOK, content=endless())),
        (422, await here.client.post(SONARR, content=b"[]")),
        (413, await here.client.put(SONARR, content=b"x" * 2_000_000)),
        (413, await here.client.post(SONARR, content=endless())),
        (413, await here.client.post("/api/v1/runs", content=endless(), headers=many)),
        (431, await here.client.get("/ping", headers={"X-Long": "x" * 20_000})),
    ]

    for status, answer in answers:
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]


async def test_radarrs_webhook(here: Beside, world: World) -> None:
    """Test and unknown events are answered and forgotten; added movies make one run for them, a moment after the last.

    So is a movie that TMDb does not know: it cannot take part.
    """

    async def send(kind: str, tmdb_id: object = 1001) -> dict[str, str]:
        movie = {"id": 1, "title": "Test Title", "tmdbId": tmdb_id}
        answer = await here.client.post(WEBHOOK, json={"eventType": kind, "movie": movie})
        assert answer.status_code == 200
        found: dict[str, str] = answer.json()
        return found

    ignored = [(await send(kind))["status"] for kind in ("Test", "Grab", "Health", "MovieDelete", "Invented")]
    assert ignored == ["OK", "ignored", "ignored", "ignored", "ignored"]
    await asyncio.sleep(0.4)
    assert here.daemon.runs.last is None
    strange = [(await send("MovieAdded", tmdb_id))["status"] for tmdb_id in (0, None, "x", True, -1, 2**40, [1])]
    assert strange == ["ignored"] * 7
    answers = [await send("MovieAdded"), await send("Download", "1001"), await send("MovieAdded", 1002.0)]
    assert [answer["status"] for answer in answers] == ["queued"] * 3
    assert here.daemon.runs.current is None
    await until(lambda: here.daemon.runs.last)
    await asyncio.sleep(0.4)

    (run,) = (await here.client.get("/api/v1/runs")).json()
    assert (run["outcome"], run["only_movies"]) == ("ok", 2)
    assert world.asked() == [("Noir", "Movie 1"), ("Noir", "Movie 2")]
    assert world.numbers("kai-noir") == {1, 2}


async def test_figures(here: Beside) -> None:
    """The metrics tell what a run did, all under one prefix; the status is flat."""
    await here.run()
    figures = (await here.client.get("/metrics")).text
    status = (await here.client.get("/api/v1/status")).json()
    series = [line for line in figures.splitlines() if not line.startswith("#")]

    assert all(line.startswith("kometa_ai_") for line in series)
    assert 'kometa_ai_runs_total{dry_run="false",outcome="ok"} 1.0' in series
    assert 'kometa_ai_tag_changes_total{collection="noir",operation="added"} 3.0' in series
    assert 'kometa_ai_collection_members{collection="noir"} 3.0' in series
    assert 'kometa_ai_model_calls_total{outcome="complete",provider="claude"} 1.0' in series
    assert 'kometa_ai_library_calls_total{kind="edit",library="radarr",outcome="202"} 1.0' in series
    assert any(line.startswith('kometa_ai_model_tokens_total{kind="output"}') for line in series)
    assert any(line.startswith("kometa_ai_next_run_timestamp_seconds 1") for line in series)
    assert any(line.startswith("kometa_ai_process_resident_memory_bytes") for line in series)
    assert status["members"] == 3
    assert not any(isinstance(value, dict | list) for value in status.values())


@pytest.mark.parametrize("prefix", ["/kometa-ai", ""])
async def test_behind_a_proxy(world: World, prefix: str) -> None:
    """With a URL base every path is there below it and without it, since some proxies take it away."""
    async with daemon_beside(world, environ={"HTTP_URL_BASE": "/kometa-ai"}) as here:
        ping = await here.bare.request("GET", f"{prefix}/ping")
        shut = await here.bare.request("GET", f"{prefix}/api/v1/status")
        opened = await here.client.get(f"{prefix}/api/v1/status")
        other = await here.bare.request("GET", "/kometa-ai2/ping")

    assert [answer.status_code for answer in (ping, shut, opened, other)] == [200, 401, 200, 303]
    assert other.headers["location"] == "/kometa-ai/login?next=/kometa-ai/kometa-ai2/ping"


async def test_many_clients_while_a_run_is_on(tmp_path: Path) -> None:
    """50 clients ask while a run of 1,000 movies is on: none gets an error, and nothing blocks the loop."""
    with World(tmp_path, movies(1000), radarr_credits="false") as world:
        world.collections(*(block(f"Collection {number}") for number in range(4)))
        async with daemon_beside(world) as here:
            assert (await here.client.post("/api/v1/runs")).status_code == 202
            asked, longest, busiest = 0, 0.0, 0.0

            async def client(number: int) -> None:
                nonlocal asked
                path = ("/ping", "/health", "/api/v1/status", "/api/v1/runs", "/metrics")[number % 5]
                while here.daemon.runs.current is not None:
                    assert (await here.client.get(path)).status_code == 200
                    asked += 1
                    await asyncio.sleep(0.1)

            async def guard() -> None:
                nonlocal longest, busiest
                while here.daemon.runs.current is not None:
                    started, spent = time.monotonic(), time.thread_time()
                    await asyncio.sleep(0.01)
                    longest = max(longest, time.monotonic() - started)
                    busiest = max(busiest, time.thread_time() - spent)

            await asyncio.gather(guard(), *(client(number) for number in range(50)))
            await here.daemon.runs.ended()
            report = here.daemon.runs.last

    assert report is not None
    assert report.asked == 4000
    assert asked >= 50
    # What the loop itself computes is the same on a busy machine; what it waits for is not.
    assert busiest < 1.0
    assert longest < 10


async def test_the_end_does_not_wait_for_clients(world: World) -> None:
    """Neither a client that keeps its connection nor one that never ends its request delays the end."""
    world.claude.latency = 0.3
    request = f"POST /api/v1/runs HTTP/1.1\r\nHost: x\r\nX-Api-Key: {KEY}\r\nContent-Length: 9\r\n\r\n{{"
    async with daemon_beside(world) as here:
        with socket.create_connection((here.client.base_url.host, here.client.base_url.port or 0)) as slow:
            slow.sendall(request.encode())
            run_id = (await here.client.post("/api/v1/runs")).json()["run_id"]
            watched = [event async for event in here.events(f"/api/v1/runs/{run_id}/events")]
            started = time.monotonic()
            here.daemon.stop(signal.SIGTERM)
            ended = await here.client.get("/ping")

    assert ended.status_code == 200
    assert watched[-1][0] == "ended"
    assert time.monotonic() - started < 1.5


async def test_the_document_describes_the_api(here: Beside) -> None:
    """The OpenAPI document names every path with its key, and nothing in it is loaded from elsewhere."""
    document = (await here.client.get("/api/v1/openapi.json")).json()

    assert set(document["paths"]) == {
        "/ping",
        "/health",
        "/metrics",
        "/api/v1/status",
        "/api/v1/runs",
        "/api/v1/runs/{run_id}",
        "/api/v1/runs/{run_id}/events",
        "/api/v1/runs/{run_id}/stop",
        "/api/v1/runs/{run_id}/undo",
        "/api/v1/events",
        "/api/v1/looks",
        "/api/v1/looks/{kind}",
        "/api/v1/collections/{key}/prompts",
        "/api/v1/collections",
        "/api/v1/collections/{key}",
        "/api/v1/collections/{key}/movies",
        "/api/v1/movies",
        "/api/v1/movies/{key}",
        "/api/v1/movies/{key}/poster",
        "/api/v1/pins",
        "/api/v1/pins/{collection}/{key}",
        "/api/v1/review",
        "/api/v1/review/answers",
        "/api/v1/review/answers/{answer_id}",
        "/api/v1/collections/{key}/trials",
        "/api/v1/trials/{trial_id}",
        "/api/v1/audits",
        "/api/v1/collections/{key}/what-if",
        "/api/v1/batches/cancel",
        "/api/v1/cache/posters",
        "/api/v1/spending",
        "/api/v1/settings",
        "/api/v1/logs",
        WEBHOOK,
        SONARR,
    }
    assert document["paths"][SONARR].keys() == {"post", "put"}
    assert "security" not in document["paths"]["/ping"]["get"]
    assert document["paths"]["/api/v1/runs"]["post"]["security"]
    assert (await here.client.get("/docs")).status_code == 404


async def test_a_body_of_another_type_starts_nothing(here: Beside) -> None:
    """Who forgets to say that it is JSON gets no real run in the place of the dry one they asked for."""
    body = b'{"dry_run": true}'
    types: list[dict[str, str]] = [
        {},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/x"},
    ]

    for headers in types:
        refused = await here.client.post("/api/v1/runs", content=body, headers=headers)
        assert refused.status_code == 422, headers
    assert here.daemon.runs.current is None
    assert here.daemon.runs.last is None


@pytest.mark.timeout(400)  # thousands of requests, which wait for those of other tests
def test_schemathesis_finds_nothing(world: World) -> None:
    """Requests made from the document, right ones and wrong ones: no 5xx, and every answer is as the document says.

    Only that a right request may be refused is left out: the document cannot know which collections there are. So is
    the stream of all runs, which never ends.
    """
    with daemon_process(world) as living:
        living.wait_for("daemon.ready")
        found = subprocess.run(  # noqa: S603 - a tool of ours
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{living.url}/api/v1/openapi.json"),
                *("--header", f"X-Api-Key: {KEY}", "--seed", "1", "--max-examples", "20", "--no-color"),
                *("--exclude-path", "/api/v1/events"),
                *("--phases", "examples,coverage,fuzzing", "--exclude-checks", "positive_data_acceptance"),
            ],
            cwd=world.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        errors = [line for line in living.lines if line["level"] == "error"]

    assert found.returncode == 0, found.stdout
    assert errors == []
