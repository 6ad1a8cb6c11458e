"""Eddystone TLM: frames worked out from its description."""

import math

import pytest

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.eddystone import FORMAT, SERVICE
from tests.edge.wire.advert_telegrams import check_ranges, decoded, numbers, service

TLM = "2000" + "0bb8" + "1780" + "0000000a" + "00000064"


def test_a_frame():
    telegram = decoded(FORMAT, service(SERVICE, TLM))
    assert numbers(telegram) == {
        "battery-voltage": 3.0, "temperature": 23.5, "advertisements": 10, "uptime": 10.0,
    }  # fmt: skip
    assert telegram.counter == 10


def test_what_it_cannot_measure_is_no_number():
    values = decoded(FORMAT, service(SERVICE, "2000000080000000000a00000064")).values
    assert math.isnan(values["battery-voltage"].value)
    assert math.isnan(values["temperature"].value)


def test_other_frames_are_left_out_and_other_versions_refused():
    assert decoded(FORMAT, service(SERVICE, "00" * 20)) is None
    assert decoded(FORMAT, service(0xFCD2, TLM)) is None
    for data in ("2001" + TLM[4:], TLM[:-2]):
        with pytest.raises(DeviceMalformed, match="no TLM of version 0"):
            decoded(FORMAT, service(SERVICE, data))
    with pytest.raises(ValueError, match="leave key out"):
        FORMAT.decoder(b"\0" * 6, b"\0" * 16)
    assert FORMAT.recognises(service(SERVICE, TLM), "")
    assert not FORMAT.recognises(service(SERVICE, "2001"), "")


def test_ten_thousand_changed_telegrams_stay_in_range():
    refused, taken = check_ranges(FORMAT, [service(SERVICE, TLM)])
    assert refused > 3000
    assert taken > 2000
