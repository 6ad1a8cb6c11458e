"""A receiver of satellite navigation on a real pty: where and when it is, or that it is lost."""

import asyncio
import datetime
from typing import Any

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin import Quality
from citytwin.adapter import Binding, Exchange
from citytwin.clock import SystemClock
from citytwin.errors import DeviceMalformed
from citytwin_edge.adapters.serial import SERIAL
from citytwin_edge.catalogue import golden
from citytwin_edge.catalogue.shelf import OURS, Shelf
from citytwin_edge.device_tables import Owner
from citytwin_edge.wire.checksums import Checksum
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import build, instrument, opened

ALL = Shelf([OURS])
GOOD, NONE = Quality.GOOD, Quality.BAD_NOT_A_NUMBER


def nmea(text):
    text = text.encode()
    return b"$" + text + b"*" + Checksum("xor8", in_text=True).of(text) + b"\r\n"


def ns(year, month, day, hour, minute, second):
    moment = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 10**9


async def heard(adapter, one, sentences, count):
    """Return what comes of sentences: point, value or None, quality, time."""
    rows, stream = [], adapter.listen()
    async with opened(adapter), asyncio.timeout(10):
        first = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        one.say(0.05, *map(nmea, sentences))
        while len(rows) < count:
            batch = await first
            columns = (batch.point, batch.value, batch.quality, batch.time_ns)
            rows += zip(*(column.tolist() for column in columns), strict=True)
            if len(rows) < count:
                first = asyncio.ensure_future(anext(stream))
        await stream.aclose()
    return rows


async def test_position_has_the_receivers_own_time_and_without_a_fix_there_is_none(tmp_path):
    port = str(tmp_path / "port")
    profile = ALL.profile("nmea-0183/receiver")
    device = golden.device_like(profile, Owner("g", None, ALL), {"serial": port})
    names = [one.point.name for one in device.points]
    bindings = [Binding(one.point, one.address) for one in device.points]
    async with instrument(port) as one:
        adapter = SERIAL.build(device.settings, bindings, new_site())
        said = [
            "GNRMC,064607.00,A,4312.5000,N,07653.2500,E,0.00,0.00,230625,,,A",
            "GNRMC,064608.00,V,4312.5000,N,07653.2500,E,0.00,0.00,060180,,,N",
            "GNGGA,064609.00,0000.0000,N,00000.0000,E,0,00,99.9,0.0,M,0.0,M,,",
        ]
        before_ns = SystemClock().now_ns()
        rows = await heard(adapter, one, said, 12)
    told = [(names[p], value, quality, time_ns) for p, value, quality, time_ns in rows]
    stamp = ns(2025, 6, 23, 6, 46, 7)
    assert told[:2] == [
        ("latitude", 43 + 12.5 / 60, GOOD, stamp), ("longitude", 76 + 53.25 / 60, GOOD, stamp),
    ]  # fmt: skip
    lost = {name: (quality, time_ns) for name, _, quality, time_ns in told[4:]}
    for name in ("latitude", "longitude", "speed", "course", "elevation", "hdop"):
        assert lost[name][0] == NONE, "never 0, 0"
        assert lost[name][1] >= before_ns, "a receiver without a fix does not know the date either"
    assert lost["fix"][0] == lost["satellites"][0] == GOOD


async def test_a_clock_is_compared_with_the_gateways(tmp_path):
    """ZDA, as the guide shows it; the point says how far ahead the receiver is."""
    port = str(tmp_path / "port")
    time = {
        "match": r"\?\?ZDA,", "columns": [2, 3, 4, 5], "format": "%H%M%S.%f %d %m %Y",
        "utc_offset_h": 0,
    }  # fmt: skip
    device = {
        "line": {"start": "$"}, "checksum": {"kind": "xor8", "mark": "*"}, "time": time,
        "match": r"\?\?ZDA,",
    }  # fmt: skip
    async with instrument(port) as one:
        adapter = build(new_site(), [{"clock": True, "unit": "s"}], serial=port, **device)
        (row,) = await heard(adapter, one, ["GPZDA,201530.00,04,07,2002,00,00"], 1)
    point, ahead_s, quality, time_ns = row
    assert (point, quality) == (0, GOOD)
    assert abs(time_ns / 1e9 + ahead_s - ns(2002, 7, 4, 20, 15, 30) / 1e9) < 1e-3


# ---- beside pynmea2, which we did not write
def told(sentences):
    """Return what the profile says of sentences, good values only, by point."""
    profile = ALL.profile("nmea-0183/receiver")
    device = golden.device_like(profile, Owner("g", None, ALL))
    found = golden.decoded(device, [Exchange(b"", nmea(one)) for one in sentences])
    return {name: one.value for name, one in found.items() if one.quality == GOOD}


def degrees(side, letters, whole):
    """A place as receivers write it: degrees and minutes, and the half of the globe."""
    form = f"{{0:0{whole}d}}{{1:08.5f}}"
    return st.builds(
        lambda degree, minute, letter: (form.format(degree, minute), letter),
        st.integers(0, side - 1), st.floats(0, 59.999, allow_nan=False), st.sampled_from(letters),
    )  # fmt: skip


PLACES = st.tuples(degrees(90, "NS", 2), degrees(180, "EW", 3))


@given(PLACES, st.floats(0, 99), st.floats(0, 359), st.floats(-400, 8000), st.integers(1, 12))
def test_positions_are_those_of_another_reader(place, knots, course, height, satellites):
    (latitude, north), (longitude, east) = place
    rmc = (
        f"GPRMC,064607.00,A,{latitude},{north},{longitude},{east},{knots:.2f},{course:.1f},"
        "230625,,,A"
    )
    gga = (
        f"GNGGA,064607.00,{latitude},{north},{longitude},{east},1,{satellites:02d},0.9,"
        f"{height:.1f},M,-42.0,M,,"
    )
    gsa = "GNGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1"
    theirs: list[Any] = [pynmea2.parse(nmea(one).decode().strip()) for one in (rmc, gga, gsa)]
    moved, seen, dop = theirs
    assert told([rmc, gga, gsa]) == pytest.approx(
        {
            "latitude": moved.latitude, "longitude": moved.longitude,
            "speed": moved.spd_over_grnd * 1.852, "course": moved.true_course,
            "elevation": seen.altitude, "satellites": int(seen.num_sats),
            "fix": seen.gps_qual, "hdop": float(seen.horizontal_dil),
            "fix-dimensions": int(dop.mode_fix_type), "pdop": float(dop.pdop),
        },
        abs=1e-7,
    )  # fmt: skip


@pytest.mark.parametrize("broken", ["GPRMC,064607.00,A,4312.5000,N*00", "GPGGA,1*7F"])
def test_a_wrong_check_sum_is_refused_by_both(broken):
    with pytest.raises(pynmea2.ChecksumError):
        pynmea2.parse(f"${broken}", check=True)
    profile = ALL.profile("nmea-0183/receiver")
    device = golden.device_like(profile, Owner("g", None, ALL))
    with pytest.raises(DeviceMalformed):
        golden.decoded(device, [Exchange(b"", f"${broken}\r\n".encode())])
