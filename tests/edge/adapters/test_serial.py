"""Serial instruments that stream, on real ptys: lines, frames, each kind of trouble, recovery."""

import asyncio
import contextlib
import math

import pytest

from citytwin import Quality
from citytwin.adapter import Site
from citytwin.batch import SECOND_NS
from citytwin.clock import SystemClock
from citytwin.errors import ConfigError, DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge.adapters.modbus import MODBUS
from citytwin_edge.adapters.modbus_settings import ModbusDevice
from citytwin_edge.adapters.serial import SERIAL
from citytwin_edge.adapters.serial_settings import SerialDevice
from citytwin_edge.poller import Poller
from citytwin_edge.wire.checksums import Checksum
from tests.edge.modbus_devices import new_site
from tests.edge.poller_fakes import spec_of
from tests.edge.serial_instruments import (
    FRAME,
    bindings_of,
    build,
    frame,
    heard,
    instrument,
    opened,
)

GOOD, MALFORMED, NONE = Quality.GOOD, Quality.BAD_MALFORMED, Quality.BAD_NOT_A_NUMBER

WIND = {"checksum": {"kind": "xor8", "first": 1, "mark": "*"}, "match": "$WIMWV"}
ANGLE, SPEED = {"column": 2}, {"column": 4, "sentinel": [999.9]}


def nmea(text):
    return b"$" + text + b"*" + Checksum("xor8", in_text=True).of(text) + b"\r\n"


@contextlib.asynccontextmanager
async def listening(adapter, one, count):
    """Listen while the body lets the instrument speak; yields what will be heard."""
    async with opened(adapter):
        task = asyncio.ensure_future(heard(adapter, count))
        try:
            async with asyncio.timeout(5):
                while not adapter._port._connection.is_open:
                    await asyncio.sleep(0.005)
            yield task
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_of_lines(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), [ANGLE, SPEED], serial=port, **WIND)
        async with listening(adapter, one, 6) as told:
            one.say(nmea(b"WIMWV,001.0,R,001.0,K,A"))  # as if it had begun before we listened
            one.say(nmea(b"WIXDR,C,21.5,C,0"), nmea(b"WIMWV,214.8,R,003.5,K,A"))
            one.say(nmea(b"WIMWV,215.0,R,,K,V"), nmea(b"WIMWV,216.0,R,999.9,K,V"))
        samples = [(p, None if math.isnan(v) else v, q) for p, v, q in await told]
    assert samples == [
        (0, 214.8, GOOD), (1, 3.5, GOOD), (0, 215.0, GOOD), (1, None, NONE), (0, 216.0, GOOD),
        (1, None, NONE),
    ]  # fmt: skip


async def test_a_disturbed_line_is_malformed_and_the_next_one_counts(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), [ANGLE, SPEED], serial=port, **WIND)
        async with listening(adapter, one, 4) as told:
            good = nmea(b"WIMWV,214.8,R,003.5,K,A")
            one.say(b"\r\n", good.replace(b"214", b"914"), 0.1, good)
        assert [quality for _, _, quality in await told] == [MALFORMED, MALFORMED, GOOD, GOOD]
        async with listening(adapter, one, 4) as told:
            one.say(b"\r\n" + good.replace(b"214", b"914") + good + good)
        assert [quality for _, _, quality in await told] == [GOOD] * 4, "told of in the same moment"


async def test_endless_garbage_is_told_of(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        for more in ({}, FRAME):
            points = [{"at": 2}] if more else [{}]
            adapter = build(new_site(), points, serial=port, **more)
            async with listening(adapter, one, 2) as told:
                one.say(*[b"\xfe\x81\x00" * 50, 0.01] * 20)
            assert [quality for _, _, quality in await told] == [MALFORMED] * 2


async def test_half_a_line_never_becomes_a_value(tmp_path):
    """The first half before a pause, or before the port was lost, the second half behind it."""
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), [{}], serial=port, reply_timeout_s=0.1)
        async with listening(adapter, one, 2) as told:
            one.say(b"0\r\n11.5\r\n1", 0.4, b"2.5\r\n13.5\r\n")
        assert await told == [(0, 11.5, GOOD), (0, 13.5, GOOD)]
        adapter = build(new_site(), [{}], serial=port)
        async with listening(adapter, one, 1) as told:
            one.say(b"0\r\n11.5\r\n1")
    async with instrument(port) as one:
        async with listening(adapter, one, 1) as told:
            one.say(b"2.5\r\n13.5\r\n")
        assert await told == [(0, 13.5, GOOD)]


async def test_a_slow_dribble_is_one_line(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), [{"unit": "Cel"}], serial=port, decimal=",")
        async with listening(adapter, one, 1) as told:
            line = "\r\n+012,5 °C\r\n".encode("latin-1")
            one.say(*[piece for byte in line for piece in (bytes([byte]), 0.02)])
        assert await told == [(0, 12.5, GOOD)]


