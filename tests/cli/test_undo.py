"""Undo is a run of its own kind: it has a preview, a report, a place in the history, and is notified and counted."""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from kometa_ai.app import session_of
from kometa_ai.cli.main import run
from kometa_ai.jobs.stopping import end_run
from kometa_ai.jobs.undo import Undo, UndoResult, undo
from kometa_ai.library.radarr import Radarr
from kometa_ai.run.watching import NullObserver, Step
from kometa_ai.standins.faults import answer
from kometa_ai.standins.mailbox import Mailbox
from tests.daemon.living import daemon_beside
from tests.run.world import World, block

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kometa_ai.jobs.session import Session
    from kometa_ai.run.parts import Parts
    from kometa_ai.run.watching import Observer
    from kometa_ai.settings.schema import Settings
    from kometa_ai.state.store import Store
    from tests.cli.conftest import Ended

    Call = Callable[..., Ended]

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def run_id(world: World, call: Call) -> str:
    """A run that has put Movie 1 and Movie 2 into Heist."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    name: str = call("--run-now", "--output", "json").data["run_id"]
    return name


def test_runs_are_listed_with_their_ids(run_id: str, call: Call) -> None:
    """The latest first, in the time zone of the settings, with what each changed and which undo took it back."""
    call("--dry-run")
    undo = call("--undo", run_id, "--output", "json").data["undo_id"]
    shown = call("--runs", TZ="Asia/Tokyo").out.splitlines()
    data = call("--runs", "--output", "json").data

    at = datetime.fromisoformat(data[2]["started"]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert [line.split("  ", 2)[2] for line in shown[:3]] == [
        f"undo of {run_id}, +0 -2",
        "dry run",
        f"run, +2 -0, taken back by {undo}",
    ]
    assert shown[2].startswith(f"{run_id}  {at:%Y-%m-%d %H:%M} JST  ")
    assert "--undo RUN_ID" in shown[3]
    assert [(each["run_id"] == run_id, each["added"], each["undone_by"]) for each in data] == [
        (False, 0, ""),
        (False, 0, ""),
        (True, 2, undo),
    ]


def test_where_no_run_is_kept(call: Call) -> None:
    """It says so, and that is no failure."""
    ended = call("--runs")

    assert (ended.code, ended.out) == (0, "No run is kept yet.\n")
    assert call("--runs", "--output", "json").data == []


def kept(world: World, run_id: str) -> Any:
    """A kept report as data."""
    return json.loads((world.state_dir / "runs" / f"{run_id}.json").read_text())


def listed(call: Call) -> list[dict[str, Any]]:
    """The runs of the state, the newest last."""
    runs: list[dict[str, Any]] = call("--dump-state").data["runs"]
    return runs


def test_the_result_names_the_run_that_it_is(call: Call, run_id: str) -> None:
    """`run_id` stays the run that is taken back; the undo's own id, outcome and exit code are added."""
    data = call("--undo", run_id, "--output", "json").data

    assert list(data) == [
        "run_id", "dry_run", "added", "removed", "left", "replaced_pins", "kept_pins", "undone_by", "collections",
        "problems", "undo_id", "outcome", "exit_code",
    ]  # fmt: skip
    assert (data["run_id"], data["outcome"], data["exit_code"]) == (run_id, "ok", 0)
    assert data["undo_id"] != run_id


def test_it_says_which_pins_of_yours_it_replaces(world: World, call: Call) -> None:
    """A run that carried out a pin: what takes it back pins the opposite, and says so before and after, pin by pin.

    A pin that says the same, and one about what is not taken back, are not named.
    """
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    call("--run-now")
    for title, side in (
        ("Movie 5 (1955)", "--pin-in"),
        ("Movie 1 (1951)", "--pin-out"),
        ("Movie 8 (1958)", "--pin-in"),
    ):
        call(side, title, "--collection", "Heist")
    run_id = call("--run-now", "--output", "json").data["run_id"]
    world.radarr.untag_by_hand(1008, "kai-heist")
    call("--pin-out", "Movie 5 (1955)", "--collection", "Heist")
    before = call("--undo", run_id, "--dry-run", "--output", "json").data
    shown = call("--undo", run_id, "--dry-run").out
    call("--pin-in", "Movie 5 (1955)", "--collection", "Heist")
    data = call("--undo", run_id, "--output", "json").data
    pins_now = call("--pins", "--output", "json").data
    pins = {pin["title"]: (pin["include"], pin.get("origin", "undo")) for pin in pins_now}

    assert [(pin["title"], pin["include"], pin["origin"]) for pin in before["replaced_pins"]] == [
        ("Movie 1 (1951)", False, "command line")
    ]
    assert "Movie 1 (1951) tmdb:1001 is pinned out of Heist, on the command line" in " ".join(shown.split())
    assert "1 pin of yours would be replaced by its opposite; no undo brings yours back" in " ".join(shown.split())
    assert [pin["title"] for pin in data["replaced_pins"]] == ["Movie 1 (1951)", "Movie 5 (1955)"]
    assert pins["Movie 1 (1951)"] == (True, "undo")
    assert pins["Movie 5 (1955)"] == (False, "undo")
    assert pins["Movie 8 (1958)"] == (True, "command line")


