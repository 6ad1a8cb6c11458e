"""Lines: any terminator, any split, garbage and floods; a line too long is refused, not kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.lines import LineCutter, LineLayout
from tests.edge.wire.cuts import EVERYWHERE, PLACES, fed, good

NMEA = Checksum("xor8", first=1, mark=b"*", in_text=True)
LAYOUTS = [
    LineLayout(length_max=20),
    LineLayout(terminator=b"\n", length_max=20),
    LineLayout(terminator=b"\r", length_max=8),
    LineLayout(terminator=b"\x03", start=b"\x02", length_max=20),
    LineLayout(terminator=b"END", length_max=12, checksum=Checksum("sum8", in_text=True)),
    LineLayout(start=b"$", checksum=Checksum("xor8", mark=b"*", in_text=True), length_max=30),
]


@pytest.mark.parametrize("terminator", [b"\r", b"\n", b"\r\n", b"\x03", b"\n\r", b"END"])
def test_terminators(terminator):
    stream = terminator.join([b"+012.5 kPa", b"7", b""])
    for places in ((), EVERYWHERE):
        messages, skipped = fed(LineCutter(LineLayout(terminator=terminator)), stream, places)
        assert good(messages) == [b"+012.5 kPa", b"7"]
        assert skipped == 0


def test_a_line_feed_takes_a_carriage_return_along_and_empty_lines_are_none():
    messages, _ = fed(LineCutter(LineLayout(terminator=b"\n")), b"\r\n1\r\n\n2\n\r\n3\n")
    assert good(messages) == [b"1", b"2", b"3"]


def test_nothing_is_known_of_a_line_that_had_begun_before():
    cutter = LineCutter(LineLayout(), midway=True)
    assert good(fed(cutter, b"2.5\r\n13.5\r\n")[0]) == [b"13.5"]
    assert cutter.skipped == 3
    assert good(fed(LineCutter(LineLayout()), b"2.5\r\n13.5\r\n")[0]) == [b"2.5", b"13.5"]


def test_with_a_start_what_is_between_is_left_out():
    layout = LineLayout(terminator=b"\x03", start=b"\x02")
    cutter = LineCutter(layout, midway=True)
    messages, skipped = fed(cutter, b"5\x03\x021\x02+1.5\x03noise\x02+2.5\x03", EVERYWHERE)
    assert good(messages) == [b"+1.5", b"+2.5"]
    assert skipped == len(b"5" + b"\x021" + b"noise")


def test_checksums_are_taken_off():
    cutter = LineCutter(LineLayout(checksum=NMEA))
    messages = cutter.feed(b"$WIMWV,214.8,R,0.1,K,A*28\r\n$WIMWV,214.9,R,0.1,K,A*28\r\n$WI*\r\n")
    assert good(messages) == [b"$WIMWV,214.8,R,0.1,K,A"]
    assert [one.broken for one in messages[1:]] == ["the checksum is wrong"] * 2


@pytest.mark.parametrize("places", [(), EVERYWHERE, (100, 101, 300)])
def test_a_line_too_long_is_refused_and_the_next_one_counts(places):
    layout = LineLayout(length_max=16)
    cutter = LineCutter(layout)
    messages, skipped = fed(cutter, b"x" * 17 + b"\r\n" + b"y" * 16 + b"\r\nok\r\n", places)
    assert [one.broken for one in messages] == ["no line ends within 16 bytes", "", ""]
    assert good(messages) == [b"y" * 16, b"ok"]
    assert skipped == 17
    assert not cutter.is_within


def test_a_flood_is_told_again_and_again_and_not_kept():
    cutter = LineCutter(LineLayout(length_max=100))
    told = sum(len(cutter.feed(b"\xff" * 50)) for _ in range(1000))
    assert told == 50_000 // 100 - 1
    assert len(cutter._rest) < 110
    assert cutter.is_within


@pytest.mark.parametrize("layout", LAYOUTS)
@given(data=st.data())
def test_any_split_gives_the_same_lines(layout, data):
    parts = st.sampled_from(
        [b"12.5", b"\r", b"\n", b"\r\n", b"\x02", b"\x03", b"$", b"*", b"EN", b"D", b"END", b"00",
         b"a" * 9, b"b" * 25]
    )  # fmt: skip
    stream = b"".join(data.draw(st.lists(parts | st.binary(max_size=5), max_size=40)))
    midway = data.draw(st.booleans())
    whole = fed(LineCutter(layout, midway=midway), stream)
    assert fed(LineCutter(layout, midway=midway), stream, data.draw(PLACES)) == whole
    assert fed(LineCutter(layout, midway=midway), stream, EVERYWHERE) == whole
    assert all(len(one.data) <= layout.length_max for one in whole[0])


def test_a_line_has_an_end():
    with pytest.raises(ValueError, match="terminator must be"):
        LineLayout(terminator=b"")
