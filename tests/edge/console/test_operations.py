"""What a person beside a running agent may ask of it, on a virtual clock."""

import asyncio
from contextlib import aclosing

import pytest

from citytwin.testing import VirtualClock
from citytwin_edge.console.page.unlocking import Unlocking
from citytwin_edge.console.protocol import ConsoleError
from tests.edge.agent_scenes import DEVICES, Gateway, config_of
from tests.edge.console.console_scenes import operations_of


def played(tmp_path, monkeypatch, scene, devices=DEVICES):
    clock = VirtualClock()

    async def play():
        config, kind = config_of(tmp_path, monkeypatch, devices)
        gateway = Gateway(config, kind, clock)
        async with gateway.running() as agent:
            await asyncio.sleep(2.5)
            return await scene(gateway, *operations_of(agent))

    return clock.run(play())


def test_what_nobody_can_do_is_refused_in_words(tmp_path, monkeypatch):
    async def scene(_gateway, operations, _logs):
        for name, about, said in (
            ("fly", {}, "cannot do 'fly'; it can do status, values, watch"),
            ("watch", {"devices": "d1"}, "watch: Expected `array`"),
            ("watch", {"machines": []}, "unknown field `machines`"),
            ("write", {"point": "d1/pump"}, "missing required field `value`"),
            ("write", {"point": "d1/x", "value": 1}, "there is no point 'd1/x'"),
            ("write", {"point": "d1/pump", "value": 1, "within_s": 0}, "within_s is above 0"),
            ("page-unlock", {}, "this gateway has no page"),
        ):
            with pytest.raises(ConsoleError, match=said):
                await operations.ask(name, about, "root")

    played(tmp_path, monkeypatch, scene)


def test_a_written_value_that_is_not_read_back_is_not_confirmed(tmp_path, monkeypatch):
    async def scene(gateway, operations, _logs):
        begun_ns = operations._agent.trust.monotonic_ns()
        done = await operations.ask("write", {"point": "d1/pump", "value": 1}, "aigul")
        assert (done["state"], done["confirmed"], done["reason"]) == ("executed", False, "")
        assert gateway.kind.meters[0].written == [(1, 1.0)]
        assert done["read"] == 10.0 * gateway.readings(0) + 1, "what it reads instead"
        assert operations._agent.trust.monotonic_ns() - begun_ns < 11e9
        assert operations._agent.latest.watchers == []

    played(tmp_path, monkeypatch, scene)


def test_a_written_value_is_confirmed_as_soon_as_it_is_read_back(tmp_path, monkeypatch):
    async def scene(gateway, operations, _logs):
        begun_ns = operations._agent.trust.monotonic_ns()
        # The meter's next reading of the pump, as near as a device has it.
        value = 10.0 * (gateway.readings(0) + 1) + 1 - 0.2
        about = {"point": "d1/pump", "value": value, "tolerance": 0.5}
        done = await operations.ask("write", about, "aigul")
        assert (done["state"], done["confirmed"]) == ("executed", True)
        assert abs(done["read"] - value) < 0.5
        assert done["before"] == done["read"] - 10
        assert operations._agent.trust.monotonic_ns() - begun_ns < 2e9

    devices = DEVICES.replace("writable = [0, 1]", "writable = [0, 1000]")
    played(tmp_path, monkeypatch, scene, devices)


def test_limits_hold_for_whoever_stands_beside_the_gateway(tmp_path, monkeypatch):
    async def scene(gateway, operations, _logs):
        done = await operations.ask("write", {"point": "d1/pump", "value": 2}, "root")
        assert (done["state"], done["reason"]) == ("refused", "2 is outside 0 … 1")
        done = await operations.ask("write", {"point": "g/d1/level", "value": 2}, "root")
        assert done["reason"] == "g/d1/level cannot be written"
        for wish in ({"value": float("inf")}, {"value": 1, "tolerance": -1.0}):
            with pytest.raises(ConsoleError, match="must be finite"):
                await operations.ask("write", {"point": "d1/pump", **wish}, "root")
        assert gateway.kind.meters[0].written == []
        await asyncio.sleep(3)
        assert [one.state.value for one in gateway.hub.outcomes] == ["refused", "refused"]

    played(tmp_path, monkeypatch, scene)


def test_who_wrote_is_in_the_journal_of_commands(tmp_path, monkeypatch):
    async def scene(_gateway, operations, _logs):
        about = {"point": "d1/pump", "value": 1, "within_s": 1, "by": "aigul"}
        await operations.ask("write", about, "root")
        rows = operations._agent.commander._db.execute("SELECT issued_by, state FROM commands")
        return rows.fetchall()

    assert played(tmp_path, monkeypatch, scene) == [("aigul (root)", "executed")]


def test_status_says_how_everything_is(tmp_path, monkeypatch):
    async def scene(_gateway, operations, _logs):
        return await operations.ask("status", {}, "root")

    status = played(tmp_path, monkeypatch, scene)
    assert (status["gateway"], status["hub"]["connected"]) == ("g", True)
    assert [one["device"] for one in status["devices"]] == ["d1", "d2"]


def test_logs_are_those_of_a_device_and_go_on(tmp_path, monkeypatch):
    async def scene(_gateway, operations, logs):
        for number in range(3):
            logs.keep({"event": "e", "device": "d1", "number": number})
            logs.keep({"event": "e", "device": "d2", "number": number})
        wish = {"device": "d1", "lines": 2}
        lines = (await operations.ask("logs", wish, "root"))["lines"]
        assert [one["number"] for one in lines] == [1, 2]
        async with aclosing(operations.start("logs", {**wish, "follow": True}, "root")) as items:
            assert len((await anext(items))["lines"]) == 2
            logs.keep({"event": "e", "device": "d2", "number": 3})
            logs.keep({"event": "e", "device": "d1", "number": 4})
            assert [one["number"] for one in (await anext(items))["lines"]] == [4]
        assert logs.watchers == []

    played(tmp_path, monkeypatch, scene)


def test_the_page_is_unlocked_and_locked(tmp_path, monkeypatch):
    async def scene(_gateway, operations, _logs):
        clock = operations._agent.trust
        operations.unlocking = Unlocking(clock.monotonic_ns, lambda: ["http://10.0.0.1:8080"])
        offered = await operations.ask("page-unlock", {"minutes": 5}, "root")
        session = operations.unlocking.unlock(offered["pin"])
        assert offered["addresses"] == ["http://10.0.0.1:8080"]
        assert (await operations.ask("page-lock", {}, "root")) == {"locked": True}
        assert operations.unlocking.session(session.cookie) is None

    played(tmp_path, monkeypatch, scene)
