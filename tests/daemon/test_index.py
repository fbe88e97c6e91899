from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from pydantic import SecretStr

from kometa_ai.asking.pacing import Limits
from kometa_ai.asking.tally import Tally
from kometa_ai.core.choice import Pin
from kometa_ai.core.collection import Folder, ItemRef, recognise
from kometa_ai.core.decision import TRIES, Cause, Remembered, Unjudged, decision_of
from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import kind_of, number_of
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.naming import Label, Slug
from kometa_ai.core.options import Options
from kometa_ai.daemon.columns import Columns
from kometa_ai.daemon.index import Index
from kometa_ai.daemon.listing import ItemInCollection, ListedItem
from kometa_ai.daemon.past import Past
from kometa_ai.daemon.shelves import Shelves
from kometa_ai.daemon.standing import Sources
from kometa_ai.jobs.whatif import Basis, foresee
from kometa_ai.judging.planning import subjects_of
from kometa_ai.judging.stages import Known, walk
from kometa_ai.library.port import Contents
from kometa_ai.run.libraries import merged, taking_part, told_by_another
from kometa_ai.run.parts import Rules
from kometa_ai.run.results import Asking, Judging, LibraryFound, Reading
from kometa_ai.run.tagging import brakes_of, plan
from kometa_ai.settings.libraries import FIRST_RADARR, FIRST_SONARR, LibrarySettings, Place
from kometa_ai.state import libraries, schema
from kometa_ai.state.by_line import open_state
from kometa_ai.state.store import Seen, Store
from tests.judging.making import movie, named, show
from tests.state.making import decision

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.item import ItemKey
    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.judging.policy import Gates, Membership

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)
NAMES = ("Noir", "Heist", "Crime")
LABELS = ("kai-noir", "kai-heist", "kai-crime", "by-hand")
PROMPTS = ("Dark.", "Darker.")
LIBRARIES = tuple(
    LibrarySettings.at(place, "http://localhost", SecretStr("key"))
    for place in (FIRST_RADARR, Place("Radarr", "4K"), FIRST_SONARR)
)


def rules(folder: Path) -> Rules:
    """The settings of all worlds."""
    return Rules(config_dir=folder, model="first", review_model="second", limits=Limits())


class Made(NamedTuple):
    """A generated world on the disk, and what is not there: Kometa's folder as it was read, and the pins."""

    folder: Path
    kometa: Folder
    pins: tuple[Pin, ...]


def a_collection(dice: Random, name: str, kind: str) -> Collection:
    """A block of a kind with random rules."""
    others = [f"kai-{other.lower()}" for other in NAMES if other != name]
    ids = [str(number) for number in dice.sample(range(1, 6), 2)]
    service = "tmdb" if kind == "movie" else "tvdb"
    refs = [ItemRef.parse(f"{service}:{number}", "movie" if kind == "movie" else "show") for number in ids]
    held = [each.name for each in LIBRARIES if each.kind == kind]
    return named(
        name,
        kind=kind,
        prompt=dice.choice(PROMPTS),
        confidence_threshold=dice.choice([0.6, 0.7, 0.7, 0.8]),
        priority=dice.randrange(3),
        include_tags=frozenset(map(Label, dice.sample([*others, "by-hand"], dice.choice([0, 0, 1])))),
        exclude_tags=frozenset(map(Label, dice.sample([*others, "by-hand"], dice.choice([0, 0, 1])))),
        **{
            f"include_{kind}s": tuple(refs[: dice.randrange(2)]),
            f"exclude_{kind}s": tuple(refs[1 : 1 + dice.randrange(2)]),
        },
        libraries=frozenset({dice.choice(held)} if dice.random() < 0.3 else ()),
    )


def an_item(dice: Random, kind: str, number: int) -> AnyItem:
    """An item as one library tells of it; another may tell of another plot."""
    labels = dice.sample(LABELS, dice.choice([0, 1, 1, 2]))
    plot = dice.choice(["A plot.", "A plot.", "Another."])
    return (movie if kind == "movie" else show)(number, *labels, plot=plot, genres=("Drama",))


