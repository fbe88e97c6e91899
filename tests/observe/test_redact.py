"""No secret is told, and nothing else is hidden."""

from __future__ import annotations

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.observe.redact import MASK, Redactor

# Without the mask's own character: what is hidden would otherwise show up in the mask.
SECRETS = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=4, max_size=40)
PLAIN = "Heat (1995): 120,000 tokens; max_tokens=4096, input_tokens: 12. Key: value. A token of love. password"


@given(SECRETS, st.text(), st.text())
def test_a_secret_is_gone_from_any_text(secret: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    assert secret not in Redactor([secret]).text(before + secret + after)


@pytest.mark.parametrize(
    "written",
    [
        quote,
        quote_plus,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
        lambda secret: repr(secret)[1:-1],
        lambda secret: repr(secret.encode())[2:-1],
        html.escape,
    ],
)
@given(secret=SECRETS)
def test_a_secret_is_gone_in_every_escape(written: Callable[[str], str], secret: str) -> None:
    """As it stands in an address, in JSON, in HTML and in what Python prints."""
    form = written(secret)
    assert form not in Redactor([secret]).text(f"a {form} b")


@given(
    st.text("abcdefXYZ0189:+/-_.!", min_size=8),
    st.text("abcdef:", max_size=9),
    st.sampled_from([b64encode, urlsafe_b64encode]),
)
def test_a_secret_is_gone_from_base64(secret: str, user: str, encode: Callable[[bytes], bytes]) -> None:
    """Behind any user name, as Basic authentication sends it, at most its first and last letter can be guessed."""
    hidden = Redactor([secret]).text(f"(Basic) {encode(f'{user}{secret}'.encode()).decode()}")
    core = encode(f"{user}{secret}".encode()).decode().rstrip("=")[-len(secret) :]
    assert MASK in hidden
    assert core not in hidden


def test_the_longest_secret_first() -> None:
    """A secret that holds another one goes as a whole."""
    assert Redactor(["hunter2", "hunter2-and-more"]).text("hunter2-and-more") == MASK


@pytest.mark.parametrize("secret", ["", "a", "abc"])
def test_short_secrets_hide_nothing(secret: str) -> None:
    """A secret too short to tell from a word leaves the text as it is."""
    assert Redactor([secret]).text(PLAIN) == PLAIN


def test_plain_text_stays() -> None:
    """Words such as key, token and password are no secrets by themselves, nor are numbers of tokens."""
    assert Redactor(["hunter2"]).text(PLAIN) == PLAIN
    assert Redactor().text("http://radarr:7878/x@y and me@example.org") == "http://radarr:7878/x@y and me@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "http://user:hunter2@radarr:7878/x",
        "http://user:hun@ter2@radarr",
        "https://hunter2@radarr",
        "GET /api/v3/movie?apikey=hunter2&x=1",
        "?api_key=hunter2",
        "?token=hunter2#x",
        "?key=hunter2",
        "X-Api-Key: hunter2",
        "{'X-Api-Key': 'hunter2'}",
        "[(b'x-api-key', b'hunter2')]",
        '{"apiKey":"hunter2"}',
        '{\\"apiKey\\": \\"hunter2\\"}',
        "Authorization: Bearer hunter2",
        "authorization=Basic hunter2",
        "'Authorization': 'hunter2'",
        "Bearer hunter2hunter2",
        "X-Plex-Token=hunter2",
        "password=hunter2",
        "the key sk-ant-api03-hunter2_x is",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    """Passwords in addresses, keys in queries and headers, and Anthropic's keys, known or not."""
    hidden = Redactor().text(text)
    assert "hunter2" not in hidden
    assert "ter2" not in hidden
    assert MASK in hidden


def test_the_rest_of_an_address_stays() -> None:
    """Only the secret parts of an address are hidden."""
    text = Redactor().text("http://me:hunter2@radarr:7878/api?apikey=hunter2&page=2")
    assert text == f"http://{MASK}@radarr:7878/api?apikey={MASK}&page=2"


def test_nested_data() -> None:
    """Values, keys, bytes and foreign objects: everything becomes what JSON knows, without the secret."""
    data = {
        "list": ["hunter2", ("x hunter2",), {"hunter2"}],
        "hunter2": 1,
        7: b"hunter2",
        "error": ValueError("hunter2"),
        "token": "unknown",
        "headers": {"x-api-key": "unknown", "Authorization": "unknown", "accept": "*/*"},
        "max_tokens": 5,
        "none": None,
        "yes": True,
        "half": 0.5,
        "nan": float("nan"),
    }
    assert Redactor(["hunter2"]).data(data) == {
        "list": [MASK, [f"x {MASK}"], [MASK]],
        MASK: 1,
        "7": MASK,
        "error": MASK,
        "token": MASK,
        "headers": {"x-api-key": MASK, "Authorization": MASK, "accept": "*/*"},
        "max_tokens": 5,
        "none": None,
        "yes": True,
        "half": 0.5,
        "nan": "nan",
    }


def test_a_secret_number() -> None:
    """A secret made of digits is hidden where it turns up as a number; other numbers stay numbers."""
    assert Redactor(["123456"]).data([123456, 1995]) == [MASK, 1995]


class Broken:
    """An object that cannot be printed."""

    def __str__(self) -> str:
        raise RuntimeError("hunter2")


def test_what_cannot_be_printed() -> None:
    """An object that fails to describe itself is named, not raised."""
    assert "Broken" in str(Redactor().data(Broken()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON, SECRETS)
def test_any_data_become_json(data: object, secret: str) -> None:
    """The result can always be written as JSON, and holds no secret where there was one."""
    clean = Redactor([secret]).data([data, {"inside": [secret]}])
    text = json.dumps(clean, allow_nan=False)
    assert json.loads(text)[1] == {"inside": [MASK]}


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "://" * 60_000,
        "token " * 30_000,
        "token" + " " * 200_000,
        "\\" * 200_000,
        "authorization" * 20_000,
    ],
)
def test_long_texts_take_no_time(text: str) -> None:
    """A log line of a whole prompt is redacted in a fraction of a second, whatever is in it."""
    started = time.process_time()
    Redactor(["hunter2", "x" * 40]).text(text)
    assert time.process_time() - started < 2
