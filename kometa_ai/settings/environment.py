"""Load the settings from the environment, or report everything that is wrong with it at once."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import structs
from pydantic import SecretStr, ValidationError

from kometa_ai.core.model import TITLES
from kometa_ai.core.naming import slug_of
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration
from kometa_ai.network.environment import read_network
from kometa_ai.observe.redact import Redactor
from kometa_ai.settings import values
from kometa_ai.settings.libraries import FIRST_RADARR, FIRST_SONARR, LibrarySettings, Place, places_in
from kometa_ai.settings.lookup import Found, Unreadable, look_up
from kometa_ai.settings.models import (
    ADDRESS_SETTINGS,
    ADDRESSES,
    KEYS,
    OF_MODELS,
    chosen_models,
    missing_keys,
    missing_model,
)
from kometa_ai.settings.schema import Beside, Settings
from kometa_ai.settings.values import Unusable, shown
from kometa_ai.settings.variables import Variable, own_variables, secret_variables, variables, variables_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from pydantic_core import ErrorDetails

    from kometa_ai.core.model import ProviderName
    from kometa_ai.settings.models import Missing

LIBRARY = "a library"
"""In `required`: both variables of at least one library, and of no library only one."""
MODEL = "a model"
"""In `required`: the name of the model that decides."""
MODEL_KEYS = "the models' keys"
"""In `required`: the keys of the providers in use."""
REQUIRED = (LIBRARY, MODEL, MODEL_KEYS)
_LIKELY_TYPO = 0.82
_SHORTEST_KEY = 16
_SHORTEST_PASSWORD = 8
_TLS_PORT, _STARTTLS_PORTS = 465, (25, 587, 2525)
_NAME_AT_THE_END = re.compile(r"\A(?P<service>RADARR|SONARR)_(?P<what>URL|API_KEY)_(?P<name>[A-Z0-9_]+)")
_NAME_GLUED_ON = re.compile(r"\A(?P<service>RADARR|SONARR)(?P<name>[0-9][A-Z0-9]*)_(?P<what>URL|API_KEY)")
_NAMES_ELSEWHERE = {
    "SMTP_HOST": "SMTP_SERVER",
    "SMTP_USER": "SMTP_USERNAME",
    "SMTP_PASS": "SMTP_PASSWORD",
    "OPENAI_API_BASE": "OPENAI_BASE_URL",
    "OLLAMA_URL": "OLLAMA_HOST",
}
_OF_OTHERS = {"OPENAI_ADMIN_KEY"}
"""Names that resemble ours and are other programs'."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, the source of each variable's value, and warnings about what was probably not meant."""

    settings: Settings
    sources: Mapping[str, str]
    warnings: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()


def load_settings(environ: Mapping[str, str], *, required: Collection[str] = REQUIRED) -> Loaded:
    """Read every setting from its variable, from the file that `<variable>_FILE` names, or from its default.

    An empty variable counts as not set. `required` names the variables that must be set: some commands need fewer.
    Raises FixConfiguration with all problems, in the order of the README, each with its variable as `source`; problems
    with proxies and certificates come first, as all connections depend on them. Likely typos follow as warnings, since
    they explain why something is missing.
    """
    known, places = variables_in(environ), places_in(environ)
    found, problems = _collect(environ, known, required)
    if LIBRARY in required:
        problems += _missing_halves(places, known, found, {problem.source for problem in problems})
    texts = {name: value.text for name, value in found.items()}
    unreadable = {problem.source for problem in problems}
    for wanted, missing in ((MODEL, missing_model), (MODEL_KEYS, missing_keys)):
        problems += _missing_for_models(missing(texts), known, unreadable) if wanted in required else ()
    around = read_network(environ, _addresses(texts, places), pushes="APPRISE_URLS" in found)
    further, wrong = _further_libraries(places, known, found)
    problems += wrong
    problems += _missing_proxies(known, found, {problem.source for problem in problems})
    try:
        settings = Settings.model_validate(
            {name: value.text for name, value in found.items() if name in variables()},
            context=Beside(around.network, further),
        )
    except ValidationError as error:
        problems += _wrong_values(error, found)
    typos = tuple(_likely_typos(environ))
    if problems or around.problems:
        order = list(known)
        problems.sort(key=lambda problem: order.index(problem.source))
        problems = [*around.problems, *problems]
        count = f"{len(problems)} settings are" if len(problems) > 1 else "One setting is"
        redact = Redactor(_secrets_in(environ, known, found)).text
        problems = [structs.replace(each, what=redact(each.what), remedy=redact(each.remedy)) for each in problems]
        raise FixConfiguration(f"{count} missing or wrong.", [*problems, *typos])
    sources = {name: found[name].source if name in found else "default" for name in known}
    warnings = (*around.warnings, *typos, *_contradictions(settings), *_overruled(settings))
    return Loaded(settings, sources, warnings, (*around.hints, *_unused(settings)))


def load_usable(environ: Mapping[str, str]) -> Settings:
    """The settings from those variables that can be used, the others left at their defaults. Of no library.

    For what has to be there before all settings are right: the log, and the page that says what is wrong.
    """
    usable: dict[str, str] = {}
    # Twice, since one that is right may need another that comes later.
    for variable in (*variables().values(), *variables().values()):
        names = (variable.name, f"{variable.name}_FILE", variable.alias, f"{variable.alias}_FILE")
        given = {name: environ[name] for name in names if name in environ}
        if given and _can_be_used({**usable, **given}):
            usable |= given
    return load_settings(usable, required=()).settings


def _can_be_used(environ: Mapping[str, str]) -> bool:
    try:
        load_settings(environ, required=())
    except FixConfiguration:
        return False
    return True


def providers_in(environ: Mapping[str, str]) -> tuple[ProviderName, ...]:
    """The providers that the variables of the models name, whatever is wrong with these or others."""
    texts: dict[str, str] = {}
    for name in OF_MODELS:
        try:
            value = _value(variables()[name], environ)
        except Unreadable:
            continue
        texts |= {name: value.text} if value else {}
    return chosen_models(texts).providers


def _addresses(texts: Mapping[str, str], places: Iterable[Place]) -> dict[str, str]:
    """The addresses that we connect to by HTTP, by their settings; those that no setting moves by whose they are."""
    found = {place.url_setting: texts.get(place.url_setting, "") for place in places}
    # An open batch is taken from Claude also while another provider is in use.
    providers = (*chosen_models(texts).providers, *(("claude",) if KEYS["claude"] in texts else ()))
    for provider in dict.fromkeys(providers):
        if setting := ADDRESS_SETTINGS.get(provider):
            found[setting] = texts.get(setting, str(Settings.model_fields[setting.lower()].default))
        else:
            found[TITLES[provider]] = ADDRESSES[provider]
    if "OLLAMA_HOST" in found:
        with suppress(Unusable):
            found["OLLAMA_HOST"] = values.ollama_url(found["OLLAMA_HOST"])
    found["AFTER_CHANGES_URL"] = texts.get("AFTER_CHANGES_URL", "")
    return {name: text for name, text in found.items() if text}


def _secrets_in(environ: Mapping[str, str], known: Mapping[str, Variable], found: Mapping[str, Found]) -> Iterator[str]:
    """All values of secret variables, even invalid ones: the same key may also be in another variable."""
    yield from (found[name].text for name, variable in known.items() if variable.secret and name in found)
    secret = secret_variables(environ)
    yield from (environ[name].strip() for name in secret if environ.get(name) and not name.endswith("_FILE"))


def _collect(
    environ: Mapping[str, str], known: Mapping[str, Variable], required: Collection[str]
) -> tuple[dict[str, Found], list[Problem]]:
    """The text of every variable that is set, and problems with those that are unreadable or missing."""
    found: dict[str, Found] = {}
    problems: list[Problem] = []
    for variable in known.values():
        try:
            value = _value(variable, environ)
        except Unreadable as error:
            problems.append(Problem(source=variable.name, what=error.what, remedy=error.remedy))
            continue
        if value:
            found[variable.name] = value
        elif variable.name in required:
            problems.append(_missing(variable))
    return found, problems


def _value(variable: Variable, environ: Mapping[str, str]) -> Found | None:
    return look_up(environ, variable.name, variable.alias)


def _missing_halves(
    places: Sequence[Place],
    known: Mapping[str, Variable],
    found: Mapping[str, Found],
    unreadable: AbstractSet[str],
) -> Iterator[Problem]:
    """A problem for each library that only one variable of two is set for, and one where there is none at all."""
    tried = found.keys() | unreadable
    begun = [place for place in places if not tried.isdisjoint(place.settings)]
    if not begun:
        yield Problem(
            source=FIRST_RADARR.url_setting,
            what=f"is not set, and neither is {FIRST_SONARR.url_setting}: there is no library.",
            remedy=f"Give {' and '.join(FIRST_RADARR.settings)}, or {' and '.join(FIRST_SONARR.settings)}.",
        )
    for place in begun:
        for name, other in zip(place.settings, reversed(place.settings), strict=True):
            if name in tried:
                continue
            missing = structs.replace(_missing(known[name]), what=f"is not set, but {other} is.")
            if place.called:
                missing = structs.replace(
                    missing,
                    what=f"is not set, but {other} is: both together name another {place.service}.",
                    remedy=f"{missing.remedy} Or take {other} away.",
                )
            yield missing


def _missing_for_models(
    needed: Iterable[Missing], known: Mapping[str, Variable], unreadable: AbstractSet[str]
) -> Iterator[Problem]:
    """A problem for each variable that the models need, unless it is set and cannot be read."""
    for each in needed:
        if each.setting not in unreadable:
            usual = _missing(known[each.setting])
            yield structs.replace(usual, what=each.what, remedy=each.remedy or usual.remedy)


def _missing_proxies(
    known: Mapping[str, Variable], found: Mapping[str, Found], unreadable: AbstractSet[str]
) -> Iterator[Problem]:
    """A problem if a proxy signs people in, and nothing says which: then no user would get in, or every one."""
    proxies = known["TRUSTED_PROXIES"]
    is_external = "WEB_LOGIN" in found and values.login(found["WEB_LOGIN"].text) == "external"
    if is_external and proxies.name not in found.keys() | unreadable:
        yield Problem(
            source=proxies.name,
            what="is not set, and WEB_LOGIN is external: nothing says which proxy signs people in.",
            remedy="Give that proxy's address or network, such as 172.18.0.2. Or set WEB_LOGIN to password.",
        )


def _further_libraries(
    places: Sequence[Place], known: Mapping[str, Variable], found: Mapping[str, Found]
) -> tuple[tuple[LibrarySettings, ...], list[Problem]]:
    """The libraries beside the first of each service, and what is wrong with their values."""
    libraries: dict[str, LibrarySettings] = {}
    problems: list[Problem] = []
    for place in places:
        if not place.called:
            continue
        read: list[str] = []
        for name, parse in zip(place.settings, (values.arr_url, values.key), strict=True):
            try:
                read += [parse(found[name].text)] if name in found else []
            except Unusable as error:
                problems.append(_unusable(known[name], found[name], error))
        if len(read) < len(place.settings):
            continue
        if twin := libraries.get(place.name):
            what = f"names the library {place.name}, as {twin.url_setting} does."
            problems.append(Problem(source=place.url_setting, what=what, remedy="Rename the variables of one of them."))
        libraries[place.name] = LibrarySettings.at(place, read[0], SecretStr(read[1]))
    return tuple(libraries.values()), problems


def _missing(variable: Variable) -> Problem:
    return Problem(
        source=variable.name,
        what="is not set.",
        remedy=f"Give {variable.form} in {variable.name}, or in a file that {variable.name}_FILE names.",
    )


def _wrong_values(error: ValidationError, found: Mapping[str, Found]) -> Iterator[Problem]:
    """One problem for each variable, without repeating a secret."""
    for details in error.errors(include_url=False):
        # Not an error of its own: its default depends on another variable, whose value is wrong.
        if details["type"] != "default_factory_not_called":
            yield _wrong_value(details, found)


def _wrong_value(details: ErrorDetails, found: Mapping[str, Found]) -> Problem:
    name = str(details["loc"][0])
    return _unusable(variables()[name], found[name], details.get("ctx", {}).get("error"))


def _unusable(variable: Variable, value: Found, cause: object) -> Problem:
    if isinstance(cause, Unusable):
        what, remedy = str(cause), cause.remedy
    else:
        what = "the value cannot be used." if variable.secret else f"{shown(value.text)} cannot be used."
        remedy = f"Give {variable.form}."
    if value.text[0] in "\"'" and value.text[0] == value.text[-1]:
        remedy += " Leave the quotes away: Docker's env files keep them as part of the value."
    if value.source != "environment":
        what += f" (It comes from {value.source}.)"
    return Problem(source=variable.name, what=what, remedy=remedy)


def _likely_typos(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Warn of variables whose names resemble one of ours, or that other programs use for the same thing."""
    known = own_variables(environ)
    for name in sorted(environ.keys() - known - _OF_OTHERS):
        meant = _NAMES_ELSEWHERE.get(name) or _further_library(name) or next(iter(_similar(name, known)), None)
        if meant:
            yield Problem(
                source=name,
                what="is not a setting and has no effect.",
                remedy=f"Did you mean {meant}?",
                severity="warning",
            )