def entries(dice: Random, world: list[AnyItem], collections: list[Collection]) -> list[schema.Entry]:
    """What runs may have recorded."""
    found: list[schema.Entry] = []
    for _ in range(dice.randrange(60)):
        told = dice.choice(world)
        # As some library told of it at some time.
        item = an_item(dice, kind_of(told.key), number_of(told.key))
        prompt = named("Any", prompt=dice.choice(PROMPTS)).prompt_hash
        people = Credits(("Somebody",), ("Anybody",)) if isinstance(item, Movie) and dice.random() < 0.6 else None
        known = msgspec.structs.replace(item, credits=people) if people else item
        prints = fingerprint(known)
        facts = dice.choice([prints.full, prints.full, prints.blind, "odd"])
        slug = Slug(dice.choice(NAMES).lower())
        what = dice.random()
        if what < 0.3:
            remembered = Remembered(
                title=item.title, year=item.year, metadata_hash=prints.full, facts_hash=prints.blind, credits=people
            )
            found.append(schema.Described(key=item.key, movie=remembered))
        elif what < 0.7:
            confidence = dice.choice([0.0, 0.3, 0.65, 0.7, 0.75, 0.95])
            made = decision(
                confidence,
                metadata_hash=facts,
                prompt_hash=prompt,
                member=dice.random() < 0.5,
                threshold=dice.choice([0.6, 0.7]),
                second_look=dice.choice(["none", "due", "done"]),
                timestamp=NOW + timedelta(hours=dice.randrange(100)),
                reasoning=f"Reason {dice.randrange(1000)}.",
            )
            found.append(schema.Judged(key=item.key, slug=slug, decision=made))
        elif what < 0.95:
            tried = Unjudged(runs=dice.choice([1, TRIES]), metadata_hash=facts, prompt_hash=prompt, model="first")
            found.append(schema.LeftUnjudged(key=item.key, slug=slug, unjudged=tried))
        else:
            each = dice.choice(collections)
            status = schema.CollectionStatus(
                name=each.name, tag=each.tag, status="complete", block_hash=each.block_hash, members=3
            )
            found.append(schema.StatusChanged(collection=each.key, status=status))
    return found


def lines_of(path: Path) -> list[bytes]:
    """The lines of a journal."""
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def made(dice: Random, folder: Path) -> Made:
    """Write a world: a state with a snapshot, a prefix of a journal, and what libraries held."""
    things = [("movie", 1), ("movie", 2), ("movie", 3), ("movie", 4), ("show", 1), ("show", 2), ("show", 3)]
    collections = [
        a_collection(dice, name, kind) for kind in ("movie", "show") for name in NAMES if dice.random() < 0.8
    ]
    world = [an_item(dice, kind, number) for kind, number in things]
    store = Store.load(folder)
    before: list[bytes] = []
    for _ in range(dice.randrange(3)):
        store.record(*entries(dice, world, collections or [named("Noir")]))
        store.note_seen(Seen(frozenset(each.key for each in world[:-1]), frozenset({"movie", "show"})), NOW)
        before = lines_of(store.journal_path)
        store.save(NOW)
    store.record(*entries(dice, world, collections or [named("Noir")]))
    lines = lines_of(store.journal_path)
    if lines:
        # Sometimes a power cut came after the snapshot and before its journal began, or in the middle of a line.
        torn = b"" if dice.random() < 0.5 else b'{"n":'
        older = before if dice.random() < 0.3 else []
        store.journal_path.write_bytes(b"".join([*older, *lines[: dice.randrange(len(lines) + 1)]]) + torn)
    for library in LIBRARIES:
        if dice.random() < 0.8:
            held = [(k, n) for k, n in things if k == library.kind and dice.random() < 0.8]
            items = [an_item(dice, kind, number) for kind, number in held]
            header = libraries.Header(library=library.name, at=NOW, run_id="a-run", managed={})
            libraries.write(folder, header, map(libraries.line_of, items))
    pins = {
        (item.key, slug): Pin(key=item.key, slug=slug, include=dice.random() < 0.5, since=NOW)
        for item, slug in ((dice.choice(world), Slug(dice.choice(NAMES).lower())) for _ in range(dice.randrange(4)))
    }
    ordered = sorted(collections, key=lambda each: (-each.priority, each.name, each.kind))
    return Made(folder, Folder(collections=tuple(ordered)), tuple(pins.values()))


