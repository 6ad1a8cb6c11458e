"""Advertisements: addresses, and numbers that are judged by what can be measured."""

import math

import pytest

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.adverts import (
    Quantity,
    Section,
    address_bytes,
    check_address,
    no_key,
    signed,
)


def test_addresses():
    assert address_bytes("A4:c1:38:5A:20:7F") == bytes.fromhex("a4c1385a207f")
    for text in (
        "",
        "A4:C1:38:5A:20",
        "A4-C1-38-5A-20-7F",
        "A4:C1:38:5A:20:7G",
        "A4:C1:38:5A:20:+7",
    ):
        with pytest.raises(ValueError, match="is not one such as"):
            address_bytes(text)
    check_address(bytes.fromhex("5a207f"), bytes.fromhex("a4c1385a207f"))
    with pytest.raises(DeviceMalformed, match="5a:20:7e"):
        check_address(bytes.fromhex("5a207e"), bytes.fromhex("a4c1385a207f"))


def test_a_section_has_a_name():
    assert str(Section("company", 0x499, b"")) == "company:0499"
    assert Section("service", 0xFCD2, b"").key == ("service", 0xFCD2)


def test_what_cannot_be_measured_is_no_value():
    humidity = Quantity("%", 0, 100)
    assert humidity.told(55).quality == Quality.GOOD
    assert humidity.told(math.nan).quality == Quality.BAD_NOT_A_NUMBER
    for value in (-0.1, 100.1, math.inf):
        told = humidity.told(value)
        assert told.quality == Quality.BAD_OUT_OF_RANGE
        assert math.isnan(told.value)


def test_signed_and_no_key():
    assert signed(b"\xff\x38", "big") == -200
    assert signed(b"\x38\xff", "little") == -200
    no_key(b"", "Nobody's")
    with pytest.raises(ValueError, match="Nobody's telegrams are not encrypted"):
        no_key(b"\0", "Nobody's")
