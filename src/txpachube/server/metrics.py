"""
The service's numbers in the form that Prometheus reads: what ``/metrics`` answers.

The numbers are counted where things happen, in plain lists and dictionaries; here they are named, when
somebody asks for them. That takes some milliseconds, in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from txpachube.server.health import Health
from txpachube.server.observe import BOUNDS, Observations
from txpachube.server.storage import counts
from txpachube.server.storage.store import Store

if TYPE_CHECKING:
    from prometheus_client.core import HistogramMetricFamily, Metric

__all__ = ["CONTENT_TYPE", "Metrics", "Sources"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The text format of Prometheus; a longer value would not fit into the buffers of old clients."""


class _Door(Protocol):
    """What is asked of a door."""

    refused: int

    @property
    def connection_count(self) -> int: ...


class _Webhooks(Protocol):
    @property
    def outcomes(self) -> Mapping[str, int]: ...

    @property
    def waiting(self) -> int: ...


class _Events(Protocol):
    published: int


@attrs.define
class Sources:
    """
    Where the numbers come from.

    Attributes:
        store: has those of the disk.
        health: has looked at the disk.
        observations: have those of the requests.
        events: have those of the subscriptions.
        webhooks: have those of the notifications; None where there are no triggers.
        doors: by name, as far as they are open.
        unseen: by reason, how many requests were left out of the request log.
    """

    store: Store
    health: Health
    observations: Observations
    events: _Events
    webhooks: _Webhooks | None = None
    doors: dict[str, _Door] = attrs.field(factory=dict)
    unseen: Callable[[], Mapping[str, int]] = dict


