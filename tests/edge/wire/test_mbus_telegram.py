"""M-Bus telegrams of real meters against what two other decoders make of them."""

from __future__ import annotations

import contextlib
import datetime
import json
import random
import tomllib
from fractions import Fraction
from pathlib import Path

import meterbus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin.conversion import Scale, between
from citytwin.errors import DeviceError, DeviceMalformed, DeviceRefused, UnitError
from citytwin_edge.wire.mbus_frames import Answer, long_frame, read_frame
from citytwin_edge.wire.mbus_telegram import (
    APPLICATION_ERRORS,
    FORMATS_MAX,
    Envelope,
    Formats,
    code_of,
    letters,
    telegram,
)

TELEGRAMS = tomllib.loads(
    Path(__file__).with_name("mbus_telegrams.toml").read_text(encoding="utf-8")
)["telegram"]
NAMES = [one["name"] for one in TELEGRAMS]
SAME = {"J/h": ("MJ/h", 1e6), "m3/min": ("L/min", 1e-3)}
"""Units of that collection that CityTwin has none of, in ones that it has."""
WRONG_THERE = {
    ("landis+gyr_ultraheat_t230", "94 10 ad 6f"): "a date of a maximum, there read as its value",
    ("landis+gyr_ultraheat_t230", "94 10 bb 6f"): "the same",
    ("landis+gyr_ultraheat_t230", "94 10 da 6f"): "the same",
    ("landis+gyr_ultraheat_t230", "94 10 de 6f"): "the same",
}
PYMETERBUS = {
    "WH": "W.h", "KWH": "kW.h", "M3": "m3", "W": "W", "M3_H": "m3/h", "C": "Cel", "K": "K",
    "SECONDS": "s", "V": "V", "A": "A", "J": "J", "KG": "kg", "BAR": "bar",
}  # fmt: skip


def frame_of(name):
    one = TELEGRAMS[NAMES.index(name)]
    frame = read_frame(bytes.fromhex(one["frame"]))
    assert frame is not None
    return frame


def read_by_pymeterbus(raw):
    # Its load() would take a frame of 0x44 bytes for one by radio.
    return json.loads(meterbus.TelegramLong(list(raw)).to_JSON())["body"]["records"]


