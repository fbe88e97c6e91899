"""Begin looks, which change nothing: is everything in order, what would a run ask, what would an undo change."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal, assert_never

from fastapi import Body, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from kometa_ai.core.options import Options
from kometa_ai.daemon.looks import Examination, Kind, Look
from kometa_ai.jobs.undo import Undo
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.routing import Routes, TheDaemon, failing, router_of

router = router_of("/looks", "looks")
ROUTES = Routes(router, (Look,))


class Doctor(BaseModel):
    """Check the settings, the folders, Kometa's files and all services, as `--check-config` does."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["doctor"]


class Forecast(BaseModel):
    """What a run would ask, and about what it would cost, as `--estimate` does."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["estimate"]
    collections: Annotated[list[Annotated[StrictStr, Field(min_length=1, max_length=500)]], Field(max_length=1000)] = []
    force_refresh: StrictBool = False


class Preview(BaseModel):
    """What taking a run back would change, as `--undo RUN_ID --dry-run` shows it."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["undo"]
    run_id: Annotated[StrictStr, Field(min_length=1, max_length=100)]


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={202: documented(Look), **failing({409: "A look is under way", 422: "A field that there is not"})},
)
async def look(
    daemon: TheDaemon, wanted: Annotated[Doctor | Forecast | Preview, Body(discriminator="kind")]
) -> Response:
    """Begin to look; one look at a time. Nothing is written by it, and nothing spent."""
    match wanted:
        case Doctor():
            daemon.looks.begin(Examination())
        case Forecast():
            options = Options(
                collections=tuple(wanted.collections),
                force_refresh=wanted.force_refresh,
                batch_size=daemon.page_size,
            )
            daemon.looks.begin(options)
        case Preview():
            daemon.looks.begin(Undo(run_id=wanted.run_id, dry_run=True))
        case _:
            assert_never(wanted)
    return json_answer(daemon.looks.last(wanted.kind), HTTPStatus.ACCEPTED)


@router.get("/{kind}", responses={200: documented(Look), **failing({422: "No such kind of look"})})
async def read_look(daemon: TheDaemon, kind: Kind) -> Response:
    """What was found last, and when; and whether a look is under way. Kept until the program ends."""
    return json_answer(daemon.looks.last(kind))
