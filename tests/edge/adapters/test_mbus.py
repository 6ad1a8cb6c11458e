"""The M-Bus adapter against meters on a bus of ptys, and over TCP; conformance."""

from __future__ import annotations

import asyncio
import contextlib
import math

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Decodes, Exchange, Locates, Probes, Reads, Scans, Writes
from citytwin.errors import ConfigError, DeviceMalformed, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge import plugins
from citytwin_edge.adapters.mbus import MBUS
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.mbus_settings import MbusDevice
from citytwin_edge.wire.mbus_frames import long_frame, read_frame
from tests.edge.mbus_meters import VOLUME, Meter, build, bus
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import bindings_of, opened
from tests.waiting import answered

POINTS = [VOLUME, {"record": {"quantity": "energy"}, "unit": "kW.h"}, {"header": "status"}]


async def test_conformance(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)):
        report = await check_adapter(
            lambda: build(new_site(), POINTS, serial=port, address=5),
            bindings_of(POINTS, MbusPoint),
        )
        batch = report.batch
    assert batch.quality.tolist() == [Quality.GOOD, Quality.BAD_REFUSED, Quality.GOOD]


def test_what_it_is():
    assert plugins.adapter("mbus") is MBUS
    assert isinstance(MBUS, Locates)
    assert isinstance(MBUS, Decodes)
    adapter = build(new_site(), POINTS, serial="/dev/x", address=5)
    for capability in (Reads, Probes, Scans):
        assert isinstance(adapter, capability)
    assert not isinstance(adapter, Writes)


async def test_several_meters_share_a_bus_and_a_dead_one_costs_little(tmp_path):
    port = str(tmp_path / "port")
    site = new_site()
    meters = [Meter(f"0000000{n}", address=n, is_dead=n == 3) for n in range(1, 6)]
    async with bus(port, *meters) as line, contextlib.AsyncExitStack() as stack:
        adapters = [
            await stack.enter_async_context(opened(build(site, [VOLUME], serial=port, address=n)))
            for n in range(1, 6)
        ]
        for _ in range(3):
            results = await asyncio.gather(
                *(one.read() for one in adapters), return_exceptions=True
            )
            silent = [isinstance(one, DeviceSilent) for one in results]
            assert silent == [False, False, True, False, False]
        # Dead: three attempts the first time, then one each.
        assert sum(frame.address == 3 for frame in line.asked) == 5


async def test_a_probe_shows_bytes_and_words(tmp_path):
    port = str(tmp_path / "port")
    async with bus(port, Meter("06855817", address=5)) as line:
        async with opened(build(new_site(), POINTS, serial=port, address=5)) as adapter:
            volume, energy, status = await adapter.probe()
            assert (volume.raw.hex(" "), volume.value) == ("04 13 15 31 00 00", 12.565)
            assert volume.note == "04 13: volume 12.565 m3"
            assert "no such record; it has 04 13: volume 12.565 m3" in energy.note
            assert status.value == 0
            line.meters[0].spoil = 9
            (broken, *_) = await adapter.probe()
            assert (broken.quality, math.isnan(broken.value)) == (Quality.BAD_MALFORMED, True)
            assert broken.raw.startswith(b"\x68")
            line.meters[0].is_dead = True
            assert {one.quality for one in await adapter.probe()} == {Quality.BAD_SILENT}


async def test_unplugged_and_back(tmp_path):
    port = str(tmp_path / "port")
    adapter = build(new_site(), [VOLUME], serial=port, address=5)
    async with opened(adapter):
        async with bus(port, Meter("06855817", address=5)):
            assert (await adapter.read()).value.tolist() == [12.565]
        with pytest.raises(DeviceSilent):
            await adapter.read()
        async with bus(port, Meter("06855817", address=5)):

            async def is_back():
                with contextlib.suppress(DeviceSilent):
                    return (await adapter.read()).value.tolist() == [12.565]
                return False

            await answered(is_back, "the meter answers again")


async def test_a_converter_in_the_network():
    meter = Meter("06855817", address=5)

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readexactly(5)
                frame = read_frame(head)
                assert frame is not None
                answer = meter.hear(frame)
                for piece in (answer[:7], answer[7:]):  # as converters cut it
                    writer.write(piece)
                    await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    adapter = build(new_site(), [VOLUME], host="127.0.0.1", port=number, address=5)
    async with opened(adapter):
        assert (await adapter.read()).value.tolist() == [12.565]
    server.close()


@pytest.mark.parametrize(
    ("points", "device", "words"),
    [
        ([VOLUME], {}, "device dev needs address, its primary one, or id"),
        ([VOLUME | {"writable": [0, 1]}], {"address": 1}, "point gw/dev/p0: meters are read only"),
    ],
)
def test_devices_that_cannot_be(points, device, words):
    with pytest.raises(ConfigError, match=words):
        build(new_site(), points, serial="/dev/x", **device)


def test_meters_on_one_bus_agree_about_it():
    site = new_site()
    build(site, [VOLUME], serial="/dev/x", address=1)
    with pytest.raises(ConfigError, match="one line has one set of settings"):
        build(site, [VOLUME], serial="/dev/x", address=2, baud=9600)


def test_golden_frames_are_decoded_without_a_bus():
    settings = msgspec.convert({"serial": "/dev/x", "address": 5}, MbusDevice)
    bindings = bindings_of(POINTS, MbusPoint)
    head = Meter("06855817").address_bytes() + bytes([1, 4, 0, 0])
    first = long_frame(8, 5, 0x72, head + bytes.fromhex("04 13 15 31 00 00 1F"))
    second = long_frame(8, 5, 0x72, head + bytes.fromhex("04 06 07 00 00 00"))
    exchanges = [Exchange(b"\x10\x40\x05\x45\x16", b"\xe5"), Exchange(b"", first),
                 Exchange(b"", second)]  # fmt: skip
    found = MBUS.decode(settings, bindings, exchanges, new_site())
    assert [(one.point, one.value) for one in found] == [(0, 12.565), (1, 7.0), (2, 4.0)]
    assert MBUS.decode(settings, bindings, exchanges[:1], new_site()) == []
    with pytest.raises(DeviceMalformed, match="is no M-Bus frame"):
        MBUS.decode(settings, bindings, [Exchange(b"", first[:-1])], new_site())


def test_where_a_meter_is():
    one = msgspec.convert({"serial": "/dev/x", "address": 5}, MbusDevice)
    assert MBUS.locate(one) == "meter 5 at /dev/x"
