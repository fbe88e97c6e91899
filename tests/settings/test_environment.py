"""Where a value comes from, and the problem if it cannot be read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kometa_ai.errors import FixConfiguration
from kometa_ai.settings.environment import REQUIRED, load_settings
from kometa_ai.settings.variables import variables

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from kometa_ai.core.problem import Problem

ENOUGH = {"RADARR_URL": "http://radarr:7878", "RADARR_API_KEY": "radarr-key", "CLAUDE_API_KEY": "claude-key"}


def problems_of(environ: Mapping[str, str], required: Collection[str] = REQUIRED) -> tuple[Problem, ...]:
    """Everything that is wrong with an environment."""
    with pytest.raises(FixConfiguration) as raised:
        load_settings(environ, required=required)
    return raised.value.problems


def test_three_variables_are_enough() -> None:
    """Radarr's address and the two keys start the program, without a warning."""
    loaded = load_settings(ENOUGH | {"PATH": "/bin", "HOME": "/root", "HOSTNAME": "x", "LANG": "C.UTF-8"})
    assert loaded.settings.radarr_url == "http://radarr:7878"
    assert loaded.settings.claude_api_key.get_secret_value() == "claude-key"
    assert loaded.warnings == ()
    assert (loaded.sources["RADARR_URL"], loaded.sources["BATCH_SIZE"]) == ("environment", "default")


def test_everything_missing_is_named_at_once() -> None:
    """What must be set and is not is a problem of its own, in the order of the README."""
    problems = problems_of({})
    assert [problem.source for problem in problems] == ["RADARR_URL", "CLAUDE_API_KEY"]
    assert "RADARR_URL and RADARR_API_KEY, or SONARR_URL and SONARR_API_KEY" in problems[0].remedy
    assert all(problem.source in problem.remedy for problem in problems)


def test_missing_and_wrong_are_reported_together() -> None:
    """One start tells everything: what is missing, what is wrong, and which file cannot be read."""
    environ = {
        "RADARR_URL": "radarr", "BATCH_SIZE": "0", "TZ": "Nowhere", "CLAUDE_MODEL": "a b",
        "SMTP_PASSWORD_FILE": "/nowhere", "CLAUDE_API_KEY": "key",
    }  # fmt: skip
    names = [problem.source for problem in problems_of(environ)]
    assert names == ["RADARR_URL", "RADARR_API_KEY", "CLAUDE_MODEL", "BATCH_SIZE", "SMTP_PASSWORD", "TZ"]


def test_the_message_counts() -> None:
    """The error says how many settings are wrong, and leaves with the code for wrong configuration."""
    with pytest.raises(FixConfiguration, match="2 settings are missing or wrong") as raised:
        load_settings(ENOUGH | {"BATCH_SIZE": "x", "HTTP_PORT": "x"})
    assert raised.value.exit_code == 2
    assert raised.value.remedy == "Correct them and start again."
    with pytest.raises(FixConfiguration, match="One setting is") as raised:
        load_settings(ENOUGH | {"BATCH_SIZE": "x", "RADAR_URL": "http://misspelt"})
    assert raised.value.remedy == "Correct it and start again."


def test_a_command_may_ask_for_less() -> None:
    """Without `required` nothing must be set, but what is set must be right."""
    settings = load_settings({}, required=()).settings
    assert (settings.radarr_url, settings.radarr_api_key.get_secret_value()) == ("", "")
    assert [problem.source for problem in problems_of({"BATCH_SIZE": "x"}, ())] == ["BATCH_SIZE"]


@pytest.mark.parametrize("empty", ["", "  ", "\n"])
def test_empty_is_not_set(empty: str) -> None:
    """An empty variable is as good as none, as Compose leaves them."""
    loaded = load_settings(ENOUGH | {"BATCH_SIZE": empty, "TZ": empty, "SMTP_PASSWORD_FILE": empty})
    assert loaded.settings.batch_size is None
    assert [problem.source for problem in problems_of(ENOUGH | {"RADARR_URL": empty})] == ["RADARR_URL"]


