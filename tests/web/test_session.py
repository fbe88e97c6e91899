"""Cookies and tokens: what is signed, for how long, and what is none of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from kometa_ai.errors import RepairState
from kometa_ai.web.session import DAY, LIFETIME, Cookie, Sessions, removals, set_cookie

if TYPE_CHECKING:
    from pathlib import Path

START = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock for all sessions of a test."""
    return Clock()


def sent(*cookies: str) -> Headers:
    """The headers of a request with these Cookie lines."""
    return Headers(raw=[(b"cookie", cookie.encode()) for cookie in cookies])


def test_a_cookie_comes_back_as_it_was_issued(tmp_path: Path, clock: Clock) -> None:
    """It says when, how and who, also where the name is no plain word, and stands among the cookies of others."""
    sessions = Sessions(tmp_path, "secret", clock)
    cookie = sessions.issued("proxy", "Zoë; Path=/, 猫")
    line = f"theme=dark; {sessions.cookie_name}={sessions.value(cookie)}; other=1"

    assert sessions.read(sent(line)) == cookie
    assert sessions.read(sent("theme=dark", line)) == cookie
    assert sessions.read(sent("theme=dark")) is None
    assert sessions.read(Headers(raw=[])) is None
    assert (tmp_path / "session_key").stat().st_mode & 0o777 == 0o600


def test_it_holds_across_a_restart(tmp_path: Path, clock: Clock) -> None:
    """The key is in the state folder: after a restart every visitor is still signed in, and open pages go on."""
    before, after = (Sessions(tmp_path, "secret", clock) for _ in range(2))
    cookie = before.issued("password")

    assert after.read(sent(f"{after.cookie_name}={before.value(cookie)}")) == cookie
    assert after.token(cookie) == before.token(cookie)


def test_two_of_us_on_one_host_do_not_share(tmp_path: Path, clock: Clock) -> None:
    """Another instance has cookies of another name; under our name its cookies are none of ours, nor are its tokens."""
    ours, other = Sessions(tmp_path / "a", "secret", clock), Sessions(tmp_path / "b", "secret", clock)
    cookie = other.issued("password")

    assert ours.cookie_name != other.cookie_name
    assert ours.read(sent(f"{ours.cookie_name}={other.value(cookie)}")) is None
    assert ours.token(cookie) != other.token(cookie)


def test_another_password_ends_every_sign_in(tmp_path: Path, clock: Clock) -> None:
    """After a change of the password neither cookies nor tokens of before are good."""
    before, after = Sessions(tmp_path, "one", clock), Sessions(tmp_path, "two", clock)
    cookie = before.issued("password")

    assert after.read(sent(f"{after.cookie_name}={before.value(cookie)}")) is None
    assert after.token(cookie) != before.token(cookie)


async def test_sign_out_everywhere(tmp_path: Path, clock: Clock) -> None:
    """A new key ends every sign-in at once and for good, and takes a new name for its cookies."""
    sessions = Sessions(tmp_path, "secret", clock)
    old, name = sessions.value(sessions.issued("password")), sessions.cookie_name
    await sessions.end_all()

    for known in (sessions, Sessions(tmp_path, "secret", clock)):
        assert known.cookie_name != name
        assert known.read(sent(f"{name}={old}; {known.cookie_name}={old}")) is None
    new = sessions.issued("password")
    assert sessions.read(sent(f"{sessions.cookie_name}={sessions.value(new)}")) == new


async def test_a_new_key_that_cannot_be_kept(tmp_path: Path, clock: Clock) -> None:
    """Where the state folder cannot be written the sign-ins stay as they are, and it is said."""
    folder = tmp_path / "state"
    sessions = Sessions(folder, "secret", clock)
    cookie = sessions.issued("password")
    (folder / "session_key").unlink()
    (folder / "session_key").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(RepairState, match="session_key"):
        await sessions.end_all()
    assert sessions.read(sent(f"{sessions.cookie_name}={sessions.value(cookie)}")) == cookie


@pytest.mark.parametrize("content", ["", "short", "0" * 63, "Z" * 64, "0" * 64 + "\nmore"])
def test_a_damaged_key_is_made_anew(tmp_path: Path, content: str, clock: Clock) -> None:
    """An empty or damaged file is no key: with a key that a stranger can guess, a stranger could sign a cookie."""
    (tmp_path / "session_key").write_text(content)
    Sessions(tmp_path, "secret", clock)

    assert len((tmp_path / "session_key").read_text().strip()) == 64
    assert (tmp_path / "session_key").read_text().strip() != content


def test_a_way_in_that_there_is_not(tmp_path: Path, clock: Clock) -> None:
    """A cookie of another version, for a way in that this one does not know, is none."""
    sessions = Sessions(tmp_path, "secret", clock)
    unknown = Cookie(int(START), "passkey", "", "0" * 32)  # type: ignore[arg-type] # that is the point

    assert sessions.read(sent(f"{sessions.cookie_name}={sessions.value(unknown)}")) is None


