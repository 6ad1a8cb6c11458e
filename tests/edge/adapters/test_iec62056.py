"""IEC 62056-21 on real ptys: modes A to D, speeds that really change, neighbours, troubles."""

import asyncio
import contextlib
import math
import random
import re
import termios
from typing import Any

import msgspec
import pytest

from citytwin import Quality
from citytwin.adapter import Exchange
from citytwin.errors import ConfigError, DeviceMalformed, DeviceRefused, DeviceSilent
from citytwin.testing import check_adapter
from citytwin_edge.adapters.iec62056 import IEC62056
from citytwin_edge.adapters.iec62056_settings import IecDevice, IecPoint
from citytwin_edge.wire.iec62056 import with_parity
from tests.edge.meters import bindings_of, iec_meter, serving, sum7
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import heard, instrument, opened
from tests.edge.wire import meter_recordings as recorded
from tests.waiting import until

GOOD, MALFORMED, REFUSED = Quality.GOOD, Quality.BAD_MALFORMED, Quality.BAD_REFUSED
ENERGY = {"obis": "1.8.0", "unit": "kW.h", "kind": "counter"}
VOLTAGE = {"obis": "32.7.0", "unit": "V"}
E350 = b"/LGZ4ZMF100AC.M26"
CE301 = {name: b"\x02" + answer for name, answer in recorded.CE301.items()}
FAST = {"reply_timeout_s": 0.4, "pause_s": 0.0}


def build(site, points, **device) -> Any:
    settings = msgspec.convert({**FAST, **device}, IecDevice)
    return IEC62056.build(settings, bindings_of(IecPoint, points), site)


def columns(batch):
    rows = zip(batch.point, batch.value, batch.quality, strict=True)
    return [(int(p), None if math.isnan(v) else float(v), int(q)) for p, v, q in rows]


async def read_of(
    tmp_path, points, identification=E350, block=recorded.E350, *, more=None, **device
):
    """Read a meter once; returns what was read and the meter."""
    path = tmp_path / "port"
    async with iec_meter(path, identification, block, **(more or {})) as meter:
        adapter = build(new_site(), points, serial=str(path), **device)
        async with opened(adapter):
            return columns(await adapter.read()), meter


async def test_mode_c_changes_the_speed_of_the_port(tmp_path):
    told, meter = await read_of(tmp_path, [ENERGY, VOLTAGE])
    assert told == [(0, 61561.289, GOOD), (1, 241.0, GOOD)]
    assert meter.asked == [b"/?!\r\n", b"\x06040\r\n"]
    assert meter.speeds == [termios.B300, termios.B300], "agreed to at the first speed"
    assert meter.speed == termios.B4800, "and read out at the other: at 300 Bd it says nothing"


async def test_the_conformance_suite(tmp_path):
    path = tmp_path / "port"
    points = [ENERGY, VOLTAGE, {"obis": "C.1.0", "kind": "text"}, {"obis": "9.9.9"}]
    async with iec_meter(path, E350, recorded.E350):
        site, bindings = new_site(), bindings_of(IecPoint, points)
        settings = msgspec.convert({"serial": str(path), **FAST}, IecDevice)
        report = await check_adapter(
            lambda: IEC62056.build(settings, bindings, site), bindings, timeout_s=10
        )
        batch = report.batch
    assert columns(batch)[3] == (3, None, REFUSED)


async def test_mode_c_at_no_more_than_is_allowed(tmp_path):
    told, meter = await read_of(tmp_path, [ENERGY], baud_max=2400)
    assert told == [(0, 61561.289, GOOD)]
    assert meter.asked[1] == b"\x06000\r\n"
    assert meter.speed == termios.B300


async def test_mode_b_follows_the_meter(tmp_path):
    told, meter = await read_of(tmp_path, [ENERGY], b"/ABCEmeter")
    assert told == [(0, 61561.289, GOOD)]
    assert (meter.asked, meter.speed) == ([b"/?!\r\n"], termios.B9600)


async def test_mode_a_stays_at_its_speed(tmp_path):
    told, meter = await read_of(tmp_path, [ENERGY], b"/ABC!meter")
    assert told == [(0, 61561.289, GOOD)]
    assert (meter.asked, meter.speed) == ([b"/?!\r\n"], termios.B300)


