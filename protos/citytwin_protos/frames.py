"""Frames: bytes <-> protobuf messages of the link, and what a frame may not be."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError

from citytwin.errors import MalformedError, TooLargeError, WireError
from citytwin.point import Point
from citytwin_protos.codec import (
    StreamDecoder,
    outcome_from_bytes,
    point_from_bytes,
    point_to_bytes,
    unpack,
)
from citytwin_protos.events import (
    DIGEST_BYTES_MAX,
    OUTBOX_BYTES,
    PROTOCOL,
    Announced,
    ConfigReported,
    HelloReceived,
    Limits,
    OutcomeReceived,
    SamplesReceived,
)
from citytwin_protos.v1 import link_pb2 as pb

NUMBER_MAX = (1 << 31) - 1
"""Points and texts are numbered in what a Batch holds."""

Frame = TypeVar("Frame", pb.Up, pb.Down)


class OutOfTurn(WireError):
    """A frame came where it may not come."""


class OtherVersion(WireError):
    """The other end speaks another version of the link."""


def reason_of(error: WireError) -> str:
    """Return the wire's name of what was wrong with a frame."""
    if isinstance(error, OutOfTurn):
        return "protocol"
    if isinstance(error, OtherVersion):
        return "version"
    return "too_large" if isinstance(error, TooLargeError) else "malformed"


def parse(frame: bytes, message: Frame, limits: Limits) -> str:
    """Fill ``message`` from a frame; return which of its kinds it is.

    Raises:
        TooLargeError: the frame is over ``frame_bytes_max``; it is not looked into.
        MalformedError: it is no such message, of no kind that is known, or has unknown fields.
    """
    if len(frame) > limits.frame_bytes_max:
        raise TooLargeError(f"a frame has at most {limits.frame_bytes_max} bytes, not {len(frame)}")
    try:
        message.ParseFromString(frame)
    except DecodeError as error:
        raise MalformedError(f"a frame is not protobuf: {error}") from None
    kind = message.WhichOneof("kind")
    if kind is None:
        raise MalformedError("a frame is of no kind that is known here")
    known = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() != known:
        raise MalformedError(f"a frame of kind {kind} has fields that are not known here")
    return str(kind)


def reason_number(reason: str) -> pb.Reason.ValueType:
    """Return the wire's number of a reason such as ``malformed``; raises ValueError."""
    return pb.Reason.Value(f"REASON_{reason.upper()}")


def reason_name(number: int) -> str:
    """Return the reason of a number on the wire; one that is not known is ``unspecified``."""
    for name, value in pb.Reason.items():
        if value == number:
            return name.removeprefix("REASON_").lower()
    return "unspecified"


def hello_event(hello: pb.Hello, limits: Limits) -> HelloReceived:
    """Return the event of a Hello.

    Raises:
        OtherVersion: of this link.
        MalformedError, TooLargeError: a field is not what it must be.
    """
    if hello.protocol != PROTOCOL:
        raise OtherVersion(
            f"this hub speaks version {PROTOCOL} of the link, the gateway {hello.protocol}; "
            "bring both to the same release"
        )
    if len(hello.outbox) != OUTBOX_BYTES:
        raise MalformedError(f"an outbox is named by {OUTBOX_BYTES} bytes")
    if len(hello.announce_digest) > DIGEST_BYTES_MAX:
        raise TooLargeError(f"a digest has at most {DIGEST_BYTES_MAX} bytes")
    if len(hello.software) > limits.text_chars_max:
        raise TooLargeError(f"a name of software has at most {limits.text_chars_max} characters")
    software, features = _features_of(hello.software)
    return HelloReceived(hello.protocol, software, hello.outbox, hello.announce_digest, features)


def with_features(software: str, features: Iterable[str], chars_max: int) -> str:
    """Return a name of software as a Hello has it: each feature a word with a plus before it.

    An end that knows no features takes them for a part of the name.
    """
    words = "".join(f" +{feature}" for feature in sorted(features))
    return software[: chars_max - len(words)] + words


