"""Adapter: one field device and what can be done with it: read, listen, write, scan, probe.

An adapter knows a protocol and nothing else. The gateway around it owns pace, time-outs, back-off,
scale and offset, range checks, statistics and storage.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from citytwin.batch import Batch
from citytwin.clock import Clock
from citytwin.point import Point


class Binding(NamedTuple):
    """A point and where the device keeps it: ``address`` is of the adapter's ``point_settings``."""

    point: Point
    address: Any


class Direction(StrEnum):
    """Which way bytes went, as people write it beside them."""

    SENT = "tx"
    RECEIVED = "rx"


class Tapped(NamedTuple):
    """Bytes that went over a line, for a technician's eyes.

    Attributes:
        time_ns: UTC nanoseconds.
        line: where: "/dev/ttyUSB0", "192.168.1.50:502", a broker.
        device: the device's name; empty where the bytes are nobody's in particular.
        direction: from the gateway or to it.
        data: as they were on the line; part of a frame where the line gives it in parts.
        note: what belongs to them and is not in them: a topic, the address of a radio.
    """

    time_ns: int
    line: str
    device: str
    direction: Direction
    data: bytes
    note: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """What the gateway lends to its adapters.

    Attributes:
        clock: for stamping replies.
        intern: gives the number that stands for a text (values of Kind.TEXT); may be called from
            the event loop only; raises StoreFull when the gateway's dictionary is full.
        shared: lines that several devices use (a serial port, a TCP endpoint, a broker), by key;
            use :meth:`line`.
        taps: who looks at the lines now; kept by the gateway. A tap never raises and never waits.
    """

    clock: Clock
    intern: Callable[[str], int]
    shared: dict[Hashable, Any] = field(default_factory=dict)
    taps: list[Callable[[Tapped], None]] = field(default_factory=list)

    def line(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the shared line of that key, made on first use."""
        if key not in self.shared:
            self.shared[key] = make()
        return self.shared[key]

    def tap(
        self,
        line: str,
        direction: Direction,
        data: bytes | bytearray,
        *,
        device: str = "",
        note: str = "",
    ) -> None:
        """Show bytes to whoever looks at the line; costs nothing worth measuring when nobody does.

        An adapter calls it from the event loop for whatever it sends and for whatever comes, once,
        as it is on the line: encrypted where that is encrypted, and never with a password or a key.
        ``line`` and ``device`` are made once, not at each call.

        Args:
            line: where, in the words of the configuration: a port, an address, a broker.
            direction: which way.
            data: the bytes; a frame may come in several calls.
            device: whose they are, where that is known.
            note: what belongs to them and is not in them: a topic, the address of a radio.
        """
        if self.taps:
            seen = Tapped(self.clock.now_ns(), line, device, direction, bytes(data), note)
            for take in tuple(self.taps):
                take(seen)


class Probed(NamedTuple):
    """One point read once, for a technician's eyes.

    Attributes:
        point: index into the adapter's bindings.
        raw: the bytes that carried it, empty if none came.
        value: decoded, before scale and offset; NaN if there is none.
        quality: a :class:`citytwin.quality.Quality` code.
        elapsed_ns: from request to reply.
        note: what went wrong, or what was read (a text), empty otherwise.
    """

    point: int
    raw: bytes
    value: float
    quality: int
    elapsed_ns: int
    note: str = ""


class Exchange(NamedTuple):
    """Bytes as they went over the line: what was asked and what was answered.

    Attributes:
        request: empty when the device speaks by itself; of a broker's message the topic.
        response: the answer, the message, the payload.
    """

    request: bytes
    response: bytes


class Found(NamedTuple):
    """One device that a scan met.

    Attributes:
        address: what makes it this one, as a technician writes it into ``[[device]]``: lines of
            TOML such as ``unit = 3``; empty where it cannot be addressed.
        description: what it says of itself.
        signal: how well it is heard, in dBm; NaN where that is not known.
        says: what it was told to be, word for word and by name (``model`` = ``WSDCGQ11LM``), by
            which profiles know it without another question; the names are the adapter type's
            ``says``.
    """

    address: str
    description: str
    signal: float = math.nan
    says: Mapping[str, str] = MappingProxyType({})


@runtime_checkable
class Adapter(Protocol):
    """One device. ``open`` comes first, ``close`` last; both may be repeated, in that order.

    The gateway promises: calls to one adapter never overlap, except that ``close`` may come at any
    time and that ``listen`` runs beside the others; every call may be cancelled at any await.
    The adapter promises: its constructor touches no network; ``open`` connects or leaves it to the
    first use, and never waits without a limit; after any error the next call tries afresh; in its
    batches ``point`` is an index into the bindings that it was built with.
    """

    async def open(self) -> None:
        """Get ready.

        Raises:
            DeviceError: it cannot be reached or refuses; the gateway tries again later.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; never raises, takes at most a second."""
        ...


@runtime_checkable
class Reads(Protocol):
    """Can be asked for all its points."""

    async def read(self) -> Batch:
        """Read every point once; stamps are the device's own, else those of each reply.

        Values come as the device has them, before scale and offset. A point that could not be read
        is in the batch as NaN with a bad quality when others could.

        Raises:
            DeviceError: nothing could be read.
        """
        ...


@runtime_checkable
class Picks(Protocol):
    """Can be asked for some of its points: those of ``pace = "slow"`` are then asked less often."""

    async def read_some(self, points: Sequence[int]) -> Batch:
        """Read these points once; otherwise as :meth:`Reads.read`.

        Args:
            points: indexes into the bindings, rising; the gateway asks for few different choices.

        Raises:
            DeviceError: nothing could be read.
        """
        ...


@runtime_checkable
class Listens(Protocol):
    """Speaks by itself (a broker's subscription, an instrument that streams)."""

    def listen(self) -> AsyncIterator[Batch]:
        """Yield samples as they come, until closed.

        A device that says itself that it is gone is yielded as BAD_SILENT; what had to be left out
        because more came than could be taken, as BAD_OVERFLOW.

        Raises:
            DeviceError: the line is lost; the gateway opens it again later.
        """
        ...


@runtime_checkable
class Confirms(Protocol):
    """Listens to somebody who keeps samples until he is told that they are safe here."""

    def confirmation(self) -> Callable[[], None] | None:
        """Return what the gateway calls when all that ``listen`` has yielded so far is durable.

        None when nobody waits for it. Yielded is what was followed by asking for the next. The
        gateway may leave a confirmation out: a later one covers those before it.
        """
        ...


@runtime_checkable
class Parts(Protocol):
    """Has something on a line that it shares (a subscription) from its construction on."""

    def part(self) -> None:
        """Take it back: the device is configured no more. Comes after the last ``close``, once."""
        ...


@runtime_checkable
class Writes(Protocol):
    """Can be commanded."""

    async def write(self, point: int, value: float) -> None:
        """Set one point; ``value`` is as the device has it, after scale and offset were undone.

        Raises:
            DeviceRefused: it said no, or the point cannot be written.
            DeviceError: whether it was set is not known.
        """
        ...


@runtime_checkable
class Probes(Protocol):
    """Can show raw bytes beside decoded values."""

    async def probe(self) -> Sequence[Probed]:
        """Read every point once, each with its raw bytes; never raises for a single point."""
        ...


@runtime_checkable
class Scans(Protocol):
    """Can look for devices on its line."""

    def scan(self) -> AsyncIterator[Found]:
        """Yield devices as they are met; bounded in time by the adapter's settings."""
        ...


class AdapterType(Protocol):
    """What stands behind an entry point of group ``citytwin.adapters``.

    ``device_settings`` and ``point_settings`` are msgspec structs with ``forbid_unknown_fields``;
    the gateway decodes the adapter's own fields of a ``[[device]]`` and its ``[[device.point]]``
    tables into them and reports errors with file and line. A ``ValueError`` from their
    ``__post_init__`` is reported the same way.

    An adapter type may have ``examples``: connections that are whole, a dict of fields of
    ``[[device]]`` each, as documents would show them; profiles are checked with the first that
    fits.

    It may have ``says``: the names by which ``Found.says`` of its scan tells what a device is;
    ``[[identify]]`` of a profile knows it by one of them (``said = "model"``).

    It may have a ``guide``: where a technician reads how it is used, a link or a document's path.
    What a field means is said once, in the Attributes section of its struct's docstring or by
    ``msgspec.Meta(description=…)``; ``citytwin-edge adapters show`` and its page are made from
    that. What can be done is read off the class that ``build`` is annotated to return.
    """

    device_settings: type[msgspec.Struct]
    point_settings: type[msgspec.Struct]

    def build(self, settings: Any, bindings: Sequence[Binding], site: Site) -> Adapter:
        """Return an adapter; touches no network.

        Raises:
            ConfigError: settings and points do not fit together; the text names the point.
        """
        ...


@runtime_checkable
class Locates(Protocol):
    """What an adapter type may be besides: able to tell when two devices are one and the same."""

    def locate(self, settings: Any) -> str:
        """Return where a device with these settings is: "unit 3 at 10.0.0.7:502".

        The gateway refuses a configuration with two devices of one adapter at one place: a unit
        that was copied and not renumbered.
        """
        ...


@runtime_checkable
class Decodes(Protocol):
    """What an adapter type may be besides: able to decode what once went over the line.

    So the frames beside a profile (docs/specs/profile.md) prove its addresses, types and scales
    without the device.
    """

    def decode(
        self,
        settings: Any,
        bindings: Sequence[Binding],
        exchanges: Sequence[Exchange],
        site: Site,
    ) -> Sequence[Probed]:
        """Return what the exchanges say of the points, as ``probe`` does; touches no network.

        A point of which they say nothing is left out. Of several values of a point the last counts.

        Raises:
            DeviceError: a frame is none that such a device sends or is sent; the text names it.
        """
        ...
