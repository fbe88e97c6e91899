"""Look ahead and back for one collection: another threshold, and the history of its prompt."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import HTTPException, Query, Response

from kometa_ai.core.naming import CollectionKey
from kometa_ai.jobs.whatif import WhatIf
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.collections import NO_INDEX, TheKey
from kometa_ai.web.api.routing import Routes, TheDaemon, ThePage, documented_list, failing, listed, router_of


class PromptShown(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a collection's prompt, and when a run first read it. A long text `is_cut`."""

    prompt_hash: str
    text: str
    at: datetime
    is_cut: bool


router = router_of("/collections", "collections")
ROUTES = Routes(router, (WhatIf, PromptShown))

_UNKNOWN = failing({404: "There is no such collection, or it takes no part"})

TheThreshold = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False, description="The threshold to try.")]


@router.get("/{key}/what-if", responses={200: documented(WhatIf), **_UNKNOWN, **NO_INDEX})
async def what_if(daemon: TheDaemon, key: TheKey, threshold: TheThreshold) -> Response:
    """Who would enter and leave the collection at another threshold, and the lines to copy. Nothing is asked."""
    found = await daemon.foresee(CollectionKey(key), threshold)
    if found is None:
        raise _unknown(key)
    return json_answer(found)


@router.get("/{key}/prompts", responses={200: documented_list(PromptShown), **_UNKNOWN})
async def list_prompts(daemon: TheDaemon, key: TheKey, page: ThePage) -> Response:
    """The prompts that the collection has had, the newest first, as of the last run; at most 20 are kept."""
    overview = await daemon.overview.read()
    versions = overview.prompts.get(CollectionKey(key))
    if versions is None and CollectionKey(key) not in overview.collections:
        raise _unknown(key)
    found = [
        PromptShown(prompt_hash=each.prompt_hash, text=each.text, at=each.at, is_cut=each.is_cut)
        for each in reversed(versions or [])
    ]
    return listed(
        page.of(found), total=len(found), page=page, as_of=max((run.finished for run in overview.runs), default=None)
    )


def _unknown(key: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {key!r} that takes part.")
