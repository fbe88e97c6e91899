"""What each setting accepts, and that each is there once with its default."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.settings.environment import load_settings
from kometa_ai.settings.schema import Settings
from kometa_ai.settings.values import Window
from kometa_ai.settings.variables import variables

CONTRACT = {
    "RADARR_URL": "",
    "SONARR_URL": "",
    "LLM_PROVIDER": "claude",
    "LLM_MODEL": "",
    "LLM_REVIEW_MODEL": "",
    "CLAUDE_MODEL": "claude-sonnet-5-5",
    "CLAUDE_REVIEW_MODEL": "claude-sonnet-5-5",
    "CLAUDE_BATCHES": "auto",
    "CLAUDE_BASE_URL": "https://api.anthropic.com",
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "OLLAMA_HOST": "http://localhost:11434",
    "OLLAMA_CONTEXT_LENGTH": None,
    "LLM_TIMEOUT": None,
    "BATCH_SIZE": None,
    "COLLECTIONS_PER_REQUEST": "auto",
    "MAX_CONCURRENT_REQUESTS": None,
    "MAX_COST_PER_RUN": Decimal(0),
    "RUN_TIMEOUT": None,
    "RADARR_CREDITS": True,
    "REMOVAL_LIMIT": 25,
    "ADDITION_LIMIT": 100,
    "HAND_EDITS": "pin",
    "AUDIT_INTERVAL": "",
    "REVIEW": "off",
    "REVIEW_DAYS": 7,
    "SMTP_SERVER": "",
    "SMTP_PORT": 25,
    "SMTP_USERNAME": "",
    "SMTP_SECURITY": "auto",
    "NOTIFICATION_RECIPIENTS": (),
    "APPRISE_URLS": (),
    "NOTIFY_ON": "always",
    "SCHEDULE_INTERVAL": "1d",
    "SCHEDULE_START_TIME": time(3),
    "SCHEDULE_BLACKOUT": (),
    "AFTER_CHANGES_COMMAND": "",
    "AFTER_CHANGES_URL": "",
    "HTTP_HOST": "127.0.0.1",
    "HTTP_PORT": 7880,
    "HTTP_URL_BASE": "",
    "WEB_LOGIN": "password",
    "TRUSTED_PROXIES": (),
    "WEB_USER_HEADER": "Remote-User",
    "WEB_HOSTS": (),
    "CONFIG_DIR": Path("/app/kometa-config"),
    "STATE_DIR": Path("/app/state"),
    "LOG_DIR": Path("/app/logs"),
    "DEBUG_LOGGING": False,
    "LOG_FORMAT": "auto",
}
SECRET = {
    "RADARR_API_KEY", "SONARR_API_KEY", "CLAUDE_API_KEY", "SMTP_PASSWORD", "HTTP_API_KEY", "WEB_PASSWORD",
    "APPRISE_URLS", "OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OLLAMA_API_KEY",
}  # fmt: skip


def read(name: str, text: str) -> object:
    """The value of one setting, as given by its variable."""
    return getattr(load_settings({name: text}, required=()).settings, variables()[name].field)


def problem_with(name: str, text: str) -> Problem:
    """The one problem that value causes."""
    with pytest.raises(FixConfiguration) as raised:
        read(name, text)
    (problem,) = raised.value.problems
    assert problem.source == name
    assert problem.remedy
    return problem


def problems_with(name: str, text: str) -> tuple[Problem, ...]:
    """The problems that value causes, perhaps none."""
    try:
        read(name, text)
    except FixConfiguration as error:
        return error.problems
    return ()


@pytest.mark.parametrize(("name", "default"), CONTRACT.items())
def test_default(name: str, default: object) -> None:
    """Each setting has the default that is promised."""
    assert getattr(Settings(), variables()[name].field) == default


def test_every_setting_is_there_once() -> None:
    """The variables are the promised ones, none begins with KOMETA_, and exactly the secret ones are secret."""
    assert set(variables()) == set(CONTRACT) | SECRET | {"SMTP_FROM", "TZ"}
    assert not [name for name in variables() if name.startswith("KOMETA_")]
    assert {variable.name for variable in variables().values() if variable.secret} == SECRET


def test_defaults_that_depend() -> None:
    """The reviewing model follows the deciding one, the sender names this host, the zone is UTC."""
    settings = load_settings({"CLAUDE_MODEL": "claude-haiku-4-5"}, required=()).settings
    assert settings.claude_review_model == "claude-haiku-4-5"
    assert settings.smtp_from.startswith("kometa-ai@")
    assert str(settings.tz) == "UTC"


def test_settings_do_not_change() -> None:
    """What was checked stays as it is."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().batch_size = 3