def same(record, unit, value):
    """Tell whether a record is a value in some unit, to the digits that people write."""
    if not unit:
        seen = record.seen.value
        if isinstance(seen, datetime.date | datetime.time):
            return seen.isoformat() == value
        return str(seen).strip() == value
    if record.in_unit is None:
        return False
    number = float(record.in_unit)
    unit, factor = SAME.get(unit, (unit, 1.0))
    try:
        scale = Scale(1.0, 0.0) if unit == "1" else between(record.told.unit or unit, unit)
        number = (number * scale.factor + scale.offset) * factor
    except UnitError:
        assert record.told.qualifiers, "the other decoder leaves extensions out"
    return number == pytest.approx(value, rel=1e-6, abs=5.1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_real_meters_say_what_libmbus_reads(name):
    wanted, frame = TELEGRAMS[NAMES.index(name)], frame_of(name)
    said = telegram(frame.ci, frame.data)
    if frame.ci != 0x73:
        assert said.meter is not None
        assert list(said.meter[:3]) == wanted["meter"]
    assert len(said.block.records) == len(wanted["values"])
    for record, value in zip(said.block.records, wanted["values"], strict=True):
        if value and (name, record.key) not in WRONG_THERE:
            assert same(record, *value), (record.key, record.in_unit, record.seen, value)


MISREAD = {
    "LGB_G350": "a time to the second is read as one of 2008",
    "example_binary16_lvar": "a number of 16 bytes is read as if it ended before",
}
"""What pyMeterBus 0.8 reads in a way that the standard does not."""


@pytest.mark.parametrize("name", [one for one in NAMES if one not in MISREAD])
def test_real_meters_say_what_pymeterbus_reads(name):
    frame = frame_of(name)
    raw = bytes.fromhex(TELEGRAMS[NAMES.index(name)]["frame"])
    theirs = read_by_pymeterbus(raw)
    theirs = theirs[: len(telegram(frame.ci, frame.data).block.records)]
    compared = 0
    for record, other in zip(telegram(frame.ci, frame.data).block.records, theirs, strict=True):
        unit = PYMETERBUS.get(str(other["unit"]).removeprefix("MeasureUnit."))
        if unit is None or record.seen.value is None or (name, record.key) in WRONG_THERE:
            continue
        assert same(record, unit, other["value"]), (record.key, record.in_unit, other)
        compared += 1
    assert compared or name in ("elv_temp_humid", "ram_modularis", "siemens_rvd235")


NUMBERS = st.tuples(
    st.sampled_from([0x01, 0x02, 0x03, 0x04, 0x06, 0x07, 0x09, 0x0A, 0x0B, 0x0C, 0x0E]),
    st.sampled_from([0x03, 0x06, 0x0B, 0x13, 0x16, 0x1B, 0x22, 0x2B, 0x3B, 0x59, 0x5E, 0x6A]),
    st.integers(0, 3), st.integers(0, 2**20 - 1), st.integers(0, 10**12 - 1),
)  # fmt: skip


@given(st.lists(NUMBERS, min_size=1, max_size=12))
@settings(deadline=None)
def test_records_of_any_kind_say_what_pymeterbus_reads(numbers):
    """Storage numbers, functions and data types by chance; the meter is one of every day."""
    data = bytes.fromhex("78 56 34 12 2D 2C 08 04 01 00 00 00")
    for coding, vif, function, storage, number in numbers:
        dif, difes, rest = coding | function << 4 | (storage & 1) << 6, b"", storage >> 1
        while rest:
            difes, rest = difes + bytes([rest & 0x0F | (0x80 if rest >> 4 else 0)]), rest >> 4
        size: int = {0x06: 6, 0x07: 8, 0x0E: 6}.get(coding) or coding & 7
        if coding >= 9:
            value = bytes.fromhex(str(number)[: 2 * size].zfill(2 * size))[::-1]
        else:
            value = (number % 256**size % 2 ** (8 * size - 1)).to_bytes(size, "little")
        data += bytes([dif | (0x80 if difes else 0)]) + difes + bytes([vif]) + value
    raw = long_frame(8, 1, 0x72, data)
    frame = read_frame(raw)
    assert frame is not None
    theirs = read_by_pymeterbus(raw)
    ours = telegram(frame.ci, frame.data).block.records
    for record, other in zip(ours, theirs, strict=True):
        unit = PYMETERBUS[str(other["unit"]).removeprefix("MeasureUnit.")]
        assert same(record, unit, other["value"])
        assert record.storage == other["storage_number"]


def test_headers():
    wired = bytes.fromhex("17 58 85 06 2D 2C 08 04 2A 10 00 00")
    said = telegram(0x72, wired + bytes.fromhex("04 13 01 00 00 00"))
    assert (str(said.meter), said.access, said.status) == ("06855817.KAM.8.4", 42, 16)
    assert said.meter is not None
    assert said.meter.kind == "heat"
    short = telegram(0x7A, bytes.fromhex("2A 10 00 00 04 13 01 00 00 00"))
    assert (short.meter, short.access, short.status) == (None, 42, 16)
    bare = telegram(0x78, bytes.fromhex("04 13 01 00 00 00"))
    assert (bare.meter, bare.access, len(bare.block.records)) == (None, None, 1)
    turned = telegram(0x76, wired + bytes.fromhex("04 13 00 00 00 01"))
    assert turned.block.records[0].seen.value == 1


def test_an_old_signature_is_no_encryption():
    """The reading of an AMT Calec has FF FF there, from before the standard had a use for it."""
    head = bytes.fromhex("17 58 85 06 2D 2C 08 04 2A 10 FF FF")
    assert telegram(0x72, head + b"\x01\x13\x05").block.records[0].seen.value == 5


@pytest.mark.parametrize(("code", "words"), sorted(APPLICATION_ERRORS.items()))
def test_a_meter_that_reports_an_error_refuses(code, words):
    with pytest.raises(DeviceRefused, match=f"the meter reports {words}"):
        telegram(0x70, bytes([code]))


@pytest.mark.parametrize(
    ("ci", "data", "words"),
    [
        (0x72, "78 56 34", "ends within its header"),
        (0x73, "78 56 34", "has 16 bytes, not 3"),
        (0xA2, "00", "CI field A2 .* manufacturer's own layout"),
        (0x51, "00", "CI field 51 .* no values of the standard"),
        (0x78, "04 13 01", "ends within the data"),
        (0x7A, "01 00 20 05" + " 00" * 32, r"encrypted \(security mode 5\): give the meter's key"),
        (0x7A, "01 00 20 08" + " 00" * 32, "security mode 8 is not supported"),
        (0x79, "01 02 03 04 05", "compact one, and no full one"),
        (0x79, "01", "has no layout"),
    ],
)
def test_what_cannot_be_understood(ci, data, words):
    with pytest.raises(DeviceMalformed, match=words):
        telegram(ci, bytes.fromhex(data), around=Envelope(formats=None))


@pytest.mark.parametrize("ci", [0x71, 0x74, 0x75])
def test_an_alarm_is_no_reading(ci):
    head = {0x71: 0, 0x74: 4, 0x75: 12}[ci]
    with pytest.raises(DeviceRefused, match="an alarm"):
        telegram(ci, bytes(head) + b"\x01")


def test_with_a_key_nothing_in_clear_is_believed():
    with pytest.raises(DeviceMalformed, match="in clear, although a key is set"):
        telegram(0x78, b"\x01\x13\x05", key=bytes(16))


def test_layouts_of_compact_telegrams_are_learnt_and_bounded():
    formats = Formats()
    # A Multical 602 by radio: full, then compact (collection of the project wmbusmeters).
    full = bytes.fromhex(
        "02F9FF1511130406690B010004EEFF07C1BC020004EEFF0890D401000414A92504008440140000000084804014"
        "0000000002FD170000026CB929426CBF284406100A01004414D81A0400C4401400000000C480401400000000043B"
        "3900000002592A17025D2912"
    )
    compact = bytes.fromhex(
        "0084"  # checksum of the layout
        "3005"  # checksum of the full telegram
        "1113690B0100C1BC020090D40100A925040000000000000000000000B929BF28100A0100D81A04000000000000"
        "000000390000002A172912"
    )
    around = Envelope(formats=formats)
    with pytest.raises(DeviceMalformed, match="no full one"):
        telegram(0x79, compact, around=around)
    whole = telegram(0x78, full, around=around)
    for other in range(FORMATS_MAX - 1):
        formats.learn(bytes([0x01, 0x13, 0x02, other]))
    assert telegram(0x79, compact, around=around) == whole
    for wrong in (compact[:-1], compact + b"\0", compact[:2] + b"\0\0" + compact[4:]):
        with pytest.raises(DeviceMalformed, match="does not fit its layout"):
            telegram(0x79, wrong, around=around)
    formats.learn(b"\x01\x13\x03\x01")
    with pytest.raises(DeviceMalformed, match="no full one"):
        telegram(0x79, compact, around=around)


@given(st.binary(max_size=300))
def test_bytes_by_chance_are_an_answer_or_an_error(data):
    for ci in (0x72, 0x73, 0x76, 0x78, 0x79, 0x7A, 0x70):
        with contextlib.suppress(DeviceError):
            assert all(record.header for record in telegram(ci, data).block.records)


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_mutated_frames_never_invent_a_value(seed):
    """One to four bytes are changed, lost or added; the sum finds it, or the frame is whole."""
    rng = random.Random(seed)
    frames = [bytes.fromhex(one["frame"]) for one in TELEGRAMS]
    passed = 0
    for _ in range(1000):
        raw = bytearray(rng.choice(frames))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw))
            change = rng.random()
            if change < 0.6:
                raw[at] ^= rng.randrange(1, 256)
            elif change < 0.8:
                del raw[at]
            else:
                raw.insert(at, rng.randrange(256))
        frame = Answer().feed(bytes(raw))
        if frame is None or bytes(raw) in frames:
            continue
        # A sum of eight bits lets one in 256 changes by: it must then be decoded, or refused.
        passed += 1
        with contextlib.suppress(DeviceError):
            telegram(frame.ci, frame.data)
    assert passed < 40


def test_letters_of_a_manufacturer():
    assert letters(0x2C2D) == "KAM"
    assert code_of("KAM") == 0x2C2D
    for wrong in ("kam", "KA", "KAM1", ""):
        with pytest.raises(ValueError, match="three capital letters"):
            code_of(wrong)


def test_a_number_is_exact_until_it_is_a_float():
    record = telegram(0x78, bytes.fromhex("04 13 15 31 00 00")).block.records[0]
    assert record.in_unit == Fraction(12565, 1000)
