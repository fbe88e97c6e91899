"""List the variables of the settings, with those of further libraries, and write values as users write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from functools import cache
from typing import TYPE_CHECKING

from kometa_ai.settings.libraries import Place, places_in
from kometa_ai.settings.schema import KEY, RADARR_URL, SONARR_URL, About, Form, Settings
from kometa_ai.settings.values import Window

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting as the operator sees it."""

    name: str
    field: str
    help: str
    form: str
    secret: bool
    default: str
    alias: str


@cache
def variables() -> dict[str, Variable]:
    """Every variable by its name, in the order of the README."""
    return {variable.name: variable for variable in map(_variable, Settings.model_fields)}


FURTHER_LIBRARIES = (
    "`RADARR_<NAME>_URL`, `RADARR_<NAME>_API_KEY`, `SONARR_<NAME>_URL`, `SONARR_<NAME>_API_KEY`",
    "none",
    "Further ones, such as `RADARR_4K_URL` and `RADARR_4K_API_KEY` for the library `radarr-4k`.",
)
"""The variables of further libraries with their default and what they are for, as the docs show them."""


def variables_in(names: Iterable[str]) -> dict[str, Variable]:
    """Every variable by its name, those of the further libraries among `names` included: each after its service's."""
    found: dict[str, Variable] = {}
    places = places_in(names)
    for variable in variables().values():
        found[variable.name] = variable
        for place in places:
            if place.called and variable.name == Place(place.service).key_setting:
                found |= {each.name: each for each in _variables_of(place)}
    return found


def _variables_of(place: Place) -> tuple[Variable, Variable]:
    url = RADARR_URL if place.kind == "movie" else SONARR_URL
    about = f"{place.title}'s address.", f"{place.title}'s key."
    return (
        Variable(place.url_setting, "", about[0], url.text, url.secret, "none", ""),
        Variable(place.key_setting, "", about[1], KEY.text, KEY.secret, "none", ""),
    )


def own_variables(names: Iterable[str]) -> frozenset[str]:
    """All names that are ours: of variables, aliases, further libraries among `names`, each with its `_FILE` form."""
    return _forms(variables_in(names).values())


def secret_variables(names: Iterable[str] = ()) -> frozenset[str]:
    """The names among them that may hold a secret."""
    return _forms(variable for variable in variables_in(names).values() if variable.secret)


def _forms(wanted: Iterable[Variable]) -> frozenset[str]:
    names = {name for variable in wanted for name in (variable.name, variable.alias)}
    return frozenset(form for name in names - {""} for form in (name, f"{name}_FILE"))


def _variable(field: str) -> Variable:
    info = Settings.model_fields[field]
    (form,) = (mark for mark in info.metadata if isinstance(mark, Form))
    (about,) = (mark for mark in info.metadata if isinstance(mark, About))
    return Variable(
        name=field.upper(),
        field=field,
        help=about.help,
        form=form.text,
        secret=form.secret,
        default=about.default or f"`{as_text(info.default)}`",
        alias=about.alias,
    )


def as_text(value: object) -> str:
    """A value as the user would write it into its variable."""
    match value:
        case bool():
            text = str(value).lower()
        case time():
            text = f"{value:%H:%M}"
        case timedelta():
            text = _duration_text(int(value.total_seconds()))
        case tuple() if not isinstance(value, Window):
            text = ",".join(map(as_text, value))
        case _:
            text = "" if value is None else str(value)
    return text


def _duration_text(seconds: int) -> str:
    """A duration in the largest unit that divides it."""
    unit, size = next(
        (unit, size) for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)) if seconds % size == 0
    )
    return f"{seconds // size}{unit}"