def test_an_undo_of_an_undo_says_which_pins_stay_against_it(world: World, call: Call, run_id: str) -> None:
    """It releases the pins of the undo, not one that a person has made since: the next run does what that says."""
    undo_id = call("--undo", run_id, "--output", "json").data["undo_id"]
    call("--pin-out", "Movie 1 (1951)", "--collection", "Heist")
    before = call("--undo", undo_id, "--dry-run", "--output", "json").data
    shown = " ".join(call("--undo", undo_id, "--dry-run").out.split())
    call("--undo", undo_id)
    between = world.numbers("kai-heist")
    call("--run-now")

    assert [pin["title"] for pin in before["kept_pins"]] == ["Movie 1 (1951)"]
    assert before["replaced_pins"] == []
    assert "1 pin of yours would stay, and says the opposite; the next run follows it:" in shown
    assert (between, world.numbers("kai-heist")) == ({1, 2}, {2})


def test_its_report_is_kept(world: World, call: Call, run_id: str) -> None:
    """A report like any run's, of the kind `undo`, with the changes by collection; the state lists the run."""
    world.radarr.untag_by_hand(1002, "kai-heist")
    data = call("--undo", run_id, "--output", "json").data
    report = kept(world, data["undo_id"])
    (collection,) = report["collections"]
    last = listed(call)[-1]

    assert (report["kind"], report["undoes"], report["outcome"]) == ("undo", run_id, "ok")
    assert report["headline"] == f"An undo of the run {run_id}. All is well. 1 removed in 1 collection."
    assert (collection["name"], collection["tag"], collection["members"]) == ("Heist", "kai-heist", 0)
    assert [movie["title"] for movie in collection["removed"]] == ["Movie 1"]
    assert [(change["tmdb_id"], change["undoes"]) for change in report["changes"]] == [(1001, run_id)]
    assert [warning["movies"] for warning in report["warnings"]] == [["Movie 2 (1952)"]]
    assert (last["run_id"], last["kind"], last["undoes"], last["removed"]) == (data["undo_id"], "undo", run_id, 1)


def test_a_run_is_of_the_kind_run(world: World, call: Call, run_id: str) -> None:
    """What takes nothing back says so, too."""
    assert (kept(world, run_id)["kind"], kept(world, run_id)["undoes"]) == ("run", "")
    assert [(run["kind"], run["undoes"]) for run in listed(call)] == [("run", "")]


def test_a_dry_run_ends_before_anything_is_written(world: World, call: Call, run_id: str) -> None:
    """It changes no tag, makes no pin, notifies no one, and is a dry run in the history."""
    with Mailbox() as box:
        data = call("--undo", run_id, "--dry-run", "--output", "json", **mail(box)).data
    report = kept(world, data["undo_id"])

    assert world.numbers("kai-heist") == {1, 2}
    assert call("--pins", "--output", "json").data == []
    assert box.received == []
    assert (report["kind"], report["dry_run"], report["changes"]) == ("undo", True, [])
    assert report["totals"]["removed"] == 2
    assert report["headline"].endswith("2 would be removed in 1 collection.")
    assert call("--undo", data["undo_id"]).code == 2


def test_it_is_notified(call: Call, run_id: str) -> None:
    """The e-mail says that it is an undo, and of which run."""
    with Mailbox() as box:
        call("--undo", run_id, **mail(box))
    (sent,) = box.received
    body = sent.message.get_body(("plain",))

    assert body is not None
    assert f"An undo of the run {run_id}." in " ".join(body.get_content().split())
    assert sent.message["Subject"] == "Kometa-AI: undo: 2 removed in 1 collection"


