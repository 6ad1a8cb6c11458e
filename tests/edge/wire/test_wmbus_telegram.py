"""Wireless telegrams: the examples of the standards, real meters, and what must be refused."""

from __future__ import annotations

import contextlib
import random
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from citytwin.conversion import between
from citytwin.errors import DeviceError, DeviceMalformed, UnitError
from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.mbus_telegram import Formats
from citytwin_edge.wire.wmbus_frames import LinkFrame, link_frame
from citytwin_edge.wire.wmbus_telegram import sender_of, wireless
from tests.edge.wire.test_wmbus_frames import FORMAT_A

TELEGRAMS = tomllib.loads(
    Path(__file__).with_name("wmbus_telegrams.toml").read_text(encoding="utf-8")
)["telegram"]
KEY_A = bytes.fromhex("0102030405060708090A0B0C0D0E0F11")
KEY_B = bytes(range(16))
# OMS specification, volume 2, annex N: examples N.1.3 and N.1.4; the second one also is CEN/TR
# 17167:2018, F.3. Both are of the gas meter of N.1.1, with security mode 7.
PROFILE_B = bytes.fromhex(
    "434493157856341233037AC98C2075900F002C25B30A000021924D4FBA372FB66E017A75002007109058475F4BC9"
    "D1281DF878B80A1B0F98B629024AAC7279429398BFC549233C0140829B93BAA1"
)
BY_ADAPTER = bytes.fromhex(
    "53082448443322110337D0468E80753A63665544330A31900F002C25E00AB30A0000AF5D74DF73A600D972785634"
    "C027129315330375002007109058475F4BC955CF1DF878B80A1B0F98B629024AAC7279429398BFC549233C014082"
    "9B93BAA1"
)
MULTICAL_21 = bytes.fromhex(
    "24442D2C692845631B168D3050209CD621B006B1140AEF4953AE5B86FAFC0B00E70705B846"
)
KEY_21 = bytes.fromhex("4E5508544202058100DFEFA06B0934A5")


def values_of(said):
    return [
        (
            record.quantity,
            float(record.in_unit) if record.in_unit is not None else record.seen.value,
        )
        for record in said.block.records
    ]


@pytest.mark.parametrize(
    ("raw", "key"), [(FORMAT_A, KEY_A), (PROFILE_B, KEY_B), (BY_ADAPTER, KEY_B)]
)
def test_the_gas_meter_of_the_standard(raw, key):
    said = wireless(link_frame(raw), key)
    assert str(said.meter) == "12345678.ELS.51.3"
    assert (said.access, said.status) == (raw[13] if raw is FORMAT_A else 0x75, 0)
    volume, clock, errors = values_of(said)
    assert volume == ("volume", 28504.27)
    assert (clock[0], str(clock[1])) == ("date-time", "2008-05-31 23:50:00")
    assert errors == ("error-flags", 0)


def test_a_heat_cost_allocator_that_encrypts_a_part():
    """OMS specification, volume 2, annex N: partial encryption (security mode 5, one block)."""
    raw = bytes.fromhex(
        "2D44934444332211553769EF7288776655934455080004100500DFE227F9A782146D1513581CD2F83F39040CFD"
        "1040C4785634128134"
    )
    said = wireless(link_frame(raw), KEY_B)
    assert said.meter is not None
    assert said.meter.id == "55667788"
    assert [value for _, value in values_of(said)][::2] == [1234, 23456]


def test_a_meter_that_encrypts_the_link_layer():
    """A Kamstrup MULTICAL 21, from the test cases of the project jMBus."""
    said = wireless(link_frame(MULTICAL_21), KEY_21)
    assert values_of(said)[1:] == [("volume", 474.24), ("volume", 473.247)]


@pytest.mark.parametrize("name", sorted({one["name"] for one in TELEGRAMS}))
def test_real_meters_say_what_wmbusmeters_reads(name):
    for one in TELEGRAMS:
        if one["name"] != name:
            continue
        formats, key = Formats(), bytes.fromhex(one.get("key", ""))
        frames = [link_frame(bytes.fromhex(raw)) for raw in one["frames"]]
        *_, said = [wireless(frame, key, formats) for frame in frames]
        assert said.meter is not None
        assert one["id"] in (said.meter.id, frames[-1].meter.id)
        for unit, value in one["values"]:
            assert any(
                converted(record, unit) == pytest.approx(value, rel=1e-5, abs=1.1e-6)
                for record in said.block.records
            ), (unit, value)


def converted(record, unit):
    own = record.told.unit
    if record.in_unit is None:
        return None
    if own in ("", "1"):
        return float(record.in_unit) if unit == "1" else None
    try:
        scale = between(own, unit)
    except UnitError:
        return None
    offset = 0 if record.told.is_difference else scale.offset
    return float(record.in_unit) * scale.factor + offset