@pytest.mark.parametrize("name", sorted(variables()))
def test_every_variable_has_a_file(name: str, tmp_path: Path) -> None:
    """`X_FILE` gives the same as `X`, for every variable, with a line break at the end of the file or without."""
    texts = {"APPRISE_URLS": "ntfy://topic", "TZ": "Europe/Berlin", "SCHEDULE_START_TIME": "04:00", "RUN_TIMEOUT": "6h"}
    texts |= dict.fromkeys(("SMTP_FROM", "NOTIFICATION_RECIPIENTS"), "a@b.org")
    texts |= dict.fromkeys(("BATCH_SIZE", "RADARR_CREDITS", "DEBUG_LOGGING"), "1")
    texts |= {"SCHEDULE_BLACKOUT": "18:00-20:00", "NOTIFY_ON": "changes", "SCHEDULE_INTERVAL": "2d", "REVIEW": "all"}
    texts |= {"HAND_EDITS": "correct", "AUDIT_INTERVAL": "1mo", "WEB_LOGIN": "local", "TRUSTED_PROXIES": "10.0.0.0/8"}
    texts |= dict.fromkeys(("CLAUDE_BATCHES", "SMTP_SECURITY", "LOG_FORMAT"), "auto")
    urls = ("RADARR_URL", "SONARR_URL", "CLAUDE_BASE_URL", "OPENAI_BASE_URL", "OLLAMA_HOST", "AFTER_CHANGES_URL")
    texts |= {
        **dict.fromkeys(urls, "http://host:1/x"),
        "LLM_PROVIDER": "openai",
        "COLLECTIONS_PER_REQUEST": "2",
        "OLLAMA_CONTEXT_LENGTH": "8192",
    }
    text = texts.get(name, "12")
    file = tmp_path / "secret"
    file.write_text(f"{text}\n", encoding="utf-8")
    loaded = load_settings({f"{name}_FILE": str(file)}, required=(name,))
    assert loaded.settings == load_settings({name: text}, required=(name,)).settings
    assert loaded.sources[name] == f"file {file}"
    assert loaded.warnings == load_settings({name: text}, required=(name,)).warnings


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    """A file saved by Notepad gives the key that it shows."""
    file = tmp_path / "secret"
    file.write_bytes(b"\xef\xbb\xbfhunter2\r\n")
    settings = load_settings(ENOUGH | {"SMTP_PASSWORD_FILE": str(file)}).settings
    assert settings.smtp_password.get_secret_value() == "hunter2"


@pytest.mark.parametrize(
    "content",
    [b"", b" \n", b"\xff\xfehunter2", b"hunter2\0", b"hunter2" * 20_000],
    ids=["empty", "blank", "latin", "nul", "large"],
)
def test_a_file_without_a_value(content: bytes, tmp_path: Path) -> None:
    """An empty, binary or huge file is a problem that names variable and file, and repeats nothing of it."""
    file = tmp_path / "secret"
    file.write_bytes(content)
    (problem,) = problems_of(ENOUGH | {"HTTP_API_KEY_FILE": str(file)})
    assert problem.source == "HTTP_API_KEY"
    assert "HTTP_API_KEY_FILE" in problem.what
    assert "secret" in problem.what
    assert "hunter2" not in str(problem)


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, a missing file and a pipe without a writer are problems, and none blocks the program."""
    os.mkfifo(tmp_path / "pipe")
    paths = (tmp_path, tmp_path / "missing", tmp_path / "pipe", "/dev/zero", "/nowhere\0", "x" * 5000)
    for path in paths:
        (problem,) = problems_of(ENOUGH | {"HTTP_API_KEY_FILE": str(path)})
        assert problem.source == "HTTP_API_KEY"


def test_a_key_in_place_of_its_file() -> None:
    """Who gives the key itself as the name of its file does not find it in the problem."""
    (problem,) = problems_of(ENOUGH | {"HTTP_API_KEY_FILE": "hunter2"})
    assert "HTTP_API_KEY_FILE" in problem.what
    assert "hunter2" not in str(problem)


def test_variable_and_file_together(tmp_path: Path) -> None:
    """Both at once is a problem: which of the two is meant cannot be told."""
    (problem,) = problems_of(ENOUGH | {"CLAUDE_API_KEY_FILE": str(tmp_path / "x")})
    assert problem.source == "CLAUDE_API_KEY"
    assert "claude-key" not in str(problem)


def test_a_wrong_value_from_a_file_names_the_file(tmp_path: Path) -> None:
    """Who wrote the value into a file is told which."""
    file = tmp_path / "size"
    file.write_text("many", encoding="utf-8")
    (problem,) = problems_of(ENOUGH | {"BATCH_SIZE_FILE": str(file)})
    assert str(file) in problem.what


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("CLAUDE_API_KEY", "ANTHROPIC_API_KEY"),
        ("CLAUDE_BASE_URL", "ANTHROPIC_BASE_URL"),
        ("OLLAMA_HOST", "OLLAMA_BASE_URL"),
    ],
)
def test_aliases(name: str, alias: str, tmp_path: Path) -> None:
    """The name Anthropic's own tools use is accepted, from a file too; ours wins over it."""
    field = variables()[name].field
    value, other = "https://one.example", "https://two.example"
    required = [required for required in REQUIRED if required != name]
    environ = {key: text for key, text in ENOUGH.items() if key != name}
    direct = load_settings(environ | {alias: value}, required=[*required, name])
    assert direct.sources[name] == f"alias {alias}"
    file = tmp_path / "x"
    file.write_text(value, encoding="utf-8")
    by_file = load_settings(environ | {f"{alias}_FILE": str(file)}, required=[*required, name])
    assert getattr(by_file.settings, field) == getattr(direct.settings, field)
    both = load_settings(environ | {alias: other, f"{name}_FILE": str(file)})
    assert getattr(both.settings, field) == getattr(direct.settings, field)
    assert both.sources[name] == f"file {file}"


