"""What is read from answers, in every form in which they come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.asking.answers import REASON_LENGTH, Reading, read_answer, read_answers
from kometa_ai.core.decision import EXCLUDED, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

SENT = frozenset(range(1, 7))
IN = Verdict(include=True, confidence=0.95, reason="A casino is robbed.")


def decision(movie_id: object = 1, **fields: Any) -> dict[str, Any]:
    """A decision as we ask for it."""
    return {"movie_id": movie_id, "reason": "A casino is robbed.", "include": True, "confidence": 0.95, **fields}


def answer(*decisions: object, excluded: object = (), **fields: Any) -> str:
    """An answer in the form that we ask for."""
    return json.dumps({"collection_name": "Heists", "decisions": decisions, "excluded": excluded, **fields})


def verdicts(text: str, *standing: int) -> Mapping[int, Verdict]:
    """The verdicts that are read from an answer about movies 1 to 6."""
    return read_answer(text, SENT, set(standing)).verdicts


def test_every_id_is_read_from_the_form_we_ask_for() -> None:
    """A decision gives its verdict, an excluded id gives a sure no, and nothing is missing or unknown."""
    reading = read_answer(answer(decision(1), decision(2, include=False, confidence=0.4), excluded=[3, 4, 5, 6]), SENT)

    assert reading.verdicts[1] == IN
    assert reading.verdicts[2] == Verdict(include=False, confidence=0.4, reason="A casino is robbed.")
    assert {reading.verdicts[number] for number in (3, 4, 5, 6)} == {EXCLUDED}
    assert (reading.missing, reading.unknown) == (frozenset(), frozenset())


@pytest.mark.parametrize("name", ["movie_id", "show_id"])
def test_an_item_is_named_by_either_id(name: str) -> None:
    """Each kind has its own in the schema; models that enforce none may mix them up."""
    entries = [{name: number, "reason": "", "include": True, "confidence": 0.95} for number in (1, 2)]
    text = answer(*entries, excluded=[3, 4, 5, 6])
    assert not read_answer(text, SENT).missing
    assert verdicts(text)[2].include
    assert set(verdicts(text[: text.index("excluded")])) == {1, 2}


def test_the_specification_s_own_form_is_accepted() -> None:
    """Every movie in `decisions`, with `title` and `reasoning` and without `excluded`."""
    entries = [
        {"movie_id": n, "title": f"Movie {n}", "include": n == 1, "confidence": 0.9, "reasoning": "Dark."} for n in SENT
    ]

    reading = read_answer(json.dumps({"collection_name": "Film Noir", "decisions": entries}), SENT)

    assert reading.verdicts[1] == Verdict(include=True, confidence=0.9, reason="Dark.")
    assert [reading.verdicts[number].include for number in (2, 3, 4, 5, 6)] == [False] * 5
    assert not reading.missing


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}\n```",
        "```\n{}\n```",
        "Here you are {{as asked}}:\n\n{}\n\nIs there {{anything}} else?",
        '{{"result": {}}}',
        "\ufeff{}",
        "  \n{}",
    ],
)
def test_what_stands_around_an_answer_does_not_matter(text: str) -> None:
    """Code fences, prose, braces in prose and an envelope are passed over."""
    whole = answer(decision(1), excluded=[2, 3, 4, 5, 6])

    assert verdicts(text.replace("{}", whole).replace("{{", "{").replace("}}", "}")) == verdicts(whole)


def test_an_answer_that_is_only_a_list_of_decisions_is_accepted() -> None:
    """Some models leave the object out."""
    assert verdicts(json.dumps([decision(1), decision(2)])).keys() == {1, 2}


def test_ids_are_missing_or_unknown() -> None:
    """Ids of ours that are left out are missing; ids that were never sent are unknown and have no verdict."""
    reading = read_answer(answer(decision(1), decision(0), decision(-3), decision(10**30), excluded=[2, 99]), SENT)

    assert reading.verdicts.keys() == {1, 2}
    assert reading.missing == {3, 4, 5, 6}
    assert reading.unknown == {0, -3, 10**30, 99}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"movie_id": "1"}, IN),
        ({"movie_id": 1.0}, IN),
        ({"confidence": "0.95"}, IN),
        ({"confidence": 1}, Verdict(include=True, confidence=1.0, reason=IN.reason)),
        ({"include": "true"}, IN),
        ({"include": "False"}, Verdict(include=False, confidence=0.95, reason=IN.reason)),
        ({"reason": None}, Verdict(include=True, confidence=0.95)),
    ],
)
def test_loosely_typed_values_are_accepted(fields: dict[str, Any], expected: Verdict) -> None:
    """Numbers as strings and the like mean what they say."""
    assert verdicts(answer(decision(**fields))) == {1: expected}


@pytest.mark.parametrize(
    "fields",
    [
        {"confidence": 1.5},
        {"confidence": 95},
        {"confidence": -0.1},
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"confidence": "high"},
        {"confidence": None},
        {"confidence": True},
        {"include": "perhaps"},
        {"movie_id": True},
        {"movie_id": 1.5},
        {"movie_id": None},
        {"movie_id": [1]},
    ],
)
def test_an_entry_that_makes_no_sense_says_nothing(fields: dict[str, Any]) -> None:
    """Its movie counts as missing, and the entries around it are read."""
    reading = read_answer(answer(decision(**fields), decision(2)), SENT)

    assert reading.verdicts.keys() == {2}
    assert 1 in reading.missing


def test_what_is_not_an_entry_is_passed_over() -> None:
    """Numbers, lists and nulls among the decisions do not hurt the rest."""
    assert verdicts(answer(7, None, [decision(3)], "x", decision(1))).keys() == {1}


def test_of_two_verdicts_the_higher_confidence_wins() -> None:
    """Whatever their order, and also against an excluded id."""
    low, high = decision(1, include=False, confidence=0.3), decision(1, confidence=0.9)

    assert verdicts(answer(low, high))[1].confidence == 0.9
    assert verdicts(answer(high, low))[1].confidence == 0.9
    assert verdicts(answer(low, excluded=[1]))[1].confidence == 0.3


@pytest.mark.parametrize(
    ("confidence", "belongs"), [(0.0, False), (0.45, False), (0.5, True), ("0.55", True), (1, True)]
)
def test_what_is_left_out_of_an_entry_follows(confidence: object, *, belongs: bool) -> None:
    """Without `include` the confidence says it, without `reason` there is none; null is nothing said."""
    bare = {"movie_id": 1, "confidence": confidence}
    expected = Verdict(include=belongs, confidence=float(str(confidence)))

    assert verdicts(answer(bare)) == {1: expected}
    assert verdicts(answer({**bare, "include": None, "reason": None})) == {1: expected}
    assert verdicts(answer(bare)[:-3]) == {1: expected}


def test_an_entry_with_a_broken_field_does_not_leave_include_out() -> None:
    """The field that is not known may be the verdict."""
    assert verdicts(answer({"movie_id": 1, "confidence": 0.9, "inc#lude": False}, decision(2))).keys() == {2}


@pytest.mark.parametrize("standing", [(), (1,)])
def test_of_two_equally_sure_verdicts_the_one_that_keeps_things_wins(standing: tuple[int, ...]) -> None:
    """A member stays a member, and every other movie stays out."""
    both = [decision(1, include=True, confidence=0.7), decision(1, include=False, confidence=0.7)]

    for text in (answer(*both), answer(*reversed(both))):
        assert verdicts(text, *standing)[1].include is bool(standing)


def test_a_long_reason_is_cut() -> None:
    """The state does not grow with a model's talk."""
    assert len(verdicts(answer(decision(reason="x" * 10_000)))[1].reason) == REASON_LENGTH


