"""A browser, and a visit to a page: a window of a given width and colours, whose every complaint is kept."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from playwright.async_api import Error, async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from playwright.async_api import Browser, BrowserContext, Page, Request, Response, StorageState

Scheme = Literal["dark", "light"]

WIDTHS = (360, 800, 1400)
SCHEMES: tuple[Scheme, ...] = ("dark", "light")
HEIGHT = 900
PATIENCE = 40_000
"""Milliseconds that anything in a browser may take on a busy machine."""
expect.set_options(timeout=PATIENCE)

# Nothing is fetched but what a page asks for; /dev/shm is small in a container.
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_LEFT = "net::ERR_ABORTED"
"""A request that the page itself has ended, or that ended with the page."""


_ENDING = 20.0
"""Seconds for Chromium and its driver to end."""


@asynccontextmanager
async def launched(program: str) -> AsyncIterator[Browser]:
    """Chromium without a window, without its sandbox: tests and containers run as root."""
    playwright = await async_playwright().start()
    try:
        browser = await playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=_ARGUMENTS, timeout=60_000
        )
        yield browser
        await _ended(browser.close())
    finally:
        await _ended(playwright.stop())


async def _ended(ending: Awaitable[None]) -> None:
    """Wait for an end, but not for ever: where the end of the driver's process is missed, its client waits on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_ENDING):
            await ending


class Visit:
    """A page in a window of its own, with its own cookies. `complaints` is what the browser has said against it.

    These are: errors and warnings in the console, violations of the policy among them; uncaught errors; requests that
    failed or were answered with an error. What a test provokes it takes out with `forgive`.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self._under_way: dict[Request, float] = {}
        context.on("request", self._began)
        context.on("requestfinished", self._ended)
        context.on("requestfailed", self._ended)
        context.on("console", lambda said: self._keep(said.type, said.text) if said.type in _BAD else None)
        context.on("weberror", lambda raised: self._keep("uncaught", str(raised.error)))
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)

    async def go(self, path: str) -> None:
        """Go to a page, also from one that loads itself anew: its own loading may end ours, so ask once more."""
        try:
            await self.page.goto(path)
        except Error as failure:
            if _LEFT not in failure.message:
                raise
            await self.page.goto(path)

    def forgive(self, *parts: str) -> list[str]:
        """Forget the complaints that contain one of these; return them."""
        forgiven = [line for line in self.complaints if any(part in line for part in parts)]
        self.complaints[:] = [line for line in self.complaints if line not in forgiven]
        return forgiven

    async def situation(self) -> str:
        """Where the page is and what it says, what the browser has said against it, and what it still waits for."""
        now = time.monotonic()
        waits = [f"{each.method} {each.url} for {now - since:.1f} s" for each, since in self._under_way.items()]
        says: list[str] = []
        with suppress(Error):
            says = await self.page.locator(".notice:visible").all_inner_texts()
        return f"At {self.page.url}, which says {says}. Complaints: {self.complaints}. Under way: {waits}."

    def _began(self, request: Request) -> None:
        self._under_way[request] = time.monotonic()

    def _ended(self, request: Request) -> None:
        self._under_way.pop(request, None)

    def _keep(self, kind: str, text: str) -> None:
        self.complaints.append(f"{kind}: {text}")

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self._keep("failed", f"{request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._keep("answered", f"{response.status} to {response.request.method} {response.url}")


_BAD = ("error", "warning", "assert")


@asynccontextmanager
async def visiting(
    browser: Browser,
    url: str,
    *,
    width: int = 1400,
    scheme: Scheme = "light",
    cookies: StorageState | None = None,
    **more: Any,
) -> AsyncIterator[Visit]:
    """A window onto what is served at `url`: paths in `goto` are relative to it. `more` goes to Playwright's context.

    Without animations, as for who wants fewer of them; on a phone's width with a finger instead of a mouse.
    """
    is_phone = width < 600
    context = await browser.new_context(
        base_url=url,
        viewport={"width": width, "height": HEIGHT},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="Europe/Berlin",
        has_touch=is_phone,
        is_mobile=is_phone,
        storage_state=cookies,
        **more,
    )
    context.set_default_timeout(PATIENCE)
    try:
        visit = Visit(context, await context.new_page())
        try:
            yield visit
        except Exception as error:
            error.add_note(await visit.situation())
            raise
    finally:
        await context.close()
