"""Figures: how subscribers are served, in Prometheus' words: none can die silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from citytwin.batch import SECOND_NS
from citytwin_hub.apis.ngsild.broker import Broker, Tenant

FAILING: Final = "failing"
"""What an active subscription is called whose last notification failed."""


class Figures(Collector):
    """Reads every tenant's subscriptions when it is asked."""

    def __init__(self, broker: Callable[[], Broker]) -> None:
        """Ask a broker."""
        self._broker = broker

    def collect(self) -> Iterable[Metric]:
        """Yield what is measured."""
        broker = self._broker()
        now_ns = broker.clock.now_ns()
        counts = GaugeMetricFamily(
            "citytwin_subscriptions", "subscriptions", labels=["tenant", "status"]
        )
        waiting = _gauge("pending", "changes that wait in memory for subscribers")
        records = _gauge("lag_records", "records that the slowest subscriber was not told of")
        seconds = _gauge("lag_seconds", "how long the slowest subscriber has waited")
        delay = _gauge("delay_seconds", "99th percentile from a change to its receipt, of the last")
        sent = CounterMetricFamily(
            "citytwin_notifications", "notifications", labels=["tenant", "outcome"]
        )
        for tenant in broker.tenants():
            name = [tenant.name or "default"]
            statuses = Counter(_status(tenant, now_ns))
            for status in ("active", "paused", "expired", FAILING):
                counts.add_metric([*name, status], statuses[status])
            every = tenant.subscriptions.all()
            lags = [tenant.notifier.lag(one.subscription.id) for one in every]
            since_ns = min((lag.since_ns for lag in lags if lag.since_ns is not None), default=None)
            waiting.add_metric(name, sum(lag.pending for lag in lags))
            records.add_metric(name, max((lag.records for lag in lags), default=0))
            seconds.add_metric(name, 0.0 if since_ns is None else (now_ns - since_ns) / SECOND_NS)
            delays = sorted(tenant.notifier.delays_ns)
            slow = delays[len(delays) * 99 // 100] if delays else 0
            delay.add_metric(name, slow / SECOND_NS)
            failed = sum(one.progress.times_failed for one in every)
            total = sum(one.progress.times_sent for one in every)
            sent.add_metric([*name, "taken"], total - failed)
            sent.add_metric([*name, "failed"], failed)
        yield from (counts, waiting, records, seconds, delay, sent)


def _status(tenant: Tenant, now_ns: int) -> Iterable[str]:
    for one in tenant.subscriptions.all():
        status = one.subscription.status(now_ns).value
        yield FAILING if status == "active" and one.progress.failure else status


def _gauge(name: str, words: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"citytwin_subscriptions_{name}", words, labels=["tenant"])
