from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.core.changes import TagChange
from kometa_ai.core.choice import Pin
from kometa_ai.core.item import ItemKey, movie_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.errors import RepairState
from kometa_ai.state import files, schema
from kometa_ai.state.loading import JOURNAL, SNAPSHOT
from kometa_ai.state.schema import CollectionForgotten, PromptSeen, PromptVersion
from kometa_ai.state.store import WAITS, Seen, Store, reset
from tests.state.making import NOIR, NOW, decision, described, ended, failed, judged, numbers, spent, tagged

if TYPE_CHECKING:
    from pathlib import Path

_HEAT, _RONIN = movie_key(949), movie_key(8195)


def _read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / SNAPSHOT).read_text())
    return found


def _same(one: Store, other: Store) -> bool:
    return bool(json.loads(one.dump()) == json.loads(other.dump()))


_few = st.integers(1, 4)
_keys = _few.map(movie_key)
_slugs = st.sampled_from(["noir", "heist", "crime"])
_entries = st.lists(
    st.one_of(
        st.builds(judged, _few, _slugs, st.sampled_from([0.2, 0.7, 0.95])),
        st.builds(described, _few, st.sampled_from(["Heat", "Ronin"])),
        st.builds(tagged, st.integers(1, 150)),
        st.builds(failed, st.sampled_from(["It failed.", "Again."]), st.sampled_from(["Radarr", "Claude", ""])),
        st.builds(ended, st.sampled_from(["a", "b", "c"]), st.sampled_from([0, 1, 3]), dry_run=st.booleans()),
        st.builds(
            schema.LibraryRead,
            name=st.just("radarr"),
            library=st.builds(schema.LibrarySeen, count=_few, hash=st.just("h"), at=st.just(NOW)),
        ),
        st.builds(schema.CollectionForgotten, collection=_slugs.map(CollectionKey)),
        st.builds(
            schema.StatusChanged,
            collection=_slugs.map(CollectionKey),
            status=st.builds(schema.CollectionStatus, name=st.text(), tag=st.just("KAI-noir"), members=_few),
        ),
        st.builds(schema.Pinned, pin=st.builds(Pin, key=_keys, slug=_slugs, include=st.booleans(), since=st.just(NOW))),
        st.builds(schema.Released, key=_keys, slug=_slugs),
        st.builds(spent, st.sampled_from(["2026-02", "2026-03"]), _few),
    ),
    max_size=20,
)


@settings(max_examples=40)
@given(_entries, st.integers(0, 20))
def test_journal_prefix_is_the_state_at_that_point(
    tmp_path_factory: pytest.TempPathFactory, entries: list[schema.Entry], saved_after: int
) -> None:
    """After each record, and whether a snapshot was taken on the way or not, what is loaded is what was known."""
    folder = tmp_path_factory.mktemp("state")
    store = Store.load(folder)
    for number, entry in enumerate(entries):
        store.record(entry)
        if number == saved_after:
            store.save(NOW)
        loaded = Store.load(folder)
        assert _same(loaded, store)
        assert loaded.alerts == []


@settings(max_examples=40)
@given(_entries)
def test_lines_read_twice_do_no_harm(tmp_path_factory: pytest.TempPathFactory, entries: list[schema.Entry]) -> None:
    """A journal whose lines are all there twice, in their order, says the same as once."""
    folder = tmp_path_factory.mktemp("state")
    store = Store.load(folder)
    store.record(*entries)
    path = folder / JOURNAL
    if path.exists():
        path.write_bytes(path.read_bytes() * 2)
    loaded = Store.load(folder)
    assert _same(loaded, store)


def _movies(keys: list[ItemKey]) -> Seen:
    """What a run has seen that has read every library of movies."""
    return Seen(frozenset(keys), frozenset({"movie"}))


