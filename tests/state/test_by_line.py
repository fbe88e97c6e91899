from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from kometa_ai.core.decision import Remembered
from kometa_ai.core.item import movie_key
from kometa_ai.errors import RepairState
from kometa_ai.state import files, schema
from kometa_ai.state.by_line import DECISIONS, head_of, keys_in, open_state
from kometa_ai.state.loading import SNAPSHOT
from kometa_ai.state.store import Store, reset
from tests.state.format_1 import lay_out
from tests.state.making import NOIR, NOW, described, ended, judged, spent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kometa_ai.core.item import ItemKey


def saved(folder: Path, count: int) -> Store:
    """A state with some movies, saved."""
    store = Store.load(folder)
    for number in range(1, count + 1):
        store.record(described(number, f'A "title",\nof {number}}}'), judged(number, reasoning="{}},\n"))
    store.save(NOW)
    return store


@pytest.mark.parametrize("count", [0, 1, 3])
def test_each_item_is_a_line_of_the_snapshot(tmp_path: Path, count: int) -> None:
    """The first line is all but the items, each further one is an item, and the last one ends the snapshot, too."""
    store = saved(tmp_path, count)
    first, *lines = store.path.read_bytes().split(b"\n")

    assert first.endswith(DECISIONS if count else DECISIONS + b"}}")
    assert [line.startswith(b'"movie:%d":{' % (number + 1)) for number, line in enumerate(lines)] == [True] * count
    assert all(line.endswith(b"},") for line in lines[:-1])
    assert (lines or [first])[-1].endswith(b"}}")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_state_read_by_line_is_the_state_as_it_is_loaded(tmp_path: Path, count: int) -> None:
    """Head, items and the journal's entries together are what the store knows; each is found again at its place."""
    saved(tmp_path, count).record(judged(1, slug="heist"), described(2))
    opened = open_state(tmp_path)
    items = list(opened.items())
    entries = list(opened.entries())
    whole = Store.load(tmp_path, read_only=True)

    assert {key for _, key, _ in items} | {
        entry.key for _, entry in entries if isinstance(entry, schema.Judged)
    } <= set(whole.memory)
    assert [opened.remembered(offset) for offset, _, _ in items] == [item for _, _, item in items]
    assert [opened.entry(offset) for offset, _ in entries] == [entry for _, entry in entries]
    assert [type(entry) for _, entry in entries] == [schema.Judged, schema.Described]
    assert all(item.collections == whole.memory[key].collections for _, key, item in items if key != movie_key(1))
    assert opened.head.last_update == (NOW if count or opened.head.last_update else None)


def test_places_hold_while_new_files_take_the_names(tmp_path: Path) -> None:
    """A snapshot that is saved meanwhile does not move what was found in the old one."""
    store = saved(tmp_path, 2)
    opened = open_state(tmp_path)
    (offset, key, item), *_ = opened.items()
    store.record(*(described(number) for number in range(50, 90)))
    store.save(NOW)

    assert (key, opened.remembered(offset)) == (movie_key(1), item)
    assert isinstance(opened.remembered(offset), Remembered)


def test_an_empty_folder_and_a_fresh_state_hold_nothing(tmp_path: Path) -> None:
    """Neither is damaged."""
    assert list(open_state(tmp_path).items()) == []
    reset(tmp_path, NOW)
    assert not list(open_state(tmp_path).items())
    assert not list(open_state(tmp_path).entries())


def reordered(whole: bytes) -> bytes:
    """The same with the items first, where a reader of the first line alone sees no other field."""
    parts = msgspec.json.decode(whole)
    rest = msgspec.json.encode({name: part for name, part in parts.items() if name != "decisions"})
    items = b",\n".join(b"%b:%b" % tuple(map(msgspec.json.encode, pair)) for pair in parts["decisions"].items())
    return b'{"decisions":{\n' + items + b"}," + rest[1:]


def half_reordered(whole: bytes) -> bytes:
    """The same with one field behind the items."""
    parts = msgspec.json.decode(whole)
    first, _, items = whole.partition(b"\n")
    moved = b'"spending":%b,' % msgspec.json.encode(parts["spending"])
    assert moved in first
    return first.replace(moved, b"") + b"\n" + items[:-1] + b"," + moved[:-1] + b"}"


def edited(whole: bytes) -> bytes:
    """The same with one item in the middle on several lines, as an editor that folds has left it."""
    lines = whole.split(b"\n")
    lines[2] = lines[2].replace(b':{"', b':\n{"').replace(b',"', b',\n "')
    return b"\n".join(lines)


def in_dos_lines(whole: bytes) -> bytes:
    """The same with other ends of lines."""
    return whole.replace(b"\n", b"\r\n")


def with_an_end(whole: bytes) -> bytes:
    """The same with an end of the last line, as editors add it."""
    return whole + b"\n"


def with_a_double(whole: bytes) -> bytes:
    """The same with an item that is there twice: the later one counts."""
    first, _, items = whole.partition(b"\n")
    return msgspec.json.format(first + b'\n"movie:3":{"title":"An earlier one"},\n' + items, indent=0)


FORMS = {
    "indented": lambda whole: msgspec.json.format(whole, indent=2),
    "one line": lambda whole: msgspec.json.format(whole, indent=-1),
    "reordered": reordered,
    "half reordered": half_reordered,
    "edited": edited,
    "dos lines": in_dos_lines,
    "with an end": with_an_end,
    "with a double": with_a_double,
}


