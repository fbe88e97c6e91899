"""Open an SDK's client when it is first used, in a thread, and keep from it what it reads from the environment.

Anthropic's and OpenAI's SDKs are written by the same generator: what holds of one holds of the other.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Closable(Protocol):
    """A client that holds connections."""

    async def close(self) -> None:
        """Close them."""
        ...


Client = TypeVar("Client", bound=Closable)


class LateClient(Generic[Client]):
    """A client that `build` makes when it is first wanted: its SDK takes seconds to be imported."""

    def __init__(self, build: Callable[[], Client]) -> None:
        self._build = build
        self._opened: Client | None = None
        self._opening = threading.Lock()

    async def get(self) -> Client:
        """The client. The SDK is imported in a thread, so that signals are heard meanwhile."""
        if self._opened is None:
            return await asyncio.to_thread(self._open)
        return self._opened

    def _open(self) -> Client:
        # Questions that are asked side by side come here together.
        with self._opening:
            if self._opened is None:
                gc.disable()  # nothing of an import is garbage
                try:
                    self._opened = self._build()
                finally:
                    gc.enable()
            return self._opened

    async def close(self) -> None:
        """Close the client, if there is one."""
        if self._opened is not None:
            await self._opened.close()


def quieten(sdk: str) -> None:
    """Undo what ANTHROPIC_LOG or OPENAI_LOG makes of the import: `debug` would write whole requests into our log."""
    for name in (sdk, "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def without_custom_headers(client: type[Client]) -> type[Client]:
    """The SDK's client without the headers of ANTHROPIC_CUSTOM_HEADERS or OPENAI_CUSTOM_HEADERS.

    They could even replace the key. The SDK reads that variable for each client and each copy of one, and offers no
    way around it.
    """

    class WithoutCustomHeaders(client):  # type: ignore[misc,valid-type]
        @property
        def _custom_headers(self) -> dict[str, str]:
            return {}

        @_custom_headers.setter
        def _custom_headers(self, headers: object) -> None:
            pass

    WithoutCustomHeaders.__name__ = client.__name__  # the SDK introduces itself by it
    return WithoutCustomHeaders
