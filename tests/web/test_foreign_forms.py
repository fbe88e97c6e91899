"""What changes something needs the token of a page of ours: foreign forms, forged and stale tokens, hiding places."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from kometa_ai.web.session import Sessions
from tests.daemon.living import KEY, daemon_beside
from tests.web.browsers import PAGE, browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.daemon.living import Beside
    from tests.run.world import World
    from tests.web.browsers import Browser

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
RUNS = "/api/v1/runs"
HERE = "Open the page anew and try again."


@pytest.fixture
async def device(here: Beside) -> AsyncIterator[Browser]:
    """A browser in which a user has signed in."""
    async with browser(here) as made:
        await made.sign_in()
        yield made


async def test_each_way_to_send_the_token(device: Browser, here: Beside) -> None:
    """A script sends it in a header, a form in a field, and the route still gets the whole form."""
    token = await device.token()
    script = await device.post(
        RUNS, headers={"X-Page-Token": token, "Sec-Fetch-Site": "same-origin"}, json={"dry_run": True}
    )
    await here.daemon.runs.ended()
    form = await device.post(
        "/logout", {"other": "x" * 5000, "token": token, "more": "ü"}, headers={"Sec-Fetch-Site": "none"}
    )

    assert script.status_code == 202
    assert form.status_code == 303


async def test_nothing_is_changed_without_it(device: Browser) -> None:
    """Every method that may change something needs it, at every path; the sentence says what to do."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        for path in (RUNS, "/logout", "/logout-everywhere", "/nothing", "/"):
            refused = await device.client.request(method, path)
            assert (refused.status_code, HERE in refused.text) == (403, True), (method, path)
            if path == RUNS:
                assert refused.json()["remedy"] == f"{HERE} Programs send the key in the header X-Api-Key."
    page = await device.post("/logout")
    part = await device.post("/logout", headers={"HX-Request": "true"})

    assert "<h1>That did not work</h1>" in page.text
    assert part.headers["content-type"].startswith("text/plain")
    assert (await device.get(PAGE)).status_code == 200


async def test_tokens_that_are_none(device: Browser, here: Beside, world: World) -> None:
    """Another device's, a guest's, a forged, an old one, part of one, several: only the one of this device passes."""
    token = await device.token()
    async with browser(here) as other, browser(here) as guest:
        await other.sign_in()
        foreign, of_guest = await other.token(), await guest.token("/login")
    old = Sessions(world.state_dir, "another password")
    of_old = old.token(old.issued("password"))
    cookie = next(iter(device.cookies.values()))
    wrong = [
        "",
        foreign,
        of_guest,
        of_old,
        token[:-1],
        token + "0",
        token.upper(),
        "é",
        cookie,
        cookie.split(".")[3],
        KEY,
    ]

    for each in wrong:
        script = await device.client.request("POST", RUNS, headers=[(b"X-Page-Token", each.encode())])
        assert script.status_code == 403, each
        assert (await device.post("/logout", {"token": each})).status_code == 403, each
    for headers in (
        [("X-Page-Token", token), ("X-Page-Token", token)],
        [("X-Page-Token", "wrong"), ("X-Page-Token", token)],
        [("X-Page-Token", f"{token}, {token}")],
    ):
        assert (await device.client.request("POST", RUNS, headers=headers)).status_code == 403
    assert here.daemon.runs.current is None
    assert (await device.post("/logout", {"token": token})).status_code == 303


_PARTS = 'form-data; boundary=b\r\n--b\r\nContent-Disposition: form-data; name="token"\r\n\r\n{token}\r\n--b--\r\n'
_HIDING_PLACES = (
    ("multipart/form-data; boundary=b", _PARTS),
    ("text/plain", "token={token}"),
    (JSON, '{{"token": "{token}"}}'),
    ("", "token={token}"),
    (f"{FORM}2", "token={token}"),
    (f"x{FORM}", "token={token}"),
    (f"text/plain; {FORM}", "token={token}"),
    (FORM, "token=wrong&token={token}"),
    (FORM, "token={token}&token={token}"),
    (FORM, "Token={token}"),
    (FORM, "token[]={token}"),
    (FORM, "x=1;token={token}"),
    (FORM, "a=" + "&a=" * 2001 + "&token={token}"),
    (FORM, "\xff&token={token}"),
    (FORM, "token={token}%00"),
    (FORM, ""),
)


