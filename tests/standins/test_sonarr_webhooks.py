"""What the stand-in Sonarr tells webhooks."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from kometa_ai.standins.arr.webhooks import Webhook
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import SonarrStandIn
from kometa_ai.standins.sonarr_seed import ShowSeed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

DARK = ShowSeed(
    "Dark", 2017, 334824, imdb_id="tt5753856", overview="x", network="Netflix", tags=("b", "a"), dangling_tags=(99,)
)


class Receiver:
    """A server that keeps what it is sent and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.methods: list[str] = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST", "PUT"])])

    async def _take(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        self.methods.append(request.method)
        return Response(status_code=self.status)

    @property
    def events(self) -> list[str]:
        """The types of the events that came."""
        return [body["eventType"] for body in self.bodies]


@contextmanager
def _connected(sonarr: SonarrStandIn, **options: Any) -> Iterator[Receiver]:
    receiver = Receiver()
    with serve(receiver.app) as url:
        sonarr.webhooks.connect(Webhook(url=f"{url}/hook", **options))
        yield receiver


def test_the_test_event_names_a_show_that_is_not_there() -> None:
    """Grab-shaped, with the number 1234 and one episode."""
    sonarr = SonarrStandIn()
    with _connected(sonarr) as receiver:
        sonarr.press_test()
    (body,) = receiver.bodies
    assert (body["eventType"], body["instanceName"], body["applicationUrl"]) == ("Test", "Sonarr", "")
    assert (body["series"]["tvdbId"], body["series"]["title"], body["series"]["tags"]) == (
        1234,
        "Test Title",
        ["test-tag"],
    )
    assert [episode["id"] for episode in body["episodes"]] == [123]


def test_a_show_is_announced_only_if_it_was_added_with_options() -> None:
    """`SeriesAdd` comes with labels, sorted and without dead ids, and with neither overview nor network."""
    sonarr = SonarrStandIn()
    with _connected(sonarr) as receiver:
        sonarr.add_show(ShowSeed("Silent", 2020, 5))
        sonarr.add_show(DARK, add_options=True)
    (body,) = receiver.bodies
    show = body["series"]
    assert (body["eventType"], show["tvdbId"], show["tags"], show["type"]) == (
        "SeriesAdd",
        334824,
        ["a", "b"],
        "standard",
    )
    assert show["id"] == sonarr.show(334824)["id"]
    assert {"overview", "network"}.isdisjoint(show)


def test_a_removed_show() -> None:
    """`SeriesDelete` says whether the files went, too."""
    sonarr = SonarrStandIn([DARK])
    with _connected(sonarr) as receiver:
        sonarr.remove_show(334824, files=True)
    (body,) = receiver.bodies
    assert (body["eventType"], body["deletedFiles"], body["series"]["title"]) == ("SeriesDelete", True, "Dark")


def test_a_season_pack_is_many_events_of_one_type() -> None:
    """One `Download` a file, and one more in another shape; the TVDB ids of episodes are not the show's."""
    sonarr = SonarrStandIn([DARK])
    with _connected(sonarr) as receiver:
        sonarr.import_episodes(334824, files=20)
    assert receiver.events == ["Download"] * 21
    *files, complete = receiver.bodies
    assert all(("episodeFile" in body, "episodeFiles" in body) == (True, False) for body in files)
    assert all(body["isUpgrade"] is False and "deletedFiles" not in body for body in files)
    assert (complete["fileCount"], len(complete["episodeFiles"]), "episodeFile" in complete) == (20, 20, False)
    assert {body["series"]["tvdbId"] for body in receiver.bodies} == {334824}
    assert 334824 not in {episode["tvdbId"] for body in receiver.bodies for episode in body["episodes"]}


def test_an_upgrade_names_what_it_replaced() -> None:
    """`deletedFiles` is there only then."""
    sonarr = SonarrStandIn([DARK])
    with _connected(sonarr) as receiver:
        sonarr.import_episodes(334824, is_upgrade=True)
    assert receiver.bodies[0]["isUpgrade"] is True
    assert len(receiver.bodies[0]["deletedFiles"]) == 1


def test_health_has_no_show_and_no_address() -> None:
    """It is about Sonarr itself."""
    sonarr = SonarrStandIn()
    with _connected(sonarr) as receiver:
        sonarr.report_health("No indexers", "error")
    (body,) = receiver.bodies
    assert (body["eventType"], body["level"], body["message"]) == ("Health", "error", "No indexers")
    assert {"series", "applicationUrl"}.isdisjoint(body)


def test_how_events_are_sent() -> None:
    """With the long form of the agent, Basic without being asked, free headers, and by PUT if wanted."""
    sonarr = SonarrStandIn()
    options = {"method": "PUT", "username": "us", "password": "ä", "headers": {"X-Key": "k"}}
    with _connected(sonarr, **options) as receiver:
        sonarr.press_test()
    (headers,) = receiver.headers
    assert receiver.methods == ["PUT"]
    assert headers["user-agent"].startswith("Sonarr/4.0.19.2979 (")
    assert headers["authorization"] == f"Basic {base64.b64encode('us:ä'.encode('latin-1')).decode()}"
    assert headers["x-key"] == "k"


def test_a_failed_delivery_is_not_repeated_and_silences_the_connection() -> None:
    """Events are dropped until a while has passed; a test goes out all the same."""
    sonarr = SonarrStandIn([DARK])
    with _connected(sonarr) as receiver:
        receiver.status = 500
        sonarr.report_health("a")
        receiver.status = 200
        sonarr.report_health("b")
        sonarr.press_test()
        sonarr.webhooks.wake()
        sonarr.report_health("c")
    assert [body.get("message") for body in receiver.bodies] == ["a", None, "c"]
    assert [(told.status, told.was_off) for told in sonarr.webhooks.deliveries] == [
        (500, False),
        (None, True),
        (200, False),
        (200, False),
    ]


def test_nobody_listens() -> None:
    """The event is lost, and Sonarr goes on."""
    sonarr = SonarrStandIn()
    sonarr.webhooks.connect(Webhook(url="http://127.0.0.1:1/hook"))
    sonarr.add_show(DARK, add_options=True)
    (told,) = sonarr.webhooks.deliveries
    assert (told.status, told.payload["eventType"]) == (None, "SeriesAdd")


def test_a_connection_with_tags_hears_of_shows_that_have_one() -> None:
    """Others are not told; what is about no show is."""
    sonarr = SonarrStandIn()
    with _connected(sonarr, tags=frozenset({"a"})) as receiver:
        sonarr.add_show(ShowSeed("Other", 2020, 5, tags=("c",)), add_options=True)
        sonarr.add_show(DARK, add_options=True)
        sonarr.report_health("x")
    assert [body.get("series", {}).get("title") for body in receiver.bodies] == ["Dark", None]
