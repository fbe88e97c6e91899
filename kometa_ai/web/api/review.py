"""List what wants a person, take answers to it, and take an answer back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec
from fastapi import HTTPException, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictStr

from kometa_ai.core.choice import Answered, ReviewKind
from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import CollectionKey, Slug
from kometa_ai.jobs.answers import Answer, Overtaken, Taken
from kometa_ai.jobs.review import Card, Seen
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.collections import NO_INDEX
from kometa_ai.web.api.routing import (
    LARGEST_PAGE,
    Routes,
    TheDaemon,
    ThePage,
    documented_list,
    failing,
    listed,
    name_of_sender,
    router_of,
)

KEY = r"^(movie|show):[1-9][0-9]{0,9}$"
COLLECTION = r"^(show:)?[a-z0-9-]{1,250}$"
_HASH = Annotated[StrictStr, Field(max_length=100)]
_CHANGED = "The verdict is not the one that was seen."
_LOOK = "Look at it again: `card` is what it is now, where it still wants a person."


class Answers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has become of each answer, in their order. Where none was kept, `error` says why."""

    kept: int = msgspec.field(default_factory=int)
    results: list[Taken] = msgspec.field(default_factory=list)
    error: str = ""
    remedy: str = ""


class WhatWasSeen(BaseModel):
    """What a person saw of the verdict: the `seen` of its card."""

    model_config = ConfigDict(extra="forbid")

    prompt_hash: _HASH
    metadata_hash: _HASH = ""
    confidence: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None


class OneAnswer(BaseModel):
    """An answer: the movie or show belongs to the collection, does not, or the model may decide."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[
        StrictStr,
        Field(
            pattern=r"^[A-Za-z0-9._~-]{1,100}$",
            description="Made by the sender: an answer that is sent again under its id counts once.",
        ),
    ]
    key: Annotated[StrictStr, Field(pattern=KEY)]
    slug: Annotated[StrictStr, Field(pattern=COLLECTION, description="The key of the collection.")]
    answer: Literal["in", "out", "leave"]
    seen: WhatWasSeen
    by: Annotated[StrictStr, Field(max_length=100)] = ""


router = router_of("/review", "review")
ROUTES = Routes(router, (Card, Answers, Answered))


@router.get("", responses={200: documented_list(Card), **NO_INDEX})
async def list_review(
    daemon: TheDaemon,
    page: ThePage,
    kind: ReviewKind | None = None,
    collection: Annotated[str | None, Query(pattern=COLLECTION, description="The key of a collection.")] = None,
) -> Response:
    """What wants a person, the most urgent kind first; of one kind or one collection, if they are named."""
    chosen = CollectionKey(collection) if collection else None
    found = await daemon.choosing.review(kind, chosen, page.start, page.size)
    return listed(found.cards, total=found.total, page=page, as_of=found.as_of)


@router.post(
    "/answers",
    responses={
        200: documented(Answers),
        409: {"description": "None was kept: none was about what is now", **documented(Answers)},
        **NO_INDEX,
    },
)
async def answer(
    request: Request,
    daemon: TheDaemon,
    answers: Annotated[list[OneAnswer], Field(min_length=1, max_length=LARGEST_PAGE)],
) -> Response:
    """Answer, one or many: `in` and `out` pin, `leave` hides the pair until what it was judged by has changed.

    At once, also while a run is on: it counts when that run plans tags, or else in the next one. Each answer is kept,
    or refused as `changed` because the verdict is another than was seen. A visitor of the page is named by their
    sign-in, whatever `by` says.
    """
    taken = await daemon.choosing.answer([_answer(each, name_of_sender(request, each.by)) for each in answers])
    kept = sum(each.result == "kept" for each in taken)
    if kept:
        return json_answer(Answers(kept=kept, results=taken))
    return json_answer(Answers(kept=0, results=taken, error=_CHANGED, remedy=_LOOK), HTTPStatus.CONFLICT)


def _answer(each: OneAnswer, by: str) -> Answer:
    return Answer(
        id=each.id,
        key=ItemKey(each.key),
        slug=Slug(each.slug.removeprefix("show:")),
        reply=each.answer,
        seen=Seen(
            prompt_hash=each.seen.prompt_hash,
            metadata_hash=each.seen.metadata_hash,
            confidence=each.seen.confidence,
        ),
        by=by,
    )


@router.delete(
    "/answers/{answer_id}",
    responses={
        200: documented(Answered),
        **failing(
            {
                404: "No such answer is known",
                409: "Another choice was made after it",
                503: "The choices cannot be kept",
            }
        ),
    },
)
async def take_back(
    daemon: TheDaemon, answer_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,100}$")]
) -> Response:
    """Take an answer back: what was chosen before it is there again."""
    try:
        found = await daemon.choosing.take_back(answer_id)
    except Overtaken as error:
        raise HTTPException(HTTPStatus.CONFLICT, f"{error.message} {error.remedy}") from error
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no answer {answer_id!r} among the last ones.")
    return json_answer(found)
