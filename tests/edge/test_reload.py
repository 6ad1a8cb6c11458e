"""Reloading: what is unchanged does not notice, what is wrong changes nothing, nothing is lost."""

import asyncio

import numpy as np
import pytest

from citytwin import Command, OutcomeState, Quality, Readback
from citytwin.testing import VirtualClock
from citytwin_edge.gateway import digest
from citytwin_edge.reload import read_answer
from tests.edge.agent_scenes import DEVICES, SECOND, Gateway, config_of

D2 = DEVICES[DEVICES.index('[[device]]\nname = "d2"') :]
D1 = DEVICES.removesuffix(D2)
SPARE = '[[device]]\nname = "d3"\nadapter = "meter"\n[[device.point]]\nname = "x"\nunit = "bar"\n'


def played(tmp_path, monkeypatch, scene, devices=DEVICES, **options):
    clock = VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch, devices, **options)
        gateway = Gateway(config, kind, clock)
        async with gateway.running():
            await asyncio.sleep(5)
            await scene(gateway)
        return gateway

    return clock.run(play())


def rewritten(gateway, *changes, devices=None, head=None):
    """Change the file's text."""
    path = gateway.agent.config.path
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    if devices is not None:
        text = text[: text.index("[[device]]")] + devices
    path.write_text(text)
    return digest(path.read_bytes())


def whole(batch, steps):
    """Tell that no reading of a meter is missing or there twice."""
    assert batch.value.tolist() == [10.0 * n for n in range(1, steps + 1)]
    return True


def test_a_new_device_joins_and_the_others_do_not_notice(tmp_path, monkeypatch):
    async def scene(gateway):
        agent, meters = gateway.agent, gateway.kind.meters
        before, kept = len(meters), dict(agent.pollers)
        wanted = rewritten(gateway, devices=DEVICES + SPARE)
        answer = await agent.reloader.reload()
        assert (answer.result, answer.digest) == ("applied", wanted)
        assert "devices: 1 new, 0 built anew, 0 removed, 2 untouched" in answer.text
        assert "points: 2 new, 0 gone" in answer.text
        assert read_answer(agent.config.state) == answer
        assert [agent.pollers[name] is kept[name] for name in ("d1", "d2")] == [True, True]
        assert len(meters) == before + 3 + 1, "the check built all, the change only what is new"
        await asyncio.sleep(6)
        hub = gateway.hub
        assert len(hub.of("g/d3/x")) >= 4
        assert whole(hub.of("g/d1/level"), len(hub.of("g/d1/level")))
        assert len(hub.of("g/d1/level")) >= 9
        assert agent.pollers["d1"].stats.skipped == 0
        assert agent.uplink.connects == 1
        flow = hub.of("g/d2/total.flow")
        assert (np.diff(flow.time_ns) < 1.5 * SECOND).all(), "the counter's kernel remembers"

    played(tmp_path, monkeypatch, scene)


def test_a_page_that_waits_for_a_restart_is_told(tmp_path, monkeypatch):
    async def scene(gateway):
        rewritten(gateway, ("[gateway]", '[page]\nlisten = "127.0.0.1:8099"\n\n[gateway]'))
        answer = await gateway.agent.reloader.reload()
        assert answer.result == "applied"
        assert "[page] is taken at a restart (sudo systemctl restart" in answer.text

    played(tmp_path, monkeypatch, scene)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            ('kind = "counter"', 'kind = "contour"'),
            'edge.toml:23: device "d2", point "total", field',
        ),
        (('name = "g"', 'name = "h"'), 'edge.toml:2: table "gateway", field "name": cannot be cha'),
        (('state = "state"', 'state = "other"'), "restart it (sudo systemctl restart"),
        (("[[device]]", "[[device]"), "is not TOML"),
    ],
)
def test_what_is_wrong_is_refused_whole(tmp_path, monkeypatch, change, words):
    async def scene(gateway):
        agent = gateway.agent
        now, config = agent.now, agent.config
        rewritten(gateway, change)
        answer = await agent.reloader.reload()
        assert answer.result == "refused"
        assert words in answer.text
        assert (agent.now is now, agent.config is config) == (True, True)
        await asyncio.sleep(12)
        hub = gateway.hub
        assert whole(hub.of("g/d1/level"), len(hub.of("g/d1/level")))
        assert hub.of("g/agent/config-result").value[-1] == 2
        assert hub.of("g/agent/config-version").value.tolist()[-1] == 1

    played(tmp_path, monkeypatch, scene)