def test_a_whole_entry_of_a_cut_answer_is_kept() -> None:
    """The entry and the id at which it was cut are not."""
    whole = answer(decision(1), decision(2), excluded=[3, 4, 56])

    assert verdicts(whole[: whole.index('"confidence"', whole.index('"movie_id": 2'))]).keys() == {1}
    assert read_answer(whole[: whole.index("6]")], frozenset({1, 2, 3, 4, 5, 56})).verdicts.keys() == {1, 2, 3, 4}


def test_half_a_character_does_not_cost_a_verdict() -> None:
    """An answer that was cut within a surrogate pair is read, and its reason can be written to a file."""
    reading = read_answer(answer(decision(1, reason="A \ud83d heist.\x00\n2")), SENT)

    assert reading.verdicts[1].reason == "A   heist. 2"
    assert reading.verdicts[1].reason.encode()


@pytest.mark.parametrize("reason", [5, ["a"], {"a": 1}, True, ""])
def test_a_reason_that_is_none_does_not_cost_a_verdict(reason: object) -> None:
    """The verdict counts, without a reason."""
    assert verdicts(answer(decision(1, reason=reason)))[1] == Verdict(include=True, confidence=0.95)


@pytest.mark.parametrize("ids", [["3", "4"], [3.0, 4.0], [None, 3, True, 4, {}, 4.5, "x", float("nan")]])
def test_excluded_ids_may_be_loosely_typed(ids: list[object]) -> None:
    """As strings or floats they are ids; what is no id is passed over. A cut list is read alike."""
    whole = answer(decision(1), excluded=ids)

    assert verdicts(whole).keys() == {1, 3, 4}
    assert verdicts(whole[:-2] + ",").keys() == {1, 3, 4}