def test_secrets_do_not_show_when_printed() -> None:
    """Neither str() nor repr() of the settings tells a secret."""
    secrets = {name: "discord://hunter2/token" if name == "APPRISE_URLS" else "hunter2" for name in SECRET}
    settings = load_settings(secrets, required=()).settings
    assert "hunter2" not in f"{settings} {settings!r}"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://radarr:7878", "http://radarr:7878"),
        ("https://nas.local/radarr/", "https://nas.local/radarr"),
        ("http://[::1]:7878/", "http://[::1]:7878"),
        ("http://user:pass@radarr", "http://user:pass@radarr"),
        ("http://radarr/apis", "http://radarr/apis"),
    ],
)
def test_addresses_keep_their_path(text: str, url: str) -> None:
    """A path prefix stays; only a slash at the end goes."""
    assert read("RADARR_URL", text) == url


@pytest.mark.parametrize(
    "text",
    [
        "radarr:7878", "ftp://radarr", "http://", "http://:7878", "http://radarr:99999", "http://radarr:0",
        "http://ra darr", "http://[::1", "http://radarr?x=1", "http://radarr#x", "hunter2", "http://x:hunter2@/",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["RADARR_URL", "CLAUDE_BASE_URL", "OPENAI_BASE_URL"])
def test_addresses_that_cannot_be_used(name: str, text: str) -> None:
    """An address without scheme or host is a problem, and is not repeated: it may be a key in the wrong place."""
    problem = problem_with(name, text)
    assert text == "http://" or text not in str(problem)
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize("ending", ["/api", "/api/v3", "/radarr/api/v3/", "/API"])
def test_radarr_address_without_its_api(ending: str) -> None:
    """Radarr's address with the path of its API names what to leave away."""
    assert "/api" in problem_with("RADARR_URL", f"http://radarr{ending}").remedy


@pytest.mark.parametrize("ending", ["/v1", "/v1/", "/proxy/v1/messages"])
def test_claude_address_without_v1(ending: str) -> None:
    """Claude's address with `/v1` names what to leave away."""
    assert "/v1" in problem_with("CLAUDE_BASE_URL", f"https://claude.example{ending}").remedy


def test_openai_address_keeps_its_version() -> None:
    """The path of a compatible API stays, what the client adds is named, and credentials have no place in it."""
    assert read("OPENAI_BASE_URL", "http://llama:8080/v1/") == "http://llama:8080/v1"
    assert "/chat/completions" in problem_with("OPENAI_BASE_URL", "http://llama:8080/v1/chat/completions").what
    assert "OPENAI_API_KEY" in problem_with("OPENAI_BASE_URL", "http://me:hunter2@llama:8080/v1").remedy


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ollama", "http://ollama:11434"),
        ("ollama.com", "https://ollama.com"),
        ("192.168.1.5:8080", "http://192.168.1.5:8080"),
        ("ollama:11434/v1", "http://ollama:11434"),
        ("http://nas:11434/v1/", "http://nas:11434"),
        ("http://nas:11434/api", "http://nas:11434"),
        ("https://ollama.example.org", "https://ollama.example.org"),
        ("https://nas.local/ollama/", "https://nas.local/ollama"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:99", "http://[::1]:99"),
    ],
)
def test_ollama_address_as_its_own_tools_read_it(text: str, url: str) -> None:
    """Scheme and port may lack, and the path of an API is cut off; a scheme brings its own port."""
    assert read("OLLAMA_HOST", text) == url
    assert read("OLLAMA_HOST", url) == url


