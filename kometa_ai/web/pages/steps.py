"""Arrange what a check has found into steps, in the order in which each needs those before it. Pure."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from kometa_ai.core.problem import Problem
from kometa_ai.core.summary import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kometa_ai.core.model import ProviderName
    from kometa_ai.jobs.checkup import Diagnosis
    from kometa_ai.jobs.services import Looked

Status = Literal["good", "error", "warning", "silent", "todo", "unknown"]

_VARIABLE = re.compile(r"\A[A-Z][A-Z0-9_]*\Z|\A[a-z_]+_proxy\Z")
_OF_MODELS = "LLM_"
_HALF = 0.5


class Step(NamedTuple):
    """One thing to be in order. `said` is how it was found in few words, `detail` says more where there is more.

    `hints` are worth a look and stop nothing.
    """

    id: str
    name: str
    status: Status
    said: str
    problems: tuple[Problem, ...] = ()
    hints: tuple[Problem, ...] = ()
    detail: str = ""

    @property
    def is_in_order(self) -> bool:
        """Whether nothing has to be done here."""
        return self.status == "good"


class Place(NamedTuple):
    """A library of the settings: its title, its address and the variables that name it."""

    title: str
    address: str
    variables: tuple[str, ...]


class Settled(NamedTuple):
    """What the settings say about the steps before anything was looked at. `providers` have their titles."""

    state_dir: str
    config_dir: str
    places: tuple[Place, ...]
    providers: Mapping[ProviderName, str]


def steps_of(found: Diagnosis | None, settled: Settled, restart_for: Sequence[str] = ()) -> tuple[Step, ...]:
    """The steps, the state folder first and Kometa's folder last. Without a diagnosis nothing was looked at yet."""
    if found is None:
        titles = (*(place.title for place in settled.places), *settled.providers.values())
        names = ("State folder", *titles, "Kometa's folder")
        return tuple(Step(_id_of(name), name, "unknown", "not looked at yet") for name in names)
    told = _Told(found)
    looked = {each.service: each for each in found.services}
    state = told.about("STATE_DIR")
    libraries = [
        _service(place.title, told.about(place.title, *place.variables), looked.get(place.title))
        for place in settled.places
    ]
    models = [
        _service(title, told.about_provider(provider, title), looked.get(title))
        for provider, title in settled.providers.items()
    ]
    of_settings = (*_to_restart(restart_for), *told.about_variables("CONFIG_DIR"))
    folder = _folder(found, told)
    first = (_settings(of_settings, wrong=bool(found.not_looked_at)),) if of_settings else ()
    return (*first, _state(settled.state_dir, state), *libraries, *models, folder)


def first_open(steps: Iterable[Step]) -> str:
    """The id of the first step that has to be mended, else of the first that is worth a look; empty if all are good."""
    rest = [step for step in steps if not step.is_in_order]
    return next((step.id for step in (*filter(is_hindrance, rest), *rest)), "")


def is_hindrance(step: Step) -> bool:
    """Whether the operator has to do something before a run makes sense."""
    return step.status in ("error", "todo")


def suggested_limit(cost: float | None, most: float) -> float:
    """What a dry run might be allowed to spend, in USD: half as much again as the forecast, in half dollars.

    `most` is the limit of the settings, 0 if there is none.
    """
    wanted = max(_HALF, math.ceil((cost or 0.0) * (1 + _HALF) / _HALF) * _HALF)
    return min(wanted, most) if most else wanted


class _Told:
    """The problems, warnings and hints of a diagnosis, each given to the first step that asks for it."""

    def __init__(self, found: Diagnosis) -> None:
        self._left = [*found.problems, *found.warnings, *found.hints]

    def about(self, *sources: str) -> tuple[Problem, ...]:
        return self._taken([each for each in self._left if each.source in sources])

    def about_provider(self, provider: ProviderName, title: str) -> tuple[Problem, ...]:
        """Those about its models, its settings, and the settings of all models."""
        of_it = (f"{provider.upper()}_", _OF_MODELS)
        return self._taken([each for each in self._left if each.source == title or each.source.startswith(of_it)])

    def about_variables(self, *but: str) -> tuple[Problem, ...]:
        """Those about variables of the environment; what is left after them is about files."""
        return self._taken([each for each in self._left if _VARIABLE.match(each.source) and each.source not in but])

    def rest(self) -> tuple[Problem, ...]:
        return self._taken(list(self._left))

    def _taken(self, wanted: list[Problem]) -> tuple[Problem, ...]:
        self._left = [each for each in self._left if each not in wanted]
        return tuple(wanted)


def _state(folder: str, told: Sequence[Problem]) -> Step:
    if told:
        return _step("State folder", "error", "cannot be written", told)
    return Step("state-folder", "State folder", "good", f"{folder} can be written")


def _settings(told: Sequence[Problem], *, wrong: bool) -> Step:
    said = "missing or wrong" if wrong else "worth a look"
    if any(each.severity == "error" for each in told):
        return _step("Settings", "error", said, told)
    worst: Status = "warning" if any(each.severity == "warning" for each in told) else "good"
    return _step("Settings", worst, said, told)


def _to_restart(variables: Sequence[str]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            source=name,
            what="has changed since the program was started, which still uses the old value.",
            remedy="Restart the program to use the new one.",
            severity="warning",
        )
        for name in variables
    )


def _service(title: str, told: Sequence[Problem], looked: Looked | None) -> Step:
    # The step's name says already whom they are about.
    told = [msgspec.structs.replace(each, source="") if each.source == title else each for each in told]
    if looked is None:
        if any(each.severity == "error" for each in told):
            return _step(title, "error", "its settings are missing or wrong", told)
        return _step(title, "unknown", "the settings come first", told)
    match looked.status:
        case "ok":
            return _step(title, "warning" if told else "good", looked.detail, told)
        case "unusable":
            told = [msgspec.structs.replace(each, severity="error") for each in told]
            return _step(title, "error", "cannot be used", told)
        case _:
            return _step(title, "silent", "does not answer now", told)._replace(detail=looked.detail)


def _folder(found: Diagnosis, told: _Told) -> Step:
    about = told.rest()
    errors = sum(each.severity == "error" for each in about)
    warnings = sum(each.severity == "warning" for each in about)
    if not (found.collections or found.skipped or found.disabled or errors):
        # That there is none is said by the step itself.
        rest = [each for each in about if each.source != "CONFIG_DIR"]
        return _step("Kometa's folder", "todo", "no collection has a block yet", rest)
    parts = [f"{counted(len(found.collections), 'collection')} {_verb(len(found.collections))} part"]
    parts += [f"{len(found.skipped)} skipped"] if found.skipped else []
    parts += [counted(errors, "problem")] if errors else []
    parts += [counted(warnings, "warning")] if warnings else []
    parts += [f"{len(found.disabled)} switched off"] if found.disabled else []
    if found.collections:
        # What is skipped keeps the others from nothing.
        status: Status = "warning" if errors or warnings else "good"
    else:
        status = "error" if errors else "todo"
    return _step("Kometa's folder", status, ", ".join(parts), about)


def _verb(count: int) -> str:
    return "takes" if count == 1 else "take"


def _step(name: str, status: Status, said: str, told: Sequence[Problem]) -> Step:
    return Step(
        _id_of(name),
        name,
        status,
        said,
        tuple(each for each in told if each.severity != "hint"),
        tuple(each for each in told if each.severity == "hint"),
    )


def _id_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