def test_a_wrong_alias_is_reported_under_our_name() -> None:
    """The problem carries our name and says where the value came from."""
    (problem,) = problems_of(ENOUGH | {"ANTHROPIC_BASE_URL": "https://x/v1"})
    assert problem.source == "CLAUDE_BASE_URL"
    assert "ANTHROPIC_BASE_URL" in problem.what


def test_bytes_that_are_not_text() -> None:
    """A variable that is not UTF-8 is a problem, not a crash later on."""
    (problem,) = problems_of(ENOUGH | {"SMTP_PASSWORD": os.fsdecode(b"hunter2\xff")})
    assert problem.source == "SMTP_PASSWORD"
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("typo", "meant"),
    [
        ("RADARR_APIKEY", "RADARR_API_KEY"),
        ("CLAUDE_MODLE", "CLAUDE_MODEL"),
        ("NOTIFICATION_RECIPIENT", "NOTIFICATION_RECIPIENTS"),
        ("batch_size", "BATCH_SIZE"),
        ("CLAUDE_APIKEY_FILE", "CLAUDE_API_KEY_FILE"),
        ("LLM_MODLE", "LLM_MODEL"),
        ("OPENAI_APIKEY", "OPENAI_API_KEY"),
        ("OPENAI_API_BASE", "OPENAI_BASE_URL"),
        ("OLLAMA_URL", "OLLAMA_HOST"),
        ("SMTP_HOST", "SMTP_SERVER"),
        ("SMTP_USER", "SMTP_USERNAME"),
    ],
)
def test_typos(typo: str, meant: str) -> None:
    """A name that is almost one of ours is a warning that names ours, and never what was in it."""
    (warning,) = load_settings(ENOUGH | {typo: "hunter2"}).warnings
    assert (warning.source, warning.severity) == (typo, "warning")
    assert meant in warning.remedy
    assert "hunter2" not in str(warning)


def test_a_typo_explains_what_is_missing() -> None:
    """When a variable is missing, its misspelt form is told with it, but not counted as another problem."""
    with pytest.raises(FixConfiguration, match="2 settings are") as raised:
        load_settings({"RADARR_URL": "http://radarr", "RADARR_APIKEY": "hunter2"})
    told = [(problem.source, problem.severity) for problem in raised.value.problems]
    assert told == [("RADARR_API_KEY", "error"), ("CLAUDE_API_KEY", "error"), ("RADARR_APIKEY", "warning")]