async def test_hiding_places(device: Browser) -> None:
    """Only one field of a form counts: no other kind of body, and no doubles, which readers may read differently."""
    token = await device.token()
    for content_type, body in _HIDING_PLACES:
        content = body.format(token=token).encode("latin-1")
        headers = {"Content-Type": content_type} if content_type else {}
        refused = await device.post("/logout", content=content, headers=headers)
        assert refused.status_code == 403, (content_type, body[:80])

    assert (await device.get(PAGE)).status_code == 200


async def test_two_kinds_at_once(device: Browser) -> None:
    """A request that claims to be a form and something else at once is neither."""
    content = f"token={await device.token()}".encode()
    headers = [("Content-Type", FORM), ("Content-Type", JSON)]

    assert (await device.post("/logout", content=content, headers=headers)).status_code == 403


async def test_what_the_browser_says(device: Browser) -> None:
    """Even with the token a page of another site, or of another port, changes nothing."""
    fields = {"token": await device.token()}
    for sites in (
        ["cross-site"],
        ["same-site"],
        ["Same-Origin"],
        ["same-origin", "cross-site"],
        [""],
        ["same-origin, none"],
    ):
        refused = await device.post("/logout", fields, headers=[("Sec-Fetch-Site", site) for site in sites])
        assert refused.status_code == 403, sites

    assert (await device.post("/logout", fields, headers={"Sec-Fetch-Site": "same-origin"})).status_code == 303


async def test_a_page_of_another_site_needs_no_cookie_to_fail(here: Beside) -> None:
    """A foreign form arrives without our cookie: it is sent to the sign-in, and changes nothing."""
    async with browser(here) as device:
        form = await device.post("/logout-everywhere", {"token": "0" * 64}, headers={"Origin": "http://evil.example"})
        script = await device.post(RUNS, json={}, headers={"Origin": "http://evil.example"})

    assert (form.status_code, form.headers["location"]) == (303, "/login")
    assert script.status_code == 401
    assert here.daemon.runs.current is None


async def test_after_signing_out_everywhere_open_pages_say_so(device: Browser, here: Beside) -> None:
    """A page that was open then is told to be opened anew, and its token is worth nothing with the new cookie."""
    token = await device.token()
    await here.entrance.sessions.end_all()
    gone = await device.post(RUNS, headers={"X-Page-Token": token})
    await device.sign_in()
    stale = await device.post(RUNS, headers={"X-Page-Token": token})

    assert (gone.status_code, stale.status_code) == (401, 403)


async def test_the_key_needs_no_token(here: Beside) -> None:
    """No browser sends the key by itself: programs go on as before, also where a cookie comes along."""
    async with browser(here) as device:
        await device.sign_in()
        headers = {"X-Api-Key": KEY, "Sec-Fetch-Site": "cross-site"}
        started = await device.post(RUNS, headers=headers, json={"dry_run": True})
        await here.daemon.runs.ended()
        wrong = await device.get("/api/v1/status", {"X-Api-Key": "wrong"})

    assert started.status_code == 202
    # The cookie opens the door, whatever else is in the hand: a proxy may add a header of its own.
    assert wrong.status_code == 200


