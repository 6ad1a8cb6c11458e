"""ATC and pvvx: the examples of the firmware's description."""

import pytest

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.atc import FORMAT, SERVICE
from tests.edge.wire.advert_telegrams import check_ranges, check_sealed, decoded, numbers, service

# From the description of pvvx' python-interface.
PVVX = ("A4:C1:38:EE:C8:5C", "5cc8ee38c1a4b008c314ca0a501405")
SEALED = ("A4:C1:38:AA:BB:CC", "bd9dc54efab5000e8bb807")
KEY = bytes([0xAA] * 16)
# Worked out from the description of the atc1441 format: 21.5 °C, 38 %, 88 %, 2.987 V, number 7.
ATC = ("A4:C1:38:12:34:56", "a4c13812345600d726580bab07")
# Made by the firmware's own test program (test_adv_cust.py) with its key and address.
SEALED_ATC = ("A4:C1:38:0B:5E:ED", "21a3dbe71940006994b078")
TEST_KEY = bytes.fromhex("12345678901234567890123456789012")


def said(telegram, key=b""):
    address, data = telegram
    return numbers(decoded(FORMAT, service(SERVICE, data), address, key))


def test_the_four_kinds():
    assert said(ATC) == {
        "temperature": 21.5, "humidity": 38, "battery": 88, "battery-voltage": 2.987,
    }  # fmt: skip
    assert said(PVVX) == {
        "temperature": 22.24, "humidity": 53.15, "battery": 80, "battery-voltage": 2.762,
        "reed": 1, "output": 0, "temperature-trigger": 0, "humidity-trigger": 0,
    }  # fmt: skip
    assert said(SEALED, KEY) == {
        "temperature": 19.11, "humidity": 50.0, "battery": 93,
        "reed": 1, "output": 1, "temperature-trigger": 1, "humidity-trigger": 0,
    }  # fmt: skip


def test_the_counter_tells_repeats():
    assert decoded(FORMAT, service(SERVICE, ATC[1]), ATC[0]).counter == 7
    assert decoded(FORMAT, service(SERVICE, PVVX[1]), PVVX[0]).counter == 20
    assert decoded(FORMAT, service(SERVICE, SEALED[1]), SEALED[0], KEY).counter == 0xBD


def test_what_is_none_is_refused():
    with pytest.raises(DeviceMalformed, match="another device's address in it: a4:c1:38:ee:c8:5c"):
        said((ATC[0], PVVX[1]))
    with pytest.raises(DeviceMalformed, match="none of its lengths"):
        said((PVVX[0], PVVX[1][:-2]))
    with pytest.raises(DeviceMalformed, match="another device's, or bytes"):
        said(SEALED, bytes(16))
    with pytest.raises(DeviceMalformed, match="key must have"):
        said(SEALED)
    with pytest.raises(DeviceMalformed, match="not encrypted"):
        said(PVVX, KEY)
    assert decoded(FORMAT, service(0xFCD2, PVVX[1])) is None


def test_a_humidity_over_a_hundred_is_no_value():
    telegram = decoded(FORMAT, service(SERVICE, "a4c13812345600d765580bab07"), ATC[0])
    assert telegram.values["humidity"].quality == Quality.BAD_OUT_OF_RANGE


def test_ten_thousand_changed_telegrams_stay_in_range():
    for address, data in (ATC, PVVX):
        refused, taken = check_ranges(FORMAT, [service(SERVICE, data)], address)
        assert refused > 6000
        assert taken > 500


def test_ten_thousand_changed_encrypted_telegrams_never_give_a_value():
    assert check_sealed(FORMAT, [service(SERVICE, SEALED[1])], SEALED[0], KEY) > 9000


def test_it_is_recognised_by_its_length():
    assert all(FORMAT.recognises(service(SERVICE, one[1]), "") for one in (ATC, PVVX, SEALED))
    assert not FORMAT.recognises(service(SERVICE, "00"), "")
