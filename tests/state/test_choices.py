"""People's choices in their file: kept at once, by several at a time, moved from older states, never lost silently."""

from __future__ import annotations

import os
import signal
import stat
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.choice import Choices, Dismissal, Pin, Said
from kometa_ai.core.item import movie_key
from kometa_ai.core.naming import Slug
from kometa_ai.errors import RepairState
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.schema import Pinned, Released
from kometa_ai.state.store import Store
from tests.state.making import NOIR, NOW, judged

if TYPE_CHECKING:
    from pathlib import Path


def pin(number: int, slug: str = NOIR, *, include: bool = True, since: datetime = NOW) -> Pin:
    """A pin that anna has made in review."""
    return Pin(key=movie_key(number), slug=Slug(slug), include=include, since=since, origin="review", by="anna")


def dismissal(number: int, slug: str = NOIR) -> Dismissal:
    """A close call that was left to the model."""
    return Dismissal(
        key=movie_key(number), slug=Slug(slug), kind="close call", metadata_hash="m", prompt_hash="p", at=NOW
    )


_pins = st.builds(pin, st.integers(1, 4), st.sampled_from(["noir", "heist"]), include=st.booleans())


@given(st.lists(_pins), st.lists(_pins))
def test_a_pair_has_one_pin_the_newest(before: list[Pin], new: list[Pin]) -> None:
    """Whatever is pinned in whatever order, the last pin of a pair counts, and the others stay."""
    choices = Choices().with_pins(*before).with_pins(*new)

    expected = {each.pair: each for each in (*before, *new)}
    assert {each.pair: each for each in choices.pins} == expected
    assert len(choices.pins) == len(expected)


def test_a_pin_ends_the_dismissal_of_its_pair() -> None:
    """Who pins a pair has said something about it; a dismissal of another pair stays."""
    choices = Choices(dismissals=(dismissal(1), dismissal(2))).with_pins(pin(1))

    assert choices.dismissals == (dismissal(2),)
    assert choices.without_pins(pin(1)).pins == ()


def test_what_is_kept_is_read_by_others(tmp_path: Path) -> None:
    """Another process, or a later start, reads every field as it was given; nobody else may read the file."""
    made = Pin(
        key=movie_key(949),
        slug=NOIR,
        include=False,
        title="Heat (1995)",
        imdb_id="tt0113277",
        since=NOW,
        origin="hand edit",
        said=Said(include=True, confidence=0.72),
        run_id="20260301-030000-abcd",
    )

    ChoicesFile(tmp_path).change(lambda choices: choices.with_pins(made))

    assert ChoicesFile(tmp_path).read().pins == (made,)
    assert stat.S_IMODE((tmp_path / "choices.json").stat().st_mode) == 0o600


