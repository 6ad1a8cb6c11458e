"""Session: the link's rules for both ends, without I/O. Bytes in, events out; time is an argument.

The caller owns the transport: it passes what arrives to ``receive``, sends what ``outgoing`` returns,
and calls ``tick`` at ``next_tick_ns``. All times are monotonic nanoseconds unless named ``time_ns``
(UTC). One session lives as long as one connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from citytwin.batch import Batch
from citytwin.command import Command, Outcome
from citytwin.point import Point


# -- limits -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of a session, each with its reason."""

    frame_bytes_max: int = (1 << 20) + 4096
    """One body and its envelope; larger frames are refused unread."""
    window_entries: int = 64
    """Entries in flight: covers 6 s of round trip at ten entries a second."""
    heartbeat_ns: int = 5_000_000_000
    silence_ns: int = 15_000_000_000
    """No frame at all for three heartbeats: the peer is gone."""
    hello_ns: int = 10_000_000_000
    """How long the first frame may take."""
    announce_points_max: int = 100_000
    announce_texts_max: int = 10_000
    text_chars_max: int = 256


# -- events for the gateway --------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Welcomed:
    durable_through: int
    announce_wanted: bool
    hub_time_ns: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    through: int


@dataclass(frozen=True, slots=True)
class EntryRefused:
    number: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class CommandReceived:
    command: Command


@dataclass(frozen=True, slots=True)
class ClockCompared:
    """The peer's UTC minus ours, by the shortest round trip so far."""

    offset_ns: int
    round_trip_ns: int


# -- events for the hub ------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class HelloReceived:
    protocol: int
    software: str
    outbox: bytes
    announce_digest: bytes


@dataclass(frozen=True, slots=True)
class Announced:
    points: dict[int, Point]
    texts: dict[int, str]
    complete: bool


@dataclass(frozen=True, slots=True)
class SamplesReceived:
    number: int
    batch: Batch
    alarm: bool
    body_bytes: int


@dataclass(frozen=True, slots=True)
class OutcomeReceived:
    number: int
    outcome: Outcome


# -- events for both ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over: the peer said Bye, was silent, or broke the protocol."""

    reason: str
    detail: str
    by_peer: bool


class GatewaySession:
    """The gateway's end.

    start(now_ns, hello...) → Hello; Welcomed → announce(points, texts) if wanted → send entries while
    ``room`` > 0 → Acknowledged(through) …
    """

    room: int

    def start(
        self, now_ns: int, *, software: str, outbox: bytes, announce_digest: bytes
    ) -> None: ...

    def announce(self, points: dict[int, Point], texts: dict[int, str]) -> None: ...

    def send_telemetry(self, number: int, batch: Batch) -> int: ...

    def send_alarm(self, number: int, batch: Batch) -> int: ...

    def send_outcome(self, number: int, outcome: Outcome) -> int: ...

    def receive(
        self, frame: bytes, now_ns: int, time_ns: int
    ) -> list[
        Welcomed | Acknowledged | EntryRefused | CommandReceived | ClockCompared | Closed
    ]: ...

    def tick(self, now_ns: int, time_ns: int) -> list[Closed]: ...

    def next_tick_ns(self) -> int: ...

    def outgoing(self) -> list[bytes]: ...


class HubSession:
    """The hub's end.

    HelloReceived → welcome(...) → Announced → SamplesReceived / OutcomeReceived (numbers strictly
    growing; at or below ``durable_through`` they are dropped and counted as ``repeated``) →
    acknowledge(through) after the journal is durable, or refuse(number, …).
    """

    repeated: int

    def start(self, now_ns: int) -> None: ...

    def welcome(self, *, durable_through: int, announce_wanted: bool, time_ns: int) -> None: ...

    def acknowledge(self, through: int) -> None: ...

    def refuse(self, number: int, reason: str, detail: str) -> None: ...

    def order(self, command: Command) -> None: ...

    def bye(self, reason: str, detail: str) -> None: ...

    def receive(
        self, frame: bytes, now_ns: int, time_ns: int
    ) -> list[HelloReceived | Announced | SamplesReceived | OutcomeReceived | ClockCompared | Closed]: ...

    def tick(self, now_ns: int, time_ns: int) -> list[Closed]: ...

    def next_tick_ns(self) -> int: ...

    def outgoing(self) -> list[bytes]: ...