def all_of(folder: Path) -> tuple[schema.Snapshot, dict[ItemKey, Remembered]]:
    """The head and the items as `columns_of` reads them, each item read again at its place."""
    opened = open_state(folder)
    try:
        found = list(opened.items())
    except RepairState:
        opened = open_state(folder, as_a_whole=True)
        found = list(opened.items())
    assert [opened.remembered(place) for place, _, _ in found] == [item for _, _, item in found]
    return opened.head, {key: item for _, key, item in found}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_any_valid_form_is_read(tmp_path: Path, form: Callable[[bytes], bytes]) -> None:
    """One that somebody has formatted or put in another order says the same as the one that was written."""
    store = saved(tmp_path, 3)
    store.record(spent("2026-03", 7))
    store.save(NOW)
    store.record(judged(1, slug="heist"))
    before = all_of(tmp_path)
    keys = keys_in(store.path)
    files.replace(store.path, form(store.path.read_bytes()))

    assert all_of(tmp_path) == before
    assert head_of(store.path) == before[0]
    assert keys_in(store.path) == keys == {"movie:1", "movie:2", "movie:3"}
    assert [type(entry) for _, entry in open_state(tmp_path).entries()] == [schema.Judged]
    assert Store.load(tmp_path, read_only=True).alerts == []


def test_a_first_line_that_only_looks_like_a_head_hides_nothing(tmp_path: Path) -> None:
    """A lone `{"decisions":{` is no head without a version, and what stands behind the items is not lost."""
    store = saved(tmp_path, 2)
    store.record(ended("a-run"))
    store.save(NOW)
    whole = store.path.read_bytes()
    files.replace(store.path, reordered(whole))

    assert store.path.read_bytes().startswith(b'{"decisions":{\n"movie:1":')
    assert [run.run_id for run in head_of(store.path).runs] == ["a-run"]


def test_a_state_of_format_1_is_read_before_a_run_has_brought_it_into_the_present_form(tmp_path: Path) -> None:
    """Its libraries have names, and its items are there; the file stays as it is."""
    lay_out(tmp_path)
    place = tmp_path / SNAPSHOT
    before = place.read_bytes()
    head, items = all_of(tmp_path)
    whole = Store.load(tmp_path, read_only=True)

    assert items
    assert set(head.libraries) == {"radarr"}
    assert head_of(place).libraries == head.libraries
    assert set(items) <= set(whole.memory)
    assert place.read_bytes() == before


def test_what_is_damaged_or_missing_is_refused(tmp_path: Path) -> None:
    """A torn snapshot, one with text that is no UTF-8, one of no known format, and one that has gone."""
    store = saved(tmp_path, 3)
    whole = store.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    no_text = whole.replace(b'"title', b'"\xff\xfetitle')
    unknown = whole.replace(b'"state_format_version":2', b'"state_format_version":0')
    torn = [b"".join(lines[:-1]), *(whole[:-left] for left in range(1, 5)), whole[:-40], lines[0][:-5]]
    more = [whole + b'\n"movie:9":{}}}', whole + b"}"]
    for content in (*torn, *more, unknown, no_text, b"", b"\xff\n{}", b"[]", b"{}"):
        files.replace(store.path, content)
        with pytest.raises(RepairState, match="Start a run"):
            all_of(tmp_path)
    store.path.unlink()
    files.replace(files.backups(store.path)[0], whole)
    with pytest.raises(RepairState, match="missing"):
        open_state(tmp_path)


def test_what_is_newer_is_refused(tmp_path: Path) -> None:
    """It is no damage that a run repairs: the newer program is to be started."""
    store = saved(tmp_path, 1)
    files.replace(store.path, store.path.read_bytes().replace(b'"state_format_version":2', b'"state_format_version":3'))
    with pytest.raises(RepairState, match="newer version"):
        open_state(tmp_path)


def test_a_file_that_somebody_writes_into_is_told(tmp_path: Path) -> None:
    """An editor that writes in place moves what was found; that is damage until the state is read again."""
    store = saved(tmp_path, 3)
    opened = open_state(tmp_path)
    places = [place for place, _, _ in opened.items()]
    store.path.write_bytes(b" " * 17 + store.path.read_bytes())

    with pytest.raises(RepairState, match="damaged"):
        opened.remembered(places[1])
    assert len(all_of(tmp_path)[1]) == 3


def test_a_time_without_a_zone_is_damage(tmp_path: Path) -> None:
    """Somebody has edited it: compared with another it would end each run. The backup and the journal have it all."""
    store = saved(tmp_path, 2)
    store.save(NOW)
    whole = store.path.read_bytes()
    files.replace(
        store.path, whole.replace(b'"timestamp":"2026-03-01T03:00:00Z"', b'"timestamp":"2026-03-01T03:00:00"')
    )
    with pytest.raises(RepairState, match="damaged"):
        all_of(tmp_path)
    restored = Store.load(tmp_path)

    assert len(restored.alerts) == 1
    assert all(each.collections[NOIR].timestamp == NOW for each in restored.memory.values())
    assert set(restored.memory) == {movie_key(1), movie_key(2)}


def test_an_entry_without_a_zone_is_passed_over(tmp_path: Path) -> None:
    """By those who read the journal line by line and by those who load it."""
    store = saved(tmp_path, 1)
    store.record(judged(1, slug="heist"), judged(1, slug="western"))
    lines = store.journal_path.read_bytes().splitlines(keepends=True)
    files.replace(store.journal_path, lines[0].replace(b"03:00:00Z", b"03:00:00") + lines[1])

    assert [entry.slug for _, entry in open_state(tmp_path).entries() if isinstance(entry, schema.Judged)] == [
        "western"
    ]
    assert set(Store.load(tmp_path).memory[movie_key(1)].collections) == {NOIR, "western"}