async def test_a_mode_that_the_meter_does_not_have(tmp_path):
    with pytest.raises(DeviceMalformed, match="mode b does not have"):
        await read_of(tmp_path, [ENERGY], mode="b")


async def test_without_parity_and_with_an_echo(tmp_path):
    more = {"has_parity": False, "echoes": True}
    told, _ = await read_of(tmp_path, [ENERGY], parity="none", more=more)
    assert told == [(0, 61561.289, GOOD)]


async def test_a_port_that_cannot_do_seven_bits_says_so(tmp_path):
    with pytest.raises(DeviceSilent, match=r"cannot be set to .* data bits 7"):
        await read_of(tmp_path, [ENERGY], parity="port")


async def test_waking_up(tmp_path, monkeypatch):
    monkeypatch.setattr("citytwin_edge.adapters.iec62056_line._WAKE_UP_PAUSE_S", 0.05)
    told, meter = await read_of(tmp_path, [ENERGY], wake_up_s=0.5)
    assert told == [(0, 61561.289, GOOD)]
    assert meter.asked[0] == b"/?!\r\n"


async def test_units_and_what_does_not_fit(tmp_path):
    points = [
        {"obis": "1-0:1.8.0*255", "unit": "MW.h"},
        {"obis": "1.8.0", "unit": "kvar.h"},
        {"obis": "1.8.0", "unit": "kW.h", "group": 2},
        {"obis": "C.1.1", "kind": "text"},
        {"obis": "C.7.0"},
        {"obis": "32.7.0", "unit": "V", "sentinel": [241]},
    ]
    path = tmp_path / "port"
    async with iec_meter(path, E350, recorded.E350):
        adapter = build(new_site(), points, serial=str(path))
        async with opened(adapter):
            probed = await adapter.probe()
    told = [(None if math.isnan(one.value) else one.value, one.quality) for one in probed]
    assert told == [
        (61.561289, GOOD), (None, MALFORMED), (None, MALFORMED), (None, Quality.BAD_NOT_A_NUMBER),
        (8.0, GOOD), (None, Quality.BAD_NOT_A_NUMBER),
    ]  # fmt: skip
    assert "the meter says kWh, the point is in kvarh" in probed[1].note
    assert probed[0].raw == b"1.8.0(061561.289*kWh)"


async def test_the_meters_clock(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, b"/ISk5MT174-0002", recorded.MT174):
        adapter = build(new_site(), [ENERGY], serial=str(path), clock="meter", utc_offset_h=0)
        async with opened(adapter):
            batch = await adapter.read()
    assert batch.time_ns.tolist() == [1643281004 * 10**9]


# ---- commands
async def test_named_values_of_energomera(tmp_path):
    points = [
        {"request": "VOLTA()", "unit": "V"},
        {"request": "VOLTA()", "unit": "V", "group": 3},
        {"request": "ET0PE()", "unit": "kW.h", "group": 2},
        {"request": "NOPAR()"},
    ]
    more = {"answers": CE301, "password": b"777777", "check": sum7}
    told, meter = await read_of(
        tmp_path, points, b"/EKT5CE301v12", bcc="sum", password="777777", more=more
    )
    assert told == [
        (0, 233.751, GOOD), (1, 234.796, GOOD), (2, 11504.3875082, GOOD), (3, None, REFUSED),
    ]  # fmt: skip
    assert meter.asked == [
        b"/?!\r\n", b"\x06051\r\n", b"\x01P1\x02(777777)\x03!", b"\x01R1\x02VOLTA()\x03_",
        b"\x01R1\x02ET0PE()\x037", b"\x01R1\x02NOPAR()\x03Y", b"\x01B0\x03u",
    ]  # fmt: skip


async def test_quick_reading_without_a_session(tmp_path):
    more = {"answers": CE301, "check": sum7, "address": b"7"}
    told, meter = await read_of(
        tmp_path, [{"request": "FREQU()", "unit": "Hz"}], b"/EKT5CE301v12", bcc="sum",
        quick=True, address="7", more=more,
    )  # fmt: skip
    assert told == [(0, 49.96, GOOD)]
    assert meter.asked == [b"/?7!\x01R1\x02FREQU()\x03\\"]