def test_snapshot_has_the_specified_shape(tmp_path: Path) -> None:
    """Version, times, decisions by TMDb id and slug, statuses, tag changes and errors are where readers expect them."""
    store = Store.load(tmp_path)
    excluded = decision(0.0, reasoning="", include=False, member=False, model="")
    store.record(described(949), judged(949), schema.Judged(key=_HEAT, slug=Slug("heist"), decision=excluded))
    store.record(
        schema.StatusChanged(
            collection=CollectionKey(NOIR),
            status=schema.CollectionStatus(name="Noir", tag="KAI-noir", status="complete"),
        )
    )
    store.record(tagged(949), failed(), ended("run"))
    store.save(NOW)
    found = _read(tmp_path)
    assert list(found)[:4] == ["version", "state_format_version", "last_update", "last_successful_run"]
    assert (found["state_format_version"], found["last_update"], found["last_successful_run"]) == (
        2,
        "2026-03-01T03:00:00Z",
        "2026-03-01T03:00:00Z",
    )
    movie = found["decisions"]["movie:949"]
    assert (movie["metadata_hash"], movie["title"]) == ("data", "Heat")
    common = {"timestamp": "2026-03-01T03:00:00Z", "metadata_hash": "data", "prompt_hash": "prompt", "threshold": 0.7}
    assert movie["collections"]["noir"] == common | {
        "tag": "KAI-noir",
        "include": True,
        "confidence": 0.95,
        "member": True,
        "model": "claude-sonnet-5-5",
        "reasoning": "So it is.",
    }
    assert movie["collections"]["heist"] == common | {
        "tag": "KAI-noir",
        "include": False,
        "confidence": 0.0,
        "member": False,
        "model": "",
        "reasoning": "",
    }
    status = found["collections"]["noir"]
    assert (status["status"], status["members"], status["pending"]) == ("complete", 0, 0)
    assert (status["last_processed_movie"], status["last_run"]) == (None, None)
    assert [change["tmdb_id"] for change in found["tag_changes"]] == [949]
    assert found["errors"]["counters"] == {"Radarr": 1}
    assert found["errors"]["last"][0]["what"] == "It failed."
    assert found["runs"][0]["run_id"] == "run"


def test_movie_without_verdicts_has_its_fields(tmp_path: Path) -> None:
    """A movie that was only described has an empty object of collections, not none."""
    store = Store.load(tmp_path)
    store.record(described(949))
    store.save(NOW)
    assert _read(tmp_path)["decisions"]["movie:949"]["collections"] == {}


def test_times_are_utc(tmp_path: Path) -> None:
    """A snapshot's time is written in UTC with a Z, whatever clock it was saved by."""
    Store.load(tmp_path).save(datetime(2026, 3, 1, 4, tzinfo=timezone(timedelta(hours=1))))
    assert _read(tmp_path)["last_update"] == "2026-03-01T03:00:00Z"
    assert reset(tmp_path, datetime(2026, 3, 1, 4, tzinfo=timezone(timedelta(hours=1)))) is not None
    assert _read(tmp_path)["last_update"] == "2026-03-01T03:00:00Z"


def test_lists_are_limited(tmp_path: Path) -> None:
    """The last 100 tag changes, 20 errors and 100 runs are kept; errors are all counted."""
    store = Store.load(tmp_path)
    store.record(*(tagged(number) for number in range(1, 131)))
    store.record(*(failed(f"Error {number}") for number in range(30)))
    store.record(*(ended(f"run {number}") for number in range(110)))
    state = store.state
    assert [change.tmdb_id for change in state.tag_changes] == list(range(31, 131))
    assert [error.what for error in state.errors.last] == [f"Error {number}" for number in range(10, 30)]
    assert state.errors.counters == {"Radarr": 30}
    assert [run.run_id for run in state.runs] == [f"run {number}" for number in range(10, 110)]


@pytest.mark.parametrize(
    ("run", "counts"),
    [
        (ended("run"), True),
        (ended("run", 1), False),
        (ended("run", dry_run=True), False),
        (ended("run", only_movies=1), False),
        (ended("run", only_collections=("Noir",)), False),
    ],
)
def test_last_successful_run(tmp_path: Path, *, run: schema.RunEnded, counts: bool) -> None:
    """Only a real run of everything without any problem is a successful one."""
    store = Store.load(tmp_path)
    store.record(run)
    assert (store.state.last_successful_run == NOW) is counts


def test_a_success_that_could_not_be_saved(tmp_path: Path) -> None:
    """A run that is told again with a problem is no success; the one before it still is the last."""
    store = Store.load(tmp_path)
    later = NOW + timedelta(days=1)
    store.record(ended("first"), ended("second", at=later), ended("second", 1, at=later))

    assert store.state.last_successful_run == NOW
    assert Store.load(tmp_path).state.last_successful_run == NOW


