"""Looking at a running agent on a virtual clock: values, watch, frames and probe."""

import asyncio
from contextlib import aclosing

import pytest

from citytwin.adapter import Direction
from citytwin.testing import VirtualClock
from citytwin_edge.console import looking
from citytwin_edge.console.looking import FRAME_BYTES_MAX, Chosen, Looking
from citytwin_edge.console.protocol import ConsoleError
from tests.edge.agent_scenes import DEVICES, Gateway, config_of


def played(tmp_path, monkeypatch, scene, devices=DEVICES):
    """Play a scene beside an agent that has run for two seconds."""
    clock = VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch, devices)
        gateway = Gateway(config, kind, clock)
        async with gateway.running() as agent:
            await asyncio.sleep(2.5)
            return await scene(gateway, agent, Looking(agent))

    return clock.run(play())


async def some(items, count):
    found = []
    async with aclosing(items) as stream:
        async for item in stream:
            found.append(item)
            if len(found) == count:
                break
    return found


def by_name(rows):
    return {f"{row['device']}/{row['point']}": row for row in rows}


def test_values_are_those_of_devices_and_what_is_derived(tmp_path, monkeypatch):
    async def scene(_gateway, agent, look):
        (item,) = await some(look.values(Chosen()), 1)
        rows = by_name(item["points"])
        assert set(rows) == {"d1/level", "d1/level.alarm", "d1/pump", "d2/total", "d2/total.flow"}
        level = rows["d1/level"]
        assert (level["value"], level["unit"], level["quality"]) == (30.0, "m", "good")
        assert (level["writable"], rows["d1/pump"]["writable"]) == (None, [0.0, 1.0])
        assert rows["d2/total.flow"]["value"] == pytest.approx(36_000.0, rel=0.01)
        assert agent.trust.now_ns() - level["time_ns"] < 2e9
        (own,) = await some(look.values(Chosen(devices=("agent",))), 1)
        assert {"outbox-bytes", "memory"} <= {row["point"] for row in own["points"]}

    played(tmp_path, monkeypatch, scene)


@pytest.mark.parametrize("names", [("level",), ("d1/level",), ("g/d1/level",)])
def test_points_are_chosen_by_any_of_their_names(tmp_path, monkeypatch, names):
    async def scene(_gateway, _agent, look):
        return [row["point"] for row in look.point_rows(Chosen(points=names))]

    assert played(tmp_path, monkeypatch, scene) == ["level"]


def test_what_is_not_there_is_named(tmp_path, monkeypatch):
    async def scene(_gateway, _agent, look):
        with pytest.raises(ConsoleError, match=r"no device 'x'; there are d1, d2"):
            look.point_rows(Chosen(devices=("d1", "x")))
        with pytest.raises(ConsoleError, match=r"no point 'x'; there are level, level.alarm, pump"):
            look.point_rows(Chosen(devices=("d1",), points=("x",)))
        with pytest.raises(ConsoleError, match="no device 'x'"):
            await some(look.frames(Chosen(devices=("x",))), 1)
        with pytest.raises(ConsoleError, match="no device 'x'"):
            await some(look.probe(Chosen(devices=("x",))), 1)

    played(tmp_path, monkeypatch, scene)


def test_samples_come_as_they_are_read(tmp_path, monkeypatch):
    async def scene(_gateway, agent, look):
        first, *others = await some(look.watch(Chosen(devices=("d1",), points=("level",))), 4)
        (row,) = first["points"]
        samples = [one for item in others for one in item["samples"]]
        assert {number for number, *_ in samples} == {row["number"]}
        assert [value for _, _, value, _ in samples] == [40.0, 50.0, 60.0]
        assert [item["dropped"] for item in others] == [0, 0, 0]
        assert agent.latest.watchers == [], "nobody looks any more"

    played(tmp_path, monkeypatch, scene)


