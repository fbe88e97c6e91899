"""Show a collection's block: its lines as they stand in Kometa's files now, what they say, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from fastapi import APIRouter, Request, Response

from kometa_ai.core.collection import Collection
from kometa_ai.errors import KometaAIError
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages.collection_head import TheKey, head_of
from kometa_ai.web.pages.rendering import page

if TYPE_CHECKING:
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.jobs.blocks import Written

router = APIRouter(prefix="/collections", include_in_schema=False)


@router.get("/{key}/block")
async def read(request: Request, key: TheKey) -> Response:
    """The block, read anew."""
    daemon: Daemon = request.app.state.daemon
    head = await head_of(request, key, "block")
    found, error = None, None
    try:
        found = await daemon.block_of(head.collection.key)
    except KometaAIError as refused:
        error = refused
    if found is not None:
        # Those of now, with their lines and corrections, in place of what the index knows of them.
        head = head._replace(collection=msgspec.structs.replace(head.collection, problems=found.problems))
    return await page(
        request,
        "block.jinja",
        status=status_of(error) if error else 200,
        head=head,
        found=found,
        says=found.says if found and isinstance(found.says, Collection) else None,
        marked=_marked(found) if found else frozenset(),
        error=error,
    )


def _marked(found: Written) -> frozenset[tuple[str, int]]:
    """The file and line of each problem."""
    return frozenset((problem.source, problem.line) for problem in found.problems if problem.line)
