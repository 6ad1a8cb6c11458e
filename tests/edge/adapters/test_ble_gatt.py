"""Characteristics of Bluetooth devices: read, written and notified over a real D-Bus."""

import asyncio
import math

import pytest

from citytwin import Quality
from citytwin.adapter import Listens, Picks, Probes, Reads, Writes
from citytwin.errors import ConfigError, DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge.adapters.ble import BLE
from citytwin_edge.adapters.ble_ear import HEARD_MAX
from tests.edge.ble_devices import bluetooth, bound, device, hearing, new_site
from tests.waiting import until

PUMP = "C4:7C:8D:6A:3E:7A"
TEMPERATURE = "00002a6e-0000-1000-8000-00805f9b34fb"
NAME = "00002a00-0000-1000-8000-00805f9b34fb"
SPEED = "a7ea14cf-1000-43ba-ab86-1d6e136a2e9e"
CHARACTERISTICS = {
    TEMPERATURE: [["read", "notify"], "9a09"],  # 24.58 °C in hundredths, low byte first
    NAME: [["read"], "50756d7020332020"],
    SPEED: [["read", "write"], "01102700ff"],
}
POINTS = {
    "temperature": {"characteristic": "2a6e", "at": 0, "type": "int16", "unit": "Cel"},
    "name": {"characteristic": "2A00", "kind": "text"},
    "speed": {"characteristic": SPEED, "at": 1, "type": "uint16", "writable": [0, 20000]},
    "mode": {"characteristic": SPEED, "at": 0, "type": "uint8", "kind": "state"},
}
GATT = {"do": "gatt", "address": PUMP, "characteristics": CHARACTERISTICS}
SETUP = ({"do": "adapter"}, GATT)


def pump(points=POINTS, site=None, **settings):
    return device(
        site or new_site(), points, "pump", address=PUMP, **{"mode": "polled", **settings}
    )


def here():
    return {"do": "advertise", "address": PUMP, "company": {"ffff": "00"}}


async def reading(air, adapter):
    """Read while the device makes itself heard."""
    return await beside(air, adapter.read())


async def beside(air, doing):
    doing = asyncio.ensure_future(doing)
    while not doing.done():
        await air.tell(here())
        await asyncio.wait([doing], timeout=0.05)
    return await doing


