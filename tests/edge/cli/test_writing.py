"""write, as a technician uses it: with an agent and without one."""

import asyncio
import json

import pytest
from pymodbus.client import AsyncModbusTcpClient

from citytwin_edge.cli import main
from citytwin_edge.cli.writing import NOT_DONE
from tests.edge.cli.cli_scenes import dialogue, ran
from tests.edge.console import console_scenes as scenes
from tests.edge.modbus_devices import Peer, device, mbap, registers, tcp_server


async def test_without_a_terminal_nobody_is_asked(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
        config = ["--config", str(gateway.folder / "edge.toml")]
        assert await ran("write", "d/flow", "20", *config) == 1
        assert "was not set: say yes, or give --yes" in capsys.readouterr().err
        assert await ran("write", "d/flow", "20", "--yes", "--json", *config) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["before"], row["read"], row["confirmed"]) == (10.0, 20.0, True)


@pytest.mark.parametrize(("answer", "held"), [("yes", 200), ("иә", 200), ("", 100), ("no", 100)])
async def test_in_a_terminal_it_is_done_after_a_yes_only(tmp_path, answer, held):
    question = "set g/d/flow = 20 m³/h: yes or no [no]: "
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
        config = ["--config", str(gateway.folder / "edge.toml")]
        said = await asyncio.to_thread(
            dialogue, tmp_path, [(question, answer)], ["write", "d/flow", "20", *config]
        )
        assert question in said
        assert ("was not set" in said) is (held == 100)
        assert await modbus_register(port) == held


async def modbus_register(port):
    """Return the device's first register, read by pymodbus' own client."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    try:
        return (await client.read_holding_registers(0, count=1, device_id=1)).registers[0]
    finally:
        client.close()


async def test_a_running_agent_does_it_on_its_own_line(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        async with scenes.running(tmp_path, scenes.tcp("d", port)) as gateway:
            config = ["--config", str(gateway.folder / "edge.toml")]
            assert await ran("write", "d/flow", "30", "--yes", "--json", *config) == 0
            (row,) = json.loads(capsys.readouterr().out)
            assert (row["state"], row["read"]) == ("executed", 30.0)
            assert gateway.said("command.executed"), "the commander did it"


async def test_what_the_agent_has_set_holds_when_it_is_gone_and_the_other_way_round(
    tmp_path, capsys
):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        rarely = scenes.FLOW.replace(
            "writable = [0, 50]", "writable = [0, 50]\nwrite = { interval_s_min = 3600 }"
        )
        other = rarely.replace('"flow"', '"speed"').replace("address = 0", "address = 1")
        async with scenes.running(tmp_path, scenes.tcp("d", port, rarely + other)) as gateway:
            config = ["--yes", "--json", "--config", str(gateway.folder / "edge.toml")]
            assert await ran("write", "d/flow", "30", *config) == 0
            await gateway.stop()
            capsys.readouterr()
            assert await ran("write", "d/flow", "40", *config) == NOT_DONE
            (row,) = json.loads(capsys.readouterr().out)
            assert (row["state"], row["read"]) == ("refused", None)
            assert "it may be set once in 3600 s" in row["reason"]
            assert await modbus_register(port) == 300
            assert await ran("write", "d/speed", "35", *config) == 0, "set without an agent"
            await gateway.start()
            await scenes.until_console(gateway)
            capsys.readouterr()
            assert await ran("write", "d/speed", "40", *config) == NOT_DONE
            (row,) = json.loads(capsys.readouterr().out)
            assert "it may be set once in 3600 s" in row["reason"]
        assert await modbus_register(port) == 300


async def test_a_silent_device_is_an_error_for_scripts(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        pass
    gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
    config = ["--config", str(gateway.folder / "edge.toml")]
    assert await ran("write", "d/flow", "30", "--yes", *config) == NOT_DONE
    assert "the device did not confirm" in capsys.readouterr().out


async def test_a_device_that_stays_as_it_was_is_told_in_words(tmp_path, capsys):
    async def stays(transaction, unit, pdu):
        return [mbap(transaction, unit, registers(pdu, 100) if pdu[0] == 3 else pdu[:5])]

    async with Peer(stays).on_tcp() as port:
        gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
        config = ["--config", str(gateway.folder / "edge.toml")]
        assert await ran("write", "d/flow", "30", "--yes", *config) == NOT_DONE
    said = capsys.readouterr()
    assert "no" in said.out.splitlines()[1].split()
    assert "10 was read back" in said.err


def test_a_value_that_is_none_is_refused(tmp_path, capsys):
    gateway = scenes.configured(tmp_path, scenes.tcp("d", 5))
    config = ["--config", str(gateway.folder / "edge.toml")]
    assert main(["write", "d/flow", "99", "--yes", *config]) == 1
    assert "99 is outside 0 … 50" in capsys.readouterr().err


async def test_learn_anew_is_a_command_to_the_agent(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        watched = scenes.tcp("d", port).replace('name = "flow"', 'name = "flow"\nanomaly = {}', 1)
        config = ["--config", str(tmp_path / "edge.toml")]
        async with scenes.running(tmp_path, watched) as gateway:
            config = ["--config", str(gateway.folder / "edge.toml")]
            assert await ran("learn-anew", "d/flow", *config) == 1
            assert "goes on as it is: say yes" in capsys.readouterr().err
            assert await ran("learn-anew", "d/flow", "--yes", "--json", *config) == 0
            (row,) = json.loads(capsys.readouterr().out)
            assert (row["point"], row["state"]) == ("g/d/flow.anomaly-maturity", "executed")
            assert (row["read"], row["confirmed"]) == (0.0, True)
            assert gateway.said("command.executed"), "the commander has it in its journal"
            assert await ran("learn-anew", "d/other", "--yes", *config) == 1
            assert "'d/other' is not watched for anomalies" in capsys.readouterr().err
            assert await ran("learn-anew", "e/flow", "--yes", *config) == 1
            assert "there is no device of 'e/flow'" in capsys.readouterr().err
        assert await ran("learn-anew", "d/flow", "--yes", *config) == 1
        assert "no agent runs here, and it is the agent that learns" in capsys.readouterr().err