async def test_unplugged_and_back(tmp_path):
    port = str(tmp_path / "port")
    adapter = build(new_site(), [{}], serial=port)
    async with opened(adapter):
        async with instrument(port) as one:
            told = asyncio.ensure_future(heard(adapter, 2))
            async with asyncio.timeout(5):
                while not adapter._port._connection.is_open:
                    await asyncio.sleep(0.005)
            one.say(b"\r\n1.5\r\n")
        with pytest.raises(DeviceSilent, match="port closed the connection"):
            await told
        with pytest.raises(DeviceSilent, match="port is not reachable"):
            await heard(adapter, 1)
        async with instrument(port) as one:
            async with asyncio.timeout(10):
                while not adapter._port._connection.is_open:
                    with contextlib.suppress(DeviceSilent):
                        await adapter._port._ensure_open()
                    await asyncio.sleep(0.02)
            told = asyncio.ensure_future(heard(adapter, 1))
            one.say(b"\r\n", 0.05, b"2.5\r\n")
            assert await told == [(0, 2.5, GOOD)]


async def test_an_agent_goes_on_by_itself_when_the_port_is_back(tmp_path):
    """What the poller makes of it: good, stale in silence, silent without a port, good again."""
    port, told = str(tmp_path / "port"), []
    spec = spec_of(
        build(new_site(), [{}], serial=port), 1, stale_after_ns=SECOND_NS // 4,
        backoff_step_ns=SECOND_NS // 20, backoff_max_ns=SECOND_NS // 10,
    )  # fmt: skip
    poller = Poller(spec, SystemClock(), lambda batch: told.extend(batch.quality.tolist()))

    async def until(quality, one=None):
        told.clear()
        async with asyncio.timeout(15):
            while quality not in told:
                if one is not None:
                    one.say(b"12.5\r\n")
                await asyncio.sleep(0.02)

    running = asyncio.ensure_future(poller.run())
    try:
        for _ in range(2):
            async with instrument(port) as one:
                await until(GOOD, one)
                await until(Quality.BAD_STALE)
            await until(Quality.BAD_SILENT)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not poller.stats.failures["fault"]


async def test_two_instruments_in_one_stream(tmp_path):
    port, site = str(tmp_path / "port"), new_site()
    async with instrument(port) as one:
        wind = build(site, [ANGLE], serial=port, **WIND)
        rain = build(site, [{"column": 3}], serial=port, **WIND | {"match": "$WIXDR"})
        async with opened(rain), listening(wind, one, 1) as first:
            second = asyncio.ensure_future(heard(rain, 1))
            await asyncio.sleep(0)
            one.say(b"\r\n", nmea(b"WIMWV,214.8,R,003.5,K,A"), nmea(b"WIXDR,R,1.5,M,0"))
            assert await second == [(0, 1.5, GOOD)]
        assert await first == [(0, 214.8, GOOD)]


async def test_a_stream_of_frames(tmp_path):
    port = str(tmp_path / "port")
    points = [
        {"at": 3, "type": "float32", "order": "DCBA"},
        {"at": 7, "type": "bcd32", "sentinel": [0xFFFFFFFF]},
        {"at": 2, "bits": [7]},
        {"name": "id", "kind": "text", "at": 11, "type": "string", "length": 3},
    ]
    body = b"\x81" + b"\0\0\x48\x41" + b"\x00\x01\x23\x45" + b"abc"
    async with instrument(port) as one:
        adapter = build(new_site(), points, serial=port, **FRAME)
        async with listening(adapter, one, 12) as told:
            one.say(frame(body)[5:] + frame(body), b"\0" + frame(body)[:9], 0.5)
            one.say(0.8, frame(body.replace(b"\x00\x01\x23\x45", b"\xff" * 4)), frame(b"\x01"))
        samples = await told
    assert samples[:4] == [(0, 12.5, GOOD), (1, 12345.0, GOOD), (2, 1.0, GOOD), (3, 0.0, GOOD)]
    assert [quality for _, _, quality in samples[4:8]] == [GOOD, NONE, GOOD, GOOD]
    assert [quality for _, _, quality in samples[8:]] == [MALFORMED] * 2 + [GOOD, MALFORMED]


async def test_the_instruments_own_time(tmp_path):
    port = str(tmp_path / "port")
    time = {"column": 1, "format": "%d.%m.%Y %H:%M:%S", "utc_offset_h": 5}
    async with instrument(port) as one:
        adapter = build(new_site(), [{"column": 2}], serial=port, time=time)
        stream = adapter.listen()
        async with opened(adapter):
            first = asyncio.ensure_future(anext(stream))
            one.say(0.05, b"\r\n01.01.2026 17:00:00,7\r\nnever,7\r\n,8\r\n")
            batch = await asyncio.wait_for(first, 5)
            await stream.aclose()
    assert batch.time_ns[0] == 1_767_268_800 * 10**9
    assert batch.quality.tolist() == [GOOD, MALFORMED, GOOD]
    assert (batch.time_ns[1:] > batch.time_ns[0]).all(), "stamped when they came"


