"""Signing in with the password: the form, the way back, waits, signing out, and what the API does with a cookie."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.settings.environment import load_settings
from kometa_ai.web.keys import kept_session_key
from kometa_ai.web.session import LIFETIME, Sessions
from kometa_ai.web.visitors import Entrance, is_state_of_image
from tests.daemon.living import KEY, daemon_beside, daemon_process
from tests.tls import PLAIN
from tests.web.browsers import HTML, PAGE, browser

if TYPE_CHECKING:
    from tests.daemon.living import Beside
    from tests.run.world import World


async def test_from_any_page_to_the_form_and_back(here: Beside) -> None:
    """A page sends to the form, the form to the page; then pages and API are open, and so for ninety days."""
    async with browser(here) as device:
        sent = await device.get("/runs?filter=dry&page=2")
        form = await device.get(sent.headers["location"])
        back = await device.sign_in(wanted="/runs?filter=dry&page=2", headers={"Sec-Fetch-Site": "same-origin"})
        page = await device.get(PAGE)
        status = await device.get("/api/v1/status")
        figures = await device.get("/metrics")
        again = await device.get("/login?next=/runs")

    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/runs%3Ffilter%3Ddry%26page%3D2")
    assert 'value="/runs?filter=dry&amp;page=2"' in form.text
    assert (back.status_code, back.headers["location"]) == (303, "/runs?filter=dry&page=2")
    assert f"; Max-Age={LIFETIME}; Path=/; HttpOnly; SameSite=Lax" in back.headers["set-cookie"]
    assert [answer.status_code for answer in (page, status, figures)] == [200, 200, 200]
    assert page.headers.get_list("set-cookie") == []
    assert (again.status_code, again.headers["location"]) == (303, "/runs")


async def test_the_form(here: Beside) -> None:
    """It says where the password is, helps password managers, is kept by no cache, and shows nothing of the daemon."""
    async with browser(here) as device:
        page = await device.get("/login")

    assert page.headers["cache-control"] == "private, no-cache"
    assert "form-action 'self'" in page.headers["content-security-policy"]
    for part in (
        'value="kometa-ai" autocomplete="username" readonly',
        'type="password" autocomplete="current-password"',
        "Name (always this one)",
        "the file <code>api_key</code>, in the folder that <code>STATE_DIR</code> names",
    ):
        assert part in page.text
    assert "docker" not in page.text
    assert KEY not in page.text
    assert "/collections" not in page.text


def test_the_state_of_the_image_is_known(tmp_path: Path) -> None:
    """Only where the key lies in the image's folder does the form show the command that reads it there."""
    assert is_state_of_image(Path("/app/state"))
    assert not is_state_of_image(tmp_path)


async def test_an_own_password(world: World) -> None:
    """WEB_PASSWORD takes the place of the key on the page, with blanks around it, in any form of its letters."""
    async with daemon_beside(world, environ={"WEB_PASSWORD": "Zoë's pass word"}) as here, browser(here) as device:
        form = await device.get("/login")
        with_key = await device.sign_in(KEY)
        composed = await device.sign_in(" Zoe\u0308's pass word ")
        page = await device.get(PAGE)

    assert "WEB_PASSWORD" in form.text
    assert "api_key" not in form.text
    assert [answer.status_code for answer in (with_key, composed, page)] == [401, 303, 200]


async def test_a_wrong_password(here: Beside, capsys: pytest.CaptureFixture[str]) -> None:
    """The form comes again, with what to do, and keeps the way back; the log has the address and no password."""
    async with browser(here) as device:
        wrong = [await device.sign_in(given, wanted="/runs") for given in ("hunter2", "", KEY[:-1], KEY.upper())]
        page = await device.get(PAGE)

    assert [answer.status_code for answer in wrong] == [401] * 4
    for part in ("This password is wrong.", 'aria-invalid="true"', 'value="/runs"'):
        assert all(part in answer.text for answer in wrong), part
    assert page.status_code == 303
    logged = "".join(capsys.readouterr())
    assert logged.count("http.login_failed") == 4
    assert "127.0.0.1" in logged
    assert "hunter2" not in logged
    assert KEY[:-1] not in logged


async def test_too_many_wrong_passwords(here: Beside) -> None:
    """After five, even the right one waits, is told how long, and opens afterwards; who is in stays in."""
    async with browser(here) as signed_in, browser(here) as device:
        await signed_in.sign_in()
        for _ in range(5):
            assert (await device.sign_in("wrong")).status_code == 401
        early = await device.sign_in()
        others = await signed_in.get("/api/v1/status")
        with_key = await here.client.get("/api/v1/status")
        time.sleep(1.05)  # noqa: ASYNC251 - nothing else is to happen
        late = await device.sign_in()

    assert (early.status_code, early.headers["retry-after"]) == (429, "1")
    assert "Wait 1 second, then try again." in early.text
    assert "password" not in early.headers.get("set-cookie", "")
    assert [answer.status_code for answer in (others, with_key, late)] == [200, 200, 303]


