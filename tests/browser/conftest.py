"""A browser for each module; and, for each worker, a daemon with a library behind its page, and a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.browser import programs
from tests.browser.library import home_of, lived_in
from tests.browser.visiting import launched, visiting
from tests.daemon.living import daemon_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from typing import Any

    from playwright.async_api import Browser, Page, StorageState

    from tests.browser.visiting import Visit
    from tests.daemon.living import Living
    from tests.run.libraries import Home

PASSWORD = "open-sesame"


class Site(NamedTuple):
    """A daemon in a process of its own, with its page, for a home that is lived in. All tests of a worker share it.

    A test that changes more than it takes back starts one of its own: `sites.site_in`.
    """

    home: Home
    living: Living


class SignedIn(NamedTuple):
    """A browser in which a user has signed in to a site."""

    browser: Browser
    site: Site
    cookies: StorageState

    def visiting(self, **window: Any) -> AbstractAsyncContextManager[Visit]:
        """A window onto the site, signed in: `width`, `scheme`, or whatever Playwright's context takes."""
        return visiting(self.browser, self.site.living.url, cookies=self.cookies, **window)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Chromium. It lives as long as the event loop of a module's tests, so that no other module shares that loop."""
    async with launched(programs.chromium()) as found:
        yield found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The shared site. Nothing is made where there is no browser to look at it."""
    programs.chromium()
    with home_of(tmp_path_factory.mktemp("home")) as home:
        lived_in(home)
        with daemon_process(home, WEB_PASSWORD=PASSWORD) as living:
            yield Site(home, living)


async def sign_in(page: Page, password: str = PASSWORD) -> None:
    """Fill in the form of the sign-in that the page is at, and wait for what comes after it."""
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "/login" not in url)


@pytest.fixture(scope="module")
async def signed_in(browser: Browser, site: Site) -> SignedIn:
    """A user who has signed in by the form."""
    async with visiting(browser, site.living.url) as visit:
        await visit.page.goto("/login")
        await sign_in(visit.page)
        return SignedIn(browser, site, await visit.context.storage_state())
