"""Runs over three libraries that die: the next one makes each of them right, and pays for nothing twice."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kometa_ai.run.watching import NullObserver, Step
from kometa_ai.standins.faults import Effect, answer, drop_after_applying
from tests.run.dying import Crash, Dying
from tests.run.libraries import Home, shows
from tests.run.world import block, movies

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp

    from kometa_ai.standins.faults import Fault

JOURNAL = "kometa_state.journal"
FILMS, SHOWS, BATCH, AT_ONCE = 18, 12, 6, 3
IN_4K = set(range(0, FILMS, 2))
NOIR, HEIST, CRIME, CHRISTMAS = set(range(0, FILMS, 3)), {1, 2, 17}, {0, 5, 11}, {3, 4}
TRUTH = {
    "radarr": {"Noir": NOIR, "Heist": HEIST, "Christmas": CHRISTMAS},
    "radarr-4k": {"Noir": NOIR & IN_4K, "Heist": HEIST & IN_4K, "Christmas": CHRISTMAS & IN_4K},
    "sonarr": {"Crime": CRIME, "Christmas": CHRISTMAS},
}
QUESTIONS = 3 * FILMS + 2 * SHOWS
OWN = ("by-hand", "kai-of-my-own")
"""Tags that belong to the user: one looks like ours."""
HAND_TAGGED = {"radarr": (1001, 1004), "radarr-4k": (1004, 1006), "sonarr": (1001, 1007)}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Eighteen films, every second also in 4K, and twelve shows; some have tags of the user's own."""
    films = movies(FILMS)
    in_4k = [films[number] for number in sorted(IN_4K)]
    with Home(tmp_path, films, in_4k, shows(SHOWS), batch_size=BATCH, max_concurrent_requests=AT_ONCE) as made:
        made.collections(block("Noir"), block("Heist"), block("Christmas"))
        made.collections(block("Crime", media="shows"), block("Christmas", media="shows"), file="shows.yml")
        for name, numbers in TRUTH["radarr"].items():
            made.believe(name, numbers)
        for name, numbers in TRUTH["sonarr"].items():
            made.believe_shows(name, numbers)
        for library, marked in HAND_TAGGED.items():
            for number in marked:
                for label in OWN:
                    made.services[library].tag_by_hand(number, label)
        yield made


def tags(home: Home) -> dict[str, dict[str, set[int]]]:
    """The members of each collection in each library."""
    return {library: {name: home.members(library, name) for name in names} for library, names in TRUTH.items()}


def check(home: Home) -> None:
    """Every library is right, no tag of the user's own was touched, and nothing is left to do."""
    assert tags(home) == TRUTH
    for library, marked in HAND_TAGGED.items():
        for label in OWN:
            assert home.services[library].members(label) == set(marked)
    for service in home.services.values():
        service.requests.clear()
    home.claude.forget()
    assert home.run().exit_code == 0
    assert (home.asked(), home.writes()) == ([], {})


def paid(home: Home) -> Counter[tuple[str, str]]:
    """How often each pair was asked about, in answers that were given."""
    return Counter(home.asked())


def untag(home: Home) -> None:
    """Take our tags away, as in a library that was never tagged."""
    for library, names in TRUTH.items():
        for name in names:
            for number in home.members(library, name):
                home.services[library].untag_by_hand(1000 + number, f"kai-{name.lower()}")


