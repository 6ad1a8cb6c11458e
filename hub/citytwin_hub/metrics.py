"""Metrics: the hub and its gateways in Prometheus' words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from citytwin_hub.apis.city import HEALTH, City
from citytwin_hub.committer import Committer

Family = CounterMetricFamily | GaugeMetricFamily


class _Hub(Collector):
    """Reads everything when it is asked; keeps nothing of its own."""

    def __init__(
        self, city: City, committer: Committer, end: Callable[[], int], recent: Callable[[], int]
    ) -> None:
        self._city, self._committer = city, committer
        self._end, self._recent = end, recent

    def collect(self) -> Iterable[Family]:
        city, committer = self._city, self._committer
        yield _counter("citytwin_journal_bytes", "bytes ever journalled", self._end())
        yield _counter("citytwin_journal_commits", "group commits", committer.groups)
        yield _counter("citytwin_journal_failures", "appends refused by disk", committer.failures)
        yield _counter("citytwin_repeated_entries", "entries that came twice", committer.repeated)
        yield GaugeMetricFamily(
            "citytwin_points", "points known", len(city.registry.points) - len(city.registry.gone)
        )
        yield GaugeMetricFamily("citytwin_twin_version", "changes applied", city.twin.version)
        yield GaugeMetricFamily("citytwin_history_recent", "samples in memory", self._recent())
        yield GaugeMetricFamily(
            "citytwin_alarms_open", "alarms not closed", len(city.alarms.active())
        )
        commands = CounterMetricFamily("citytwin_commands", "command steps", labels=["state"])
        for state, count in city.commands.counts.items():
            commands.add_metric([state], count)
        yield commands
        yield from self._gateways()

    def _gateways(self) -> Iterable[Family]:
        city, gateways = self._city, self._city.registry.gateways()
        up = GaugeMetricFamily("citytwin_gateway_connected", "1 if connected", labels=["gateway"])
        for gateway in gateways:
            up.add_metric([gateway.name], float(gateway.name in city.ingest.connections))
        yield up
        refused = CounterMetricFamily(
            "citytwin_gateway_refused", "entries refused, ever", labels=["gateway"]
        )
        for gateway in gateways:
            refused.add_metric([gateway.name], gateway.refused)
        yield refused
        for name, words in (
            ("entries", "entries taken"),
            ("samples", "samples taken"),
            ("repeated", "entries repeated"),
            ("bytes", "bytes of entries"),
        ):
            family = CounterMetricFamily(f"citytwin_gateway_{name}", words, labels=["gateway"])
            for gateway_name, counters in city.ingest.counters.items():
                family.add_metric([gateway_name], getattr(counters, name))
            yield family
        health = GaugeMetricFamily(
            "citytwin_gateway_health", "what an agent says of itself", labels=["gateway", "name"]
        )
        rows = {
            row: point
            for row, point in city.registry.points.items()
            if point.device == HEALTH and row not in city.registry.gone
        }
        latest = city.twin.read(list(rows))
        # A value that never came, or is bad, is none: a zero would be taken for one.
        heard = (latest.time_ns > 0) & np.isfinite(latest.value)
        for row, value in zip(
            latest.row[heard].tolist(), latest.value[heard].tolist(), strict=True
        ):
            health.add_metric([rows[row].gateway, rows[row].name], value)
        yield health


def metrics_of(
    city: City,
    committer: Committer,
    end: Callable[[], int],
    recent: Callable[[], int],
    others: Iterable[Collector] = (),
) -> Callable[[], bytes]:
    """Return the function that gives the text of /metrics; ``others`` add to it."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (_Hub(city, committer, end, recent), *others):
        registry.register(collector)
    return lambda: generate_latest(registry)


def _counter(name: str, words: str, value: Any) -> CounterMetricFamily:
    return CounterMetricFamily(name, words, value)
