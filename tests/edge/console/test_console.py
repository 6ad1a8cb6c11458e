"""A whole agent as a process and the commands beside it: the port is the agent's, and it shares."""

import asyncio
import json
import os
import signal

import pytest

from tests.edge.console.console_scenes import (
    configured,
    rtu,
    running,
    tcp,
    typed,
    until_console,
    watching,
)
from tests.edge.modbus_devices import device, plug, pty_line, serial_server, tcp_server
from tests.waiting import until

pytestmark = pytest.mark.timeout(180)
METER = device(1, [(0, [123, 7])])


async def test_a_technician_beside_a_running_agent(tmp_path):
    with pty_line() as line:
        port = plug(line, tmp_path / "port")
        async with (
            serial_server(line.ends[1], METER),
            running(tmp_path, rtu("meter", port) + tcp("dead", 1)) as gateway,
        ):
            await gateway.until_said("device failed", device="dead")
            await the_status_tells_of_the_dead_device(gateway)
            await a_probe_goes_through_the_agent(gateway)
            await two_watch_and_see_the_same(gateway)
            await bytes_are_seen(gateway)
            await a_write_goes_through_the_commander(gateway)
            await logs_are_there(gateway)
            await nobody_else_opens_the_port(gateway, port)
            await they_are_told_when_the_agent_ends(gateway)


async def the_status_tells_of_the_dead_device(gateway):
    done = await typed(gateway, "status", "--json")
    assert done.code == 2, "a device fails and nothing is delivered"
    devices = {one["device"]: one for one in done.json["devices"]}
    assert devices["dead"]["state"] == "failing"
    assert "Connection refused" in devices["dead"]["error"]
    done = await typed(gateway, "status")
    assert done.code == 2
    (row,) = [line for line in done.out.splitlines() if line.startswith("dead")]
    assert row.split()[1] == "failing"
    assert "1 bad" in row or "2 bad" in row


async def a_probe_goes_through_the_agent(gateway):
    done = await typed(gateway, "probe", "--device", "meter", "--json")
    assert done.code == 0, done.err
    assert [(row["raw"], row["value"], row["quality"]) for row in done.json] == [
        ("00 7b", 12.3, "good"), ("00 07", 7.0, "good"),
    ]  # fmt: skip
    done = await typed(gateway, "probe")
    assert done.code == 2
    assert "in use" not in done.out


async def two_watch_and_see_the_same(gateway):
    async with (
        watching(gateway, "watch", "--json", "--device", "meter") as one,
        watching(gateway, "watch", "--device", "meter") as other,
    ):
        await until(lambda: len(one.lines()) > 10, "samples")
        await until(lambda: other.text().count("meter/flow") > 5, "samples")
        assert await one.interrupted() == 130
        assert await other.interrupted() == 130
    sample = one.lines()[0]
    assert sample | {"time_ns": 0} == {
        "time_ns": 0, "device": "meter", "point": "flow", "value": 12.3, "unit": "m³/h",
        "quality": "good",
    }  # fmt: skip
    assert "  meter/flow  12.3 m³/h  good" in other.text()
    once = await typed(gateway, "watch", "--once", "--json", "--device", "meter")
    assert once.code == 0
    assert [row["value"] for row in once.json] == [12.3, 7.0]
    assert (await typed(gateway, "watch", "--once")).code == 2, "one device has no value"


async def bytes_are_seen(gateway):
    async with (
        watching(gateway, "frames", "--device", "meter") as frames,
        watching(gateway, "frames", "--json", "--device", "meter") as machine,
    ):
        await until(lambda: frames.text().count("RX") > 2, "frames")
        await until(lambda: len(machine.lines()) > 4, "frames")
        await frames.interrupted()
        await machine.interrupted()
    lines = frames.text().splitlines()
    port = str(gateway.folder.parent / "port")
    assert any(f"  {port}  meter  TX  01 03 00 00 00 02 c4 0b" in line for line in lines)
    assert any(f"  {port}  meter  RX  01 03 04 00 7b 00 07 " in line for line in lines)
    assert {one["direction"] for one in machine.lines()} == {"tx", "rx"}


async def a_write_goes_through_the_commander(gateway):
    from citytwin_edge.console import client

    about = {"point": "meter/flow", "value": 5.5, "by": "aigul"}
    done = await client.ask(gateway.state, "write", **about)
    assert (done["state"], done["confirmed"], done["before"], done["read"]) == (
        "executed", True, 12.3, 5.5,
    )  # fmt: skip
    done = await client.ask(gateway.state, "write", point="meter/flow", value=51)
    assert (done["state"], done["reason"]) == ("refused", "51 is outside 0 … 50")


async def logs_are_there(gateway):
    done = await typed(gateway, "logs", "--device", "dead", "--json")
    assert done.code == 0
    (line,) = [json.loads(line) for line in done.out.splitlines()]
    assert (line["event"], line["device"]) == ("device failed", "dead")
    done = await typed(gateway, "logs", "-n", "2")
    assert len(done.out.splitlines()) == 2
    assert "command.refused" in done.out