def test_a_device_that_cannot_be_built_leaves_everything_as_it_was(tmp_path, monkeypatch):
    async def scene(gateway):
        agent, kind = gateway.agent, gateway.kind
        now, build, built = agent.now, kind.build, []

        def fails(settings, bindings, site):
            built.append(bindings[0].point.id)
            if len(built) > 4:  # three by the check, then d2; d3 fails
                raise RuntimeError("no such chip")
            return build(settings, bindings, site)

        monkeypatch.setattr(kind, "build", fails)
        changed = DEVICES.replace('name = "d2"', 'name = "d2"\nperiod_s = 2') + SPARE
        rewritten(gateway, devices=changed)
        answer = await agent.reloader.reload()
        assert answer.result == "refused"
        assert 'adapter "meter" has a mistake: RuntimeError: no such chip' in answer.text
        assert agent.now is now
        await asyncio.sleep(3)
        total = gateway.hub.of("g/d2/total")
        assert whole(total, len(total))
        assert not any(point.id == "g/d3/x" for point in gateway.hub.points.values())

    played(tmp_path, monkeypatch, scene)


def test_a_removed_device_is_told_as_gone(tmp_path, monkeypatch):
    async def scene(gateway):
        hub = gateway.hub
        rewritten(gateway, devices=D1)
        assert (await gateway.agent.reloader.reload()).result == "applied"
        await asyncio.sleep(3)
        total = hub.of("g/d2/total")
        assert whole(total.select(slice(0, -1)), len(total) - 1)
        assert (np.isnan(total.value[-1]), total.quality[-1]) == (True, Quality.BAD_STALE)
        gone = {hub.points[number].id for number in hub.gone}
        assert gone == {"g/d2/total", "g/d2/total.flow", "g/agent/d2.success"}
        # It comes back, and is not gone any more.
        rewritten(gateway, devices=DEVICES)
        await gateway.agent.reloader.reload()
        await asyncio.sleep(3)
        assert not hub.gone
        assert hub.of("g/d2/total").quality[-1] == Quality.GOOD

    played(tmp_path, monkeypatch, scene)


def test_what_a_restart_removes_is_told_as_gone_too(tmp_path, monkeypatch):
    async def nothing(_gateway):
        pass

    played(tmp_path, monkeypatch, nothing)

    async def scene(gateway):
        hub = gateway.hub
        assert {hub.points[number].name for number in hub.gone} == {
            "total", "total.flow", "d2.success"
        }  # fmt: skip
        assert hub.of("g/d2/total").quality[-1] == Quality.BAD_STALE
        sent = len(hub.of("g/d2/total"))
        rewritten(gateway, ("normal = [0, 10000]", "normal = [0, 9000]"))
        await gateway.agent.reloader.reload()
        await asyncio.sleep(3)
        assert len(hub.of("g/d2/total")) == sent, "it is told once"

    clock = VirtualClock(1_767_226_000 * SECOND)
    monkeypatch.setattr("tests.edge.test_reload.VirtualClock", lambda: clock)
    played(tmp_path, monkeypatch, scene, devices=D1)


def test_a_changed_unit_keeps_what_was_read_before_in_the_old_one(tmp_path, monkeypatch):
    async def scene(gateway):
        hub = gateway.hub
        hub.holds_back = hub.down = True
        hub.bye("shutdown", "the hub stops")
        await asyncio.sleep(3.5)
        rewritten(gateway, ('unit = "m"\n', 'unit = "cm"\nscale = 100\n'))
        assert (await gateway.agent.reloader.reload()).result == "applied"
        await asyncio.sleep(3)
        hub.holds_back = hub.down = False
        await asyncio.sleep(60)
        numbers = [number for number, point in hub.points.items() if point.id == "g/d1/level"]
        units = [hub.points[number].unit for number in numbers]
        assert units == ["m", "cm"]
        old, new = (hub.samples.select(hub.samples.point == number) for number in numbers)
        values = old.value[old.quality == Quality.GOOD].tolist()
        assert values == [10.0 * n for n in range(1, len(values) + 1)]
        assert old.quality[-1] == Quality.BAD_STALE
        assert (new.value % 1000 == 0).all()
        meters = gateway.kind.meters
        # Each life of the meter counts from one: nothing is missing on either side.
        assert new.value.tolist() == [1000.0 * n for n in range(1, len(new) + 1)]
        assert len(values) == meters[0].readings

    played(tmp_path, monkeypatch, scene)


