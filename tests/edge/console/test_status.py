"""What a status says, with a device that is silent and a hub that is away, on a virtual clock."""

import asyncio
import hashlib

import pytest

from citytwin import Outcome, OutcomeState
from citytwin.errors import StoreError
from citytwin.testing import VirtualClock
from citytwin_edge.console.status import StatusOf, check_sum, time_of
from citytwin_edge.outbox import Entry, EntryKind
from citytwin_protos.codec import outcome_to_bytes
from tests.edge.agent_scenes import SECOND, Gateway, config_of


def played(tmp_path, monkeypatch, scene):
    clock = VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch)
        gateway = Gateway(config, kind, clock)
        gateway.hub.down = True
        status = StatusOf(gateway.agent)
        async with gateway.running():
            await asyncio.sleep(20)
            return await scene(gateway, status)

    return clock.run(play())


def test_a_gateway_that_cannot_deliver(tmp_path, monkeypatch):
    async def scene(_gateway, status):
        return await status.status()

    found = played(tmp_path, monkeypatch, scene)
    assert (found["gateway"], found["running_s"]) == ("g", 20.0)
    path = tmp_path / "edge.toml"
    assert found["configuration"] == {
        "file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "state": str(tmp_path / "state"), "devices": 2, "points": 3,
    }  # fmt: skip
    hub = found["hub"]
    assert (hub["connected"], hub["connects"], hub["acknowledged_ns"]) == (False, 0, 0)
    assert "hub is down" in hub["trouble"]
    box = found["outbox"]
    assert box["entries"] > 10
    assert 18 < (found["time_ns"] - box["oldest_ns"]) / SECOND <= 20
    assert box["trouble"] == ""
    assert found["clock"] == {
        "synchronised": True, "trusted": True, "offset_s": None, "steps": 0,
    }  # fmt: skip


def test_what_the_hub_has_taken_is_told(tmp_path, monkeypatch):
    async def scene(gateway, status):
        gateway.hub.down = False
        await asyncio.sleep(60)
        return await status.status()

    found = played(tmp_path, monkeypatch, scene)
    hub = found["hub"]
    assert (hub["connected"], hub["trouble"]) == (True, "")
    assert (found["time_ns"] - hub["acknowledged_ns"]) / SECOND < 5
    assert found["outbox"]["entries"] <= 2


def test_devices_that_answer_and_one_that_does_not(tmp_path, monkeypatch):
    async def scene(gateway, status):
        before = status.devices()
        gateway.kind.silent = True
        await asyncio.sleep(10)
        after = status.devices()
        gateway.kind.silent = False
        await asyncio.sleep(30)
        return before, after, status.devices(), gateway.agent.trust.now_ns()

    before, after, healed, now_ns = played(tmp_path, monkeypatch, scene)
    assert [one["state"] for one in before] == ["ok", "ok"]
    one = before[0]
    assert (one["device"], one["adapter"], one["points"], one["good"]) == ("d1", "meter", 2, 2)
    assert (one["latency_p50_ms"], one["latency_p99_ms"], one["missed"]) == (10.0, 10.0, 0)
    one = after[0]
    assert (one["state"], one["bad"], one["error"]) == ("failing", 2, "no answer")
    assert one["success"] < 1
    assert one["failures"]["silent"] >= 2
    assert 8 < (one["since_ns"] - one["answered_ns"]) / SECOND + 8 <= 10
    one = healed[0]
    assert (one["state"], one["error"]) == ("ok", "no answer"), "what was wrong last is still told"
    assert (now_ns - one["since_ns"]) / SECOND < 30
    assert now_ns - one["answered_ns"] <= 2 * SECOND


def test_an_outbox_that_cannot_be_read_is_a_line_and_no_more(tmp_path, monkeypatch):
    async def scene(gateway, status):
        async def broken():
            raise StoreError("the outbox cannot be read: disk I/O error")

        monkeypatch.setattr(gateway.agent, "outbox_stats", broken)
        return await status.status()

    found = played(tmp_path, monkeypatch, scene)
    assert found["outbox"]["trouble"] == "the outbox cannot be read: disk I/O error"
    assert found["outbox"]["accepted_samples"] > 0


def test_the_age_of_an_entry():
    outcome = Outcome(command="a" * 32, state=OutcomeState.EXECUTED, at_ns=7)
    entry = Entry(1, EntryKind.OUTCOME, outcome_to_bytes(outcome), 0)
    assert time_of(entry, 99) == 7


def test_a_file_that_is_gone_has_no_check_sum(tmp_path):
    assert check_sum(tmp_path / "none") == ""


@pytest.mark.parametrize("silent", [True, False])
def test_before_the_first_poll_a_device_waits(tmp_path, monkeypatch, silent):
    config, kind = config_of(tmp_path, monkeypatch)
    kind.silent = silent
    clock = VirtualClock()

    async def play():
        gateway = Gateway(config, kind, clock)
        return StatusOf(gateway.agent).devices()

    (one, _) = clock.run(play())
    assert (one["state"], one["since_ns"], one["latency_p99_ms"]) == ("waiting", 0, None)
