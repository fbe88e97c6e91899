"""Read and write tickets: what a form or a script says of the card that it answers, its pair and what was seen."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, get_args

from fastapi import HTTPException

from kometa_ai.core.choice import Reply
from kometa_ai.core.collection import collection_key
from kometa_ai.core.item import ItemKey, kind_of
from kometa_ai.core.naming import Slug
from kometa_ai.jobs.answers import Answer
from kometa_ai.jobs.review import Seen
from kometa_ai.web.api.review import COLLECTION, KEY

if TYPE_CHECKING:
    from kometa_ai.core.choice import Pair
    from kometa_ai.jobs.review import Card

_REPLIES: tuple[Reply, ...] = get_args(Reply)


def ticket_of(card: Card) -> str:
    """What an answer to a card says about it: which pair it is, and what was seen of it."""
    seen = card.seen
    confidence = "-" if seen.confidence is None else repr(seen.confidence)
    return f"{card.key} {card.collection} {seen.prompt_hash or '-'} {seen.metadata_hash or '-'} {confidence}"


def pair_of(ticket: str) -> str:
    """The part of a ticket that names its pair."""
    return " ".join(ticket.split(" ")[:2])


def answer_to(ticket: str, reply: str, answer_id: str, by: str) -> Answer:
    """The answer to the card of a ticket. Raise HTTPException 422 for what is no ticket, or no answer."""
    if reply not in _REPLIES:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "An answer is in, out or leave.")
    parts = ticket.split(" ")
    try:
        prompt_hash, metadata_hash, said = parts[2], parts[3], parts[4]
        confidence = None if said == "-" else float(said)
    except (IndexError, ValueError):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "This answer is about no card.") from None
    key, slug = pair_in(pair_of(ticket))
    return Answer(
        id=answer_id,
        key=key,
        slug=slug,
        reply=next(each for each in _REPLIES if each == reply),
        seen=Seen(prompt_hash=prompt_hash.strip("-"), metadata_hash=metadata_hash.strip("-"), confidence=confidence),
        by=by,
    )


def pair_in(text: str) -> Pair:
    """The pair that a text names by the keys of its item and collection. Raise HTTPException 422 for anything else."""
    key, _, collection = text.partition(" ")
    if not re.fullmatch(KEY, key) or not re.fullmatch(COLLECTION, collection):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "An item and a collection are named by their keys.")
    return ItemKey(key), Slug(collection.removeprefix("show:"))


def pair_text(key: ItemKey, slug: Slug) -> str:
    """The same text, for a pair."""
    return f"{key} {collection_key(kind_of(key), slug)}"