def test_save_begins_a_new_journal_and_keeps_the_old(tmp_path: Path) -> None:
    """After a snapshot the journal is empty; the one before it stays beside the snapshot before it."""
    store = Store.load(tmp_path)
    store.record(judged(1))
    store.save(NOW)
    store.record(judged(2))
    assert {path.name for path in tmp_path.iterdir()} == {SNAPSHOT, JOURNAL, f"{JOURNAL}.bak1"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())
    assert (tmp_path / JOURNAL).read_text().count("\n") == 1
    store.save(NOW)
    assert numbers(Store.load(tmp_path)) == [1, 2]


def test_snapshot_when_the_journal_has_grown(tmp_path: Path) -> None:
    """A long run takes snapshots on its way, so that the journal stays short; nothing is lost by it."""
    store = Store.load(tmp_path, journal_limit=2000)
    for number in range(1, 101):
        store.record(judged(number))
        assert store.journal_path.stat().st_size <= 2000 if store.journal_path.exists() else store.path.exists()
    assert _same(Store.load(tmp_path), store)
    assert len(_read(tmp_path)["decisions"]) > 90


def test_another_process_learned_something(tmp_path: Path) -> None:
    """What one process saved is there for the next that loads, and stays when that one saves."""
    one = Store.load(tmp_path)
    one.record(judged(1))
    one.save(NOW)
    other = Store.load(tmp_path)
    other.record(judged(2))
    other.save(NOW)
    assert numbers(Store.load(tmp_path)) == [1, 2]


def test_described_movie_keeps_its_decisions(tmp_path: Path) -> None:
    """New data of a movie leave the decisions, each of which knows what it was made from."""
    store = Store.load(tmp_path)
    store.record(judged(949), described(949, "Heat 2"))
    movie = store.memory[_HEAT]
    assert (movie.title, movie.collections[NOIR].confidence) == ("Heat 2", 0.95)
    assert _same(Store.load(tmp_path), store)


# Movies that leave


def test_departed_movies_leave_after_thirty_days(tmp_path: Path) -> None:
    """A movie that is away is remembered for 30 days of libraries without it; one that comes back starts anew."""
    store = Store.load(tmp_path)
    store.record(described(949), judged(949), described(8195), judged(8195))
    for day in range(31):
        store.note_seen(_movies([_HEAT]), NOW + timedelta(days=day))
        store.save(NOW)
        store = Store.load(tmp_path)
    assert numbers(store) == [949, 8195]
    store.note_seen(_movies([_HEAT]), NOW + timedelta(days=31))
    assert numbers(store) == [949]


def test_movie_that_comes_back_is_remembered(tmp_path: Path) -> None:
    """Coming back ends the grace."""
    store = Store.load(tmp_path)
    store.record(judged(949), judged(8195))
    store.note_seen(_movies([_HEAT]), NOW)
    store.note_seen(_movies([_HEAT, _RONIN]), NOW + timedelta(days=30))
    store.note_seen(_movies([_HEAT]), NOW + timedelta(days=60))
    store.note_seen(_movies([_HEAT]), NOW + timedelta(days=90))
    assert numbers(store) == [949, 8195]


def test_time_away_is_no_reason_to_forget(tmp_path: Path) -> None:
    """Months without a run, or with runs that never saw the library, lose no paid verdict."""
    store = Store.load(tmp_path)
    store.record(described(949), judged(949), described(8195), judged(8195))
    store.note_seen(_movies([_HEAT, _RONIN]), NOW)
    store.save(NOW)
    late = NOW + timedelta(days=100)
    store = Store.load(tmp_path)
    store.note_seen(_movies([]), late)
    store.save(late)
    assert numbers(Store.load(tmp_path)) == [949, 8195]
    store.note_seen(_movies([_HEAT]), late)
    store.save(late)
    assert numbers(Store.load(tmp_path)) == [949, 8195]


# Writing that fails


def test_write_that_fails_is_tried_again(tmp_path: Path) -> None:
    """A write is tried four times with growing waits, then told; while it goes on failing each gets one try."""
    waits: list[float] = []
    store = Store.load(tmp_path, sleep=waits.append)
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(RepairState, match="cannot be written"):
        store.record(judged(1))
    assert waits == list(WAITS)
    with pytest.raises(RepairState):
        store.record(judged(2))
    assert waits == list(WAITS)


