"""A daemon with two Radarrs and a Sonarr: what status, health, history and figures say of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import Response
from structlog.testing import capture_logs

from kometa_ai.app import session_of
from kometa_ai.daemon.watch import Watch
from kometa_ai.standins.faults import Effect, answer
from tests.daemon.living import daemon_beside, until
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.daemon.living import Beside


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Six films, three of them in 4K, too, five shows, and two collections of one name."""
    films = movies(6)
    with Home(tmp_path, films, films[:3], shows(5)) as made:
        made.collections(block("Christmas"))
        made.collections(block("Christmas", media="shows"), file="shows.yml")
        made.believe("Christmas", range(2))
        made.believe_shows("Christmas", range(4))
        yield made


async def values(here: Beside) -> dict[tuple[str, ...], float]:
    """Every figure by its name and the values of its labels in alphabetical order of the labels."""
    text = (await here.client.get("/metrics")).text
    return {
        (
            sample.name.removeprefix("kometa_ai_"),
            *(sample.labels[label] for label in sorted(sample.labels)),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def words(here: Beside, path: str = "/api/v1/status") -> tuple[str, str]:
    """What is said of Radarr and of Sonarr."""
    said: dict[str, Any] = (await here.client.get(path)).json()
    return said["radarr"], said["sonarr"]


async def test_status_tells_of_both_kinds(home: Home) -> None:
    """Movies and shows are counted apart, collections of one name are two, and all members count."""
    async with daemon_beside(home) as here:
        await until(lambda: "unknown" not in here.daemon.watch.words.values())
        await here.run()
        status = (await here.client.get("/api/v1/status")).json()
        health = (await here.client.get("/health")).json()

    assert (status["radarr"], status["sonarr"]) == (health["radarr"], health["sonarr"]) == ("ok", "ok")
    assert (status["movies"], status["shows"]) == (9, 5)
    assert (status["collections"], status["members"]) == (2, 6)
    assert not any(isinstance(value, dict | list) for value in status.values())


async def test_figures_tell_libraries_and_collections_apart(home: Home) -> None:
    """Items, calls and services are labelled by library, everything about a collection by its key."""
    async with daemon_beside(home) as here:
        await until(lambda: "unknown" not in here.daemon.watch.words.values())
        await here.run()
        found = await values(here)

    libraries = ("radarr", "radarr-4k", "sonarr")
    assert [found["library_items", library] for library in libraries] == [6, 3, 5]
    assert [found["service_up", service] for service in (*libraries, "claude")] == [1, 1, 1, 1]
    assert [found["library_calls_total", "edit", library, "202"] for library in libraries] == [1, 1, 1]
    assert [found["collection_members", key] for key in ("christmas", "show:christmas")] == [2, 4]
    assert [found["tag_changes_total", key, "added"] for key in ("christmas", "show:christmas")] == [2, 4]
    assert [found["verdicts_total", key] for key in ("christmas", "show:christmas")] == [6, 5]
    for name in ("model_cost_usd_total", "collection_asking_seconds_count", "collection_asking_seconds_sum"):
        assert found[name, "show:christmas"] > 0
        assert found[name, "christmas"] > 0


async def test_runs_tell_costs_by_key(home: Home) -> None:
    """What two collections of one name have cost is told apart in the list of runs."""
    async with daemon_beside(home) as here:
        run_id = await here.run()
        (run,) = (await here.client.get("/api/v1/runs")).json()
        report = (await here.client.get(f"/api/v1/runs/{run_id}")).json()

    costs = run["collection_cost_usd"]
    assert costs.keys() == {"christmas", "show:christmas"}
    assert sum(costs.values()) == pytest.approx(run["cost_usd"])
    assert [library["name"] for library in report["libraries"]] == ["radarr", "radarr-4k", "sonarr"]


def once_all_are_asked(name: str, asked: set[str], count: int) -> Effect:
    """A library answers when so many have been asked, and cannot be used before that."""

    def around(app: ASGIApp) -> ASGIApp:
        async def call(scope: Scope, receive: Receive, send: Send) -> None:
            asked.add(name)
            with anyio.move_on_after(3):
                while len(asked) < count:  # noqa: ASYNC110 - they live in loops of their own
                    await anyio.sleep(0.02)
            await (app if len(asked) == count else Response(status_code=503))(scope, receive, send)

        return call

    return Effect(around)


async def test_all_libraries_are_looked_at_side_by_side(home: Home) -> None:
    """None waits for another one's answer."""
    asked: set[str] = set()
    for name, service in home.services.items():
        service.faults.inject(once_all_are_asked(name, asked, len(home.services)), path="*", times=None)
    watch = Watch(session_of(home.settings))

    await watch.look()

    assert watch.words == {"radarr": "ok", "radarr-4k": "ok", "sonarr": "ok", "claude": "ok"}


@pytest.mark.parametrize(
    ("down", "said"),
    [("radarr", ("down", "ok")), ("radarr-4k", ("down", "ok")), ("sonarr", ("ok", "down"))],
)
async def test_one_that_is_down_at_the_start_is_a_warning(home: Home, down: str, said: tuple[str, str]) -> None:
    """The daemon starts all the same and is in order; the worst of a service's instances counts."""
    home.services[down].faults.inject(answer(401), path="*", times=None)
    with capture_logs() as log:
        async with daemon_beside(home) as here:
            await until(lambda: any(line["event"] == "daemon.ready" for line in log))
            told = await words(here)
            health = await here.client.get("/health")
            found = await values(here)

    assert here.code == 0
    assert told == said
    assert health.status_code == 200
    assert [found["service_up", service] for service in home.services] == [service != down for service in home.services]
    (line,) = [line for line in log if line["event"] == "service.down"]
    assert line["log_level"] == "warning"
    assert line["remedy"]


async def test_a_run_tells_which_library_is_down(home: Home) -> None:
    """A library that a run could not use is down in the status at once, and up again after one that could."""
    async with daemon_beside(home) as here:
        await until(lambda: "unknown" not in here.daemon.watch.words.values())
        home.sonarr.faults.inject(answer(401), path="*", times=None)
        await here.run()
        down, last = await words(here, "/health"), here.daemon.runs.last
        home.sonarr.faults.clear()
        await here.run()
        up = await words(here, "/health")

    assert last is not None
    assert (last.outcome, last.exit_code) == ("problems", 1)
    assert (down, up) == (("ok", "down"), ("ok", "ok"))


@pytest.mark.parametrize(("gone", "said"), [("SONARR", ("ok", "none")), ("RADARR", ("none", "ok"))])
async def test_a_service_without_an_instance_is_none(home: Home, gone: str, said: tuple[str, str]) -> None:
    """Neither up nor down, and without a figure."""
    away = [name for name in home.environ if name.startswith(gone)]
    home.change(**{name.lower(): "" for name in away})
    async with daemon_beside(home) as here:
        await until(lambda: "unknown" not in here.daemon.watch.words.values())
        told = await words(here)
        found = await values(here)

    assert told == said
    assert ("service_up", gone.lower()) not in found


async def test_a_library_that_is_gone_from_the_settings_counts_no_more(home: Home) -> None:
    """The state remembers it, should it come back; status and figures tell of those that there are."""
    async with daemon_beside(home) as here:
        await here.run()
    home.change(radarr_4k_url="", radarr_4k_api_key="")
    async with daemon_beside(home) as here:
        status = (await here.client.get("/api/v1/status")).json()
        found = await values(here)

    assert (status["movies"], status["shows"]) == (6, 5)
    assert [name for name in found if name[0] == "library_items"] == [
        ("library_items", "radarr"),
        ("library_items", "sonarr"),
    ]


async def test_changed_settings_of_further_libraries_are_told(home: Home) -> None:
    """What SIGHUP reads again are the variables of every library, also of one that is new."""
    environ: dict[str, str] = {}
    async with daemon_beside(home, environ=environ) as here:
        environ |= {
            "RADARR_4K_API_KEY": "f" * 32,
            "SONARR_ANIME_URL": "http://127.0.0.1:1",
            "SONARR_ANIME_API_KEY": "k",
        }
        with capture_logs() as log:
            await here.daemon.recheck()

    (line,) = [line for line in log if line["event"] == "settings.changed"]
    assert line["settings"] == ["RADARR_4K_API_KEY", "SONARR_ANIME_API_KEY", "SONARR_ANIME_URL"]