def copies(journal: bytes) -> Mapping[int, bytes]:
    """What a kill leaves at each line of a journal: the lines before it, and half of it."""
    lines = journal.splitlines(keepends=True)
    return {n: b"".join(lines[:n]) + line[: len(line) // 2] for n, line in enumerate([*lines, b""])}


@pytest.mark.parametrize("answers", [1, 5, 9, 13])
def test_a_crash_after_any_answer(home: Home, answers: int) -> None:
    """At most the requests in flight are paid for twice, whichever kind they are about."""
    with pytest.raises(BaseExceptionGroup):
        home.run(observer=Dying(answers))

    assert home.run().exit_code == 0

    asked = paid(home)
    assert len(asked) == QUESTIONS
    assert asked.total() <= QUESTIONS + AT_ONCE * BATCH
    check(home)


def test_killed_at_every_line_of_the_journal(home: Home) -> None:
    """From what any kill leaves of the journal of asking, the next run asks what is missing and nothing else."""
    with pytest.raises(BaseExceptionGroup):
        home.run(observer=Dying(13))
    left = copies((home.state_dir / JOURNAL).read_bytes())
    home.claude.forget()
    asked = []
    for kept in (left[line] for line in sorted({*range(0, len(left), 9), len(left) - 1})):
        shutil.rmtree(home.state_dir)
        home.state_dir.mkdir()
        (home.state_dir / JOURNAL).write_bytes(kept)
        untag(home)

        assert home.run().exit_code == 0

        pairs = paid(home)
        assert not pairs or max(pairs.values()) == 1
        asked.append(len(pairs))
        assert tags(home) == TRUTH
    assert asked == sorted(asked, reverse=True)
    assert asked[0] == QUESTIONS > asked[-1]
    check(home)


class Crashing(NullObserver):
    """An observer that copies the state folder before anything is written, and can die before the report is made."""

    def __init__(self, home: Home, copy: Path) -> None:
        self._home, self._copy = home, copy
        self.dies = False

    def step(self, name: str) -> None:
        """Copy once, or die."""
        if name == Step.PLANNING_TAGS and not self._copy.exists():
            shutil.copytree(self._home.state_dir, self._copy)
        if name == Step.REPORTING and self.dies:
            raise Crash


@pytest.mark.parametrize("effect", [answer(401), drop_after_applying()], ids=["refused", "made, but unheard of"])
def test_killed_at_every_write(home: Home, tmp_path: Path, effect: Effect) -> None:
    """Every library loses its n-th write and all later ones, and the process dies: the next run makes the rest."""
    observer = Crashing(home, tmp_path / "before")
    home.run(observer=observer)
    writes = home.writes()
    assert writes.keys() == TRUTH.keys()
    home.claude.forget()
    observer.dies = True
    for number in range(max(writes.values())):
        shutil.rmtree(home.state_dir)
        shutil.copytree(tmp_path / "before", home.state_dir)
        untag(home)
        for service in home.services.values():
            dead = service.faults.inject(answer(401), times=0)
            service.faults.inject(then_dead(dead, effect), method="PUT", times=None, skip=number)
        with pytest.raises(Crash):
            home.run(observer=observer)
        for service in home.services.values():
            service.faults.clear()

        assert home.run().exit_code == 0

        assert home.asked() == []
        assert tags(home) == TRUTH
    check(home)


def then_dead(dead: Fault, effect: Effect) -> Effect:
    """The effect, and from then on nothing but what a fault with no times yet answers."""

    def around(app: ASGIApp) -> ASGIApp:
        dead.times = None
        return effect.around(app)

    return Effect(around)


def test_killed_at_random_instants(home: Home) -> None:
    """A process killed with SIGKILL again and again comes to the same end, and each kill costs what was in flight."""
    dice, kills = random.Random(5), 5
    home.claude.latency = 0.15
    environ = {**os.environ, **home.environ}
    command = [sys.executable, "-m", "kometa_ai", "--run-now", "--output", "json"]
    for _ in range(kills):
        process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - ourselves
        time.sleep(dice.uniform(0.8, 4.0))
        process.kill()
        process.wait()

    ended = subprocess.run(command, env=environ, capture_output=True, timeout=120, check=False)  # noqa: S603 - ourselves

    assert ended.returncode == 0, ended.stderr
    asked = paid(home)
    assert len(asked) == QUESTIONS
    assert asked.total() <= QUESTIONS + kills * AT_ONCE * BATCH
    home.claude.latency = 0
    check(home)


PHASES = {
    "check": "/api/v3/system/status",
    "list": "/api/v3/{list}",
    "tags": "/api/v3/tag",
    "credits": "/api/v3/credit",
    "tag creation": "POST /api/v3/tag",
    "first edit": "PUT /api/v3/{list}/editor",
    "later edit": "PUT /api/v3/{list}/editor",
    "re-read": "/api/v3/{list}",
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("dying", TRUTH)
def test_a_library_that_dies_in_any_phase(home: Home, dying: str, phase: str) -> None:
    """From then on it answers nothing: the others are right, and the next run completes it without paying again."""
    service = home.services[dying]
    method, _, path = PHASES[phase].rpartition(" ")
    path = path.format(list="series" if dying == "sonarr" else "movie")
    skip = {"later edit": 1, "re-read": 1}.get(phase, 0)
    dead = service.faults.inject(answer(401), times=0)
    service.faults.inject(then_dead(dead, answer(401)), method=method or "GET", path=path, times=None, skip=skip)

    report = home.run()

    # Of a film in two Radarrs the first tells who made it, and Sonarr tells of no one.
    is_reached = phase != "credits" or dying == "radarr"
    assert report.exit_code == (1 if is_reached else 0)
    for library in TRUTH.keys() - {dying}:
        assert tags(home)[library] == TRUTH[library]
    asked = paid(home)
    service.faults.clear()
    assert home.run().exit_code == 0
    assert (asked + paid(home)).most_common(1)[0][1] == 1
    check(home)