def test_an_undo_can_be_undone(world: World, call: Call, run_id: str) -> None:
    """The tags are as the run had set them, and the pins of the undo are gone: all is as it was before it."""
    undo_id = call("--undo", run_id, "--output", "json").data["undo_id"]
    again = call("--undo", undo_id, "--output", "json").data

    assert [movie["tmdb_id"] for movie in again["added"]] == [1001, 1002]
    assert world.numbers("kai-heist") == {1, 2}
    assert call("--pins", "--output", "json").data == []
    assert call("--run-now", "--output", "json").data["changes"] == []


def test_it_says_that_its_pins_hold(call: Call, run_id: str) -> None:
    """Who edits the prompt after an undo learns from it why nothing changes, and how to let a pin go."""
    preview, undone = call("--undo", run_id, "--dry-run").out, call("--undo", run_id).out

    assert "pinned" not in preview
    assert (
        "2 movies are now pinned like that: no later run changes that, also not after you edit the prompt. "
        '--pins lists the pins; --release-pin "Title (Year)" lets one go.\n'
    ) in undone


def test_an_unknown_run_is_answered_with_those_that_can_be_taken_back(call: Call, run_id: str) -> None:
    """The newest first, each with its time and what it changed; neither dry runs nor runs that changed nothing."""
    call("--undo", run_id, "--dry-run")
    call("--dry-run", "--force-refresh")
    call("--run-now")
    while f"{datetime.now(UTC):%Y%m%d-%H%M%S}" in run_id:
        time.sleep(0.05)  # runs of one second have no order: their ids end in chance
    undo_id = call("--undo", run_id, "--output", "json").data["undo_id"]
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"

    ended = call("--undo", "20000101-000000-abcd")

    assert ended.code == 2
    newest_first = rf"are: {undo_id} \({moment}, \+0 -2\), {run_id} \({moment}, \+2 -0\)\. --runs lists all\.\n"
    assert re.search(newest_first, ended.err)


def test_a_run_that_has_been_undone(world: World, call: Call, run_id: str) -> None:
    """One line names the undo; where a person has changed something since, that is what each line says."""
    undo_id = call("--undo", run_id, "--output", "json").data["undo_id"]

    again, data = call("--undo", run_id), call("--undo", run_id, "--output", "json").data

    assert again.code == 0
    assert again.out == f"Run {run_id} has been undone already, by {undo_id}.\n"
    assert (data["undone_by"], len(data["left"])) == (undo_id, 2)
    (warning,) = kept(world, data["undo_id"])["warnings"]
    assert warning["what"] == f"The run {run_id} has been undone already, by {undo_id}."


def test_a_run_of_which_all_has_been_changed_by_hand(world: World, call: Call, run_id: str) -> None:
    """It has not been undone by any run."""
    for number in (1, 2):
        world.radarr.untag_by_hand(1000 + number, "kai-heist")

    ended = call("--undo", run_id)

    assert ended.out.count("left: something else has changed it since") == 2
    assert "already" not in ended.out


def test_where_no_run_has_changed_anything(call: Call) -> None:
    """There is none to name."""
    assert "No run that is kept has changed anything." in call("--undo", "20000101-000000-abcd").err


def impatient(settings: Settings) -> Session:
    """A session whose Radarr is asked again at once, where the program waits for half a minute."""
    session, key = session_of(settings), settings.radarr_api_key.get_secret_value()

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    @asynccontextmanager
    async def open_parts(store: Store, observer: Observer | None, *, patient: bool = False) -> AsyncIterator[Parts]:
        async with (
            session.open_parts(store, observer, patient=patient) as parts,
            Radarr(NOWHERE, key, sleep=at_once) as radarr,
        ):
            yield msgspec.structs.replace(parts, libraries=(radarr,))

    return msgspec.structs.replace(session, open_parts=open_parts)


