"""What the stand-in Sonarr tells the daemon over real HTTP, and which runs come of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from kometa_ai.daemon.life import Paces
from kometa_ai.standins.arr.webhooks import Webhook
from tests.daemon.living import KEY, daemon_beside, until
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from kometa_ai.core.report import RunReport
    from tests.daemon.living import Beside

SONARR = "/api/v1/webhooks/sonarr"
RADARR = "/api/v1/webhooks/radarr"
QUICK = Paces(hints_quiet=0.2)
LONG_ENOUGH = 0.6
"""Seconds after which a run for a hint would have begun."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Six films and six shows, with a collection for each kind."""
    films = movies(6)
    with Home(tmp_path, films, films[:3], shows(6)) as made:
        made.collections(block("Noir"))
        made.collections(block("Crime", media="shows"), file="shows.yml")
        made.believe("Noir", range(3))
        made.believe_shows("Crime", range(20))
        yield made


@pytest.fixture
async def here(home: Home) -> AsyncIterator[Beside]:
    """A daemon beside the test, and Sonarr connected to it as the docs say."""
    async with daemon_beside(home, QUICK) as made:
        home.sonarr.webhooks.connect(
            Webhook(url=f"{str(made.client.base_url).rstrip('/')}{SONARR}", username="sonarr", password=KEY)
        )
        yield made


async def whole_run(home: Home, here: Beside) -> RunReport:
    """Run once for everything, as the schedule does, so that the state knows every show there is."""
    await here.run()
    home.asked()
    for service in home.services.values():
        service.requests.clear()
    report = here.daemon.runs.last
    assert report is not None
    return report


async def sent(here: Beside, event: dict[str, Any], path: str = SONARR) -> str:
    """The answer to an event."""
    answer = await here.client.post(path, json=event)
    assert answer.status_code == 200, answer.text
    status: str = answer.json()["status"]
    return status


async def test_a_show_that_was_added_gets_a_run(home: Home, here: Beside) -> None:
    """`SeriesAdd` makes a run for that show: nothing else is asked, and no library of films is read."""
    await whole_run(home, here)
    before = here.daemon.runs.last
    await asyncio.to_thread(home.sonarr.add_show, shows(7)[6], add_options=True)
    await until(lambda: here.daemon.runs.last is not before)

    (run, _) = (await here.client.get("/api/v1/runs")).json()
    assert [delivery.status for delivery in home.sonarr.webhooks.deliveries] == [200]
    assert (run["outcome"], run["only_movies"]) == ("ok", 1)
    assert home.asked() == [("Crime", "Show 6")]
    assert home.members("sonarr", "Crime") == set(range(7))
    assert home.radarr.requests == home.radarr_4k.requests == []


async def test_the_test_is_answered_and_no_more(home: Home, here: Beside) -> None:
    """Its show 1234 is no hint, nor is anything about Sonarr's own health, or a show that went."""
    await asyncio.to_thread(home.sonarr.press_test)
    await asyncio.to_thread(home.sonarr.report_health, "All is lost")
    await asyncio.to_thread(home.sonarr.remove_show, 1005)
    await asyncio.sleep(LONG_ENOUGH)

    assert [delivery.status for delivery in home.sonarr.webhooks.deliveries] == [200, 200, 200]
    assert here.daemon.runs.last is None
    assert here.daemon.runs.current is None


async def test_episodes_of_a_known_show_start_nothing(home: Home, here: Beside) -> None:
    """A season of twenty episodes and one of the week: the shows are known, so there is no run."""
    before = await whole_run(home, here)
    await asyncio.to_thread(home.sonarr.import_episodes, 1001, 20)
    await asyncio.to_thread(home.sonarr.import_episodes, 1002)
    await asyncio.sleep(LONG_ENOUGH)

    assert {delivery.status for delivery in home.sonarr.webhooks.deliveries} == {200}
    assert len(home.sonarr.webhooks.deliveries) == 23
    assert here.daemon.runs.last is before
    assert here.daemon.runs.current is None
    assert home.asked() == []


async def test_a_season_of_an_unknown_show_is_one_hint(home: Home, here: Beside) -> None:
    """A show that a program added without `addOptions` is told of by its files only: 21 events make one run."""
    before = await whole_run(home, here)
    await asyncio.to_thread(home.sonarr.add_show, shows(7)[6])
    with capture_logs() as log:
        await asyncio.to_thread(home.sonarr.import_episodes, 1006, 20)
    await until(lambda: here.daemon.runs.last is not before)
    await asyncio.to_thread(home.sonarr.import_episodes, 1006, season=2)
    await asyncio.sleep(LONG_ENOUGH)

    assert len((await here.client.get("/api/v1/runs")).json()) == 2
    assert home.asked() == [("Crime", "Show 6")]
    assert [line["key"] for line in log if line["event"] == "hint.taken"] == ["show:1006"]