async def nobody_else_opens_the_port(gateway, port):
    done = await typed(gateway, "doctor", "--json")
    assert done.code == 2
    rows = {row["check"]: row for row in done.json}
    assert rows[f"port {port}"]["found"] == f"{port} is open, by the agent"
    assert rows["device meter"]["result"] == "ok"
    assert rows["device dead"]["result"] == "failed"
    assert "frames --device dead" in rows["device dead"]["remedy"]


async def they_are_told_when_the_agent_ends(gateway):
    async with (
        watching(gateway, "watch", "--json") as watcher,
        watching(gateway, "logs", "--follow", "--json") as follower,
    ):
        await until(watcher.lines, "a sample")
        await until(follower.lines, "a line")
        await gateway.stop()
        assert await watcher.ended() == 1
        assert await follower.ended() == 1
    assert "citytwin-edge: the agent has ended" in watcher.text()
    assert not (gateway.state / "console.sock").exists()
    assert (await typed(gateway, "status")).code == 3


async def test_a_watcher_that_is_stopped_costs_the_others_nothing(tmp_path):
    async with tcp_server(METER) as port:
        async with running(tmp_path, tcp("meter", port, period_s=0.01)) as gateway:
            async with (
                watching(gateway, "watch", "--json") as slow,
                watching(gateway, "watch", "--json") as quick,
            ):
                await until(lambda: slow.lines() and quick.lines(), "samples")
                os.kill(slow.pid, signal.SIGSTOP)
                seen = len(quick.lines())
                await until(lambda: len(quick.lines()) > seen + 500, "the other to see on")
                os.kill(slow.pid, signal.SIGCONT)
                await slow.interrupted()
                await quick.interrupted()
            done = await typed(gateway, "status", "--json")
            assert done.json["devices"][0]["state"] == "ok"
            assert not any("dropped" in line for line in quick.lines())


async def test_a_killed_agents_socket_is_no_obstacle(tmp_path):
    async with tcp_server(METER) as port:
        gateway = configured(tmp_path, tcp("meter", port))
        try:
            await gateway.start()
            await until_console(gateway)
            await gateway.kill()
            assert (gateway.state / "console.sock").exists()
            done = await typed(gateway, "status")
            assert (done.code, done.out) == (3, "")
            assert "no agent runs" in done.err
            # Without an agent the devices are read by the command itself.
            done = await typed(gateway, "probe", "--json")
            assert [row["value"] for row in done.json] == [12.3, 7.0]
            done = await typed(gateway, "watch", "--once", "--json")
            assert [row["value"] for row in done.json] == [12.3, 7.0]
            async with watching(gateway, "frames", "--json") as frames:
                await until(lambda: len(frames.lines()) > 2, "frames")
                assert await frames.interrupted() == 130
            await gateway.start()
            await until(lambda: len(gateway.said("agent.started")) == 2, "the next life")
            await until(lambda: not _refused(gateway), "the console")
            assert (await typed(gateway, "status", "--json")).json["gateway"] == "g"
        finally:
            await gateway.abandon()


def _refused(gateway):
    from citytwin_edge.console import sockets

    try:
        sockets.connected(gateway.state).close()
    except OSError:
        return True
    return False


async def test_a_console_that_cannot_be_had_costs_no_sample(tmp_path):
    async with tcp_server(METER) as port:
        gateway = configured(tmp_path, tcp("meter", port), head='[page]\nlisten = "192.0.2.1:80"\n')
        (gateway.state / "console.sock").mkdir()
        (gateway.state / "console.sock" / "in the way").touch()
        try:
            await gateway.start()
            await gateway.until_said("console.unavailable")
            await gateway.until_said("page.unavailable", address="192.0.2.1:80")
            await until(
                lambda: gateway.outbox.exists() and gateway.waiting().entries > 2, "entries"
            )
            await gateway.stop()
        finally:
            await gateway.abandon()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_another_user_is_sent_away(tmp_path):
    async with tcp_server(METER) as port, running(tmp_path, tcp("meter", port)) as gateway:
        # As badly guarded as can be: the kernel still says who asks.
        gateway.state.chmod(0o755)
        (gateway.state / "console.sock").chmod(0o666)
        folder = os.open(gateway.state, os.O_PATH)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            _ask_as_nobody(folder, writer)
        os.close(writer)
        os.close(folder)
        await gateway.until_said("console.refused", user="nobody")
        said = await asyncio.to_thread(os.read, reader, 4096)
        os.close(reader)
        await asyncio.to_thread(os.waitpid, child, 0)
        assert json.loads(said) == {"error": "nobody may not ask this agent; use sudo"}


def _ask_as_nobody(folder, writer):
    import socket

    os.fchdir(folder)
    os.setresuid(65534, 65534, 65534)
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(60)
        end.connect("console.sock")
        os.write(writer, end.recv(4096))
    os._exit(0)
