"""What a check has found, arranged into steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kometa_ai.core.item import KINDS
from kometa_ai.core.problem import Problem
from kometa_ai.jobs.checkup import Diagnosis, Named
from kometa_ai.jobs.services import Looked
from kometa_ai.kometa.checking.examination import examine_folder
from kometa_ai.web.pages.samples import SAMPLES
from kometa_ai.web.pages.steps import Place, Settled, Step, first_open, steps_of, suggested_limit

if TYPE_CHECKING:
    from pathlib import Path

    from kometa_ai.core.item import Kind

SETTLED = Settled(
    "/state",
    "/kometa",
    (Place("Radarr", "http://r", ("RADARR_URL", "RADARR_API_KEY")), Place("Radarr 4K", "http://k", ())),
    {"claude": "Claude"},
)
OK = tuple(Looked(service=name, status="ok", detail="6.1") for name in ("Radarr", "Radarr 4K", "Claude"))


def diagnosis(**found: object) -> Diagnosis:
    """A diagnosis in which all is well, but for what is given."""
    well = {
        "exit_code": 0,
        "collections": (Named("Noir", "movie"),),
        "disabled": (),
        "skipped": (),
        "problems": (),
        "warnings": (),
        "hints": (),
        "services": OK,
    }
    return Diagnosis(**{**well, **found})  # type: ignore[arg-type]


def about(source: str, severity: str = "error") -> Problem:
    """A problem with that."""
    return Problem(what="wrong.", remedy="Mend it.", source=source, severity=severity)  # type: ignore[arg-type]


def by_id(steps: tuple[Step, ...]) -> dict[str, Step]:
    """The steps by their ids."""
    return {step.id: step for step in steps}


def test_each_step_comes_before_those_that_need_it() -> None:
    """The state folder first, every library, the model, Kometa's folder last; with all well none is open."""
    steps = steps_of(diagnosis(), SETTLED)

    assert [step.name for step in steps] == ["State folder", "Radarr", "Radarr 4K", "Claude", "Kometa's folder"]
    assert {step.status for step in steps} == {"good"}
    assert steps[-1].said == "1 collection takes part"
    assert first_open(steps) == ""


def test_each_provider_has_a_step() -> None:
    """Each has what is about its models and its own settings; the first also what is about all models."""
    settled = SETTLED._replace(providers={"ollama": "Ollama", "claude": "Claude"})
    looked = (*OK, Looked(service="Ollama", status="ok", detail="qwen3:14b"))
    told = tuple(map(about, ("LLM_MODEL", "OLLAMA_HOST", "Claude", "OPENAI_API_KEY")))

    steps = steps_of(diagnosis(services=looked, problems=told), settled)
    shown = {step.name: [each.source for each in step.problems] for step in steps if step.problems}

    assert [step.name for step in steps_of(None, settled)][-3:] == ["Ollama", "Claude", "Kometa's folder"]
    assert shown == {"Settings": ["OPENAI_API_KEY"], "Ollama": ["LLM_MODEL", "OLLAMA_HOST"], "Claude": [""]}


def test_before_the_first_look_nothing_is_claimed() -> None:
    """All steps are named, and none is said to be in order."""
    assert {step.status for step in steps_of(None, SETTLED)} == {"unknown"}


@pytest.mark.parametrize(
    ("source", "severity", "step", "status"),
    [
        ("STATE_DIR", "error", "state-folder", "error"),
        ("RADARR_URL", "warning", "radarr", "warning"),
        ("Radarr 4K", "warning", "radarr-4k", "warning"),
        ("Claude", "warning", "claude", "warning"),
        ("movies.yml", "error", "kometa-s-folder", "warning"),
        ("CONFIG_DIR", "warning", "kometa-s-folder", "warning"),
        ("SMTP_PORT", "warning", "settings", "warning"),
        ("https_proxy", "warning", "settings", "warning"),
        ("HTTP_API_KEY", "hint", "settings", "good"),
        ("SMTP_PORT", "error", "settings", "error"),
    ],
)
def test_a_problem_stands_at_the_step_that_it_is_about(source: str, severity: str, step: str, status: str) -> None:
    """By its source: a variable, a service, a file; and nowhere else."""
    found = about(source, severity)
    where = {"error": "problems", "warning": "warnings", "hint": "hints"}[severity]

    steps = by_id(steps_of(diagnosis(**{where: (found,)}), SETTLED))

    assert steps[step].status == status
    shown = {each.id: (*each.problems, *each.hints) for each in steps.values()}
    assert [name for name, told in shown.items() if told] == [step]
    assert shown[step][0].source == ("" if source in ("Claude", "Radarr 4K") else source)


