"""List the pins that are kept beside the state, make one, and release one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import HTTPException, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from kometa_ai.core.item import ItemKey
from kometa_ai.core.naming import CollectionKey
from kometa_ai.daemon.choosing import PinLine
from kometa_ai.web.answers import documented, json_answer
from kometa_ai.web.api.collections import NO_INDEX
from kometa_ai.web.api.review import COLLECTION, KEY
from kometa_ai.web.api.routing import (
    Routes,
    TheDaemon,
    ThePage,
    documented_list,
    failing,
    listed,
    name_of_sender,
    router_of,
)

router = router_of("/pins", "pins")
ROUTES = Routes(router, (PinLine,))

_KEPT = failing({503: "The choices cannot be read or kept"})
TheCollection = Annotated[str, Path(pattern=COLLECTION, description="The key of a collection.")]
TheItem = Annotated[str, Path(pattern=KEY)]


class Choice(BaseModel):
    """Whether the movie or show belongs to the collection, and who says so."""

    model_config = ConfigDict(extra="forbid")

    include: StrictBool
    by: Annotated[StrictStr, Field(max_length=100)] = ""


@router.get("", responses={200: documented_list(PinLine), **_KEPT})
async def list_pins(daemon: TheDaemon, page: ThePage) -> Response:
    """The pins that people have made, the latest first; those in Kometa's files are not among them."""
    found = await daemon.choosing.pins()
    return listed(page.of(found), total=len(found), page=page, as_of=daemon.choosing.now())


@router.put(
    "/{collection}/{key}",
    responses={
        200: documented(PinLine),
        **failing({404: "There is no such collection, or no such movie or show of its kind"}),
        **NO_INDEX,
    },
)
async def pin(request: Request, daemon: TheDaemon, collection: TheCollection, key: TheItem, choice: Choice) -> Response:
    """Pin a movie or show in or out of a collection, in the place of an older pin. A pin in its block wins over it."""
    by = name_of_sender(request, choice.by)
    made = await daemon.choosing.pin(CollectionKey(collection), ItemKey(key), include=choice.include, by=by)
    if made is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no collection {collection!r} with {key!r}.")
    return json_answer(made)


@router.delete(
    "/{collection}/{key}", responses={200: documented(PinLine), **failing({404: "There is no such pin"}), **_KEPT}
)
async def release(daemon: TheDaemon, collection: TheCollection, key: TheItem) -> Response:
    """Release a pin: rules and the model decide again, with the next run."""
    released = await daemon.choosing.release(CollectionKey(collection), ItemKey(key))
    if released is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no pin on {key!r} in {collection!r}.")
    return json_answer(released)
