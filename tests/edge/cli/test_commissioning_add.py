"""add of devices on every kind of line, as it is typed: serial RTU, M-Bus, a broker."""

import asyncio
import json
from pathlib import Path

import aiomqtt
import pytest

from citytwin_edge.config import load
from tests.edge.cli.cli_scenes import ran
from tests.edge.commissioning.sdm120 import CODE, registers
from tests.edge.mbus_meters import Meter, bus
from tests.edge.modbus_devices import device, plug, pty_line, serial_server
from tests.servers import mosquitto

WATERSTAR = bytes.fromhex(
    "04 78 2e 25 4c 00 04 6d 0a 0c cd 13 04 13 4c 01 00 00 44 13 4b 01 00 00 84 01 13 4c 01 00 00"
    "42 6c bf 1c 02 6c df 1c 04 3b 00 00 00 00 14 3b 16 08 00 00 02 23 a7 04 01 fd 17 00"
    "04 90 28 08 00 00 00"
)
"""As read off such a meter: libmbus, EFE_Engelmann-WaterStar."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def added(capsys, profile, *fields):
    """Add a device without a question; return what scripts are told, and the device."""
    words = [word for field in fields for word in ("--set", field)]
    code = await ran("add", profile, "--yes", "--json", *words)
    said = capsys.readouterr()
    assert code == 0, said
    told = json.loads(said.out)
    assert told["added"]
    (one,) = load(Path("edge.toml")).devices
    assert told["device"]["name"] == one.name
    return {row["point"]: row for row in told["points"]}, one


async def test_on_a_serial_line(here, capsys):
    with pty_line() as line:
        unit = device(3, [(0, [0] * 100), CODE], inputs=[(0, registers())])
        async with serial_server(line.ends[1], unit):
            port = plug(line, here / "ttyUSB0")
            points, one = await added(
                capsys, "eastron/sdm120", f"serial={port}", "unit=3", "baud=9600", "transport=rtu"
            )
    assert points["voltage"]["value"] == pytest.approx(231.4)
    assert {row["plausible"] for row in points.values()} == {"ok"}
    assert (one.adapter, one.settings.serial, one.settings.unit) == ("modbus", port, 3)


async def test_on_an_m_bus_line(here, capsys):
    port = str(here / "port")
    meter = Meter("04990254", (WATERSTAR,), manufacturer="EFE", version=0, medium=6, status=0x27)
    async with bus(port, meter):
        points, one = await added(
            capsys, "engelmann/waterstar-mbus", f"serial={port}", "id=04990254", "parity=none"
        )
    assert points["volume"]["value"] == 0.332
    assert points["serial-number"]["value"].endswith("4990254")
    assert (one.adapter, one.settings.id) == ("mbus", "04990254")


async def test_behind_a_broker(here, capsys):
    async with mosquitto(here) as port, aiomqtt.Client("127.0.0.1", port) as client:
        said = {"temperature": 21.5, "humidity": 44.1, "pressure": 912.0, "battery": 88,
                "voltage": 2985, "linkquality": 90}  # fmt: skip

        async def speak():
            while True:
                await client.publish("zigbee2mqtt/hall", json.dumps(said))
                await asyncio.sleep(0.1)

        speaking = asyncio.create_task(speak())
        try:
            points, one = await added(
                capsys, "aqara/wsdcgq11lm", "host=127.0.0.1", f"port={port}", "topic_name=hall"
            )
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
    assert points["temperature"]["value"] == 21.5
    assert (one.adapter, one.settings.topic_name) == ("mqtt", "hall")