@pytest.mark.parametrize("text", ["ftp://ollama", "http://", ":11434", "ol lama", "http://ollama:99999", "ollama?x=1"])
def test_ollama_addresses_that_cannot_be_used(text: str) -> None:
    """What names no host is a problem."""
    problem_with("OLLAMA_HOST", text)


@pytest.mark.parametrize("name", ["LLM_MODEL", "LLM_REVIEW_MODEL"])
def test_ids_of_any_model(name: str) -> None:
    """Ids of all providers can be written; what cannot be one is a problem."""
    for text in ("gpt-6-luna", "ollama/qwen3:14b", "openrouter/anthropic/claude-haiku-5.5:free", "/models/llama.gguf"):
        assert read(name, text) == text
    for wrong in ("ollama/", "two words", '"gpt-6-luna"', "x" * 300):
        problem_with(name, wrong)


def test_patience_for_an_answer() -> None:
    """Seconds, or a duration; waiting without end is none."""
    texts = ("90", "90s", "10m", "1h")
    assert [read("LLM_TIMEOUT", text) for text in texts] == [
        timedelta(seconds=90), timedelta(seconds=90), timedelta(minutes=10), timedelta(hours=1),
    ]  # fmt: skip
    for wrong in ("0", "-1", "soon", "10x", "1.5"):
        assert "10m" in problem_with("LLM_TIMEOUT", wrong).remedy


def test_collections_in_a_request() -> None:
    """As the model has it, or a number from 1 to 10."""
    assert [read("COLLECTIONS_PER_REQUEST", text) for text in ("AUTO", "1", "10")] == ["auto", 1, 10]
    for wrong in ("0", "11", "many", "-1"):
        assert "1 to 10" in problem_with("COLLECTIONS_PER_REQUEST", wrong).remedy


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("BATCH_SIZE", 1, 300),
        ("OLLAMA_CONTEXT_LENGTH", 1024, 10**7),
        ("SMTP_PORT", 1, 65535),
        ("HTTP_PORT", 0, 65535),
        ("REMOVAL_LIMIT", 0, 100),
        ("ADDITION_LIMIT", 0, 10**6),
        ("REVIEW_DAYS", 1, 365),
    ],
)
def test_numbers_have_limits(name: str, lowest: int, highest: int) -> None:
    """The limits themselves are fine, the numbers beyond are not, and the remedy names the limits."""
    assert (read(name, str(lowest)), read(name, f" {highest} ")) == (lowest, highest)
    for wrong in (lowest - 1, highest + 1):
        problem = problem_with(name, str(wrong))
        assert str(lowest) in problem.remedy
        assert str(highest) in problem.remedy


@pytest.mark.parametrize("text", ["many", "1.5", "1e2", "0x10", "1_0", "٣", "9" * 5000])
def test_what_is_no_number(text: str) -> None:
    """Only digits are a whole number."""
    problem_with("MAX_CONCURRENT_REQUESTS", text)


def test_at_least_one_request() -> None:
    """No request at a time is not enough; there is no upper limit."""
    problem_with("MAX_CONCURRENT_REQUESTS", "0")
    assert read("MAX_CONCURRENT_REQUESTS", "64") == 64


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "Infinity", "free", "$5", "5,00"])
def test_cost_is_an_amount(text: str) -> None:
    """The most a run may cost is a finite number of dollars."""
    problem_with("MAX_COST_PER_RUN", text)
    assert read("MAX_COST_PER_RUN", "2.50") == Decimal("2.5")


@pytest.mark.parametrize("word", ["true", "yes", "on", "1", "false", "no", "off", "0"])
@pytest.mark.parametrize("form", [str.lower, str.upper, str.title])
def test_booleans(word: str, form: type[str]) -> None:
    """Four words for each, in any case."""
    assert read("RADARR_CREDITS", form(word)) is (word in {"true", "yes", "on", "1"})


