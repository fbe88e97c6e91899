"""Routes that look ahead and back for one collection: another threshold, and the history of its prompt."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import HTTPException, Path, Query, Response

from kometa_ai.core.naming import CollectionKey
from kometa_ai.errors import FixUsage
from kometa_ai.jobs.whatif import WhatIf
from kometa_ai.web.answers import documented, json_answer
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
_AWAY = failing({503: "The state cannot be read, or no library of the collection can"})

TheKey = Annotated[
    str, Path(pattern=r"^(show:)?[a-z0-9-]{1,250}$", description="A slug (`film-noir`), for shows `show:film-noir`.")
]
TheThreshold = Annotated[float, Query(ge=0, le=1, allow_inf_nan=False, description="The threshold to try.")]


@router.get("/{key}/what-if", responses={200: documented(WhatIf), **_UNKNOWN, **_AWAY})
async def what_if(daemon: TheDaemon, key: TheKey, threshold: TheThreshold) -> Response:
    """Who would enter and leave the collection at another threshold, and the lines to copy. Nothing is asked."""
    try:
        found = await daemon.foresee(key, threshold)
    except FixUsage as error:
        raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from error
    return json_answer(found)


@router.get("/{key}/prompts", responses={200: documented_list(PromptShown), **_UNKNOWN})
async def list_prompts(daemon: TheDaemon, key: TheKey, page: ThePage) -> Response:
    """The prompts that the collection has had, the newest first, as of the last run; at most 20 are kept."""
    overview = await daemon.overview.read()
    versions = overview.prompts.get(CollectionKey(key))
    if versions is None and CollectionKey(key) not in overview.collections:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {key!r}.")
    found = [
        PromptShown(prompt_hash=each.prompt_hash, text=each.text, at=each.at, is_cut=each.is_cut)
        for each in reversed(versions or [])
    ]
    return listed(
        page.of(found), total=len(found), page=page, as_of=max((run.finished for run in overview.runs), default=None)
    )
