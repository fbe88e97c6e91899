"""What the client does for every service: Radarr, Sonarr 4 and the coming Sonarr 5."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import ArrId
from kometa_ai.core.movie import Movie
from kometa_ai.core.show import Show
from kometa_ai.errors import CheckLibrary
from kometa_ai.library.arr.connection import Timeouts
from kometa_ai.library.arr.spec import Instance
from kometa_ai.library.port import LibrarySilent, TagId, TagUnavailable
from kometa_ai.library.radarr import Radarr
from kometa_ai.standins.arr.faults import busy_writes, editor_dies_after, locked, not_ready
from kometa_ai.standins.faults import answer, delay, drop, html_page, redirect, truncate
from kometa_ai.standins.serving import serve
from kometa_ai.standins.sonarr import ShowSeed, SonarrStandIn
from tests.library.services import FIRST, SERVICES, Service, ids_of
from tests.library.talking import Waits, refusing

if TYPE_CHECKING:
    from kometa_ai.library.port import EditResult
    from kometa_ai.standins.faults import Effect
    from tests.library.services import Client, StandIn

LABEL = "kai-time-travel"
RADARR, SONARR, SONARR_5 = SERVICES


@pytest.fixture(params=SERVICES, ids=str)
def service(request: pytest.FixtureRequest) -> Service:
    """Each of them."""
    found: Service = request.param
    return found


async def tag_all(client: Client) -> EditResult:
    """Tag everything that is there."""
    ids = [item.arr_id for item in (await client.contents()).items]
    return await client.edit_tags(ids, [await client.create_tag(LABEL)], operation="add")


def members(server: StandIn) -> int:
    """How many items have our tag."""
    return len(server.members(LABEL))


# What it is


async def test_a_service_that_can_be_used(service: Service) -> None:
    """One call, the key in a header, no warning; the client says what it is the client of."""
    server = service.with_items()
    async with service.talking(server) as client:
        status = await client.check()
        assert (client.name, client.kind) == (service.name.lower(), service.kind)
        assert (client.service, client.title) == (service.name, service.name)
        assert client.url_setting == f"{service.name.upper()}_URL"
        assert (client.credits is None) is (service.kind == "show")
    assert status.warning == ""
    assert status.version == server.behaviour.product.version
    assert [request.path for request in server.requests] == ["/api/v3/system/status"]


async def test_a_wrong_key(service: Service) -> None:
    """The setting that holds it is named, the key is not."""
    async with service.talking(service.with_items(), key="wrong-key") as client:
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
    assert f"{service.name.upper()}_API_KEY" in caught.value.remedy
    assert "wrong-key" not in str(caught.value)


async def test_a_url_base(service: Service) -> None:
    """With it there is nothing to warn of, and where it is missing the right address is named."""
    server = service.with_items(url_base="media")
    async with service.talking(server, base="/media") as client:
        assert (await client.check()).warning == ""
        assert len((await client.contents()).items) == 2
    async with service.talking(server) as client:
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
        assert caught.value.remedy == f"Set {service.name.upper()}_URL to {client.address}/media."


@pytest.mark.parametrize("effect", [not_ready(), drop(), html_page(), truncate(20)])
async def test_what_is_no_list_is_never_an_empty_library(service: Service, effect: Effect) -> None:
    """Trap 22: taken for no items at all, it would take every tag off."""
    server = service.with_items()
    server.faults.inject(effect, path=f"*/{service.items}", times=None)
    async with service.talking(server) as client:
        with pytest.raises(CheckLibrary):
            await client.contents()


async def test_a_list_that_takes_too_long_is_not_asked_for_twice(service: Service) -> None:
    """The service would build it twice at once."""
    server = service.with_items()
    server.faults.inject(delay(60), path=f"*/{service.items}", times=None)
    async with service.talking(server, timeouts=Timeouts(library=0.3)) as client:
        with pytest.raises(LibrarySilent):
            await client.contents()
        assert sum(client.calls.values()) == 1


async def test_what_the_library_holds(service: Service) -> None:
    """Items under their own keys, in order, with their labels; ids of tags that are gone name none."""
    server = service.with_items(3)
    server.tag_by_hand(FIRST + 1, "kids")
    async with service.talking(server) as client:
        found = await client.contents()
    assert [item.key for item in found.items] == [service.key_of(FIRST + n) for n in range(3)]
    assert {type(item) for item in found.items} == {Movie if service.kind == "movie" else Show}
    assert [item.labels for item in found.items] == [frozenset(), {"kids"}, frozenset()]
    assert found.tags == {"kids": (server.tag_id("kids"),)}
    assert tuple(item.arr_id for item in found.items) == ids_of(server, [FIRST, FIRST + 1, FIRST + 2])


# The wrong one


@pytest.mark.parametrize(("wanted", "found"), [(RADARR, SONARR), (SONARR, RADARR), (SONARR_5, RADARR)], ids=str)
async def test_one_service_at_the_address_of_the_other(wanted: Service, found: Service) -> None:
    """Trap 4: both answer the same calls. The correction names both settings."""
    async with wanted.talking(found.with_items()) as client:
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
    assert f"is {found.name}, not {wanted.name}." in caught.value.message
    assert caught.value.remedy == (
        f"Set {wanted.name.upper()}_URL to {wanted.name}'s address; this one belongs in {found.name.upper()}_URL."
    )
    assert caught.value.exit_code == 3


async def test_another_of_the_family(service: Service) -> None:
    """A Lidarr has no setting to go to."""
    server = service.with_items()
    body = json.dumps({"appName": "Lidarr", "instanceName": service.name})
    server.faults.inject(answer(200, body, "application/json"), path="*/status")
    async with service.talking(server) as client:
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
    assert f"is Lidarr, not {service.name}." in caught.value.message
    assert "belongs" not in caught.value.remedy


async def test_an_instance_of_a_name_of_its_own(service: Service) -> None:
    """Messages, settings and the name in the state are those of this one."""
    upper = service.name.upper()
    instance = Instance(f"{upper.lower()}-4k", f"{service.name} 4K", f"{upper}_4K_URL", f"{upper}_4K_API_KEY")
    async with service.talking(service.with_items(), key="wrong-key", instance=instance) as client:
        assert (client.name, client.service) == (f"{upper.lower()}-4k", service.name)
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
    assert f"{service.name} 4K at" in caught.value.message
    assert f"{upper}_4K_API_KEY" in caught.value.remedy
    other = RADARR if service is not RADARR else SONARR
    async with service.talking(other.with_items(), instance=instance) as client:
        with pytest.raises(CheckLibrary) as caught:
            await client.check()
    assert f"Set {upper}_4K_URL to {service.name} 4K's address" in caught.value.remedy


# Tags


async def test_tags_are_put_on_and_taken_off(service: Service) -> None:
    """A hundred items a call, additive, and nobody else's tag is touched."""
    server = service.with_items(150)
    server.tag_by_hand(FIRST, "kids")
    async with service.talking(server) as client:
        result = await tag_all(client)
        assert (len(result.done), result.problems) == (150, ())
        assert members(server) == 150
        removed = await client.edit_tags(result.done[:60], [TagId(server.tag_id(LABEL))], operation="remove")
    assert len(removed.done) == 60
    assert members(server) == 90
    assert server.labels_of(FIRST) == {"kids"}
    assert [len(call.body[service.ids]) for call in server.editor_calls] == [100, 50, 60]
    assert [call.body["applyTags"] for call in server.editor_calls] == ["add", "add", "remove"]


