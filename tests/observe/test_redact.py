"""Every secret is hidden, and nothing else."""

from __future__ import annotations

import html
import json
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kometa_ai.core.text import ending, one_line
from kometa_ai.observe.redact import MASK, Redactor
from tests.observe.secrets import PART, parts_shown

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
        lambda secret: html.escape(secret).replace("&#x27;", "&#39;"),
        lambda secret: quote(quote(secret, safe=""), safe=""),
        lambda secret: quote(quote(secret)),
        lambda secret: secret.encode().hex(),
        lambda secret: secret.encode().hex().upper(),
        lambda secret: json.dumps(json.dumps(secret)[1:-1])[1:-1],
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


PIECES = st.sampled_from(["", " ", "\n", "...", "'", "Heat", "key=", "Basic ", "://", "@", "radarr-k", "Bearer "])


@given(SECRETS, st.data())
def test_a_list_of_texts_is_as_hidden_as_each_of_them(secret: str, data: st.DataObject) -> None:
    """Whether a secret is whole in one of them, or only its beginning or its end."""
    parts = st.builds(lambda one, other: secret[min(one, other) : max(one, other)], *[st.integers(0, len(secret))] * 2)
    texts = data.draw(st.lists(st.lists(PIECES | parts, max_size=5).map("".join), max_size=5))
    redactor = Redactor([secret, "radarr-key-1"])
    assert redactor.data(texts) == list(map(redactor.text, texts))


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


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "://" * 60_000,
        "token " * 30_000,
        "token" + " " * 200_000,
        "\\" * 200_000,
        "authorization" * 20_000,
        "x" * 39 + "…" + "xxxxxx…" * 40_000,
        "hunter" * 40_000,
        "Basic " * 40_000,
        "secret8c" * 30_000,
    ],
)
def test_long_texts_take_no_time(text: str) -> None:
    """A log line of a whole prompt is redacted in a fraction of a second, whatever is in it."""
    started = time.process_time()
    Redactor(["hunter2", "x" * 40, "secret8c" * 40]).text(text)
    assert time.process_time() - started < 8


LONG = st.text("abcdefXYZ0189:+/-_!ü", min_size=12, max_size=40)


@pytest.mark.parametrize("mark", ["", "…", "...", " …", '"', '…"', "***", "\nmore", "...)."])
@settings(deadline=None)
@given(secret=LONG, kept=st.integers(PART, 40), before=st.text("pq ", max_size=9))
def test_the_beginning_of_a_secret_is_gone_where_a_text_was_cut(mark: str, secret: str, kept: int, before: str) -> None:
    """A secret that was cut at the end of the text or of a line, before an ellipsis or stars, by us or by a service."""
    hidden = Redactor([secret]).text(f"{before}p{secret[:kept]}{mark}")
    assert not parts_shown(secret, hidden)


@pytest.mark.parametrize("mark", ["…", "...", "… ", "***"])
@settings(deadline=None)
@given(secret=LONG, kept=st.integers(PART, 40))
def test_the_end_of_a_secret_is_gone_behind_a_cut(mark: str, secret: str, kept: int) -> None:
    """As in the tail of a long output, and in a key of which a service shows both ends."""
    hidden = Redactor([secret]).text(f"{secret[:kept]}{mark}{secret[-kept:]} and more")
    assert not parts_shown(secret, hidden)


@settings(deadline=None)
@given(LONG, st.integers(0, 80), st.integers(1, 60), st.sampled_from([one_line, ending]))
def test_cut_first_and_redacted_after(secret: str, size: int, limit: int, cut: Callable[[str, int], str]) -> None:
    """Our own cuts leave an ellipsis, so that a redactor behind them hides what is left."""
    hidden = Redactor([secret]).text(f"It says: {cut('p' * size + secret + 'p' * size, limit)} What to do.")
    assert not parts_shown(secret, hidden)


