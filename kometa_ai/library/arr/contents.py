"""Turn a service's rows into movies and tags, and say of each row or tag that is left out why."""

from __future__ import annotations

from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

from kometa_ai.core.item import LARGEST_ID, ArrId
from kometa_ai.core.naming import Label, label_of
from kometa_ai.core.text import beginning
from kometa_ai.library.arr.texts import clean
from kometa_ai.library.port import Contents, LeftOut, TagId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kometa_ai.core.kinds import AnyItem
    from kometa_ai.library.arr.rows import OddRow
    from kometa_ai.library.arr.spec import ArrSpec, R
    from kometa_ai.library.arr.wire import WireTag

Tags = dict[Label, tuple[TagId, ...]]
"""Every tag by lower-case label; see Contents."""

LONGEST_TITLE = 300
LONGEST_NAME = 120
LONGEST_LABEL = 1000
GENRES_KEPT = 20
LONGEST_GENRE = 60
_LONGEST_IMDB_ID = 20
_LATEST_YEAR = 9999
_SHOWABLE = 10**30
_WORDS_KNOWN = 4096


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


def contents_of(
    spec: ArrSpec[R], rows: Sequence[R], tags: Tags, odd: Sequence[OddRow] = (), odd_tags: tuple[str, ...] = ()
) -> Contents:
    """The contents, in order of catalogue ids. Of two rows with one id the older takes part; `odd` rows do not."""
    held_by = (spec.name,)
    labels: dict[int, Label] = {number: label for label, numbers in tags.items() for number in numbers}
    items: dict[int, AnyItem] = {}
    by_id: dict[int, AnyItem] = {}
    left_out = [LeftOut(ArrId(row.id), beginning(row.name, LONGEST_TITLE), row.why) for row in odd]
    nameless = 0
    for row in sorted(rows, key=lambda row: row.id or 0):
        title = beginning(clean(row.title), LONGEST_TITLE)
        number = spec.catalogue_id(row) or 0
        if why := _why_left_out(spec, row, title, items.get(number), by_id.get(row.id or 0)):
            left_out.append(LeftOut(ArrId(row.id or 0), title, why))
        else:
            items[number] = by_id[row.id or 0] = spec.item_of(row, title, labels, held_by)
            nameless += bool(row.tags) and not items[number].labels
    in_order = tuple(items[number] for number in sorted(items))
    return Contents(items=in_order, tags=tags, left_out=tuple(left_out), odd_tags=odd_tags, nameless=nameless)


def _is_id(number: int | None) -> bool:
    return number is not None and 0 < number <= LARGEST_ID


def _why_left_out(spec: ArrSpec[Any], row: R, title: str, twin: AnyItem | None, namesake: AnyItem | None) -> str:
    if not _is_id(row.id):
        return f"its id {_shown(row.id)} is none of {spec.title}'s" if row.id else f"it has no id in {spec.title}"
    number = spec.catalogue_id(row)
    if not _is_id(number):
        too_large = number is not None and number > 0
        return (
            f"its {spec.catalogue} id {_shown(number)} is none of {spec.catalogue}'s"
            if too_large
            else f"it has no {spec.catalogue} id"
        )
    if not title:
        return "it has no title"
    if namesake:
        return f"it has the same id as {namesake}"
    if twin:
        return f"it has the same {spec.catalogue} id as {twin} ({spec.title}'s {spec.item} {twin.arr_id})"
    return ""


def _shown(number: int | None) -> str:
    # Python refuses to write numbers of thousands of digits, and no reader wants them.
    return str(number) if number is not None and abs(number) < _SHOWABLE else "of many digits"


def year_of(year: int | None) -> int:
    """The year, or 0 for one that is unknown or cannot be true."""
    return year if year and 0 < year <= _LATEST_YEAR else 0


def imdb_id_of(text: str | None) -> str:
    """The id at IMDb, or nothing."""
    found = clean(text)
    return found if len(found) <= _LONGEST_IMDB_ID else ""


def genres_of(texts: list[str] | None) -> tuple[str, ...]:
    """The genres, each fit to be shown."""
    return words(texts, GENRES_KEPT, LONGEST_GENRE)


def words(texts: list[str] | None, count: int, length: int) -> tuple[str, ...]:
    """The first texts of a list, each clean and no longer than that."""
    found: list[str] = []
    for text in texts or ():
        if word := _word(text, length):
            found.append(word)
            if len(found) == count:
                break
    return tuple(found)


@lru_cache(_WORDS_KNOWN)
def _word(text: str, length: int) -> str:
    """A genre or keyword. A few hundred of them repeat over a whole library: each is cleaned once, and held once."""
    return intern(beginning(clean(text), length))
