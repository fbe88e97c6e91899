"""Say where an item stands in a collection, why, and what it waits for, as lists and pages show it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kometa_ai.core.decision import TRIES, Cause, Reason
from kometa_ai.core.saying import judged
from kometa_ai.judging.looks import is_near

if TYPE_CHECKING:
    from kometa_ai.daemon.listing import Place

_WAITS = {
    Reason.NEW.value: "not judged yet",
    Reason.MOVIE_CHANGED.value: "asked again: its facts have changed",
    Reason.PROMPT_CHANGED.value: "asked again: the prompt has changed",
    Reason.FORCED.value: "asked again",
    Reason.ASKED_AGAIN.value: "asked again",
    Reason.SECOND_LOOK.value: "a second look is due",
    Reason.GIVEN_UP.value: f"given up after {TRIES} runs without an answer",
    "batch": "the answer comes with a batch",
    "brake": "held back by the brake",
    "review": "waits in review",
}


def waits(place: Place) -> tuple[str, ...]:
    """What an item waits for, in words."""
    tag = "loses its tag with the next run" if place.is_tagged else "gets its tag with the next run"
    return tuple(tag if each == "tag" else _WAITS[each] for each in place.waits_for)


def because(place: Place) -> str:
    """Why an item is in or out: a pin, tags, or the reason of the verdict. Empty while nothing decides."""
    match place.cause:
        case Cause.PINNED_IN | Cause.PINNED_OUT:
            if place.pin is None:
                return str(place.cause)
            return f"{place.cause} {'by the block' if place.pin.origin == 'block' else place.pin.because}"
        case Cause.INCLUDE_TAG | Cause.EXCLUDE_TAG:
            what = "takes it in" if place.cause is Cause.INCLUDE_TAG else "keeps it out"
            return f"the tag {' and '.join(place.deciding_tags)} {what}"
        case Cause.VERDICT:
            return place.reason
        case Cause.UNDECIDED:
            return ""


def looks(place: Place) -> str:
    """What a second look has to do with the verdict; empty where there was none."""
    if place.second_look == "done":
        first = "" if place.first_confidence is None else f", the first said {place.first_confidence:.2f}"
        return f"looked twice{first}"
    return ""


def close_verdict(place: Place) -> str:
    """What the model says where it decides closely, and what was decided; empty elsewhere."""
    if not is_close(place):
        return ""
    said = judged(place.belongs, include=place.include, confidence=place.confidence, threshold=place.threshold)
    return f"The model is {said}."


def is_close(place: Place) -> bool:
    """Whether the verdict decides and is near the threshold."""
    return place.cause is Cause.VERDICT and place.confidence is not None and is_near(place.confidence, place.threshold)
