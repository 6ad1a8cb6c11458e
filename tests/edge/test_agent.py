"""The whole gateway on a virtual clock: from devices to the hub and back, with every trouble."""

import asyncio

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from citytwin import Command, OutcomeState, Quality, Readback
from citytwin.errors import StoreError
from citytwin.testing import VirtualClock
from citytwin_edge.assembly import Assembly
from citytwin_edge.kernels.anomaly import chain
from citytwin_edge.kernels.anomaly.kernel import Anomaly
from citytwin_edge.outbox import Outbox
from tests.edge.agent_scenes import DEVICES, SECOND, Gateway, config_of


def played(tmp_path, monkeypatch, scene, *, clock=None, **options):
    """Play a scene on a virtual clock; return what it returns."""
    clock = clock or VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch, **options)
        return await scene(Gateway(config, kind, clock))

    return clock.run(play())


def waiting(tmp_path):
    """Every entry that is left in the outbox."""
    outbox = Outbox(tmp_path / "state" / "outbox.db", size_bytes_max=1 << 30)
    entries = outbox.pending(0, 100_000)
    outbox.close()
    return entries


def test_readings_derived_points_and_health_reach_the_hub(tmp_path, monkeypatch):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(30)
        hub = gateway.hub
        level = hub.of("g/d1/level")
        assert level.value.tolist() == [10.0 * n for n in range(1, len(level) + 1)]
        assert 28 <= len(level) <= 31
        assert np.abs(np.diff(level.time_ns) - SECOND).max() < 1000
        flow = hub.of("g/d2/total.flow")
        assert flow.value.tolist() == pytest.approx([36_000.0] * len(flow))
        assert set(hub.of("g/agent/d1.success").value[1:].tolist()) == {1.0}
        assert hub.of("g/agent/memory").value[0] > 1e6
        assert {point.id.split("/")[0] for point in hub.points.values()} == {"g"}
        return gateway

    gateway = played(tmp_path, monkeypatch, scene)
    # What was sent at the last moment may still wait for its acknowledgement.
    (durable,) = gateway.hub.durable.values()
    left = sum(entry.samples for entry in waiting(tmp_path) if entry.number > durable)
    assert gateway.agent.accepted_samples == len(gateway.hub.samples) + left


def test_the_value_that_broke_a_limit_reaches_the_hub_before_its_alarm(tmp_path, monkeypatch):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(10)
        hub = gateway.hub
        numbers = {point.id: number for number, point in hub.points.items()}
        samples = hub.samples
        (raised,) = np.flatnonzero(
            (samples.point == numbers["g/d1/level.alarm"]) & (samples.value > 0)
        )
        before = samples.select(slice(0, int(raised)))
        return before.value[before.point == numbers["g/d1/level"]].max()

    devices = DEVICES.replace("[0, 10000]", "[0, 35]")
    assert played(tmp_path, monkeypatch, scene, devices=devices) == 40.0


def order(clock, value=1.0):
    now_ns = clock.now_ns()
    return Command(
        id="a" * 32, point="g/d1/pump", value=value, issued_by="aigul", issued_ns=now_ns,
        expires_ns=now_ns + 60 * SECOND, readback=Readback("g/d1/pump", value, 0.1, SECOND),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "state"), [(1.0, OutcomeState.EXECUTED), (2.0, OutcomeState.REFUSED)]
)
def test_a_command_is_carried_out_and_told(tmp_path, monkeypatch, value, state):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(5)
            gateway.hub.order(order(gateway.clock, value))
            await asyncio.sleep(0.5)
            (outcome,) = gateway.hub.outcomes
            assert (outcome.command, outcome.state) == ("a" * 32, state)
            gateway.hub.order(order(gateway.clock, value))
            await asyncio.sleep(0.5)
        written = [(1, value)] if state == OutcomeState.EXECUTED else []
        assert gateway.kind.meters[0].written == written
        assert [one.state for one in gateway.hub.outcomes] == [state, state]

    played(tmp_path, monkeypatch, scene)


