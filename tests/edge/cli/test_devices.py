"""check and probe, each against what is really there; a mistake is one sentence."""

import json
from pathlib import Path

from citytwin_edge.cli import main
from citytwin_edge.cli.devices import SILENT
from tests.edge.cli.cli_scenes import ran, written
from tests.edge.modbus_devices import device, tcp_server


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


async def test_probe_fails_when_a_device_is_silent(tmp_path, capsys):
    async with tcp_server(device(1, [(0, [1, 2, 3])])) as port:
        path = written(tmp_path, port)
    assert await ran("probe", "--config", path) == SILENT
    assert "bad: silent" in capsys.readouterr().out
    assert await ran("probe", "--device", "other", "--config", path) == 1
    assert "there is no device 'other'; there are meter" in capsys.readouterr().err
