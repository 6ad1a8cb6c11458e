"""M-Bus settings: what a technician writes, mistakes in it, and keys that stay secret."""

from __future__ import annotations

import msgspec
import pytest

from citytwin_edge.adapters.mbus_settings import MbusDevice, Which, key_of
from citytwin_edge.wire.mbus_telegram import Meter

KEY = "000102030405060708090A0B0C0D0E0F"
METER = Meter("06855817", "KAM", 8, 4)


def device(**fields):
    return msgspec.convert({"serial": "/dev/ttyUSB0"} | fields, MbusDevice)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"serial": ""}, "needs either serial"),
        ({"host": "10.0.0.7"}, "needs either serial"),
        ({"address": 251}, "primary addresses are 0 to 250"),
        ({"id": "685581"}, "not 8 digits as on the meter"),
        ({"id": "0685581x"}, "not 8 digits"),
        ({"id": "06855817", "manufacturer": "kam"}, "three capital letters"),
        ({"fabrication": "12"}, "fabrication '12' is not 8 digits"),
        ({"fabrication": "12345678", "address": 1}, "leave out address"),
        ({"address": 1, "time": "meter"}, "needs utc_offset_h"),
        ({"address": 1, "key": KEY[:-1]}, "key must be 32 hexadecimal digits"),
        ({"address": 1, "key": "x" * 32}, "key must be 32 hexadecimal digits"),
    ],
)
def test_mistakes(fields, words):
    with pytest.raises(msgspec.ValidationError, match=words) as caught:
        device(**fields)
    assert str(fields.get("key", "no key")) not in str(caught.value)


def test_a_key_is_not_shown():
    one = device(address=1, key=KEY)
    assert KEY not in repr(one)
    assert KEY not in str(one)
    assert key_of(KEY) == bytes(range(16))
    assert key_of("") == b""


def test_time_outs_follow_the_baud_rate():
    """EN 13757-2: 330 bit times and 50 ms, and what converters add."""
    assert device(address=1).timeout_s() == pytest.approx(0.3375)
    assert device(address=1, baud=300).timeout_s() == pytest.approx(1.3)
    assert device(address=1, reply_timeout_s=2.0).timeout_s() == 2.0
    assert device(serial="", host="10.0.0.7").timeout_s() == pytest.approx(0.6875)


def test_addresses():
    assert device(address=5).selection() == b""
    assert device(address=5).link_address == 5
    assert device(id="1234567F").link_address == 0xFD
    wanted = "68 0b 0b 68 53 fd 52 7f 56 34 12 2d 2c 08 04 22 16"
    one = device(id="1234567F", manufacturer="KAM", version=8, medium=4)
    assert one.selection().hex(" ") == wanted
    assert device(fabrication="00123456").selection()[7:11] == b"\xff" * 4
    assert one.where() == "meter 1234567F KAM version 8 medium 4 at /dev/ttyUSB0"
    assert device(address=5).where() == "meter 5 at /dev/ttyUSB0"
    assert "fabrication number 00123456" in device(fabrication="00123456").where()
    assert device(serial="", host="10.0.0.7", address=5).where() == "meter 5 at 10.0.0.7:10001"


@pytest.mark.parametrize(
    ("which", "fits"),
    [
        (Which(), True), (Which("06855817"), True), (Which("0685581F"), True),
        (Which("FFFFFFF7"), True), (Which("06855818"), False), (Which("F0000000"), False),
        (Which(manufacturer="KAM"), True), (Which(manufacturer="LUG"), False),
        (Which(version=8, medium=4), True), (Which(version=9), False), (Which(medium=0), False),
    ],
)  # fmt: skip
def test_which_meters_are_meant(which, fits):
    assert which.fits(METER) is fits
    assert bool(which) == (which != Which())