async def test_one_item_that_is_refused_does_not_block_its_batch(service: Service) -> None:
    """Trap 2: a 400 names no item, so the batch is halved until it stands alone."""
    server = service.with_items(100)
    bad = ids_of(server, [FIRST + 17])
    server.faults.inject(refusing(*bad), path=service.editor, times=None)
    async with service.talking(server) as client:
        result = await tag_all(client)
        assert client.calls["edit", "400"] < 10
    assert (result.failed, len(result.done), members(server)) == (bad, 99, 99)
    assert "Quality Profile does not exist" in result.problems[0]


@pytest.mark.parametrize("line", SERVICES[1:], ids=str)
async def test_a_show_with_a_lost_quality_profile(line: Service) -> None:
    """Sonarr's own validation: the damaged show fails alone, with the reason."""
    server = line.with_items(60)
    assert isinstance(server, SonarrStandIn)
    server.add_show(ShowSeed("Damaged", 2001, 5000, quality_profile_id=99))
    async with line.talking(server) as client:
        result = await tag_all(client)
    assert result.failed == ids_of(server, [5000])
    assert (len(result.done), members(server)) == (60, 60)


async def test_an_item_that_is_gone_does_not_block_its_batch(service: Service) -> None:
    """The editor counts rows; what it does not find is found by halving."""
    server = service.with_items(40)
    async with service.talking(server) as client:
        ids = [*ids_of(server, range(FIRST, FIRST + 40)), ArrId(99_999)]
        result = await client.edit_tags(ids, [await client.create_tag(LABEL)], operation="add")
    assert (result.vanished, len(result.done), members(server)) == ((99_999,), 40, 40)