def _further_library(name: str) -> str:
    """The variable of a further library that this would be in capitals, letters and digits, with its name inside."""
    meant = slug_of(name).replace("-", "_").upper()
    if found := _NAME_AT_THE_END.fullmatch(meant) or _NAME_GLUED_ON.fullmatch(meant):
        meant = f"{found['service']}_{found['name']}_{found['what']}"
    return meant if meant in own_variables([meant]) - own_variables([]) else ""


def _similar(name: str, known: AbstractSet[str]) -> list[str]:
    return difflib.get_close_matches(name.upper(), known, n=1, cutoff=_LIKELY_TYPO)


def _twins(libraries: Iterable[LibrarySettings]) -> Iterator[Problem]:
    by_address: dict[str, LibrarySettings] = {}
    for library in libraries:
        twin = by_address.setdefault(library.url.lower(), library)
        if twin is not library:
            yield Problem(
                source=library.url_setting,
                what=f"is the same address as {twin.url_setting}.",
                remedy="Correct it, or take one of the two libraries away.",
                severity="warning",
            )


def _contradictions(settings: Settings) -> Iterator[Problem]:
    """Settings that are valid by themselves, but have no effect together."""

    def warning(source: str, what: str, remedy: str) -> Problem:
        return Problem(source=source, what=what, remedy=remedy, severity="warning")

    yield from _twins(settings.libraries)
    if settings.notification_recipients and not settings.smtp_server:
        yield warning("NOTIFICATION_RECIPIENTS", "no e-mail is sent without a mail server.", "Set SMTP_SERVER.")
    if settings.smtp_server and not settings.notification_recipients:
        yield warning("SMTP_SERVER", "no e-mail is sent without a recipient.", "Set NOTIFICATION_RECIPIENTS.")
    if settings.smtp_username and not settings.smtp_server:
        yield warning("SMTP_USERNAME", "there is no mail server to log in to.", "Set SMTP_SERVER.")
    if settings.smtp_server and settings.smtp_security == "starttls" and settings.smtp_port == _TLS_PORT:
        yield warning(
            "SMTP_SECURITY", f"on port {_TLS_PORT} servers speak TLS from the first byte.", "Set SMTP_SECURITY to tls."
        )
    if settings.smtp_server and settings.smtp_security == "tls" and settings.smtp_port in _STARTTLS_PORTS:
        yield warning(
            "SMTP_SECURITY",
            f"on port {settings.smtp_port} servers speak no TLS before STARTTLS.",
            f"Set SMTP_SECURITY to starttls or auto, or SMTP_PORT to {_TLS_PORT}.",
        )
    if bool(settings.smtp_username) != bool(settings.smtp_password):
        yield warning("SMTP_USERNAME", "user and password only work together.", "Set SMTP_USERNAME and SMTP_PASSWORD.")
    if 0 < len(settings.http_api_key.get_secret_value()) < _SHORTEST_KEY:
        yield warning(
            "HTTP_API_KEY",
            f"the key has fewer than {_SHORTEST_KEY} characters and can be guessed.",
            "Give a longer one, or none: then one is made and kept in STATE_DIR/api_key.",
        )
    yield from _weak_sign_in(settings)