class Metrics:
    """
    The numbers of a service.

    Args:
        sources: where they come from.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._registry: Any = None

    def text(self) -> bytes:
        """Return all numbers in Prometheus' text format. Any thread may ask."""
        # Imported here, because most services are never asked.
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415

        if self._registry is None:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield each number with its name; what the registry asks for."""
        yield from self._requests()
        yield from self._commits()
        yield from self._state()
        yield from self._doors()

    def _requests(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        observations = self._sources.observations
        requests = CounterMetricFamily(
            "txpachube_requests", "Requests through all doors.", labels=("route", "status")
        )
        seconds = HistogramMetricFamily(
            "txpachube_request_seconds", "From a request to its answer.", labels=("route",)
        )
        by_route: dict[str, list[float]] = {}
        for (route, status), tally in sorted(observations.tallies().items()):
            requests.add_metric((route, str(status)), sum(tally[:-1]))
            before = by_route.get(route)
            by_route[route] = tally if before is None else [a + b for a, b in zip(before, tally, strict=True)]
        for route, tally in by_route.items():
            _add(seconds, (route,), BOUNDS, tally[:-1], tally[-1])
        judged = CounterMetricFamily(
            "txpachube_subscriptions_judged", "Clients that wanted to subscribe.", labels=("status",)
        )
        for status, count in sorted(dict(observations.subscriptions).items()):
            judged.add_metric((str(status),), count)
        unread = CounterMetricFamily(
            "txpachube_requests_unread",
            "Requests that were not complete or could not be read; status 0: the client was gone.",
            labels=("status",),
        )
        for status, count in sorted(dict(observations.unread).items()):
            unread.add_metric((str(status),), count)
        unseen = CounterMetricFamily(
            "txpachube_request_log_omitted", "Requests left out of the request log.", labels=("reason",)
        )
        for reason, count in sorted(self._sources.unseen().items()):
            unseen.add_metric((reason,), count)
        yield from (requests, seconds, judged, unread, unseen)

    def _commits(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415

        figures = self._sources.store.figures()
        commits = figures.commits
        sizes = HistogramMetricFamily(
            "txpachube_commit_group_size", "Pieces of work that were committed together."
        )
        _add(sizes, (), counts.SIZES, commits.sizes, commits.work)
        seconds = HistogramMetricFamily("txpachube_commit_seconds", "What a group took with its commit.")
        _add(seconds, (), counts.SECONDS, commits.times, commits.seconds)
        failed = CounterMetricFamily("txpachube_commits_failed", "Groups of which nothing was stored.")
        failed.add_metric((), commits.failed)
        calls = CounterMetricFamily(
            "txpachube_storage_calls", "Runs of storage functions that write.", labels=("function",)
        )
        spent = CounterMetricFamily(
            "txpachube_storage_seconds", "Seconds spent in those.", labels=("function",)
        )
        for name, (count, total) in sorted(dict(commits.functions).items()):
            calls.add_metric((name,), count)
            spent.add_metric((name,), total)
        folds = CounterMetricFamily("txpachube_folds", "Times that the journal was folded.")
        folds.add_metric((), figures.folds)
        folding = CounterMetricFamily("txpachube_fold_seconds", "Seconds from the begin to the end of those.")
        folding.add_metric((), figures.fold_seconds)
        yield from (sizes, seconds, failed, calls, spent, folds, folding)

    def _state(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        sources = self._sources
        figures = sources.store.figures()
        health = sources.health.state()
        about = GaugeMetricFamily("txpachube_info", "The version of the service.", labels=("version",))
        about.add_metric((metadata.version("txpachube"),), 1)
        yield about
        queues = GaugeMetricFamily(
            "txpachube_queue_length", "What waits for its turn, by where.", labels=("queue",)
        )
        queues.add_metric(("writer_next",), figures.unsent)
        queues.add_metric(("writer_batches",), figures.batches)
        queues.add_metric(("reads",), figures.reads)
        if sources.webhooks is not None:
            queues.add_metric(("webhooks",), sources.webhooks.waiting)
        yield queues
        yield _gauge("txpachube_journal_rows", "Rows that wait to be folded.", figures.journal_rows)
        yield _gauge("txpachube_ready", "Whether the service can store what comes.", int(health.ready))
        yield _gauge("txpachube_schema", "Number of the database's last schema file.", health.schema)
        disk = sources.health.disk
        if disk is not None:
            yield _gauge("txpachube_disk_free_bytes", "Room on the disk of the database.", disk.free)
            sizes = GaugeMetricFamily("txpachube_database_bytes", "Sizes of files.", labels=("file",))
            sizes.add_metric(("database",), disk.database)
            sizes.add_metric(("write_ahead_log",), disk.log)
            yield sizes
        published = CounterMetricFamily("txpachube_updates_published", "Updates told to subscribers.")
        published.add_metric((), sources.events.published)
        yield published
        if sources.webhooks is not None:
            outcomes = CounterMetricFamily(
                "txpachube_webhook_attempts", "Attempts to notify receivers.", labels=("outcome",)
            )
            for outcome, count in sorted(dict(sources.webhooks.outcomes).items()):
                outcomes.add_metric((outcome,), count)
            yield outcomes

    def _doors(self) -> Iterable[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

        connections = GaugeMetricFamily("txpachube_connections", "Open connections.", labels=("door",))
        refused = CounterMetricFamily(
            "txpachube_connections_refused", "Connections that were too many.", labels=("door",)
        )
        subscriptions = GaugeMetricFamily("txpachube_subscriptions", "Subscriptions.", labels=("door",))
        for name, door in sorted(dict(self._sources.doors).items()):
            connections.add_metric((name,), door.connection_count)
            refused.add_metric((name,), door.refused)
            count = getattr(door, "subscription_count", None)  # there are none at the doors of HTTP
            if count is not None:
                subscriptions.add_metric((name,), count)
        return (connections, refused, subscriptions)


def _gauge(name: str, text: str, value: float) -> Metric:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415

    return GaugeMetricFamily(name, text, value)


def _add(
    family: HistogramMetricFamily,
    labels: tuple[str, ...],
    bounds: Sequence[float],
    buckets: Sequence[float],
    total: float,
) -> None:
    """Add a histogram of counts that are each of one bucket, where Prometheus wants sums."""
    names = [*(f"{float(bound):g}" for bound in bounds), "+Inf"]
    family.add_metric(labels, list(zip(names, accumulate(buckets), strict=True)), total)