async def test_sign_out(here: Beside) -> None:
    """Signing out ends it on this device, signing out everywhere on all, copies included; both want the token."""
    async with browser(here) as first, browser(here) as second:
        for device in (first, second):
            await device.sign_in()
        refused = await first.post("/logout")
        left = await first.post("/logout", {"token": await first.token()})
        after, other = await first.get(PAGE), await second.get(PAGE)
        await first.sign_in()
        kept = dict(second.cookies)
        everywhere = await first.post("/logout-everywhere", {"token": await first.token()})
        gone = [await first.get(PAGE), await second.get(PAGE)]
        copied = await here.bare.get("/api/v1/status", headers={"Cookie": "; ".join(map("=".join, kept.items()))})
        again = await second.sign_in()

    assert refused.status_code == 403
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    assert "Max-Age=0; Path=/;" in left.headers["set-cookie"]
    assert (after.status_code, other.status_code) == (303, 200)
    assert everywhere.status_code == 303
    assert [answer.status_code for answer in gone] == [303, 303]
    assert copied.status_code == 401
    assert again.status_code == 303


async def test_a_cookie_is_renewed_in_use(here: Beside, world: World) -> None:
    """A page renews yesterday's cookie and keeps its token; one of ninety days ago or of another password is none."""

    def at(days: float, password: str = KEY) -> tuple[str, str]:
        sessions = Sessions(world.state_dir, password, lambda: time.time() - days * 86_400)
        cookie = sessions.issued("password")
        return f"{sessions.cookie_name}={sessions.value(cookie)}", sessions.token(cookie)

    answers = {}
    for name, (cookie, token) in {
        "today": at(0),
        "yesterday": at(1.1),
        "expired": at(90.1),
        "other": at(0, "x"),
    }.items():
        page = await here.bare.get(PAGE, headers={**HTML, "Cookie": cookie})
        answers[name] = (page.status_code, len(page.headers.get_list("set-cookie")), token in page.text)
        program = await here.bare.get("/api/v1/status", headers={"Cookie": cookie})
        assert not program.headers.get_list("set-cookie")

    assert answers == {
        "today": (200, 0, True),
        "yesterday": (200, 1, True),
        "expired": (303, 0, False),
        "other": (303, 0, False),
    }


async def test_a_guest_is_nobody(here: Beside) -> None:
    """The cookie that comes with the form opens nothing, nor does its token."""
    async with browser(here) as device:
        token = await device.token("/login")
        assert len(device.cookies) == 1
        answers = [
            await device.get("/api/v1/status"),
            await device.post("/api/v1/runs", headers={"X-Page-Token": token}),
            await device.get(PAGE),
            await device.post("/logout-everywhere", {"token": token}),
        ]

    assert [answer.status_code for answer in answers] == [401, 401, 303, 303]


_WHOSE: tuple[tuple[dict[str, str], int], ...] = (
    ({"Sec-Fetch-Site": "same-origin"}, 303),
    ({"Sec-Fetch-Site": "none"}, 303),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://nas:7880"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://kometa.example.org"}, 303),
    ({"Origin": "http://nas:7880", "Host": "NAS:7880"}, 303),
    ({"Origin": "http://evil.example", "Host": "nas:7880"}, 403),
    ({"Origin": "null", "Host": "nas:7880"}, 403),
    ({"Origin": "", "Host": "nas:7880"}, 403),
    ({"Origin": "http://evil.example:80", "Host": ""}, 403),
    ({"Origin": "http://kometa.example.org", "Host": "kometa-ai:7880"}, 303),
    ({}, 303),
)


async def test_whose_form_it_is(world: World) -> None:
    """A sign-in that another site's page sends is refused, before the password is looked at; no honest one is."""
    async with daemon_beside(world, environ={"WEB_HOSTS": "kometa.example.org"}) as here:
        for headers, status in _WHOSE:
            async with browser(here) as device:
                answer = await device.sign_in(headers=headers)
            assert answer.status_code == status, headers
            assert ("that form was not this one" in answer.text) is (status == 403)


async def test_a_proxy_that_replaces_the_host(here: Beside) -> None:
    """Behind one, over plain HTTP, the origin looks foreign: cookie and token of the form show that it is ours."""
    behind = {"Origin": "http://kometa.example.org", "Host": "kometa-ai:7880"}
    async with browser(here) as device, browser(here) as other:
        fields = {"password": KEY, "token": await device.token("/login")}
        foreign = await other.post("/login", fields, headers=behind)
        without = await device.post("/login", {**fields, "token": ""}, headers=behind)
        ours = await device.post("/login", fields, headers=behind)

    assert [answer.status_code for answer in (foreign, without, ours)] == [403, 403, 303]


