"""The figures: as Prometheus wants them, each one that was asked for, and nothing made up in dashboard and alerts."""

from __future__ import annotations

import asyncio
import json
import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.daemon.living import daemon_beside
from tests.written_docs import ROOT

if TYPE_CHECKING:
    from prometheus_client import Metric

    from tests.daemon.living import Beside
    from tests.run.world import World

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
# What promtool's linter objects to, and a unit that is none of the base ones.
_NO_BASE_UNIT = re.compile(
    r"_(milliseconds|microseconds|minutes|hours|days|ms|mins?|kilobytes|megabytes|kb|mb|percent|usd_cents)(_|$)"
)


async def figures(world: World, *, runs: int) -> dict[str, Metric]:
    """What a daemon says after so many runs, by the name of the family."""
    async with daemon_beside(world) as here:
        for _ in range(runs):
            await here.run()
        text = (await here.client.get("/metrics")).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def series(families: dict[str, Metric]) -> set[str]:
    """Every name that can be asked for; a family without a sample yet has its names, too."""
    return {family.name + suffix for family in families.values() for suffix in _SUFFIXES.get(family.type, ("",))} | {
        sample.name for family in families.values() for sample in family.samples
    }


async def test_names_follow_the_conventions(world: World) -> None:
    """One prefix, a help text, counters in `_total` and nothing else, base units, labels in lower case."""
    for family in (await figures(world, runs=1)).values():
        assert re.fullmatch(r"kometa_ai_[a-z0-9_]+", family.name)
        assert family.documentation.strip()
        assert not _NO_BASE_UNIT.search(family.name)
        assert not family.name.endswith(("_total", "_bucket", "_count", "_sum", f"_{family.type}"))
        for sample in family.samples:
            assert sample.name.removeprefix(family.name) in {"", "_info", *_SUFFIXES.get(family.type, ())}
            assert all(re.fullmatch(r"[a-z_]+", label) for label in sample.labels)


async def test_everything_that_is_to_be_measured(world: World) -> None:
    """After a run each figure has a value that tells of it."""
    world.claude.latency = 0.05
    found = await figures(world, runs=1)
    values = {
        (sample.name.removeprefix("kometa_ai_"), *sample.labels.values()): sample.value
        for family in found.values()
        for sample in family.samples
    }

    assert values["runs_total", "false", "ok"] == 1 or values["runs_total", "ok", "false"] == 1
    assert values["run_duration_seconds_count",] == 1
    assert values["collection_asking_seconds_sum", "noir"] >= 0.05
    assert values["model_request_duration_seconds_count", "claude"] == 1
    assert values["model_request_duration_seconds_sum", "claude"] >= 0.05
    assert values["model_batch_duration_seconds_count",] == 0
    assert values["library_calls_total", "edit", "radarr", "202"] == 1
    assert values["model_calls_total", "complete", "claude"] == 1
    assert values["model_tokens_total", "input"] + values["model_tokens_total", "cache_write"] > 0
    assert values["model_tokens_total", "output"] > 0
    assert values["model_cost_usd_total", "noir"] > 0
    assert values["model_month_cost_usd",] == pytest.approx(values["model_cost_usd_total", "noir"])
    assert values["tag_changes_total", "noir", "added"] == 3
    assert values["collection_members", "noir"] == 3
    assert values["collection_pending", "noir"] == 0
    assert values["library_items", "radarr"] == 12
    for name in ("state_bytes", "last_success_timestamp_seconds", "next_run_timestamp_seconds"):
        assert values[name,] > 0
    assert values["process_resident_memory_bytes",] > 1 << 20


async def test_what_is_not_known_is_no_number(world: World) -> None:
    """Before the first run nothing has succeeded in 1970, and no library is empty."""
    found = await figures(world, runs=0)

    for name in ("last_success_timestamp_seconds", "last_run_timestamp_seconds"):
        assert math.isnan(found[f"kometa_ai_{name}"].samples[0].value)
    assert found["kometa_ai_library_items"].samples == []


async def test_what_a_month_has_cost(world: World) -> None:
    """Status and figures tell what all runs of a calendar month have cost, also those of other processes."""
    first, second = [await asyncio.to_thread(world.run, force_refresh=True) for _ in range(2)]
    paid = first.cost_usd + second.cost_usd
    today = [world.now]

    async def told(here: Beside) -> tuple[float, float]:
        found = re.search(
            r"^kometa_ai_model_month_cost_usd (.+)$", (await here.client.get("/metrics")).text, re.MULTILINE
        )
        assert found
        return (await here.client.get("/api/v1/status")).json()["month_cost_usd"], float(found[1])

    async with daemon_beside(world, clock=lambda: today[0]) as here:
        this_month = await told(here)
        today[0] += timedelta(days=31)
        next_month = await told(here)

    assert paid > 0
    assert this_month == pytest.approx((paid, paid))
    assert next_month == (0, 0)


@pytest.mark.parametrize("file", ["dashboard.json", "alerts.yml"])
async def test_dashboard_and_alerts_ask_for_what_there_is(world: World, file: str) -> None:
    """Every figure in the dashboard's and the alerts' expressions exists."""
    text = (ROOT / "docs" / file).read_text(encoding="utf-8")
    if file.endswith(".json"):
        expressions = [target["expr"] for panel in json.loads(text)["panels"] for target in panel.get("targets", ())]
    else:
        expressions = [rule["expr"] for group in YAML(typ="safe").load(text)["groups"] for rule in group["rules"]]
    asked = {name for expression in expressions for name in re.findall(r"kometa_ai_\w+", expression)}

    assert len(asked) >= 5
    assert asked <= series(await figures(world, runs=1))
