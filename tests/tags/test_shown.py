"""A plan keeps to what a dry run has shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.changes import Change, TagPlan
from kometa_ai.core.report import CollectionReport, LibraryLine, MovieLine, RunReport
from kometa_ai.errors import FixUsage
from kometa_ai.tags.shown import shown_by
from tests.judging.making import movie, named

if TYPE_CHECKING:
    from collections.abc import Iterable

COLLECTIONS = [named(name) for name in ("Noir", "Heist")]
LIBRARIES = ("radarr", "radarr-4k")
AT = datetime(2026, 3, 1, tzinfo=UTC)

Operation = Literal["add", "remove"]


def _change(number: int, collection: int, operation: Operation, library: str) -> Change:
    of = COLLECTIONS[collection]
    return Change(
        movie=movie(number), slug=of.slug, collection_name=of.name, label=of.label, library=library, operation=operation
    )


def _changes(libraries: Iterable[str]) -> st.SearchStrategy[tuple[Change, ...]]:
    each = st.builds(
        _change, st.integers(1, 4), st.integers(0, 1), st.sampled_from(["add", "remove"]), st.sampled_from([*libraries])
    )
    return st.lists(each, unique=True).map(tuple)


def _dry(changes: Iterable[Change], libraries: Iterable[str], **fields: Any) -> RunReport:
    """The report of a dry run that would make these changes."""
    libraries = tuple(libraries)
    changes = tuple(changes)

    def lines(slug: str, operation: Operation) -> tuple[MovieLine, ...]:
        found = [each for each in changes if each.slug == slug and each.operation == operation]
        return tuple(
            MovieLine(
                title=each.movie.title,
                year=each.movie.year,
                key=each.movie.key,
                libraries=(each.library,) if len(libraries) > 1 else (),
            )
            for each in found
        )

    collections = tuple(
        CollectionReport(
            name=each.name,
            slug=each.slug,
            tag=each.label,
            members=0,
            added=lines(each.slug, "add"),
            removed=lines(each.slug, "remove"),
        )
        for each in COLLECTIONS
    )
    known = {"dry_run": True, "outcome": "ok", "exit_code": 0, **fields}
    return RunReport(
        run_id="a-dry-run",
        version="1",
        started=AT,
        finished=AT,
        libraries=tuple(LibraryLine(name=name, title=name, kind="movie") for name in libraries),
        collections=collections,
        **known,
    )


@given(st.sampled_from([LIBRARIES[:1], LIBRARIES]), st.data())
def test_no_change_is_left_that_was_not_shown(libraries: tuple[str, ...], data: st.DataObject) -> None:
    """Each planned change is either made, if the dry run showed exactly it, or named; held back is what was."""
    shown, planned, held = (data.draw(_changes(libraries)) for _ in range(3))

    plan = shown_by(_dry(shown, libraries)).within(TagPlan(changes=planned, held_back=held))

    assert plan.changes == tuple(change for change in planned if change in shown)
    assert plan.unshown == tuple(change for change in planned if change not in shown)
    assert plan.held_back == held


def test_a_library_that_is_new_since_then_was_not_shown() -> None:
    """A line that names no library stands for the one that there was."""
    first, second = (_change(1, 0, "add", library) for library in LIBRARIES)

    plan = shown_by(_dry([first], LIBRARIES[:1])).within(TagPlan(changes=(first, second)))

    assert (plan.changes, plan.unshown) == ((first,), (second,))


@pytest.mark.parametrize(
    ("fields", "why"), [({"dry_run": False}, "no dry run"), ({"kind": "undo", "undoes": "x"}, "an undo")]
)
def test_other_runs_have_shown_nothing(fields: dict[str, Any], why: str) -> None:
    """A real run has made its changes, and an undo is about others: keeping within them can only be a mistake."""
    with pytest.raises(FixUsage, match=why):
        shown_by(_dry([], LIBRARIES, **fields))
