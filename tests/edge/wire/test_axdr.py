"""A-XDR: every type, lengths, limits, dates; the same as dlms-cosem."""

import contextlib
import datetime
from typing import Any

import pytest
from dlms_cosem.utils import parse_as_dlms_data
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.axdr import DATE_TIME, Node, decode, moment

EVERY = bytes.fromhex(
    "0210 00 0301 05fffffffe 0600000001 0902abcd 0a03414243 0c02d0af 0fff 10fffe 1180 12ffff"
    "14ffffffffffffffff 150000000000000001 1605 1740490fdb 184009 21fb54442d18".replace(" ", "")
)


def plain(node) -> Any:
    return [plain(one) for one in node.elements] if node.is_list else node.value


def test_every_type():
    value = plain(decode(EVERY))
    assert value[:13] == [
        None, True, -2, 1, b"\xab\xcd", b"ABC", "Я".encode(), -1, -2, 128, 65535, -1, 1,
    ]  # fmt: skip
    assert value[13] == 5
    assert value[14] == pytest.approx(3.1415927)
    assert value[15] == pytest.approx(3.141592653589793)


def test_the_same_as_dlms_cosem():
    message = bytes.fromhex("0203 0906 0100010800ff 06 00000532 0202 0f01 161e")
    assert parse_as_dlms_data(message) == [bytearray(b"\x01\x00\x01\x08\x00\xff"), 1330, [1, 30]]
    assert plain(decode(message)) == [b"\x01\x00\x01\x08\x00\xff", 1330, [1, 30]]


def test_long_lengths_and_fixed_ones():
    assert decode(b"\x09\x81\x80" + b"x" * 128).value == b"x" * 128
    assert decode(b"\x09\x82\x01\x00" + b"x" * 256).value == b"x" * 256
    assert decode(bytes([DATE_TIME]) + b"y" * 12) == Node(DATE_TIME, b"y" * 12)
    assert decode(b"\x04\x0a\xff\xc0").value == b"\xff\xc0"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "02",
        "0201",
        "0600",
        "0980",
        "098501",
        "13",
        "ff",
        "0000",
        "01" * 40 + "00",
        "01840fffffff",
    ],
)
def test_what_is_none(message):
    with pytest.raises(DeviceMalformed):
        decode(bytes.fromhex(message))


@given(st.binary(max_size=60))
def test_any_bytes_end_in_a_value_or_an_error(message):
    with contextlib.suppress(DeviceMalformed):
        decode(message)


@pytest.mark.parametrize(
    ("octets", "offset_h", "utc"),
    [
        ("07e60b0c0610360000ffc400", None, "2022-11-12T15:54:00+00:00"),
        ("07e704010615202300ff8880", None, "2023-04-01T19:32:35+00:00"),
        ("07ea030c040f181eff800000", 5.0, "2026-03-12T10:24:30+00:00"),
        ("07ea070c040f181eff800080", 1.0, "2026-07-12T13:24:30+00:00"),
        ("07ea030c040f181e32800000", 0.0, "2026-03-12T15:24:30.500000+00:00"),
    ],
)
def test_moments(octets, offset_h, utc):
    seconds = datetime.datetime.fromisoformat(utc).timestamp()
    assert moment(bytes.fromhex(octets), offset_h) == seconds * 10**9


@pytest.mark.parametrize(
    "octets", ["07e60b03ff0f2619ffff4c", "07e60d0c0610360000ffc400", "07ea030c040f181eff800000"]
)
def test_what_is_no_moment(octets):
    with pytest.raises(DeviceMalformed):
        moment(bytes.fromhex(octets), None)
