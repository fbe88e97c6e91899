"""Show what wants a person, one card after the other or as a grid, and take answers to it by forms."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, NamedTuple
from uuid import uuid4

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from kometa_ai.core.choice import REVIEW_KINDS
from kometa_ai.core.decision import Cause
from kometa_ai.core.naming import CollectionKey
from kometa_ai.daemon.choosing import MOST_LEFT, Miscounted
from kometa_ai.daemon.desk import Sorting
from kometa_ai.daemon.indexing import BeingPrepared
from kometa_ai.errors import KometaAIError
from kometa_ai.jobs.answers import Overtaken, id_in
from kometa_ai.web.answers import status_of
from kometa_ai.web.api.review import COLLECTION
from kometa_ai.web.api.routing import MOST_ITEMS, TheDaemon, name_of_sender
from kometa_ai.web.pages.forms import form_of
from kometa_ai.web.pages.rendering import page, see
from kometa_ai.web.pages.tickets import answer_to, pair_in, pair_of, pair_text, ticket_of

if TYPE_CHECKING:
    from kometa_ai.core.choice import ReviewKind
    from kometa_ai.daemon.desk import Desk, Spread
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.jobs.review import Card
    from kometa_ai.web.pages.forms import Form

CARDS, TILES, MOST_CARDS = 8, 24, 40
KINDS: dict[ReviewKind, tuple[str, str, str, str]] = {
    "held back": ("Held back", "held-back change", "held-back changes", "held back"),
    "wants to leave": ("Wants to leave", "removal", "removals", "wants to leave"),
    "looks disagree": ("Looks disagree", "disagreement", "disagreements", "looks disagree"),
    "tag against verdict": (
        "Tag against verdict",
        "conflict with a tag",
        "conflicts with a tag",
        "tag against verdict",
    ),
    "close call": ("Close calls", "close call", "close calls", "close call"),
}
"""What each kind is called: as a heading, one, several, and on a card."""

_BY_TAG = (Cause.INCLUDE_TAG, Cause.EXCLUDE_TAG)
_SITTING = re.compile(r"[a-z0-9]{8,32}")
_GROUP = re.compile(r"[a-z0-9]{8,32}\.[A-Za-z0-9._-]{1,60}")
_FARTHEST = 1_000_000

router = APIRouter(include_in_schema=False)


class Place(NamedTuple):
    """Where the user is in the queue: what is chosen of it, how, and how many cards were passed over.

    `sitting` begins the ids of all answers that belong together. `first` is the pair to be shown before all others.
    """

    kind: str = ""
    collection: str = ""
    view: str = ""
    at: int = 0
    sitting: str = ""
    first: str = ""

    @property
    def sorting(self) -> Sorting:
        """The part of the queue; a kind that there is not is as good as none."""
        kind = next((each for each in REVIEW_KINDS if each == self.kind), None)
        return Sorting(kind, CollectionKey(self.collection) if self.collection else None)

    @property
    def query(self) -> dict[str, object]:
        """The place as parts of an address, without `first`."""
        known = self._asdict() | {"first": "", "at": self.at or ""}
        return {name: value for name, value in known.items() if value}

    def with_sitting(self) -> Place:
        """The same, with a sitting in any case."""
        return self if _SITTING.fullmatch(self.sitting) else self._replace(sitting=secrets.token_hex(6))


def _place(
    *,
    kind: Annotated[str, Query(max_length=40)] = "",
    collection: Annotated[str, Query(pattern=rf"^$|{COLLECTION}")] = "",
    view: Annotated[str, Query(pattern="^(grid)?$")] = "",
    at: Annotated[int, Query(ge=0, le=_FARTHEST)] = 0,
    sitting: Annotated[str, Query(max_length=40)] = "",
    first: Annotated[str, Query(max_length=300)] = "",
) -> Place:
    return Place(kind, collection, view, at, sitting, first).with_sitting()


ThePlace = Annotated[Place, Depends(_place)]


@router.get("/review")
async def read(
    request: Request,
    daemon: TheDaemon,
    place: ThePlace,
    done: Annotated[str, Query(max_length=20)] = "",
    size: Annotated[int, Query(ge=1, le=MOST_CARDS)] = CARDS,
) -> Response:
    """The queue from a place on."""
    return await _shown(request, daemon, place, done=done, size=size)


@router.post("/review/answer")
async def answer(request: Request, daemon: TheDaemon) -> Response:
    """Answer one card, then show the next."""
    form = await form_of(request)
    place, reply = _place_in(form), form.text("answer")
    given = answer_to(form.text("ticket"), reply, _id_in(form, place), name_of_sender(request))
    try:
        taken = await daemon.choosing.answer([given])
    except KometaAIError as error:
        return await _shown(request, daemon, place._replace(first=pair_text(*given.pair)), error=error)
    if taken[0].result == "kept":
        return see(request, "/review", **place.query, done=reply)
    return see(request, "/review", **place.query, first=pair_text(*given.pair), done="changed")


@router.post("/review/answers")
async def answer_all(request: Request, daemon: TheDaemon) -> Response:
    """Answer all cards of a grid as they are shown."""
    form = await form_of(request)
    place, by = _place_in(form), name_of_sender(request)
    tickets, group = form.all("ticket"), _id_in(form, place)
    if not 0 < len(tickets) <= TILES:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"A grid has between 1 and {TILES} cards.")
    chosen = frozenset(form.all("in"))
    given = [
        answer_to(ticket, "in" if pair_of(ticket) in chosen else "out", id_in(group, number), by)
        for number, ticket in enumerate(tickets)
    ]
    try:
        taken = await daemon.choosing.answer(given)
    except KometaAIError as error:
        return await _shown(request, daemon, place, error=error)
    kept = sum(each.result == "kept" for each in taken)
    done = "all" if kept == len(taken) else "some" if kept else "none"
    return see(request, "/review", **place.query, done=done)


@router.post("/review/leave")
async def leave(request: Request, daemon: TheDaemon) -> Response:
    """Leave a whole part of the queue to the model, if it is as large as was shown."""
    form = await form_of(request)
    place, count = _place_in(form), form.number("count")
    if count is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "How many there are has to be said.")
    group, by = _id_in(form, place), name_of_sender(request)
    try:
        await daemon.choosing.leave(place.sorting, int(count), group, by)
    except KometaAIError as error:
        return await _shown(request, daemon, place, error=error)
    return see(request, "/review", **place._replace(at=0).query, done="left")


@router.post("/review/undo")
async def undo(request: Request, daemon: TheDaemon) -> Response:
    """Take the answers of a group back, and show the card again if it was one."""
    form = await form_of(request)
    place, group = _place_in(form), form.text("group")
    try:
        taken = await daemon.choosing.take_back_group(group)
    except KometaAIError as error:
        return await _shown(request, daemon, place, error=error)
    if not taken:
        return see(request, "/review", **place.query, done="unknown")
    first = pair_text(*taken[0].pair) if len(taken) == 1 and not place.view else ""
    return see(request, "/review", **place.query, first=first, done="undone")


async def _shown(
    request: Request,
    daemon: Daemon,
    place: Place,
    *,
    done: str = "",
    size: int = CARDS,
    error: KometaAIError | None = None,
) -> Response:
    """The page; with an error, in whose place it shows what was asked for."""
    if isinstance(error, BeingPrepared):
        return see(request, "/review", **place.query, done="early")
    size = TILES if place.view else size
    desk = await daemon.choosing.desk(
        place.sorting, place.at, size, sitting=place.sitting, first=pair_in(place.first) if place.first else None
    )
    sorting = place.sorting
    return await page(
        request,
        "review.jinja",
        status=200 if error is None else _status_of(error),
        place=place,
        sorting=sorting,
        desk=desk,
        kinds=KINDS,
        by_kind=desk.by_kind(sorting.collection),
        by_collection=desk.by_collection(sorting.kind),
        part=_named_part(desk, sorting),
        most_left=MOST_LEFT,
        most_items=MOST_ITEMS,
        by_total=sum(desk.counts.values()),
        group=f"{place.sitting}.{uuid4()}",
        ticket_of=ticket_of,
        why=why_here,
        done=done,
        error=error,
        next_run=daemon.timetable.next_run,
    )


def _status_of(error: KometaAIError) -> int:
    return HTTPStatus.CONFLICT if isinstance(error, Miscounted | Overtaken) else status_of(error)


def _place_in(form: Form) -> Place:
    """The place that a form was shown at."""
    at = form.number("at") or 0
    place = Place(
        kind=form.text("kind") if form.text("kind") in REVIEW_KINDS else "",
        collection=form.text("collection") if re.fullmatch(COLLECTION, form.text("collection")) else "",
        view="grid" if form.text("view") == "grid" else "",
        at=min(max(0, int(at)), _FARTHEST),
        sitting=form.text("sitting"),
    )
    return place.with_sitting()


def _id_in(form: Form, place: Place) -> str:
    """The id that a form brings, so that one that is sent twice counts once; a new one, where it brings none."""
    found = form.text("id")
    return found if _GROUP.fullmatch(found) else f"{place.sitting}.{uuid4()}"


def _named_part(desk: Desk, sorting: Sorting) -> str:
    """What is chosen of the queue, in words: `12 close calls of Film Noir`."""
    several = (
        KINDS[sorting.kind][1 if desk.total == 1 else 2] if sorting.kind else ("case" if desk.total == 1 else "cases")
    )
    name = desk.names.get(sorting.collection, "") if sorting.collection else ""
    return f"{desk.total:,} {several}" + (f" of {name}" if name else "")


def why_here(spread: Spread) -> str:
    """Why a card wants a person, in a sentence, as far as it says so without a time."""
    card = spread.card
    match card.kind:
        case "held back":
            held = f"The brake holds {'its addition' if card.belongs else 'its removal'} back."
            return f"{_tags_of(spread)} {_keeps(card)}. {held}" if card.cause in _BY_TAG else held
        case "looks disagree":
            return "Two looks at it came to different answers."
        case "tag against verdict":
            return f"{_tags_of(spread)} {_keeps(card)}, against a clear verdict."
        case "close call":
            away = abs((card.confidence or 0) - card.threshold)
            return "Right at the threshold." if round(away, 2) == 0 else f"Only {away:.2f} from the threshold."
        case "wants to leave":
            return "It was in for long."


def _keeps(card: Card) -> str:
    return f"keeps it {'in' if card.belongs else 'out'}"


def _tags_of(spread: Spread) -> str:
    """The tags that decide; a card itself names only those of other collections."""
    card = spread.card
    here = (each.deciding_tags for each in spread.item.collections if each.collection == card.collection)
    tags = card.deciding_tags or next(here, ())
    return f"The tag {' or '.join(tags)}" if tags else "One of its tags"
