"""Values behind tags: where they are, what is strange, and that nothing is invented."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.payload import Absent, Inside, Payload, PayloadField
from citytwin_edge.wire.tagged import Tagged, Tags

# Battery 92 %, temperature 30.8 °C, humidity 56.5 %: Milesight's example of an EM300-TH.
EM300 = bytes.fromhex("01 75 5C 03 67 34 01 04 68 71")
TAGS = Tags({"01 75": 1, "03 67": 2, "04 68": 1, "05 00": 1})


def test_values_are_found_whatever_their_order():
    assert TAGS.find(EM300, b"\x03\x67") == b"\x34\x01"
    assert TAGS.find(EM300[7:] + EM300[:7], b"\x03\x67") == b"\x34\x01"
    assert TAGS.find(EM300 + bytes.fromhex("03 67 00 00"), b"\x03\x67") == b"\0\0", "the last"
    assert TAGS.has(b"\x01\x75")
    assert not TAGS.has(b"\x75\x01")


def test_a_field_of_them():
    field = Field(Table.FRAME, 0, "int16", order="DCBA")
    inside = Inside("base64", Tagged(TAGS, b"\x03\x67"))
    value = PayloadField("$.data", field=field, inside=inside)
    assert value.decode(Payload(b'{"data": "AXVcA2c0AQRocQ=="}')) == (308.0, None)
    with pytest.raises(Absent, match="nothing behind 03 67"):
        value.decode(Payload(b'{"data": "AXVc"}'))


def test_what_is_at_the_end_is_no_value():
    tags = Tags({"01": 1}, end=2)
    assert tags.find(bytes.fromhex("01 05 CA FE"), b"\1") == b"\5"
    with pytest.raises(Absent):
        tags.find(b"\1", b"\1")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("03 67 34", "end within the value of 03 67"),
        ("01 75 5C FF 01 02", "the tag ff 01 at byte 3 is not in tags"),
        ("01 75 5C 03", "the tag 03 at byte 3 is not in tags"),
    ],
)
def test_what_is_broken_is_malformed(data, says):
    with pytest.raises(DeviceMalformed, match=says) as caught:
        TAGS.find(bytes.fromhex(data), b"\x03\x67")
    assert not isinstance(caught.value, Absent)


def test_what_came_before_a_strange_tag_is_good():
    assert TAGS.find(EM300 + b"\xff\xff", b"\x03\x67") == b"\x34\x01"


@pytest.mark.parametrize(
    ("lengths", "says"),
    [
        ({}, "at least one byte"), ({"": 1}, "at least one byte"), ({"0x": 1}, "hexadecimal"),
        ({"01": 1, "02 03": 1}, "the same number"),
        ({f"{number:04x}": 1 for number in range(257)}, "at most 256 tags"),
    ],
)  # fmt: skip
def test_tables_that_are_none(lengths, says):
    with pytest.raises(ValueError, match=says):
        Tags(lengths)


@given(st.binary(max_size=60))
def test_whatever_comes_is_found_absent_or_malformed(data):
    with contextlib.suppress(DeviceMalformed):
        assert data.count(TAGS.find(data, b"\x03\x67"))