def _features_of(text: str) -> tuple[str, frozenset[str]]:
    """Return a name without its features, and these."""
    words = text.split(" ")
    features = {word[1:] for word in words if word.startswith("+")}
    return " ".join(word for word in words if not word.startswith("+")), frozenset(features)


def config_event(report: pb.ConfigReport, limits: Limits) -> ConfigReported:
    """Return the event of a report on a gateway's configuration.

    Raises:
        TooLargeError: a text is longer than what a sentence for people may have.
    """
    texts = (report.digest, report.remote, report.state, report.reason)
    if max(map(len, texts)) > limits.detail_chars_max:
        raise TooLargeError(f"a text of a report has over {limits.detail_chars_max} characters")
    return ConfigReported(
        report.digest, report.remote, report.push, report.state, report.reason, report.at_ns,
        report.text,
    )  # fmt: skip


def entry_event(
    entry: pb.Entry, decoder: StreamDecoder, limits: Limits
) -> SamplesReceived | OutcomeReceived:
    """Return the event of an entry, which its body has in full.

    Raises:
        MalformedError, TooLargeError: the body is not what the entry's kind says.
    """
    number, size = entry.number, len(entry.body)
    if size > limits.body_bytes_max:
        raise TooLargeError(f"a body has at most {limits.body_bytes_max} bytes, not {size}")
    if entry.kind == pb.ENTRY_KIND_TELEMETRY:
        return SamplesReceived(number, decoder.decode(entry.body), alarm=False, body_bytes=size)
    if entry.kind == pb.ENTRY_KIND_ALARM:
        return SamplesReceived(number, unpack(entry.body), alarm=True, body_bytes=size)
    if entry.kind == pb.ENTRY_KIND_OUTCOME:
        return OutcomeReceived(number, outcome_from_bytes(entry.body), body_bytes=size)
    raise MalformedError(f"an entry of kind {entry.kind} is not known here")


def announcements(
    points: Mapping[int, Point],
    texts: Mapping[int, str],
    limits: Limits,
    gone: Container[int] = (),
) -> Iterator[pb.Announce]:
    """Yield an announcement in frames of bounded size; the last one is complete.

    Raises:
        TooLargeError: a text is longer than ``text_chars_max``.
    """
    chunk, size = pb.Announce(), 0
    for number, point in points.items():
        info = pb.PointInfo(number=number, point=point_to_bytes(point), gone=number in gone)
        chunk.points.append(info)
        size += info.ByteSize()
        if size > limits.announce_chunk_bytes:
            yield chunk
            chunk, size = pb.Announce(), 0
    for number, text in texts.items():
        if len(text) > limits.text_chars_max:
            raise TooLargeError(
                f"text {number} has {len(text)} characters; at most {limits.text_chars_max} travel"
            )
        one = pb.Text(number=number, text=text)
        chunk.texts.append(one)
        size += one.ByteSize()
        if size > limits.announce_chunk_bytes:
            yield chunk
            chunk, size = pb.Announce(), 0
    chunk.complete = True
    yield chunk


def announced(announce: pb.Announce, limits: Limits) -> Announced:
    """Return the event of one announcement.

    Raises:
        TooLargeError: a text is longer than ``text_chars_max``.
        MalformedError: a number is beyond NUMBER_MAX or stands twice, or a point is not one.
    """
    texts: dict[int, str] = {}
    for one in announce.texts:
        if len(one.text) > limits.text_chars_max:
            raise TooLargeError(
                f"text {one.number} has {len(one.text)} characters, not {limits.text_chars_max}"
            )
        texts[_number(one.number)] = one.text
    points = {_number(info.number): point_from_bytes(info.point) for info in announce.points}
    if len(points) != len(announce.points) or len(texts) != len(announce.texts):
        raise MalformedError("an announcement gives one number twice")
    gone = frozenset(info.number for info in announce.points if info.gone)
    return Announced(points, texts, announce.complete, gone)


def _number(number: int) -> int:
    if number > NUMBER_MAX:
        raise MalformedError(f"number {number} is beyond {NUMBER_MAX}")
    return number