@pytest.mark.parametrize("text", ["maybe", "2", "y", "enabled"])
def test_what_is_no_boolean(text: str) -> None:
    """Any other word is a problem, not a false."""
    problem_with("DEBUG_LOGGING", text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CLAUDE_BATCHES", "ON", "on"),
        ("CLAUDE_BATCHES", "false", "off"),
        ("SMTP_SECURITY", "StartTLS", "starttls"),
        ("NOTIFY_ON", "Problems", "problems"),
        ("LOG_FORMAT", "JSON", "json"),
    ],
)
def test_choices_in_any_case(name: str, text: str, value: str) -> None:
    """A choice is read in any case; Compose's habit to make `off` a false does no harm."""
    assert read(name, text) == value


@pytest.mark.parametrize(
    "name", ["LLM_PROVIDER", "CLAUDE_BATCHES", "HAND_EDITS", "REVIEW", "SMTP_SECURITY", "NOTIFY_ON", "LOG_FORMAT"]
)
def test_a_choice_there_is_not(name: str) -> None:
    """An unknown word is a problem; the remedy names the words there are."""
    remedy = problem_with(name, "sometimes").remedy

    forms = {
        "LLM_PROVIDER": "claude, openai, gemini, openrouter or ollama",
        "CLAUDE_BATCHES": "auto, off or on",
        "NOTIFY_ON": "always, changes or problems",
        "HAND_EDITS": "pin or correct",
        "REVIEW": "off, removals or all",
    }
    assert forms.get(name, "auto") in remedy


def test_commands() -> None:
    """What cannot be taken apart as a shell would is told at the start, not after the first change, by night."""
    assert read("AFTER_CHANGES_COMMAND", "sh -c 'a \"b\"'") == "sh -c 'a \"b\"'"
    for wrong in ('"docker exec kometa', "it's", "a \\"):
        problem_with("AFTER_CHANGES_COMMAND", wrong)


def test_time_zones() -> None:
    """An IANA name is a zone; a misspelt one is answered with the right one."""
    assert str(read("TZ", "America/New_York")) == "America/New_York"
    assert "Europe/Berlin" in problem_with("TZ", "europe/berln").remedy
    for wrong in ("Europe", "../../etc/passwd", "/etc/localtime", "Mars/Olympus"):
        problem_with("TZ", wrong)


def test_time_of_day() -> None:
    """HH:MM on the 24-hour clock."""
    assert read("SCHEDULE_START_TIME", "7:05") == time(7, 5)
    for wrong in ("24:00", "3", "3pm", "03:60", "03:00:00"):
        problem_with("SCHEDULE_START_TIME", wrong)


@pytest.mark.parametrize(
    "text", ["30m", "6h", "1d", "2d", "1w", "1mo", "0 3 * * *", "*/15 1-5 1,15 * mon", "0 0 29 2 *", "0 0 L * *"]
)
def test_intervals(text: str) -> None:
    """A number with a unit, or a cron expression of five fields."""
    assert read("SCHEDULE_INTERVAL", text) == text


def test_intervals_have_one_spelling() -> None:
    """Capitals and spaces do not matter."""
    assert (read("SCHEDULE_INTERVAL", "6H"), read("SCHEDULE_INTERVAL", "0  3 * *\t1")) == ("6h", "0 3 * * 1")


@pytest.mark.parametrize(
    "text",
    [
        "0h", "1M", "1y", "-1d", "1.5h", "d", "daily", "@daily", "1d 2h", "* * * *", "0 0 3 * * *", "60 * * * *",
        "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 8", "*/0 * * * *", "0 0 31 2 *", "a b c d e",
        "0 0 */28 * MON#2",
    ],
)  # fmt: skip
def test_what_is_no_interval(text: str) -> None:
    """A minute or month that cannot be told apart, a field out of range, a date that never comes: all are problems."""
    problem_with("SCHEDULE_INTERVAL", text)


