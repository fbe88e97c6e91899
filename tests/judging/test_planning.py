"""Which questions are asked, and in what order collections are decided."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.collection import Collection
from kometa_ai.core.decision import TRIES, Cause, Decision, Reason, Remembered, Unjudged
from kometa_ai.core.fingerprint import fingerprint
from kometa_ai.core.item import ItemKey, movie_key, show_key
from kometa_ai.core.kinds import AnyItem
from kometa_ai.core.movie import Credits, Movie
from kometa_ai.core.naming import CollectionKey
from kometa_ai.judging.looks import Models
from kometa_ai.judging.planning import Questions, plan_questions, subjects_of, to_describe, unanswered
from kometa_ai.judging.policy import Gates
from kometa_ai.judging.stages import stages
from tests.asking.support import collection, labels, movie, movies
from tests.core.test_show import show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PEOPLE = Credits(("Michael Mann",), ("Al Pacino", "Robert De Niro"))


def decision(of: AnyItem, about: Collection, **fields: Any) -> Decision:
    """A decision about an item as it is now."""
    known: dict[str, Any] = {
        "tag": about.tag,
        "include": True,
        "confidence": 0.95,
        "timestamp": datetime(2026, 1, 1, tzinfo=UTC),
        "metadata_hash": fingerprint(of).full,
        "prompt_hash": about.prompt_hash,
        "model": "claude-of-old",
    }
    return Decision(**{**known, **fields})


def remembered(of: AnyItem, *about: Collection, **fields: Any) -> Remembered:
    """What is remembered of an item that was judged for these collections as it is now."""
    prints = fingerprint(of)
    known: dict[str, Any] = {
        "metadata_hash": prints.full,
        "facts_hash": prints.blind,
        "credits": of.credits if isinstance(of, Movie) else None,
        "collections": {each.key: decision(of, each) for each in about},
    }
    return Remembered(**{**known, **fields})


ONE_MODEL = Models("one", "one")


def plan(
    library: Sequence[Movie],
    collections: Sequence[Collection],
    memory: Mapping[ItemKey, Remembered],
    gates: Mapping[CollectionKey, Gates] | None = None,
    *,
    force: bool = False,
    again: frozenset[str] = frozenset(),
    since: datetime | None = None,
    models: Models = ONE_MODEL,
) -> Questions:
    """Plan the questions; nothing is gated unless it is said."""
    gates = {each.key: Gates() for each in collections} | dict(gates or {})
    return plan_questions(
        subjects_of(library, memory), collections, memory, gates, models, force=force, again=again, since=since
    )


HEISTS, NOIR = collection("Heists"), collection("Noir")
HEAT = movie(1, title="Heat", plot="Two men.")
KEY = HEAT.key


def test_what_was_never_decided_is_asked() -> None:
    """For each collection, and each movie of the library."""
    questions = plan(movies(2), [HEISTS, NOIR], {})

    assert questions == dict.fromkeys(("heists", "noir"), dict.fromkeys((movie_key(1001), movie_key(1002)), Reason.NEW))


@given(st.integers(0, 8), st.integers(0, 5))
def test_a_memory_that_covers_everything_leaves_no_question(count: int, wanted: int) -> None:
    """Whatever the size of the library and the number of collections."""
    collections = [collection(f"C{number}") for number in range(wanted)]
    memory = {each.key: remembered(each, *collections) for each in movies(count)}

    assert not any(plan(movies(count), collections, memory).values())


@pytest.mark.parametrize(
    "change", [{"title": "Heat 2"}, {"year": 1996}, {"plot": "Three."}, {"genres": ("Crime",)}], ids=str
)
def test_changed_data_are_asked_again_in_every_collection(change: dict[str, Any]) -> None:
    """Also when one of the collections has judged the changed movie already."""
    changed = msgspec.structs.replace(HEAT, **change)
    memory = {KEY: remembered(HEAT, HEISTS, NOIR)}

    assert plan([changed], [HEISTS, NOIR], memory) == {slug: {KEY: Reason.MOVIE_CHANGED} for slug in ("heists", "noir")}

    memory = {KEY: remembered(changed, HEISTS, collections={**memory[KEY].collections, **_heists(changed)})}

    assert plan([changed], [HEISTS, NOIR], memory) == {"heists": {}, "noir": {KEY: Reason.MOVIE_CHANGED}}


def _heists(of: Movie) -> dict[CollectionKey, Decision]:
    return {HEISTS.key: decision(of, HEISTS)}


@pytest.mark.parametrize("change", [{"keywords": ("bank",)}, {"imdb_id": "tt9"}, {"arr_id": 77}], ids=str)
def test_what_is_volatile_asks_nothing(change: dict[str, Any]) -> None:
    """Keywords and the ids of others are no part of a decision."""
    assert not any(plan([msgspec.structs.replace(HEAT, **change)], [HEISTS], {KEY: remembered(HEAT, HEISTS)}).values())


def test_an_edited_prompt_asks_again_in_its_collection_only() -> None:
    """A changed threshold, priority or pin costs nothing, and neither does another model."""
    memory = {KEY: remembered(HEAT, HEISTS, NOIR)}
    edited = msgspec.structs.replace(HEISTS, prompt="About great heists.")
    tuned = msgspec.structs.replace(NOIR, confidence_threshold=0.2, priority=9, include_tags=labels("x"))

    assert plan([HEAT], [edited, tuned], memory) == {"heists": {KEY: Reason.PROMPT_CHANGED}, "noir": {}}


def test_gated_movies_are_not_asked_about() -> None:
    """Not even when everything is asked again."""
    gates = {HEISTS.key: Gates(causes={KEY: Cause.PINNED_IN})}

    assert plan([HEAT], [HEISTS], {}, gates, force=True) == {"heists": {}}


def test_force_asks_everything_again() -> None:
    """And says so."""
    assert plan([HEAT], [HEISTS], {KEY: remembered(HEAT, HEISTS)}, force=True) == {"heists": {KEY: Reason.FORCED}}


def test_verdicts_since_a_run_has_begun_are_not_asked_again() -> None:
    """A run that goes on with one of --force-refresh or --ask-again asks what that one has not asked again yet."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    memory = {KEY: remembered(HEAT, collections={HEISTS.slug: decision(HEAT, HEISTS, request="one")})}
    later = began + timedelta(seconds=1)

    assert plan([HEAT], [HEISTS], memory, force=True, since=began) == {"heists": {}}
    assert plan([HEAT], [HEISTS], memory, force=True, since=later) == {"heists": {KEY: Reason.FORCED}}
    assert plan([HEAT], [HEISTS], memory, again=frozenset({"one"}), since=began) == {"heists": {}}
    assert plan([HEAT], [HEISTS], memory, again=frozenset({"one"}), since=later) == {
        "heists": {KEY: Reason.ASKED_AGAIN}
    }


