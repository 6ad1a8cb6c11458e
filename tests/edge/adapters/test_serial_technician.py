"""Serial instruments as a technician meets them: the guide's examples, check, and probe."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.cli import main
from citytwin_edge.cli.devices import SILENT
from citytwin_edge.config import load
from tests.edge.serial_instruments import frame, instrument

GUIDE = Path(__file__).resolve().parents[3] / "docs/guides/serial.md"
SHELF = Shelf([OURS])
EXAMPLES = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


def written(folder, text):
    path = folder / "edge.toml"
    path.write_text(f'[gateway]\nname = "g"\nstate = "state"\n{text}', encoding="utf-8")
    return path


async def ran(*arguments):
    return await asyncio.to_thread(main, arguments)


def test_the_guide_has_four_examples_that_are_right(tmp_path):
    assert len(EXAMPLES) == 4
    config = load(written(tmp_path, "\n".join(EXAMPLES)))
    names = [device.name for device in config.devices]
    assert names == ["weather", "chlorine-1", "heat-meter", "gps"]
    assert {"latitude", "clock"} <= {one.point.name for one in config.devices[3].points}


def test_the_guide_names_the_instruments_that_are_known():
    known = {name for name in SHELF.names() if SHELF.profile(name).adapter == "serial"}
    assert set(re.findall(r"`([a-z0-9-]+/[a-z0-9-]+)`", GUIDE.read_text(encoding="utf-8"))) == known


MISTAKES = [
    (0, "column = 4", 'column = "4"',
     'device "weather", point "wind-speed", field "column": expected a whole number'),
    (0, 'kind = "xor8"', 'kind = "xor9"',
     'device "weather", table "checksum", field "kind": expected one of "crc'),
    (0, "column = 4", "column = 4\nchars = [1, 3]",
     'device "weather", point "wind-speed", field "column": column, columns, '
     'chars and pattern exclude each other'),
    (1, 'request = \'#{address:02d}\\r\'', "request = '#{adress}'",
     'device "chlorine-1", field "request": request: \'{adress}\' is not a place'),
    (1, "command = ", "comand = ",
     'device "chlorine-1", point "setpoint", field "comand": is not known here; did you mean "co'),
    (1, "pattern = 'SP=", "pattern = '(a+)+",
     'device "chlorine-1", point "setpoint", field "pattern": '
     'pattern \'(a+)+([.\\\\d]+)\' repeats a group'),
    (2, "length_at = 1 ", "length = 12 ",
     'device "heat-meter": length_adds goes with length_at'),
    (2, 'order = "BADC"', 'order = "BA"',
     'device "heat-meter", point "flow-temperature", field "order": expected one of "ABCD"'),
]  # fmt: skip


@pytest.mark.parametrize(("example", "right", "wrong", "words"), MISTAKES)
def test_a_mistake_is_one_line(tmp_path, capsys, example, right, wrong, words):
    text = EXAMPLES[example]
    assert right in text
    path = written(tmp_path, text.replace(right, wrong, 1))
    assert main(["check", "--config", str(path)]) == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    found = re.fullmatch(r"citytwin-edge: .*edge\.toml:(\d+): (.*)", line)
    assert found
    assert found[2].startswith(words), found[2]
    assert 4 <= int(found[1]) <= len(path.read_text().splitlines())
    assert said.out == ""


def test_an_instrument_that_was_copied_and_not_renumbered(tmp_path, capsys):
    twice = EXAMPLES[1] + EXAMPLES[1].replace("chlorine-1", "chlorine-2")
    assert main(["check", "--config", str(written(tmp_path, twice))]) == 1
    assert 'is device "chlorine-1" on line 4 already' in capsys.readouterr().err
    path = written(tmp_path, twice[::-1].replace("1 = sserdda", "2 = sserdda", 1)[::-1])
    assert main(["check", "--config", str(path)]) == 0
    rows = [line.split()[:6] for line in capsys.readouterr().out.splitlines()[1:3]]
    assert rows == [[f"chlorine-{n}", "serial", "2", "1", "5.0", "2"] for n in (1, 2)]


async def test_probe(tmp_path, capsys):
    """A weather station that streams and a heat meter's frames, at once; then nobody."""
    ports = [str(tmp_path / name) for name in ("weather", "heat")]
    weather = re.sub("serial = .*", f'serial = "{ports[0]}"', EXAMPLES[0])
    heat = EXAMPLES[2].replace('host = "192.168.10.40"', f'serial = "{ports[1]}" #')
    path = str(written(tmp_path, weather + heat.replace("port = 4001", "")))
    body = b"\x01" + bytes.fromhex("45230100") + b"\x3c\x1e"
    async with instrument(ports[0]) as station, instrument(ports[1]) as meter:
        station.say(*[b"$WIMWV,214.8,R,003.5,M,A*29\r\n", 0.05] * 100)
        meter.say(*[frame(body), 0.05] * 100)
        assert await ran("probe", "--json", "--config", path) == 0
    speed, direction, energy, flow = json.loads(capsys.readouterr().out)
    assert (speed["value"], speed["raw"], speed["quality"]) == (3.5, "30 30 33 2e 35", "good")
    assert speed["note"] == "$WIMWV,214.8,R,003.5,M,A"
    assert (direction["value"], direction["unit"]) == (214.8, "°")
    assert (energy["value"], energy["raw"]) == (12345, "45 23 01 00")
    assert (flow["value"], flow["raw"]) == (77.4, "3c 1e")
    assert await ran("probe", "--config", path) == SILENT
    assert "is not reachable: No such file or directory" in capsys.readouterr().out


def test_a_gateway_without_a_port_in_use_loads_no_driver(tmp_path):
    """What is configured is imported; the driver is, when a port is opened."""
    path = written(tmp_path, "\n".join(EXAMPLES))
    look = (
        "import sys, pathlib; from citytwin_edge.config import load; "
        f"load(pathlib.Path({str(path)!r})); "
        "print([n for n in ('serial', 'serial_asyncio_fast', 'pymodbus', 'aiomqtt', 'jsonpath', "
        "'citytwin_edge.adapters.modbus') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
