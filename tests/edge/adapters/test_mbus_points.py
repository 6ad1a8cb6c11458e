"""M-Bus points: which record is meant, its number in the point's unit, and why there is none."""

from __future__ import annotations

import math

import pytest

from citytwin import Quality
from citytwin.adapter import Site
from citytwin.clock import SystemClock
from citytwin.errors import ConfigError, DeviceMalformed, DeviceRefused, DeviceSilent, StoreFull
from citytwin_edge.adapters.mbus_places import MbusPoint
from citytwin_edge.adapters.mbus_points import Points, describe, points_of, quality_of
from citytwin_edge.adapters.mbus_settings import MbusDevice
from citytwin_edge.wire.mbus_telegram import telegram
from tests.edge.modbus_devices import new_site
from tests.edge.serial_instruments import bindings_of

GOOD, NONE, REFUSED = Quality.GOOD, Quality.BAD_NOT_A_NUMBER, Quality.BAD_REFUSED
MALFORMED, RANGE = Quality.BAD_MALFORMED, Quality.BAD_OUT_OF_RANGE
HEAD = "17 58 85 06 2D 2C 08 04 2A 10 00 00"
HEAT = (
    "04 06 E7 91 00 00"  # energy 37351 kWh
    "04 14 2C DB 00 00"  # volume 561.08 m3
    "44 14 B2 C3 00 00"  # the same, stored: 500.98
    "84 40 14 05 00 00 00"  # of subunit 1
    "84 10 06 07 00 00 00"  # tariff 1
    "02 59 B9 27"  # flow temperature 101.69
    "02 61 B1 15"  # difference 55.53 K
    "04 2D 5B 01 00 00"  # power 34.7 kW
    "14 2D C0 01 00 00"  # its maximum
    "04 93 3C 09 00 00 00"  # volume, backward
    "02 FD 17 05 80"  # error flags
    "04 6D 1A 2F 65 11"  # clock 2011-01-05 15:26
    "42 6C 5F 1C"  # date
    "04 FF 07 D2 04 00 00"  # manufacturer's own
    "0C 78 17 58 85 06"  # fabrication number
    "0D FD 0E 05 30 2E 32 2E 31"  # firmware
)


def record(quantity="volume", **more):
    return {"record": {"quantity": quantity, **more}}


def read(points, data=HEAT, site=None, head=HEAD, **options):
    said = [telegram(0x72, bytes.fromhex(head + data))]
    compiled = Points(bindings_of(points, MbusPoint), site or new_site(), **options)
    return compiled.read(said, 1000)


def one(point, data=HEAT, **options):
    (reading,) = read([point], data, **options)
    return reading


@pytest.mark.parametrize(
    ("point", "value"),
    [
        (record(unit="m3"), 561.08),
        (record() | {"unit": "m3"}, 561.08),
        (record() | {"unit": "L"}, 561080),
        (record(storage=1) | {"unit": "m3"}, 500.98),
        (record(subunit=1) | {"unit": "m3"}, 0.05),
        (record(qualifiers=["backward"]) | {"unit": "L"}, 9),
        (record("energy") | {"unit": "kW.h"}, 37351),
        (record("energy") | {"unit": "GJ"}, 134.4636),
        (record("energy") | {"unit": "Gcal_th"}, 32.1375717017208),
        (record("energy", tariff=1) | {"unit": "MW.h"}, 0.007),
        (record("flow-temperature") | {"unit": "Cel"}, 101.69),
        (record("flow-temperature") | {"unit": "K"}, 374.84),
        (record("temperature-difference") | {"unit": "K"}, 55.53),
        (record("temperature-difference") | {"unit": "Cel"}, 55.53),
        (record("power") | {"unit": "kW"}, 34.7),
        (record("power", function="maximum") | {"unit": "kW"}, 44.8),
        (record("error-flags"), 0x8005),
        (record("error-flags") | {"bits": [2]}, 1),
        (record("error-flags") | {"bits": [0, 3]}, 5),
        ({"dif_vif": "04 14", "unit": "m3"}, 561.08),
        ({"dif_vif": "0414", "unit": "m3"}, 561.08),
        ({"dif_vif": "04 FF 07", "unit": "kW.h"}, 1234),
        ({"index": 1, "unit": "m3"}, 561.08),
        ({"header": "status"}, 16),
        ({"header": "status", "bits": [4]}, 1),
        ({"header": "access-number"}, 42),
        ({"header": "version"}, 8),
        ({"header": "medium"}, 4),
    ],
)
def test_numbers(point, value):
    point = {"unit": "m3"} | point if point == record(unit="m3") else point
    reading = one(point)
    assert (reading.quality, reading.time_ns) == (GOOD, 1000), reading.note
    assert reading.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (record("fabrication-number"), "06855817"),
        (record("firmware-version"), "1.2.0"),
        (record("date-time"), "2011-01-05T15:26:00"),
        (record("date", storage=1), "2010-12-31"),
        (record("error-flags"), "32773"),
        ({"header": "identification"}, "06855817"),
        ({"header": "manufacturer"}, "KAM"),
        ({"header": "medium"}, "4"),
    ],
)
def test_texts(point, text):
    texts: list[str] = []

    def intern(seen: str) -> int:
        texts.append(seen)
        return len(texts) - 1

    reading = one(point | {"kind": "text"}, site=Site(SystemClock(), intern))
    assert reading.quality == GOOD
    assert texts == [text]


def test_a_number_of_variable_length_has_its_own_digits():
    reading = one({"index": 0, "kind": "text"}, "0D FD 11 C2 34 12")
    assert (reading.quality, reading.note) == (GOOD, "0d fd 11: customer 1234")


