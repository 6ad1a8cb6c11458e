"""The commands of a technician, each against what is really there; a mistake is one sentence."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from citytwin import Batch, SystemClock
from citytwin_edge import cli
from citytwin_edge.cli import FAILED, SILENT, main
from citytwin_edge.outbox import EntryKind, Outbox
from citytwin_hub.authority import Authority
from citytwin_protos.codec import pack
from tests.edge.modbus_devices import device, tcp_server
from tests.edge.small_hub import SmallHub, identity_of
from tests.hub.conftest import Core, core

__all__ = ["Core", "core"]

COMMAND = "import sys; from citytwin_edge.cli import main; sys.exit(main())"


def written(folder, port=5, **more):
    path = folder / "edge.toml"
    head = '[gateway]\nname = "g"\nstate = "state"\n' + more.get("gateway", "")
    path.write_text(
        f'{head}[outbox]\nflush_ms = 100\n[[device]]\nname = "meter"\nadapter = "modbus"\n'
        f'host = "127.0.0.1"\nport = {port}\nperiod_s = 0.1\n'
        '[[device.point]]\nname = "flow"\nunit = "m3/h"\ntable = "holding"\naddress = 0\n'
        "scale = 0.1\nwritable = [0, 10]\n"
        '[[device.point]]\nname = "name"\nkind = "text"\ntable = "holding"\naddress = 1\n'
        'type = "string"\nlength = 2\n'
    )
    return str(path)


async def ran(*arguments):
    """Run a command beside the servers of this test."""
    return await asyncio.to_thread(main, arguments)


def test_check_says_what_there_is_and_touches_nothing(tmp_path, capsys):
    assert main(["check", "--config", written(tmp_path)]) == 0
    out = capsys.readouterr().out
    header, row, summary = out.splitlines()
    assert header.split() == ["device", "adapter", "points", "writable", "period_s", "requests"]
    assert row.split() == ["meter", "modbus", "2", "1", "0.1", "1"]
    assert summary.endswith("gateway g, 1 devices, 2 points, 1 requests per poll; nothing is wrong")
    assert not (tmp_path / "state").exists()
    assert main(["check", "--json", "--config", written(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["requests"] == 1


def test_the_file_here_comes_before_that_of_the_system(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    assert "/etc/citytwin/edge.toml: cannot be read" in capsys.readouterr().err
    written(tmp_path)
    assert main(["check"]) == 0


def test_a_mistake_is_one_line(tmp_path, capsys):
    path = Path(written(tmp_path))
    path.write_text(path.read_text().replace("scale = 0.1", 'scale = "0,1"'))
    for command in (["check"], ["run"], ["probe"], ["outbox"], ["enrol", "h", "t"]):
        assert main([*command, "--config", str(path)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        (line,) = said.err.splitlines()
        assert line.startswith("citytwin-edge: ")
        assert 'edge.toml:17: device "meter", point "flow", field "scale": expected' in line


async def test_probe_shows_what_devices_say(tmp_path, capsys):
    text = [0x4142, 0x4300]
    async with tcp_server(device(1, [(0, [123, *text])])) as port:
        assert await ran("probe", "--config", written(tmp_path, port)) == 0
        header, flow, name = capsys.readouterr().out.splitlines()
        assert header.split() == [
            "device",
            "point",
            "raw",
            "value",
            "unit",
            "quality",
            "ms",
            "note",
        ]
        assert flow.split()[:7] == ["meter", "flow", "00", "7b", "12.3", "m³/h", "good"]
        assert name.split()[:6] == ["meter", "name", "41", "42", "43", "00"]
        assert name.split()[-1] == "ABC"
        assert await ran("probe", "--json", "--config", written(tmp_path, port)) == 0
        first, second = json.loads(capsys.readouterr().out)
        assert (first["value"], second["value"]) == (12.3, "ABC")
    assert not (tmp_path / "state").exists()


def test_probe_cuts_long_bytes_in_its_table_only(capsys):
    long = "".join(f"{n:02x} " for n in range(40)).strip()
    row = {"device": "d", "raw": long, "note": "x" * 80}
    cli._table([row], False)
    said = capsys.readouterr().out
    assert "0d 0e 0f…  " in said
    assert row["note"] in said, "what people can read is not cut"
    cli._table([row], True)
    assert long in capsys.readouterr().out


async def test_probe_fails_when_a_device_is_silent(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [1, 2, 3])])) as port:
        path = written(tmp_path, port)
    assert await ran("probe", "--config", path) == SILENT
    assert "bad: silent" in capsys.readouterr().out
    assert await ran("probe", "--device", "other", "--config", path) == 1
    assert "there is no device 'other'; there are meter" in capsys.readouterr().err


async def test_enrol_needs_hub_and_token_only(core, tmp_path, capsys):
    hub = f"127.0.0.1:{core.server.enrol_port}"
    path = written(tmp_path)
    assert await ran("enrol", hub, core.token("g"), "--config", path) == 0
    assert f"g is enrolled; its hub is {core.link}" in capsys.readouterr().out
    assert await ran("enrol", hub, core.token("other"), "--config", path) == 1
    assert "the hub refuses: " in capsys.readouterr().err


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


async def process(*arguments, folder):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *arguments, cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


def test_one_state_folder_serves_one_agent(tmp_path, capsys):
    authority = Authority(tmp_path / "authority", SystemClock().now_ns())
    identity_of(authority, "g", tmp_path / "state", "127.0.0.1:1")
    with cli._locked(tmp_path / "state"):
        assert main(["run", "--config", written(tmp_path)]) == 1
    assert "another agent runs with" in capsys.readouterr().err
    cli._locked(tmp_path / "state").close()


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


async def test_help_is_quick_and_imports_no_library(tmp_path):
    code = (
        "import sys; from citytwin_edge.cli import _parser; _parser();"
        "print([n for n in ('grpc', 'cryptography', 'pymodbus', 'sqlite3') if n in sys.modules])"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    assert out.decode().strip() == "[]"
