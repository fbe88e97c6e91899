"""Write the lines for docker-compose.yml and .env, or a shell, that settings with a problem want. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.settings.libraries import places_in
from kometa_ai.settings.variables import variables_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from kometa_ai.core.problem import Problem
    from kometa_ai.settings.variables import Variable

_CONTAINER = re.compile(r"(?<=//)[a-z]+(?=:)")
_EXAMPLE = re.compile(r"such as (\S+?)(?:,|;|\Z|\s)")


class WantedLines(NamedTuple):
    """Lines below `environment:` of a compose file, of the file .env beside it, and for a shell; all may be empty."""

    compose: str
    env: str
    shell: str
    names: tuple[str, ...]


def wanted_lines(problems: Sequence[Problem], given: AbstractSet[str] = frozenset()) -> WantedLines:
    """The lines for the variables that the problems are about, each once; secrets go into .env.

    Of a library both are wanted, also where its address alone is told of, unless one is among those `given`.
    """
    named = list(dict.fromkeys(problem.source for problem in problems))
    keys = {place.url_setting: place.key_setting for place in places_in(named) if given.isdisjoint(place.settings)}
    names = list(dict.fromkeys(each for name in named for each in (name, keys.get(name, name))))
    known = variables_in(names)
    wanted = [known[name] for name in names if name in known]
    return WantedLines(
        compose="\n".join(f"      {variable.name}: {_value(variable)}" for variable in wanted),
        env="\n".join(f"{variable.name}=" for variable in wanted if variable.secret),
        shell="\n".join(f"export {variable.name}={_value_here(variable)}" for variable in wanted),
        names=tuple(variable.name for variable in wanted),
    )


def _value(variable: Variable) -> str:
    if variable.secret:
        return f"${{{variable.name}:?put it into .env}}"
    example = _EXAMPLE.search(variable.form)
    return example[1] if example else f"...  # {variable.form}"


def _value_here(variable: Variable) -> str:
    """Its value without a container, where none is called radarr."""
    return "..." if variable.secret else _CONTAINER.sub("localhost", _value(variable))
