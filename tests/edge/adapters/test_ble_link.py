"""A BLE link on a real D-Bus: one connection, and what becomes of it."""

import asyncio

import pytest
from bleak.exc import BleakDBusError, BleakError

from citytwin import SystemClock
from citytwin.errors import DeviceRefused, DeviceSilent
from citytwin_edge.adapters.ble_link import Link, asked
from citytwin_edge.adapters.ble_radio import Radio
from tests.edge.ble_devices import bluetooth
from tests.waiting import until

PUMP = "C4:7C:8D:6A:3E:7A"
VALUE = "00002a6e-0000-1000-8000-00805f9b34fb"
GATT = {"do": "gatt", "address": PUMP, "characteristics": {VALUE: [["read"], "0102"]}}
HERE = {"do": "advertise", "address": PUMP, "rssi": -50}


async def linked(air, link):
    making = asyncio.ensure_future(link.client())
    while not making.done():
        await air.tell(HERE)
        await asyncio.wait([making], timeout=0.05)
    return await making


async def test_a_connection_is_made_once_and_again_after_it_was_lost(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter"}, GATT) as air:
        link = Link(PUMP, Radio("hci0", SystemClock()), 5.0)
        client = await linked(air, link)
        assert await link.client() is client
        assert await link.read(client, VALUE) == b"\x01\x02"
        await air.do("part", address=PUMP)
        await link.until_parted()
        with pytest.raises(DeviceSilent, match="has parted"):
            link.find(client, VALUE, {"read"})
        assert await linked(air, link) is not client
        await link.part()
        await link.part()
        assert (await air.state())["connected"] == []
        await link.close()


async def test_a_device_that_was_left_connected_is_taken_over(tmp_path, monkeypatch):
    """Such a one does not advertise: after a kill of the gateway it would be lost for ever."""
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter"}, GATT) as air:
        for name in ("Connected", "ServicesResolved"):
            await air.do("property", address=PUMP, name=name, signature="b", value=True)
        link = Link(PUMP, Radio("hci0", SystemClock()), 5.0)
        assert await link.read(await link.client(), VALUE) == b"\x01\x02"
        await link.close()
        assert "Device1.Connect" not in (await air.state())["calls"]


async def test_a_cancelled_connection_leaves_nothing(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter"}, GATT) as air:
        await air.do("connecting", address=PUMP, how="hang")
        radio = Radio("hci0", SystemClock())
        link = Link(PUMP, radio, 20.0)
        making = asyncio.create_task(link.client())
        await air.said(PUMP)
        await until(radio.connecting.locked, "an attempt")
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        assert not radio.connecting.locked()
        await air.do("connecting", address=PUMP, how="ok")
        assert (await linked(air, link)).is_connected
        await link.close()


async def test_what_bleak_says_is_ours():
    async def raising(error):
        raise error

    for error, kind in (
        (TimeoutError(), DeviceSilent),
        (BleakError("gone"), DeviceSilent),
        (BleakDBusError("org.bluez.Error.Failed", ["no"]), DeviceSilent),
        (BleakDBusError("org.bluez.Error.NotSupported", ["no"]), DeviceRefused),
        (EOFError(), DeviceSilent),
        (OSError("bus"), DeviceSilent),
    ):
        with pytest.raises(kind, match=r"it was not read: .+"):
            await asked(raising(error), "it was not read")
