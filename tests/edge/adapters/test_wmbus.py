"""The wireless M-Bus adapter: what it hears, whose it is, and what it does not believe."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Any

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange, Listens, Locates, Probes, Reads, Scans
from citytwin.errors import ConfigError, DeviceMalformed, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge import plugins
from citytwin_edge.adapters import wmbus as adapter_module
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.wmbus import WMBUS
from citytwin_edge.adapters.wmbus_settings import WmbusDevice
from citytwin_edge.adapters.wmbus_sources import Arrived
from citytwin_edge.wire.wmbus_receivers import Received
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import bindings_of, instrument, opened
from tests.edge.wire.test_wmbus_frames import FORMAT_A
from tests.edge.wire.test_wmbus_telegram import (
    BY_ADAPTER,
    KEY_21,
    KEY_A,
    KEY_B,
    MULTICAL_21,
    PROFILE_B,
    TELEGRAMS,
)
from tests.waiting import until

VOLUME = {"record": {"quantity": "volume"}, "unit": "m3"}
CLOCK = {"record": {"quantity": "date-time"}, "unit": "s"}
GAS = {"id": "12345678", "key": KEY_A.hex(), "utc_offset_h": 0}
# A MULTICAL 21 in clear, full and compact, from the project wmbusmeters (simulation C1); its
# header, which announces encryption, is left out.
HEAD = bytes.fromhex("442D2C998734761B16")
FULL = HEAD + bytes.fromhex("7802FF207100041308190000441308190000615B7F616713")
COMPACT = HEAD + bytes.fromhex("79EDA86AB6710008190000081900007F13")


def build(points, site=None, **device):
    settings = msgspec.convert({"serial": "/dev/x", **device}, WmbusDevice)
    return WMBUS.build(settings, bindings_of(points, MbusPoint), site or new_site())


def line(raw):
    return raw.hex().encode() + b"\n"


def plain(body):
    return bytes([len(body)]) + body


def arrived(raw, **more):
    return Arrived(Received(raw), 1000, **more)


def qualities(adapter, raw, **more):
    return [(one.point, one.value, one.quality) for one in adapter._readings(arrived(raw, **more))]


async def speaking(receiver, *raws):
    """Send telegrams again and again."""
    while True:
        for raw in raws:
            receiver.say(line(raw))
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def receiver_that_speaks(port, *raws):
    async with instrument(port) as receiver:
        task = asyncio.ensure_future(speaking(receiver, *raws))
        try:
            yield receiver
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_conformance(tmp_path):
    port = str(tmp_path / "port")
    points = [VOLUME, CLOCK, {"header": "status"}]
    async with receiver_that_speaks(port, FORMAT_A):
        report = await check_adapter(
            lambda: build(points, serial=port, **GAS), bindings_of(points, MbusPoint)
        )
        batch = report.batch
    assert batch.value.tolist() == [28504.27, 1212277800, 0]


def test_what_it_is():
    assert plugins.adapter("wmbus") is WMBUS
    assert isinstance(WMBUS, Locates)
    assert isinstance(WMBUS, Decodes)
    adapter = build([VOLUME], id="12345678")
    for capability in (Listens, Probes, Scans):
        assert isinstance(adapter, capability)
    assert not isinstance(adapter, Reads)


async def test_several_meters_on_one_receiver(tmp_path):
    port, site = str(tmp_path / "port"), new_site()
    gas = build([VOLUME], site, serial=port, **GAS)
    water = build([VOLUME], site, serial=port, id="63452869", key=KEY_21.hex())
    async with instrument(port) as receiver, opened(gas), opened(water):
        streams: list[Any] = [one.listen() for one in (gas, water)]
        tasks = [asyncio.ensure_future(anext(stream)) for stream in streams]
        port_of_both: Any = gas._source
        port_of_both = port_of_both._port
        await until(
            lambda: len(port_of_both._ears) == 2 and port_of_both._connection.is_open, "both listen"
        )
        receiver.say(line(MULTICAL_21), line(FORMAT_A))
        assert [(await task).value.tolist() for task in tasks] == [[28504.27], [474.24]]
        for stream in streams:
            await stream.aclose()


@pytest.mark.parametrize(
    ("raw", "device", "is_mine"),
    [
        (FORMAT_A, {"id": "12345678"}, True),
        (FORMAT_A, {"id": "12345679"}, False),
        (FORMAT_A, {"id": "12345678", "manufacturer": "KAM"}, False),
        (FORMAT_A, {"id": "12345678", "manufacturer": "ELS", "version": 51, "medium": 3}, True),
        (BY_ADAPTER, {"id": "12345678"}, True),
        (BY_ADAPTER, {"id": "11223344"}, True),
        (FORMAT_A[:-1], {"id": "12345678"}, False),
    ],
)
def test_whose_a_telegram_is(raw, device, is_mine):
    found = qualities(build([VOLUME], **device), raw)
    assert bool(found) is is_mine
    assert all(quality == Quality.BAD_MALFORMED for _, _, quality in found), "there is no key"


def test_all_ways_of_encryption():
    for raw, key, device, volume in (
        (FORMAT_A, KEY_A, "12345678", 28504.27),
        (PROFILE_B, KEY_B, "12345678", 28504.27),
        (BY_ADAPTER, KEY_B, "12345678", 28504.27),
        (MULTICAL_21, KEY_21, "63452869", 474.24),
    ):
        found = qualities(build([VOLUME], id=device, key=key.hex()), raw)
        assert found == [(0, volume, Quality.GOOD)]


def test_a_telegram_that_says_nothing_of_a_point_leaves_it_alone():
    points = [VOLUME, {"record": {"quantity": "pressure"}, "unit": "bar"}]
    assert [point for point, *_ in qualities(build(points, **GAS), FORMAT_A)] == [0]


def test_compact_telegrams_after_a_full_one():
    adapter = build([VOLUME], id="76348799")
    ((_, value, quality),) = qualities(adapter, plain(COMPACT))
    assert (math.isnan(value), quality) == (True, Quality.BAD_MALFORMED)
    for raw in (FULL, COMPACT):
        assert qualities(adapter, plain(raw)) == [(0, 6.408, Quality.GOOD)]


def test_once_understood_a_broken_telegram_spoils_nothing():
    adapter = build([VOLUME], id="12345678", key=KEY_A.hex())
    assert qualities(adapter, PROFILE_B)[0][2] == Quality.BAD_MALFORMED
    assert qualities(adapter, FORMAT_A)[0][2] == Quality.GOOD
    assert qualities(adapter, PROFILE_B) == []


def test_an_old_telegram_is_not_taken_for_now():
    found = qualities(build([VOLUME], **GAS), FORMAT_A, is_late=True)
    assert found == [(0, 28504.27, Quality.UNCERTAIN_STALE)]


async def test_a_probe_tells_who_else_is_heard(tmp_path, monkeypatch):
    port = str(tmp_path / "port")
    monkeypatch.setattr(adapter_module, "PROBE_S", 2.0)
    async with receiver_that_speaks(port, MULTICAL_21, FORMAT_A):
        points = [VOLUME, {"record": {"quantity": "pressure"}, "unit": "bar"}]
        async with opened(build(points, serial=port, **GAS)) as adapter:
            volume, pressure = await adapter.probe()
            assert (volume.value, volume.note) == (28504.27, "0c 14: volume 28504.27 m3")
            assert (pressure.quality, pressure.raw) == (Quality.BAD_SILENT, b"")
            assert "heard besides: 63452869.KAM.27.22" in pressure.note
    async with opened(build([VOLUME], serial=port, **GAS)) as adapter:
        (lost,) = await adapter.probe()
        assert "not reachable" in lost.note


async def test_a_scan_names_every_meter_once(tmp_path):
    port = str(tmp_path / "port")
    async with receiver_that_speaks(port, MULTICAL_21, FORMAT_A, plain(FULL), b"\x01\x02"):
        found: dict[str, str] = {}
        stream: Any = build([], serial=port, scan_s_max=60.0).scan()
        async for one in stream:
            assert one.address not in found
            found[one.address] = one.description
            if len(found) == 3:
                break
        await stream.aclose()
    assert set(found) == {
        'id = "63452869"\nmanufacturer = "KAM"',
        'id = "12345678"\nmanufacturer = "ELS"',
        'id = "76348799"\nmanufacturer = "KAM"',
    }
    assert found['id = "12345678"\nmanufacturer = "ELS"'].startswith(
        "gas, ELS version 51: the telegram is encrypted (security mode 5)"
    )
    assert found['id = "76348799"\nmanufacturer = "KAM"'] == "cold water, KAM version 27: 5 records"


async def test_a_scan_ends_in_time(tmp_path):
    port = str(tmp_path / "port")
    async with receiver_that_speaks(port, b"\x01\x02"):
        adapter = build([], serial=port, scan_s_max=0.2)
        assert [one async for one in adapter.scan()] == []


async def test_a_receiver_that_is_lost(tmp_path):
    port = str(tmp_path / "port")
    adapter = build([VOLUME], serial=port, **GAS)
    async with opened(adapter):
        async with receiver_that_speaks(port, FORMAT_A):
            stream = adapter.listen()
            assert (await anext(stream)).value.tolist() == [28504.27]
        with pytest.raises(DeviceSilent):
            async for _ in stream:
                pass


@pytest.mark.parametrize(
    ("points", "device", "words"),
    [
        ([VOLUME], {}, "device dev needs id, the 8 digits on the meter"),
        ([VOLUME | {"writable": [0, 1]}], {"id": "12345678"}, "meters are read only"),
    ],
)
def test_devices_that_cannot_be(points, device, words):
    with pytest.raises(ConfigError, match=words):
        build(points, **device)


def test_golden_frames_are_decoded_without_a_receiver():
    settings = msgspec.convert({"serial": "/dev/x", "id": "76348799"}, WmbusDevice)
    bindings = bindings_of([VOLUME], MbusPoint)
    text = b"C1;1;1;2020-01-23 10:25:13.000;97;148;76348799;0x" + plain(COMPACT).hex().encode()
    exchanges = [Exchange(b"", plain(FULL)), Exchange(b"", text)]
    found = WMBUS.decode(settings, bindings, exchanges, new_site())
    assert [(one.point, one.value) for one in found] == [(0, 6.408)]
    for wrong in (b"hello", b"\xff" * 12):
        with pytest.raises(DeviceMalformed):
            WMBUS.decode(settings, bindings, [Exchange(b"", wrong)], new_site())
    assert WMBUS.locate(settings) == "meter 76348799 heard at /dev/x"


def test_real_meters_are_read_by_name():
    """A point that names its quantity finds it in telegrams of many makers."""
    read = 0
    for one in TELEGRAMS:
        if len(one["frames"]) == 1 and any(unit == "m3" for unit, _ in one["values"]):
            adapter = build([VOLUME], id=one["id"], key=one.get("key", ""))
            found = qualities(adapter, bytes.fromhex(one["frames"][0]))
            read += any(quality == Quality.GOOD for *_, quality in found)
    assert read >= 15
