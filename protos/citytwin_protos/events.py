"""Events: what a session tells its caller, and the limits that it keeps."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from citytwin.batch import Batch
from citytwin.command import Command, Outcome
from citytwin.point import Point
from citytwin_protos.codec import BODY_BYTES_MAX

PROTOCOL = 1
"""Version of the link that this code speaks."""
OUTBOX_BYTES = 16
"""An outbox is named by so many random bytes, made when it was created."""
GONE = "gone"
"""Feature: announcements say which points a gateway has no more."""
CONFIG = "config"
"""Feature: the hub holds and pushes a gateway's configuration (docs/specs/config.md)."""
FEATURES = frozenset({GONE, CONFIG})
"""What this code speaks beside the frames that version 1 began with. A frame or field of a feature
is sent only to an end that has said that it knows it: others would end the session."""
DIGEST_BYTES_MAX = 64
"""Digest of an announcement: SHA-256, or a longer one."""


class Limits(msgspec.Struct, frozen=True):
    """Every limit of a session, each with its reason."""

    frame_bytes_max: int = (1 << 20) + 4096
    """One body and its envelope; a larger frame is refused without looking into it."""
    window_entries: int = 64
    """Entries in flight: covers six seconds of round trip at ten entries a second."""
    body_bytes_max: int = BODY_BYTES_MAX
    """One entry's body."""
    orders_waiting_max: int = 256
    """Frames a hub keeps for a gateway that takes none, before it sends no further command."""
    heartbeat_ns: int = 5_000_000_000
    """How often each end sends its clock, whatever else it sends."""
    silence_ns: int = 15_000_000_000
    """No frame at all for three heartbeats: the peer is gone."""
    hello_ns: int = 10_000_000_000
    """How long the first frame of the other side may take."""
    announce_points_max: int = 100_000
    """In one session; a gateway of this size is a city's worth."""
    announce_texts_max: int = 10_000
    """In one session; a dictionary that grows without end is a device's mistake."""
    text_chars_max: int = 256
    announce_chunk_bytes: int = 128 * 1024
    """An announcement is cut into frames of about this size, so that none takes long."""
    detail_chars_max: int = 400
    """What a reason may say to people; longer ones are cut."""


# ---- for the gateway
class Welcomed(msgspec.Struct, frozen=True):
    """The hub took us in: entries up to ``durable_through`` are in its journal already."""

    durable_through: int
    announce_wanted: bool
    hub_time_ns: int


class Acknowledged(msgspec.Struct, frozen=True):
    """Every entry up to ``through`` is durable at the hub."""

    through: int


class EntryRefused(msgspec.Struct, frozen=True):
    """This entry will never be stored.

    At the gateway: set it aside. At the hub: the session has refused it, its body being broken.
    """

    number: int
    reason: str
    detail: str


class CommandReceived(msgspec.Struct, frozen=True):
    """The hub orders something; whether it is still valid is for the commander to say."""

    command: Command


class ConfigPushed(msgspec.Struct, frozen=True):
    """The hub wants another configuration; nothing of it is checked yet, nor its signature."""

    order: bytes
    signature: bytes


class ConfigAsked(msgspec.Struct, frozen=True):
    """The hub does not know the configuration with this digest, and wants its text."""

    digest: str


# ---- for the hub
class HelloReceived(msgspec.Struct, frozen=True):
    """A gateway asks to be let in."""

    protocol: int
    software: str
    outbox: bytes
    announce_digest: bytes
    features: frozenset[str] = frozenset()


class Announced(msgspec.Struct, frozen=True):
    """Points and texts by number; ``complete`` ends an announcement.

    ``gone`` are those of the points that the gateway has no more.
    """

    points: Mapping[int, Point]
    texts: Mapping[int, str]
    complete: bool
    gone: frozenset[int] = frozenset()


class ConfigReported(msgspec.Struct, frozen=True):
    """What a gateway runs, and what has become of the newest push.

    Attributes:
        digest: SHA-256 of the file, hexadecimal.
        remote: what the technician lets the hub do: off, keep-limits, all.
        push: number of the newest push that has come; 0: none.
        state: of that push: trial, confirmed, rolled-back, refused.
        reason: why, in a sentence.
        at_ns: since when, UTC.
        text: the file, deflated, where it was asked for.
    """

    digest: str
    remote: str
    push: int = 0
    state: str = ""
    reason: str = ""
    at_ns: int = 0
    text: bytes = b""


class SamplesReceived(msgspec.Struct, frozen=True):
    """An entry of samples in the gateway's numbers; not yet checked against its points."""

    number: int
    batch: Batch
    alarm: bool
    body_bytes: int


class OutcomeReceived(msgspec.Struct, frozen=True):
    """An entry that says what became of a command."""

    number: int
    outcome: Outcome
    body_bytes: int


# ---- for both
class ClockCompared(msgspec.Struct, frozen=True):
    """The peer's UTC minus ours, by the shortest of the latest round trips.

    The error is at most half the round trip.
    """

    offset_ns: int
    round_trip_ns: int


class Closed(msgspec.Struct, frozen=True):
    """The session is over: the peer said Bye, was silent, or broke the protocol."""

    reason: str
    detail: str
    by_peer: bool


GatewayEvent = (
    Welcomed
    | Acknowledged
    | EntryRefused
    | CommandReceived
    | ConfigPushed
    | ConfigAsked
    | ClockCompared
    | Closed
)
HubEvent = (
    HelloReceived
    | Announced
    | SamplesReceived
    | OutcomeReceived
    | ConfigReported
    | EntryRefused
    | ClockCompared
    | Closed
)
