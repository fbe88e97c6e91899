from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kometa_ai.state.loading import SNAPSHOT
from kometa_ai.state.store import Store
from tests.state.making import NOW, judged, numbers
from tests.state.processes import KILLED_AT, forking, run, start

if TYPE_CHECKING:
    from pathlib import Path

_KILLED = f"""{KILLED_AT}
store = Store.load(folder)
for number in (4, 5):
    store.record(judged(number))
    print(number, flush=True)
store.save(NOW)
print("saved", flush=True)
"""


def _lived(folder: Path) -> None:
    store = Store.load(folder)
    for number in (1, 2, 3):
        store.record(judged(number))
        store.save(NOW)


@pytest.mark.parametrize("is_damaged", [False, True], ids=["whole", "damaged"])
def test_killed_at_each_step(tmp_path: Path, *, is_damaged: bool) -> None:
    """Killed before any of its steps on files, a run has lost nothing it confirmed; the next load needs no alert.

    So too where it began with a damaged snapshot, whose restoring may be told again.
    """
    with forking(_KILLED) as run_at:
        for at in range(1, 100):
            folder = tmp_path / str(at)
            folder.mkdir()
            _lived(folder)
            if is_damaged:
                (folder / SNAPSHOT).write_bytes(b"{")
            code, out = run_at(at, folder)
            assert code in {0, 9}, out
            confirmed = {1, 2, 3} | {int(word) for word in out.split() if word.isdigit()}
            store = Store.load(folder)
            assert confirmed <= set(numbers(store)) <= {1, 2, 3, 4, 5}
            assert is_damaged or store.alerts == []
            store.record(judged(6))
            store.save(NOW)
            again = Store.load(folder)
            assert (confirmed | {6} <= set(numbers(again)), again.alerts) == (True, [])
            if code == 0:
                assert at > 10
                return
    pytest.fail("it never came to its end")


def test_killed_while_it_records(tmp_path: Path) -> None:
    """SIGKILL at any instant of a run that records and saves: all that it confirmed is there."""
    seen = 0
    for _ in range(5):
        process = start(
            """
            store = Store.load(folder, journal_limit=3000)
            first = len(store.memory) + 1
            for number in range(first, first + 100000):
                store.record(judged(number))
                print(number, flush=True)
            """,
            tmp_path,
        )
        with process:
            assert process.stdout is not None
            for _ in range(40):
                seen = int(process.stdout.readline())
            process.kill()
            # Not communicate(), which loses what has been read ahead.
            seen = max([seen, *map(int, process.stdout.read().split())])
        store = Store.load(tmp_path)
        assert store.alerts == []
        assert numbers(store) == list(range(1, len(store.memory) + 1))
        assert seen <= len(store.memory) <= seen + 1


def test_full_disk(tmp_path: Path) -> None:
    """A disk too full for the next line: all that was confirmed is whole, and once freed all goes on from there."""
    _lived(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    code, out, err = run(
        """
        from kometa_ai.errors import RepairState
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
        store = Store.load(folder, sleep=lambda _: None)
        for number in range(4, 20):
            try:
                store.record(judged(number))
                print(number)
            except RepairState as error:
                assert "File too large" in error.message
        try:
            store.save(NOW)
        except RepairState:
            print("full")
        """,
        tmp_path,
    )
    assert code == 0, err
    confirmed = [int(line) for line in out.splitlines() if line.isdigit()]
    assert out.endswith("full\n")
    assert confirmed
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {name: after[name] for name in before} == before
    store = Store.load(tmp_path)
    assert (numbers(store), store.alerts) == ([1, 2, 3, *confirmed], [])
    store.save(NOW)
    assert len(json.loads((tmp_path / SNAPSHOT).read_text())["decisions"]) == 3 + len(confirmed)
