"""Frames: fixed, told and ended ones, escapes, checksums, any split; garbage is counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citytwin_edge.wire.checksums import Checksum
from citytwin_edge.wire.frames import FrameCutter, FrameLayout
from tests.edge.wire.cuts import EVERYWHERE, PLACES, fed, good

FIXED = FrameLayout(start=b"\xaa\x55", length=6, checksum=Checksum("crc16-modbus", order="little"))
TOLD = FrameLayout(
    start=b"\x68", length_at=1, length_adds=4, end=b"\x16", checksum=Checksum("sum8", first=2)
)
ENDED = FrameLayout(
    start=b"\x02", end=b"\x03", checksum=Checksum("xor8", first=1, after_end=True), length_max=20
)
DLE = FrameLayout(
    start=b"\x10\x02", end=b"\x10\x03", escape=b"\x10", length_max=20,
    checksum=Checksum("xor8", first=2, after_end=True),
)  # fmt: skip
HDLC = FrameLayout(
    start=b"\x7e", end=b"\x7e", escape=b"\x7d", escape_xor=0x20, length_max=20,
    checksum=Checksum("crc16-x25", order="little", first=1),
)  # fmt: skip
BARE = FrameLayout(length=4, checksum=Checksum("lrc"))
LAYOUTS = {"fixed": FIXED, "told": TOLD, "ended": ENDED, "dle": DLE, "hdlc": HDLC, "bare": BARE}
BODIES = {"fixed": 2, "bare": 3}


def framed(layout, body):
    """Write a frame as an instrument would: by hand, not by the code under test."""
    checksum, frame = layout.checksum, layout.start
    frame += bytes([len(body)]) * (layout.length_at is not None) + body
    if not checksum.after_end:
        frame += checksum.of(frame[checksum.first :])
    head, inner = frame[: len(layout.start)], frame[len(layout.start) :]
    plain = head + inner + layout.end
    if layout.escape_xor:
        inner = inner.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
    elif layout.escape:
        inner = inner.replace(layout.escape, layout.escape * 2)
    sent = head + inner + layout.end
    behind = checksum.of(plain[checksum.first :]) if checksum.after_end else b""
    return sent + behind, plain + behind


def body_of(name):
    size = BODIES.get(name)
    binary = st.binary(min_size=size or 1, max_size=size or 6)
    return binary.filter(lambda body: b"\x03" not in body) if name == "ended" else binary


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_frames_come_whole_however_they_are_split(name, data):
    layout = LAYOUTS[name]
    bodies = data.draw(st.lists(body_of(name), min_size=1, max_size=6))
    sent = [framed(layout, body) for body in bodies]
    stream = b"".join(one for one, _ in sent)
    for places in ((), EVERYWHERE, data.draw(PLACES)):
        messages, _ = fed(FrameCutter(layout), stream, places)
        assert messages[: len(sent)] == [(plain, "") for _, plain in sent]
    inner = [layout.body(plain) for _, plain in sent]
    told = layout.length_at is not None
    assert inner == [bytes([len(body)]) * told + body for body in bodies]


@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_any_split_of_any_bytes_gives_the_same(name, data):
    layout = LAYOUTS[name]
    pieces = st.sampled_from([b"\x68", b"\x02", b"\x03", b"\x10", b"\x10\x02", b"\x10\x03",
                              b"\x7e", b"\x7d", b"\xaa\x55", b"\x16"])  # fmt: skip
    whole = body_of(name).map(lambda body: framed(layout, body)[0])
    stream = b"".join(data.draw(st.lists(pieces | whole | st.binary(max_size=9), max_size=25)))
    once = fed(FrameCutter(layout), stream)
    assert fed(FrameCutter(layout), stream, data.draw(PLACES)) == once
    assert fed(FrameCutter(layout), stream, EVERYWHERE) == once
    assert all(len(one.data) <= layout.length_max for one in once[0])


@pytest.mark.parametrize("name", ["fixed", "told", "dle", "hdlc"])
def test_garbage_is_left_out_and_counted(name):
    layout = LAYOUTS[name]
    sent, plain = framed(layout, b"\x31\x32")
    cutter = FrameCutter(layout)
    messages, skipped = fed(cutter, b"\x00\xff\x99" + sent + b"\x01\x01" + sent, EVERYWHERE)
    assert good(messages) == [plain, plain]
    # The flag that ends a frame may begin the next: with noise behind it, it is one that is broken.
    assert skipped == (5 if name != "hdlc" else 6)


@pytest.mark.parametrize("name", ["fixed", "told", "ended", "dle", "hdlc"])
def test_a_changed_byte_costs_that_frame_only(name):
    layout = LAYOUTS[name]
    sent, plain = framed(layout, b"\x31\x32\x33"[: BODIES.get(name, 3)])
    changed = bytearray(sent)
    changed[-2 - len(layout.end) if name != "dle" else 3] ^= 1
    messages, _ = fed(FrameCutter(layout), sent + bytes(changed) + sent + sent)
    assert good(messages) == [plain] * 3
    assert "the checksum is wrong" in {one.broken for one in messages}


@pytest.mark.parametrize("name", ["fixed", "told", "ended", "dle", "hdlc"])
def test_a_frame_that_breaks_off_does_not_take_the_next_along(name):
    layout = LAYOUTS[name]
    sent, plain = framed(layout, b"\x31\x32")
    for length in range(1, len(sent)):
        # What follows may be taken for the length: then it takes as many bytes to know better.
        messages, _ = fed(FrameCutter(layout), sent[:length] + sent * 20)
        assert good(messages)[-1] == plain, length
        assert set(good(messages)) == {plain}, "never half of one and half of the other"


def test_a_frame_longer_than_its_limit_is_refused():
    layout = FrameLayout(start=b"\x68", length_at=1, length_bytes=2, length_adds=3, length_max=50)
    ok = b"\x68\x00\x01\x07"
    messages, skipped = fed(FrameCutter(layout), b"\x68\xff\xff" + b"\0" * 30 + ok)
    assert (good(messages), skipped) == ([ok], 33)
    ended = FrameLayout(start=b"\x02", end=b"\x03", length_max=10)
    messages, _ = fed(FrameCutter(ended), b"\x02" + b"x" * 9 + b"\x03\x02" + b"y" * 8 + b"\x03")
    assert good(messages) == [b"\x02yyyyyyyy\x03"]


def test_a_flood_is_told_and_not_kept():
    for layout in (*LAYOUTS.values(), FrameLayout(start=b"\xff", end=b"\x03", length_max=20)):
        cutter = FrameCutter(layout)
        told = [one for _ in range(40) for one in cutter.feed(b"\xff" * 50)]
        assert good(told) == []
        assert len(told) >= 2000 // layout.length_max - 1
        assert len(cutter._rest) <= layout.length_max
        assert cutter.skipped + len(cutter._rest) == 2000


def test_little_endian_lengths():
    layout = FrameLayout(start=b"\x55", length_at=1, length_bytes=2, length_order="little",
                         length_adds=3)  # fmt: skip
    cutter = FrameCutter(layout)
    assert cutter.feed(b"\x55\x02\x00ab\x55\x01") == [(b"\x55\x02\x00ab", "")]
    assert cutter.is_within


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start": b"\x02"}, "a frame needs length"),
        ({"end": b"\x03"}, "both start and end"),
        ({"length": 5, "length_at": 1, "start": b"a"}, "exclude each other"),
        ({"length_at": 0}, "nothing tells where one begins"),
        ({"start": b"a", "end": b"b", "escape": b"xy"}, "escape is one byte"),
        ({"start": b"a", "length": 9, "escape": b"x"}, "goes with start and end"),
        ({"start": b"a", "end": b"b", "escape_xor": 32}, "goes with escape"),
        ({"start": b"a", "length": 9, "length_adds": 3}, "length_adds goes with length_at"),
        ({"start": b"a", "length": 300}, r"length 300 is outside 1 to 256 \(length_max\)"),
        ({"start": b"abc", "length": 4, "checksum": Checksum("crc16-x25")}, "outside 5 to"),
    ],
)
def test_layouts_that_cannot_work(settings, words):
    with pytest.raises(ValueError, match=words):
        FrameLayout(**settings)


SHDLC = FrameLayout(
    start=b"\x7e", end=b"\x7e", escape=b"\x7d", escape_xor=0x20, length_at=1, length_adds=4,
    checksum=Checksum("sum8-inverted", first=1), length_max=20,
)  # fmt: skip


def test_a_length_among_escapes_is_that_without_them():
    sent = b"\x7e\x02\x7d\x5e\x41\x3e\x7e"  # length 2, 7e and 41, ~(02 + 7e + 41)
    plain = b"\x7e\x02\x7e\x41\x3e\x7e"
    assert good(fed(FrameCutter(SHDLC), sent, EVERYWHERE)[0]) == [plain]
    # The sum is that of one byte only; without the length nobody would know.
    short = b"\x7e\x02\x7d\x5e\x7f\x7e"
    (broken, *_) = fed(FrameCutter(SHDLC), short)[0]
    assert broken.broken == "it has 5 bytes, not 6"
    assert SHDLC.told(plain) == 6
    assert FrameLayout(start=b"a", end=b"b").told(b"ab") == 0