async def test_items_that_are_gone_by_another_status(service: Service) -> None:
    """The message is all there is to go by."""
    server = service.with_items(2)
    error = answer(400, '{"message": "Expected query to return 2 rows but returned 0"}', "application/json")
    server.faults.inject(error, path=service.editor)
    async with service.talking(server) as client:
        result = await tag_all(client)
    assert (result.vanished, result.problems) == (ids_of(server, [FIRST, FIRST + 1]), ())


@pytest.mark.parametrize("line", [RADARR, SONARR], ids=str)
async def test_a_batch_that_was_saved_in_part(line: Service) -> None:
    """Trap 17: without a transaction "database is locked" leaves the first rows saved. Only the rest is sent again."""
    server = line.with_items(100)
    server.faults.inject(editor_dies_after(60), path=line.editor, times=6)
    waits = Waits()
    async with line.talking(server, waits=waits) as client:
        result = await tag_all(client)
    assert (len(result.done), result.unclear, result.failed) == (100, (), ())
    assert members(server) == 100
    assert [len(call.body[line.ids]) for call in server.editor_calls] == [100] * 6 + [40]
    assert waits == [1, 2, 4, 8, 16]


async def test_a_save_that_failed_whole_is_told(service: Service) -> None:
    """Nothing was saved: the list shows it, and nobody is told otherwise."""
    server = service.with_items(10)
    server.faults.inject(locked(), path=service.editor, times=None)
    async with service.talking(server) as client:
        result = await tag_all(client)
    assert (result.done, len(result.unclear), members(server)) == ((), 10, 0)
    assert len(server.editor_calls) == 6


async def test_a_busy_database_is_waited_for(service: Service) -> None:
    """Sonarr 4 never tries a write again by itself."""
    server = service.with_items(10)
    server.faults.inject(busy_writes(2), path=service.editor)
    async with service.talking(server) as client:
        assert len((await tag_all(client)).done) == 10
    assert members(server) == 10


async def test_a_rule_that_undoes_an_edit_at_once(service: Service) -> None:
    """Auto tagging runs before the answer: it is told, and not fought."""
    server = service.with_items(3, rules=[LABEL])
    async with service.talking(server) as client:
        result = await tag_all(client)
        assert (await client.auto_tagging()) == {LABEL: ("rule",)}
    assert (len(result.contested), result.done, len(server.editor_calls)) == (3, (), 1)


async def test_a_tag_that_is_there_in_another_case(service: Service) -> None:
    """Lower case is looked up first: no 409, no twin."""
    server = service.with_items()
    server.tag_by_hand(FIRST, LABEL)
    async with service.talking(server) as client:
        assert await client.create_tag(LABEL.upper()) == server.tag_id(LABEL)
    assert server.labels == {LABEL}


@pytest.mark.parametrize("status", [409, 500])
async def test_a_tag_that_another_program_made_first(service: Service, status: int) -> None:
    """SQLite says 409 and PostgreSQL 500: the list is read again."""
    server = service.with_items()
    server.tag_by_hand(FIRST, LABEL)
    error = answer(status, '{"message": "UNIQUE constraint failed: Tags.Label"}', "application/json")
    server.faults.inject(error, method="POST", path="*/tag")
    async with service.talking(server) as client:
        assert await client.create_tag(LABEL) == server.tag_id(LABEL)


