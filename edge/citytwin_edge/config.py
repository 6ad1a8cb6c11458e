"""The gateway's configuration: one TOML file; docs/guides/technician.md explains every field."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from citytwin.adapter import Adapter, AdapterType, Binding, Site
from citytwin.batch import SECOND_NS, Int32
from citytwin.config import Document
from citytwin.errors import CityTwinError, ConfigError
from citytwin.identity import point_id, segment
from citytwin.point import Kind, Label, Place, Point, Span
from citytwin_edge import plugins
from citytwin_edge.commander import Interlock
from citytwin_edge.kernels.settings import PointRules
from citytwin_edge.poller import DeviceSpec

DEVICES_MAX: Final = 1000
POINTS_MAX: Final = 100_000
MIB: Final = 1024 * 1024


class GatewaySection(msgspec.Struct, forbid_unknown_fields=True):
    """``[gateway]``: name, where it keeps its files, where it stands; ``hub`` is host:port."""

    name: str
    state: str = "/var/lib/citytwin-edge"
    hub: str = ""
    label: Label = Label()
    place: Place | None = None


class OutboxSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[outbox]``: its limit in MiB, and how often samples are put into it and sent."""

    size_mb_max: float = 512.0
    flush_ms: int = 1000

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        if self.size_mb_max < 1:
            raise ValueError("size_mb_max must be at least 1")
        if not 10 <= self.flush_ms <= 600_000:
            raise ValueError("flush_ms must be 10 to 600000")


class InterlockSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[[interlock]]``: ``target`` may be written only while ``guard`` is within ``span``."""

    target: str
    guard: str
    span: Span


class DeviceFields(msgspec.Struct):
    """What every ``[[device]]`` may have; the rest belongs to its adapter."""

    name: str
    adapter: str
    period_s: float = 1.0
    timeout_s: float = 10.0
    stale_after_s: float = 0.0
    backoff_s: float = 2.0
    backoff_s_max: float = 300.0
    label: Label = Label()
    place: Place | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense (ValueError)."""
        if min(self.period_s, self.timeout_s, self.backoff_s, self.backoff_s_max) <= 0:
            raise ValueError("period_s, timeout_s, backoff_s and backoff_s_max must be above 0")
        if self.stale_after_s < 0:
            raise ValueError("stale_after_s must not be below 0")


class PointFields(PointRules, frozen=True, kw_only=True):
    """What every ``[[device.point]]`` may have, the kernels' fields among it."""

    name: str
    unit: str = "1"
    kind: Kind = Kind.ANALOG
    scale: float = 1.0
    offset: float = 0.0
    label: Label = Label()
    valid: Span | None = None
    normal: Span | None = None
    writable: Span | None = None
    feeds: str = ""
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class PointConfig:
    """One point: what it is, how it is scaled, what kernels do with it, where the device has it."""

    point: Point
    scale: float
    offset: float
    rules: PointRules
    address: Any


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """One device with its adapter's checked settings."""

    fields: DeviceFields
    kind: AdapterType
    settings: Any
    points: tuple[PointConfig, ...]

    def build(self, site: Site) -> Adapter:
        """Return the adapter; touches no network.

        Raises:
            ConfigError: settings and points do not fit together.
        """
        bindings = [Binding(one.point, one.address) for one in self.points]
        return self.kind.build(self.settings, bindings, site)

    def spec(self, adapter: Adapter, numbers: Int32) -> DeviceSpec:
        """Return what a poller must know; ``numbers`` are the points' own."""
        fields = self.fields
        return DeviceSpec(
            name=fields.name,
            adapter=adapter,
            points=tuple(one.point for one in self.points),
            numbers=numbers,
            scale=np.array([one.scale for one in self.points], np.float64),
            offset=np.array([one.offset for one in self.points], np.float64),
            period_ns=int(fields.period_s * SECOND_NS),
            timeout_ns=int(fields.timeout_s * SECOND_NS),
            stale_after_ns=int(fields.stale_after_s * SECOND_NS),
            backoff_step_ns=int(fields.backoff_s * SECOND_NS),
            backoff_max_ns=int(fields.backoff_s_max * SECOND_NS),
        )


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """A whole gateway, checked."""

    path: Path
    gateway: GatewaySection
    outbox: OutboxSection = field(default_factory=OutboxSection)
    devices: tuple[DeviceConfig, ...] = ()
    interlocks: tuple[Interlock, ...] = ()

    @property
    def state(self) -> Path:
        """The folder of outbox, certificate and journal; relative to the file."""
        return self.path.parent / self.gateway.state

    @property
    def points(self) -> list[PointConfig]:
        """Every point of every device."""
        return [point for device in self.devices for point in device.points]


