"""Radarr's JSON, as far as we read it, and its translation into our own types.

Radarr leaves out whatever is null (its serializer is told so) and `id` when it is 0, hence every field here may be
absent. The decoder skips what is not named here without building it, which keeps 70 MB of movies cheap.
"""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING, NewType, TypeVar

import msgspec

from kometa_ai.core.movie import Credits, Movie, RadarrId, TmdbId
from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.text import beginning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

TagId = NewType("TagId", int)
"""A tag's row. Housekeeping deletes unused tags daily, and a tag made again has another id: never keep one."""

Tags = dict[Label, tuple[TagId, ...]]
"""Every tag by lower-case label. Only a database edited by hand has several ids here; the one to write comes first."""

ACTORS_KEPT = 10
_LAST = 1 << 31
_LONGEST = 200
_LONGEST_BODY = 65536

T = TypeVar("T")


class Garbled(ValueError):
    """Bytes that are not the JSON they should be: torn, or of another shape."""


class WireMovie(msgspec.Struct, rename="camel", gc=False):
    """A row of `GET /movie`."""

    id: int | None = None
    tmdb_id: int | None = None
    title: str | None = None
    year: int | None = None
    imdb_id: str | None = None
    overview: str | None = None
    genres: list[str] | None = None
    keywords: list[str] | None = None
    tags: list[int] | None = None


class WireTag(msgspec.Struct, gc=False):
    """A row of `GET /tag`, and the answer to its `POST`."""

    id: int | None = None
    label: str | None = None


class WireCredit(msgspec.Struct, rename="camel", gc=False):
    """A row of `GET /credit`: `cast` without a job, or `crew` with one."""

    person_name: str | None = None
    type: str | None = None
    job: str | None = None
    order: int | None = None


class WireStatus(msgspec.Struct, rename="camel"):
    """`GET /system/status`."""

    app_name: str | None = None
    version: str | None = None
    url_base: str | None = None
    instance_name: str | None = None
    database_type: str | None = None


class WireRule(msgspec.Struct, gc=False):
    """A row of `GET /autotagging`: a rule, and the tags that it puts on and takes off."""

    name: str | None = None
    tags: list[int] | None = None


class EditedMovie(msgspec.Struct, gc=False):
    """A movie in the editor's answer, its auto-tagging rules already applied."""

    id: int | None = None
    tags: list[int] | None = None


class LeftOut(msgspec.Struct, frozen=True):
    """A movie of Radarr's that takes no part, and why."""

    radarr_id: RadarrId
    title: str
    why: str


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """What Radarr holds: movies by TMDb id, and the tags there are.

    `tags` maps lower-case labels to their ids; `nameless` movies have tags, none of which is among them. Whether an
    empty or a much smaller library is believed, is not decided here.
    """

    movies: tuple[Movie, ...] = ()
    tags: Mapping[Label, tuple[TagId, ...]] = {}
    left_out: tuple[LeftOut, ...] = ()
    nameless: int = 0