WATCHED = DEVICES.replace("normal = [0, 10000]", "anomaly = { every_s = 1 }")


def test_a_kernel_is_commanded_like_a_device(tmp_path, monkeypatch):
    """Read-back comes behind the outcome; and what was forgotten stays so after a kill."""
    point = "g/d1/level.anomaly-maturity"

    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(5400)
            assert gateway.hub.of(point).value.tolist() == [0.0, 1.0]
            now_ns = gateway.clock.now_ns()
            anew = Command(
                id="b" * 32, point=point, value=0.0, issued_by="aigul", issued_ns=now_ns,
                expires_ns=now_ns + 60 * SECOND, readback=Readback(point, 0.0, 0.1, 30 * SECOND),
            )  # fmt: skip
            gateway.hub.order(anew)
            await asyncio.sleep(3)
            (outcome,) = gateway.hub.outcomes
            assert (outcome.state, outcome.reason) == (OutcomeState.EXECUTED, "")
            told = gateway.hub.of(point)
            assert (told.value[told.time_ns >= outcome.at_ns] == 0).any(), "its read-back"
            assert not [m.written for m in gateway.kind.meters if m.written], "no device was asked"
            gateway.hub.order(msgspec.structs.replace(anew, id="c" * 32, value=1.0))
            await asyncio.sleep(1)
            assert gateway.hub.outcomes[-1].state == OutcomeState.REFUSED, "outside 0 … 0"
            assert point in gateway.agent.now.commandable
            states = gateway.agent.outbox.snapshots()
        again = Assembly(gateway.agent.config, gateway.agent._shop)
        again.pipeline.restore(states)
        (stage,) = (one for one in again.pipeline._stages if one.name == "anomaly")
        assert isinstance(stage.kernel, Anomaly)
        row = stage.kernel._path.state[0]
        assert row[chain.STEPS] < 60, "of the 5,400 that it had seen before"

    played(tmp_path, monkeypatch, scene, devices=WATCHED)


def test_a_command_that_a_restart_would_forget_is_not_called_done(tmp_path, monkeypatch):
    point = "g/d1/level.anomaly-maturity"

    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(5)
            keep = gateway.agent.keeper.keep

            async def refusing(entries, snapshots=None):
                return False if snapshots else await keep(entries)

            monkeypatch.setattr(gateway.agent.keeper, "keep", refusing)
            now_ns = gateway.clock.now_ns()
            gateway.hub.order(Command(
                id="b" * 32, point=point, value=0.0, issued_by="aigul", issued_ns=now_ns,
                expires_ns=now_ns + 60 * SECOND, readback=Readback(point, 0.0, 0.1, 30 * SECOND),
            ))  # fmt: skip
            await asyncio.sleep(3)
            (outcome,) = gateway.hub.outcomes
            assert outcome.state == OutcomeState.FAILED
            assert "the disk refuses, so a restart would forget it" in outcome.reason

    played(tmp_path, monkeypatch, scene, devices=WATCHED)


def test_without_a_hub_it_reads_and_keeps_and_delivers_later(tmp_path, monkeypatch):
    async def scene(gateway):
        gateway.hub.down = True
        async with gateway.running():
            await asyncio.sleep(600)
            assert not gateway.hub.entries
            gateway.hub.down = False
            await asyncio.sleep(60)
        level = gateway.hub.of("g/d1/level")
        assert level.value.tolist() == [10.0 * n for n in range(1, len(level) + 1)]
        assert len(level) > 640

    played(tmp_path, monkeypatch, scene)


