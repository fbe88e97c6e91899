"""What the daemon says of a state that somebody has damaged while it lives, before a run repairs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kometa_ai.daemon import heartbeat
from kometa_ai.state import files
from kometa_ai.state.loading import SNAPSHOT
from kometa_ai.state.schema import CHOICES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.daemon.living import Beside
    from tests.run.world import World


def cut(path: Path) -> None:
    """Leave half of its first line."""
    path.write_bytes(path.read_bytes()[:50])


def spoil_an_item(path: Path) -> None:
    """Spoil what only those read who want items."""
    path.write_bytes(path.read_bytes().replace(b'"collections":{"noir"', b'"collections":{"noir', 1))


def lose(path: Path) -> None:
    """Delete it; its backups stay."""
    path.unlink()


async def health(here: Beside) -> tuple[int, dict[str, Any]]:
    """Status code and body."""
    answer = await here.bare.get("/health")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("damage", [cut, spoil_an_item, lose])
async def test_damage_is_told_until_a_run_has_repaired_it(
    here: Beside, world: World, damage: Callable[[Path], None]
) -> None:
    """`/health`, the status and the heartbeat say what is damaged and what to do; no restart is asked for."""
    await here.run()
    await here.run()
    before = await health(here)
    damage(world.state_dir / SNAPSHOT)
    refused = await here.client.get("/api/v1/collections")  # reads the items
    damaged = await health(here)
    status = (await here.client.get("/api/v1/status")).json()
    await here.daemon.pulse.beat()
    details = heartbeat.details(world.state_dir)
    await here.run()
    after = await health(here)
    await here.daemon.pulse.beat()

    assert (before[0], before[1]["state"], before[1]["problem"]) == (200, "ok", None)
    assert refused.status_code == 503
    assert (damaged[0], damaged[1]["status"], damaged[1]["state"]) == (200, "OK", "damaged")
    assert SNAPSHOT in damaged[1]["problem"]
    assert "Start a run" in damaged[1]["problem"]
    assert status["problem"] == damaged[1]["problem"] == details["note"]
    assert details["problem"] == ""
    assert (after[0], after[1]["state"], after[1]["problem"]) == (200, "ok", None)
    assert heartbeat.details(world.state_dir)["note"] == ""


def newer(path: Path) -> None:
    """Put a state there that a newer program has written."""
    path.write_bytes(path.read_bytes().replace(b'"state_format_version":2', b'"state_format_version":3', 1))


def link(path: Path) -> None:
    """Put a link to it in its place."""
    elsewhere = path.rename(path.with_name("elsewhere"))
    path.symlink_to(elsewhere)


@pytest.mark.parametrize(("hinder", "word"), [(newer, "newer version"), (link, "Links are not followed")])
async def test_a_state_that_no_run_could_read_makes_the_daemon_ill(
    here: Beside, world: World, hinder: Callable[[Path], None], word: str
) -> None:
    """Before the next run finds it out: 503, and what to do."""
    await here.run()
    path = world.state_dir / SNAPSHOT
    whole = path.read_bytes()
    hinder(path)
    code, found = await health(here)
    await here.daemon.pulse.beat()
    details = heartbeat.details(world.state_dir)
    path.unlink()
    files.replace(path, whole)

    assert (code, found["status"], found["state"]) == (503, "Error", "cannot be read")
    assert word in found["problem"]
    assert details["problem"] == found["problem"]
    assert (await health(here))[1]["state"] == "ok"


async def pinned_twice(here: Beside) -> Path:
    """Make two pins, so that there is a backup; return the file's place."""
    for number in (1007, 1008):
        answer = await here.client.put(f"/api/v1/pins/noir/movie:{number}", json={"include": True})
        assert answer.is_success, answer.text
    return here.daemon.settings.state_dir / CHOICES


async def test_damaged_choices_are_told_until_a_run_has_restored_them(here: Beside) -> None:
    """From a backup there is something lost, maybe; without one no run begins, and the daemon is ill."""
    await here.run()
    place = await pinned_twice(here)
    place.write_bytes(b"{")
    damaged = await health(here)
    await here.run()
    after = await health(here)
    for each in (place, *files.backups(place)):
        each.write_bytes(b"{")
    ill = await health(here)

    assert (damaged[0], damaged[1]["state"]) == (200, "damaged")
    assert "restored from choices.json.bak1" in damaged[1]["problem"]
    assert (after[0], after[1]["state"], after[1]["problem"]) == (200, "ok", None)
    assert (ill[0], ill[1]["state"]) == (503, "cannot be read")
    assert "no good backup" in ill[1]["problem"]