async def test_conformance_of_a_listener(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        points = [ANGLE, SPEED]
        one.say(*[nmea(b"WIMWV,214.8,R,003.5,K,A"), 0.02] * 400)
        report = await check_adapter(
            lambda: build(new_site(), points, serial=port, **WIND), bindings_of(points)
        )
        batch = report.batch
        assert batch.value.tolist()[:2] == [214.8, 3.5]


async def test_a_command_to_an_instrument_that_streams(tmp_path):
    port = str(tmp_path / "port")
    async with instrument(port, lambda _: [b"7.5\r\nOK\r\n8.5\r\n"]) as one:
        points = [{"command": r"SET {value}\r", "command_answer": r"OK\r\n"}]
        adapter = build(new_site(), points, serial=port)
        async with listening(adapter, one, 4) as told:
            one.say(b"\r\n6.5\r\n")
            await adapter.write(0, 4.0)
        assert one.asked == [b"SET 4\r"]
        assert [value for _, value, _ in await told if not math.isnan(value)] == [6.5, 7.5, 8.5]


async def test_a_command_in_the_instruments_own_words(tmp_path):
    port = str(tmp_path / "port")
    valve = {"words": {"OPEN": 1, "SHUT": 0}, "command": r"VALVE {word}\r"}
    async with instrument(port) as one:
        adapter = build(new_site(), [valve], serial=port)
        async with listening(adapter, one, 1) as told:
            with pytest.raises(DeviceRefused, match=r"none of the point's words is 0\.5"):
                await adapter.write(0, 0.5)
            await adapter.write(0, 0.0)
            one.say(b"\r\nopen\r\n")
        assert await told == [(0, 1.0, GOOD)]
    assert one.asked == [b"VALVE SHUT\r"]


async def test_a_probe_of_a_stream_that_says_something_else(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.adapters.serial.PROBE_S", 0.4)
    port = str(tmp_path / "port")
    async with instrument(port) as one:
        adapter = build(new_site(), [ANGLE], serial=port, **WIND)
        async with opened(adapter):
            (silent,) = await adapter.probe()
            one.say(*[b"$GPGGA,1*00\r\n", 0.05] * 20)
            (wrong,) = await adapter.probe()
    assert (silent.quality, silent.raw) == (Quality.BAD_SILENT, b"")
    assert silent.note == "nothing was heard within 0.4 s"
    assert wrong.quality == MALFORMED
    assert b"GPGGA" in wrong.raw
    assert "the checksum is wrong" in wrong.note


@pytest.mark.parametrize(
    ("points", "device", "words"),
    [
        ([{}], {"mode": "polled"}, "point gw/dev/p0: has no request"),
        ([{"request": "a"}], {}, 'point gw/dev/p0: request goes with mode = "polled"'),
        ([{}, {"writable": [0, 1]}], {}, "point gw/dev/p1: is writable, so it needs command"),
        ([{"writable": [0, 1], "command": "x"}], {}, r"command needs \{value\} or"),
        (
            [{"writable": [0, 1], "command": "{word}"}],
            {},
            r"p0: \{word\} in command is one of words",
        ),
        ([{"command": "{q}"}], {}, "p0: command: '{q}' is not a place"),
        (
            [{"command": "{value:uint64}", "command_answer": "{"}],
            {},
            "p0: command_answer: .* a brace",
        ),
        ([{"at": 1}], {}, "at is a place in a frame, but the device has none"),
        ([{"at": 300}], FRAME, "at 300: it ends at 301, a frame at 256"),
        ([{"at": 4, "type": "uint16"}], {"frame": {"length": 5}}, "it ends at 6, a frame at 5"),
        ([{"at": 3, "kind": "text"}], FRAME, 'type "string" and kind = "text" go together'),
        ([{"kind": "text", "words": {"A": 1}}], {}, "words make numbers of texts"),
        ([{"match": "{value}"}], {}, "p0: match: .* is for commands only"),
    ],
)
def test_points_that_do_not_fit(points, device, words):
    with pytest.raises(ConfigError, match=words):
        build(new_site(), points, serial="/dev/ttyS9", **device)


def test_one_port_has_one_set_of_settings():
    site = Site(SystemClock(), lambda _: 0)
    build(site, [{}], serial="/dev/ttyS9")
    with pytest.raises(ConfigError, match=r"as polled, 9600 Bd.* another device uses it as listen"):
        build(site, [{}], serial="/dev/ttyS9", mode="polled", request="?")
    modbus = ModbusDevice(transport="rtu", serial="/dev/ttyS9")
    with pytest.raises(ConfigError, match="as rtu, 9600 Bd"):
        MODBUS.build(modbus, [], site)


def test_where_an_instrument_is():
    def located(**fields):
        return SERIAL.locate(SerialDevice(serial="/dev/ttyS9", **fields))

    polled = {"mode": "polled", "request": "?"}
    assert located() == "listening instrument at /dev/ttyS9"
    assert located(match="$WI") == "listening instrument with match '$WI' at /dev/ttyS9"
    assert located(address=0, **polled) != located(address=1, **polled)