async def test_a_show_that_is_never_known_makes_one_run(home: Home, here: Beside) -> None:
    """A show that tags keep out of every collection is not asked about: its episodes do not start a run each week."""
    home.collections(block("Crime", media="shows", exclude_tags="[kids]"), file="shows.yml")
    home.sonarr.update_show(1003, tags=("kids",))
    before = await whole_run(home, here)
    await asyncio.to_thread(home.sonarr.import_episodes, 1003)
    await until(lambda: here.daemon.runs.last is not before)
    first = here.daemon.runs.last
    await asyncio.to_thread(home.sonarr.import_episodes, 1003)
    await asyncio.sleep(LONG_ENOUGH)

    assert home.asked() == []
    assert here.daemon.runs.last is first


async def test_without_collections_of_shows_episodes_start_nothing(home: Home, here: Beside) -> None:
    """Where runs have found collections of films only, no show will ever be known."""
    (home.kometa / "shows.yml").unlink()
    before = await whole_run(home, here)
    await asyncio.to_thread(home.sonarr.import_episodes, 1003)
    await asyncio.sleep(LONG_ENOUGH)

    assert here.daemon.runs.last is before


async def test_a_show_that_a_run_learns_meanwhile_needs_no_other(home: Home, here: Beside) -> None:
    """Whether a show is known is asked as late as possible: after the run that was on."""
    home.claude.latency = 0.8
    run = asyncio.create_task(here.run())
    await until(lambda: here.daemon.runs.current)
    await asyncio.to_thread(home.sonarr.import_episodes, 1001)
    await run
    only = here.daemon.runs.last
    await asyncio.sleep(LONG_ENOUGH)

    assert here.daemon.runs.last is only
    assert here.daemon.runs.current is None


async def test_movies_and_shows_make_one_run(home: Home, here: Beside) -> None:
    """Hints of both kinds come together: one run about them all, in the libraries of both."""
    await sent(here, {"eventType": "SeriesAdd", "series": {"title": "Show 1", "tvdbId": 1001}})
    await sent(here, {"eventType": "MovieAdded", "movie": {"title": "Movie 1", "tmdbId": 1001}}, RADARR)
    await until(lambda: here.daemon.runs.last)

    (run,) = (await here.client.get("/api/v1/runs")).json()
    report = (await here.client.get(f"/api/v1/runs/{run['run_id']}")).json()
    assert (run["outcome"], run["only_movies"]) == ("ok", 2)
    assert report["headline"].startswith("A run for 1 movie and 1 show only.")
    assert home.asked() == [("Crime", "Show 1"), ("Noir", "Movie 1")]
    assert home.members("radarr", "Noir") == home.members("radarr-4k", "Noir") == {1}
    assert home.members("sonarr", "Crime") == {1}


async def test_the_log_names_the_key(home: Home, here: Beside) -> None:
    """Each hint is a line with the item's key, and for a movie the number that scripts know it by."""
    del home
    with capture_logs() as log:
        await sent(here, {"eventType": "SeriesAdd", "series": {"title": "Show 1", "tvdbId": 1001}})
        await sent(here, {"eventType": "Download", "series": {"title": "Show 2", "tvdbId": 1002}})
        await sent(here, {"eventType": "MovieAdded", "movie": {"title": "Movie 1", "tmdbId": 1001}}, RADARR)
    lines: list[structlog.typing.EventDict] = [line for line in log if line["event"] == "hint.taken"]

    assert [(line["key"], line.get("tmdb_id")) for line in lines] == [
        ("show:1001", None),
        ("show:1002", None),
        ("movie:1001", 1001),
    ]


async def test_other_events_and_impossible_numbers_are_ignored(here: Beside) -> None:
    """Answered with 200, so that Sonarr keeps the connection on, and forgotten."""
    known = {"title": "Show 1", "tvdbId": 1001}
    others = ("Grab", "Rename", "SeriesDelete", "EpisodeFileDelete", "Health", "HealthRestored", "ApplicationUpdate")
    answers = [await sent(here, {"eventType": kind, "series": known}) for kind in (*others, "seriesadd", "", 7, None)]
    nothing: tuple[object, ...] = (None, 1001, [], {})
    numbers = (0, -1, True, False, 2**31, 10**30, 1.5, None, "x", "1001", [1001], {"id": 1001})
    for kind in ("SeriesAdd", "Download"):
        answers += [await sent(here, {"eventType": kind, "series": {"tvdbId": number}}) for number in numbers]
        answers += [await sent(here, {"eventType": kind, "series": show}) for show in nothing]
    # The number of an episode is not the show's.
    answers.append(await sent(here, {"eventType": "Download", "episodes": [{"tvdbId": 1001}]}))
    answers.append(await sent(here, {"eventType": "Test", "series": {"tvdbId": 1001}}))
    await asyncio.sleep(LONG_ENOUGH)

    assert answers == ["ignored"] * (len(answers) - 1) + ["OK"]
    assert here.daemon.runs.last is None
    assert here.daemon.runs.current is None


