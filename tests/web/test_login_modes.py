"""The other ways in: a proxy that has asked already, people at home, and no page at all."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from kometa_ai.settings.environment import load_settings
from kometa_ai.web.visitors import Entrance, entrance_of
from tests.daemon.living import KEY, daemon_beside
from tests.web.browsers import HTML, PAGE, browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.daemon.living import Beside
    from tests.run.world import World
    from tests.web.browsers import Browser

RUNS = "/api/v1/runs"
THROUGH = {"TRUSTED_PROXIES": "127.0.0.1"}
NOT_THROUGH = {"TRUSTED_PROXIES": "172.18.0.2"}


@asynccontextmanager
async def opened(
    world: World, login: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[Beside, Browser]]:
    """A daemon with this WEB_LOGIN and a browser that has never been there."""
    async with daemon_beside(world, environ={"WEB_LOGIN": login, **(environ or {})}) as here, browser(here) as device:
        yield here, device


def now_called(here: Beside, **environ: str) -> Entrance:
    """What the daemon's entrance would be after a restart with other settings."""
    settings = here.daemon.settings
    return Entrance(load_settings({"STATE_DIR": str(settings.state_dir), **environ}, required=()).settings, KEY)


async def test_external_through_the_proxy(world: World) -> None:
    """A visitor through the proxy is in, and changes something with the token of their first page, as others do."""
    async with opened(world, "external", THROUGH) as (here, device):
        status = await device.get("/api/v1/status")
        early = await device.post(RUNS, json={"dry_run": True})
        token = await device.token()
        page = await device.get(PAGE, {"Remote-User": "anna"})
        without = await device.post(RUNS, json={"dry_run": True})
        run = await device.post(RUNS, json={"dry_run": True}, headers={"X-Page-Token": token})
        await here.daemon.runs.ended()
        form = await device.get("/login?next=/runs")
        async with browser(here) as other:
            foreign = await other.post("/logout", {"token": token})

    assert status.status_code == 200
    assert [answer.status_code for answer in (early, without, run)] == [403, 403, 202]
    assert page.headers.get_list("set-cookie") == []
    assert len(device.cookies) == 1
    assert (form.status_code, form.headers["location"]) == (303, "/runs")
    assert foreign.status_code == 403


async def test_external_from_elsewhere(world: World) -> None:
    """All others get the form, whatever user and proxies they name; the password lets them in."""
    claims = {
        "Remote-User": "anna",
        "X-Forwarded-For": "172.18.0.2",
        "X-Real-IP": "172.18.0.2",
        "Forwarded": "for=172.18.0.2",
    }
    async with opened(world, "external", NOT_THROUGH) as (here, device):
        page = await device.get(PAGE, claims)
        status = await device.get("/api/v1/status", claims)
        form = await device.get("/login", claims)
        await device.sign_in(headers=claims)
        signed_in = await device.get(PAGE)
        with_key = await here.client.get("/api/v1/status")

    assert (page.status_code, status.status_code) == (303, 401)
    assert "This came from 127.0.0.1, which is none of them." in form.text
    assert (signed_in.status_code, with_key.status_code) == (200, 200)


async def test_the_name_gives_no_right(world: World) -> None:
    """The header names the visitor for what they choose; said twice, it names none; others' header is no name."""
    async with opened(world, "external", {**THROUGH, "WEB_USER_HEADER": "X-User"}) as (here, _):
        entrance = here.entrance

        def named(*headers: tuple[str, str]) -> str:
            raw = [(name.lower().encode(), value.encode()) for name, value in headers]
            scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": raw}
            found = entrance.find(Headers(scope=scope), entrance.sender(scope))
            assert found is not None
            assert found.visitor.how == "proxy"
            return found.visitor.name

        assert named(("X-User", "anna")) == "anna"
        assert named(("X-User", "Zoë\u202e\tb")) == "Zoë b"
        assert len(named(("X-User", "x" * 500))) == 100
        assert named(("X-User", "anna"), ("X-User", "admin")) == ""
        assert named(("Remote-User", "anna")) == ""
        assert named() == ""


async def test_at_home(world: World) -> None:
    """At home no visitor signs in; what changes something still needs the token, which a foreign page cannot know."""
    async with opened(world, "local") as (here, device):
        page = await device.get(PAGE)
        token = await device.token()
        without = await device.post(RUNS, json={"dry_run": True})
        forged = await device.post(RUNS, json={}, headers={"X-Page-Token": "0" * 64, "Origin": "http://evil.example"})
        run = await device.post(RUNS, json={"dry_run": True}, headers={"X-Page-Token": token})
        await here.daemon.runs.ended()

    assert page.status_code == 200
    assert [answer.status_code for answer in (without, forged, run)] == [403, 403, 202]


