"""Show what another threshold of a collection would do: counts, names, the line to copy. Asks and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from kometa_ai.daemon.indexing import BeingPrepared
from kometa_ai.errors import KometaAIError
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages import foresight
from kometa_ai.web.pages.collection_head import TheKey, head_of
from kometa_ai.web.pages.rendering import page

if TYPE_CHECKING:
    from kometa_ai.daemon.life import Daemon

SHOWN = 60
"""Names in each list."""

router = APIRouter(prefix="/collections", include_in_schema=False)


@router.get("/{key}/threshold")
async def read(request: Request, key: TheKey, at: str = "") -> Response:
    """The bars and what would change at the threshold `at`; without one at the present threshold."""
    daemon: Daemon = request.app.state.daemon
    head = await head_of(request, key, "threshold")
    present = head.collection.threshold
    wanted = foresight.threshold_of(at) if at.strip() else present
    found, error = None, None
    if present is not None:
        try:
            found = await daemon.foresee(head.collection.key, present if wanted is None else wanted)
        except BeingPrepared:
            raise
        except KometaAIError as refused:
            error = refused
    return await page(
        request,
        "threshold.jinja",
        status=status_of(error) if error else 422 if at.strip() and wanted is None else 200,
        head=head,
        found=found,
        error=error,
        typed=at if wanted is None else "",
        shown=SHOWN,
        foresight=foresight,
    )