def test_decisions_keyed_by_id_are_accepted() -> None:
    """An object in the place of the list names each movie by its key."""
    by_id = {"1": {"include": True, "confidence": 0.9}, "2": decision(2), "x": {"include": True}, "3": 0.5}

    assert verdicts(json.dumps({"decisions": by_id, "excluded": [4]})).keys() == {1, 2, 4}


@pytest.mark.parametrize("confidence", [0.68, 0.699, 0.7, 1 / 3])
def test_a_confidence_between_the_steps_is_kept_as_it_is(confidence: float) -> None:
    """0.69 must not be rounded up to a threshold of 0.7."""
    assert verdicts(answer(decision(confidence=confidence)))[1].confidence == confidence


def test_prose_may_name_a_key_before_the_answer() -> None:
    """The answer is found where its own braces open."""
    whole = answer(decision(1), excluded=[2, 3])

    assert verdicts(f'Movies {{1}} and {{2, 3}} were hard, see "decisions": {whole}') == verdicts(whole)


# Several collections

NAMES = ("Heists", "Film Noir", "War")


def entry(number: object, *decisions: object, excluded: object = (), **fields: Any) -> dict[str, Any]:
    """What an answer about several has for one collection."""
    return {"collection": number, "decisions": decisions, "excluded": excluded, **fields}


def several(*entries: object) -> str:
    """An answer about several collections."""
    return json.dumps({"collections": entries})


def of_each(text: str, *standing: AbstractSet[int]) -> list[Mapping[int, Verdict]]:
    """The verdicts for each of three collections."""
    readings = read_answers(text, SENT, NAMES, standing or (frozenset(),) * 3)
    return [reading.verdicts for reading in readings]