async def test_only_a_page_brings_the_cookie(world: World) -> None:
    """Pictures, the API and programs that ask for no page get none: nothing exchanges it behind a page's back."""
    async with opened(world, "local") as (here, device):
        for path, accept in (("/posters/movie:1", "image/avif,*/*"), ("/api/v1/status", "text/html"), (PAGE, "*/*")):
            answer = await here.bare.get(path, headers={"Accept": accept})
            assert "set-cookie" not in answer.headers, path
        assert "set-cookie" in (await device.get(PAGE)).headers
        again = await device.get(PAGE)

    assert "set-cookie" not in again.headers


async def test_at_home_but_through_a_stranger(world: World) -> None:
    """A proxy that is not named may bring any visitor: one who comes through it signs in, and is told so."""
    async with opened(world, "local") as (here, device):
        for header in ({"X-Forwarded-For": "192.168.1.5"}, {"Forwarded": "for=192.168.1.5"}, {"Via": "1.1 cdn"}):
            page = await device.get(PAGE, header)
            assert page.status_code == 303, header
        form = await device.get("/login", {"X-Forwarded-For": "192.168.1.5"})
        await device.sign_in(headers={"X-Forwarded-For": "192.168.1.5"})
        signed_in = await device.get(PAGE, {"X-Forwarded-For": "192.168.1.5"})
        status = await here.bare.get("/api/v1/status", headers={"X-Forwarded-For": "127.0.0.1"})

    assert "through the proxy 127.0.0.1, which <code>TRUSTED_PROXIES</code> does not name" in form.text
    assert signed_in.status_code == 200
    assert status.status_code == 401


async def test_at_home_through_the_own_proxy(world: World) -> None:
    """Through a trusted proxy the visitor's own address decides; where it says nothing, they sign in."""
    async with opened(world, "local", THROUGH) as (_, device):
        at_home = await device.get(PAGE, {"X-Forwarded-For": "192.168.1.5", "X-Forwarded-Proto": "https"})
        tries = {
            "outside": [("X-Forwarded-For", "203.0.113.7")],
            "claims to be at home": [("X-Forwarded-For", "192.168.1.5, 203.0.113.7")],
            "claims it in a header of its own": [
                ("X-Forwarded-For", "192.168.1.5"),
                ("X-Forwarded-For", "203.0.113.7"),
            ],
            "IPv4 in IPv6": [("X-Forwarded-For", "::ffff:203.0.113.7")],
            "another header": [("X-Real-IP", "192.168.1.5")],
            "silence": [],
        }
        outside = {name: (await device.get(PAGE, headers)).status_code for name, headers in tries.items()}
        form = await device.get("/login", {"X-Forwarded-For": "203.0.113.7"})

    assert at_home.status_code == 200
    assert "; Secure" in at_home.headers["set-cookie"]
    assert outside == dict.fromkeys(tries, 303)
    assert "it came from 203.0.113.7" in form.text


async def test_a_cookie_from_home_opens_nothing_elsewhere(world: World) -> None:
    """Who was let in at home, or through the proxy, has signed in nowhere: the cookie alone gives no right."""
    async with opened(world, "local", THROUGH) as (here, device):
        token = await device.token(PAGE, {"X-Forwarded-For": "192.168.1.5"})
        outside = {"X-Forwarded-For": "203.0.113.7"}
        answers = [
            await device.get(PAGE, outside),
            await device.get("/api/v1/status", outside),
            await device.post(RUNS, json={}, headers={**outside, "X-Page-Token": token}),
        ]
        assert len(device.cookies) == 1
        for environ in ({}, {"WEB_LOGIN": "external", "TRUSTED_PROXIES": "10.0.0.1"}):
            later = now_called(here, **environ)
            scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": _cookie(device)}
            assert later.sessions.read(Headers(scope=scope)) is not None
            assert later.find(Headers(scope=scope), later.sender(scope)) is None

    assert [answer.status_code for answer in answers] == [303, 401, 401]


def _cookie(device: Browser) -> list[tuple[bytes, bytes]]:
    return [(b"cookie", "; ".join(map("=".join, device.cookies.items())).encode())]


