"""M-Bus records: headers of every length, idle bytes, ends, and what is none."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.mbus_records import Function, headers, records


def one(text):
    block = records(bytes.fromhex(text))
    assert len(block.records) == 1
    return block.records[0]


@pytest.mark.parametrize(
    ("text", "storage", "tariff", "subunit", "function"),
    [
        ("01 13 05", 0, 0, 0, Function.INSTANTANEOUS),
        ("51 13 05", 1, 0, 0, Function.MAXIMUM),
        ("61 13 05", 1, 0, 0, Function.MINIMUM),
        ("31 13 05", 0, 0, 0, Function.ERROR),
        ("81 01 13 05", 2, 0, 0, Function.INSTANTANEOUS),
        ("C1 0F 13 05", 31, 0, 0, Function.INSTANTANEOUS),
        ("81 10 13 05", 0, 1, 0, Function.INSTANTANEOUS),
        ("81 80 40 13 05", 0, 0, 2, Function.INSTANTANEOUS),
        ("81 C0 40 13 05", 0, 0, 3, Function.INSTANTANEOUS),
        ("C1 B1 22 13 05", 1 + 2 + 64, 3 + 8, 0, Function.INSTANTANEOUS),
    ],
)
def test_storage_tariff_subunit_and_function(text, storage, tariff, subunit, function):
    record = one(text)
    found = (record.storage, record.tariff, record.subunit, record.function)
    assert found == (storage, tariff, subunit, function)
    assert record.seen.value == 5


def test_idle_bytes_and_the_manufacturers_data():
    block = records(bytes.fromhex("2F 2F 01 13 05 2F 01 14 06 0F DE AD"))
    assert [record.key for record in block.records] == ["01 13", "01 14"]
    assert block.manufacturer_data == b"\xde\xad"
    assert not block.more
    assert records(b"\x01\x13\x05\x1f").more
    assert records(b"") == ((), b"", False)


def test_dates_by_their_size():
    assert str(one("42 6C 1F 0C").seen.value) == "2000-12-31"
    assert str(one("04 6D 1A 2F 65 11").seen.value) == "2011-01-05 15:26:00"
    assert str(one("06 6D 00 00 08 16 27 00").seen.value) == "2016-07-22 08:00:00"
    assert str(one("03 6D 01 02 03").seen.value) == "03:02:01"
    assert one("0D 6D 05 39 32 3A 33 31").seen.value == "13:29"


def test_plain_text_units():
    record = one("02 FC 03 48 52 25 74 D4 11")
    assert (record.key, record.told.label) == ("02 fc 03 48 52 25 74", "%RH")
    assert record.in_unit == Fraction(4564, 100)


def test_numbers_highest_byte_first():
    block = records(bytes.fromhex("04 13 00 00 31 15"), is_reversed=True)
    assert block.records[0].seen.value == 12565


def test_headers_alone():
    assert list(headers(bytes.fromhex("04 13 8C 01 14 02 FD 17"))) == [
        (b"\x04\x13", 4), (b"\x8c\x01\x14", 4), (b"\x02\xfd\x17", 2),
    ]  # fmt: skip
    with pytest.raises(DeviceMalformed, match="variable length"):
        list(headers(b"\x0d\x78"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("04", "within the VIF"),
        ("84", "within the DIFEs"),
        ("04 93", "within the VIFEs"),
        ("04 13 01 02", "within the data"),
        ("0D 78", "within the length"),
        ("0D 78 05 31", "within the data"),
        ("0D 78 CF", "reserved length CF"),
        ("04 FC", "within the unit's text"),
        ("04 FC 05 41", "within the unit's text"),
        ("04 7C 51", "the unit's text has 81 characters"),
        ("84" + " 80" * 11 + " 13 00", "over 10 DIFEs"),
        ("04" + " 93" + " 84" * 11 + " 04 00", "over 10 VIFEs"),
        ("3F 00", "DIF 3F is none"),
        ("7F", "global readout"),
        ("01 13 05" * 513, "over 512 records"),
    ],
)
def test_what_is_no_record(text, words):
    with pytest.raises(DeviceMalformed, match=words):
        records(bytes.fromhex(text))


@given(st.binary(max_size=260))
def test_any_bytes_are_records_that_fill_them_or_none(data):
    try:
        block = records(data)
    except DeviceMalformed:
        return
    used = b"".join(record.header + record.data for record in block.records)
    assert len(used) + len(block.manufacturer_data) <= len(data)
