"""Adapters of nodes on a broker and of devices on the radio, on a bench: Sparkplug B, Bluetooth."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import msgspec
import pytest

from citytwin.adapter import Exchange
from citytwin.testing import Recorded, State, check_adapter
from citytwin.testing.disturbance import FRAMES
from citytwin.testing.report import PROPERTIES
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.sparkplug import SPARKPLUG
from citytwin_edge.adapters.sparkplug_settings import SparkplugDevice, SparkplugPoint
from tests.conformance.benches import Plugged, disturbed, hush, is_gold, recorded, running
from tests.edge import ble_devices, sparkplug_nodes
from tests.edge.adapters import test_ble_gatt as ble_gatt
from tests.edge.modbus_devices import new_site
from tests.edge.mqtt_devices import bound
from tests.servers import free_port, mosquitto

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.mark.parametrize(
    ("device_id", "points", "writes", "commands"),
    [
        ("plc", sparkplug_nodes.POINTS, {0: 2.25, 1: 1.0}, "DCMD"),
        ("", {"pump": {"metric": "Outputs/Pump", "kind": "state"}}, {0: 1.0}, "NCMD"),
    ],
)
async def test_sparkplug(tmp_path, device_id, points, writes, commands):
    port, site = free_port(), new_site()
    obeyed = []

    @contextlib.asynccontextmanager
    async def plug():
        obedient = sparkplug_nodes.node(port, sparkplug_nodes.ObedientNode)
        async with mosquitto(tmp_path, port=port), obedient as ps:
            ps.commands = obeyed
            ps.devices["plc"] = sparkplug_nodes.plc()

            async def speak():
                while True:
                    await ps.bear()
                    await asyncio.sleep(0.1)

            async with running(speak()):
                yield ps

    bindings = bound("ps", points, SparkplugPoint)
    own = {"host": "h", "host_id": "gw", "group_id": "plant", "edge_node_id": "ps-1",
           "device_id": device_id}  # fmt: skip
    settings = msgspec.convert(own, SparkplugDevice)
    births = [
        Exchange(b"spBv1.0/plant/NBIRTH/ps-1", sparkplug_nodes.payload(
            "NBIRTH", 0, [sparkplug_nodes.bd_seq_metric(0),
                          sparkplug_nodes.metric("Outputs/Pump", "BOOLEAN", False, alias=1)])),
        Exchange(b"spBv1.0/plant/DBIRTH/ps-1/plc", sparkplug_nodes.payload(
            "DBIRTH", 1, sparkplug_nodes.plc())),
    ]  # fmt: skip
    frames = Recorded(lambda some: SPARKPLUG.decode(settings, bindings, some, site), births)
    async with Plugged(plug, hush) as bench:
        report = await check_adapter(
            lambda: sparkplug_nodes.device(site, port, points, device_id=device_id), bindings,
            bench=bench, site=site, writes=writes, recorded=frames,
        )  # fmt: skip
    is_gold(report, "recorded")
    assert report.state("writes") is State.PROVEN
    # What was set, and what there was before, of each point.
    assert [device for device, _ in obeyed] == [device_id] * 2 * len(writes), commands


class Advertiser:
    """Advertises again and again what a tag measures, unless it is to be silent."""

    def __init__(self, air: ble_devices.Bluetooth) -> None:
        self.air, self.is_silent = air, False

    async def run(self) -> None:
        for number in itertools.count(1):
            if not self.is_silent:
                said = ble_devices.said(number % 0xFFFF)
                await self.air.do("advertise", address=ble_devices.TAG, company=said)
            await asyncio.sleep(0.02)


async def test_ble(tmp_path, monkeypatch):
    site = ble_devices.new_site()

    @contextlib.asynccontextmanager
    async def plug():
        async with ble_devices.bluetooth(tmp_path, monkeypatch) as air:
            tag = Advertiser(air)
            async with running(tag.run()):
                yield tag

    bindings = ble_devices.bound("tag", ble_devices.POINTS)
    async with Plugged(plug, hush) as bench:
        report = await check_adapter(
            lambda: ble_devices.ruuvi(site), bindings, bench=bench, site=site,
            writes={}, recorded=recorded("ruuvi/ruuvitag"), timeout_s=15.0,
        )  # fmt: skip
    is_gold(report, "recorded")


class Peripheral:
    """Makes itself heard, so that it can be connected to, unless it is to be silent."""

    def __init__(self, air: ble_devices.Bluetooth) -> None:
        self.air, self.is_silent = air, False

    async def run(self) -> None:
        while True:
            if not self.is_silent:
                await self.air.tell(ble_gatt.here())
            await asyncio.sleep(0.05)


async def test_ble_gatt(tmp_path, monkeypatch):
    site = ble_devices.new_site()

    @contextlib.asynccontextmanager
    async def plug():
        async with ble_devices.bluetooth(tmp_path, monkeypatch, *ble_gatt.SETUP) as air:
            pump = Peripheral(air)
            async with running(pump.run()):
                yield pump

    points = {name: one for name, one in ble_gatt.POINTS.items() if name != "name"}
    bindings = ble_devices.bound("pump", points)
    own = ble_gatt.pump(points, site)._settings
    frames = [
        Exchange(f"{ble_gatt.PUMP} characteristic:{uuid}".encode(), bytes.fromhex(data))
        for uuid, (_, data) in ble_gatt.CHARACTERISTICS.items()
        if uuid != ble_gatt.NAME
    ]
    every = Recorded(lambda some: BLE.decode(own, bindings, some, site), frames)
    async with Plugged(plug, hush) as bench:
        report = await check_adapter(
            lambda: ble_gatt.pump(points, site), bindings, bench=bench, site=site,
            writes={1: 500.0, 2: 3.0}, recorded=every, timeout_s=15.0,
            # A characteristic has no checksum: it may become any other number of its type.
            possible={0: (-32768, 32767), 1: (0, 65535), 2: (0, 255)},
        )  # fmt: skip
    # What is sent to read a characteristic only BlueZ sees; all else is proven.
    left = [one.name for one in PROPERTIES if report.state(one.name) is not State.PROVEN]
    assert left == ["shown"], str(report)
    assert disturbed(report, "recorded") >= FRAMES
