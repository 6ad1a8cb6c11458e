"""Gateway session: the gateway's end of the link, without I/O; :mod:`citytwin_protos.session`."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping
from typing import Final

from citytwin.batch import Batch
from citytwin.command import Outcome
from citytwin.errors import MalformedError, TooLargeError, WireError
from citytwin.point import Point
from citytwin_protos.codec import StreamEncoder, command_from_bytes, outcome_to_bytes, pack
from citytwin_protos.endpoint import Endpoint
from citytwin_protos.events import (
    CONFIG,
    DIGEST_BYTES_MAX,
    FEATURES,
    GONE,
    OUTBOX_BYTES,
    PROTOCOL,
    Acknowledged,
    CommandReceived,
    ConfigAsked,
    ConfigPushed,
    ConfigReported,
    EntryRefused,
    GatewayEvent,
    Limits,
    Welcomed,
)
from citytwin_protos.frames import (
    OutOfTurn,
    announcements,
    parse,
    reason_name,
    reason_of,
    with_features,
)
from citytwin_protos.v1 import link_pb2 as pb

HEARTBEAT_MS_MIN: Final = 100
HEARTBEAT_MS_MAX: Final = 600_000
BEATS_OF_SILENCE: Final = 3


class GatewaySession(Endpoint):
    """The gateway's end.

    start → Welcomed → ``announce`` if it is wanted → entries while ``room`` is above zero →
    Acknowledged … Entries are numbered growing; a number is sent once in a session. Sending
    without room, out of order or after the end is a mistake of the caller: ValueError.

    Attributes:
        features: what both ends speak beside version 1, known from the Welcome on.
        points_left: how many more points may be announced in this session.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin; the hub's Welcome may narrow the limits."""
        super().__init__(limits)
        self._encoder = StreamEncoder()
        self._window = 0
        self._body_bytes_max = self.limits.body_bytes_max
        self._announce_first = False
        self.features: frozenset[str] = frozenset()
        self.points_left = self.limits.announce_points_max
        self._unacknowledged: deque[int] = deque()
        self._last = 0
        self._through = 0

    @property
    def room(self) -> int:
        """How many entries may be sent now.

        0 before the Welcome, before an announcement that the hub wants, and after the end.
        """
        if self.closed is not None or not self._greeted or self._announce_first:
            return 0
        return max(0, self._window - len(self._unacknowledged))

    def start(self, now_ns: int, *, software: str, outbox: bytes, announce_digest: bytes) -> None:
        """Queue the Hello.

        Args:
            now_ns: monotonic clock.
            software: name and version, for people at the hub.
            outbox: the outbox's 16 bytes, made when it was created.
            announce_digest: of what ``announce`` would be given; at most 64 bytes.
        """
        if len(outbox) != OUTBOX_BYTES or len(announce_digest) > DIGEST_BYTES_MAX:
            raise ValueError(f"an outbox has {OUTBOX_BYTES} bytes, a digest {DIGEST_BYTES_MAX}")
        self._begin(now_ns)
        hello = pb.Hello(
            protocol=PROTOCOL,
            software=with_features(software, FEATURES, self.limits.text_chars_max),
            outbox=outbox,
            announce_digest=announce_digest,
        )
        self._push(pb.Up(hello=hello))

    def announce(
        self, points: Mapping[int, Point], texts: Mapping[int, str], gone: Container[int] = ()
    ) -> None:
        """Queue points and texts; anything new is announced before the first entry that needs it.

        Numbers in ``gone`` are those of points that are no more; a hub that does not know what that
        means is not told.

        Raises:
            TooLargeError: a text is too long to travel; nothing was queued.
        """
        if not self._greeted and self.closed is None:
            raise ValueError("an announcement follows the Welcome")
        gone = gone if GONE in self.features else ()
        for chunk in list(announcements(points, texts, self.limits, gone)):
            self._push(pb.Up(announce=chunk))
        self.points_left -= len(points)
        self._announce_first = False

    def send_telemetry(self, number: int, batch: Batch) -> int:
        """Queue an entry of samples, coded against the stream; return its body's bytes.

        Raises:
            TooLargeError: the batch does not fit an entry; nothing was queued.
        """
        self._check(number)
        return self._entry(number, pb.ENTRY_KIND_TELEMETRY, self._encoder.encode(batch))

    def send_alarm(self, number: int, batch: Batch) -> int:
        """Queue an entry of alarm transitions, coded by itself; otherwise like telemetry."""
        self._check(number)
        return self._entry(number, pb.ENTRY_KIND_ALARM, pack(batch))

    def send_outcome(self, number: int, outcome: Outcome) -> int:
        """Queue what became of a command; otherwise like telemetry."""
        self._check(number)
        return self._entry(number, pb.ENTRY_KIND_OUTCOME, outcome_to_bytes(outcome))

    def report_config(self, report: ConfigReported) -> None:
        """Queue what this gateway runs; a hub that holds no configurations is not told."""
        if CONFIG in self.features:
            cut = self.limits.detail_chars_max
            fields = {name: getattr(report, name) for name in report.__struct_fields__}
            fields["reason"] = report.reason[:cut]
            self._push(pb.Up(config=pb.ConfigReport(**fields)))

    def receive(self, frame: bytes, now_ns: int, time_ns: int) -> list[GatewayEvent]:
        """Take one frame of the hub's.

        A frame that is not one, or may not come now, ends the session with a Bye.
        """
        if self.closed is not None:
            return []
        self._heard_ns, self._time_ns = now_ns, time_ns
        message = pb.Down()
        try:
            kind = parse(frame, message, self.limits)
            if kind == "welcome":
                return self._welcomed(message.welcome, now_ns, time_ns)
            if kind == "bye":
                bye = message.bye
                return [self._ended(reason_name(bye.reason), bye.detail)]
            if not self._greeted:
                raise OutOfTurn(f"the hub sent {kind} before its welcome")
            if kind == "ack":
                return self._acknowledged(message.ack)
            if kind == "refuse":
                return self._refused(message.refuse)
            if kind == "command":
                return [CommandReceived(command_from_bytes(message.command.command))]
            if kind == "config":
                return [ConfigPushed(message.config.order, message.config.signature)]
            if kind == "config_ask":
                return [ConfigAsked(message.config_ask.digest)]
            return [*self._hear_beat(message.beat, now_ns, time_ns)]
        except WireError as error:
            return [*self._end(reason_of(error), str(error))]

    def _check(self, number: int) -> None:
        if self.room <= 0:
            raise ValueError("there is no room; wait for the Welcome or an acknowledgement")
        if number <= self._last:
            raise ValueError(f"entry {number} follows {self._last}, but numbers grow")

    def _entry(self, number: int, kind: pb.EntryKind.ValueType, body: bytes) -> int:
        if len(body) > self._body_bytes_max:
            self._encoder = StreamEncoder()  # what it has foreseen was never sent
            raise TooLargeError(
                f"entry {number} has {len(body)} bytes; the hub takes {self._body_bytes_max}"
            )
        self._last = number
        self._unacknowledged.append(number)
        self._push(pb.Up(entry=pb.Entry(number=number, kind=kind, body=body)))
        return len(body)

    def _welcomed(self, welcome: pb.Welcome, now_ns: int, time_ns: int) -> list[GatewayEvent]:
        if self._greeted:
            raise OutOfTurn("the hub welcomed twice")
        if not HEARTBEAT_MS_MIN <= welcome.heartbeat_ms <= HEARTBEAT_MS_MAX:
            raise MalformedError(
                f"a heartbeat of {welcome.heartbeat_ms} ms is not between {HEARTBEAT_MS_MIN} and "
                f"{HEARTBEAT_MS_MAX}"
            )
        self._greeted = True
        self.features = FEATURES & frozenset(welcome.features)
        self._window = min(welcome.window_entries, self.limits.window_entries)
        self._body_bytes_max = min(welcome.body_bytes_max, self.limits.body_bytes_max)
        self._announce_first = welcome.announce_wanted
        self._through = welcome.durable_through
        self._heartbeat_ns = min(welcome.heartbeat_ms * 1_000_000, self._heartbeat_ns)
        # A hub whose own heartbeat is slower than ours must not seem silent.
        slower_ns = BEATS_OF_SILENCE * welcome.heartbeat_ms * 1_000_000
        self._silence_ns = max(self._silence_ns, slower_ns)
        self._beat(now_ns, time_ns)  # at once: the clocks are compared before the first samples
        return [Welcomed(welcome.durable_through, welcome.announce_wanted, welcome.time_ns)]

    def _acknowledged(self, ack: pb.Ack) -> list[GatewayEvent]:
        if ack.through > max(self._last, self._through):
            raise OutOfTurn(f"the hub acknowledged {ack.through}, which was not sent")
        if ack.through < self._through:
            raise OutOfTurn(f"the hub acknowledged {ack.through} after {self._through}")
        self._window = min(ack.window_entries, self.limits.window_entries)
        self._through = ack.through
        while self._unacknowledged and self._unacknowledged[0] <= ack.through:
            self._unacknowledged.popleft()
        return [Acknowledged(ack.through)]

    def _refused(self, refuse: pb.Refuse) -> list[GatewayEvent]:
        if refuse.number not in self._unacknowledged:
            raise OutOfTurn(f"the hub refused entry {refuse.number}, which is not in flight")
        self._unacknowledged.remove(refuse.number)
        detail = refuse.detail[: self.limits.detail_chars_max]
        return [EntryRefused(refuse.number, reason_name(refuse.reason), detail)]

    def _push(self, message: pb.Up) -> None:
        if self.closed is None:
            self._frames.append(message.SerializeToString())

    def _send_beat(self, beat: pb.Beat) -> None:
        self._push(pb.Up(beat=beat))

    def _send_bye(self, bye: pb.Bye) -> None:
        self._push(pb.Up(bye=bye))
