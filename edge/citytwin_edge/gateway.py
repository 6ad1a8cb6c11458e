"""Gateway: what a configuration file comes to, checked: devices, points, interlocks, limits."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from citytwin.adapter import Adapter, AdapterType, Binding, Site
from citytwin.batch import SECOND_NS, Int32
from citytwin.point import Kind, Label, Place, Point
from citytwin_edge.commander import Interlock
from citytwin_edge.failsafe import Secure
from citytwin_edge.foreign import built
from citytwin_edge.kernels.settings import AddedKernel, PointRules
from citytwin_edge.poller import DeviceSpec

MIB: Final = 1024 * 1024
STALE_AFTER_NS: Final = 300 * SECOND_NS
"""A device that measures, speaks by itself and says nothing at all for so long is stale, unless its
configuration says otherwise. Long enough for what reports every minute or four; short enough that a
technician sees it before leaving."""


class Remote(StrEnum):
    """What the hub may do with the configuration of this gateway."""

    OFF = "off"
    """It neither sees nor changes it."""
    KEEP_LIMITS = "keep-limits"
    """It may change all but what can be commanded: docs/specs/config.md says which changes are."""
    ALL = "all"
    """It may change everything that can be changed while the agent runs."""


class Pace(msgspec.Struct, frozen=True):
    """How a device is asked, in nanoseconds; see :class:`citytwin_edge.poller.DeviceSpec`.

    Without ``stale_after_ns`` a device that measures is stale as a whole after STALE_AFTER_NS; one
    that has states and texts only may have nothing to say for days, and never is.
    """

    period_ns: int
    timeout_ns: int
    stale_after_ns: int | None
    backoff_step_ns: int
    backoff_max_ns: int
    slow_period_ns: int = 60 * SECOND_NS


class WriteRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``write = { … }``: what holds for commands to a writable point, besides its limits.

    Attributes:
        step: a command sets a multiple of it, counted from the lower limit.
        interval_s_min: the shortest time between two commands.
        tolerance: how far the read-back may be from what was set; half a step if left out.
        failsafe: what the gateway sets by itself when its hub is gone for ``failsafe_after_s``;
            ``hold`` leaves what was commanded last, and so does leaving it out.
        failsafe_after_s: how long the hub must be gone for that.
    """

    step: Annotated[float, msgspec.Meta(gt=0, le=1e300)] | None = None
    interval_s_min: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0
    tolerance: Annotated[float, msgspec.Meta(ge=0, le=1e300)] | None = None
    failsafe: float | Literal["hold"] | None = None
    failsafe_after_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 600.0

    def allowed(self) -> float:
        """Return the tolerance of a read-back; 0 where nothing is said."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.0 if self.step is None else self.step / 2


class GatewayPoint(msgspec.Struct, frozen=True):
    """One point: what it is, how it is scaled, what kernels do with it, where the device has it.

    ``slow`` ones are read less often; ``write`` is what commands must keep.
    """

    point: Point
    scale: float
    offset: float
    rules: PointRules
    address: Any
    slow: bool = False
    write: WriteRules | None = None


class Device(msgspec.Struct, frozen=True):
    """One device with its adapter's checked settings; ``profile`` is what they came from."""

    name: str
    adapter: str
    kind: AdapterType
    settings: Any
    pace: Pace
    points: tuple[GatewayPoint, ...]
    profile: str = ""

    @property
    def wiring(self) -> tuple[Any, ...]:
        """What adapter and poller stand on: devices of equal wiring need not be built anew.

        Labels, place, normal limits, city object and what kernels do are not among it.
        """
        points = [
            (
                msgspec.structs.replace(
                    one.point, label=Label(), device_label=Label(), normal=None, place=None,
                    feeds="", attribute="",
                ),
                one.scale, one.offset, one.address, one.slow,
            )
            for one in self.points
        ]  # fmt: skip
        return (self.name, self.adapter, self.settings, self.pace, points)

    def build(self, site: Site) -> Adapter:
        """Return the adapter; touches no network.

        Raises:
            ConfigError: settings and points do not fit together, or the adapter has a mistake.
        """
        bindings = [Binding(one.point, one.address) for one in self.points]
        return built(
            f'adapter "{self.adapter}"', lambda: self.kind.build(self.settings, bindings, site)
        )

    @property
    def is_slow(self) -> bool:
        """Whether every point of it is slow."""
        return all(one.slow for one in self.points)

    def spec(self, adapter: Adapter, numbers: Int32) -> DeviceSpec:
        """Return what a poller must know; ``numbers`` are the points' own, int32, shape (n,)."""
        stale_after_ns = self.pace.stale_after_ns
        measures = any(one.point.kind in {Kind.ANALOG, Kind.COUNTER} for one in self.points)
        usual_ns = STALE_AFTER_NS if measures else 0
        return DeviceSpec(
            name=self.name,
            adapter=adapter,
            points=tuple(one.point for one in self.points),
            numbers=numbers,
            scale=np.array([one.scale for one in self.points], np.float64),
            offset=np.array([one.offset for one in self.points], np.float64),
            period_ns=self.pace.slow_period_ns if self.is_slow else self.pace.period_ns,
            slow=tuple(number for number, one in enumerate(self.points) if one.slow),
            slow_period_ns=self.pace.slow_period_ns,
            timeout_ns=self.pace.timeout_ns,
            stale_after_ns=usual_ns if stale_after_ns is None else stale_after_ns,
            stale_together=stale_after_ns is None,
            backoff_step_ns=self.pace.backoff_step_ns,
            backoff_max_ns=self.pace.backoff_max_ns,
        )