def test_what_it_reads_last_is_kept_and_numbers_go_on(tmp_path, monkeypatch):
    async def scene(gateway):
        gateway.hub.down = True
        async with gateway.running():
            await asyncio.sleep(3.5)
        return gateway

    first = played(tmp_path, monkeypatch, scene)
    assert first.readings(0) in (3, 4)
    kept = waiting(tmp_path)
    assert sum(entry.samples for entry in kept) == first.agent.accepted_samples
    numbers = first.agent.now.numbers

    async def again(gateway):
        assert gateway.agent.now.numbers == numbers
        async with gateway.running():
            await asyncio.sleep(5)
        return gateway

    second = played(tmp_path, monkeypatch, again, clock=VirtualClock(1_767_226_000 * SECOND))
    heard = [number for number, _ in second.hub.entries]
    assert heard[: len(kept)] == [entry.number for entry in kept]
    flow = second.hub.of("g/d2/total.flow")
    assert len(flow) >= first.readings(1) - 1 + second.readings(1) - 2, "kernels remember"


def test_a_disk_that_refuses_costs_nothing_as_long_as_memory_lasts(tmp_path, monkeypatch):
    async def scene(gateway):
        append, broken = gateway.agent.outbox.append_many, True

        def append_many(*arguments):
            if broken:
                raise StoreError("the disk is full")
            return append(*arguments)

        monkeypatch.setattr(gateway.agent.outbox, "append_many", append_many)
        monkeypatch.setattr(gateway.agent.outbox, "stats", append_many)
        async with gateway.running():
            await asyncio.sleep(60)
            assert not gateway.hub.entries
            monkeypatch.undo()
            broken = False
            await asyncio.sleep(5)
        assert gateway.agent.dropped_samples == 0
        level = gateway.hub.of("g/d1/level")
        assert level.value.tolist() == [10.0 * n for n in range(1, len(level) + 1)]
        assert len(level) > 60

    with capture_logs() as logs:
        played(tmp_path, monkeypatch, scene)
    assert len([log for log in logs if log["event"] == "outbox.refuses"]) == 1
    assert "agent.health_unknown" in {log["event"] for log in logs}


def test_only_what_is_on_the_disk_is_confirmed_to_the_devices(tmp_path, monkeypatch):
    async def scene(gateway):
        outbox, meter, kept = gateway.agent.outbox, gateway.kind.meters[0], []
        append, broken = outbox.append_many, False

        def append_many(*arguments):
            if broken:
                raise StoreError("the disk is full")
            kept.append(meter.readings)
            return append(*arguments)

        monkeypatch.setattr(outbox, "append_many", append_many)
        async with gateway.running():
            await asyncio.sleep(10.5)
            before = len(meter.confirmed)
            assert before >= 9
            assert all(readings <= max(kept) for readings in meter.confirmed)
            broken = True
            await asyncio.sleep(30)
            assert len(meter.confirmed) == before
            broken = False
            await asyncio.sleep(2)
            assert meter.confirmed[-1] > meter.confirmed[before - 1] + 30

    played(tmp_path, monkeypatch, scene)


def test_a_part_that_fails_ends_the_agent_after_keeping_what_was_read(tmp_path, monkeypatch):
    async def scene(gateway):
        async def broken():
            await asyncio.sleep(3.5)
            raise LookupError("a mistake of ours")

        monkeypatch.setattr(gateway.agent.uplink, "run", broken)
        with pytest.raises(ExceptionGroup) as caught:
            await gateway.agent.run()
        assert caught.group_contains(LookupError, match="a mistake of ours")
        return gateway

    with capture_logs() as logs:
        gateway = played(tmp_path, monkeypatch, scene)
    (told,) = [log for log in logs if log["event"] == "agent.part_failed"]
    assert (told["part"], told["log_level"]) == ("uplink", "critical")
    assert sum(entry.samples for entry in waiting(tmp_path)) == gateway.agent.accepted_samples > 9


def test_a_part_that_ends_by_itself_is_a_failure(tmp_path, monkeypatch):
    async def scene(gateway):
        monkeypatch.setattr(gateway.agent.commander, "run", lambda: asyncio.sleep(1))
        with pytest.raises(ExceptionGroup) as caught:
            await gateway.agent.run()
        assert caught.group_contains(RuntimeError, match="commander has ended by itself")

    played(tmp_path, monkeypatch, scene)


