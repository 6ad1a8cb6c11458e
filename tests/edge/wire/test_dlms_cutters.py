"""DLMS cutters: the wrapper of TCP and UDP, M-Bus frames in segments; any split, mutations."""

import random

from dlms_cosem.wrappers import WrapperHeader, WrapperProtocolDataUnit
from hypothesis import given

from citytwin_edge.wire.dlms_cutters import MbusCutter, WrapperCutter
from tests.edge.wire.cuts import PLACES, fed, good
from tests.edge.wire.meter_recordings import EVN

APDU = b"\x0f\x00\x00\x00\x01\x00\x02\x01\x06\x00\x00\x05\x32"
WRAPPED = WrapperProtocolDataUnit(APDU, WrapperHeader(1, 102, len(APDU))).to_bytes()


def test_what_dlms_cosem_wraps():
    assert good(WrapperCutter().feed(WRAPPED * 2)) == [APDU, APDU]


def test_a_stream_that_is_out_of_step_is_given_up():
    cutter = WrapperCutter()
    (message,) = cutter.feed(WRAPPED[1:] + WRAPPED)
    assert message.broken
    assert not cutter.is_within
    assert WrapperCutter().feed(b"\x00\x01\x00\x01\x00\x66\xff\xff")[0].broken


@given(PLACES)
def test_any_split_says_the_same(places):
    assert fed(WrapperCutter(), WRAPPED * 3, places) == fed(WrapperCutter(), WRAPPED * 3)
    stream = b"\x68\x00" + EVN + EVN
    assert fed(MbusCutter(), stream, places) == fed(MbusCutter(), stream)


def test_segments_of_m_bus():
    (message,) = MbusCutter().feed(EVN)
    assert message.data.startswith(b"\xdb\x08KFMg")
    assert len(message.data) == 260


def test_a_missing_segment_is_told_of():
    second = EVN[256:]
    cutter = MbusCutter()
    assert [one.broken for one in cutter.feed(second)] == ["a segment is missing"]
    assert len(good(cutter.feed(EVN))) == 1
    assert len(good(cutter.feed(EVN[:256] + EVN))) == 1, "a row that begins anew"


def test_mutations_of_one_byte_never_pass():
    pick = random.Random(3)
    whole = good(MbusCutter().feed(EVN))
    for _ in range(3000):
        bad = bytearray(EVN)
        bad[pick.randrange(len(bad))] ^= 1 << pick.randrange(8)
        assert [one for one in good(MbusCutter().feed(bytes(bad) + EVN)) if one not in whole] == []
