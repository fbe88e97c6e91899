"""Define every setting once: its variable, type, default and purpose.

A variable's name is the field's in capitals. Text that is not set is empty, never None.

Why: docs/decisions/0008-settings.md
"""

import socket
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, SecretStr

from kometa_ai.core.item import Kind
from kometa_ai.network.environment import Network
from kometa_ai.settings import values
from kometa_ai.settings.libraries import FIRST_RADARR, FIRST_SONARR, LibrarySettings
from kometa_ai.settings.lookup import STATE_DIR
from kometa_ai.settings.models import OF_MODELS, OPENAI_URL, ChosenModels, chosen_models
from kometa_ai.settings.values import Window, only_text


@dataclass(frozen=True, slots=True)
class Form:
    """What a value looks like (completes "Give …"), and whether it is a secret."""

    text: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class About:
    """What a setting does, its default in words if the value does not show it, and its alias."""

    help: str
    default: str = ""
    alias: str = ""


def _read(parse: Any) -> BeforeValidator:  # noqa: ANN401 - any of the parsers, whatever it returns
    return BeforeValidator(only_text(parse))


def _own_address() -> str:
    host = socket.gethostname()
    return f"kometa-ai@{host if host.replace('-', '').replace('.', '').isalnum() else 'localhost'}"


KEY = Form("a key", secret=True)
Key = Annotated[SecretStr, _read(values.key), KEY]
Password = Annotated[SecretStr, Form("a password", secret=True)]
TypedPassword = Annotated[SecretStr, _read(values.one_line), Form("a password on one line", secret=True)]
Line = Annotated[str, _read(values.one_line), Form("text on one line")]
Command = Annotated[str, _read(values.command), Form("a command on one line")]
Model = Annotated[str, _read(values.model), Form("the id of a model")]
AnyModel = Annotated[str, _read(values.any_model), Form("the id of a model")]
Url = Annotated[str, _read(values.http_url), Form("an address such as http://host:8080/path")]
RADARR_URL = Form("an address such as http://radarr:7878")
SONARR_URL = Form("an address such as http://sonarr:8989")
ArrUrl = Annotated[str, _read(values.arr_url)]
ClaudeUrl = Annotated[str, _read(values.claude_url), Form("an address such as https://api.anthropic.com")]
OpenAIUrl = Annotated[str, _read(values.openai_url), Form("an address such as http://llama:8080/v1")]
OllamaUrl = Annotated[str, _read(values.ollama_url), Form("an address such as http://ollama:11434")]
Host = Annotated[str, _read(values.host), Form("a host name or an IP address")]
Yes = Annotated[bool, _read(values.boolean), Form("true or false")]
Number = Annotated[int, _read(values.whole_number)]
NumberOrNone = Annotated[int | None, _read(values.whole_number)]
Words = _read(str.lower)
Address = Annotated[str, _read(values.address), Form("an e-mail address")]
Addresses = Annotated[tuple[str, ...], _read(values.addresses), Form("e-mail addresses separated by commas")]
AppriseUrls = Annotated[tuple[SecretStr, ...], _read(values.apprise_urls), Form("Apprise addresses", secret=True)]
Zone = Annotated[ZoneInfo, _read(values.time_zone), Form("an IANA time zone")]
Clock = Annotated[time, _read(values.time_of_day), Form("a time of day, HH:MM")]
Windows = Annotated[tuple[Window, ...], _read(values.windows), Form("windows such as 18:00-23:30")]
Duration = Annotated[timedelta | None, _read(values.duration), Form("a duration such as 90s, 30m, 6h or 1d")]
Patience = Annotated[timedelta | None, _read(values.patience), Form("a number of seconds, or such as 10m")]
Every = Annotated[str, _read(values.every), Form("off, or a number of days, weeks or months such as 1mo")]
Interval = Annotated[str, _read(values.interval), Form("an interval or a cron expression")]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...], _read(values.networks), Form("addresses or networks separated by commas")
]
Hosts = Annotated[tuple[str, ...], _read(values.hosts), Form("host names separated by commas")]
HeaderName = Annotated[str, _read(values.header_name), Form("the name of a header")]
UrlPath = Annotated[str, _read(values.url_path), Form("a path such as /kometa-ai")]
Folder = Annotated[Path, _read(values.one_line), Form("a folder")]