async def test_characteristics_are_read_and_the_device_is_left(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump()
        await adapter.open()
        batch = await reading(air, adapter)
        state = await air.state()
        await adapter.close()
        assert not (await air.state())["active"]
    assert batch.value.tolist() == [2458.0, 1.0, 10000.0, 1.0]
    assert set(batch.quality.tolist()) == {Quality.GOOD}
    assert state["connected"] == []
    assert isinstance(adapter, Reads)
    assert isinstance(adapter, Writes)
    assert isinstance(adapter, Probes)
    assert not isinstance(adapter, Listens)


async def test_some_points_are_read_and_who_looks_sees_it(tmp_path, monkeypatch):
    seen = []
    site = new_site()
    site.taps.append(seen.append)
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(site=site)
        await adapter.open()
        batch = await beside(air, adapter.read_some([0, 3]))
        await beside(air, adapter.write(2, 7))
        await adapter.close()
    assert isinstance(adapter, Picks)
    assert batch.point.tolist() == [0, 3]
    assert batch.value.tolist() == [2458.0, 1.0]
    assert [(one.direction.value, one.note.rpartition(":")[2], one.data.hex()) for one in seen] == [
        ("rx", TEMPERATURE, "9a09"), ("rx", SPEED, "01102700ff"),
        ("rx", SPEED, "01102700ff"), ("tx", SPEED, "01070000ff"),
    ]  # fmt: skip


async def test_a_connection_is_kept_where_that_is_said(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(keep_connected=True)
        await adapter.open()
        await reading(air, adapter)
        await air.do("value", uuid=TEMPERATURE, value="6400")
        batch = await adapter.read()  # without being heard once more
        state = await air.state()
        assert state["connected"] == [PUMP]
        assert state["calls"].count("Device1.Connect") == 1
        await air.do("part", address=PUMP)
        await until(lambda: adapter._link.has_parted, "parting")
        assert (await reading(air, adapter)).value[0] == 100
        await adapter.close()
        assert (await air.state())["connected"] == []
    assert batch.value[0] == 100.0


async def test_what_is_refused_or_not_there_costs_no_other(tmp_path, monkeypatch):
    points = {**POINTS, "else": {"characteristic": "2aff", "at": 0, "type": "uint8"}}
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(points)
        await adapter.open()
        await air.do("refuse", uuid=SPEED, error="NotPermitted")
        await air.do("value", uuid=TEMPERATURE, value="64")
        batch = await reading(air, adapter)
        probed = await beside(air, adapter.probe())
        await adapter.close()
    assert batch.quality.tolist() == [
        Quality.BAD_MALFORMED, Quality.GOOD, Quality.BAD_REFUSED, Quality.BAD_REFUSED,
        Quality.BAD_REFUSED,
    ]  # fmt: skip
    assert [math.isnan(value) for value in batch.value] == [True, False, True, True, True]
    assert probed[0].note == "1 bytes are too few: the value ends at byte 2"
    assert probed[1].note == "Pump 3"
    assert probed[4].note.endswith("has no characteristic 00002aff-0000-1000-8000-00805f9b34fb")


async def test_a_device_that_is_away_or_cannot_be_connected(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(connect_timeout_s=0.5)
        await adapter.open()
        with pytest.raises(DeviceSilent, match="is not in range, or cannot be connected"):
            await adapter.read()
        await air.do("connecting", address=PUMP, how="hang")
        with pytest.raises(DeviceSilent, match="is not in range, or cannot be connected"):
            await reading(air, adapter)
        await air.do("connecting", address=PUMP, how="fail")
        with pytest.raises(DeviceSilent, match="abort-by-remote"):
            await reading(air, adapter)
        await air.do("connecting", address=PUMP, how="ok")
        assert (await reading(air, adapter)).value[0] == 2458
        await adapter.close()


async def test_the_adapter_is_off_and_bluetoothd_dies(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(keep_connected=True, connect_timeout_s=2)
        await adapter.open()
        await reading(air, adapter)
        await air.do("power", on=False)
        await air.do("part", address=PUMP)
        with pytest.raises(DeviceSilent, match="switched off"):
            await adapter.read()
        await air.kill()
        await until(lambda: "bluetoothd" in adapter._link._radio._why, "another trouble")
        with pytest.raises(DeviceSilent, match="bluetoothd is not running"):
            await adapter.read()
        await air.start(*SETUP)
        await until(lambda: not adapter._link._radio._why, "a Bluetooth adapter")
        assert (await reading(air, adapter)).value[0] == 2458
        await adapter.close()


async def test_writing(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump()
        await adapter.open()
        await beside(air, adapter.write(2, 9000))
        batch = await reading(air, adapter)
        await air.do("refuse", uuid=SPEED, error="NotAuthorized")
        with pytest.raises(DeviceRefused):
            await beside(air, adapter.write(2, 1))
        for point, value, why in (
            (0, 1, "can read, notify, not write"), (1, 1, "needs at and type"),
            (2, 70_000, "outside 0 to 65535"),
        ):  # fmt: skip
            await air.do("refuse", uuid=SPEED, error="")
            with pytest.raises(DeviceRefused, match=why):
                await beside(air, adapter.write(point, value))
            await air.do("refuse", uuid=SPEED, error="NotAuthorized")
        state = await air.state()
        await adapter.close()
    assert state["written"] == [["01" + (9000).to_bytes(2, "little").hex() + "00ff", "request"]]
    assert batch.value.tolist()[2:] == [9000.0, 1.0]


async def test_what_cannot_be_read_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    gatt = {**GATT, "characteristics": {SPEED: [["write-without-response"], ""]}}
    points = {
        "whole": {"characteristic": SPEED, "at": 0, "type": "uint16"},
        "part": {"characteristic": SPEED, "at": 1, "type": "uint8"},
    }
    async with bluetooth(tmp_path, monkeypatch, {"do": "adapter"}, gatt) as air:
        adapter = pump(points)
        await adapter.open()
        await beside(air, adapter.write(0, 0x1234))
        with pytest.raises(DeviceRefused, match=r"the rest of .* would be lost"):
            await beside(air, adapter.write(1, 1))
        with pytest.raises(DeviceRefused, match="not read"):
            await reading(air, adapter)
        assert (await air.state())["written"] == [["3412", "command"]]
        await adapter.close()


async def test_it_keeps_the_contract(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        checking = check_adapter(pump, bound("pump", POINTS), timeout_s=10.0)
        report = await beside(air, checking)
    assert report.batch.value.tolist()[2:] == [10000.0, 1.0]


# ---- notifications
TOLD = {"temperature": POINTS["temperature"]}


async def test_notifications_become_samples(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(TOLD, mode="notified")
        assert isinstance(adapter, Listens)
        assert not isinstance(adapter, Reads)
        async with hearing(adapter) as (ear,):
            await beside(air, ear.until(lambda ear: ear.samples))
            await air.do("value", uuid=TEMPERATURE, value="6500", notify=True)
            await air.do("value", uuid=TEMPERATURE, value="66", notify=True)
            await air.do("value", uuid=TEMPERATURE, value="6700", notify=True)
            await ear.until(lambda ear: len(ear.samples) == 4)
            assert (await air.state())["notifying"] == [TEMPERATURE]
        assert (await air.state())["connected"] == []
    assert ear.values()[:2] + ear.values()[3:] == [2458.0, 101.0, 103.0]
    assert ear.qualities()[2] == Quality.BAD_MALFORMED
    assert not ear.errors


@pytest.mark.parametrize("how", ["part", "kill", "power"])
async def test_a_device_that_parts_is_connected_again(tmp_path, monkeypatch, how):
    monkeypatch.setattr("citytwin_edge.adapters.ble_gatt.LINK_S_MIN", 0.05)
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        async with hearing(pump(TOLD, mode="notified", connect_timeout_s=2)) as (ear,):
            await beside(air, ear.until(lambda ear: ear.samples))
            if how == "part":
                await air.do("part", address=PUMP)
            elif how == "power":
                await air.do("power", on=False)
                await air.do("part", address=PUMP)
            else:
                await air.kill()
            await ear.until(lambda ear: ear.errors)
            if how == "power":
                await air.do("power", on=True)
            elif how == "kill":
                await air.start(*SETUP)
            await beside(air, ear.until(lambda ear: len(ear.samples) >= 2))
    assert set(ear.values()) == {2458.0}
    words = {"part": "has parted", "kill": "bluetoothd is not running", "power": "switched off"}
    assert any(words[how] in error for error in ear.errors)


async def test_what_does_not_notify_is_told(tmp_path, monkeypatch):
    points = {"speed": POINTS["mode"]}
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        async with hearing(pump(points, mode="notified")) as (ear,):
            await beside(air, ear.until(lambda ear: ear.errors))
    assert "can read, write, not indicate" in ear.errors[0]


async def test_a_flood_of_notifications_costs_the_oldest_and_says_so(tmp_path, monkeypatch):
    async with bluetooth(tmp_path, monkeypatch, *SETUP) as air:
        adapter = pump(TOLD, mode="notified")
        stream = adapter.listen()
        assert (await beside(air, anext(stream))).value.tolist() == [2458.0]
        await air.tell(
            *(
                {"do": "value", "uuid": TEMPERATURE, "value": f"{number:02x}00", "notify": True}
                for number in range(HEARD_MAX + 20)
            )
        )
        await until(lambda: adapter._link.ear._lost == 20, "a flood")
        lost, batch = await anext(stream), await anext(stream)
        await stream.aclose()
    assert lost.quality.tolist() == [Quality.BAD_OVERFLOW]
    assert batch.quality.tolist() == [Quality.GOOD]


def test_points_that_do_not_fit():
    for point, why in (
        ({"characteristic": "2a6e", "at": 0, "type": "string", "length": 2}, "go together"),
        ({"characteristic": "2a6e", "at": 0, "words": {"on": 1}}, "words and form are of texts"),
    ):
        with pytest.raises((ConfigError, ValueError), match=why):
            pump({"t": point})
    heard = BLE.locate(pump()._settings)
    assert heard == f"characteristics of {PUMP} at hci0"
