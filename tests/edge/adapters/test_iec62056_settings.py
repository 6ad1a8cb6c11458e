"""IEC 62056-21 settings: what goes together, what is refused, secrets that stay such."""

import msgspec
import pytest

from citytwin_edge.adapters.iec62056_settings import IecDevice, IecPoint


def device(**fields):
    return msgspec.convert({"serial": "/dev/x", **fields}, IecDevice)


def test_defaults():
    one = device()
    assert one.plan().baud == 300
    assert (one.endpoint().data_bits, one.endpoint().parity, one.is_software) == (8, "none", True)
    seven = device(parity="port").endpoint()
    assert (seven.data_bits, seven.parity) == (7, "even")
    assert device(mode="d").endpoint().baud == 2400
    behind = msgspec.convert({"host": "ser2net"}, IecDevice)
    assert not behind.is_software
    assert not behind.plan().can_switch


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"host": "a"}, "either serial"),
        ({"serial": ""}, "either serial"),
        ({"serial": "", "host": "a", "parity": "port"}, "a server has its own"),
        ({"address": "12/3"}, "letters, digits"),
        ({"password": "a)"}, "no brackets"),
        ({"clock": "meter"}, "utc_offset_h"),
        ({"mode": "d", "address": "1"}, "speaks by itself"),
    ],
)
def test_what_is_refused(fields, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        device(**fields)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "needs obis"),
        ({"request": "W1 VOLTA()"}, "only reading"),
        ({"request": "VOLTA"}, "only reading"),
        ({"obis": "VOLTA", "storage": 1}, "OBIS code"),
        ({"obis": "1.8.0*1", "storage": 1}, "names a billing period"),
        ({"obis": "1.8.0", "pattern": "("}, "pattern"),
    ],
)
def test_points_that_are_refused(fields, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(fields, IecPoint)


def test_a_billing_period():
    assert str(msgspec.convert({"obis": "1.8.0", "storage": 19}, IecPoint).name) == "1.8.0*19"


def test_a_password_is_not_shown():
    assert "secret" not in repr(device(password="secret"))
    assert "secret" not in str(device(password="secret").__rich_repr__())
