"""Show the list of all collections, and the movies or shows of one, with pins for many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response

from kometa_ai.core.collection import fold_title
from kometa_ai.core.item import ItemKey, key_named
from kometa_ai.core.naming import CollectionKey
from kometa_ai.core.titles import holding
from kometa_ai.daemon.listing import ItemInCollection, ListName, SortName
from kometa_ai.daemon.pinning import Choice, Chosen, Whole
from kometa_ai.errors import FixUsage, KometaAIError
from kometa_ai.web.answers import status_of
from kometa_ai.web.pages.collection_head import Head, TheKey, head_of, path_of
from kometa_ai.web.pages.forms import Form, form_of
from kometa_ai.web.pages.rendering import page, see, visitor_name
from kometa_ai.web.pages.samples import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kometa_ai.daemon.index import Index
    from kometa_ai.daemon.life import Daemon
    from kometa_ai.daemon.listing import CollectionLine
    from kometa_ai.daemon.past import LastChange
    from kometa_ai.kometa.checking.rewording import LinesToCopy

SIZE = 60
"""Items on a page of a list."""

FACES = 5
"""Posters on the card of a collection."""

View = Literal["posters", "table"]
Show = Literal["all", "movies", "shows", "needs", "off"]

router = APIRouter(prefix="/collections", include_in_schema=False)


class Card(NamedTuple):
    """A collection among others: its surest members, and what the last run did that changed it."""

    line: CollectionLine
    faces: Sequence[ItemKey]
    last: LastChange | None


class Wish(msgspec.Struct, frozen=True):
    """What of a collection is to be seen: which list, narrowed to a text, in which order, as what, and which page."""

    which: ListName = "members"
    sort: SortName | None = None
    view: View = "posters"
    text: Annotated[str, msgspec.Meta(max_length=200)] = ""
    number: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1

    @property
    def order(self) -> SortName:
        """The order that counts."""
        return self.sort or ("changed" if self.which in ("entered", "left") else "confidence")

    def query(self, **changed: Any) -> dict[str, object]:  # noqa: ANN401 - its own fields
        """The query of an address, without what goes without saying."""
        wish = msgspec.structs.replace(self, **changed)
        fields = {"list": wish.which, "sort": wish.sort, "view": wish.view, "q": wish.text, "page": wish.number}
        return {name: value for name, value in fields.items() if value not in _USUAL}


_USUAL = ("members", "posters", "", None, 1)


class Part(NamedTuple):
    """One page of a list, how long the whole is, and how long the others are."""

    items: Sequence[ItemInCollection]
    total: int
    lengths: Mapping[ListName, int]


class Said(NamedTuple):
    """What has just been done, as the query of the address has it."""

    done: Literal["in", "out", "release", "undone", ""] = ""
    changed: int = 0
    in_block: int = 0
    undo: str = ""


def _wish(
    which: Annotated[ListName, Query(alias="list")] = "members",
    sort: SortName | None = None,
    view: View = "posters",
    q: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Wish:
    return Wish(which, sort, view, q.strip(), number)


def _said(
    done: Literal["in", "out", "release", "undone", ""] = "",
    n: Annotated[int, Query(ge=0)] = 0,
    block: Annotated[int, Query(ge=0)] = 0,
    undo: Annotated[str, Query(max_length=40)] = "",
) -> Said:
    return Said(done, n, block, undo)


@router.get("")
async def read_all(
    request: Request,
    show: Show = "all",
    q: Annotated[str, Query(max_length=200)] = "",
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Response:
    """All collections, those first that need the operator."""
    daemon = _daemon(request)

    def look(index: Index) -> dict[str, Any]:
        lines = index.list_collections()
        found = sorted((each for each in lines if _is_shown(each, show, q)), key=_urgency)
        last = index.past.last_changes
        cards = [
            Card(line, index.faces(line.key, FACES), last.get(line.key))
            for line in found[(number - 1) * SIZE : number * SIZE]
        ]
        counts = {each: sum(_is_shown(line, each) for line in lines) for each in get_args(Show)}
        if index.as_of is None:  # all of them wait, and the operator can do nothing about one of them alone
            counts["needs"] = sum(needs_a_person(line) for line in lines if line.state != "waiting")
        return {"cards": cards, "total": len(found), "counts": counts, "when": index.as_of}

    found = await daemon.indexer.ask(look)
    return await page(
        request,
        "collections.jinja",
        show=show,
        text=q.strip(),
        number=number,
        size=SIZE,
        review=await daemon.choosing.waiting_in(),
        samples=[SAMPLES[kind] for kind in sorted(daemon.settings.kinds)],
        **found,
    )


@router.get("/{key}")
async def read(
    request: Request, key: TheKey, wish: Annotated[Wish, Depends(_wish)], said: Annotated[Said, Depends(_said)]
) -> Response:
    """The movies or shows of a collection."""
    return await _show(request, await head_of(request, key, "movies"), wish, said=said)


@router.post("/{key}/pins")
async def choose(request: Request, key: TheKey) -> Response:
    """Pin what is selected in or out, or release its pins; or show the lines with which the block pins it in."""
    form = await form_of(request)
    wish, choice, daemon = _wish_of(form), form.text("choice"), _daemon(request)
    collection = CollectionKey(key)
    try:
        wanted = _selected(form, wish)
        if choice == "lines":
            lines = await daemon.pinning.lines(collection, wanted)
            return await _show(request, await head_of(request, key, "movies"), wish, lines=lines)
        chosen = await daemon.pinning.choose(collection, wanted, _choice(choice), by=visitor_name(request))
    except KometaAIError as error:
        head = await head_of(request, key, "movies")
        return await _show(request, head, wish, refused=error, selected=frozenset(form.all("keys")))
    return see(request, path_of(collection), **wish.query(), **_told(chosen))


@router.post("/{key}/pins/undo")
async def take_back(request: Request, key: TheKey) -> Response:
    """Take back a choice about many items."""
    form = await form_of(request)
    wish = _wish_of(form)
    try:
        count = await _daemon(request).pinning.take_back(form.text("undo"))
    except KometaAIError as error:
        return await _show(request, await head_of(request, key, "movies"), wish, refused=error)
    return see(request, path_of(CollectionKey(key)), **wish.query(), done="undone", n=count)


async def _show(
    request: Request,
    head: Head,
    wish: Wish,
    *,
    said: Said | None = None,
    refused: KometaAIError | None = None,
    lines: Sequence[LinesToCopy] | None = None,
    selected: frozenset[str] = frozenset(),
) -> Response:
    daemon, key = _daemon(request), head.collection.key
    wish, part = await daemon.indexer.ask(lambda index: _part(index, key, wish))
    said = said or Said()
    return await page(
        request,
        "collection.jinja",
        status=status_of(refused) if refused else 200,
        head=head,
        wish=wish,
        part=part,
        size=SIZE,
        said=said,
        can_undo=daemon.pinning.can_take_back(said.undo),
        refused=refused,
        lines=lines,
        selected=selected,
        is_swap="hx-request" in request.headers,
    )


def _part(index: Index, key: CollectionKey, wish: Wish) -> tuple[Wish, Part]:
    """The part that is wished for; the last one where there are not so many."""

    def look(wish: Wish) -> tuple[Sequence[msgspec.Struct], int]:
        start = (wish.number - 1) * SIZE
        return index.items_of(key, wish.which, sort=wish.sort, text=wish.text, start=start, size=SIZE) or ([], 0)

    items, total = look(wish)
    if not items and wish.number > 1:
        wish = msgspec.structs.replace(wish, number=max(1, -(-total // SIZE)))
        items, total = look(wish)
    return wish, Part([each for each in items if isinstance(each, ItemInCollection)], total, index.lengths_of(key))


def _wish_of(form: Form) -> Wish:
    """The list that a form was sent from. Raise HTTPException 422 for one that there is not."""
    names = {"which": "list", "sort": "sort", "view": "view", "text": "q", "number": "page"}
    given = {field: form.text(name) for field, name in names.items() if form.text(name)}
    try:
        return msgspec.convert(given, Wish, strict=False)
    except msgspec.ValidationError as error:
        raise HTTPException(422, "The form names no list of a collection.") from error


def _selected(form: Form, wish: Wish) -> Sequence[ItemKey] | Whole:
    """What a form is about. Raise FixUsage for a key that is none."""
    if form.is_ticked("all"):
        return Whole(wish.which, wish.text, round(form.number("count") or 0))
    try:
        return list(dict.fromkeys(map(key_named, form.all("keys"))))
    except ValueError as error:
        raise FixUsage("The selection names something that is no movie and no show.", "Select again.") from error


def _choice(text: str) -> Choice:
    for each in get_args(Choice):
        if each == text:
            choice: Choice = each
            return choice
    raise FixUsage("It is not said what is to be done.", "Choose Pin in, Pin out or Release.")


def _told(chosen: Chosen) -> dict[str, object]:
    """What was done, as the query of an address."""
    return {"done": chosen.choice, "n": chosen.changed, "block": chosen.in_block or None, "undo": chosen.id}


def needs_a_person(line: CollectionLine) -> bool:
    """Whether a collection has a problem, takes no part though it should, or has removals that are held back."""
    has_error = any(problem.severity == "error" for problem in line.problems)
    return has_error or line.state not in ("on", "off") or line.counts.held_back > 0


def _is_shown(line: CollectionLine, show: Show, text: str = "") -> bool:
    match show:
        case "movies" | "shows":
            is_of_it = f"{line.kind}s" == show
        case "needs":
            is_of_it = needs_a_person(line)
        case "off":
            is_of_it = line.state == "off"
        case "all":
            is_of_it = True
    return is_of_it and (holding(text)(line.name) or text.strip().casefold() in line.tag)


def _urgency(line: CollectionLine) -> tuple[int, str, str]:
    rank = 0 if needs_a_person(line) else 2 if line.state == "off" else 1
    return rank, fold_title(line.name), line.key


def _daemon(request: Request) -> Daemon:
    daemon: Daemon = request.app.state.daemon
    return daemon