async def test_slow_points_are_asked_alone(tmp_path):
    points = [
        {"request": "VOLTA()", "unit": "V"}, {"request": "ET0PE()", "unit": "kW.h"}, ENERGY,
    ]  # fmt: skip
    path, more = tmp_path / "port", {"answers": CE301, "check": sum7}
    async with iec_meter(path, b"/EKT5CE301v12", recorded.E350, **more) as meter:
        adapter = build(new_site(), points, serial=str(path), bcc="sum")
        async with opened(adapter):
            assert columns(await adapter.read_some([0])) == [(0, 233.751, GOOD)]
            assert not any(b"ET0PE" in one for one in meter.asked)
            assert columns(await adapter.read_some([2])) == [(2, 61561.289, GOOD)]
            assert [row[2] for row in columns(await adapter.read())] == [GOOD] * 3


async def test_whoever_looks_at_the_line_sees_no_password(tmp_path):
    """Neither in what is sent nor in what an optical head sends back."""
    path, site, seen = tmp_path / "port", new_site(), []
    more = {"answers": CE301, "password": b"20406080", "check": sum7, "echoes": True}
    points = [{"request": "FREQU()", "unit": "Hz"}]
    async with iec_meter(path, b"/EKT5CE301v12", **more):
        adapter = build(site, points, serial=str(path), bcc="sum", password="20406080")
        site.taps.append(seen.append)
        async with opened(adapter):
            assert columns(await adapter.read()) == [(0, 49.96, GOOD)]
    shown = bytes(byte & 0x7F for one in seen for byte in one.data)
    assert b"FREQU(49.96)" in shown
    assert b"20406080" not in shown
    assert not any(digits in shown for digits in (b"2040", b"6080"))
    assert {one.device for one in seen} == {"dev"}


async def test_a_wrong_password(tmp_path):
    more = {"answers": CE301, "password": b"1", "check": sum7}
    with pytest.raises(DeviceRefused, match="did not take the password"):
        await read_of(
            tmp_path, [{"request": "FREQU()", "unit": "Hz"}], b"/EKT5CE301v12",
            password="2", bcc="sum", more=more,
        )  # fmt: skip


# ---- neighbours and troubles
async def test_meters_on_one_line_each_by_its_address(tmp_path):
    """A dead one among them: the living are read all the same."""
    path = tmp_path / "port"
    async with iec_meter(path, E350, recorded.E350, address=b"11") as meter:
        site = new_site()
        living, dead = (
            build(site, [ENERGY], serial=str(path), address=address) for address in ("11", "12")
        )
        async with opened(living), opened(dead):
            first, second = await asyncio.gather(living.read(), dead.read(), return_exceptions=True)
            again = await living.read()
    assert columns(first) == columns(again) == [(0, 61561.289, GOOD)]
    assert isinstance(second, DeviceSilent)
    assert "meter 12" in str(second)
    assert [one for one in meter.asked if one.startswith(b"/")].count(b"/?11!\r\n") == 2


async def test_a_readout_that_was_broken_off_does_not_spoil_the_next(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, E350, recorded.E350) as meter:
        adapter = build(new_site(), [ENERGY], serial=str(path))
        async with opened(adapter):
            task = asyncio.ensure_future(adapter.read())
            await until(lambda: len(meter.asked) > 1, "the readout has begun", 10)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert columns(await adapter.read()) == [(0, 61561.289, GOOD)]


async def test_silence_and_a_port_that_is_not_there(tmp_path):
    path = tmp_path / "port"
    adapter = build(new_site(), [ENERGY], serial=str(path))
    async with opened(adapter):
        with pytest.raises(DeviceSilent, match="not reachable"):
            await adapter.read()
    async with iec_meter(path, E350, recorded.E350) as meter:
        meter.is_dead = True
        adapter = build(new_site(), [ENERGY], serial=str(path))
        async with opened(adapter):
            with pytest.raises(DeviceSilent, match="gave no answer in time"):
                await adapter.read()
            meter.is_dead = False
            assert columns(await adapter.read()) == [(0, 61561.289, GOOD)]