@pytest.mark.parametrize(
    ("confidence", "look", "expected"),
    [
        (0.6, "due", Reason.SECOND_LOOK),
        (0.8, "due", Reason.SECOND_LOOK),
        (0.7, "done", None),
        (0.7, "none", None),
        (0.55, "due", None),
        (0.85, "due", None),
    ],
)
def test_near_the_threshold_one_second_look_is_due(confidence: float, look: str, expected: Reason | None) -> None:
    """And never another; a threshold that has moved away makes it needless."""
    judged = decision(HEAT, HEISTS, confidence=confidence, second_look=look)
    memory = {KEY: remembered(HEAT, collections={HEISTS.key: judged})}

    assert plan([HEAT], [HEISTS], memory)[HEISTS.key].get(KEY) is expected


def test_only_questions_without_a_verdict_leave_a_movie_unanswered() -> None:
    """A second look that is still due has the first one to stand on."""
    questions: Questions = {HEISTS.key: {KEY: Reason.SECOND_LOOK, movie_key(2): Reason.NEW}}

    assert unanswered(questions) == {"heists": {movie_key(2)}}


@pytest.mark.parametrize(("runs", "reason"), [(TRIES - 1, Reason.NEW), (TRIES, Reason.GIVEN_UP)])
def test_what_brings_no_verdict_run_after_run_is_given_up(runs: int, reason: Reason) -> None:
    """For these very inputs and this collection only, and not where everything is asked again."""
    in_vain = Unjudged(runs=runs, metadata_hash=fingerprint(HEAT).full, prompt_hash=HEISTS.prompt_hash)
    memory = {KEY: remembered(HEAT, unjudged={HEISTS.key: in_vain})}

    assert plan([HEAT], [HEISTS, NOIR], memory) == {"heists": {KEY: reason}, "noir": {KEY: Reason.NEW}}
    assert plan([HEAT], [msgspec.structs.replace(HEISTS, prompt="Other.")], memory)[HEISTS.key] == {KEY: Reason.NEW}
    assert plan([movie(1, title="Heat", plot="New.")], [HEISTS], memory)[HEISTS.key] == {KEY: Reason.NEW}
    assert plan([HEAT], [HEISTS], memory, force=True)[HEISTS.key] == {KEY: Reason.NEW}
    assert unanswered({HEISTS.key: {KEY: reason}}) == {"heists": {KEY}}


def test_a_second_look_in_vain_leaves_the_first_verdict() -> None:
    """There is no question then."""
    in_vain = Unjudged(runs=TRIES, metadata_hash=fingerprint(HEAT).full, prompt_hash=HEISTS.prompt_hash)
    due = decision(HEAT, HEISTS, confidence=0.7, second_look="due")
    memory = {KEY: remembered(HEAT, collections={HEISTS.key: due}, unjudged={HEISTS.key: in_vain})}

    assert plan([HEAT], [HEISTS], memory) == {"heists": {}}