@pytest.mark.parametrize("kept", range(8, 19))
def test_what_a_service_cuts_without_a_mark(kept: int) -> None:
    """In the middle of a sentence, from either end, in any form; a host that an address begins with stays."""
    secret = "Sm7pPw0rd+/Tricky&9x"
    redactor = Redactor([secret, "gotify://server2024:8080/Aq", "server2024:8080/Aq"])
    for part in (secret[:kept], secret[-kept:], quote(secret, safe="")[:kept], secret.encode().hex()[: 2 * kept]):
        assert redactor.text(f"535 bad {part} for user") == f"535 bad {MASK} for user"
    assert redactor.text("http://server2024:7878/radarr is up") == "http://server2024:7878/radarr is up"


def test_a_cut_form_is_hidden_as_well() -> None:
    """An escaped secret may be cut, too, and so may its base64."""
    secret = "geheim & geheimer+1"
    basic = b64encode(f"ann:{secret}".encode()).decode()
    redactor = Redactor([secret])
    assert redactor.text(f"x {quote(secret, safe='')[:14]}…") == f"x {MASK}…"
    assert redactor.text(f"x {basic[:-9]}…") == f"x {MASK}…"


def test_secrets_that_overlap() -> None:
    """Nothing is left of a long one that begins or ends with a short one, whole or cut."""
    redactor = Redactor(["hunter2", "hunter2-and-much-more", "xyzuvwhunter2"])
    assert redactor.text("a hunter2-and-mu…") == f"a {MASK}…"
    assert redactor.text("a xyzuvwhunter2-and-much") == f"a {MASK}"
    assert redactor.text("hunter2 hunter2") == f"{MASK} {MASK}"


def test_a_word_that_a_secret_begins_with_stays() -> None:
    """A host by the name of `radarr` is not hidden because a key is `radarr-key`; what follows it would be."""
    redactor = Redactor(["radarr-key"])
    assert redactor.text("http://radarr") == "http://radarr"
    assert redactor.text("http://radarr:7878/radarr") == "http://radarr:7878/radarr"
    notifier = Redactor(["ntfy://nas.local/topic", "nas.local/topic"])
    assert notifier.text("Radarr at http://nas.local") == "Radarr at http://nas.local"
    assert notifier.text("sent to http://nas.local/top") == f"sent to http://{MASK}"
    assert redactor.text("the key radarr-k") == f"the key {MASK}"
    assert redactor.text("the key radarr…") == f"the key {MASK}…"


def test_nothing_is_left_of_base64_around_a_secret() -> None:
    """Beside a known password stands its user, and the other way round."""
    for known in ("hunter2", "somebody"):
        hidden = Redactor([known]).text(f"sent {b64encode(b'somebody:hunter2').decode()} to it")
        assert hidden == f"sent {MASK} to it"
    assert Redactor().text("Basic c29tZWJvZHk6aHVudGVyMg== was refused") == f"Basic {MASK} was refused"
    assert Redactor().text("Basic authentication is required") == "Basic authentication is required"


@pytest.mark.parametrize("text", ["Basic Übungsstücke", "Basic 基本的な認証方式", "Basic abcdé¹²³", "Basic radarr-k¹"])
def test_a_word_behind_basic_may_be_of_any_language(text: str) -> None:
    """A title or a plot with such words must not keep a line from the log, or end a run."""
    assert Redactor().text(text) == text


def test_credentials_end_where_base64_does() -> None:
    """What stands directly behind them hides none of them, nor does a space of another kind."""
    assert Redactor().text("basic\u00a0c29tZWJvZHk6aHVudGVyMg==") == f"basic\u00a0{MASK}"
    assert Redactor().text("Basic c29tZWJvZHk6aHVudGVyMg==»") == f"Basic {MASK}»"


def test_other_cases() -> None:
    """A key in capitals is still the key; a short password is a word, and its capitals are another one."""
    assert Redactor(["0123abcd4567"]).text("0123ABCD4567") == MASK
    assert Redactor(["heat"]).text("heat HEAT") == f"{MASK} HEAT"


def test_data_of_any_depth() -> None:
    """Nesting ends somewhere; what lies deeper is not told."""
    data: object = "hunter2"
    for _ in range(100_000):
        data = [data]
    assert "hunter2" not in json.dumps(Redactor(["hunter2"]).data(data))