@pytest.mark.parametrize(
    "name",
    [
        "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "NO_PROXY", "STATE_DIRECTORY", "LOGS_DIRECTORY", "LOG_LEVEL",
        "LOG_FILE", "RADARR_PORT", "RADARR_SERVICE_HOST", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_DIRS", "KOMETA_CONFIG",
        "TERM", "PATH", "ANTHROPIC_LOG", "CLAUDE_CODE_ENTRYPOINT", "PYTHONPATH", "PUID", "TMPDIR",
        "ANTHROPIC_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS",
        "OPENAI_LOG", "OPENAI_WEBHOOK_SECRET", "OLLAMA_MODELS", "OLLAMA_KEEP_ALIVE", "OLLAMA_ORIGINS", "OLLAMA_DEBUG",
        "OLLAMA_NUM_PARALLEL", "OLLAMA_MAX_QUEUE", "OLLAMA_LOAD_TIMEOUT", "GOOGLE_API_KEY", "GEMINI_MODEL",
        "OPENAI_API_KEY", "OPENROUTER_BASE_URL",
    ],
)  # fmt: skip
def test_other_programs_variables_are_no_typos(name: str) -> None:
    """Variables that others own are left in peace."""
    assert load_settings(ENOUGH | {name: "x"}).warnings == ()


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({"NOTIFICATION_RECIPIENTS": "a@b"}, "NOTIFICATION_RECIPIENTS"),
        ({"SMTP_SERVER": "mail"}, "SMTP_SERVER"),
        ({"SMTP_SERVER": "mail", "NOTIFICATION_RECIPIENTS": "a@b", "SMTP_PASSWORD": "x"}, "SMTP_USERNAME"),
    ],
)
def test_settings_without_effect(environ: dict[str, str], source: str) -> None:
    """Settings that do nothing without another one are a warning."""
    assert [warning.source for warning in load_settings(ENOUGH | environ).warnings] == [source]


def test_importing_the_settings_is_light() -> None:
    """Reading the settings brings in neither Anthropic's SDK nor an HTTP client: the health check has no time."""
    heavy = "{'anthropic', 'httpx2', 'structlog', 'rich', 'starlette'}"
    code = f"import sys, kometa_ai.settings.environment, kometa_ai.settings.describe; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "set()"


SECRET = "correct-Horse7battery"


@pytest.mark.parametrize("name", [name for name, variable in variables().items() if name != "CONFIG_DIR"])
def test_a_secret_in_the_wrong_variable_is_not_repeated(name: str) -> None:
    """A password or key that was put into any variable by mistake is in no problem, known as a secret or not."""
    told: list[str] = []
    for environ in ({name: SECRET}, {name: SECRET, "SMTP_PASSWORD": SECRET}, {name: "sk-ant-api03-" + SECRET}):
        try:
            told.append(str(load_settings(ENOUGH | environ).warnings))
        except FixConfiguration as error:
            told.append(f"{error} {error.problems}")

    assert [text for text in told if SECRET in text] == []


@pytest.mark.parametrize("key", ["/abc+def/ghi==", "/0123456789abcdef", "abc", "./relative"])
def test_a_key_where_a_path_is_wanted_is_not_repeated(key: str) -> None:
    """Who puts the key itself into X_FILE does not read it in the answer, also where it begins with a slash."""
    with pytest.raises(FixConfiguration) as error:
        load_settings({**ENOUGH, "RADARR_API_KEY": "", "RADARR_API_KEY_FILE": key})

    (problem,) = error.value.problems
    assert key not in problem.what
    assert "RADARR_API_KEY_FILE" in problem.what


def test_a_short_key_of_the_api_is_a_warning() -> None:
    """A key that can be guessed is told of, a long one is not."""
    short = load_settings(ENOUGH | {"HTTP_API_KEY": "fifteen-letters"}).warnings
    long = load_settings(ENOUGH | {"HTTP_API_KEY": "sixteen-letters."}).warnings

    assert [warning.source for warning in short] == ["HTTP_API_KEY"]
    assert long == ()


@pytest.mark.parametrize("required", [REQUIRED, ()])
def test_somebody_else_signs_in_but_who(required: Collection[str]) -> None:
    """WEB_LOGIN=external without its proxy is a problem that says what to set; with another mistake both are told."""
    problems = problems_of(ENOUGH | {"WEB_LOGIN": "External", "BATCH_SIZE": "x"}, required)
    (unreadable,) = problems_of(ENOUGH | {"WEB_LOGIN": "external", "TRUSTED_PROXIES_FILE": "/nowhere"}, required)

    assert [problem.source for problem in problems] == ["BATCH_SIZE", "TRUSTED_PROXIES"]
    assert "172.18.0.2" in problems[1].remedy
    assert unreadable.source == "TRUSTED_PROXIES"
    assert load_settings(ENOUGH | {"WEB_LOGIN": "external", "TRUSTED_PROXIES": "10.0.0.1"}).warnings == ()


def test_a_password_that_can_be_guessed() -> None:
    """A short password is used, with a warning that does not repeat it."""
    loaded = load_settings(ENOUGH | {"WEB_PASSWORD": "qxz4"})

    assert loaded.settings.web_password.get_secret_value() == "qxz4"
    assert [warning.source for warning in loaded.warnings] == ["WEB_PASSWORD"]
    assert "qxz4" not in str(loaded.warnings)