def test_write_that_failed_once_is_no_problem(tmp_path: Path) -> None:
    """What goes away while waiting is not even told."""
    (tmp_path / JOURNAL).mkdir()
    store = Store(tmp_path, sleep=lambda _: (tmp_path / JOURNAL).rmdir())
    store.record(judged(1))
    assert numbers(Store.load(tmp_path)) == [1]


def test_lines_that_could_not_be_written_follow_later(tmp_path: Path) -> None:
    """Entries stay known while the disk is full, and are written with the next that can be: the journal has no gap."""
    store = Store.load(tmp_path, sleep=lambda _: None)
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(RepairState):
        store.record(judged(1))
    assert numbers(store) == [1]
    (tmp_path / JOURNAL).rmdir()
    store.record(judged(2))
    loaded = Store.load(tmp_path)
    assert _same(loaded, store)
    assert loaded.alerts == []


def test_snapshot_that_cannot_be_written(tmp_path: Path) -> None:
    """A failed snapshot leaves the one before and the journal; both are told in a RepairState."""
    store = Store.load(tmp_path, sleep=lambda _: None)
    store.record(judged(1))
    store.save(NOW)
    store.record(judged(2))
    (tmp_path / f".{SNAPSHOT}.new").mkdir()
    with pytest.raises(RepairState, match="cannot be written"):
        store.save(NOW)
    assert numbers(Store.load(tmp_path)) == [1, 2]


def test_growing_journal_outlives_failing_snapshots(tmp_path: Path) -> None:
    """Recording goes on where no snapshot can be taken, and does not try one with each line."""
    (tmp_path / f".{SNAPSHOT}.new").mkdir()
    waits: list[float] = []
    store = Store.load(tmp_path, journal_limit=1000, sleep=waits.append)
    for number in range(1, 21):
        store.record(judged(number))
    assert numbers(Store.load(tmp_path)) == list(range(1, 21))
    assert len(waits) < 20


def test_odd_characters_do_not_end_a_run(tmp_path: Path) -> None:
    """Half a surrogate pair, as JSON may carry it, becomes a question mark; what is known is what will be read."""
    store = Store.load(tmp_path)
    store.record(judged(949, reasoning="odd \ud83d end"), failed("odd \udc00"))
    assert store.memory[_HEAT].collections[NOIR].reasoning == "odd ? end"
    store.save(NOW)
    loaded = Store.load(tmp_path)
    assert _same(loaded, store)
    assert loaded.state.errors.last[0].what == "odd ?"


def test_recording_nothing_writes_nothing(tmp_path: Path) -> None:
    """An empty record makes no journal."""
    Store.load(tmp_path).record()
    assert list(tmp_path.iterdir()) == []


# Reading without the lock