def index_of(world: Made, settings: Rules | None = None) -> Index:
    """The index of a world."""
    columns = Columns(open_state(world.folder))
    shelves = Shelves(world.folder, LIBRARIES, columns)
    columns.close()
    return Index(
        Sources(columns, shelves, world.kometa, world.pins, settings or rules(world.folder), LIBRARIES, NOW),
        Past(world.folder),
    )


def all_of(index: Index, key: CollectionKey) -> list[ItemInCollection]:
    """Every item of a collection."""
    found = index.items_of(key, "all", size=500)
    assert found is not None
    return [each for each in found.items if isinstance(each, ItemInCollection)]


Said = dict[tuple["CollectionKey", "ItemKey"], tuple[Any, ...]]


class Whole(NamedTuple):
    """A world as a run reads it: the state as it is loaded, and whole items."""

    store: Store
    libraries: tuple[LibraryFound, ...]
    known: Known
    chosen: tuple[Collection, ...]


def read_whole(world: Made) -> Whole:
    """Read a world as a run reads it."""
    store = Store.load(world.folder, read_only=True)
    found = []
    for each in LIBRARIES:
        file = libraries.open_file(world.folder, each.name)
        items = tuple(libraries.item_of(row.line, each.name) for row in file.rows()) if file else ()
        if file:
            file.close()
        contents = Contents(items=items) if file else None
        found.append(LibraryFound(name=each.name, title=each.title, kind=each.kind, contents=contents))
    items = merged({each.name: each.contents.items for each in found if each.contents})
    unconfirmed = frozenset(told_by_another(items, found))
    here = taking_part(world.kometa.collections, world.kometa.collections, LIBRARIES, found)
    memory = store.memory
    subjects = subjects_of(items, memory, unconfirmed)
    known = Known(items, subjects, memory, world.pins, rules(world.folder).models)
    return Whole(store, tuple(found), known, recognise(here, items))


def said_by_a_run(world: Made) -> Said:
    """What a run that got no answer would say of each pair, from the state as it is loaded and from whole items."""
    store, found, known, chosen = read_whole(world)
    memory, of_all = known.memory, {item.key: item for item in known.movies}
    said: Said = {}
    gates: dict[CollectionKey, Gates] = {}
    memberships: dict[CollectionKey, Membership] = {}
    for stage in walk(chosen, world.kometa.collections, known):
        questions = stage.questions()
        settled = stage.decide(questions)
        gates |= stage.gates
        for block in stage.chosen:
            membership = memberships[block.key] = settled.memberships[block.key]
            for key, item in of_all.items():
                if not block.concerns(item):
                    continue
                decided = memory[key].collections.get(block.slug) if key in memory else None
                said[block.key, key] = (
                    None if key in membership.undecided else key in membership.members,
                    gates[block.key].causes.get(key) or (Cause.VERDICT if decided else Cause.UNDECIDED),
                    str(questions[block.key].get(key, "")),
                    stage.deciding_tags(block, item),
                    block.label in item.labels,
                    decided,
                )
    asking = Asking(open_questions={}, reasons={}, last_asked={}, tally=Tally(), endings=())
    judging = Judging(subjects=known.subjects, asking=asking, gates=gates, memberships=memberships)
    holding = {each.name: each.contents for each in found if each.contents}
    brakes = brakes_of(rules(world.folder), Options(), chosen, store.state.collections)
    planned = plan(holding, chosen, judging, brakes).plan
    for word, changes in (("tag", planned.changes), ("brake", planned.held_back)):
        for pair in {(change.collection, change.movie.key) for change in changes}:
            # A collection may be narrowed to libraries that do not hold the item any more: then it is in no list.
            if pair in said:
                belongs, cause, question, *rest = said[pair]
                said[pair] = (belongs, cause, f"{question} {word}".strip(), *rest)
    return said


