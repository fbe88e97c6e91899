"""What a trial has found, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kometa_ai.core.naming import CollectionKey
from kometa_ai.jobs.trial import GroupCount, Trial
from kometa_ai.web.pages import trial_words

GROUPS = (
    GroupCount(group="member", sampled=12, answered=12, changed=3),
    GroupCount(group="near", sampled=14, answered=14, changed=2),
    GroupCount(group="other", sampled=14, answered=14, changed=0),
)


def _trial(**fields: Any) -> Trial:
    return Trial(
        trial_id="20260301-030000-0000",
        outcome="ok",
        collection="Noir",
        key=CollectionKey("noir"),
        prompt="Dark.",
        started=datetime(2026, 3, 1, tzinfo=UTC),
        **{"sampled": 40, "groups": GROUPS, "as_before": 35, **fields},
    )


def test_a_sentence() -> None:
    """How each group fared, and how many stay."""
    assert trial_words.sentence(_trial()) == (
        "3 of 12 members would leave, 2 of 14 near would enter, 0 of 14 others would enter; 35 of 40 as before."
    )
    assert trial_words.sample(_trial()) == "12 members, 14 near, 14 others"


def test_what_is_missing_is_said() -> None:
    """Groups without an answer are left out, and what got none or was never judged is counted."""
    groups = (GroupCount(group="other", sampled=3, answered=1), GroupCount(group="member", sampled=0))

    text = trial_words.sentence(_trial(groups=groups, sampled=3, as_before=0, not_judged_before=1, kind="show"))

    assert (
        text == "0 of 1 other would enter; 0 of 1 as before. 1 show had not been judged before. 2 shows got no answer."
    )
    assert trial_words.sentence(_trial(groups=())) == "No answer has come."
    assert trial_words.sample(_trial(groups=())) == "nothing"


@pytest.mark.parametrize(
    ("forecast", "limit"), [(0.05, 0.1), (0.041, 0.09), (0.0001, 0.01), (0.0, 0.01), (None, None), (1.234, 2.47)]
)
def test_limits(forecast: float | None, limit: float | None) -> None:
    """Twice the forecast is proposed, in whole cents, and never nothing."""
    assert trial_words.proposed_limit(_trial(forecast_usd=forecast)) == pytest.approx(limit)