async def test_a_tag_that_is_gone_is_no_verdict_about_the_service(service: Service) -> None:
    """Trap 3: Sonarr 5 answers 404 without a body, as a wrong address would. The tag is made again, and used."""
    server = service.with_items(2)
    async with service.talking(server) as client:
        ids = [item.arr_id for item in (await client.contents()).items]
        gone = await client.create_tag(LABEL)
        server.housekeeping()
        assert not await client.has_tag(gone, LABEL)
        made = await client.create_tag(LABEL)
        assert made != gone
        assert await client.has_tag(made, LABEL)
        assert len((await client.edit_tags(ids, [made], operation="add")).done) == 2
        assert (await client.check()).version
    assert members(server) == 2


async def test_a_tag_of_another_name_is_another_tag(service: Service) -> None:
    """Trap 13: an id names another tag after the database was rebuilt."""
    server = service.with_items()
    server.tag_by_hand(FIRST, "kids")
    async with service.talking(server) as client:
        assert not await client.has_tag(TagId(server.tag_id("kids")), LABEL)


async def test_a_label_that_the_service_refuses(service: Service) -> None:
    """Radarr and Sonarr 5 validate labels: that is about one tag, and the others may do."""
    if service is SONARR:
        pytest.skip("Sonarr 4 takes any label")
    async with service.talking(service.with_items()) as client:
        with pytest.raises(TagUnavailable, match=service.name):
            await client.create_tag("kai_under_score")


async def test_a_redirect_takes_the_key_nowhere(service: Service) -> None:
    """Another host never sees it."""
    elsewhere, server = service.with_items(), service.with_items()
    with serve(elsewhere.app) as other:
        server.faults.inject(redirect(f"{other}/login"), times=None)
        async with service.talking(server) as client:
            with pytest.raises(CheckLibrary):
                await client.check()
    assert elsewhere.requests == []


# Shows


@pytest.mark.parametrize("line", SERVICES[1:], ids=str)
async def test_a_week_changes_no_fingerprint(line: Service) -> None:
    """Trap 5: airings, statistics, ratings, images, and a new season of a running show."""
    running = ShowSeed("Running", 2020, 5000, status="continuing", overview="It goes on.", seasons=3)
    server = SonarrStandIn([running, ShowSeed("Ended", 2010, 5001)], line=line.line)
    async with line.talking(server) as client:
        before = (await client.contents()).items
        server.week()
        after = (await client.contents()).items
        server.update_show(5000, status="ended")
        ended = (await client.contents()).items
    assert [fingerprint(show) for show in before] == [fingerprint(show) for show in after]
    assert [fingerprint(show) for show in ended] != [fingerprint(show) for show in after]
    seasons = [show.seasons for show in (before[0], after[0]) if isinstance(show, Show)]
    assert seasons == [3, 4]


@pytest.mark.parametrize("line", SERVICES[1:], ids=str)
async def test_the_key_of_a_show_outlives_its_row(line: Service) -> None:
    """A rebuilt database has other rows; a merge at TVDb is another show."""
    server = line.with_items(3)
    assert isinstance(server, SonarrStandIn)
    async with line.talking(server) as client:
        before = (await client.contents()).items
        server.rebuild()
        rebuilt = (await client.contents()).items
        server.merge(FIRST, 9000)
        merged = (await client.contents()).items
    assert [show.key for show in before] == [show.key for show in rebuilt]
    assert [show.arr_id for show in before] != [show.arr_id for show in rebuilt]
    assert [show.key for show in merged] == ["show:1002", "show:1003", "show:9000"]


@pytest.mark.parametrize("line", SERVICES[1:], ids=str)
async def test_a_tag_that_a_refresh_loses_comes_back(line: Service) -> None:
    """Trap 16: a refresh saves the row as it was before. The list shows it, and the next edit sends the difference."""
    server = line.with_items(2)
    assert isinstance(server, SonarrStandIn)
    async with line.talking(server) as client:
        end = server.start_refresh(FIRST)
        assert len((await tag_all(client)).done) == 2
        end()
        left = [show.arr_id for show in (await client.contents()).items if LABEL not in show.labels]
        assert left == [*ids_of(server, [FIRST])]
        await client.edit_tags(left, [TagId(server.tag_id(LABEL))], operation="add")
    assert members(server) == 2


async def test_radarr_alone_tells_of_credits() -> None:
    """Sonarr's client has nobody to ask, rather than an empty answer."""
    async with RADARR.talking(RADARR.with_items()) as client:
        assert isinstance(client, Radarr)
        assert client.credits is not None
    async with SONARR.talking(SONARR.with_items()) as client:
        assert client.credits is None
