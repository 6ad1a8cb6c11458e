"""Formats: recognising them, telling repeats, and layouts that the technician describes."""

import math
from typing import Any

import pytest

from citytwin import Kind, Quality
from citytwin.errors import DeviceMalformed
from citytwin.units import unit
from citytwin_edge.wire.adverts import address_bytes
from citytwin_edge.wire.fields import Field, Table
from citytwin_edge.wire.formats import FORMATS, OwnLayout, Receiver, recognised
from citytwin_edge.wire.registers import Single
from tests.edge.wire.advert_telegrams import company, numbers, service

SECOND_NS = 10**9
REPEAT_NS = 10 * SECOND_NS
TAG = "CB:B8:33:4C:88:4F"
RAWV2 = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"


def receiver(*names, address=TAG, key=b"", formats=None) -> Any:
    formats = formats or [FORMATS[name] for name in names]
    return Receiver(formats, address_bytes(address), key, REPEAT_NS)


def test_the_formats_are_these():
    assert set(FORMATS) == {"ruuvi", "bthome", "mibeacon", "atc", "govee", "eddystone-tlm"}
    for one in FORMATS.values():
        assert one.sections
        for quantity in one.quantities.values():
            assert unit(quantity.unit)
            assert quantity.low <= quantity.high
            assert quantity.kind != Kind.ALARM


def test_a_device_is_recognised():
    def names(*sections, name=""):
        return [one.name for one in recognised(sections, name)]

    assert names(company(0x0499, RAWV2)) == ["ruuvi"]
    assert names(service(0xFCD2, "4002ca09")) == ["bthome"]
    assert names(service(0xFE95, "5030 5b05 03")) == ["mibeacon"]
    assert names(company(0xEC88, "000341c26400"), company(0x004C, "0215")) == ["govee"]
    assert names(company(0x004C, "0215")) == []


def test_a_counted_telegram_counts_once():
    ear = receiver("ruuvi")
    assert ear.take(company(0x0499, RAWV2), 0) is not None
    assert ear.take(company(0x0499, RAWV2), 100 * REPEAT_NS) is None
    following = RAWV2.replace("00CD", "00CE")
    assert ear.take(company(0x0499, following), 0) is not None
    moved = following.replace("0512FC", "0512FD")  # the same number with other bytes
    assert ear.take(company(0x0499, moved), 0) is None


def test_a_telegram_without_a_counter_is_told_again_after_a_while():
    ear, section = receiver("govee"), company(0xEC88, "000341c26400")
    assert ear.take(section, 0) is not None
    assert ear.take(section, REPEAT_NS - 1) is None
    assert ear.take(section, REPEAT_NS) is not None
    assert ear.take(section, REPEAT_NS + 1) is None


def test_an_event_is_not_told_again():
    ear, section = receiver("bthome"), service(0xFCD2, "4001643a01")
    assert numbers(ear.take(section, 0)) == {"battery": 100, "button": 1}
    assert numbers(ear.take(section, REPEAT_NS)) == {"battery": 100}


def test_what_is_wrong_is_told_again_after_a_while():
    ear, section = receiver("bthome"), service(0xFCD2, "4002ca")
    with pytest.raises(DeviceMalformed, match="cut off"):
        ear.take(section, 0)
    assert ear.take(section, 1) is None
    with pytest.raises(DeviceMalformed, match="cut off"):
        ear.take(section, REPEAT_NS)


def test_sections_of_others_are_left_out():
    ear = receiver("ruuvi", "bthome")
    assert ear.take(company(0x004C, "0215"), 0) is None
    assert ear.take(company(0x0499, RAWV2), 0) is not None
    assert ear.take(service(0xFCD2, "4002ca09"), 0) is not None


def test_a_key_must_be_one_of_some_format():
    receiver(*FORMATS, key=bytes(16))  # those without a key are left out
    with pytest.raises(ValueError, match="Ruuvi's telegrams are not encrypted"):
        receiver("ruuvi", key=bytes(16))
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        receiver("bthome", key=bytes(4))


def test_a_layout_of_ones_own():
    fields = {
        "level": Single(Field(Table.FRAME, 2, "uint16", order="DCBA")),
        "name": Single(Field(Table.FRAME, 4, "string", length=2)),
        "far": Single(Field(Table.FRAME, 20, "uint8")),
    }
    own = OwnLayout("company", 0x0A0B, b"\x07", fields)
    ear = receiver(formats=[own])
    telegram = ear.take(company(0x0A0B, "0700340241 42"), 0)
    assert telegram.values["level"].value == 0x0234
    assert telegram.values["name"].text == "AB"
    assert telegram.values["far"].quality == Quality.BAD_MALFORMED
    assert math.isnan(telegram.values["far"].value)
    assert ear.take(company(0x0A0B, "0800340241 42"), 0) is None
    with pytest.raises(ValueError, match="leave key out"):
        receiver(formats=[own], key=bytes(16))