class Settings(BaseModel):
    """All settings, checked. Built by `load_settings`; `Settings(batch_size=20)` is fine in a test."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=str.upper, validate_by_name=True, hide_input_in_errors=True
    )

    radarr_url: Annotated[
        ArrUrl,
        RADARR_URL,
        About("Radarr's address; a path prefix (URL base) is kept. A Radarr or a Sonarr is required.", "none"),
    ] = ""
    radarr_api_key: Annotated[Key, About("Radarr's key: Settings, General, Security.", "none")] = SecretStr("")
    sonarr_url: Annotated[ArrUrl, SONARR_URL, About("Sonarr's address, for collections of shows.", "none")] = ""
    sonarr_api_key: Annotated[Key, About("Sonarr's key: Settings, General, Security.", "none")] = SecretStr("")

    llm_provider: Annotated[
        Literal["claude", "openai", "gemini", "openrouter", "ollama"],
        Words,
        Form("claude, openai, gemini, openrouter or ollama"),
        About(
            "Whose models decide: `claude`, `openai` (also any compatible server, by `OPENAI_BASE_URL`), `gemini`, "
            "`openrouter`, `ollama`. Only the providers in use need their settings."
        ),
    ] = "claude"
    llm_model: Annotated[
        AnyModel,
        About(
            "The model that decides. `ollama/qwen3:14b` is a model of another provider than `LLM_PROVIDER`.",
            "`CLAUDE_MODEL`; OpenAI's `gpt-6-luna`; Gemini's `gemini-3.5-flash-lite`; required for the others",
        ),
    ] = ""
    llm_review_model: Annotated[
        AnyModel,
        About(
            "The model that takes the second look at close calls; it may be another provider's.",
            "as the first; `gpt-6.1-terra` beside OpenAI's default",
        ),
    ] = ""
    claude_api_key: Annotated[
        Key,
        About("The key for Claude; `ANTHROPIC_API_KEY` is accepted too.", "required for Claude", "ANTHROPIC_API_KEY"),
    ] = SecretStr("")
    claude_model: Annotated[Model, About("The model of Claude that decides; `LLM_MODEL` wins.")] = "claude-sonnet-5-5"
    claude_review_model: Annotated[
        Model, About("Claude's model for the second look; `LLM_REVIEW_MODEL` wins.", "as `CLAUDE_MODEL`")
    ] = Field(default_factory=lambda data: data["claude_model"])
    claude_batches: Annotated[
        Literal["auto", "off", "on"],
        _read(values.on_off_auto),
        Form("auto, off or on"),
        About(
            "Anthropic's batches, half the price and slower: `auto`, `off`, `on`. "
            "`auto`: unattended runs forecast above 1 USD."
        ),
    ] = "auto"
    claude_base_url: Annotated[
        ClaudeUrl,
        About("The API's address, without `/v1`; `ANTHROPIC_BASE_URL` is accepted too.", alias="ANTHROPIC_BASE_URL"),
    ] = "https://api.anthropic.com"

    openai_api_key: Annotated[
        Key, About("The key for OpenAI, or for the server at `OPENAI_BASE_URL`.", "required for OpenAI")
    ] = SecretStr("")
    openai_base_url: Annotated[
        OpenAIUrl,
        About(
            "The address of OpenAI's API or of one like it (llama.cpp, LM Studio, vLLM, LiteLLM), with `/v1`. On a "
            "private address it needs no key and costs nothing."
        ),
    ] = OPENAI_URL
    gemini_api_key: Annotated[Key, About("The key for Gemini.", "required for Gemini")] = SecretStr("")
    openrouter_api_key: Annotated[Key, About("The key for OpenRouter.", "required for OpenRouter")] = SecretStr("")
    ollama_host: Annotated[
        OllamaUrl,
        About(
            "Ollama's address; `OLLAMA_BASE_URL` is accepted too. In a container `localhost` is the container itself.",
            alias="OLLAMA_BASE_URL",
        ),
    ] = "http://localhost:11434"
    ollama_api_key: Annotated[Key, About("A key, if Ollama wants one: at ollama.com, or behind a proxy.", "none")] = (
        SecretStr("")
    )
    ollama_context_length: Annotated[
        NumberOrNone,
        Field(ge=1024, le=10_000_000),
        Form("a number of tokens from 1024 to 10000000"),
        About("How many tokens of context Ollama gives a model.", "as many as the longest request needs"),
    ] = None

    batch_size: Annotated[
        NumberOrNone,
        Field(ge=1, le=300),
        Form("a whole number from 1 to 300"),
        About(
            "Movies or shows per request, 1 to 300; more is cheaper and less accurate.",
            "the provider's: `50`, local models `10`",
        ),
    ] = None
    collections_per_request: Annotated[
        int | Literal["auto"],
        _read(values.collections),
        Form("auto or a number from 1 to 10"),
        About(
            "How many collections one request asks about, 1 to 10. `auto`: up to 8 with hosted models, 1 with local "
            "ones."
        ),
    ] = "auto"
    max_concurrent_requests: Annotated[
        NumberOrNone,
        Field(ge=1),
        Form("a whole number, 1 or more"),
        About("Requests to a model at the same time.", "the provider's: `4`, local models `1`"),
    ] = None
    llm_timeout: Annotated[
        Patience,
        About("How long to wait for one answer: seconds, or such as `10m`.", "`10m`, local models `30m`"),
    ] = None
    max_cost_per_run: Annotated[
        Decimal,
        Field(ge=0),
        AllowInfNan(allow_inf_nan=False),
        Form("an amount in USD such as 2.50; 0 is no limit"),
        About("What a run may spend, in USD; what is left over is done by the next run. 0: no limit."),
    ] = Decimal(0)
    run_timeout: Annotated[
        Duration, About("How long a run may take, such as `6h`; progress is saved and the next run resumes.", "none")
    ] = None
    radarr_credits: Annotated[Yes, About("Read directors and cast from Radarr.")] = True
    removal_limit: Annotated[
        Number,
        Field(ge=0, le=100),
        Form("a percentage from 0 to 100"),
        About(
            "Safety brake: percent of a collection's members (and more than 5) that one run may untag while its "
            "block has not changed; more is held back and reported. 100: no limit."
        ),
    ] = 25
    addition_limit: Annotated[
        Number,
        Field(ge=0, le=1_000_000),
        Form("a percentage from 0 to 1000000"),
        About(
            "The same for additions to a collection that has members: percent of its size (and more than 20) that one "
            "run may add while its block has not changed; more is held back and reported. 1000000: no limit."
        ),
    ] = 100
    review: Annotated[
        Literal["off", "removals", "all"],
        Words,
        Form("off, removals or all"),
        About(
            "Which changes wait for a person where the verdict is within 0.1 of the threshold: `off`, `removals`, "
            "`all`. They are reported, and made after `REVIEW_DAYS` unless a person chooses otherwise."
        ),
    ] = "off"
    review_days: Annotated[
        Number,
        Field(ge=1, le=365),
        Form("a number of days from 1 to 365"),
        About("How many days such a change waits, from its verdict on."),
    ] = 7
    hand_edits: Annotated[
        Literal["pin", "correct"],
        Words,
        Form("pin or correct"),
        About(
            "What it means when a person puts a managed tag on or takes one off in Radarr or Sonarr. `pin`: it stays "
            "so, as a pin; `correct`: the next run puts it right."
        ),
    ] = "pin"

    smtp_server: Annotated[Host, About("The mail server; without one no e-mail is sent.", "none")] = ""
    smtp_port: Annotated[
        Number, Field(ge=1, le=65535), Form("a port from 1 to 65535"), About("The mail server's port.")
    ] = 25
    smtp_username: Annotated[Line, About("User at the mail server, if it wants one.", "none")] = ""
    smtp_password: Annotated[Password, About("Password at the mail server.", "none")] = SecretStr("")
    smtp_security: Annotated[
        Literal["auto", "none", "starttls", "tls"],
        Words,
        Form("auto, none, starttls or tls"),
        About("`auto`, `none`, `starttls`, `tls`. `auto`: TLS on 465, else STARTTLS where it is offered."),
    ] = "auto"
    smtp_from: Annotated[Address, About("Sender of the e-mail.", "`kometa-ai@<host>`")] = Field(
        default_factory=_own_address
    )
    notification_recipients: Annotated[Addresses, About("Who gets the e-mail, separated by commas.", "none")] = ()
    apprise_urls: Annotated[
        AppriseUrls, About("Where else to report: any service Apprise knows, separated by commas.", "none")
    ] = ()
    notify_on: Annotated[
        Literal["always", "changes", "problems"],
        Words,
        Form("always, changes or problems"),
        About("When to report: `always`, `changes`, `problems`; a standing problem daily."),
    ] = "always"

    schedule_interval: Annotated[
        Interval, About("How often: `30m`, `6h`, `1d`, `2d`, `1w`, `1mo`, or a five-field cron expression.")
    ] = "1d"
    schedule_start_time: Annotated[Clock, About("The time of day an interval counts from, `HH:MM`.")] = time(3)
    audit_interval: Annotated[
        Every,
        About(
            "How often a nightly run also asks again about a sample of decisions and about all pins, and reports what "
            "differs: `1mo`, `2w`, `10d`.",
            "off",
        ),
    ] = ""
    schedule_blackout: Annotated[
        Windows, About("No run starts inside, such as `18:00-23:30,02:00-03:00`.", "none")
    ] = ()
    tz: Annotated[Zone, About("Time zone, an IANA name such as `Europe/Berlin`.")] = ZoneInfo("UTC")

    after_changes_command: Annotated[
        Command,
        About(
            "Run when tags have changed, given the collections' names as `A|B`, "
            "as Kometa's `--run-collections` takes them.",
            "none",
        ),
    ] = ""
    after_changes_url: Annotated[Url, About("Called when tags have changed, given the same names.", "none")] = ""

    http_host: Annotated[Host, About("Address the HTTP server listens on.", "`127.0.0.1`; `0.0.0.0` in the image")] = (
        "127.0.0.1"
    )
    http_port: Annotated[
        Number, Field(ge=0, le=65535), Form("a port from 0 to 65535"), About("Its port. 0: no HTTP server.")
    ] = 7880
    http_api_key: Annotated[Key, About("The key its callers need.", "generated, kept in `STATE_DIR/api_key`")] = (
        SecretStr("")
    )
    http_url_base: Annotated[UrlPath, About("Its path prefix behind a proxy, such as `/kometa-ai`.", "none")] = ""

    web_login: Annotated[
        Literal["password", "external", "local", "off"],
        _read(values.login),
        Form("password, external, local or off"),
        About(
            "Who sees the page. `password`: who has signed in; `external`: who comes through `TRUSTED_PROXIES`, which "
            "have asked already; `local`: who comes from a private address; others sign in. `off`: only the API."
        ),
    ] = "password"
    web_password: Annotated[TypedPassword, About("The page's password.", "the API's key")] = SecretStr("")
    trusted_proxies: Annotated[
        Networks,
        About(
            "The reverse proxies in front, as addresses or networks separated by commas: what they add is believed.",
            "none",
        ),
    ] = ()
    web_user_header: Annotated[
        HeaderName, About("The header in which they name who has signed in. It only says who chose what.")
    ] = "Remote-User"
    web_hosts: Annotated[
        Hosts,
        About(
            "Further names by which the page may be reached, separated by commas; `local` answers to local names only.",
            "none",
        ),
    ] = ()

    config_dir: Annotated[Folder, About("Kometa's folder; it is only ever read.")] = Path("/app/kometa-config")
    state_dir: Annotated[Folder, About("Where decisions are kept.")] = Path(STATE_DIR)
    log_dir: Annotated[Folder, About("Where `kometa-ai.log` is written.")] = Path("/app/logs")
    debug_logging: Annotated[Yes, About("Log every detail.")] = False
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Words,
        Form("auto, json or console"),
        About(
            "Form of the log on stderr: `auto`, `json`, `console`. `auto`: console on a terminal, else JSON. "
            "The file is always JSON."
        ),
    ] = "auto"

    _network: Network = PrivateAttr(default_factory=Network)
    _further: tuple[LibrarySettings, ...] = PrivateAttr(default=())

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - as pydantic has it
        """Take what has no field from the validation context."""
        if isinstance(context, Beside):
            self._network, self._further = context.network, context.libraries

    @property
    def libraries(self) -> tuple[LibrarySettings, ...]:
        """Every library: Radarr, further ones by name, Sonarr, further ones by name."""
        firsts = (
            LibrarySettings.at(place, url, key)
            for place, url, key in (
                (FIRST_RADARR, self.radarr_url, self.radarr_api_key),
                (FIRST_SONARR, self.sonarr_url, self.sonarr_api_key),
            )
            if url and key.get_secret_value()
        )
        # A first one's name is the beginning of those of its service.
        return tuple(sorted((*firsts, *self._further), key=lambda library: (library.service, library.name)))

    @property
    def kinds(self) -> frozenset[Kind]:
        """What the libraries hold."""
        return frozenset(library.kind for library in self.libraries)

    @property
    def models(self) -> ChosenModels:
        """The models of both looks, and with them the providers in use."""
        texts = {name: str(getattr(self, name.lower())) for name in OF_MODELS if name.lower() in self.model_fields_set}
        return chosen_models({"CLAUDE_MODEL": self.claude_model, **texts})

    @property
    def network(self) -> Network:
        """How to reach other hosts: the environment's proxies and certificate authorities."""
        return self._network


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to the settings and has no field: how to reach others, and libraries of the user's own names."""

    network: Network
    libraries: tuple[LibrarySettings, ...] = ()