async def test_a_script_is_sent_to_the_form(here: Beside) -> None:
    """Htmx gets a status and where to go: the form, and from there back to the page on which it was."""
    async with browser(here) as device:
        answers = [
            await device.get("/runs", {"HX-Request": "true", "HX-Current-URL": current})
            for current in ("http://nas/runs?page=2", "http://nas//evil.example", "http://[", "")
        ]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert [answer.headers["hx-redirect"] for answer in answers] == ["/login?next=/runs%3Fpage%3D2", *["/login"] * 3]
    assert not any("location" in answer.headers for answer in answers)


async def test_the_form_is_small(here: Beside) -> None:
    """Who has not signed in cannot send much, nor anything but a form, nor see more than the reason."""
    async with browser(here) as device:
        large = await device.sign_in("x" * 20_000)
        strange = await device.post("/login", json={"password": KEY})
        bad = await device.post(
            "/login", content=b"password=\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        wrong_way = await device.client.request("PUT", "/login", headers=HTML)
        missing = await device.get("/static/x/nothing.css")

    assert [answer.status_code for answer in (large, strange, bad, wrong_way, missing)] == [413, 422, 422, 405, 404]
    assert not any("<nav" in answer.text for answer in (large, strange, bad, wrong_way, missing))


@pytest.mark.parametrize("base", ["/kometa-ai", ""])
async def test_below_a_url_base(world: World, base: str) -> None:
    """Whether a proxy keeps the URL base or strips it: links, redirects and the cookie's path are below it."""
    environ = {"HTTP_URL_BASE": "/kometa-ai"}
    async with daemon_beside(world, environ=environ) as here, browser(here) as device:
        sent = await device.get(f"{base}/runs")
        form = await device.get(f"{base}/login?next=/kometa-ai/runs")
        back = await device.post(f"{base}/login", {"password": KEY, "next": "/kometa-ai/runs"})
        cookie = back.headers["set-cookie"]
        page = await device.get(f"{base}{PAGE}", {"Cookie": cookie.partition(";")[0]})
        left = await device.post(
            f"{base}/logout",
            headers={"Cookie": cookie.partition(";")[0], "X-Page-Token": _token_in(page.text)},
        )

    assert sent.headers["location"] == "/kometa-ai/login?next=/kometa-ai/runs"
    assert 'action="/kometa-ai/login"' in form.text
    assert back.headers["location"] == "/kometa-ai/runs"
    assert "; Path=/kometa-ai; " in cookie
    assert page.status_code == 200
    assert left.headers["location"] == "/kometa-ai/login"
    assert [line.split("; ")[2] for line in left.headers.get_list("set-cookie")] == ["Path=/kometa-ai", "Path=/"]


async def test_the_url_base_alone(world: World) -> None:
    """The first page is there without the slash at the end, too, as people type it."""
    async with daemon_beside(world, environ={"HTTP_URL_BASE": "/kometa-ai"}) as here, browser(here) as device:
        sent = await device.get("/kometa-ai")
        await device.post("/kometa-ai/login", {"password": KEY})
        page = await device.get("/kometa-ai")

    assert sent.headers["location"] == "/kometa-ai/login"
    assert page.headers.get("location", "/kometa-ai/start") == "/kometa-ai/start"
    assert page.status_code in {200, 303}


async def test_a_proxy_that_sends_a_token_of_its_own(here: Beside) -> None:
    """A bearer token that is none of ours keeps no visitor from the form or, once signed in, from the page."""
    bearer = {"Authorization": "Bearer eyJhbGciOi.of-the-proxy"}
    async with browser(here) as device:
        sent = await device.get(PAGE, bearer)
        form = await device.get("/login", bearer)
        await device.sign_in(headers=bearer)
        page = await device.get(PAGE, bearer)
        with_key = await here.bare.get("/login", headers={"X-Api-Key": KEY})

    assert (sent.status_code, form.status_code, page.status_code) == (303, 200, 200)
    assert with_key.headers["location"] == "/"


async def test_guessed_keys_are_slow_everywhere(here: Beside) -> None:
    """After twenty wrong keys within a minute the next answers come late, at whatever path they are tried."""
    for number in range(21):
        await here.bare.get("/login" if number % 2 else "/", headers={"Authorization": f"Bearer {number}"})
    started = time.monotonic()
    await here.bare.get("/login", headers={"Authorization": "Bearer last"})
    slow = time.monotonic() - started
    started = time.monotonic()
    await here.client.get("/login")

    assert slow > 0.4
    assert time.monotonic() - started < 0.4


async def test_pictures_are_for_our_pages(here: Beside) -> None:
    """A page of others cannot find out by <img> what there is; the icon is for every visitor."""
    answers = [await here.client.get(path) for path in ("/posters/movie:1", "/api/v1/status", "/favicon.ico")]
    policies = [answer.headers["cross-origin-resource-policy"] for answer in answers]

    assert policies == ["same-origin", "same-origin", "cross-origin"]


def _token_in(page: str) -> str:
    return page.partition('name="page-token" content="')[2].partition('"')[0]


def entrance(folder: Path, **settings: str) -> Entrance:
    """An entrance with these settings."""
    environ = {"STATE_DIR": str(folder), **settings}
    return Entrance(load_settings(environ, required=()).settings, KEY)


@pytest.mark.parametrize(
    "wanted",
    [
        "", "runs", "http://evil.com/", "https:evil.example", "//evil.example", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "/\t/evil.example", "\t//evil.example", "/\n/evil.example", " //evil.example", "/k",
        "/other", "javascript:x", "/kk/", "/k\\..\\x", "/k/../evil", "/k/%2e%2e/evil", "/k/.%2E/evil", "/k/./evil",
        "/k//evil",
        "/k/runs\x00", "/k/runs\x7f", "/k/a b", "/k/.", "/k/..", "/k/..?x", "/K/runs", "/k/" + "x" * 2000,
    ],
)  # fmt: skip
def test_never_to_another_site(tmp_path: Path, wanted: str) -> None:
    """After signing in only pages of ours are gone to; all else is the first page."""
    assert entrance(tmp_path, HTTP_URL_BASE="/k").next_page(wanted) == "/k/"


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/k/", "/k/"), ("/k/runs", "/k/runs"), ("/k/runs/2026-ab?x=//y&z=..", "/k/runs/2026-ab?x=//y&z=.."),
        ("/k/movies?q=Amélie%20%26", "/k/movies?q=Am%C3%A9lie%20%26"), ("/k/runs#part", "/k/runs#part"),
        ("/k/...", "/k/..."),
    ],
)  # fmt: skip
def test_back_to_where_it_was(tmp_path: Path, wanted: str, place: str) -> None:
    """A page of ours is gone to with its query."""
    assert entrance(tmp_path, HTTP_URL_BASE="/k").next_page(wanted) == place


