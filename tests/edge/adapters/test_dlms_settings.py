"""DLMS settings: what goes together, what is refused, keys that stay secret."""

import msgspec
import pytest

from citytwin_edge.adapters.dlms_settings import DlmsDevice, DlmsPoint

KEY = "00112233445566778899AABBCCDDEEFF"


def device(**fields):
    return msgspec.convert(fields, DlmsDevice)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "needs one of"),
        ({"serial": "x", "host": "y"}, "needs one of"),
        ({"listen": "tcp"}, "needs bind"),
        ({"serial": "x", "bind": "::"}, "needs bind"),
        ({"listen": "udp", "bind": "me"}, "IP address"),
        ({"listen": "udp", "bind": "::", "framing": "hdlc"}, "wrapper"),
        ({"serial": "x", "framing": "wrapper"}, "hdlc"),
        ({"serial": "x", "key": "00"}, "regex"),
        ({"serial": "x", "system_title": "00"}, "regex"),
    ],
)
def test_what_is_refused(fields, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        device(**fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "needs obis"),
        ({"obis": "1.8.0", "index": 1}, "needs obis"),
        ({"obis": "VOLTA"}, "OBIS code"),
        ({"obis": "1.8.0", "of": [3]}, "of goes with index"),
        ({"index": 14, "of": [9, 13]}, "in no list"),
    ],
)
def test_points_that_are_refused(fields, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(fields, DlmsPoint)


def test_how_it_is_framed_and_where_it_is():
    assert device(serial="/dev/x").cutter_name == "hdlc"
    udp = device(listen="udp", bind="0.0.0.0", peer="10.0.0.7")
    assert (udp.cutter_name, udp.where) == ("wrapper", "udp 0.0.0.0:4059")
    assert device(host="gw", port=5000, framing="mbus").endpoint().port == 5000


def test_keys_are_not_shown():
    one = device(serial="x", key=KEY, authentication_key=KEY)
    assert KEY not in repr(one) + str(one.__rich_repr__()) + repr(one.keys())