class GatewayConfig(msgspec.Struct, frozen=True):
    """A whole gateway, checked.

    Attributes:
        path: the file that it was read from.
        name: the gateway's name; its certificate must have the same.
        hub: host and port of the link; empty when enrolment shall say it.
        state: the folder of outbox, journal of commands, key and certificate.
        label, place: for people and maps; devices without a place of their own stand there too.
        outbox_bytes_max: limit of the outbox.
        flush_ns: how often samples are put into the outbox and sent.
        page: host and port where the gateway serves its own page; empty: nowhere.
        devices: in the file's order; their points together are the gateway's.
        kernels: calculations that vendors' distributions bring.
        interlocks: what must hold for a point to be written.
        raw: the file as it was read.
        remote: what the hub may do with it.
        trial_ns: how long the way to the hub may take to come back after a change by the hub.
        watch_ns: how often the file is looked at for changes; 0: never.
    """

    path: Path
    name: str
    hub: str
    state: Path
    label: Label
    place: Place | None
    outbox_bytes_max: int
    flush_ns: int
    page: str = ""
    devices: tuple[Device, ...] = ()
    interlocks: tuple[Interlock, ...] = ()
    kernels: tuple[AddedKernel, ...] = ()
    raw: bytes = b""
    remote: Remote = Remote.KEEP_LIMITS
    trial_ns: int = 300 * SECOND_NS
    watch_ns: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal: by this gateway and hub name a configuration."""
        return digest(self.raw)

    @property
    def intervals_ns(self) -> dict[str, int]:
        """The shortest time between two commands, by point."""
        return {
            one.point.id: nanoseconds(one.write.interval_s_min)
            for one in self.points
            if one.write is not None
        }

    @property
    def failsafe(self) -> dict[str, Secure]:
        """What is set when the hub is gone, by point."""
        return {
            one.point.id: Secure(one.write.failsafe, nanoseconds(one.write.failsafe_after_s))
            for one in self.points
            if one.write is not None and isinstance(one.write.failsafe, float)
        }

    @property
    def points(self) -> list[GatewayPoint]:
        """Every point of every device."""
        return [point for device in self.devices for point in device.points]


def digest(raw: bytes) -> str:
    """Return the name of a configuration file's text: SHA-256 (FIPS 180-4) in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def nanoseconds(seconds: float) -> int:
    """Return a duration in whole nanoseconds."""
    return round(seconds * SECOND_NS)


def split_address(text: str, port: int) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port`` or ``[v6]:port``; ``port`` by default.

    Raises:
        ValueError: it is none of these; the text says what is expected.
    """
    host, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, number = text, str(port)
    bracketed = host.startswith("[") and host.endswith("]")
    plain = host[1:-1] if bracketed else host
    well_formed = plain and plain == plain.strip() and not set(plain) & set("/[]")
    if ":" in plain and not bracketed:
        raise ValueError(f"{text!r}: an IPv6 address stands in brackets, such as [::1]:{port}")
    if not well_formed or not number.isascii() or not number.isdigit() or not int(number) < 65536:
        raise ValueError(f"{text!r} is not an address; write host or host:port")
    return plain, int(number)


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, the host in brackets where it is an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