def test_labels_limits_and_pace_of_flushing_change_without_touching_a_device(tmp_path, monkeypatch):
    async def scene(gateway):
        agent, hub = gateway.agent, gateway.hub
        pollers = dict(agent.pollers)
        rewritten(
            gateway,
            ("flush_ms = 1000", "flush_ms = 200\nsize_mb_max = 3"),
            ('name = "level"', 'name = "level"\nlabel = { ru = "Уровень" }\nalarm_delay_s = 0'),
            ("normal = [0, 10000]", "normal = [0, 20]"),
            ('state = "state"', 'state = "state"\nplace = [76.9, 43.2]'),
        )
        assert (await agent.reloader.reload()).result == "applied"
        assert agent.pollers == pollers
        assert agent.outbox.size_bytes_max == 3 * 1024 * 1024
        await asyncio.sleep(4.5)
        age_ns = gateway.clock.now_ns() - hub.of("g/d1/level").time_ns[-1]
        assert age_ns < 0.8 * SECOND, "it is sent more often now"
        (level,) = [point for point in hub.points.values() if point.id == "g/d1/level"]
        assert (level.label.ru, level.place.lon) == ("Уровень", 76.9)
        assert hub.of("g/d1/level.alarm").value.tolist() == [1.0]
        # Without limits there is no alarm, so the one that was raised does not stay for ever.
        rewritten(gateway, ("normal = [0, 20]\n", ""), ("\nalarm_delay_s = 0", ""))
        assert (await agent.reloader.reload()).result == "applied"
        await asyncio.sleep(1)
        assert np.isnan(hub.of("g/d1/level.alarm").value[-1])
        assert agent.pollers == pollers

    played(tmp_path, monkeypatch, scene)


def ordered(clock, value, number="a"):
    now_ns = clock.now_ns()
    return Command(
        id=number * 32, point="g/d1/pump", value=value, issued_by="aigul", issued_ns=now_ns,
        expires_ns=now_ns + 60 * SECOND, readback=Readback("g/d1/pump", value, 0.1, SECOND),
    )  # fmt: skip


def test_interlocks_and_allowed_values_count_at_once(tmp_path, monkeypatch):
    lock = '[[interlock]]\ntarget = "d1/pump"\nguard = "d1/level"\nspan = [1e6, inf]\n'

    async def scene(gateway):
        hub = gateway.hub
        rewritten(gateway, devices=DEVICES + lock)
        assert (await gateway.agent.reloader.reload()).result == "applied"
        hub.order(ordered(gateway.clock, 1.0))
        await asyncio.sleep(1)
        assert (hub.outcomes[-1].state, "interlock" in hub.outcomes[-1].reason) == (
            OutcomeState.REFUSED, True,
        )  # fmt: skip
        rewritten(gateway, devices=DEVICES.replace("writable = [0, 1]", "writable = [0, 5]"))
        await gateway.agent.reloader.reload()
        hub.order(ordered(gateway.clock, 4.0, "b"))
        await asyncio.sleep(1)
        assert hub.outcomes[-1].state == OutcomeState.EXECUTED
        written = [meter.written for meter in gateway.kind.meters if meter.written]
        assert written == [[(1, 4.0)]]

    played(tmp_path, monkeypatch, scene)


def test_a_signal_and_a_watched_file_reload(tmp_path, monkeypatch):
    async def scene(gateway):
        agent = gateway.agent
        rewritten(gateway, ('state = "state"', 'state = "state"\nwatch_s = 1'))
        agent.reloader.request()
        await asyncio.sleep(0)
        while agent.config.watch_ns == 0:
            await asyncio.sleep(0.1)
        await asyncio.sleep(20)  # now it watches
        rewritten(gateway, devices=D1)
        while len(agent.pollers) == 2:
            await asyncio.sleep(0.1)
        assert agent.reloader.health.version == 3

    played(tmp_path, monkeypatch, scene)