def test_times_as_numbers_need_an_offset():
    point = record("date-time") | {"unit": "s"}
    assert one(point, utc_offset_h=5).value == 1294223160  # 2011-01-05 10:26 UTC
    assert "utc_offset_h" in one(point).note
    assert one(record("date", storage=1) | {"unit": "s"}, utc_offset_h=0).value == 1293753600
    assert 'needs kind = "text"' in one({"dif_vif": "03 6D"}, "03 6D 01 02 03").note


def test_the_meters_clock_can_stamp():
    point = record() | {"unit": "m3"}
    assert one(point, utc_offset_h=5, is_stamped=True).time_ns == 1294223160 * 10**9
    without = "04 14 2C DB 00 00"
    assert one(point, without, utc_offset_h=5, is_stamped=True).time_ns == 1000
    marked = without + "04 6D 9A 2F 65 11"
    assert one(point, marked, utc_offset_h=5, is_stamped=True).time_ns == 1000


@pytest.mark.parametrize(
    ("point", "data", "quality", "words"),
    [
        (record("pressure"), HEAT, REFUSED, "no such record; it has 04 06: energy 37351000 W.h"),
        (record(storage=9), HEAT, REFUSED, "no such record"),
        ({"index": 99}, HEAT, REFUSED, "16 records only"),
        ({"dif_vif": "04 15"}, HEAT, REFUSED, "no such record"),
        (record("energy") | {"unit": "m3"}, HEAT, MALFORMED,
         "tells energy in W.h, which cannot become 'm3'"),
        (record(), HEAT, MALFORMED, "tells volume in m3, which cannot become '1'"),
        (record("firmware-version"), HEAT, MALFORMED, "it is the text '1.2.0'"),
        (record(), "34 14 01 00 00 00", NONE, "as of an error only"),
        (record(), "04 94 15 01 00 00 00", NONE, "the meter says: no data available"),
        (record(), "04 94 16 01 00 00 00", RANGE, "the meter says: data overflow"),
        (record(), "04 94 18 01 00 00 00", NONE, "the meter says: data error"),
        (record(), "00 94 02", REFUSED, "the meter says: storage number not implemented"),
        (record(), "0C 14 EE EE EE EE", NONE, "EEEEEEEE has digits that are none"),
        (record(), "04 14 00 00 00 80", NONE, "marks it as invalid"),
        (record() | {"sentinel": [255]}, "04 14 FF 00 00 00", NONE, "255 means no value"),
        (record(), "05 14 00 00 C0 7F", NONE, "no number"),
        (record() | {"unit": "L"}, "05 14 FF FF 7F 7F", GOOD, ""),
        (record() | {"unit": "m3", "bits": [1]}, "05 14 00 00 80 3F", MALFORMED, "whole number"),
        (record("date-time"), "04 6D FF FF FF FF", NONE, "no date or time"),
    ],
)  # fmt: skip
def test_why_there_is_no_number(point, data, quality, words):
    reading = one(point, data)
    assert (reading.quality, words in reading.note) == (quality, True), reading.note
    assert math.isnan(reading.value) or quality == GOOD


def test_records_that_are_alike():
    both = "04 06 E7 91 00 00" + "04 0F 00 00 00 00"
    point = record("energy") | {"unit": "kW.h"}
    assert "choose one by dif_vif, or unit in record" in one(point, both).note
    assert one(record("energy", unit="W.h") | {"unit": "kW.h"}, both).value == 37351
    twice = "04 06 E7 91 00 00" * 2
    assert one(point, twice).value == 37351


def test_what_a_telegram_leaves_out_can_be_left_out():
    compiled = Points(bindings_of([record() | {"unit": "m3"}, record("power")], MbusPoint),
                      new_site())  # fmt: skip
    said = [telegram(0x78, bytes.fromhex("04 14 2C DB 00 00"))]
    assert [r.point for r in compiled.read(said, 1, all_must_be_there=False)] == [0]
    assert [r.quality for r in compiled.read(said, 1)] == [GOOD, REFUSED]
    (reading,) = Points(bindings_of([{"header": "status"}], MbusPoint), new_site()).read(said, 1)
    assert "no such header" in reading.note
    (reading,) = Points(bindings_of([{"header": "version"}], MbusPoint), new_site()).read(said, 1)
    assert "does not say whose" in reading.note


def test_a_full_dictionary():
    def intern(text: str) -> int:
        raise StoreFull("no room")

    reading = one(record("firmware-version") | {"kind": "text"}, site=Site(SystemClock(), intern))
    assert (reading.quality, reading.note) == (RANGE, "no room")


def test_points_that_would_be_commanded_are_refused():
    bindings = bindings_of([record() | {"writable": [0, 1]}], MbusPoint)
    with pytest.raises(ConfigError, match="point gw/dev/p0: meters are read only"):
        points_of(MbusDevice(serial="/dev/x", address=1), bindings, new_site())


def test_qualities_of_errors():
    errors = (DeviceSilent(""), DeviceMalformed(""), DeviceRefused(""))
    assert [quality_of(error) for error in errors] == [Quality.BAD_SILENT, MALFORMED, REFUSED]


def test_records_in_words():
    records = telegram(0x78, bytes.fromhex(HEAT + "01 7B 05")).block.records
    words = [describe(record) for record in records]
    assert words[3] == "84 40 14: volume 0.05 m3, subunit 1"
    assert words[8] == "14 2d: power 44800 W, maximum"
    assert words[9] == "04 93 3c: volume 0.009 m3, backward"
    assert words[13] == "04 ff 07: manufacturer-specific 1234"
    assert words[15] == "0d fd 0e: firmware-version 1.2.0"
    assert words[16] == "01 7b: reserved 5"