def test_each_collection_has_its_own_verdicts() -> None:
    """By their numbers, in any order; what is left out of one is missing there, and nowhere else."""
    text = several(
        entry(3, decision(1), decision(9), excluded=[2, 3, 4, 5, 6]),
        entry(1, decision(2), collection_name="Heists", excluded=[1, 3, 4, 5, 6]),
    )
    heists, noir, war = read_answers(text, SENT, NAMES, (frozenset(),) * 3)

    assert [number for number, verdict in heists.verdicts.items() if verdict.include] == [2]
    assert [number for number, verdict in war.verdicts.items() if verdict.include] == [1]
    assert (heists.missing, noir.missing, war.missing) == (frozenset(), SENT, frozenset())
    assert not heists.unknown
    assert war.unknown == {9}


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}\n```",
        "Here {{you}} are:\n{}\nIs there more?",
        '{{"result": {{"answer": {}}}}}',
    ],
)
def test_what_stands_around_an_answer_about_several_does_not_matter(text: str) -> None:
    """As with one."""
    whole = several(entry(1, decision(1)), entry(2, decision(2)))
    assert of_each(text.replace("{}", whole).replace("{{", "{").replace("}}", "}")) == of_each(whole)


def test_other_forms_of_several_are_accepted() -> None:
    """A list without its object, an object for each number, numbers as texts, and the specification's entries."""
    spec = {"movie_id": 1, "title": "Movie 1", "include": True, "confidence": 0.95, "reasoning": "A casino is robbed."}
    plain = of_each(several(entry(1, spec), entry(2, excluded=[1])))

    assert plain == [{1: IN}, {1: EXCLUDED}, {}]
    assert of_each(json.dumps([entry(1, spec), entry("2", excluded=[1])])) == plain
    by_number = {"1": {"decisions": [spec]}, "2": {"excluded": [1]}}
    assert of_each(json.dumps({"collections": by_number})) == plain


def test_what_has_no_number_counts_for_none() -> None:
    """Neither the form of one collection, nor a number that was not sent, nor one beside another's name."""
    assert of_each(answer(decision(1), excluded=[2])) == [{}, {}, {}]
    text = several(entry(0, decision(1)), entry(4, decision(1)), entry(None, decision(1)), {"decisions": [decision(1)]})
    assert of_each(text) == [{}, {}, {}]
    assert of_each(several(entry(1, decision(1), collection_name="film noir"))) == [{}, {}, {}]
    assert of_each(several(entry(1, decision(1), collection_name="Robberies")))[0] == {1: IN}


def test_a_number_that_stands_twice_counts_only_beside_its_own_name() -> None:
    """A model that numbers every entry 1 says nothing about the first collection with those of the others."""
    unnamed = several(entry(1, decision(1)), entry(1, decision(2)), entry("1", decision(3)))
    assert of_each(unnamed) == [{}, {}, {}]
    named = several(
        entry(1, decision(1), collection_name="Heists"), entry(1, decision(2), collection_name="Caper Comedies")
    )
    assert of_each(named) == [{1: IN}, {}, {}]


def test_two_entries_of_one_collection_are_taken_together() -> None:
    """And of two verdicts the surer one counts, or what keeps a member."""
    name = {"collection_name": "Film Noir"}
    text = several(
        entry(2, decision(1, include=False, confidence=0.7), **name),
        entry(2, decision(1, confidence=0.7), decision(3), **name),
    )
    for members in (frozenset(), frozenset({1})):
        noir = of_each(text, frozenset(), members, frozenset())[1]
        assert noir.keys() == {1, 3}
        assert noir[1].include is bool(members)


def test_an_answer_about_one_may_have_the_form_of_several() -> None:
    """Whole or cut; what is under another number is not about it."""
    whole = several(entry(1, decision(1), excluded=[2, 3, 45]))
    assert verdicts(whole).keys() == {1, 2, 3}
    assert verdicts(whole[: whole.index("5]")]).keys() == {1, 2, 3}
    assert verdicts(several(entry(2, decision(1)))) == {}
    assert verdicts(several({"decisions": [decision(1)]})).keys() == {1}
    assert verdicts(several(entry(1, decision(1)), entry(2, decision(2)))).keys() == {1}
    assert verdicts(answer(decision(1), collection="Heists")).keys() == {1}


def test_a_cut_answer_about_several_is_used_as_far_as_it_goes() -> None:
    """Of the entry within which it was cut whole decisions are kept, and whole ids."""
    whole = several(entry(1, decision(1), excluded=[2]), entry(2, decision(3), decision(4), excluded=[5, 6]))
    cut = whole[: whole.index('"confidence"', whole.index('"movie_id": 4'))]
    assert of_each(cut) == [{1: IN, 2: EXCLUDED}, {3: IN}, {}]
    assert of_each(whole[: whole.index("6]") + 1])[1] == {3: IN, 4: IN, 5: EXCLUDED}


SEVERAL = st.builds(
    lambda entries, named: _several(entries, is_named=named),
    st.lists(
        st.tuples(st.lists(st.integers(1, 60), min_size=1, max_size=12, unique=True), st.integers(0, 6)),
        min_size=2,
        max_size=12,
    ),
    st.booleans(),
)


def _several(entries: list[tuple[list[int], int]], *, is_named: bool) -> tuple[str, tuple[str, ...]]:
    """Each collection has reasons of its own, which name it."""
    names = tuple(f"Heists {{of}} sort {number}" for number in range(1, len(entries) + 1))
    found = []
    for number, (ids, listed) in enumerate(entries, start=1):
        decisions = [
            {
                "movie_id": movie_id,
                "reason": f'{number}: "{{run}}, [quick], \\ \u00e9\n" and {{"collection": 1, "excluded": [1, 2]}}',
                "confidence": (movie_id + number) % 21 / 20,
            }
            for movie_id in ids[:listed]
        ]
        name = {"collection_name": names[number - 1]} if is_named else {}
        found.append(entry(number, *decisions, excluded=ids[listed:], **name))
    return several(*found), names


def _each(text: str, names: tuple[str, ...]) -> tuple[Reading, ...]:
    return read_answers(text, frozenset(range(1, 61)), names, (frozenset(),) * len(names))


@given(SEVERAL, st.data())
def test_any_piece_of_an_answer_about_several_holds_only_verdicts_of_the_whole(
    full: tuple[str, tuple[str, ...]], data: Any
) -> None:
    """Wherever it is cut: nothing raises, nothing is made up, and nothing counts for another collection."""
    text, names = full
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for found, whole in zip(_each(text[start:end], names), _each(text, names), strict=True):
        assert found.verdicts.items() <= whole.verdicts.items()
        assert found.unknown == frozenset()


@given(SEVERAL)
@settings(max_examples=25)
def test_a_longer_piece_of_an_answer_never_says_less(full: tuple[str, tuple[str, ...]]) -> None:
    """Cut at every place in turn: verdicts only come to those that were there, each as the whole has it."""
    text, names = full
    whole = _each(text, names)
    before: list[Mapping[int, Verdict]] = [{} for _ in names]
    for end in range(len(text) + 1):
        found = [reading.verdicts for reading in _each(text[:end], names)]
        for earlier, now, last in zip(before, found, whole, strict=True):
            assert earlier.items() <= now.items() <= last.verdicts.items()
        before = found
    assert all(not (reading.verdicts.keys() - found.keys()) for reading, found in zip(whole, before, strict=True))


@given(SEVERAL, st.text(alphabet=' \n\t"\\{<>#*xyznult\u2028\ud800', min_size=1, max_size=12), st.data())
def test_noise_in_an_answer_about_several_makes_nothing_up(
    full: tuple[str, tuple[str, ...]], noise: str, data: Any
) -> None:
    """It may hide verdicts, and adds none to any collection."""
    text, names = full
    place = data.draw(st.integers(0, len(text)))
    for found, whole in zip(_each(text[:place] + noise + text[place:], names), _each(text, names), strict=True):
        known = {movie_id: (verdict.include, verdict.confidence) for movie_id, verdict in whole.verdicts.items()}
        assert {i: (v.include, v.confidence) for i, v in found.verdicts.items()}.items() <= known.items()


# Pieces


ANSWERS = st.builds(
    lambda ids, listed, spec: _full(ids, listed, spec=spec),
    st.lists(st.integers(1, 120), min_size=1, max_size=30, unique=True),
    st.integers(0, 10),
    st.booleans(),
)


def _full(ids: list[int], listed: int, *, spec: bool) -> tuple[str, frozenset[int]]:
    entries = [
        {
            "movie_id": movie_id,
            "reason": 'He says: "{run}, [quick], \\ \u00e9\n" and "excluded": [1, 2]',
            "confidence": movie_id % 21 / 20,
            # Where it is left out, and where it is not what would follow.
            **({} if movie_id % 3 else {"include": movie_id % 2 == 0}),
        }
        for movie_id in (ids if spec else ids[:listed])
    ]
    content = {"collection_name": "Heists {of} sorts", "decisions": entries}
    return json.dumps(content if spec else {**content, "excluded": ids[listed:]}), frozenset(ids)


@given(ANSWERS, st.data())
def test_any_piece_of_an_answer_holds_only_verdicts_of_the_whole(full: tuple[str, frozenset[int]], data: Any) -> None:
    """Wherever it is cut, at its beginning too: nothing raises and nothing is made up."""
    text, ids = full
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    reading = read_answer(text[start:end], ids)

    whole = read_answer(text, ids)
    assert reading.verdicts.items() <= whole.verdicts.items()
    assert reading.unknown == frozenset()
    assert whole.missing == frozenset()


@given(ANSWERS, st.text(alphabet=' \n\t"\\{<>#*xyznult\u2028\ud800', min_size=1, max_size=12), st.data())
def test_noise_in_an_answer_makes_nothing_up(full: tuple[str, frozenset[int]], noise: str, data: Any) -> None:
    """Noise that could not end a number or a list may hide verdicts; it raises nothing and adds none."""
    text, ids = full
    place = data.draw(st.integers(0, len(text)))

    reading = read_answer(text[:place] + noise + text[place:], ids)

    whole = read_answer(text, ids)
    known = {movie_id: (verdict.include, verdict.confidence) for movie_id, verdict in whole.verdicts.items()}
    assert {i: (v.include, v.confidence) for i, v in reading.verdicts.items()}.items() <= known.items()
    assert reading.unknown == frozenset()


@given(st.one_of(st.text(), st.text(alphabet='{}[]":,\\ 0123456789eE.-truefalsnixcdmov_')))
def test_no_text_raises(text: str) -> None:
    """Any text at all has a reading, and each id of ours is either answered or missing."""
    reading = read_answer(text, SENT)

    assert reading.verdicts.keys() | reading.missing == SENT
    assert not reading.verdicts.keys() & reading.missing
    assert not reading.unknown & SENT


@pytest.mark.timeout(2)
@pytest.mark.parametrize(
    "text",
    [
        '{"a":' * 30_000,
        "{" * 100_000,
        "[" * 100_000,
        '{"decisions":' + "[" * 100_000,
        '{"decisions":[' + '{"movie_id":1,"reason":{"a":' * 8_000,
        '{"decisions":[' + '{"movie_id": ' * 8_000,
        '"excluded":[' * 10_000,
        '"excluded":[1,' * 10_000,
        '{"excluded":[' + "9" * 50_000 + "]}",
        "x{" * 50_000 + '{"decisions":[]}',
        '{"collections":[' * 10_000,
        '{"collections":[{"collection":1,"decisions":[' * 10_000,
        '{"collection":1,' * 20_000,
        '{"collection":1,"excluded":[' + "1," * 50_000,
    ],
)
def test_an_absurd_answer_is_read_quickly(text: str) -> None:
    """Deep nesting and endless digits cost neither a crash nor minutes."""
    assert read_answer(text, SENT).verdicts.keys() <= SENT
