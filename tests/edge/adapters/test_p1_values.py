"""P1 values: own times of sub meters, old and new ways of writing, repeated ones once."""

import math

import msgspec
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin_edge.adapters.p1_settings import P1Device, P1Point
from citytwin_edge.adapters.p1_values import P1Points, P1Values
from citytwin_edge.wire.messages import Message
from tests.edge.meters import bindings_of
from tests.edge.modbus_devices import new_site
from tests.edge.wire.meter_recordings import DSMR3, DSMR5

ENERGY = {"obis": "1-0:1.8.1", "unit": "kW.h"}
GAS = {"obis": "0-1:24.2.1", "unit": "m3"}
NOW = 10**18


def values(points, **device):
    settings = msgspec.convert({"serial": "x", **device}, P1Device)
    return P1Values(P1Points(settings, bindings_of(P1Point, points), new_site()))


def told(one, telegram):
    return [
        (r.point, r.time_ns, None if math.isnan(r.value) else r.value, r.quality)
        for r in one.read(Message(telegram[: telegram.rfind(b"!") + 1]), NOW)
    ]


def test_stamps_of_the_gateway():
    one = values([ENERGY, GAS, {"obis": "1-0:99.99.9"}])
    assert told(one, DSMR5) == [(0, NOW, 4.426, 0), (1, NOW, 0.107, 0)]
    assert told(one, DSMR5), "told again each time"


def test_stamps_of_the_meter_and_of_its_sub_meters():
    one = values([ENERGY, GAS], clock="meter", utc_offset_h=1)
    assert told(one, DSMR5) == [
        (0, 1483381202 * 10**9, 4.426, 0), (1, 1483369805 * 10**9, 0.107, 0),
    ]  # fmt: skip
    assert told(one, DSMR5) == [], "the same time is the same sample"
    later = DSMR5.replace(b"170102192002W", b"170102192012W")
    assert told(one, later) == [(0, 1483381212 * 10**9, 4.426, 0)]


def test_as_it_was_written_before_dsmr_4():
    one = values([{"obis": "0-1:24.3.0", "unit": "m3"}], clock="meter", utc_offset_h=1)
    assert told(one, DSMR3) == [(0, 1234450800 * 10**9, 1.001, 0)]


@pytest.mark.parametrize(
    ("line", "quality"),
    [
        (b"0-1:24.2.1(700101010000W)(00000000)", Quality.BAD_NOT_A_NUMBER),
        (b"0-1:24.2.1(632525252525W)(00001.000*m3)", Quality.BAD_MALFORMED),
        (b"0-1:24.2.1(170102161005W)(00001.000*kWh)", Quality.BAD_MALFORMED),
    ],
)
def test_a_sub_meter_that_says_nothing_right(line, quality):
    telegram = DSMR5.replace(b"0-1:24.2.1(170102161005W)(00000.107*m3)", line)
    assert told(values([GAS]), telegram) == [(0, NOW, None, quality)]


def test_groups_and_ambiguous_codes():
    demand = b"1-0:1.6.0(200509134558S)(02.589*kW)\r\n1-0:1.8.1("
    telegram = DSMR5.replace(b"1-0:1.8.1(", demand)
    points = [
        {"obis": "1.6.0", "unit": "kW"}, {"obis": "1.6.0", "unit": "kW", "group": 3},
        {"obis": "24.1.0"}, {"obis": "1.6.0", "kind": "text", "group": 1},
    ]  # fmt: skip
    one = values(points)
    assert [(row[2], row[3]) for row in told(one, telegram)] == [
        (2.589, 0), (None, Quality.BAD_MALFORMED), (None, Quality.BAD_REFUSED), (0.0, 0),
    ]  # fmt: skip


def test_a_meter_behind_a_channel():
    short = {"obis": "24.2.1", "unit": "m3"}
    assert told(values([short], channel=1), DSMR5) == [(0, NOW, 0.107, 0)]
    assert told(values([short], channel=3), DSMR5) == []
    named = {"obis": "0-1:24.2.1", "unit": "m3"}
    assert told(values([named], channel=2), DSMR5) == [(0, NOW, 0.107, 0)]


def test_what_is_refused():
    with pytest.raises(ConfigError, match="only heard"):
        values([{**ENERGY, "writable": [0, 1]}])
    with pytest.raises(DeviceMalformed, match="why"):
        values([ENERGY]).read(Message(b"", "why"), NOW)
