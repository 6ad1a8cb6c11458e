"""M-Bus extensions: several together, and those that no table has."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.mbus_vife import ERRORS, QUALIFIERS, extend


def test_several_extensions_count_together():
    told = extend([0x3C, 0x75, 0x74, 0x7C, 0x03])
    assert told.qualifiers == ("backward", "at phase L3")
    assert told.factor == Fraction(1, 1000)


def test_what_a_manufacturer_means_ends_it():
    told = extend([0x3B, 0x7F, 0x15, 0x70])
    assert told.qualifiers == ("forward", "manufacturer 1570")
    assert (told.error, told.factor) == (0, 1)


def test_codes_of_no_table_stay_visible():
    assert extend([0x10]).qualifiers == ("reserved 10",)
    assert extend([0x7C, 0x55]).qualifiers == ("extension 55",)
    assert extend([0x7C]).qualifiers == ("extension ff",)
    assert extend([0x00]).qualifiers == ()


def test_every_error_is_told():
    assert {code: extend([code]).error for code in ERRORS} == {code: code for code in ERRORS}


@given(st.lists(st.integers(0, 0x7F), max_size=10))
def test_any_extensions_are_told(codes):
    told = extend(codes)
    assert told.factor > 0
    for word in told.qualifiers:
        assert word in QUALIFIERS or word.split()[0] in ("manufacturer", "reserved", "extension")