async def test_disturbed_readouts_never_become_values(tmp_path):
    pick = random.Random(21)

    def mutate(data):
        bad = bytearray(data)
        if len(bad) > 30:
            bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(7)
        return bytes(bad)

    path = tmp_path / "port"
    async with iec_meter(path, E350, recorded.E350, mutate=mutate, has_parity=False):
        adapter = build(new_site(), [ENERGY], serial=str(path), parity="none", reply_timeout_s=0.05)
        async with opened(adapter):
            for _ in range(5):
                with pytest.raises((DeviceMalformed, DeviceSilent)):
                    await adapter.read()


async def test_scanning(tmp_path):
    path = tmp_path / "port"
    async with iec_meter(path, E350, recorded.E350):
        adapter = build(new_site(), [ENERGY], serial=str(path), address="9")
        async with opened(adapter):
            found = [one async for one in adapter.scan()]
    assert [one.description for one in found] == ["/LGZ4ZMF100AC.M26, mode c"]


# ---- mode D
async def test_mode_d_is_listened_to(tmp_path):
    port = str(tmp_path / "port")
    telegram = b"/ESY5Q3DB1024 V3.04\r\n\r\n1-0:1.8.0*255(00052185.7825309*kWh)\r\n!\r\n"
    async with instrument(port) as one:
        adapter = build(new_site(), [ENERGY], serial=port, mode="d", parity="none")
        async with opened(adapter):
            task = asyncio.ensure_future(heard(adapter, 1))
            await until(lambda: adapter._source._port._connection.is_open, "the port is open", 5)
            one.say(b"1-0:1.8.0*255(7*kWh)\r\n!\r\n", telegram)
            assert await task == [(0, 52185.7825309, GOOD)]


# ---- settings
@pytest.mark.parametrize(
    ("device", "points", "why"),
    [
        ({"mode": "d"}, [{"request": "VOLTA()"}], "speaks by itself"),
        ({}, [{**ENERGY, "writable": [0, 1]}], "only read"),
        ({}, [{**ENERGY, "pattern": "("}], "pattern"),
    ],
)
def test_what_does_not_fit(device, points, why):
    with pytest.raises((ConfigError, msgspec.ValidationError), match=why):
        build(new_site(), points, serial="/dev/none", **device)


def test_one_line_has_one_set_of_settings():
    site = new_site()
    build(site, [ENERGY], serial="/dev/none", address="1")
    with pytest.raises(ConfigError, match="one line has one set of settings"):
        build(site, [ENERGY], serial="/dev/none", address="2", baud=9600)


async def test_behind_a_serial_server():
    """A serial server keeps its speed: the meter is told to keep it, too."""
    asked = []

    async def speak(reader, writer):
        while True:
            request = await reader.readuntil(b"\n")
            asked.append(request)
            block = b"\x02" + recorded.E350 + b"\x03\x01"
            writer.write(E350 + b"\r\n" if request == b"/?!\r\n" else block)

    async with serving(speak) as port:
        adapter = build(new_site(), [ENERGY], host="127.0.0.1", port=port)
        async with opened(adapter):
            assert columns(await adapter.read()) == [(0, 61561.289, GOOD)]
    assert asked == [b"/?!\r\n", b"\x06000\r\n"]


def test_frames_are_decoded_as_they_would_be_asked():
    settings = msgspec.convert({"serial": "x"}, IecDevice)
    bindings = bindings_of(IecPoint, [ENERGY])
    block = b"\x02" + recorded.E350 + b"\x03\x01"
    exchanges = [Exchange(b"/?!\r\n", E350 + b"\r\n"), Exchange(b"\x06040\r\n", block)]
    (probed,) = IEC62056.decode(settings, bindings, exchanges, new_site())
    assert (probed.value, probed.raw) == (61561.289, b"1.8.0(061561.289*kWh)")
    coded = [Exchange(with_parity(one.request), with_parity(one.response)) for one in exchanges]
    assert IEC62056.decode(settings, bindings, coded, new_site())[0].value == 61561.289
    exchanges[1] = Exchange(b"\x06050\r\n", block)
    with pytest.raises(DeviceMalformed, match=re.escape(r"b'\x06040\r\n' would be asked")):
        IEC62056.decode(settings, bindings, exchanges, new_site())