def _overruled(settings: Settings) -> Iterator[Problem]:
    """Settings of models that others overrule, or that mean nothing for the models in use."""
    given, models = settings.model_fields_set, settings.models
    if settings.llm_provider == "claude":
        pairs = (
            ("claude_model", "llm_model", models.first),
            ("claude_review_model", "llm_review_model", models.review),
        )
        for name, winner, chosen in pairs:
            if {name, winner} <= given and chosen != ("claude", getattr(settings, name)):
                yield Problem(
                    source=name.upper(),
                    what=f"has no effect: {winner.upper()} is set too, and names another model.",
                    remedy="Keep one of the two.",
                    severity="warning",
                )
    if settings.claude_batches == "on" and models.first.provider != "claude":
        yield Problem(
            source="CLAUDE_BATCHES",
            what="has no effect: the model that decides is not one of Claude's.",
            remedy="Take it away.",
            severity="warning",
        )


def _unused(settings: Settings) -> Iterator[Problem]:
    """Hints at models of Claude that stand beside another provider, as after a change of LLM_PROVIDER."""
    if settings.llm_provider != "claude":
        for name, other in (("CLAUDE_MODEL", "LLM_MODEL"), ("CLAUDE_REVIEW_MODEL", "LLM_REVIEW_MODEL")):
            if name.lower() in settings.model_fields_set:
                yield Problem(
                    source=name,
                    what=f"has no effect: LLM_PROVIDER is {settings.llm_provider}.",
                    remedy=f"Take it away, or set {other} to that name with claude/ in front.",
                    severity="hint",
                )


def _weak_sign_in(settings: Settings) -> Iterator[Problem]:
    if 0 < len(settings.web_password.get_secret_value()) < _SHORTEST_PASSWORD:
        yield Problem(
            source="WEB_PASSWORD",
            what=f"the password has fewer than {_SHORTEST_PASSWORD} characters and can be guessed.",
            remedy="Give a longer one, or none: then the API's key is the password.",
            severity="warning",
        )