def test_who_is_slow_loses_the_oldest_and_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(looking, "BATCHES_MAX", 5)

    async def scene(_gateway, _agent, look):
        async with aclosing(look.watch(Chosen(points=("level",)))) as stream:
            await anext(stream)
            await anext(stream)
            await asyncio.sleep(20)
            item = await anext(stream)
            return len(item["samples"]), item["dropped"]

    samples, dropped = played(tmp_path, monkeypatch, scene)
    assert samples == 5
    assert 13 <= dropped <= 16


def test_texts_are_shown_as_texts(tmp_path, monkeypatch):
    async def scene(_gateway, agent, look):
        number = next(n for n, point in agent.points() if point.name == "mode")
        agent.latest.value[number] = agent.numbering.intern("auto")
        (row,) = look.point_rows(Chosen(points=("mode",)))
        assert row["value"] == "auto"
        agent.latest.value[number] = 99
        assert look.point_rows(Chosen(points=("mode",)))[0]["value"] == ""

    text = '[[device]]\nname = "d3"\nadapter = "meter"\n[[device.point]]\nname = "mode"\n'
    played(tmp_path, monkeypatch, scene, DEVICES + text + 'kind = "text"\n')


def test_frames_of_a_device_and_of_a_line(tmp_path, monkeypatch):
    async def scene(_gateway, agent, look):
        async with (
            aclosing(look.frames(Chosen(devices=("d1",)))) as mine,
            aclosing(look.frames(Chosen(line="/dev/a"))) as line,
        ):
            await anext(mine)
            await anext(line)
            tap = agent.site.tap
            tap("/dev/a", Direction.SENT, b"\1\3", device="d1")
            tap("/dev/a", Direction.RECEIVED, b"\1\4", device="d2")
            tap("b:1883", Direction.RECEIVED, b"x" * 5000, device="d1", note="a/topic")
            frames = (await anext(mine))["frames"]
            assert [(one["line"], one["direction"]) for one in frames] == [
                ("/dev/a", "tx"), ("b:1883", "rx"),
            ]  # fmt: skip
            assert frames[0] == {
                "time_ns": agent.trust.now_ns(), "line": "/dev/a", "device": "d1",
                "direction": "tx", "data": "01 03", "note": "",
            }  # fmt: skip
            assert len(bytes.fromhex(frames[1]["data"])) == FRAME_BYTES_MAX
            assert frames[1]["note"] == "a/topic (the first of 5000 bytes)"
            assert [one["device"] for one in (await anext(line))["frames"]] == ["d1", "d2"]
        assert agent.site.taps == []

    played(tmp_path, monkeypatch, scene)


def test_what_is_nobodys_is_shown_with_the_devices_of_that_line(tmp_path, monkeypatch):
    async def scene(gateway, agent, look):
        gateway.kind.locate = lambda _settings: "listening instrument at /dev/a"
        async with aclosing(look.frames(Chosen(devices=("d1",)))) as mine:
            await anext(mine)
            agent.site.tap("/dev/ab", Direction.RECEIVED, b"1")
            agent.site.tap("/dev/a", Direction.RECEIVED, b"2")
            return (await anext(mine))["frames"]

    (frame,) = played(tmp_path, monkeypatch, scene)
    assert (frame["line"], frame["data"]) == ("/dev/a", "32")


def test_a_probe_reads_now_between_the_polls(tmp_path, monkeypatch):
    async def scene(gateway, _agent, look):
        before = gateway.readings(0)
        (item,) = await some(look.probe(Chosen(devices=("d1",))), 1)
        assert gateway.readings(0) == before + 1
        level, pump = item["rows"]
        assert (level["value"], level["quality"]) == (10.0 * (before + 1), "good")
        assert pump["quality"] == "uncertain: range", "judged as the agent would"
        gateway.kind.silent = True
        (item,) = await some(look.probe(Chosen()), 1)
        assert {row["quality"] for row in item["rows"]} == {"bad: silent"}
        assert {row["note"] for row in item["rows"]} == {"no answer"}

    devices = DEVICES.replace('kind = "state"', 'kind = "state"\nvalid = [0, 1]')
    played(tmp_path, monkeypatch, scene, devices)
