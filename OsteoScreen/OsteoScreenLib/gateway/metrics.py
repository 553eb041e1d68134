"""What a gateway counts, in Prometheus' form."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from OsteoScreenLib.errors import InputError
from OsteoScreenLib.gateway.ledger import Ledger
from OsteoScreenLib.gateway.spool import Spool

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_SECONDS = (0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600)


class Metrics:
    """Counters of one gateway, and gauges that look at its queue and its disk when they are asked.

    Raises `InputError` when prometheus-client is not installed.
    """

    def __init__(self, ledger: Ledger, spool: Spool) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ModuleNotFoundError as error:
            raise InputError(
                "The gateway needs the package prometheus-client; install it with 'pip install osteoscreen[gateway]'.",
                "packages",
            ) from error
        self.registry = CollectorRegistry(auto_describe=True)
        self.arrivals = Counter(
            "osteoscreen_arrivals",
            "Objects that were offered, by what became of them",
            ["origin", "outcome"],
            registry=self.registry,
        )
        self.associations = Counter(
            "osteoscreen_associations", "Associations, by how they went", ["outcome"], registry=self.registry
        )
        self.analyses = Counter("osteoscreen_analyses", "Analyses, by how they ended", ["outcome"], registry=self.registry)
        self.deliveries = Counter(
            "osteoscreen_deliveries",
            "Attempts to send a case's results, by how they ended",
            ["outcome"],
            registry=self.registry,
        )
        self.objects_sent = Counter(
            "osteoscreen_objects_sent", "Result objects that the destination took", registry=self.registry
        )
        self.web_refusals = Counter("osteoscreen_http_refused", "HTTP requests without the right token", registry=self.registry)
        self.analysis_seconds = Histogram(
            "osteoscreen_analysis_seconds", "Duration of an analysis", buckets=_SECONDS, registry=self.registry
        )
        self.turnaround_seconds = Histogram(
            "osteoscreen_turnaround_seconds",
            "From arrival until all results were taken",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Queue(ledger, spool))

    def text(self) -> bytes:
        """The page for Prometheus."""
        from prometheus_client import generate_latest

        return bytes(generate_latest(self.registry))


class _Queue:
    """A collector in prometheus-client's sense: what is in the queue at this moment."""

    def __init__(self, ledger: Ledger, spool: Spool) -> None:
        self._ledger, self._spool, self._began = ledger, spool, time.time()

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        cases = GaugeMetricFamily("osteoscreen_cases", "Cases of the queue in each state", labels=["state"])
        for state, count in self._ledger.counts().items():
            cases.add_metric([state], count)
        yield cases
        yield GaugeMetricFamily(
            "osteoscreen_oldest_waiting_seconds", "Age of the case that has waited longest", value=self._ledger.oldest_waiting()
        )
        yield GaugeMetricFamily("osteoscreen_disk_free_bytes", "Free space of the queue's disk", value=self._spool.free_bytes())
        yield GaugeMetricFamily("osteoscreen_start_time_seconds", "When this process began, since 1970", value=self._began)
