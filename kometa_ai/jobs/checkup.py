"""Check everything that a run depends on: settings, folders, Kometa's files, libraries and models; write nothing."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING, Literal

import msgspec

from kometa_ai.core.collection import Folder
from kometa_ai.core.item import KINDS, Kind
from kometa_ai.core.model import TITLES
from kometa_ai.core.problem import Problem
from kometa_ai.errors import FixConfiguration, RepairState
from kometa_ai.jobs.services import Looked
from kometa_ai.kometa.checking.examination import examine_folder
from kometa_ai.kometa.checking.excerpts import Excerpts
from kometa_ai.kometa.checking.kometa_log import about_version
from kometa_ai.kometa.checking.plex_libraries import OurLibrary
from kometa_ai.kometa.folder import as_other
from kometa_ai.notification import push
from kometa_ai.notification.after_changes import about_left_out
from kometa_ai.observe.redact import Redactor
from kometa_ai.run.libraries import misnamed, unknown_names
from kometa_ai.run.orphans import adopted_tags
from kometa_ai.settings.describe import secrets_of
from kometa_ai.settings.environment import load_settings, providers_in
from kometa_ai.settings.libraries import places_in
from kometa_ai.settings.schema import Settings
from kometa_ai.settings.variables import secret_variables
from kometa_ai.state import files
from kometa_ai.state.choices import ChoicesFile
from kometa_ai.state.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kometa_ai.core.collection import Collection
    from kometa_ai.core.naming import CollectionKey
    from kometa_ai.settings.libraries import LibrarySettings
    from kometa_ai.state.schema import CollectionStatus

_WRONG = 2


class Named(msgspec.Struct, frozen=True):
    """A collection by its name, and the kind that it is of where that is known."""

    name: str
    kind: Kind | None


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. `services` is empty where the settings cannot be used; then `not_looked_at` names them."""

    exit_code: int
    collections: tuple[Named, ...]
    disabled: tuple[Named, ...]
    skipped: tuple[Named, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    hints: tuple[Problem, ...]
    services: tuple[Looked, ...] = ()
    not_looked_at: tuple[str, ...] = ()


def check_up(
    environ: Mapping[str, str], look_around: Callable[[Sequence[Collection]], tuple[Looked, ...]]
) -> Diagnosis:
    """Check everything. `look_around` looks at the services; it is called only if the settings can be used.

    The exit code is 2 for problems, 1 for warnings only, or for a service that does not answer now.
    """
    found = _Found()
    settings = found.check_settings(environ)
    config_dir = settings.config_dir if settings else _config_dir(environ)
    redact = Redactor(secrets_of(settings) if settings else _secrets_in(environ)).text
    present = Presenter(config_dir, redact)
    folder = found.check_folder(config_dir, settings) if config_dir is not None else Folder()
    services: tuple[Looked, ...] = ()
    if settings:
        found.check_against(folder, settings)
        folder = _without_unnamed(folder, settings.libraries)
        services = look_around(folder.collections)
    found.warnings += folder.warnings
    found.warnings += [warning for looked in services for warning in looked.warnings]
    found.problems += folder.problems
    return Diagnosis(
        exit_code=_WRONG if found.problems else 1 if found.warnings or any(map(_is_silent, services)) else 0,
        collections=tuple(Named(each.name, each.kind) for each in folder.collections),
        disabled=tuple(Named(each.name, each.kind) for each in folder.disabled),
        skipped=tuple(Named(each.name, each.kind) for each in folder.skipped),
        problems=present(found.problems),
        warnings=present(found.warnings),
        hints=present([*found.hints, *folder.hints]),
        services=tuple(msgspec.structs.replace(looked, detail=redact(looked.detail)) for looked in services),
        not_looked_at=() if settings else tuple(_unlooked(environ)),
    )


def _is_silent(looked: Looked) -> bool:
    return looked.status == "silent"


class _Found:
    """What a check has found so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.hints: list[Problem] = []
        self._known: Mapping[CollectionKey, CollectionStatus] = {}

    def check_settings(self, environ: Mapping[str, str]) -> Settings | None:
        """Check the settings and the places that they name; return them if they can be used."""
        try:
            loaded = load_settings(environ)
        except FixConfiguration as error:
            self.problems += error.problems
            return None
        settings = loaded.settings
        self.warnings += loaded.warnings
        self.hints += loaded.hints
        self.problems += _unwritable(settings.state_dir, "STATE_DIR", "No run can keep what it has paid for", "error")
        self._read_state(settings.state_dir)
        self.warnings += _unwritable(settings.log_dir, "LOG_DIR", "No log is kept", "warning")
        self.warnings += _missing_program(settings.after_changes_command, environ)
        self.warnings += push.unreadable(settings)
        return settings

    def check_folder(self, config_dir: Path, settings: Settings | None) -> Folder:
        """Check Kometa's folder, and return what is in it."""
        try:
            # Where the settings cannot be used, it is not known which libraries there are to be.
            services = settings.kinds if settings else frozenset(KINDS)
            folder = examine_folder(config_dir, addresses=addresses_of(settings), services=services)
        except FixConfiguration as error:
            self.problems += error.problems
            return Folder()
        if folder.collections:
            self.warnings += about_version(config_dir)
        return folder

    def _read_state(self, folder: Path) -> None:
        """Read what each run begins with: where that fails, no run can begin."""
        if not folder.is_dir():
            return
        try:
            self._known = Store.load(folder, read_only=True).state.collections
            ChoicesFile(folder).read()
        except RepairState as error:
            self.problems.append(Problem(source="STATE_DIR", what=error.message, remedy=error.remedy))

    def check_against(self, folder: Folder, settings: Settings) -> None:
        """Check the collections against the settings and the state."""
        if settings.after_changes_command or settings.after_changes_url:
            left_out = list(about_left_out(folder.collections))
            self.warnings += [problem for problem in left_out if problem.severity == "warning"]
            self.hints += [problem for problem in left_out if problem.severity == "hint"]
        self.warnings += adopted_tags(folder, self._known)
        self.problems += misnamed(folder.collections, settings.libraries)


def addresses_of(settings: Settings | None) -> dict[Kind, list[OurLibrary]]:
    """The libraries of each kind, to be compared with Kometa's."""
    found: dict[Kind, list[OurLibrary]] = {}
    for each in settings.libraries if settings else ():
        found.setdefault(each.kind, []).append(OurLibrary(each.name, each.url_setting, each.url))
    return found


def _without_unnamed(folder: Folder, libraries: Sequence[LibrarySettings]) -> Folder:
    """The folder as a run takes it: a collection whose block names a library that there is not is skipped."""
    out = [each for each in folder.collections if unknown_names(each, libraries)]
    return msgspec.structs.replace(
        folder,
        collections=tuple(each for each in folder.collections if each not in out),
        skipped=(*folder.skipped, *map(as_other, out)),
    )


def _unlooked(environ: Mapping[str, str]) -> Iterator[str]:
    """The titles of the services that the settings are about, whatever is wrong with them."""
    given = {name.removesuffix("_FILE") for name, value in environ.items() if value.strip()}
    yield from (place.title for place in places_in(environ) if not given.isdisjoint(place.settings))
    yield from (TITLES[provider] for provider in providers_in(environ))


def _config_dir(environ: Mapping[str, str]) -> Path | None:
    """Kometa's folder even where other settings are wrong."""
    wanted = {name: value for name, value in environ.items() if name.startswith("CONFIG_DIR")}
    try:
        return load_settings(wanted, required=()).settings.config_dir
    except FixConfiguration:
        return None


def _unwritable(folder: Path, setting: str, so: str, severity: Literal["error", "warning"]) -> Iterator[Problem]:
    """A problem where the folder cannot be written, or cannot be made, with what to do about the reason."""
    error = files.hindrance(folder)
    if error:
        yield Problem(
            source=setting,
            what=f"{str(folder)!r} cannot be written: {error.strerror}. {so}.",
            remedy=f"{files.remedy_for(error, setting)} Or set {setting} to another folder.",
            severity=severity,
        )


def _missing_program(command: str, environ: Mapping[str, str]) -> Iterator[Problem]:
    """A warning where the program that is to run after changes is not there."""
    program = next(iter(shlex.split(command)), "")
    if program and shutil.which(program, path=environ.get("PATH")) is None:
        yield Problem(
            source="AFTER_CHANGES_COMMAND",
            what=f"the program {program!r} is not there, or this user may not run it. Kometa is not told of changes.",
            remedy="Write its whole path. A container sees only programs of its own image and of mounted folders; "
            "AFTER_CHANGES_URL reaches others.",
            severity="warning",
        )


def _secrets_in(environ: Mapping[str, str]) -> Iterator[str]:
    """The secrets of settings that cannot be used as a whole."""
    secret = secret_variables(environ)
    yield from (environ[name] for name in secret if environ.get(name) and not name.endswith("_FILE"))


class Presenter:
    """Makes problems fit to be shown: with the lines they are about, and without any secret."""

    def __init__(self, root: Path | None, redact: Callable[[str], str]) -> None:
        self._excerpts = Excerpts(root, redact) if root else None
        self._redact = redact

    def __call__(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems as they may be shown."""
        return tuple(map(self._present, problems))

    def _present(self, problem: Problem) -> Problem:
        if self._excerpts:
            problem = self._excerpts.added_to(problem)
        return msgspec.structs.replace(problem, what=self._redact(problem.what), remedy=self._redact(problem.remedy))