def test_a_service_can_be_silent_or_useless() -> None:
    """One that does not answer is no fault; one that refuses is."""
    refusing = Looked(service="Claude", status="unusable", detail="refuses", warnings=(about("Claude", "warning"),))
    silent = Looked(service="Radarr", status="silent", detail="no answer within 5 s.")
    steps = by_id(steps_of(diagnosis(services=(silent, OK[1], refusing), warnings=refusing.warnings), SETTLED))

    assert (steps["radarr"].status, steps["radarr"].detail) == ("silent", "no answer within 5 s.")
    assert (steps["claude"].status, [each.severity for each in steps["claude"].problems]) == ("error", ["error"])
    assert first_open(tuple(steps.values())) == "claude"


def test_without_settings_the_services_are_not_looked_at() -> None:
    """What is missing stands first, at the step that it is about; what was not looked at is not said to be in order."""
    found = diagnosis(
        services=(),
        not_looked_at=("Radarr", "Claude"),
        problems=tuple(map(about, ("CLAUDE_API_KEY", "RADARR_API_KEY", "BATCH_SIZE"))),
    )
    steps = by_id(steps_of(found, SETTLED))

    assert steps["settings"].said == "missing or wrong"
    assert [each.source for each in steps["settings"].problems] == ["BATCH_SIZE"]
    assert [each.source for each in steps["claude"].problems] == ["CLAUDE_API_KEY"]
    assert [each.source for each in steps["radarr"].problems] == ["RADARR_API_KEY"]
    assert (steps["radarr"].status, steps["radarr-4k"].status, steps["claude"].status) == (
        "error",
        "unknown",
        "error",
    )


def test_a_changed_file_wants_a_restart() -> None:
    """A key in a file that is another by now counts from the next start on."""
    steps = steps_of(diagnosis(), SETTLED, ("CLAUDE_API_KEY",))

    assert (steps[0].id, steps[0].status) == ("settings", "warning")
    assert "Restart" in steps[0].problems[0].remedy


def test_what_comes_of_kometas_folder() -> None:
    """No block is something to do; only broken ones are a fault; what is switched off is counted."""
    nothing = steps_of(diagnosis(collections=(), warnings=(about("CONFIG_DIR", "warning"),)), SETTLED)[-1]
    broken = steps_of(diagnosis(collections=(), problems=(about("a.yml"),), skipped=(Named("A", None),)), SETTLED)[-1]
    off = steps_of(diagnosis(collections=(), disabled=(Named("A", "movie"),)), SETTLED)[-1]
    mixed = steps_of(
        diagnosis(problems=(about("a.yml"),), warnings=(about("b.yml", "warning"),), disabled=(Named("A", "movie"),)),
        SETTLED,
    )[-1]

    assert (nothing.status, nothing.problems) == ("todo", ())
    assert broken.status == "error"
    assert off.status == "todo"
    assert mixed.said == "1 collection takes part, 1 problem, 1 warning, 1 switched off"


@pytest.mark.parametrize(
    ("cost", "most", "limit"),
    [(0.88, 0, 1.5), (0.0, 0, 0.5), (None, 0, 0.5), (10.0, 0, 15.0), (10.0, 2.5, 2.5), (1.0, 50, 1.5)],
)
def test_a_dry_run_may_spend_half_as_much_again(cost: float | None, most: float, limit: float) -> None:
    """In half dollars, at least one of them, and never more than the settings allow."""
    assert suggested_limit(cost, most) == limit


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_samples_are_right(kind: Kind, tmp_path: Path) -> None:
    """What is offered to be copied is a collection of that kind, and nothing is wrong with it."""
    (tmp_path / "movies.yml").write_text(SAMPLES[kind], encoding="utf-8")
    folder = examine_folder(tmp_path, services=frozenset(KINDS))

    assert [collection.kind for collection in folder.collections] == [kind]
    assert (folder.problems, folder.skipped) == ((), ())
