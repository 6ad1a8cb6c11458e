"""DLMS on real ptys and sockets: HDLC, M-Bus, TCP; the conformance suite; gurux as the meter."""

import asyncio
import contextlib
import random
import socket
from typing import Any

import msgspec
import pytest
from gurux_dlms import GXByteBuffer
from gurux_dlms.enums import DataType, InterfaceType
from gurux_dlms.GXDLMSNotify import GXDLMSNotify

from citytwin.adapter import Exchange
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin.testing import check_adapter
from citytwin_edge.adapters.dlms import DLMS
from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint
from tests.edge.meters import bindings_of
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import heard, instrument, opened
from tests.edge.wire import meter_recordings as recorded
from tests.waiting import until

POWER = {"obis": "1-0:1.7.0", "unit": "W"}
POINTS = [POWER, {"obis": "1-0:32.7.0", "unit": "V"}]


def build(site, points=POINTS, **device) -> Any:
    settings = msgspec.convert(device, DlmsDevice)
    return DLMS.build(settings, bindings_of(DlmsPoint, points), site)


def decoded(frame, points=POINTS, **device):
    settings = msgspec.convert({"serial": "x", **device}, DlmsDevice)
    exchanges = [Exchange(b"", frame)]
    bindings = bindings_of(DlmsPoint, points)
    return [one.value for one in DLMS.decode(settings, bindings, exchanges, new_site())]


async def test_a_serial_port(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), serial=port)
        async with opened(adapter):
            task = asyncio.ensure_future(heard(adapter, 2))
            await until(lambda: adapter._source._port._connection.is_open, "the port is open", 5)
            one.say(recorded.AIDON[50:], recorded.AIDON)
            assert (await task)[-2:] == [(0, 1362.0, 0), (1, 250.0, 0)]


async def test_the_conformance_suite_with_gurux_as_the_meter():
    """Gurux' own encoder pushes over TCP to the port that we listen at."""
    notify = GXDLMSNotify(True, 1, 102, InterfaceType.WRAPPER)
    data = GXByteBuffer()
    for octet in bytes.fromhex("0202 0203 09060100010700ff 0600000552 02020f00161b"
                               "0203 09060100200700ff 1209c4 02020fff1623"):  # fmt: skip
        data.setUInt8(octet)
    frames = [bytes(one) for one in notify.generateDataNotificationMessages(None, data)]
    assert frames[0][:2] == b"\x00\x01"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def push():
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"".join(frames))
                await writer.drain()
                writer.close()
            await asyncio.sleep(0.02)

    site, bindings = new_site(), bindings_of(DlmsPoint, POINTS)
    settings = msgspec.convert({"listen": "tcp", "bind": "127.0.0.1", "port": port}, DlmsDevice)
    task = asyncio.ensure_future(push())
    report = await check_adapter(lambda: DLMS.build(settings, bindings, site), bindings)
    batch = report.batch
    task.cancel()
    assert batch.value.tolist() == [1362.0, 250.0]
    assert DataType.STRUCTURE == 2


def test_frames_are_decoded():
    assert decoded(recorded.AIDON) == [1362.0, 250.0]
    assert decoded(recorded.ISKRA) == [182.0, 236.4]
    evn = [POWER, {"obis": "1.8.0", "unit": "kW.h"}, {"obis": "32.7.0", "unit": "V"}]
    assert decoded(recorded.EVN, evn, framing="mbus", key=recorded.EVN_KEY) == [0.0, 12.937, 233.7]
    key, authentication = recorded.E450_KEYS
    assert decoded(recorded.E450, [POWER], key=key, authentication_key=authentication) == [2893.0]
    assert decoded(recorded.KAIFA, [{"index": 11, "of": [13, 18], "unit": "V"}]) == [2385.0]


def test_a_wrong_key():
    with pytest.raises(DeviceMalformed, match="wrong key"):
        decoded(recorded.EVN, framing="mbus", key="00" * 16)


def test_mutated_frames_never_invent_a_value():
    pick, key = random.Random(11), recorded.E450_KEYS
    cases = [
        (recorded.AIDON, {}, {1362.0, 250.0}),
        (recorded.E450, {"key": key[0], "authentication_key": key[1]}, {2893.0}),
    ]
    for frame, device, right in cases:
        for _ in range(1500):
            bad = bytearray(frame)
            for _ in range(pick.randint(1, 3)):
                bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(8)
            with contextlib.suppress(DeviceMalformed):
                assert set(decoded(bytes(bad) + b"\x7e", **device)) <= right


def test_where_it_is_and_what_does_not_fit():
    settings = msgspec.convert(
        {"listen": "udp", "bind": "0.0.0.0", "peer": "10.0.0.7", "system_title": "AB" * 8},
        DlmsDevice,
    )
    assert DLMS.locate(settings) == (
        "the meter at udp 0.0.0.0:4059 from 10.0.0.7, abababababababab"
    )
    site = new_site()
    build(site, listen="tcp", bind="127.0.0.1")
    with pytest.raises(ConfigError, match="one port has one bind"):
        build(site, listen="tcp", bind="127.0.0.2")