def test_read_only_writes_nothing(tmp_path: Path) -> None:
    """Without the lock nothing is written, whatever is recorded or saved; it is known in memory alone."""
    Store.load(tmp_path).record(judged(1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    store = Store.load(tmp_path, read_only=True)
    store.record(judged(2))
    store.note_seen(_movies([movie_key(1)]), NOW)
    store.save(NOW)
    assert numbers(store) == [1, 2]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_dump_holds_the_journal(tmp_path: Path) -> None:
    """The dump is the state as JSON with what the journal adds."""
    Store.load(tmp_path).record(judged(949))
    found = json.loads(Store.load(tmp_path, read_only=True).dump())
    assert found["decisions"]["movie:949"]["collections"]["noir"]["include"] is True


# Starting fresh


def test_reset_keeps_everything_and_starts_fresh(tmp_path: Path) -> None:
    """Snapshot, backups and journals are kept beside; nothing of them comes back, whatever happens to the fresh one."""
    store = Store.load(tmp_path)
    for number in range(1, 5):
        store.record(judged(number))
        store.save(NOW)
    store.record(judged(5))
    kept = reset(tmp_path, NOW)
    assert kept is not None
    assert len(json.loads(kept.read_text())["decisions"]) == 4
    assert Store.load(tmp_path).memory == {}
    (tmp_path / SNAPSHOT).write_bytes(b"")
    assert Store.load(tmp_path).memory == {}
    assert sum("reset-20260301T030000" in path.name for path in tmp_path.iterdir()) == 6


def test_reset_twice_in_a_second_loses_nothing(tmp_path: Path) -> None:
    """A second reset keeps the fresh state under another name than the first kept the old one."""
    store = Store.load(tmp_path)
    store.record(judged(1))
    store.save(NOW)
    first, second = reset(tmp_path, NOW), reset(tmp_path, NOW)
    assert first is not None
    assert second not in (None, first)
    assert "movie:1" in first.read_text()


@pytest.mark.parametrize("content", [b"", b"\xff garbage", b'{"version": "9", "state_format_version": 99}'])
def test_reset_takes_any_state(tmp_path: Path, content: bytes) -> None:
    """A damaged or newer state can be reset, and is kept as it is."""
    (tmp_path / SNAPSHOT).write_bytes(content)
    kept = reset(tmp_path, NOW)
    assert kept is not None
    assert kept.read_bytes() == content
    assert Store.load(tmp_path).alerts == []


def test_reset_of_nothing(tmp_path: Path) -> None:
    """Where there is no state there is none to keep; numbering begins at one again."""
    assert reset(tmp_path, NOW) is None
    Store.load(tmp_path).record(judged(1))
    assert (tmp_path / JOURNAL).read_text().startswith('{"n":1,')


@pytest.mark.parametrize("act", [Store.load, lambda folder: reset(folder, NOW)])
def test_folder_that_is_a_file(tmp_path: Path, act: Any) -> None:
    """A state folder that is none is told as such."""
    (tmp_path / "state").touch()
    with pytest.raises(RepairState, match=re.escape(str(tmp_path / "state"))):
        act(tmp_path / "state")


def test_backup_count(tmp_path: Path) -> None:
    """Five backups are kept, however many snapshots were taken."""
    store = Store.load(tmp_path)
    for number in range(1, 10):
        store.record(judged(number))
        store.save(NOW)
    counts = [len(json.loads(place.read_text())["decisions"]) for place in files.backups(tmp_path / SNAPSHOT)]
    assert counts == [8, 7, 6, 5, 4]


def test_changes_compare_by_value(tmp_path: Path) -> None:
    """Adding, removing and adding again are three changes, told apart by time and run."""
    changes = [
        schema.Tagged(change=TagChange(**{**_fields(tagged(949)), "operation": operation, "run_id": run}))
        for run, operation in (("a", "add"), ("b", "remove"), ("c", "add"))
    ]
    store = Store.load(tmp_path)
    store.record(*changes)
    assert [change.operation for change in store.state.tag_changes] == ["add", "remove", "add"]


def _fields(entry: schema.Tagged) -> dict[str, Any]:
    return {name: getattr(entry.change, name) for name in entry.change.__struct_fields__}


def test_the_history_of_prompts_is_short_and_goes_with_its_collection(tmp_path: Path) -> None:
    """Twenty versions of a prompt are kept, each once; they survive saving, and are forgotten with the collection."""
    key = CollectionKey("noir")
    seen = [
        PromptSeen(
            collection=key,
            prompt=PromptVersion(prompt_hash=f"{number}", text="Dark.", at=NOW + timedelta(days=number)),
        )
        for number in range(25)
    ]
    store = Store.load(tmp_path)
    store.record(*seen, *seen)
    store.save(NOW)
    store.record(*seen[-2:])

    kept = Store.load(tmp_path)

    assert [version.prompt_hash for version in kept.state.prompts[key]] == [f"{number}" for number in range(5, 25)]
    kept.record(CollectionForgotten(collection=key))
    assert Store.load(tmp_path).state.prompts == {}


@pytest.mark.parametrize("name", [JOURNAL, SNAPSHOT])
def test_an_outcome_that_named_claude_is_the_models(tmp_path: Path, name: str) -> None:
    """`claude unusable`, as an earlier version wrote it into journal and snapshot, is read as `model unusable`."""
    store = Store.load(tmp_path)
    store.record(schema.RunEnded(run=msgspec.structs.replace(ended("run", 4).run, outcome="model unusable")))
    if name == SNAPSHOT:
        store.save(NOW)
    del store
    written = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(written.replace(b'"model unusable"', b'"claude unusable"'))

    (run,) = Store.load(tmp_path).state.runs

    assert b'"model unusable"' in written
    assert run.outcome == "model unusable"
