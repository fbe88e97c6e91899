"""Read forms as browsers send them without files: application/x-www-form-urlencoded."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from fastapi import Request

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 2000
"""A grid of review answers and a list of ticked removals have some hundred."""


class Form:
    """The fields of a form. A field that was not sent is empty."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """The first value of a field, without blanks around it."""
        return self._fields.get(name, ("",))[0].strip()

    def all(self, name: str) -> Sequence[str]:
        """All values of a field, such as those of boxes that are ticked."""
        return self._fields.get(name, ())

    @property
    def names(self) -> AbstractSet[str]:
        """The names of its fields."""
        return self._fields.keys()

    def is_ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.text(name))

    def number(self, name: str) -> float | None:
        """A number; None if the field is empty or holds none that is finite."""
        try:
            found = float(self.text(name).replace(",", "."))
        except ValueError:
            return None
        return found if abs(found) < float("inf") else None


def fields_of(body: bytes) -> Mapping[str, Sequence[str]]:
    """The fields of a body. Raise HTTPException 422 for one that is no form or has too many fields."""
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "The form cannot be read.") from error


async def form_of(request: Request) -> Form:
    """The form of a request. Raise HTTPException 422 for a body that is none."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if body and media_type != MEDIA_TYPE:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"A form is wanted, as {MEDIA_TYPE}.")
    return Form(fields_of(body))
