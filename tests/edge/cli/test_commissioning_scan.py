"""scan of every adapter that can, as it is typed: rows for scripts, and exit codes."""

import asyncio
import json

import aiomqtt
import pytest

from citytwin_edge.adapters import mqtt_scan, sparkplug
from citytwin_edge.cli.commissioning import NOTHING
from tests.edge.ble_devices import bluetooth
from tests.edge.cli.cli_scenes import ran
from tests.edge.mbus_meters import Meter, bus
from tests.edge.sparkplug_nodes import node, one, plc
from tests.edge.wire.test_announcements import BRIDGE
from tests.servers import free_port, mosquitto

COLUMNS = ["adapter", "where", "address", "says", "dBm", "profile"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(capsys, *more):
    """Return what was printed, by address."""
    found = json.loads(capsys.readouterr().out)
    assert all(list(row) == [*COLUMNS, *more] for row in found)
    return {row["address"]: row for row in found}


def broker(port):
    return ["--host", "127.0.0.1", "--set", f"port={port}"]


async def test_of_an_m_bus_line(here, capsys):
    port = str(here / "port")
    line = ["--serial", port, "--set", "baud=19200", "--set", "reply_timeout_s=0.15"]
    line += ["--set", "parity=none", "--set", "scan=secondary", "--json"]
    async with bus(port, Meter("06855817", version=52), Meter("12345678", is_dead=True)):
        assert await ran("scan", "mbus", *line) == 0
        found = rows(capsys, "baud", "parity")
    (address,) = found
    assert address.startswith('id = "06855817", manufacturer = "KAM", version = 52')
    met = found[address]
    assert (met["baud"], met["parity"], met["adapter"]) == (19200, "none", "mbus")
    assert met["profile"].split(", ")[0] == "kamstrup/multical-403-mbus"
    async with bus(port, Meter("06855817", is_dead=True)):
        assert await ran("scan", "mbus", *line) == NOTHING
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "nothing was met; check power, wiring and address; citytwin-edge adapters show mbus" in (
        said.err
    )
    assert await ran("scan", "mbus", "--serial", str(here / "none"), "--json") == 1
    assert "is not reachable" in capsys.readouterr().err


async def test_of_bluetooth_devices(here, capsys, monkeypatch):
    shelly = {
        "address": "A4:C1:38:00:00:01", "rssi": -70, "name": "SBHT-003C",
        "service": {"fcd2": "44000701642E2D45E9FF"},
    }  # fmt: skip
    async with bluetooth(here, monkeypatch) as air:
        scanning = asyncio.create_task(ran("scan", "ble", "--set", "scan_s=1", "--json"))
        await air.until_active()
        await air.tell({"do": "advertise", **shelly})
        assert await scanning == 0
        found = rows(capsys)['address = "A4:C1:38:00:00:01", format = "bthome"']
        assert (found["profile"], found["dBm"]) == ("shelly/blu-ht", -70)
        assert await ran("scan", "ble", "--set", "scan_s=0.2", "--json") == NOTHING
        assert rows(capsys) == {}


async def test_of_topics_and_of_a_bridges_devices(here, capsys, monkeypatch):
    monkeypatch.setattr(mqtt_scan, "SCAN_S", 0.5)
    async with mosquitto(here) as port, aiomqtt.Client("127.0.0.1", port) as client:
        assert await ran("scan", "mqtt", *broker(port), "--json") == NOTHING
        assert rows(capsys) == {}
        told = {"air/27": b'{"pm25": 3}', "zigbee2mqtt/bridge/devices": json.dumps(BRIDGE).encode()}
        for topic, payload in told.items():
            await client.publish(topic, payload, qos=1, retain=True)
        assert await ran("scan", "mqtt", *broker(port), "--json") == 0
        assert rows(capsys)['topic = "air/27"']["says"] == '{"pm25": 3}'
        dialect = ["--set", "dialect=zigbee2mqtt", "--json"]
        assert await ran("scan", "mqtt", *broker(port), *dialect) == 0
        assert "Aqara WSDCGQ11LM" in rows(capsys)['topic_name = "hall/climate"']["says"]
    assert await ran("scan", "mqtt", *broker(free_port()), "--json") == 1
    assert "Connection refused" in capsys.readouterr().err


async def test_of_sparkplug_nodes(here, capsys, monkeypatch):
    monkeypatch.setattr(sparkplug, "LOOK_S", 2.0)
    async with mosquitto(here) as port:
        async with node(port) as station:
            station.devices["plc"] = plc()
            soon = ["--set", "reorder_s=0.2", "--json"]
            scanning = asyncio.create_task(ran("scan", "sparkplug", *broker(port), *soon))
            while not scanning.done():
                await station.data(one(1.0), "plc", types=False)  # it is asked for its birth
                await asyncio.wait([scanning], timeout=0.2)
        assert scanning.result() == 0
        found = rows(capsys)
        place = 'group_id = "plant", edge_node_id = "ps-1"'
        assert sorted(found) == [place, f'{place}, device_id = "plc"']
        assert "Inputs/Level (Double)" in found[f'{place}, device_id = "plc"']["says"]
        monkeypatch.setattr(sparkplug, "LOOK_S", 0.2)
        assert await ran("scan", "sparkplug", *broker(port), "--json") == NOTHING
        assert rows(capsys) == {}
    assert await ran("scan", "sparkplug", *broker(free_port()), "--json") == 1