def test_blackout() -> None:
    """Windows may reach over midnight; one that ends at 24:00 ends with the day."""
    evening, night = Window(time(18), time(23, 30)), Window(time(22), time(6))
    assert read("SCHEDULE_BLACKOUT", "18:00-23:30, 22:00-06:00,") == (evening, night)
    assert evening.covers(time(18))
    assert not evening.covers(time(23, 30))
    assert night.covers(time(0))
    assert not night.covers(time(6))
    assert read("SCHEDULE_BLACKOUT", "20:00-24:00") == (Window(time(20), time(0)),)


@pytest.mark.parametrize(
    "text", ["18:00", "18-23", "25:00-26:00", "06:00-06:00", "00:00-24:00", "06:00-18:00,18:00-6:00"]
)
def test_what_is_no_blackout(text: str) -> None:
    """What is no window is a problem, and so are windows that leave no time to run."""
    problem_with("SCHEDULE_BLACKOUT", text)


@given(st.times(), st.times(), st.times())
def test_a_window_and_the_rest_of_the_day(start: time, end: time, moment: time) -> None:
    """Every moment is inside a window or inside its reverse, never in both."""
    if start != end:
        assert Window(start, end).covers(moment) is not Window(end, start).covers(moment)


def test_durations() -> None:
    """Seconds, minutes, hours or days; 0 is none."""
    texts = ("90s", "30m", "6h", "1D", "0")
    hours = timedelta(seconds=90), timedelta(minutes=30), timedelta(hours=6), timedelta(days=1), None
    assert tuple(read("RUN_TIMEOUT", text) for text in texts) == hours
    for wrong in ("6", "6w", "0s", "-1h", "1h30m", "9" * 50 + "d"):
        problem_with("RUN_TIMEOUT", wrong)


def test_recipients() -> None:
    """Addresses with or without a name, separated by commas or line breaks; a comma in a quoted name stays."""
    text = 'a@b.org, Ann <ann@b.org>,"Doe, Jo" <jo@b.org>\nJörg <j@b.org>,'
    expected = ("a@b.org", "Ann <ann@b.org>", '"Doe, Jo" <jo@b.org>', "Jörg <j@b.org>")
    assert read("NOTIFICATION_RECIPIENTS", text) == expected
    assert read("NOTIFICATION_RECIPIENTS", "root@localhost") == ("root@localhost",)


@pytest.mark.parametrize(
    "text", ["ann", "a@", "@b", "a@b;c@d", "a b@c", "a@b c@d", "Ann <ann>", "group: a@b;", "a@b <c@d"]
)
def test_what_is_no_address(text: str) -> None:
    """What is no e-mail address is a problem, even where a mail parser would make something of it."""
    problem_with("NOTIFICATION_RECIPIENTS", text)


@pytest.mark.parametrize("text", ["a@b, c@d", "a@b\nBcc: c@d", "kometa"])
def test_one_sender(text: str) -> None:
    """There is one sender, and it cannot bring in another header."""
    problem_with("SMTP_FROM", text)
    assert read("SMTP_FROM", "Kometa-AI <k@b.org>") == "Kometa-AI <k@b.org>"


def test_apprise_addresses() -> None:
    """Addresses separated by commas or white space; a comma inside of one stays."""
    settings = load_settings(
        {"APPRISE_URLS": "discord://a/b,ntfy://c\n mailto://u:p@g.com?to=a,b ,"}, required=()
    ).settings
    assert [url.get_secret_value() for url in settings.apprise_urls] == [
        "discord://a/b", "ntfy://c", "mailto://u:p@g.com?to=a,b",
    ]  # fmt: skip
    assert "hunter2" not in str(problem_with("APPRISE_URLS", "discord://a/b hunter2"))


@pytest.mark.parametrize("name", ["RADARR_API_KEY", "CLAUDE_API_KEY", "OPENAI_API_KEY", "HTTP_API_KEY"])
@pytest.mark.parametrize("text", ["hunter2 hunter2", "hunter2\nhunter2", '"hunter2"', "'hunter2'", "hünter2"])
def test_keys_fit_in_a_header(name: str, text: str) -> None:
    """A key that cannot be sent is a problem, and is not repeated."""
    problem = problem_with(name, text)
    assert "hunter2" not in str(problem)
    assert "hünter2" not in str(problem)


