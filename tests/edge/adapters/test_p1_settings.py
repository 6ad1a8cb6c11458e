"""P1 settings: defaults, what is refused, keys that stay secret."""

import msgspec
import pytest

from citytwin_edge.adapters.p1_settings import P1Device, P1Point, keys_of

KEY = "00112233445566778899aabbccddeeff"


def test_defaults():
    end = msgspec.convert({"serial": "/dev/x"}, P1Device).endpoint()
    assert (end.baud, end.data_bits, end.parity) == (115_200, 8, "none")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either serial"),
        ({"serial": "x", "key": "12"}, "regex"),
        ({"serial": "x", "authentication_key": KEY}, "goes with key"),
        ({"serial": "x", "clock": "meter"}, "utc_offset_h"),
    ],
)
def test_what_is_refused(fields, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(fields, P1Device)
    with pytest.raises(msgspec.ValidationError, match="needs obis"):
        msgspec.convert({}, P1Point)


def test_keys_are_not_shown():
    one = msgspec.convert({"serial": "x", "key": KEY, "authentication_key": KEY}, P1Device)
    assert one.keys() == keys_of(KEY, KEY)
    assert KEY not in repr(one) + str(one.__rich_repr__()) + repr(one.keys())
