"""How long the context is made, and what proves that a prompt was read whole: all of it arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.asking.prompts import FORM
from kometa_ai.providers.ollama.context import (
    MARGIN,
    REFUSES_FROM,
    STEP,
    WIDEST_MARGIN,
    Size,
    context_for,
    doubt,
    page_for,
    room_for,
    usual_prompt,
    version_of,
)
from kometa_ai.providers.ollama.messages import context_of
from kometa_ai.providers.port import Request
from kometa_ai.standins.ollama_prompt import KEPT

TOKENS = st.integers(1, 200_000)
ANSWERS = st.integers(1, 30_000)
MARGINS = st.sampled_from([MARGIN, WIDEST_MARGIN])


def request(movies: int, answer: int) -> Request:
    """A request about so many movies, with so many tokens for its answer."""
    return Request(
        form=FORM,
        movies="\n".join("{}" for _ in range(movies)),
        collection="",
        model="m",
        cache=False,
        expected_tokens=answer,
    )


@given(prompt=TOKENS, answer=ANSWERS, margin=MARGINS, is_doubled=st.booleans(), movies=st.integers(1, 300))
def test_a_question_fits_into_the_context_that_is_made_for_it(
    *, prompt: int, answer: int, margin: float, is_doubled: bool, movies: int
) -> None:
    """With all the room for its answer that it may have; and the context is no longer than a step more than needed."""
    context = context_for(prompt, answer, margin=margin, is_doubled=is_doubled)
    room = room_for(Size(prompt, prompt), request(movies, answer), context, margin=margin, is_doubled=is_doubled)

    assert context % STEP == 0
    assert room is not None
    assert room.answer == answer
    longest = prompt * margin + 1
    assert context - STEP < max(longest + answer, 2 * longest + 1 if is_doubled else 0)


@given(
    least=TOKENS,
    more=st.integers(0, 100_000),
    context=st.integers(1, 200_000),
    answer=ANSWERS,
    movies=st.integers(1, 300),
    is_doubled=st.booleans(),
    real=TOKENS,
    cut=st.sampled_from(["exact", "almost", "half"]),
    refuses=st.booleans(),
)
def test_a_prompt_that_was_cut_is_never_taken_for_whole(
    *,
    least: int,
    more: int,
    context: int,
    answer: int,
    movies: int,
    is_doubled: bool,
    real: int,
    cut: str,
    refuses: bool,
) -> None:
    """However long it really is, by any of the ways in which Ollama cuts, where it does not refuse."""
    size = Size(least, least + more)
    room = room_for(size, request(movies, answer), context, is_doubled=is_doubled)
    if room is None or (refuses and real >= context):
        return
    left = {"exact": context, "almost": context - 1, "half": context // 2 + KEPT}[cut]
    was_cut = real > context
    read = min(left, real) if was_cut else real

    sure = not doubt(read, size, room, refuses=refuses)

    assert not (sure and was_cut)


@given(prompt=TOKENS, answer=ANSWERS, share=st.floats(0.6, 1.3), refuses=st.booleans())
def test_a_prompt_about_as_long_as_estimated_is_certain(
    *, prompt: int, answer: int, share: float, refuses: bool
) -> None:
    """Nothing is asked twice for a tokenizer that is a little off."""
    context = context_for(prompt, answer, is_doubled=not refuses)
    size = Size(prompt, prompt)
    room = room_for(size, request(1, answer), context, is_doubled=not refuses)
    assert room is not None
    read = min(int(prompt * share) + 1, int(prompt * MARGIN))

    assert doubt(read, size, room, refuses=refuses) == ""


@pytest.mark.parametrize("is_doubled", [True, False])
@given(context=st.integers(512, 200_000))
def test_the_page_that_is_named_is_the_longest_that_fits(*, is_doubled: bool, context: int) -> None:
    """With usual records."""

    def fits(movies: int) -> bool:
        size = Size(usual_prompt(movies), usual_prompt(movies))
        return room_for(size, request(movies, 100_000), context, is_doubled=is_doubled) is not None

    page = page_for(context, is_doubled=is_doubled)

    assert page == 0 or fits(page)
    assert not fits(page + 2)


@given(st.text(max_size=200))
def test_no_text_has_fewer_tokens_at_most_than_at_least(text: str) -> None:
    """Letters outside ASCII may be a token each."""
    size = Size.of(text)

    assert 1 <= size.least <= size.most <= len(text) + 2


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("0.12.4", (0, 12, 4)),
        ("0.33.0-rc2", (0, 33, 0)),
        ("0.0.0", (0, 0, 0)),
        ("v1", None),
        ("", None),
        (None, None),
        (12, None),
    ],
)
def test_a_version_is_three_numbers(text: object, version: tuple[int, ...] | None) -> None:
    """Whatever follows."""
    assert version_of(text) == version


def test_versions_are_compared_as_numbers() -> None:
    """0.9 is older than 0.12."""
    assert (version_of("0.9.6") or ()) < REFUSES_FROM < (version_of("0.33.0") or ())


@pytest.mark.parametrize(
    ("shown", "context"),
    [
        (
            {"model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960, "x.context_length": 1}},
            40960,
        ),
        ({"model_info": {"qwen3.context_length": 40960}}, 40960),
        ({"model_info": {"general.architecture": "a", "a.context_length": "long"}}, None),
        ({"model_info": {}}, None),
        ({"model_info": None}, None),
        ([], None),
        ("<html>", None),
    ],
)
def test_the_model_s_context_is_in_its_details(shown: object, context: int | None) -> None:
    """Under the name of its architecture."""
    assert context_of(shown) == context