def test_choices_of_many_at_once_are_all_kept(tmp_path: Path) -> None:
    """Eight threads with a file object each make forty pins: none is lost."""

    def choose(first: int) -> None:
        mine = ChoicesFile(tmp_path)
        for number in range(first, first + 5):
            mine.change(lambda choices, number=number: choices.with_pins(pin(number)))  # type: ignore[misc]

    threads = [threading.Thread(target=choose, args=[1 + 5 * each]) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == set(range(1, 41))


def test_a_process_that_is_killed_leaves_whole_choices(tmp_path: Path) -> None:
    """Killed at any moment while it pins again and again, what it has confirmed is there, and the lock is free."""
    confirmed, confirm = os.pipe()
    child = os.fork()
    if child == 0:
        for number in range(1, 100_000):
            ChoicesFile(tmp_path).change(lambda choices, number=number: choices.with_pins(pin(number)))  # type: ignore[misc]
            os.write(confirm, b".")
        os._exit(0)
    count = len(os.read(confirmed, 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(confirm)
    while more := os.read(confirmed, 4096):
        count += len(more)
    os.close(confirmed)

    pins = ChoicesFile(tmp_path).change(lambda choices: choices).pins

    assert len(pins) >= count >= 1
    assert [each.tmdb_id for each in pins] == list(range(1, len(pins) + 1))


def test_pins_of_an_older_state_move_once(tmp_path: Path) -> None:
    """They are read before they have moved, are moved with the first run, and what is released then stays released."""
    store = Store.load(tmp_path)
    store.record(judged(1), Pinned(pin=pin(1)), Pinned(pin=pin(2)), Pinned(pin=pin(3)))
    store.record(Released(key=movie_key(3), slug=NOIR))
    store.save(NOW)
    store.record(Pinned(pin=pin(4)))

    kept = ChoicesFile(tmp_path)
    before = {each.tmdb_id for each in kept.read().pins}
    kept.take_over(store)
    kept.change(lambda choices: choices.without_pins(pin(1)))
    store.save(NOW)

    assert before == {1, 2, 4}
    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {2, 4}
    assert Store.load(tmp_path).state.pins == []
    ChoicesFile(tmp_path).take_over(Store.load(tmp_path))
    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {2, 4}


def test_a_choice_before_the_first_run_keeps_the_older_pins(tmp_path: Path) -> None:
    """Who pins before any run of this version has begun loses none of the pins that the state holds."""
    store = Store.load(tmp_path)
    store.record(Pinned(pin=pin(1)))

    ChoicesFile(tmp_path).change(lambda choices: choices.with_pins(pin(2)))

    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {1, 2}
    assert Store.load(tmp_path).state.pins == []


def test_a_change_by_another_is_seen(tmp_path: Path) -> None:
    """What one object has read is read again once another has written, also within one clock tick."""
    mine, other = ChoicesFile(tmp_path), ChoicesFile(tmp_path)
    seen = []
    for number in range(1, 20):
        other.change(lambda choices, number=number: choices.with_pins(pin(number)))  # type: ignore[misc]
        seen.append(len(mine.read().pins))

    assert seen == list(range(1, 20))


@pytest.mark.parametrize("damage", [b"", b'{"format":1,"pins":[{"key":"mo', b"\xff\xfe", b"[]", b"[" * 100_000])
def test_a_damaged_file_is_restored_from_its_backup(tmp_path: Path, damage: bytes) -> None:
    """The newest good backup takes its place; the next choice is added to it."""
    kept = ChoicesFile(tmp_path)
    kept.change(lambda choices: choices.with_pins(pin(1)))
    kept.change(lambda choices: choices.with_pins(pin(2)))
    (tmp_path / "choices.json").write_bytes(damage)

    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {1}
    ChoicesFile(tmp_path).change(lambda choices: choices.with_pins(pin(3)))
    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {1, 3}
    (kept_aside,) = tmp_path.glob("choices.json.damaged-*")
    assert kept_aside.read_bytes() == damage


def test_a_run_repairs_a_damaged_file_and_tells(tmp_path: Path) -> None:
    """The state's alerts, which the report shows, say so once; the file is whole again."""
    kept = ChoicesFile(tmp_path)
    kept.change(lambda choices: choices.with_pins(pin(1)))
    kept.change(lambda choices: choices.with_pins(pin(2)))
    (tmp_path / "choices.json").write_text("{")
    first, second = Store.load(tmp_path), Store.load(tmp_path)

    ChoicesFile(tmp_path).take_over(first)
    ChoicesFile(tmp_path).take_over(second)

    (alert,) = first.alerts
    assert "choices.json is damaged" in alert.what
    assert "restored from choices.json.bak1" in alert.what
    assert second.alerts == []
    assert [each.tmdb_id for each in ChoicesFile(tmp_path).read().pins] == [1]


def test_choices_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path) -> None:
    """Without a good backup, or from a newer program, it is an error of the state: nothing is decided without them."""
    (tmp_path / "choices.json").write_text("{}")
    with pytest.raises(RepairState, match="are damaged"):
        ChoicesFile(tmp_path).read()
    (tmp_path / "choices.json").write_text('{"format": 2}')
    with pytest.raises(RepairState, match="format 2, this program knows 1"):
        ChoicesFile(tmp_path).read()


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    """A link is not followed; a folder in its place is an error, and so is one in the place of the lock."""
    (tmp_path / "elsewhere.json").write_text('{"format":1}')
    (tmp_path / "choices.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(RepairState, match="it is a link"):
        ChoicesFile(tmp_path).read()
    (tmp_path / "choices.json").unlink()
    (tmp_path / "choices.lock").mkdir()
    with pytest.raises(RepairState, match=r"choices\.lock"):
        ChoicesFile(tmp_path).change(lambda choices: choices.with_pins(pin(1)))


def test_a_choice_that_cannot_be_kept_is_told(tmp_path: Path) -> None:
    """A disk that cannot be written: an error that says so, and the choices are as they were."""
    kept = ChoicesFile(tmp_path)
    kept.change(lambda choices: choices.with_pins(pin(1)))
    place = tmp_path / "choices.json"
    place.unlink()
    place.mkdir()
    (place / "in the way").touch()

    with pytest.raises(RepairState):
        kept.change(lambda choices: choices.with_pins(pin(2)))


def test_a_held_lock_is_waited_for(tmp_path: Path) -> None:
    """While another holds it for a moment, a choice waits and is then kept."""
    kept, other = ChoicesFile(tmp_path), ChoicesFile(tmp_path)
    is_held, go_on = threading.Event(), threading.Event()

    def slowly(choices: Choices) -> Choices:
        is_held.set()
        go_on.wait(5)
        return choices.with_pins(pin(1))

    slow = threading.Thread(target=lambda: other.change(slowly))
    slow.start()
    is_held.wait(5)
    quick = threading.Thread(target=lambda: kept.change(lambda choices: choices.with_pins(pin(2))))
    quick.start()
    go_on.set()
    slow.join()
    quick.join()

    assert {each.tmdb_id for each in ChoicesFile(tmp_path).read().pins} == {1, 2}


def test_a_pin_says_where_it_comes_from() -> None:
    """By whom, where, when and against which verdict, in one line; what is not known is left out."""
    since = NOW + timedelta(days=2)
    said = Said(include=True, confidence=0.72)
    against = Pin(key=movie_key(1), slug=NOIR, include=False, since=since, origin="review", by="anna", said=said)
    plain = Pin(key=movie_key(1), slug=NOIR, include=False, since=since)

    assert against.because == f"by anna in review, {since:%Y-%m-%d}; the model had been for it with 0.72"
    assert plain.because == f"by an undo, {since:%Y-%m-%d}"
