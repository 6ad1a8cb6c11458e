"""M-Bus value information: every table of the standard, and units that CityTwin knows."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin.conversion import commensurable
from citytwin.units import UNITS
from citytwin_edge.wire.mbus_vif import QUANTITIES, value_information


@pytest.mark.parametrize(
    ("codes", "quantity", "unit", "factor"),
    [
        ("00", "energy", "W.h", "1/1000"), ("06", "energy", "W.h", "1000"),
        ("08", "energy", "J", "1"), ("0F", "energy", "J", "10000000"),
        ("10", "volume", "m3", "1e-6"), ("16", "volume", "m3", "1"),
        ("1B", "mass", "kg", "1"), ("22", "on-time", "h", "1"), ("27", "operating-time", "d", "1"),
        ("2B", "power", "W", "1"), ("30", "power", "MJ/h", "1e-6"), ("37", "power", "MJ/h", "10"),
        ("3B", "volume-flow", "m3/h", "1e-3"), ("47", "volume-flow", "L/min", "1000"),
        ("48", "volume-flow", "m3/s", "1e-9"), ("53", "mass-flow", "kg/h", "1"),
        ("59", "flow-temperature", "Cel", "1/100"), ("5F", "return-temperature", "Cel", "1"),
        ("61", "temperature-difference", "K", "1/100"), ("67", "external-temperature", "Cel", "1"),
        ("6B", "pressure", "bar", "1"), ("6E", "heat-cost", "1", "1"),
        ("73", "averaging-duration", "d", "1"), ("78", "fabrication-number", "1", "1"),
        ("FB 00", "energy", "MW.h", "1/10"), ("FB 03", "reactive-energy", "kvar.h", "10"),
        ("FB 09", "energy", "GJ", "1"), ("FB 0D", "energy", "Gcal_th", "1/1000"),
        ("FB 11", "volume", "m3", "1000"), ("FB 15", "reactive-power", "kvar", "1/100"),
        ("FB 19", "mass", "t", "1000"), ("FB 1B", "humidity", "%", "1"),
        ("FB 21", "volume", "m3", "0.0028316846592"), ("FB 28", "power", "MW", "1/10"),
        ("FB 2F", "frequency", "Hz", "1"), ("FB 31", "power", "GJ/h", "1"),
        ("FB 5B", "flow-temperature", "[degF]", "1"), ("FB 77", "temperature-limit", "Cel", "1"),
        ("FB 7B", "power-maxima", "W", "1"),
        ("FD 17", "error-flags", "1", "1"), ("FD 48", "voltage", "V", "1/10"),
        ("FD 5C", "current", "A", "1"), ("FD 28", "storage-interval", "a", "1/12"),
        ("FD 6C", "battery-time", "h", "1"), ("FD 74", "battery-left", "d", "1"),
        ("FD 71", "radio-level", "dB[mW]", "1"), ("FD FD 02", "battery-left", "a", "1/12"),
        ("FD FD 00", "application", "1", "1"), ("FD 3A", "dimensionless", "1", "1"),
        ("EF 01", "reserved", "", "1"), ("7B", "reserved", "", "1"), ("FD", "reserved", "", "1"),
        ("7F", "manufacturer-specific", "", "1"), ("FF 07", "manufacturer-specific", "", "1"),
    ],
)  # fmt: skip
def test_tables(codes, quantity, unit, factor):
    told = value_information(bytes.fromhex(codes), "")
    assert (told.quantity, told.unit, told.factor) == (quantity, unit, Fraction(factor))


@pytest.mark.parametrize(
    ("codes", "unit", "factor", "qualifiers"),
    [
        ("93 3C", "m3", "1/1000", ("backward",)),
        ("93 22", "m3/h", "1/1000", ("per h",)),
        ("93 21", "L/min", "1", ("per min",)),
        ("86 22", "W", "1000", ("per h",)),
        ("A9 FC 01", "W", "1/100", ("at phase L1",)),
        ("96 71", "m3", "1e-5", ()),
        ("96 7D", "m3", "1000", ()),
        ("AB 49", "1", "1", ("times above limit",)),
        ("AB 5D", "min", "1", ("duration of last above limit",)),
        ("86 30", "", "1000", ("per kWh",)),
        ("86 24", "", "1000", ("per week",)),
        ("82 FF 07", "W.h", "1/10", ("manufacturer 07",)),
        ("FD C8 FC 02", "V", "1/10", ("at phase L2",)),
    ],
)
def test_extensions(codes, unit, factor, qualifiers):
    told = value_information(bytes.fromhex(codes), "")
    assert (told.unit, told.factor, told.qualifiers) == (unit, Fraction(factor), qualifiers)


def test_extensions_that_change_the_kind_of_value():
    assert value_information(b"\x93\x6f", "").is_time, "the date of a volume's maximum"
    assert value_information(b"\x93\x15", "").error == 0x15
    assert value_information(b"\xd9\x7b", "").addend == Fraction(1, 100)
    assert value_information(b"\xfc\x74", "%RH")[:3] == ("humidity", "%", Fraction(1, 100))
    assert value_information(b"\x7c", "furlongs").unit == ""
    assert value_information(b"\x84\xfc\x11", "").is_unsigned
    assert value_information(b"\x62", "").is_difference


@given(st.binary(min_size=1, max_size=11))
def test_any_codes_give_a_unit_that_is_known(codes):
    told = value_information(codes, "")
    assert told.unit == "" or (told.unit in UNITS and commensurable(told.unit, told.unit))
    assert told.quantity in QUANTITIES or told.quantity in ("reserved", "data-container",
                                                            "manufacturer-container")  # fmt: skip
