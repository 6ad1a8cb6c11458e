"""Telegrams: real ones with their CRC, any split, midway starts, times with S and W, mutations."""

import random
from typing import Any

import pytest
from dsmr_parser import telegram_specifications
from dsmr_parser.parsers import TelegramParser
from hypothesis import given

from citytwin.errors import DeviceMalformed
from citytwin_edge.wire.iec62056 import DataSet
from citytwin_edge.wire.telegrams import (
    TELEGRAM_BYTES_MAX,
    TelegramCutter,
    is_moment,
    moment,
    telegram_sets,
)
from tests.edge.wire.cuts import PLACES, fed
from tests.edge.wire.meter_recordings import DSMR3, DSMR5, WARMTE


@pytest.mark.parametrize("telegram", [DSMR5, WARMTE])
def test_real_telegrams(telegram):
    messages = TelegramCutter(crc=True).feed(telegram)
    assert [one.broken for one in messages] == [""]


def test_the_same_as_dsmr_parser():
    theirs: Any = TelegramParser(telegram_specifications.V5).parse(DSMR5.decode())
    head, sets = telegram_sets(TelegramCutter(crc=True).feed(DSMR5)[0].data)
    ours = {one.name: one.groups for one in sets}
    assert head == "ISk5\\2MT382-1000"
    assert float(ours["1-0:1.8.1"][0].split("*")[0]) == float(
        theirs.ELECTRICITY_USED_TARIFF_1.value
    )
    assert float(ours["1-0:32.7.0"][0].split("*")[0]) == float(
        theirs.INSTANTANEOUS_VOLTAGE_L1.value
    )
    gas = theirs.MBUS_DEVICES[0].MBUS_METER_READING
    told, value = ours["0-1:24.2.1"]
    assert moment(told, 1.0) == gas.datetime.timestamp() * 1e9
    assert value == f"{float(gas.value):09.3f}*m3"


@given(PLACES)
def test_any_split_says_the_same(places):
    stream = b"7*kWh)\r\n!1234\r\n" + DSMR5 + WARMTE + DSMR5[:200]
    whole = fed(TelegramCutter(crc=True), stream)
    assert fed(TelegramCutter(crc=True), stream, places) == whole
    assert [one.broken for one in whole[0]] == ["", ""]


def test_a_beginning_midway_is_left_out():
    stream = b"9*Imp/kWh)\r\n1-0:2.8.0(000001.0*kWh)\r\n!\r\n" + DSMR3
    messages = TelegramCutter(crc=False).feed(stream)
    assert [one.data for one in messages] == [DSMR3.rstrip()]


def test_one_that_was_cut_off_is_followed_by_a_whole_one():
    messages = TelegramCutter(crc=True).feed(DSMR5[:150] + DSMR5)
    assert [(one.data, one.broken) for one in messages] == [(DSMR5[:-6], "")]


def test_without_a_crc_only_where_that_is_said():
    assert "no CRC" in TelegramCutter(crc=True).feed(DSMR3)[0].broken
    assert TelegramCutter(crc=False).feed(DSMR5)[0].broken


def test_endless_garbage_is_told_of_and_let_go():
    cutter = TelegramCutter(crc=True)
    found = [one for _ in range(200) for one in cutter.feed(b"/XXX5x\r\n" + b"z" * 120)]
    assert found
    assert all(one.broken for one in found)
    assert len(cutter._rest) <= TELEGRAM_BYTES_MAX


@pytest.mark.parametrize(
    ("text", "offset_h", "seconds"),
    [
        ("170102192002W", 1.0, 1483381202),
        ("200426223325S", 1.0, 1587933205),
        ("260101050000", 5.0, 1767225600),
        ("700101010000W", 1.0, 0),
    ],
)
def test_times(text, offset_h, seconds):
    assert is_moment(text)
    assert moment(text, offset_h) == seconds * 10**9


@pytest.mark.parametrize("text", ["632525252525W", "17010219200W", "", "170102192002X"])
def test_what_is_no_time(text):
    with pytest.raises(DeviceMalformed):
        moment(text, 1.0)


def test_a_telegram_that_is_none():
    for body in (b"/X\r\n1.8.0(1", b"/X\r\n", b"/X"):
        with pytest.raises(DeviceMalformed):
            telegram_sets(body)
    assert telegram_sets(b"/X\r\n1.8.0(1)\r\n!") == ("X", [DataSet("1.8.0", ("1",))])


def test_ten_thousand_mutations_never_invent_a_value():
    pick, body = random.Random(1), DSMR5[:-6]
    for _ in range(10_000):
        bad = bytearray(DSMR5)
        for _ in range(pick.randint(1, 3)):
            at = pick.randrange(len(bad))
            if pick.random() < 0.7:
                bad[at] ^= 1 << pick.randrange(8)
            else:
                del bad[at]
        for message in TelegramCutter(crc=True).feed(bytes(bad)):
            assert message.broken or message.data == body
