"""Browsers for tests without one: a client that keeps cookies, and finds the token in a page."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2

from tests.daemon.living import KEY, PATIENCE
from tests.tls import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tests.daemon.living import Beside

PAGE = "/more"
"""A page that is always there, and looks at nothing. The first one sends elsewhere until all is set up."""
HTML = {"Accept": "text/html,application/xhtml+xml"}


class Browser:
    """A device with its own cookies. It follows no redirect: where it is sent is what tests look at."""

    def __init__(self, client: httpx2.AsyncClient, base: str) -> None:
        self.client = client
        self._base = base

    async def get(self, path: str, headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()) -> httpx2.Response:
        """Open a page."""
        return await self.client.request("GET", self._base + path, headers=[*HTML.items(), *_pairs(headers)])

    async def post(self, path: str, fields: Mapping[str, str] | None = None, **more: Any) -> httpx2.Response:
        """Send a form."""
        headers = [*HTML.items(), *_pairs(more.pop("headers", ()))]
        return await self.client.request("POST", self._base + path, data=fields, headers=headers, **more)

    async def sign_in(self, password: str = KEY, *, wanted: str = "", **more: Any) -> httpx2.Response:
        """Fill in the form and send it."""
        return await self.post("/login", {"password": password, "next": wanted}, **more)

    async def token(self, path: str = PAGE, headers: Mapping[str, str] | None = None) -> str:
        """The token in a page."""
        page = await self.get(path, headers or {})
        found = re.search(r'name="(?:page-token" content|token" value)="([0-9a-f]*)"', page.text)
        assert found, page.text
        return found[1]

    @property
    def cookies(self) -> dict[str, str]:
        """What it keeps, by name."""
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}


def _pairs(headers: Mapping[str, str] | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return list(headers.items() if hasattr(headers, "items") else headers)


@asynccontextmanager
async def browser(here: Beside, base: str = "") -> AsyncIterator[Browser]:
    """A browser that has never been here."""
    async with httpx2.AsyncClient(verify=PLAIN, base_url=here.bare.base_url, timeout=PATIENCE) as client:
        yield Browser(client, base)
