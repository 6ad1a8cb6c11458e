"""P1 on real ptys and sockets: telegrams, ciphered ones, the conformance suite, mutations."""

import asyncio
import contextlib
import random
from typing import Any

import msgspec

from citytwin import Quality
from citytwin.adapter import Exchange
from citytwin.errors import DeviceSilent
from citytwin.quality import severity
from citytwin.testing import check_adapter
from citytwin_edge.adapters.p1 import P1
from citytwin_edge.adapters.p1_settings import P1Device, P1Point
from tests.edge.meters import bindings_of, serving
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import heard, instrument, opened
from tests.edge.wire.meter_recordings import DSMR3, DSMR5
from tests.edge.wire.test_dlms import AUTH, KEY, sealed
from tests.waiting import until

ENERGY = {"obis": "1-0:1.8.1", "unit": "W.h", "kind": "counter"}
POINTS = [ENERGY, {"obis": "0-1:24.2.1", "unit": "m3"}]


def build(site, points=POINTS, **device) -> Any:
    settings = msgspec.convert(device, P1Device)
    return P1.build(settings, bindings_of(P1Point, points), site)


async def test_the_conformance_suite_over_tcp():
    """A serial server in the network that passes on what the meter says every second."""

    async def speak(_, writer):
        while True:
            writer.write(DSMR5)
            await writer.drain()
            await asyncio.sleep(0.02)

    site, bindings = new_site(), bindings_of(P1Point, POINTS)
    async with serving(speak) as port:
        settings = msgspec.convert({"host": "127.0.0.1", "port": port}, P1Device)
        report = await check_adapter(lambda: P1.build(settings, bindings, site), bindings)
        batch = report.batch
    assert batch.value.tolist() == [4426.0, 0.107]


async def test_a_port_that_is_heard_midway(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), serial=port)
        async with opened(adapter):
            task = asyncio.ensure_future(heard(adapter, 2))
            await until(lambda: adapter._source._port._connection.is_open, "the port is open", 5)
            one.say(DSMR5[100:], DSMR5)
            assert await task == [(0, 4426.0, 0), (1, 0.107, 0)]


async def test_mutated_telegrams_never_invent_a_value(tmp_path):
    """Ten thousand over a socket, each told of as malformed, or not at all where it has no end."""
    pick, good = random.Random(2), DSMR5

    async def speak(_, writer):
        for _ in range(10_000):
            bad = bytearray(good)
            bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(8)
            writer.write(bytes(bad))
            await writer.drain()

    seen = 0
    async with serving(speak) as port:
        adapter = build(new_site(), [ENERGY], host="127.0.0.1", port=port)
        async with opened(adapter):
            with contextlib.suppress(DeviceSilent):
                async for batch in adapter.listen():
                    seen += len(batch)
                    kept = batch.value[severity(batch.quality) == 0].tolist()
                    # A line end, or a capital letter of the CRC, may change without harm.
                    assert set(kept) <= {4426.0}
                    assert set(batch.quality.tolist()) <= {Quality.GOOD, Quality.BAD_MALFORMED}
    assert seen > 9_000


def decoded(frame, points=POINTS, **device):
    settings = msgspec.convert({"serial": "x", **device}, P1Device)
    exchanges = [Exchange(b"", frame)]
    return P1.decode(settings, bindings_of(P1Point, points), exchanges, new_site())


def test_frames_are_decoded():
    assert [one.value for one in decoded(DSMR5)] == [4426.0, 0.107]
    assert [one.value for one in decoded(DSMR3, [ENERGY], crc=False)] == [12345678.0]
    sealed_one = decoded(sealed(DSMR5), key=KEY.hex(), authentication_key=AUTH.hex())
    assert [one.value for one in sealed_one] == [4426.0, 0.107]


def test_where_it_is():
    settings = msgspec.convert({"serial": "/dev/x"}, P1Device)
    assert P1.locate(settings) == "the meter at /dev/x"
    gas = msgspec.convert({"serial": "/dev/x", "channel": 1}, P1Device)
    assert P1.locate(gas) == "the meter behind channel 1 at /dev/x", "two devices, one port"
