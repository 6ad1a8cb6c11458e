"""Subscriptions in /metrics."""

from prometheus_client import CollectorRegistry

from citytwin.batch import SECOND_NS
from citytwin.testing import VirtualClock
from citytwin_hub.apis.ngsild.broker import Broker
from citytwin_hub.entities.subscriptions import Progress
from citytwin_hub.jsonld.contexts import Contexts
from citytwin_hub.metrics_subscriptions import Figures
from tests.hub.doors import OpenDoor
from tests.hub.entities.subscribing import subscription


def test_paused_failing_and_expired_ones_are_counted(tmp_path):
    clock = VirtualClock(10**18)
    contexts = Contexts(tmp_path / "contexts.db", clock)
    broker = Broker(tmp_path / "entities", clock, contexts, OpenDoor())
    subscribers = broker.tenant().subscriptions
    subscribers.create(subscription(1))
    subscribers.create(subscription(2, is_active=False))
    subscribers.create(subscription(3, expires_ns=clock.now_ns() + SECOND_NS))
    subscribers.create(subscription(4))
    subscribers.get(subscription(4).id).progress = Progress(
        times_sent=5, times_failed=2, failure="nobody is there"
    )
    clock.advance(2 * SECOND_NS)
    broker.tenant().notifier.delays_ns.extend(range(0, 100 * SECOND_NS, SECOND_NS))
    registry = CollectorRegistry()
    registry.register(Figures(lambda: broker))

    def value(name, **labels):
        return registry.get_sample_value(name, {"tenant": "default", **labels})

    for status in ("active", "paused", "expired", "failing"):
        assert value("citytwin_subscriptions", status=status) == 1
    assert value("citytwin_notifications_total", outcome="taken") == 3
    assert value("citytwin_notifications_total", outcome="failed") == 2
    assert value("citytwin_subscriptions_delay_seconds") == 99
    assert value("citytwin_subscriptions_lag_records") == 0
    assert value("citytwin_subscriptions_lag_seconds") == 0
    assert value("citytwin_subscriptions_pending") == 0
    broker.close()
    contexts.close()