@given(st.text(alphabet=st.sampled_from("/\\.%2eE?#:@ \tkab\u2028é\r\n")) | st.text(), st.sampled_from(["", "/k"]))
def test_next_is_local_whatever_it_is(tmp_path_factory: pytest.TempPathFactory, wanted: str, base: str) -> None:
    """For any text it is a path below the base that a browser reads as one: printable ASCII, no host, no way up."""
    place = entrance(tmp_path_factory.getbasetemp(), HTTP_URL_BASE=base).next_page(wanted)
    path = place.partition("?")[0].partition("#")[0]

    assert place.startswith(f"{base}/")
    assert place.isascii()
    assert place.isprintable()
    assert "\\" not in place
    assert " " not in place
    assert "//" not in path
    assert not {".", ".."}.intersection(path.lower().replace("%2e", ".").split("/"))


def test_nothing_secret_in_the_log(world: World) -> None:
    """Whatever happens at the door, neither password, key, cookie nor token is logged, by the process as it is."""
    import httpx2  # noqa: PLC0415

    with daemon_process(world, WEB_PASSWORD="correct-horse-7battery", DEBUG_LOGGING="true") as living:
        with httpx2.Client(verify=PLAIN, base_url=living.url) as device:
            device.post("/login", data={"password": "wrong-horse-8battery"})
            device.post("/login", data={"password": "correct-horse-7battery"})
            page = device.get(PAGE, headers=HTML)
            token = _token_in(page.text)
            cookies = [cookie.value or "" for cookie in device.cookies.jar]
            device.post("/api/v1/runs", headers={"X-Page-Token": "forged-token-9"})
            device.post("/logout-everywhere", data={"token": token})
        living.wait_for("http.all_signed_out")
        logged = json.dumps(living.lines)

    assert page.status_code == 200
    assert cookies
    secrets = [KEY, "correct-horse-7battery", "wrong-horse-8battery", "forged-token-9", token, *cookies]
    secrets += [*cookies[0].split(".")[-2:], kept_session_key(world.state_dir).hex()]
    assert [secret for secret in secrets if secret in logged] == []
    assert "http.login_failed" in logged
    assert "http.foreign_form" in logged
