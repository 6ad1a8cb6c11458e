"""run and outbox as a technician and systemd use them."""

import asyncio
import contextlib
import json
import signal

import pytest

from citytwin import Batch, SystemClock
from citytwin_edge.cli import main, running
from citytwin_edge.cli.running import FAILED
from citytwin_edge.outbox import EntryKind, Outbox
from citytwin_hub.authority import Authority
from citytwin_protos.codec import pack
from tests.edge.cli.cli_scenes import process, ran, written
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import SmallHub, identity_of


def test_run_needs_a_certificate_of_this_gateway(tmp_path, capsys):
    assert main(["run", "--config", written(tmp_path)]) == 1
    assert "has not been enrolled" in capsys.readouterr().err
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    identity_of(authority, "other", tmp_path / "state")
    assert main(["run", "--config", written(tmp_path)]) == 1
    assert "the certificate of gateway 'other', not of 'g'" in capsys.readouterr().err


async def test_run_says_when_the_certificate_ends_soon(tmp_path, capsys, monkeypatch):
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    soon = SystemClock().now_ns() + 5 * 86_400 * 10**9
    identity_of(authority, "g", tmp_path / "state", "127.0.0.1:1", expires_ns=soon)
    monkeypatch.setattr("citytwin_edge.agent.Agent.run", lambda _self: asyncio.sleep(0))
    monkeypatch.setattr("asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler", print)
    assert await ran("run", "--log", "json", "--config", written(tmp_path)) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "certificate.expires"
    assert json.loads(line)["days_left"] == pytest.approx(5, abs=0.1)


def test_outbox_shows_what_waits_and_what_was_refused(tmp_path, capsys):
    path = written(tmp_path)
    assert main(["outbox", "--config", path]) == 1
    assert "there is no outbox" in capsys.readouterr().err
    outbox = Outbox(tmp_path / "state" / "outbox.db", size_bytes_max=1 << 20)
    body = pack(Batch.of([0, 1], 5, [1.0, 2.0]))
    first = outbox.append(EntryKind.TELEMETRY, body, 2)
    outbox.append(EntryKind.ALARM, body, 2)
    outbox.refuse(first, "invalid: point 7 is unknown")
    outbox.close()
    assert main(["outbox", "--config", path]) == 0
    out = capsys.readouterr().out
    assert "alarm" in out
    assert "1 entries, 2 samples" in out
    assert main(["outbox", "--refused", "--json", "--config", path]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["number"], row["reason"]) == (first, "invalid: point 7 is unknown")


def test_one_state_folder_serves_one_agent(tmp_path, capsys):
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    identity_of(authority, "g", tmp_path / "state", "127.0.0.1:1")
    with running.locked(tmp_path / "state"):
        assert main(["run", "--config", written(tmp_path)]) == 1
    assert "another agent runs with" in capsys.readouterr().err
    running.locked(tmp_path / "state").close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_run_delivers_and_stops_when_told(tmp_path, number):
    clock = SystemClock()
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    async with tcp_server(device(1, [(0, [123, 0x4142, 0])])) as port:
        async with hub.listening(authority) as address:
            written(tmp_path, port)
            identity_of(authority, "g", tmp_path / "state", address)
            agent = await process("run", "--log", "json", folder=tmp_path)
            await hub.until(lambda: len(hub.samples) > 30)
            agent.send_signal(number)
            async with asyncio.timeout(5):
                out, err = await agent.communicate()
    assert (agent.returncode, out) == (0, b"")
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert events[0] == "agent.started"
    assert events[-1] == "agent.stopped"
    assert hub.endings[-1].reason == "shutdown"
    assert hub.texts[int(hub.of("g/meter/name").value[0])] == "AB"
    outbox = Outbox(tmp_path / "state" / "outbox.db", size_bytes_max=1 << 20)
    last = max(hub.durable.values())
    assert outbox.stats().last_number >= last


async def test_a_failed_part_ends_the_process_with_an_error(tmp_path, capsys, monkeypatch):
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    identity_of(authority, "g", tmp_path / "state", "127.0.0.1:1")

    async def broken(_self):
        raise LookupError("a mistake of ours")

    monkeypatch.setattr("citytwin_edge.uplink.Uplink.run", broken)
    monkeypatch.setattr("asyncio.unix_events._UnixSelectorEventLoop.add_signal_handler", print)
    assert await ran("run", "--config", written(tmp_path)) == FAILED
    said = capsys.readouterr().err
    assert "a mistake of ours" in said
    assert said.splitlines()[-1].startswith("citytwin-edge: a part of the agent failed")


@contextlib.asynccontextmanager
async def agent_of(tmp_path):
    """Run an agent as a process, with one meter and a hub; yields (process, hub)."""
    clock = SystemClock()
    authority, hub = Authority(tmp_path / "authority", clock.now_ns()), SmallHub(clock)
    async with tcp_server(device(1, [(0, [123, 0x4142, 0])])) as port:
        async with hub.listening(authority) as address:
            written(tmp_path, port)
            identity_of(authority, "g", tmp_path / "state", address)
            agent = await process("run", "--log", "json", folder=tmp_path)
            try:
                await hub.until(lambda: len(hub.samples) > 5)
                yield agent, hub
            finally:
                agent.kill()
                await agent.communicate()


async def test_reload_lets_the_running_agent_take_the_file(tmp_path, capsys):
    async with agent_of(tmp_path) as (_agent, hub):
        path = tmp_path / "edge.toml"
        path.write_text(path.read_text().replace('name = "flow"', 'name = "stream"'))
        assert await ran("reload", "--config", str(path)) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"{path}: applied; devices: 0 new, 1 built anew")
        path.write_text(path.read_text().replace("scale = 0.1", "scale = 0.10"))
        assert await ran("reload", "--json", "--config", str(path)) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["file"], row["result"]) == (str(path), "applied")
        assert row["changed"].startswith("devices: 0 new, 0 built anew")
        await hub.until(lambda: any(p.name == "stream" for p in hub.points.values()))
        await hub.until(lambda: len(hub.of("g/meter/stream")) > 2)
        # What is wrong does not even reach the agent; what only the agent can refuse comes back.
        path.write_text(path.read_text().replace("scale = 0.1", "scale = 0"))
        assert await ran("reload", "--config", str(path)) == 1
        assert f"{path}:17: " in capsys.readouterr().err
        path.write_text(path.read_text().replace("scale = 0", "scale = 0.1").replace(
            'name = "g"', 'name = "h"'))  # fmt: skip
        assert await ran("reload", "--config", str(path)) == 1
        said = capsys.readouterr().err
        assert 'refused, the old one goes on: edge.toml:2: table "gateway"' in said
        assert "restart it" in said


async def test_reload_needs_an_agent_that_runs_and_answers(tmp_path, capsys):
    path = written(tmp_path)
    (tmp_path / "state").mkdir()
    assert await ran("reload", "--config", path) == 1
    assert "no agent runs with" in capsys.readouterr().err
    # The lock of an agent that was killed does not count, whoever has its number now.
    (tmp_path / "state" / "agent.lock").write_text("1")
    assert await ran("reload", "--config", path) == 1
    async with agent_of(tmp_path) as (agent, _hub):
        agent.send_signal(signal.SIGSTOP)
        path = str(tmp_path / "edge.toml")
        assert await ran("reload", "--wait", "0.2", "--config", path) == running.UNANSWERED
        assert "gave no answer within 0.2 s" in capsys.readouterr().err
