"""HDLC: frames of real meters, segments, shared flags, any split, mutations."""

import random

from han.hdlc import HdlcFrameReader
from hypothesis import given

from citytwin_edge.wire.hdlc import HdlcCutter, address
from tests.edge.wire.cuts import PLACES, fed, good
from tests.edge.wire.meter_recordings import AIDON, E450, ISKRA, KAIFA


def test_real_frames_as_amshan_reads_them():
    for stream in (AIDON, KAIFA):
        reader = HdlcFrameReader(use_octet_stuffing=False, use_abort_sequence=False)
        theirs = [one.payload for one in reader.read(stream)]
        assert [b"\xe6\xe7\x00" + one.data for one in HdlcCutter().feed(stream)] == theirs


def test_segments_are_joined():
    (message,) = HdlcCutter().feed(ISKRA)
    assert len(message.data) == 340
    assert message.data.startswith(b"\x0f\x00\x00\x26\xeb")


def test_frames_may_share_a_flag_and_have_noise_between_them():
    shared = AIDON + KAIFA[1:]
    noisy = b"\x00\x7e\xa0" + AIDON + b"\x7e\x7e\xff\x7e\xa0\x03" + KAIFA
    whole = good(HdlcCutter().feed(AIDON + KAIFA))
    assert good(HdlcCutter().feed(shared)) == whole
    assert good(HdlcCutter().feed(noisy)) == whole


def test_a_missing_segment_gives_up_the_others():
    first, last = ISKRA[:166], ISKRA[-47:]
    cutter = HdlcCutter()
    assert not cutter.feed(first)
    assert cutter.is_within
    broken = bytearray(ISKRA[166:332])
    broken[60] ^= 1
    assert [one.broken for one in cutter.feed(bytes(broken))] == [
        "the frame check sequence is wrong"
    ]
    assert all(not one.data.startswith(b"\x0f\x00\x00\x26") for one in cutter.feed(last))


@given(PLACES)
def test_any_split_says_the_same(places):
    stream = b"\x7e\xa0\x01" + ISKRA + E450 + AIDON[1:]
    assert fed(HdlcCutter(), stream, places) == fed(HdlcCutter(), stream)


def test_addresses():
    assert [address(bytes.fromhex(one)) for one in ("41", "0883", "00000003", "00000000", "")] == [
        1, 2, 4, 0, 0,
    ]  # fmt: skip


def test_ten_thousand_mutations_never_pass():
    pick = random.Random(7)
    told = {one.data for one in HdlcCutter().feed(AIDON)}
    for _ in range(10_000):
        bad = bytearray(AIDON)
        for _ in range(pick.randint(1, 3)):
            bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(8)
        for message in HdlcCutter().feed(bytes(bad) + b"\x7e"):
            assert message.broken or message.data in told
