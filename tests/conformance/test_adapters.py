"""Every adapter that comes with the gateway, on a bench: what the check proves of each.

Frames are mutated on the line where the adapter cuts and decodes them itself, else those recorded
beside a profile.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiomqtt
import msgspec
import pytest
from pymodbus.framer import FramerType

from citytwin import Binding, Point
from citytwin.adapter import Exchange
from citytwin.testing import (
    Level,
    PtyBench,
    Recorded,
    Report,
    State,
    TcpBench,
    check_adapter,
    forwarded,
)
from citytwin.testing.disturbance import FRAMES
from citytwin.testing.report import PROPERTIES
from citytwin_edge import plugins
from citytwin_edge.adapters.dlms import DLMS
from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint
from citytwin_edge.adapters.iec62056 import IEC62056
from citytwin_edge.adapters.iec62056_settings import IecDevice, IecPoint
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.modbus_settings import ModbusDevice, ModbusPoint
from citytwin_edge.adapters.p1 import P1
from citytwin_edge.adapters.p1_settings import P1Device, P1Point
from citytwin_edge.adapters.replay import REPLAY, ReplayDevice, ReplayPoint
from citytwin_edge.adapters.wmbus import WMBUS
from citytwin_edge.adapters.wmbus_settings import WmbusDevice
from citytwin_edge.wire.checksums import Checksum
from tests.conformance import test_adapters_nodes
from tests.conformance.benches import (
    Plugged,
    Publisher,
    disturbed,
    hush,
    is_gold,
    recorded,
    running,
    virtual,
)
from tests.edge.adapters.test_dlms import POINTS as DLMS_POINTS
from tests.edge.adapters.test_iec62056 import E350, ENERGY, VOLTAGE
from tests.edge.adapters.test_p1 import POINTS as P1_POINTS
from tests.edge.adapters.test_wmbus import CLOCK, GAS, VOLUME, receiver_that_speaks
from tests.edge.adapters.test_wmbus import build as wmbus_built
from tests.edge.mbus_meters import Meter, bus
from tests.edge.mbus_meters import build as mbus_built
from tests.edge.meters import bindings_of as meter_bindings
from tests.edge.meters import iec_meter
from tests.edge.modbus_devices import device, new_site, tcp_server
from tests.edge.mqtt_devices import bound
from tests.edge.mqtt_devices import device as mqtt_device
from tests.edge.serial_instruments import bindings_of, build
from tests.edge.wire import meter_recordings as telegrams
from tests.edge.wire.test_wmbus_frames import FORMAT_A
from tests.servers import free_port, mosquitto

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


async def modbus(bench: Any, settings: dict[str, Any], site: Any, **more: Any) -> Report:
    points = [
        {"table": "holding", "address": 0},
        {"table": "holding", "address": 1, "type": "int16"},
        {"table": "coil", "address": 0},
        {"table": "input", "address": 9, "type": "float32"},
    ]
    bindings = [
        Binding(Point(id=f"gw/dev/p{number}"), msgspec.convert(fields, ModbusPoint))
        for number, fields in enumerate(points)
    ]
    own = msgspec.convert({"unit": 3, "reply_timeout_s": 0.3, **settings}, ModbusDevice)
    # Modbus TCP has no checksum: a register may become any other number of its type.
    possible = {0: (0, 65535), 1: (-32768, 32767), 2: (0, 1)}
    return await check_adapter(
        lambda: MODBUS.build(own, bindings, site), bindings,
        bench=bench, site=site, writes={0: 123, 1: -5, 2: 1}, possible=possible, **more,
    )  # fmt: skip


def unit() -> Any:
    return device(3, [(0, (7, 0xFFFE))], inputs=[(9, (0x4020, 0))], coils=(0, [False] * 16))


def test_modbus_tcp():
    async def scene():
        async with tcp_server(unit()) as port, TcpBench(forwarded("127.0.0.1", port)) as bench:
            return await modbus(bench, {"host": "127.0.0.1", "port": bench.port}, new_site())

    is_gold(virtual(scene()), "on the line")


def test_modbus_rtu():
    async def scene():
        async with (
            tcp_server(unit(), framer=FramerType.RTU) as port,
            PtyBench(forwarded("127.0.0.1", port), checksum_bits=16) as bench,
        ):
            settings = {"transport": "rtu", "serial": bench.path}
            return await modbus(bench, settings, new_site(),
                                recorded=recorded("eastron/sdm120", 16))  # fmt: skip

    report = virtual(scene())
    is_gold(report, "on the line")
    assert disturbed(report, "recorded") == FRAMES


def test_modbus_frames_of_rtu():
    async def scene():
        async with (
            tcp_server(unit(), framer=FramerType.RTU) as port,
            TcpBench(forwarded("127.0.0.1", port), checksum_bits=16) as bench,
        ):
            settings = {"transport": "rtu-over-tcp", "host": "127.0.0.1", "port": bench.port}
            return await modbus(bench, settings, new_site())

    is_gold(virtual(scene()), "on the line")


WIND = {"checksum": {"kind": "xor8", "first": 1, "mark": "*"}, "match": "$WIMWV"}
WIND_POINTS = [{"column": 2}, {"column": 4}]


def nmea(text: bytes) -> bytes:
    return b"$" + text + b"*" + Checksum("xor8", in_text=True).of(text) + b"\r\n"


def test_serial_that_streams():
    async def speak(_reader, writer):
        while True:
            writer.write(nmea(b"WIMWV,214.8,R,003.5,K,A"))
            await asyncio.sleep(0.1)

    async def scene():
        site, bindings = new_site(), bindings_of(WIND_POINTS)
        async with PtyBench(speak, checksum_bits=8) as bench:
            return await check_adapter(
                lambda: build(site, WIND_POINTS, serial=bench.path, **WIND), bindings,
                bench=bench, site=site, writes={},
            )  # fmt: skip

    is_gold(virtual(scene()), "on the line")


def test_serial_that_is_asked():
    held = {"value": b"0012.5"}

    async def answer(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            while asked := (await reader.readuntil(b"\r"))[:-1]:
                if asked.startswith(b"#01="):
                    held["value"] = b"%06.1f" % float(asked[4:])
                    writer.write(b"01OK\r")
                else:
                    writer.write(b"01+" + held["value"] + b" kPa\r")

    points = [
        {"chars": [3, 20], "unit": "kPa", "command": r"#01={value}\r", "command_answer": r"01OK\r"}
    ]
    settings = {"mode": "polled", "address": 1, "request": r"#{address:02d}\r",
                "match": "{address:02d}", "line": {"terminator": r"\r"}}  # fmt: skip

    async def scene():
        site, bindings = new_site(), bindings_of(points)
        async with PtyBench(answer) as bench:
            return await check_adapter(
                lambda: build(site, points, serial=bench.path, **settings), bindings,
                bench=bench, site=site, writes={0: 7.5},
            )  # fmt: skip

    is_gold(virtual(scene()), "on the line")


async def test_mqtt(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.adapters.mqtt.PROBE_S", 3.0)
    port, site = free_port(), new_site()

    @contextlib.asynccontextmanager
    async def plug():
        async with (
            mosquitto(tmp_path, port=port),
            aiomqtt.Client("127.0.0.1", port) as client,
        ):
            one = Publisher(client, {"air/27/state": '{"t": 21.5}', "air/27/fan": "0"})
            async with running(one.run(), one.obey()):
                yield one

    points = {
        "temperature": {"topic": "air/27/state", "path": "$.t"},
        "fan": {"topic": "air/27/fan", "command_topic": "air/27/fan/set"},
    }
    bindings = bound("air", points)
    async with Plugged(plug, hush) as bench:
        report = await check_adapter(
            lambda: mqtt_device(site, port, "air", points), bindings, bench=bench, site=site,
            writes={1: 1.0}, recorded=recorded("milesight/em300-th"),
        )  # fmt: skip
    is_gold(report, "recorded")


async def test_iec62056(tmp_path):
    path, site = tmp_path / "port", new_site()
    points = [ENERGY, VOLTAGE]
    bindings = meter_bindings(IecPoint, points)
    fast = {"serial": str(path), "reply_timeout_s": 0.4, "pause_s": 0.0}
    settings = msgspec.convert(fast, IecDevice)

    def dead(meter, is_dead):
        meter.is_dead = is_dead

    async with Plugged(lambda: iec_meter(path, E350, telegrams.E350), dead) as bench:
        report = await check_adapter(
            lambda: IEC62056.build(settings, bindings, site), bindings, bench=bench, site=site,
            writes={}, recorded=recorded("landis-gyr/e350", 7), timeout_s=10.0,
        )  # fmt: skip
    is_gold(report, "recorded")


async def test_mbus(tmp_path):
    port, site = str(tmp_path / "port"), new_site()
    points = [VOLUME, {"header": "status"}]
    bindings = bindings_of(points, MbusPoint)

    def dead(line, is_dead):
        line.meters[0].is_dead = is_dead

    async with Plugged(lambda: bus(port, Meter("06855817", address=5)), dead) as bench:
        report = await check_adapter(
            lambda: mbus_built(site, points, serial=port, address=5), bindings, bench=bench,
            site=site, recorded=recorded("engelmann/waterstar-mbus", 8), timeout_s=10.0,
        )  # fmt: skip
    is_gold(report, "recorded")


async def test_wmbus(tmp_path):
    port, site = str(tmp_path / "port"), new_site()
    points = [VOLUME, CLOCK, {"header": "status"}]
    bindings = bindings_of(points, MbusPoint)

    settings = msgspec.convert({"serial": port, **GAS}, WmbusDevice)
    frames = Recorded(
        lambda some: WMBUS.decode(settings, bindings, some, site), [Exchange(b"", FORMAT_A)], 16
    )

    def silenced(receiver, is_silent):
        receiver.say = (lambda *_: None) if is_silent else type(receiver).say.__get__(receiver)

    async with Plugged(lambda: receiver_that_speaks(port, FORMAT_A), silenced) as bench:
        report = await check_adapter(
            lambda: wmbus_built(points, site, serial=port, **GAS), bindings, bench=bench,
            site=site, recorded=frames,
        )  # fmt: skip
    is_gold(report, "recorded")


def test_p1():
    async def speak(_reader, writer):
        while True:
            writer.write(telegrams.DSMR5)
            await asyncio.sleep(0.1)

    async def scene():
        site, bindings = new_site(), meter_bindings(P1Point, P1_POINTS)
        async with TcpBench(speak, checksum_bits=16) as bench:
            settings = msgspec.convert({"host": "127.0.0.1", "port": bench.port}, P1Device)
            return await check_adapter(
                lambda: P1.build(settings, bindings, site), bindings, bench=bench, site=site
            )

    is_gold(virtual(scene()), "on the line")


def test_dlms():
    async def speak(_reader, writer):
        while True:
            writer.write(telegrams.AIDON)
            await asyncio.sleep(0.1)

    async def scene():
        site, bindings = new_site(), meter_bindings(DlmsPoint, DLMS_POINTS)
        async with PtyBench(speak, checksum_bits=16) as bench:
            settings = msgspec.convert({"serial": bench.path}, DlmsDevice)
            return await check_adapter(
                lambda: DLMS.build(settings, bindings, site), bindings, bench=bench, site=site
            )

    is_gold(virtual(scene()), "on the line")


async def test_replay(tmp_path):
    """A file cannot be silent or torn out; nobody asks that of it."""
    path, site = tmp_path / "recording.csv", new_site()
    path.write_text("point,time,value\nlevel,0,1.5\nlevel,1,1.6\n")
    bindings = [Binding(Point(id="g/d/level"), ReplayPoint())]
    settings = ReplayDevice(file=str(path), speed=100)
    report = await check_adapter(lambda: REPLAY.build(settings, bindings, site), bindings)
    assert report.level is Level.BRONZE, str(report)
    proven = [one.name for one in PROPERTIES if report.state(one.name) is State.PROVEN]
    assert proven == ["samples", "complete", "stamps", "reopen", "cancel", "leftovers"]


def test_none_is_left_out():
    every = {**globals(), **vars(test_adapters_nodes)}
    tests = [name for name in every if name.startswith("test_")]
    tested = {name.split("_")[1] for name in tests}
    assert tested >= set(plugins.installed())