def test_without_radarr(world: World, call: Call, run_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 3 and the error on stderr, as before; the run that failed is in the history."""
    code = run(["--undo", run_id], {**world.environ, "RADARR_URL": NOWHERE}, session_of=impatient)
    said = capsys.readouterr().err
    last = listed(call)[-1]

    assert code == 3
    assert any(line.startswith("Error: ") for line in said.splitlines())
    assert (last["kind"], last["outcome"], last["exit_code"]) == ("undo", "library unusable", 3)
    assert kept(world, last["run_id"])["problems"][0]["source"] == "Radarr"
    assert world.numbers("kai-heist") == {1, 2}


def test_radarr_refuses_the_changes(world: World, call: Call, run_id: str) -> None:
    """Nothing is pinned that was not taken back; the report names what failed."""
    world.radarr.faults.inject(answer(400), path="*/movie/editor", times=None)
    ended = call("--undo", run_id, "--output", "json")
    report = kept(world, ended.data["undo_id"])

    assert ended.code == 1
    assert (ended.data["removed"], ended.data["outcome"]) == ([], "problems")
    assert report["totals"]["failed"] == 2
    assert call("--pins", "--output", "json").data == []


async def ended_in(world: World, run_id: str, signal_in: Step) -> UndoResult:
    """An undo that gets a signal, without any grace, as a step begins."""
    task: asyncio.Task[UndoResult]

    class Ending(NullObserver):
        def step(self, name: str) -> None:
            if name == signal_in:
                end_run(parts.interruption, task, "SIGTERM", grace=0.0)

    session = session_of(world.settings)
    with session.lock() as store:
        async with session.open_parts(store, Ending()) as parts:
            task = asyncio.create_task(undo(parts, Undo(run_id=run_id), run_id="20990101-000000-0000"))
            return await task


@pytest.mark.parametrize("signal_in", [Step.FETCHING, Step.REPORTING])
def test_a_signal_ends_it_in_order(world: World, run_id: str, signal_in: Step) -> None:
    """Before anything is written, nothing is; later, what was done stays done. The run is in the history either way."""
    result = asyncio.run(ended_in(world, run_id, signal_in))
    left = {1, 2} if signal_in is Step.FETCHING else set()

    assert (result.report.outcome, result.report.exit_code) == ("interrupted", 143)
    assert kept(world, "20990101-000000-0000")["outcome"] == "interrupted"
    assert world.numbers("kai-heist") == left


def test_it_is_no_success_of_everything(world: World, call: Call, run_id: str) -> None:
    """An undo looks at what it takes back alone: the last successful run stays what it was."""
    before = call("--dump-state").data["last_successful_run"]
    world.now = world.now.replace(year=2027)
    call("--undo", run_id)

    assert call("--dump-state").data["last_successful_run"] == before


def test_it_ends_no_problem(world: World, call: Call) -> None:
    """A problem that stands is not told as over because an undo does not name it."""
    world.collections(block("Heist"), block("Broken", promt="x"))
    world.believe("Heist", [1])
    with Mailbox() as box:
        run_id = call("--run-now", "--output", "json", **mail(box)).data["run_id"]
        call("--undo", run_id, **mail(box))
    body = box.received[-1].message.get_body(("plain",))

    assert body is not None
    assert "over" not in body.get_content().lower()


async def test_the_daemon_can_do_it(world: World) -> None:
    """Its runs list the undo with its kind, and its metrics count it and its changes."""
    world.collections(block("Heist"))
    world.believe("Heist", [1, 2])
    async with daemon_beside(world) as here:
        run_id = await here.run()
        undo_id = await here.daemon.runs.start(Undo(run_id=run_id), "api")
        going = (await here.client.get("/api/v1/runs")).json()[0]
        await here.daemon.runs.ended()
        runs = (await here.client.get("/api/v1/runs")).json()
        report = (await here.client.get(f"/api/v1/runs/{undo_id}")).json()
        figures = (await here.client.get("/metrics")).text

    assert (going["run_id"], going["kind"], going["undoes"]) == (undo_id, "undo", run_id)
    assert [(run["run_id"], run["kind"]) for run in runs] == [(undo_id, "undo"), (run_id, "run")]
    assert (report["kind"], report["undoes"], report["totals"]["removed"]) == ("undo", run_id, 2)
    assert 'kometa_ai_runs_total{dry_run="false",outcome="ok"} 2.0' in figures
    assert 'kometa_ai_tag_changes_total{collection="heist",operation="removed"} 2.0' in figures


def mail(box: Mailbox) -> dict[str, str]:
    """The settings that send reports to the mailbox."""
    return {"SMTP_SERVER": box.host, "SMTP_PORT": str(box.port), "NOTIFICATION_RECIPIENTS": "ann@b.org"}