@pytest.mark.parametrize(
    ("raw", "key", "words"),
    [
        (FORMAT_A, b"", "encrypted .security mode 5.: give the meter's key"),
        (FORMAT_A, KEY_B, "the key is not the meter's"),
        (PROFILE_B, b"", "encrypted .security mode 7.: give the meter's key"),
        (PROFILE_B, KEY_A, "authentication code is wrong"),
        (BY_ADAPTER, KEY_A, "authentication code is wrong"),
        (MULTICAL_21, b"", "of the link layer"),
        (MULTICAL_21, KEY_A, "the key is not the meter's"),
    ],
)
def test_without_the_right_key_nothing_is_read(raw, key, words):
    with pytest.raises(DeviceMalformed, match=words) as caught:
        wireless(link_frame(raw), key)
    assert key.hex().upper() not in str(caught.value).upper() or not key


def frame(ci, data):
    one = link_frame(PROFILE_B)
    return LinkFrame(one.control, one.meter, one.address, ci, bytes.fromhex(data))


CLEAR = "78 01 13 05"


@pytest.mark.parametrize(
    ("ci", "data", "words"),
    [
        (0x8C, "20", "within its extended link layer"),
        (0x8E, "20 27 3A 63 66", "within its extended link layer"),
        (0x8D, "20 27 00 00", "within its extended link layer"),
        (0x8D, "20 27 00 00 00 00 00 00" + CLEAR, "checksum of the link layer is wrong"),
        (0x8D, "20 27 00 00 00 40 00 00" + CLEAR, "encryption 2 of the link layer"),
        (0x90, "", "within its authentication layer"),
        (0x90, "0F 00 2C 25", "within its authentication layer"),
        (0x90, "03 00 2C 25" + CLEAR, "within its authentication layer"),
        (0x90, "02 01 40" + CLEAR, "one of several fragments"),
        (0x90, "03 00 20 08" + CLEAR, "authentication type 8"),
        (0xA2, "00", "manufacturer's own layout"),
    ],
)
def test_what_cannot_be_understood(ci, data, words):
    with pytest.raises(DeviceMalformed, match=words):
        wireless(frame(ci, data), KEY_B if "type" in words else b"")


def test_link_layers_without_encryption():
    inner = bytes.fromhex(CLEAR)
    crc = Checksum("crc16-en-13757", "little").of(inner).hex()
    for ci, data in (
        (0x8C, "20 27" + CLEAR),
        (0x8D, "20 27 00 00 00 00" + crc + CLEAR),
        (0x8E, "20 27 3A 63 66 55 44 33 0A 31" + CLEAR),
        (0x8F, "20 27 3A 63 66 55 44 33 0A 31 00 00 00 00" + crc + CLEAR),
        (0x90, "02 00 00" + CLEAR),
    ):
        assert values_of(wireless(frame(ci, data))) == [("volume", 0.005)]


def test_whose_telegram_it_is():
    assert str(sender_of(link_frame(BY_ADAPTER))) == "12345678.ELS.51.3"
    assert str(link_frame(BY_ADAPTER).meter) == "11223344.RAD.3.55"
    assert sender_of(link_frame(FORMAT_A)) == link_frame(FORMAT_A).meter
    for ci in (0x8C, 0x8E, 0x90, 0x72):
        assert sender_of(frame(ci, "05")).id == "12345678"


@given(st.binary(max_size=120), st.sampled_from([0x72, 0x7A, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x79]))
@settings(deadline=None)
def test_bytes_by_chance_are_an_answer_or_an_error(data, ci):
    for key in (b"", KEY_A):
        with contextlib.suppress(DeviceError):
            wireless(frame(ci, data.hex()), key, Formats())
    sender_of(frame(ci, data.hex()))


@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_mutated_frames_never_invent_a_value(seed):
    """Of format A with encryption: the checksum, the check bytes or the code finds each change."""
    rng = random.Random(seed)
    for number in range(1000):
        origin, key = ((FORMAT_A, KEY_A), (PROFILE_B, KEY_B), (BY_ADAPTER, KEY_B))[number % 3]
        raw = bytearray(origin)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(raw))
            change = rng.random()
            if change < 0.6:
                raw[at] ^= rng.randrange(1, 256)
            elif change < 0.8:
                del raw[at]
            else:
                raw.insert(at, rng.randrange(256))
        if bytes(raw) == origin:
            continue
        with pytest.raises(DeviceMalformed):
            wireless(link_frame(bytes(raw)), key)