def test_known_credits_are_kept_without_asking_again() -> None:
    """Radarr's list has none; a movie judged with them is the same movie."""
    memory = {KEY: remembered(msgspec.structs.replace(HEAT, credits=PEOPLE), HEISTS)}

    described = subjects_of([HEAT], memory)[KEY]

    assert isinstance(described.item, Movie)
    assert described.item.credits == PEOPLE
    assert not any(plan([HEAT], [HEISTS], memory).values())
    assert to_describe({HEISTS.key: {KEY: Reason.FORCED}}, {KEY: described}, memory) == ()


def test_credits_that_become_known_ask_nothing() -> None:
    """A decision from before they were known still holds."""
    judged_blind = decision(HEAT, HEISTS)
    memory = {KEY: remembered(msgspec.structs.replace(HEAT, credits=PEOPLE), collections={HEISTS.key: judged_blind})}

    assert not any(plan([HEAT], [HEISTS], memory).values())


def test_credits_are_fetched_for_what_is_asked_about_and_unknown_or_changed() -> None:
    """Not for second looks, and not where an empty answer was given before."""
    library = movies(5)
    changed = msgspec.structs.replace(library[2], plot="Another one.")
    memory = {
        library[1].key: remembered(library[1]),
        library[2].key: remembered(library[2]),
        library[3].key: remembered(library[3], credits=None),
    }
    known = subjects_of([library[0], library[1], changed, library[3], library[4]], memory)
    asked = {each.key: Reason.NEW for each in library[:4]} | {library[4].key: Reason.SECOND_LOOK}

    assert to_describe({HEISTS.key: asked}, known, memory) == (movie_key(1001), movie_key(1003), movie_key(1004))


def test_a_show_is_described_once_and_needs_no_credits() -> None:
    """Sonarr has none: asking for them again every night would bring nothing."""
    dark, fargo = show(), show(key=show_key(269613), title="Fargo")
    library = subjects_of([dark, fargo], {})
    memory = {dark.key: remembered(dark)}
    asked = dict.fromkeys(library, Reason.NEW)

    assert to_describe({HEISTS.key: asked}, library, memory) == (fargo.key,)
    memory[dark.key] = remembered(msgspec.structs.replace(dark, plot="Another one."))
    assert to_describe({HEISTS.key: asked}, library, memory) == (fargo.key, dark.key)


# Stages


def staged(*collections: Collection) -> list[list[str]]:
    """The names in each stage."""
    return [[each.name for each in stage] for stage in stages(collections)]


def test_independent_collections_are_one_stage() -> None:
    """In order of priority; labels of no collection, and a collection's own label, do not matter."""
    other = collection("B", include_tags=labels("elsewhere", "b"))

    assert staged(collection("A"), other, collection("C")) == [["A", "B", "C"]]
    assert staged() == []


def test_a_collection_comes_after_those_it_names() -> None:
    """Whatever their priority, and through several steps."""
    a = collection("A", exclude_tags=labels("b"))
    b = collection("B", include_tags=labels("c"))

    assert staged(a, b, collection("C")) == [["C"], ["B"], ["A"]]


def test_in_a_circle_the_highest_priority_comes_first() -> None:
    """It sees the others as empty."""
    a, b = collection("A", include_tags=labels("b")), collection("B", include_tags=labels("a"))

    assert staged(a, b) == [["A"], ["B"]]
    assert staged(b, a) == [["B"], ["A"]]


def test_naming_oneself_is_no_circle_with_others() -> None:
    """A collection that names itself still waits for the circle that it depends on."""
    selfish = collection("S", include_tags=labels("s", "a"))
    a, b = collection("A", include_tags=labels("b")), collection("B", include_tags=labels("a"))

    assert staged(selfish, a, b) == [["A"], ["S", "B"]]


NAMES = "ABCDEFG"


@given(st.dictionaries(st.sampled_from(NAMES), st.frozensets(st.sampled_from(NAMES + "X")), min_size=1))
def test_every_collection_is_decided_once_and_after_what_it_depends_on(edges: dict[str, frozenset[str]]) -> None:
    """For every graph: a collection comes after each one that it names and that does not depend on it in turn."""
    collections = [collection(name, include_tags=labels(*named)) for name, named in edges.items()]

    order = staged(*collections)

    place = {name: number for number, stage in enumerate(order) for name in stage}
    assert sorted(name for stage in order for name in stage) == sorted(edges)
    for name, named in edges.items():
        for other in named & edges.keys() - {name}:
            assert name in _reach(other, edges) or place[other] < place[name]


def _reach(name: str, edges: dict[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    todo = [name]
    while todo:
        for other in edges.get(todo.pop(), frozenset()) - found:
            found.add(other)
            todo.append(other)
    return found
