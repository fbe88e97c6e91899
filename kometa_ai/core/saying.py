"""Say a verdict in words, and what was decided from it. Pure.

What the model is for or against is its verdict. What is in or out is decided from that by the threshold, so that an
item may be out that the model is for. Lists, pages and messages take these words from here.
"""

from __future__ import annotations

from kometa_ai.core.decision import reaches


def verdict(*, include: bool, confidence: float, threshold: float | None = None) -> str:
    """`for it with 0.65 while 0.70 is needed`, after `the model is`; without a threshold only what was said."""
    if not include:
        return f"against it, with {confidence:.2f} for it" if confidence else "against it"
    sure = f"for it with {confidence:.2f}"
    if threshold is None:
        return sure
    needed = f"{threshold:.2f} is needed"
    return f"{sure} ({needed})" if reaches(confidence, threshold) else f"{sure} while {needed}"


def judged(
    belongs: bool | None,  # noqa: FBT001 - what was decided
    *,
    include: bool | None,
    confidence: float | None,
    threshold: float,
) -> str:
    """`for it with 0.65 while 0.70 is needed, so it counts as out`, after `the model is`; empty without a verdict.

    Where `belongs` is None, or all that the verdict says already, what was decided is left out.
    """
    if include is None or confidence is None:
        return ""
    said = verdict(include=include, confidence=confidence, threshold=threshold)
    if belongs is None:
        return said
    side = "in" if belongs else "out"
    if belongs is not (include and reaches(confidence, threshold)):
        return f"{said}, and it still counts as {side}: so near the threshold no verdict changes what stands"
    return said if belongs is include else f"{said}, so it counts as {side}"
