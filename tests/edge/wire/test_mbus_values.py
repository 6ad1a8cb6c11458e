"""M-Bus values: each data type, and what stands for "no value"."""

from __future__ import annotations

import datetime
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.mbus_values import bcd, moment, number, text, variable_size


@pytest.mark.parametrize(
    ("dif", "data", "value"),
    [
        (0x01, "FE", -2),
        (0x02, "18 FC", -1000),
        (0x03, "15 31 00", 12565),
        (0x04, "FF FF FF FF", -1),
        (0x06, "F8 20 00 00 00 00", 8440),
        (0x07, "00 00 00 00 01 00 00 00", 2**32),
        (0x05, "00 00 80 3F", 1.0),
        (0x05, "CD CC CC 3D", 0.1),
        (0x09, "42", 42),
        (0x0B, "00 00 01", 10000),
        (0x0C, "78 56 34 12", 12345678),
        (0x0C, "78 56 34 F2", -2345678),
        (0x0E, "12 90 78 56 34 12", 123456789012),
        (0x0D, "03 33 32 31", "123"),
        (0x0D, "C4 78 56 34 12", 12345678),
        (0x0D, "D2 34 12", -1234),
        (0x0D, "E3 01 00 01", 65537),
        (0x0D, "F0" + " 00" * 15 + " 01", 2**120),
    ],
)
def test_numbers_and_texts(dif, data, value):
    assert number(dif, bytes.fromhex(data)).value == value


@pytest.mark.parametrize(
    ("dif", "data", "words"),
    [
        (0x00, "", "no data"),
        (0x08, "", "no data"),
        (0x01, "80", "invalid"),
        (0x02, "00 80", "invalid"),
        (0x04, "00 00 00 80", "invalid"),
        (0x05, "00 00 C0 7F", "no number"),
        (0x05, "00 00 80 7F", "no number"),
        (0x0A, "EE EE", "EEEE has digits that are none"),
        (0x0C, "78 5A 34 12", "12345A78 has digits"),
        (0x0D, "C1 FA", "FA has digits"),
        (0x0D, "E0", "no data"),
    ],
)
def test_what_stands_for_no_value(dif, data, words):
    seen = number(dif, bytes.fromhex(data))
    assert seen.value is None
    assert words in seen.why


def test_without_a_sign_nothing_is_invalid():
    assert number(0x02, b"\x00\x80", is_unsigned=True).value == 0x8000


def test_lengths_of_variable_records():
    sizes = {0x00: 0, 0xBF: 191, 0xC9: 9, 0xD1: 1, 0xE8: 8, 0xEF: 15, 0xF0: 16, 0xF4: 32,
             0xF5: 48, 0xF6: 64}  # fmt: skip
    assert {lvar: variable_size(lvar) for lvar in sizes} == sizes
    assert {variable_size(lvar) for lvar in (0xCA, 0xDF, 0xF7, 0xFF)} == {-1}


def test_a_text_is_sent_from_its_end():
    assert text(b"\0olleH ") == "Hello"


@given(st.integers(0, 10**11), st.booleans())
def test_bcd_there_and_back(value, is_negative):
    data = bytes.fromhex(f"{value:012d}")[::-1]
    assert bcd(data, is_negative=is_negative).value == (-value if is_negative else value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_real_keeps_its_nine_digits(value):
    seen = number(0x05, struct.pack("<f", value)).value
    assert struct.pack("<f", seen) == struct.pack("<f", value)


MINUTES = st.datetimes(datetime.datetime(1981, 1, 1), datetime.datetime(2080, 12, 31))  # noqa: DTZ001


def type_f(when, century=0):
    year = when.year % 100
    return bytes([when.minute, when.hour | century << 5, when.day | (year & 7) << 5,
                  when.month | (year & 0x78) << 1])  # fmt: skip


@given(MINUTES)
def test_dates_and_times_there_and_back(when):
    minute = when.replace(second=0, microsecond=0)
    second = when.replace(microsecond=0)
    assert moment(type_f(when)).value == minute
    assert moment(type_f(when, (when.year - 1900) // 100)).value == minute
    assert moment(type_f(when)[2:]).value == when.date()
    fine = bytes([when.second, when.minute, when.hour]) + type_f(when)[2:] + b"\0"
    assert moment(fine).value == second
    if when.hour or when.minute or when.second:
        assert moment(fine[:3]).value == second.time()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("FF FF", "no date"),
        ("00 00", "no date"),
        ("FF FF FF FF", "no date"),
        ("1F 1F", "no date"),  # a month 15: every month
        ("80 00 61 11", "marks its time as invalid"),
        ("00 80 0A 61 11 00", "marks its time as invalid"),
        ("3F 00 61 11", "no date"),  # minute 63: every minute
        ("01", "no date"),
        ("01 02 03 04 05", "no date"),
    ],
)
def test_what_is_no_time(data, words):
    seen = moment(bytes.fromhex(data))
    assert seen.value is None
    assert words in seen.why