async def test_a_strangers_name_for_our_address(world: World) -> None:
    """A foreign name that resolves to us gets nothing at all where no sign-in is asked for; the key still works."""
    async with opened(world, "local", {"WEB_HOSTS": "kometa.example.org"}) as (here, device):
        for host in ("evil.example", "evil.example:7880", "EVIL.example.", "localhost.evil.example", "", "a b", "[::1"):
            page = await device.get(PAGE, {"Host": host})
            status = await here.bare.get("/api/v1/status", headers={"Host": host})
            form = await device.post("/login", {"password": KEY}, headers={"Host": host})
            assert [answer.status_code for answer in (page, status, form)] == [403, 403, 403], host
            assert "WEB_HOSTS" in page.text
            assert "WEB_HOSTS" in status.json()["remedy"]
        names = (
            "localhost",
            "nas:7880",
            "NAS.local.",
            "192.168.1.5:7880",
            "[::1]:7880",
            "[fe80::1]",
            "Kometa.Example.org:443",
        )
        shown = {host: (await device.get(PAGE, {"Host": host})).status_code for host in names}
        ping = await here.bare.get("/ping", headers={"Host": "evil.example"})
        with_key = await here.client.get("/api/v1/status", headers={"Host": "evil.example"})

    assert shown == dict.fromkeys(names, 200)
    assert (ping.status_code, with_key.status_code) == (200, 200)


async def test_a_strangers_name_behind_the_proxy(world: World) -> None:
    """A proxy that replaces the host says which it was; from others that header is no help, and a sign of a proxy."""
    at_home = {"Host": "kometa-ai:7880", "X-Forwarded-For": "192.168.1.5"}
    async with opened(world, "local", THROUGH) as (_, device):
        refused = await device.get(PAGE, {**at_home, "X-Forwarded-Host": "evil.example"})
        shown = await device.get(PAGE, {**at_home, "X-Forwarded-Host": "nas.lan"})
    async with opened(world, "local") as (_, device):
        asked = await device.get(PAGE, {"Host": "kometa-ai:7880", "X-Forwarded-Host": "nas.lan"})

    assert [answer.status_code for answer in (refused, shown, asked)] == [403, 200, 303]


async def test_other_names_are_no_matter_where_all_sign_in(world: World) -> None:
    """With `password` and `external` any name will do: without the sign-in of that very name nothing is shown."""
    async with opened(world, "password") as (_, device):
        await device.sign_in(headers={"Host": "kometa.example.org"})
        page = await device.get(PAGE, {"Host": "evil.example"})

    assert page.status_code == 200


async def test_waits_for_each_visitor_behind_a_trusted_proxy(world: World) -> None:
    """Behind a trusted proxy each address waits for itself; behind another all wait together."""
    async with opened(world, "password", THROUGH) as (_, device):
        for _ in range(6):
            await device.sign_in("wrong", headers={"X-Forwarded-For": "2001:db8:1:2::3"})
        same = await device.sign_in("wrong", headers={"X-Forwarded-For": "2001:db8:1:2:ffff::4"})
        other = await device.sign_in(KEY, headers={"X-Forwarded-For": "2001:db8:1:3::3"})
    async with opened(world, "password") as (_, device):
        for number in range(6):
            await device.sign_in("wrong", headers={"X-Forwarded-For": f"203.0.113.{number}"})
        behind = await device.sign_in(KEY, headers={"X-Forwarded-For": "203.0.113.99"})

    assert [answer.status_code for answer in (same, other, behind)] == [429, 303, 429]


async def test_https_by_a_trusted_proxy_only(world: World) -> None:
    """The cookie is for HTTPS alone where the visitor came so, as far as that can be believed."""
    async with opened(world, "password", THROUGH) as (_, device):
        by_https = await device.sign_in(headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"})
        by_http = await device.sign_in(headers={"X-Forwarded-Proto": "http"})
    async with opened(world, "password") as (_, device):
        claimed = await device.sign_in(headers={"X-Forwarded-Proto": "https"})

    assert ["; Secure" in answer.headers["set-cookie"] for answer in (by_https, by_http, claimed)] == [
        True,
        False,
        False,
    ]


async def test_no_page(world: World) -> None:
    """With `off` there is only the API: no page, no form, no key for cookies; all paths are shut as before."""
    async with opened(world, "off") as (here, device):
        shut = [
            (await device.get(path)).status_code
            for path in ("/", "/login", "/runs", "/static/x/app.css", "/api/v1/status")
        ]
        missing = await here.client.get("/", headers=HTML)
        status = await here.client.get("/api/v1/status")

    assert shut == [401] * 5
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/json")
    assert status.status_code == 200
    assert not (world.state_dir / "session_key").exists()
    assert entrance_of(here.daemon.settings, KEY) is None


async def test_a_password_outlives_the_way_in(world: World) -> None:
    """Who has signed in with the password stays so through the proxy, at home and elsewhere."""
    async with opened(world, "external", THROUGH) as (here, device):
        cookie = here.entrance.sessions.issued("password")
        headers = {"Cookie": f"{here.entrance.sessions.cookie_name}={here.entrance.sessions.value(cookie)}"}
        page = await device.get(PAGE, headers)
        left = await device.post("/logout", {"token": here.entrance.sessions.token(cookie)}, headers=headers)

    assert page.headers.get_list("set-cookie") == []
    assert left.status_code == 303