def test_a_silent_device_ends_nothing(tmp_path, monkeypatch):
    async def scene(gateway):
        gateway.kind.silent = True
        async with gateway.running():
            await asyncio.sleep(60)
            gateway.kind.silent = False
            await asyncio.sleep(60)
        level = gateway.hub.of("g/d1/level")
        assert level.quality[0] == Quality.BAD_SILENT
        assert level.quality[-1] == Quality.GOOD

    played(tmp_path, monkeypatch, scene)


def test_a_device_with_an_impossible_clock_costs_nobody_anything(tmp_path, monkeypatch):
    async def scene(gateway):
        gateway.kind.stamp_ns = 5
        async with gateway.running():
            await asyncio.sleep(10)
        level = gateway.hub.of("g/d1/level")
        assert len(level) >= 9
        assert set(level.quality.tolist()) == {Quality.UNCERTAIN_CLOCK}

    played(tmp_path, monkeypatch, scene)


def test_a_gateway_that_does_not_know_the_time_learns_it_from_the_hub(tmp_path, monkeypatch):
    clock = VirtualClock(start_ns=0, synchronised=False)
    right_ns = 1_800_000_000 * SECOND

    async def scene(gateway):
        gateway.hub.wall_offset_ns = right_ns
        gateway.hub.down = True
        async with gateway.running():
            await asyncio.sleep(10)
            assert not waiting(tmp_path)
            gateway.hub.down = False
            await asyncio.sleep(30)
        level = gateway.hub.of("g/d1/level")
        assert level.value.tolist() == [10.0 * n for n in range(1, len(level) + 1)]
        assert np.abs(np.diff(level.time_ns) - SECOND).max() < SECOND // 100
        assert level.time_ns[0] // SECOND in (1_800_000_000, 1_800_000_001)
        assert set(level.quality.tolist()) == {Quality.UNCERTAIN_CLOCK}

    played(tmp_path, monkeypatch, scene, clock=clock)


def test_what_never_got_a_time_is_counted_as_lost_at_the_end(tmp_path, monkeypatch):
    async def scene(gateway):
        gateway.hub.down = True
        async with gateway.running() as agent:
            await asyncio.sleep(10.5)
            assert agent.dropped_samples == 0
        readings = 2 * gateway.readings(0) + gateway.readings(1)
        assert not waiting(tmp_path)
        # And what the agent said of itself meanwhile.
        assert agent.dropped_samples >= readings > 20

    played(tmp_path, monkeypatch, scene, clock=VirtualClock(start_ns=0, synchronised=False))


@pytest.mark.parametrize("step", [3600, -3600])
def test_stamps_go_on_when_the_clock_is_set_wrong(tmp_path, monkeypatch, step):
    async def scene(gateway):
        gateway.clock.is_synchronised = False
        async with gateway.running():
            await asyncio.sleep(20)
            gateway.clock.step_wall(step * SECOND)
            gateway.hub.wall_offset_ns -= step * SECOND
            await asyncio.sleep(20)
        level = gateway.hub.of("g/d1/level")
        assert np.abs(np.diff(level.time_ns) - SECOND).max() < SECOND // 100
        assert level.quality[-1] == Quality.UNCERTAIN_CLOCK
        assert level.quality[5] == Quality.GOOD

    played(tmp_path, monkeypatch, scene)


def test_the_same_seed_gives_the_same_run(tmp_path, monkeypatch):
    async def scene(gateway):
        async with gateway.running():
            await asyncio.sleep(60)
        return [(n, what) for n, what in gateway.hub.entries], gateway

    first, one = played(tmp_path / "a", monkeypatch, scene)
    second, other = played(tmp_path / "b", monkeypatch, scene)
    assert [n for n, _ in first] == [n for n, _ in second]
    assert one.hub.of("g/d1/level") == other.hub.of("g/d1/level")
