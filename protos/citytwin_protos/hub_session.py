"""Hub session: the hub's end of the link, without I/O; see :mod:`citytwin_protos.session`."""

from __future__ import annotations

from collections import deque

from citytwin.command import Command
from citytwin.errors import TooLargeError, WireError
from citytwin_protos.codec import StreamDecoder, command_to_bytes
from citytwin_protos.endpoint import Endpoint
from citytwin_protos.events import (
    CONFIG,
    FEATURES,
    Announced,
    EntryRefused,
    HelloReceived,
    HubEvent,
    Limits,
)
from citytwin_protos.frames import (
    OutOfTurn,
    announced,
    config_event,
    entry_event,
    hello_event,
    parse,
    reason_name,
    reason_number,
    reason_of,
)
from citytwin_protos.v1 import link_pb2 as pb


class HubSession(Endpoint):
    """The hub's end.

    HelloReceived → ``welcome`` → Announced → SamplesReceived and OutcomeReceived, numbers growing
    → ``acknowledge`` after the journal is durable, or ``refuse``.

    Attributes:
        repeated: entries that were durable already; dropped.
        refused: entries whose body could not be understood; refused by the session itself.
        features: what both ends speak beside version 1, known from the Hello on.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        """Begin; the limits are told to the gateway in the Welcome."""
        super().__init__(limits)
        self._decoder = StreamDecoder()
        self._window = self.limits.window_entries
        self._unsettled: deque[int] = deque()
        self._last = 0
        self._welcomed_through = 0
        self._durable = 0
        self._hello = False
        self.features: frozenset[str] = frozenset()
        self._points = 0
        self._texts = 0
        self.repeated = 0
        self.refused = 0

    def start(self, now_ns: int) -> None:
        """Wait for the Hello."""
        self._begin(now_ns)

    def welcome(
        self,
        *,
        durable_through: int,
        announce_wanted: bool,
        time_ns: int,
        window_entries: int | None = None,
    ) -> None:
        """Let the gateway in, after its Hello.

        Args:
            durable_through: every entry of its outbox up to here is in the journal.
            announce_wanted: whether its points must be announced before entries.
            time_ns: the hub's clock.
            window_entries: credit to begin with, if not that of the limits; never above it.
        """
        if not self._hello or self._greeted:
            raise ValueError("a welcome answers one Hello")
        self._greeted = True
        self._time_ns = time_ns
        self._durable = self._welcomed_through = durable_through
        self._window = self._granted(window_entries)
        # The gateway's first beat is answered at once; ours need not come before.
        self._beat_at_ns = self._heard_ns + self._heartbeat_ns
        welcome = pb.Welcome(
            durable_through=durable_through,
            announce_wanted=announce_wanted,
            window_entries=self._window,
            body_bytes_max=self.limits.body_bytes_max,
            heartbeat_ms=self._heartbeat_ns // 1_000_000,
            time_ns=time_ns,
            features=sorted(self.features),
        )
        self._push(pb.Down(welcome=welcome))

    def acknowledge(self, through: int, *, window_entries: int | None = None) -> None:
        """Say that every entry up to ``through`` is durable or refused.

        Args:
            through: cumulative; the same one may be said again. What was durable before it came
                in this session is acknowledged when it comes, and dropped as repeated.
            window_entries: new credit; 0 holds the gateway back until it is given again.
        """
        self._durable = max(self._durable, through)
        while self._unsettled and self._unsettled[0] <= self._durable:
            self._unsettled.popleft()
        self._window = self._granted(window_entries)
        sent = min(self._durable, max(self._last, self._welcomed_through))
        self._push(pb.Down(ack=pb.Ack(through=sent, window_entries=self._window)))

    def refuse(self, number: int, reason: str, detail: str) -> None:
        """Say that an entry, which came and is not settled, will never be stored.

        Raises:
            ValueError: the entry is not such, or the reason not one of the wire's.
        """
        wire_reason = reason_number(reason)
        if number not in self._unsettled:
            raise ValueError(f"entry {number} is not one that waits to be settled")
        self._unsettled.remove(number)
        cut = detail[: self.limits.detail_chars_max]
        self._push(pb.Down(refuse=pb.Refuse(number=number, reason=wire_reason, detail=cut)))

    def order(self, command: Command, time_ns: int | None = None) -> bool:
        """Send a command; return whether it was queued.

        It is not when it has expired by ``time_ns`` (the hub's clock; without it the time of the
        latest ``receive`` or ``tick``), when the gateway is not welcomed or gone, and when
        ``orders_waiting_max`` frames wait to be sent.
        """
        time_ns = self._time_ns if time_ns is None else time_ns
        lives = self._greeted and self.closed is None and command.expires_ns > time_ns
        if not lives or len(self._frames) >= self.limits.orders_waiting_max:
            return False
        self._push(pb.Down(command=pb.CommandOrder(command=command_to_bytes(command))))
        return True

    def push_config(self, order: bytes, signature: bytes) -> bool:
        """Send a signed order of a configuration; return whether it was queued."""
        if not self._speaks_config:
            return False
        self._push(pb.Down(config=pb.ConfigPush(order=order, signature=signature)))
        return True

    def ask_config(self, digest: str) -> bool:
        """Ask for the text of what the gateway runs; return whether it was queued."""
        if not self._speaks_config:
            return False
        self._push(pb.Down(config_ask=pb.ConfigAsk(digest=digest)))
        return True

    @property
    def _speaks_config(self) -> bool:
        room = len(self._frames) < self.limits.orders_waiting_max
        return self._greeted and self.closed is None and CONFIG in self.features and room

    def receive(self, frame: bytes, now_ns: int, time_ns: int) -> list[HubEvent]:
        """Take one frame of the gateway's.

        A frame that is not one, or may not come now, ends the session with a Bye. An entry whose
        body is broken is refused; if it was telemetry, the stream is lost with it and ends too.
        """
        if self.closed is not None:
            return []
        self._heard_ns, self._time_ns = now_ns, time_ns
        message = pb.Up()
        try:
            kind = parse(frame, message, self.limits)
            if kind == "hello":
                return [self._hello_event(message.hello)]
            if kind == "bye":
                bye = message.bye
                return [self._ended(reason_name(bye.reason), bye.detail)]
            if not self._greeted:
                raise OutOfTurn(f"the gateway sent {kind} before it was welcomed")
            if kind == "entry":
                return self._entry(message.entry)
            if kind == "announce":
                return [self._announced(message.announce)]
            if kind == "config":
                return [config_event(message.config, self.limits)]
            return self._beat_event(message.beat, now_ns, time_ns)
        except WireError as error:
            return [*self._end(reason_of(error), str(error))]

    def _granted(self, window_entries: int | None) -> int:
        if window_entries is None:
            return self._window
        return min(max(window_entries, 0), self.limits.window_entries)

    def _hello_event(self, hello: pb.Hello) -> HelloReceived:
        if self._hello:
            raise OutOfTurn("the gateway said hello twice")
        event = hello_event(hello, self.limits)
        self._hello = True
        self.features = FEATURES & event.features
        return event

    def _beat_event(self, beat: pb.Beat, now_ns: int, time_ns: int) -> list[HubEvent]:
        compared = self._hear_beat(beat, now_ns, time_ns)
        if not beat.echo_ns:
            self._beat(now_ns, time_ns)  # the gateway's first: it wants to compare clocks soon
        return [*compared]

    def _announced(self, announce: pb.Announce) -> Announced:
        limits = self.limits
        self._points += len(announce.points)
        self._texts += len(announce.texts)
        if self._points > limits.announce_points_max or self._texts > limits.announce_texts_max:
            raise TooLargeError(
                f"a gateway announces at most {limits.announce_points_max} points and "
                f"{limits.announce_texts_max} texts in a session"
            )
        return announced(announce, limits)

    def _entry(self, entry: pb.Entry) -> list[HubEvent]:
        number = entry.number
        if number <= self._last:
            raise OutOfTurn(f"entry {number} follows {self._last}, but numbers grow")
        if len(self._unsettled) >= self.limits.window_entries:
            raise OutOfTurn(
                f"entry {number} is beyond the window of {self.limits.window_entries} entries"
            )
        self._last = number
        try:
            event = entry_event(entry, self._decoder, self.limits)
        except WireError as error:
            return self._broken(entry, error)
        if number <= self._durable:
            self.repeated += 1
            self.acknowledge(self._durable)  # the gateway does not know, or would not have sent it
            return []
        self._unsettled.append(number)
        return [event]

    def _broken(self, entry: pb.Entry, error: WireError) -> list[HubEvent]:
        """Refuse an entry; the gateway sets it aside, so that it cannot come back for ever."""
        self.refused += 1
        reason = reason_of(error)
        self._unsettled.append(entry.number)
        self.refuse(entry.number, reason, str(error))
        refused = EntryRefused(entry.number, reason, str(error))
        if entry.kind != pb.ENTRY_KIND_TELEMETRY:
            return [refused]
        # What the gateway codes next builds on this entry. A new stream begins with a key block.
        ended = self._end("resync", f"entry {entry.number} cannot be understood: {error}")
        return [refused, *ended]

    def _push(self, message: pb.Down) -> None:
        if self.closed is None:
            self._frames.append(message.SerializeToString())

    def _send_beat(self, beat: pb.Beat) -> None:
        self._push(pb.Down(beat=beat))

    def _send_bye(self, bye: pb.Bye) -> None:
        self._push(pb.Down(bye=bye))
