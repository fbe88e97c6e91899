"""Say a verdict in words, and what was decided from it."""

from __future__ import annotations

import pytest

from kometa_ai.core.saying import judged, verdict

_STILL = "so near the threshold no verdict changes what stands"


@pytest.mark.parametrize(
    ("include", "confidence", "threshold", "said"),
    [
        (True, 0.95, 0.7, "for it with 0.95 (0.70 is needed)"),
        (True, 0.7, 0.7, "for it with 0.70 (0.70 is needed)"),
        (True, 0.65, 0.7, "for it with 0.65 while 0.70 is needed"),
        (False, 0.3, 0.7, "against it, with 0.30 for it"),
        (False, 0.75, 0.7, "against it, with 0.75 for it"),
        (False, 0.0, 0.7, "against it"),
        (True, 0.65, None, "for it with 0.65"),
        (False, 0.3, None, "against it, with 0.30 for it"),
        (False, 0.0, None, "against it"),
    ],
)
def test_a_verdict(*, include: bool, confidence: float, threshold: float | None, said: str) -> None:
    """The side that the model is on, how surely, and what is needed where that is known; never in or out."""
    assert verdict(include=include, confidence=confidence, threshold=threshold) == said


@pytest.mark.parametrize(
    ("include", "confidence", "belongs", "said"),
    [
        (True, 0.95, True, "for it with 0.95 (0.70 is needed)"),
        (True, 0.65, False, "for it with 0.65 while 0.70 is needed, so it counts as out"),
        (False, 0.3, False, "against it, with 0.30 for it"),
        (True, 0.65, True, f"for it with 0.65 while 0.70 is needed, and it still counts as in: {_STILL}"),
        (True, 0.75, False, f"for it with 0.75 (0.70 is needed), and it still counts as out: {_STILL}"),
        (False, 0.65, True, f"against it, with 0.65 for it, and it still counts as in: {_STILL}"),
        (True, 0.65, None, "for it with 0.65 while 0.70 is needed"),
        (None, None, True, ""),
    ],
)
def test_a_verdict_and_what_was_decided(
    *, include: bool | None, confidence: float | None, belongs: bool | None, said: str
) -> None:
    """What was decided is said where it is not the side that the model is on, or not what its verdict makes it."""
    assert judged(belongs, include=include, confidence=confidence, threshold=0.7) == said