async def test_the_address_of_the_other_service_fails_the_test(home: Home) -> None:
    """Sonarr's user sees at once that its events would be ignored at Radarr's address, and which one is right."""
    async with daemon_beside(home) as here:
        url = f"{str(here.client.base_url).rstrip('/')}{RADARR}"
        home.sonarr.webhooks.connect(Webhook(url=url, password=KEY))
        await asyncio.to_thread(home.sonarr.press_test)
        (delivery,) = home.sonarr.webhooks.deliveries
        told = (await here.client.post(RADARR, json=delivery.payload)).json()
        reverse = await here.client.post(SONARR, json={"eventType": "Test", "movie": {"tmdbId": 1}})
        bare = [await sent(here, {"eventType": "Test"}, path) for path in (RADARR, SONARR)]

    assert delivery.status == 422
    assert "/webhooks/sonarr" in told["remedy"]
    assert reverse.status_code == 422
    assert "/webhooks/radarr" in reverse.json()["remedy"]
    assert bare == ["OK", "OK"]


@pytest.mark.parametrize(
    "how",
    [
        {"username": "any", "password": KEY},
        {"method": "PUT", "password": KEY},
        {"headers": {"X-Api-Key": KEY}},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
    ],
    ids=["Basic", "PUT", "header", "bearer"],
)
async def test_each_way_to_send_the_key(home: Home, how: dict[str, Any]) -> None:
    """As a password, whatever the name, as a header, by either method."""
    async with daemon_beside(home) as here:
        home.sonarr.webhooks.connect(Webhook(url=f"{str(here.client.base_url).rstrip('/')}{SONARR}", **how))
        await asyncio.to_thread(home.sonarr.press_test)

    assert [delivery.status for delivery in home.sonarr.webhooks.deliveries] == [200]


async def test_a_wrong_key_is_refused(home: Home) -> None:
    """Sonarr shows it when its user presses Test."""
    async with daemon_beside(home) as here:
        url = f"{str(here.client.base_url).rstrip('/')}{SONARR}"
        home.sonarr.webhooks.connect(Webhook(url=url, password="wrong"))
        home.sonarr.webhooks.connect(Webhook(url=url))
        await asyncio.to_thread(home.sonarr.press_test)

    assert [delivery.status for delivery in home.sonarr.webhooks.deliveries] == [401, 401]


@pytest.mark.parametrize(
    ("path", "event", "other"),
    [
        (SONARR, {"eventType": "SeriesAdd", "series": {"title": "Show 1", "tvdbId": 1001}}, "Sonarr"),
        (RADARR, {"eventType": "MovieAdded", "movie": {"title": "Movie 1", "tmdbId": 1001}}, "Radarr"),
    ],
    ids=["no Sonarr", "no Radarr"],
)
async def test_a_service_that_is_not_set_up(tmp_path: Path, path: str, event: dict[str, Any], other: str) -> None:
    """A webhook of a service that the settings do not name starts no run, which could only fail; the log says why."""
    with Home(tmp_path, movies(2), [], shows(2)) as home:
        gone = [name for name in home.environ if name.startswith(other.upper())]
        home.change(**{name.lower(): "" for name in gone})
        async with daemon_beside(home, QUICK) as here:
            with capture_logs() as log:
                answer = await sent(here, event, path)
            await asyncio.sleep(LONG_ENOUGH)
            last = here.daemon.runs.last

    assert answer == "ignored"
    assert last is None
    assert any(line["event"] == "hint.ignored" and other in line["why"] for line in log)


async def test_one_of_two_is_down(home: Home, here: Beside) -> None:
    """A run for both kinds does its work for the one whose library answers."""
    home.sonarr.behaviour.api_key = "another"
    await sent(here, {"eventType": "SeriesAdd", "series": {"title": "Show 1", "tvdbId": 1001}})
    await sent(here, {"eventType": "MovieAdded", "movie": {"title": "Movie 1", "tmdbId": 1001}}, RADARR)
    await until(lambda: here.daemon.runs.last)

    report = here.daemon.runs.last
    assert report is not None
    assert (report.outcome, report.exit_code) == ("problems", 1)
    assert home.members("radarr", "Noir") == {1}