def test_ninety_days(tmp_path: Path, clock: Clock) -> None:
    """A cookie is good for ninety days, is renewed after a day, and keeps its token then."""
    sessions = Sessions(tmp_path, "secret", clock)
    cookie = sessions.issued("password")
    line = f"{sessions.cookie_name}={sessions.value(cookie)}"
    assert not sessions.is_due(cookie)

    clock.now = START + DAY
    renewed = sessions.renewed(cookie, cookie.name)
    assert sessions.is_due(cookie)
    assert not sessions.is_due(renewed)
    assert sessions.token(renewed) == sessions.token(cookie)

    clock.now = START + LIFETIME - 1
    assert sessions.read(sent(line)) == cookie
    clock.now = START + LIFETIME
    assert sessions.read(sent(line)) is None
    assert sessions.read(sent(f"{sessions.cookie_name}={sessions.value(renewed)}")) == renewed
    # A clock that was years ahead has issued it: it must not be good for years.
    clock.now = START - DAY - 1
    assert sessions.read(sent(line)) is None


def test_one_name_twice(tmp_path: Path, clock: Clock) -> None:
    """Of several cookies of our name the first good one counts; a pile of them is not searched for one."""
    sessions = Sessions(tmp_path, "secret", clock)
    first, second = sessions.issued("password"), sessions.issued("password")
    name, values = sessions.cookie_name, [sessions.value(first), sessions.value(second)]

    assert sessions.read(sent(f"{name}={values[0]}; {name}={values[1]}")) == first
    assert sessions.read(sent(f"{name}=stale; {name}={values[1]}")) == second
    assert sessions.read(sent(*(f"{name}=stale" for _ in range(200)), f"{name}={values[0]}")) is None


@given(st.data())
def test_no_change_to_a_cookie_is_good(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is cut, added, replaced or swapped between two cookies, the outcome is none, or one of the two."""
    sessions = Sessions(tmp_path_factory.mktemp("state"), "secret", Clock())
    cookies = [sessions.issued("guest", "anna"), sessions.issued("password", "bob")]
    values = [sessions.value(cookie) for cookie in cookies]
    text, other = data.draw(st.permutations(values))
    at = data.draw(st.integers(0, len(text)))
    forged = data.draw(
        st.one_of(
            st.just(text[:at]),
            st.just(text[at:]),
            st.just(text[:at] + other[at:]),
            st.characters(codec="utf-8").map(lambda one: text[:at] + one + text[at:]),
            st.characters(codec="utf-8").map(lambda one: text[:at] + one + text[at + 1 :]),
            st.permutations(text.split(".")).map(".".join),
            st.text().map(lambda rest: f"{rest}.{text.rpartition('.')[2]}"),
            st.text(),
        )
    )
    found = sessions.read(Headers(raw=[(b"cookie", f"{sessions.cookie_name}={forged}".encode(errors="replace"))]))

    assert found is None or (found in cookies and sessions.value(found) == forged.split(";")[0].strip())


@given(st.text())
def test_any_cookie_header_can_be_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No cookie header is an error."""
    sessions = Sessions(tmp_path_factory.mktemp("state"), "secret", Clock())
    raw = text.encode(errors="replace")

    assert (
        sessions.read(Headers(raw=[(b"cookie", raw), (b"cookie", sessions.cookie_name.encode() + b"=" + raw)])) is None
    )


def test_how_a_browser_keeps_it() -> None:
    """Scripts and forms of other sites do not get it; Secure only over HTTPS; below the URL base only."""
    plain = set_cookie("kometa_ai_0a1b2c", "v", path="", is_https=False)
    secure = set_cookie("kometa_ai_0a1b2c", "v", path="/kometa-ai", is_https=True)

    assert plain == "kometa_ai_0a1b2c=v; Max-Age=7776000; Path=/; HttpOnly; SameSite=Lax"
    assert secure == "__Secure-kometa_ai_0a1b2c=v; Max-Age=7776000; Path=/kometa-ai; HttpOnly; SameSite=Lax; Secure"


def test_how_a_browser_forgets_it() -> None:
    """Both cookies where both are sent, by HTTPS; and those of a URL base that was."""
    http = [line.split("; ")[:3] for line in removals("x", path="/k", is_https=False)]
    https = [line.split("; ")[::2] for line in removals("x", path="", is_https=True)]

    assert http == [["x=", "Max-Age=0", "Path=/k"], ["x=", "Max-Age=0", "Path=/"]]
    assert sorted(https) == [["__Secure-x=", "Path=/", "SameSite=Lax"], ["x=", "Path=/", "SameSite=Lax"]]


def test_by_https_and_by_http(tmp_path: Path, clock: Clock) -> None:
    """A device that comes both ways has a cookie for each, as one would shut out the other; that of HTTPS is first."""
    sessions = Sessions(tmp_path, "secret", clock)
    plain, secure = sessions.issued("password"), sessions.issued("password")
    name = sessions.cookie_name
    both = [f"{name}={sessions.value(plain)}", f"__Secure-{name}={sessions.value(secure)}"]

    assert sessions.read(sent("; ".join(both))) == secure
    assert sessions.read(sent(*both)) == secure
    assert sessions.read(sent(both[0])) == plain
    assert sessions.read(sent(both[0], f"__Secure-{name}=stale")) == plain
