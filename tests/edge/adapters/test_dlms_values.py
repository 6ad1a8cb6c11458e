"""DLMS values: codes, places, units, clocks, other meters, repeated messages."""

import math

import msgspec
import pytest

from citytwin import Quality
from citytwin.errors import ConfigError, DeviceMalformed
from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint
from citytwin_edge.adapters.dlms_values import DlmsPoints, DlmsValues
from citytwin_edge.wire.hdlc import HdlcCutter
from citytwin_edge.wire.messages import Message
from tests.edge.meters import bindings_of
from tests.edge.modbus_devices import new_site
from tests.edge.wire import meter_recordings as recorded
from tests.edge.wire.test_dlms import AUTH, KEY, TITLE, sealed

NOW = 10**18
AIDON = HdlcCutter().feed(recorded.AIDON)[0]
KAIFA = HdlcCutter().feed(recorded.KAIFA)[0]
ISKRA = HdlcCutter().feed(recorded.ISKRA)[0]
BODY = bytes.fromhex("0f0000000100 0202 09060100010800ff 0600000532")


def values(points, **device):
    settings = msgspec.convert({"serial": "x", **device}, DlmsDevice)
    return DlmsValues(DlmsPoints(settings, bindings_of(DlmsPoint, points), new_site()))


def told(one, message):
    message = message if isinstance(message, Message) else Message(message)
    return [
        (r.point, None if math.isnan(r.value) else r.value, r.quality)
        for r in one.read(message, NOW)
    ]


def test_codes_with_their_units():
    points = [
        {"obis": "1-0:1.7.0", "unit": "kW"}, {"obis": "32.7.0", "unit": "V"},
        {"obis": "1.7.0", "unit": "kvar"}, {"obis": "96.1.7", "kind": "text"}, {"obis": "1.8.0"},
    ]  # fmt: skip
    assert told(values(points), AIDON) == [
        (0, 1.362, 0), (1, 250.0, 0), (2, None, Quality.BAD_MALFORMED), (3, 0.0, 0),
    ], "a list without a code says nothing of it"  # fmt: skip


def test_places_in_lists_without_codes():
    points = [
        {"index": 4, "of": [9, 13], "unit": "W"}, {"index": 1, "of": [1], "unit": "W"},
        {"index": 3, "of": [13], "kind": "text"}, {"index": 20},
    ]  # fmt: skip
    assert told(values(points), KAIFA) == [(0, 948.0, 0), (2, 0.0, 0)]
    assert told(values(points), AIDON) == [], "a list with codes has no places"


def test_clocks():
    point = [{"obis": "1.8.0", "unit": "W.h"}]
    (reading,) = values(point, clock="meter").read(ISKRA, NOW)
    assert reading.time_ns == 1680377555 * 10**9
    with pytest.raises(DeviceMalformed, match="says no time"):
        values(point, clock="meter").read(AIDON, NOW)
    kaifa = [{"index": 4, "unit": "W"}]
    with pytest.raises(DeviceMalformed, match="utc_offset_h"):
        values(kaifa, clock="meter").read(KAIFA, NOW)
    (reading,) = values(kaifa, clock="meter", utc_offset_h=1).read(KAIFA, NOW)
    assert reading.time_ns == 1505450020 * 10**9


def test_ciphered_ones():
    keys = {"key": KEY.hex(), "authentication_key": AUTH.hex()}
    one = values([{"obis": "1.8.0", "unit": "W.h"}], **keys)
    assert told(one, sealed(BODY, counter=5)) == [(0, 1330.0, 0)]
    for counter in (5, 4):
        with pytest.raises(DeviceMalformed, match="does not grow"):
            told(one, sealed(BODY, counter=counter))
    assert told(one, sealed(BODY, counter=6)) == [(0, 1330.0, 0)]
    another = values([{"obis": "1.8.0"}], system_title="00" * 8, **keys)
    assert told(another, sealed(BODY)) == []
    mine = values([{"obis": "1.8.0"}], system_title=TITLE.hex(), **keys)
    assert told(mine, sealed(BODY)) == [(0, 1330.0, 0)]


def test_what_is_refused():
    with pytest.raises(ConfigError, match="only heard"):
        values([{"obis": "1.8.0", "writable": [0, 1]}])
    with pytest.raises(DeviceMalformed, match="why"):
        told(values([{"obis": "1.8.0"}]), Message(b"", "why"))
    nothing = BODY[:-5] + b"\x00"
    assert told(values([{"obis": "1.8.0"}]), nothing) == [(0, None, Quality.BAD_NOT_A_NUMBER)]
