"""Radarr's JSON, as far as we read it, and its translation into our own types.

Radarr leaves out whatever is null (its serializer is told so) and `id` when it is 0, hence every field here may be
absent. The decoder skips what is not named here without building it, which keeps 70 MB of movies cheap.
"""

from __future__ import annotations

import re
from itertools import islice
from sys import intern
from typing import TYPE_CHECKING, NewType

import msgspec

from kometa_ai.core.movie import LARGEST_ID, Credits, Movie, RadarrId, TmdbId
from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.text import beginning
from kometa_ai.library.arr.rows import Garbled, decode
from kometa_ai.library.arr.texts import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kometa_ai.library.arr.rows import OddRow

TagId = NewType("TagId", int)
"""A tag's row. Housekeeping deletes unused tags daily, and a tag made again has another id: never keep one."""

Tags = dict[Label, tuple[TagId, ...]]
"""Every tag by lower-case label. Only a database edited by hand has several ids here; the one to write comes first."""

ACTORS_KEPT = 10
DIRECTORS_KEPT = 100
GENRES_KEPT = 20
KEYWORDS_KEPT = 100
LONGEST_TITLE = 300
LONGEST_NAME = 120
LONGEST_GENRE = 60
LONGEST_LABEL = 1000
_LONGEST_IMDB_ID = 20
_LATEST_YEAR = 9999
_LAST = 1 << 31
_LONGEST = 200
_LONGEST_BODY = 65536
_SHOWABLE = 10**30


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
    """A movie of Radarr's that takes no part, and why. `radarr_id` is 0 where it has none."""

    radarr_id: RadarrId
    title: str
    why: str


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """What Radarr holds: movies by TMDb id, and the tags there are.

    `tags` maps lower-case labels to their ids; `odd_tags` describes tags that could not be read; `nameless` movies have
    tags, none of which is among `tags`. Whether an empty or a much smaller library is believed, is not decided here.
    """

    movies: tuple[Movie, ...] = ()
    tags: Mapping[Label, tuple[TagId, ...]] = {}
    left_out: tuple[LeftOut, ...] = ()
    odd_tags: tuple[str, ...] = ()
    nameless: int = 0


def tags_of(rows: Iterable[WireTag]) -> Tags:
    """Tags by lower-case label; of twins that differ in case, the lower-case one first, then by age.

    Of two labels with one id the first counts.
    """
    twins: dict[Label, list[tuple[bool, int]]] = {}
    seen: set[int] = set()
    for row in rows:
        label = label_of(row.label or "")
        if label and row.id not in seen and not _why_no_tag(row):
            seen.add(row.id or 0)
            twins.setdefault(label, []).append((row.label != label, row.id or 0))
    return {label: tuple(TagId(number) for _, number in sorted(found)) for label, found in twins.items()}


def odd_tags(rows: Iterable[WireTag], odd: Iterable[OddRow]) -> tuple[str, ...]:
    """Say of each tag that `tags_of` passes over what is wrong with it. A label that is empty is none of them."""
    found = [f"{beginning(row.name, LONGEST_NAME) or 'no label'}: {row.why}" for row in odd]
    labels: dict[int, str] = {}
    for row in rows:
        label = beginning(clean(row.label), LONGEST_NAME)
        if why := _why_no_tag(row):
            found.append(f"{label or f'tag {_shown(row.id)}'}: {why}")
        elif (twin := labels.setdefault(row.id or 0, label)) != label:
            found.append(f"{label}: it has the same id as {twin}")
    return tuple(found)


def _why_no_tag(row: WireTag) -> str:
    if row.label is None:
        return "it has no label"
    if len(row.label) > LONGEST_LABEL:
        return f"its label has {len(row.label):,} characters"
    return "" if _is_id(row.id) else "it has no id"


def library_of(
    rows: Sequence[WireMovie], tags: Tags, odd: Sequence[OddRow] = (), odd_tags: tuple[str, ...] = ()
) -> Library:
    """The library, in order of TMDb ids. Of two rows with one id the older takes part; `odd` rows do not."""
    labels: dict[int, Label] = {number: label for label, numbers in tags.items() for number in numbers}
    movies: dict[TmdbId, Movie] = {}
    by_id: dict[int, Movie] = {}
    left_out = [LeftOut(RadarrId(row.id), beginning(row.name, LONGEST_TITLE), row.why) for row in odd]
    nameless = 0
    for row in sorted(rows, key=lambda row: row.id or 0):
        title = beginning(clean(row.title), LONGEST_TITLE)
        tmdb_id = TmdbId(row.tmdb_id or 0)
        if why := _why_left_out(row, title, movies.get(tmdb_id), by_id.get(row.id or 0)):
            left_out.append(LeftOut(RadarrId(row.id or 0), title, why))
        else:
            movies[tmdb_id] = by_id[row.id or 0] = _movie_of(row, title, labels)
            nameless += bool(row.tags) and not movies[tmdb_id].labels
    in_order = tuple(movies[key] for key in sorted(movies))
    return Library(movies=in_order, tags=tags, left_out=tuple(left_out), odd_tags=odd_tags, nameless=nameless)


def _is_id(number: int | None) -> bool:
    return number is not None and 0 < number <= LARGEST_ID


def _why_left_out(row: WireMovie, title: str, twin: Movie | None, namesake: Movie | None) -> str:
    if not _is_id(row.id):
        return f"its id {_shown(row.id)} is none of Radarr's" if row.id else "it has no id in Radarr"
    if not _is_id(row.tmdb_id):
        too_large = row.tmdb_id is not None and row.tmdb_id > 0
        return f"its TMDb id {_shown(row.tmdb_id)} is none of TMDb's" if too_large else "it has no TMDb id"
    if not title:
        return "it has no title"
    if namesake:
        return f"it has the same id as {namesake}"
    if twin:
        return f"it has the same TMDb id as {twin} (Radarr's movie {twin.radarr_id})"
    return ""


def _shown(number: int | None) -> str:
    # Python refuses to write numbers of thousands of digits, and nobody wants to read them.
    return str(number) if number is not None and abs(number) < _SHOWABLE else "of many digits"


def _movie_of(row: WireMovie, title: str, labels: Mapping[int, Label]) -> Movie:
    imdb_id = clean(row.imdb_id)
    return Movie(
        radarr_id=RadarrId(row.id or 0),
        tmdb_id=TmdbId(row.tmdb_id or 0),
        title=title,
        year=row.year if row.year and 0 < row.year <= _LATEST_YEAR else 0,
        imdb_id=imdb_id if len(imdb_id) <= _LONGEST_IMDB_ID else "",
        # Whole, since it is part of the metadata hash; what is sent of it is cut where it is sent.
        plot=clean(row.overview),
        genres=_words(row.genres, GENRES_KEPT, LONGEST_GENRE),
        keywords=_words(row.keywords, KEYWORDS_KEPT, LONGEST_NAME),
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
    directors = [row for row in rows if row.type == "crew" and row.job == "Director"]
    return Credits(directors=_names(directors)[:DIRECTORS_KEPT], actors=_names(cast)[:ACTORS_KEPT])


def _names(rows: Iterable[WireCredit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows if (name := beginning(clean(row.person_name), LONGEST_NAME))))


def _words(texts: list[str] | None, count: int, length: int) -> tuple[str, ...]:
    # A few hundred genres and keywords repeat over a whole library: interned, each is held once.
    words = (intern(beginning(word, length)) for text in texts or () if (word := clean(text)))
    return tuple(islice(words, count))


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
