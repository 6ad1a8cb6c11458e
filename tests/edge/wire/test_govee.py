"""Govee's thermometers: telegrams that were captured, and another decoder beside ours."""

import math
from random import Random

import pytest

from citytwin import Quality
from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.govee import FORMAT, H5179, NEW, OLD
from tests.edge.wire import advert_reference as reference
from tests.edge.wire.advert_telegrams import check_ranges, company, decoded, numbers

# Captured, from the tests of govee-ble: name, section.
H5075 = ("GVH5075_2762", company(OLD, "000341c26400"))
FROST = ("GVH5075_2762", company(OLD, "0080ff2b6400"))
H5074 = ("Govee_H5074_5FF4", company(OLD, "00e609bc126402"))
H5051 = ("Govee_H5051_0000", company(OLD, "00ba0af90f63020101"))
H5100 = ("GVH5100_7738", company(NEW, "010103465464"))
GLUED = (
    "GVH5103_5A4E",
    company(NEW, "010103513e64" + "4c000215494e54454c4c495f524f434b535f48575075f2ff0c"),
)
H5178 = ("B5178D6FB", company(NEW, "01000003a4e564" + "0000"))
REMOTE = ("B5178D6FB", company(NEW, "01000103a4e564" + "0000"))
H5179_ = ("Govee_H5179_3CD5", company(H5179, "ec88000141091813" + "64"))


def said(section):
    return numbers(decoded(FORMAT, section))


@pytest.mark.parametrize(
    ("section", "temperature", "humidity", "battery"),
    [
        (H5075[1], 21.3, 44.2, 100),
        (FROST[1], -6.5, 32.3, 100),
        (H5074[1], 25.34, 47.96, 100),
        (H5051[1], 27.46, 40.89, 99),
        (H5100[1], 21.4, 61.2, 100),
        (GLUED[1], 21.7, 40.6, 100),
        (H5178[1], 23.8, 82.1, 100),
        (H5179_[1], 23.69, 48.88, 100),
    ],
)
def test_each_layout(section, temperature, humidity, battery):
    assert said(section) == {
        "temperature": temperature, "humidity": humidity, "battery": battery,
    }  # fmt: skip


def test_a_second_sensor_has_names_of_its_own():
    assert said(REMOTE[1]) == {
        "remote-temperature": 23.8, "remote-humidity": 82.1, "remote-battery": 100,
    }  # fmt: skip


def test_a_broken_sensor_gives_no_number():
    telegram = decoded(FORMAT, company(OLD, "000341c2e400"))
    assert telegram.values["temperature"].quality == Quality.BAD_NOT_A_NUMBER
    assert math.isnan(telegram.values["humidity"].value)
    assert telegram.values["battery"].value == 100
    far = decoded(FORMAT, company(OLD, "004a00283b00"))  # 484.9 °C
    assert far.values["temperature"].quality == Quality.BAD_OUT_OF_RANGE


def test_other_lengths_are_refused():
    for section in (company(OLD, "0003"), company(NEW, "0101034654"), company(H5179, "00" * 8)):
        with pytest.raises(DeviceMalformed, match="none of the lengths"):
            decoded(FORMAT, section)
    with pytest.raises(DeviceMalformed, match="sensor 2 of two"):
        decoded(FORMAT, company(NEW, "01000203a4e5640000"))
    assert decoded(FORMAT, company(0x004C, "00")) is None


@pytest.mark.parametrize("telegram", [H5075, H5074, H5051, H5100, H5178, H5179_])
def test_another_decoder_reads_the_same(telegram):
    name, section = telegram
    random = Random(name)
    for _ in range(300):
        data = bytearray(section.data)
        for place in range(3 if section.number == NEW else 1, len(data)):
            if random.random() < 0.4:
                data[place] = random.randrange(256)
        if section.number == NEW and len(data) == 9:
            data[2] = 0
        changed = section._replace(data=bytes(data))
        ours, theirs = decoded(FORMAT, changed).values, reference.govee(changed, name)
        for field in ("temperature", "humidity", "battery"):
            if ours[field].quality == Quality.GOOD and theirs[field] != "error":
                assert ours[field].value == pytest.approx(theirs[field]), changed


def test_ten_thousand_changed_telegrams_stay_in_range():
    sections = [one[1] for one in (H5075, H5074, H5051, H5100, H5178, H5179_)]
    refused, taken = check_ranges(FORMAT, sections)
    assert refused > 2000
    assert taken > 2000


def test_it_is_recognised_with_its_name_where_the_number_is_another_companys():
    assert FORMAT.recognises(H5075[1], "")
    assert FORMAT.recognises(H5100[1], "GVH5100_7738")
    assert not FORMAT.recognises(H5100[1], "Nokia 3310")
    assert FORMAT.answers_only


def test_it_has_no_key():
    with pytest.raises(ValueError, match="leave key out"):
        FORMAT.decoder(b"\0" * 6, b"\0" * 16)
