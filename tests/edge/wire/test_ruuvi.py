"""Ruuvi's data formats: the vectors of their descriptions, and another decoder beside ours."""

import math
from random import Random

import pytest

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.ruuvi import COMPANY, FORMAT
from tests.edge.wire import advert_reference as reference
from tests.edge.wire.advert_telegrams import check_ranges, company, decoded, numbers

TAG = "CB:B8:33:4C:88:4F"
# The test vectors of Ruuvi's descriptions of data formats 3, 5, 6 and E1.
V3 = "03291A1ECE1EFC18F94202CA0B53"
V5 = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"
V6 = "06170C5668C79E007000C90501D9FFCD004C884F"
VE1 = "E1170C5668C79E0065007004BD11CA00C90A0213E0ACFFFFFFDECDEE10FFFFFFFFFFCBB8334C884F"


def said(data, address=TAG):
    return numbers(decoded(FORMAT, company(COMPANY, data), address))


def test_format_3():
    assert said(V3) == {
        "humidity": 20.5, "temperature": 26.3, "pressure": 102_766, "acceleration-x": -1.0,
        "acceleration-y": -1.726, "acceleration-z": 0.714, "battery-voltage": 2.899,
    }  # fmt: skip
    assert said("03FF7F63FFFF7FFF7FFF7FFFFFFF")["temperature"] == 127.99
    assert said("0300FF6300008001800180010000")["temperature"] == -127.99
    with pytest.raises(DeviceMalformed, match="100 hundredths"):
        said("03291A64CE1EFC18F94202CA0B53")


def test_format_5():
    assert said(V5) == {
        "temperature": 24.3, "humidity": 53.49, "pressure": 100_044, "acceleration-x": 0.004,
        "acceleration-y": -0.004, "acceleration-z": 1.036, "battery-voltage": 2.977,
        "tx-power": 4, "movements": 66, "sequence": 205,
    }  # fmt: skip
    most = said("057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F")
    assert (most["temperature"], most["humidity"], most["pressure"]) == (163.835, 163.835, 115_534)
    least = said("058001000000008001800180010000000000CBB8334C884F")
    assert (least["temperature"], least["pressure"], least["tx-power"]) == (-163.835, 50_000, -40)


def test_format_6():
    assert said(V6) == {
        "temperature": 29.5, "humidity": 55.3, "pressure": 101_102, "pm2.5": 11.2, "co2": 201,
        "voc-index": 10, "nox-index": 2, "illuminance": 13_026.67, "sequence": 205,
        "calibrating": 0,
    }  # fmt: skip


def test_format_e1():
    assert said(VE1) == {
        "temperature": 29.5, "humidity": 55.3, "pressure": 101_102, "pm1": 10.1, "pm2.5": 11.2,
        "pm4": 121.3, "pm10": 455.4, "co2": 201, "voc-index": 20, "nox-index": 4,
        "illuminance": 13_027, "sequence": 14_601_710, "calibrating": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        "058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF",
        "068000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "E18000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF000000FFFFFFFE0000000000FFFFFFFFFFFF",
    ],
)
def test_what_the_tag_does_not_know_is_no_number(data):
    telegram = decoded(FORMAT, company(COMPANY, data), TAG)
    void = {name for name, told in telegram.values.items() if math.isnan(told.value)}
    assert void >= {"temperature", "humidity", "pressure"}
    assert all(telegram.values[name].quality == Quality.BAD_NOT_A_NUMBER for name in void)
    assert {name for name in telegram.values if name not in void} <= {"sequence", "calibrating"}


def test_the_sequence_tells_repeats():
    assert decoded(FORMAT, company(COMPANY, V5), TAG).counter == 205
    assert decoded(FORMAT, company(COMPANY, V3), TAG).counter is None


def test_what_is_cut_off_unknown_or_somebody_elses_is_refused():
    for data, why in (
        (V5[:-2], "too few"), ("07" + V5[2:], "format 07"), ("", "not known"),
    ):  # fmt: skip
        with pytest.raises(DeviceMalformed, match=why):
            said(data)
    with pytest.raises(DeviceMalformed, match="another device's address in it: cb:b8:33:4c:88:4f"):
        said(V5, "CB:B8:33:4C:88:50")
    with pytest.raises(DeviceMalformed, match="4c:88:4f"):
        said(V6, "CB:B8:33:4C:88:50")


def test_another_decoder_reads_the_same():
    random, names = Random(5), {"pm_2_5": "pm2.5", "voc": "voc-index", "nox": "nox-index"}
    compared = 0
    for vector in (V3, V5, V6, VE1):
        for _ in range(500):
            data = bytearray.fromhex(vector)
            for place in range(1, len(data) - 6):
                if random.random() < 0.3:
                    data[place] = random.randrange(256)
            if data[0] == 3 and data[3] > 99:
                continue
            ours = decoded(FORMAT, company(COMPANY, bytes(data)), TAG).values
            theirs = reference.ruuvi(bytes(data))
            for name in ("temperature", "humidity", "pressure", "co2", *names):
                own = ours.get(names.get(name, name))
                if own is None or own.quality == Quality.BAD_OUT_OF_RANGE:
                    continue  # theirs has no limits
                value = theirs[name]
                if value is None:
                    assert math.isnan(own.value), (name, data.hex())
                else:
                    factor = 100 if name == "pressure" else 1
                    # theirs is rounded to hundredths
                    assert math.isclose(own.value, value * factor, abs_tol=0.0051 * factor)
                compared += 1
    assert compared > 8000


def test_ten_thousand_changed_telegrams_stay_in_range():
    sections = [company(COMPANY, data) for data in (V3, V5, V6, VE1)]
    refused, taken = check_ranges(FORMAT, sections, TAG)
    assert refused > 3000
    assert taken > 2000


def test_it_has_no_key():
    with pytest.raises(ValueError, match="not encrypted: leave key out"):
        FORMAT.decoder(b"\0" * 6, b"\0" * 16)


def test_it_is_recognised_by_its_first_byte():
    assert FORMAT.recognises(company(COMPANY, V5), "")
    assert not FORMAT.recognises(company(COMPANY, "00" + V5[2:]), "")
    assert not FORMAT.recognises(company(0x004C, V5), "")