async def test_a_body_that_is_too_large(device: Browser) -> None:
    """A form is read up to the limit of all bodies, whether it says its length or not."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"a=" + b"x" * 32_000 + b"&"
            await asyncio.sleep(0)

    by_length = await device.post("/logout", content=b"x" * 1_100_000, headers={"Content-Type": FORM})
    in_pieces = await device.post("/logout", content=pieces(), headers={"Content-Type": FORM})

    assert [answer.status_code for answer in (by_length, in_pieces)] == [413, 413]


async def test_a_form_that_never_ends(here: Beside) -> None:
    """Who breaks off while the guard reads a form gets no answer, and the program goes on."""
    async with browser(here) as device:
        await device.sign_in()
        name, value = next(iter(device.cookies.items()))
        url = here.bare.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        head = f"POST /logout HTTP/1.1\r\nHost: x\r\nCookie: {name}={value}\r\nContent-Type: {FORM}\r\n"
        writer.write(f"{head}Content-Length: 99\r\n\r\ntoken=".encode())
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()
        assert await reader.read() == b""

        assert (await device.get(PAGE)).status_code == 200


PATHS = [
    "//login", "/login/", "/LOGIN", "/login//", "/login/..", "/static", "/static/", "/static/../api/v1/status",
    "/static/x/../../api/v1/status", "/static/%2e%2e/api/v1/status", "/static/..%2fapi/v1/status", "/login;/runs",
    "/static//api/v1/status", "/static/..;/api/v1/status", "/favicon.ico/", "//ping",
    "/favicon.ico/../api/v1/status", "/ping/../api/v1/status",
    "/./login", "/login%2f..%2fruns", "/%6cogin/../runs", "/static\\..\\runs", "/static/x/..%5c..%5cruns",
    "/api/v1/../../login", "/api/../login", "/static/x/%2e%2e%2f%2e%2e%2fetc/passwd", "/login?/../runs", "/login#/runs",
    "/kometa-ai/kometa-ai/login", "/kometa-ai//login", "/kometa-ai/static/../runs", "/kometa-ai/../login", "/health/x",
]  # fmt: skip


@pytest.mark.parametrize("base", ["", "/kometa-ai"])
async def test_no_path_leads_past_the_door(world: World, base: str) -> None:
    """However a path is written, without a sign-in nothing is shown but the form, open files, and errors about them."""
    async with daemon_beside(world, environ={"HTTP_URL_BASE": base} if base else {}) as here:
        url = here.bare.base_url
        for path in PATHS:
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
            status, location = answer.split(" ", 2)[1], answer.partition("location: ")[2].partition("\r\n")[0]

            assert "schedule" not in answer, path
            assert "<nav" not in answer, path
            assert "root:" not in answer, path
            assert status in {"303", "401", "404"} or (status == "200" and "<h1>Sign in</h1>" in answer), (path, answer)
            assert status != "303" or location.startswith(f"{base}/login"), (path, location)
            assert quote("//") not in location.partition("next=")[2], (path, location)


async def test_requests_that_two_readers_may_read_differently(world: World) -> None:
    """Two hosts, another site's address in place of a path, no host at all: no visitor gets in at home by these."""
    requests = [
        "GET / HTTP/1.1\r\nHost: nas\r\nHost: evil.example\r\n",
        "GET / HTTP/1.1\r\nHost: evil.example\r\nHost: nas\r\n",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\nHost: nas, evil.example\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n",
        "POST /logout-everywhere HTTP/1.1\r\nHost: nas\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    ]
    async with daemon_beside(world, environ={"WEB_LOGIN": "local"}) as here:
        url = here.bare.base_url
        for request in requests:
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(f"{request}Connection: close\r\n\r\n".encode())
            answer = (await reader.read()).decode()
            writer.close()
            assert answer.split(" ", 2)[1] in {"400", "403"}, (request, answer)


async def test_events_with_a_cookie(device: Browser, here: Beside) -> None:
    """The page watches runs with its cookie alone."""
    run = await device.post(RUNS, headers={"X-Page-Token": await device.token()}, json={"dry_run": True})
    run_id = json.loads(run.text)["run_id"]
    async with device.client.stream("GET", f"{RUNS}/{run_id}/events") as stream:
        kinds = [line async for line in stream.aiter_lines() if line.startswith("event:")]
    await here.daemon.runs.ended()

    assert kinds[-1] == "event: ended"