@pytest.mark.parametrize("seed", range(100))
def test_the_index_says_what_a_run_would_say(tmp_path: Path, seed: int) -> None:
    """Memberships, causes, deciding tags, open questions with their reasons, and decisions, in any world.

    Worlds have films and shows in up to three libraries, blocks that name each other's tags, pins in blocks and of
    people, other thresholds and prompts than decisions were made at, second looks, questions given up, people known or
    not, items that have left or that the state does not know, and any prefix of a journal, torn or not.
    """
    world = made(Random(seed), tmp_path)
    index, expected = index_of(world), said_by_a_run(world)
    said: Said = {}
    listed: Said = {}
    reasons = {}
    for collection in index.collections:
        for each in all_of(index, collection.key):
            question = " ".join(each.waits_for)
            pair = collection.key, each.key
            said[pair] = (each.belongs, each.cause, question, each.deciding_tags, each.is_tagged)
            reasons[pair] = (each.confidence, each.reason, each.decided, each.second_look, each.metadata_hash)
        for one in index.pairs(collection.key):
            listed[collection.key, one.item.key] = (one.belongs, one.cause, one.is_tagged, one.decision)

    assert said == {pair: line[:5] for pair, line in expected.items()}
    nothing = (None, "", None, "", "")
    decided = {pair: line[5] for pair, line in expected.items()}
    assert reasons == {
        pair: (each.confidence, each.reasoning, each.timestamp, each.second_look, each.metadata_hash)
        if each
        else nothing
        for pair, each in decided.items()
    }
    assert listed == {
        pair: (belongs, cause, is_tagged, each and msgspec.structs.replace(each, tag="", reasoning="", request=""))
        for pair, (belongs, cause, _, _, is_tagged, each) in expected.items()
        if belongs or is_tagged or cause not in (Cause.VERDICT, Cause.UNDECIDED) or (each and each.confidence > 0)
    }


@pytest.mark.parametrize(("seed", "review"), [(seed, ("off", "all")[seed % 2]) for seed in range(100)])
def test_the_index_foresees_what_the_whole_state_foresees(tmp_path: Path, seed: int, review: Any) -> None:
    """Another threshold, also 0 and 1, is foretold from the few items that it may touch as from all there are."""
    world = made(Random(seed), tmp_path)
    store, found, known, chosen = read_whole(world)
    settings = msgspec.structs.replace(rules(world.folder), review=review, review_days=3)
    reading = Reading(libraries=found, items=known.movies, folder=world.kometa, collections=chosen)
    remembered = partial(decision_of, known.memory)
    whole = Basis(known, reading, store.state.collections, settings, NOW, remembered)
    index = index_of(world, settings)

    assert [each.key for each in index.collections] == [each.key for each in chosen]
    for each in chosen:
        for threshold in (0.0, 0.3, 0.65, 0.7, 0.8, 1.0):
            assert index.foresee(each.key, threshold) == foresee(each, threshold, whole)


@pytest.mark.parametrize("seed", range(20))
def test_the_index_knows_an_item_in_each_library(tmp_path: Path, seed: int) -> None:
    """By the library's own number, in the order of the settings; a number that no service has is left out."""
    world = made(Random(seed), tmp_path)
    numbers: dict[ItemKey, list[tuple[str, int]]] = {}
    for library in LIBRARIES:
        file = libraries.open_file(tmp_path, library.name)
        if file is None:
            continue
        lines = [row.line for row in file.rows()]
        file.close()
        odd = iter((-1, 2**40))
        dice = Random(seed)
        lines = [msgspec.structs.replace(line, id=next(odd, dice.randrange(1, 2**31))) for line in lines]
        libraries.write(tmp_path, file.header, lines)
        for line in lines[2:]:
            numbers.setdefault(line.key, []).append((library.name, line.id))
    index = index_of(world)
    listed = [each for each in index.search(size=100).items if isinstance(each, ListedItem)]
    keys = [*(each.key for each in listed), show(99).key]

    assert {key: list(index.held_as(key)) for key in keys if index.held_as(key)} == numbers
    assert index.title_of(keys[-1]) == ""
