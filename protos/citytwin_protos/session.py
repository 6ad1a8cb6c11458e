"""Session: the link's rules for both ends, without I/O. Bytes in, events out; time is an argument.

The caller owns the transport: it passes what arrives to ``receive``, sends what ``outgoing``
returns, and calls ``tick`` at ``next_tick_ns``. All times are monotonic nanoseconds unless named
``time_ns`` (UTC). One session lives as long as one connection. docs/specs/link.md has the rules.
"""

from citytwin_protos.events import (
    CONFIG,
    FEATURES,
    GONE,
    OUTBOX_BYTES,
    PROTOCOL,
    Acknowledged,
    Announced,
    ClockCompared,
    Closed,
    CommandReceived,
    ConfigAsked,
    ConfigPushed,
    ConfigReported,
    EntryRefused,
    GatewayEvent,
    HelloReceived,
    HubEvent,
    Limits,
    OutcomeReceived,
    SamplesReceived,
    Welcomed,
)
from citytwin_protos.gateway_session import GatewaySession
from citytwin_protos.hub_session import HubSession

__all__ = [
    "CONFIG",
    "FEATURES",
    "GONE",
    "OUTBOX_BYTES",
    "PROTOCOL",
    "Acknowledged",
    "Announced",
    "ClockCompared",
    "Closed",
    "CommandReceived",
    "ConfigAsked",
    "ConfigPushed",
    "ConfigReported",
    "EntryRefused",
    "GatewayEvent",
    "GatewaySession",
    "HelloReceived",
    "HubEvent",
    "HubSession",
    "Limits",
    "OutcomeReceived",
    "SamplesReceived",
    "Welcomed",
]
