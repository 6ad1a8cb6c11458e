"""Frames: what is not one is refused in words; announcements come in bounded frames."""

import pytest

from citytwin import Point
from citytwin.errors import MalformedError, TooLargeError
from citytwin_protos import frames as f
from citytwin_protos.codec import NOUN_BYTES_MAX, StreamDecoder, pack, point_to_bytes
from citytwin_protos.events import PROTOCOL, HelloReceived, Limits, SamplesReceived
from citytwin_protos.v1 import link_pb2 as pb
from tests.protos.pair import OUTBOX, down, samples, up

LIMITS = Limits()
BEAT = up(beat=pb.Beat(time_ns=1))
UNKNOWN = b"\x50\x01"  # field 10, a varint


def test_a_frame_is_of_one_kind():
    message = pb.Up()
    assert f.parse(BEAT, message, LIMITS) == "beat"
    assert message.beat.time_ns == 1


@pytest.mark.parametrize(
    ("frame", "error", "words"),
    [
        (b"\xff", MalformedError, "protobuf"),
        (b"", MalformedError, "kind"),
        (UNKNOWN, MalformedError, "kind"),
        (BEAT + UNKNOWN, MalformedError, "fields"),
        (b"\x22" + bytes([len(BEAT)]) + BEAT[2:] + UNKNOWN, MalformedError, "fields"),
        (b"\x0a\x03\x12\x01\xff", MalformedError, "protobuf"),  # text that is not UTF-8
        (b"\x0a" * 50_000, MalformedError, "protobuf"),
        (bytes(LIMITS.frame_bytes_max + 1), TooLargeError, "at most"),
    ],
)
def test_what_is_no_frame(frame, error, words):
    with pytest.raises(error, match=words):
        f.parse(frame, pb.Up(), LIMITS)


def test_the_hubs_frames_are_held_to_the_same():
    with pytest.raises(MalformedError, match="fields"):
        f.parse(down(ack=pb.Ack(through=1)) + UNKNOWN, pb.Down(), LIMITS)


def test_reasons_have_names_both_ways():
    for name, number in pb.Reason.items():
        short = name.removeprefix("REASON_").lower()
        assert f.reason_name(number) == short
        assert f.reason_number(short) == number
    assert f.reason_name(99) == "unspecified"


def hello(**fields):
    return pb.Hello(**{"protocol": PROTOCOL, "software": "t", "outbox": OUTBOX} | fields)


def test_a_hello_says_who_comes():
    event = f.hello_event(hello(announce_digest=b"d"), LIMITS)
    assert event == HelloReceived(PROTOCOL, "t", OUTBOX, b"d")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"protocol": 9}, f.OtherVersion),
        ({"outbox": b"short"}, MalformedError),
        ({"announce_digest": bytes(65)}, TooLargeError),
        ({"software": "x" * 300}, TooLargeError),
    ],
)
def test_a_hello_that_is_wrong(fields, error):
    with pytest.raises(error):
        f.hello_event(hello(**fields), LIMITS)


def test_errors_have_the_wires_names():
    assert f.reason_of(f.OutOfTurn("")) == "protocol"
    assert f.reason_of(f.OtherVersion("")) == "version"
    assert f.reason_of(TooLargeError("")) == "too_large"
    assert f.reason_of(MalformedError("")) == "malformed"


def test_an_entry_is_what_its_kind_says():
    entry = pb.Entry(number=4, kind=pb.ENTRY_KIND_ALARM, body=pack(samples(4)))
    event = f.entry_event(entry, StreamDecoder(), LIMITS)
    assert event == SamplesReceived(4, samples(4), alarm=True, body_bytes=len(entry.body))
    for wrong, error in (
        (pb.Entry(number=4, body=entry.body), MalformedError),
        (pb.Entry(number=4, kind=pb.ENTRY_KIND_OUTCOME, body=entry.body), MalformedError),
        (pb.Entry(number=4, kind=pb.ENTRY_KIND_ALARM, body=bytes(1 << 21)), TooLargeError),
    ):
        with pytest.raises(error):
            f.entry_event(wrong, StreamDecoder(), LIMITS)


def test_an_announcement_is_cut_into_frames_and_comes_together():
    limits = Limits(announce_chunk_bytes=1000)
    points = {n: Point(id=f"g/d/p{n}") for n in range(200)}
    texts = dict.fromkeys(range(100), "жеткілікті" * 3)
    chunks = list(f.announcements(points, texts, limits))
    assert len(chunks) > 5
    assert max(chunk.ByteSize() for chunk in chunks) < 1000 + NOUN_BYTES_MAX
    assert [chunk.complete for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    events = [f.announced(chunk, limits) for chunk in chunks]
    assert {n: p for event in events for n, p in event.points.items()} == points
    assert {n: t for event in events for n, t in event.texts.items()} == texts


def test_an_announcement_of_nothing_is_complete():
    (chunk,) = f.announcements({}, {}, LIMITS)
    assert chunk.complete


def test_a_text_too_long_to_travel_is_not_announced():
    with pytest.raises(TooLargeError, match="text 3"):
        list(f.announcements({}, {3: "x" * 257}, LIMITS))


@pytest.mark.parametrize(
    ("announce", "error"),
    [
        (pb.Announce(texts=[pb.Text(number=1, text="x" * 257)]), TooLargeError),
        (pb.Announce(texts=[pb.Text(number=1), pb.Text(number=1)]), MalformedError),
        (pb.Announce(texts=[pb.Text(number=1 << 31)]), MalformedError),
        (pb.Announce(points=[pb.PointInfo(number=1, point=b"junk")]), MalformedError),
        (pb.Announce(points=[pb.PointInfo(number=1, point=bytes(20_000))]), TooLargeError),
        (
            pb.Announce(
                points=[pb.PointInfo(number=1, point=point_to_bytes(Point(id="g/d/p")))] * 2
            ),
            MalformedError,
        ),
    ],
)
def test_an_announcement_that_is_wrong(announce, error):
    with pytest.raises(error):
        f.announced(announce, LIMITS)
