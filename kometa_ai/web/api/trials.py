"""Try a prompt on a sample and read the result, which decides nothing; list the audits that were made."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, StrictStr

from kometa_ai.core.audit import Audit
from kometa_ai.core.text import one_line
from kometa_ai.jobs.trial import LONGEST_PROMPT, Trial
from kometa_ai.jobs.trial import Wanted as TrialWanted
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import Routes, TheDaemon, ThePage, documented_list, failing, listed, router_of

if TYPE_CHECKING:
    from collections.abc import Sequence

router = router_of("", "trials")
ROUTES = Routes(router, (Trial, Audit))


class WantedTrial(BaseModel):
    """What to try on a sample of a collection."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[
        StrictStr,
        Field(
            min_length=1,
            max_length=2 * LONGEST_PROMPT,
            description="The text of the prompt, or a whole block with its markers.",
        ),
    ]
    max_cost_usd: Annotated[
        float | None,
        Field(
            ge=0,
            le=1_000_000,
            strict=True,
            allow_inf_nan=False,
            description="0 forecasts and asks nothing. Without it, twice the forecast may be spent. MAX_COST_PER_RUN "
            "counts where it is lower.",
        ),
    ] = None


class StartedTrial(BaseModel):
    """A trial that has begun."""

    trial_id: str


@router.post(
    "/collections/{key}/trials",
    status_code=HTTPStatus.ACCEPTED,
    responses=failing(
        {
            404: "There is no such collection",
            409: "A run or another trial is on",
            422: "The text cannot be used",
            503: "The state cannot be used",
        }
    ),
)
async def try_a_prompt(daemon: TheDaemon, key: str, wanted: WantedTrial) -> StartedTrial:
    """Judge a sample of a collection by another prompt. Nothing is decided by it."""
    trial = TrialWanted(
        collection=key,
        text=wanted.prompt,
        max_cost=wanted.max_cost_usd,
        batch_size=daemon.page_size,
    )
    trial_id = await daemon.trials.start(trial)
    if trial_id is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {one_line(key, 100)!r}.")
    return StartedTrial(trial_id=trial_id)


@router.get(
    "/trials/{trial_id}",
    responses={200: documented(Trial), **failing({404: "No such trial is kept", 503: "It cannot be read"})},
)
async def read_trial(daemon: TheDaemon, trial_id: str) -> Response:
    """A trial: under way, or its result, which is kept for 30 days."""
    trial = await daemon.trials.read(trial_id)
    if trial is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no trial {one_line(trial_id, 100)!r}.")
    return json_answer(trial)


@router.get("/audits", responses={200: documented_list(Audit)})
async def list_audits(daemon: TheDaemon, page: ThePage) -> Response:
    """The audits that are kept, the newest first; `as_of` is when the newest ended."""
    audits: Sequence[Audit] = await daemon.trials.audits()
    as_of = audits[0].finished if audits else None
    return listed(page.of(audits), total=len(audits), page=page, as_of=as_of)
