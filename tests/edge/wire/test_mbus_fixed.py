"""M-Bus fixed telegrams: the example of "The M-Bus: a documentation", and real meters."""

from __future__ import annotations

import pytest

from citytwin_edge.wire.mbus_telegram import telegram


def number_of(record):
    """Return the number in the unit that the VIF names."""
    assert record.in_unit is not None
    return float(record.in_unit)


def test_a_water_meter_with_a_stored_counter():
    """Chapter 6.2 of that document: 1 litre now, 135 litres on the date."""
    said = telegram(0x73, bytes.fromhex("78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00"))
    assert said.meter is not None
    assert (said.meter.id, said.meter.medium, said.access, said.status) == ("12345678", 7, 10, 0)
    now, then = said.block.records
    assert (now.quantity, number_of(now), now.told.unit, now.storage) == (
        "volume", 0.001, "m3", 0,
    )  # fmt: skip
    assert (number_of(then), then.storage) == (0.135, 1)


def test_highest_byte_first():
    data = bytes.fromhex("12 34 56 78 0A 00 E9 7E 00 00 00 01 00 00 01 35")
    said = telegram(0x77, data)
    assert said.meter is not None
    assert said.meter.id == "12345678"
    assert [record.seen.value for record in said.block.records] == [1, 135]


@pytest.mark.parametrize(
    ("status", "units", "value", "unit", "number"),
    [
        (0x01, "05 3F", "10 27 00 00", "W.h", 10_000_000),
        (0x00, "0B 3F", "34 12 00 00", "kJ", 1234),
        (0x00, "14 3F", "34 12 00 00", "W", 1234),
        (0x00, "1D 3F", "34 12 00 00", "MJ/h", 1.234),
        (0x00, "2F 3F", "34 12 00 00", "m3/h", 0.001234),
        (0x00, "38 3F", "34 12 00 00", "Cel", 1.234),
        (0x00, "39 3F", "34 12 00 00", "1", 1234),
        (0x00, "3A 3F", "34 12 00 00", "", 1234),
        (0x00, "02 3F", "34 1A 00 00", "W.h", None),
    ],
)
def test_units(status, units, value, unit, number):
    head = bytes.fromhex("78 56 34 12 0A") + bytes([status])
    data = head + bytes.fromhex(units) + bytes.fromhex(value) + bytes(4)
    record = telegram(0x73, data).block.records[0]
    assert record.told.unit == unit
    assert record.in_unit is None if number is None else number_of(record) == number


def test_both_of_a_date():
    data = bytes.fromhex("78 56 34 12 0A 02 29 29 01 00 00 00 35 01 00 00")
    assert [record.storage for record in telegram(0x73, data).block.records] == [1, 1]
