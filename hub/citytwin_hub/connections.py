"""Connections: what the hub knows of each connected gateway, and who is told of what they say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from citytwin.batch import Int32
from citytwin_protos.session import ConfigReported, HubSession
from citytwin_protos.transport import Line


@dataclass(slots=True)
class Counters:
    """What one gateway has sent since the hub began."""

    entries: int = 0
    samples: int = 0
    repeated: int = 0
    bytes: int = 0
    connects: int = 0


class Refusals(NamedTuple):
    """Entries of one gateway that were refused and are not written down: how many, the latest."""

    entries: int
    reason: str
    at_ns: int


class Accepts(Protocol):
    """Told when a gateway comes; sends what it has for it."""

    def connected(self, gateway: str, now_ns: int) -> None:
        """A gateway has been welcomed."""
        ...


class Holds(Protocol):
    """Told what configuration a gateway runs."""

    def reported(self, gateway: str, report: ConfigReported, now_ns: int) -> None:
        """A gateway says what it runs."""
        ...


@dataclass(slots=True, eq=False)
class Connection:
    """One connected gateway."""

    gateway: str
    serial: str
    peer: str
    line: Line
    session: HubSession
    since_ns: int
    outbox: bytes = b""
    software: str = ""
    clock_offset_ns: int | None = None
    last_ns: int = 0
    numbers: Int32 = field(default_factory=lambda: np.zeros(0, np.int32))
    is_text: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    texts: dict[int, int] = field(default_factory=dict)
    checked_ns: int = 0
    durable_through: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
