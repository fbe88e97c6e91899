"""Count for Prometheus: counters since the daemon started, gauges from the state as it is now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from kometa_ai.__version__ import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kometa_ai.daemon.overview import Overview
    from kometa_ai.daemon.runs import Ended
    from kometa_ai.jobs.session import Traffic

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_REQUESTS = (0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 600)
_BATCHES = (60, 300, 900, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600, 24 * 3600)
_DURATIONS = (1, 5, 15, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)

disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each, without use here


class Metrics:
    """The daemon's own registry; all names begin with `kometa_ai_`."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"kometa_ai_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"kometa_ai_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Sequence[float]) -> Histogram:
            return Histogram(f"kometa_ai_{name}", text, buckets=buckets, registry=registry)

        ProcessCollector(namespace="kometa_ai", registry=registry)
        Info("kometa_ai_build", "The program.", registry=registry).info({"version": __version__})
        self._runs = counter("runs", "Runs that have ended.", "outcome", "dry_run")
        self._duration = histogram("run_duration_seconds", "How long runs took.", _DURATIONS)
        self._asking = Summary(
            "kometa_ai_collection_asking_seconds",
            "How long runs have asked about a collection: the times of its requests, which run side by side, added up.",
            ("collection",),
            registry=registry,
        )
        self._requests = Histogram(
            "kometa_ai_model_request_duration_seconds",
            "How long requests to a model took, each about some movies or shows.",
            ("provider",),
            buckets=_REQUESTS,
            registry=registry,
        )
        self._batches = histogram(
            "model_batch_duration_seconds", "How long Anthropic's Message Batches took, from end to end.", _BATCHES
        )
        self._library_calls = counter("library_calls", "Calls to Radarr and Sonarr.", "library", "kind", "outcome")
        self._model = counter("model_calls", "Requests to models.", "provider", "outcome")
        self._tokens = counter("model_tokens", "Tokens of answered requests.", "kind")
        self._cost = counter("model_cost_usd", "What answered requests cost, in USD.", "collection")
        self._month = gauge(
            "model_month_cost_usd",
            "What all runs of this calendar month have cost so far, in USD.",
        )
        self._verdicts = counter("verdicts", "Verdicts received.", "collection")
        self._tags = counter("tag_changes", "Tag changes, done or held back.", "collection", "operation")
        self._problems = counter("problems", "Problems that runs have reported.", "source")
        self._members = gauge("collection_members", "Movies or shows in a collection.", "collection")
        self._pending = gauge("collection_pending", "Questions that wait for the next run.", "collection")
        self._items = gauge("library_items", "Movies or shows in a library.", "library")
        self._success = gauge("last_success_timestamp_seconds", "When a run last succeeded completely.")
        self._ended = gauge("last_run_timestamp_seconds", "When a run last ended.")
        self._next = gauge("next_run_timestamp_seconds", "When the next run is due.")
        self._running = gauge("run_in_progress", "1 while a run is on.")
        self._up = gauge("service_up", "1 for a service that could be used when last tried.", "service")
        self._state = gauge("state_bytes", "Size of the state on the disk.")
        self._undelivered = gauge("undelivered_reports", "Reports that have not reached every receiver yet.")

    def count(self, ended: Ended) -> None:
        """Add a run that has ended."""
        report, traffic = ended
        self._runs.labels(report.outcome, str(report.dry_run).lower()).inc()
        self._duration.observe(max(0.0, (report.finished - report.started).total_seconds()))
        self._count_calls(traffic)
        for kind in ("input", "cache_write", "cache_read", "output"):
            self._tokens.labels(kind).inc(getattr(report.tokens, kind))
        for problem in report.problems:
            # Not the source itself: it may be any file, and each would be a series of its own.
            self._problems.labels("collection" if problem.collection else "run").inc()
        for collection in report.collections:
            if collection.seconds:
                self._asking.labels(collection.key).observe(collection.seconds)
            self._cost.labels(collection.key).inc(collection.cost_usd)
            self._verdicts.labels(collection.key).inc(collection.asked)
            if not report.dry_run:
                self._tags.labels(collection.key, "added").inc(len(collection.added))
                self._tags.labels(collection.key, "removed").inc(len(collection.removed))
                self._tags.labels(collection.key, "held_back").inc(len(collection.held_back))

    def _count_calls(self, traffic: Traffic) -> None:
        for library, calls in traffic.library_calls.items():
            for (kind, outcome), count in calls.items():
                self._library_calls.labels(library, kind, outcome).inc(count)
        for provider, outcomes in traffic.model_calls.items():
            for outcome, count in outcomes.items():
                self._model.labels(provider, outcome).inc(count)
        for provider, times in traffic.request_seconds.items():
            for seconds in times:
                self._requests.labels(provider).observe(seconds)
        for seconds in traffic.batch_seconds.values():
            self._batches.observe(max(0.0, seconds))

    def render(
        self,
        overview: Overview,
        *,
        month_cost: float,
        next_run: datetime | None,
        is_running: bool,
        services: dict[str, bool],
        state_bytes: int,
        undelivered: int,
    ) -> bytes:
        """Everything in the text format."""
        # A collection that is gone must not leave its last value behind.
        self._members.clear()
        self._pending.clear()
        for key, status in overview.collections.items():
            self._members.labels(key).set(status.members)
            self._pending.labels(key).set(status.pending)
        self._items.clear()
        for name, library in overview.libraries.items():
            self._items.labels(name).set(library.count)
        self._month.set(month_cost)
        self._success.set(_moment(overview.last_successful_run))
        self._ended.set(_moment(overview.runs[-1].finished if overview.runs else None))
        self._next.set(_moment(next_run))
        self._running.set(is_running)
        self._state.set(state_bytes)
        self._undelivered.set(undelivered)
        for service, is_up in services.items():
            self._up.labels(service).set(is_up)
        return generate_latest(self._registry)


def _moment(at: datetime | None) -> float:
    """A moment for Prometheus. What has not been yet is no number: 0 would be 1970, and raise an alert at once."""
    return at.timestamp() if at else math.nan
