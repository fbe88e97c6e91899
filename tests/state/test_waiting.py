"""Which batches are open and which run waits is read from the files alone, and is what the whole state says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kometa_ai.core.batches import BatchedQuestion, OpenBatch
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.core.options import Earlier, Options
from kometa_ai.state.loading import JOURNAL, SNAPSHOT
from kometa_ai.state.schema import BatchDropped, BatchNamed, BatchPlanned, BatchTaken, RunWaits
from kometa_ai.state.store import Store
from kometa_ai.state.waiting import Waiting, WaitingReader
from tests.state.format_1 import lay_out
from tests.state.making import NOW, judged

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.state.schema import Entry

OPTIONS = Options(batch_size=20, unattended=True, max_cost=2.5, goes_on_with=Earlier(run_ids=("one",), since=NOW))


def _batch(key: str) -> OpenBatch:
    questions = tuple(
        BatchedQuestion(id=f"{key}-{slug}", page=0, slug=Slug(slug), prompt_hash="p") for slug in ("heist", "noir")
    )
    return OpenBatch(key=key, model="m", planned=NOW, pages=(((movie_key(603), "hash"),),), questions=questions)


def _told(store: Store) -> Waiting:
    options = store.state.waiting
    return Waiting(tuple(store.state.batches), None if options is msgspec.UNSET else options)


def test_it_is_what_the_whole_state_says(tmp_path: Path) -> None:
    """After each entry, with and without a snapshot in between, both readings are the same."""
    steps: list[Entry] = [
        BatchPlanned(batch=_batch("a")),
        RunWaits(options=OPTIONS),
        judged(1),
        BatchNamed(key="a", id="msgbatch_1"),
        BatchPlanned(batch=_batch("b")),
        BatchTaken(key="a", collections=(CollectionKey("heist"),)),
        BatchTaken(key="a", collections=(CollectionKey("noir"),)),
        BatchNamed(key="b", id="", foreign=("msgbatch_2",)),
        BatchDropped(key="b"),
        RunWaits(options=None),
    ]
    reader = WaitingReader(tmp_path)
    store = Store.load(tmp_path)
    assert reader.read() == Waiting()
    for number, step in enumerate(steps):
        store.record(step)
        if number % 3 == 0:
            store.save(NOW)
        assert reader.read() == _told(store) == _told(Store.load(tmp_path, read_only=True))

    assert reader.read() == Waiting()


def test_an_older_version_s_batch_has_no_run_that_waits(tmp_path: Path) -> None:
    """A state of format 1 knows of no waiting: its open batch is left to the next run, whichever that is."""
    lay_out(tmp_path)

    before = WaitingReader(tmp_path).read()
    store = Store.load(tmp_path)

    assert before.options is None
    assert len(store.state.batches) == 1
    assert WaitingReader(tmp_path).read() == Waiting(tuple(store.state.batches), None)


def test_a_newer_version_s_state_is_not_understood(tmp_path: Path) -> None:
    """Nothing is said of it: the next run refuses it and says why."""
    Store.load(tmp_path).record(BatchPlanned(batch=_batch("a")), RunWaits(options=OPTIONS))
    (tmp_path / SNAPSHOT).write_text('{"version":"9","state_format_version":99,"journal_entry":0}')

    assert WaitingReader(tmp_path).read() == Waiting()


def test_a_torn_line_says_nothing(tmp_path: Path) -> None:
    """What a power cut tore was never confirmed."""
    store = Store.load(tmp_path)
    store.record(BatchPlanned(batch=_batch("a")), RunWaits(options=OPTIONS))
    known = WaitingReader(tmp_path).read()
    with (tmp_path / JOURNAL).open("ab") as journal:
        journal.write(b'{"n":3,"format":2,"data":{"entry":"waits","opt')

    assert WaitingReader(tmp_path).read() == known == _told(store)
