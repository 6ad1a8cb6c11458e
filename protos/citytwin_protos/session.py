"""Session: the link's rules for both ends, without I/O. Bytes in, events out; time is an argument.

The caller owns the transport: it passes what arrives to ``receive``, sends what ``outgoing``
returns, and calls ``tick`` at ``next_tick_ns``. All times are monotonic nanoseconds unless named
``time_ns`` (UTC). One session lives as long as one connection. docs/specs/link.md has the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError

from citytwin.batch import Batch
from citytwin.command import Command, Outcome
from citytwin.errors import MalformedError, TooLargeError, WireError
from citytwin.point import Point
from citytwin_protos.codec import (
    StreamDecoder,
    StreamEncoder,
    command_from_bytes,
    command_to_bytes,
    outcome_from_bytes,
    outcome_to_bytes,
    pack,
    point_from_bytes,
    point_to_bytes,
    unpack,
)
from citytwin_protos.events import (
    PROTOCOL,
    Acknowledged,
    Announced,
    ClockCompared,
    Closed,
    CommandReceived,
    EntryRefused,
    GatewayEvent,
    HelloReceived,
    HubEvent,
    Limits,
    OutcomeReceived,
    SamplesReceived,
    Welcomed,
)
from citytwin_protos.v1 import link_pb2 as pb

__all__ = [
    "PROTOCOL",
    "Acknowledged",
    "Announced",
    "ClockCompared",
    "Closed",
    "CommandReceived",
    "EntryRefused",
    "GatewaySession",
    "HelloReceived",
    "HubSession",
    "Limits",
    "OutcomeReceived",
    "SamplesReceived",
    "Welcomed",
]

OUTBOX_BYTES = 16
Out = TypeVar("Out", pb.Up, pb.Down)


def _reason_number(reason: str) -> pb.Reason.ValueType:
    name = f"REASON_{reason.upper()}"
    return pb.Reason.Value(name) if name in pb.Reason.keys() else pb.REASON_UNSPECIFIED  # noqa: SIM118


def _reason_name(number: int) -> str:
    try:
        return pb.Reason.Name(number).removeprefix("REASON_").lower()  # type: ignore[arg-type]  # any int may come
    except ValueError:
        return "unspecified"


class _Session(Generic[Out]):
    """What both ends share: frames to send, heartbeats, silence, clock, closing."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.closed: Closed | None = None
        self._frames: list[bytes] = []
        self._started_ns = 0
        self._heard_ns = 0
        self._spoke_ns = 0
        self._greeted = False
        self._peer_time_ns = 0
        self._round_trip_ns: int | None = None

    def start_clock(self, now_ns: int) -> None:
        self._started_ns = self._heard_ns = self._spoke_ns = now_ns

    def outgoing(self) -> list[bytes]:
        """Return the frames to send, in order; each is returned once."""
        frames, self._frames = self._frames, []
        return frames

    def next_tick_ns(self) -> int:
        """Return when ``tick`` is due next."""
        silent_ns = self._heard_ns + self.limits.silence_ns
        if not self._greeted:
            return min(silent_ns, self._started_ns + self.limits.hello_ns)
        return min(silent_ns, self._spoke_ns + self.limits.heartbeat_ns)

    def tick(self, now_ns: int, time_ns: int) -> list[Closed]:
        """Send a heartbeat if one is due; return Closed when the peer has been silent too long."""
        if self.closed is not None:
            return []
        if not self._greeted and now_ns >= self._started_ns + self.limits.hello_ns:
            return [self._end("protocol", "no greeting came in time", by_peer=False)]
        if now_ns >= self._heard_ns + self.limits.silence_ns:
            seconds = self.limits.silence_ns / 1e9
            return [self._end("silent", f"nothing was heard for {seconds:g} s", by_peer=False)]
        if self._greeted and now_ns >= self._spoke_ns + self.limits.heartbeat_ns:
            self._spoke_ns = now_ns
            self._beat(pb.Beat(time_ns=time_ns, echo_ns=self._peer_time_ns))
        return []

    def _beat(self, beat: pb.Beat) -> None:
        raise NotImplementedError  # pragma: no cover  # each end wraps it in its own frame

    def _push(self, message: Out) -> None:
        if self.closed is None:
            self._frames.append(message.SerializeToString())

    def _parse(self, frame: bytes, message: pb.Up | pb.Down, now_ns: int) -> str:
        """Fill ``message`` and return its kind; raises WireError."""
        self._heard_ns = now_ns
        if len(frame) > self.limits.frame_bytes_max:
            raise TooLargeError(
                f"a frame has at most {self.limits.frame_bytes_max} bytes, not {len(frame)}"
            )
        try:
            message.ParseFromString(frame)
        except DecodeError as error:
            raise MalformedError(f"a frame is not protobuf: {error}") from None
        kind = message.WhichOneof("kind")
        if kind is None:
            raise MalformedError("a frame says nothing that is known here")
        return kind

    def _heard_beat(self, beat: pb.Beat, time_ns: int) -> list[ClockCompared]:
        """Compare clocks as NTP does: the shorter the round trip, the better the offset."""
        self._peer_time_ns = beat.time_ns
        round_trip_ns = time_ns - beat.echo_ns
        if not beat.echo_ns or not 0 <= round_trip_ns <= self.limits.silence_ns:
            return []
        if self._round_trip_ns is not None and round_trip_ns > 2 * self._round_trip_ns:
            return []
        self._round_trip_ns = min(round_trip_ns, self._round_trip_ns or round_trip_ns)
        return [ClockCompared(beat.time_ns + round_trip_ns // 2 - time_ns, round_trip_ns)]

    def _end(self, reason: str, detail: str, *, by_peer: bool) -> Closed:
        self.closed = Closed(reason, detail[: self.limits.detail_chars_max], by_peer)
        return self.closed


class GatewaySession(_Session[pb.Up]):
    """The gateway's end.

    start → Welcomed → ``announce`` if it is wanted → entries while ``room`` is above zero →
    Acknowledged … Entries are numbered growing; a number is sent once in a session.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin; ``limits`` are this side's, the hub's Welcome may narrow them."""
        super().__init__(limits or Limits())
        self._encoder = StreamEncoder()
        self._window = 0
        self._unacknowledged: list[int] = []
        self._last = 0

    @property
    def room(self) -> int:
        """How many entries may be sent now; 0 before the Welcome and after the end."""
        if self.closed is not None or not self._greeted:
            return 0
        return max(0, self._window - len(self._unacknowledged))

    def start(self, now_ns: int, *, software: str, outbox: bytes, announce_digest: bytes) -> None:
        """Queue the Hello; ``outbox`` is the outbox's 16 bytes."""
        self.start_clock(now_ns)
        hello = pb.Hello(
            protocol=PROTOCOL, software=software, outbox=outbox, announce_digest=announce_digest
        )
        self._push(pb.Up(hello=hello))

    def announce(self, points: Mapping[int, Point], texts: Mapping[int, str]) -> None:
        """Queue points and texts, cut into frames of bounded size."""
        chunk, size = pb.Announce(), 0
        for number, point in points.items():
            info = pb.PointInfo(number=number, point=point_to_bytes(point))
            chunk.points.append(info)
            size += len(info.point) + 8
            if size > self.limits.announce_chunk_bytes:
                self._push(pb.Up(announce=chunk))
                chunk, size = pb.Announce(), 0
        for number, text in texts.items():
            chunk.texts.append(pb.Text(number=number, text=text))
            size += 4 * len(text) + 8
            if size > self.limits.announce_chunk_bytes:
                self._push(pb.Up(announce=chunk))
                chunk, size = pb.Announce(), 0
        chunk.complete = True
        self._push(pb.Up(announce=chunk))

    def send_telemetry(self, number: int, batch: Batch) -> int:
        """Queue an entry of samples, coded against the stream; return its bytes."""
        return self._entry(number, pb.ENTRY_KIND_TELEMETRY, self._encoder.encode(batch))

    def send_alarm(self, number: int, batch: Batch) -> int:
        """Queue an entry of alarm transitions, coded by itself; return its bytes."""
        return self._entry(number, pb.ENTRY_KIND_ALARM, pack(batch))

    def send_outcome(self, number: int, outcome: Outcome) -> int:
        """Queue what became of a command; return its bytes."""
        return self._entry(number, pb.ENTRY_KIND_OUTCOME, outcome_to_bytes(outcome))

    def _entry(self, number: int, kind: pb.EntryKind.ValueType, body: bytes) -> int:
        if self.room <= 0:
            raise ValueError("the window is full; wait for an acknowledgement")
        if number <= self._last:
            raise ValueError(f"entry {number} follows {self._last}, but numbers grow")
        self._last = number
        self._unacknowledged.append(number)
        self._push(pb.Up(entry=pb.Entry(number=number, kind=kind, body=body)))
        return len(body)

    def _beat(self, beat: pb.Beat) -> None:
        self._push(pb.Up(beat=beat))

    def receive(self, frame: bytes, now_ns: int, time_ns: int) -> list[GatewayEvent]:
        """Take one frame of the hub's; a frame that is not one ends the session."""
        if self.closed is not None:
            return []
        message = pb.Down()
        try:
            kind = self._parse(frame, message, now_ns)
            if not self._greeted and kind not in {"welcome", "bye"}:
                raise MalformedError(f"the hub sent {kind} before its welcome")
            return self._events(kind, message, time_ns)
        except WireError as error:
            return [self._end("malformed", str(error), by_peer=False)]

    def _events(self, kind: str, message: pb.Down, time_ns: int) -> list[GatewayEvent]:
        if kind == "welcome":
            if self._greeted:
                raise MalformedError("the hub welcomed twice")
            self._greeted = True
            welcome = message.welcome
            self._window = min(welcome.window_entries, self.limits.window_entries)
            return [Welcomed(welcome.durable_through, welcome.announce_wanted, welcome.time_ns)]
        if kind == "ack":
            self._window = min(
                message.ack.window_entries or self._window, self.limits.window_entries
            )
            self._forget(message.ack.through)
            return [Acknowledged(message.ack.through)]
        if kind == "refuse":
            refuse = message.refuse
            self._unacknowledged = [n for n in self._unacknowledged if n != refuse.number]
            return [EntryRefused(refuse.number, _reason_name(refuse.reason), refuse.detail)]
        if kind == "command":
            return [CommandReceived(command_from_bytes(message.command.command))]
        if kind == "bye":
            return [self._end(_reason_name(message.bye.reason), message.bye.detail, by_peer=True)]
        return [*self._heard_beat(message.beat, time_ns)]

    def _forget(self, through: int) -> None:
        if through > self._last:
            raise MalformedError(f"the hub acknowledged {through}, which was not sent")
        self._unacknowledged = [n for n in self._unacknowledged if n > through]


class HubSession(_Session[pb.Down]):
    """The hub's end.

    HelloReceived → ``welcome`` → Announced → SamplesReceived and OutcomeReceived, numbers growing
    (at or below what is durable they are dropped and counted) → ``acknowledge`` after the journal
    is durable, or ``refuse``.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin; ``limits`` are told to the gateway in the Welcome."""
        super().__init__(limits or Limits())
        self._decoder = StreamDecoder()
        self._last = 0
        self._acknowledged = 0
        self._in_flight = 0
        self._hello = False
        self._points = 0
        self._texts = 0
        self.repeated = 0

    def start(self, now_ns: int) -> None:
        """Wait for the Hello."""
        self.start_clock(now_ns)

    def welcome(self, *, durable_through: int, announce_wanted: bool, time_ns: int) -> None:
        """Let the gateway in: tell it what is durable and the limits."""
        self._greeted = True
        self._last = self._acknowledged = durable_through
        limits = self.limits
        welcome = pb.Welcome(
            durable_through=durable_through,
            announce_wanted=announce_wanted,
            window_entries=limits.window_entries,
            body_bytes_max=limits.frame_bytes_max - 4096,
            heartbeat_ms=limits.heartbeat_ns // 1_000_000,
            time_ns=time_ns,
        )
        self._push(pb.Down(welcome=welcome))

    def acknowledge(self, through: int) -> None:
        """Say that every entry up to ``through`` is durable."""
        self._acknowledged = max(self._acknowledged, through)
        ack = pb.Ack(through=self._acknowledged, window_entries=self.limits.window_entries)
        self._push(pb.Down(ack=ack))

    def refuse(self, number: int, reason: str, detail: str) -> None:
        """Say that an entry will never be stored."""
        cut = detail[: self.limits.detail_chars_max]
        refuse = pb.Refuse(number=number, reason=_reason_number(reason), detail=cut)
        self._push(pb.Down(refuse=refuse))

    def order(self, command: Command) -> None:
        """Send a command."""
        self._push(pb.Down(command=pb.CommandOrder(command=command_to_bytes(command))))

    def bye(self, reason: str, detail: str) -> None:
        """End the session from this side, with a reason for people."""
        cut = detail[: self.limits.detail_chars_max]
        self._push(pb.Down(bye=pb.Bye(reason=_reason_number(reason), detail=cut)))
        self._end(reason, detail, by_peer=False)

    def _beat(self, beat: pb.Beat) -> None:
        self._push(pb.Down(beat=beat))

    def receive(self, frame: bytes, now_ns: int, time_ns: int) -> list[HubEvent]:
        """Take one frame of the gateway's; a frame that is not one ends the session with a Bye."""
        if self.closed is not None:
            return []
        message = pb.Up()
        try:
            kind = self._parse(frame, message, now_ns)
            return self._events(kind, message, time_ns)
        except TooLargeError as error:
            return self._violation("too_large", str(error))
        except WireError as error:
            return self._violation("malformed", str(error))

    def _violation(self, reason: str, detail: str) -> list[HubEvent]:
        self.bye(reason, detail)
        return [] if self.closed is None else [self.closed]

    def _events(self, kind: str, message: pb.Up, time_ns: int) -> list[HubEvent]:
        if kind == "hello":
            return self._hello_event(message.hello)
        if not self._greeted:
            return self._violation("protocol", f"a gateway sent {kind} before it was welcomed")
        if kind == "announce":
            return [self._announced(message.announce)]
        if kind == "entry":
            return self._entry(message.entry)
        return [*self._heard_beat(message.beat, time_ns)]

    def _hello_event(self, hello: pb.Hello) -> list[HubEvent]:
        if self._hello:
            return self._violation("protocol", "a gateway said hello twice")
        self._hello = True
        if hello.protocol != PROTOCOL:
            return self._violation(
                "version", f"this hub speaks protocol {PROTOCOL}, the gateway {hello.protocol}"
            )
        if len(hello.outbox) != OUTBOX_BYTES:
            raise MalformedError(f"an outbox is named by {OUTBOX_BYTES} bytes")
        software = hello.software[: self.limits.text_chars_max]
        return [HelloReceived(hello.protocol, software, hello.outbox, hello.announce_digest[:64])]

    def _announced(self, announce: pb.Announce) -> Announced:
        limits = self.limits
        self._points += len(announce.points)
        self._texts += len(announce.texts)
        if self._points > limits.announce_points_max or self._texts > limits.announce_texts_max:
            raise TooLargeError(
                f"a gateway announces at most {limits.announce_points_max} points and "
                f"{limits.announce_texts_max} texts in a session"
            )
        texts = {one.number: one.text for one in announce.texts}
        if any(len(text) > limits.text_chars_max for text in texts.values()):
            raise TooLargeError(f"a text has at most {limits.text_chars_max} characters")
        points = {one.number: point_from_bytes(one.point) for one in announce.points}
        return Announced(points, texts, announce.complete)

    def _entry(self, entry: pb.Entry) -> list[HubEvent]:
        try:
            event = self._decoded(entry)
        except WireError as error:
            # The stream's state is lost with this entry. The gateway sets it aside and comes
            # again with a key block, so one bad entry cannot stop the rest for ever.
            self.refuse(entry.number, "malformed", str(error))
            return self._violation("malformed", f"entry {entry.number}: {error}")
        if entry.number <= self._last:
            self.repeated += 1
            return []
        self._last = entry.number
        return [event]

    def _decoded(self, entry: pb.Entry) -> SamplesReceived | OutcomeReceived:
        size = len(entry.body)
        if entry.kind == pb.ENTRY_KIND_TELEMETRY:
            batch = self._decoder.decode(entry.body)
            return SamplesReceived(entry.number, batch, alarm=False, body_bytes=size)
        if entry.kind == pb.ENTRY_KIND_ALARM:
            return SamplesReceived(entry.number, unpack(entry.body), alarm=True, body_bytes=size)
        if entry.kind == pb.ENTRY_KIND_OUTCOME:
            return OutcomeReceived(entry.number, outcome_from_bytes(entry.body), size)
        raise MalformedError(f"entry {entry.number} is of unknown kind {entry.kind}")