def test_hosts() -> None:
    """A host stands alone: the port has a variable of its own."""
    assert read("SMTP_SERVER", "mail.example.org") == "mail.example.org"
    assert read("HTTP_HOST", "[::]") == "::"
    for wrong in ("mail:25", "smtp://mail", "mail/x", "user:hunter2@mail"):
        assert "hunter2" not in str(problem_with("SMTP_SERVER", wrong))


def test_url_base() -> None:
    """A URL base has a slash before and none behind."""
    assert [read("HTTP_URL_BASE", text) for text in ("kometa-ai", "/kometa-ai/", "/a/b", "/")] == [
        "/kometa-ai", "/kometa-ai", "/a/b", "",
    ]  # fmt: skip
    for wrong in ("http://x/y", "/a b", "/a?b", "/../x", "//x"):
        problem_with("HTTP_URL_BASE", wrong)


def test_proxies() -> None:
    """Proxies are addresses and networks, also with a host's bits set; IPv4 within IPv6 is read as IPv4."""
    read_as = {
        "172.18.0.2": ["172.18.0.2/32"],
        "172.18.0.2/16, ::1,": ["172.18.0.0/16", "::1/128"],
        "::ffff:10.0.0.1": ["10.0.0.1/32"],
        "::ffff:10.1.2.3/104": ["10.0.0.0/8"],
    }
    for text, networks in read_as.items():
        assert [str(network) for network in read("TRUSTED_PROXIES", text)] == networks  # type: ignore[attr-defined]
    for wrong in ("traefik", "172.18.0.2:80", "172.18.0.0/33", "0.0.0.0/0", "::/0", "1.2.3.4,0.0.0.0/0"):
        problem_with("TRUSTED_PROXIES", wrong)


def test_names_of_the_page() -> None:
    """Names by which the page is reached are compared in lower case and have no port."""
    assert read("WEB_HOSTS", "Kometa.Example.org., nas") == ("kometa.example.org", "nas")
    for wrong in ("https://nas", "nas:7880", "a b"):
        problem_with("WEB_HOSTS", wrong)


@pytest.mark.parametrize("off", ["off", "OFF", "false", "no", "0"])
def test_no_page(off: str) -> None:
    """`off` is understood in the forms into which YAML turns it."""
    assert read("WEB_LOGIN", off) == "off"


def test_the_header_that_names_a_visitor() -> None:
    """A header's name stands alone."""
    assert read("WEB_USER_HEADER", "X-Forwarded-User") == "X-Forwarded-User"
    for wrong in ("Remote User", "Remote-User:", "naïve"):
        problem_with("WEB_USER_HEADER", wrong)


def test_a_password_may_hold_anything_that_can_be_typed() -> None:
    """Blanks, quotes and other alphabets are fine; what no field can send is refused without repeating it."""
    for fine in ("two words", 'it\'s "quoted"', "Schlüssel 🔑", "pw"):
        assert read("WEB_PASSWORD", fine).get_secret_value() == fine  # type: ignore[attr-defined]
    assert "hunter2" not in str(problem_with("WEB_PASSWORD", "hunter2\nhunter2"))


def test_quotes_are_named_as_the_cause() -> None:
    """Quotes that Docker's env files keep are named in the remedy."""
    assert "quotes" in problem_with("BATCH_SIZE", '"50"').remedy


@given(st.sampled_from(sorted(variables())), st.text(min_size=1))
def test_any_text_is_a_value_or_a_problem(name: str, text: str) -> None:
    """Whatever is in a variable, it is read, or refused in words under its name."""
    assert all(problem.source == name and problem.remedy for problem in problems_with(name, text))


@given(st.sampled_from(sorted(SECRET)), st.text())
def test_no_problem_repeats_a_secret(name: str, text: str) -> None:
    """However a secret is misspelt, what is said about it does not hold it."""
    assert "hunter2" not in str(problems_with(name, f"hunter2{text}"))
