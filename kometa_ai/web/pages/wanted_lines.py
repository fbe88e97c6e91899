"""Write the lines for docker-compose.yml and .env that settings with a problem want, to be filled in. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kometa_ai.settings.variables import variables_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kometa_ai.core.problem import Problem
    from kometa_ai.settings.variables import Variable

_EXAMPLE = re.compile(r"such as (\S+?)(?:,|;|\Z|\s)")


class WantedLines(NamedTuple):
    """Lines below `environment:` of a compose file, and lines of the file .env beside it; either may be empty."""

    compose: str
    env: str
    names: tuple[str, ...]


def wanted_lines(problems: Sequence[Problem]) -> WantedLines:
    """The lines for the variables that the problems are about, each once; secrets go into .env."""
    names = list(dict.fromkeys(problem.source for problem in problems))
    known = variables_in(names)
    wanted = [known[name] for name in names if name in known]
    return WantedLines(
        compose="\n".join(f"      {variable.name}: {_value(variable)}" for variable in wanted),
        env="\n".join(f"{variable.name}=" for variable in wanted if variable.secret),
        names=tuple(variable.name for variable in wanted),
    )


def _value(variable: Variable) -> str:
    if variable.secret:
        return f"${{{variable.name}:?put it into .env}}"
    example = _EXAMPLE.search(variable.form)
    return example[1] if example else f"...  # {variable.form}"