def decode(body: bytes | bytearray, kind: type[T]) -> T:
    """Decode strictly: all of the body, or `Garbled`."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(first_line(str(error))) from None


def tags_of(rows: Iterable[WireTag]) -> Tags:
    """Tags by lower-case label; of twins that differ in case, the lower-case one first, then by age."""
    twins: dict[Label, list[tuple[bool, int]]] = {}
    for row in rows:
        label = label_of(row.label or "")
        if label and row.id and row.id > 0:
            twins.setdefault(label, []).append((row.label != label, row.id))
    return {label: tuple(TagId(number) for _, number in sorted(found)) for label, found in twins.items()}


def library_of(rows: Sequence[WireMovie], tags: Tags) -> Library:
    """The library, in order of TMDb ids. Of two rows with one TMDb id the older takes part."""
    labels: dict[int, Label] = {number: label for label, numbers in tags.items() for number in numbers}
    movies: dict[TmdbId, Movie] = {}
    left_out: list[LeftOut] = []
    nameless = 0
    for row in sorted(rows, key=lambda row: row.id or 0):
        title = clean(row.title)
        tmdb_id = TmdbId(row.tmdb_id or 0)
        if why := _why_left_out(row, title, movies.get(tmdb_id)):
            left_out.append(LeftOut(RadarrId(row.id or 0), title, why))
        else:
            movies[tmdb_id] = _movie_of(row, title, labels)
            nameless += bool(row.tags) and not movies[tmdb_id].labels
    in_order = tuple(movies[key] for key in sorted(movies))
    return Library(movies=in_order, tags=tags, left_out=tuple(left_out), nameless=nameless)


def _why_left_out(row: WireMovie, title: str, twin: Movie | None) -> str:
    if not row.id or row.id < 0:
        return "it has no id in Radarr"
    if not row.tmdb_id or row.tmdb_id < 0:
        return "it has no TMDb id"
    if not title:
        return "it has no title"
    if twin:
        return f"it has the same TMDb id as {twin} (Radarr's movie {twin.radarr_id})"
    return ""


def _movie_of(row: WireMovie, title: str, labels: Mapping[int, Label]) -> Movie:
    return Movie(
        radarr_id=RadarrId(row.id or 0),
        tmdb_id=TmdbId(row.tmdb_id or 0),
        title=title,
        year=row.year or 0,
        imdb_id=clean(row.imdb_id),
        plot=clean(row.overview),
        genres=_words(row.genres),
        keywords=_words(row.keywords),
        # An id may name no tag any more: Radarr stores whatever id it is given, and deletes unused tags.
        labels=frozenset(labels[number] for number in row.tags or () if number in labels),
    )


def credits_of(rows: Iterable[WireCredit]) -> Credits:
    """Directors as listed, and the first ten actors in billing order; nobody twice.

    The test for a director is that of Radarr's own NFO writer: `Job == "Director"`. The rows come in no order.
    """
    rows = list(rows)
    cast = sorted(
        (row for row in rows if row.type == "cast"),
        key=lambda row: _LAST if row.order is None else row.order,
    )
    directors = (clean(row.person_name) for row in rows if row.type == "crew" and row.job == "Director")
    actors = dict.fromkeys(name for row in cast if (name := clean(row.person_name)))
    return Credits(
        directors=tuple(dict.fromkeys(name for name in directors if name)),
        actors=tuple(actors)[:ACTORS_KEPT],
    )


def _words(texts: list[str] | None) -> tuple[str, ...]:
    # A few hundred genres and keywords repeat over a whole library: interned, each is held once.
    return tuple(intern(word) for text in texts or () if (word := clean(text)))


_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def clean(text: str | None) -> str:
    """The text without control characters and line breaks, each run of which becomes one space."""
    if not text:
        return ""
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    return text.strip()


def first_line(text: str, redact: Callable[[str], str] = str) -> str:
    """The first line that says something, cut to a readable length; stack traces begin after it.

    The redactor sees all of it before it is cut: a secret that was cut is not found any more.
    """
    return beginning(_first_line(redact(text)), _LONGEST)


def _first_line(text: str) -> str:
    return next((line for raw in text.splitlines() if (line := clean(raw))), "")


_HTML_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


def is_html(body: bytes | bytearray) -> bool:
    """Whether a body is a web page, whatever its content type says."""
    return body[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def complaint(body: bytes | bytearray, redact: Callable[[str], str] = str) -> str:
    """What an error's body says, in one line and without secrets; empty when it says nothing.

    Radarr has four forms: nothing, a list of validation failures, an object with a message (and a stack trace, which
    is left alone), and RFC 7807 problem details. A proxy adds HTML and plain text.
    """
    if is_html(body):
        # Before the title is looked for: a secret in it may hold what seems to end it.
        found = _HTML_TITLE.search(redact(_beginning_of(body)))
        title = first_line(found[1]) if found else ""
        return f"a web page titled {title!r}" if title else "a web page"
    try:
        said = decode(body, object)
    except Garbled:
        return first_line(_beginning_of(body), redact)
    return first_line(_said(said), redact)


def _beginning_of(body: bytes | bytearray) -> str:
    return bytes(body[:_LONGEST_BODY]).decode(errors="replace")


def _said(answer: object) -> str:
    if isinstance(answer, list):
        return "; ".join(filter(None, (_said(item) for item in answer[:3] if isinstance(item, dict))))
    if not isinstance(answer, dict):
        return ""
    for key in ("errorMessage", "message", "title"):
        if isinstance(said := answer.get(key), str) and said:
            return " ".join([_first_line(said), *_details(answer.get("errors"))])
    return ""


def _details(errors: object) -> list[str]:
    if not isinstance(errors, dict):
        return []
    return [f"{field}: {texts[0]}" for field, texts in errors.items() if isinstance(texts, list) and texts][:3]