def load(path: Path) -> GatewayConfig:
    """Return a gateway's configuration; touches no network.

    Raises:
        ConfigError: something is wrong; the text says file, line, device, field and what may be.
    """
    document = Document(path)
    data = dict(document.data)
    known = {"gateway", "outbox", "device", "interlock"}
    for name in data:
        if name not in known:
            allowed = ", ".join(sorted(known))
            raise document.error(f"is not known here; allowed are {allowed}", (name,))
    if not isinstance(data.get("gateway"), dict):
        raise document.error("there is no table [gateway]; it needs at least a name")
    gateway = document.convert(GatewaySection, data["gateway"], ("gateway",))
    _named(document, gateway.name, "gateway", ("gateway", "name"))
    outbox = document.convert(OutboxSection, data.get("outbox", {}), ("outbox",))
    tables = data.get("device", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise document.error("devices are written as [[device]]", ("device",))
    if len(tables) > DEVICES_MAX:
        raise document.error(f"at most {DEVICES_MAX} devices on one gateway", ("device",))
    devices = tuple(
        _device(document, table, ("device", index), gateway) for index, table in enumerate(tables)
    )
    _unique(document, [device.fields.name for device in devices], ("device",))
    if sum(len(device.points) for device in devices) > POINTS_MAX:
        raise document.error(f"at most {POINTS_MAX} points on one gateway")
    config = GatewayConfig(path, gateway, outbox, devices)
    locks = _interlocks(document, data.get("interlock", []), config)
    return GatewayConfig(path, gateway, outbox, devices, locks)


def _device(
    document: Document, table: dict[str, Any], at: tuple[str | int, ...], gateway: GatewaySection
) -> DeviceConfig:
    fields = document.convert(DeviceFields, table, at)
    _named(document, fields.name, "device", (*at, "name"))
    if fields.name == "agent":
        raise document.error("'agent' is the gateway's own device", (*at, "name"))
    try:
        kind = plugins.adapter(fields.adapter)
    except ConfigError as error:
        raise document.error(str(error), (*at, "adapter")) from None
    own = {f.encode_name for f in msgspec.structs.fields(DeviceFields)} | {"point"}
    rest = {name: value for name, value in table.items() if name not in own}
    settings = document.convert(kind.device_settings, rest, at)
    tables = table.get("point", [])
    if not isinstance(tables, list) or not tables or not isinstance(tables[0], dict):
        raise document.error("a device needs at least one [[device.point]]", at)
    place = fields.place or gateway.place
    points = tuple(
        _point(document, one, (*at, "point", index), (gateway.name, fields, place), kind)
        for index, one in enumerate(tables)
    )
    _unique(document, [one.point.name for one in points], (*at, "point"))
    return DeviceConfig(fields, kind, settings, points)


def _point(
    document: Document,
    table: dict[str, Any],
    at: tuple[str | int, ...],
    device: tuple[str, DeviceFields, Place | None],
    kind: AdapterType,
) -> PointConfig:
    gateway, owner, place = device
    fields = document.convert(PointFields, table, at)
    own = {f.encode_name for f in msgspec.structs.fields(PointFields)}
    rest = {name: value for name, value in table.items() if name not in own}
    address = document.convert(kind.point_settings, rest, at)
    if fields.scale == 0 or not np.isfinite([fields.scale, fields.offset]).all():
        raise document.error("must be finite, and scale not 0", (*at, "scale"))
    if fields.counter is not None and fields.kind != Kind.COUNTER:
        raise document.error('goes with kind = "counter" only', (*at, "counter"))
    try:
        point = Point(
            id=point_id(gateway, owner.name, fields.name),
            unit=fields.unit,
            kind=fields.kind,
            label=fields.label,
            device_label=owner.label,
            valid=fields.valid,
            normal=fields.normal,
            writable=fields.writable,
            place=place,
            feeds=fields.feeds,
            attribute=fields.attribute,
        )
    except CityTwinError as error:
        wrong = next((name for name in ("unit", "feeds", "name") if name in str(error)), "name")
        raise document.error(str(error), (*at, wrong)) from None
    return PointConfig(point, fields.scale, fields.offset, fields, address)


def _interlocks(document: Document, tables: Any, config: GatewayConfig) -> tuple[Interlock, ...]:
    known = {one.point.id: one.point for one in config.points}
    locks = []
    for index, section in enumerate(
        document.convert(list[InterlockSection], tables, ("interlock",))
    ):
        ids = {}
        for name in ("target", "guard"):
            full = f"{config.gateway.name}/{getattr(section, name)}"
            if full not in known:
                raise document.error(
                    "is no point of this gateway; write device/point", ("interlock", index, name)
                )
            ids[name] = full
        locks.append(Interlock(ids["target"], ids["guard"], section.span))
    return tuple(locks)


def _named(document: Document, name: str, what: str, at: tuple[str | int, ...]) -> None:
    try:
        segment(name, what)
    except CityTwinError as error:
        raise document.error(str(error), at) from None


def _unique(document: Document, names: list[str], at: tuple[str | int, ...]) -> None:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            raise document.error(
                f"there are two named {name!r}; each needs a name of its own", (*at, index, "name")
            )
        seen[name] = index
