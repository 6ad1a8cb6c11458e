"""write, as a technician uses it: with an agent and without one."""

import json

from citytwin_edge.cli import main
from citytwin_edge.cli.writing import NOT_DONE
from tests.edge.cli.cli_scenes import ran
from tests.edge.console import console_scenes as scenes
from tests.edge.modbus_devices import device, tcp_server


async def test_without_a_terminal_nobody_is_asked(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
        config = ["--config", str(gateway.folder / "edge.toml")]
        assert await ran("write", "d/flow", "20", *config) == 1
        assert "was not set: say yes, or give --yes" in capsys.readouterr().err
        assert await ran("write", "d/flow", "20", "--yes", "--json", *config) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["before"], row["read"], row["confirmed"]) == (10.0, 20.0, True)


async def test_a_running_agent_does_it_on_its_own_line(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        async with scenes.running(tmp_path, scenes.tcp("d", port)) as gateway:
            config = ["--config", str(gateway.folder / "edge.toml")]
            assert await ran("write", "d/flow", "30", "--yes", "--json", *config) == 0
            (row,) = json.loads(capsys.readouterr().out)
            assert (row["state"], row["read"]) == ("executed", 30.0)
            assert gateway.said("command.executed"), "the commander did it"


async def test_a_silent_device_is_an_error_for_scripts(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [100, 7])])) as port:
        pass
    gateway = scenes.configured(tmp_path, scenes.tcp("d", port))
    config = ["--config", str(gateway.folder / "edge.toml")]
    assert await ran("write", "d/flow", "30", "--yes", *config) == NOT_DONE
    assert "the device did not confirm" in capsys.readouterr().out


def test_a_value_that_is_none_is_refused(tmp_path, capsys):
    gateway = scenes.configured(tmp_path, scenes.tcp("d", 5))
    config = ["--config", str(gateway.folder / "edge.toml")]
    assert main(["write", "d/flow", "99", "--yes", *config]) == 1
    assert "99 is outside 0 … 50" in capsys.readouterr().err
