"""Save rows as both programs do: check the number of ids, apply auto tagging, write each row whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio.lowlevel
from anyio import to_thread

from kometa_ai.standins.arr.errors import database_locked, failure
from kometa_ai.standins.arr.store import Row

if TYPE_CHECKING:
    from starlette.requests import Request

    from kometa_ai.standins.arr.product import Behaviour
    from kometa_ai.standins.arr.store import Store

_Row = TypeVar("_Row", bound=Row)


def selected(store: Store[_Row, Any], ids: list[int] | None) -> list[_Row]:
    """The rows of a bulk edit. Each id must name an item, and only once: the numbers of ids and rows are compared."""
    if ids is None:
        raise failure(500, "Value cannot be null. (Parameter 'source')", "System.ArgumentNullException")
    rows = store.rows_of(ids)
    if len(rows) != len(ids):
        message = f"Expected query to return {len(ids)} rows but returned {len(rows)}"
        raise failure(500, message, "System.ApplicationException")
    return rows


async def save(request: Request, store: Store[_Row, Any], behaviour: Behaviour, rows: list[_Row]) -> list[_Row]:
    """Save whole rows; what others wrote since the read is lost. Without a transaction they are saved one by one."""
    tagged = [store.auto_tagged(row) for row in rows]
    await anyio.lowlevel.checkpoint()  # others may write meanwhile
    if behaviour.before_save is not None:
        await to_thread.run_sync(behaviour.before_save)
    state = request.scope["state"]
    dies_after = len(tagged) if state.get("busy", 0) <= behaviour.write_retries else 0
    dies_after = min(dies_after, state.get("dies_after", dies_after))
    if dies_after < len(tagged) and behaviour.transactions:
        raise database_locked()
    for row in tagged[:dies_after]:
        store.update(row)
    if dies_after < len(tagged):
        raise database_locked()
    return tagged
