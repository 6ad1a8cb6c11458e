"""Metrics: what Prometheus' own parser reads of the hub and its gateways."""

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from citytwin import Batch
from citytwin_hub.connections import Counters
from citytwin_protos.token import read_token
from tests.hub.doors import permit
from tests.hub.running import MORE_POINTS


async def scraped(running):
    """Return value by name and labels, and the families."""
    async with httpx.AsyncClient() as web:
        answer = await web.get(f"{running.address}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    values = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    return values, families


def enrol(registry, name, now_ns):
    secret = read_token(registry.issue_token(name, b"f" * 32, now_ns)).secret
    registry.enrol(name, secret, "a1", now_ns)


async def test_the_hub_speaks_of_itself(running):
    values, families = await scraped(running)
    assert values["citytwin_points",] == 2
    assert values["citytwin_history_recent",] == 3600
    assert values["citytwin_journal_bytes_total",] == running.hub.journal.end > 100
    assert values["citytwin_alarms_open",] == 0
    for family in families:
        assert family.documentation, family.name
        assert family.type in {"counter", "gauge"}
    operator = running.hub.access.users()[-1]
    user = permit(operator.name, "operator")
    running.hub.commands.submit(user, "g-1/d/pump", 1.0, running.now_ns)
    values, _ = await scraped(running)
    assert values["citytwin_commands_total", ("state", "submitted")] == 1


async def test_each_gateway_has_its_own_figures(running):
    hub, now_ns = running.hub, running.now_ns
    for name in ("g-1", "g-2"):
        enrol(hub.registry, name, now_ns)
    hub.ingest.counters["g-1"] = Counters(entries=7, samples=700, repeated=2, bytes=900)
    hub.registry.refused("g-1", 3, "entry 1: too large", now_ns)
    _, entries, offset, _ = hub.registry.rows(MORE_POINTS)
    running.take(Batch.of([entries, offset], now_ns, [5.0, np.nan], [0, 0x81]))
    values, _ = await scraped(running)
    one = ("gateway", "g-1")
    assert values["citytwin_gateway_connected", one] == 0
    assert values["citytwin_gateway_connected", ("gateway", "g-2")] == 0
    assert values["citytwin_gateway_samples_total", one] == 700
    assert values["citytwin_gateway_repeated_total", one] == 2
    assert values["citytwin_gateway_bytes_total", one] == 900
    assert values["citytwin_gateway_refused_total", one] == 3
    assert values["citytwin_gateway_health", one, ("name", "outbox-entries")] == 5
    assert ("citytwin_gateway_health", one, ("name", "clock-offset")) not in values


async def test_what_was_never_heard_is_no_zero(running):
    running.hub.registry.rows(MORE_POINTS)
    values, _ = await scraped(running)
    assert not [key for key in values if key[0] == "citytwin_gateway_health"]


@pytest.mark.parametrize("name", ['odd"name', "line\nbreak", "back\\slash"])
async def test_labels_are_escaped(running, name):
    running.hub.ingest.counters[name] = Counters(entries=1)
    values, _ = await scraped(running)
    assert values["citytwin_gateway_entries_total", ("gateway", name)] == 1
